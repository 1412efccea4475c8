"""A labelled issue, start to end: a worktree, an edit, the check, a commit, one ask, the push, and `why` tells it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.e2e.conftest import Hatch
from tests.e2e.daemon import Daemon, until
from tests.e2e.project import KEY, Project, agent_config, engineer, git, labelled
from tests.fakes.model_server import ModelServer, call, say


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer() as running:
        yield running


def test_a_labelled_issue_becomes_one_pushed_branch_after_one_ask(
    hatch: Hatch, project: Project, server: ModelServer
) -> None:
    server.policy(engineer())
    before = project.fingerprint()
    daemon: Daemon = hatch(agent_config(server, project), KEY).start()
    signal = daemon.take("issues", labelled())
    decision = daemon.decision(signal)
    assert decision["verdict"] == "act"
    task_id = decision["task_id"]
    [ask] = until(
        lambda: [a for a in daemon.items("/v1/approvals") if a["state"] == "pending"], "it asks", 60
    )
    task = daemon.get(f"/v1/tasks/{task_id}")
    assert task["state"] == "parked"
    assert ask["kind"] == "call"
    assert ask["tool"] == "Git"
    assert project.branches() == [], "nothing left the machine before the owner's word"
    allowed = daemon.clawctl("approve", ask["id"])
    assert allowed.code == 0, allowed
    until(lambda: daemon.get(f"/v1/tasks/{task_id}")["state"] == "done", "the task is done", 60)
    [branch] = project.branches()
    assert branch == "nightclaw/1-add-subtracts"
    message = git("log", "-1", "--format=%B", branch, cwd=project.remote)
    assert "calc: add adds" in message
    assert "Nightclaw" in message, "attribution is always on"
    assert git("rev-list", "--count", f"main..{branch}", cwd=project.remote) == "1"
    assert project.fingerprint() == before, "the main checkout is byte-identical"
    assert len(daemon.items("/v1/approvals")) == 1
    assert daemon.get(f"/v1/tasks/{task_id}")["verified"] is True
    story = "\n".join(daemon.why(task_id)["story"])
    for word in ("label", "granted", "done, verified", "origin"):
        assert word in story.lower(), story
    server.check()


def test_a_denied_push_ends_without_a_branch_and_says_so(
    hatch: Hatch, project: Project, server: ModelServer
) -> None:
    server.policy(engineer())
    daemon: Daemon = hatch(agent_config(server, project), KEY).start()
    task_id = daemon.decision(daemon.take("issues", labelled()))["task_id"]
    [ask] = until(
        lambda: [a for a in daemon.items("/v1/approvals") if a["state"] == "pending"], "it asks", 60
    )
    assert daemon.clawctl("deny", ask["id"], "--note", "not today").code == 0
    until(lambda: daemon.get(f"/v1/tasks/{task_id}")["state"] in ("done", "failed"), "it ends", 60)
    assert project.branches() == []
    assert daemon.clawctl("approve", ask["id"]).code == 5, "the second answer is refused"


def test_hello_is_cheap_and_streams(hatch: Hatch, project: Project, server: ModelServer) -> None:
    server.policy(lambda asked: say("Hello, I am here."))
    daemon: Daemon = hatch(agent_config(server, project), KEY).start()
    said = daemon.clawctl("chat", "hello")
    assert said.code == 0
    assert "Hello, I am here." in said.out
    [seen] = server.calls
    assert seen.usage.all_input <= 3000, seen.usage
    server.check()


def test_a_key_without_a_config_file_spends_nothing_unasked(hatch: Hatch, server: ModelServer) -> None:
    server.policy(lambda asked: say("hi"))
    daemon: Daemon = hatch(None, server.env()).start()
    daemon.post("/v1/signals", {"title": "something happened", "verdict": "act", "prompt": "work on it"})
    daemon.settled()
    assert server.calls == []
    assert daemon.clawctl("chat", "hello").code == 0
    assert len(server.calls) == 1


def test_a_write_outside_asks_or_is_denied(
    hatch: Hatch, project: Project, server: ModelServer, tmp_path: Path
) -> None:
    victim = tmp_path / "victim.txt"
    victim.write_text("mine")
    server.script(call("Write", {"file_path": str(victim), "content": "taken"}), say("I could not."))
    daemon: Daemon = hatch(agent_config(server, project), KEY).start()
    daemon.take("issues", labelled())
    until(lambda: any(t["state"] == "done" for t in daemon.items("/v1/tasks")), "it ends", 60)
    assert victim.read_text() == "mine"
    assert daemon.items("/v1/approvals") == []
