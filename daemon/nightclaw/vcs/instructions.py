"""The repository's own words to whoever works in it: AGENTS.md and CLAUDE.md, as the owner's base commit has them.

Never as the branch under work has them: a changed AGENTS.md in a pull request is a stranger's text.
"""

from collections.abc import Sequence
from pathlib import PurePosixPath

from nightclaw.core.plain import clip
from nightclaw.core.tools import Workspace
from nightclaw.vcs.git import Git

NAMES = ("AGENTS.md", "CLAUDE.md")
FILE_BYTES = 16 * 1024
WHOLE = 32 * 1024
MOST_DIRS = 20
_FILES = ("100644", "100755")


async def instructions(git: Git, workspace: Workspace, paths: Sequence[str] = ()) -> str:
    """The files at the top and on the way to each of `paths` (the owner's globs), outermost first; "" without any.
    At most 16 KiB of each and 32 KiB in all. A file that says the same as an earlier one stands once."""
    if workspace.git_dir is None or workspace.base is None:
        return ""
    names = [str(PurePosixPath(d) / n) if d else n for d in _directories(paths) for n in NAMES]
    words = ["ls-tree", "-z", workspace.base, "--", *names]
    listed = await git.text(words, git_dir=workspace.git_dir, work_tree=workspace.root) or ""
    blobs: dict[str, str] = {}
    for entry in listed.split("\0"):
        kind, _, name = entry.partition("\t")
        mode, _, blob = kind.partition(" blob ")
        if mode in _FILES and blob:
            blobs[name] = blob
    told: list[str] = []
    seen: set[str] = set()
    room = WHOLE
    for name in names:
        blob = blobs.get(name)
        if blob is None or blob in seen or room <= 0:
            continue
        seen.add(blob)
        ran = await git.run(
            ["cat-file", "blob", blob], git_dir=workspace.git_dir, work_tree=workspace.root, limit=FILE_BYTES
        )
        part = clip(f"# {name} (at {workspace.base[:10]})\n{ran.out.strip()}", room)
        told.append(part + ("\n… (cut)" if ran.is_cut else ""))
        room -= len(part)
    return "\n\n".join(told)


def _directories(paths: Sequence[str]) -> list[str]:
    """The top, and every literal directory on the way down the globs."""
    found = [""]
    for path in paths:
        parts: list[str] = []
        for part in PurePosixPath(path.strip("/")).parts:
            if any(c in part for c in "*?[]!\\") or part in ("..", ".git"):
                break
            parts.append(part)
            found.append("/".join(parts))
    return list(dict.fromkeys(found))[:MOST_DIRS]
