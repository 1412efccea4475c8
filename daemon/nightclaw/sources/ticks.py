"""Ticks: at a steady pace, look around without a model and say what changed.

A tick is keyed by its slot on a fixed grid, so a slot is one signal whatever restarts or clocks do. An absence of many
slots (sleep, restart, pause, a clock set forward) gives one catch-up tick that counts them. With `max` the pace slows
by halves while nothing changes and is back at `every` with the first change. The owner's turn goes first: a due tick
waits for it, at most YIELD_S.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Protocol

from nightclaw.core import failpoints
from nightclaw.core.errors import StoreBusy, StoreUnavailable
from nightclaw.core.ports import Clock, Journal, Problems
from nightclaw.core.trust import Trust
from nightclaw.core.types import JSON, FactChange, SignalDraft, Source
from nightclaw.sources.crontab import iso
from nightclaw.sources.probes import Around, Look, Probe, changes_now

LONGEST_S = 30.0
RETRY_S = 5.0
YIELD_S = 30.0
CHANGES = 50
"""How many changes one tick tells; the next one tells the rest."""
SETTLES_MS = 60_000
"""How long a change just told may take to become a known fact before it counts as unknown again."""
STATE = "ticks:last"


class TickSettings(Protocol):
    """Seconds between ticks; max: the longest it may slow down to, None for a fixed pace."""

    @property
    def every(self) -> float: ...
    @property
    def max(self) -> float | None: ...


class Ticks:
    """settings, around: read anew for each tick. yield_to_owner(s): returns when no chat turn runs, or after s."""

    name = "ticks"

    def __init__(
        self,
        journal: Journal,
        clock: Clock,
        problems: Problems,
        settings: Callable[[], TickSettings],
        around: Callable[[], Around],
        probes: Sequence[Probe],
        is_paused: Callable[[], bool] = lambda: False,
        yield_to_owner: Callable[[float], Awaitable[None]] | None = None,
    ) -> None:
        self._journal = journal
        self._clock = clock
        self._problems = problems
        self._settings = settings
        self._around = around
        self._probes = probes
        self._is_paused = is_paused
        self._yield_to_owner = yield_to_owner
        self._again = asyncio.Event()
        self._last: int | None = None
        self._interval = 0
        self._told: dict[str, tuple[JSON, int]] = {}

    def poke(self) -> None:
        """Something changed (config, pause, the clock): look again now."""
        self._again.set()

    def describe(self) -> dict[str, JSON]:
        pace = f"every {self._interval / 1000:g} s" if self._interval else "not yet ticking"
        state = "off" if self._is_paused() else "ok"
        return {"name": self.name, "kind": "tick", "state": state, "last_at": self._last, "detail": pace}

    async def run(self) -> None:
        """Tick forever."""
        await self._remember()
        while True:
            self._again.clear()
            try:
                wait_s = await self.look()
            except (StoreBusy, StoreUnavailable):
                wait_s = RETRY_S
            try:
                async with asyncio.timeout(min(wait_s, LONGEST_S)):
                    await self._again.wait()
            except TimeoutError:
                pass

    async def look(self) -> float:
        """Tick if a slot is due; seconds until the next one is."""
        settings = self._settings()
        every = max(round(settings.every * 1000), 1)
        longest = max(round(settings.max * 1000), every) if settings.max is not None else every
        self._interval = min(max(self._interval, every), longest)
        if self._is_paused():
            return LONGEST_S
        now = self._clock.now_ms()
        slot = now // every * every
        if self._last is not None and self._last > now:
            self._last = slot  # the clock went back: go on from here, slots that were used are not used again
        if self._last is None or slot >= self._last + self._interval:
            await self._tick(slot, every, longest)
        assert self._last is not None
        due_at = -(-(self._last + self._interval) // every) * every
        return max((due_at - self._clock.now_ms()) / 1000, 0.001)

    async def _tick(self, slot: int, every: int, longest: int) -> None:
        if self._yield_to_owner is not None:
            await self._yield_to_owner(YIELD_S)
        key = f"tick:{iso(slot)}"
        if not await self._journal.holds(Source.TICK, [key]):
            missed = 0 if self._last is None else max((slot - self._last) // self._interval - 1, 0)
            changes = await self._changes()
            self._interval = every if changes else min(self._interval * 2, longest)
            state: dict[str, JSON] = {STATE: {"slot": slot, "interval": self._interval}}
            failpoints.hit("tick.before_emit")
            await self._journal.emit(_draft(key, slot, missed, changes), state)
            failpoints.hit("tick.emitted")
            now = self._clock.now_ms()
            self._told |= {c.key: (c.value, now) for c in changes}
        self._last = slot

    async def _changes(self) -> list[FactChange]:
        """What the probes find against the known facts and those just told, which are known in a moment."""
        facts = await self._journal.facts("")
        now = self._clock.now_ms()
        for key, (value, at) in list(self._told.items()):
            if facts.get(key) == value or not 0 <= now - at < SETTLES_MS:
                del self._told[key]
        view = Look(now, self._around(), _laid_over(facts, self._told))
        return (await changes_now(self._probes, view, self._problems))[:CHANGES]

    async def _remember(self) -> None:
        """Where the last process stopped."""
        while True:
            try:
                held = await self._journal.load(STATE)
                break
            except (StoreBusy, StoreUnavailable):
                await asyncio.sleep(RETRY_S)
        if isinstance(held, Mapping):
            slot, interval = held.get("slot"), held.get("interval")
            self._last = slot if isinstance(slot, int) else None
            self._interval = interval if isinstance(interval, int) else 0


def _laid_over(facts: Mapping[str, JSON], told: Mapping[str, tuple[JSON, int]]) -> dict[str, JSON]:
    laid = dict(facts)
    for key, (value, _) in told.items():
        if value is None:
            laid.pop(key, None)
        else:
            laid[key] = value
    return laid


def _draft(key: str, slot: int, missed: int, changes: Sequence[FactChange]) -> SignalDraft:
    said = f"{len(changes)} fact{'' if len(changes) == 1 else 's'} changed" if changes else "nothing changed"
    told: list[JSON] = [asdict(c) for c in changes]
    attrs: dict[str, JSON] = {"changes": told, "slot": iso(slot), "missed": missed}
    return SignalDraft(
        source=Source.TICK,
        kind="tick",
        subject="tick",
        dedupe_key=key,
        title=f"tick: {said}{f', {missed} ticks were missed' if missed else ''}",
        trust=Trust.DAEMON,
        payload={"changes": len(changes)},
        attrs=attrs,
        private=any(c.private for c in changes),
    )
