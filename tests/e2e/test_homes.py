"""The home is the house: backed up, wiped, restored; its config checked, read and changed; its health explained."""

import shutil
import stat
import time
import tomllib

import pytest
from tests.e2e.conftest import Hatch
from tests.e2e.daemon import Daemon, until
from tests.e2e.deliveries import ci, labeled, names
from tests.e2e.homes import standard

REPO = names("homes")


@pytest.fixture(scope="module")
def daemon(hatch_once: Hatch) -> Daemon:
    return hatch_once(standard()).start()


def test_a_backup_brings_the_house_back(hatch: Hatch) -> None:
    daemon = hatch(standard()).start()
    daemon.decision(daemon.take("issues", labeled(next(REPO), 1, "nightclaw")))
    daemon.clawctl("chat", "remember the milk")
    daemon.post("/v1/schedules", {"name": "kept", "cron": "0 0 1 1 *", "prompt": "x"})
    daemon.settled()
    until(lambda: "milk" in daemon.clawctl("log").out, "the log")
    archive = daemon.owner_home / "claw.tar"
    made = daemon.clawctl("backup", str(archive))
    assert made.code == 0, made.err
    assert stat.S_IMODE(archive.stat().st_mode) == 0o600, "it holds everything the owner said"
    signals, tasks = daemon.items("/v1/signals"), daemon.items("/v1/tasks")
    events = daemon.events()
    daemon.clawctl("chat", "said after the backup")

    while_running = daemon.clawctl("restore", str(archive))
    assert while_running.code != 0 and daemon.running, "not under a running daemon"
    daemon.stop()
    shutil.rmtree(daemon.home)
    restored = daemon.clawctl("restore", str(archive))
    assert restored.code == 0, restored.err
    daemon.start()
    ids = {row["id"] for row in daemon.items("/v1/signals")}
    assert {row["id"] for row in signals} <= ids
    assert [row["id"] for row in daemon.items("/v1/tasks")] == [row["id"] for row in tasks]
    assert daemon.events()[: len(events)] == events
    assert [row["name"] for row in daemon.items("/v1/schedules")] == ["kept"]
    assert "said after" not in str(daemon.get("/v1/sessions/main"))
    until(lambda: daemon.clawctl("log", "--verify").code == 0, "the chain is whole")
    assert (daemon.home / "config.toml").read_text() == standard()


def test_a_backup_can_be_made_without_a_daemon_and_refuses_rubbish(hatch: Hatch) -> None:
    daemon = hatch(standard()).start()
    daemon.stop()
    assert daemon.clawctl("backup").code == 0
    assert len(list((daemon.home / "backups").iterdir())) == 1
    rubbish = daemon.owner_home / "rubbish"
    rubbish.write_bytes(b"not a backup" * 1000)
    before = sorted(path.name for path in daemon.home.iterdir())
    refused = daemon.clawctl("restore", str(rubbish))
    assert refused.code in (1, 2) and refused.err
    assert sorted(path.name for path in daemon.home.iterdir()) == before
    assert daemon.clawctl("restore", "/nowhere/at/all").code != 0
    daemon.start()


def test_doctor_says_ok_or_the_fix(daemon: Daemon) -> None:
    (daemon.home / "config.toml").chmod(0o600)
    ran = daemon.clawctl("doctor", "--json")
    rows = ran.json["items"] if isinstance(ran.json, dict) else ran.json
    assert {"check", "ok", "detail", "fix"} <= rows[0].keys()
    bad = [row for row in rows if not row["ok"]]
    assert (ran.code == 0) == (not bad), bad
    assert all(row["fix"] for row in bad)


def test_doctor_works_without_a_daemon(hatch: Hatch) -> None:
    daemon = hatch("[notify]\nquiet_hour = 'x'\n")
    ran = daemon.clawctl("doctor")
    assert ran.code in (1, 3)
    assert "nightclaw run" in ran.out + ran.err and "quiet_hours" in ran.out + ran.err


def test_config_is_checked_read_and_changed_in_place(daemon: Daemon) -> None:
    path = daemon.home / "config.toml"
    path.write_text("# my own words\n" + standard())
    assert daemon.clawctl("config", "check").code == 0
    assert daemon.clawctl("config", "path").out.strip() == str(path)
    assert daemon.clawctl("config", "get", "notify.per_hour").out.strip() == "1000"
    assert daemon.clawctl("config", "get", "budget.daily_usd").out.strip() in ("5.0", "5"), "defaults too"
    assert daemon.clawctl("config", "set", "notify.per_hour", "7").code == 0
    text = path.read_text()
    assert text.startswith("# my own words\n") and tomllib.loads(text)["notify"]["per_hour"] == 7
    assert daemon.clawctl("config", "get", "notify.per_hour").out.strip() == "7"
    for key, value in (("notify.per_hours", "3"), ("notify.per_hour", "many"), ("nonsense", "1")):
        refused = daemon.clawctl("config", "set", key, value)
        assert refused.code != 0 and refused.err, key
        assert path.read_text() == text, "a refused change changes nothing"
    assert "per_hour" in daemon.clawctl("config", "set", "notify.per_hours", "3").err
    assert daemon.clawctl("config", "get", "notify.nonsense").code != 0


def test_version_tells_both_sides(daemon: Daemon) -> None:
    ran = daemon.clawctl("version", "--json")
    assert ran.code == 0 and daemon.status["version"] in ran.out
    assert daemon.nightclaw("version").out.strip().endswith(daemon.status["version"])


def test_a_copied_home_is_a_moved_house(hatch: Hatch) -> None:
    """One root: copy it and you have moved house, whatever the new one is called."""
    daemon = hatch(standard()).start()
    red = daemon.take("workflow_run", ci(next(REPO), "failure"))
    daemon.decision(red)
    daemon.stop()
    other = hatch(home="50%20 of a house? #1 & ü")
    shutil.copytree(daemon.home, other.home, ignore=shutil.ignore_patterns("*.sock"))
    other.start()
    assert [row["id"] for row in other.signals(source="github")] == [red]
    assert other.status["home"] == str(other.home)
    assert other.deliver("issues", labeled(next(REPO), 1, "bug")).status == 202
    assert other.clawctl("log", "--verify").code == 0
    assert other.clawctl("backup").code == 0


def test_a_killed_daemon_is_ready_again_quickly(hatch: Hatch) -> None:
    daemon = hatch(standard()).start()
    daemon.kill9()
    assert daemon.clawctl("status").code == 3
    began = time.monotonic()
    daemon.start()
    assert time.monotonic() - began < 10
    assert daemon.status["health"] == "ok"
