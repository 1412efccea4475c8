"""A real store, a clock that stands still, and what an outbox needs around it."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from tests.fakes.clock import FakeClock
from tests.fakes.sink import Sink

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
