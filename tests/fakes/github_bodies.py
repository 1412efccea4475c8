"""Webhook bodies of one small repository, made as GitHub makes them: `occur` and `deliver` take the same one."""

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

Body = dict[str, Any]
NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def ago(seconds: float = 0, *, hours: float = 0, days: float = 0) -> str:
    at = NOW - timedelta(seconds=seconds, hours=hours, days=days)
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def person(login: str) -> Body:
    return {"login": login, "id": 1000 + len(login), "node_id": f"U_{login}", "type": "User"}


def node(kind: str, number: int) -> str:
    return f"{kind}_{hashlib.sha256(f'{kind}{number}'.encode()).hexdigest()[:16]}"


def repository(name: str = "octo/app", **changes: Any) -> Body:
    owner, _, short = name.partition("/")
    row = {"id": 77, "node_id": "R_kgDOapp", "name": short, "full_name": name, "private": False}
    row |= {"owner": person(owner), "default_branch": "main", "html_url": f"https://github.com/{name}"}
    return row | changes


def issue(number: int = 5, at: str | None = None, **changes: Any) -> Body:
    made = at or ago(60)
    row = {"id": 5000 + number, "node_id": node("I", number), "number": number, "title": f"Issue {number}"}
    row |= {"user": person("mona"), "state": "open", "author_association": "NONE", "body": "It is broken."}
    row |= {"created_at": made, "updated_at": made, "closed_at": None, "labels": []}
    return row | {"html_url": f"https://github.com/octo/app/issues/{number}"} | changes


def pull(number: int = 8, at: str | None = None, sha: str = "a" * 40, **changes: Any) -> Body:
    made = at or ago(60)
    row = {"id": 8000 + number, "node_id": node("PR", number), "number": number, "title": f"Change {number}"}
    row |= {"user": person("mona"), "state": "open", "draft": False, "merged_at": None, "merged": False}
    row |= {"created_at": made, "updated_at": made, "closed_at": None, "author_association": "CONTRIBUTOR"}
    row |= {
        "head": {"ref": "fix", "sha": sha, "repo": repository()},
        "base": {"ref": "main", "repo": repository()},
    }
    row |= {"requested_reviewers": [], "html_url": f"https://github.com/octo/app/pull/{number}"}
    return row | changes


def body(action: str | None, sender: str = "octocat", **parts: Any) -> Body:
    found: Body = {"action": action} if action else {}
    return found | parts | {"repository": repository(), "sender": person(sender)}


def issues(action: str, row: Body, sender: str = "octocat", at: str | None = None, **parts: Any) -> Body:
    changes = {"updated_at": at} if at else {}
    if action == "closed":
        changes |= {"closed_at": at or row["updated_at"], "state": "closed"}
    return body(action, sender, issue=row | changes, **parts)


def pulls(action: str, row: Body, sender: str = "octocat", at: str | None = None, **parts: Any) -> Body:
    changes = {"updated_at": at} if at else {}
    if action == "closed":
        changes |= {"closed_at": at or row["updated_at"], "state": "closed"}
    return body(action, sender, number=row["number"], pull_request=row | changes, **parts)


def label(name: str) -> Body:
    return {"label": {"id": 1, "node_id": "LA_1", "name": name, "color": "ededed"}}


def comment(number: int, text: str, on: Body, at: str | None = None, sender: str = "mona") -> Body:
    made = at or ago(30)
    kind = "pull" if "pull_request" in on else "issues"
    row = {"id": number, "node_id": node("IC", number), "user": person(sender), "body": text}
    row |= {"created_at": made, "updated_at": made, "author_association": "NONE"}
    row["html_url"] = f"https://github.com/octo/app/{kind}/{on['number']}#issuecomment-{number}"
    return body("created", sender, issue=on, comment=row)


def review(number: int, state: str, on: Body, at: str | None = None, sender: str = "hubot") -> Body:
    row = {"id": number, "node_id": node("PRR", number), "user": person(sender), "state": state}
    row |= {"body": "Looks right.", "submitted_at": at or ago(20), "author_association": "MEMBER"}
    return body("submitted", sender, review=row, pull_request=on)


def review_comment(number: int, text: str, on: Body, at: str | None = None) -> Body:
    made = at or ago(20)
    row = {"id": number, "node_id": node("PRRC", number), "user": person("hubot"), "body": text}
    row |= {"created_at": made, "updated_at": made, "author_association": "MEMBER", "path": "a.py"}
    return body("created", "hubot", comment=row, pull_request=on)


def run(number: int, conclusion: str = "failure", at: str | None = None, **changes: Any) -> Body:
    row = {
        "id": number,
        "node_id": node("WFR", number),
        "name": "CI",
        "head_branch": "main",
        "run_attempt": 1,
    }
    row |= {"head_sha": "b" * 40, "status": "completed", "conclusion": conclusion, "workflow_id": 3}
    row |= {
        "run_number": number,
        "created_at": at or ago(90),
        "updated_at": at or ago(30),
        "pull_requests": [],
    }
    row |= {"actor": person("octocat"), "triggering_actor": person("octocat"), "event": "push"}
    row |= {"head_repository": repository(), "repository": repository()} | changes
    return body("completed", workflow_run=row, workflow={"id": 3, "name": "CI"})


def check(number: int, conclusion: str = "failure", at: str | None = None, **changes: Any) -> Body:
    row = {"id": number, "node_id": node("CR", number), "name": "lint", "head_sha": "b" * 40}
    row |= {"status": "completed", "conclusion": conclusion, "started_at": at or ago(50)}
    row |= {"completed_at": at or ago(40), "pull_requests": [], "app": {"id": 1, "name": "Linter"}}
    row |= {"check_suite": {"id": 600 + number, "head_branch": "main"}} | changes
    return body("completed", check_run=row)


def push(before: str = "c" * 40, after: str = "d" * 40) -> Body:
    commits = [{"id": after, "message": "Fix it", "author": {"username": "octocat", "name": "Octo"}}]
    parts = {"ref": "refs/heads/main", "before": before, "after": after, "commits": commits}
    return body(None, **parts, head_commit=commits[0], pusher={"name": "octocat"})


def release(number: int = 4) -> Body:
    row = {"id": number, "node_id": node("RE", number), "tag_name": "v1", "name": "One", "draft": False}
    row |= {"author": person("octocat"), "created_at": ago(hours=1), "published_at": ago(10)}
    return body("published", release=row)


def every_kind() -> list[tuple[str, Body]]:
    """One occurrence of each kind that polling can see, in order of time."""
    bug, change = issue(5), pull(8)
    asked = {"requested_reviewer": person("octocat")}
    return [
        ("issues", issues("opened", bug, "mona")),
        ("issues", issues("labeled", bug, at=ago(50), **label("nightclaw"))),
        ("issues", issues("unlabeled", bug, at=ago(49), **label("nightclaw"))),
        ("issues", issues("labeled", bug, at=ago(48), **label("nightclaw"))),
        ("issues", issues("assigned", bug, at=ago(47), assignee=person("octocat"))),
        ("issues", issues("milestoned", bug, at=ago(46), milestone={"number": 2, "title": "v1"})),
        ("issues", issues("closed", bug, at=ago(45))),
        ("issues", issues("reopened", bug, at=ago(44))),
        ("pull_request", pulls("opened", change, "mona")),
        ("pull_request", pulls("review_requested", change, "mona", at=ago(43), **asked)),
        ("pull_request", pulls("labeled", change, at=ago(42), **label("ui"))),
        ("pull_request", pulls("converted_to_draft", change, "mona", at=ago(41))),
        ("pull_request", pulls("ready_for_review", change, "mona", at=ago(40))),
        ("issue_comment", comment(900, "@octocat look", bug)),
        ("issue_comment", comment(901, "@nightclaw fix it", change | {"pull_request": {}}, sender="octocat")),
        ("pull_request_review", review(700, "approved", change | {"updated_at": ago(20)})),
        ("pull_request_review_comment", review_comment(800, "nit", change | {"updated_at": ago(19)})),
        ("workflow_run", run(3001)),
        ("check_run", check(4001)),
        ("push", push()),
        ("release", release()),
        ("pull_request", pulls("closed", change | {"merged_at": ago(5), "merged": True}, at=ago(5))),
    ]
