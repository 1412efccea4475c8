"""GitHub behind NAT: looks at each configured repository every `poll`, with the same keys as the hook.

Guarantees: one look in flight; a look's signals and its state are kept in one transaction (the last one, when
there are many signals), so a crash between loses nothing and a repetition is caught by the keys; off the network
it says so once and tries ever less often, up to 15 minutes; after a suspend it catches up once.
"""

import asyncio
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from nightclaw.core import failpoints
from nightclaw.core.errors import StoreBusy, StoreUnavailable
from nightclaw.core.ports import Clock, Journal, Problems
from nightclaw.core.types import JSON, SignalDraft
from nightclaw.sources.github_answers import GitHubError, Offline, Unauthorized, Waiting
from nightclaw.sources.github_api import GitHubAPI
from nightclaw.sources.github_repos import Repositories
from nightclaw.sources.github_token import Settings
from nightclaw.sources.poll_bodies import Row
from nightclaw.sources.poll_repo import RepoLook

LONGEST_SLEEP_S = 30.0
FIRST_BACKOFF_S = 15.0
STORE_PAUSE_S = 5.0
LONGEST_BACKOFF_S = 900.0
AT_ONCE = 100
CALLS_A_LOOK = 10
JITTER = 0.1


@dataclass
class _Repo:
    """When a repository is due, on both clocks, and how it went."""

    due_at: int = 0
    due_mono: float = 0.0
    strikes: int = 0
    last_at: int | None = None
    problem: str | None = None
    feed_due_mono: float = 0.0
    threads: dict[int, Row] = field(default_factory=dict[int, Row])


def jitter(name: str) -> float:
    """0 to 1, always the same for a repository: repositories drift apart instead of asking in step."""
    return hashlib.sha256(name.lower().encode()).digest()[0] / 256


class Poll:
    name = "poll"

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
        self._repos: dict[str, _Repo] = {}
        self._names = Repositories(config, clock, api)
        self._wake = asyncio.Event()
        self._lock = asyncio.Lock()
        self._strikes = 0
        self._gate = (0, 0.0)
        self._last_at: int | None = None
        self._fault: str | None = None

    def wake(self) -> None:
        """Look at every repository now: the network is back, or the config changed."""
        for repo in self._repos.values():
            repo.due_at, repo.due_mono, repo.strikes = 0, 0.0, 0
        self._strikes, self._gate = 0, (0, 0.0)
        self._names.forget()
        self._wake.set()

    async def run(self) -> None:
        """Forever; cancelled to stop."""
        while True:
            pause = await self.round()
            self._wake.clear()
            try:
                async with asyncio.timeout(min(max(pause, 0.01), LONGEST_SLEEP_S)):
                    await self._wake.wait()
            except TimeoutError:
                pass

    async def round(self) -> float:
        """Look at each repository that is due; the seconds until the next one is."""
        interval = self._config().github.poll
        if not interval:
            self._forget(set())
            return LONGEST_SLEEP_S
        held_back = self._left(*self._gate)
        if held_back > 0:
            return held_back
        try:
            names = await self._names.all()
            self._forget({name.lower() for name in names})
            for name in names:
                repo = self._repos.setdefault(name.lower(), _Repo())
                if self._left(repo.due_at, repo.due_mono) <= 0:
                    self._delay(repo, self._interval(interval, len(names)) * (1 + JITTER * jitter(name)))
                    await self._visit(name, repo, interval)
            if self._fault is not None:
                self._well()
        except Waiting as waiting:
            self._gate = self._in(max((waiting.until - self._clock.now_ms()) / 1000, 1.0))
        except (StoreBusy, StoreUnavailable):
            self._gate = self._in(STORE_PAUSE_S)
        except (Offline, Unauthorized) as error:
            self._strikes += 1
            self._ail(error)
            self._gate = self._in(_backoff(min(interval, FIRST_BACKOFF_S), self._strikes))
        due = (self._left(repo.due_at, repo.due_mono) for repo in self._repos.values())
        return max(self._left(*self._gate), min(due, default=LONGEST_SLEEP_S), 0.0)

    async def look(self, name: str) -> int:
        """One look at one repository, now; how many signals were new. Raises GitHubError or a store error."""
        async with self._lock:
            repo = self._repos.setdefault(name.lower(), _Repo())
            key = f"poll:{name.lower()}"
            kept = await self._journal.load(key)
            with_feed = repo.feed_due_mono <= self._clock.monotonic()
            look = RepoLook(self._api, self._journal, name, kept, self._clock.now_ms(), repo.threads)
            found = await look.run(with_feed=with_feed, bot=self._config().github.bot)
            if with_feed:
                repo.feed_due_mono = self._clock.monotonic() + (found.feed_pause_s or 0.0)
            await self._emit(found.drafts, {key: found.state} if found.state is not None else {})
            repo.last_at = self._last_at = self._clock.now_ms()
            self._say(name, repo, found.forbidden)
            return len(found.drafts)

    def repositories(self) -> dict[str, dict[str, JSON]]:
        """By lower-case name: when each polled repository was looked at last (ms), and what ails it."""
        return {n: {"last_at": r.last_at, "problem": r.problem} for n, r in self._repos.items()}

    def describe(self) -> dict[str, JSON]:
        is_on = bool(self._config().github.poll)
        waiting = self._api.waiting
        ill = [repo.problem for repo in self._repos.values() if repo.problem]
        state, detail = "ok", f"{len(self._repos)} repositories every {self._config().github.poll or 0:g} s"
        if not is_on:
            state, detail = "off", "hooks are used: [github] poll turns it on"
        elif not self._config().github.repo:
            state, detail = "off", "no [[github.repo]] is configured"
        elif self._fault or ill:
            state, detail = "problem", self._fault or "; ".join(p for p in ill[:3] if p)
        elif waiting:
            state, detail = "waiting", waiting[1]
        elif self._api.is_anonymous:
            detail += ", without a token: public ones only, and slowly"
        return {"name": "poll", "kind": "github", "state": state, "last_at": self._last_at, "detail": detail}

    async def _visit(self, name: str, repo: _Repo, interval: float) -> None:
        try:
            await self.look(name)
            repo.strikes, self._strikes = 0, 0
        except (Offline, Waiting, Unauthorized, StoreBusy, StoreUnavailable):
            repo.due_at, repo.due_mono = 0, 0.0
            raise
        except GitHubError as error:
            repo.strikes += 1
            repo.problem = f"{name}: {error.message}"
            self._problems.set(f"github:{name.lower()}", repo.problem, error.hint)
            self._delay(repo, _backoff(interval, repo.strikes))

    async def _emit(self, drafts: list[SignalDraft], states: Mapping[str, JSON]) -> None:
        if not drafts and not states:
            return
        failpoints.hit("poll.before_emit")
        for start in range(0, max(len(drafts), 1), AT_ONCE):
            is_last = start + AT_ONCE >= len(drafts)
            await self._keep(drafts[start : start + AT_ONCE], states if is_last else {})
        failpoints.hit("poll.emitted")

    async def _keep(self, drafts: list[SignalDraft], states: Mapping[str, JSON]) -> None:
        pause = 0.1
        while True:
            try:
                await self._journal.emit_all(drafts, states)
                return
            except (StoreBusy, StoreUnavailable):
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_SLEEP_S)

    def _interval(self, interval: float, count: int) -> float:
        """`poll`, or longer where GitHub grants an anonymous caller too few calls for it."""
        limit = self._api.hourly_limit
        if self._api.is_anonymous and limit:
            return max(interval, 3600 * CALLS_A_LOOK * count / (0.8 * limit))
        return interval

    def _in(self, seconds: float) -> tuple[int, float]:
        """A moment from now, on both clocks."""
        return self._clock.now_ms() + int(seconds * 1000), self._clock.monotonic() + seconds

    def _left(self, at: int, mono: float) -> float:
        """Seconds to a moment: it has come when either clock says so (a suspend stops one, a jump moves one)."""
        return min((at - self._clock.now_ms()) / 1000, mono - self._clock.monotonic())

    def _delay(self, repo: _Repo, seconds: float) -> None:
        repo.due_at, repo.due_mono = self._in(seconds)

    def _forget(self, names: set[str]) -> None:
        for gone in [name for name in self._repos if name not in names]:
            del self._repos[gone]
            self._problems.set(f"github:{gone}", None)

    def _say(self, name: str, repo: _Repo, forbidden: list[str]) -> None:
        """What the token may not read of a repository matters: it would be missed in silence."""
        if forbidden:
            repo.problem = f"{name}: the token may not read {', '.join(forbidden)}"
            hint = "give it read access to Issues, Pull requests, Actions, Checks and Contents of this repository"
            self._problems.set(f"github:{name.lower()}", repo.problem, hint)
        elif repo.problem:
            repo.problem = None
            self._problems.set(f"github:{name.lower()}", None)

    def _ail(self, error: GitHubError) -> None:
        if self._fault != error.message:
            self._fault = error.message
            self._problems.set("github", error.message, error.hint)

    def _well(self) -> None:
        self._fault = None
        self._problems.set("github", None)


def _backoff(interval: float, strikes: int) -> float:
    return min(max(interval, 1.0) * 2 ** min(strikes - 1, 10), LONGEST_BACKOFF_S)
