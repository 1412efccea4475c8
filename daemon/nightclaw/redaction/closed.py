"""A home that nobody uses, without a text: an old copy, an unpacked backup, or our own at start. Blocking.

Every step can be repeated: what was cut once is not found again.
"""

import contextlib
import json
import os
import sqlite3
from dataclasses import dataclass, field, replace
from pathlib import Path

from nightclaw.configfile import sync_folder
from nightclaw.core import failpoints
from nightclaw.core.types import JSON
from nightclaw.redaction import files, logs
from nightclaw.redaction.logs import Relogged
from nightclaw.redaction.words import Cutter
from nightclaw.store import redact
from nightclaw.store.diary import Head, as_json, head_of_file, of_json

DATABASE = "nightclaw.db"
JOURNAL = ".redaction.json"


@dataclass(slots=True)
class Done:
    """What was cut where. left: what still holds the text, and is not ours to change."""

    rows: int = 0
    lines: int = 0
    files: int = 0
    backups: int = 0
    memories: list[str] = field(default_factory=list[str])
    left: list[str] = field(default_factory=list[str])

    @property
    def total(self) -> int:
        return self.rows + self.lines + self.files + self.backups


@dataclass(frozen=True, slots=True)
class Journal:
    """What was decided and is not finished. head: where the log ends once its new files are in place. also: what was
    named after the text."""

    text: str
    head: Head | None = None
    is_relogged: bool = False
    also: tuple[str, ...] = ()


def read_journal(home: Path) -> Journal | None:
    try:
        held = json.loads((home / JOURNAL).read_text(encoding="utf-8"))
        also = tuple(str(t) for t in held.get("also", ()))
        return Journal(str(held["text"]), of_json(held["head"]), bool(held["is_relogged"]), also)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_journal(home: Path, journal: Journal) -> None:
    """Durable before anything is cut on its strength."""
    head: JSON = as_json(journal.head) if journal.head is not None else None
    held: JSON = {
        "text": journal.text, "head": head, "is_relogged": journal.is_relogged, "also": list(journal.also)
    }  # fmt: skip
    data = json.dumps(held).encode()
    making = home / f"{JOURNAL}.new"
    making.unlink(missing_ok=True)
    handle = os.open(making, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    making.rename(home / JOURNAL)
    sync_folder(home)


def drop_journal(home: Path) -> None:
    """The text itself stands in it: overwritten before it goes."""
    for path in (home / JOURNAL, home / f"{JOURNAL}.new"):
        with contextlib.suppress(FileNotFoundError):
            size = path.stat().st_size
            with path.open("r+b") as file:
                file.write(b"\0" * size)
                file.flush()
                os.fsync(file.fileno())
            path.unlink()
    sync_folder(home)


def cut_home(home: Path, cutter: Cutter, journal: Journal | None = None) -> Done:
    """The whole of a home but its backups. journal: given where a kill may come between two steps."""
    done = Done()
    database = home / DATABASE
    if database.exists():
        done.rows = cut_database(database, cutter)
    relogged = _relog(home, cutter, journal)
    done.lines = relogged.lines
    if database.exists() and relogged.head is not None:
        _save_head(database, relogged.head)
    done.files = files.cut_files(home, cutter)
    if database.exists() and (done.total or journal is not None):
        finish_file(database)
    return done


def _relog(home: Path, cutter: Cutter, journal: Journal | None) -> Relogged:
    folder = home / "logs"
    if journal is not None and journal.is_relogged:
        logs.put(folder)
        if journal.head is not None:
            _save_head(home / DATABASE, journal.head)
    head = head_of_file(home / DATABASE) if (home / DATABASE).exists() else None
    relogged = logs.prepare(folder, head, cutter)
    if journal is not None:
        write_journal(home, replace(journal, head=relogged.head, is_relogged=True))
        failpoints.hit("redaction.logs_ready")
    logs.put(folder)
    return relogged


def cut_database(path: Path, cutter: Cutter) -> int:
    """Every row of a database file; how many changed. Raises sqlite3.DatabaseError."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None, timeout=30)) as db:
        changed = redact.cut_all(db, cutting(cutter))
    return changed


def _save_head(path: Path, head: Head) -> None:
    with contextlib.closing(sqlite3.connect(path, isolation_level=None, timeout=30)) as db:
        db.execute("UPDATE meta SET value = ? WHERE key = 'diary'", (json.dumps(as_json(head)),))


def finish_file(path: Path) -> None:
    """Leave nothing of what was cut in the file or beside it."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None, timeout=30)) as db:
        redact.finish(db)


def cutting(cutter: Cutter) -> redact.Cut:
    def cut(value: str | bytes) -> str | bytes:
        return cutter.text(value) if isinstance(value, str) else cutter.data(value)

    return cut
