"""`github connect`: brings a repository's events here, and proves that they arrive.

With a public_url: the webhook is made (or brought up to date) by API, pinged, and the ping's delivery awaited in
GitHub's own record or at our ingress. Without one the repository is polled, which needs no hook.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from nightclaw.core.errors import ConfigError, Invalid
from nightclaw.core.ports import Clock
from nightclaw.core.types import JSON
from nightclaw.sources.deliveries import hook_url, is_delivered, is_ours
from nightclaw.sources.github_answers import Absent
from nightclaw.sources.github_api import GitHubAPI
from nightclaw.sources.github_keys import whole
from nightclaw.sources.github_token import Settings

PROOF_S = 20.0
LOOK_EVERY_S = 1.0
HOOK_HINT = (
    "let the token manage webhooks (classic: scope `admin:repo_hook`; fine-grained: Webhooks: read and write),"
    " or leave public_url out: the repository is then polled"
)


@dataclass(frozen=True, slots=True)
class ConnectResult:
    """is_listed: the config has a [[github.repo]] for it.

    is_proved: a ping came through (hook), or the repository can be read and will be (poll).
    """

    repo: str
    mode: Literal["hook", "poll"]
    is_listed: bool
    is_proved: bool
    detail: str
    url: str | None = None
    hook_id: int | None = None
    is_new: bool = False
    hint: str = ""

    def as_json(self) -> dict[str, JSON]:
        return {
            "repo": self.repo,
            "mode": self.mode,
            "listed": self.is_listed,
            "proved": self.is_proved,
            "detail": self.detail,
            "url": self.url,
            "hook_id": self.hook_id,
            "created": self.is_new,
            "hint": self.hint,
        }


async def connect(
    config: Settings,
    api: GitHubAPI,
    clock: Clock,
    repo: str,
    *,
    saw_ping: Callable[[int], bool] = lambda hook_id: False,
    within_s: float = PROOF_S,
) -> ConnectResult:
    """Connect `owner/name`. `saw_ping`: whether our ingress took a ping of that hook lately.

    Raises Invalid (no secret, no such name), Absent or another GitHubError.
    """
    if repo.count("/") != 1 or not all(repo.split("/")) or any(c in repo for c in "*?[ "):
        raise Invalid(f"{repo!r} is not a repository", "write it like octo/app")
    answer = await api.get(f"/repos/{repo}")
    found = answer.body if isinstance(answer.body, dict) else {}
    full_name = str(found.get("full_name") or repo)
    is_listed = config.github.match(full_name) is not None
    hint = "" if is_listed else f'add [[github.repo]] name = "{full_name}" to the config, then it is let in'
    if not config.ingress.public_url:
        return _polled(config, full_name, is_listed, hint)
    return await _hooked(config, api, clock, full_name, is_listed, hint, saw_ping, within_s)


def _polled(config: Settings, repo: str, is_listed: bool, hint: str) -> ConnectResult:
    every = config.github.poll
    if not every:
        hint = hint or 'set [github] poll = "2m", or [ingress] public_url'
        return ConnectResult(
            repo, "poll", is_listed, False, "there is no public_url, and polling is off", hint=hint
        )
    detail = f"there is no public_url: {repo} is polled every {every:g} s, which needs no webhook"
    return ConnectResult(repo, "poll", is_listed, is_listed, detail, hint=hint)


async def _hooked(
    config: Settings,
    api: GitHubAPI,
    clock: Clock,
    repo: str,
    is_listed: bool,
    hint: str,
    saw_ping: Callable[[int], bool],
    within_s: float,
) -> ConnectResult:
    public_url = config.ingress.public_url or ""
    url = hook_url(public_url)
    wanted = {
        "name": "web",
        "active": True,
        "events": ["*"],
        "config": {
            "url": url,
            "content_type": "json",
            "secret": await _secret(config),
            "insecure_ssl": "0",
        },
    }
    try:
        rows = await api.pages(f"/repos/{repo}/hooks?per_page=100", limit=3)
        held = next((whole(row.get("id")) for row in rows if is_ours(row, public_url)), None)
        if held is None:
            answer = await api.call("POST", f"/repos/{repo}/hooks", body=wanted)
            number = whole(answer.body.get("id")) if isinstance(answer.body, dict) else None
        else:
            number = held
            await api.call("PATCH", f"/repos/{repo}/hooks/{number}", body=wanted)
        if number is None:
            raise Invalid("GitHub did not say which webhook it made", "look at the repository's settings")
        before = {row.get("id") for row in await _pings(api, repo, number)} if held else set[object]()
        await api.call("POST", f"/repos/{repo}/hooks/{number}/pings")
        is_proved, detail = await _proof(api, clock, repo, number, before, saw_ping, within_s)
    except Absent as error:
        raise Absent(
            f"the webhooks of {repo} cannot be managed: {error.message}", HOOK_HINT, status=error.status
        ) from None
    if not is_proved:
        hint = (
            f"does {urlsplit(url).netloc} lead to this daemon's ingress? check the tunnel, then run it again"
        )
    return ConnectResult(repo, "hook", is_listed, is_proved, detail, url, number, held is None, hint)


async def _secret(config: Settings) -> str:
    remedy = "put a long random text into a file of mode 0600 and set [github] secret = { file = … }"
    if config.github.secret is None:
        raise Invalid("a webhook needs a secret, and none is configured", remedy)
    try:
        return await asyncio.to_thread(config.github.secret.resolve)
    except ConfigError as error:
        raise Invalid(f"the webhook's secret cannot be read: {error.message}", remedy) from None


async def _pings(api: GitHubAPI, repo: str, number: int) -> list[dict[str, object]]:
    answer = await api.get(f"/repos/{repo}/hooks/{number}/deliveries?per_page=30")
    return [row for row in answer.rows() if row.get("event") == "ping"]


async def _proof(
    api: GitHubAPI,
    clock: Clock,
    repo: str,
    number: int,
    before: set[object],
    saw_ping: Callable[[int], bool],
    within_s: float,
) -> tuple[bool, str]:
    """Wait until a ping made now is known to have arrived; (whether, in words)."""
    until = clock.monotonic() + within_s
    code: object = None
    while True:
        if saw_ping(number):
            return True, "the ping arrived at the ingress"
        rows = [row for row in await _pings(api, repo, number) if row.get("id") not in before]
        if any(is_delivered(row) for row in rows):
            return True, "GitHub delivered its ping"
        code = rows[0].get("status_code") if rows else code
        if clock.monotonic() >= until:
            said = f"GitHub got {code} for its ping" if code else "the ping was not delivered"
            return False, f"{said} within {within_s:g} s"
        await asyncio.sleep(min(LOOK_EVERY_S, within_s / 4))
