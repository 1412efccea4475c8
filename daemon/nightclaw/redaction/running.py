"""Redaction while the daemon runs: one at a time, decided by a journal, finished at the next start when cut short.

Guarantees. Once it is decided, a kill at any moment ends in a home without the text; before that nothing has changed.
The daily log stays one whole chain that shows where something was cut. The journal holds the text and is overwritten
before it goes; no event, log line or answer holds it.
"""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from pathlib import Path
from typing import Protocol, TypeVar

from nightclaw.core import failpoints
from nightclaw.core.errors import NightclawError, NotFound, Refused
from nightclaw.core.ports import Clock
from nightclaw.core.types import JSON, JSONObject
from nightclaw.redaction import backups, closed, files, logs
from nightclaw.redaction.closed import Done, Journal
from nightclaw.redaction.words import MARK, Cutter
from nightclaw.store import diary as head_rows
from nightclaw.store import events, memories, redact
from nightclaw.store.db import Connection, Store

T = TypeVar("T")
PASSES = 4
BUSY_TRIES = 20


class Log(Protocol):
    """The daily log's writer: `held` while its files are changed by somebody else."""

    def held(self) -> AbstractAsyncContextManager[None]: ...


class Files(Protocol):
    """The memory files' keeper."""

    async def alone(self, work: Callable[[], T]) -> T: ...


class Redaction:
    def __init__(self, store: Store, clock: Clock, home: Path, log: Log, keeper: Files) -> None:
        self._store = store
        self._clock = clock
        self._home = home
        self._log = log
        self._files = keeper
        self._turn = asyncio.Lock()
        self._running: asyncio.Future[Done] | None = None

    async def redact(self, text: str) -> JSONObject:
        """Remove a text from everything that is ours. Raises Invalid (too short), NotFound, Refused (one is under way).

        → `{"rows", "lines", "files", "backups", "memories": [retired ids], "left": [files], "mark"}`.
        """
        Cutter(text)
        if self._turn.locked():
            raise Refused("a redaction is under way", "try again when it is done")
        self._running = asyncio.ensure_future(self._run(text))
        done = await asyncio.shield(self._running)  # a client that goes away does not stop it
        if not done.total and not done.left:
            raise NotFound("that text is nowhere in this home")
        return {
            "rows": done.rows,
            "lines": done.lines,
            "files": done.files,
            "backups": done.backups,
            "memories": list(done.memories),
            "left": list(done.left),
            "mark": MARK,
        }

    async def _run(self, text: str) -> Done:
        async with self._turn:
            journal = Journal(text, also=await self._store.read(redact.named_after, text))
            closed.write_journal(self._home, journal)
            failpoints.hit("redaction.begun")
            done = await self._cut_all(journal, Cutter(text, journal.also))
            if done.total:
                await self._store.write(_tell, done, self._clock.now_ms())
            closed.drop_journal(self._home)
            return done

    async def _cut_all(self, journal: Journal, cutter: Cutter) -> Done:
        done = Done()
        done.memories = await self._store.write(_retire_whole, cutter, self._clock.now_ms())
        done.rows = await self._rows(cutter)
        failpoints.hit("redaction.rows_cut")
        async with self._log.held():
            done.lines = await self._relog(journal, cutter)
        done.files = await self._files.alone(lambda: files.cut_files(self._home, cutter))
        for _ in range(PASSES):  # what was written meanwhile by whoever had read it before
            more = await self._rows(cutter)
            done.rows += more
            if not more:
                break
        for _ in range(BUSY_TRIES):
            if await self._store.alone(redact.finish_alone):
                break
            await asyncio.sleep(0.1)
        else:
            raise NightclawError(
                "a reader keeps the old pages", "restart nightclaw: it finishes the redaction first"
            )
        cut = await asyncio.to_thread(backups.cut_backups, self._home / "backups", cutter)
        failpoints.hit("redaction.backups_cut")
        done.backups, done.left = cut.backups, cut.left
        done.left += await asyncio.to_thread(files.left_in, self._home, cutter)
        return done

    async def _rows(self, cutter: Cutter) -> int:
        changed, cut = 0, closed.cutting(cutter)
        for table in await self._store.write(redact.tables_of):
            after: int | None = redact.START
            while after is not None:
                after, found = await self._store.write(redact.cut_chunk, table, after, cut)
                changed += found
        return changed

    async def _relog(self, journal: Journal, cutter: Cutter) -> int:
        folder = self._home / "logs"
        head = await self._store.read(head_rows.head)
        relogged = await asyncio.to_thread(logs.prepare, folder, head, cutter)
        closed.write_journal(self._home, replace(journal, head=relogged.head, is_relogged=True))
        failpoints.hit("redaction.logs_ready")
        await asyncio.to_thread(logs.put, folder)
        failpoints.hit("redaction.logs_put")
        if relogged.head is not None:
            await self._store.write(head_rows.save_head, relogged.head)
        return relogged.lines


def _retire_whole(conn: Connection, cutter: Cutter, now: int) -> list[str]:
    """Memories that say nothing but the text are forgotten for good."""
    found: list[str] = []
    after = 0
    while rows := memories.list_(conn, after=after, limit=500):
        after = rows[-1].n
        for row in rows:
            if cutter.is_all_of(row.text):
                memories.retire(conn, row.id, "owner", now, tombstone=True, reason="redacted")
                found.append(row.id)
    return found


def _tell(conn: Connection, done: Done, now: int) -> int:
    data: dict[str, JSON] = {
        "rows": done.rows, "lines": done.lines, "files": done.files, "backups": done.backups
    }  # fmt: skip
    return events.append(conn, "memory.redacted", now, data)


def finish_interrupted(home: Path) -> bool:
    """Finish a redaction that was cut short; the caller holds the home's lock, nothing is open. True: there was one."""
    journal = closed.read_journal(home)
    if journal is None:
        return False
    cutter = Cutter(journal.text, journal.also)
    closed.cut_home(home, cutter, journal)
    backups.cut_backups(home / "backups", cutter)
    closed.drop_journal(home)
    return True
