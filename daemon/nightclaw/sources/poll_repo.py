"""One look at one repository: what is new since the last one, by key, and the state to keep with it.

Every listing has a constant address and a kept ETag, so a look at a quiet repository costs nothing but 304s.
A page is followed by the next while it reaches back past what the last look saw; what is new is then decided by
keys alone. A first look is a baseline: what is older than a day is marked so, except what still stands.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

from nightclaw.core.ports import Journal
from nightclaw.core.types import JSON, SignalDraft
from nightclaw.sources import poll_bodies as bodies
from nightclaw.sources.github import parse
from nightclaw.sources.github_answers import Absent, Answer, GitHubError, Offline, Unauthorized, Waiting
from nightclaw.sources.github_api import GitHubAPI
from nightclaw.sources.github_keys import obj, when_ms, whole
from nightclaw.sources.poll_bodies import Found, Row

DAY_MS = 86_400_000
HOUR_MS = 3_600_000
ABSENT_MS = HOUR_MS
EVER_MS = 10**14
MOST_THREADS = 25
MOST_REVIEWED = 20
MOST_PULLS = 500
DRIFT_S = (-2, -1, 1, 2)
STATE_VERSION = 1

_DATED = re.compile(r"(.+[:@])(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Listing:
    """One address. time: the field it is sorted by, newest first. reach_ms: how far behind the last look a change
    may still show (a run is listed when it was made, not when it ended)."""

    name: str
    path: str
    time: str
    key: str = ""
    reach_ms: int = 2 * 60_000
    pages: int = 10


def listings(branch: str) -> dict[str, Listing]:
    newest = "sort=updated&direction=desc&per_page=50"
    found = (
        Listing("issues", f"/issues?state=all&{newest}", "updated_at"),
        Listing("pulls", f"/pulls?state=all&{newest}", "updated_at"),
        Listing("issue_events", "/issues/events?per_page=100", "created_at"),
        Listing("comments", f"/issues/comments?{newest}", "updated_at"),
        Listing("review_comments", f"/pulls/comments?{newest}", "updated_at"),
        Listing("runs", "/actions/runs?per_page=50", "created_at", "workflow_runs", 6 * HOUR_MS, 4),
        Listing(
            "checks",
            f"/commits/{quote(branch, safe='')}/check-runs?per_page=100",
            "started_at",
            "check_runs",
            DAY_MS,
            3,
        ),
        Listing("feed", "/events?per_page=50", "created_at", "", HOUR_MS, 3),
    )
    return {listing.name: listing for listing in found}


@dataclass
class State:
    """What is kept of a repository between looks: JSON in, JSON out."""

    baseline_at: int
    repo: dict[str, object] = field(default_factory=dict[str, object])
    etags: dict[str, str] = field(default_factory=dict[str, str])
    marks: dict[str, int] = field(default_factory=dict[str, int])
    absent: dict[str, list[int]] = field(default_factory=dict[str, list[int]])
    pulls: dict[str, list[str]] = field(default_factory=dict[str, list[str]])

    @classmethod
    def of(cls, kept: JSON, now: int) -> "State":
        if not isinstance(kept, Mapping) or kept.get("v") != STATE_VERSION:
            return cls(baseline_at=now)
        held = json.loads(json.dumps(kept))
        return cls(**{name: value for name, value in held.items() if name != "v"})

    def as_json(self) -> dict[str, JSON]:
        return json.loads(json.dumps({"v": STATE_VERSION, **vars(self)}))


@dataclass(frozen=True, slots=True)
class Look:
    """The outcome: drafts oldest first, the state to keep with them (None: unchanged), what the token may not see."""

    drafts: list[SignalDraft]
    state: dict[str, JSON] | None
    forbidden: list[str]
    feed_pause_s: float | None = None


class RepoLook:
    """Collects and decides; emits nothing itself. `threads` is a cache of issues by number, shared between looks."""

    def __init__(
        self, api: GitHubAPI, journal: Journal, name: str, kept: JSON, now: int, threads: dict[int, Row]
    ) -> None:
        self._api, self._journal, self._name, self._now = api, journal, name, now
        self._kept = kept
        self._state = State.of(kept, now)
        self._is_first = not self._state.repo
        self._threads = threads
        self._pulls: dict[int, Row] = {}
        self._feed_pause_s: float | None = None

    async def run(self, *, with_feed: bool = True, bot: str | None = None) -> Look:
        """Raises Absent when the repository itself cannot be seen, else what the API raises."""
        answer = await self._api.get(f"/repos/{self._name}", etag=self._state.etags.get("repo"))
        if not answer.unchanged and isinstance(answer.body, Mapping):
            self._state.repo = bodies.slim_repository(answer.body)
            self._keep_etag("repo", answer)
        found = await self._collect(with_feed)
        drafts = await self._unseen(found, bot)
        state = self._state.as_json()
        forbidden = sorted(name for name, (_, status) in self._state.absent.items() if status == 403)
        return Look(drafts, None if state == self._kept else state, forbidden, self._feed_pause_s)

    async def _collect(self, with_feed: bool) -> list[Found]:
        repo, found = self._state.repo, list[Found]()
        branch = str(repo.get("default_branch") or "main")
        walks = listings(branch)

        async def walk(name: str) -> list[Row]:
            return await self._walk(walks[name])

        def take(items: Iterable[Found | None]) -> None:
            found.extend(item for item in items if item is not None)

        issues = await walk("issues")
        self._remember(issues)
        take(bodies.opened_issue(row, repo) for row in issues)
        take(await self._pull_requests([bodies.pull_request(row) for row in await walk("pulls")]))
        events = await walk("issue_events")
        take(bodies.issue_event(row, repo, self._pulls) for row in events)
        if self._is_first:
            found = await self._with_standing_requests(found)
        for row in await walk("comments"):
            take(bodies.comments(row, repo))
        for row in await walk("review_comments"):
            take(bodies.review_comments(row, repo))
        runs = await walk("runs")
        red = bodies.failing_runs(runs, repo)
        take(
            replace(item, standing=item.id in red)
            for item in (bodies.finished_run(row, repo) for row in runs)
            if item is not None
        )
        take(bodies.finished_check(row, repo, branch) for row in await walk("checks"))
        if with_feed:
            is_only = "issue_events" in self._state.absent
            take(bodies.feed_event(row, repo, is_only) for row in await walk("feed"))
        return found

    async def _walk(self, listing: Listing) -> list[Row]:
        """The rows of a listing that may be new; [] when it did not change or cannot be read."""
        state, name = self._state, listing.name
        if state.absent.get(name, (0,))[0] > self._now:
            return []
        mark = state.marks.get(name)
        floor = mark - listing.reach_ms if mark is not None else state.baseline_at - DAY_MS
        rows: list[Row] = []
        try:
            first = answer = await self._api.get(
                f"/repos/{self._name}{listing.path}", etag=state.etags.get(name)
            )
            if name == "feed" and answer.poll_interval_s:
                self._feed_pause_s = answer.poll_interval_s
            if answer.unchanged:
                return []
            rows += answer.rows(listing.key)
            for _ in range(listing.pages - 1):
                if not answer.next or not rows or (when_ms(rows[-1].get(listing.time)) or 0) <= floor:
                    break
                answer = await self._api.get(answer.next)
                rows += answer.rows(listing.key)
        except (Offline, Waiting, Unauthorized):
            raise
        except Absent as error:
            state.absent[name] = [self._now + ABSENT_MS, error.status or 0]
            return []
        except GitHubError:  # 409 and 422: an empty repository has no commits yet
            return []
        state.absent.pop(name, None)
        self._keep_etag(name, first)
        times = [t for t in (when_ms(row.get(listing.time)) for row in rows) if t is not None]
        if times:
            state.marks[name] = max([mark or 0, *times])
        return rows

    def _keep_etag(self, name: str, answer: Answer) -> None:
        if answer.etag:
            self._state.etags[name] = answer.etag
        else:
            self._state.etags.pop(name, None)

    def _remember(self, issues: Iterable[Row]) -> None:
        for row in issues:
            number = whole(row.get("number"))
            if number:
                self._threads[number] = row
        while len(self._threads) > MOST_PULLS:
            del self._threads[next(iter(self._threads))]

    async def _pull_requests(self, rows: list[dict[str, object]]) -> list[Found]:
        """Opened, pushed to and reviewed pull requests; remembers heads, to tell a push from another change."""
        found: list[Found] = []
        repo, known, asked = self._state.repo, self._state.pulls, 0
        for row in rows:
            number = whole(row.get("number"))
            if not number:
                continue
            self._pulls[number] = row
            found.append(bodies.opened_pull(row, repo))
            sha, at = str(obj(row, "head").get("sha") or ""), str(row.get("updated_at") or "")
            held = known.pop(str(number), None)
            if held and held[0] and sha and held[0] != sha:
                found.append(bodies.pushed_pull(row, repo, held[0]))
            if held and held[1] == at:
                known[str(number)] = held
                continue
            is_recent = (when_ms(at) or 0) > self._state.baseline_at - DAY_MS
            if is_recent and asked == MOST_REVIEWED:
                self._state.etags.pop("pulls", None)  # looked at again next time
                known[str(number)] = [sha, held[1] if held else ""]
                continue
            if is_recent:
                asked += 1
                found += await self._reviews(number, row)
            if row.get("state") == "open":
                known[str(number)] = [sha, at]
        for number in list(known)[: max(len(known) - MOST_PULLS, 0)]:
            del known[number]
        return found

    async def _reviews(self, number: int, pull: Row) -> list[Found]:
        try:
            rows = await self._api.pages(f"/repos/{self._name}/pulls/{number}/reviews?per_page=100", limit=3)
        except Absent:
            return []
        items = (bodies.review(row, pull, self._state.repo) for row in rows)
        return [item for item in items if item is not None]

    async def _with_standing_requests(self, found: list[Found]) -> list[Found]:
        """Mark the review requests that nobody answered yet; fetch those that lie behind the listing."""
        wanted = {
            (number, str(user.get("login")))
            for number, row in self._pulls.items()
            if row.get("state") == "open" and isinstance(row.get("requested_reviewers"), list)
            for user in row["requested_reviewers"]  # pyright: ignore[reportGeneralTypeIssues]
            if isinstance(user, Mapping)
        }
        latest = _latest_requests(found, wanted)
        for number in sorted({n for n, _ in wanted - set(latest)})[-MOST_REVIEWED:]:
            try:
                rows = await self._api.pages(
                    f"/repos/{self._name}/issues/{number}/events?per_page=100", limit=3
                )
            except Absent:
                continue
            issue = self._threads.get(number) or {**self._pulls[number], "pull_request": {}}
            events = (
                bodies.issue_event({**row, "issue": issue}, self._state.repo, self._pulls)
                for row in rows
                if row.get("event") == "review_requested"
            )
            found = [*found, *(item for item in events if item is not None)]
        latest = _latest_requests(found, wanted)
        standing = set(latest.values())
        return [
            replace(f, standing=True) if f.event == "pull_request" and f.id in standing else f for f in found
        ]

    async def _unseen(self, found: list[Found], bot: str | None) -> list[SignalDraft]:
        """Drafts of what the journal does not hold, oldest first."""
        drafts: dict[str, tuple[Found, SignalDraft]] = {}
        for item in sorted(found, key=lambda f: f.feed):
            draft = _draft(item, item.body, bot)
            key = draft.dedupe_key
            if item.feed and (
                key.endswith(f":api:{item.id}")
                or not bodies.is_whole(item)
                or any(near in drafts for near in _neighbours(key, {}))
            ):
                continue
            held = drafts.get(key)
            if held is None or (item.standing and not held[0].standing):
                drafts[key] = (item, draft)
        near = {key: _neighbours(key, drafts) for key in drafts}
        asked = [*drafts, *(key for keys in near.values() for key in keys)]
        holds = await self._journal.holds("github", asked) if asked else set[str]()
        new = [pair for key, pair in drafts.items() if key not in holds and holds.isdisjoint(near[key])]
        lookup = _Lookup(self._api, self._name, self._threads, self._pulls)
        done = [await self._finish(item, lookup, bot) for item, _ in new]
        return sorted(done, key=lambda d: str(d.attrs.get("created_at") or ""))

    async def _finish(self, item: Found, lookup: "_Lookup", bot: str | None) -> SignalDraft:
        body = item.body
        if item.thread is not None:
            name = "issue" if item.event == "issue_comment" else "pull_request"
            body = {**body, name: {**obj(body, name), **await lookup.thread(item.thread, name)}}
        draft = _draft(item, body, bot)
        raw = json.dumps(body, separators=(",", ":")).encode()
        at = when_ms(draft.attrs.get("created_at"))
        is_old = at is not None and at < self._state.baseline_at - DAY_MS and not item.standing
        attrs = {**draft.attrs, "baseline": True} if is_old else draft.attrs
        return replace(draft, raw=raw, attrs=attrs, delivery=None)


class _Lookup:
    """Issues that comments belong to, each fetched once, at most MOST_THREADS a look."""

    def __init__(self, api: GitHubAPI, name: str, threads: dict[int, Row], pulls: Mapping[int, Row]) -> None:
        self._api, self._name, self._threads, self._pulls = api, name, threads, pulls
        self._left = MOST_THREADS

    async def thread(self, number: int, kind: str) -> Row:
        if kind == "pull_request" and number in self._pulls:
            return self._pulls[number]
        if number not in self._threads and self._left > 0:
            self._left -= 1
            try:
                answer = await self._api.get(f"/repos/{self._name}/issues/{number}")
            except Absent:
                return {}
            if isinstance(answer.body, Mapping):
                self._threads[number] = answer.body
        row = self._threads.get(number, {})
        return row if kind == "issue" else {k: v for k, v in row.items() if k != "pull_request"}


def _draft(item: Found, body: Mapping[str, object], bot: str | None) -> SignalDraft:
    return parse(item.event, f"api:{item.id}", b"", body, bot=bot)


def _latest_requests(found: Iterable[Found], wanted: set[tuple[int, str]]) -> dict[tuple[int, str], str]:
    """The newest `review_requested` of each wanted (number, login): its id."""
    newest: dict[tuple[int, str], tuple[str, str]] = {}
    for item in found:
        if item.event == "pull_request" and item.body.get("action") == "review_requested":
            who = str(obj(item.body, "requested_reviewer").get("login"))
            key = (whole(item.body.get("number")) or 0, who)
            at = str(obj(item.body, "pull_request").get("updated_at"))
            if key in wanted and at >= newest.get(key, ("", ""))[0]:
                newest[key] = (at, item.id)
    return {key: found_id for key, (_, found_id) in newest.items()}


def _neighbours(key: str, keys: Mapping[str, object]) -> list[str]:
    """Keys a delivery of the same occurrence may have: its clock can be a second or two from the listing's.

    A key that another row of this very look has is another occurrence, never a neighbour.
    """
    match = _DATED.fullmatch(key) if key.startswith(("issues.", "pull_request.")) else None
    if match is None or ".opened:" in key:
        return []
    try:
        at = datetime.strptime(match[2], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError:
        return []
    near = (f"{match[1]}{(at + timedelta(seconds=s)).strftime('%Y-%m-%dT%H:%M:%SZ')}" for s in DRIFT_S)
    return [other for other in near if other not in keys]
