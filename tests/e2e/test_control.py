"""The control surface: pause, features, and an event stream that any number of clients can trust."""

import json
import threading
import time

import pytest
from tests.e2e.conftest import Hatch
from tests.e2e.daemon import Daemon, until
from tests.e2e.deliveries import ci, names, opened
from tests.e2e.homes import standard
from tests.e2e.wire import server_sent
from tests.fakes.sink import Sink

REPO = names("control")
BUSY = '[[schedule]]\nname = "beat"\nevery = "1s"\nverdict = "record"\nprompt = "beat"\n'


@pytest.fixture(scope="module")
def daemon(hatch_once: Hatch) -> Daemon:
    return hatch_once(standard()).start()


def test_pause_stops_proactive_work_within_a_second_and_survives(hatch: Hatch, sink: Sink) -> None:
    """Paused: deliveries are kept, nothing is decided, told or fired; the owner is still served."""
    repo = next(REPO)
    daemon = hatch(standard(sink.url, tick='every = "1s"', more=BUSY)).start()
    until(lambda: daemon.signals(source="schedule"), "the schedule beats")
    began = time.monotonic()
    assert daemon.clawctl("pause").code == 0
    assert time.monotonic() - began < 1.0
    assert daemon.status["paused"] is True
    beats = len(daemon.signals(source="schedule")) + len(daemon.signals(source="tick"))
    signal_id = daemon.take("workflow_run", ci(repo, "failure"))
    head = daemon.status["event_head"]
    assert daemon.clawctl("chat", "are you there?").code == 0, "chat is the owner's, not initiative"
    # two due times of the schedule and of the ticks pass
    end = time.monotonic() + 2.5
    until(lambda: time.monotonic() > end, "time passes")
    assert len(daemon.signals(source="schedule")) + len(daemon.signals(source="tick")) <= beats + 1
    assert daemon.why(signal_id)["decision"] is None and sink.kept == []
    kinds = {(e["kind"], e["data"].get("source")) for e in daemon.events(head)}
    assert ("task.created", "schedule") not in kinds

    daemon.restart()
    assert daemon.status["paused"] is True, "a pause is durable"
    assert daemon.clawctl("resume").code == 0
    assert daemon.decision(signal_id)["verdict"] == "notify"
    until(lambda: sink.texts(repo), "what waited is told")
    until(lambda: len(daemon.signals(source="schedule")) > beats, "the schedule beats again")
    assert len(sink.texts(repo)) == 1


def test_features_flip_without_a_restart_and_survive_one(hatch: Hatch) -> None:
    daemon = hatch(standard(tick='every = "1s"', more=BUSY)).start()
    assert set(daemon.status["features"].values()) == {True}
    for name, source in (("ticks", "tick"), ("schedules", "schedule")):
        until(lambda source=source: daemon.signals(source=source), f"{source} comes in")
        assert daemon.clawctl("features", name, "off").code == 0
        assert daemon.status["features"][name] is False
    daemon.settled()
    quiet = {source: len(daemon.signals(source=source)) for source in ("tick", "schedule")}
    daemon.restart()
    listed = {row["name"]: (row["on"], row["origin"]) for row in daemon.get("/v1/features")["items"]}
    assert listed["ticks"] == listed["schedules"] == (False, "override")
    assert listed["files"][0] is True
    end = time.monotonic() + 1.5
    until(lambda: time.monotonic() > end, "a tick would have been due")
    assert {source: len(daemon.signals(source=source)) for source in quiet} == quiet
    assert daemon.clawctl("features", "ticks", "on").code == 0
    until(lambda: len(daemon.signals(source="tick")) > quiet["tick"], "ticks again")
    assert daemon.clawctl("features", "nonsense", "on").code in (2, 4)


def _work(daemon: Daemon, count: int) -> None:
    for number in range(count):
        daemon.take("issues", opened(next(REPO), number + 1))
        daemon.post("/v1/chat", {"text": f"note {number}", "priority": "later"})


def test_two_followers_see_the_same_without_gaps(daemon: Daemon) -> None:
    start = daemon.status["event_head"]
    with daemon.follow(start) as one:
        worker = threading.Thread(target=_work, args=(daemon, 10))
        worker.start()
        until(lambda: len(one.cursors) > 20, "news")
        with daemon.follow(start) as late:
            worker.join()
            daemon.settled()
            head = daemon.status["event_head"]
            until(lambda: one.cursors[-1:] >= [head], "the first has seen all")
            until(lambda: late.cursors[-1:] >= [head], "the late one too")
            kept = [event for event in daemon.events(start) if event["cursor"] <= head]
    for follower in (one, late):
        seen = [f for f in follower.frames if f.get("cursor") is not None and f["cursor"] <= head]
        assert seen == kept
    cursors = [event["cursor"] for event in kept]
    assert cursors == list(range(start + 1, head + 1)), "every cursor once, in order"
    deltas = [f for f in one.frames if f["kind"].endswith(".delta")]
    assert all("cursor" not in f or f["cursor"] is None for f in deltas)


def test_a_follower_of_a_session_sees_that_session_only(daemon: Daemon) -> None:
    start = daemon.status["event_head"]
    mine = daemon.post("/v1/chat", {"text": "mine", "session": "new"})["session"]
    other = daemon.post("/v1/chat", {"text": "other", "session": "new"})["session"]
    with daemon.follow(start, session=mine) as follower:
        until(lambda: "turn.finished" in [f["kind"] for f in follower.frames], "the turn ends")
    sessions = {f["session"] for f in follower.frames if f.get("cursor") is not None}
    assert sessions == {mine} and other not in sessions


def test_server_sent_events_carry_the_cursor_as_id(daemon: Daemon) -> None:
    daemon.post("/v1/chat", {"text": "one more"})
    first = list(server_sent(daemon.socket, 0, 5))
    assert [int(event_id) for event_id, _ in first if event_id] == [1, 2, 3, 4, 5]
    assert [data["cursor"] for _, data in first] == [1, 2, 3, 4, 5]
    again = list(server_sent(daemon.socket, 0, 2, last_id="3"))
    assert [event_id for event_id, _ in again] == ["4", "5"], "a browser that reconnects goes on where it was"


def test_the_stream_replays_after_a_kill(hatch: Hatch) -> None:
    daemon = hatch(standard()).start()
    daemon.clawctl("chat", "remember this")
    before = daemon.events()
    daemon.kill9()
    daemon.start()
    after = daemon.events()
    assert after[: len(before)] == before
    assert [e["cursor"] for e in after] == list(range(1, len(after) + 1))
    page = daemon.api("GET", "/v1/events?after=2&limit=3").body.splitlines()
    assert [json.loads(line)["cursor"] for line in page] == [3, 4, 5]


def test_a_cursor_of_another_life_gets_a_reset(daemon: Daemon) -> None:
    answer = daemon.api("GET", "/v1/events?after=999999999")
    (reset,) = [json.loads(line) for line in answer.body.splitlines()]
    assert reset["kind"] == "reset"
    with daemon.follow(999999999) as follower:
        until(lambda: follower.frames, "the follower is told too")
        assert follower.frames[0]["kind"] == "reset"
    ran = daemon.clawctl("events", "--after", "0", "--limit", "3", "--json")
    assert ran.code == 0 and [row["cursor"] for row in json.loads(ran.out)] == [1, 2, 3]


def test_a_snapshot_and_the_stream_fit_together(daemon: Daemon) -> None:
    snapshot = daemon.get("/v1/snapshot")
    head = snapshot.get("event_head", snapshot.get("head"))
    assert head <= daemon.status["event_head"]
    assert isinstance(snapshot["sessions"], list) and isinstance(snapshot["approvals"], list)


def test_errors_have_a_code_a_message_and_a_hint(daemon: Daemon) -> None:
    cases = [
        ("GET", "/v1/tasks/tsk_none", None, 404),
        ("GET", "/v1/nothing", None, 404),
        ("POST", "/v1/chat", {}, 422),
        ("POST", "/v1/chat", {"text": "x", "priority": "soon"}, 422),
        ("GET", "/v1/signals?limit=0", None, 422),
        ("POST", "/v1/approvals/apr_none", {"decision": "allow"}, 404),
        ("POST", "/v1/schedules", {"prompt": "p", "cron": "nope"}, 422),
    ]
    for method, path, body, status in cases:
        answer = daemon.api(method, path, body)
        assert answer.status in (status, 400 if status == 422 else status), (path, answer.status, answer.body)
        error = answer.json["error"]
        assert error["code"] and error["message"] and isinstance(error["hint"], str), path
    raw = daemon.api("POST", "/v1/chat", None, {"Content-Type": "application/json"})
    assert raw.status in (400, 422) and raw.code


def test_lists_page_newest_first_without_loss(daemon: Daemon) -> None:
    _work(daemon, 3)
    whole = [row["id"] for row in daemon.items("/v1/signals")]
    pages: list[str] = []
    after = None
    while True:
        page = daemon.get("/v1/signals?limit=2" + (f"&after={after}" if after else ""))
        assert len(page["items"]) <= 2
        pages += [row["id"] for row in page["items"]]
        after = page["next"]
        if after is None:
            break
    assert pages == whole == sorted(whole, reverse=True)
    listed = daemon.clawctl("signals", "--json", "--limit", "2").json
    assert [row["id"] for row in listed] == whole[:2]


def test_status_has_every_promised_key(daemon: Daemon) -> None:
    status = daemon.clawctl("status", "--json").json
    promised = """version pid home socket ingress uptime_s health problems paused last_tick_at last_tick_age_s
    models sources signals_pending tasks approvals_pending sessions today budget memory event_head"""
    assert set(promised.split()) <= status.keys()
    assert {"ready", "running", "parked"} <= status["tasks"].keys()
    today = "model_calls input_tokens output_tokens cache_read_tokens cost_usd by_cause"
    assert set(today.split()) <= status["today"].keys()
    assert {"active", "candidates", "last_dream_at"} <= status["memory"].keys()
    assert daemon.clawctl("status").code == 0
    metrics = daemon.api("GET", "/metrics")
    assert metrics.status == 200 and b"# TYPE nightclaw" in metrics.body


def test_two_repeated_deliveries_at_once_are_one(daemon: Daemon) -> None:
    """A race of the same occurrence: one signal, and every answer names it."""
    body = ci(next(REPO), "failure")
    answers: list[tuple[int, str]] = []

    def send() -> None:
        answer = daemon.deliver("workflow_run", body)
        answers.append((answer.status, answer.json["signal"]))

    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({signal_id for _, signal_id in answers}) == 1
    assert sorted(status for status, _ in answers) == [200] * 7 + [202]
