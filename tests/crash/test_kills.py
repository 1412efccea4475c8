"""Killed at moments nobody chose, under load; and two daemons that want one home.

NIGHTCLAW_KILLS sets how often in all (30 by default; hundreds for a long look).
"""

import os
import random
import threading
import time
from collections.abc import Iterator

import pytest
from tests.crash.workload import Workload
from tests.e2e.conftest import Hatch
from tests.e2e.daemon import Daemon, NotInTime, until
from tests.e2e.homes import standard
from tests.fakes.github_api import FakeGitHub
from tests.fakes.sink import Sink

KILLS = int(os.environ.get("NIGHTCLAW_KILLS", "30"))


@pytest.fixture
def hub() -> Iterator[FakeGitHub]:
    with FakeGitHub() as fake:
        yield fake


@pytest.mark.timeout(60 + KILLS * 5)
@pytest.mark.parametrize("half", [0, 1])
def test_kills_at_random_moments_under_load(hatch: Hatch, sink: Sink, hub: FakeGitHub, half: int) -> None:
    """Deliveries without a pause, a kill within a moment of each start; every 2xx is kept, decided, told once."""
    life = Workload(hatch, sink, hub)
    seed = random.randrange(2**32)
    moments = random.Random(seed)
    over = threading.Event()

    def pour() -> None:
        """One client that sends whatever the daemon's state; refused connections come back in `unsent`."""
        while not over.is_set():
            if life.daemon.running and (life.daemon.home / "run" / "ingress.addr").exists():
                if not life.noise():
                    life.unsent.pop()
                over.wait(0.01)
            else:
                over.wait(0.02)

    clients = [threading.Thread(target=pour) for _ in range(2)]
    try:
        for number in range((KILLS + half) // 2):
            try:
                life.daemon.start(seconds=10)
            except NotInTime:
                raise AssertionError(f"not ready again after kill {number}, seed {seed}") from None
            if number == 0:
                for client in clients:
                    client.start()
            if number % 3 == 0:
                life.red()
            life.edit()
            end = time.monotonic() + moments.random() * 0.6
            until(lambda end=end: time.monotonic() > end, "the moment comes")
            life.daemon.kill9()
            life.kills += 1
    finally:
        over.set()
        for client in clients:
            client.join()
    assert len(life.acknowledged) > KILLS, "there was load"
    life.go_on()
    life.check()


def _outcomes(daemon: Daemon, rivals: list[Daemon]) -> tuple[list[Daemon], list[int]]:
    """Who runs and how the others ended, once one is ready."""
    for rival in rivals:
        rival.spawn()

    def ready() -> int:
        try:
            return daemon.status["pid"]
        except OSError:
            return 0

    until(ready, "one of them is ready", 20)
    until(lambda: len([r for r in rivals if r.running]) <= 1, "the others gave up", 20)
    return [r for r in rivals if r.running], [r.ended() for r in rivals if not r.running]


@pytest.mark.timeout(120)
def test_of_two_daemons_on_one_home_exactly_one_runs(hatch: Hatch) -> None:
    daemon = hatch(standard())
    other = hatch()
    other.home, other.env["NIGHTCLAW_HOME"] = daemon.home, str(daemon.home)
    rivals = [daemon, other]
    for number in range(10):
        winners, ended = _outcomes(daemon, rivals)
        assert len(winners) == 1, f"race {number}: {len(winners)} run"
        assert ended == [75], f"race {number}: the loser ended with {ended}"
        (winner,) = winners
        assert daemon.status["pid"] == winner.pid
        if number % 2:
            winner.kill9()
        else:
            assert winner.stop() == 0
    daemon.start()
    starts = [event["kind"] for event in daemon.events()].count("daemon.started")
    assert starts == 11, "a loser changes nothing"
    assert daemon.clawctl("log", "--verify").code == 0
