"""A real store, a clock that stands still, and what an outbox needs around it."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from tests.fakes.clock import FakeClock
from tests.fakes.owner import Owner, Phone, Settings
from tests.fakes.sink import Sink
from tests.unit.telling.scene import Scene, make_outbox

from nightclaw.boot import make_database
from nightclaw.problems import Problems
from nightclaw.store.db import Store


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    path = tmp_path / "nightclaw.db"
    make_database(path)
    opened = Store(path)
    await opened.open()
    yield opened
    await opened.close()


@pytest.fixture
def problems() -> Problems:
    return Problems()


@pytest.fixture
def sink() -> Iterator[Sink]:
    found = Sink()
    yield found
    found.close()


@pytest.fixture
def scene(store: Store, clock: FakeClock, problems: Problems) -> Scene:
    settings, owner, phones = Settings(), Owner(), [Phone("phone"), Phone("tablet")]
    outbox = make_outbox((store, clock, problems, settings, owner), phones)
    return Scene(store, clock, problems, settings, owner, phones, outbox)
