"""The ordered start of the daemon, one named function a step. Recovery never runs work: it re-queues.

Order: home → lock → schema → (store opens) → epoch, runs, effects, safe mode in one transaction. Nothing here
costs more as the database grows.
"""

import contextlib
import fcntl
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from nightclaw.core import failpoints
from nightclaw.core.errors import ConfigError, Fault, HomeLocked, HomeTooNew, NightclawError
from nightclaw.core.states import TaskState
from nightclaw.core.types import JSON, NoteDraft
from nightclaw.store import budgets, deliveries, dreams, events, notifications, runs, settings, tasks
from nightclaw.store.db import Connection, writer_engine
from nightclaw.store.schema import FTS, SCHEMA_VERSION, metadata

DEATHS = 3
SAME_STEP_DEATHS, WORK_DEATHS = 2, 3
"""A task is set aside when the daemon died that often at one step of it: tried once more, or twice where work is at
stake. A schedule's job comes again by itself."""
DEATHS_WITHIN_MS = 15 * 60 * 1000
FOLDERS = ("run", "logs", "blobs", "backups")


@dataclass(frozen=True, slots=True)
class Recovery:
    """What the start found. clean: the last stop was orderly. safe_mode: why work stays off, or None."""

    epoch: int
    clean: bool
    requeued: int
    safe_mode: str | None


def make_home(home: Path) -> None:
    """The home and its folders, 0700. Raises ConfigError when it cannot be written."""
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        if home.stat().st_uid == os.getuid():
            home.chmod(0o700)
        for name in FOLDERS:
            (home / name).mkdir(mode=0o700, exist_ok=True)
        (home / "run").chmod(0o700)
        probe = home / "run" / ".writable"
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        fault = Fault(str(home), 0, "NIGHTCLAW_HOME", f"the home cannot be written ({error.strerror})",
                      "make it writable for this user, or set NIGHTCLAW_HOME to a folder that is")  # fmt: skip
        raise ConfigError([fault]) from error


@contextlib.contextmanager
def locked(home: Path) -> Iterator[None]:
    """Hold the home's flock. Raises HomeLocked at once when another daemon does, and changes nothing."""
    path = home / "run" / "daemon.lock"
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise HomeLocked(
                f"another daemon holds {home}", "`clawctl status` shows it; NIGHTCLAW_HOME names another home"
            ) from error
        os.ftruncate(handle, 0)
        os.write(handle, f"{os.getpid()}\n".encode())
        failpoints.hit("boot.locked")
        yield
    finally:
        os.close(handle)


def finish_restore(home: Path) -> None:
    """Complete a restore that was killed after it was decided, before anything of the home is read."""
    if any((home / "backups").glob("restore-*")):
        from nightclaw.admin.restore import finish_interrupted

        finish_interrupted(home)


def finish_redaction(home: Path) -> None:
    """Complete a redaction that was killed after it was decided, before the database is opened."""
    if (home / ".redaction.json").exists():
        from nightclaw.redaction.running import finish_interrupted

        finish_interrupted(home)


def ensure_schema(path: Path) -> None:
    """Bring the database to this program's schema: make it, or copy and upgrade it, or refuse a newer one.

    Raises HomeTooNew (untouched), StoreUnavailable's causes as sqlite3.DatabaseError, NightclawError when the
    upgrade fails (the copy is named).
    """
    if not path.exists() or path.stat().st_size == 0:
        make_database(path)
        return
    held = version_of(path)
    if held == SCHEMA_VERSION:
        return
    if held is None or held > SCHEMA_VERSION:
        raise HomeTooNew(
            f"{path} has schema {held or 'unknown'}, this program knows {SCHEMA_VERSION}",
            "run a nightclaw at least as new as the one that wrote it",
        )
    _upgrade(path, held)


def make_database(path: Path) -> None:
    """A fresh database from schema.py, stamped; appears under its name only when it is whole."""
    making = path.with_name(path.name + ".new")
    for leftover in (making, Path(f"{making}-wal"), Path(f"{making}-shm")):
        leftover.unlink(missing_ok=True)
    with contextlib.closing(sqlite3.connect(making)) as connection:
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        connection.execute("VACUUM")
    engine = writer_engine(making)
    metadata.create_all(engine)
    with engine.connect() as conn:
        for virtual in FTS:
            conn.exec_driver_sql(virtual)
        conn.exec_driver_sql("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)")
        conn.exec_driver_sql("INSERT INTO alembic_version VALUES (?)", (SCHEMA_VERSION,))
        conn.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    engine.dispose()
    os.chmod(making, 0o600)
    for beside in (Path(f"{path}-wal"), Path(f"{path}-shm")):
        beside.unlink(missing_ok=True)
    making.rename(path)


def version_of(path: Path) -> str | None:
    """The revision a database is stamped with. Raises sqlite3.DatabaseError when it cannot be read."""
    with contextlib.closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=5)) as connection:
        try:
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        except sqlite3.OperationalError as error:
            if "no such table" in str(error):
                return None
            raise
    return str(row[0]) if row else None


def _upgrade(path: Path, held: str) -> None:
    """Copy the database, upgrade the copy in a child process, and put it in place whole."""
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
    backup = path.parent / "backups" / f"before-{SCHEMA_VERSION}-{stamp}.db"
    making = path.with_name(path.name + ".upgrade")
    for leftover in (making, Path(f"{making}-wal"), Path(f"{making}-shm")):
        leftover.unlink(missing_ok=True)
    with contextlib.closing(sqlite3.connect(path)) as source:
        for target in (backup, making):
            with contextlib.closing(sqlite3.connect(target)) as copy:
                source.backup(copy)
            os.chmod(target, 0o600)
    failpoints.hit("migrate.copied")
    done = subprocess.run(
        [sys.executable, "-m", "nightclaw.migrations", str(making)],
        capture_output=True, text=True, check=False, timeout=600,
    )  # fmt: skip
    if done.returncode != 0:
        making.unlink(missing_ok=True)
        raise NightclawError(
            f"the upgrade from schema {held} failed: {done.stderr.strip()[-400:]}",
            f"nothing was changed; the copy is {backup}",
        )
    with contextlib.closing(sqlite3.connect(path)) as source:
        source.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    for beside in (Path(f"{path}-wal"), Path(f"{path}-shm")):
        beside.unlink(missing_ok=True)
    making.rename(path)


def recover(conn: Connection, now: int) -> Recovery:
    """One transaction: new epoch, cut runs interrupted, their tasks ready again, sends in flight unknown, no dream."""
    epoch = settings.next_epoch(conn)
    clean = settings.get(conn, settings.CLEAN_STOP) is True or epoch == 1
    settings.put(conn, settings.CLEAN_STOP, None)
    cut = runs.interrupt_all(conn, now)
    deliveries.recover(conn, now)
    budgets.close_open(conn, now)
    dreams.abort_cut(conn, now)
    for task in cut:
        died = runs.deaths_at_same_step(conn, task.id)
        is_work = task.kind == "work" and not task.subject.startswith("schedule:")
        if died >= (WORK_DEATHS if is_work else SAME_STEP_DEATHS):
            _quarantine(conn, task, died, now)
        else:
            tasks.move(conn, task.id, TaskState.READY, now)
    safe_mode = _safe_mode(conn, [t.id for t in cut], clean, now)
    data: dict[str, JSON] = {"epoch": epoch, "clean": clean, "requeued": len(cut), "safe_mode": safe_mode}
    events.append(conn, "daemon.started", now, data)
    return Recovery(epoch, clean, len(cut), safe_mode)


def _quarantine(conn: Connection, task: tasks.Task, died: int, now: int) -> None:
    """A task at whose same step the daemon died again and again is failed and told, not tried once more."""
    said = f"stopped: the daemon died {'twice' if died == 2 else f'{died} times'} at the same step of it"
    if tasks.finish(conn, task, TaskState.FAILED, said, now):
        note = NoteDraft(
            title=f"Stopped: {task.subject}",
            body=f"{said[:1].upper()}{said[1:]}. `clawctl task retry {task.id}` tries once more.",
            dedupe_key=f"quarantine:{task.id}",
            subject=task.subject,
            kind="failure",
        )
        notifications.queue(conn, note, now=now)


def _safe_mode(conn: Connection, cut: list[str], clean: bool, now: int) -> str | None:
    """Why work stays off: the same task was running at three deaths within 15 minutes."""
    held = settings.get(conn, settings.STARTS)
    deaths = [d for d in held if isinstance(d, dict)] if isinstance(held, list) else []
    if not clean:
        deaths.append({"at": now, "running": cut})
    recent = [d for d in deaths if isinstance(d["at"], int) and now - d["at"] <= DEATHS_WITHIN_MS][-5:]
    settings.put(conn, settings.STARTS, recent)
    last = recent[-DEATHS:]
    if len(last) < DEATHS or clean:
        return None
    common = set(cut)
    for death in last:
        running = death["running"]
        common &= {str(t) for t in running} if isinstance(running, list) else set()
    return f"{sorted(common)[0]} was running at {DEATHS} deaths within 15 min" if common else None
