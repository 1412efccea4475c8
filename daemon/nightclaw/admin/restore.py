"""`restore`: puts a backup in the place of what is there, completely or not at all, and keeps what was there.

The backup is first unpacked and verified beside the home's files. Then a journal is made durable: from there on the
restore is decided, and `finish_interrupted` completes it after a crash at any moment. Before it nothing has changed.
"""

import json
import os
import shutil
import tarfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import nightclaw.core
from nightclaw.admin import archive
from nightclaw.admin.archive import DATABASE, LEFT_OUT
from nightclaw.admin.lock import alone
from nightclaw.configfile import replace_file, sync_folder
from nightclaw.core import failpoints
from nightclaw.core.errors import NightclawError, NotFound, Refused

_DATABASE_FILES = (DATABASE, f"{DATABASE}-wal", f"{DATABASE}-shm")
_OURS = (*_DATABASE_FILES, "config.toml", "ORDERS.md", "logs", "blobs", "memory")
_STAGED = "restore-*"
_JOURNAL = "journal.json"


@dataclass(frozen=True, slots=True)
class Restored:
    home: Path
    source: Path
    aside: Path


def restore(home: Path, source: Path) -> Restored:
    """Make the home what it was at `source`, a backup whatever its name, or a bare copy of the database (.db).

    Raises Refused (a daemon runs; made by a newer program), NotFound (no such file), NightclawError (not whole).
    """
    if not source.is_file():
        raise NotFound(f"there is no backup at {source}", f"the home's own backups: ls {home / 'backups'}")
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    with alone(home, "restored"):
        finish_interrupted(home)
        stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S-%f")[:-3]
        staged = home / "backups" / f"restore-{stamp}"
        (staged / "new").mkdir(mode=0o700, parents=True)
        try:
            names = _stage(source, staged / "new")
        except BaseException:
            shutil.rmtree(staged, ignore_errors=True)
            raise
        brought = sorted(path.name for path in (staged / "new").iterdir())
        journal = {"names": names, "brought": brought, "aside": f"before-restore-{stamp}"}
        replace_file(staged / _JOURNAL, json.dumps(journal).encode())
        sync_folder(home / "backups")
        failpoints.hit("restore.decided")
        _carry_out(home, staged)
    return Restored(home, source, home / "backups" / f"before-restore-{stamp}")


def finish_interrupted(home: Path) -> bool:
    """Complete a restore that was cut short; the caller holds the home's lock. True when there was one."""
    found = False
    for staged in sorted((home / "backups").glob(_STAGED)):
        if (staged / _JOURNAL).exists():
            _carry_out(home, staged)
            found = True
        elif staged.is_dir():
            shutil.rmtree(staged, ignore_errors=True)
    return found


def _stage(source: Path, new: Path) -> list[str]:
    """Unpack and verify; returns the names in the home that will be replaced or go."""
    if source.suffix == ".db" and not tarfile.is_tarfile(source):
        shutil.copyfile(source, new / DATABASE)
        os.chmod(new / DATABASE, 0o600)
        names = set(_DATABASE_FILES)
    else:
        archive.unpack(source, new)
        names = {*_OURS, *(path.name for path in new.iterdir())}
    if (new / DATABASE).exists():
        revision, newest = archive.check_database(new / DATABASE), newest_schema()
        if revision > newest:
            problem = f"{source} was made by a newer program (schema {revision}, this one knows {newest})"
            raise Refused(problem, "install that version first")
    for folder in (new, *(p for p in new.rglob("*") if p.is_dir())):
        for beside in folder.glob(f"{DATABASE}-*"):
            beside.unlink()
        sync_folder(folder)
    if bad := LEFT_OUT & names:
        raise NightclawError(f"{source} holds {sorted(bad)[0]}, which no backup of ours does")
    return sorted(names)


def newest_schema() -> str:
    """The newest revision this program can bring a database to."""
    versions = Path(nightclaw.core.__file__).parent.parent / "migrations" / "versions"
    return max((p.name.partition("_")[0] for p in versions.glob("[0-9]*.py")), default="")


def _carry_out(home: Path, staged: Path) -> None:
    """Move the old names aside and the new ones in. Each step can be repeated after a crash."""
    journal = json.loads((staged / _JOURNAL).read_text(encoding="utf-8"))
    aside, new = home / "backups" / journal["aside"], staged / "new"
    aside.mkdir(mode=0o700, exist_ok=True)
    for name in journal["names"]:
        comes, stands, goes = new / name, home / name, aside / name
        was_moved = goes.exists() or goes.is_symlink()
        if not was_moved and (stands.exists() or stands.is_symlink()) and not _arrived(name, comes, journal):
            stands.rename(goes)
            sync_folder(aside)
            sync_folder(home)
        failpoints.hit("restore.moved")
        if comes.exists():
            comes.rename(stands)
            sync_folder(home)
    (staged / _JOURNAL).unlink()
    sync_folder(staged)
    shutil.rmtree(staged, ignore_errors=True)


def _arrived(name: str, comes: Path, journal: dict[str, list[str]]) -> bool:
    """True when `name` came from the backup and already stands in the home."""
    return name in journal["brought"] and not comes.exists()
