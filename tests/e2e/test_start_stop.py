"""Starting, stopping and being told off: what a user of `systemctl` and `docker` expects of a daemon."""

import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.e2e.conftest import Hatch
from tests.e2e.daemon import NIGHTCLAW, free_port, until
from tests.e2e.homes import standard


def _mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_a_fresh_machine_needs_no_file_and_no_key(hatch: Hatch) -> None:
    """`nightclaw run` with nothing at all is ready, closed to others, reachable and says what to try."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if probe.connect_ex(("127.0.0.1", 8787)) == 0:
            pytest.skip("something else listens on the default port 8787")
    daemon = hatch()
    began = time.monotonic()
    daemon.start()
    assert time.monotonic() - began < 10
    assert _mode(daemon.home) == 0o700
    assert _mode(daemon.home / "run") == 0o700
    assert _mode(daemon.socket) == 0o600
    assert not (daemon.home / "config.toml").exists()
    assert (daemon.home / "run" / "ingress.addr").read_text().strip() == "127.0.0.1:8787"
    health = daemon.tcp("GET", "/healthz")
    assert (health.status, health.json) == (200, {"ok": True})
    status = daemon.status
    assert status["health"] == "ok" and status["problems"] == []
    assert status["today"]["model_calls"] == 0
    said = daemon.said()
    assert str(daemon.socket) in said
    assert said.count("clawctl ") >= 3 and "clawctl init" in said, "the next three commands to try"
    assert "Warning" not in said, said

    first = daemon.clawctl("init", "--yes")
    assert first.code == 0, first.err
    config = (daemon.home / "config.toml").read_text()
    orders = (daemon.home / "ORDERS.md").read_text()
    assert "#" in config, "a commented config"
    again = daemon.clawctl("init", "--yes")
    assert again.code == 0, again.err
    assert (daemon.home / "config.toml").read_text() == config
    assert (daemon.home / "ORDERS.md").read_text() == orders
    assert daemon.nightclaw("check-config").code == 0
    daemon.restart()
    last = daemon.said().partition(said)[2]
    assert last.count("clawctl ") >= 3 and "clawctl init" not in last, "what is done is not to try"
    assert daemon.stop() == 0


def test_a_stopped_daemon_names_the_command_that_starts_it(hatch: Hatch) -> None:
    daemon = hatch(standard())
    for verb in ("status", "tasks", "pause"):
        ran = daemon.clawctl(verb)
        assert (ran.code, ran.out) == (3, "")
        assert "nightclaw run" in ran.err or "service install" in ran.err


def test_a_second_daemon_on_the_home_exits_75_and_changes_nothing(hatch: Hatch) -> None:
    daemon = hatch(standard(tick='every = "12h"')).start()
    daemon.settled()
    second = daemon.nightclaw("run")
    assert second.code == 75
    assert str(daemon.home) in second.err and "Traceback" not in second.err
    assert daemon.running and daemon.status["pid"] == daemon.pid
    assert (daemon.home / "run" / "control.sock").is_socket()


FAULTS = [
    ("[notify]\nquiet_hour = '22:00-08:00'\n", "config.toml:2", "quiet_hours"),
    ("[nottify]\nper_hour = 3\n", "config.toml:1", "notify"),
    ("\n\n[notify]\nper_hour = 'six'\n", "config.toml:4", "per_hour"),
    ("[tick]\nevery = '5 lightyears'\n", "config.toml:2", "every"),
    ("[github]\nsecret = { env = 'NOT_THERE' }\n", "config.toml:2", "NOT_THERE"),
    ("[github]\nsecret = 'the key itself'\n", "config.toml:2", "secret"),
    ("[[rule]]\nwhen = { source = 'github' }\nverdict = 'shout'\n", "config.toml:3", "notify"),
    ("[[schedule]]\nname = 'a'\ncron = 'x * * * *'\nprompt = 'b'\n", "config.toml:3", "cron"),
    ("timezone = 'Mars/Olympus'\n", "config.toml:1", "timezone"),
    ("timezone = \n", "config.toml:1", ""),
]


@pytest.mark.parametrize(("toml", "place", "says"), FAULTS, ids=[says or "toml" for _, _, says in FAULTS])
def test_a_bad_config_exits_78_with_file_line_key_and_remedy(
    hatch: Hatch, toml: str, place: str, says: str
) -> None:
    daemon = hatch(toml)
    ran = daemon.nightclaw("run")
    assert ran.code == 78, ran.err
    (line,) = [line for line in ran.err.splitlines() if "config.toml:" in line]
    assert place in line and says in line
    assert "Traceback" not in ran.err
    assert not daemon.socket.exists()


def test_every_fault_of_a_config_has_a_line_of_its_own(hatch: Hatch) -> None:
    daemon = hatch("[notify]\nper_hours = 3\n[tick]\nevery = 7\n[budget]\ndaily_usd = 'much'\n")
    ran = daemon.nightclaw("run")
    assert ran.code == 78
    assert [n for n in (2, 4, 6) if f"config.toml:{n}" not in ran.err] == []
    check = daemon.nightclaw("check-config")
    assert check.code == 78 and check.err.count("config.toml:") == 3
    assert daemon.clawctl("config", "check").code != 0


def test_a_home_newer_than_the_program_is_left_alone(hatch: Hatch) -> None:
    daemon = hatch(standard()).start()
    daemon.stop()
    with sqlite3.connect(daemon.home / "nightclaw.db") as database:
        database.execute("UPDATE alembic_version SET version_num = 'ffff_from_the_future'")
    database.close()
    before = (daemon.home / "nightclaw.db").read_bytes()
    ran = daemon.nightclaw("run")
    assert ran.code == 78 and "Traceback" not in ran.err
    assert "at least as new" in ran.err
    assert (daemon.home / "nightclaw.db").read_bytes() == before


def test_a_home_too_deep_for_a_socket_exits_78_and_says_so(hatch: Hatch) -> None:
    daemon = hatch()
    deep = daemon.scratch / ("d" * 100)
    daemon.env["NIGHTCLAW_HOME"] = str(deep)
    ran = daemon.nightclaw("run")
    assert ran.code == 78 and "Traceback" not in ran.err
    assert "socket" in ran.err and "long" in ran.err


def test_a_read_only_home_exits_78_and_names_it(hatch: Hatch) -> None:
    if shutil.which("bwrap") is None:
        pytest.skip("bubblewrap is needed to make a folder read-only for root too")
    daemon = hatch(standard())
    call = ["bwrap", "--dev-bind", "/", "/", "--ro-bind", str(daemon.home), str(daemon.home)]
    if subprocess.run([*call, "true"], capture_output=True).returncode:
        pytest.skip("this machine does not let bubblewrap make namespaces")
    ran = subprocess.run(
        [*call, NIGHTCLAW, "run"], env=daemon.env, capture_output=True, text=True, timeout=30
    )
    assert ran.returncode == 78, ran.stderr
    assert str(daemon.home) in ran.stderr and "Traceback" not in ran.stderr
    assert len(ran.stderr.strip().splitlines()) <= 3, ran.stderr


def test_a_stop_signal_is_a_clean_stop_within_30_s(hatch: Hatch) -> None:
    daemon = hatch(standard()).start()
    head = daemon.status["event_head"]
    for number in (signal.SIGTERM, signal.SIGINT):
        with daemon.follow(head):  # somebody is attached
            daemon.signal(number)
            assert daemon.ended(30) == 0, number
        assert not daemon.socket.exists()
        daemon.start()
    kinds = [event["kind"] for event in daemon.events(head)]
    lives = [kind for kind in kinds if kind in ("daemon.stopping", "daemon.started")]
    assert lives == ["daemon.stopping", "daemon.started"] * 2


def test_a_hangup_takes_a_good_config_and_refuses_a_bad_one(hatch: Hatch) -> None:
    """SIGHUP: the new one holds at once; a bad one keeps the old and says so until it is mended."""
    daemon = hatch(standard()).start()
    assert daemon.items("/v1/schedules") == []
    brief = '[[schedule]]\nname = "brief"\ncron = "0 8 * * 1-5"\nprompt = "Brief me."\n'
    daemon.configure(standard(more=brief))
    daemon.signal(signal.SIGHUP)
    rows = until(lambda: daemon.items("/v1/schedules"), "the schedule of the new config")
    assert [(row["name"], row["origin"]) for row in rows] == [("brief", "config")]

    daemon.configure(standard(more=brief.replace("cron", "corn")))
    daemon.signal(signal.SIGHUP)
    problems = until(lambda: daemon.status["problems"], "the bad config is a problem")
    assert "config.toml" in str(problems) and "cron" in str(problems)
    assert daemon.running and daemon.status["health"] == "degraded"
    assert [row["name"] for row in daemon.items("/v1/schedules")] == ["brief"]

    daemon.configure(standard())
    daemon.signal(signal.SIGHUP)
    until(lambda: daemon.status["health"] == "ok", "the problem is gone with the fault")
    assert daemon.items("/v1/schedules") == []


def test_a_busy_port_is_a_problem_not_an_end(hatch: Hatch) -> None:
    port = free_port()
    with socket.create_server(("127.0.0.1", port)):
        daemon = hatch(standard().replace('":0"', f'"127.0.0.1:{port}"')).start()
        problems = until(lambda: daemon.status["problems"], "the busy port is a problem")
        assert str(port) in str(problems)
        assert daemon.status["health"] == "degraded"
        assert daemon.clawctl("chat", "still there?").code == 0
    until(lambda: daemon.status["health"] == "ok", "the port is retried", 40)
    assert daemon.port == port
    assert daemon.tcp("GET", "/healthz").status == 200


OTHER = """
import os, socket, sys
os.setgid(65534); os.setuid(65534)
line = socket.socket(socket.AF_UNIX); line.settimeout(10)
try:
    line.connect(sys.argv[1])
    line.sendall(b"GET /v1/status HTTP/1.1\\r\\nHost: localhost\\r\\n\\r\\n")
    print(line.recv(65536).decode())
except OSError as refused:
    print("refused", refused)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_another_user_is_refused_even_with_the_doors_open(hatch: Hatch) -> None:
    daemon = hatch(standard()).start()
    for folder in (daemon.scratch, daemon.home, daemon.home / "run"):
        folder.chmod(0o755)
    daemon.socket.chmod(0o666)
    call = [sys.executable, "-c", OTHER, str(daemon.socket)]
    said = subprocess.run(call, capture_output=True, text=True, timeout=20)
    assert said.returncode == 0, said.stderr
    assert '"pid"' not in said.stdout and '"version"' not in said.stdout
    assert said.stdout.startswith("refused") or not said.stdout.strip() or " 403 " in said.stdout, said.stdout
    assert daemon.status["pid"] == daemon.pid


def test_usage_errors_are_told_apart(hatch: Hatch) -> None:
    daemon = hatch(standard()).start()
    for args in (("nonsense",), ("task", "frobnicate", "x"), ("schedule", "add"), ("status", "--nope")):
        ran = daemon.clawctl(*args)
        assert (ran.code, ran.out) == (2, ""), args
        assert ran.err.startswith("clawctl"), args
    for args in (
        ("why", "sig_nope"),
        ("task", "show", "tsk_nope"),
        ("approve", "apr_nope"),
        ("watch", "rm", "no"),
    ):
        ran = daemon.clawctl(*args)
        assert (ran.code, ran.out) == (4, ""), args
