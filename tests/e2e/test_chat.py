"""Chat without a model: a useful answer from what the daemon knows, once a key, in the session it belongs to."""

import json
import uuid

import pytest
from tests.e2e.conftest import Hatch
from tests.e2e.daemon import Daemon, Json, until
from tests.e2e.deliveries import ci, names
from tests.e2e.homes import standard

REPO = names("chat")


@pytest.fixture(scope="module")
def daemon(hatch_once: Hatch) -> Daemon:
    return hatch_once(standard()).start()


def _said(daemon: Daemon, session: str) -> list[tuple[str, str]]:
    return [(row["role"], row["text"]) for row in daemon.get(f"/v1/sessions/{session}")["transcript"]]


def _heard(daemon: Daemon, session: str) -> str:
    """All that the owner said there; messages that joined one turn may stand together."""
    return "\n".join(text for role, text in _said(daemon, session) if role != "assistant")


def _finished(daemon: Daemon, signal: Json) -> None:
    until(lambda: daemon.get(f"/v1/tasks/{signal['task']}")["state"] == "done", "the turn ends")


def test_a_chat_without_a_model_is_answered_and_says_how_to_add_one(daemon: Daemon) -> None:
    ran = daemon.clawctl("chat", "what", "can", "you", "do?")
    assert ran.code == 0 and ran.err == ""
    assert "clawctl init" in ran.out and "model" in ran.out
    assert daemon.status["today"]["model_calls"] == 0


def test_the_answer_comes_from_what_happened(daemon: Daemon) -> None:
    repo = next(REPO)
    daemon.decision(daemon.take("workflow_run", ci(repo, "failure")))
    ran = daemon.clawctl("chat", f"what happened in {repo}?")
    assert ran.code == 0 and repo in ran.out, ran.out


def test_json_ends_with_the_finished_turn(daemon: Daemon) -> None:
    ran = daemon.clawctl("chat", "hello", "--json")
    assert ran.code == 0
    frames = ran.lines
    last = frames[-1]
    assert last["kind"] == "turn.finished"
    assert last["data"]["text"] and last["data"]["task"].startswith("tsk_") and "usage" in last["data"]
    assert [f["kind"] for f in frames].count("turn.finished") == 1
    streamed = "".join(f["data"]["text"] for f in frames if f["kind"] == "text.delta")
    assert streamed == "" or streamed.strip() == last["data"]["text"].strip()


def test_standard_input_is_a_message(daemon: Daemon) -> None:
    ran = daemon.clawctl("chat", "-", "--session", "new", "--json", stdin="from a pipe\nwith two lines\n")
    assert ran.code == 0
    session = ran.lines[-1]["session"]
    role, text = _said(daemon, session)[0]
    assert role in ("user", "owner") and text.strip() == "from a pipe\nwith two lines"


def test_the_same_key_twice_is_one_message(daemon: Daemon) -> None:
    key = str(uuid.uuid4())
    session = daemon.post("/v1/chat", {"text": "start", "session": "new"})["session"]
    body = {"key": key, "text": "only once", "session": session}
    first, again = daemon.post("/v1/chat", body), daemon.post("/v1/chat", body)
    assert (again["signal"], again["session"]) == (first["signal"], first["session"])
    _finished(daemon, first)
    assert _heard(daemon, session).count("only once") == 1
    assert len([s for s in daemon.signals(source="chat") if s["id"] == first["signal"]]) == 1


def test_sessions_main_new_and_unknown(daemon: Daemon) -> None:
    assert daemon.post("/v1/chat", {"text": "hi"})["session"] == "main"
    one = daemon.post("/v1/chat", {"text": "first of one", "session": "new"})
    two = daemon.post("/v1/chat", {"text": "first of two", "session": "new"})
    assert len({"main", one["session"], two["session"]}) == 3
    _finished(daemon, one)
    _finished(daemon, two)
    assert "first of two" not in str(_said(daemon, one["session"]))
    listed = [row["id"] for row in daemon.clawctl("sessions", "--json").json]
    assert {"main", one["session"], two["session"]} <= set(listed)
    assert daemon.api("POST", "/v1/chat", {"text": "x", "session": "ses_nowhere"}).status == 404
    assert daemon.clawctl("chat", "x", "--session", "ses_nowhere").code == 4


def test_no_wait_returns_at_once_with_what_to_look_for(daemon: Daemon) -> None:
    ran = daemon.clawctl("chat", "think about it", "--no-wait", "--json")
    assert ran.code == 0
    accepted = json.loads(ran.out)
    assert accepted["signal"].startswith("sig_") and accepted["session"] == "main"
    assert isinstance(accepted["cursor"], int)


def test_every_message_is_answered_and_turns_of_a_session_do_not_overlap(daemon: Daemon) -> None:
    """Five messages at once, `later` and `next`: each is heard, one turn at a time."""
    start = daemon.status["event_head"]
    first = daemon.post("/v1/chat", {"text": "message 0", "session": "new"})
    session = first["session"]
    sent = [first]
    for number in range(1, 6):
        priority = "later" if number % 2 else "next"
        body = {"text": f"message {number}", "session": session, "priority": priority}
        sent.append(daemon.post("/v1/chat", body))
    for one in sent:
        if one["task"]:
            _finished(daemon, one)
    heard = _heard(daemon, session)
    assert [n for n in range(6) if heard.count(f"message {n}") != 1] == []
    running = 0
    for event in daemon.events(start):
        if event["session"] == session and event["kind"] in ("turn.started", "turn.finished"):
            running += 1 if event["kind"] == "turn.started" else -1
            assert running in (0, 1), f"two turns of {session} at once at cursor {event['cursor']}"
    assert running == 0


def test_later_is_a_turn_of_its_own(daemon: Daemon) -> None:
    start = daemon.status["event_head"]
    first = daemon.post("/v1/chat", {"text": "now this", "session": "new"})
    second = daemon.post("/v1/chat", {"text": "then that", "session": first["session"], "priority": "later"})
    for one in (first, second):
        _finished(daemon, one)
    turns = [
        e for e in daemon.events(start) if e["kind"] == "turn.finished" and e["session"] == first["session"]
    ]
    assert len(turns) == 2


def test_an_order_without_a_model_waits_and_says_so(daemon: Daemon) -> None:
    order = daemon.api("POST", "/v1/tasks", {"goal": "rename foo to bar"})
    assert order.status in (201, 202, 409, 503)
    if order.status in (201, 202):
        found = order.json
        task = daemon.get(f"/v1/tasks/{found.get('task') or found['id']}")
        assert task["state"] in ("proposed", "parked") and task["trust"] == "OWNER"
        assert "model" in daemon.clawctl("why", task["id"]).out
        assert daemon.clawctl("task", "cancel", task["id"]).code == 0
        assert daemon.get(f"/v1/tasks/{task['id']}")["state"] == "cancelled"
        assert daemon.clawctl("task", "cancel", task["id"]).code == 5, "cancelled already"
        again = daemon.clawctl("task", "retry", task["id"], "--json")
        assert again.code == 0 and again.json["parent"] == task["id"]
    else:
        assert "model" in order.json["error"]["message"]


def test_an_answer_survives_a_kill_between_message_and_turn(hatch: Hatch) -> None:
    daemon = hatch(standard()).start()
    accepted = [daemon.post("/v1/chat", {"text": f"keep {n}", "session": "new"}) for n in range(3)]
    daemon.kill9()
    daemon.start()
    for one in accepted:
        _finished(daemon, one)
        said = _said(daemon, one["session"])
        assert len(said) == 2, said
