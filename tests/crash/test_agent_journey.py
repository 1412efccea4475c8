"""kill -9 through the labelled-issue journey: one branch, one commit, one finishing note, whatever the moment."""

import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.e2e.conftest import Hatch
from tests.e2e.daemon import Daemon, until
from tests.e2e.project import KEY, Project, agent_config, engineer, git, labelled
from tests.fakes.model_server import ModelServer
from tests.fakes.sink import Sink

POINTS = [
    "scheduler.claimed", "scheduler.claimed:2", "runner.before_model", "runner.before_model:3", "runner.after_model:2",
    "runner.step_saved", "runner.step_saved:5", "runner.before_finish", "calls.started", "calls.started:2",
    "calls.started:3", "calls.started:4", "calls.performed:2", "calls.performed:3", "calls.performed:4",
    "calls.settled:2", "calls.settled:4", "store.before_commit:25", "store.after_commit:40",
]  # fmt: skip
RANDOM_KILLS = max(2, int(os.environ.get("NIGHTCLAW_KILLS", "30")) // 10)


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer() as running:
        yield running


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def begin(daemon: Daemon, env: dict[str, str] | None = None) -> None:
    daemon.start(env)
    answer = daemon.deliver("issues", labelled())
    assert answer.status in (202, 200)


def carry_through(daemon: Daemon) -> dict:
    """Approve whatever is asked until the one task ends."""

    def ended() -> dict | None:
        try:
            return step()
        except OSError:
            return None  # it died while it answered

    def step() -> dict | None:
        if not daemon.running:
            daemon.kill9()
            daemon.start()
        for ask in daemon.items("/v1/approvals"):
            if ask["state"] == "pending":
                daemon.api("POST", f"/v1/approvals/{ask['id']}", {"decision": "allow"})
        tasks = daemon.items("/v1/tasks")
        return tasks[0] if tasks and tasks[0]["state"] in ("done", "failed") else None

    found = until(ended, "the task ends", 50)
    assert found is not None
    return found


def hold(daemon: Daemon, task: dict, project: Project, sink: Sink, before: str) -> None:
    assert task["state"] == "done", task
    assert len(daemon.items("/v1/tasks")) == 1
    [branch] = project.branches()
    assert git("rev-list", "--count", f"main..{branch}", cwd=project.remote) == "1"
    assert project.fingerprint() == before
    until(lambda: all(n["state"] != "queued" for n in daemon.items("/v1/notifications")), "notes are out", 20)
    finished = [n for n in daemon.items("/v1/notifications") if "done" in n["title"]]
    assert len(finished) == 1
    told = [r for r in sink.texts() if "done" in r]
    assert len(told) <= 1, told
    assert daemon.clawctl("log", "--verify").code == 0


@pytest.mark.timeout(120)
@pytest.mark.parametrize("point", POINTS)
def test_killed_at_a_point(
    hatch: Hatch, project: Project, server: ModelServer, sink: Sink, point: str
) -> None:
    server.policy(engineer())
    before = project.fingerprint()
    daemon = hatch(agent_config(server, project, sink.url), KEY)
    begin(daemon, {"NIGHTCLAW_FAILPOINT": point})
    task = carry_through(daemon)
    hold(daemon, task, project, sink, before)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("seed", range(RANDOM_KILLS))
def test_killed_at_random_moments(
    hatch: Hatch, project: Project, server: ModelServer, sink: Sink, seed: int
) -> None:
    chance = random.Random(seed)
    server.policy(engineer())
    before = project.fingerprint()
    daemon = hatch(agent_config(server, project, sink.url), KEY)
    begin(daemon)
    for _ in range(2):
        head = daemon.status["event_head"] + chance.randint(1, 12)
        until(lambda head=head: daemon.status["event_head"] >= head or _over(daemon), "a moment", 20)
        daemon.kill9()
        daemon.start()
    hold(daemon, carry_through(daemon), project, sink, before)


def _over(daemon: Daemon) -> bool:
    return any(t["state"] in ("parked", "done") for t in daemon.items("/v1/tasks"))
