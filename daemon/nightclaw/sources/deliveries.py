"""Deliveries that GitHub could not hand over, taken from its own record: at start and every ten minutes.

Guarantees: what our hook on a repository missed in the last 72 hours becomes a signal with the hook's own key and
delivery id, so a redelivery in between is one row. A delivery that an ingress answered with 2xx was durable
before the answer and is not fetched. A token that may not read hooks is said once, in `describe`.
"""

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from nightclaw.core.errors import StoreBusy, StoreUnavailable
from nightclaw.core.ports import Clock, Journal, Problems
from nightclaw.core.types import JSON, SignalDraft
from nightclaw.sources.github import parse
from nightclaw.sources.github_answers import GitHubError, Offline, Unauthorized, Waiting
from nightclaw.sources.github_api import GitHubAPI
from nightclaw.sources.github_keys import obj, when_ms, whole
from nightclaw.sources.github_repos import Repositories
from nightclaw.sources.github_token import Settings

EVERY_S = 600.0
FIRST_BACKOFF_S = 15.0
PART = "github:deliveries"
BACK_MS = 72 * 3_600_000
DENIED_MS = 3_600_000
MOST_FETCHED = 200
MOST_PAGES = 20
AT_ONCE = 50
LONGEST_SLEEP_S = 30.0
HOOK_PATH = "/hooks/github"


@dataclass
class _Hook:
    """What is known of our hook on a repository."""

    number: int | None = None
    denied_until: int = 0
    done: dict[str, int] = field(default_factory=dict[str, int])


def hook_url(public_url: str) -> str:
    return public_url.rstrip("/") + HOOK_PATH


def is_ours(hook: Mapping[str, object], public_url: str | None) -> bool:
    """Whether a row of /hooks leads to our ingress; without a public_url any hook to such a path may be ours."""
    url = obj(hook, "config").get("url")
    if not isinstance(url, str):
        return False
    if public_url:
        return url.rstrip("/") == hook_url(public_url)
    return urlsplit(url).path.rstrip("/").endswith(HOOK_PATH)


def is_delivered(row: Mapping[str, object]) -> bool:
    code = row.get("status_code")
    return isinstance(code, int) and 200 <= code < 300


class Deliveries:
    name = "deliveries"

    def __init__(
        self,
        config: Callable[[], Settings],
        journal: Journal,
        clock: Clock,
        problems: Problems,
        api: GitHubAPI,
    ) -> None:
        self._config, self._journal, self._clock = config, journal, clock
        self._problems, self._api = problems, api
        self._names = Repositories(config, clock, api)
        self._hooks: dict[str, _Hook] = {}
        self._strikes = 0
        self._wake = asyncio.Event()
        self._last_at: int | None = None
        self._detail = "not swept yet"
        self._state = "ok"
        self._recovered = 0

    def wake(self) -> None:
        self._wake.set()

    async def run(self) -> None:
        """Forever; cancelled to stop."""
        while True:
            pause = await self.sweep()
            due_at, due = self._clock.now_ms() + int(pause * 1000), self._clock.monotonic() + pause
            self._wake.clear()
            while not self._wake.is_set():
                left = min((due_at - self._clock.now_ms()) / 1000, due - self._clock.monotonic())
                if left <= 0:
                    break
                try:
                    async with asyncio.timeout(min(left, LONGEST_SLEEP_S)):
                        await self._wake.wait()
                except TimeoutError:
                    pass

    async def sweep(self) -> float:
        """Look through the record of every repository's hook; the seconds until the next sweep."""
        if not self._config().github.repo:
            self._state, self._detail = "off", "no [[github.repo]] is configured"
            return LONGEST_SLEEP_S
        try:
            names = await self._names.all()
            for name in names:
                await self.recover(name)
        except Waiting as waiting:
            self._state, self._detail = "waiting", waiting.message
            return min(max((waiting.until - self._clock.now_ms()) / 1000, 1.0), EVERY_S)
        except (StoreBusy, StoreUnavailable):
            return FIRST_BACKOFF_S
        except GitHubError as error:
            self._strikes += 1
            self._state, self._detail = "problem", error.message
            if isinstance(error, Unauthorized):
                self._problems.set(PART, error.message, error.hint)
            return min(FIRST_BACKOFF_S * 2 ** min(self._strikes - 1, 10), EVERY_S)
        if self._strikes:
            self._strikes = 0
            self._problems.set(PART, None)
        self._last_at = self._clock.now_ms()
        self._sum_up(names)
        return EVERY_S

    def describe(self) -> dict[str, JSON]:
        return {
            "name": self.name,
            "kind": "github",
            "state": self._state,
            "last_at": self._last_at,
            "detail": self._detail,
        }

    async def recover(self, name: str) -> int:
        """Take in what the hook of one repository missed; how many signals were new."""
        now = self._clock.now_ms()
        hook = self._hooks.setdefault(name.lower(), _Hook())
        if hook.denied_until > now:
            return 0
        key = f"deliveries:{name.lower()}"
        try:
            rows = await self._api.pages(f"/repos/{name}/hooks?per_page=100", limit=3)
            ours = next((r for r in rows if is_ours(r, self._config().ingress.public_url)), {})
            hook.number = whole(ours.get("id"))
            if hook.number is None:
                return 0
            kept = await self._journal.load(key)
            hook.done = (
                {str(k): int(v) for k, v in kept.items() if isinstance(v, int)}
                if isinstance(kept, dict)
                else {}
            )
            missed = await self._missed(name, hook, now)
        except (Offline, Unauthorized, Waiting):
            raise
        except GitHubError:
            hook.number, hook.denied_until = None, now + DENIED_MS
            return 0
        return await self._take_in(name, hook, key, missed, now)

    async def _missed(self, name: str, hook: _Hook, now: int) -> list[Mapping[str, object]]:
        """Rows of the record whose guid was never answered with 2xx, oldest first."""
        path: str | None = f"/repos/{name}/hooks/{hook.number}/deliveries?per_page=100"
        failed: dict[str, Mapping[str, object]] = {}
        delivered: set[str] = set()
        for _ in range(MOST_PAGES):
            if path is None:
                break
            answer = await self._api.get(path)
            rows, path = answer.rows(), answer.next
            for row in rows:
                guid, at = row.get("guid"), when_ms(row.get("delivered_at"))
                if at is not None and at < now - BACK_MS:
                    path = None
                elif isinstance(guid, str) and row.get("event") != "ping":
                    if is_delivered(row):
                        delivered.add(guid)
                    failed[guid] = row
        wanted = [row for guid, row in failed.items() if guid not in delivered and guid not in hook.done]
        return wanted[::-1][:MOST_FETCHED]

    async def _take_in(
        self, name: str, hook: _Hook, key: str, missed: list[Mapping[str, object]], now: int
    ) -> int:
        new = 0
        for start in range(0, len(missed), AT_ONCE):
            drafts: list[SignalDraft] = []
            for row in missed[start : start + AT_ONCE]:
                draft = await self._fetch(name, hook, row)
                if draft is not None:
                    drafts.append(draft)
                hook.done[str(row["guid"])] = when_ms(row.get("delivered_at")) or now
            hook.done = {guid: at for guid, at in hook.done.items() if at > now - BACK_MS - DENIED_MS}
            new += await self._keep(drafts, {key: {**hook.done}})
        self._recovered += new
        return new

    async def _fetch(self, name: str, hook: _Hook, row: Mapping[str, object]) -> SignalDraft | None:
        """The signal of one delivery; None when GitHub no longer has it, or it is not of a listed repository."""
        try:
            answer = await self._api.get(f"/repos/{name}/hooks/{hook.number}/deliveries/{row.get('id')}")
        except (Offline, Unauthorized, Waiting):
            raise
        except GitHubError:
            return None
        record = answer.body if isinstance(answer.body, Mapping) else {}
        body = obj(obj(record, "request"), "payload")
        if not body:
            return None
        raw = json.dumps(body, separators=(",", ":")).encode()
        event, guid = str(row.get("event") or ""), str(row.get("guid"))
        draft = parse(event, guid, raw, body, bot=self._config().github.bot)
        if draft.repo is None or self._config().github.match(draft.repo) is None:
            return None
        return draft

    async def _keep(self, drafts: list[SignalDraft], states: Mapping[str, JSON]) -> int:
        pause = 0.1
        while True:
            try:
                kept = await self._journal.emit_all(drafts, states)
                return sum(not intake.duplicate for intake in kept)
            except (StoreBusy, StoreUnavailable):
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_SLEEP_S)

    def _sum_up(self, names: list[str]) -> None:
        denied = [n for n in names if self._hooks[n.lower()].denied_until > self._clock.now_ms()]
        watched = [n for n in names if self._hooks[n.lower()].number is not None]
        self._state = "ok" if watched else "off"
        self._detail = f"{len(watched)} hooks, {self._recovered} missed deliveries recovered"
        if denied:
            self._detail += (
                f"; the token may not read the hooks of {', '.join(denied[:3])}"
                " (classic: scope `admin:repo_hook`; fine-grained: Webhooks: read)"
            )
