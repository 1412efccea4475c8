"""Where work starts, and the only place: claims ready tasks and hands each to the runner.

Two lanes: chats never wait behind other work. Recovery only re-queues; whatever was interrupted is claimed here.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from nightclaw.core import failpoints
from nightclaw.core.errors import StoreClosed, StoreUnavailable
from nightclaw.core.ports import Clock
from nightclaw.execution.runner import Model, Runner
from nightclaw.store import runs, tasks
from nightclaw.store.db import Store
from nightclaw.store.tasks import Task

LONGEST_SLEEP_S = 30.0
MAKES_READY = frozenset(
    {"task.created", "task.parked", "task.finished", "turn.finished", "approval.resolved", "signal.received",
     "decision.made"}
)  # fmt: skip
"""What may have made a task ready; the steps of a run are not among them. `Head.wake` tells of the rest."""
RETRY_S = 5.0


@dataclass(slots=True)
class Lane:
    """Kinds of task that share slots."""

    kinds: list[str]
    slots: int
    role: str
    running: dict[asyncio.Task[None], str] = field(default_factory=dict[asyncio.Task[None], str])


class Scheduler:
    """may_work: False while paused or in safe mode; the chat lane does not ask it. may_claim: whether anybody could
    answer a lane now. model_for: who answers a task, None when no model may see it."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        runner: Runner,
        may_claim: Callable[[str], bool],
        model_for: Callable[[Task], Model | None],
        epoch: int,
        may_work: Callable[[], bool],
        beat: Callable[[], None],
    ) -> None:
        self._store = store
        self._clock = clock
        self._runner = runner
        self._may_claim = may_claim
        self._model_for = model_for
        self._epoch = epoch
        self._may_work = may_work
        self._beat = beat
        self._chat = Lane(["chat"], 4, "chat")
        self._work = Lane(["work", "plan", "doc"], 2, "agent")
        self._freed = asyncio.Event()

    async def run(self) -> None:
        """Claim forever. On cancellation the running turns are interrupted, resumable."""
        try:
            while True:
                self._beat()
                cursor = self._store.head.cursor
                self._freed.clear()
                try:
                    started = await self._claim(self._chat)
                    wait_s = LONGEST_SLEEP_S
                    if self._may_work():
                        wait_s = await self._wake()
                        started += await self._claim(self._work)
                except StoreClosed:
                    raise
                except StoreUnavailable:
                    await asyncio.sleep(RETRY_S)
                    continue
                if not started and wait_s > 0:
                    await self._wait(cursor, wait_s)
        finally:
            await self._interrupt()

    def is_running(self, kind: str) -> bool:
        lane = self._chat if kind == "chat" else self._work
        return bool(lane.running)

    def stop_work(self) -> None:
        """Interrupt everything but chats, resumable: the owner paused. What they run is ended with them."""
        for work in list(self._work.running):
            work.cancel()

    async def _claim(self, lane: Lane) -> int:
        if len(lane.running) >= lane.slots or not self._may_claim(lane.role):
            return 0
        claim = await self._store.write(
            runs.claim_next, lane.kinds, self._epoch, lane.role, self._clock.now_ms()
        )
        if claim is None:
            return 0
        failpoints.hit("scheduler.claimed")
        work = asyncio.create_task(
            self._runner.run(claim, self._model_for(claim.task)), name=f"run {claim.task.id}"
        )
        lane.running[work] = claim.task.id
        work.add_done_callback(lambda done: self._ended(lane, done))
        return 1

    async def _wake(self) -> float:
        """Make ready what slept until now; seconds until the next one wakes."""
        now = self._clock.now_ms()
        at = await self._store.read(tasks.next_wake_at)
        if at is not None and at <= now:
            await self._store.write(tasks.wake_due, now)
            return 0.0
        return LONGEST_SLEEP_S if at is None else min((at - now) / 1000, LONGEST_SLEEP_S)

    def _ended(self, lane: Lane, done: asyncio.Task[None]) -> None:
        lane.running.pop(done, None)
        self._freed.set()
        if not done.cancelled() and (error := done.exception()) is not None:
            asyncio.get_running_loop().call_exception_handler(
                {"message": "a run ended with an error it did not settle", "exception": error}
            )

    async def _wait(self, cursor: int, wait_s: float) -> None:
        woken = asyncio.ensure_future(self._store.head.wait_past(cursor, wait_s, MAKES_READY))
        freed = asyncio.ensure_future(self._freed.wait())
        await asyncio.wait({woken, freed}, return_when=asyncio.FIRST_COMPLETED)
        for waiting in (woken, freed):
            waiting.cancel()
        await asyncio.gather(woken, freed, return_exceptions=True)

    async def _interrupt(self) -> None:
        running = [*self._chat.running, *self._work.running]
        for work in running:
            work.cancel()
        await asyncio.gather(*running, return_exceptions=True)
