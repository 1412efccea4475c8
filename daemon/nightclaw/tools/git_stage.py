"""Putting changes into the index, and a tree out of it, without git ever looking into a repository inside the worktree.

`git add`, and a plain `status`, start another git in every submodule, which obeys the configuration it finds there;
a command in the sandbox can put one there. So changes are listed with submodules ignored and entered one by one, and
a nested repository is never added.
"""

import os
from collections.abc import Sequence
from pathlib import Path

from nightclaw.core.errors import NightclawError
from nightclaw.core.tools import Workspace
from nightclaw.tools.git_ports import GitService, Ran

CHANGES = (
    "status",
    "--porcelain=v1",
    "-z",
    "--no-renames",
    "--ignore-submodules=all",
    "--untracked-files=all",
)
LIST_BYTES = 32 * 1024 * 1024
GITLINK = b"160000"


async def stage(git: GitService, work: Workspace, paths: Sequence[str]) -> list[str]:
    """Enter every change below `paths` (all, without any) into the index; the nested repositories that were left
    out. Raises NightclawError for a path that is not there or is ignored."""
    ran = must(await git.run(work, [*CHANGES, "--", *paths], limit=LIST_BYTES), "look at the changes")
    entries = [e for e in ran.raw.split(b"\0") if len(e) > 3]
    nested = [os.fsdecode(e[3:-1]) for e in entries if e.endswith(b"/")]
    names = [e[3:] for e in entries if e[1:2] != b" " and not e.endswith(b"/")]
    for path in paths:
        await _check(git, work, path, [os.fsdecode(e[3:]) for e in entries])
    if names:
        words = ["update-index", "--add", "--remove", "-z", "--stdin"]
        must(await git.run(work, words, input=b"\0".join(names) + b"\0", timeout_s=120), "stage them")
    return nested


async def _check(git: GitService, work: Workspace, path: str, changed: Sequence[str]) -> None:
    below = path.rstrip("/") + "/"
    if path in (".", "./") or any(name == path or name.startswith(below) for name in changed):
        return
    known = await git.run(work, ["ls-files", "--", path])
    if known.out:
        return  # it is as it was
    there = os.path.lexists(work.root / path)
    why = "is ignored by .gitignore, or empty" if there else "is not there"
    raise NightclawError(f"{path} {why}", '`Git(action="status")` shows the names')


async def tree_of(git: GitService, work: Workspace, paths: Sequence[str]) -> str:
    """The tree a commit would have: the last one with what is staged, of `paths` only when there are any."""
    if not paths:
        return must(await git.run(work, ["write-tree"]), "write the tree").out.strip()
    assert work.git_dir is not None
    aside = work.git_dir / "nightclaw-index"
    env = {"GIT_INDEX_FILE": str(aside)}
    words = ["diff-index", "--cached", "--raw", "--no-abbrev", "--no-renames", "-z", "HEAD", "--", *paths]
    raw = must(await git.run(work, words, limit=LIST_BYTES), "look at what is staged").raw
    try:
        must(await git.run(work, ["read-tree", "HEAD"], env=env), "read the last commit")
        words = ["update-index", "-z", "--index-info"]
        must(await git.run(work, words, env=env, input=_index_info(raw)), "stage them")
        return must(await git.run(work, ["write-tree"], env=env), "write the tree").out.strip()
    finally:
        for left in (aside, Path(f"{aside}.lock")):
            left.unlink(missing_ok=True)


def _index_info(raw: bytes) -> bytes:
    """`:<old mode> <new mode> <old> <new> <kind>\\0<path>\\0` as lines of --index-info."""
    parts = raw.split(b"\0")
    lines: list[bytes] = []
    for head, path in zip(parts[::2], parts[1::2], strict=False):
        _, mode, _, new, _ = head.split(b" ")
        lines.append((b"0 " if mode == b"000000" else mode + b" ") + new + b"\t" + path + b"\0")
    return b"".join(lines)


async def links(git: GitService, work: Workspace, tree: str) -> list[str]:
    """The submodule entries a commit of `tree` would change: none that came from the worktree is taken."""
    ran = must(
        await git.run(work, ["diff-tree", "-r", "--raw", "-z", "HEAD", tree], limit=LIST_BYTES), "compare"
    )
    parts = ran.raw.split(b"\0")
    return [
        os.fsdecode(path)
        for head, path in zip(parts[::2], parts[1::2], strict=False)
        if head.split(b" ")[1] == GITLINK
    ]


def must(ran: Ran, what: str) -> Ran:
    if ran.ok and not ran.is_cut:
        return ran
    raise NightclawError(f"git could not {what}: {ran.said}", 'look at `Git(action="status")`')
