"""What polling finds, in the shape a webhook would have had: `parse` then gives both the same key.

Each kind has one listing as its authority; the repository's event feed adds what no listing shows (pushes,
releases) and kinds whose key cannot drift between the two. Pure; takes any shape.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from nightclaw.sources.github_keys import ZEROS, Body, obj, whole

Row = Mapping[str, object]

_ISSUE_ACTIONS = {
    **{
        name: name
        for name in ("labeled", "unlabeled", "assigned", "unassigned", "milestoned", "demilestoned")
    },
    **{name: name for name in ("locked", "unlocked", "pinned", "unpinned", "closed", "reopened")},
    **{name: name for name in ("review_requested", "review_request_removed", "ready_for_review")},
    "convert_to_draft": "converted_to_draft",
    "renamed": "edited",
}
_PULLS_ONLY = frozenset(
    {"review_requested", "review_request_removed", "ready_for_review", "converted_to_draft"}
)
FAILING = frozenset({"failure", "timed_out", "startup_failure"})


@dataclass(frozen=True, slots=True)
class Found:
    """One occurrence. id: the row's own id. thread: the number of an issue still to be looked up.

    standing: it still holds (a red default branch, an unanswered review request), however old it is.
    feed: from the event feed, which now and then leaves out what makes a key: then it is left out too.
    """

    event: str
    body: dict[str, object]
    id: str
    thread: int | None = None
    standing: bool = False
    feed: bool = False


def slim_repository(row: Body) -> dict[str, object]:
    """The part of a repository that keys, attrs and rules read: the rest is 6 kB of addresses."""
    names = (
        "id",
        "node_id",
        "name",
        "full_name",
        "private",
        "visibility",
        "default_branch",
        "html_url",
        "fork",
    )
    slim = {name: row[name] for name in names if name in row}
    owner = obj(row, "owner")
    slim["owner"] = {name: owner[name] for name in ("login", "id", "type") if name in owner}
    return slim


def slim(row: Row) -> dict[str, object]:
    """A copy of a row whose nested repositories are slim."""
    copy = dict(row)
    for name in ("repository", "head_repository"):
        if isinstance(row.get(name), Mapping):
            copy[name] = slim_repository(obj(row, name))
    for name in ("head", "base"):
        side = obj(row, name)
        if isinstance(side.get("repo"), Mapping):
            copy[name] = {**side, "repo": slim_repository(obj(side, "repo"))}
    return copy


def _found(event: str, action: str, row: Row, repo: Body, sender: object, **parts: object) -> Found:
    body: dict[str, object] = {"action": action, **parts, "repository": repo}
    if isinstance(sender, Mapping) and sender:
        body["sender"] = sender
    return Found(event, body, str(row.get("id") or row.get("node_id") or ""))


def opened_issue(row: Row, repo: Body) -> Found | None:
    """`issues.opened` of a row of /issues; None for a pull request."""
    if row.get("pull_request") is not None:
        return None
    return _found("issues", "opened", row, repo, row.get("user"), issue=row)


def pull_request(row: Row) -> dict[str, object]:
    """A row of /pulls as a webhook shows it."""
    return {**slim(row), "merged": row.get("merged_at") is not None}


def opened_pull(pull: Row, repo: Body) -> Found:
    return _found(
        "pull_request", "opened", pull, repo, pull.get("user"), number=pull.get("number"), pull_request=pull
    )


def pushed_pull(pull: Row, repo: Body, before: str) -> Found:
    """`pull_request.synchronize`: its head is no longer `before`. Who pushed is not known."""
    sha = obj(pull, "head").get("sha")
    parts = {"number": pull.get("number"), "before": before, "after": sha, "pull_request": pull}
    return _found("pull_request", "synchronize", pull, repo, None, **parts)


def review(row: Row, pull: Row, repo: Body) -> Found | None:
    """A row of /pulls/N/reviews; None for one not yet submitted."""
    state = str(row.get("state") or "").lower()
    if state == "pending":
        return None
    action = "dismissed" if state == "dismissed" else "submitted"
    sender = None if state == "dismissed" else row.get("user")
    return _found(
        "pull_request_review", action, row, repo, sender, review={**row, "state": state}, pull_request=pull
    )


def issue_event(row: Row, repo: Body, pulls: Mapping[int, Row]) -> Found | None:
    """A row of /issues/events; None for kinds that no webhook has."""
    action, issue = _ISSUE_ACTIONS.get(str(row.get("event"))), obj(row, "issue")
    at = row.get("created_at")
    if action is None or not issue:
        return None
    times: dict[str, object] = {"updated_at": at}
    if action == "closed":
        times["closed_at"] = at
    sender = row.get("review_requester") or row.get("assigner") or row.get("actor")
    parts: dict[str, object] = {
        name: row[name]
        for name in ("label", "assignee", "milestone", "requested_reviewer", "requested_team")
        if isinstance(row.get(name), Mapping)
    }
    if action == "edited":
        parts["changes"] = {"title": {"from": obj(row, "rename").get("from")}}
    if isinstance(issue.get("pull_request"), Mapping):
        number = whole(issue.get("number"))
        pull = pulls.get(number) if number else None
        if pull is None:
            merged = obj(issue, "pull_request").get("merged_at") is not None
            pull = {k: v for k, v in issue.items() if k != "pull_request"} | {"merged": merged}
        return _found(
            "pull_request", action, row, repo, sender, number=number, pull_request={**pull, **times}, **parts
        )
    if action in _PULLS_ONLY:
        return None
    return _found("issues", action, row, repo, sender, issue={**issue, **times}, **parts)


def comments(row: Row, repo: Body) -> list[Found]:
    """A row of /issues/comments: that it was made and, if so, that it was edited. The issue is looked up later."""
    return _spoken("issue_comment", row, repo, "issue_url", "issue")


def review_comments(row: Row, repo: Body) -> list[Found]:
    return _spoken("pull_request_review_comment", row, repo, "pull_request_url", "pull_request")


def _spoken(event: str, row: Row, repo: Body, link: str, name: str) -> list[Found]:
    tail = str(row.get(link) or "").rpartition("/")[2]
    number = int(tail) if tail.isascii() and tail.isdigit() and len(tail) < 12 else None
    thread: dict[str, object] = {"number": number}
    if name == "issue" and "/pull/" in str(row.get("html_url") or ""):
        thread["pull_request"] = {}
    made = replace(
        _found(event, "created", row, repo, row.get("user"), comment=row, **{name: thread}), thread=number
    )
    if row.get("updated_at") in (None, row.get("created_at")):
        return [made]
    return [made, replace(made, body={**made.body, "action": "edited"})]


def finished_run(row: Row, repo: Body) -> Found | None:
    """`workflow_run.completed` of a row of /actions/runs; None while it runs."""
    if row.get("status") != "completed":
        return None
    sender = row.get("triggering_actor") or row.get("actor")
    return _found("workflow_run", "completed", row, repo, sender, workflow_run=slim(row))


def failing_runs(rows: Sequence[Row], repo: Body) -> set[str]:
    """Ids of the runs that leave the default branch red: the newest finished one of each workflow that failed."""
    newest: dict[str, Row] = {}
    for row in rows:
        home = obj(row, "head_repository").get("full_name") in (None, repo.get("full_name"))
        on_default = home and row.get("head_branch") == repo.get("default_branch")
        if row.get("status") == "completed" and on_default:
            held = newest.setdefault(str(row.get("workflow_id")), row)
            if (whole(row.get("run_number")) or 0) > (whole(held.get("run_number")) or 0):
                newest[str(row.get("workflow_id"))] = row
    return {str(row.get("id")) for row in newest.values() if row.get("conclusion") in FAILING}


def finished_check(row: Row, repo: Body, branch: str) -> Found | None:
    """`check_run.completed` of a row of /commits/BRANCH/check-runs; None while it runs."""
    if row.get("status") != "completed":
        return None
    suite = {"head_branch": branch, "head_sha": row.get("head_sha"), **obj(row, "check_suite")}
    return replace(
        _found("check_run", "completed", row, repo, None, check_run={**row, "check_suite": suite}),
        standing=row.get("conclusion") in FAILING,
    )


_FEED = {
    "PushEvent": "push",
    "ReleaseEvent": "release",
    "ForkEvent": "fork",
    "CommitCommentEvent": "commit_comment",
    "IssuesEvent": "issues",
    "IssueCommentEvent": "issue_comment",
    "PullRequestEvent": "pull_request",
    "PullRequestReviewEvent": "pull_request_review",
    "PullRequestReviewCommentEvent": "pull_request_review_comment",
    "DiscussionEvent": "discussion",
}
_STEADY = frozenset(
    {"push", "fork", "release.published", "commit_comment.created", "issues.opened", "issues.closed"}
    | {"issue_comment.created", "pull_request.opened", "pull_request.closed", "pull_request_review.submitted"}
    | {"pull_request_review_comment.created", "discussion.created"}
)


def feed_event(row: Row, repo: Body, is_only: bool) -> Found | None:
    """A row of /repos/R/events whose key cannot differ from its webhook's.

    is_only: /issues/events cannot be read, so the feed is the authority for labels and people too.
    """
    event, payload = _FEED.get(str(row.get("type"))), obj(row, "payload")
    if event is None:
        return None
    actor = obj(row, "actor")
    sender = {name: actor[name] for name in ("login", "id") if name in actor}
    if event == "push":
        return _pushed(row, payload, repo, sender)
    action = str(payload.get("action") or "")
    if event == "pull_request_review" and action == "created":
        action = "submitted"
    if event == "fork":
        action = ""
    if (f"{event}.{action}" if action else event) not in _STEADY and not (
        is_only and event in ("issues", "pull_request")
    ):
        return None
    parts = {k: slim(v) if isinstance(v, Mapping) else v for k, v in payload.items() if k != "action"}
    found = replace(_found(event, action, row, repo, sender, **parts), feed=True)
    if not action:
        del found.body["action"]
    return found


def is_whole(found: Found) -> bool:
    """Whether a row of the feed holds the object it is about with its node id."""
    if found.event.endswith("_comment"):
        about = "comment"
    else:
        about = {
            "push": "repository",
            "fork": "forkee",
            "issues": "issue",
            "pull_request_review": "review",
        }.get(found.event, found.event)
    return bool(obj(found.body, about).get("node_id"))


def _pushed(row: Row, payload: Body, repo: Body, sender: Body) -> Found | None:
    before, after = payload.get("before"), payload.get("head")
    if ZEROS in (before, after) or not isinstance(before, str) or not isinstance(after, str):
        return None
    listed = payload.get("commits")
    commits = [
        {"id": c.get("sha"), "message": c.get("message"), "author": c.get("author")}
        for c in (listed if isinstance(listed, list) else [])
        if isinstance(c, Mapping)
    ]
    body: dict[str, object] = {
        "ref": payload.get("ref"),
        "before": before,
        "after": after,
        "commits": commits,
        "head_commit": commits[-1] if commits else {"id": after, "timestamp": row.get("created_at")},
        "pusher": {"name": sender.get("login")},
        "repository": {**repo, "pushed_at": row.get("created_at")},
        "sender": sender,
    }
    return Found("push", body, str(row.get("id") or ""), feed=True)
