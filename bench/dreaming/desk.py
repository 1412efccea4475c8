"""A home for one benchmark: a store, a clock that is told the time, a dreamer, and ways to tell it things."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from nightclaw import boot
from nightclaw.core.errors import NightclawError
from nightclaw.core.states import MemoryState
from nightclaw.core.trust import Trust
from nightclaw.memory.dream.asking import Means
from nightclaw.memory.dream.orient import Rules
from nightclaw.memory.dream.phases import DreamReport
from nightclaw.memory.dream.run import Dreamer
from nightclaw.store import events, memories, observations
from nightclaw.store.db import Connection, Store
from nightclaw.store.memories import NewMemory, Said

DAY = 86_400_000
NOW = int(datetime(2026, 11, 18, 3, tzinfo=UTC).timestamp() * 1000)


@dataclass(frozen=True)
class Nothing:
    """Nobody is here and nothing is to do."""

    attached: bool = False
    working: bool = False


@dataclass
class Hand:
    """core.ports.Clock, set by hand."""

    now: int = NOW

    def now_ms(self) -> int:
        return self.now

    def monotonic(self) -> float:
        return self.now / 1000


async def nothing() -> Nothing:
    return Nothing()


@dataclass
class Desk:
    store: Store
    clock: Hand
    dreamer: Dreamer

    async def save(
        self,
        text: str,
        at: int,
        topic: str,
        trust: Trust = Trust.OWNER,
        state: MemoryState = MemoryState.ACTIVE,
    ) -> int | None:
        """The cursor the memory rests on; None when it was refused."""
        by = "owner" if trust is Trust.OWNER and state is MemoryState.ACTIVE else "remember"
        new = NewMemory(text, "project", topic, trust, (), by, at, state=state)
        role = "owner" if by == "owner" else "assistant"

        def write(conn: Connection) -> int:
            made = memories.get(conn, memories.save(conn, new, Said(role), self.clock.now))
            assert made is not None
            return made.sources[0]

        try:
            return await self.store.write(write)
        except NightclawError:
            return None

    async def say(
        self,
        text: str,
        at: int,
        session: str = "main",
        role: str = "owner",
        trust: Trust = Trust.OWNER,
        kind: str = "turn",
    ) -> int:
        def write(conn: Connection) -> int:
            cursor = events.append(conn, "signal.received", self.clock.now, {}, session=session)
            new = observations.NewObservation(cursor, at, role, kind, text, trust, session=session)
            return observations.add(conn, new)

        return await self.store.write(write)

    async def dream(self) -> DreamReport:
        report = await self.dreamer.dream(now=True)
        assert report.state == "finished", f"{report.state}: {report.why}"
        return report

    async def rows(self) -> list[memories.Memory]:
        return await self.store.read(lambda conn: memories.matching(conn, "1 = 1 ORDER BY n", []))


Make = Callable[[Store, Hand], Means | None]


@asynccontextmanager
async def desk(path: Path, means: Make = lambda store, clock: None) -> AsyncIterator[Desk]:
    if not path.exists():
        boot.make_database(path)
    store = Store(path)
    await store.open()
    clock = Hand()
    asks = means(store, clock)
    rules = Rules(True, 1, 86_400.0, UTC, may_ask=asks is not None)
    try:
        yield Desk(store, clock, Dreamer(store, clock, lambda: rules, nothing, lambda: 0, asks))
    finally:
        await store.close()
