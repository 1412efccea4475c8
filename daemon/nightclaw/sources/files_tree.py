"""One watched place on the disk: its kept directories, what lies in them, and the fingerprint of a file.

Symbolic links are entries, never ways: they are not followed, their target's name is their content. Sockets,
pipes and devices are not looked at and never opened. A name that is not UTF-8 is passed over, as the watching
library cannot report it. Paths are relative to `base`, POSIX, "" for `base` itself.
"""

import hashlib
import os
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from nightclaw.sources.files_prune import IGNORE_FILE, Ignore, Narrow, Rules, ignored, is_scratch

HASH_LIMIT = 5 * 1024 * 1024
"""Larger files are told apart by size and time alone."""
IGNORE_FILE_LIMIT = 1024 * 1024
_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
VENV_FILE = "pyvenv.cfg"
"""Its directory is a virtual environment, whatever it is called, and not entered."""


class Print(NamedTuple):
    """What tells one state of a file from another. digest "" is not known (yet, or too large to hash)."""

    mtime_ns: int
    size: int
    inode: int
    digest: str = ""

    def is_stat_of(self, other: "Print") -> bool:
        return self[:3] == other[:3]


@dataclass(frozen=True, slots=True)
class Listing:
    """The kept entries of one directory; `files` carry no digests."""

    files: Mapping[str, Print]
    dirs: Sequence[str]


class Tree:
    """`path` as the owner wrote it; `base` is where it really lies (a file's directory). `only` is that file's
    name, "" for a directory. `dirs`: the kept directories, which the watching keeps up to date.

    repo: (where its clone lies, the monorepo globs) when the tree is inside a configured repository.
    excluded: absolute paths of our own, never entered.
    """

    def __init__(
        self,
        path: str,
        *,
        is_file: bool = False,
        match: Sequence[str] = (),
        repo: tuple[str, Sequence[str]] | None = None,
        excluded: Iterable[str] = (),
    ) -> None:
        real = os.path.realpath(path)
        self.path = path
        self.base, self.only = os.path.split(real) if is_file else (real, "")
        self.dirs: set[str] = {""}
        self._top, self._prefix = self.base, ""
        self._narrow = [Narrow(match)] if match else []
        if repo is not None and repo[1] and (below := self._below(os.path.realpath(repo[0]))) is not None:
            self._narrow.append(Narrow(repo[1], below))
        self._excluded = frozenset(os.path.realpath(e) for e in excluded)
        self._ignore = Ignore()
        self._stamps: dict[str, tuple[object, ...]] = {}
        self._rules: dict[str, str] = {}

    @property
    def is_ours(self) -> bool:
        """True when it lies inside our own home, which is never watched."""
        return any(self.base == e or self.base.startswith(f"{e}/") for e in self._excluded)

    @property
    def rules_digest(self) -> str:
        """Changes when any ignore file that holds here does."""
        said = "\0".join(f"{d}\0{self._rules[d]}" for d in sorted(self._rules))
        return hashlib.blake2b(said.encode(errors="replace"), digest_size=8).hexdigest()

    def full(self, path: str) -> str:
        return f"{self.base}/{path}" if path else self.base

    def relative(self, full: str) -> str | None:
        """The relative path of an absolute one, None when it lies elsewhere."""
        if full == self.base:
            return ""
        return full[len(self.base) + 1 :] if full.startswith(f"{self.base}/") else None

    def skips(self, path: str, is_dir: bool) -> bool:
        """True when this entry of a kept directory is not to be watched."""
        if self.only:
            return path != self.only
        chain = self._ignore.chain(self._prefix + path.rpartition("/")[0])
        return self._skips(chain, path, is_dir)

    def walk(self, start: str = "") -> set[str]:
        """The kept directories from `start` on, itself included; reads ignore files on the way.

        Raises OSError when `start` cannot be listed; what cannot be listed below it is passed over.
        """
        if self.only:
            os.listdir(self.base)
            return {""}
        if not start:
            self._read_ignores_above()
        found: set[str] = set()
        for path, listing in self.sweep(start, with_files=False):
            if listing is not None:
                found.add(path)
        return found

    def sweep(self, start: str = "", *, with_files: bool = True) -> Iterator[tuple[str, Listing | None]]:
        """Every kept directory from `start` on with what lies in it, parents first; None when unreadable.

        Raises OSError when `start` itself cannot be listed.
        """
        waiting = [start]
        while waiting:
            path = waiting.pop()
            try:
                listing = self.listing(path, with_files=with_files)
            except (FileNotFoundError, NotADirectoryError):
                if path == start:
                    raise
                continue
            except OSError:
                if path == start:
                    raise
                yield path, None
                continue
            if listing is None:
                continue
            yield path, listing
            waiting += [f"{path}/{d}" if path else d for d in reversed(listing.dirs)]

    def listing(self, path: str, *, with_files: bool = True) -> Listing | None:
        """The kept entries of one directory, None when the directory is itself one to pass over."""
        with os.scandir(self.full(path)) as found:
            entries = [e for e in found if e.name.isascii() or _is_text(e.name)]
        if self.only:
            files = {e.name: p for e in entries if e.name == self.only and (p := _print_of(e))}
            return Listing(files, ())
        names = {e.name for e in entries}
        if VENV_FILE in names and path:
            return None
        self._read_ignores(path, names)
        chain = self._ignore.chain(self._prefix + path)
        is_plain = not chain and not self._narrow
        stem = f"{path}/" if path else ""
        dirs, files = list[str](), dict[str, Print]()
        for e in entries:
            name = e.name
            if e.is_dir(follow_symlinks=False):
                if not self._skips(chain, stem + name, True):
                    dirs.append(name)
            elif not with_files or is_scratch(name):
                continue
            elif (is_plain or not self._skips(chain, stem + name, False)) and (now := _print_of(e)):
                files[name] = now
        return Listing(files, sorted(dirs))

    def look(self, path: str) -> Print | None:
        """The fingerprint of one file without its digest, None when no kept file is there."""
        if self.skips(path, False):
            return None
        try:
            return _of_stat(os.lstat(self.full(path)))
        except (OSError, ValueError):
            return None

    def digest(self, path: str, now: Print) -> str:
        """The hash of what is in the file, "" when it is too large, gone or cannot be read."""
        if now.size > HASH_LIMIT:
            return ""
        try:
            return _digest(self.full(path))
        except OSError:
            return ""

    def holds(self, path: str) -> bool:
        """True when a file is there, be it one to skip."""
        try:
            return _of_stat(os.lstat(self.full(path))) is not None
        except OSError:
            return False

    def device(self) -> int:
        """The device it lies on. Raises OSError when it is gone or no directory."""
        found = os.stat(self.base)
        if not stat.S_ISDIR(found.st_mode):
            raise NotADirectoryError(20, "is not a directory any more", self.base)
        return found.st_dev

    def changed_at_ns(self, path: str) -> int:
        """When something last happened to the entry or, when it is gone, to its directory; 0 is not known."""
        full = self.full(path)
        for at in (full, os.path.dirname(full)):
            try:
                return os.lstat(at).st_ctime_ns
            except OSError:
                continue
        return 0

    def _skips(self, chain: Sequence[tuple[int, Rules]], path: str, is_dir: bool) -> bool:
        if ignored(chain, self._prefix + path, is_dir):
            return True
        if not is_dir and not self._narrow:
            return False
        if is_dir:
            return self.full(path) in self._excluded or not all(n.may_hold(path) for n in self._narrow)
        return not all(n.wants(path) for n in self._narrow)

    def _below(self, clone: str) -> str | None:
        if self.base == clone:
            return ""
        return f"{self.base[len(clone) + 1 :]}/" if self.base.startswith(f"{clone}/") else None

    def _read_ignores_above(self) -> None:
        """Ignore files between the repository's top and `base` hold here too."""
        at = self.base
        while not os.path.lexists(f"{at}/.git"):
            if at == os.path.dirname(at):
                return
            at = os.path.dirname(at)
        if at != self._top:
            self._top = at
            self._prefix = self.base[len(at.rstrip("/")) + 1 :] + "/"
            self._ignore, self._stamps, self._rules = Ignore(), {}, {}
        above = self._prefix.rstrip("/")
        while above:
            above = above.rpartition("/")[0]
            folder = f"{self._top}/{above}" if above else self._top
            self._read_ignores_at(
                folder, above, {n for n in (IGNORE_FILE, ".git") if os.path.lexists(f"{folder}/{n}")}
            )

    def _read_ignores(self, path: str, names: set[str]) -> None:
        self._read_ignores_at(self.full(path), (self._prefix + path).rstrip("/"), names)

    def _read_ignores_at(self, folder: str, at: str, names: set[str]) -> None:
        wanted = [f"{folder}/{IGNORE_FILE}"] if IGNORE_FILE in names else []
        if ".git" in names:
            wanted.append(f"{folder}/.git/info/exclude")
        stamps = tuple(_stamp(w) for w in wanted)
        if stamps == self._stamps.get(at, ()):
            return
        texts = [_lines(w) for w in wanted]
        if self._ignore.put(at, [Rules(lines) for lines in texts]):
            self._rules[at] = "\n".join(line for lines in texts for line in lines)
        self._stamps[at] = stamps


def _is_text(name: str) -> bool:
    return not any("\udc80" <= c <= "\udcff" for c in name)


def _of_stat(found: os.stat_result) -> Print | None:
    if not (stat.S_ISREG(found.st_mode) or stat.S_ISLNK(found.st_mode)):
        return None
    return Print(found.st_mtime_ns, found.st_size, found.st_ino)


def _print_of(entry: os.DirEntry[str]) -> Print | None:
    try:
        return _of_stat(entry.stat(follow_symlinks=False))
    except OSError:
        return None


def _digest(full: str) -> str:
    hasher = hashlib.blake2b(digest_size=10)
    if stat.S_ISLNK(os.lstat(full).st_mode):
        hasher.update(os.fsencode(os.readlink(full)))
        return hasher.hexdigest()
    descriptor = os.open(full, _OPEN)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return ""
        read = 0
        while chunk := os.read(descriptor, 262144):
            read += len(chunk)
            if read > HASH_LIMIT:
                return ""
            hasher.update(chunk)
    finally:
        os.close(descriptor)
    return hasher.hexdigest()


def _stamp(full: str) -> tuple[int, int, int]:
    try:
        found = os.stat(full)
    except OSError:
        return (0, 0, 0)
    return (found.st_mtime_ns, found.st_size, found.st_ino)


def _lines(full: str) -> list[str]:
    try:
        descriptor = os.open(full, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                return []
            return file.read(IGNORE_FILE_LIMIT).decode("utf-8-sig", errors="replace").splitlines()
    except OSError:
        return []
