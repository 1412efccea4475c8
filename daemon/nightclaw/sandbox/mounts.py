"""What a sandboxed command sees of the file system: an ordered list of mounts, from nothing upward.

Guarantees: only the workspace and a private tmp can be written; the daemon's home shows nothing but the worktree in
it; the user's home shows nothing but the configured mounts and the directories of programs on PATH; `.git` and the
clone's git directory are read-only, with settings cleaned of tokens. Anything not named here is not there.
"""

import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from nightclaw.core.errors import Refused
from nightclaw.core.tools import Workspace
from nightclaw.sandbox.gitview import view

TMP, VAR_TMP = Path("/tmp"), Path("/var/tmp")
TMP_HOME = TMP / "home"
PROGRAM = Path("/run/nightclaw/landlock.py")
_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/nix/store", "/gnu/store")
_SYSTEM_MORE = ("/run/current-system",)
# /etc piece by piece: as root the rest could be read too. Files are copied, a copy costs less than a mount.
_ETC_FOLDERS = (
    "alternatives",
    "crypto-policies",
    "fonts",
    "java-17-openjdk",
    "java-21-openjdk",
    "pki/ca-trust",
)
_ETC_FOLDERS += ("pki/tls/certs", "ssl/certs")
_ETC_FILES = (
    "ld.so.cache",
    "localtime",
    "mime.types",
    "os-release",
    "protocols",
    "services",
    "ssl/openssl.cnf",
)
_ETC_LARGEST = 1 << 20
# beside a directory of programs: what they need to run
_BESIDE = ("lib", "lib64", "libexec", "include", "share", "versions", "version")
_CREDENTIALS = (
    "credentials",
    "credentials.toml",
    ".npmrc",
    ".netrc",
    ".pypirc",
    "auth.json",
    "auth.toml",
    "token",
)
_ENVIRONMENTS = (".env", ".env.local", ".env.development", ".env.production", ".env.test", ".envrc")
# settings of tools the owner runs in a workspace: a command must not plant programs in them
PROTECTED = (
    ".githooks",
    ".husky",
    ".vscode",
    ".idea",
    ".claude",
    ".cursor",
    ".zed",
    ".envrc",
    ".npmrc",
    ".pypirc",
)


@dataclass(frozen=True, slots=True)
class Mount:
    """kind: ro, rw (bind `source` at `at`); data (read-only file of `text` over one
    that is there); file (a copy of `text` where nothing is); link (`source` is what it points to);
    dir, tmp (`size` bytes); still (make the mount at `at` read-only); held (bind an open descriptor read-only)."""

    kind: str
    at: Path
    source: Path | None = None
    text: bytes = b""
    size: int = 0


@dataclass(slots=True)
class _Plan:
    mounts: list[Mount] = field(default_factory=list)
    seen: set[tuple[Path, Path]] = field(default_factory=set)

    def add(self, kind: str, at: Path, source: Path | None = None, text: bytes = b"", size: int = 0) -> None:
        self.mounts.append(Mount(kind, at, source, text, size))

    def show(self, path: Path, at: Path | None = None) -> None:
        """Bind read-only what is there, at its name and at its real place."""
        real = path.resolve()
        if real == Path("/"):
            return
        for place in (real, at or path):
            if os.path.exists(real) and (real, place) not in self.seen and not self._is_shown(real, place):
                self.seen.add((real, place))
                self.add("ro", place, real)

    def _is_shown(self, real: Path, place: Path) -> bool:
        return any(is_beneath(real, top) and place == at / real.relative_to(top) for top, at in self.seen)


@dataclass(frozen=True, slots=True)
class Ground:
    """What is the same for every command. home: NIGHTCLAW_HOME. interpreter: runs the first program inside."""

    home: Path
    user_home: Path
    search_path: tuple[Path, ...]
    mounts: tuple[Path, ...]
    interpreter: Path
    uid: int
    gid: int
    tmp_bytes: int
    shm_bytes: int

    @property
    def forbidden(self) -> tuple[Path, ...]:
        return (self.home, self.home.resolve())


def is_beneath(path: Path, top: Path) -> bool:
    return path == top or top in path.parents


def refuse_root(root: Path, ground: Ground) -> None:
    """Raises Refused when `root` is no place to give to a command."""
    real = root.resolve()
    if not real.is_dir():
        raise Refused(
            f"the workspace {root} is not there", "start the task again, or choose another directory"
        )
    for home in (*ground.forbidden, ground.user_home, ground.user_home.resolve()):
        if is_beneath(home, real):
            raise Refused(
                f"commands are not run in {root}: it holds a whole home directory",
                "work in a project's directory",
            )
    for home in ground.forbidden:
        if is_beneath(real, home) and not is_beneath(real, home / "worktrees"):
            raise Refused(f"commands are not run in {root}: the daemon keeps its own state there")


def common(ground: Ground) -> tuple[Mount, ...]:
    """The mounts that are the same for every command; worked out once. What vanishes later is left out (`ro`)."""
    found = _Plan()
    _system(found)
    _private(found, ground)
    for path in (*ground.mounts, *programs(ground)):
        found.show(path)
    _hide(found, ground)
    _links_to_home(found, ground)
    found.add("file", PROGRAM, text=Path(__file__).with_name("landlock.py").read_bytes())
    return tuple(found.mounts)


def plan(workspace: Workspace, ground: Ground, known: Sequence[Mount], *, network: bool) -> list[Mount]:
    """`known` and what this workspace adds, in the order they are made: a later mount lies over an earlier one.

    Raises Refused.
    """
    refuse_root(workspace.root, ground)
    found = _Plan()
    resolver = Path("/etc/resolv.conf")
    if network and resolver.exists():
        found.add("ro", resolver, resolver.resolve())
    for path in workspace.reads:
        found.show(path)
    _hide(found, ground)
    _workspace(found, workspace)
    for still in ("/", "/dev", "/proc"):
        found.add("still", Path(still))
    return [*known, *found.mounts]


def _system(found: _Plan) -> None:
    for name in (*_SYSTEM, *_SYSTEM_MORE):
        path = Path(name)
        if path.is_symlink():
            found.add("link", path, Path(os.readlink(path)))
            found.seen.add((path.resolve(), path))
        elif os.path.exists(path):
            found.add("ro", path, path)
            found.seen.add((path, path))
    etc = Path("/etc")
    for name in _ETC_FOLDERS:
        if os.path.isdir(etc / name):
            found.add("ro", etc / name, (etc / name).resolve())
    for name in _ETC_FILES:
        with suppress(OSError), (etc / name).open("rb") as file:
            found.add("file", etc / name, text=file.read(_ETC_LARGEST))


def _private(found: _Plan, ground: Ground) -> None:
    found.add("proc", Path("/proc"))
    found.add("dev", Path("/dev"))
    found.add("tmp", Path("/dev/shm"), size=ground.shm_bytes)
    found.add("tmp", TMP, size=ground.tmp_bytes)
    found.add("dir", TMP_HOME)
    found.add("tmp", VAR_TMP, size=ground.shm_bytes)
    found.add("dir", Path("/run/nightclaw"))
    name, etc = "nightclaw", Path("/etc")
    for file, text in (
        ("passwd", f"{name}:x:{ground.uid}:{ground.gid}::{TMP_HOME}:/bin/sh\n"),
        ("group", f"{name}:x:{ground.gid}:\n"),
        ("hosts", "127.0.0.1 localhost sandbox\n::1 localhost sandbox\n"),
        ("nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n"),
    ):
        found.add("file", etc / file, text=text.encode())


def programs(ground: Ground) -> Iterable[Path]:
    """Directories on PATH and what stands beside them, and the interpreter's own."""
    for path in (*ground.search_path, ground.interpreter.parent):
        real = path.resolve()
        if (
            not os.path.isdir(real)
            or _holds_a_home(real, ground)
            or any(is_beneath(real, h) for h in ground.forbidden)
        ):
            continue
        yield path
        is_shared = real.parent in (ground.user_home, ground.user_home / ".local", Path("/"), TMP)
        for name in _BESIDE[:2] if is_shared else _BESIDE:
            beside = real.parent / name
            if (
                os.path.exists(beside)
                and real.parent != Path("/")
                and not _holds_a_home(beside.resolve(), ground)
            ):
                yield beside


def _holds_a_home(real: Path, ground: Ground) -> bool:
    return any(is_beneath(home, real) for home in (ground.user_home.resolve(), *ground.forbidden))


def _hide(found: _Plan, ground: Ground) -> None:
    """The daemon's home inside something that is shown becomes empty; so does a file that holds credentials
    in the top of it, and git settings are cleaned of them.

    Raises Refused when the daemon's own state is to be shown.
    """
    home = ground.home.resolve()
    for real, place in sorted(found.seen):
        if is_beneath(home, real):
            found.add("tmp", place / home.relative_to(real), size=1 << 20)
        elif is_beneath(real, home) and not is_beneath(real, home / "worktrees"):
            raise Refused(f"{place} lies in the daemon's home and is never shown to a command")
        for name in (*_CREDENTIALS, *_ENVIRONMENTS):
            if os.path.isfile(real / name):
                found.add("ro", place / name, Path("/dev/null"))
        git = view(real / ".git") if os.path.isdir(real / ".git") else None
        if git:
            for path, text in git.settings:
                found.add("data", place / ".git" / path.relative_to(git.common), text=text.encode())


def _links_to_home(found: _Plan, ground: Ground) -> None:
    """`~/.cargo` is found at the home inside, too."""
    home = ground.user_home
    tops = {
        at for kind, at in ((m.kind, m.at) for m in found.mounts) if kind == "ro" and is_beneath(at, home)
    }
    parents = {at if at in ground.mounts else at.parent for at in tops}
    wanted = {p for p in parents | tops if p not in (home, home / ".local")}
    for path in sorted(wanted):
        if not any(other in path.parents for other in wanted):
            found.add("link", TMP_HOME / path.relative_to(home), path)


def _workspace(found: _Plan, workspace: Workspace) -> None:
    real = workspace.root.resolve()
    for place in dict.fromkeys((real, workspace.root)):
        found.add("rw", place, real)
        for name in PROTECTED:
            if (real / name).exists() and not (real / name).is_symlink():
                found.add("held", place / name, real / name)
        for source in workspace.share:
            at = shared_at(source, workspace)
            if at is not None and source.resolve().exists():
                found.add("ro", place / at, source.resolve())
        _git(found, workspace, real, place)


def _git(found: _Plan, workspace: Workspace, real: Path, place: Path) -> None:
    """Settings and pointer come from the rows, never from what lies in the worktree."""
    pointer, git_dir = real / ".git", workspace.git_dir
    if git_dir is None:
        if pointer.exists() and not pointer.is_symlink():
            found.add("held", place / ".git", pointer)
        return
    git = view(git_dir)
    is_clone = git is not None and git.git_dir == pointer
    if git is None or not (is_clone or (pointer.is_file() and not pointer.is_symlink())):
        raise Refused(f"the git directory of {workspace.root} is not as it was made", "start the task again")
    common_at = place / ".git" if is_clone else git.common
    found.add("ro", common_at, git.common)
    for path, text in git.settings:
        found.add("data", common_at / path.relative_to(git.common), text=text.encode())
    if not is_clone:
        found.add("data", place / ".git", text=f"gitdir: {git.git_dir}\n".encode())


def shared_at(source: Path, workspace: Workspace) -> Path | None:
    """Where in the worktree a path of the clone is bound, relative; None for one outside the clone."""
    clone = workspace.clone
    if clone is None or not is_beneath(source, clone) or source == clone:
        return None
    return source.relative_to(clone)
