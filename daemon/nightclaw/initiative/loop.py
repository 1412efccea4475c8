"""The loop of initiative: waits for signals, decides by subject. It has no tools and starts nothing itself.

Where the rules leave room a model is asked beside the loop: that subject waits for the answer, the others go on, and
an answer that does not come is no obstacle.
"""

import asyncio
from collections.abc import Callable
from dataclasses import replace

from nightclaw.core import failpoints
from nightclaw.core.errors import StoreClosed, StoreError, StoreUnavailable
from nightclaw.core.ports import Clock
from nightclaw.initiative.counsel import Counsel, Means
from nightclaw.initiative.decide import NeedsTriage, Stance, decide
from nightclaw.store import signals
from nightclaw.store.db import Connection, Store

HEARS = frozenset({"signal.received", "decision.made"})
LONGEST_WAIT_MS = 500
"""How much longer than its quiet window a busy subject may put off its decision."""
SUBJECTS_A_PASS = 16
ASKED_AT_ONCE = 32
"""How many subjects may wait for a model; in a flood the floor holds for the rest."""
LONGEST_SLEEP_S = 30.0
RETRY_S = 5.0


class Initiative:
    """stance: read anew for every pass, so a reload or the owner's coming and going counts at once. means: what
    asking a model takes; without them none is asked."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        stance: Callable[[], Stance],
        is_paused: Callable[[], bool],
        beat: Callable[[], None],
        means: Means | None = None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._stance = stance
        self._is_paused = is_paused
        self._beat = beat
        self._counsel = Counsel(store, clock, means) if means is not None else None
        self._asking: dict[str, asyncio.Task[None]] = {}
        self._failed: BaseException | None = None

    async def run(self) -> None:
        """Decide forever; waits on the Head and on the earliest quiet window, at most 30 s."""
        try:
            while True:
                self._beat()
                cursor = self._store.head.cursor
                if self._failed is not None:
                    failed, self._failed = self._failed, None
                    raise failed
                if self._is_paused():
                    await self._stop_asking()
                    await self._store.head.wait_past(cursor, LONGEST_SLEEP_S)
                    continue
                await self._pass(cursor)
        finally:
            await self._stop_asking()

    async def _pass(self, cursor: int) -> None:
        try:
            if await self.decide_due():
                return
            wait_s = await self._until_next()
        except StoreClosed:
            raise
        except StoreUnavailable:
            wait_s = RETRY_S
        await self._store.head.wait_past(cursor, wait_s, HEARS)

    async def decide_due(self) -> int:
        """Decide up to 16 subjects that are due, in one transaction; how many were looked at.

        Those a model is to be asked about first are decided when it answered: `answered()` waits for them.
        """
        now = self._clock.now_ms()
        due = await self._store.read(
            signals.due_subjects, now, LONGEST_WAIT_MS, SUBJECTS_A_PASS, list(self._asking)
        )
        if not due:
            return 0
        stance = self._now_stance()

        def write(conn: Connection) -> list[str | NeedsTriage | None]:
            failpoints.hit("initiative.before_decide")
            return [decide(conn, subject, stance, now) for subject in due]

        outcomes = await self._store.write(write)
        failpoints.hit("initiative.decided")
        for outcome in outcomes:
            if isinstance(outcome, NeedsTriage):
                self._begin_asking(outcome)
        return sum(outcome is not None for outcome in outcomes)

    @property
    def open_questions(self) -> int:
        """How many subjects wait for a model's answer."""
        return len(self._asking)

    async def answered(self) -> None:
        """Wait until every question that is open now is answered and decided."""
        if self._asking:
            await asyncio.wait(list(self._asking.values()))

    def _now_stance(self) -> Stance:
        stance = self._stance()
        if stance.may_triage and (self._counsel is None or len(self._asking) >= ASKED_AT_ONCE):
            return replace(stance, may_triage=False)
        return stance

    def _begin_asking(self, needs: NeedsTriage) -> None:
        task = asyncio.create_task(self._ask_and_decide(needs), name=f"triage {needs.subject}")
        self._asking[needs.subject] = task
        task.add_done_callback(lambda done: self._asked(needs.subject, done))

    async def _ask_and_decide(self, needs: NeedsTriage) -> None:
        assert self._counsel is not None
        outcome: str | NeedsTriage | None = needs
        try:
            while isinstance(outcome, NeedsTriage):
                opinion = await self._counsel.ask(outcome)
                now = self._clock.now_ms()
                outcome = await self._store.write(decide, needs.subject, self._now_stance(), now, opinion)
        except StoreClosed:
            pass
        except StoreError:
            await asyncio.sleep(RETRY_S)  # the subject still waits and is looked at again

    def _asked(self, subject: str, done: asyncio.Task[None]) -> None:
        self._asking.pop(subject, None)
        if not done.cancelled() and (error := done.exception()) is not None:
            self._failed = error
        self._store.head.wake()

    async def _stop_asking(self) -> None:
        for task in self._asking.values():
            task.cancel()
        if self._asking:
            await asyncio.wait(list(self._asking.values()))

    async def _until_next(self) -> float:
        due_at = await self._store.read(signals.next_due_at, LONGEST_WAIT_MS, list(self._asking))
        if due_at is None:
            return LONGEST_SLEEP_S
        return min(max((due_at - self._clock.now_ms()) / 1000, 0.02), LONGEST_SLEEP_S)
