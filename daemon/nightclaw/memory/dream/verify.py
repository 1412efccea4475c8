"""From vague to verified: only a check that passed makes a memory verified; one the world contradicts is put in doubt.

Checks read a repository's configured clone and nothing else: below its root, without following links, within limits.
"""

import os
import re
import stat
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from nightclaw.memory import likeness
from nightclaw.store.observations import Observation

FILES = 2_000
FILE_BYTES = 256 * 1024
BYTES = 20_000_000
SECONDS = 1.5
_DAY_MS = 86_400_000
_PATH = re.compile(
    r"(?<![\w/~.:-])((?:[\w.@+-]+/)+[\w.@+-]+|[\w-]+\.(?:py|rs|go|ts|tsx|js|java|c|h|cpp|rb|sh|toml|ya?ml|json|md|cfg|ini|sql))(?![\w/])"
)
_SYMBOL = re.compile(
    r"`([A-Za-z_][\w.]{2,60})(?:\(\))?`|\b([a-z]+_[a-z_0-9]{2,60}|[a-z]+[A-Z]\w{2,60}|[A-Z][a-z]+[A-Z]\w{2,60})(?:\(\))?"
)
_SKIPPED = frozenset({".git", ".venv", "node_modules", "target", "dist", "build", "__pycache__"})
_SAYS = ("AGENTS.md", "CLAUDE.md", "README.md", "CONTRIBUTING.md")


@dataclass(frozen=True, slots=True)
class Checked:
    """by: the check that passed; None: the world says otherwise, and why."""

    by: str | None
    why: str


def by_second_source(rests_on: Collection[int], sources: Mapping[int, Observation]) -> Checked | None:
    """Said on two days by somebody who is not the assistant, or by two who are not."""
    said = [o for o in (sources.get(c) for c in rests_on) if o is not None and o.role != "assistant"]
    occasions = {(o.role, o.at // _DAY_MS) for o in said}
    return (
        Checked(f"{len(occasions)} independent sources", "said more than once")
        if len(occasions) > 1
        else None
    )


def by_clone(text: str, root: Path) -> Checked | None:
    """What a text says of files and names, looked up in a clone; None when it names none or nothing can be told."""
    names = list(dict.fromkeys(_PATH.findall(text)))[:4]
    missing = list[str]()
    for name in names:
        found = _stat(root, name)
        if found is None:
            missing.append(name)
    if missing:
        return Checked(None, f"there is no {missing[0]} in {root.name}")
    if names:
        return Checked(f"file exists: {names[0]}", "its file is there")
    symbols = list(dict.fromkeys(a or b for a, b in _SYMBOL.findall(text)))[:3]
    if not symbols:
        return None
    where = _find(root, [s.rpartition(".")[2] for s in symbols])
    if where is None or any(w is None for w in where):
        return None  # a name not found within the limits proves nothing
    return Checked(f"symbol found: {symbols[0]} in {where[0]}", "its name is there")


def is_said_in(text: str, root: Path) -> str | None:
    """The file of the repository that says this already; None when none does."""
    wanted = likeness.content(text)
    if len(wanted) < 3:
        return None
    for name in _SAYS:
        held = _read(root, name)
        for line in (held or "").splitlines()[:2000]:
            if len(line) < 1000 and wanted <= likeness.content(line):
                return name
    return None


def _stat(root: Path, name: str) -> os.stat_result | None:
    """The file `name` below `root`, links not followed; None when it is not there."""
    parts = name.split("/")
    if any(p in ("", ".", "..") for p in parts):
        return None
    at, found = root, None
    try:
        for i, part in enumerate(parts):
            at = at / part
            found = at.lstat()
            if stat.S_ISLNK(found.st_mode) or (i < len(parts) - 1 and not stat.S_ISDIR(found.st_mode)):
                return None
    except (OSError, ValueError):
        return None
    return found


def _read(root: Path, name: str) -> str | None:
    found = _stat(root, name)
    if found is None or not stat.S_ISREG(found.st_mode) or found.st_size > FILE_BYTES:
        return None
    try:
        fd = os.open(root / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(fd, "rb") as file:
            return file.read(FILE_BYTES).decode("utf-8", "replace")
    except OSError:
        return None


def _find(root: Path, symbols: Sequence[str]) -> list[str | None] | None:
    """Where each symbol stands first, within the limits; None when there is nothing to look in."""
    patterns = [re.compile(rf"\b{re.escape(s)}\b") for s in symbols]
    found: list[str | None] = [None] * len(symbols)
    end, files, read = time.monotonic() + SECONDS, 0, 0
    for top, folders, names in os.walk(root, followlinks=False):
        folders[:] = sorted(f for f in folders if f not in _SKIPPED)
        for name in sorted(names):
            relative = os.path.relpath(os.path.join(top, name), root)
            files += 1
            if files > FILES or read > BYTES or time.monotonic() > end:
                return found
            text = _read(root, relative)
            if text is None or "\0" in text[:1024]:
                continue
            read += len(text)
            for i, pattern in enumerate(patterns):
                if found[i] is None and pattern.search(text):
                    found[i] = relative
            if all(found):
                return found
    return found
