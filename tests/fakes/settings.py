"""Settings for the timed sources, as plain values: what config.toml would say."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

from nightclaw import boot
from nightclaw.core.types import Verdict
from nightclaw.store.db import Store


@dataclass(frozen=True)
class Stanza:
    """A `[[schedule]]`."""

    name: str
    cron: str | None = None
    every: float | None = None
    at: str | None = None
    missed: str = "once"
    within: float | None = None
    prompt: str | None = "Say what changed."
    repo: str | None = None
    verdict: Verdict | None = None
    unattended: str | None = None
    model: str | None = None
    budget_usd: float | None = None
    per_hour: int | None = None


@dataclass(frozen=True)
class Timetable:
    schedule: list[Stanza] = field(default_factory=list[Stanza])
    tz: tzinfo = field(default_factory=lambda: ZoneInfo("Europe/Berlin"))


@dataclass(frozen=True)
class Pace:
    """`[tick]`."""

    every: float = 300.0
    max: float | None = None


@asynccontextmanager
async def opened(path: Path) -> AsyncIterator[Store]:
    """A real store on a file; made when it is not there."""
    if not path.exists():
        boot.make_database(path)
    store = Store(path)
    await store.open()
    try:
        yield store
    finally:
        await store.close()
