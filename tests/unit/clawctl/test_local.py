"""What works on the home itself: the log as files, and the verbs the daemon's own program does for the client."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.unit.clawctl.conftest import Run
from tests.unit.clawctl.fake_control import Asked, FakeControl, Reply, Wire

Start = Callable[..., subprocess.Popen[str]]

ADMIN = """\
import json, os, sys
print(json.dumps({"argv": sys.argv[1:], "home": os.environ["NIGHTCLAW_HOME"]}))
raise SystemExit(int(os.environ.get("ADMIN_CODE", "0")))
"""
BESIDE = """\
from pkgutil import extend_path
__path__ = extend_path(__path__, __name__)  # the rest of the package stays reachable
"""


def write_day(home: Path, date: str, text: str) -> Path:
    path = home / "logs" / date[:4] / date[5:7] / f"{date}.md"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@pytest.fixture
def admin(home: Path) -> dict[str, str]:
    """An environment whose `python -m nightclaw` tells how it was called."""
    package = home / "stand-in" / "nightclaw"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(BESIDE)
    (package / "__main__.py").write_text(ADMIN)
    return {"PYTHONPATH": str(package.parent)}


@pytest.mark.parametrize(
    ("line", "asked"),
    [
        ("init --yes", "admin init --yes"),
        ("config check", "admin config-check"),
        ("config get tick.every", "admin config-get tick.every"),
        ("config set tick.every 10m", "admin config-set tick.every 10m"),
        ("service install", "admin service install"),
        ("service logs --follow", "admin service logs --follow"),
        ("restore /tmp/x.tar --json", "admin restore /tmp/x.tar --json"),
        ("backup", "admin backup"),
        ("log --verify", "admin log-verify"),
    ],
)
def test_work_on_the_home_is_done_by_the_daemons_program(
    claw: Run, home: Path, admin: dict[str, str], line: str, asked: str
) -> None:
    done = claw(*line.split(), **admin)
    assert json.loads(done.stdout) == {"argv": asked.split(), "home": str(home)}
    assert claw(*line.split(), ADMIN_CODE="78", **admin).returncode == 78


def test_doctor_checks_without_the_daemon_and_leaves_with_3(claw: Run, admin: dict[str, str]) -> None:
    done = claw("doctor", **admin)
    assert done.returncode == 3
    assert json.loads(done.stdout)["argv"] == ["admin", "doctor"]
    assert "does not run" in done.stderr and "nightclaw run" in done.stderr


def test_config_path_needs_nobody(claw: Run, home: Path) -> None:
    assert claw("config", "path").stdout == f"{home}/config.toml\n"
    assert json.loads(claw("config", "path", "--json").stdout) == {
        "path": f"{home}/config.toml",
        "exists": False,
    }


def test_the_log_is_the_daemons_text_whole(claw: Run, daemon: FakeControl) -> None:
    text = "# Friday\n" + "- told\n" * 20

    def log(asked: Asked, wire: Wire) -> object:
        first = int(asked.query.get("offset", "0"))
        headers = {"x-log-size": str(len(text)), "x-log-date": "2026-11-20"}
        return Reply(text=text[first : first + 50], headers=headers)

    daemon.routes["GET /v1/log"] = log
    assert claw("log").stdout == text
    assert json.loads(claw("log", "--json").stdout) == {"date": "2026-11-20", "text": text}
    assert claw("log", "2026-11-20").stdout == text
    assert daemon.asked[-1].query == {"date": "2026-11-20", "offset": "100"}


def test_without_the_daemon_the_log_is_read_from_its_files(claw: Run, home: Path) -> None:
    assert claw("log").returncode == 4
    write_day(home, "2025-12-31", "last year\n")
    path = write_day(home, "2026-11-20", "this day\n")
    done = claw("log")
    assert done.stdout == "this day\n"
    assert str(path) in done.stderr and "does not run" in done.stderr
    assert claw("log", "2025-12-31").stdout == "last year\n"
    assert claw("log", "2025-01-01").returncode == 4


def test_verify_names_the_first_bad_line_and_leaves_with_1(claw: Run, daemon: FakeControl) -> None:
    daemon.routes["GET /v1/log"] = {"ok": True, "lines": 40, "days": 2}
    assert claw("log", "--verify").stdout == "the log is whole: 40 lines over 2 days\n"
    assert daemon.asked[-1].query == {"verify": "1"}
    bad = {"file": "2026-11-20.md", "line": 7, "reason": "the hash does not follow"}
    daemon.routes["GET /v1/log"] = {"ok": False, "lines": 40, "days": 2, "first_bad": bad}
    done = claw("log", "--verify")
    assert (done.returncode, done.stdout) == (1, "2026-11-20.md:7: the hash does not follow\n")
    assert claw("log", "--verify", "--json").returncode == 1


def test_following_the_log_goes_over_midnight(start: Start, home: Path) -> None:
    path = write_day(home, "2026-11-20", "one\n")
    child = start("log", "--follow")
    assert child.stdout and child.stdout.readline() == "one\n"
    with path.open("a") as file:
        file.write("two\nthr")
        file.flush()
        assert child.stdout.readline() == "two\n"
        file.write("ee\n")
    assert child.stdout.readline() == "three\n"
    write_day(home, "2026-12-01", "next month\n")
    assert child.stdout.readline() == "next month\n"
