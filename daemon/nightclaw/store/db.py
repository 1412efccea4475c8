"""The store's doors: one writer thread with group commit, a pool of readers, and the Head that wakes the loops.

Guarantees. `await write(f, …)` returns only after the commit is durable (WAL, synchronous=FULL). Up to 64 waiting
writes share one transaction, each behind its own savepoint: a failing one fails alone, one fsync serves all. A
fault of the disk (full, I/O error, corrupt, read-only) fails the whole batch with StoreUnavailable, reopens the
connection and is kept in `problem` until a write succeeds again. Only the writer checkpoints the WAL.
"""

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar, cast

from sqlalchemy import URL, Connection, create_engine, event
from sqlalchemy.engine import Engine
from sqlalchemy.exc import DatabaseError
from sqlalchemy.pool import AsyncAdaptedQueuePool, StaticPool
from sqlalchemy.util import greenlet_spawn

from nightclaw.core import failpoints
from nightclaw.core.errors import StoreBusy, StoreClosed, StoreUnavailable
from nightclaw.store.head import Head

__all__ = ["Connection", "Head", "Store", "reader_engine", "writer_engine"]

P = ParamSpec("P")
T = TypeVar("T")

BATCH = 64
QUEUE_LIMIT = 256
CHECKPOINT_PAGES = 1000
PAGE = 4096
READERS = 3


class _Job:
    __slots__ = ("call", "error", "future", "is_alone", "result")

    def __init__(
        self, call: Callable[[Connection], object], future: asyncio.Future[object], *, is_alone: bool = False
    ) -> None:
        self.call = call
        self.is_alone = is_alone
        self.future = future
        self.result: object = None
        self.error: BaseException | None = None


def _is_disk_fault(error: BaseException) -> bool:
    """True for faults of the file or disk, which spoil the whole transaction; constraint errors are not."""
    if not isinstance(error, DatabaseError):
        return False
    original = error.orig
    if isinstance(original, sqlite3.IntegrityError | sqlite3.ProgrammingError):
        return False
    said = str(original)
    return any(
        sign in said
        for sign in (
            "disk is full",
            "disk I/O error",
            "malformed",
            "readonly",
            "not a database",
            "database is locked",
            "unable to open",
        )
    )


def _tune(connection: sqlite3.Connection) -> None:
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in (
        "busy_timeout = 5000",
        "foreign_keys = ON",
        "temp_store = MEMORY",
        "journal_mode = WAL",
        "synchronous = FULL",
        "fullfsync = ON",
        "wal_autocheckpoint = 0",
        "cache_size = -2000",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def writer_engine(path: Path) -> Engine:
    """A synchronous engine on one connection, autocommit at the driver so that BEGIN is ours."""
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        poolclass=StaticPool,
        connect_args={"check_same_thread": False},
    )

    @event.listens_for(engine, "connect")
    def on_connect(connection: sqlite3.Connection, _: object) -> None:
        _tune(connection)

    return engine


def reader_engine(path: Path) -> Engine:
    """An engine on aiosqlite, to be used inside `greenlet_spawn`.

    It is what sqlalchemy.ext.asyncio wraps; importing that package would load the whole ORM (8 MB) for its sessions.
    """
    engine = create_engine(
        URL.create("sqlite+aiosqlite", database=str(path)),
        poolclass=AsyncAdaptedQueuePool,
        pool_size=READERS,
        max_overflow=0,
        isolation_level="AUTOCOMMIT",
    )

    @event.listens_for(engine, "connect")
    def on_connect(connection: object, _: object) -> None:
        cursor = connection.cursor()  # pyright: ignore[reportAttributeAccessIssue]
        for pragma in ("busy_timeout = 5000", "query_only = ON", "temp_store = MEMORY", "cache_size = -1000"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    return engine


class Store:
    """Open with `await open()`, close with `await close()`. All public methods belong to the event loop."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.head = Head()
        self.problem: str | None = None
        self._queue: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._waiting = 0
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._readers: Engine | None = None
        self._closing = False
        self._reading: set[asyncio.Task[object]] = set()
        self._unchecked = 0  # writes since the last checkpoint
        self._pages_a_write = 16.0
        self._wal_bytes = (
            0  # the file keeps its length over a checkpoint: overwriting is twice as fast as appending
        )

    async def open(self) -> None:
        """Start the writer and the readers; the file must exist and be of this schema."""
        self._loop = asyncio.get_running_loop()
        self._readers = reader_engine(self.path)
        self._thread = threading.Thread(target=self._write_loop, name="store-writer", daemon=True)
        self._thread.start()

        def newest(conn: Connection) -> int:
            row = conn.exec_driver_sql("SELECT max(cursor) FROM event").fetchone()
            return int(row[0] or 0) if row else 0

        self.head.publish(await self.read(newest))

    async def close(self) -> None:
        if self._closing:
            return
        self._closing = True
        self._queue.put(None)
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join)
        await asyncio.gather(*self._reading, return_exceptions=True)
        if self._readers is not None:
            await greenlet_spawn(self._readers.dispose)

    @property
    def queue_depth(self) -> int:
        return self._waiting

    async def write(self, f: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `f(conn, …)` in the writer; durable on return. f does SQL only and commits nothing.

        Raises what f raises; StoreUnavailable when the disk refuses; StoreClosed while stopping.
        """
        if self._closing or self._loop is None:
            raise StoreClosed("the daemon is stopping")
        future: asyncio.Future[object] = self._loop.create_future()
        self._waiting += 1
        self._queue.put(_Job(lambda conn: f(conn, *args, **kwargs), future))
        try:
            return cast(T, await future)
        finally:
            self._waiting -= 1

    async def alone(self, f: Callable[[Connection], T]) -> T:
        """Run `f(conn)` in the writer with no transaction open: to write the file anew. Raises as `write`."""
        if self._closing or self._loop is None:
            raise StoreClosed("the daemon is stopping")
        future: asyncio.Future[object] = self._loop.create_future()
        self._queue.put(_Job(f, future, is_alone=True))
        return cast(T, await future)

    async def offer(self, f: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """`write`, but raises StoreBusy at once when the queue is full: for callers that can be told to retry."""
        if self._waiting >= QUEUE_LIMIT:
            raise StoreBusy("the write queue is full", "try again in a moment")
        return await self.write(f, *args, **kwargs)

    async def read(self, f: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `f(conn, …)` on a read-only connection, one consistent snapshot.

        A read whose caller is cancelled runs to its end by itself: cut in the middle it would cost the connection.
        """
        if self._readers is None or self._closing:
            raise StoreClosed("the store is not open")
        reading = asyncio.ensure_future(self._read(self._readers, lambda conn: f(conn, *args, **kwargs)))
        self._reading.add(cast(asyncio.Task[object], reading))
        reading.add_done_callback(self._read_ended)
        return await asyncio.shield(reading)

    def _read_ended(self, reading: asyncio.Task[T]) -> None:
        self._reading.discard(cast(asyncio.Task[object], reading))
        if not reading.cancelled():
            reading.exception()  # the caller has it; a cancelled caller does not miss it

    async def _read(self, readers: Engine, f: Callable[[Connection], T]) -> T:
        def inside() -> T:
            with readers.connect() as conn:
                conn.exec_driver_sql("BEGIN")
                try:
                    return f(conn)
                finally:
                    conn.exec_driver_sql("ROLLBACK")

        try:
            return await greenlet_spawn(inside)
        except DatabaseError as error:
            if _is_disk_fault(error):
                self.problem = f"reading the store failed: {error.orig}"
                raise StoreUnavailable(self.problem, "run `clawctl doctor`") from error
            raise

    # The writer thread

    def _write_loop(self) -> None:
        engine = writer_engine(self.path)
        waiting: _Job | None = None
        try:
            while True:
                first, waiting = waiting or self._queue.get(), None
                if first is None:
                    break
                jobs, stop = [first], False
                while len(jobs) < BATCH and not first.is_alone:
                    try:
                        more = self._queue.get_nowait()
                    except queue.Empty:
                        break
                    if more is None:
                        stop = True
                        break
                    if more.is_alone:
                        waiting = more
                        break
                    jobs.append(more)
                run = self._run_alone if first.is_alone else self._run_batch
                if not run(engine, jobs):
                    engine.dispose()
                    engine = writer_engine(self.path)
                self._unchecked += len(jobs)
                self._checkpoint(engine)
                if stop:
                    break
        finally:
            self._checkpoint(engine, mode="TRUNCATE")
            engine.dispose()

    def _run_batch(self, engine: Engine, jobs: list[_Job]) -> bool:
        """One transaction for all jobs. False when the disk failed and the connection must be reopened."""
        head, kinds = 0, frozenset[str]()
        try:
            with engine.connect() as conn:
                conn.exec_driver_sql("BEGIN IMMEDIATE")
                conn.info["head"], conn.info["kinds"] = 0, set[str]()
                alone = len(jobs) == 1
                for job in jobs:
                    if not alone:
                        conn.exec_driver_sql("SAVEPOINT job")
                    try:
                        job.result = job.call(conn)
                        if not alone:
                            conn.exec_driver_sql("RELEASE job")
                    except Exception as error:
                        if _is_disk_fault(error):
                            raise
                        job.error = error
                        conn.exec_driver_sql("ROLLBACK" if alone else "ROLLBACK TO job")
                        if not alone:
                            conn.exec_driver_sql("RELEASE job")
                if not (alone and jobs[0].error):
                    failpoints.hit("store.before_commit")
                    conn.exec_driver_sql("COMMIT")
                    failpoints.hit("store.after_commit")
                    head, kinds = int(conn.info["head"]), frozenset(conn.info["kinds"])
        except Exception as error:  # noqa: BLE001  a dead writer would leave every caller waiting for ever
            said = error.orig if isinstance(error, DatabaseError) else error
            self._deliver(jobs, 0, StoreUnavailable(f"the store refused a write: {said}", _remedy(str(said))))
            return False
        self._deliver(jobs, head, None, kinds)
        return True

    def _run_alone(self, engine: Engine, jobs: list[_Job]) -> bool:
        """One job outside any transaction. False when the connection must be reopened."""
        try:
            with engine.connect() as conn:
                jobs[0].result = jobs[0].call(conn)
        except Exception as error:  # noqa: BLE001  as in a batch
            said = f"the store refused to be put in order: {error}"
            self._deliver(jobs, 0, StoreUnavailable(said, _remedy(str(error))))
            return False
        self._deliver(jobs, 0, None)
        return True

    def _checkpoint(self, engine: Engine, mode: str = "PASSIVE") -> None:
        wal = Path(f"{self.path}-wal")
        try:
            grown = wal.stat().st_size - self._wal_bytes
            pages = max(self._unchecked * self._pages_a_write, grown / PAGE)
            if mode == "PASSIVE" and pages < CHECKPOINT_PAGES:
                return
            with engine.connect() as conn:
                _, in_wal, _ = conn.exec_driver_sql(f"PRAGMA wal_checkpoint({mode})").fetchall()[0]
            if self._unchecked and in_wal > 0:
                self._pages_a_write = max(1.0, in_wal / self._unchecked)
            self._unchecked = 0
            self._wal_bytes = wal.stat().st_size
        except (OSError, DatabaseError):
            return  # the next write meets the same fault and reports it

    def _deliver(
        self,
        jobs: list[_Job],
        head: int,
        failure: StoreUnavailable | None,
        kinds: frozenset[str] = frozenset(),
    ) -> None:
        loop = self._loop
        if loop is None or loop.is_closed():
            return

        def on_loop() -> None:
            self.problem = failure.message if failure else None
            self.head.publish(head, kinds)
            for job in jobs:
                if job.future.done():
                    continue
                error = failure or job.error
                if error is not None:
                    job.future.set_exception(error)
                else:
                    job.future.set_result(job.result)

        loop.call_soon_threadsafe(on_loop)


def _remedy(said: str) -> str:
    if "full" in said:
        return "free some disk space; intake resumes by itself"
    if "readonly" in said or "unable to open" in said:
        return "make the home writable for this user"
    if "malformed" in said or "not a database" in said:
        return "stop the daemon and run `clawctl restore` with the newest backup"
    return "see `clawctl doctor`"
