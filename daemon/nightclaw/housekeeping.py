"""What must be done now and then: expire unanswered approvals, prune by retention, look after the disk."""

import asyncio
import contextlib
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

from nightclaw.config import Config
from nightclaw.core.errors import StoreClosed, StoreUnavailable
from nightclaw.core.ports import Clock, Problems
from nightclaw.core.states import ApprovalState, TaskState
from nightclaw.store import approvals, retention, tasks
from nightclaw.store.db import Connection, Store

EVERY_S = 30.0
PRUNE_EVERY_S = 6 * 3600.0
LOW_DISK_BYTES = 200 * 1024 * 1024


class Housekeeping:
    """check_integrity: look through the whole file once, after an unclean stop. read_up_to: the slowest consumer."""

    name = "housekeeping"

    def __init__(
        self,
        store: Store,
        clock: Clock,
        config: Callable[[], Config],
        problems: Problems,
        read_up_to: Callable[[], int],
        *,
        check_integrity: bool,
    ) -> None:
        self._store = store
        self._clock = clock
        self._config = config
        self._problems = problems
        self._read_up_to = read_up_to
        self._check_integrity = check_integrity
        self._pruned_at: float | None = None

    async def run(self) -> None:
        """Every 30 s, for ever."""
        while True:
            try:
                await self.sweep()
            except StoreClosed:
                raise
            except StoreUnavailable as error:
                self._problems.set("store", error.message, error.hint)
            await asyncio.sleep(EVERY_S)

    async def sweep(self) -> None:
        """One round of everything that is due."""
        if self._check_integrity:
            self._check_integrity = False
            said = await asyncio.to_thread(quick_check, self._store.path)
            if said != "ok":
                hint = "stop the daemon and run `clawctl restore` with the newest backup"
                self._problems.set("store", f"the database is damaged: {said}", hint)
        now = self._clock.now_ms()
        if await self._store.read(approvals.overdue, now):
            await self._store.write(expire, now)
        await asyncio.to_thread(self._look_at_disk)
        if self._pruned_at is None or self._clock.monotonic() - self._pruned_at > PRUNE_EVERY_S:
            self._pruned_at = self._clock.monotonic()
            await self._prune(now)

    async def _prune(self, now: int) -> None:
        kept = self._config().retention
        limits = retention.Limits(
            payloads_at=now - int(kept.payloads * 1000),
            events_at=now - int(kept.events * 1000),
            read_up_to=self._read_up_to(),
        )
        while await self._store.write(retention.prune, limits, now):  # noqa: ASYNC110  a pause, not a wait
            await asyncio.sleep(0.05)

    def _look_at_disk(self) -> None:
        free = shutil.disk_usage(self._store.path.parent).free
        low = free < LOW_DISK_BYTES
        said = f"only {free // (1024 * 1024)} MB are free where the home is" if low else None
        self._problems.set("disk", said, "free some space; intake stops when the disk is full")


def expire(conn: Connection, now: int) -> int:
    """Unanswered is denied: close what is overdue; a proposal ends with it, parked work goes on without it."""
    overdue = approvals.overdue(conn, now)
    for a in overdue:
        task = tasks.get(conn, a.task_id) if a.task_id else None
        session = task.session if task else None
        approvals.resolve(
            conn, a.id, ApprovalState.EXPIRED, by="time", note="unanswered", now=now, session=session
        )
        if task is not None and task.state is TaskState.PROPOSED:
            tasks.finish(conn, task, TaskState.CANCELLED, "the proposal was not answered in time", now)
        elif task is not None and task.parked_on == a.id:
            tasks.move(conn, task.id, TaskState.READY, now, parked_on=None)
    return len(overdue)


def quick_check(path: Path) -> str:
    """SQLite's own verdict on the file: "ok", or the first fault. Reads all of it, on its own connection."""
    try:
        with contextlib.closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
            row = connection.execute("PRAGMA quick_check(1)").fetchone()
            return str(row[0])
    except sqlite3.DatabaseError as error:
        return str(error)
