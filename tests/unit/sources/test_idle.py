"""Promise: idleness is said once when it begins and once when it ends, and nobody is called idle who is not."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.fakes.clock import FakeClock
from tests.fakes.settings import opened

from nightclaw.core.types import Signal
from nightclaw.sources.idle import Activity, Idle
from nightclaw.store import signals
from nightclaw.store.db import Store
from nightclaw.store.journal import StoreJournal

pytestmark = pytest.mark.anyio


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with opened(tmp_path / "nightclaw.db") as opened_store:
        yield opened_store


class House:
    def __init__(self, store: Store) -> None:
        self.store, self.clock = store, FakeClock()
        self.input_at, self.attached, self.working = 0, False, False
        self.asked = asyncio.Event()
        self.restart()

    def restart(self) -> None:
        async def activity() -> Activity:
            self.asked.set()
            return Activity(self.input_at, self.attached, self.working)

        self.idle = Idle(StoreJournal(self.store, self.clock), self.clock, lambda: 900.0, activity)

    async def after(self, seconds: float) -> list[str]:
        await self.clock.advance(seconds)
        await self.idle.look()
        return [s.kind for s in await self.told()]

    async def told(self) -> list[Signal]:
        return await self.store.read(signals.since, 0, "", 100)


async def test_idle_begins_after_its_time_and_ends_with_input(store: Store) -> None:
    house = House(store)
    assert await house.after(0) == []
    assert await house.idle.look() == 900.0
    assert await house.after(899) == []
    assert await house.after(1) == ["idle.started"]
    assert await house.after(3600) == ["idle.started"]
    house.input_at = house.clock.now_ms()
    assert await house.after(5) == ["idle.started", "idle.ended"]
    assert await house.after(890) == ["idle.started", "idle.ended"]
    assert await house.after(5) == ["idle.started", "idle.ended", "idle.started"]


@pytest.mark.parametrize("what", ["attached", "working"])
async def test_nobody_is_idle_who_looks_or_works_and_the_time_counts_from_its_end(
    store: Store, what: str
) -> None:
    house = House(store)
    setattr(house, what, True)
    for _ in range(10):
        assert await house.after(600) == []
    setattr(house, what, False)
    assert await house.after(600) == []
    assert await house.after(300) == ["idle.started"]
    setattr(house, what, True)
    assert await house.after(1) == ["idle.started", "idle.ended"]


async def test_a_restart_says_nothing_twice(store: Store) -> None:
    house = House(store)
    await house.after(0)
    assert await house.after(900) == ["idle.started"]
    house.restart()
    cursor = store.head.cursor
    running = asyncio.create_task(house.idle.run())
    try:
        async with asyncio.timeout(10):
            for _ in range(2):
                house.asked.clear()
                await house.clock.advance(3600)
                house.idle.poke()
                await house.asked.wait()
            assert store.head.cursor == cursor
            house.input_at = house.clock.now_ms()
            house.idle.poke()
            assert await store.head.wait_past(cursor, 10)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert [s.kind for s in await house.told()] == ["idle.started", "idle.ended"]


async def test_a_clock_set_back_or_forth_does_not_confuse_it(store: Store) -> None:
    house = House(store)
    await house.after(0)
    house.clock.set_wall("2026-11-19T12:00:00+00:00")
    assert await house.after(0) == []
    assert await house.after(900) == ["idle.started"]
    house.clock.set_wall("2027-12-25T12:00:00+00:00")
    assert await house.after(0) == ["idle.started"]
