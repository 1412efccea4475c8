"""Killed anywhere while a worktree is made or removed, the next try leaves one whole worktree, or none."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest
from tests.fakes.clones import Scene, git, print_of, until, write

from nightclaw.vcs import child
from nightclaw.vcs.worktrees import Worktrees

pytestmark = pytest.mark.anyio
TASK, BRANCH = "tsk_01JDAAAAAAAAAAAAAAAAAAAAAA", "nightclaw/5-fix"
ROOT = Path(__file__).parents[3]
MAKING = ("vcs.recorded", "vcs.added", "vcs.filled", "vcs.set_up", "vcs.attached")


async def killed(world: Scene, verb: str, failpoint: str = "", setup: str = "") -> int | None:
    """Run `verb` in a process of its own; how it ended."""
    env = {k: os.environ[k] for k in ("PATH", "HOME")} | {"PYTHONPATH": str(ROOT)}
    env |= {"NIGHTCLAW_FAILPOINT": failpoint}
    argv = ("-m", "tests.unit.vcs.making_child", str(world.home), str(world.clone), TASK, BRANCH, setup, verb)
    process = await asyncio.create_subprocess_exec(sys.executable, *argv, cwd=ROOT, env=env)
    async with asyncio.timeout(30):
        return await process.wait()


def stands(world: Scene, log: Path, runs: int) -> None:
    root = world.home / "worktrees" / TASK
    assert git(world.clone, "worktree", "list", "--porcelain").count("worktree ") == 2
    assert git(world.clone, "branch", "--list", "nightclaw/*", "--format=%(refname:short)") == BRANCH
    assert git(root, "status", "--porcelain", "--branch") == f"## {BRANCH}"
    assert (root / "src/app.py").exists() and (root / "products").exists()
    assert log.read_text().count("run") == runs
    assert sorted(p.name for p in (world.home / "worktrees").iterdir()) == [
        TASK,
        f"{TASK}.json",
        f"{TASK}.setup.log",
    ]


@pytest.mark.parametrize("failpoint", MAKING)
async def test_killed_while_it_is_made(world: Scene, worktrees: Worktrees, failpoint: str) -> None:
    write(world.clone, {".venv/x": "1", ".gitignore": ".venv\nproducts\n"})
    git(world.clone, "add", "-A")
    git(world.clone, "commit", "-q", "-m", "ignore")
    git(world.clone, "push", "-q", "origin", "main")
    before, log = print_of(world.clone), world.top / "ran"
    setup = f"echo run >> {log}; touch products"
    assert await killed(world, "prepare", failpoint, setup) == -signal.SIGKILL
    assert worktrees.find(TASK) is None
    assert await killed(world, "prepare", "", setup) == 0
    stands(world, log, 2 if failpoint in ("vcs.set_up", "vcs.attached") else 1)
    assert print_of(world.clone) == before
    assert (await worktrees.check_against({TASK})).lost == ()


@pytest.mark.parametrize("failpoint", [*MAKING, "vcs.removing", "vcs.removed_tree"])
async def test_what_a_kill_left_of_a_task_that_is_over_is_cleared_at_boot(
    world: Scene, worktrees: Worktrees, failpoint: str
) -> None:
    before, refs = print_of(world.clone), git(world.clone, "for-each-ref")
    if failpoint not in MAKING:
        assert await killed(world, "prepare") == 0
    assert await killed(world, "prepare" if failpoint in MAKING else "remove", failpoint) == -signal.SIGKILL
    standing = await worktrees.check_against(set())
    assert standing.removed == (TASK,)
    assert git(world.clone, "worktree", "list", "--porcelain").count("worktree ") == 1
    assert git(world.clone, "for-each-ref") == refs
    assert print_of(world.clone) == before
    assert list((world.home / "worktrees").iterdir()) == []


def _is_over(pid: int) -> bool:
    """Gone, or dead and waiting for somebody to take note."""
    stat = Path(f"/proc/{pid}/stat")
    try:
        return stat.read_text().rpartition(")")[2].split()[0] in "ZX"
    except OSError:
        return True


async def test_a_set_up_does_not_outlive_a_kill(world: Scene, worktrees: Worktrees) -> None:
    mark = world.top / "pid"
    setup = f"[ -e {mark} ] && exit; echo $$ > {mark}.new; mv {mark}.new {mark}; sleep 300"
    env = {k: os.environ[k] for k in ("PATH", "HOME")} | {"PYTHONPATH": str(ROOT)}
    argv = (
        "-m",
        "tests.unit.vcs.making_child",
        str(world.home),
        str(world.clone),
        TASK,
        BRANCH,
        setup,
        "prepare",
    )
    process = await asyncio.create_subprocess_exec(sys.executable, *argv, cwd=ROOT, env=env)
    await until(mark.exists)
    process.kill()
    await process.wait()
    pid = int(mark.read_text())
    assert child.birth_of(pid) is not None, "it runs on, for now"
    prepared = await worktrees.prepare(TASK, world.repo(setup=setup), BRANCH)
    await until(lambda: _is_over(pid))
    assert prepared.notes == ()
