"""Calls to GitHub end, keep the token to themselves, and fail in words a user can act on."""

import asyncio
import json
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.fakes import github_bodies as gh
from tests.fakes.clock import FakeClock
from tests.fakes.github_api import FakeGitHub

from nightclaw.config import Config, load
from nightclaw.sources.github_answers import Absent, GitHubError, Offline, Unauthorized, next_of
from nightclaw.sources.github_api import GitHubAPI

pytestmark = pytest.mark.anyio


class Setting:
    """A config that can change under the client."""

    def __init__(self, home: Path, url: str) -> None:
        self.home, self.env = home, {"HOME": str(home)}
        self.write(url)

    def write(self, url: str, more: str = "") -> None:
        (self.home / "config.toml").write_text(f'[github]\napi_url = "{url}"\n{more}\n')
        self.now: Config = load(self.home, self.env)

    def __call__(self) -> Config:
        return self.now


def gh_command(home: Path, token: str, status: int = 0) -> tuple[str, ...]:
    """A stand-in for GitHub's own client, which notes how it was asked."""
    script = home / "gh"
    script.write_text(f'#!/bin/sh\necho "$@" >> "{home}/gh.asked"\nprintf %s "{token}"\nexit {status}\n')
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    return (str(script), "auth", "token")


@pytest.fixture
def setting(tmp_path: Path, github: FakeGitHub) -> Setting:
    return Setting(tmp_path, github.url)


@pytest.fixture
async def api(setting: Setting, tmp_path: Path) -> AsyncIterator[GitHubAPI]:
    client = GitHubAPI(setting, FakeClock(), gh=gh_command(tmp_path, "fake-token"))
    yield client
    await client.aclose()


async def test_without_a_configured_token_that_of_gh_is_used_for_this_very_host(
    api: GitHubAPI, github: FakeGitHub, tmp_path: Path
) -> None:
    assert (await api.user()).login == "octocat"
    assert (await api.user()).scopes == ("repo", "admin:repo_hook")
    assert len(github.asked_for("/user")) == 1, "kept for an hour"
    assert (tmp_path / "gh.asked").read_text() == "auth token --hostname 127.0.0.1\n"


async def test_the_token_of_gh_is_asked_for_github_itself_by_its_name(tmp_path: Path) -> None:
    setting = Setting(tmp_path, "https://api.github.com")
    client = GitHubAPI(setting, FakeClock(), gh=gh_command(tmp_path, "", status=1))
    with pytest.raises(Unauthorized) as refused:
        await client.user()
    assert "gh auth login" in refused.value.hint and client.is_anonymous
    assert (tmp_path / "gh.asked").read_text() == "auth token --hostname github.com\n"


async def test_a_configured_token_comes_first_and_a_missing_one_is_named(
    setting: Setting, github: FakeGitHub, tmp_path: Path
) -> None:
    setting.env["TOKEN"] = "fake-token"
    setting.write(github.url, 'token = { env = "TOKEN" }')
    client = GitHubAPI(setting, FakeClock(), gh=gh_command(tmp_path, "other-token"))
    await client.get("/repos/octo/app")
    assert github.asked[-1].token == "fake-token" and not (tmp_path / "gh.asked").exists()
    await client.aclose()
    del setting.env["TOKEN"]
    client = GitHubAPI(setting, FakeClock(), gh=("/nonexistent/gh",))
    with pytest.raises(Unauthorized, match="TOKEN"):
        await client.get("/repos/octo/app")


async def test_a_renewed_token_is_taken_at_the_first_refusal(
    api: GitHubAPI, github: FakeGitHub, tmp_path: Path
) -> None:
    await api.get("/repos/octo/app")
    github.token = "renewed-token"
    gh_command(tmp_path, "renewed-token")
    await api.get("/repos/octo/app")
    assert [a.status for a in github.asked] == [200, 401, 200]


@pytest.mark.parametrize(
    ("status", "kind", "words"),
    [
        (401, Unauthorized, "refused the token"),
        (403, Absent, "403"),
        (404, Absent, "404"),
        (410, Absent, "410"),
        (422, GitHubError, "422"),
        (500, Offline, "500"),
        (503, Offline, "503"),
    ],
)
async def test_refusals_say_what_to_do(
    api: GitHubAPI, github: FakeGitHub, status: int, kind: type[GitHubError], words: str
) -> None:
    github.fail("/repos/", status, message="No \x1b[31mway")
    with pytest.raises(kind, match=words) as refused:
        await api.get("/repos/octo/app")
    assert refused.value.status == status
    assert "\x1b" not in refused.value.message and "fake-token" not in str(refused.value)
    assert refused.value.hint or status == 422


async def test_a_page_that_is_not_json_is_an_error_with_a_hint(setting: Setting, tmp_path: Path) -> None:
    async def portal(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Length: 14\r\nConnection: close\r\n\r\n<html>hi</html"[:-1] + b"l"
        )
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(portal, "127.0.0.1", 0) as server:
        setting.write(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        client = GitHubAPI(setting, FakeClock(), gh=gh_command(tmp_path, "fake-token"))
        with pytest.raises(GitHubError, match="not JSON") as refused:
            await client.get("/user")
        assert "api_url" in refused.value.hint
        await client.aclose()


async def test_nobody_listening_is_offline(setting: Setting, tmp_path: Path) -> None:
    async with await asyncio.start_server(lambda r, w: w.close(), "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
    setting.write(f"http://127.0.0.1:{port}")
    client = GitHubAPI(setting, FakeClock(), gh=gh_command(tmp_path, "fake-token"))
    with pytest.raises(Offline, match=f"127.0.0.1:{port}"):
        await client.get("/user")
    await client.aclose()


async def test_the_next_page_is_followed_only_at_home(api: GitHubAPI, github: FakeGitHub) -> None:
    for n in range(7):
        github.occur("issues", gh.issues("opened", gh.issue(n + 1, gh.ago(n))))
    rows = await api.pages("/repos/octo/app/issues?per_page=3&state=all")
    assert [row["number"] for row in rows] == [1, 2, 3, 4, 5, 6, 7]
    base = "https://api.github.com"
    assert next_of(f'<{base}/x?page=2>; rel="next"', base) == f"{base}/x?page=2"
    assert (
        next_of(f'<{base}/x?page=9>; rel="last", <{base}/x?page=2>; rel="next"', base) == f"{base}/x?page=2"
    )
    for elsewhere in ("https://evil.example/x", "http://api.github.com/x", "https://api.github.com:444/x"):
        assert next_of(f'<{elsewhere}>; rel="next"', base) is None


async def test_an_etag_makes_an_answer_unchanged(api: GitHubAPI) -> None:
    first = await api.get("/repos/octo/app")
    again = await api.get("/repos/octo/app", etag=first.etag)
    assert not first.unchanged and first.body and again.unchanged and again.body is None


async def test_an_empty_hour_stops_calls_before_they_are_refused(api: GitHubAPI, github: FakeGitHub) -> None:
    clock = api._clock
    assert isinstance(clock, FakeClock)
    reset = str(clock.now_ms() // 1000 + 600)
    github.limit_headers = {
        "x-ratelimit-limit": "60",
        "x-ratelimit-remaining": "0",
        "x-ratelimit-reset": reset,
    }
    await api.get("/repos/octo/app")
    with pytest.raises(GitHubError, match="rate limit"):
        await api.get("/repos/octo/app")
    assert len(github.asked) == 1 and api.waiting is not None
    await clock.advance(602)
    github.limit_headers = {}
    assert (await api.get("/repos/octo/app")).status == 200


async def test_a_delivery_of_the_fake_is_signed_like_githubs(github: FakeGitHub) -> None:
    """The fake itself: what it signs, our own check believes."""
    from nightclaw.sources.github import verify

    seen: list[bool] = []

    async def ingress(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        lines = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
        headers = {name.lower(): value for name, value in lines.items()}
        raw = await reader.readexactly(int(headers["content-length"]))
        seen.append(verify(b"s3cret", raw, headers["x-hub-signature-256"]) and bool(json.loads(raw)))
        writer.write(b"HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(ingress, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hooks/github"
        body = gh.issues("opened", gh.issue())
        assert await asyncio.to_thread(github.deliver, "issues", body, url, "s3cret") == (202, {})
    assert seen == [True]
