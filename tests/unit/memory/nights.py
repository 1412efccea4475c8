"""A home at night: memories and chats told at given moments, and a dreamer that may be asked, stirred and killed."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

from tests.fakes.clock import FakeClock

from nightclaw import boot
from nightclaw.core.states import MemoryState
from nightclaw.core.trust import Trust
from nightclaw.memory.dream.asking import Means
from nightclaw.memory.dream.orient import Rules
from nightclaw.memory.dream.phases import DreamReport
from nightclaw.memory.dream.run import Dreamer
from nightclaw.store import dreams, events, memories, observations
from nightclaw.store.db import Connection, Store
from nightclaw.store.memories import Memory, NewMemory, Said

TZ = ZoneInfo("Europe/Berlin")
Row = tuple[object, ...]
TABLES = ("memory", "memory_source", "memory_sketch", "tombstone")


def ms(moment: str) -> int:
    """A local moment (`2026-11-18` or `2026-11-18 15:00`) in milliseconds."""
    return int(datetime.fromisoformat(moment).replace(tzinfo=TZ).timestamp() * 1000)


class Watched(Store):
    """A store that lets a test do something just when a query is about to be read, or was."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.before: dict[object, Callable[[], Awaitable[None]]] = {}
        self.after: dict[object, Callable[[], Awaitable[None]]] = {}

    async def read(self, f, *args):  # pyright: ignore
        if f in self.before:
            await self.before.pop(f)()
        found = await super().read(f, *args)
        if f in self.after:
            await self.after.pop(f)()
        return found


@dataclass
class Stir:
    attached: bool = False
    working: bool = False


@dataclass
class Night:
    store: Watched
    clock: FakeClock
    dreamer: Dreamer
    stir: Stir
    rules: Rules
    quiet_since: int | None = 0
    changed: list[frozenset[str]] = field(default_factory=list[frozenset[str]])

    async def save(
        self,
        text: str,
        at: str,
        topic: str = "deploys",
        *,
        trust: Trust = Trust.OWNER,
        by: str = "owner",
        state: MemoryState = MemoryState.ACTIVE,
        repo: str | None = None,
        private: bool = False,
        expires_at: int | None = None,
    ) -> str:
        new = NewMemory(
            text, "project", topic, trust, (), by, ms(at), private, repo, state=state, expires_at=expires_at
        )
        said = Said("owner" if by in ("owner", "edit") else "assistant")
        return await self.store.write(memories.save, new, said, self.clock.now_ms())

    async def say(
        self, text: str, at: str, *, role: str = "owner", trust: Trust = Trust.OWNER, session: str = "main",
        kind: str = "turn", repo: str | None = None, private: bool = False,
    ) -> int:  # fmt: skip
        def write(conn: Connection) -> int:
            cursor = events.append(conn, "signal.received", self.clock.now_ms(), {}, session=session)
            new = observations.NewObservation(
                cursor, ms(at), role, kind, text, trust, private, repo, session=session
            )
            return observations.add(conn, new)

        return await self.store.write(write)

    async def dream(self, *, dry_run: bool = False) -> DreamReport:
        report = await self.dreamer.dream(now=True, dry_run=dry_run)
        assert report.state in ("finished", "dry"), f"{report.state}: {report.why}"
        return report

    async def rows(self, *states: str) -> list[Memory]:
        """All rows, or those in these states, oldest first."""
        found = await self.store.read(memories.matching, "1 = 1 ORDER BY n", [])
        return [m for m in found if not states or m.state in states]

    async def texts(self) -> list[str]:
        """What is active, sorted."""
        return sorted(m.text for m in await self.rows("active"))

    async def get(self, memory_id: str) -> Memory:
        found = await self.store.read(memories.get, memory_id)
        assert found is not None
        return found

    async def picture(self) -> dict[str, list[Row]]:
        """Every row and index entry of memory, byte for byte."""
        return await self.store.read(picture)

    async def count(self, query: str, *values: object) -> int:
        def read(conn: Connection) -> int:
            row = conn.exec_driver_sql(query, values).fetchone()
            return int(row[0]) if row else 0

        return await self.store.read(read)

    async def notes(self) -> list[str]:
        def read(conn: Connection) -> list[str]:
            return [str(r[0]) for r in conn.exec_driver_sql("SELECT body FROM notification ORDER BY rowid")]

        return await self.store.read(read)

    async def last(self) -> dict[str, object]:
        found = await self.store.read(dreams.list_, 1)
        return dict(found[0])


def picture(conn: Connection) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {
        t: sorted((tuple(r) for r in conn.exec_driver_sql(f"SELECT * FROM {t}")), key=repr) for t in TABLES
    }
    found["fts"] = [tuple(r) for r in conn.exec_driver_sql("SELECT rowid, * FROM memory_fts ORDER BY rowid")]
    found["observation"] = [
        tuple(r) for r in conn.exec_driver_sql("SELECT * FROM observation ORDER BY cursor")
    ]
    return found


@cache
def _empty() -> bytes:
    """An empty database, made once."""
    with tempfile.TemporaryDirectory() as room:
        path = Path(room) / "empty.db"
        boot.make_database(path)
        return path.read_bytes()


@asynccontextmanager
async def night(
    path: Path,
    means: Callable[[Store, FakeClock], Means | None] = lambda store, clock: None,
    clone: Callable[[str], Path | None] = lambda repo: None,
    after: Callable[[frozenset[str]], Awaitable[None]] | None = None,
) -> AsyncIterator[Night]:
    """A home of its own, or the one that is there."""
    if not path.exists():
        path.write_bytes(_empty())
    store = Watched(path)
    await store.open()
    clock = FakeClock("2026-11-18T03:00:00+01:00")
    asks = means(store, clock)
    made: list[Night] = []

    async def activity() -> Stir:
        return made[0].stir

    async def told(topics: frozenset[str]) -> None:
        made[0].changed.append(topics)
        if after is not None:
            await after(topics)

    dreamer = Dreamer(
        store, clock, lambda: made[0].rules, activity, lambda: made[0].quiet_since, asks, clone, told
    )
    made.append(Night(store, clock, dreamer, Stir(), Rules(True, 20, 86_400.0, TZ, may_ask=asks is not None)))
    try:
        yield made[0]
    finally:
        await store.close()


async def until(holds: Callable[[], bool], seconds: float = 10.0) -> None:
    """Wait for a condition of this process, with a deadline."""
    async with asyncio.timeout(seconds):
        while True:
            if holds():
                return
            await asyncio.sleep(0)
