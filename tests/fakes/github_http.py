"""The HTTP half of the fake GitHub: routes, pages, ETags, authentication and planted faults."""

import hashlib
import json
import re
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.fakes.github_writes import WRITABLE, Spoken, spoken

if TYPE_CHECKING:
    from tests.fakes.github_api import FakeGitHub, FakeRepo


@dataclass(frozen=True)
class Asked:
    """One request the fake received."""

    method: str
    path: str
    query: str
    token: str | None
    etag: str | None
    status: int


_ROUTES: list[tuple[str, str]] = [
    (r"/user", "user"),
    (r"/user/repos", "repos"),
    (r"/users/[^/]+/repos", "repos"),
    (r"/repos/([^/]+/[^/]+)", "repo"),
    (r"/repos/([^/]+/[^/]+)/issues", "issues"),
    (r"/repos/([^/]+/[^/]+)/issues/events", "issue_events"),
    (r"/repos/([^/]+/[^/]+)/issues/comments", "comments"),
    (r"/repos/([^/]+/[^/]+)/issues/(\d+)", "issue"),
    (r"/repos/([^/]+/[^/]+)/issues/(\d+)/events", "events_of"),
    (r"/repos/([^/]+/[^/]+)/issues/(\d+)/comments", "talk"),
    (r"/repos/([^/]+/[^/]+)/issues/(\d+)/labels", "labels_of"),
    (r"/repos/([^/]+/[^/]+)/labels", "labels"),
    (r"/repos/([^/]+/[^/]+)/labels/([^/]+)", "label"),
    (r"/repos/([^/]+/[^/]+)/pulls/(\d+)", "pull"),
    (r"/repos/([^/]+/[^/]+)/pulls/(\d+)/files", "files"),
    (r"/repos/([^/]+/[^/]+)/pulls/(\d+)/comments", "remarks"),
    (r"/repos/([^/]+/[^/]+)/pulls", "pulls"),
    (r"/repos/([^/]+/[^/]+)/pulls/comments", "review_comments"),
    (r"/repos/([^/]+/[^/]+)/pulls/(\d+)/reviews", "reviews"),
    (r"/repos/([^/]+/[^/]+)/actions/runs", "runs"),
    (r"/repos/([^/]+/[^/]+)/commits/([^/]+)/check-runs", "checks"),
    (r"/repos/([^/]+/[^/]+)/events", "feed"),
    (r"/repos/([^/]+/[^/]+)/hooks", "hooks"),
    (r"/repos/([^/]+/[^/]+)/hooks/(\d+)", "hook"),
    (r"/repos/([^/]+/[^/]+)/hooks/(\d+)/pings", "ping"),
    (r"/repos/([^/]+/[^/]+)/hooks/(\d+)/deliveries", "deliveries"),
    (r"/repos/([^/]+/[^/]+)/hooks/(\d+)/deliveries/(\d+)", "delivery"),
]


def serve(github: "FakeGitHub") -> ThreadingHTTPServer:
    handler = type("Handler", (_Handler,), {"github": github})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    return server


class _Handler(BaseHTTPRequestHandler):
    github: "FakeGitHub"
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass

    def do_GET(self) -> None:
        self._answer("GET")

    def do_POST(self) -> None:
        self._answer("POST")

    def do_PATCH(self) -> None:
        self._answer("PATCH")

    def _answer(self, method: str) -> None:
        sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        at = urlsplit(self.path)
        path, headers = unquote(at.path), dict(self.github.limit_headers)
        status, body = self._route(method, path, sent, headers)
        etag = 'W/"' + hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()[:32] + '"'
        if status == 200 and isinstance(body, list | dict):
            key = "workflow_runs" if "workflow_runs" in body else "check_runs" if "check_runs" in body else ""
            rows = body[key] if isinstance(body, dict) and key else body
            if isinstance(rows, list):
                rows = self._page(rows, at.path, parse_qs(at.query), headers)
                body = {"total_count": len(rows), key: rows} if key else rows
        if status == 200 and method == "GET":
            headers["ETag"] = etag
            if self.headers.get("If-None-Match") == etag:
                status, body = 304, None
        token = self._token()
        asked = Asked(method, path, at.query, token, self.headers.get("If-None-Match"), status)
        self.github.asked.append(asked)
        content = b"" if body is None else json.dumps(body).encode()
        if self.github.cut is not None and self.github.cut.search(f"{method} {path}"):
            self.close_connection = True  # it was heard, and the answer is lost
            return
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if status not in (204, 304):
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content if status not in (204, 304) else b"")
        self.wfile.flush()

    def _token(self) -> str | None:
        return (self.headers.get("Authorization") or "").removeprefix("Bearer ") or None

    def _page(
        self, rows: list[Any], path: str, query: dict[str, list[str]], headers: dict[str, str]
    ) -> list[Any]:
        size, number = int(query.get("per_page", ["30"])[0]), int(query.get("page", ["1"])[0])
        kept = [f"{k}={v[0]}" for k, v in query.items() if k != "page"]
        if len(rows) > size * number:
            following = f"{self.github.url}{path}?{'&'.join([*kept, f'page={number + 1}'])}"
            headers["Link"] = f'<{following}>; rel="next", <{self.github.url}{path}?page=99>; rel="last"'
        return rows[size * (number - 1) : size * number]

    def _route(self, method: str, path: str, sent: bytes, headers: dict[str, str]) -> tuple[int, Any]:
        github = self.github
        for fault in github.faults:
            if fault.left > 0 and fault.pattern.search(path):
                fault.left -= 1
                headers.update(fault.headers)
                return fault.status, fault.body
        token = self._token()
        if token is not None and token != github.token:
            return 401, {"message": "Bad credentials"}
        for pattern, name in _ROUTES:
            match = re.fullmatch(pattern, path)
            if match:
                return self._get(name, method, sent, headers, token, *match.groups())
        return 404, {"message": "Not Found"}

    def _get(
        self, name: str, method: str, sent: bytes, headers: dict[str, str], token: str | None, *parts: str
    ) -> tuple[int, Any]:
        if name == "user":
            headers["x-oauth-scopes"] = "repo, admin:repo_hook"
            found = {"login": self.github.login, "id": 583231}
            return (200, found) if token else (401, {"message": "Requires authentication"})
        if name == "repos":
            return 200, [repo.row for repo in self.github.repos.values()]
        repo = self.github.repos.get(parts[0].lower())
        if repo is None:
            return 404, {"message": "Not Found"}
        if name.startswith("hook") or name in ("ping", "deliveries", "delivery"):
            return self._hooks(name, method, sent, repo, *parts[1:])
        if name in WRITABLE:
            asked = Spoken(
                method, json.loads(sent) if sent else {}, parse_qs(urlsplit(self.path).query), token
            )
            with self.github.lock:
                return spoken(self.github, repo, name, asked, *parts[1:])
        if name == "feed" and self.github.poll_interval is not None:
            headers["X-Poll-Interval"] = self.github.poll_interval
        with self.github.lock:
            return _listing(name, repo, *parts[1:])

    def _hooks(self, name: str, method: str, sent: bytes, repo: "FakeRepo", *rest: str) -> tuple[int, Any]:
        if name == "hooks" and method == "POST":
            asked = json.loads(sent)
            hook = self.github.add_hook(str(repo.row["full_name"]), asked["config"]["url"])
            hook.config, hook.events = asked["config"], asked["events"]
            return 201, hook.row
        if name == "hooks":
            return 200, [hook.row for hook in repo.hooks.values()]
        hook = repo.hooks.get(int(rest[0]))
        if hook is None:
            return 404, {"message": "Not Found"}
        match name:
            case "hook":
                if method == "PATCH":
                    hook.config = json.loads(sent)["config"]
                return 200, hook.row
            case "ping":
                body = {"zen": "Keep it logically awesome.", "hook_id": hook.id, "hook": hook.row}
                self.github.send(hook, "ping", body | {"repository": repo.row})
                return 204, None
            case "deliveries":
                return 200, [{k: v for k, v in row.items() if k != "request"} for row in hook.deliveries]
            case _:
                found = next((row for row in hook.deliveries if row["id"] == int(rest[1])), None)
                return (200, found) if found else (404, {"message": "Not Found"})


def _listing(name: str, repo: "FakeRepo", *rest: str) -> tuple[int, Any]:
    by_update = {"issues": repo.issues, "pulls": repo.pulls, "comments": repo.comments}
    by_update["review_comments"] = repo.review_comments
    if name in by_update:
        rows = by_update[name].values()
        return 200, sorted(rows, key=lambda r: (str(r.get("updated_at")), r["id"]), reverse=True)
    match name:
        case "repo":
            return 200, repo.row
        case "issue":
            found = repo.issues.get(int(rest[0]))
            return (200, found) if found else (404, {"message": "Not Found"})
        case "events_of":
            return 200, [e for e in repo.issue_events if e["issue"].get("number") == int(rest[0])]
        case "reviews":
            return 200, repo.reviews.get(int(rest[0]), [])
        case "runs":
            return 200, {"workflow_runs": sorted(repo.runs.values(), key=lambda r: r["id"], reverse=True)}
        case "checks":
            return 200, {"check_runs": list(repo.checks.values())}
        case "issue_events":
            return 200, list(repo.issue_events)
        case _:
            return 200, list(repo.feed)
