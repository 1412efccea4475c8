"""Opening files for the model: beneath the workspace, by descriptor, whatever the names are made to mean meanwhile.

Guarantees: nothing outside the roots is opened, whichever symlinks, `..`, mounts or renames stand or happen in the
way; only regular files are opened, and nothing else is touched by trying (no FIFO waits, no device wakes); nothing of
`/proc`, `/sys`, `/dev`, of the daemon's home or of a `.git` is; a write is whole or not at all, keeps the file's mode
and never writes into a second name of the same file (a hard link is parted, a symlink within the roots is followed).

A hard link to a file outside is read like any other file: it is that file's data under a name inside the roots, put
there by someone who could read it. A sandboxed command cannot make one, no link crosses a mount.

Where the kernel has `openat2` it resolves the path in one step; elsewhere components are opened one by one and no
symlink is followed at all.
"""

import ctypes
import errno
import os
import secrets
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from nightclaw.core.errors import Invalid, NotFound, Refused
from nightclaw.core.tools import Workspace

_OPENAT2 = 437
_NO_MAGICLINKS, _BENEATH = 0x02, 0x08
_PATH = getattr(os, "O_PATH", 0)
_ITSELF = os.O_CLOEXEC | os.O_NOFOLLOW | (_PATH or os.O_RDONLY | os.O_NONBLOCK)  # not what a link points to
_NEVER = (Path("/proc"), Path("/sys"), Path("/dev"))
_TRIES = 20
LARGEST = 10 << 20  # bytes of a file that is edited or written


class _OpenHow(ctypes.Structure):
    _fields_ = [("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64)]


@dataclass(frozen=True, slots=True)
class Spot:
    """A place beneath a root. name: relative to it, `..` still in it. shown: how the model reads it."""

    root: Path
    name: str
    shown: str
    may_write: bool


class Roots:
    """Where a task may open files: its workspace, and to read, its `reads` and what it shares with its clone.

    home: NIGHTCLAW_HOME; of it only the worktree itself is ever opened.
    """

    def __init__(self, workspace: Workspace, home: Path) -> None:
        self._workspace = workspace
        self._home = home.resolve()
        self._shared = {_shared_at(path, workspace): path for path in workspace.share}

    def locate(self, text: str) -> Spot:
        """Raises Invalid for what is no path here, Refused for a path outside the roots."""
        root = self._workspace.root
        if not text or "\0" in text:
            raise Invalid("the path is empty" if not text else "the path holds a zero byte", "give a path")
        if text.startswith("~"):
            raise Refused(f"{text} is outside the workspace", f"give a path relative to {root}")
        if not text.startswith("/"):
            return self._spot(root, text, True)
        for top, may_write in ((root, True), *((path, False) for path in self._workspace.reads)):
            for known in dict.fromkeys((top, top.resolve())):
                prefix = str(known).rstrip("/")
                if text == prefix or text.startswith(prefix + "/"):
                    return self._spot(top, text[len(prefix) :].lstrip("/") or ".", may_write)
        raise Refused(f"{text} is outside the workspace", f"give a path relative to {root}")

    def _spot(self, root: Path, name: str, may_write: bool) -> Spot:
        plain = os.path.normpath(name)
        if any(part.lower() == ".git" for part in plain.split("/")):
            raise Refused(f"{name} belongs to git itself", "use the Git tool")
        if root == self._workspace.root:
            for at, source in self._shared.items():
                if at and (plain == at or plain.startswith(at + "/")):
                    return Spot(source, plain[len(at) :].lstrip("/") or ".", plain, False)
            return Spot(root, name, plain, may_write)
        return Spot(root, name, str(root / plain), may_write)

    @contextmanager
    def opened(self, spot: Spot, *, folder: bool = False) -> Iterator[int]:
        """A descriptor to read the file (or list the folder) at `spot`. Raises NotFound, Refused, Invalid, OSError."""
        with self._found(spot) as found:
            mode = os.fstat(found).st_mode
            if folder and not stat.S_ISDIR(mode):
                raise Invalid(f"{spot.shown} is not a directory", "give the directory it is in")
            if not folder:
                _only_regular(mode, spot)
            again = os.open(f"/proc/self/fd/{found}", os.O_RDONLY | os.O_CLOEXEC) if _PATH else os.dup(found)
        try:
            yield again
        finally:
            os.close(again)

    def real(self, spot: Spot) -> Path:
        """The true place of the file or folder at `spot`. Raises as `opened`."""
        with self._found(spot) as found:
            mode = os.fstat(found).st_mode
            if not stat.S_ISDIR(mode):
                _only_regular(mode, spot)
            return _real(found, spot)

    @contextmanager
    def _found(self, spot: Spot) -> Iterator[int]:
        root = _open_root(spot.root)
        try:
            found = _beneath(root, spot.name, spot)
        finally:
            os.close(root)
        try:
            self._check(_real(found, spot), spot)
            yield found
        finally:
            os.close(found)

    def _check(self, real: Path, spot: Spot) -> None:
        """The descriptor, not the name, says where we are."""
        top = spot.root.resolve()
        inside = real == top or top in real.parents
        ours = self._home in (real, *real.parents) and self._home / "worktrees" not in top.parents
        if not inside or ours or any(never in (real, *real.parents) for never in _NEVER):
            raise Refused(f"{spot.shown} leads outside the workspace", "give a path inside it")
        if any(part.lower() == ".git" for part in real.relative_to(top).parts):
            raise Refused(f"{spot.shown} leads into git's own files", "use the Git tool")

    def write(self, spot: Spot, data: bytes, *, was: os.stat_result | None = None) -> bool:
        """Put `data` there, in one step, with the directories it needs; whether the file is new.

        was: the file as it was read; when it changed since, Refused. Raises Invalid, Refused, OSError.
        """
        if not spot.may_write:
            raise Refused(f"{spot.shown} can only be read", "write inside the workspace")
        parts = [part for part in spot.name.split("/") if part not in ("", ".")]
        if not parts or ".." in parts or spot.name.endswith("/"):
            raise Invalid(f"{spot.shown} does not name a file", "give the file's path without ..")
        if len(data) > LARGEST:
            raise Invalid(f"{len(data):,} bytes are too many for one file", f"at most {LARGEST:,}")
        root = _open_root(spot.root)
        try:
            folder = self._folder(root, parts[:-1], spot)
        finally:
            os.close(root)
        try:
            self._check(_real(folder, spot) / parts[-1], spot)
            old = _present(folder, parts[-1])
            if old is not None and stat.S_ISLNK(old.st_mode):
                return self.write(self._followed(spot), data, was=was)
            if old is not None:
                _only_regular(old.st_mode, spot)
            if was is not None and (old is None or _version(old) != _version(was)):
                raise Refused(f"{spot.shown} changed meanwhile", "read it again, then repeat the edit")
            _replace(folder, parts[-1], data, old)
            return old is None
        finally:
            os.close(folder)

    def _folder(self, root: int, parts: list[str], spot: Spot) -> int:
        """The directory `parts` beneath root, made where it is missing, as a descriptor."""
        here = _beneath(root, ".", spot)
        try:
            for n, part in enumerate(parts):
                try:
                    below = _beneath(root, "/".join(parts[: n + 1]), spot)
                except NotFound:
                    self._check(_real(here, spot), spot)
                    with suppress(FileExistsError):
                        os.mkdir(part, dir_fd=here)
                    below = os.open(part, _ITSELF | os.O_DIRECTORY, dir_fd=here)
                os.close(here)
                here = below
            if not stat.S_ISDIR(os.fstat(here).st_mode):
                raise Invalid(
                    f"{spot.shown} lies in something that is not a directory", "choose another path"
                )
        except BaseException:
            os.close(here)
            raise
        return here

    def _followed(self, spot: Spot) -> Spot:
        with self._found(spot) as found:
            _only_regular(os.fstat(found).st_mode, spot)
            real = _real(found, spot)
        return Spot(spot.root, str(real.relative_to(spot.root.resolve())), spot.shown, spot.may_write)

    def siblings(self, spot: Spot) -> list[str]:
        """Names beside what is missing, at most a thousand; none when there is no such directory."""
        name = os.path.dirname(os.path.normpath(spot.name)) or "."
        found: list[str] = []
        with suppress(Refused, Invalid, NotFound, OSError):
            with (
                self.opened(Spot(spot.root, name, name, False), folder=True) as folder,
                os.scandir(folder) as entries,
            ):
                for entry in entries:
                    found.append(entry.name)
                    if len(found) == 1000:
                        break
        return found


def _shared_at(source: Path, workspace: Workspace) -> str:
    clone = workspace.clone
    return str(source.relative_to(clone)) if clone is not None and clone in source.parents else ""


def _open_root(root: Path) -> int:
    try:
        return os.open(root, (_PATH or os.O_RDONLY) | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise NotFound(f"the workspace {root} is not there") from error


def _beneath(root: int, name: str, spot: Spot) -> int:
    """A descriptor of `name`, which lies beneath `root`, opened without touching what it is (O_PATH)."""
    try:
        return _resolve(root, name) if _has_openat2() else _walk(root, name)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR):
            raise NotFound(f"{spot.shown} does not exist") from error
        if error.errno in (errno.EXDEV, errno.ELOOP):
            raise Refused(f"{spot.shown} leads outside the workspace", "give a path inside it") from error
        raise


def _resolve(root: int, name: str) -> int:
    how = _OpenHow(os.O_PATH | os.O_CLOEXEC, 0, _BENEATH | _NO_MAGICLINKS)
    for _ in range(_TRIES):
        found = _libc().syscall(_OPENAT2, root, os.fsencode(name), ctypes.byref(how), ctypes.c_size_t(24))
        if found >= 0:
            return int(found)
        if ctypes.get_errno() not in (errno.EAGAIN, errno.EINTR):
            break
    raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _walk(root: int, name: str) -> int:
    """Component by component, no symlink followed; `..` is taken lexically and may not leave."""
    parts = [part for part in os.path.normpath(name).split("/") if part not in ("", ".")]
    if ".." in parts:
        raise OSError(errno.EXDEV, "outside")
    here = os.dup(root)
    try:
        for n, part in enumerate(parts):
            below = os.open(part, _ITSELF | (os.O_DIRECTORY if n < len(parts) - 1 else 0), dir_fd=here)
            os.close(here)
            here = below
        if stat.S_ISLNK(os.fstat(here).st_mode):  # O_PATH with O_NOFOLLOW opens the link itself
            raise OSError(errno.ELOOP, "a symbolic link")
    except OSError as error:
        os.close(here)
        if error.errno == errno.ENOTDIR and len(parts) > 1:
            raise OSError(errno.ELOOP, "not a directory of its own") from error
        raise
    return here


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


@cache
def _has_openat2() -> bool:
    if sys.platform != "linux":
        return False
    root = os.open("/", os.O_PATH | os.O_CLOEXEC)
    try:
        os.close(_resolve(root, "."))
    except OSError:
        return False
    finally:
        os.close(root)
    return True


def _real(descriptor: int, spot: Spot) -> Path:
    """The name the system has for what is open. Raises NotFound when it has lost it."""
    if sys.platform == "darwin":
        import fcntl

        raw = fcntl.fcntl(descriptor, fcntl.F_GETPATH, b"\0" * 1024)
        return Path(os.fsdecode(raw.partition(b"\0")[0]))
    path = os.readlink(f"/proc/self/fd/{descriptor}")
    if path.endswith(" (deleted)") and os.fstat(descriptor).st_nlink == 0:
        raise NotFound(f"{spot.shown} was deleted meanwhile")
    return Path(path)


def _only_regular(mode: int, spot: Spot) -> None:
    if stat.S_ISDIR(mode):
        raise Invalid(f"{spot.shown} is a directory", "list it with Glob, or give a file in it")
    if not stat.S_ISREG(mode):
        raise Refused(f"{spot.shown} is not a regular file", "only regular files are opened")


def _present(folder: int, name: str) -> os.stat_result | None:
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None


def _version(found: os.stat_result) -> tuple[int, int, int, int]:
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)


def _replace(folder: int, name: str, data: bytes, old: os.stat_result | None) -> None:
    temporary = f".{name[:60]}.{secrets.token_hex(6)}.tmp"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    file = os.open(temporary, flags, 0o666, dir_fd=folder)
    try:
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(file, view) :]
            if old is not None:
                os.fchmod(file, stat.S_IMODE(old.st_mode) & 0o777)
                if os.geteuid() == 0:
                    os.fchown(file, old.st_uid, old.st_gid)
            os.fsync(file)
        finally:
            os.close(file)
        os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary, dir_fd=folder)
        raise
    _sync(folder)


def _sync(folder: int) -> None:
    """Make the rename last; an O_PATH descriptor cannot be synced itself."""
    again = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=folder)
    try:
        os.fsync(again)
    finally:
        os.close(again)
