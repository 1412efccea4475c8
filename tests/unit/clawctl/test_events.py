"""The event stream from the command line: in order, by cursor, over a restart of the daemon."""

import json
import signal
import subprocess
from collections.abc import Callable

from tests.unit.clawctl.conftest import Run
from tests.unit.clawctl.fake_control import FakeControl

Start = Callable[..., subprocess.Popen[str]]


def line_of(child: subprocess.Popen[str]) -> str:
    assert child.stdout
    return child.stdout.readline()


def test_a_page_of_events(claw: Run, daemon: FakeControl) -> None:
    for n in range(5):
        daemon.event("signal.received", {"id": f"sig_{n}"}, session="ses_1" if n % 2 else None)
    assert [row["cursor"] for row in json.loads(claw("events", "--after", "2", "--json").stdout)] == [3, 4, 5]
    assert [
        row["cursor"] for row in json.loads(claw("events", "--after", "0", "--limit", "2", "--json").stdout)
    ] == [1, 2]
    of_session = claw("events", "--after", "0", "--session", "ses_1", "--json").stdout
    assert [row["data"]["id"] for row in json.loads(of_session)] == ["sig_1", "sig_3"]
    daemon.routes["GET /v1/snapshot"] = {"head": 5, "sessions": [], "tasks": [], "approvals": []}
    assert len(claw("events").stdout.splitlines()) == 5
    assert [line.split()[0] for line in claw("events", "--limit", "2").stdout.splitlines()] == ["4", "5"]


def test_following_begins_at_the_head_and_shows_what_comes(start: Start, daemon: FakeControl) -> None:
    daemon.event("old.news")
    daemon.routes["GET /v1/snapshot"] = {"head": 1}
    child = start("events", "--follow", "--json")
    assert daemon.wait_for("GET /v1/events").query["after"] == "1"
    daemon.event("signal.received", {"id": "sig_1"})
    assert json.loads(line_of(child))["cursor"] == 2
    daemon.event("text.delta", {"text": "hel"})
    assert json.loads(line_of(child)) == {
        "kind": "text.delta",
        "task": None,
        "session": None,
        "data": {"text": "hel"},
    }


def test_following_goes_on_where_it_was_when_the_daemon_is_back(start: Start, daemon: FakeControl) -> None:
    child = start("events", "--after", "0", "--follow", "--json")
    daemon.event("one")
    assert json.loads(line_of(child))["kind"] == "one"
    daemon.stop()
    daemon.event("two")
    daemon.event("three")
    daemon.start()
    assert [json.loads(line_of(child))["cursor"] for _ in range(2)] == [2, 3]
    child.send_signal(signal.SIGINT)
    _, said = child.communicate(timeout=20)
    assert child.returncode == 130
    assert "went away" in said and "is back" in said and "Traceback" not in said
