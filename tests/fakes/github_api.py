"""GitHub's REST API as a real HTTP server on loopback: listings with ETags and pages, hooks, deliveries, limits.

`occur(event, body)` takes a webhook body and shows the same occurrence in the listings; `deliver` posts it, signed,
to an ingress. So a test can prove that a hook and a poll of one thing are one signal.
"""

import hashlib
import hmac
import itertools
import json
import re
import threading
import urllib.error
import urllib.request
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tests.fakes.github_http import Asked, serve

Body = dict[str, Any]


@dataclass
class FakeHook:
    id: int
    config: Body
    events: list[str]
    deliveries: list[Body] = field(default_factory=list)

    @property
    def row(self) -> Body:
        """As the API shows it: without the secret."""
        shown = {k: "********" if k == "secret" else v for k, v in self.config.items()}
        return {"id": self.id, "type": "Repository", "name": "web", "active": True, "config": shown} | {
            "events": self.events
        }


@dataclass
class FakeRepo:
    row: Body
    issues: dict[int, Body] = field(default_factory=dict)
    pulls: dict[int, Body] = field(default_factory=dict)
    issue_events: list[Body] = field(default_factory=list)
    comments: dict[int, Body] = field(default_factory=dict)
    review_comments: dict[int, Body] = field(default_factory=dict)
    reviews: dict[int, list[Body]] = field(default_factory=dict)
    runs: dict[int, Body] = field(default_factory=dict)
    checks: dict[int, Body] = field(default_factory=dict)
    feed: list[Body] = field(default_factory=list)
    hooks: dict[int, FakeHook] = field(default_factory=dict)
    labels: list[str] = field(default_factory=lambda: ["bug", "nightclaw"])
    files: dict[int, list[Body]] = field(default_factory=dict)
    branches: set[str] = field(default_factory=set)


@dataclass
class Fault:
    pattern: re.Pattern[str]
    status: int
    headers: Mapping[str, str]
    body: Body
    left: int


def now_iso() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class FakeGitHub:
    """Use as a context manager. `url` is the api_url; `asked` what it was asked, in order."""

    def __init__(self, token: str | None = "fake-token", login: str = "octocat") -> None:
        self.token = token
        self.login = login
        self.repos: dict[str, FakeRepo] = {}
        self.asked: list[Asked] = []
        self.limit_headers: dict[str, str] = {"x-ratelimit-limit": "5000", "x-ratelimit-remaining": "4999"}
        self.poll_interval: str | None = "0"
        self.faults: list[Fault] = []
        self.cut: re.Pattern[str] | None = None
        self.ids = itertools.count(9_000_001)
        self.lock = threading.RLock()
        self._server = serve(self)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> "FakeGitHub":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    def asked_for(self, tail: str) -> list[Asked]:
        """Requests whose path ends so."""
        return [a for a in self.asked if a.path.endswith(tail)]

    def fail(
        self,
        pattern: str,
        status: int,
        *,
        headers: Mapping[str, str] | None = None,
        message: str = "",
        times: int = 1_000_000,
    ) -> None:
        """Answer matching paths with `status` instead, `times` times."""
        self.faults.append(Fault(re.compile(pattern), status, headers or {}, {"message": message}, times))

    def heal(self) -> None:
        self.faults.clear()

    def add_repo(self, row: Mapping[str, Any] | str, **changes: Any) -> FakeRepo:
        """A repository, from a webhook's `repository` or by name alone."""
        if isinstance(row, str):
            owner, _, name = row.partition("/")
            row = {
                "id": next(self.ids),
                "node_id": "R_" + hashlib.sha256(row.encode()).hexdigest()[:12],
                "name": name,
                "full_name": row,
                "private": False,
                "default_branch": "main",
                "owner": {"login": owner, "id": 1, "type": "User"},
            }
        repo = FakeRepo({**row, **changes})
        with self.lock:
            return self.repos.setdefault(str(repo.row["full_name"]).lower(), repo)

    def occur(self, event: str, body: Body) -> None:
        """Let it have happened: the listings show it from now on."""
        with self.lock:
            repo = self.add_repo(body["repository"])
            show = getattr(self, f"_occur_{event}", None)
            if show is None:
                raise ValueError(f"the fake knows no listing for {event}")
            show(repo, body)

    def deliver(
        self, event: str, body: Body, url: str, secret: str, *, guid: str | None = None
    ) -> tuple[int, Body]:
        """Post a signed delivery to an ingress; its status (0: not reached) and answer."""
        raw = json.dumps(body).encode()
        signature = "sha256=" + hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest()
        headers = {
            "Content-Type": "application/json",
            "X-GitHub-Event": event,
            "X-GitHub-Delivery": guid or str(uuid.uuid4()),
            "X-Hub-Signature-256": signature,
        }
        request = urllib.request.Request(url, data=raw, headers=headers, method="POST")
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=10) as answer:
                return answer.status, json.loads(answer.read() or b"{}")
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code, json.loads(refused.read() or b"{}")
        except OSError:
            return 0, {}

    def add_hook(self, repo: str, url: str, secret: str = "s3cret") -> FakeHook:
        hook = FakeHook(next(self.ids), {"url": url, "secret": secret, "content_type": "json"}, ["*"])
        self.repos[repo.lower()].hooks[hook.id] = hook
        return hook

    def record(
        self, hook: FakeHook, event: str, body: Body, status: int, *, guid: str = "", at: str = ""
    ) -> Body:
        """Note a delivery in the hook's record, newest first; status 0: not reached."""
        row = {
            "id": next(self.ids),
            "guid": guid or str(uuid.uuid4()),
            "delivered_at": at or now_iso(),
            "redelivery": False,
            "status": "OK" if 200 <= status < 300 else "failed to connect",
            "status_code": status,
            "event": event,
            "action": body.get("action"),
            "request": {"headers": {"X-GitHub-Event": event}, "payload": body},
        }
        with self.lock:
            hook.deliveries.insert(0, row)
        return row

    def send(self, hook: FakeHook, event: str, body: Body, *, guid: str | None = None) -> int:
        """Deliver to the hook's own address and note how it went."""
        guid = guid or str(uuid.uuid4())
        status, _ = self.deliver(event, body, hook.config["url"], hook.config.get("secret", ""), guid=guid)
        self.record(hook, event, body, status, guid=guid)
        return status

    def _thing(self, table: dict[int, Body], row: Body, **changes: Any) -> Body:
        number = int(row.get("number") or row["id"])
        table[number] = {**table.get(number, {}), **row, **changes}
        return table[number]

    def _occur_issues(self, repo: FakeRepo, body: Body) -> None:
        issue = self._thing(repo.issues, body["issue"])
        self._event(repo, body, issue, body["issue"]["updated_at"])

    def _occur_pull_request(self, repo: FakeRepo, body: Body) -> None:
        pull = self._thing(repo.pulls, {k: v for k, v in body["pull_request"].items() if k != "merged"})
        names = (
            "node_id",
            "number",
            "title",
            "user",
            "state",
            "html_url",
            "author_association",
            "created_at",
        )
        issue = {k: pull.get(k) for k in (*names, "updated_at", "closed_at", "draft", "labels")}
        issue |= {"id": pull["id"] + 1, "pull_request": {"merged_at": pull.get("merged_at")}}
        self._thing(repo.issues, issue)
        self._event(repo, body, issue, body["pull_request"]["updated_at"])

    def _event(self, repo: FakeRepo, body: Body, issue: Body, at: str) -> None:
        renamed = {"converted_to_draft": "convert_to_draft", "edited": "renamed"}
        action = renamed.get(str(body["action"]), str(body["action"]))
        if action in ("opened", "synchronize"):
            return
        parts = ("label", "assignee", "milestone", "requested_reviewer", "requested_team")
        row = {
            "id": next(self.ids),
            "event": action,
            "actor": body.get("sender"),
            "created_at": at,
            "issue": issue,
        }
        row |= {name: body[name] for name in parts if name in body}
        if action.startswith("review_request"):
            row["review_requester"] = body.get("sender")
        repo.issue_events.insert(0, row)

    def _occur_issue_comment(self, repo: FakeRepo, body: Body) -> None:
        issue = self._thing(repo.issues, body["issue"])
        comment = body["comment"] | {
            "issue_url": f"{self.url}/repos/{repo.row['full_name']}/issues/{issue['number']}"
        }
        repo.comments[comment["id"]] = comment

    def _occur_pull_request_review_comment(self, repo: FakeRepo, body: Body) -> None:
        pull = self._thing(repo.pulls, body["pull_request"])
        link = f"{self.url}/repos/{repo.row['full_name']}/pulls/{pull['number']}"
        repo.review_comments[body["comment"]["id"]] = body["comment"] | {"pull_request_url": link}

    def _occur_pull_request_review(self, repo: FakeRepo, body: Body) -> None:
        pull = self._thing(repo.pulls, body["pull_request"])
        review = body["review"] | {"state": str(body["review"]["state"]).upper()}
        repo.reviews.setdefault(pull["number"], []).append(review)

    def _occur_workflow_run(self, repo: FakeRepo, body: Body) -> None:
        self._thing(repo.runs, body["workflow_run"], status="completed")

    def _occur_check_run(self, repo: FakeRepo, body: Body) -> None:
        suite = {"id": body["check_run"].get("check_suite", {}).get("id")}
        self._thing(repo.checks, body["check_run"], check_suite=suite)

    def _occur_push(self, repo: FakeRepo, body: Body) -> None:
        payload = {
            "ref": body["ref"],
            "head": body["after"],
            "before": body["before"],
            "push_id": next(self.ids),
        }
        self._feed(repo, "PushEvent", payload, body)

    def _occur_release(self, repo: FakeRepo, body: Body) -> None:
        self._feed(repo, "ReleaseEvent", {"action": body["action"], "release": body["release"]}, body)

    def _feed(self, repo: FakeRepo, kind: str, payload: Body, body: Body) -> None:
        row = {"id": str(next(self.ids)), "type": kind, "actor": body.get("sender"), "payload": payload}
        repo.feed.insert(0, {**row, "created_at": now_iso(), "public": True})
