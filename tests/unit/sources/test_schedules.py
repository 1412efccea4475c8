"""Promise: what the owner set for a time happens once, through restarts, suspends, wrong clocks and pauses."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from tests.fakes.clock import FakeClock
from tests.fakes.settings import Stanza, Timetable, opened

from nightclaw.clock import SystemClock
from nightclaw.core.errors import Invalid, NotFound, Refused
from nightclaw.core.states import TaskState
from nightclaw.core.trust import Trust
from nightclaw.core.types import JSON, Signal
from nightclaw.problems import Problems
from nightclaw.protocol.messages import parse_iso
from nightclaw.sources.schedules import Schedules
from nightclaw.store import schedules as rows
from nightclaw.store import signals, tasks
from nightclaw.store.db import Store
from nightclaw.store.schedules import Schedule, StoreScheduleBook

pytestmark = pytest.mark.anyio
DAY_S = 86_400.0


class House:
    """A store, a clock and the source under test; `restart` gives a new source on the same rows."""

    def __init__(self, store: Store, *stanzas: Stanza) -> None:
        self.store = store
        self.clock = FakeClock("2026-11-20T06:00:00+00:00")  # 07:00 in Berlin, a Friday
        self.config = Timetable(list(stanzas))
        self.problems = Problems()
        self.paused = False
        self.restart()

    def restart(self) -> None:
        book = StoreScheduleBook(self.store, self.clock)
        self.source = Schedules(book, self.clock, self.problems, lambda: self.config, lambda: self.paused)

    async def after(self, seconds: float) -> list[Signal]:
        """Time passes, the source looks; every schedule signal so far, oldest first."""
        await self.clock.advance(seconds)
        return await self.look()

    async def look(self) -> list[Signal]:
        await self.source.look()
        found = await self.store.read(signals.since, 0, "", 10_000)
        return [s for s in found if s.source == "schedule"]

    async def row(self, name: str) -> Schedule:
        return await self.store.read(rows.find, name)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with opened(tmp_path / "nightclaw.db") as opened_store:
        yield opened_store


def slots(found: list[Signal]) -> list[JSON]:
    return [s.attrs["slot"] for s in found]


BRIEF = Stanza("brief", cron="0 8 * * 1-5", prompt="Brief me.")


async def test_a_cron_fires_at_its_local_time_and_carries_what_was_asked(store: Store) -> None:
    house = House(store, replace(BRIEF, repo="octo/app", per_hour=2))
    assert await house.look() == []
    assert await house.after(3599) == []
    (fired,) = await house.after(1)
    assert (fired.kind, fired.subject, fired.trust) == ("schedule.due", "schedule:brief", Trust.DAEMON)
    assert fired.repo == "octo/app"
    row = await house.row("brief")
    assert fired.dedupe_key == f"{row.id}:2026-11-20T07:00:00.000Z"
    assert fired.attrs == {
        "name": "brief", "prompt": "Brief me.", "slot": "2026-11-20T07:00:00.000Z", "missed": 0,
        "repo": "octo/app", "per_hour": 2,
    }  # fmt: skip
    assert row.last_at == house.clock.now_ms()
    assert len(await house.after(60)) == 1
    house.restart()
    assert len(await house.look()) == 1
    assert slots(await house.after(3 * DAY_S))[-1] == "2026-11-23T07:00:00.000Z"  # not on the weekend


async def test_three_schedules_sleep_through_a_suspend_and_are_caught_up_once_each(store: Store) -> None:
    house = House(
        store,
        Stanza("hourly", cron="0 * * * *"),
        Stanza("often", every=300.0),
        Stanza("later", at="2026-11-20T09:30"),
    )
    await house.look()
    house.clock.set_wall("2026-11-20T15:20:30+00:00")  # the wall moved, the monotonic clock slept
    found = await house.look()
    assert sorted(s.subject for s in found) == ["schedule:hourly", "schedule:later", "schedule:often"]
    by_name = {str(s.attrs["name"]): s for s in found}
    assert by_name["hourly"].attrs["slot"] == "2026-11-20T15:00:00.000Z"
    assert by_name["hourly"].attrs["missed"] == 8
    assert by_name["often"].attrs["missed"] in (110, 111)
    assert by_name["later"].attrs["missed"] == 0
    assert len(await house.look()) == 3
    assert (await house.row("later")).next_at is None


async def test_a_skipped_absence_is_one_row_that_says_so(store: Store) -> None:
    house = House(store, Stanza("hourly", cron="0 * * * *", missed="skip"))
    await house.look()
    (missed,) = await house.after(9.5 * 3600)
    assert missed.kind == "schedule.missed" and missed.attrs["missed"] == 9
    assert (await house.row("hourly")).last_at is None
    fired = (await house.after(1800))[-1]
    assert fired.kind == "schedule.due" and fired.attrs["missed"] == 0


async def test_all_runs_each_and_what_is_too_much_is_counted(store: Store) -> None:
    house = House(store, Stanza("each", cron="0 * * * *", missed="all"))
    await house.look()
    assert [s.kind for s in await house.after(5 * 3600)] == ["schedule.due"] * 5
    found = (await house.after(30 * DAY_S))[5:]
    assert [s.kind for s in found].count("schedule.due") == 100
    (left_out,) = [s for s in found if s.kind == "schedule.missed"]
    assert left_out.attrs["missed"] == 30 * 24 - 100


@pytest.mark.parametrize("policy", ["once", "skip", "all"])
async def test_a_clock_that_jumps_a_year_ahead_and_back_neither_doubles_nor_silences(
    store: Store, policy: str
) -> None:
    house = House(store, Stanza("hourly", cron="0 * * * *", missed=policy))
    before = slots(await house.after(3600))
    house.clock.set_wall("2027-12-25T10:30:00+00:00")
    jumped = await house.look()
    assert len(jumped) - len(before) == (101 if policy == "all" else 1)
    house.clock.set_wall("2026-11-20T07:30:00+00:00")
    assert len(await house.look()) == len(jumped)
    found = await house.after(1800)
    assert set(slots(found)) - set(slots(jumped)) == {"2026-11-20T08:00:00.000Z"}
    assert len(found) == len(jumped) + 1


@pytest.mark.parametrize("step", [3600, -3600])
async def test_an_hour_forth_or_back_fires_no_slot_twice(store: Store, step: int) -> None:
    house = House(store, Stanza("quarterly", cron="*/15 * * * *"))
    await house.after(2 * 3600)
    house.clock.set_wall("2026-11-20T09:02:00+00:00" if step > 0 else "2026-11-20T07:02:00+00:00")
    found = await house.look()
    for _ in range(20):
        found = await house.after(300)
    due = [s for s in found if s.kind == "schedule.due"]
    assert len({s.dedupe_key for s in due}) == len(due)
    assert slots(due)[-1] == ("2026-11-20T10:30:00.000Z" if step > 0 else "2026-11-20T08:30:00.000Z")


async def test_a_pause_holds_everything_and_the_policy_decides_what_follows(store: Store) -> None:
    house = House(store, Stanza("keeps", cron="0 * * * *"), Stanza("skips", cron="0 * * * *", missed="skip"))
    await house.look()
    house.paused = True
    assert await house.after(5.5 * 3600) == []
    assert house.source.describe()["state"] == "off"
    house.paused = False
    found = await house.look()
    assert sorted((s.kind, s.attrs["missed"]) for s in found) == [("schedule.due", 4), ("schedule.missed", 5)]


async def test_two_planners_fire_a_slot_once(store: Store) -> None:
    house = House(store, Stanza("hourly", cron="0 * * * *"))
    await house.look()
    first = house.source
    house.restart()
    await house.look()
    await house.clock.advance(3600)
    await asyncio.gather(first.look(), house.source.look())
    assert len(await house.look()) == 1


async def test_the_config_is_mirrored(store: Store) -> None:
    house = House(store, BRIEF, Stanza("nightly", cron="0 3 * * *", within=7 * DAY_S))
    await house.look()
    brief, nightly = await house.row("brief"), await house.row("nightly")
    assert brief.origin == "config" and nightly.spec["within"] == "1w"
    house.config = Timetable([replace(BRIEF, cron="0 9 * * 1-5")])
    await house.look()
    changed = await house.row("brief")
    assert changed.id == brief.id and changed.next_at == (brief.next_at or 0) + 3_600_000
    with pytest.raises(NotFound):
        await house.row("nightly")
    with pytest.raises(Refused, match="stands in config") as refused:
        await house.source.remove("brief")
    assert "config.toml" in refused.value.message and refused.value.hint


async def test_another_time_zone_moves_what_lies_ahead(store: Store) -> None:
    house = House(store, BRIEF)
    await house.look()
    house.config = Timetable([BRIEF], ZoneInfo("America/New_York"))
    await house.look()
    assert slots(await house.after(8 * 3600)) == ["2026-11-20T13:00:00.000Z"]


async def test_a_client_adds_runs_and_removes(store: Store) -> None:
    house = House(store, BRIEF)
    await house.look()
    row_id = await house.source.add({"every": "2h", "prompt": "Look at the queue, please"})
    added = await house.row(row_id)
    assert added.origin == "api" and added.name.startswith("look-at-the-queue")
    assert added.spec["every"] == "2h"
    signal_id = await house.source.run_now("brief")
    assert await house.source.run_now("brief") != signal_id
    found = await house.look()
    assert [s.kind for s in found] == ["schedule.due"] * 2 and signal_id in {s.id for s in found}
    brief = await house.row("brief")
    assert brief.last_at is None and brief.next_at == house.clock.now_ms() + 3_600_000
    await house.source.remove(added.name)
    with pytest.raises(NotFound):
        await house.source.run_now(row_id)


async def test_what_cannot_be_added_is_refused_and_leaves_nothing(store: Store) -> None:
    house = House(store, BRIEF)
    await house.look()
    refused: list[tuple[dict[str, JSON], type[Exception]]] = [
        ({"name": "brief", "every": "1h"}, Refused),
        ({"name": "x", "every": "1h", "promt": "?"}, Invalid),
        ({"name": "x"}, Invalid),
        ({"name": "x", "at": "2020-01-01T09:00"}, Invalid),
        ({"name": "two\nlines", "every": "1h"}, Invalid),
        ({"name": "x", "every": "1h", "verdict": "shout"}, Invalid),
        ({"name": "x", "every": "1h", "unattended": "bypassPermissions"}, Invalid),
        ({"name": "x", "every": "1h", "per_hour": 0}, Invalid),
        ({"name": "x", "every": "1h", "prompt": 7}, Invalid),
    ]
    for words, error in refused:
        with pytest.raises(error):
            await house.source.add(words)
    assert [r.name for r in await store.read(rows.all_rows)] == ["brief"]


async def test_a_schedule_an_agent_made_keeps_the_label_of_its_maker_and_ends(store: Store) -> None:
    house = House(store)
    await house.source.add(
        {"name": "again", "every": "1h", "prompt": "Look again.", "expires_at": "2026-11-20T09:30:00Z"},
        origin="agent",
        trust=Trust.WORLD,
        private=True,
    )
    found = await house.look()
    for _ in range(12):
        found = await house.after(1800)
    assert len(found) == 3
    assert {s.trust for s in found} == {Trust.WORLD} and all(s.private for s in found)
    assert "trust" not in found[0].attrs


async def test_a_row_nobody_can_read_is_a_problem_and_harms_no_other(store: Store) -> None:
    house = House(store, Stanza("hourly", cron="0 * * * *"))
    now = house.clock.now_ms()
    await store.write(rows.add, "sch_odd", "odd", "api", {"cron": "never"}, now + 1000, now)
    await house.look()
    assert len(await house.after(3600)) == 1
    (problem,) = house.problems.items()
    assert problem.part == "schedule odd" and problem.hint
    assert house.source.describe()["state"] == "problem"
    await house.source.remove("odd")


async def test_failures_in_a_row_are_counted_from_the_newest_back(store: Store) -> None:
    house = House(store, Stanza("hourly", cron="0 * * * *"), Stanza("fine", cron="0 * * * *"))
    await house.look()
    ends = [TaskState.FAILED, TaskState.DONE, TaskState.FAILED, TaskState.FAILED, TaskState.FAILED]
    for n, wanted in enumerate(ends):
        for name in ("hourly", "fine"):
            row = await house.row(name)
            session = await store.write(tasks.ensure_session, "main", "main", n)
            key = f"schedule:{row.id}:2026-11-20T0{n}:00:00.000Z"
            new = tasks.NewTask(key, "work", f"schedule:{name}", "g", session, TaskState.READY, Trust.DAEMON)
            task_id, _ = await store.write(tasks.create, new, 1000 + n)
            await store.write(tasks.move, task_id, TaskState.RUNNING, 1000 + n)
            await store.write(tasks.move, task_id, wanted if name == "hourly" else TaskState.DONE, 1000 + n)
    assert await store.read(rows.failing) == {"hourly": 3}


async def test_the_history_of_a_schedule_is_its_own(store: Store) -> None:
    house = House(store, Stanza("hourly", cron="0 * * * *"), Stanza("other", cron="0 * * * *"))
    await house.look()
    await house.after(3600)
    await house.clock.advance(1)
    manual = await house.source.run_now("hourly")
    row = await house.row("hourly")
    found = await store.read(rows.history, row.id)
    assert len(found) == 2 and found[0]["signal"] == manual


async def test_the_loop_rings_in_time_on_the_real_clock_and_stops(store: Store) -> None:
    clock, config = SystemClock(), Timetable([])
    book = StoreScheduleBook(store, clock)
    source = Schedules(book, clock, Problems(), lambda: config)
    running = asyncio.create_task(source.run())
    try:
        cursor = store.head.cursor
        await source.add({"name": "soon", "every": "1s"})
        async with asyncio.timeout(20):  # without its alarms it would only look every 30 s
            for _ in range(2):
                assert await store.head.wait_past(cursor, 20)
                cursor = store.head.cursor
        found = await store.read(signals.since, 0, "", 10)
        assert len({s.dedupe_key for s in found}) == 2
        assert all(s.created_at >= parse_iso(str(s.attrs["slot"])) for s in found)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert running.cancelled()
