"""The backup file: one plain tar of a home, with a manifest of every file's size and SHA-256 as its last member.

What is in it: the database as one consistent snapshot, the logs exactly as long as they were at that snapshot, and the
owner's own files. Not in it: `run/`, `worktrees/`, `backups/`. An archive is trusted only after `read_manifest` and the
hashes agree, whoever wrote it.
"""

import contextlib
import hashlib
import io
import json
import os
import sqlite3
import tarfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote

from nightclaw.core.errors import NightclawError

DATABASE = "nightclaw.db"
MANIFEST = "manifest.json"
LEFT_OUT = frozenset({"run", "backups", "worktrees"})
FORMAT = 1
_LARGEST_LOOSE_FILE = 64 << 20


@dataclass(frozen=True, slots=True)
class Entry:
    size: int
    sha256: str


class _Hashing(io.RawIOBase):
    """Reads at most `left` bytes of a file and hashes what passes."""

    def __init__(self, inner: BinaryIO, left: int) -> None:
        self.inner, self.left, self.digest = inner, left, hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        wanted = self.left if size < 0 else min(size, self.left)
        piece = self.inner.read(wanted)
        self.left -= len(piece)
        self.digest.update(piece)
        return piece


def files_of(home: Path) -> Iterator[Path]:
    """Every file of the home that a backup holds, the database apart: regular files, links not followed."""
    for top in sorted(home.iterdir()):
        if top.name in LEFT_OUT or top.name.startswith((DATABASE, ".")) or top.is_symlink():
            continue
        if top.is_dir():
            inside = (p for p in sorted(top.rglob("*")) if p.is_file() and not p.is_symlink())
            yield from inside
        elif top.is_file() and top.stat().st_size <= _LARGEST_LOOSE_FILE:
            yield top


def log_sizes(home: Path) -> dict[Path, int]:
    return {path: path.stat().st_size for path in (home / "logs").rglob("*.md")}


@contextlib.contextmanager
def opened(database: Path) -> Iterator[sqlite3.Connection]:
    """The database for reading only; never checkpoints, never blocks its writer."""
    connection = sqlite3.connect(
        f"file:{quote(str(database))}?mode=ro", uri=True, timeout=10, isolation_level=None
    )
    try:
        yield connection
    finally:
        connection.close()


def copy_database(home: Path, target: Path) -> dict[Path, int]:
    """Copy the database as it is at one moment, and return how long each log file was at that moment.

    The logs only grow, so sizes that are equal before and after the snapshot is taken are the sizes at it.
    """
    with opened(home / DATABASE) as source:
        for _ in range(200):
            before = log_sizes(home)
            source.execute("BEGIN")
            source.execute("SELECT count(*) FROM sqlite_master").fetchone()
            if log_sizes(home) == before:
                break
            source.execute("ROLLBACK")
        else:
            raise NightclawError("the log grows too fast to take a consistent copy", "try again in a moment")
        with contextlib.closing(sqlite3.connect(target)) as copy:
            os.chmod(target, 0o600)
            source.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")
        source.execute("ROLLBACK")
    return before


def check_database(path: Path) -> str:
    """The schema revision of a sound database. Raises NightclawError naming what is wrong with it."""
    try:
        with opened(path) as connection:
            found = [str(row[0]) for row in connection.execute("PRAGMA integrity_check(3)")]
            if found != ["ok"]:
                raise NightclawError(
                    f"the database is damaged: {found[0]}", "`clawctl restore` an older backup"
                )
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.DatabaseError as error:
        raise NightclawError(
            f"the database cannot be read: {error}", "`clawctl restore` an older backup"
        ) from None
    return str(row[0]) if row else ""


def add(tar: tarfile.TarFile, path: Path, name: str, limit: int | None = None) -> Entry:
    """Add one file under `name`, at most its first `limit` bytes; returns what went in."""
    with path.open("rb") as source:
        info = tar.gettarinfo(arcname=name, fileobj=source)
        info.size = info.size if limit is None else min(limit, info.size)
        info.uid = info.gid = 0
        info.uname = info.gname = ""
        reader = _Hashing(source, info.size)
        tar.addfile(info, reader)
    return Entry(info.size, reader.digest.hexdigest())


def add_manifest(tar: tarfile.TarFile, entries: dict[str, Entry], revision: str) -> None:
    document = {
        "format": FORMAT,
        "schema": revision,
        "files": {name: {"size": e.size, "sha256": e.sha256} for name, e in sorted(entries.items())},
    }
    content = json.dumps(document, indent=1).encode()
    info = tarfile.TarInfo(MANIFEST)
    info.size, info.mode, info.mtime = len(content), 0o600, int(time.time())
    tar.addfile(info, io.BytesIO(content))


def is_safe(name: str) -> bool:
    """True for a member that stays inside a home and outside what no backup may bring."""
    parts = name.split("/")
    return (
        bool(name)
        and not name.startswith("/")
        and parts[0] not in LEFT_OUT
        and not {"", ".", ".."} & set(parts)
    )


def unpack(archive: Path, into: Path | None) -> dict[str, Entry]:
    """Read every member, write it below `into` unless that is None, and hold all of it against the manifest.

    Raises NightclawError for anything that is not a whole backup of ours.
    """
    found: dict[str, Entry] = {}
    told: dict[str, Entry] | None = None
    try:
        with tarfile.open(archive, "r:") as tar:
            for member in tar:
                source = tar.extractfile(member) if member.isreg() else None
                if source is None or not is_safe(member.name) or member.name in found:
                    raise NightclawError(f"{archive} holds {member.name!r}, which no backup of ours does")
                if member.name == MANIFEST:
                    told = _manifest(source.read(64 << 20))
                else:
                    found[member.name] = _take(source, member, into)
    except (tarfile.TarError, EOFError) as error:
        raise NightclawError(f"{archive} is not a whole backup: {error}", "use another one") from None
    if told is None:
        raise NightclawError(f"{archive} is not a whole backup: its manifest is missing", "use another one")
    if told != found:
        wrong = sorted(set(told) ^ set(found)) or sorted(n for n in told if told[n] != found[n])
        raise NightclawError(
            f"{archive} is damaged: {wrong[0]} is not what its manifest says", "use another one"
        )
    return found


def _take(source: BinaryIO | object, member: tarfile.TarInfo, into: Path | None) -> Entry:
    digest = hashlib.sha256()
    target = None if into is None else into / member.name
    if target is not None:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        sink = stack.enter_context(target.open("xb")) if target is not None else None
        while piece := source.read(1 << 20):  # pyright: ignore[reportAttributeAccessIssue]
            digest.update(piece)
            if sink is not None:
                sink.write(piece)
        if sink is not None:
            sink.flush()
            os.fchmod(sink.fileno(), member.mode & 0o700 | 0o600)
            os.fsync(sink.fileno())
    if target is not None:
        os.utime(target, (member.mtime, member.mtime))
    return Entry(member.size, digest.hexdigest())


def _manifest(content: bytes) -> dict[str, Entry]:
    try:
        document = json.loads(content)
        if document["format"] != FORMAT:
            raise NightclawError(f"the backup has format {document['format']}", "use a newer nightclaw")
        return {n: Entry(int(f["size"]), str(f["sha256"])) for n, f in document["files"].items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        raise NightclawError("the backup's manifest cannot be read", "use another one") from None
