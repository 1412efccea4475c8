"""All sources of the daemon: made from the config, each switched by its feature, asked about by the owner."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol

from nightclaw.config import Config
from nightclaw.core.errors import NightclawError
from nightclaw.core.ports import Journal
from nightclaw.core.types import JSON, JSONObject
from nightclaw.core.watch import of_stanza, parse
from nightclaw.house import House
from nightclaw.sources.connect import connect
from nightclaw.sources.deliveries import Deliveries
from nightclaw.sources.files import Files
from nightclaw.sources.github_api import GitHubAPI
from nightclaw.sources.idle import Activity, Idle
from nightclaw.sources.poll import Poll
from nightclaw.sources.probes import Around, Clone, standard_probes
from nightclaw.sources.schedules import Schedules
from nightclaw.sources.ticks import Ticks
from nightclaw.stance import rule_set
from nightclaw.store import approvals, tallies, watches
from nightclaw.store.schedules import StoreScheduleBook
from nightclaw.supervise import Supervisor

USER_RETRY_S = 600.0


class ListeningHouse(House, Protocol):
    """What the sources need of the daemon around them."""

    @property
    def journal(self) -> Journal: ...
    def has(self, feature: str) -> bool: ...
    def is_paused(self) -> bool: ...
    def is_busy(self, kind: str) -> bool: ...
    def is_attended(self) -> bool: ...
    def last_input_at(self) -> int: ...


class Listening:
    """token_login: the GitHub user of the token, once known: the owner where the config names none."""

    def __init__(self, house: ListeningHouse) -> None:
        self._house = house
        self.token_login: str | None = None
        self._switches: dict[str, asyncio.Event] = {}
        config: Callable[[], Config] = lambda: house.config  # noqa: E731
        journal, clock, problems = house.journal, house.clock, house.problems
        self.api = GitHubAPI(config, clock)
        self.poll = Poll(config, journal, clock, problems, self.api)
        self.deliveries = Deliveries(config, journal, clock, problems, self.api)
        self.files = Files(house.config, journal, clock, problems, self._watch_rows)
        self._book = StoreScheduleBook(house.store, clock)
        self.schedules = Schedules(self._book, clock, problems, config, house.is_paused)
        probes = standard_probes(self._waiting_approvals, self._book.failing, problems)
        self.ticks = Ticks(
            journal,
            clock,
            problems,
            lambda: house.config.tick,
            self._around,
            probes,
            house.is_paused,
            self._yield,
        )
        self.idle = Idle(journal, clock, lambda: house.config.dream.idle, self.activity, house.is_paused)
        self._sources: list[tuple[str, Poll | Deliveries | Files | Schedules | Ticks | Idle]] = [
            ("ticks", self.ticks),
            ("schedules", self.schedules),
            ("github", self.poll),
            ("github", self.deliveries),
            ("files", self.files),
            ("dream", self.idle),
        ]

    def add_loops(self, supervisor: Supervisor) -> None:
        for feature, source in self._sources:
            supervisor.add(
                source.name, lambda f=feature, s=source: self._while_on(f, s.name, s.run), critical=False
            )
        supervisor.add("owner", self._learn_owner, critical=False)

    async def _while_on(self, feature: str, name: str, run: Callable[[], Awaitable[None]]) -> None:
        """Run the source while its feature is on; look again when a switch was moved."""
        moved = self._switches.setdefault(name, asyncio.Event())
        while True:
            moved.clear()
            if not self._house.has(feature):
                await moved.wait()
                continue
            running = asyncio.ensure_future(run())
            try:
                while self._house.has(feature) and not running.done():
                    waiting = asyncio.ensure_future(moved.wait())
                    await asyncio.wait({running, waiting}, return_when=asyncio.FIRST_COMPLETED)
                    waiting.cancel()
                    moved.clear()
                if running.done():
                    running.result()
                    return
            finally:
                running.cancel()
                with contextlib.suppress(asyncio.CancelledError, Exception):
                    await running

    def apply(self) -> None:
        """A switch was moved or the config is new."""
        for moved in self._switches.values():
            moved.set()
        self.schedules.poke()
        self.idle.poke()

    async def mirror(self) -> None:
        """Bring what the config says into the rows, and have the sources read it."""
        specs = [of_stanza(w) for w in self._house.config.watch]
        await self._house.store.write(watches.mirror, specs, self._house.clock.now_ms())
        self.files.reload(self._house.config)
        self.poll.wake()

    async def close(self) -> None:
        await self.api.aclose()

    async def _learn_owner(self) -> None:
        """Ask GitHub whose token it is, once, where the config names no owners but has repositories."""
        github = self._house.config.github
        if github.owners or not github.repo:
            return
        while self.token_login is None:
            try:
                self.token_login = (await self.api.user()).login
            except NightclawError as error:
                said = f"nobody is the owner on GitHub: {error.message}"
                self._house.problems.set("github.owners", said, 'set [github] owners = ["your-login"]')
                await asyncio.sleep(USER_RETRY_S)
        self._house.problems.set("github.owners", None)

    async def _watch_rows(self) -> list[watches.Watch]:
        return await self._house.store.read(watches.all_of)

    # What the sources ask

    def _around(self) -> Around:
        house = self._house
        rules = rule_set(house.config, self.token_login)
        clones = tuple(Clone(r.name, r.path, r.base) for r in house.config.github.repo)
        return Around(house.home, house.config.tz, rules.owner.owners, clones)

    async def _waiting_approvals(self) -> list[tuple[str, int]]:
        return await self._house.store.read(approvals.waiting)

    async def _yield(self, longest_s: float) -> None:
        """Let the owner's running turn end first."""
        head = self._house.store.head
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(longest_s):
                while self._house.is_busy("chat"):
                    await head.wait_past(head.cursor, longest_s)

    async def activity(self) -> Activity:
        house = self._house
        counts = await house.store.read(tallies.task_counts)
        working = counts["ready"] + counts["running"] > 0
        return Activity(house.last_input_at(), house.is_attended(), working)

    # What the owner asks

    def describe(self) -> Sequence[Mapping[str, JSON]]:
        return [
            source.describe()
            if self._house.has(feature)
            else {
                "name": source.name,
                "kind": feature,
                "state": "off",
                "last_at": None,
                "detail": "switched off",
            }
            for feature, source in self._sources
        ]

    async def add_schedule(self, words: JSONObject) -> str:
        return await self.schedules.add(words)

    async def remove_schedule(self, ref: str) -> None:
        await self.schedules.remove(ref)

    async def run_schedule(self, ref: str) -> str:
        return await self.schedules.run_now(ref)

    async def add_watch(self, words: JSONObject) -> str:
        row = await self._house.store.write(watches.add, parse(words), self._house.clock.now_ms())
        self.files.reload()
        return row.id

    async def remove_watch(self, ref: str) -> None:
        await self._house.store.write(watches.remove, ref, self._house.clock.now_ms())
        self.files.reload()

    async def github(self) -> Sequence[Mapping[str, JSON]]:
        """Each configured repository: how its events come, and when one came last."""
        names = [r.name for r in self._house.config.github.repo]
        last = await self._house.store.read(tallies.last_signal_of_repos, names)
        public = self._house.config.ingress.public_url
        polls = bool(self._house.config.github.poll)
        mode = "both" if public and polls else "hook" if public else "poll" if polls else "off"
        states = self.poll.repositories()
        return [
            {
                "name": name,
                "mode": mode,
                "hook_url": f"{str(public).rstrip('/')}/hooks/github" if public else None,
                "last_event_at": last.get(name),
                "last_poll_at": states.get(name.lower(), {}).get("last_at"),
                "problem": states.get(name.lower(), {}).get("problem"),
            }
            for name in names
        ]

    async def connect_github(self, repo: str | None) -> Sequence[Mapping[str, JSON]]:
        """Connect one repository, or every one the config lists by its plain name."""
        config = self._house.config
        names = [repo] if repo else [r.name for r in config.github.repo if "*" not in r.name]
        return [(await connect(config, self.api, self._house.clock, name)).as_json() for name in names]
