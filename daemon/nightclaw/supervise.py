"""Keeps the named loops of the daemon running, and tells the truth about them.

Guarantees. A loop that fails is started again, later each time; a critical one that fails three times in five
minutes ends the daemon, because half-alive is dead. A loop that falls silent is named by `stuck`, which is what
/healthz answers and what keeps the watchdog from being fed. Draining is bounded and says who did not end.
"""

import asyncio
import contextlib
import traceback
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field

from nightclaw.core.errors import NightclawError, StoreUnavailable
from nightclaw.core.ports import Clock, Problems
from nightclaw.sdnotify import Notify

FAILURES = 3
WITHIN_S = 300.0
CRITICAL_BACKOFF_S = (0.5, 2.0)
BACKOFF_S = (1.0, 5.0, 15.0, 60.0, 300.0)
LONGEST_WAIT_S = 30.0
WELL_AFTER_S = 60.0


@dataclass(slots=True)
class _Loop:
    name: str
    factory: Callable[[], Awaitable[None]]
    critical: bool
    silence_s: float | None
    beat_at: float
    task: asyncio.Task[None] | None = None
    is_down: bool = False
    is_leaving: bool = False
    failures: deque[float] = field(default_factory=lambda: deque(maxlen=FAILURES))
    streak: int = 0
    born_at: float = 0.0


@dataclass(frozen=True, slots=True)
class GivenUp:
    """Why the daemon must end: the loop and its last words."""

    loop: str
    reason: str
    trace: str = ""

    def __str__(self) -> str:
        return f"{self.loop} failed {FAILURES} times in {WITHIN_S / 60:.0f} minutes: {self.reason}"


class Supervisor:
    """Add loops, before or after `start`. `ended` is set when a critical loop is given up; `given_up` says why.

    A critical loop must not return; another one may, and is then done. A loop with `silence_s` has to `beat`
    at least that often (loops that idle wake every 30 s to do so).
    """

    def __init__(
        self,
        clock: Clock,
        problems: Problems,
        *,
        critical_backoff_s: Sequence[float] = CRITICAL_BACKOFF_S,
        backoff_s: Sequence[float] = BACKOFF_S,
    ) -> None:
        self._clock = clock
        self._critical_backoff_s = critical_backoff_s
        self._backoff_s = backoff_s
        self._problems = problems
        self._loops: dict[str, _Loop] = {}
        self._started = False
        self.lag_s = 0.0
        self.ended = asyncio.Event()
        self.given_up: GivenUp | None = None

    def add(
        self,
        name: str,
        factory: Callable[[], Awaitable[None]],
        *,
        critical: bool = True,
        silence_s: float | None = None,
    ) -> None:
        """`factory()` makes one life of the loop; it is called again after a failure."""
        if name in self._loops:
            raise ValueError(f"there is a loop {name} already")
        loop = _Loop(name, factory, critical, silence_s, self._clock.monotonic())
        self._loops[name] = loop
        if self._started:
            self._start(loop)

    def start(self) -> None:
        self._started = True
        for loop in self._loops.values():
            self._start(loop)

    def _start(self, loop: _Loop) -> None:
        loop.beat_at = self._clock.monotonic()
        loop.task = asyncio.create_task(self._keep(loop), name=loop.name)

    def beat(self, name: str) -> None:
        self._loops[name].beat_at = self._clock.monotonic()

    def ages(self) -> dict[str, float]:
        """Seconds since each loop beat last."""
        now = self._clock.monotonic()
        return {loop.name: max(0.0, now - loop.beat_at) for loop in self._loops.values()}

    def stuck(self, names: Iterable[str] | None = None) -> list[str]:
        """What does not live, one line each: a critical loop between two lives, or one silent for too long."""
        now = self._clock.monotonic()
        found: list[str] = []
        for loop in self._loops.values():
            if names is not None and loop.name not in names:
                continue
            age = now - loop.beat_at
            if loop.critical and loop.is_down:
                found.append(f"{loop.name} failed and is being restarted")
            elif loop.silence_s is not None and age > loop.silence_s:
                found.append(f"{loop.name} has been silent for {age:.0f} s")
        return found

    async def prove(self, name: str, ping: Callable[[], Awaitable[object]]) -> None:
        """A loop that beats for something that is no loop (the writer thread): each time `ping` comes back.

        An error that says the disk refuses is an answer too: restarting would not help.
        """
        while True:
            with contextlib.suppress(StoreUnavailable):
                await ping()
            self.beat(name)
            await asyncio.sleep(LONGEST_WAIT_S)

    async def watch(self, notify: Notify, watchdog_s: float | None, names: Iterable[str]) -> None:
        """A loop that measures the lag of the event loop, and feeds the watchdog while all of `names` live."""
        vital = tuple(names)
        every_s = min(LONGEST_WAIT_S, (watchdog_s or LONGEST_WAIT_S * 3) / 3)
        while True:
            if watchdog_s is not None and not self.stuck(vital):
                notify.alive()
            before = self._clock.monotonic()
            await asyncio.sleep(every_s)
            now = self._clock.monotonic()
            self.lag_s = max(0.0, now - before - every_s)
            for loop in self._loops.values():
                if not loop.is_down and loop.streak and now - loop.born_at > WELL_AFTER_S:
                    loop.streak = 0
                    self._problems.set(f"loop.{loop.name}", None)

    async def drain(self, timeout_s: float, names: Iterable[str] | None = None) -> list[str]:
        """Cancel the loops (all, or these) and wait for them; returns those that did not end in time."""
        wanted = set(self._loops if names is None else names)
        tasks: dict[asyncio.Task[None], str] = {}
        for loop in self._loops.values():
            if loop.name in wanted and loop.task is not None and not loop.task.done():
                loop.is_leaving = True
                loop.task.cancel()
                tasks[loop.task] = loop.name
        if not tasks:
            return []
        _, late = await asyncio.wait(tasks, timeout=timeout_s)
        return sorted(tasks[task] for task in late)

    async def _keep(self, loop: _Loop) -> None:
        while not loop.is_leaving:
            loop.is_down = False
            self.beat(loop.name)
            loop.born_at = self._clock.monotonic()
            error: Exception
            try:
                await loop.factory()
                if not loop.critical:
                    self._problems.set(f"loop.{loop.name}", None)
                    return
                error = RuntimeError("the loop ended by itself")
            except asyncio.CancelledError:
                if loop.is_leaving or loop.task is None or loop.task.cancelling():
                    raise
                error = RuntimeError("something inside was cancelled")
            except Exception as raised:  # noqa: BLE001 - this is the place where every failure of a loop is handled
                error = raised
            loop.is_down = True
            if self._gives_up(loop, error):
                return
            await asyncio.sleep(self._backoff(loop, error))

    def _gives_up(self, loop: _Loop, error: Exception) -> bool:
        now = self._clock.monotonic()
        loop.streak += 1
        loop.failures.append(now)
        if not loop.critical or len(loop.failures) < FAILURES or now - loop.failures[0] > WITHIN_S:
            return False
        trace = "".join(traceback.format_exception(error))
        self.given_up = GivenUp(loop.name, _words(error), trace)
        self.ended.set()
        return True

    def _backoff(self, loop: _Loop, error: Exception) -> float:
        steps = self._critical_backoff_s if loop.critical else self._backoff_s
        wait_s = steps[min(loop.streak, len(steps)) - 1]
        hint = error.hint if isinstance(error, NightclawError) else ""
        again = f"it is tried again in {wait_s:.0f} s" if wait_s >= 1 else "it is tried again at once"
        self._problems.set(f"loop.{loop.name}", f"{loop.name} failed: {_words(error)}; {again}", hint)
        return wait_s


def _words(error: BaseException) -> str:
    text = " ".join(str(error).split())[:300]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
