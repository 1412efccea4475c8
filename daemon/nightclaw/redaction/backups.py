"""Our own backups without a text: each is opened, cut like a home, and written anew where something was found."""

import contextlib
import os
import re
import shutil
import sqlite3
import tarfile
from pathlib import Path

from nightclaw.admin import archive
from nightclaw.admin.archive import DATABASE, Entry
from nightclaw.configfile import sync_folder
from nightclaw.core.errors import NightclawError
from nightclaw.redaction import closed, files
from nightclaw.redaction.closed import Done
from nightclaw.redaction.words import Cutter

_ROOM = ".redaction-"
_PARTIAL = re.compile(r"\.nightclaw-.*\.(\d+)\.partial.*")


def cut_backups(folder: Path, cutter: Cutter) -> Done:
    """Every backup in the folder. left: those that cannot be opened."""
    done = Done()
    if not folder.is_dir():
        return done
    for path in sorted(folder.iterdir()):
        if path.name.startswith(_ROOM):
            shutil.rmtree(path, ignore_errors=True)
        elif _PARTIAL.fullmatch(path.name) and not _is_alive(path.name):
            path.unlink(missing_ok=True)
        else:
            _cut_one(path, cutter, done)
    return done


def _cut_one(path: Path, cutter: Cutter, done: Done) -> None:
    try:
        if path.is_dir() and not path.is_symlink():
            done.backups += closed.cut_home(path, cutter).total > 0
        elif path.suffix == ".tar" or (path.is_file() and tarfile.is_tarfile(path)):
            done.backups += _cut_tar(path, cutter)
        elif path.suffix == ".db":
            done.backups += _cut_database(path, cutter)
        elif path.is_file() and cutter.data(path.read_bytes()) != path.read_bytes():
            done.left.append(f"backups/{path.name}")
    except (NightclawError, sqlite3.DatabaseError, OSError):
        done.left.append(f"backups/{path.name}")


def _cut_database(path: Path, cutter: Cutter) -> bool:
    changed = closed.cut_database(path, cutter)
    if changed:
        closed.finish_file(path)
    return changed > 0


def _cut_tar(path: Path, cutter: Cutter) -> bool:
    """Write the backup anew without the text; as it was when the text is not in it. Raises NightclawError."""
    room = path.parent / f"{_ROOM}{path.name}"
    shutil.rmtree(room, ignore_errors=True)
    home = room / "home"
    home.mkdir(mode=0o700, parents=True)
    try:
        names = list(archive.unpack(path, home))
        if not closed.cut_home(home, cutter).total:
            return False
        making = room / path.name
        names = list(dict.fromkeys(files.renamed(name, cutter) for name in names))
        entries = _pack(home, names, making)
        if archive.unpack(making, None) != entries:
            raise NightclawError("the backup does not read back as it was written", "check the disk")
        os.chmod(making, path.stat().st_mode & 0o777)
        making.rename(path)
        sync_folder(path.parent)
    finally:
        shutil.rmtree(room, ignore_errors=True)
    return True


def _pack(home: Path, names: list[str], making: Path) -> dict[str, Entry]:
    entries: dict[str, Entry] = {}
    revision = archive.check_database(home / DATABASE) if (home / DATABASE).exists() else ""
    with making.open("xb") as sink:
        with tarfile.open(fileobj=sink, mode="w", format=tarfile.PAX_FORMAT) as tar:
            for name in names:
                entries[name] = archive.add(tar, home / name, name)
            archive.add_manifest(tar, entries, revision)
        sink.flush()
        os.fsync(sink.fileno())
    return entries


def _is_alive(name: str) -> bool:
    found = _PARTIAL.fullmatch(name)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(int(found[1]) if found else 0, 0)
        return True
    return False
