"""Doctor names what is wrong with this machine and this home, and the command that mends it."""

import fcntl
import json
import sqlite3
from pathlib import Path

import pytest
from tests.unit.admin.conftest import Admin

from nightclaw.admin.doctor import SAFE_SQLITE, Check, examine, merged

NEW_SQLITE = sqlite3.sqlite_version_info >= SAFE_SQLITE


def found(home: Path, env: dict[str, str]) -> dict[str, Check]:
    return {check.check: check for check in examine(home, env)}


@pytest.fixture
def tools(admin: Admin) -> dict[str, str]:
    """An environment with every program there and no service."""
    for name in ("git", "bwrap", "rg", "gh"):
        admin.program(name, "#!/bin/sh\n")
    return {**admin.env, "PATH": str(admin.bin)}


def test_a_sound_home_is_well(home: Path, tools: dict[str, str]) -> None:
    checks = found(home, tools)
    wanted = {
        "python",
        "sqlite",
        "home",
        "socket path",
        "disk",
        "config",
        "git",
        "bwrap",
        "service",
        "daemon",
        "notify",
    }
    assert wanted <= set(checks)
    assert [c for n, c in checks.items() if not c.ok and not n.startswith(("disk", "inotify"))] == []
    assert "mode 0700" in checks["home"].detail
    assert ("WAL-reset" in checks["sqlite"].detail) is not NEW_SQLITE


def test_each_fault_has_its_fix(home: Path, admin: Admin) -> None:
    admin.program("apt-get", "#!/bin/sh\n")
    env = {**admin.env, "PATH": str(admin.bin)}
    home.chmod(0o755)
    (home / "config.toml").write_text('[[github.repo]]\nname = "octo/app"\npath = "."\n')
    (home / "config.toml").chmod(0o644)
    checks = found(home, env)
    fixes = {
        name: check.fix for name, check in checks.items() if not check.ok and not name.startswith("inotify")
    }
    assert fixes == {
        "home": f"chmod 700 {home}",
        "config file": f"chmod 600 {home}/config.toml",
        "git": "sudo apt-get install -y git",
        "bwrap": "sudo apt-get install -y bubblewrap",
        "github.owners": "clawctl config set github.owners '[\"YOUR-LOGIN\"]'",
        "github token": "set [github] token",
        f"clone {home}": f"git clone it to {home}",
    }
    assert checks["rg"].ok and "ripgrep" in checks["rg"].fix


def test_a_bad_config_is_told_fault_by_fault(home: Path, tools: dict[str, str]) -> None:
    (home / "config.toml").write_text("[tick]\nevry = 1\n[ntify]\n")
    bad = [c for c in examine(home, tools) if c.check == "config"]
    assert [c.ok for c in bad] == [False, False]
    assert "config.toml:2 tick.evry: unknown key" in bad[0].detail and 'did you mean "every"?' in bad[0].fix


def test_what_a_daemon_met_is_told_once() -> None:
    fine, bad = Check("notify", True, "2 destinations"), Check("github.owners", False, "nobody", "set it")
    well, note = Check("disk", True, "9 GiB free"), Check("config", True, "a note")
    met = [Check("github.owners", False, "no token", "set owners"), Check("notify", False, "refused")]
    assert merged([fine, bad, well, note], met) == [bad, well, note, met[1]]


def test_a_public_address_without_a_secret(home: Path, tools: dict[str, str]) -> None:
    text = (
        '[ingress]\npublic_url = "https://x.org"\n[github]\nowners = ["me"]\n[[github.repo]]\nname = "o/a"\n'
    )
    (home / "config.toml").write_text(text)
    (home / "config.toml").chmod(0o600)
    checks = found(home, tools)
    assert not checks["github hook"].ok and "github connect" in checks["github hook"].fix
    assert checks["github.owners"].detail == "me"


def test_it_sees_the_daemon(home: Path, tools: dict[str, str]) -> None:
    assert found(home, tools)["daemon"].detail == "does not run"
    (home / "run").mkdir()
    with open(home / "run" / "daemon.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write("4711\n")
        lock.flush()
        assert found(home, tools)["daemon"].detail == "runs, process 4711"


def test_a_home_that_is_too_deep_is_told(user: Path, tools: dict[str, str]) -> None:
    checks = found(user / ("x" * 100), tools)
    assert not checks["socket path"].ok and "shorter path" in checks["socket path"].fix


def test_the_verb(admin: Admin, home: Path) -> None:
    for name in ("git", "bwrap", "rg", "gh"):
        admin.program(name, "#!/bin/sh\n")
    row = json.loads(admin("doctor", "--json").stdout)
    assert {"check", "ok", "detail", "fix"} == set(row["items"][0])
    home.chmod(0o755)
    done = admin("doctor")
    assert done.returncode == 1 and f"BAD  home: {home} is open to others (mode 0755)" in done.stdout
    assert f"     fix: chmod 700 {home}\n" in done.stdout
