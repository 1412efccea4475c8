"""A home with a store, its memory files, and an owner who edits them and has left them alone since."""

import os
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.fakes.settings import opened

from nightclaw.clock import SystemClock
from nightclaw.core.states import MemoryState
from nightclaw.core.trust import Trust
from nightclaw.memory.topics import MemoryFiles
from nightclaw.problems import Problems
from nightclaw.store import memories
from nightclaw.store.db import Connection, Store
from nightclaw.store.memories import Memory, NewMemory, Said


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with opened(tmp_path / "nightclaw.db") as made:
        yield made


def new(text: str, topic: str = "deploys", **more: object) -> NewMemory:
    given: dict[str, object] = {
        "kind": "project",
        "trust": Trust.DAEMON,
        "sources": (),
        "made_by": "dream",
        "observed_at": 1_795_000_000_000,
        "state": MemoryState.ACTIVE,
        **more,
    }
    return NewMemory(text=text, topic=topic, **given)  # pyright: ignore[reportArgumentType]


@dataclass
class Desk:
    """Rows on one side, files on the other."""

    home: Path
    store: Store
    problems: Problems = field(default_factory=Problems)
    ages: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.clock = SystemClock()
        self.files = MemoryFiles(self.store, self.clock, self.home, self.problems)

    def again(self) -> "Desk":
        """The same home after a restart."""
        return Desk(self.home, self.store, ages=self.ages)

    async def keep(self, text: str, topic: str = "deploys", **more: object) -> str:
        def write(conn: Connection) -> str:
            return memories.save(conn, new(text, topic, **more), Said("owner"), self.clock.now_ms())

        return await self.store.write(write)

    async def step(self) -> None:
        """Everything that is due: edits into rows, rows into files."""
        await self.files.look()
        await self.files.render(())

    async def row(self, memory_id: str) -> Memory:
        found = await self.store.read(memories.get, memory_id)
        assert found is not None
        return found

    async def active(self) -> dict[str, Memory]:
        """The active rows by their words."""
        found = await self.store.read(
            lambda conn: memories.list_(conn, states=[MemoryState.ACTIVE], limit=500)
        )
        return {m.text: m for m in found}

    def path(self, topic: str = "deploys") -> Path:
        return self.home / "memory" / "topics" / f"{topic}.md"

    @property
    def index(self) -> Path:
        return self.home / "memory" / "MEMORY.md"

    def text(self, topic: str = "deploys") -> str:
        return self.path(topic).read_bytes().decode()

    def save(self, text: str | bytes, topic: str = "deploys", path: Path | None = None) -> None:
        """The owner saves a file and leaves it alone."""
        wanted = path or self.path(topic)
        wanted.parent.mkdir(parents=True, exist_ok=True)
        wanted.write_bytes(text.encode() if isinstance(text, str) else text)
        age = self.ages[str(wanted)] = self.ages.get(str(wanted), 10_000) - 1
        moment = time.time_ns() - age * 1_000_000_000
        os.utime(wanted, ns=(moment, moment))

    def told(self) -> Mapping[str, str]:
        return {p.part: f"{p.message} | {p.hint}" for p in self.problems.items()}


@pytest.fixture
def desk(tmp_path: Path, store: Store) -> Desk:
    return Desk(tmp_path, store)
