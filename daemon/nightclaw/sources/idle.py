"""Idle: says once that the owner is away and nothing is to do, and once that this is over.

Idle begins when nobody is attached, no work runs, and neither owner nor work stirred for `[dream] idle`. One timer, at
most LONGEST_S long, and `poke` for news in between; it survives a restart without saying the same twice.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from nightclaw.core.errors import StoreBusy, StoreUnavailable
from nightclaw.core.ports import Clock, Journal
from nightclaw.core.trust import Trust
from nightclaw.core.types import JSON, SignalDraft, Source
from nightclaw.sources.crontab import iso

LONGEST_S = 30.0
RETRY_S = 5.0
STATE = "idle:since"


@dataclass(frozen=True, slots=True)
class Activity:
    """input_at: the owner's last input (ms, 0: none yet). attached: somebody looks. working: a task runs or waits."""

    input_at: int
    attached: bool
    working: bool


class Idle:
    """idle_s: read anew at each look. activity: what stirs right now."""

    name = "idle"

    def __init__(
        self,
        journal: Journal,
        clock: Clock,
        idle_s: Callable[[], float],
        activity: Callable[[], Awaitable[Activity]],
        is_paused: Callable[[], bool] = lambda: False,
    ) -> None:
        self._journal = journal
        self._clock = clock
        self._idle_s = idle_s
        self._activity = activity
        self._is_paused = is_paused
        self._again = asyncio.Event()
        self._since: int | None = None
        self._stirred_at: int | None = None

    def poke(self) -> None:
        """The owner came, wrote or left, or work began: look again now."""
        self._again.set()

    @property
    def since(self) -> int | None:
        """Since when it is idle (ms), None while it is not."""
        return self._since

    def describe(self) -> dict[str, JSON]:
        away = self._since is not None
        detail = f"idle since {iso(self._since)}" if self._since is not None else "not idle"
        state = "off" if self._is_paused() else "ok" if away else "waiting"
        return {"name": self.name, "kind": "idle", "state": state, "last_at": self._since, "detail": detail}

    async def run(self) -> None:
        """Watch for idleness forever."""
        known = False
        while True:
            self._again.clear()
            try:
                if not known:
                    held = await self._journal.load(STATE)
                    self._since = held if isinstance(held, int) else None
                    known = True
                wait_s = await self.look()
            except (StoreBusy, StoreUnavailable):
                wait_s = RETRY_S
            try:
                async with asyncio.timeout(min(wait_s, LONGEST_S)):
                    await self._again.wait()
            except TimeoutError:
                pass

    async def look(self) -> float:
        """Say what changed, if anything; seconds until idleness can begin."""
        if self._is_paused():
            return LONGEST_S
        now, now_active = self._clock.now_ms(), await self._activity()
        stirs = now_active.attached or now_active.working
        if self._stirred_at is None:
            self._stirred_at = self._since if self._since is not None else now
        stirred_at = now if stirs else min(max(self._stirred_at, now_active.input_at), now)
        self._stirred_at = stirred_at
        if self._since is not None:
            if stirs or stirred_at > self._since:
                await self._say("idle.ended", self._since, None, "idle is over")
            return LONGEST_S
        left_ms = stirred_at + round(self._idle_s() * 1000) - now
        if stirs:
            return LONGEST_S
        if left_ms > 0:
            return left_ms / 1000
        await self._say("idle.started", stirred_at, stirred_at, "nobody is here and nothing is to do")
        return LONGEST_S

    async def _say(self, kind: str, since: int, state: int | None, title: str) -> None:
        draft = SignalDraft(
            source=Source.IDLE,
            kind=kind,
            subject="idle",
            dedupe_key=f"{kind}:{iso(since)}",
            title=title,
            trust=Trust.DAEMON,
            attrs={"since": iso(since)},
        )
        await self._journal.emit(draft, {STATE: state})
        self._since = state
