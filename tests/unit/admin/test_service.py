"""`service` asks the real manager, writes what the source tree ships, tells its state, and leaves nothing behind."""

import fcntl
import json
import os
import plistlib
from pathlib import Path

import pytest
from tests.unit.admin.conftest import Admin

from nightclaw.service import launchd, systemd
from nightclaw.service.unit import Daemon, place, remove

ROOT = Path(__file__).parents[3]
SYSTEMCTL = """#!/usr/bin/env python3
# Enough of systemctl --user: refuses what it does not know, and keeps its state in a file.
import json, os, pathlib, sys
here = pathlib.Path(__file__).parent
state = here / "state.json"
held = json.loads(state.read_text()) if state.exists() else {"calls": [], "active": False, "enabled": False}
words = sys.argv[1:]
if os.environ.get("NO_BUS"):
    sys.exit("Failed to connect to bus: No medium found")
assert words[0] == "--user", words
unit = pathlib.Path(os.environ["HOME"]) / ".config/systemd/user/nightclaw.service"
verb = words[1]
if verb != "show":
    held["calls"].append(words[1:])
if words[1:] == ["show", "--property=Version", "--value"]:
    print("252")
elif verb == "show":
    assert words[2] == "nightclaw.service", words
    print("LoadState=" + ("loaded" if unit.exists() else "not-found"))
    print("ActiveState=" + ("active" if held["active"] else "failed" if os.environ.get("FAILS") else "inactive"))
    print("SubState=" + ("running" if held["active"] else "dead"))
    print("MainPID=" + ("4711" if held["active"] else "0"))
    print("UnitFileState=" + ("enabled" if held["enabled"] else ""))
    print("Result=" + ("exit-code" if os.environ.get("FAILS") else "success"))
    print("ExecMainStatus=" + ("78" if os.environ.get("FAILS") else "0"))
    print("NRestarts=0")
elif verb == "show-environment":
    print("HOME=" + os.environ["HOME"]); print("PATH=/usr/bin")
elif verb in ("daemon-reload", "reset-failed"):
    pass
elif verb == "enable":
    assert words[2:] == ["nightclaw.service"] and unit.exists()
    held["enabled"] = True
elif verb in ("start", "restart"):
    assert words[2:] == ["nightclaw.service"] and unit.exists()
    if os.environ.get("FAILS"):
        state.write_text(json.dumps(held))
        sys.exit("Job for nightclaw.service failed because the control process exited with error code.")
    held["active"] = True
elif verb == "disable":
    assert words[2:] == ["--now", "nightclaw.service"] and unit.exists()
    held["active"] = held["enabled"] = False
else:
    sys.exit(f"Unknown command verb {verb}.")
state.write_text(json.dumps(held))
"""


@pytest.fixture
def linux(admin: Admin, home: Path) -> Admin:
    if os.uname().sysname != "Linux":
        pytest.skip("systemd is Linux's")
    admin.program("systemctl", SYSTEMCTL)
    admin.program("loginctl", "#!/bin/sh\necho no\n")
    admin.program("journalctl", '#!/bin/sh\necho "journal: $*"\n')
    return admin


def unit_of(admin: Admin) -> Path:
    return admin.user / ".config/systemd/user/nightclaw.service"


def calls(admin: Admin) -> list[list[str]]:
    return json.loads((admin.bin / "state.json").read_text())["calls"]


def daemon(home: str = "/home/me/.nightclaw", *, command: str = "/home/me/.local/bin/nightclaw") -> Daemon:
    return Daemon((command, "run"), Path(home), {"HOME": "/home/me"})


def test_install_status_logs_uninstall(linux: Admin, home: Path) -> None:
    assert linux("service", "status").returncode == 4
    done = linux("service", "install")
    assert (done.returncode, done.stdout.splitlines()) == (
        0, ["active (running), process 4711", f"{unit_of(linux)}: starts at login"],
    )  # fmt: skip
    assert "loginctl enable-linger" in done.stderr
    assert calls(linux)[-3:] == [
        ["daemon-reload"],
        ["enable", "nightclaw.service"],
        ["start", "nightclaw.service"],
    ]
    assert f"Environment=NIGHTCLAW_HOME={home}\n" in unit_of(linux).read_text()

    found = json.loads(linux("service", "status", "--json").stdout)
    assert (found["running"], found["enabled"], found["pid"], found["state"]) == (True, True, 4711, "active")
    assert linux("service", "logs").stdout == "journal: --user -u nightclaw.service -n 200 --no-pager\n"

    before = unit_of(linux).read_text()
    assert linux("service", "install").returncode == 0
    assert unit_of(linux).read_text() == before and calls(linux)[-1] == ["start", "nightclaw.service"]

    done = linux("service", "uninstall")
    assert done.returncode == 0 and f"removed {unit_of(linux)}" in done.stdout
    assert os.listdir(unit_of(linux).parent) == [] and home.exists()
    assert ["disable", "--now", "nightclaw.service"] in calls(linux)
    assert linux("service", "uninstall").returncode == 4


def test_a_changed_unit_restarts_the_daemon(linux: Admin, user: Path) -> None:
    linux("service", "install")
    (user / "elsewhere").mkdir(mode=0o700)
    assert linux("service", "install", "--home", str(user / "elsewhere")).returncode == 0
    assert calls(linux)[-1] == ["restart", "nightclaw.service"]
    assert "elsewhere" in unit_of(linux).read_text()


def test_somebody_elses_unit_is_put_back(linux: Admin) -> None:
    unit_of(linux).parent.mkdir(parents=True)
    unit_of(linux).write_text("[Service]\nExecStart=/mine\n")
    assert linux("service", "uninstall").returncode == 4
    assert linux("service", "install").returncode == 0
    assert linux("service", "uninstall").returncode == 0
    assert unit_of(linux).read_text() == "[Service]\nExecStart=/mine\n"
    assert os.listdir(unit_of(linux).parent) == ["nightclaw.service"]


def test_without_systemd_nothing_is_written_and_it_says_what_to_do(linux: Admin) -> None:
    done = linux("service", "install", NO_BUS="1")
    assert (done.returncode, done.stdout) == (1, "")
    assert "systemd's user manager does not run here: Failed to connect to bus" in done.stderr
    assert "start `nightclaw run` yourself" in done.stderr
    assert not unit_of(linux).parent.exists()


def test_without_systemctl_it_says_so(admin: Admin, home: Path) -> None:
    if os.uname().sysname != "Linux":
        pytest.skip("systemd is Linux's")
    done = admin("service", "install", PATH=str(admin.bin))
    assert done.returncode == 1 and "systemctl is not on this machine" in done.stderr


def test_a_daemon_that_does_not_come_up_is_told(linux: Admin) -> None:
    done = linux("service", "install", FAILS="1")
    assert done.returncode == 1
    assert "start nightclaw.service failed: Job for nightclaw.service failed" in done.stderr
    assert "journalctl --user -u nightclaw.service" in done.stderr
    done = linux("service", "status", FAILS="1")
    assert done.returncode == 3 and "failed (dead), last result exit-code (exit 78)" in done.stdout


def test_a_daemon_started_by_hand_is_not_doubled(linux: Admin, home: Path) -> None:
    (home / "run").mkdir()
    with open(home / "run" / "daemon.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = linux("service", "install")
    assert done.returncode == 5 and "already runs" in done.stderr
    assert not unit_of(linux).exists()


def test_a_key_that_only_the_shell_has_is_told_before(linux: Admin, home: Path) -> None:
    (home / "config.toml").write_text('[providers.anthropic]\napi_key = { env = "ANTHROPIC_API_KEY" }\n')
    assert linux("service", "install").returncode == 1
    done = linux("service", "install", ANTHROPIC_API_KEY="k")
    assert done.returncode == 5 and "ANTHROPIC_API_KEY is not set" in done.stderr
    assert "does not inherit your shell" in done.stderr and not unit_of(linux).exists()
    unit_of(linux).with_name("nightclaw.service.d").mkdir(parents=True)
    assert linux("service", "install", ANTHROPIC_API_KEY="k").returncode == 0


def test_a_bad_config_is_not_installed(linux: Admin, home: Path) -> None:
    (home / "config.toml").write_text("[tik]\n")
    done = linux("service", "install")
    assert done.returncode == 1 and 'did you mean "tick"' in done.stderr and not unit_of(linux).exists()


def test_a_dry_run_prints_and_does_nothing(linux: Admin) -> None:
    done = linux("service", "install", "--dry-run")
    assert done.returncode == 0 and "$ systemctl --user enable --now nightclaw.service" in done.stdout
    assert f"# {unit_of(linux)}" in done.stdout and "WatchdogSec=60" in done.stdout
    assert not unit_of(linux).exists() and not (linux.bin / "state.json").exists()


def test_the_unit_is_the_one_of_the_source_tree() -> None:
    shipped = (ROOT / "systemd" / "nightclaw.service").read_text()
    assert shipped[shipped.index("[Unit]") :] == systemd.UNIT
    ours = systemd.render(daemon())
    wanted = shipped[shipped.index("[Unit]") :].replace(
        "ExecStart=%h/.local/bin/nightclaw run",
        "Environment=NIGHTCLAW_HOME=/home/me/.nightclaw\nExecStart=/home/me/.local/bin/nightclaw run",
    )
    assert ours[ours.index("[Unit]") :] == wanted


def test_strange_paths_stay_one_word() -> None:
    text = systemd.render(daemon('/home/a b/100%/$x"y', command="/opt/my app/nightclaw"))
    assert 'Environment="NIGHTCLAW_HOME=/home/a b/100%%/$x\\"y"\n' in text
    assert 'ExecStart="/opt/my app/nightclaw" run\n' in text


def test_the_agent_is_the_one_of_the_source_tree() -> None:
    shipped = (ROOT / "deploy" / "dev.nightclaw.daemon.plist").read_text().replace("@HOME@", "/home/me")
    text = launchd.render(daemon())
    assert plistlib.loads(text.encode()) == plistlib.loads(shipped.encode())


def test_files_are_placed_and_removed_as_found(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "unit"
    ours = systemd.render(daemon())
    assert place(path, ours) and not place(path, ours) and place(path, ours + "# new\n")
    remove(path)
    assert os.listdir(path.parent) == []
