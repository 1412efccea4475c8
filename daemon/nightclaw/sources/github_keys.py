"""What happened, as a key: the same for a delivery, its redelivery and a poll, different for anything else.

A key is `event.action:node_id:discriminator`. The table below says what tells two occurrences of a kind apart;
where a body holds nothing that does, it is the delivery's id (which GitHub keeps when it redelivers), and without
one the digest of the body. Sources: https://docs.github.com/en/webhooks/webhook-events-and-payloads
"""

import hashlib
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

Body = Mapping[str, object]

NOTHING: Body = {}
ZEROS = "0" * 40

_SAFE = re.compile(r"[\w .,/+=()\[\]*!-]{1,100}")
_WHEN = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)


def obj(body: Body, name: str) -> Body:
    """`body[name]` when it is an object, else an empty one."""
    found = body.get(name)
    return found if isinstance(found, Mapping) else NOTHING


def whole(value: object) -> int | None:
    """A positive integer that fits in 63 bits (no bool), or None."""
    return value if type(value) is int and 0 < value < 1 << 63 else None


def when(value: object) -> str | None:
    """An instant as ISO 8601 in UTC (`2026-11-20T06:54:00Z`, with a fraction only when there is one), or None."""
    if isinstance(value, str):
        if _WHEN.fullmatch(value):
            return value
        try:
            at = datetime.fromisoformat(value[:40])
        except ValueError:
            return None
    elif type(value) is int and 0 < value < 1 << 36:
        at = datetime.fromtimestamp(value, UTC)
    else:
        return None
    try:
        at = (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (OverflowError, ValueError):
        return None
    return at.strftime("%Y-%m-%dT%H:%M:%S") + (f".{at.microsecond:06d}" if at.microsecond else "") + "Z"


def when_ms(value: object) -> int | None:
    """The same instant in ms."""
    text = when(value)
    try:
        return int(datetime.fromisoformat(text).timestamp() * 1000) if text else None
    except ValueError:
        return None


def _part(value: object) -> str | None:
    """A value as a piece of a key that cannot be taken for another: odd text is replaced by its digest."""
    if isinstance(value, str):
        if _SAFE.fullmatch(value):
            return value
        return "~" + _digest(value.encode("utf-8", "surrogatepass")) if value else None
    number = whole(value)
    return str(number) if number else None


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:32]


def _node(thing: Body) -> str | None:
    for name in ("node_id", "id", "full_name", "login"):
        found = _part(thing.get(name))
        if found:
            return found
    return None


Found = tuple[Body, tuple[str | None, ...]] | None
"""The object an occurrence is about, and what tells it apart; None: only the delivery does."""

_CHANGING = frozenset(
    {"edited", "reopened", "locked", "unlocked", "pinned", "unpinned", "transferred", "deleted", "enqueued"}
    | {"dequeued", "ready_for_review", "converted_to_draft", "auto_merge_enabled", "auto_merge_disabled"}
)


def _issue(name: str) -> Callable[[str, Body], Found]:
    def found(action: str, body: Body) -> Found:
        thing = obj(body, name)
        changed = when(thing.get("updated_at"))
        match action:
            case "opened":
                return thing, (when(thing.get("created_at")),)
            case "closed":
                return thing, (when(thing.get("closed_at")) or changed,)
            case "labeled" | "unlabeled":
                return thing, (_part(obj(body, "label").get("name")), changed)
            case "assigned" | "unassigned":
                return thing, (_part(obj(body, "assignee").get("login")), changed)
            case "milestoned" | "demilestoned":
                return thing, (_part(obj(body, "milestone").get("title")), changed)
            case "review_requested" | "review_request_removed":
                return thing, (_reviewer(body), changed)
            case "synchronize":
                return thing, (_part(obj(thing, "head").get("sha")) or _part(body.get("after")),)
            case _:
                return (thing, (changed,)) if action in _CHANGING else None

    return found


def _reviewer(body: Body) -> str | None:
    one = _part(obj(body, "requested_reviewer").get("login"))
    if one:
        return one
    team = obj(body, "requested_team")
    slug = _part(team.get("slug")) or _part(team.get("name"))
    return f"team {slug}" if slug else None


def _comment(action: str, body: Body) -> Found:
    comment = obj(body, "comment")
    number = _part(comment.get("id"))
    return comment, (number, when(comment.get("updated_at"))) if action == "edited" else (number,)


def _review(action: str, body: Body) -> Found:
    review = obj(body, "review")
    number = _part(review.get("id"))
    return (review, (number,)) if action in ("submitted", "dismissed") else None


def _discussion(action: str, body: Body) -> Found:
    thing = obj(body, "discussion")
    return (thing, (when(thing.get("created_at")),)) if action == "created" else None


def _push(action: str, body: Body) -> Found:
    before, after = _part(body.get("before")), _part(body.get("after"))
    repository = obj(body, "repository")
    parts = (_part(body.get("ref")), before, after)
    if ZEROS in (before, after):  # a branch made or removed can come again with the same commits
        return repository, (*parts, when(repository.get("pushed_at")))
    return repository, parts


def _check_run(action: str, body: Body) -> Found:
    run = obj(body, "check_run")
    sha = _part(run.get("head_sha"))
    if action == "completed":
        return run, (sha, _part(run.get("conclusion")), when(run.get("completed_at")))
    return (run, (sha, when(run.get("started_at")))) if action == "created" else None


def _check_suite(action: str, body: Body) -> Found:
    suite = obj(body, "check_suite")
    sha = _part(suite.get("head_sha"))
    if action == "completed":
        return suite, (sha, _part(suite.get("conclusion")), when(suite.get("updated_at")))
    return (suite, (sha, when(suite.get("created_at")))) if action == "requested" else None


def _workflow_run(action: str, body: Body) -> Found:
    run = obj(body, "workflow_run")
    return run, (_part(run.get("id")), _part(run.get("run_attempt", 1)))


def _workflow_job(action: str, body: Body) -> Found:
    job = obj(body, "workflow_job")
    return job, (_part(job.get("run_id")), _part(job.get("id")), _part(job.get("run_attempt", 1)))


def _status(action: str, body: Body) -> Found:
    parts = (body.get("sha"), body.get("context"), body.get("state"), body.get("id"))
    return obj(body, "repository"), tuple(_part(p) for p in parts)


def _release(action: str, body: Body) -> Found:
    release = obj(body, "release")
    number = _part(release.get("id"))
    if action == "edited":
        return release, (number, when(release.get("updated_at")))
    if action in ("created", "deleted"):
        return release, (number, when(release.get("created_at")))
    if action in ("published", "released", "prereleased"):
        return release, (number, when(release.get("published_at")))
    return None


def _once(name: str, *actions: str) -> Callable[[str, Body], Found]:
    """Things that happen to an object once in its life."""

    def found(action: str, body: Body) -> Found:
        thing = obj(body, name)
        number = _part(thing.get("id")) or _part(thing.get("ghsa_id")) or _part(thing.get("number"))
        return (thing, (number,)) if action in actions else None

    return found


def _milestone(action: str, body: Body) -> Found:
    thing = obj(body, "milestone")
    return thing, (_part(thing.get("number")), when(thing.get("updated_at")))


def _star(action: str, body: Body) -> Found:
    who = _part(obj(body, "sender").get("login"))
    return (obj(body, "repository"), (who, when(body.get("starred_at")))) if action == "created" else None


def _advisory(action: str, body: Body) -> Found:
    advisory = obj(body, "security_advisory")
    return {"id": advisory.get("ghsa_id")}, (_part(advisory.get("ghsa_id")), when(advisory.get("updated_at")))


_FOUND: dict[str, Callable[[str, Body], Found]] = {
    "issues": _issue("issue"),
    "pull_request": _issue("pull_request"),
    "issue_comment": _comment,
    "commit_comment": _comment,
    "pull_request_review_comment": _comment,
    "discussion_comment": _comment,
    "discussion": _discussion,
    "pull_request_review": _review,
    "push": _push,
    "check_run": _check_run,
    "check_suite": _check_suite,
    "workflow_run": _workflow_run,
    "workflow_job": _workflow_job,
    "status": _status,
    "release": _release,
    "deployment": _once("deployment", "created"),
    "deployment_status": _once("deployment_status", "created"),
    "label": _once("label", "created", "deleted"),
    "fork": _once("forkee", ""),
    "meta": _once("hook", "deleted"),
    "milestone": _milestone,
    "star": _star,
    "security_advisory": _advisory,
}

_ABOUT = {
    "issue_comment": "comment",
    "commit_comment": "comment",
    "pull_request_review_comment": "comment",
    "discussion_comment": "comment",
    "pull_request_review": "review",
    "pull_request_review_thread": "thread",
    "issues": "issue",
    "fork": "forkee",
    "ping": "hook",
    "meta": "hook",
    "page_build": "build",
    "deploy_key": "key",
}


def dedupe_key(kind: str, event: str, action: str, delivery: str, raw: bytes, body: Body) -> str:
    """The key of one occurrence. `kind` is the signal's; `delivery` may be empty. Never raises."""
    finder = _FOUND.get(event)
    found = finder(action, body) if finder else None
    if found:
        node = _node(found[0])
        if node and all(found[1]):
            return f"{_part(kind)}:{node}:{'@'.join(p for p in found[1] if p)}"
    return f"{_part(kind)}:{_about(event, body)}:{_part(delivery) or _digest(raw)}"


def _about(event: str, body: Body) -> str:
    names = (_ABOUT.get(event, event), "alert", "repository", "organization", "installation", "sender")
    for name in names:
        node = _node(obj(body, name))
        if node:
            return node
    return "account"
