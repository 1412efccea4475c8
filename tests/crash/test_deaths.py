"""A task that the daemon dies of: tried again, and set aside when it happens again and again at one step."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.e2e.conftest import Hatch
from tests.e2e.daemon import Daemon, until
from tests.e2e.project import KEY, Project, agent_config, labelled
from tests.fakes.model_server import Asked, Gate, ModelServer, Silence, Turn, say

JOB = """
[[schedule]]
name = "sweep"
every = "12h"
prompt = "Sweep."
verdict = "act"
"""


class Mute:
    """A model that says nothing at its first `times` calls. Each of its gates tells when one is being waited for."""

    def __init__(self, server: ModelServer, times: int) -> None:
        self.gates = [Gate() for _ in range(times)]
        self._calls = 0
        server.policy(self._answer)

    def _answer(self, asked: Asked) -> Turn:
        self._calls += 1
        if self._calls <= len(self.gates):
            return say("Done.", fault=Silence(self.gates[self._calls - 1], after=0))
        return say("Done.")


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer() as running:
        yield running


def die(daemon: Daemon, mute: Mute) -> None:
    """kill -9 each time its model is asked and says nothing."""
    for gate in mute.gates:
        gate.arrived()
        daemon.kill9()
        daemon.start()


def state(daemon: Daemon, task: str) -> str:
    return daemon.get(f"/v1/tasks/{task}")["state"]


def begin(daemon: Daemon, kind: str) -> str:
    if kind == "work":
        return daemon.decision(daemon.take("issues", labelled()))["task_id"]
    if kind == "chat":
        return daemon.post("/v1/chat", {"text": "hello", "session": "new"})["task"]
    until(lambda: daemon.clawctl("schedule", "run", "sweep").code == 0, "the schedule is known")
    return until(lambda: daemon.items("/v1/tasks"), "its task is there")[0]["id"]


def test_two_deaths_at_one_step_are_no_reason_to_give_work_up(
    hatch: Hatch, server: ModelServer, tmp_path: Path
) -> None:
    daemon, mute = hatch(agent_config(server, Project(tmp_path)), KEY).start(), Mute(server, 2)
    task = begin(daemon, "work")
    die(daemon, mute)
    until(lambda: state(daemon, task) == "done", "it is answered", 30)


@pytest.mark.parametrize(("kind", "times"), [("chat", 2), ("job", 2), ("work", 3)])
def test_a_task_the_daemon_dies_of_is_set_aside_and_told_once(
    hatch: Hatch, server: ModelServer, tmp_path: Path, kind: str, times: int
) -> None:
    daemon = hatch(agent_config(server, Project(tmp_path), more=JOB), KEY).start()
    mute = Mute(server, times)
    task = begin(daemon, kind)
    die(daemon, mute)
    assert state(daemon, task) == "failed"
    told = [n for n in daemon.items("/v1/notifications") if n["title"].startswith("Stopped:")]
    assert len(told) == 1 and f"clawctl task retry {task}" in told[0]["body"]
    assert daemon.clawctl("why", task).out.count("the daemon died") == 1
    assert len(server.calls) <= times
