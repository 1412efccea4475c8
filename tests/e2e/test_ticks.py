"""Ticks: each leaves one decision, an idle one costs nothing and tells nobody, and the owner's words go first."""

import pytest
from tests.e2e.conftest import Hatch
from tests.e2e.daemon import Daemon, until
from tests.e2e.homes import standard
from tests.fakes.sink import Sink


@pytest.fixture(scope="module")
def daemon(hatch_once: Hatch, shared_sink: Sink) -> Daemon:
    return hatch_once(standard(shared_sink.url, tick='every = "1s"')).start()


def test_idle_ticks_are_decided_ignored_and_free(daemon: Daemon, shared_sink: Sink) -> None:
    until(lambda: len(daemon.signals(source="tick")) >= 4, "four ticks")
    daemon.settled()
    ticks = daemon.signals(source="tick")
    decisions = [daemon.why(row["id"])["decision"] for row in ticks if row["decision_id"]]
    assert len(decisions) >= 4
    assert {(d["verdict"], d["task_id"]) for d in decisions} == {("ignore", None)}
    for decision in decisions:
        assert decision["reason"] and "facts" in decision
    assert len({row["decision_id"] for row in ticks if row["decision_id"]}) == len(decisions), "one each"
    status = daemon.status
    assert status["today"]["model_calls"] == 0 and status["today"]["cost_usd"] == 0
    assert status["last_tick_age_s"] < 5
    assert daemon.items("/v1/notifications") == [] and shared_sink.kept == []


def test_a_tick_can_be_asked_why(daemon: Daemon) -> None:
    tick = until(lambda: [r for r in daemon.signals(source="tick") if r["decision_id"]], "a tick")[0]
    for some_id in (tick["id"], tick["decision_id"]):
        ran = daemon.clawctl("why", some_id)
        assert ran.code == 0 and "tick" in ran.out.lower()
        assert "cost nothing" in ran.out or "$0" in ran.out


def test_ticks_go_on_over_a_restart_without_repeating(daemon: Daemon) -> None:
    daemon.restart()
    count = len(daemon.signals(source="tick"))
    until(lambda: len(daemon.signals(source="tick")) > count + 1, "they go on")
    keys = [row["dedupe_key"] for row in daemon.signals(source="tick")]
    assert len(keys) == len(set(keys))


def test_the_owner_is_answered_at_once_while_ticks_run(daemon: Daemon) -> None:
    ran = daemon.clawctl("chat", "quick question", timeout=5)
    assert ran.code == 0 and ran.out.strip()
