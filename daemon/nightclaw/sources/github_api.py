"""GitHub's REST API for sources: few calls, each with a deadline, and errors a user can act on.

Guarantees: the token goes only to `api_url`'s own origin and is never part of an error; while GitHub asks to wait
(primary or secondary rate limit, Retry-After) nothing is called and `waiting` says until when; every call ends
within 30 seconds. Without a token it works anonymously: public repositories, 60 calls an hour.
Source of the rules: https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api
"""

import asyncio
import importlib
import ipaddress
import json
from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from nightclaw.core.ports import Clock
from nightclaw.sources.github_answers import (
    TOKEN_HINT,
    Answer,
    GitHubError,
    Offline,
    Unauthorized,
    User,
    Waiting,
    next_of,
    number,
    refusal,
)
from nightclaw.sources.github_token import Settings, Token

if TYPE_CHECKING:
    import httpx2

DEADLINE_S = 30.0
CONNECT_S = 10.0
USER_KEPT_S = 3600.0
LARGEST = 32 * 1024 * 1024
LONGEST_WAIT_S = 3660.0
VERSION = "2022-11-28"


class GitHubAPI:
    """One client for all GitHub sources. `gh` is the command that prints the token of GitHub's own client."""

    def __init__(
        self, config: Callable[[], Settings], clock: Clock, *, gh: Sequence[str] = ("gh", "auth", "token")
    ) -> None:
        self._config = config
        self._clock = clock
        self._httpx: ModuleType | None = None
        self._client: httpx2.AsyncClient | None = None
        self._token = Token(config, clock, gh)
        self._user: tuple[User, float, str | None] | None = None
        self._wait_until = 0
        self._wait_reason = ""
        self._strikes = 0
        self._hourly: float | None = None
        self._lock = asyncio.Lock()

    @property
    def waiting(self) -> tuple[int, str] | None:
        """Until when (ms) GitHub asked to wait, and why; None when it may be called."""
        return (self._wait_until, self._wait_reason) if self._wait_until > self._clock.now_ms() else None

    @property
    def hourly_limit(self) -> float | None:
        """How many calls an hour GitHub grants, once it said so."""
        return self._hourly

    @property
    def is_anonymous(self) -> bool:
        """True once it was found that there is no token."""
        return self._token.is_missing

    async def token(self) -> str | None:
        """The token in force, for git; None when there is none."""
        return await self._token.current()

    async def aclose(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def get(self, path: str, *, etag: str | None = None) -> Answer:
        """GET `path` (below api_url, or a `next`). With an etag the answer may be `unchanged`."""
        return await self.call("GET", path, etag=etag)

    async def pages(self, path: str, key: str = "", limit: int = 10) -> list[dict[str, object]]:
        """All rows of a listing, at most `limit` pages."""
        rows: list[dict[str, object]] = []
        following: str | None = path
        while following and limit > 0:
            answer = await self.get(following)
            rows += answer.rows(key)
            following, limit = answer.next, limit - 1
        return rows

    async def user(self) -> User:
        """Whose token it is (kept an hour): the default of `[github] owners`. Raises Unauthorized without one."""
        token = await self._token.current()
        if token is None:
            raise Unauthorized("there is no GitHub token", TOKEN_HINT, status=401)
        held = self._user
        if held and held[2] == token and self._clock.monotonic() - held[1] < USER_KEPT_S:
            return held[0]
        answer = await self.get("/user")
        body = answer.body if isinstance(answer.body, dict) else {}
        login, number = body.get("login"), body.get("id")
        if not isinstance(login, str) or not isinstance(number, int):
            raise GitHubError("GitHub did not say whose token this is", "check [github] api_url")
        found = User(login, number, answer.scopes)
        self._user = (found, self._clock.monotonic(), token)
        return found

    async def call(
        self, method: str, path: str, *, body: Mapping[str, object] | None = None, etag: str | None = None
    ) -> Answer:
        """One call. Raises Offline, Waiting, Unauthorized, Absent or GitHubError."""
        waiting = self.waiting
        if waiting:
            raise Waiting(waiting[1], waiting[0])
        token = await self._token.current()
        status, headers, content = await self._exchange(method, path, body, etag, token)
        if status == 401 and token is not None:
            self._token.forget()
            renewed = await self._token.current()
            if renewed != token:
                status, headers, content = await self._exchange(method, path, body, etag, renewed)
        self._note_limits(status, headers, content)
        if status == 304 or 200 <= status < 300:
            return await self._answer(status, headers, content)
        raise refusal(status, path, content)

    async def ask(
        self, method: str, path: str, body: Mapping[str, object] | None = None
    ) -> tuple[int, object]:
        """One call for the GitHub tool: status and JSON, also of a refusal (then `{"message": …}`). Raises Offline,
        Waiting or Unauthorized when there is no answer to this very question."""
        try:
            answer = await self.call(method, path, body=body)
        except (Offline, Waiting, Unauthorized):
            raise
        except GitHubError as error:
            if error.status is None:
                raise
            return error.status, {"message": error.message}
        return answer.status, answer.body

    async def _exchange(
        self, method: str, path: str, body: Mapping[str, object] | None, etag: str | None, token: str | None
    ) -> tuple[int, Mapping[str, str], bytes]:
        client = await self._open()
        assert self._httpx is not None
        headers = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": VERSION}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        if etag:
            headers["If-None-Match"] = etag
        content = None
        if body is not None:
            content = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        base = self._config().github.api_url.rstrip("/")
        url = path if path.startswith(("https://", "http://")) else base + path
        try:
            async with asyncio.timeout(DEADLINE_S):
                async with client.stream(
                    method, url, headers=headers, content=content, follow_redirects=method == "GET"
                ) as response:
                    return response.status_code, response.headers, await _read(response)
        except (self._httpx.HTTPError, self._httpx.InvalidURL, TimeoutError, OSError) as error:
            why = str(error) or type(error).__name__
            raise Offline(
                f"GitHub cannot be reached at {urlsplit(base).netloc}: {why[:200]}",
                "check the network; nothing is lost, it is caught up later",
            ) from None

    async def _answer(self, status: int, headers: Mapping[str, str], content: bytes) -> Answer:
        body: object = None
        if content and status != 304:
            try:
                body = (
                    json.loads(content)
                    if len(content) < 65_536
                    else await asyncio.to_thread(json.loads, content)
                )
            except (ValueError, RecursionError):
                raise GitHubError(
                    "GitHub answered with something that is not JSON", "check [github] api_url"
                ) from None
        return Answer(
            status=status,
            body=body,
            etag=headers.get("etag"),
            next=next_of(headers.get("link"), self._config().github.api_url),
            poll_interval_s=number(headers.get("x-poll-interval")),
            scopes=tuple(s.strip() for s in headers.get("x-oauth-scopes", "").split(",") if s.strip()),
        )

    def _note_limits(self, status: int, headers: Mapping[str, str], content: bytes) -> None:
        """Remember what GitHub asks; raises Waiting when this very call was refused for it."""
        now = self._clock.now_ms()
        self._hourly = number(headers.get("x-ratelimit-limit")) or self._hourly
        spent = headers.get("x-ratelimit-remaining") == "0"
        reset = number(headers.get("x-ratelimit-reset"))
        until_reset = min(max(reset - now / 1000 + 1, 1.0), LONGEST_WAIT_S) if reset else 60.0
        if status not in (403, 429):
            if status < 400:
                self._strikes = 0
                if spent and reset and status != 304:
                    self._wait(now, until_reset, "GitHub's hourly rate limit is spent")
            return
        asked = number(headers.get("retry-after"))
        if asked is not None:
            self._wait(now, min(max(asked, 1.0), LONGEST_WAIT_S), "GitHub asked to wait")
        elif spent:
            self._wait(now, until_reset, "GitHub's hourly rate limit is spent")
        elif status == 429 or b"secondary rate limit" in content[:4000]:
            self._strikes += 1
            self._wait(
                now, min(60.0 * 2 ** (self._strikes - 1), 900.0), "GitHub's secondary rate limit was reached"
            )
        else:
            return
        raise Waiting(self._wait_reason, self._wait_until)

    def _wait(self, now: int, seconds: float, reason: str) -> None:
        self._wait_until, self._wait_reason = now + int(seconds * 1000), reason

    async def _open(self) -> "httpx2.AsyncClient":
        async with self._lock:
            if self._client is not None:
                return self._client
            if self._httpx is None:
                self._httpx = await asyncio.to_thread(importlib.import_module, "httpx2")
            is_local = _is_loopback(urlsplit(self._config().github.api_url).hostname)
            client: httpx2.AsyncClient = await asyncio.to_thread(
                self._httpx.AsyncClient,
                timeout=self._httpx.Timeout(DEADLINE_S, connect=CONNECT_S),
                headers={"User-Agent": "nightclaw"},
                trust_env=not is_local,
                max_redirects=3,
            )
            self._client = client
            return client


async def _read(response: "httpx2.Response") -> bytes:
    content = bytearray()
    async for chunk in response.aiter_bytes():
        content += chunk
        if len(content) > LARGEST:
            raise GitHubError("GitHub's answer is over 32 MiB", "check [github] api_url")
    return bytes(content)


def _is_loopback(host: str | None) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False
