"""Promise: a quiet day costs nothing and says nothing; a change is told once; an absence is one tick."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Connection
from tests.fakes.clock import FakeClock
from tests.fakes.settings import Pace, opened

from nightclaw.clock import SystemClock
from nightclaw.core.types import JSON, JSONObject, Signal
from nightclaw.problems import Problems
from nightclaw.sources.crontab import moment
from nightclaw.sources.probes import Around, Found, Look, Probe, ReviewsWaiting, standard_probes
from nightclaw.sources.ticks import Ticks
from nightclaw.store import facts, signals
from nightclaw.store.db import Store
from nightclaw.store.journal import StoreJournal

pytestmark = pytest.mark.anyio


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with opened(tmp_path / "nightclaw.db") as opened_store:
        yield opened_store


class Saying:
    """A probe that says what it is told to say."""

    name, prefix = "saying", "said:"

    def __init__(self) -> None:
        self.values: dict[str, JSON] = {}

    async def look(self, view: Look) -> list[Found]:
        return [Found(f"said:{k}", v, f"{k} is {v}", "said") for k, v in self.values.items()]


class House:
    """Ticks over a real journal. `settle` keeps a tick's changes as known facts, as its decision would."""

    def __init__(self, store: Store, home: Path, *probes: Probe, pace: Pace | None = None) -> None:
        self.store, self.home, self.probes = store, home, probes
        self.clock = FakeClock("2026-11-20T06:00:00+00:00")
        self.pace = pace or Pace()
        self.paused = False
        self.waits: list[float] = []
        self.restart()

    def restart(self) -> None:
        async def wait(longest: float) -> None:
            self.waits.append(longest)

        self.ticks = Ticks(
            StoreJournal(self.store, self.clock),
            self.clock,
            Problems(),
            lambda: self.pace,
            lambda: Around(self.home, ZoneInfo("UTC"), frozenset({"octocat"})),
            self.probes,
            lambda: self.paused,
            wait,
        )

    async def told(self) -> list[Signal]:
        found = await self.store.read(signals.since, 0, "", 10_000)
        return [s for s in found if s.source == "tick"]

    async def after(self, seconds: float, *, settle: bool = True) -> list[Signal]:
        await self.clock.advance(seconds)
        await self.ticks.look()
        if settle:
            await self.settle()
        return await self.told()

    async def settle(self) -> None:
        told, now = await self.told(), self.clock.now_ms()

        def keep(conn: Connection) -> None:
            for change in changes(told[-1]) if told else []:
                facts.put(conn, str(change["key"]), change["value"], now)

        await self.store.write(keep)


def changes(signal: Signal) -> list[JSONObject]:
    found = signal.attrs["changes"]
    assert isinstance(found, list)
    return [c for c in found if isinstance(c, dict)]


async def test_a_review_turning_a_day_old_is_one_change_and_the_next_day_of_ticks_has_none(
    store: Store, tmp_path: Path
) -> None:
    house = House(store, tmp_path, ReviewsWaiting())
    asked_at = house.clock.now_ms() - 86_400_000 + 600_000
    pull: JSON = {
        "author": "hubot", "state": "open", "draft": False, "title": "Fix the build",
        "requested": {"octocat": asked_at}, "last_at": asked_at, "private": True,
    }  # fmt: skip
    await store.write(facts.put, "pr:octo/app#5", pull, asked_at)
    told = await house.after(0)
    for _ in range(289):
        told = await house.after(300)
    assert len(told) == 290
    with_changes = [s for s in told if changes(s)]
    assert len(with_changes) == 1 and with_changes[0] is told[2]
    (change,) = changes(told[2])
    assert change == {
        "key": "review:octo/app#5:octocat", "value": {"since": asked_at}, "was": None, "tell": True,
        "title": "octo/app#5 has waited over a day for your review: Fix the build",
        "subject": "octo/app#5", "repo": "octo/app", "private": True, "judge": False,
    }  # fmt: skip
    assert told[2].private and not told[3].private


async def test_a_tick_is_keyed_by_its_slot(store: Store, tmp_path: Path) -> None:
    house = House(store, tmp_path)
    (first,) = await house.after(130)
    assert first.dedupe_key == "tick:2026-11-20T06:00:00.000Z"
    assert first.attrs == {"changes": [], "slot": "2026-11-20T06:00:00.000Z", "missed": 0}
    assert (first.kind, first.subject, first.trust) == ("tick", "tick", "DAEMON")
    house.restart()
    assert len(await house.after(100)) == 1
    assert [s.attrs["slot"] for s in await house.after(70)][1:] == ["2026-11-20T06:05:00.000Z"]


async def test_a_missed_hour_is_one_tick_that_counts(store: Store, tmp_path: Path) -> None:
    house = House(store, tmp_path)
    await house.after(0)
    house.clock.set_wall("2026-11-20T07:00:01+00:00")
    found = await house.after(0)
    assert len(found) == 2 and found[1].attrs["missed"] == 11
    house.restart()  # it remembers where the last process stopped
    await house.clock.advance(3 * 3600)
    cursor = store.head.cursor
    running = asyncio.create_task(house.ticks.run())
    try:
        assert await store.head.wait_past(cursor, 10)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert [s.attrs["missed"] for s in await house.told()] == [0, 11, 35]


async def test_a_pause_makes_no_ticks_and_leaves_one(store: Store, tmp_path: Path) -> None:
    house = House(store, tmp_path)
    await house.after(0)
    house.paused = True
    for _ in range(5):
        assert len(await house.after(300)) == 1
    house.paused = False
    assert [s.attrs["missed"] for s in await house.after(0)] == [0, 4]


async def test_a_clock_a_year_ahead_and_back_neither_doubles_nor_silences(
    store: Store, tmp_path: Path
) -> None:
    house = House(store, tmp_path)
    await house.after(0)
    house.clock.set_wall("2027-12-25T06:01:00+00:00")
    assert len(await house.after(0)) == 2
    house.clock.set_wall("2026-11-20T06:02:00+00:00")
    assert len(await house.after(0)) == 2
    found = await house.after(300)
    assert sorted(str(s.attrs["slot"]) for s in found)[1] == "2026-11-20T06:05:00.000Z"


async def test_an_adaptive_pace_slows_in_silence_and_wakes_with_a_change(
    store: Store, tmp_path: Path
) -> None:
    probe = Saying()
    house = House(store, tmp_path, probe, pace=Pace(300.0, 3600.0))
    slots: list[int] = []
    start = house.clock.now_ms()
    for minute in range(181):
        if minute == 178:
            probe.values["branch"] = "red"
        await house.after(0 if minute == 0 else 60)
    for s in await house.told():
        at = str(s.attrs["slot"])
        slots.append(next(m for m in range(181) if moment(start + m * 60_000).isoformat()[:16] == at[:16]))
    assert slots == [0, 10, 30, 70, 130]
    house.pace = Pace(300.0, None)
    await house.after(60)
    assert len(changes((await house.told())[-1])) == 1


async def test_a_change_not_yet_decided_is_not_told_again(store: Store, tmp_path: Path) -> None:
    probe = Saying()
    house = House(store, tmp_path, probe, pace=Pace(0.1))
    probe.values["x"] = 1
    found: list[Signal] = []
    for _ in range(20):
        found = await house.after(0.1, settle=False)
    assert [len(changes(s)) for s in found] == [1] + [0] * 19
    probe.values["x"] = 2
    found = await house.after(0.1, settle=False)
    assert changes(found[-1])[0]["was"] == 1
    probe.values.clear()
    (gone,) = changes((await house.after(0.1, settle=False))[-1])
    assert (gone["value"], gone["was"], gone["tell"]) == (None, 2, False)
    # what nobody ever decided comes up again in the end
    probe.values["x"] = 3
    await house.after(0.1, settle=False)
    assert changes((await house.after(61, settle=False))[-1])[0]["value"] == 3


async def test_a_storm_of_changes_is_spread_over_ticks(store: Store, tmp_path: Path) -> None:
    probe = Saying()
    probe.values = {f"k{n:03}": n for n in range(120)}
    house = House(store, tmp_path, probe)
    found: list[Signal] = []
    for _ in range(4):
        found = await house.after(300)
    assert [len(changes(s)) for s in found] == [50, 50, 20, 0]


async def test_the_owner_goes_first(store: Store, tmp_path: Path) -> None:
    house = House(store, tmp_path)
    await house.after(0)
    await house.after(300)
    assert house.waits == [30.0, 30.0]


async def test_the_loop_ticks_ten_times_a_second_on_the_real_clock(store: Store, tmp_path: Path) -> None:
    clock = SystemClock()

    async def nothing() -> list[tuple[str, int]]:
        return []

    async def none_failing() -> dict[str, int]:
        return {}

    problems = Problems()
    ticks = Ticks(
        StoreJournal(store, clock),
        clock,
        problems,
        lambda: Pace(0.1),
        lambda: Around(tmp_path, ZoneInfo("UTC")),
        standard_probes(nothing, none_failing, problems),
    )
    running = asyncio.create_task(ticks.run())
    try:
        async with asyncio.timeout(30):
            while len(await store.read(signals.since, 0, "", 100)) < 10:
                await store.head.wait_past(store.head.cursor, 1)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    found = await store.read(signals.since, 0, "", 100)
    assert all(not changes(s) for s in found if s.attrs["slot"] != found[0].attrs["slot"])
    assert problems.items() == []
    assert len({s.dedupe_key for s in found}) == len(found)
