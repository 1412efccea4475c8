"""Killed at every point that has a name, and nothing is lost, doubled or broken.

By default several deaths share one home, one after the other, which is also a harder life than one death a home.
NIGHTCLAW_EACH=1 gives every point a home of its own, for finding out which one it was.
"""

import os
import subprocess
from collections.abc import Iterator

import pytest
from tests.crash.workload import Workload
from tests.e2e.conftest import Hatch
from tests.e2e.daemon import CLAWCTL, NIGHTCLAW, Daemon, until
from tests.e2e.deliveries import ci
from tests.e2e.homes import standard
from tests.fakes.github_api import FakeGitHub
from tests.fakes.sink import Sink

# Deaths in the named order on one home. `:2` is the second pass. At most one a home takes a running task along.
LIVES = [
    [
        "ingress.received",
        "ingress.committed",
        "store.before_commit:12",
        "store.after_commit:15",
        "scheduler.claimed",
    ],
    ["initiative.before_decide:2", "initiative.decided:2", "runner.before_model"],
    ["outbox.before_send", "outbox.sent", "outbox.settled", "outbox.sent:2"],
    ["files.before_emit", "files.emitted", "runner.after_model"],
    ["poll.before_emit", "poll.emitted", "runner.step_saved"],
    ["schedule.before_fire", "schedule.fired", "tick.before_emit:2", "tick.emitted:2"],
    ["diary.before_write:2", "diary.written:2", "runner.before_finish"],
    ["boot.locked", "boot.recovered", "boot.locked", "boot.recovered"],
]
# Passed by a client's process, not the daemon's: see below.
BY_COMMAND = {"backup.copied", "restore.decided", "restore.moved"}
OUT_OF_REACH = {
    "dream.": "its own crash tests kill in dreams",
    "memory.": "its own crash tests kill where topic files are written",
    "redact": "its own crash tests kill in a redaction",
    "triage.": "a home without a model asks none",
    "calls.": "only an agent with a model calls tools",
    "vcs.": "only an agent with a model has a worktree",
    "git.": "only an agent with a model commits",
    "github.": "only an agent with a model writes to GitHub",
    "migrate.copied": "there is one schema so far: no home needs a migration",
    "retention.pruned": "needs rows older than a day, and nobody from outside can age them",
}


def _bare(point: str) -> str:
    return point.partition(":")[0]


def _lives() -> list[list[str]]:
    if os.environ.get("NIGHTCLAW_EACH"):
        return [[point] for life in LIVES for point in life]
    return LIVES


@pytest.fixture
def hub() -> Iterator[FakeGitHub]:
    with FakeGitHub() as fake:
        yield fake


def test_every_named_point_is_killed_at_or_excused() -> None:
    """A point that is added must be put into a life here, or be excused in words."""
    listed = subprocess.run([NIGHTCLAW, "failpoints"], capture_output=True, text=True, timeout=30)
    assert listed.returncode == 0, listed.stderr
    known = {_bare(point) for life in LIVES for point in life} | BY_COMMAND
    named = set(listed.stdout.split())
    assert known <= named, "points that are no more"
    assert [point for point in sorted(named - known) if not point.startswith(tuple(OUT_OF_REACH))] == []


@pytest.mark.timeout(180)
@pytest.mark.parametrize("points", _lives(), ids=lambda points: "+".join(points))
def test_a_kill_at_a_named_point_breaks_no_promise(
    hatch: Hatch, sink: Sink, hub: FakeGitHub, points: list[str]
) -> None:
    life = Workload(hatch, sink, hub)
    if _bare(points[0]).startswith("boot."):
        life.daemon.start()  # something to recover
        life.round()
        life.daemon.kill9()
    for point in points:
        life.die_at(point)
    life.go_on()
    life.check()


def test_a_task_that_ends_the_daemon_is_tried_once_more_and_then_set_aside(hatch: Hatch, sink: Sink) -> None:
    """Safe mode stops that task, not the daemon: the third life decides and tells as if nothing were."""
    daemon = hatch(standard(sink.url))
    deadly = {"NIGHTCLAW_FAILPOINT": "runner.before_model"}
    daemon.start(env=deadly)
    task = daemon.post("/v1/chat", {"text": "this is poison"})["task"]
    assert daemon.ended(10) == -9
    daemon.spawn(deadly)
    assert daemon.ended(15) == -9, "tried once more"
    daemon.start(env=deadly)
    red = ci("octo/alive", "failure")
    daemon.decision(daemon.take("workflow_run", red))
    until(lambda: sink.texts("octo/alive"), "the owner is told as ever")
    assert daemon.running, "it is not tried a third time"
    assert daemon.get(f"/v1/tasks/{task}")["state"] == "failed"
    assert len([text for text in sink.texts() if "octo/" not in text]) <= 1


def test_a_name_that_does_not_exist_is_refused(hatch: Hatch) -> None:
    """A test that kills nowhere would prove nothing."""
    daemon = hatch(standard())
    daemon.env["NIGHTCLAW_FAILPOINT"] = "no.such.point"
    ran = daemon.nightclaw("run", timeout=20)
    assert ran.code not in (0, -9) and "no.such.point" in ran.err


def _killed(daemon: Daemon, point: str, *args: str) -> None:
    """A client's command that dies at the point."""
    env = daemon.env | {"NIGHTCLAW_FAILPOINT": point}
    ran = subprocess.run([CLAWCTL, *args], env=env, capture_output=True, text=True, timeout=30)
    assert ran.returncode in (-9, 137, 1, 3), f"{point}: {ran.returncode} {ran.stdout} {ran.stderr}"


def test_a_kill_in_a_backup_leaves_no_half_backup(hatch: Hatch) -> None:
    daemon = hatch(standard()).start(env={"NIGHTCLAW_FAILPOINT": "backup.copied"})
    daemon.clawctl("chat", "keep me")
    archive = daemon.owner_home / "one.tar"
    _killed(daemon, "backup.copied", "backup", str(archive))
    assert not archive.exists(), "a backup is there when it is whole"
    if daemon.running:
        daemon.stop()
    daemon.start()
    assert "keep me" in str(daemon.get("/v1/sessions/main"))
    assert daemon.clawctl("backup", str(archive)).code == 0 and archive.exists()
    leftovers = [path for path in daemon.home.rglob("*") if "backup" in path.name and path.is_file()]
    assert leftovers == [], "nothing of the dead attempt stays"


@pytest.mark.parametrize("point", ["restore.decided", "restore.moved"])
def test_a_kill_in_a_restore_leaves_the_old_or_the_new_home(hatch: Hatch, point: str) -> None:
    daemon = hatch(standard()).start()
    daemon.clawctl("chat", "in the backup")
    archive = daemon.owner_home / "one.tar"
    assert daemon.clawctl("backup", str(archive)).code == 0
    daemon.clawctl("chat", "after the backup")
    daemon.stop()
    _killed(daemon, point, "restore", str(archive))
    daemon.start()
    text = str(daemon.get("/v1/sessions/main"))
    assert "in the backup" in text
    until(lambda: daemon.clawctl("log", "--verify").code == 0, "the log fits")
    assert daemon.status["health"] == "ok"
    daemon.stop()
    assert daemon.clawctl("restore", str(archive)).code == 0, "and it can be done again"
    daemon.start()
    text = str(daemon.get("/v1/sessions/main"))
    assert "in the backup" in text and "after the backup" not in text
