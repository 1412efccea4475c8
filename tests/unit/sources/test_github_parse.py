"""Every webhook GitHub sends becomes one signal, whatever its shape, and keeps its key when it comes again."""

import copy
import hashlib
import hmac
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from tests.fakes.journal import check_draft

from nightclaw.core.types import SignalDraft
from nightclaw.sources.github import accounts_of, parse, repository_of, verify

DATA = Path(__file__).parents[2] / "data"
REAL = Path(__file__).parents[4] / "shared" / "data" / "github-webhooks"
needs_real = pytest.mark.skipif(not REAL.is_dir(), reason="the folder of real webhook bodies is not here")

# The same thing recorded twice by GitHub's own examples (once with an organization or an installation beside it).
SAME = [
    ("check_suite", "completed"),
    ("commit_comment", "created"),
    ("issue_comment", "created"),
    ("issues", "assigned"),
    ("issues", "opened"),
    ("label", "created"),
    ("pull_request", "converted_to_draft"),
    ("pull_request", "ready_for_review"),
    ("push", None),
    ("release", "created"),
]


def body_of(name: str) -> dict[str, Any]:
    return json.loads((DATA / "webhooks" / f"{name}.json").read_bytes())


def signal_of(event: str, body: dict[str, Any], delivery: str = "d-1", bot: str | None = None) -> SignalDraft:
    draft = parse(event, delivery, json.dumps(body).encode(), body, bot=bot)
    check_draft(draft)
    return draft


def manifest() -> list[dict[str, Any]]:
    return [json.loads(line) for line in (REAL / "MANIFEST.jsonl").read_text().splitlines()]


def shown(row: dict[str, Any], n: int) -> dict[str, Any]:
    """What the golden file holds of one body: nothing of its text but the title."""
    raw = (REAL / row["file"]).read_bytes()
    draft = parse(row["event"], f"guid-{n}", raw, json.loads(raw))
    check_draft(draft)
    digest = hashlib.sha256(json.dumps(draft.attrs, sort_keys=True).encode()).hexdigest()[:16]
    facts = {"kind": draft.kind, "subject": draft.subject, "key": draft.dedupe_key, "title": draft.title}
    return {"file": row["file"], **facts, "attrs": digest}


@needs_real
def test_every_real_body_is_parsed_as_it_always_was() -> None:
    golden = [json.loads(line) for line in (DATA / "github_golden.jsonl").read_text().splitlines()]
    assert [shown(row, n) for n, row in enumerate(manifest())] == golden


@needs_real
def test_two_real_bodies_have_one_key_only_when_they_tell_of_one_thing() -> None:
    by_key: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for n, row in enumerate(manifest()):
        by_key[shown(row, n)["key"]].append(row)
    shared = [rows for rows in by_key.values() if len(rows) > 1]
    assert sorted((r[0]["event"], r[0]["action"] or "") for r in shared) == [(e, a or "") for e, a in SAME]
    assert all(len(rows) == 2 for rows in shared)


@needs_real
def test_a_redelivery_has_the_key_of_the_delivery_and_its_fields_may_come_in_any_order() -> None:
    for row in manifest():
        raw = (REAL / row["file"]).read_bytes()
        body = json.loads(raw)
        first, again = parse(row["event"], "guid", raw, body), parse(row["event"], "guid", raw, body)
        turned = json.dumps(dict(reversed(body.items()))).encode()
        assert first == again
        assert parse(row["event"], "guid", turned, json.loads(turned)).dedupe_key == first.dedupe_key


def test_label_unlabel_label_are_three_occurrences() -> None:
    body = body_of("issues.labeled")
    keys = []
    for second, action in enumerate(("labeled", "unlabeled", "labeled")):
        body |= {"action": action, "issue": body["issue"] | {"updated_at": f"2026-11-20T06:54:0{second}Z"}}
        keys.append(signal_of("issues", body).dedupe_key)
    assert len(set(keys)) == 3
    assert keys[0] == "issues.labeled:MDU6SXNzdWU0NDQ1MDAwNDE=:bug@2026-11-20T06:54:00Z"


@pytest.mark.parametrize(
    ("event", "body", "change"),
    [
        ("issues", "issues.labeled", {"label": {"name": "other"}}),
        ("issues", "issues.labeled", {"label": {"name": "bug\u200b"}}),
        ("issues", "issues.labeled", {"label": {"name": "bug@2019-05-15T15:20:18Z"}}),
        ("pull_request", "pull_request.review_requested", {"requested_reviewer": {"login": "hubot"}}),
        (
            "pull_request",
            "pull_request.review_requested",
            {"requested_reviewer": None, "requested_team": {"slug": "octocat"}},
        ),
        ("issue_comment", "issue_comment.created", {"comment": {"id": 492700401}}),
        ("workflow_run", "workflow_run.completed", {"workflow_run": {"run_attempt": 2}}),
        ("workflow_run", "workflow_run.completed", {"workflow_run": {"id": 1, "node_id": "x"}}),
        ("check_run", "check_run.completed", {"check_run": {"conclusion": "success"}}),
        ("check_run", "check_run.completed", {"check_run": {"completed_at": "2019-05-15T15:22:12Z"}}),
        ("check_run", "check_run.completed", {"check_run": {"head_sha": "0" * 39 + "1"}}),
        ("push", "push", {"after": "1" * 40}),
        ("push", "push", {"ref": "refs/heads/other"}),
        ("push", "push", {"repository": {"pushed_at": 1557933999}}),
    ],
)  # fmt: skip
def test_what_tells_two_occurrences_apart_is_in_the_key(
    event: str, body: str, change: dict[str, Any]
) -> None:
    one = body_of(body)
    other = copy.deepcopy(one)
    for name, value in change.items():
        other[name] = {**other.get(name, {}), **value} if isinstance(value, dict) else value
    assert signal_of(event, one).dedupe_key != signal_of(event, other).dedupe_key


@pytest.mark.parametrize(
    ("event", "body", "change"),
    [
        (
            "issue_comment",
            "issue_comment.created",
            {"issue": {"comments": 7, "updated_at": "2030-01-01T00:00:00Z"}},
        ),
        ("workflow_run", "workflow_run.completed", {"workflow_run": {"updated_at": "2030-01-01T00:00:00Z"}}),
        ("issues", "issues.opened", {"issue": {"title": "renamed", "updated_at": "2030-01-01T00:00:00Z"}}),
        ("issues", "issues.labeled", {"issue": {"updated_at": "2019-05-15T17:20:18.000+02:00"}}),
        ("pull_request", "pull_request.review_requested", {"installation": {"id": 99}}),
    ],
)
def test_what_changes_afterwards_is_not_in_the_key(event: str, body: str, change: dict[str, Any]) -> None:
    one = body_of(body)
    later = copy.deepcopy(one)
    for name, value in change.items():
        later[name] = {**later.get(name, {}), **value}
    assert signal_of(event, one, "d-1").dedupe_key == signal_of(event, later, "d-2").dedupe_key


def test_where_nothing_tells_two_apart_the_delivery_does() -> None:
    body = body_of("ping")
    assert signal_of("ping", body, "a").dedupe_key == signal_of("ping", body, "a").dedupe_key
    assert signal_of("ping", body, "a").dedupe_key != signal_of("ping", body, "b").dedupe_key
    assert signal_of("ping", body, "").dedupe_key != signal_of("ping", body | {"zen": "other"}, "").dedupe_key


def test_an_old_body_without_node_ids_is_known_by_its_number() -> None:
    body = body_of("issues.opened")
    del body["issue"]["node_id"]
    assert signal_of("issues", body).dedupe_key == "issues.opened:444500041:2019-05-15T15:20:18Z"


def test_an_event_of_the_future_is_kept() -> None:
    body = {
        "action": "teleported",
        "repository": body_of("ping")["repository"],
        "sender": {"login": "octocat"},
    }
    draft = signal_of("issue_teleport", body)
    assert (draft.kind, draft.subject) == ("issue_teleport.teleported", "Octocoders/Hello-World")
    assert draft.title == "Octocoders/Hello-World issue teleport teleported by octocat"


def test_the_facts_rules_read() -> None:
    labeled = signal_of("issues", body_of("issues.labeled"))
    assert (
        labeled.title
        == "Codertocat/Hello-World#1 labeled bug by Codertocat: Spelling error in the README file"
    )
    assert (labeled.subject, labeled.actor, labeled.private) == (
        "Codertocat/Hello-World#1",
        "Codertocat",
        False,
    )
    assert labeled.attrs["label"] == "bug" and labeled.attrs["association"] == "OWNER"
    asked = signal_of("pull_request", body_of("pull_request.review_requested"))
    assert (asked.attrs["reviewer"], asked.attrs["number"], asked.attrs["is_pr"]) == ("octocat", 2, True)
    assert asked.title.startswith("Codertocat/Hello-World#2 review asked of octocat by Codertocat: ")
    run = signal_of("workflow_run", body_of("workflow_run.completed"))
    assert run.subject == "octo-org/octo-repo@master", "its pull request is of another repository"
    facts = {
        k: run.attrs[k] for k in ("conclusion", "check", "suite", "branch", "default_branch", "head_login")
    }
    assert facts == {
        "conclusion": "success",
        "check": "test",
        "suite": "run:289782451",
        "branch": "master",
    } | {
        "default_branch": "master",
        "head_login": "Codertocat",
    }
    check = signal_of("check_run", body_of("check_run.completed"))
    assert (check.subject, check.attrs["prs"], check.attrs["conclusion"]) == (
        "Codertocat/Hello-World#2",
        [2],
        "failure",
    )
    comment = signal_of("issue_comment", body_of("issue_comment.created"))
    assert comment.attrs["comment_id"] == 492700400
    assert comment.attrs["object_ids"] == ["MDEyOklzc3VlQ29tbWVudDQ5MjcwMDQwMA==", "492700400"]


def test_a_check_asked_for_again_does_not_carry_its_former_end() -> None:
    body = body_of("check_run.completed") | {"action": "rerequested"}
    assert "conclusion" not in signal_of("check_run", body).attrs


@pytest.mark.parametrize(
    ("repository", "private"),
    [
        ({"private": True}, True),
        ({"private": False}, False),
        ({"private": "no", "visibility": "public"}, False),
        ({"private": None}, True),
    ],
)
def test_what_is_not_known_to_be_public_is_private(repository: dict[str, Any], private: bool) -> None:
    assert signal_of("push", {"repository": {"full_name": "octo/app"} | repository}).private is private


HOSTILE = (
    "\x1b[31mred\x1b[0m \x1b]0;title\x07 \u202eevil\u202c \u2066x\u2069 a\r\nb\x00\t\ud800 \u200b \x9b2J end"
)


def test_hostile_text_is_shown_as_one_plain_line() -> None:
    body = body_of("issues.labeled")
    body["issue"]["title"] = HOSTILE + "x" * 5000
    body["label"]["name"] = HOSTILE
    body["sender"]["login"] = "oc\u202eto"
    draft = signal_of("issues", body)
    assert "red evil x a b end" in str(draft.attrs["title"])
    assert len(draft.title) == 200 and draft.title.endswith("…")
    assert draft.actor == "octo"


def test_a_signature_is_believed_only_when_it_signs_these_bytes() -> None:
    raw, secret = b'{"zen": 1}', b"s3cret"
    good = "sha256=" + hmac.new(secret, raw, hashlib.sha256).hexdigest()
    assert verify(secret, raw, good)
    sha1 = "sha1=" + hmac.new(secret, raw, hashlib.sha1).hexdigest()
    for bad in (None, "", "sha256=", good.upper(), good + "0", good[:-1], sha1, "sha256=é" + good[8:]):
        assert not verify(secret, raw, bad)
    assert not verify(secret, raw + b" ", good)
    assert not verify(b"", raw, "sha256=" + hmac.new(b"", raw, hashlib.sha256).hexdigest())


def test_whom_an_event_without_a_repository_is_admitted_by() -> None:
    body = {
        "organization": {"login": "octo"},
        "installation": {"account": {"login": "acc"}},
        "sender": {"login": "s"},
    }
    assert accounts_of(body) == ["octo", "acc", "s"]
    assert repository_of(body) is None
    assert repository_of({"repository": {"full_name": "octo/../app"}}) == "?"
    assert repository_of({"repository": {"full_name": "octo/app"}}) == "octo/app"
