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
from nightclaw.store import runs
from nightclaw.store.db import Store

LONGEST_SLEEP_S = 30.0
RETRY_S = 5.0


@dataclass(slots=True)
class Lane:
    """Kinds of task that share slots."""

    kinds: list[str]
    slots: int
    role: str
    running: dict[asyncio.Task[None], str] = field(default_factory=dict[asyncio.Task[None], str])


class Scheduler:
    """may_work: False while paused or in safe mode; the chat lane does not ask it."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        runner: Runner,
        model_for: Callable[[str], Model | None],
        epoch: int,
        may_work: Callable[[], bool],
        beat: Callable[[], None],
    ) -> None:
        self._store = store
        self._clock = clock
        self._runner = runner
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
                    if self._may_work():
                        started += await self._claim(self._work)
                except StoreClosed:
                    raise
                except StoreUnavailable:
                    await asyncio.sleep(RETRY_S)
                    continue
                if not started:
                    await self._wait(cursor)
        finally:
            await self._interrupt()

    def is_running(self, kind: str) -> bool:
        lane = self._chat if kind == "chat" else self._work
        return bool(lane.running)

    async def _claim(self, lane: Lane) -> int:
        model = self._model_for(lane.role)
        if len(lane.running) >= lane.slots or model is None:
            return 0
        claim = await self._store.write(
            runs.claim_next, lane.kinds, self._epoch, model.name, self._clock.now_ms()
        )
        if claim is None:
            return 0
        failpoints.hit("scheduler.claimed")
        work = asyncio.create_task(self._runner.run(claim, model), name=f"run {claim.task.id}")
        lane.running[work] = claim.task.id
        work.add_done_callback(lambda done: self._ended(lane, done))
        return 1

    def _ended(self, lane: Lane, done: asyncio.Task[None]) -> None:
        lane.running.pop(done, None)
        self._freed.set()
        if not done.cancelled() and (error := done.exception()) is not None:
            asyncio.get_running_loop().call_exception_handler(
                {"message": "a run ended with an error it did not settle", "exception": error}
            )

    async def _wait(self, cursor: int) -> None:
        woken = asyncio.ensure_future(self._store.head.wait_past(cursor, LONGEST_SLEEP_S))
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
