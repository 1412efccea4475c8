"""Schedules: fired when due, once; caught up once when missed; from the config, the API and the client."""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from signal import SIGCONT, SIGSTOP

import pytest
from tests.e2e.conftest import Hatch
from tests.e2e.daemon import Daemon, Json, until
from tests.e2e.homes import standard, zone_in_which_it_is


@pytest.fixture(scope="module")
def daemon(hatch_once: Hatch) -> Daemon:
    config = '[[schedule]]\nname = "fixed"\nevery = "1s"\nprompt = "count"\nverdict = "record"\n'
    return hatch_once(standard(more=config)).start()


def _fired(daemon: Daemon, name: str) -> list[Json]:
    return daemon.signals(source="schedule", subject=f"schedule:{name}")


def _in(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat(timespec="milliseconds")


def _passed(moment: float) -> None:
    until(lambda: time.monotonic() > moment, "the due time passes", 20)


def test_a_schedule_of_the_config_fires_and_is_not_the_apis_to_delete(daemon: Daemon) -> None:
    until(lambda: len(_fired(daemon, "fixed")) >= 3, "three beats")
    keys = [row["dedupe_key"] for row in _fired(daemon, "fixed")]
    assert len(set(keys)) == len(keys), "each due time once"
    (row,) = [row for row in daemon.items("/v1/schedules") if row["name"] == "fixed"]
    assert (row["origin"], row["every"]) == ("config", "1s")
    for ref in (row["id"], "fixed"):
        assert daemon.api("DELETE", f"/v1/schedules/{ref}").status == 409
    assert daemon.clawctl("schedule", "rm", "fixed").code == 5


def test_every_at_and_cron_by_the_client(daemon: Daemon) -> None:
    for args in (("--every", "1s"), ("--at", _in(1)), ("--cron", "0 8 * * 1-5")):
        name = args[0].strip("-") + "-one"
        ran = daemon.clawctl(
            "schedule", "add", "look", "around", "--name", name, "--verdict", "record", *args
        )
        assert ran.code == 0, ran.err
    until(lambda: len(_fired(daemon, "every-one")) >= 2, "it repeats")
    until(lambda: _fired(daemon, "at-one"), "it comes once")
    listed = {row["name"]: row for row in daemon.clawctl("schedule", "list", "--json").json}
    assert listed["cron-one"]["next_at"] and listed["cron-one"]["origin"] == "api"
    assert _fired(daemon, "cron-one") == []
    assert daemon.clawctl("schedule", "rm", "every-one").code == 0
    count = len(_fired(daemon, "every-one"))
    beats = len(_fired(daemon, "fixed"))
    until(lambda: len(_fired(daemon, "fixed")) > beats + 1, "others go on")
    assert len(_fired(daemon, "every-one")) == count, "a removed one does not"
    assert len(_fired(daemon, "at-one")) == 1
    assert daemon.clawctl("schedule", "rm", "every-one").code == 4


def test_a_run_by_hand_is_a_run_more(daemon: Daemon) -> None:
    made = daemon.post(
        "/v1/schedules", {"name": "rare", "cron": "0 0 1 1 *", "prompt": "x", "verdict": "notify"}
    )
    ran = daemon.clawctl("schedule", "run", "rare", "--json")
    assert ran.code == 0
    (signal,) = until(lambda: _fired(daemon, "rare"), "it ran")
    assert daemon.decision(signal["id"])["verdict"] == "notify"
    again = daemon.api("POST", f"/v1/schedules/{made['id']}/run", {})
    assert again.status in (200, 202)
    until(lambda: len(_fired(daemon, "rare")) == 2, "and again")
    (row,) = [row for row in daemon.items("/v1/schedules") if row["name"] == "rare"]
    assert row["next_at"].endswith("-01-01T00:00:00.000Z"), "its own time is untouched"
    assert daemon.clawctl("schedule", "run", "nonesuch").code == 4


def test_schedules_are_validated(daemon: Daemon) -> None:
    bad = [
        {"prompt": "x"},
        {"prompt": "x", "every": "1s", "cron": "* * * * *"},
        {"prompt": "x", "every": "0s"},
        {"prompt": "x", "every": "soon"},
        {"prompt": "x", "at": "yesterday"},
        {"prompt": "x", "cron": "61 * * * *"},
        {"prompt": "x", "every": "1s", "missed": "perhaps"},
        {"name": "fixed", "prompt": "x", "every": "1h"},
    ]
    for body in bad:
        answer = daemon.api("POST", "/v1/schedules", body)
        assert answer.status in (400, 409, 422), (body, answer.status)
        assert answer.json["error"]["message"], body


def test_a_cron_line_is_read_in_the_owners_time_zone(hatch: Hatch, tmp_path: Path) -> None:
    zone = zone_in_which_it_is("07:59:54", tmp_path)
    cron = '[[schedule]]\nname = "brief"\ncron = "0 8 * * *"\nprompt = "Brief me."\nverdict = "record"\n'
    daemon = hatch(standard(timezone="Claw/Soon", more=cron), zone).start()
    assert _fired(daemon, "brief") == []
    until(lambda: _fired(daemon, "brief"), "it is eight o'clock there", 40)
    daemon.restart()
    daemon.settled()
    assert len(_fired(daemon, "brief")) == 1
    (row,) = daemon.items("/v1/schedules")
    ahead = datetime.fromisoformat(row["next_at"]) - datetime.now(UTC)
    assert timedelta(hours=23, minutes=50) < ahead <= timedelta(hours=24, minutes=5)


def test_what_was_missed_is_caught_up_exactly_once(hatch: Hatch) -> None:
    """Down over many due times: `once` fires once, `skip` never but leaves a trace, `all` each; by stop and by kill."""
    daemon = hatch(standard()).start()
    for name, how in (("single", "once"), ("none", "skip"), ("each", "all")):
        daemon.post(
            "/v1/schedules", {"name": name, "every": "1s", "prompt": "x", "verdict": "record", "missed": how}
        )
    daemon.post("/v1/schedules", {"name": "alarm", "at": _in(1.5), "prompt": "x", "verdict": "record"})
    until(lambda: _fired(daemon, "single"), "running")
    daemon.clawctl("features", "schedules", "off")
    daemon.kill9()
    _passed(time.monotonic() + 3.5)
    daemon.start()
    # still off: whatever fires after this comes from switching it on
    before = {name: len(_fired(daemon, name)) for name in ("single", "none", "each", "alarm")}
    head = daemon.status["event_head"]
    daemon.clawctl("features", "schedules", "on")
    until(lambda: _fired(daemon, "alarm"), "the alarm is caught up")
    until(lambda: len(_fired(daemon, "single")) >= before["single"] + 3, "and the beat goes on")
    for name in ("single", "each", "none"):
        daemon.clawctl("schedule", "rm", name)
    daemon.settled()
    assert len(_fired(daemon, "alarm")) == 1
    keys = [row["dedupe_key"] for name in before for row in _fired(daemon, name)]
    assert len(keys) == len(set(keys))
    on = len(_fired(daemon, "single")) - before["single"]
    assert len(_fired(daemon, "each")) - before["each"] >= on + 2, "`all` made up for each"
    assert len(_fired(daemon, "none")) - before["none"] <= on, "`skip` made up for none"
    assert daemon.status["event_head"] > head


def test_an_alarm_missed_while_down_rings_once_at_start(hatch: Hatch) -> None:
    daemon = hatch(standard()).start()
    for name, how in (("ring", "once"), ("hush", "skip")):
        body = {"name": name, "at": _in(1.0), "prompt": "x", "verdict": "record", "missed": how}
        daemon.post("/v1/schedules", body)
    daemon.kill9()
    _passed(time.monotonic() + 1.2)
    daemon.start()
    until(lambda: _fired(daemon, "ring"), "caught up")
    daemon.restart()
    daemon.settled()
    assert len(_fired(daemon, "ring")) == 1, "not again at the next start"
    hushed = _fired(daemon, "hush")
    verdicts = [daemon.decision(row["id"])["verdict"] for row in hushed]
    assert verdicts in ([], ["ignore"], ["record"])
    assert "hush" in daemon.clawctl("log").out or hushed, "a skipped one is not silent"


def test_sleeping_over_three_due_times_fires_each_once(hatch: Hatch) -> None:
    """SIGSTOP for five seconds is what a suspended laptop looks like."""
    daemon = hatch(standard()).start()
    names = ["one", "two", "three"]
    for delay, name in enumerate(names, start=1):
        daemon.post(
            "/v1/schedules", {"name": name, "at": _in(0.7 + delay), "prompt": "x", "verdict": "record"}
        )
    daemon.signal(SIGSTOP)
    _passed(time.monotonic() + 5)
    daemon.signal(SIGCONT)
    until(lambda: all(_fired(daemon, name) for name in names), "all three are caught up")
    daemon.settled()
    assert [len(_fired(daemon, name)) for name in names] == [1, 1, 1]
    until(lambda: daemon.tcp("GET", "/healthz").status == 200, "healthy again")
    assert daemon.running and daemon.status["problems"] == []


def test_a_capped_schedule_runs_no_more_often_than_said(hatch: Hatch) -> None:
    capped = '[[schedule]]\nname = "eager"\nevery = "1s"\nper_hour = 2\nprompt = "x"\nverdict = "notify"\n'
    beat = '[[schedule]]\nname = "beat"\nevery = "1s"\nprompt = "x"\nverdict = "record"\n'
    daemon = hatch(standard(more=capped + beat)).start()
    until(lambda: len(_fired(daemon, "beat")) >= 4, "four seconds")
    daemon.settled()
    told = [n for n in daemon.items("/v1/notifications") if n["subject"] == "schedule:eager"]
    assert len(told) == 2
