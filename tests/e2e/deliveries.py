"""GitHub's side of a delivery: recorded bodies, changed in the few places a test is about, and signed."""

import copy
import hashlib
import hmac
import itertools
import json
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

Body = dict[str, Any]
BODIES = Path(__file__).parents[1] / "data" / "webhooks"
SECRET = "the hub's secret"
OWNER = "octocat"
MATE = "hubot"
STRANGER = "mallory"
_serial = itertools.count(1)


def github_headers(
    event: str, raw: bytes, delivery: str | None = None, secret: str = SECRET
) -> dict[str, str]:
    return {
        "Content-Type": "application/json",
        "User-Agent": "GitHub-Hookshot/044aadd",
        "X-GitHub-Event": event,
        "X-GitHub-Delivery": delivery or str(uuid.uuid4()),
        "X-Hub-Signature-256": "sha256=" + hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest(),
    }


@cache
def _text(name: str) -> str:
    return (BODIES / f"{name}.json").read_text()


def _user(login: str) -> Body:
    return {"login": login, "id": int(hashlib.sha256(login.encode()).hexdigest()[:7], 16), "type": "User"}


def _now(plus: float = 0.0) -> str:
    return (datetime.now(UTC) + timedelta(seconds=plus)).strftime("%Y-%m-%dT%H:%M:%SZ")


def _body(name: str, repo: str, sender: str) -> Body:
    """A recorded body, moved to another repository and sender."""
    body = json.loads(_text(name))
    owner, _, short = repo.partition("/")
    row = body["repository"]
    row |= {"full_name": repo, "name": short, "default_branch": "main"}
    row["node_id"] = "R_" + hashlib.sha256(repo.encode()).hexdigest()[:12]
    row["html_url"] = f"https://github.com/{repo}"
    row["owner"] = row["owner"] | _user(owner)
    body["sender"] = body["sender"] | _user(sender)
    body.pop("organization", None)
    body.pop("installation", None)
    return body


def ci(
    repo: str, conclusion: str, *, branch: str = "main", sender: str = MATE, workflow: str = "test"
) -> Body:
    """A workflow run has ended; each call is another run of the same workflow."""
    body = _body("workflow_run.completed", repo, sender)
    number = next(_serial)
    run = body["workflow_run"]
    sha = hashlib.sha1(f"{repo}{number}".encode()).hexdigest()
    run |= {
        "id": 7_000_000 + number,
        "node_id": f"WFR_{repo}_{number}",
        "run_number": number,
        "run_attempt": 1,
    }
    run |= {"conclusion": conclusion, "status": "completed", "head_branch": branch, "head_sha": sha}
    run |= {"event": "push", "name": workflow, "pull_requests": [], "updated_at": _now()}
    run |= {"created_at": _now(-60), "run_started_at": _now(-60)}
    run |= {"html_url": f"https://github.com/{repo}/actions/runs/{7_000_000 + number}"}
    for part in ("repository", "head_repository"):
        run[part] = run[part] | {"full_name": repo, "fork": False}
    body["workflow"] |= {"name": workflow, "id": 11, "node_id": f"W_{repo}_{workflow}"}
    run["workflow_id"] = 11
    return body


def _issue(body: Body, repo: str, number: int, author: str) -> Body:
    issue = body["issue"]
    issue |= {"number": number, "node_id": f"I_{repo}_{number}", "id": 500_000 + number}
    issue |= {"title": f"Issue {number} of {repo}", "updated_at": _now(next(_serial))}
    issue |= {"html_url": f"https://github.com/{repo}/issues/{number}", "user": issue["user"] | _user(author)}
    issue |= {"labels": [], "assignee": None, "assignees": []}
    return issue


def opened(repo: str, number: int, *, sender: str = STRANGER, title: str | None = None) -> Body:
    body = _body("issues.opened", repo, sender)
    issue = _issue(body, repo, number, sender)
    if title:
        issue["title"] = title
    if sender != OWNER:
        issue["author_association"] = "NONE"
    return body


def labeled(
    repo: str, number: int, label: str, *, sender: str = OWNER, author: str = MATE, off: bool = False
) -> Body:
    body = _body("issues.labeled", repo, sender)
    body["action"] = "unlabeled" if off else "labeled"
    issue = _issue(body, repo, number, author)
    body["label"] = body["label"] | {"name": label, "node_id": f"LA_{repo}_{label}"}
    issue["labels"] = [] if off else [copy.deepcopy(body["label"])]
    return body


def assigned(repo: str, number: int, *, to: str = OWNER, sender: str = MATE) -> Body:
    body = labeled(repo, number, "bug", sender=sender)
    body.pop("label")
    body["action"] = "assigned"
    body["assignee"] = _user(to)
    body["issue"] |= {"assignee": _user(to), "assignees": [_user(to)]}
    return body


def commented(
    repo: str, number: int, text: str, *, sender: str = MATE, standing: str = "COLLABORATOR"
) -> Body:
    body = _body("issue_comment.created", repo, sender)
    _issue(body, repo, number, MATE)
    serial = next(_serial)
    comment = body["comment"]
    comment |= {"id": 8_000_000 + serial, "node_id": f"IC_{repo}_{serial}", "body": text}
    comment |= {"user": comment["user"] | _user(sender), "author_association": standing}
    comment |= {"created_at": _now(serial), "updated_at": _now(serial)}
    comment["html_url"] = f"https://github.com/{repo}/issues/{number}#issuecomment-{comment['id']}"
    return body


def review_requested(repo: str, number: int, *, of: str = OWNER, sender: str = MATE) -> Body:
    body = _body("pull_request.review_requested", repo, sender)
    pull = body["pull_request"]
    body["number"] = number
    pull |= {"number": number, "node_id": f"PR_{repo}_{number}", "id": 600_000 + number}
    pull |= {"title": f"Change {number} of {repo}", "updated_at": _now(next(_serial))}
    pull |= {"html_url": f"https://github.com/{repo}/pull/{number}", "user": pull["user"] | _user(sender)}
    pull |= {"requested_reviewers": [_user(of)], "requested_teams": [], "labels": [], "assignees": []}
    body["requested_reviewer"] = _user(of)
    return body


def ping(repo: str) -> Body:
    return _body("ping", repo, OWNER)


def names(stem: str) -> Iterator[str]:
    """Repository names nobody used before."""
    for number in itertools.count(1):
        yield f"octo/{stem}{number}"
