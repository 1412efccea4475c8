"""No body is an error and no two occurrences share a key, for any shape that chance can think of."""

import json
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fakes.journal import check_draft

from nightclaw.core.types import SignalDraft
from nightclaw.sources.github import accounts_of, parse, repository_of

WEBHOOKS = Path(__file__).parents[2] / "data" / "webhooks"
BODIES = [(path.stem.partition(".")[0], path.stem) for path in sorted(WEBHOOKS.glob("*.json"))]


def body_of(name: str) -> dict[str, Any]:
    return json.loads((WEBHOOKS / f"{name}.json").read_bytes())


def signal_of(event: str, body: dict[str, Any], delivery: str = "d-1") -> SignalDraft:
    draft = parse(event, delivery, json.dumps(body).encode(), body)
    check_draft(draft)
    return draft


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
EVENTS = [
    *(
        "issues",
        "pull_request",
        "issue_comment",
        "push",
        "check_run",
        "check_suite",
        "workflow_run",
        "status",
    ),
    *(
        "workflow_job",
        "release",
        "pull_request_review",
        "discussion",
        "create",
        "label",
        "star",
        "nonsense",
        "",
    ),
]
FIELDS = [
    *(
        "action",
        "issue",
        "pull_request",
        "comment",
        "review",
        "repository",
        "sender",
        "organization",
        "label",
    ),
    *(
        "check_run",
        "check_suite",
        "workflow_run",
        "status",
        "head_commit",
        "commits",
        "ref",
        "after",
        "branches",
    ),
    *(
        "alert",
        "requested_reviewer",
        "changes",
        "installation",
        "release",
        "discussion",
        "pusher",
        "workflow",
    ),
]


@settings(max_examples=300, deadline=None)
@given(
    event=st.sampled_from(EVENTS) | st.text(max_size=20),
    delivery=st.text(max_size=40),
    body=st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=6), json_values, max_size=10),
)
def test_no_body_of_any_shape_is_an_error(event: str, delivery: str, body: dict[str, Any]) -> None:
    raw = json.dumps(body).encode()
    draft = parse(event, delivery, raw, body, bot="octo-bot")
    check_draft(draft)
    assert parse(event, delivery, raw, body, bot="octo-bot") == draft
    assert all(accounts_of(body)) and repository_of(body) != ""


def _paths(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if isinstance(value, dict):
        return [p for k, v in value.items() for p in [(*at, k), *_paths(v, (*at, k))]]
    if isinstance(value, list):
        return [p for k, v in enumerate(value[:2]) for p in _paths(v, (*at, k))]
    return []


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_a_real_body_with_anything_put_anywhere_is_no_error(data: st.DataObject) -> None:
    event, name = data.draw(st.sampled_from(BODIES))
    body = body_of(name)
    for path in data.draw(st.lists(st.sampled_from(_paths(body)), min_size=1, max_size=4)):
        place: Any = body
        for step in path[:-1]:
            place = place[step] if isinstance(place, dict | list) and _has(place, step) else None
        if isinstance(place, dict):
            place[path[-1]] = data.draw(json_values)
    signal_of(event, body)


def _has(place: Any, step: Any) -> bool:
    return step in place if isinstance(place, dict) else isinstance(step, int) and step < len(place)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["labeled", "unlabeled"]), st.text(max_size=30), st.integers(0, 59)),
        min_size=2,
        max_size=6,
        unique=True,
    )
)
def test_different_label_occurrences_never_share_a_key(changes: list[tuple[str, str, int]]) -> None:
    body = body_of("issues.labeled")
    keys = set()
    for n, (action, label, second) in enumerate(changes):
        issue = body["issue"] | {"updated_at": f"2026-11-20T06:54:{second:02}Z"}
        keys.add(
            signal_of(
                "issues", body | {"action": action, "label": {"name": label}, "issue": issue}, f"d{n}"
            ).dedupe_key
        )
    assert len(keys) == len(changes)
