"""The owner's clone: where its git directory is, and the commit a task's work begins at.

Nothing here changes a file of the checkout, its index or its branches; at most objects are added to the clone.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from nightclaw.core.errors import NightclawError
from nightclaw.vcs.git import Git
from nightclaw.vcs.remote import Objects, Remote, RemoteError

_REF = re.compile(r"(?!-)[\w./+@#=-]{1,200}")
NOT_A_CLONE = "set path of its [[github.repo]] to a clone, made with `git clone`"


@dataclass(frozen=True, slots=True)
class Clone:
    """top: the checkout. common: the git directory with objects and refs; own: the checkout's, nearly always the
    same."""

    top: Path
    common: Path
    own: Path


@dataclass(frozen=True, slots=True)
class Base:
    """commit: where work begins. branch: the branch a pull request goes to, None with a detached head. notes: what
    the owner should know of how it was found."""

    commit: str
    branch: str | None
    notes: tuple[str, ...] = ()


def locate(top: Path) -> Clone:
    """The clone at `top`. Raises NightclawError when there is none."""
    top = top.expanduser().resolve()
    own = top / ".git"
    if own.is_file():
        named = own.read_text(errors="replace").partition("gitdir:")[2].strip()
        own = (top / named).resolve() if named else own
    elif not own.exists() and (top / "objects").is_dir() and (top / "HEAD").is_file():
        own = top
    if not (own / "HEAD").is_file():
        raise NightclawError(f"{top} is not a git clone", NOT_A_CLONE)
    try:
        common = (own / (own / "commondir").read_text().strip()).resolve()
    except OSError:
        common = own.resolve()
    return Clone(top, common, own.resolve())


async def resolved(git: Git, clone: Clone, name: str) -> str | None:
    """The commit a name stands for, None when it stands for none."""
    words = ["rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}"]
    ran = await git.run(words, git_dir=clone.own, work_tree=clone.top)
    return ran.out.strip() or None if ran.ok else None


async def objects(git: Git, clone: Clone) -> Objects:
    found = await git.text(["rev-parse", "--show-object-format"], git_dir=clone.own, work_tree=clone.top)
    return Objects(clone.common, found or "sha1")


async def origin(git: Git, remote: Remote, clone: Clone) -> str | None:
    """The address of the clone's `origin`, as a place that can be gone to; None without one."""
    url = await git.text(["config", "--get", "remote.origin.url"], git_dir=clone.own, work_tree=clone.top)
    if not url:
        return None
    if "://" not in url and ":" not in url.partition("/")[0] and not url.startswith("/"):
        url = str((clone.top / url).resolve())
    return await remote.address(url)


async def base_of(git: Git, remote: Remote, clone: Clone, url: str | None, wanted: str | None) -> Base:
    """Where work on `wanted` (else the remote's default branch, else the clone's) begins: the newest commit the
    origin has of it; while the origin is out of reach, what was fetched last."""
    if wanted is not None and not _REF.fullmatch(wanted):
        raise NightclawError(f"{wanted!r} is not the name of a branch", "set base of its [[github.repo]]")
    branch = wanted or await _default(git, clone)
    notes: list[str] = []
    if url is not None:
        try:
            branch = branch or await _remote_default(remote, url)
            fresh = await _fetched(git, remote, clone, url, branch) if branch else None
            if fresh is not None:
                return Base(fresh, branch)
        except RemoteError as error:
            notes.append(f"{error.message}; work begins at what was fetched last")
    for name in (f"refs/remotes/origin/{branch}", f"refs/heads/{branch}") if branch else ():
        commit = await resolved(git, clone, name)
        if commit is not None:
            return Base(commit, branch, tuple(notes))
    if wanted is not None:
        raise NightclawError(
            f"there is no branch {wanted!r} in {clone.top} or its origin", "set base of its [[github.repo]]"
        )
    head = await resolved(git, clone, "HEAD")
    if head is None:
        raise NightclawError(f"{clone.top} has no commit yet", "make a first commit there")
    return Base(head, await _head_branch(git, clone), tuple(notes))


async def _default(git: Git, clone: Clone) -> str | None:
    """The origin's default branch as the clone remembers it, else what is checked out there."""
    words = ["symbolic-ref", "--quiet", "refs/remotes/origin/HEAD"]
    found = await git.text(words, git_dir=clone.own, work_tree=clone.top)
    if found:
        return found.removeprefix("refs/remotes/origin/")
    for name in ("main", "master"):
        if await resolved(git, clone, f"refs/remotes/origin/{name}"):
            return name
    return await _head_branch(git, clone)


async def _head_branch(git: Git, clone: Clone) -> str | None:
    words = ["symbolic-ref", "--quiet", "--short", "HEAD"]
    return await git.text(words, git_dir=clone.own, work_tree=clone.top)


async def _remote_default(remote: Remote, url: str) -> str | None:
    names = ("refs/heads/main", "refs/heads/master")
    found = await remote.heads(url, names)
    return next((n.removeprefix("refs/heads/") for n in names if n in found), None)


async def _fetched(git: Git, remote: Remote, clone: Clone, url: str, branch: str) -> str | None:
    """The origin's commit of `branch`, brought into the clone when it is not there; None when it has none."""
    ref = f"refs/heads/{branch}"
    newest = (await remote.heads(url, [ref])).get(ref)
    if newest is None or await resolved(git, clone, newest) == newest:
        return newest
    store = await objects(git, clone)
    if store.is_shallow:
        return None
    return await remote.fetch(store, url, ref, await resolved(git, clone, f"refs/remotes/origin/{branch}"))
