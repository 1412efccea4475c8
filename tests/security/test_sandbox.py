"""What hostile code can reach of the file system from inside the wall: it is really run there, among canaries."""

import os
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from tests.fakes.hostile import PYTHON, ended, pictured, py, sh
from tests.fakes.toolbox import GIT_ENV, TOKEN, House

from nightclaw.core.errors import Refused
from nightclaw.core.tools import Sandbox, Workspace
from nightclaw.sandbox import bubblewrap, shell

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(sys.platform != "linux", reason="the walls of Linux are tried on Linux"),
]


async def test_a_command_works_as_at_home(walled_house: House, wall: Sandbox) -> None:
    ran = await sh(wall, walled_house, "echo hello > made.txt && cat made.txt a.py && exit 7")
    assert (ran.exit_code, ran.output) == (7, "hello\nprint('a')\n")
    assert (walled_house.root / "made.txt").read_text() == "hello\n"
    ran = await sh(
        wall, walled_house, 'cd /tmp && echo x > y && cat y && id -u && echo "$HOME $CI" && git --version'
    )
    assert ran.output.startswith("x\n") and "/tmp/home 1" in ran.output and "git version" in ran.output
    ran = await sh(wall, walled_house, "cat; ls /tmp/y")
    assert ran.exit_code == 2 and "No such file" in ran.output, (
        "standard input is empty and /tmp is new each time"
    )


async def test_nothing_outside_can_be_written(walled_house: House, wall: Sandbox) -> None:
    house = walled_house
    places = ["/x", "/etc/x", "/usr/x", "/usr/bin/x", "/var/x", "/run/x", "/proc/sys/kernel/core_pattern"]
    places += [
        "/proc/sysrq-trigger",
        "/proc/self/oom_score_adj",
        "/sys/x",
        "/dev/x",
        "/boot/x",
        "/root/x",
        "/home/x",
    ]
    places += ["/proc/self/root/x", "/proc/1/root/x"]
    # names beneath the private /tmp may be made there: it is not the one outside
    tops = (house.top, house.user, house.home, house.home / "run", house.clone)
    into_tmp = [str(top / "new") for top in tops] + [str(house.user / ".bashrc"), str(house.canary)]
    into_tmp += [str(house.clone / "a.py"), str(house.home / "state.db"), "../../state.db"]
    into_tmp += ["../new", "../../new", "/proc/self/cwd/../new"]
    before = pictured(house.top, house.root)
    code = (
        "import os, sys\n"
        "for p in sys.argv[1:]:\n"
        "    for flags in (os.O_WRONLY, os.O_WRONLY | os.O_CREAT, os.O_WRONLY | os.O_TRUNC):\n"
        "        try: os.write(os.open(p, flags), b'0'); print('WROTE', p)\n"
        "        except OSError: pass\n"
        "    for f in (os.mkdir, os.unlink, os.rmdir):\n"
        "        try: f(p); print('CHANGED', p)\n"
        "        except OSError: pass\n"
        "print('tried', len(sys.argv) - 1)"
    )
    ran = await py(wall, house, code, *places)
    assert ran.output == f"tried {len(places)}\n"
    assert "tried" in (await py(wall, house, code, *into_tmp)).output
    assert pictured(house.top, house.root) == before


async def test_nothing_secret_can_be_read(walled_house: House) -> None:
    house = walled_house
    wall = house.wall(CANARY_KEY="canary-environment")
    if wall.why_not:
        pytest.skip(wall.why_not)
    os.environ["CANARY_PARENT"] = "canary-parent"
    try:
        paths = [house.user / ".ssh/id_ed25519", house.user / ".netrc", house.home / "state.db", house.canary]
        paths += [
            house.home / "config.toml",
            Path("/etc/shadow"),
            Path("/etc/gshadow"),
            Path("/root/.bashrc"),
        ]
        paths += [Path("/proc/self/root") / p.relative_to("/") for p in paths]
        paths += [Path(f"/proc/{n}/root") / str(house.canary)[1:] for n in (1, 2)]
        paths += [
            Path("../../../../outside.txt"),
            Path("../../state.db"),
            Path("/proc/kcore"),
            Path("/proc/kmsg"),
        ]
        line = (
            "; ".join(f"cat '{path}'" for path in paths) + "; cat /proc/[0-9]*/environ | tr '\\0' '\\n'; env"
        )
        ran = await sh(wall, house, f"({line}) 2>/dev/null; ls -R {house.user} {house.home}; exit 0")
    finally:
        del os.environ["CANARY_PARENT"]
    assert ran.exit_code == 0 and "canary" not in ran.output and "root:" not in ran.output
    assert "state.db" not in ran.output and ".ssh" not in ran.output, "not even their names"
    assert f"{house.home}/worktrees/app-1" in ran.output


async def test_git_reads_but_its_files_cannot_be_touched(walled_house: House, wall: Sandbox) -> None:
    house, git_dir = walled_house, walled_house.workspace.git_dir
    before = pictured(house.clone / ".git", Path("/nowhere"))
    pointer = (house.root / ".git").read_bytes()
    ran = await sh(
        wall, house, "git log --oneline && git status --short && git diff && git remote -v && git config -l"
    )
    assert ran.exit_code == 0 and "first" in ran.output and "example.com/octo/app" in ran.output
    assert TOKEN not in ran.output
    ran = await sh(
        wall, house, f"cat {git_dir}/* {house.clone}/.git/* {house.clone}/.git/*/* 2>/dev/null; echo done"
    )
    assert TOKEN not in ran.output
    evil = house.root / "evil.sh"
    evil.write_text(f"#!/bin/sh\necho ran > {house.root}/ran\n")
    evil.chmod(0o755)
    tries = f"""
echo 'gitdir: {house.root}/fake' > .git; rm -f .git; mv .git gone; ln -sf fake .git; rm -rf .git; mkdir .git
git init -q fake; git -C fake config core.fsmonitor {evil}; git config core.fsmonitor {evil}; ln .git hard
echo x > {git_dir}/HEAD; echo '[core] fsmonitor = {evil}' >> {house.clone}/.git/config
cp evil.sh {house.clone}/.git/hooks/pre-commit; echo x > .git/hooks/x; rm -rf {house.clone}/.git
git commit --allow-empty -qm x; git config --global core.fsmonitor {evil}; mv ../app-1 ../other
echo '* diff=x' > .gitattributes; cp -r {house.clone}/.git stolen; echo tried
"""
    ran = await sh(wall, house, tries)
    assert ran.output.endswith("tried\n")
    assert (house.root / ".git").read_bytes() == pointer and pictured(
        house.clone / ".git", Path("/nowhere")
    ) == before
    shutil.rmtree(house.root / "fake")
    plain = ["git", f"--git-dir={git_dir}", f"--work-tree={house.root}"]
    for args in (["status", "--short"], ["diff"], ["add", "-A"], ["commit", "-qm", "second"]):
        done = ended(*plain, *args, env=GIT_ENV, cwd="/")
        assert done.returncode == 0, done.stderr
    assert not (house.root / "ran").exists()


async def test_settings_of_tools_in_the_workspace_stay(walled_house: House, wall: Sandbox) -> None:
    house = walled_house
    for name in (".vscode", ".husky"):
        (house.root / name).mkdir()
        (house.root / name / "tasks.json").write_text("{}")
    (house.root / ".envrc").write_text("# mine")
    (house.root / ".idea").symlink_to(house.user / ".ssh")
    line = "echo x > .vscode/tasks.json; echo x >| .envrc; mv .husky h; rm -rf .vscode .envrc; cat .idea/*; echo tried"
    ran = await sh(wall, house, line)
    assert ran.output.endswith("tried\n") and "canary" not in ran.output
    assert (house.root / ".envrc").read_text() == "# mine"
    assert (house.root / ".vscode" / "tasks.json").read_text() == "{}" and (house.root / ".husky").is_dir()


async def test_shares_reads_and_mounts_can_only_be_read(walled_house: House) -> None:
    house = walled_house
    for path, text in (
        (house.clone / ".venv" / "lib.py", "shared"),
        (house.top / "docs" / "a.md", "docs"),
        (house.user / ".cargo" / "config.toml", "cargo"),
        (house.user / ".cargo" / "credentials.toml", "canary-credentials"),
    ):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    wall = house.wall(mounts=(house.user / ".cargo",))
    if wall.why_not:
        pytest.skip(wall.why_not)
    workspace = replace(house.workspace, share=(house.clone / ".venv",), reads=(house.top / "docs",))
    line = (
        f"cat .venv/lib.py {house.top}/docs/a.md ~/.cargo/config.toml; cat ~/.cargo/credentials.toml;"
        f"echo x > .venv/lib.py; echo x > {house.top}/docs/a.md; echo x > ~/.cargo/config.toml; rm -rf .venv"
    )
    ran = await wall.run(shell(f"({line}) 2>/dev/null", house.root, 20.0), workspace)
    assert ran.output == "shareddocscargo"
    assert (house.clone / ".venv" / "lib.py").read_text() == "shared"


async def test_a_clone_that_may_be_read_keeps_its_tokens(walled_house: House, wall: Sandbox) -> None:
    house = walled_house
    (house.clone / ".env").write_text("KEY=canary-key")
    workspace = Workspace(house.root, reads=(house.clone,))
    line = f"cd {house.clone}; cat a.py .env .git/config; grep -r canary . ; git log --oneline; git config -l"
    ran = await wall.run(shell(f"({line}) 2>&1", house.root, 20.0), workspace)
    assert "print('a')" in ran.output and "first" in ran.output and "example.com/octo/app.git" in ran.output
    assert TOKEN not in ran.output and "canary-key" not in ran.output


async def test_a_mount_above_the_daemons_home_does_not_show_it(walled_house: House) -> None:
    house = walled_house
    alias = house.top / "alias"
    alias.symlink_to(house.user)
    wall = house.wall(mounts=(house.user / ".ssh",))
    if wall.why_not:
        pytest.skip(wall.why_not)
    for reads in ((house.user,), (house.top,), (alias,)):
        workspace = replace(house.workspace, reads=reads)
        line = f"cat {house.home}/state.db {alias}/.nightclaw/state.db {house.home}/config.toml; cat a.py; echo end"
        ran = await wall.run(shell(f"({line}) 2>/dev/null", house.root, 20.0), workspace)
        assert ran.output == "print('a')\nend\n", reads
    with pytest.raises(Refused):
        await wall.run(shell("true", house.root, 5.0), replace(house.workspace, reads=(house.home / "logs",)))


async def test_no_command_runs_where_a_home_would_be_laid_open(walled_house: House, wall: Sandbox) -> None:
    house = walled_house
    for root in (Path("/"), house.top, house.user, house.home, house.home / "run", house.top / "missing"):
        with pytest.raises(Refused):
            await wall.run(shell("true", root, 5.0), Workspace(root))
    with pytest.raises(Refused):
        await wall.run(shell("true", house.clone, 5.0), house.workspace)
    with pytest.raises(Refused):
        await wall.run(shell("true", house.root, 5.0), replace(house.workspace, git_dir=house.user))
    (house.root / ".git").unlink()
    with pytest.raises(Refused):
        await wall.run(shell("true", house.root, 5.0), house.workspace)


async def test_landlock_holds_without_the_mounts(walled_house: House, wall: Sandbox) -> None:
    if not getattr(wall, "landlock", 0):
        pytest.skip("this kernel has no Landlock")
    house = walled_house
    program = Path(bubblewrap.__file__).with_name("landlock.py")
    prefix = Path(PYTHON).parent.parent
    reads = ("/usr", "/bin", "/lib", "/lib64", "/etc", str(prefix), str(program))
    words = [word for path in reads for word in ("--read", path)]
    words += ["--write", str(house.root), "--write", "/dev/null"]
    line = (
        f"cat a.py; echo x > in.txt && cat in.txt; cat {house.canary} {house.user}/.ssh/id_ed25519; "
        f"echo x > {house.canary}; mv in.txt {house.top}/; ln {house.canary} l; rm -f {house.canary}; "
        f"kill -0 {os.getpid()} && echo KILLED"
    )
    shell_line = f"({line}) 2>/dev/null; exit 0"
    done = ended(PYTHON, "-I", "-S", str(program), *words, "--", "sh", "-c", shell_line, cwd=house.root)
    assert done.stdout == "print('a')\nx\n", done.stderr
    assert house.canary.read_text() == "canary-outside"
