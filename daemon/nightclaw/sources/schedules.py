"""Schedules: what the owner set for a time becomes a signal when the time has come, once.

The table behind the ScheduleBook is the truth. The library's timer only says "look again": each look reads the wall
clock and the rows, so a suspended laptop, a changed clock or a restart is seen at the latest CHECK_S after it, and a
schedule that slept through its slots is caught up once, by its own policy. While paused nothing fires; what passed
meanwhile is caught up like any other absence.
"""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, Protocol

from nightclaw.core import failpoints
from nightclaw.core.errors import Invalid, NotFound, StoreBusy, StoreUnavailable
from nightclaw.core.ids import new_id
from nightclaw.core.ports import Clock, Problems
from nightclaw.core.trust import Trust
from nightclaw.core.types import JSON, Intake, JSONObject, SignalDraft
from nightclaw.sources.calendar import Spec, due, next_fire, read_spec
from nightclaw.sources.crontab import iso
from nightclaw.sources.schedule_words import (
    ScheduleRow,
    ScheduleStanza,
    checked,
    due_draft,
    manual_draft,
    missed_draft,
    name_of,
    words_of,
)

if TYPE_CHECKING:
    from apscheduler.schedulers.asyncio import AsyncIOScheduler

CHECK_S = 30.0
RETRY_S = 5.0
BACK_MS = 1000
"""How far the wall may fall behind the monotonic clock before due times are reckoned anew."""


class Settings(Protocol):
    @property
    def schedule(self) -> Sequence[ScheduleStanza]: ...
    @property
    def tz(self) -> tzinfo: ...


class ScheduleBook(Protocol):
    """The table of schedules. Raises StoreBusy, StoreUnavailable; NotFound and Refused as they say."""

    async def rows(self) -> Sequence[ScheduleRow]: ...
    async def find(self, ref: str) -> ScheduleRow: ...
    async def add(
        self, row_id: str, name: str, origin: str, spec: JSONObject, next_at: int | None, created_at: int
    ) -> None: ...
    async def mirror(
        self, row_id: str, name: str, spec: JSONObject, next_at: int | None, created_at: int
    ) -> None: ...
    async def remove(self, ref: str, *, by_config: bool = False) -> None: ...
    async def set_next(self, row_id: str, expected: int | None, next_at: int | None) -> bool: ...
    async def fire(
        self,
        row_id: str,
        expected: int,
        drafts: Sequence[SignalDraft],
        next_at: int | None,
        fired_at: int | None,
    ) -> list[Intake] | None: ...
    async def emit(self, draft: SignalDraft) -> Intake: ...


class Schedules:
    """config is read anew at each look, so a reload needs no more than `poke`."""

    name = "schedules"

    def __init__(
        self,
        book: ScheduleBook,
        clock: Clock,
        problems: Problems,
        config: Callable[[], Settings],
        is_paused: Callable[[], bool] = lambda: False,
    ) -> None:
        self._book = book
        self._clock = clock
        self._problems = problems
        self._config = config
        self._is_paused = is_paused
        self._mirrored: Settings | None = None
        self._again = asyncio.Event()
        self._alarms: AsyncIOScheduler | None = None
        self._seen: tuple[int, float] | None = None
        self._complained: set[str] = set()
        self._count = 0
        self._last_at: int | None = None
        self._next_at: int | None = None

    def poke(self) -> None:
        """Something changed (config, rows, pause, the clock): look again now."""
        self._again.set()

    def describe(self) -> dict[str, JSON]:
        count = f"{self._count} schedule{'' if self._count == 1 else 's'}"
        following = f", next {iso(self._next_at)}" if self._next_at is not None else ""
        state = "off" if self._is_paused() else "problem" if self._complained else "ok"
        return {
            "name": self.name,
            "kind": "schedule",
            "state": state,
            "last_at": self._last_at,
            "detail": count + following,
        }

    async def run(self) -> None:
        """Fire what is due, forever."""
        try:
            while True:
                self._again.clear()
                wait_s = CHECK_S
                try:
                    await self.look()
                except (StoreBusy, StoreUnavailable):
                    wait_s = RETRY_S
                try:
                    async with asyncio.timeout(wait_s):
                        await self._again.wait()
                except TimeoutError:
                    pass
        finally:
            if self._alarms is not None:
                self._alarms.shutdown(wait=False)
                self._alarms = None

    async def look(self) -> None:
        """One look: mirror a new config, mind the clock, fire what is due, set the alarms."""
        config = self._config()
        if config is not self._mirrored:
            await self._mirror(config)
            await self._reckon_anew(config.tz)
            self._mirrored = config
        elif self._went_back():
            await self._reckon_anew(config.tz)
        now = self._clock.now_ms()
        rows = [r for r in await self._book.rows() if r.enabled]
        waiting: list[tuple[str, int]] = []
        for row in sorted(rows, key=lambda r: (r.next_at or 0, r.name)):
            at = row.next_at
            if at is not None and at <= now and not self._is_paused():
                at = await self._fire(row, at, now, config.tz)
            if at is not None and at > now:
                waiting.append((row.id, at))
        self._count, self._next_at = len(rows), min((at for _, at in waiting), default=None)
        await self._set_alarms(waiting, now)

    # What the owner asks for

    async def add(
        self,
        words: JSONObject,
        *,
        origin: str = "api",
        trust: Trust = Trust.DAEMON,
        private: bool = False,
    ) -> str:
        """Make a schedule of its words and return its id. Raises Invalid; Refused when the name is taken.

        origin "agent": made by a run; trust and private are that run's label, and its signals carry it on.
        """
        now = self._clock.now_ms()
        row_id = new_id("sch", now)
        by_agent = origin == "agent"
        kept = checked(words)
        if by_agent:
            kept |= {"trust": str(trust), "private": private}
        spec = read_spec(kept, row_id=row_id, created_at=now, by_agent=by_agent)
        next_at = next_fire(spec, now, self._config().tz)
        if next_at is None:
            raise Invalid("its time is over already", "choose a moment to come")
        name = name_of(words, row_id)
        await self._book.add(row_id, name, origin, kept, next_at, now)
        self.poke()
        return row_id

    async def remove(self, ref: str) -> None:
        """By id or name. Raises NotFound; Refused for a row of config.toml."""
        await self._book.remove(ref)
        self.poke()

    async def run_now(self, ref: str) -> str:
        """Fire by hand, beside the timetable; returns the signal's id. Raises NotFound."""
        row = await self._book.find(ref)
        now = self._clock.now_ms()
        draft = manual_draft(row, new_id("sig", now)[4:], now)
        return (await self._book.emit(draft)).signal_id

    # Inside a look

    async def _fire(self, row: ScheduleRow, at: int, now: int, tz: tzinfo) -> int | None:
        """Fire the row's due slots; the time it is due next, None when it is over or cannot be read."""
        spec = self._spec(row)
        if spec is None:
            return None
        plan = await asyncio.to_thread(due, spec, at, now, tz)
        drafts = [due_draft(row, f) for f in plan.fires]
        if plan.missed is not None:
            drafts.insert(0, missed_draft(row, plan.missed))
        taken = await self._book.fire(row.id, at, drafts, plan.next_at, now if plan.fires else None)
        failpoints.hit("schedule.fired")
        if taken is None:
            self._again.set()  # the row changed under us: read it again
            return None
        if plan.fires:
            self._last_at = now
        return plan.next_at

    def _spec(self, row: ScheduleRow) -> Spec | None:
        by_agent = row.origin == "agent"
        return self._read(row.name, row.spec, row.id, row.created_at, by_agent=by_agent)

    def _read(
        self, name: str, words: JSONObject, row_id: str, created_at: int, *, by_agent: bool
    ) -> Spec | None:
        """The spec of some words; None, and a problem, when they make none."""
        part = f"schedule {name}"
        try:
            found = read_spec(words, row_id=row_id, created_at=created_at, by_agent=by_agent)
        except Invalid as error:
            self._problems.set(part, f"it cannot come due: {error.message}", error.hint)
            self._complained.add(part)
            return None
        if part in self._complained:
            self._problems.set(part, None)
            self._complained.discard(part)
        return found

    async def _mirror(self, config: Settings) -> None:
        """Make the rows of origin "config" equal to the config's stanzas."""
        now = self._clock.now_ms()
        held = {r.name: r for r in await self._book.rows()}
        wanted = {s.name: s for s in reversed(config.schedule)}
        for name, stanza in wanted.items():
            row, words = held.get(name), words_of(stanza)
            if row is not None and row.origin == "config" and row.spec == words:
                continue
            row_id = row.id if row else new_id("sch", now)
            created_at = row.created_at if row else now
            spec = self._read(name, words, row_id, created_at, by_agent=False)
            if spec is None:
                continue
            await self._book.mirror(row_id, name, words, next_fire(spec, now, config.tz), created_at)
        for name, row in held.items():
            if row.origin == "config" and name not in wanted:
                try:
                    await self._book.remove(row.id, by_config=True)
                except NotFound:
                    continue

    async def _reckon_anew(self, tz: tzinfo) -> None:
        """Bring due times that lie ahead to where clock and zone now put them; slots already fired stay fired."""
        now = self._clock.now_ms()
        for row in await self._book.rows():
            if not row.enabled or row.next_at is None or row.next_at <= now:
                continue
            spec = self._spec(row)
            at = next_fire(spec, now, tz) if spec is not None else row.next_at
            if at != row.next_at:
                await self._book.set_next(row.id, row.next_at, at)

    def _went_back(self) -> bool:
        now, monotonic = self._clock.now_ms(), self._clock.monotonic()
        before, self._seen = self._seen, (now, monotonic)
        return before is not None and now - before[0] < (monotonic - before[1]) * 1000 - BACK_MS

    async def _set_alarms(self, waiting: Sequence[tuple[str, int]], now: int) -> None:
        """A date in the library's timer for each row due before the next look; the rest can wait for that look."""
        soon = [(row_id, at - now) for row_id, at in waiting if at - now <= CHECK_S * 1000]
        if not soon:
            return
        if self._alarms is None:
            self._alarms = await asyncio.to_thread(_alarm_clock)
            self._alarms.start()
        from apscheduler.triggers.date import DateTrigger

        moment = datetime.now(UTC)
        for row_id, wait_ms in soon:
            trigger = DateTrigger(moment + timedelta(milliseconds=wait_ms), UTC)
            self._alarms.add_job(self._ring, trigger, id=row_id, replace_existing=True)

    async def _ring(self) -> None:
        self._again.set()


def _alarm_clock() -> "AsyncIOScheduler":
    """The library's timer: late alarms still ring, and ring once. Its import waits for the first schedule."""
    from apscheduler.schedulers.asyncio import AsyncIOScheduler

    return AsyncIOScheduler(
        timezone=UTC,
        job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1},
    )
