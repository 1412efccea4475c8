"""Telling the owner: one note an event, at a decent hour, not too many, none that was muted, none lost."""

import os
import pty
import subprocess
from pathlib import Path

import pytest
from tests.e2e.conftest import Hatch
from tests.e2e.daemon import CLAWCTL, Daemon, Json, free_port, until
from tests.e2e.deliveries import assigned, ci, commented, labeled, names, review_requested
from tests.e2e.homes import standard, zone_in_which_it_is
from tests.fakes.sink import Sink

REPO = names("telling")


def _note(daemon: Daemon, decision: Json) -> Json:
    """The note of a decision, as the list shows it."""
    (row,) = [row for row in daemon.items("/v1/notifications") if row["id"] == decision["notification_id"]]
    return row


def _decided(daemon: Daemon, *sent: tuple[str, Json]) -> list[Json]:
    return [daemon.decision(signal_id) for signal_id in [daemon.take(event, body) for event, body in sent]]


def test_quiet_hours_hold_notes_and_a_digest_follows(hatch: Hatch, sink: Sink, tmp_path: Path) -> None:
    zone = zone_in_which_it_is("07:59:46", tmp_path)
    quiet = 'quiet_hours = "22:00-08:00"\nper_hour = 1000'
    daemon = hatch(standard(sink.url, timezone="Claw/Soon", notify=quiet), zone).start()
    repos = [next(REPO), next(REPO)]
    decisions = _decided(daemon, *[("workflow_run", ci(repo, "failure")) for repo in repos])
    for decision in decisions:
        assert _note(daemon, decision)["state"] == "held"
    assert sink.kept == [], "nothing at night"
    (digest,) = until(lambda: sink.texts(), "the digest in the morning", 30)
    assert all(repo in digest for repo in repos)
    folded = {_note(daemon, decision)["folded_into"] for decision in decisions}
    assert len(folded) == 1 and None not in folded
    (awake,) = _decided(daemon, ("workflow_run", ci(next(REPO), "failure")))
    until(lambda: _note(daemon, awake)["state"] == "sent", "by day a note is sent at once")
    assert len(sink.kept) == 2


def test_a_cap_an_hour_holds_the_rest_for_a_digest(hatch: Hatch, sink: Sink) -> None:
    daemon = hatch(standard(sink.url, notify="per_hour = 2")).start()
    decisions = _decided(daemon, *[("workflow_run", ci(next(REPO), "failure")) for _ in range(5)])
    until(lambda: len(sink.kept) == 2, "the first two are sent")

    def states() -> list[str]:
        return sorted(_note(daemon, decision)["state"] for decision in decisions)

    until(lambda: states() == ["held", "held", "held", "sent", "sent"], "and the rest is held")
    for decision in decisions:
        why = daemon.clawctl("why", decision["notification_id"])
        assert why.code == 0 and why.out.strip()
    held = [n for n in daemon.items("/v1/notifications") if n["state"] == "held"]
    assert {row["due_at"] > row["created_at"] for row in held} == {True}, "they have a time to come"
    assert len(sink.kept) == 2


@pytest.fixture(scope="module")
def daemon(hatch_once: Hatch, shared_sink: Sink) -> Daemon:
    return hatch_once(standard(shared_sink.url)).start()


def test_a_muted_repository_thread_or_kind_is_decided_but_not_told(daemon: Daemon, shared_sink: Sink) -> None:
    repo, other, third = next(REPO), next(REPO), next(REPO)
    for what in (repo, f"{other}#4", "issues.assigned"):
        assert daemon.clawctl("mute", what, "--for", "1h").code == 0
    muted = _decided(
        daemon,
        ("workflow_run", ci(repo, "failure")),
        ("pull_request", review_requested(other, 4)),
        ("issues", assigned(third, 6)),
    )
    (told,) = _decided(daemon, ("pull_request", review_requested(other, 5)))
    until(lambda: _note(daemon, told)["state"] == "sent", "the neighbour is told")
    assert {d["verdict"] for d in muted} == {"notify"}
    assert [_note(daemon, d)["state"] for d in muted] == ["muted"] * 3
    assert shared_sink.texts(repo) == shared_sink.texts(third) == []
    assert len(shared_sink.texts(other)) == 1
    assert "mute" in daemon.clawctl("why", muted[0]["notification_id"]).out
    assert daemon.clawctl("mute", repo, "--for", "ever").code == 2


def test_a_mute_ends(daemon: Daemon, shared_sink: Sink) -> None:
    repo = next(REPO)
    assert daemon.clawctl("mute", repo, "--for", "1s").code == 0
    until(lambda: repo not in str(daemon.get("/v1/mutes")), "the mute is over")
    (told,) = _decided(daemon, ("workflow_run", ci(repo, "failure")))
    until(lambda: _note(daemon, told)["state"] == "sent", "told again")
    assert len(shared_sink.texts(repo)) == 1


def test_the_test_note_reaches_every_destination_and_is_listed(daemon: Daemon, shared_sink: Sink) -> None:
    before = len(shared_sink.kept)
    ran = daemon.clawctl("notify", "test")
    assert ran.code == 0 and shared_sink.address in ran.out
    assert len(shared_sink.kept) == before + 1
    newest = daemon.clawctl("notifications", "--json", "--limit", "1").json[0]
    assert newest["state"] == "sent" and newest["sent_at"] and newest["title"]
    sent = daemon.clawctl("sent", "--json").json
    assert shared_sink.address in sent[0]["to"] and sent[0]["bytes"] > 0


def test_a_note_is_judged_useful_or_not(daemon: Daemon) -> None:
    (decision,) = _decided(daemon, ("workflow_run", ci(next(REPO), "failure")))
    path = f"/v1/notifications/{decision['notification_id']}/useful"
    assert daemon.api("POST", path, {"useful": False}).status == 200
    assert _note(daemon, decision)["useful"] is False
    assert daemon.api("POST", "/v1/notifications/ntf_none/useful", {"useful": True}).status == 404


def test_shadow_decides_and_reports_but_does_and_tells_nothing(hatch: Hatch, sink: Sink) -> None:
    daemon = hatch(standard(sink.url, more="[initiative]\nshadow = true\n")).start()
    repo = next(REPO)
    red, order = _decided(
        daemon, ("workflow_run", ci(repo, "failure")), ("issues", labeled(repo, 1, "nightclaw"))
    )
    assert (red["verdict"], order["verdict"]) == ("notify", "act")
    for decision in (red, order):
        assert "would have" in daemon.clawctl("why", decision["id"]).out
    until(lambda: "would have" in daemon.clawctl("log").out, "the log says so")
    assert daemon.items("/v1/tasks") == [] and daemon.items("/v1/approvals") == []
    daemon.post("/v1/notifications/test")  # what the owner asks for is no initiative
    assert sink.texts(repo) == []


def test_without_destinations_every_note_is_still_a_row(hatch: Hatch) -> None:
    daemon = hatch(standard()).start()
    (decision,) = _decided(daemon, ("issue_comment", commented(next(REPO), 1, "see, @octocat")))
    row = _note(daemon, decision)
    assert row["title"] and row["attempts"] == 0
    assert daemon.clawctl("notifications").out.count("ntf_") == 1


def test_a_destination_that_was_down_gets_each_note_once_when_it_is_back(hatch: Hatch) -> None:
    """Also over a kill -9 in between; and the trouble is a problem in status as long as it lasts."""
    port = free_port()
    daemon = hatch(standard(f"json://127.0.0.1:{port}/notes")).start()
    repos = [next(REPO), next(REPO)]
    decisions = _decided(daemon, *[("workflow_run", ci(repo, "failure")) for repo in repos])
    until(lambda: _note(daemon, decisions[0])["attempts"] > 0, "it was tried")
    assert str(port) in str(until(lambda: daemon.status["problems"], "a problem"))
    assert _note(daemon, decisions[0])["state"] != "sent"
    daemon.kill9()
    back = Sink(port, strict=True)
    try:
        daemon.start()
        until(lambda: {_note(daemon, d)["state"] for d in decisions} == {"sent"}, "both are sent", 45)
        assert [len(back.texts(repo)) for repo in repos] == [1, 1]
        assert back.texts()[0].count(repos[0]) >= 1, "in the order they happened"
        until(lambda: daemon.status["health"] == "ok", "no problem any more")
        assert back.complaints == [] and len(back.kept) == 2
    finally:
        back.close()


def test_a_slow_destination_does_not_hold_up_the_daemon(hatch: Hatch, sink: Sink) -> None:
    sink.hangs = True
    daemon = hatch(standard(sink.url)).start()
    first, second = next(REPO), next(REPO)
    _decided(daemon, ("workflow_run", ci(first, "failure")))
    until(lambda: sink.bodies, "the first note is on its way")
    _decided(daemon, ("workflow_run", ci(second, "failure")))
    assert daemon.clawctl("chat", "hello").code == 0
    sink.hangs = False
    sink.hang.set()
    until(lambda: sink.texts(second), "the second follows", 20)
    assert (len(sink.texts(first)), len(sink.texts(second))) == (1, 1)


def test_nobody_is_pushed_while_they_look(hatch: Hatch, sink: Sink) -> None:
    """Attached is looking: the note is kept and shown there, the decision says so; after detaching notes are sent."""
    daemon = hatch(standard(sink.url)).start()
    looked, alone = next(REPO), next(REPO)
    screen, tty = pty.openpty()
    call = [CLAWCTL, "attach"]
    env = daemon.env | {"TERM": "xterm"}
    client = subprocess.Popen(call, env=env, stdin=tty, stdout=tty, stderr=tty, start_new_session=True)
    os.close(tty)
    try:
        until(lambda: daemon.status["presence"] == "attached", "the daemon sees the client")
        (seen,) = _decided(daemon, ("workflow_run", ci(looked, "failure")))
        assert (seen["verdict"], seen["presence"]) == ("notify", "attached")
        until(lambda: _note(daemon, seen)["state"] == "kept", "the note is kept")
    finally:
        client.terminate()
        client.wait(10)
        os.close(screen)
    until(lambda: daemon.status["presence"] != "attached", "the client is gone")
    (pushed,) = _decided(daemon, ("workflow_run", ci(alone, "failure")))
    until(lambda: _note(daemon, pushed)["state"] == "sent", "pushed again")
    assert sink.texts(looked) == [] and len(sink.texts(alone)) == 1
