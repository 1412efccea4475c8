"""Daemons that end with the test that started them, and a sink that refuses to be talked to carelessly."""

from collections.abc import Callable, Iterator, Mapping

import pytest
from tests.e2e.daemon import Daemon, short_folder
from tests.fakes.sink import Sink

Hatch = Callable[..., Daemon]


def _hatchery() -> Iterator[Hatch]:
    daemons: list[Daemon] = []

    def hatch(
        config: str | None = None, env: Mapping[str, str] | None = None, home: str | None = None
    ) -> Daemon:
        """A daemon on a home of its own, not yet started. home: that folder's name."""
        scratch = short_folder()
        daemons.append(Daemon(config, env, scratch / home if home else None, scratch))
        return daemons[-1]

    yield hatch
    said = [daemon.said() for daemon in daemons]
    for daemon in daemons:
        daemon.discard()
    for text in said:
        for sign in ("Traceback", "ResourceWarning", "RuntimeWarning"):
            assert sign not in text, f"a daemon said:\n{text[-6000:]}"


@pytest.fixture
def hatch() -> Iterator[Hatch]:
    yield from _hatchery()


@pytest.fixture(scope="module")
def hatch_once() -> Iterator[Hatch]:
    """For a daemon that the tests of a module share."""
    yield from _hatchery()


def _sink() -> Iterator[Sink]:
    found = Sink(strict=True)
    yield found
    found.close()
    assert found.complaints == []


@pytest.fixture
def sink() -> Iterator[Sink]:
    yield from _sink()


@pytest.fixture(scope="module")
def shared_sink() -> Iterator[Sink]:
    yield from _sink()
