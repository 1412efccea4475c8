"""GitHub as polling and its API client meet it: a server on the loopback with one repository."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from tests.fakes import github_bodies as gh
from tests.fakes.github_api import FakeGitHub
from tests.fakes.github_world import World


@pytest.fixture
def github() -> Iterator[FakeGitHub]:
    with FakeGitHub() as fake:
        fake.add_repo(gh.repository())
        yield fake


@pytest.fixture
async def world(tmp_path: Path, github: FakeGitHub) -> AsyncIterator[World]:
    made = World(tmp_path, github)
    yield made
    await made.api.aclose()
