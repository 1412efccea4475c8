"""One worktree made from nothing, in steps that a kill may cut anywhere: what is half-made is removed and made anew.

The checkout of the clone is never touched: a worktree is added beside it, filled at the base commit, set up, and only
then put on its branch.
"""

import os
import re
import shutil
import stat
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from nightclaw.core import failpoints
from nightclaw.core.errors import NightclawError
from nightclaw.vcs import child, setup
from nightclaw.vcs.clone import Clone, resolved
from nightclaw.vcs.git import UNSEEN, Git, GitRan
from nightclaw.vcs.records import Record, Records

FILL_S = 900.0
_LITERAL = re.compile(r"[^*?\[\]!\\]+")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the owner asks of a worktree of this repository (the fields of `[[github.repo]]`)."""

    paths: tuple[str, ...] = ()
    setup: str | None = None
    share: tuple[str, ...] = ()


class Maker:
    """Makes and unmakes worktrees of clones by their records."""

    def __init__(self, git: Git, records: Records) -> None:
        self._git = git
        self._records = records

    async def begin(self, clone: Clone, record: Record, wanted: Wanted) -> None:
        """The worktree of `record`, filled at its base and on no branch yet."""
        root = Path(record.root)
        self._records.put(record)
        failpoints.hit("vcs.recorded")
        words = [
            "worktree",
            "add",
            "--quiet",
            "--force",
            "--no-checkout",
            "--detach",
            "--",
            str(root),
            record.base,
        ]
        self._must(await self._git.run(words, git_dir=clone.common, work_tree=clone.top), "make a worktree")
        root.chmod(0o700)
        failpoints.hit("vcs.added")
        admin = self._admin(record)
        _sparse(admin, wanted.paths)
        await self._fill(admin, root, ["reset", "--hard", "--quiet", record.base])
        failpoints.hit("vcs.filled")

    async def set_up(self, record: Record, wanted: Wanted) -> Record:
        """Run the owner's set-up there."""
        told: list[str] = []
        if wanted.setup is not None:
            record, told = await self._set_up(self._admin(record), record, wanted.setup)
        failpoints.hit("vcs.set_up")
        return replace(record, setup="", notes=(*record.notes, *told))

    async def finish(self, record: Record, wanted: Wanted, tip: str | None) -> Record:
        """Put it on its branch and call it ready. tip: the commit the branch goes on from, None for a new one."""
        root, clone, admin = Path(record.root), Path(record.clone), self._admin(record)
        shared, told = _shares(clone, root, wanted.share)
        await self._hide(admin, root, shared, clone)
        start = [record.branch] if tip is not None else ["-B", record.branch, "--no-track", record.base]
        await self._fill(admin, root, ["checkout", "--quiet", "--force", *start, "--"])
        failpoints.hit("vcs.attached")
        if (root / ".gitmodules").is_file():
            told.append("its submodules are not checked out")
        notes = (*record.notes, *told)
        share = tuple(map(str, shared))
        return self._records.put(replace(record, state="ready", git_dir=str(admin), share=share, notes=notes))

    def _admin(self, record: Record) -> Path:
        admin = admin_of(Path(record.common), Path(record.root))
        if admin is None:
            hint = "look at `git worktree list` in the clone"
            raise NightclawError(f"git knows no worktree at {record.root}", hint)
        return admin

    async def unmake(self, record: Record) -> None:
        """Remove the worktree, what git knows of it and the record; the branch of our making when it has no commit."""
        root, common = Path(record.root), Path(record.common)
        _end_setup(record)
        failpoints.hit("vcs.removing")
        remove_tree(root)
        failpoints.hit("vcs.removed_tree")
        admin = admin_of(common, root)
        if admin is not None:
            remove_tree(admin)
            with suppress(OSError):
                admin.parent.rmdir()
        if record.made and common.is_dir():
            words = ["update-ref", "-d", f"refs/heads/{record.branch}", record.base]
            await self._git.run(words, git_dir=common, work_tree=Path(record.clone))
        self._records.drop(record.task)

    async def _fill(self, admin: Path, root: Path, words: Sequence[str]) -> None:
        ran = await self._git.run(words, git_dir=admin, work_tree=root, timeout_s=FILL_S)
        self._must(ran, "fill the worktree")

    def _must(self, ran: GitRan, what: str) -> None:
        if not ran.ok:
            raise NightclawError(
                f"git could not {what}: {ran.said}", "is the disk full, or the clone damaged?"
            )

    async def _set_up(self, admin: Path, record: Record, command: str) -> tuple[Record, list[str]]:
        """Run the owner's set-up. One that leaves no files in the worktree (it fills caches) runs once for the same
        lock files; one that does runs in each worktree."""
        root = Path(record.root)
        digest = await setup.lock_digest(self._git, admin, root, record.base, f"{record.common}\0{command}")
        done = self._records.directory / ".setups" / digest
        if done.exists():
            return record, []
        kept = record

        def started(pid: int) -> None:
            nonlocal kept
            kept = self._records.put(replace(record, setup=f"{pid} {child.birth_of(pid) or ''}"))

        log = self._records.directory / f"{record.task}.setup.log"
        how = await setup.run(command, root, log, started)
        if how.failed:
            return kept, [how.failed]
        left = ["status", "--porcelain", "--ignored", "--ignore-submodules=all", "--untracked-files=normal"]
        ran = await self._git.run(left, git_dir=admin, work_tree=root)
        if ran.ok and not ran.out:
            done.parent.mkdir(mode=0o700, exist_ok=True)
            done.touch()
        return kept, []

    async def _hide(self, admin: Path, root: Path, shared: Sequence[Path], clone: Path) -> None:
        """What the set-up and the shares brought is not the task's work: it is never shown as new."""
        words = ["ls-files", "--others", "--exclude-standard", "--directory", "-z"]
        ran = await self._git.run(words, git_dir=admin, work_tree=root)
        names = [n for n in ran.out.split("\0") if n and "\n" not in n] if ran.ok else []
        names += [share.relative_to(clone).as_posix() for share in shared]
        if names:
            (admin / UNSEEN).write_text("".join(f"/{_escaped(n)}\n" for n in names))


def admin_of(common: Path, root: Path) -> Path | None:
    """The directory where the clone keeps its worktree at `root`: by the clone's own files, never the worktree's."""
    for found in sorted((common / "worktrees").glob("*/gitdir")):
        with suppress(OSError, UnicodeDecodeError):
            if Path(found.read_text().strip()) == root / ".git":
                return found.parent
    return None


def stand(record: Record) -> bool:
    """True when a worktree made before still stands. A rewritten `.git` pointer is put right, stale locks go."""
    root, admin = Path(record.root), Path(record.git_dir)
    if not record.git_dir or admin_of(Path(record.common), root) != admin:
        return False
    if root.is_symlink() or not root.is_dir():
        return False
    pointer, right = root / ".git", f"gitdir: {admin}\n"
    try:
        is_right = pointer.is_file() and not pointer.is_symlink() and pointer.read_text() == right
    except (OSError, UnicodeDecodeError):
        is_right = False
    if not is_right:
        remove_tree(pointer)
        pointer.write_text(right)
    for lock in ("index.lock", "HEAD.lock"):
        (admin / lock).unlink(missing_ok=True)
    (Path(record.common) / "refs" / "heads" / f"{record.branch}.lock").unlink(missing_ok=True)
    return True


def remove_tree(path: Path) -> None:
    """Remove a file or a tree without following links, also what a command made read-only."""
    if path.is_symlink() or not path.is_dir():
        path.unlink(missing_ok=True)
        return

    def insist(remove: Callable[..., object], name: str, _: object) -> None:
        for place in (os.path.dirname(name), name):
            with suppress(OSError):
                if not stat.S_ISLNK(os.lstat(place).st_mode):
                    os.chmod(place, 0o700)
        with suppress(FileNotFoundError):
            if remove in (os.open, os.scandir, os.lstat):
                shutil.rmtree(name)
            else:
                remove(name)

    shutil.rmtree(path, onerror=insist)


def patterns(paths: Sequence[str]) -> list[str]:
    """Sparse patterns for the owner's globs: what they match, and the files at the top and on the way there."""
    found = ["/*", "!/*/"]
    for path in paths:
        clean = path.strip("/")
        parents = PurePosixPath(clean).parts[:-1]
        for n, part in enumerate(parents):
            if not _LITERAL.fullmatch(part):
                break
            way = "/".join(parents[: n + 1])
            found += [f"/{way}/*", f"!/{way}/*/"]
    found += [p if "/" not in p.strip("/") else "/" + p.strip("/") for p in paths]
    return list(dict.fromkeys(found))


def _sparse(admin: Path, paths: Sequence[str]) -> None:
    target = admin / "info" / "sparse-checkout"
    target.unlink(missing_ok=True)  # newer versions of git copy the clone's
    (admin / "config.worktree").unlink(missing_ok=True)
    if paths:
        target.parent.mkdir(exist_ok=True)
        target.write_text("".join(f"{p}\n" for p in patterns(paths)))


def _shares(clone: Path, root: Path, names: Sequence[str]) -> tuple[list[Path], list[str]]:
    """The things of the clone to be bound into the worktree, each with a place there; and what could not be."""
    shared: list[Path] = []
    notes: list[str] = []
    for name in names:
        source, target = clone / name, root / name
        parts = PurePosixPath(name).parts
        if not parts or ".." in parts or ".git" in parts or PurePosixPath(name).is_absolute():
            notes.append(f"share {name!r} is not a path inside the clone")
        elif not source.exists() or not source.resolve().is_relative_to(clone.resolve()):
            notes.append(f"share {name!r} is not in the clone")
        elif not os.path.lexists(target) and target.parent.resolve().is_relative_to(root):
            target.parent.mkdir(parents=True, exist_ok=True)
            target.mkdir() if source.is_dir() else target.touch()
            shared.append(source)
    return shared, notes


def _escaped(name: str) -> str:
    return re.sub(r"([\\*?\[\]!# ])", r"\\\1", name)


def _end_setup(record: Record) -> None:
    pid, _, birth = record.setup.partition(" ")
    if pid.isdigit():
        child.end_leftover(int(pid), birth or None)


async def tip_of(git: Git, clone: Clone, branch: str) -> str | None:
    return await resolved(git, clone, f"refs/heads/{branch}")
