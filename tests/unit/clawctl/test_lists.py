"""Lists and single rows: tables for people, arrays for scripts, pages followed on the way."""

import json

import pytest
from tests.unit.clawctl.conftest import Run
from tests.unit.clawctl.fake_control import FakeControl, Reply, error, pages
from tests.unit.clawctl.rows import APPROVAL

TASKS: list[dict[str, object]] = [
    {
        "id": f"tsk_{n:026}",
        "state": "done",
        "kind": "work",
        "created_at": "2026-11-20T08:00:00.000Z",
        "usage": {"cost_usd": 0.001 * n},
        "subject": "octo/app#5",
        "goal": f"goal\n{n}",
    }
    for n in range(7)
]


def test_json_is_one_array_over_all_pages(claw: Run, daemon: FakeControl) -> None:
    daemon.routes["GET /v1/tasks"] = pages(TASKS)
    done = claw("tasks", "--json")
    assert json.loads(done.stdout) == TASKS
    assert done.stderr == ""


def test_limit_ends_the_list_and_says_there_is_more(claw: Run, daemon: FakeControl) -> None:
    daemon.routes["GET /v1/tasks"] = pages(TASKS, size=3)
    done = claw("tasks", "--json", "--limit", "5")
    assert json.loads(done.stdout) == TASKS[:5]
    assert "newest 5" in done.stderr
    assert claw("tasks", "--json", "-n", "7").stderr == ""


def test_a_table_keeps_ids_whole_and_rows_on_one_line(claw: Run, daemon: FakeControl) -> None:
    daemon.routes["GET /v1/tasks"] = pages(TASKS)
    head, *lines = claw("tasks").stdout.splitlines()
    assert head.split() == ["ID", "STATE", "KIND", "AGE", "COST", "SUBJECT", "GOAL"]
    assert [line.split()[0] for line in lines] == [task["id"] for task in TASKS]
    assert len({line.index("octo/app#5") for line in lines}) == 1
    assert lines[3].endswith("octo/app#5  goal 3")


@pytest.mark.parametrize(
    ("verb", "path"),
    [
        ("signals", "signals"),
        ("decisions", "decisions"),
        ("sessions", "sessions"),
        ("notifications", "notifications"),
        ("sent", "sent"),
        ("approvals", "approvals"),
        ("schedule list", "schedules"),
        ("watch list", "watches"),
        ("rules list", "rules"),
        ("github list", "github"),
    ],
)
def test_every_list_is_an_array_and_says_so_when_it_is_empty(
    claw: Run, daemon: FakeControl, verb: str, path: str
) -> None:
    daemon.routes[f"GET /v1/{path}"] = pages([])
    assert json.loads(claw(*verb.split(), "--json").stdout) == []
    done = claw(*verb.split())
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == 1
    row: dict[str, object] = {"id": "row_1", "name": "one", "title": "One"}
    daemon.routes[f"GET /v1/{path}"] = pages([row])
    assert json.loads(claw(*verb.split(), "--json").stdout) == [row]
    said = claw(*verb.split()).stdout.lower()
    assert "row_1" in said or "one" in said


def test_why_tells_its_story(claw: Run, daemon: FakeControl) -> None:
    daemon.routes["GET /v1/why/dec_1"] = {
        "id": "dec_1",
        "kind": "decision",
        "story": ["It came in.", "It was told."],
    }
    assert claw("why", "dec_1").stdout == "It came in.\nIt was told.\n"
    assert claw("why", "dec_2").returncode == 4


def test_tasks_are_shown_cancelled_and_tried_again(claw: Run, daemon: FakeControl) -> None:
    daemon.routes |= {
        "GET /v1/tasks/tsk_1": TASKS[3] | {"parked_on": None},
        "POST /v1/tasks/tsk_1/cancel": {"id": "tsk_1", "state": "cancelled"},
        "POST /v1/tasks/tsk_1/retry": {"id": "tsk_2", "parent": "tsk_1"},
    }
    shown = claw("task", "show", "tsk_1").stdout
    assert "octo/app#5" in shown and "parked_on" not in shown
    assert claw("task", "cancel", "tsk_1").stdout == "tsk_1 cancelled\n"
    assert claw("task", "retry", "tsk_1").stdout == "tsk_2 tries tsk_1 again\n"
    daemon.routes["POST /v1/tasks/tsk_1/cancel"] = error(409, "over", "it is done already")
    assert claw("task", "cancel", "tsk_1").returncode == 5


def test_an_approval_is_answered_with_the_digest_of_what_was_asked(claw: Run, daemon: FakeControl) -> None:
    other = APPROVAL | {"id": "apr_0", "digest": "another"}
    daemon.routes["GET /v1/approvals"] = pages([other, APPROVAL | {"id": "apr_2"}, APPROVAL])
    daemon.routes["POST /v1/approvals/apr_1"] = APPROVAL | {"state": "granted"}
    shown = claw("approvals").stdout
    assert daemon.wait_for("GET /v1/approvals").query["state"] == "pending"
    claw("approvals", "--all")
    assert "state" not in daemon.asked[-1].query
    assert "git push" in shown and "github.com" in shown and "clawctl approve apr_1" in shown
    assert claw("approve", "apr_1", "--always").returncode == 0
    assert claw("deny", "apr_1", "--note", "not on a Friday").returncode == 0
    assert claw("answer", "apr_1", "the", "blue", "one").returncode == 0
    assert daemon.bodies("POST /v1/approvals/apr_1") == [
        {"decision": "allow", "always": True, "digest": "d1g35t"},
        {"decision": "deny", "note": "not on a Friday", "digest": "d1g35t"},
        {"decision": "allow", "answer": "the blue one", "digest": "d1g35t"},
    ]


def test_a_settled_or_unknown_approval_is_refused_by_the_daemon(claw: Run, daemon: FakeControl) -> None:
    daemon.routes["GET /v1/approvals"] = pages([])
    daemon.routes["POST /v1/approvals/apr_1"] = error(409, "settled", "denied by web at 08:00")
    done = claw("approve", "apr_1")
    assert done.returncode == 5
    assert "denied by web at 08:00" in done.stderr
    assert claw("approve", "apr_9").returncode == 4


def test_what_is_set_up_is_sent_as_given(claw: Run, daemon: FakeControl) -> None:
    daemon.routes |= {
        "POST /v1/schedules": {"id": "sch_1", "name": "brief", "next_at": "2036-11-20T08:00:00.000Z"},
        "POST /v1/schedules/brief/run": {"signal": "sig_1"},
        "DELETE /v1/schedules/brief": Reply(204, text=""),
        "POST /v1/watches": {"id": "wat_1"},
        "DELETE /v1/watches/wat_1": error(409, "config", "it stands in config.toml"),
        "POST /v1/mutes": {"what": "octo/app"},
        "POST /v1/github/connect": {"items": [{"name": "octo/app", "mode": "hook", "hook_id": 7}]},
    }
    added = claw(
        "schedule", "add", "--cron", "0 8 * * 1-5", "--name", "brief", "brief", "me", "--missed=once"
    )
    assert added.stdout.startswith("added brief, next in ")
    assert daemon.bodies("POST /v1/schedules") == [
        {"name": "brief", "cron": "0 8 * * 1-5", "missed": "once", "prompt": "brief me"}
    ]
    assert "sig_1" in claw("schedule", "run", "brief").stdout
    assert claw("schedule", "rm", "brief").stdout == "brief is removed\n"
    claw("watch", "add", "~/src", "--match", "*.py", "--match", "*.toml", "--quiet", "3s")
    assert daemon.bodies("POST /v1/watches") == [
        {"path": f"{daemon.home}/src", "match": ["*.py", "*.toml"], "quiet": "3s"}
    ]
    assert claw("watch", "rm", "wat_1").returncode == 5
    claw("mute", "octo/app", "--for", "2d")
    assert daemon.bodies("POST /v1/mutes") == [{"what": "octo/app", "for": "2d"}]
    assert "octo/app" in claw("github", "connect", "octo/app").stdout
    assert daemon.bodies("POST /v1/github/connect") == [{"repo": "octo/app"}]


def test_notify_test_fails_when_a_delivery_did(claw: Run, daemon: FakeControl) -> None:
    good: dict[str, object] = {"to": "desktop", "ok": True, "error": None}
    daemon.routes["POST /v1/notifications/test"] = {"id": "ntf_1", "deliveries": [good]}
    assert claw("notify", "test").stdout == "desktop  sent\n"
    bad = {"to": "ntfy", "ok": False, "error": "no route"}
    daemon.routes["POST /v1/notifications/test"] = {"id": "ntf_1", "deliveries": [good, bad]}
    done = claw("notify", "test")
    assert done.returncode == 1
    assert "ntfy  FAILED: no route" in done.stdout
    daemon.routes["POST /v1/notifications/test"] = {"id": "ntf_1", "deliveries": []}
    assert "notify.urls" in claw("notify", "test").stdout


def test_rules_test_tells_what_would_have_been(claw: Run, daemon: FakeControl) -> None:
    row = {
        "signal": "sig_1",
        "at": "2026-11-20T08:00:00.000Z",
        "subject": "octo/app#5",
        "kind": "issues.opened",
        "verdict": "notify",
        "was": "record",
        "rule": "r1",
        "title": "Fix it",
    }
    counts = {"ignore": 3, "record": 4, "notify": 1, "propose": 0, "act": 0}
    daemon.routes["POST /v1/rules/test"] = {
        "since": "2026-11-13",
        "signals": 8,
        "counts": counts,
        "told": [row],
        "asked": [],
        "done": [],
        "changed": [row],
    }
    said = claw("rules", "test", "--since", "7d").stdout
    assert daemon.bodies("POST /v1/rules/test") == [{"since": "7d"}]
    assert "8 signals since 2026-11-13: 3 ignore, 4 record, 1 notify, 0 propose, 0 act" in said
    assert "told (1):" in said and "changed (1):" in said and "asked" not in said
