"""The loop of initiative: waits for signals, decides by subject. It has no tools and starts nothing itself."""

from collections.abc import Callable

from nightclaw.core import failpoints
from nightclaw.core.errors import StoreClosed, StoreUnavailable
from nightclaw.core.ports import Clock
from nightclaw.initiative.decide import Stance, decide
from nightclaw.store import signals
from nightclaw.store.db import Connection, Store

LONGEST_WAIT_MS = 5_000
SUBJECTS_A_PASS = 16
LONGEST_SLEEP_S = 30.0
RETRY_S = 5.0


class Initiative:
    """stance: read anew for every pass, so a reload or the owner's coming and going counts at once."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        stance: Callable[[], Stance],
        is_paused: Callable[[], bool],
        beat: Callable[[], None],
    ) -> None:
        self._store = store
        self._clock = clock
        self._stance = stance
        self._is_paused = is_paused
        self._beat = beat

    async def run(self) -> None:
        """Decide forever; waits on the Head and on the earliest quiet window, at most 30 s."""
        while True:
            self._beat()
            cursor = self._store.head.cursor
            if self._is_paused():
                await self._store.head.wait_past(cursor, LONGEST_SLEEP_S)
                continue
            try:
                decided = await self.decide_due()
                if decided:
                    continue
                wait_s = await self._until_next()
            except StoreClosed:
                raise
            except StoreUnavailable:
                wait_s = RETRY_S
            await self._store.head.wait_past(cursor, wait_s)

    async def decide_due(self) -> int:
        """Decide up to 16 subjects that are due, in one transaction; returns how many were."""
        now = self._clock.now_ms()
        due = await self._store.read(signals.due_subjects, now, LONGEST_WAIT_MS, SUBJECTS_A_PASS)
        if not due:
            return 0
        stance = self._stance()

        def write(conn: Connection) -> int:
            failpoints.hit("initiative.before_decide")
            return sum(decide(conn, subject, stance, now) is not None for subject in due)

        count = await self._store.write(write)
        failpoints.hit("initiative.decided")
        return count

    async def _until_next(self) -> float:
        due_at = await self._store.read(signals.next_due_at, LONGEST_WAIT_MS)
        if due_at is None:
            return LONGEST_SLEEP_S
        return min(max((due_at - self._clock.now_ms()) / 1000, 0.02), LONGEST_SLEEP_S)
