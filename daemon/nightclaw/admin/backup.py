"""`backup`: the home in one file, taken while the daemon runs, whole under its name or not there at all."""

import os
import re
import shutil
import tarfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from nightclaw.admin import archive
from nightclaw.admin.archive import DATABASE, Entry
from nightclaw.configfile import sync_folder
from nightclaw.core import failpoints
from nightclaw.core.errors import NightclawError, NotFound, Refused

_PARTIAL = re.compile(r"^\.nightclaw-.*\.(\d+)\.partial(?:-journal|-wal|-shm)?$")


@dataclass(frozen=True, slots=True)
class Backup:
    path: Path
    size: int
    files: int

    def as_json(self) -> dict[str, object]:
        return {"path": str(self.path), "bytes": self.size, "files": self.files}


def back_up(home: Path, wanted: Path | None, is_folder: bool = False) -> Backup:
    """Write and verify a backup. wanted: a new file's name, or the folder for a file with a dated name.

    is_folder: wanted is a folder that may not be there yet; one that is there is a folder without saying so.

    Raises NotFound (no home), Refused (the file exists), NightclawError (it could not be made or verified).
    """
    if not any((home / name).exists() for name in (DATABASE, "config.toml", "ORDERS.md", "logs")):
        raise NotFound(
            f"there is nothing to back up in {home}", "NIGHTCLAW_HOME or --home names another home"
        )
    if wanted is None or is_folder or wanted.is_dir():
        path = _in_folder(wanted or home / "backups")
    else:
        path = _new(wanted)
    _sweep(path.parent)
    partial = path.with_name(f".{_stem(path)}.{os.getpid()}.partial")
    copy = path.with_name(f".{_stem(path)}-db.{os.getpid()}.partial")
    try:
        _ensure_room(home, path.parent)
        entries = _write(home, partial, copy)
        if archive.unpack(partial, None) != entries:
            raise NightclawError("the backup does not read back as it was written", "check the disk")
        failpoints.hit("backup.copied")
        partial.rename(path)
    finally:
        for leftover in (partial, copy):
            leftover.unlink(missing_ok=True)
    sync_folder(path.parent)
    return Backup(path, path.stat().st_size, len(entries))


def _stem(path: Path) -> str:
    return path.name if path.name.startswith("nightclaw-") else f"nightclaw-{path.name}"


def _new(path: Path) -> Path:
    if not path.parent.is_dir():
        raise NotFound(f"{path.parent} is not a folder", "make it first")
    if path.exists():
        raise Refused(f"{path} exists already", "choose another name")
    return path


def _in_folder(folder: Path) -> Path:
    if folder.exists() and not folder.is_dir():
        raise Refused(f"{folder} is a file", "name a folder, or a new file")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    names = (f"nightclaw-{stamp}{f'-{n}' if n else ''}.tar" for n in range(1000))
    return next(folder / name for name in names if not (folder / name).exists())


def _sweep(folder: Path) -> None:
    """Remove what backups that were killed left behind."""
    for path in folder.iterdir():
        found = _PARTIAL.match(path.name)
        if found and not _is_alive(int(found[1])):
            path.unlink(missing_ok=True)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _ensure_room(home: Path, folder: Path) -> None:
    sizes = [p.stat().st_size for p in archive.files_of(home)]
    database = sum(p.stat().st_size for p in home.glob(f"{DATABASE}*"))
    needed, free = sum(sizes) + 2 * database, shutil.disk_usage(folder).free
    if needed > free:
        problem = f"a backup needs {needed >> 20} MiB, {folder} has {free >> 20} MiB free"
        raise NightclawError(problem, "free some space, or name another folder: clawctl backup PATH")


def _write(home: Path, partial: Path, copy: Path) -> dict[str, Entry]:
    entries: dict[str, Entry] = {}
    limits = archive.log_sizes(home)
    revision = ""
    handle = os.open(partial, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "wb") as sink:
        with tarfile.open(fileobj=sink, mode="w", format=tarfile.PAX_FORMAT, dereference=True) as tar:
            if (home / DATABASE).exists():
                limits = archive.copy_database(home, copy)
                revision = archive.check_database(copy)
                entries[DATABASE] = archive.add(tar, copy, DATABASE)
                copy.unlink()
            for path in archive.files_of(home):
                name = path.relative_to(home).as_posix()
                is_log = name.startswith("logs/") and name.endswith(".md")
                if not is_log:
                    entries[name] = archive.add(tar, path, name)
                elif path in limits:
                    entries[name] = archive.add(tar, path, name, limits[path])
            archive.add_manifest(tar, entries, revision)
        sink.flush()
        os.fsync(sink.fileno())
    return entries
