"""Work under bad conditions: repositories in every state, checks that misbehave, an owner who stops and steers."""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.e2e import deliveries
from tests.e2e.conftest import Hatch
from tests.e2e.daemon import Daemon, Json, until
from tests.e2e.homes import standard
from tests.e2e.project import Project, engineer, git
from tests.fakes.hostile import running
from tests.fakes.model_server import ModelServer, ToolUse, call, calls, say
from tests.fakes.model_server.asked import Asked
from tests.fakes.model_server.turns import Turn

KEY = {"MODEL_KEY": "test-key"}
OVER = ("done", "failed", "cancelled")


def models(server: ModelServer) -> str:
    return f"""
[models]
agent = "anthropic/claude-sonnet-4-5"
[providers.anthropic]
api_key = {{ env = "MODEL_KEY" }}
base_url = "{server.anthropic_url()}"
"""


@dataclass
class Works:
    """One daemon, one repository a fault. `begin` labels its issue, `asked` is the question about the push."""

    daemon: Daemon
    server: ModelServer
    projects: dict[str, Project]
    tasks: dict[str, str] = field(default_factory=dict)

    def begin(self, name: str) -> None:
        body = deliveries.labeled(f"octo/{name}", 1, "nightclaw")
        self.tasks[name] = self.daemon.decision(self.daemon.take("issues", body))["task_id"]

    def task(self, name: str) -> Json:
        return self.daemon.get(f"/v1/tasks/{self.tasks[name]}")

    def open_asks(self, name: str) -> list[Json]:
        asks = self.daemon.items("/v1/approvals")
        return [a for a in asks if a["task"] == self.tasks[name] and a["state"] == "pending"]

    def asked(self, name: str) -> Json:
        return until(lambda: self.open_asks(name), f"{name} asks", 60)[0]

    def over(self, name: str, seconds: float = 60) -> Json:
        """Allow whatever it asks until it has ended."""

        def ended() -> Json | None:
            for ask in self.open_asks(name):
                self.daemon.api("POST", f"/v1/approvals/{ask['id']}", {"decision": "allow"})
            task = self.task(name)
            return task if task["state"] in OVER else None

        return until(ended, f"{name} ends", seconds) or {}


CHECKS = {
    **dict.fromkeys(("dirty", "detached", "no-remote", "remote-gone", "rejected"), "python3 check.py"),
    **dict.fromkeys(("base-moved", "taken", "tree-gone"), "python3 check.py"),
    "forks": "setsid sleep 4711.1 & sleep 4711.2 & true",
    "hangs": "sleep 4711.3",
}


@pytest.fixture(scope="module")
def works(hatch_once: Hatch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Works]:
    projects: dict[str, Project] = {}
    repos = ""
    for name, check in CHECKS.items():
        folder = tmp_path_factory.mktemp(name)
        projects[name] = Project(folder)
        repos += f'[[github.repo]]\nname = "octo/{name}"\npath = "{projects[name].clone}"\n'
        repos += f'base = "main"\ncheck = "{check}"\n'
    with ModelServer() as server:
        server.policy(engineer())
        daemon = hatch_once(standard(repos=repos, more=models(server)), KEY).start()
        yield Works(daemon, server, projects)


def test_the_owners_checkout_may_be_in_any_state(works: Works) -> None:
    """Uncommitted work and a detached head are nobody's business: the task starts at the base, they stay."""
    dirty, detached = works.projects["dirty"], works.projects["detached"]
    (dirty.clone / "calc.py").write_text("half a thought\n")
    (dirty.clone / "new.txt").write_text("not added\n")
    git("checkout", "-q", "--detach", cwd=detached.clone)
    before = {name: works.projects[name].fingerprint() for name in ("dirty", "detached")}
    for name in before:
        works.begin(name)
    for name, picture in before.items():
        task = works.over(name)
        assert (task["state"], task["verified"]) == ("done", True), task
        project = works.projects[name]
        [branch] = project.branches()
        assert git("show", f"{branch}:calc.py", cwd=project.remote) == "def add(a, b):\n    return a + b"
        assert git("diff", "--name-only", "main", branch, cwd=project.remote) == "calc.py", (
            "and no by-products"
        )
        assert project.fingerprint() == picture


def test_a_remote_that_is_missing_or_refuses_is_told_and_nothing_is_forced(works: Works) -> None:
    git("remote", "remove", "origin", cwd=works.projects["no-remote"].clone)
    hook = works.projects["rejected"].remote / "hooks" / "pre-receive"
    hook.write_text("#!/bin/sh\necho this branch is protected >&2\nexit 1\n")
    hook.chmod(0o755)
    gone = works.projects["remote-gone"].remote
    gone.rename(gone.with_suffix(".away"))
    for name in ("no-remote", "rejected", "remote-gone"):
        works.begin(name)
    for name in ("no-remote", "rejected", "remote-gone"):
        task = works.over(name)
        assert task["state"] == "done" and "stopped at Git push" in task["result"], task
        assert task["verified"] is True, "what was done is kept and checked"
    assert "protected" in works.task("rejected")["result"]
    assert works.projects["rejected"].branches() == []


def test_the_world_moves_while_the_owner_thinks(works: Works) -> None:
    """A base that moved is no obstacle, a worktree that was deleted is made again, a branch of others is theirs."""
    for name in ("base-moved", "tree-gone", "taken"):
        works.begin(name)
        works.asked(name)
    for name, ref in (("base-moved", "main"), ("taken", "")):
        project = works.projects[name]
        (project.clone / "theirs.txt").write_text("x\n")
        git("add", ".", cwd=project.clone)
        git("commit", "-qm", "theirs", cwd=project.clone)
        own = works.task(name)["branch"]
        git("push", "-q", "origin", f"main:{ref or own}", cwd=project.clone)
    shutil.rmtree(works.task("tree-gone")["worktree"])
    for name in ("base-moved", "tree-gone"):
        task = works.over(name)
        assert (task["state"], task["verified"]) == ("done", True), task
        project = works.projects[name]
        [branch] = project.branches()
        assert git("log", "-1", "--format=%s", branch, cwd=project.remote) == "calc: add adds"
    task = works.over("taken")
    project = works.projects["taken"]
    assert git("rev-parse", project.branches()[0], cwd=project.remote) == git(
        "rev-parse", "main", cwd=project.clone
    )
    assert task["state"] == "failed" and "someone else" in task["result"], task


def test_a_check_that_forks_or_hangs_holds_nobody(works: Works) -> None:
    works.begin("forks")
    assert works.over("forks")["state"] == "done"
    assert running("4711.1") == running("4711.2") == []
    works.begin("hangs")
    ask = works.asked("hangs")
    assert works.daemon.clawctl("approve", ask["id"]).code == 0
    until(lambda: running("4711.3"), "the check runs", 30)
    assert works.daemon.clawctl("task", "cancel", works.tasks["hangs"]).code == 0
    until(lambda: not running("4711.3"), "it is ended", 5)
    until(lambda: works.task("hangs")["state"] == "cancelled", "and the task with it", 5)


# the owner and a task that runs


@dataclass
class Desk:
    daemon: Daemon
    server: ModelServer

    def order(self, goal: str, *turns: Turn) -> Json:
        self.server.lane(goal, when=goal).script(*turns)
        made = self.daemon.post("/v1/tasks", {"goal": goal})
        return self.daemon.get(f"/v1/tasks/{made.get('task') or made['id']}")

    def over(self, task: Json) -> Json:
        until(lambda: self.daemon.get(f"/v1/tasks/{task['id']}")["state"] in OVER, "it ends", 40)
        return self.daemon.get(f"/v1/tasks/{task['id']}")

    def last(self, lane: str) -> Asked:
        return next(c.asked for c in reversed(self.server.calls) if c.asked.lane == lane)

    def say(self, task: Json, text: str, priority: str) -> Json:
        body = {"session": task["session"], "text": text, "priority": priority}
        return self.daemon.post("/v1/chat", body)


@pytest.fixture(scope="module")
def desk(hatch_once: Hatch) -> Iterator[Desk]:
    with ModelServer() as server:
        yield Desk(hatch_once(standard(more=models(server)), KEY).start(), server)


def sleeps(seconds: str) -> Turn:
    return call("Bash", {"command": f"sleep {seconds}"})


def test_a_cancel_ends_what_runs_at_once(desk: Desk) -> None:
    task = desk.order("sleep until I say so", sleeps("4712.1"))
    until(lambda: running("4712.1"), "it sleeps", 30)
    assert desk.daemon.clawctl("task", "cancel", task["id"]).code == 0
    until(lambda: not running("4712.1"), "the process is gone", 5)
    until(lambda: desk.over(task)["state"] == "cancelled", "the task is cancelled", 5)


def test_a_pause_ends_what_runs_and_resume_goes_on(desk: Desk) -> None:
    task = desk.order("sleep until I pause", sleeps("4712.2"), say("I saw that it was cut."))
    until(lambda: running("4712.2"), "it sleeps", 30)
    assert desk.daemon.clawctl("pause").code == 0
    until(lambda: not running("4712.2"), "the process is gone", 5)
    assert desk.daemon.get(f"/v1/tasks/{task['id']}")["state"] == "ready"
    assert desk.daemon.clawctl("resume").code == 0
    assert desk.over(task)["state"] == "done"
    [made] = desk.last("sleep until I pause").made
    assert made.is_error and "cut" in (made.result or ""), "it is not run again blindly"


def test_steering_now_next_and_later(desk: Desk, tmp_path: Path) -> None:
    now = desk.order("work that is interrupted", sleeps("4712.3"), say("As you wish."))
    until(lambda: running("4712.3"), "it sleeps", 30)
    desk.say(now, "Do the other thing NOW.", "now")
    until(lambda: not running("4712.3"), "what ran is ended", 5)
    assert desk.over(now)["result"] == "As you wish."
    heard = desk.last("work that is interrupted")
    assert "interrupted" in (heard.made[0].result or "") and "other thing NOW" in heard.last_text

    joined = desk.order("work that is joined", sleeps("3.1"), say("With pleasure."))
    until(lambda: running("sleep\x003.1"), "it sleeps", 30)
    assert desk.say(joined, "And this NEXT.", "next")["task"] == joined["id"]
    desk.over(joined)
    heard = desk.last("work that is joined")
    assert "And this NEXT." in heard.last_text and not heard.made[0].is_error

    goal = "work that is followed"
    followed = desk.order(goal, sleeps("3.2"), say("First."), say("Second."))
    until(lambda: running("sleep\x003.2"), "it sleeps", 30)
    later = desk.say(followed, "And that LATER.", "later")
    assert later["task"] != followed["id"]
    assert desk.over(followed)["result"] == "First."
    until(lambda: desk.daemon.get(f"/v1/tasks/{later['task']}")["state"] == "done", "the second turn", 30)
    assert "And that LATER." in desk.server.calls[-1].asked.last_text


def test_a_question_waits_for_the_answer(desk: Desk) -> None:
    ask = ToolUse("AskUserQuestion", {"question": "Red or blue?", "options": ["red", "blue"]})
    task = desk.order("paint the shed", calls(ask), say("Blue it is.", expect="blue"))
    [held] = until(
        lambda: [a for a in desk.daemon.items("/v1/approvals") if a["state"] == "pending"], "asked", 30
    )
    assert held["kind"] == "question"
    assert "Red or blue?" in desk.daemon.clawctl("approvals").out
    assert desk.daemon.clawctl("approve", held["id"]).code == 2, "a yes is no answer"
    assert desk.daemon.clawctl("answer", held["id"], "blue").code == 0
    assert desk.over(task)["result"] == "Blue it is."
    assert desk.daemon.clawctl("answer", held["id"], "red").code == 5, "it was answered"


def test_an_unanswerable_question_ends_with_a_no(desk: Desk) -> None:
    ask = ToolUse("AskUserQuestion", {"question": "Which of these?"})
    task = desk.order("guess my thoughts", calls(ask), say("Then I guess.", expect="did not answer"))
    [held] = until(
        lambda: [a for a in desk.daemon.items("/v1/approvals") if a["state"] == "pending"], "asked", 30
    )
    assert desk.daemon.clawctl("deny", held["id"]).code == 0
    assert desk.over(task)["result"] == "Then I guess."


def test_sleep_costs_nothing_and_wakes(desk: Desk) -> None:
    task = desk.order("wait a little", call("Sleep", {"seconds": 3}), say("Good morning.", expect="awake"))
    until(lambda: desk.daemon.get(f"/v1/tasks/{task['id']}")["parked_on"] == "sleep", "it sleeps", 30)
    assert desk.daemon.status["tasks"]["running"] == 0
    assert desk.over(task)["result"] == "Good morning."


def test_an_owners_never_is_a_rule_at_once(hatch: Hatch, tmp_path: Path) -> None:
    """Said in a chat, it holds in work that begins afterwards, without a question."""
    project = Project(tmp_path)
    repos = f'[[github.repo]]\nname = "octo/app"\npath = "{project.clone}"\nbase = "main"\n'
    with ModelServer() as server:
        server.script(say("Understood."))
        server.policy(engineer())
        daemon = hatch(standard(repos=repos, more=models(server)), KEY).start()
        assert daemon.clawctl("chat", "Never push anything.").code == 0
        task = daemon.decision(daemon.take("issues", deliveries.labeled("octo/app", 1, "nightclaw")))[
            "task_id"
        ]
        until(lambda: daemon.get(f"/v1/tasks/{task}")["state"] in OVER, "it ends", 40)
        assert "Never push anything" in daemon.get(f"/v1/tasks/{task}")["result"]
        assert daemon.items("/v1/approvals") == [] and project.branches() == []
        server.check()


def test_a_question_nobody_answers_is_a_no(hatch: Hatch, tmp_path: Path) -> None:
    """The day passes while the daemon is down: the row is made a day older."""
    project = Project(tmp_path)
    repos = f'[[github.repo]]\nname = "octo/app"\npath = "{project.clone}"\nbase = "main"\n'
    with ModelServer() as server:
        server.policy(engineer())
        daemon = hatch(standard(repos=repos, more=models(server)), KEY).start()
        task = daemon.decision(daemon.take("issues", deliveries.labeled("octo/app", 1, "nightclaw")))[
            "task_id"
        ]
        [ask] = until(lambda: daemon.items("/v1/approvals"), "it asks", 40)
        daemon.stop()
        with closing(sqlite3.connect(daemon.home / "nightclaw.db")) as rows, rows:
            rows.execute("UPDATE approval SET expires_at = expires_at - 86400000")
        daemon.start()
        until(lambda: daemon.items("/v1/approvals")[0]["state"] == "expired", "it expires", 40)
        assert daemon.clawctl("approve", ask["id"]).code == 5, "too late"
        until(lambda: daemon.get(f"/v1/tasks/{task}")["state"] == "done", "the work goes on without it", 40)
        assert project.branches() == []


def test_nothing_of_ours_is_left_running() -> None:
    """Last of the module: no sleeper of any test lives on."""
    assert [pid for mark in ("4711.", "4712.") for pid in running(mark)] == []
