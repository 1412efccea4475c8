"""Writes the daily log: what mattered, one line an event, one file a local day, never changed afterwards.

Guarantees. Each event worth a line has exactly one, in order, through crashes and full disks: a line is on the disk
before the store notes how far the log has come, and lines the store does not know of yet are recognised by their
hashes at the next start; a torn last line is written anew from the store. The files only grow, the log never goes
back to an earlier day when the clock does, and `verify` names the first line that was edited, removed or moved.
"""

import asyncio
import contextlib
import errno
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import tzinfo
from pathlib import Path
from typing import ParamSpec, TypeVar

from nightclaw.core import failpoints
from nightclaw.core.errors import StoreBusy, StoreUnavailable
from nightclaw.core.ports import Problems
from nightclaw.diary.files import append, end_of, settle_tail
from nightclaw.diary.verify import VerifyReport, verify
from nightclaw.diary.words import KINDS, told
from nightclaw.store import diary as rows
from nightclaw.store.db import Store
from nightclaw.store.diary import Entry, Head

P = ParamSpec("P")
T = TypeVar("T")

PAGE = 200
GATHER_S = 0.1
REST_S = 300.0
SAVE_EVERY = 1000
_LONGEST_WAIT_S = 30.0


class Diary:
    """`run()` forever. `zone` gives the configured time zone at the moment of writing."""

    name = "diary"

    def __init__(self, store: Store, home: Path, zone: Callable[[], tzinfo], problems: Problems) -> None:
        self._store = store
        self._home = home
        self._logs = home / "logs"
        self._zone = zone
        self._problems = problems
        self._at: Head | None = None  # None: what the files hold is to be read again
        self._turn = asyncio.Lock()
        self._file_free = asyncio.Event()
        self._file_free.set()
        self._saved = 0
        self.up_to = 0  # the cursor read so far: older events are no longer needed here

    async def run(self) -> None:
        wait_s = 1.0
        while True:
            try:
                await self.catch_up()
            except OSError as error:
                self._at = None
                self._problems.set(
                    "diary", f"the daily log cannot be written: {error.strerror or error}", _hint(error)
                )
            except (StoreBusy, StoreUnavailable):
                self._at = None  # the store tells of its own trouble
            else:
                wait_s = 1.0
                await self._store.head.wait_past(self.up_to, REST_S)
                await asyncio.sleep(GATHER_S)  # one fsync for what comes together
                continue
            await asyncio.sleep(wait_s)
            wait_s = min(wait_s * 2, _LONGEST_WAIT_S)

    async def catch_up(self) -> int:
        """Write every event that has no line yet; returns how many lines. Raises OSError."""
        async with self._turn:
            return await self._catch_up()

    @contextlib.asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """The files stand still meanwhile; afterwards they are read again, from the store's head on."""
        async with self._turn:
            await self._file_free.wait()
            try:
                yield
            finally:
                self._at = None

    async def _catch_up(self) -> int:
        if self._at is None:
            await self._find_place()
        written = 0
        while True:
            page = await self._store.read(rows.page, self.up_to, tuple(KINDS), PAGE)
            lines = [(e, text) for e in page.entries if (text := told(e)) is not None]
            if lines:
                await self._write(lines)
                written += len(lines)
            self.up_to = page.up_to
            if not lines and self.up_to - self._saved >= SAVE_EVERY and self._at is not None:
                self._at = replace(self._at, cursor=self.up_to)
                await self._save(self._at)
            if page.up_to >= page.head:
                return written

    async def verify(self) -> VerifyReport:
        return await asyncio.to_thread(verify, self._home)

    async def _write(self, lines: list[tuple[Entry, str]]) -> None:
        assert self._at is not None
        failpoints.hit("diary.before_write")
        before, self._at = self._at, None
        head = await self._in_turn(append, self._logs, before, lines, self._zone())
        self.up_to = max(self.up_to, head.cursor)
        failpoints.hit("diary.written")
        await self._save(head)
        self._at = head

    async def _save(self, head: Head) -> None:
        await self._store.write(rows.save_head, head)
        self._saved = head.cursor

    async def _in_turn(self, f: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `f` in a thread once the one before has ended; a thread goes on when its caller is cancelled."""
        await self._file_free.wait()
        self._file_free.clear()
        work = asyncio.ensure_future(asyncio.to_thread(f, *args, **kwargs))
        work.add_done_callback(self._ended)
        return await asyncio.shield(work)

    def _ended(self, work: asyncio.Task[T]) -> None:
        if not work.cancelled():
            work.exception()  # seen, should nobody wait for it any more
        self._file_free.set()

    async def _find_place(self) -> None:
        """Where the log goes on: after the store's head, or after the lines that follow it on the disk."""
        await self._file_free.wait()
        head, newest = await self._store.read(rows.place)
        if head is None:  # a new store; an older log is continued, its events are not ours
            head = await self._in_turn(end_of, self._logs)
            await self._store.write(rows.save_head, head)
        place, foreign = await self._in_turn(settle_tail, self._logs, head, newest)
        problem = f"the daily log was changed from outside ({foreign})" if foreign else None
        self._problems.set("diary", problem, "see `clawctl log --verify`")
        self._at, self._saved, self.up_to = place, head.cursor, max(self.up_to, place.cursor)


def _hint(error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "free some disk space; nothing is lost, it goes on by itself"
    return "make the logs folder of the home writable for this user"
