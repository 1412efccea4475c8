"""The memory files on the disk: read with care, written whole or not at all. Blocking: call in a thread.

A write goes to a temporary name, is synced, takes the place of exactly the text it was made from, and is read back.
Somebody who saved in between is not overwritten: the write is refused, or their text is handed back.
"""

import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path

from nightclaw.memory.markdown import ID, Fault

LARGEST = 8_000_000
_IDS = re.compile(rf"\^({ID})[ \t]*\r?$", re.MULTILINE)
_OURS = re.compile(r"\..+\.(?:\d+\.new|before)")

Sign = tuple[int, int, int, int]
"""By which a change of a file shows: time, size, inode, mode."""


class Unusable(Exception):
    """A file that cannot be taken over as it is; nothing of it is touched."""

    def __init__(self, said: str, remedy: str, line: int = 0) -> None:
        super().__init__(said)
        self.fault = Fault(line, said, remedy)


class Overtaken(Exception):
    """The file was saved by somebody else meanwhile."""


@dataclass(frozen=True, slots=True)
class Held:
    text: str
    sign: Sign


def sign_of(path: Path) -> Sign | None:
    """None when there is nothing."""
    try:
        found = path.lstat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino, found.st_mode


def read(path: Path) -> Held | None:
    """The file; None when there is none. Raises Unusable."""
    sign = sign_of(path)
    if sign is None:
        return None
    if not stat.S_ISREG(sign[3]):
        what = "a folder" if stat.S_ISDIR(sign[3]) else "no plain file"
        raise Unusable(f"{path.name} is {what}", "move it away: the file is written anew")
    if sign[1] > LARGEST:
        raise Unusable(f"{path.name} is too large ({sign[1]:,} bytes)", f"keep it below {LARGEST:,} bytes")
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
    except OSError as error:
        raise Unusable(
            f"{path.name} cannot be read ({error.strerror})", "make it readable for this user"
        ) from error
    if b"\0" in data:
        raise Unusable(
            f"{path.name} is no text", "remove the zero bytes", data[: data.index(b"\0")].count(b"\n") + 1
        )
    try:
        return Held(data.decode(), sign)
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise Unusable(f"{path.name} is not UTF-8", "save it as UTF-8", line) from error


def write(path: Path, text: str, before: Held | None) -> Held:
    """Put `text` in the place of `before`. Raises Overtaken, Unusable (read-only), OSError."""
    if before is not None and not before.sign[3] & stat.S_IWUSR:
        raise Unusable(f"{path.name} is read-only", f"chmod u+w {path.name}")
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    making = path.with_name(f".{path.name}.{os.getpid()}.new")
    keep = path.with_name(f".{path.name}.before")
    for leftover in (making, keep):
        leftover.unlink(missing_ok=True)
    mode = stat.S_IMODE(before.sign[3]) if before is not None else 0o600
    handle = os.open(making, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(text.encode())
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        if before is None:
            _put_new(making, path)
        else:
            _put_over(making, path, keep, before)
    finally:
        making.unlink(missing_ok=True)
        keep.unlink(missing_ok=True)
    sync_folder(path.parent)
    held = read(path)
    if held is None or held.text != text:
        raise Overtaken(path.name)
    return held


def _put_new(making: Path, path: Path) -> None:
    try:
        os.link(making, path)
    except FileExistsError:
        raise Overtaken(path.name) from None
    except OSError:  # a file system without links
        if sign_of(path) is not None:
            raise Overtaken(path.name) from None
        os.rename(making, path)


def _put_over(making: Path, path: Path, keep: Path, before: Held) -> None:
    """Rename over what is there if that is `before`; a save that slipped into the moment between is put back."""
    try:
        os.link(path, keep)
    except FileNotFoundError:
        raise Overtaken(path.name) from None
    except OSError:
        keep = path
    if _bytes(keep) != before.text.encode():
        raise Overtaken(path.name)
    os.rename(making, path)
    if keep != path and _bytes(keep) != before.text.encode():
        os.rename(keep, path)
        raise Overtaken(path.name)


def _bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(LARGEST + 1)
    except OSError:
        return b""


def remove(path: Path, before: Held) -> None:
    """Remove the file if it is still `before`. Raises Overtaken, OSError."""
    if sign_of(path) != before.sign:
        raise Overtaken(path.name)
    path.unlink()
    sync_folder(path.parent)


def clean(folder: Path) -> None:
    """Remove what a write that was killed left behind."""
    if folder.is_dir():
        for path in folder.iterdir():
            if _OURS.fullmatch(path.name):
                path.unlink(missing_ok=True)


def ids_in(path: Path) -> set[str]:
    """The block ids a file names; none when it cannot be read."""
    try:
        held = read(path)
    except Unusable:
        return set()
    return set(_IDS.findall(held.text)) if held is not None else set()


def sync_folder(folder: Path) -> None:
    """Make renames within `folder` durable."""
    handle = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
