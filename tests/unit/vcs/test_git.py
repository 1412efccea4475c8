"""Git runs nothing that a repository asks for, finds nothing by itself, and ends when it should."""

import asyncio
import os
from pathlib import Path

import pytest
from tests.fakes.clones import Scene, commit, git, until, write

from nightclaw.core.errors import NightclawError
from nightclaw.vcs import child
from nightclaw.vcs.git import Git
from nightclaw.vcs.worktrees import Worktrees

pytestmark = pytest.mark.anyio
TASK, BRANCH = "tsk_01JDAAAAAAAAAAAAAAAAAAAAAA", "nightclaw/5-fix"
ATTRIBUTES = "*.py filter=evil diff=evil merge=evil\n*.bin filter=proc diff=outer\n"


def poison(world: Scene) -> Path:
    """Every way a repository's configuration can name a program, each leaving a mark when it runs."""
    marks, evil = world.top / "marks", world.top / "evil.sh"
    marks.mkdir()
    evil.write_text(f'#!/bin/sh\ntouch "{marks}/$1"\ncat\n')
    evil.chmod(0o755)
    hooks = world.top / "hooks"
    hooks.mkdir()
    names = (
        "pre-commit",
        "post-checkout",
        "pre-push",
        "reference-transaction",
        "post-index-change",
        "commit-msg",
    )
    for place in (hooks, world.clone / ".git" / "hooks"):
        for name in names:
            (place / name).write_text(f"#!/bin/sh\ntouch {marks}/hook-{name}\n")
            (place / name).chmod(0o755)
    keys = {
        "core.hooksPath": str(hooks),
        "core.fsmonitor": f"{evil} fsmonitor",
        "core.sshCommand": f"{evil} ssh",
        "core.editor": f"{evil} editor",
        "core.pager": f"{evil} pager",
        "core.alternateRefsCommand": f"{evil} refs",
        "diff.external": f"{evil} external",
        "filter.evil.clean": f"{evil} clean",
        "filter.evil.smudge": f"{evil} smudge",
        "filter.evil.required": "true",
        "filter.proc.process": f"{evil} process",
        "filter.odd=name\xff.clean": f"{evil} oddclean",
        "diff.evil.textconv": f"{evil} textconv",
        "diff.outer.command": f"{evil} drivercommand",
        "merge.evil.driver": f"{evil} merge",
        "gpg.program": f"{evil} gpg",
        "commit.gpgSign": "true",
        "log.showSignature": "true",
        "credential.helper": f"!{evil} credential",
        "alias.status": f"!{evil} alias",
        "pager.log": f"{evil} pagerlog",
        "trailer.x.command": f"{evil} trailer",
        "remote.origin.uploadpack": f"{evil} uploadpack",
        "remote.origin.receivepack": f"{evil} receivepack",
        "submodule.sub.update": f"!{evil} submodule",
        "submodule.recurse": "true",
        "include.path": str(world.top / "more.config"),
        "includeIf.onbranch:nightclaw/**.path": str(world.top / "branch.config"),
    }
    (world.top / "more.config").write_text(f'[filter "included"]\n\tclean = {evil} included\n')
    (world.top / "branch.config").write_text(f'[filter "onbranch"]\n\tclean = {evil} onbranch\n')
    for key, value in keys.items():
        git(world.clone, "config", key, value)
    return marks


async def test_a_poisoned_repository_runs_nothing(
    world: Scene, worktrees: Worktrees, git_runner: Git
) -> None:
    more = "*.inc filter=included\n*.onb filter=onbranch\n*.odd filter=odd=name\xff\n"
    files = {".gitattributes": ATTRIBUTES + more, ".gitmodules": '[submodule "sub"]\npath = sub\nurl = ./x\n'}
    files |= {f"a.{ending}": "1\n" for ending in ("py", "bin", "inc", "onb", "odd")}
    commit(world.clone, files)
    git(world.clone, "push", "-q", "origin", "main")
    marks = poison(world)
    work = (await worktrees.prepare(TASK, world.repo(), BRANCH)).workspace
    assert work.git_dir is not None
    write(work.root, {f"a.{ending}": "2\n" for ending in ("py", "bin", "inc", "onb", "odd")})
    for words in (
        ["status"],
        ["diff", "--no-ext-diff", "--no-textconv"],
        ["add", "--all"],
        ["commit", "-q", "-m", "two"],
        ["log", "-p", "-1"],
        ["show", "HEAD"],
        ["restore", "--source=HEAD~1", "--", "a.py"],
    ):
        who = {
            "GIT_AUTHOR_NAME": "a",
            "GIT_AUTHOR_EMAIL": "a",
            "GIT_COMMITTER_NAME": "a",
            "GIT_COMMITTER_EMAIL": "a",
        }
        ran = await git_runner.run(words, git_dir=work.git_dir, work_tree=work.root, env=who)
        assert ran.ok, (words, ran.said)
    shown = await git_runner.run(["show", "HEAD:a.py"], git_dir=work.git_dir, work_tree=work.root)
    assert shown.out == "2\n"
    await worktrees.prepare(TASK, world.repo(), BRANCH)
    await worktrees.teammate_holds(work)
    assert (await worktrees.remove(TASK, discard=True)).is_gone
    assert sorted(os.listdir(marks)) == []
    git(world.clone, "add", "--renormalize", ".", check=False)
    git(world.clone, "status", check=False)
    assert len(os.listdir(marks)) > 3, "the poison works on a git that is not ours"


async def test_a_rewritten_pointer_is_never_followed(
    world: Scene, worktrees: Worktrees, git_runner: Git
) -> None:
    work = (await worktrees.prepare(TASK, world.repo(), BRANCH)).workspace
    assert work.git_dir is not None
    evil, mark = world.top / "evil.git", world.top / "mark"
    git(world.top, "init", "-q", "--bare", str(evil))
    git(evil, "config", "core.fsmonitor", f"touch {mark}; false")
    (work.root / ".git").write_text(f"gitdir: {evil}\n")
    write(work.root, {"new.py": "1\n"})
    ran = await git_runner.run(["status", "--short"], git_dir=work.git_dir, work_tree=work.root)
    assert ran.out == "?? new.py\n" and not mark.exists()
    git(work.root, "--work-tree=.", "status", check=False)
    assert mark.exists(), "a git that looks for its directory is caught"


async def test_the_environment_is_an_allow_list(
    world: Scene, git_runner: Git, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (
        "GIT_DIR",
        "GIT_INDEX_FILE",
        "GIT_CONFIG_PARAMETERS",
        "GIT_SSH_COMMAND",
        "ANTHROPIC_API_KEY",
    ):
        monkeypatch.setenv(name, "/nonexistent")
    git_dir = world.clone / ".git"
    words = ["-c", "alias.x=!env", "x"]
    ran = await git_runner.run(words, git_dir=git_dir, work_tree=world.clone)
    assert "nonexistent" not in ran.out and "GIT_TERMINAL_PROMPT=0" in ran.out
    ran = await git_runner.run(["rev-parse", "HEAD"], git_dir=git_dir, work_tree=world.clone)
    assert ran.ok


async def test_the_owner_is_the_author_also_without_a_setting_of_the_clone(
    world: Scene, git_runner: Git
) -> None:
    found = await git_runner.owner(world.clone / ".git", world.clone)
    assert found is not None and (found.name, found.email) == ("Mona", "mona@example.org")
    git(world.clone, "config", "--unset", "user.name")
    git(world.clone, "config", "--unset", "user.email")
    assert await git_runner.owner(world.clone / ".git", world.clone) is None
    (world.top / "owner" / ".gitconfig").write_text("[user]\n\tname = Octo <x>\n\temail = o@example.org\n")
    found = await git_runner.owner(world.clone / ".git", world.clone)
    assert found is not None and (found.name, found.email) == ("Octo x", "o@example.org")


async def test_a_run_ends_at_its_deadline_with_all_it_started(world: Scene, git_runner: Git) -> None:
    mark = world.top / "pid"
    words = ["-c", f"alias.slow=!sleep 300 & echo $! > {mark}; wait", "slow"]
    ran = await git_runner.run(words, git_dir=world.clone / ".git", work_tree=world.clone, timeout_s=1)
    assert ran.timed_out and not ran.ok and ran.said == "it took too long"
    assert not _lives(int(mark.read_text()))


async def test_a_cancelled_run_leaves_nothing(world: Scene, git_runner: Git) -> None:
    mark = world.top / "pid"
    words = ["-c", f"alias.slow=!sleep 300 & echo $! > {mark}.new; mv {mark}.new {mark}; wait", "slow"]
    task = asyncio.create_task(git_runner.run(words, git_dir=world.clone / ".git", work_tree=world.clone))
    await until(mark.exists)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not _lives(int(mark.read_text()))


async def test_what_says_too_much_is_ended(world: Scene, git_runner: Git) -> None:
    words = ["-c", "alias.loud=!yes", "loud"]
    ran = await git_runner.run(words, git_dir=world.clone / ".git", work_tree=world.clone, limit=100_000)
    assert ran.is_cut and ran.code is None and len(ran.out) == 100_000


async def test_whoever_leaves_the_group_holds_nobody_up(world: Scene) -> None:
    """A command that starts a daemon of its own: the answer is there, though the pipe is still held open."""
    argv = ("/bin/sh", "-c", "echo said; setsid sleep 300 & echo $!")
    env = {"PATH": os.environ["PATH"]}
    async with asyncio.timeout(20):
        ended = await child.run(argv, cwd=world.top, env=env, timeout_s=60, limit=1000)
    said, pid = ended.out.decode().split()
    assert (ended.code, said) == (0, "said")
    os.kill(int(pid), 9)


async def test_a_broken_configuration_and_a_missing_git_are_said(world: Scene) -> None:
    with pytest.raises(NightclawError, match="git is not installed"):
        await Git("/nonexistent/git").run(["status"], git_dir=world.clone / ".git", work_tree=world.clone)
    (world.clone / ".git" / "config").write_text("[core\n")
    with pytest.raises(NightclawError, match="cannot read the configuration"):
        await Git().run(["status"], git_dir=world.clone / ".git", work_tree=world.clone)


async def test_a_leftover_is_ended_only_if_it_is_that_very_process() -> None:
    sleeper = await asyncio.create_subprocess_exec("sleep", "300", start_new_session=True)
    birth = child.birth_of(sleeper.pid)
    child.end_leftover(sleeper.pid, "12345")
    child.end_leftover(sleeper.pid, None)
    assert sleeper.returncode is None and _lives(sleeper.pid)
    child.end_leftover(sleeper.pid, birth)
    async with asyncio.timeout(5):
        assert await sleeper.wait() == -9


def _lives(pid: int) -> bool:
    """A process that is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
