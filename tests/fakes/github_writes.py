"""What the fake GitHub lets itself be told: comments, labels, pull requests, with GitHub's own refusals."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

if TYPE_CHECKING:
    from tests.fakes.github_api import FakeGitHub, FakeRepo

WRITABLE = frozenset({"talk", "labels_of", "labels", "label", "pull", "pulls", "files", "remarks"})
ABSENT = (404, {"message": "Not Found"})


@dataclass(frozen=True)
class Spoken:
    method: str
    body: dict[str, Any]
    query: dict[str, list[str]]
    token: str | None


def spoken(github: "FakeGitHub", repo: "FakeRepo", name: str, asked: Spoken, *rest: str) -> tuple[int, Any]:
    if asked.method == "POST" and asked.token is None:
        return 401, {"message": "Requires authentication"}
    number = int(rest[0]) if rest and rest[0].isdigit() else 0
    match name, asked.method:
        case "talk", "POST":
            return _comment(github, repo, number, str(asked.body["body"]))
        case "talk", _:
            return 200, [c for c in repo.comments.values() if c["issue_url"].endswith(f"/issues/{number}")]
        case "labels", _:
            return 200, [{"name": label} for label in repo.labels]
        case "label", _:
            held = [label for label in repo.labels if label.lower() == unquote(rest[0]).lower()]
            return (200, {"name": held[0]}) if held else ABSENT
        case "labels_of", "POST":
            issue = repo.issues[number]
            issue["labels"] = [*issue["labels"], *({"name": n} for n in asked.body["labels"])]
            return 200, issue["labels"]
        case "pull", _:
            return (200, repo.pulls[number]) if number in repo.pulls else ABSENT
        case "files", _:
            return 200, repo.files.get(number, [])
        case "remarks", _:
            link = f"/pulls/{number}"
            return 200, [c for c in repo.review_comments.values() if c["pull_request_url"].endswith(link)]
        case "pulls", "POST":
            return _pull(github, repo, asked.body)
        case _:
            wanted = asked.query.get("head", [""])[0].partition(":")[2]
            found = [p for p in repo.pulls.values() if not wanted or p["head"]["ref"] == wanted]
            return 200, sorted(found, key=lambda r: (str(r.get("updated_at")), r["id"]), reverse=True)


def _comment(github: "FakeGitHub", repo: "FakeRepo", number: int, body: str) -> tuple[int, Any]:
    if number not in repo.issues:
        return ABSENT
    made = next(github.ids)
    full = repo.row["full_name"]
    row = {
        "id": made,
        "node_id": f"IC_{made}",
        "user": {"login": github.login},
        "body": body,
        "created_at": _now(),
        "updated_at": _now(),
        "html_url": f"https://github.com/{full}/issues/{number}#issuecomment-{made}",
        "issue_url": f"{github.url}/repos/{full}/issues/{number}",
    }
    repo.comments[made] = row
    repo.issues[number]["comments"] = int(repo.issues[number].get("comments", 0)) + 1
    return 201, row


def _pull(github: "FakeGitHub", repo: "FakeRepo", body: dict[str, Any]) -> tuple[int, Any]:
    head = str(body["head"]).partition(":")[2]
    if any(p["head"]["ref"] == head for p in repo.pulls.values()):
        said = f"A pull request already exists for {body['head']}."
        return 422, {"message": "Validation Failed", "errors": [{"message": said}]}
    if head not in repo.branches:
        return 422, {"message": "Validation Failed", "errors": [{"field": "head", "code": "invalid"}]}
    number = max([*repo.issues, *repo.pulls, 0]) + 1
    sha = hashlib.sha1(head.encode()).hexdigest()
    row = {"id": next(github.ids), "node_id": f"PR_{number}", "number": number, "state": "open"}
    row |= {"title": body["title"], "body": body["body"], "draft": body.get("draft", False), "merged": False}
    row |= {"head": {"ref": head, "sha": sha}, "base": {"ref": body["base"]}, "updated_at": _now()}
    row |= {"user": {"login": github.login}, "created_at": _now(), "labels": []}
    row["html_url"] = f"https://github.com/{repo.row['full_name']}/pull/{number}"
    repo.pulls[number] = row
    return 201, row


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
