"""Finding files by name and lines by pattern, with nothing but the standard library.

Imported for names (globs, ignore files, a walk that never follows a symlink and holds every directory open by
descriptor while in it), and run as a program of its own (`python -I -S -c <this file> <options as JSON>`) to search
contents where ripgrep is missing: a pattern can take for ever, and only a process can be ended.

Globs cost at most the product of their and the name's length, whatever they look like.
"""

import json
import os
import re
import stat
import sys
import time
from collections.abc import Iterator

MOST_BRACES = 64
MOST_DEPTH = 60
SECRET = (
    ".env",
    ".env.*",
    "*.pem",
    "*.key",
    "*.p12",
    "*.pfx",
    "id_rsa*",
    "id_ed25519*",
    "id_ecdsa*",
    ".netrc",
)
SECRET += (".npmrc", ".pypirc", ".git-credentials", "credentials", "credentials.json", "credentials.toml")
NOT_SECRET = (".env.example", ".env.sample", ".env.template", "*.pub")


def braces(pattern: str) -> list[str]:
    """`a{b,c}d` as `abd`, `acd`; nested too; a pattern with more than 64 forms keeps the first ones."""
    opened = pattern.find("{")
    depth, parts, begin = 0, [], opened + 1
    for n in range(max(opened, 0), len(pattern)):
        char = pattern[n]
        if char == "{":
            depth += 1
        elif char == "," and depth == 1:
            parts.append(pattern[begin:n])
            begin = n + 1
        elif char == "}" and depth:
            depth -= 1
            if depth == 0:
                parts.append(pattern[begin:n])
                if len(parts) == 1:
                    break
                forms: list[str] = []
                for part in parts:
                    if len(forms) < MOST_BRACES:
                        forms += braces(pattern[:opened] + part + pattern[n + 1 :])
                return forms[:MOST_BRACES]
    return [pattern]


def tokens(pattern: str) -> list[str | tuple[bool, str]]:
    """One segment of a glob: a character, `*`, `?`, or (negated, the characters and ranges of a class)."""
    found: list[str | tuple[bool, str]] = []
    n = 0
    while n < len(pattern):
        char = pattern[n]
        end = pattern.find("]", n + 2) if char == "[" else -1
        if end > 0:
            inner = pattern[n + 1 : end]
            negated = inner[:1] in ("!", "^")
            found.append((negated, inner[1:] if negated else inner))
            n = end
        elif char == "\\" and n + 1 < len(pattern):
            n += 1
            found.append("\\" + pattern[n])
        elif not (char == "*" and found and found[-1] == "*"):
            found.append(char)
        n += 1
    return found


def _is(token: str | tuple[bool, str], char: str) -> bool:
    if isinstance(token, str):
        return token == "?" or token[-1] == char
    negated, inner = token
    hit, n = False, 0
    while n < len(inner):
        if n + 2 < len(inner) and inner[n + 1] == "-":
            hit = hit or inner[n] <= char <= inner[n + 2]
            n += 3
        else:
            hit = hit or inner[n] == char
            n += 1
    return hit != negated


def fits(pattern: list[str | tuple[bool, str]], name: str) -> bool:
    """Whether one name matches one segment, by going back to the last `*` only."""
    p = n = 0
    star, mark = -1, 0
    while n < len(name):
        if p < len(pattern) and pattern[p] == "*":
            star, mark = p, n
            p += 1
        elif p < len(pattern) and _is(pattern[p], name[n]):
            p += 1
            n += 1
        elif star >= 0:
            mark += 1
            p, n = star + 1, mark
        else:
            return False
    return all(token == "*" for token in pattern[p:])


class Glob:
    """A path pattern: `*`, `?`, `[…]`, `{a,b}` within names and `**` across directories."""

    def __init__(self, pattern: str, *, with_braces: bool = True) -> None:
        self._forms = [
            [None if part == "**" else tokens(part) for part in form.split("/") if part not in ("", ".")]
            for form in (braces(pattern) if with_braces else [pattern])
        ]

    def matches(self, parts: list[str]) -> bool:
        return any(_path_fits(form, parts) for form in self._forms)


def _path_fits(form: list[list[str | tuple[bool, str]] | None], parts: list[str]) -> bool:
    reached = {0}  # how many parts may be used up before this segment
    for segment in form:
        if segment is None:
            reached = set(range(min(reached), len(parts) + 1)) if reached else set()
        else:
            reached = {n + 1 for n in reached if n < len(parts) and fits(segment, parts[n])}
    return len(parts) in reached


class Ignore:
    """The rules of one ignore file, for paths relative to its directory."""

    def __init__(self, text: str) -> None:
        self._rules: list[tuple[bool, bool, Glob]] = []
        for raw in text.splitlines()[:2000]:
            line = raw.rstrip() if not raw.endswith("\\ ") else raw
            if not line or line.startswith("#"):
                continue
            negated = line.startswith("!")
            line = line[1:] if negated else line
            only_folders = line.endswith("/")
            line = line.rstrip("/")
            if line:
                pattern = line if "/" in line else f"**/{line}"
                self._rules.append((negated, only_folders, Glob(pattern, with_braces=False)))

    def says(self, parts: list[str], is_folder: bool) -> bool | None:
        """Ignored, kept, or None: not spoken of."""
        for negated, only_folders, glob in reversed(self._rules):
            if (is_folder or not only_folders) and glob.matches(parts):
                return not negated
        return None


Rules = list[tuple[int, Ignore]]  # (how deep the ignore file lies, its rules)


class Walk:
    """The files beneath an open directory, in names relative to it. `stopped`: why it did not see all."""

    def __init__(self, top: int, *, most: int, seconds: float, hidden: tuple[int, int] = (0, 0)) -> None:
        """hidden: device and inode of a directory that is not entered."""
        self._top = top
        self._hidden = hidden
        self._left = most
        self._until = time.monotonic() + seconds
        self.stopped = ""

    def files(self) -> Iterator[tuple[list[str], int, str]]:
        """(parts, directory it is in, name): open it by directory and name."""
        yield from self._in(os.dup(self._top), [], [])

    def _in(
        self, folder: int, parts: list[str], rules: list[tuple[int, Ignore]]
    ) -> Iterator[tuple[list[str], int, str]]:
        try:
            entries = self._listed(folder)
            if any(name == ".gitignore" for name, _ in entries):
                rules = [*rules, (len(parts), Ignore(_small_text(folder, ".gitignore")))]
            for name, is_folder in entries:
                here = [*parts, name]
                if self.stopped or name == ".git" or _ignored(rules, here, is_folder):
                    continue
                if not is_folder:
                    yield here, folder, name
                elif len(here) < MOST_DEPTH:
                    try:
                        below = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
                    except OSError:
                        continue
                    found = os.fstat(below)
                    if (found.st_dev, found.st_ino) == self._hidden:
                        os.close(below)
                    else:
                        yield from self._in(below, here, rules)
        finally:
            os.close(folder)

    def _listed(self, folder: int) -> list[tuple[str, bool]]:
        found: list[tuple[str, bool]] = []
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    self._left -= 1
                    if self._left < 0 or time.monotonic() > self._until:
                        self.stopped = "too many files" if self._left < 0 else "out of time"
                        break
                    if entry.is_dir(follow_symlinks=False):
                        found.append((entry.name, True))
                    elif entry.is_file(follow_symlinks=False):
                        found.append((entry.name, False))
        except OSError:
            pass
        return sorted(found)


def _ignored(rules: Rules, parts: list[str], is_folder: bool) -> bool:
    for depth, ignore in reversed(rules):
        said = ignore.says(parts[depth:], is_folder)
        if said is not None:
            return said
    return False


def _small_text(folder: int, name: str) -> str:
    try:
        file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    except OSError:
        return ""
    try:
        return (
            os.read(file, 1 << 16).decode("utf-8", "replace") if stat.S_ISREG(os.fstat(file).st_mode) else ""
        )
    finally:
        os.close(file)


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")


def is_secret(name: str) -> bool:
    return any(fits(tokens(p), name) for p in SECRET) and not any(fits(tokens(p), name) for p in NOT_SECRET)


def main(options: dict[str, object]) -> int:
    """Print matches as ripgrep would. Exit 0: some, 1: none, 2: the pattern is wrong."""
    flags = re.MULTILINE | (re.IGNORECASE if options["ignore_case"] else 0)
    flags |= re.DOTALL if options["multiline"] else 0
    try:
        pattern = re.compile(str(options["pattern"]), flags)
    except re.error as error:
        _say(f"the pattern is wrong: {error}")
        return 2
    top, prefix = str(options["path"]), str(options["prefix"])
    glob = str(options["glob"])
    wanted = [Glob(f if "/" in f else f"**/{f}") for f in [glob] if f]
    found = False
    if os.path.isfile(top):
        folder = os.open(os.path.dirname(top) or ".", os.O_RDONLY | os.O_DIRECTORY)
        name = os.path.basename(top)
        return 0 if _search(pattern, options, prefix, folder, name) else 1
    walk = Walk(os.open(top, os.O_RDONLY | os.O_DIRECTORY), most=500_000, seconds=3600.0)
    for parts, folder, name in walk.files():
        if is_secret(name) or not all(g.matches(parts) for g in wanted):
            continue
        shown = "/".join([prefix, *parts] if prefix else parts)
        found = _search(pattern, options, shown, folder, name) or found
    return 0 if found else 1


def _search(
    pattern: "re.Pattern[str]", options: dict[str, object], shown: str, folder: int, name: str
) -> bool:
    try:
        file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    except OSError:
        return False
    with open(file, "rb") as opened:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            return False
        data = opened.read(16 << 20)
    if b"\0" in data[:8192]:
        return False
    text = data.decode("utf-8", "replace")
    lines = text.split("\n")
    hits = _hits(pattern, text, lines, bool(options["multiline"]))
    if hits and options["mode"] == "files_with_matches":
        _say(shown)
    elif hits and options["mode"] == "count":
        _say(f"{shown}:{len(hits)}")
    elif hits:
        _show(shown, lines, hits, int(str(options["before"])), int(str(options["after"])))
    return bool(hits)


def _hits(pattern: "re.Pattern[str]", text: str, lines: list[str], multiline: bool) -> list[int]:
    if not multiline:
        return [n for n, line in enumerate(lines) if pattern.search(line) and (line or n < len(lines) - 1)]
    hits: set[int] = set()
    for match in pattern.finditer(text):
        first = text.count("\n", 0, match.start())
        hits.update(range(first, first + match[0].rstrip("\n").count("\n") + 1))
    return sorted(hits)


def _show(shown: str, lines: list[str], hits: list[int], before: int, after: int) -> None:
    last, matched = -1, set(hits)
    for hit in hits:
        begin, end = max(hit - before, last + 1, 0), min(hit + after + 1, len(lines))
        if last >= 0 and begin > last + 1 and (before or after):
            _say("--")
        for n in range(begin, end):
            mark = ":" if n in matched else "-"
            _say(f"{shown}{mark}{n + 1}{mark}{lines[n].rstrip(chr(13))[:500]}")
        last = max(last, end - 1)


if __name__ == "__main__":
    sys.stdout.reconfigure(errors="backslashreplace")  # pyright: ignore[reportAttributeAccessIssue]
    sys.exit(main(json.loads(sys.argv[1])))
