"""What stands where the wall cannot: nothing runs, and the reason is one the owner can act on."""

import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from tests.fakes.toolbox import SMALL

from nightclaw import sandbox
from nightclaw.core.errors import Refused
from nightclaw.core.tools import Workspace
from nightclaw.sandbox import bubblewrap, gitview, limits, seatbelt
from nightclaw.sandbox.mounts import Ground
from nightclaw.sandbox.none import NoSandbox
from nightclaw.sandbox.running import Kept

pytestmark = pytest.mark.anyio


def ground(top: Path, **changes: object) -> Ground:
    made = Ground(top / "home", top, (), (), bubblewrap.interpreter(), 1000, 1000, 1 << 20, 1 << 20)
    return replace(made, **changes)


async def test_without_a_wall_nothing_runs(tmp_path: Path) -> None:
    wall = NoSandbox("bubblewrap is not installed: sudo apt install bubblewrap")
    with pytest.raises(Refused, match="apt install bubblewrap"):
        await wall.run(sandbox.shell("touch x", tmp_path, 5.0), Workspace(tmp_path))
    assert not (tmp_path / "x").exists() and wall.describe()["kind"] == "none"


@pytest.mark.skipif(sys.platform != "linux", reason="bubblewrap is Linux's")
def test_a_wall_that_cannot_be_built_is_not_chosen(tmp_path: Path) -> None:
    """A first program that is missing: bubblewrap starts, but nobody answers from inside."""
    made = bubblewrap.find(ground(tmp_path, interpreter=tmp_path / "no-python"), SMALL, {})
    assert isinstance(made, str) and "bubblewrap" in made


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="needs root to take namespaces away")
def test_where_namespaces_are_switched_off_the_reason_says_how_to_switch_them_on(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom pathlib import Path\nsys.path.insert(0, sys.argv[1])\n"
        "from nightclaw import sandbox\nprint(sandbox.probe(Path('/nowhere'), Path('/none'), {}).why_not)"
    )
    package = str(Path(bubblewrap.__file__).parents[2])
    # a user namespace of its own whose limit on further ones is zero, as some systems have it
    line = 'echo 0 > /proc/sys/user/max_user_namespaces; exec "$@"'
    argv = [
        "unshare",
        "--user",
        "--map-root-user",
        "sh",
        "-c",
        line,
        "sh",
        sys.executable,
        "-c",
        code,
        package,
    ]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60)
    if "namespaces" not in done.stdout and done.returncode:
        pytest.skip(f"no such place can be made here: {done.stderr[-200:]}")
    assert "does not work here" in done.stdout and "sysctl" in done.stdout, done.stdout + done.stderr


def test_only_head_and_tail_are_kept() -> None:
    kept = Kept(1000)
    for n in range(100_000):
        kept.add(b"%06d\n" % n)
    text = kept.text()
    assert kept.is_cut and kept.total == 700_000 and len(text) < 1100
    assert text.startswith("000000\n") and text.endswith("099999\n") and "699,000 bytes left out" in text
    small = Kept(1000)
    small.add(b"a" * 700)
    small.add(b"b" * 300)
    assert not small.is_cut and small.text() == "a" * 700 + "b" * 300
    empty = Kept(1000)
    assert empty.text() == ""


@pytest.mark.parametrize("size", [1, 7, 499, 500, 501, 5000])
def test_any_chopping_keeps_the_same(size: int) -> None:
    data = b"".join(b"%05d|" % n for n in range(2000))
    whole, chopped = Kept(1000), Kept(1000)
    whole.add(data)
    for n in range(0, len(data), size):
        chopped.add(data[n : n + size])
    assert whole.text() == chopped.text()


def test_git_settings_are_shown_without_tokens_and_programs() -> None:
    config = """
[core]
\trepositoryformatversion = 0
\tfsmonitor = ./evil.sh
\thooksPath = /tmp/evil
\tsshCommand = evil
[remote "origin"]
\turl = https://user:ghp_secret@github.com/octo/app.git
\tfetch = +refs/heads/*:refs/remotes/origin/*
\tpushurl = https://ghp_secret@github.com/octo/app.git
[http "https://github.com/"]
\textraheader = AUTHORIZATION: basic ghp_secret
[credential]\thelper = store
[include]
\tpath = ~/.secrets
[filter "x"] clean = evil
[branch "main"]
\tremote = origin
[url "https://x:ghp_secret@github.com/"]
\tinsteadOf = gh:
[user]
\tsigningkey = ghp_secret
"""
    shown = gitview.cleaned(config)
    assert (
        "ghp_secret" not in shown and "evil" not in shown and "helper" not in shown and "include" not in shown
    )
    assert "url = https://github.com/octo/app.git" in shown and "repositoryformatversion = 0" in shown
    assert (
        gitview.cleaned('[core] bare\n[remote "a"] url = a\\\nb')
        == '[core]\n\tbare = true\n[remote "a"]\n\turl = ab\n'
    )


def test_a_profile_of_seatbelt_names_what_may_be_written(tmp_path: Path) -> None:
    root = tmp_path / "home" / "worktrees" / 'a "quoted" one'
    git_dir = tmp_path / "clone" / ".git" / "worktrees" / "one"
    workspace = Workspace(root, git_dir=git_dir)
    text = seatbelt.profile(workspace, ground(tmp_path), tmp_path / "t", network=False)
    writes = re.findall(r'\(allow file-read\* file-write\* \(subpath "(.*)"\)\)', text)
    assert writes == [str(root).replace('"', '\\"'), str(tmp_path / "t")]
    lines = text.splitlines()
    assert lines[1] == "(deny default)" and "(allow network*)" not in lines
    hidden = lines.index(f'(deny file-read* file-write* (subpath "{tmp_path}/home"))')
    assert hidden < next(n for n, line in enumerate(lines) if "quoted" in line), "a later rule wins"
    assert any(line.startswith("(deny file-write*") and ".git" in line for line in lines[hidden:])
    assert (
        "(allow network*)"
        in seatbelt.profile(workspace, ground(tmp_path), tmp_path, network=True).splitlines()
    )
    with pytest.raises(Refused):
        seatbelt.profile(Workspace(tmp_path / "a\nb"), ground(tmp_path), tmp_path, network=False)


def test_the_control_group_is_found_in_both_layouts(tmp_path: Path) -> None:
    mounts, own = tmp_path / "mountinfo", tmp_path / "cgroup"
    mounts.write_text(
        f"30 25 0:26 / {tmp_path}/v1 rw - cgroup cgroup rw,pids\n31 25 0:27 / {tmp_path}/v2 rw - cgroup2 cgroup2 rw\n"
    )
    own.write_text("8:pids:/\n0::/\n")
    assert limits.parent_group(mounts, own) is None, "there, but nothing can be made in it"
    for name in ("v1", "v2"):
        (tmp_path / name).mkdir()
    assert limits.parent_group(mounts, own) is None, "a plain directory has no pids.max to keep"
    assert not any(path.is_dir() for name in ("v1", "v2") for path in (tmp_path / name).iterdir())
    assert limits.parent_group(tmp_path / "missing", own) is None
