"""Which paths are worth watching: pure rules over relative POSIX paths, no disk.

Directories tools fill (.git, node_modules, …) and editors' own scratch files never count; beyond them hold the
.gitignore files at every level and .git/info/exclude, read as git reads them: the deepest file that has a
matching line decides, within it the last such line (https://git-scm.com/docs/gitignore).
"""

import re
from collections.abc import Iterable, Iterator, Sequence

from pathspec import GitIgnoreSpec
from pathspec.pattern import RegexPattern

IGNORE_FILE = ".gitignore"
ALWAYS = frozenset(
    {
        *(".git", ".hg", ".svn", ".jj", "node_modules", ".venv", "__pycache__", ".tox", ".nox"),
        *(".mypy_cache", ".pytest_cache", ".ruff_cache"),
    }
)
_SCRATCH = re.compile(
    r"4913|.*~|\.#.*|#.*#|.*\.sw[opx]|\..*\.sw[a-p]|\.goutputstream-.*|.*___jb_(?:tmp|old|bak)___"
    r"|\.~lock\..*#|.*\.crswap|\.DS_Store|\.git",
    re.DOTALL,
)
_GROUP = re.compile(r"\(\?P<\w+>")


class Rules:
    """The lines of one ignore file, or a list of globs. Paths are relative to where they stand."""

    __slots__ = ("_runs",)

    def __init__(self, lines: Iterable[str]) -> None:
        runs: list[tuple[bool, list[str]]] = []
        for pattern in _patterns(lines):
            if pattern.include is None or pattern.regex is None:
                continue
            if not runs or runs[-1][0] != pattern.include:
                runs.append((pattern.include, []))
            runs[-1][1].append(_GROUP.sub("(?:", pattern.regex.pattern))
        # neighbours of one polarity become one expression: a third of the time on large trees
        self._runs = [(include, re.compile("|".join(parts)).match) for include, parts in reversed(runs)]

    def __bool__(self) -> bool:
        return bool(self._runs)

    def verdict(self, path: str) -> bool | None:
        """True: named, False: named by a `!` line, None: not spoken of. A directory ends in `/`."""
        for include, match in self._runs:
            if match(path):
                return include
        return None


def _patterns(lines: Iterable[str]) -> Iterator[RegexPattern]:
    lines = list(lines)
    try:
        yield from (p for p in GitIgnoreSpec.from_lines(lines).patterns if isinstance(p, RegexPattern))
    except ValueError:
        if len(lines) > 1:  # git passes over a line it cannot read
            for line in lines:
                yield from _patterns([line])


class Ignore:
    """All ignore rules of a tree, by the directory they stand in (relative to the top, "" for it)."""

    def __init__(self) -> None:
        self._at: dict[str, tuple[Rules, ...]] = {}

    def put(self, directory: str, rules: Iterable[Rules]) -> bool:
        """Set the rules of a directory, strongest first; none forgets them. True when they were or are some."""
        kept = tuple(r for r in rules if r)
        was = self._at.pop(directory, ())
        if kept:
            self._at[directory] = kept
        return bool(kept or was)

    def chain(self, directory: str) -> list[tuple[int, Rules]]:
        """The rules that hold in a directory, strongest first, each with how much of a path to cut off for it."""
        found: list[tuple[int, Rules]] = []
        at = directory
        while True:
            cut = len(at) + 1 if at else 0
            found += [(cut, rules) for rules in self._at.get(at, ())]
            if not at:
                return found
            at = at.rpartition("/")[0]


def ignored(chain: Sequence[tuple[int, Rules]], path: str, is_dir: bool) -> bool:
    """True when `path` (relative to the top), an entry of the directory `chain` is of, is not to be watched."""
    name = path.rpartition("/")[2]
    if name in ALWAYS if is_dir else is_scratch(name):
        return True
    probe = f"{path}/" if is_dir else path
    for cut, rules in chain:
        said = rules.verdict(probe[cut:])
        if said is not None:
            return said
    return False


def is_scratch(name: str) -> bool:
    """True for a file an editor or desktop keeps for itself."""
    return _SCRATCH.fullmatch(name) is not None


class Narrow:
    """The owner's own globs: only files they name count, only directories that can hold such files are entered."""

    def __init__(self, globs: Sequence[str], prefix: str = "") -> None:
        """prefix: where the tree lies below the place the globs are relative to ("" or "services/api/")."""
        self._rules = Rules(globs)
        self._roots = [_literal_root(g) for g in globs if not g.startswith("!")]
        self._prefix = prefix

    def wants(self, path: str) -> bool:
        return not self._rules or self._rules.verdict(self._prefix + path) is True

    def may_hold(self, directory: str) -> bool:
        if not self._rules:
            return True
        at = self._prefix + directory
        return any(_is_within(at, root) or _is_within(root, at) for root in self._roots)


def _is_within(path: str, top: str) -> bool:
    return not top or path == top or path.startswith(f"{top}/")


def _literal_root(glob: str) -> str:
    """The directory below which alone a glob can match: "src/api" of "src/api/**/x.py", "" when anywhere."""
    if "/" not in glob.rstrip("/"):
        return ""
    parts: list[str] = []
    for part in glob.strip("/").split("/"):
        if re.search(r"[*?\[\\]", part):
            break
        parts.append(part)
    return "/".join(parts)
