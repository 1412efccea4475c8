"""`clawctl status` and its neighbours: what a person reads, what a script reads, what it costs."""

import json
import os
import resource
import sys

from tests.unit.clawctl.conftest import Run
from tests.unit.clawctl.fake_control import FakeControl, error
from tests.unit.clawctl.rows import STATUS


def test_status_shows_health_and_work_on_one_screen(claw: Run, daemon: FakeControl) -> None:
    daemon.routes["GET /v1/status"] = STATUS
    done = claw("status")
    assert (done.returncode, done.stderr) == (0, "")
    first, *lines = done.stdout.splitlines()
    assert first == "nightclaw 9.9.9  ok"
    said = {line.split("  ")[0].strip(): line for line in lines}
    assert "2 h, pid 4711" in said["up"]
    assert "2 signals waiting, 0 running, 1 ready, 3 parked" in said["queue"]
    assert "ticks, github (problem: 401 from the API)" in said["sources"]
    assert "$0.12 of $5.00, 3 model calls, 12.3k tokens in, 800 out" in said["today"]
    assert "clawctl approvals" in said["approvals"]
    assert "next:" not in done.stdout


def test_status_puts_problems_first_and_says_what_to_do(claw: Run, daemon: FakeControl) -> None:
    problem = {"part": "ingress", "message": "port 8787 is busy", "hint": "free it"}
    daemon.routes["GET /v1/status"] = {**STATUS, "health": "degraded", "paused": True, "problems": [problem]}
    lines = claw("status").stdout.splitlines()
    assert lines[0] == "nightclaw 9.9.9  degraded  paused"
    assert lines[1] == "  ! port 8787 is busy — free it"
    assert lines[-1] == "next: clawctl doctor | clawctl log | clawctl service logs"


def test_status_tells_a_problem_once_and_names_who_has_a_model(claw: Run, daemon: FakeControl) -> None:
    problem = {"part": "github", "message": "401 from the API", "hint": "renew the token"}
    models = {"chat": "offline", "agent": None, "configured": False}
    daemon.routes["GET /v1/status"] = {**STATUS, "problems": [problem], "models": models}
    said = claw("status").stdout
    assert said.count("401 from the API") == 1 and "github (problem)" in said
    assert "chat offline, none of your own: `clawctl init` looks for one" in said


def test_status_json_is_the_answer_and_nothing_else(claw: Run, daemon: FakeControl) -> None:
    daemon.routes["GET /v1/status"] = STATUS
    for argv in (("status", "--json"), ("--json", "status")):
        done = claw(*argv)
        assert json.loads(done.stdout) == STATUS
        assert done.stderr == ""


def test_status_is_cheap(environment: dict[str, str], daemon: FakeControl) -> None:
    daemon.routes["GET /v1/status"] = STATUS
    costs: list[float] = []
    for _ in range(6):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        child = os.posix_spawn(
            sys.executable,
            [sys.executable, "-m", "clawctl", "status"],
            environment,
            file_actions=[(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)],
        )
        assert os.waitpid(child, 0)[1] == 0
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        costs.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    print(f"clawctl status: {min(costs):.3f} s CPU at best, {max(costs):.3f} at worst")
    assert min(costs) < 0.08


def test_status_loads_nothing_heavy(claw: Run, daemon: FakeControl, environment: dict[str, str]) -> None:
    daemon.routes["GET /v1/status"] = STATUS
    done = claw("status", PYTHONPROFILEIMPORTTIME="1")
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "clawctl.verbs.state" in loaded
    heavy = {
        "argparse",
        "http.client",
        "urllib.parse",
        "asyncio",
        "dataclasses",
        "typing",
        "subprocess",
        "datetime",
    }
    assert loaded & (heavy | {"email", "threading", "nightclaw", "rich", "difflib", "clawctl.chat"}) == set()


def test_without_a_daemon_status_leaves_with_3_and_says_how_to_start_it(claw: Run) -> None:
    done = claw("status")
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith("clawctl: the daemon does not run")
    assert "nightclaw run" in done.stderr and "clawctl service install" in done.stderr


def test_a_dead_daemons_socket_is_no_daemon(claw: Run, daemon: FakeControl) -> None:
    daemon.stop()
    assert daemon.path.exists()
    assert claw("status").returncode == 3


def test_version_tells_both_sides_and_needs_no_daemon(claw: Run, daemon: FakeControl) -> None:
    daemon.routes["GET /v1/status"] = STATUS
    both = json.loads(claw("version", "--json").stdout)
    assert both["daemon"] == "9.9.9"
    daemon.stop()
    done = claw("--version")
    assert done.returncode == 0
    assert both["client"] in done.stdout and "not running" in done.stdout


def test_doctor_fails_when_a_check_does_and_tells_the_fix(claw: Run, daemon: FakeControl) -> None:
    good = {"check": "disk", "ok": True, "detail": "3 GB free", "fix": None}
    bad = {"check": "sqlite", "ok": False, "detail": "too old", "fix": "install apsw"}
    daemon.routes["GET /v1/doctor"] = {"items": [good, bad], "ok": False}
    done = claw("doctor")
    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        "ok   disk: 3 GB free",
        "BAD  sqlite: too old",
        "     fix: install apsw",
    ]
    daemon.routes["GET /v1/doctor"] = {"items": [good], "ok": True}
    assert claw("doctor", "--json").returncode == 0


def test_pause_resume_and_features_change_what_they_say(claw: Run, daemon: FakeControl) -> None:
    daemon.routes |= {"POST /v1/pause": {"paused": True}, "POST /v1/resume": {"paused": False}}
    daemon.routes |= {
        "PATCH /v1/features": {"dream": False},
        "GET /v1/features": {"dream": True, "web": False},
    }
    assert "paused" in claw("pause").stdout
    assert json.loads(claw("resume", "--json").stdout) == {"paused": False}
    assert claw("features", "dream", "off").returncode == 0
    assert daemon.bodies("PATCH /v1/features") == [{"dream": False}]
    assert [line.split() for line in claw("features").stdout.splitlines()[1:]] == [
        ["dream", "on"],
        ["web", "off"],
    ]
    assert claw("features", "dream", "maybe").returncode == 2


def test_cost_is_told_by_day_month_and_cause(claw: Run, daemon: FakeControl) -> None:
    usage = {"model_calls": 2, "input_tokens": 10, "output_tokens": 5, "cost_usd": 0.5}
    daemon.routes["GET /v1/cost"] = {
        "today": usage,
        "month": {**usage, "cost_usd": 7.25},
        "budget": {"daily_usd": 5.0, "monthly_usd": 60.0},
        "by_cause": {"chat": usage},
        "by_task": [],
        "by_model": {},
        "by_day": [{"day": "2026-11-20", **usage}],
    }
    lines = claw("cost").stdout.splitlines()
    assert lines[0].startswith("today  $0.50 of $5.00, 2 model calls")
    assert lines[1].startswith("month  $7.25 of $60.00")
    assert ["chat", "$0.50", "2", "10", "5"] in [line.split() for line in lines]
    assert ["2026-11-20", "$0.50", "2", "10", "5"] in [line.split() for line in lines]


def test_refusals_become_exit_codes_with_the_daemons_own_hint(claw: Run, daemon: FakeControl) -> None:
    expected = {400: 2, 404: 4, 409: 5, 422: 2, 429: 1, 503: 1, 500: 1}
    for status, code in expected.items():
        daemon.routes["POST /v1/pause"] = error(status, "some_code", "it cannot be", "try later")
        done = claw("pause", "--json")
        assert (done.returncode, done.stdout) == (code, "")
        assert done.stderr == "clawctl: it cannot be\n  try later\n"
