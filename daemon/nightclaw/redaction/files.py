"""Plain files of a home without a text: topic files, the index, blobs. Blocking."""

import os
from collections.abc import Iterator
from pathlib import Path

from nightclaw.configfile import sync_folder
from nightclaw.redaction.words import Cutter

OURS = ("memory", "blobs")
_LARGEST_LOOKED_AT = 64 << 20
_MOST_LOOKED_AT = 20_000
_NOT_LOOKED_AT = frozenset({"run", "backups", "logs", ".git", *OURS})


def cut_files(home: Path, cutter: Cutter) -> int:
    """Cut the text out of our own files and their names; how many changed."""
    changed = 0
    for path in [p for name in OURS for p in _files(home / name)]:
        data = path.read_bytes()
        fresh = cutter.data(data)
        is_changed = fresh is not data and fresh != data
        if is_changed:
            replace(path, fresh)
        name = home / renamed(path.relative_to(home).as_posix(), cutter)
        if name != path:
            path.unlink() if name.exists() else path.rename(name)
            sync_folder(path.parent)
        changed += is_changed or name != path
    return changed


def renamed(name: str, cutter: Cutter) -> str:
    """What a file of a home is called without the text. A page takes the name of its topic; where that is taken, its
    rows stand there already, or will."""
    folder, _, last = name.rpartition("/")
    stem, dot, ending = last.partition(".")
    is_page = folder == "memory/topics" and ending == "md"
    return f"{folder}/{cutter.text(stem)}{dot}{ending}" if is_page else name


def replace(path: Path, data: bytes) -> None:
    """Put `data` in the place of the file, its mode kept."""
    making = path.with_name(f".{path.name}.redacted")
    write(making, data, path)
    making.rename(path)
    sync_folder(path.parent)


def write(path: Path, data: bytes, like: Path) -> None:
    """A file with the mode of another, synced."""
    path.unlink(missing_ok=True)
    mode = like.stat().st_mode & 0o777
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    with os.fdopen(handle, "wb") as file:
        os.fchmod(file.fileno(), mode)
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def left_in(home: Path, cutter: Cutter) -> list[str]:
    """Files of the owner's own and of their repositories that still hold the text: ours to name, not to change."""
    found: list[str] = []
    for n, path in enumerate(_files(home, _NOT_LOOKED_AT)):
        if n >= _MOST_LOOKED_AT or len(found) >= 20:
            break
        if path.name.startswith((".redaction", "nightclaw.db")):
            continue
        try:
            data = path.read_bytes() if path.stat().st_size <= _LARGEST_LOOKED_AT else b""
        except OSError:
            continue
        if cutter.data(data) != data:
            found.append(path.relative_to(home).as_posix())
    return found


def _files(top: Path, but: frozenset[str] = frozenset()) -> Iterator[Path]:
    for folder, folders, names in os.walk(top):
        folders[:] = sorted(f for f in folders if f not in but)
        for name in sorted(names):
            path = Path(folder) / name
            if path.is_file() and not path.is_symlink():
                yield path
