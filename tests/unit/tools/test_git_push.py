"""A push goes to the task's own branch on its own origin, once, forward, and says what stands in its way."""

import asyncio
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from tests.fakes.clones import commit, git
from tests.unit.tools.git_scene import BRANCH, AtWork, at_work

pytestmark = pytest.mark.anyio
ROOT = Path(__file__).parents[3]


@pytest.fixture
async def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AtWork:
    monkeypatch.setenv("HOME", str(tmp_path))
    found = await at_work(tmp_path)
    found.write({"a.py": "1\n"})
    assert not (await found.call("commit", message="one")).is_error
    return found


def on_origin(work: AtWork) -> str:
    return git(work.world.origin, "rev-parse", "--verify", "--quiet", BRANCH, check=False)


async def test_a_push_arrives_and_is_known_by_its_objects(work: AtWork) -> None:
    head = git(work.workspace.root, "rev-parse", "HEAD")
    assert await work.probe("push", "cal_A") is None
    answer = await work.call("push")
    assert not answer.is_error and on_origin(work) == head
    assert answer.object_ids == (head, f"refs/heads/{BRANCH}")
    assert answer.sent_to == str(work.world.origin) and answer.sent_bytes > 0
    found = await work.probe("push", "cal_A")
    assert found is not None and found.object_ids == answer.object_ids
    again = await work.call("push")
    assert not again.is_error and "already" in again.text and again.sent_bytes == 0
    work.write({"b.py": "1\n"})
    await work.call("commit", message="two")
    more = await work.call("push")
    assert not more.is_error and len(more.object_ids) == 3
    assert git(work.world.origin, "rev-list", "--count", f"main..{BRANCH}") == "2"
    assert git(work.world.clone, "branch", "--list") == f"* main\n+ {BRANCH}"


async def test_there_is_nothing_or_nowhere_to_push(work: AtWork) -> None:
    git(work.workspace.root, "reset", "-q", "--hard", "main")
    assert "no commits yet" in (await work.call("push")).text
    work.workspace = replace(work.workspace, origin_url=None)
    assert "no origin" in (await work.call("push")).text


async def test_a_teammates_branch_is_left_alone(work: AtWork) -> None:
    other = work.world.elsewhere()
    theirs = commit(other, {"theirs.py": "1\n"})
    git(other, "push", "-q", "origin", f"HEAD:refs/heads/{BRANCH}")
    answer = await work.call("push")
    assert answer.is_error and "someone else pushed" in answer.text
    assert on_origin(work) == theirs


async def test_two_daemons_at_the_same_moment_make_one_branch(work: AtWork, tmp_path: Path) -> None:
    """Both have looked and seen no branch; the origin lets one of them make it."""
    (tmp_path / "two").mkdir()
    second = await at_work(tmp_path / "two")
    second.workspace = replace(second.workspace, origin_url=str(work.world.origin))
    second.write({"other.py": "1\n"})
    await second.call("commit", message="other")
    gate = work.world.origin / "hooks" / "pre-receive"
    gate.parent.mkdir(exist_ok=True)
    gate.write_text("#!/bin/sh\nsleep 0.3\n")
    gate.chmod(0o755)
    answers = await asyncio.gather(work.call("push"), second.call("push"))
    assert sorted(a.is_error for a in answers) == [False, True]
    loser = next(a for a in answers if a.is_error)
    assert "someone else" in loser.text
    winner = (work, second)[[a.is_error for a in answers].index(False)]
    assert on_origin(work) == git(winner.workspace.root, "rev-parse", "HEAD")


async def test_a_base_that_moved_on_is_told(work: AtWork) -> None:
    other = work.world.elsewhere()
    commit(other, {"later.py": "1\n"})
    git(other, "push", "-q", "origin", "HEAD:main")
    answer = await work.call("push")
    assert not answer.is_error and "main has moved on" in answer.text


async def test_the_remotes_own_rules_are_told(work: AtWork) -> None:
    hook = work.world.origin / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho 'commits need a ticket \x1b[31m'\nexit 1\n")
    hook.chmod(0o755)
    answer = await work.call("push")
    assert answer.is_error and "remote's own rules" in answer.text and "commits need a ticket" in answer.text
    assert "\x1b" not in answer.text and on_origin(work) == ""


async def test_an_origin_out_of_reach_is_told_and_nothing_is_guessed(work: AtWork) -> None:
    work.world.origin.rename(work.world.top / "away.git")
    answer = await work.call("push")
    assert answer.is_error and "is not there" in answer.text
    found = await work.probe("push", "cal_A")
    assert found is not None and found.is_error and "not known" in found.text


async def test_every_commit_of_a_push_is_looked_at(work: AtWork) -> None:
    """A secret that a later commit took out again would leave all the same."""
    token = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
    root = work.workspace.root
    commit(root, {"conf.py": f"T = '{token}'\n"})
    commit(root, {"conf.py": "T = ''\n"})
    answer = await work.call("push")
    assert (
        answer.is_error
        and "a GitHub token in what is added to conf.py" in answer.text
        and on_origin(work) == ""
    )


async def test_the_owner_is_told_what_a_push_would_send(work: AtWork) -> None:
    service = work.services["git"]
    facts = await service.facts(work.workspace)  # type: ignore[attr-defined]
    assert facts["head"] == git(work.workspace.root, "rev-parse", "HEAD")
    assert len(facts["commits"]) == 1 and "a.py | 1 +" in facts["diffstat"]
    assert facts["destination"] == str(work.world.origin)


@pytest.mark.parametrize(
    ("failpoint", "action", "is_there"),
    [
        ("git.staged", "commit", False),
        ("git.committed", "commit", True),
        ("git.pushed", "push", True),
    ],
)
async def test_a_call_that_was_killed_is_done_once(
    work: AtWork, failpoint: str, action: str, is_there: bool
) -> None:
    if action == "commit":
        work.write({"b.py": "1\n"})
    env = {k: os.environ[k] for k in ("PATH", "HOME")} | {
        "PYTHONPATH": str(ROOT),
        "NIGHTCLAW_FAILPOINT": failpoint,
    }
    argv = ("-m", "tests.unit.tools.git_child", str(work.world.top), action)
    process = await asyncio.create_subprocess_exec(sys.executable, *argv, cwd=ROOT, env=env)
    async with asyncio.timeout(30):
        assert await process.wait() == -signal.SIGKILL
    found = await work.probe(action, "cal_KILLED", message="two")
    assert (found is not None) is is_there
    if found is None:
        found = await work.call(action, "cal_KILLED", message="two")
    assert not found.is_error
    count = git(work.workspace.root, "rev-list", "--count", f"main..{BRANCH}")
    assert count == ("2" if action == "commit" else "1")
