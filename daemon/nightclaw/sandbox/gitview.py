"""What a sandboxed command may see of a repository's git directory: all of it read-only, its settings cleaned.

Settings can hold tokens (`url = https://user:token@…`, `http.extraHeader`) and programs to run (`core.fsmonitor`,
filters, hooks paths). The command is shown a copy that keeps what reading history needs and nothing else.
"""

import re
from dataclasses import dataclass
from pathlib import Path

_KEPT: dict[str, set[str]] = {
    "core": {"repositoryformatversion", "filemode", "bare", "ignorecase", "precomposeunicode", "symlinks"}
    | {"autocrlf", "eol", "safecrlf", "sparsecheckout", "sparsecheckoutcone", "abbrev", "quotepath"},
    "extensions": {"objectformat", "refstorage", "worktreeconfig", "partialclone", "noop"},
    "remote": {"url", "fetch", "promisor", "partialclonefilter"},
    "branch": {"remote", "merge"},
    "index": {"version", "sparse"},
}
_SECTION = re.compile(r'^\s*\[\s*([A-Za-z0-9.-]+)(?:\s+"((?:[^"\\]|\\.)*)")?\s*\]\s*(.*)$')
_SETTING = re.compile(r"^\s*([A-Za-z][A-Za-z0-9-]*)\s*(?:=\s*(.*))?$")
_USER = re.compile(r"([a-z][a-z0-9+.-]*://)[^/@]*@", re.IGNORECASE)
_LARGEST = 1 << 20


@dataclass(frozen=True, slots=True)
class GitView:
    """git_dir: its real name. common: the directory objects and refs lie in. settings: cleaned text by path."""

    git_dir: Path
    common: Path
    settings: tuple[tuple[Path, str], ...]


def view(git_dir: Path) -> GitView | None:
    """What to show of `git_dir` (of a worktree or a clone); None when it is not one."""
    git_dir = git_dir.resolve()
    common = git_dir
    pointer = git_dir / "commondir"
    if pointer.is_file():
        common = (git_dir / pointer.read_text(encoding="utf-8").strip()).resolve()
    if not (common / "objects").is_dir() or (common != git_dir and common not in git_dir.parents):
        return None
    shown = []
    for path in (common / "config", common / "config.worktree", git_dir / "config.worktree"):
        if path.is_file() and path not in (seen for seen, _ in shown):
            with path.open(encoding="utf-8", errors="replace") as file:
                shown.append((path, cleaned(file.read(_LARGEST))))
    return GitView(git_dir, common, tuple(shown))


def cleaned(config: str) -> str:
    """A git config with only harmless settings, and no user or token in an address."""
    lines: list[str] = []
    kept: set[str] = set()
    for line in config.replace("\\\n", "").splitlines():
        head = _SECTION.match(line)
        if head:
            section, sub, line = head[1].lower(), head[2], head[3]
            kept = _KEPT.get(section, set())
            if kept:
                lines.append(f'[{section} "{sub}"]' if sub is not None else f"[{section}]")
        setting = _SETTING.match(line)
        if setting and setting[1].lower() in kept:
            value = "true" if setting[2] is None else _USER.sub(r"\1", setting[2])
            lines.append(f"\t{setting[1]} = {value}")
    return "\n".join([*lines, ""])
