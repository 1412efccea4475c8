"""`clawctl chat`: one message out, its answer in, an exit code that tells how it went."""

import json
import signal
import subprocess
from collections.abc import Callable

import pytest
from tests.unit.clawctl.conftest import Run
from tests.unit.clawctl.fake_control import Asked, FakeControl, Wire, error
from tests.unit.clawctl.rows import SENT

Start = Callable[..., subprocess.Popen[str]]
OURS = {"task": "tsk_1", "session": "ses_1"}
USAGE = {"input_tokens": 1, "output_tokens": 2}


def answering(daemon: FakeControl, *pieces: str, full: str | None = None) -> Callable[[Asked, Wire], object]:
    """A chat route whose turn streams `pieces` and ends with the full text."""

    def chat(asked: Asked, wire: Wire) -> object:
        cursor = daemon.event("signal.received", {"signal": "sig_1", "source": "chat"}, session="ses_1")
        daemon.event("turn.started", {}, **OURS)
        for piece in pieces:
            daemon.event("text.delta", {"text": piece}, **OURS)
        text = "".join(pieces) if full is None else full
        daemon.event("turn.finished", {"text": text, "task": "tsk_1", "usage": USAGE}, **OURS)
        return SENT | {"cursor": cursor}

    return chat


def test_an_answer_is_streamed_and_ends_the_command(start: Start, daemon: FakeControl) -> None:
    daemon.routes["POST /v1/chat"] = SENT
    child = start("chat", "good", "morning", "--session", "ses_1")
    asked = daemon.wait_for("POST /v1/chat").body
    assert asked and (asked["text"], asked["session"], asked["priority"]) == ("good morning", "ses_1", "next")
    assert len(str(asked["key"])) > 16
    assert daemon.wait_for("GET /v1/events").query == {"after": "0", "follow": "1", "session": "ses_1"}
    daemon.event("turn.started", {}, **OURS)
    daemon.event("text.delta", {"text": "other"}, task="tsk_0", session="ses_1")
    daemon.event("text.delta", {"text": "Good "}, **OURS)
    assert child.stdout and child.stdout.read(5) == "Good "
    daemon.event("text.delta", {"text": "day."}, **OURS)
    daemon.event("turn.finished", {"text": "not yours", "task": "tsk_0"}, task="tsk_0", session="ses_1")
    daemon.event("turn.finished", {"text": "Good day.", "task": "tsk_1", "usage": USAGE}, **OURS)
    assert child.communicate(timeout=20) == ("day.\n", "")
    assert child.returncode == 0


@pytest.mark.parametrize(
    ("pieces", "full", "shown"),
    [
        ([], "All of it.", "All of it.\n"),
        (["All ", "of it."], "All of it.", "All of it.\n"),
        (["All of"], "All of it.", "All of it.\n"),
        (["I look. ", "Done."], "Done.", "I look. Done.\n"),
        (["garbled"], "All of it.", "garbled\nAll of it.\n"),
        ([], "", ""),
    ],
)
def test_the_full_text_is_shown_once_whatever_was_streamed(
    claw: Run, daemon: FakeControl, pieces: list[str], full: str, shown: str
) -> None:
    daemon.routes["POST /v1/chat"] = SENT | {"session": None}

    def streamed(asked: Asked, wire: Wire) -> None:
        wire.head("transfer-encoding: chunked")
        rows: list[dict[str, object]] = [{"cursor": 1, "kind": "turn.started", **OURS, "data": {}}]
        rows += [{"kind": "text.delta", **OURS, "data": {"text": piece}} for piece in pieces]
        rows.append({"cursor": 2, "kind": "turn.finished", **OURS, "data": {"text": full, "task": "tsk_1"}})
        wire.chunk("".join(json.dumps(row) + "\n" for row in rows).encode())

    daemon.routes["GET /v1/events"] = streamed
    assert claw("chat", "hi").stdout == shown


def test_json_gives_every_event_and_ends_with_the_answer(claw: Run, daemon: FakeControl) -> None:
    daemon.routes["POST /v1/chat"] = answering(daemon, full="Hello.")
    rows = [json.loads(line) for line in claw("chat", "hi", "--json").stdout.splitlines()]
    assert [row["kind"] for row in rows] == ["turn.started", "turn.finished"]
    assert rows[-1]["data"] == {"text": "Hello.", "task": "tsk_1", "usage": USAGE}


def test_a_dash_reads_standard_input(claw: Run, daemon: FakeControl) -> None:
    daemon.routes["POST /v1/chat"] = answering(daemon, full="Read.")
    assert claw("chat", "-", stdin="line one\nline two\n").stdout == "Read.\n"
    body = daemon.wait_for("POST /v1/chat").body
    assert body and body["text"] == "line one\nline two\n" and "session" not in body


def test_no_wait_says_where_it_went(claw: Run, daemon: FakeControl) -> None:
    daemon.routes["POST /v1/chat"] = SENT
    assert json.loads(claw("chat", "hi", "--no-wait", "--json").stdout) == SENT
    assert "clawctl attach ses_1" in claw("chat", "hi", "--no-wait").stdout
    assert "GET /v1/events" not in [f"{asked.method} {asked.path}" for asked in daemon.asked]


def test_a_failed_turn_leaves_with_1(claw: Run, daemon: FakeControl) -> None:
    def chat(asked: Asked, wire: Wire) -> object:
        daemon.event("turn.finished", {"text": "", "task": "tsk_1", "error": "the provider is down"}, **OURS)
        return SENT

    daemon.routes["POST /v1/chat"] = chat
    done = claw("chat", "hi")
    assert done.returncode == 1
    assert "the provider is down" in done.stderr


def test_a_task_that_ends_without_its_turn_ends_the_command_too(claw: Run, daemon: FakeControl) -> None:
    def chat(asked: Asked, wire: Wire) -> object:
        daemon.event("task.finished", {"id": "tsk_1", "state": "cancelled"}, **OURS)
        return SENT

    daemon.routes["POST /v1/chat"] = chat
    done = claw("chat", "hi")
    assert done.returncode == 1
    assert "cancelled" in done.stderr


def test_what_waits_for_the_owner_is_said_at_once(start: Start, daemon: FakeControl) -> None:
    daemon.routes["POST /v1/chat"] = SENT
    child = start("chat", "push it")
    daemon.wait_for("GET /v1/events")
    daemon.event("approval.requested", {"approval": "apr_1", "kind": "call"}, **OURS)
    assert child.stderr and "clawctl approve apr_1" in child.stderr.readline()
    daemon.event("turn.finished", {"text": "I wait.", "task": "tsk_1"}, **OURS)
    assert child.communicate(timeout=20)[0] == "I wait.\n"


def test_the_daemon_may_restart_in_the_middle_of_an_answer(start: Start, daemon: FakeControl) -> None:
    daemon.routes["POST /v1/chat"] = SENT
    child = start("chat", "hi")
    daemon.wait_for("GET /v1/events")
    daemon.event("turn.started", {}, **OURS)
    daemon.event("text.delta", {"text": "It is "}, **OURS)
    assert child.stdout and child.stdout.read(6) == "It is "
    daemon.stop()
    daemon.start()
    assert daemon.wait_for("GET /v1/events", times=2).query["after"] == "1"
    daemon.event("turn.finished", {"text": "It is done.", "task": "tsk_1"}, **OURS)
    shown, said = child.communicate(timeout=20)
    assert shown == "\nIt is done.\n"
    assert child.returncode == 0
    assert "went away" in said and "is back" in said


def test_a_message_whose_receipt_is_lost_is_sent_again_under_its_key(claw: Run, daemon: FakeControl) -> None:
    finish = answering(daemon, full="Once.")

    def chat(asked: Asked, wire: Wire) -> object:
        return wire.raw(b"HTTP/1.1 202") if len(daemon.bodies("POST /v1/chat")) == 1 else finish(asked, wire)

    daemon.routes["POST /v1/chat"] = chat
    assert claw("chat", "hi").stdout == "Once.\n"
    first, second = daemon.bodies("POST /v1/chat")
    assert first == second


def test_the_answer_to_an_earlier_message_is_not_taken_for_this_one(
    start: Start, daemon: FakeControl
) -> None:
    daemon.routes["POST /v1/chat"] = SENT
    daemon.routes["GET /v1/tasks/tsk_1"] = {"id": "tsk_1", "inbox": [{"text": "and mine?"}]}
    child = start("chat", "and mine?")
    daemon.wait_for("GET /v1/events")
    daemon.event("text.delta", {"text": "To somebody"}, **OURS)
    daemon.event("turn.finished", {"text": "To somebody else.", "task": "tsk_1"}, **OURS)
    daemon.wait_for("GET /v1/tasks/tsk_1")
    daemon.event("turn.started", {}, **OURS)
    daemon.event("turn.finished", {"text": "Yours.", "task": "tsk_1"}, **OURS)
    assert child.communicate(timeout=20)[0] == "Yours.\n"


def test_a_turn_that_was_running_may_answer_this_message_too(claw: Run, daemon: FakeControl) -> None:
    daemon.routes["GET /v1/tasks/tsk_1"] = {"id": "tsk_1", "inbox": []}

    def chat(asked: Asked, wire: Wire) -> object:
        daemon.event("turn.finished", {"text": "Both of you.", "task": "tsk_1"}, **OURS)
        return SENT

    daemon.routes["POST /v1/chat"] = chat
    assert claw("chat", "hi").stdout == "Both of you.\n"


def test_a_time_limit_leaves_with_124_and_the_work_goes_on(claw: Run, daemon: FakeControl) -> None:
    daemon.routes["POST /v1/chat"] = SENT
    done = claw("chat", "hi", "--timeout", "0.3s")
    assert done.returncode == 124
    assert "clawctl attach ses_1" in done.stderr


def test_ctrl_c_leaves_with_130_and_says_how_to_come_back(start: Start, daemon: FakeControl) -> None:
    daemon.routes["POST /v1/chat"] = SENT
    child = start("chat", "hi")
    daemon.wait_for("GET /v1/events")
    daemon.event("turn.started", {}, **OURS)
    daemon.event("text.delta", {"text": "I"}, **OURS)
    assert child.stdout and child.stdout.read(1) == "I"
    child.send_signal(signal.SIGINT)
    _, said = child.communicate(timeout=20)
    assert child.returncode == 130
    assert "clawctl attach ses_1" in said and "Traceback" not in said


def test_refusals_and_an_absent_daemon(claw: Run, daemon: FakeControl) -> None:
    daemon.routes["POST /v1/chat"] = error(404, "no_session", "no session ses_9")
    assert claw("chat", "hi", "--session", "ses_9").returncode == 4
    daemon.stop()
    assert claw("chat", "hi").returncode == 3
