"""Memory, composed: its files, its desk, recall for tools and prompts, dreams, and redaction."""

import asyncio
import importlib
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from nightclaw.api.ports import Brought, DreamOrder, MemoryChange, MemoryOrder
from nightclaw.core.errors import Refused
from nightclaw.core.ports import ModelRequest, Provider
from nightclaw.core.trust import Trust
from nightclaw.core.types import JSON, JSONObject
from nightclaw.diary import Diary
from nightclaw.glance import Known
from nightclaw.house import House
from nightclaw.memory import index
from nightclaw.memory.desk import MemoryDesk, Piece
from nightclaw.memory.dream.orient import Rules
from nightclaw.memory.offer import Wanted
from nightclaw.memory.offered import Offered
from nightclaw.memory.recall import Scope, recall
from nightclaw.memory.reminding import Reminder, remind
from nightclaw.memory.topics import MemoryFiles
from nightclaw.protocol.messages import iso
from nightclaw.providers.router import Router
from nightclaw.sources.idle import Activity
from nightclaw.store import budgets, dreams, observations, topics
from nightclaw.store.db import Connection
from nightclaw.supervise import Supervisor

if TYPE_CHECKING:
    from nightclaw.memory.dream.run import Dreamer

FEATURE, ROLE = "dream", "dream"
LOOK_S = 30.0
NEW_WORK = frozenset({"task.created", "task.started"})
LONGEST_WAIT_S = 3600.0
_ANSWERS, _ABOUT, _LOOKED_AT = 3, 8, 12
_ABOUT_OWNER = re.compile(r"(?i)\b(?:know|remember|learned) (?:of |about )?me\b|\bwho am i\b")


class Agent(Protocol):
    """Models and their money, as far as a dream needs them."""

    @property
    def router(self) -> Router: ...
    def caps(self) -> budgets.Caps: ...


class RememberingHouse(House, Protocol):
    """What memory needs of the daemon around it. `agent` is asked only once everything is composed."""

    @property
    def diary(self) -> Diary: ...
    @property
    def agent(self) -> Agent: ...
    def has(self, feature: str) -> bool: ...
    def is_paused(self) -> bool: ...
    async def activity(self) -> Activity: ...
    def idle_since(self) -> int | None: ...
    def day_of(self, at: int) -> str: ...


class Remembering:
    """One for the daemon. `services` go to the tools, `add_loops` to the supervisor, the rest to the control API."""

    def __init__(self, house: RememberingHouse) -> None:
        self._house = house
        store, clock = house.store, house.clock
        zone = lambda: house.config.tz  # noqa: E731
        self.files = MemoryFiles(store, clock, house.home, house.problems)
        self._desk = MemoryDesk(store, clock, zone, self.files)
        offered = Offered(store, clock, zone)
        self.services: Mapping[str, object] = {"recall": offered.recall, "remember": offered.remember}
        self._dreamer: Dreamer | None = None

    def add_loops(self, supervisor: Supervisor) -> None:
        supervisor.add(self.files.name, self.files.run, critical=False)
        supervisor.add("dream", self._dream, critical=False)
        supervisor.add("waking", self._wake, critical=False)

    # Dreams

    async def _dream(self) -> None:
        """Wait for the first quiet, then dream whenever one is due."""
        while self._house.idle_since() is None:  # noqa: ASYNC110  its moment is a matter of minutes
            await asyncio.sleep(LOOK_S)
        await (await self.dreamer()).run()

    async def _wake(self) -> None:
        """A dream gives way as soon as work comes, whoever brought it: a chat, a webhook, a schedule, a file."""
        head = self._house.store.head
        seen = head.cursor
        while True:
            if await head.wait_past(seen, LONGEST_WAIT_S, NEW_WORK):
                self.interrupt()
            seen = head.cursor

    async def dreamer(self) -> "Dreamer":
        """Made when it is first needed: a daemon that does not dream pays nothing for it."""
        if self._dreamer is None:
            await asyncio.to_thread(importlib.import_module, "nightclaw.memory.dream.run")
            from nightclaw.memory.dream.asking import Means
            from nightclaw.memory.dream.run import Dreamer

            house = self._house
            means = Means(_Models(house), self._lists, lambda: house.agent.caps(), house.day_of)
            self._dreamer = self._dreamer or Dreamer(
                house.store, house.clock, self._rules, house.activity, house.idle_since, means, self._clone,
                self._after,
            )  # fmt: skip
        return self._dreamer

    def interrupt(self) -> None:
        """New work: a dream that is on ends now, with nothing changed."""
        if self._dreamer is not None:
            self._dreamer.interrupt()

    def _rules(self) -> Rules:
        house = self._house
        dream = house.config.dream
        return Rules(
            is_on=house.has(FEATURE) and not house.is_paused(),
            min_observations=dream.min_observations,
            every_s=dream.every,
            tz=house.config.tz,
            may_ask=house.config.exists and house.agent.router.has(ROLE),
        )

    def _lists(self, repo: str) -> Sequence[str] | None:
        found = self._house.config.github.match(repo)
        return found.models if found is not None else None

    def _clone(self, repo: str) -> Path | None:
        found = self._house.config.github.match(repo)
        return found.path if found is not None else None

    async def _after(self, topics: frozenset[str]) -> None:
        await self.files.render(topics)

    # What a turn asks

    def index_for(self, conn: Connection, repo: str | None) -> str:
        """The index as it stands in the prompt's stable prefix; "" while nothing is remembered."""
        return index.index_text(conn, repo)

    def remind(self, conn: Connection, text: str, session: str, repo: str | None, private: bool) -> Reminder:
        """What fits a new message of the owner's: text to stand beside it, and the label it brings."""
        return remind(conn, text, session, repo, private, self._house.clock.now_ms())

    def known(self, conn: Connection, question: str) -> list[Known]:
        """What answers a question, best first: nothing private, nothing of strangers."""
        if _ABOUT_OWNER.search(question):
            rows = topics.about_owner(conn, _ABOUT)
            return [Known(m.observed_at, m.text, m.id, False) for m in reversed(rows)]
        found = recall(conn, question, _LOOKED_AT, Scope(floor=Trust.REPO), self._house.clock.now_ms())
        best = max((r.score for r in found), default=0.0)
        kept = [r for r in found if r.id is not None and r.score >= best / 2][:_ANSWERS]
        heard = {o.cursor for o in observations.get(conn, [r.cursor for r in kept]) if o.text == question}
        return [Known(r.observed_at, r.text, r.id or "", r.cursor in heard) for r in kept]

    # What the owner asks, through the control API

    def control(self) -> "Asked":
        return Asked(self._house, self._desk, self.dreamer, self.files)


class Asked:
    """The callables of `api.ports.Control` about memory."""

    def __init__(
        self,
        house: RememberingHouse,
        desk: MemoryDesk,
        dreamer: Callable[[], Awaitable["Dreamer"]],
        files: MemoryFiles,
    ) -> None:
        self._house = house
        self._desk = desk
        self._dreamer = dreamer
        self._files = files
        self._redacting: Callable[[str], Awaitable[JSONObject]] | None = None
        self.read_memory_files: Callable[[], Awaitable[object]] = desk.look
        self.search_memory = desk.search
        self.forget_memory = desk.forget

    async def redact(self, text: str) -> JSONObject:
        """Remove a text from everything that is ours. Raises Invalid, NotFound, Refused while one is under way."""
        if self._redacting is None:
            from nightclaw.redaction.running import Redaction  # archives and all: loaded when it is asked for

            house = self._house
            made = Redaction(house.store, house.clock, house.home, house.diary, self._files)
            self._redacting = made.redact
        return await self._redacting(text)

    async def add_memory(self, order: MemoryOrder) -> str:
        wanted = Wanted(order.text, order.topic, order.when, order.observed_at, kind=order.kind)
        return await self._desk.add(wanted)

    async def edit_memory(self, memory_id: str, change: MemoryChange) -> str:
        return await self._desk.edit(memory_id, change.text, change.topic, change.when)

    async def import_memories(self, pieces: Sequence[Brought], dry_run: bool) -> JSONObject:
        wanted = [Piece(p.text, p.topic, p.when, p.observed_at, p.role, p.session) for p in pieces]
        return await self._desk.bring(wanted, dry_run=dry_run)

    async def dream(self, order: DreamOrder) -> JSONObject:
        """Raises Refused when one is on, dreams are off, or (without `now`) none is due."""
        if self._house.is_paused():
            raise Refused("everything is paused, dreams too", "`clawctl resume` first")
        if not self._house.has(FEATURE):
            raise Refused("dreams are switched off", "`clawctl features dream on`")
        await self._desk.look()
        dreamer = await self._dreamer()
        if not order.now and (why := await dreamer.why_not()) is not None:
            raise Refused(f"no dream is due: {why}", "`clawctl dream --now` does not wait for that")
        report = await dreamer.dream(now=True, dry_run=order.dry_run)
        held = await self._house.store.read(dreams.get, report.id) if report.id else None
        if held is not None:
            return held
        counts: dict[str, JSON] = dict.fromkeys(
            ("added", "merged", "superseded", "retired", "kept", "lost"), 0
        )
        moment = iso(self._house.clock.now_ms())
        return {**counts, **report.as_json(), "created_at": moment, "finished_at": moment}

    async def undo_dream(self, dream_id: str) -> None:
        await self._desk.look()
        await (await self._dreamer()).undo(dream_id)


class _Models:
    """The router, once the agent around it is made."""

    def __init__(self, house: RememberingHouse) -> None:
        self._house = house

    def models(self, role: str, allowed: Sequence[str] | None) -> Sequence[str]:
        return self._house.agent.router.models(role, allowed)

    def chain(self, role: str, allowed: Sequence[str] | None) -> Provider | None:
        return self._house.agent.router.chain(role, allowed)

    def bound(self, role: str, request: ModelRequest, allowed: Sequence[str] | None) -> float:
        return self._house.agent.router.bound(role, request, allowed)
