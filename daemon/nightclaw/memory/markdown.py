"""The files of memory as text, pure: bullets that end in a block id, and everything else, which is the owner's.

`parse` takes a page apart without changing a byte; `weave` puts rows into the owner's own text: it adds, replaces and
removes whole bullets of ours and leaves every other line as it is. What is woven parses back to the same rows.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nightclaw.core.plain import one_line

ID = r"mem_[0-9A-HJKMNP-TV-Z]{26}"
LONGEST_SHOWN = 4_000
NOTE = "one bullet a memory: change, add or remove bullets as you like"
_BLOCK_ID = re.compile(rf"(?:^|[ \t])\^({ID})[ \t]*$")
_ITEM = re.compile(r"([ \t]*)(?:[-*+](?:[ \t]+(?=\S)|$)|\d{1,3}[.)][ \t]+(?=\S))")
_INNER = re.compile(r"[ \t]+(?:[-*+]|\d{1,3}[.)])[ \t]+(?=\S)")
_TITLE = re.compile(r"#[ \t]+(.+?)[ \t]*#*[ \t]*$")
_HOOK = re.compile(r"When to look:[ \t]*(.*)$", re.IGNORECASE)
_MARK = re.compile(r"<!-- nightclaw ([0-9a-f]{12})\b.*-->[ \t]*$")
_WHEN = re.compile(r"^(.*\S)[ \t]+\(when: ([^()]{1,200})\)$")
_FENCE = re.compile(r"[ \t]{0,3}(`{3,}|~{3,})")
OUTSIDE = " (from outside)"


@dataclass(frozen=True, slots=True)
class Bullet:
    """One memory as it stands in a file. first, last: its lines, last not included. body: its words in one line."""

    id: str | None
    body: str
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Fault:
    """What keeps a file, or a line of it, from being taken over. line: from 1; 0 for the whole file."""

    line: int
    said: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Parsed:
    """lines keep their ends. mark: of the rendering it was edited from. fault: why nothing of it can be trusted."""

    lines: tuple[str, ...]
    bullets: tuple[Bullet, ...]
    title: str | None = None
    hook: str | None = None
    mark: str | None = None
    fault: Fault | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """A memory to be shown: its block id and its line without it."""

    id: str
    body: str


@dataclass(frozen=True, slots=True)
class Frame:
    """What a page of ours begins with."""

    title: str
    hook: str
    mark: str


def body(text: str, applies: str | None, *, is_foreign: bool) -> str:
    """A memory's words as its bullet shows them."""
    when = f" (when: {_words(applies)})" if applies and not set("()") & set(applies) else ""
    return f"{one_line(text, LONGEST_SHOWN)}{when}{OUTSIDE if is_foreign else ''}"


def taken_apart(shown: str) -> tuple[str, str | None]:
    """(text, when it applies) of a bullet's words."""
    found = _WHEN.match(shown.removesuffix(OUTSIDE))
    return (found[1], found[2].strip()) if found else (shown.removesuffix(OUTSIDE), None)


def parse(text: str) -> Parsed:
    """A page taken apart. An open code fence or comment would hide bullets: then `fault` says so."""
    lines = tuple(_split(text))
    state = _Reader()
    for n, line in enumerate(lines):
        state.take(n, line.rstrip("\r\n").removeprefix("\ufeff" if n == 0 else ""))
    state.close(len(lines))
    return Parsed(lines, tuple(state.bullets), state.title, state.hook, state.mark, state.fault())


def _split(text: str) -> list[str]:
    """Lines by line feeds alone; other separators are part of a line."""
    found = text.split("\n")
    return [f"{line}\n" for line in found[:-1]] + ([found[-1]] if found[-1] else [])


class _Reader:
    def __init__(self) -> None:
        self.bullets: list[Bullet] = []
        self.title: str | None = None
        self.hook: str | None = None
        self.mark: str | None = None
        self._fence: tuple[str, int] | None = None
        self._comment: int | None = None
        self._open: tuple[int, list[str]] | None = None
        self._indent = 0
        self._blank: int | None = None  # where the blank lines after the open bullet begin

    def take(self, n: int, line: str) -> None:
        if self._hidden(n, line):
            return
        if not line.strip():
            self._blank = n if self._blank is None and self._open is not None else self._blank
            return
        item = _ITEM.match(line)
        if item is not None:
            self._item(n, line, item)
        elif (
            self._open is not None
            and (self._blank is None or line[:2] in ("  ", "\t"))
            and not _is_block(line)
        ):
            self._blank = None
            self._open[1].append(line.strip())
        else:
            self.close(n)
            self._head(line)

    def _item(self, n: int, line: str, item: re.Match[str]) -> None:
        """A list item: a memory of its own, or a part of the one it stands below."""
        indent, has_id = len(item[1].expandtabs(4)), _BLOCK_ID.search(line) is not None
        is_inner = self._open is not None and self._blank is None and indent >= self._indent + 2
        if is_inner and self._open is not None and not has_id:
            self._open[1].append(line.strip())
            return
        self.close(n)
        if is_inner or has_id or indent <= 3:
            self._open = (n, [line[item.end() :]])
            self._indent = self._indent if is_inner else indent

    def _hidden(self, n: int, line: str) -> bool:
        """The line belongs to a code block or a comment."""
        if self._fence is not None:
            closing = _FENCE.match(line)
            if closing and closing[1].startswith(self._fence[0]) and not line.strip(" \t`~"):
                self._fence = None
            return True
        if self._comment is not None:
            self._comment = None if "-->" in line else self._comment
            return True
        opening = _FENCE.match(line)
        if opening is not None:
            self.close(n)
            self._fence = (opening[1], n)
            return True
        if line.lstrip().startswith("<!--"):
            self.close(n)
            found = _MARK.match(line)
            if found is not None:
                self.mark = self.mark or found[1]
            elif "-->" not in line:
                self._comment = n
            return True
        return False

    def _head(self, line: str) -> None:
        title, hook = _TITLE.match(line), _HOOK.match(line)
        if title is not None and self.title is None:
            self.title = title[1]
        elif hook is not None and self.hook is None and not self.bullets:
            self.hook = hook[1].strip()

    def close(self, n: int) -> None:
        """The open bullet ends before line n, or before the blank lines above it."""
        if self._open is not None:
            first, parts = self._open
            last = n if self._blank is None else self._blank
            found = [m for p in parts if (m := _BLOCK_ID.search(p)) is not None]
            words = _words(" ".join(_BLOCK_ID.sub("", p) for p in parts))
            self.bullets.append(Bullet(found[-1][1] if found else None, words, first, last))
        self._open = self._blank = None

    def fault(self) -> Fault | None:
        if self._fence is not None:
            return Fault(
                self._fence[1] + 1, "the code block that begins here does not end", "close it with ```"
            )
        if self._comment is not None:
            return Fault(self._comment + 1, "the comment that begins here does not end", "close it with -->")
        return None


def _is_block(line: str) -> bool:
    """A line that ends a bullet without a blank line: a heading, a rule, a quote, a table."""
    return line.startswith(("#", ">", "|", "---", "***", "___"))


def _words(text: str | None) -> str:
    return " ".join((text or "").split())


KEEP = ""
"""A fate: the bullet stays exactly as it stands."""


def weave(
    held: Parsed | None, fates: Mapping[int, str | None], rows: Sequence[Row], frame: Frame
) -> str | None:
    """The page with these rows on it; None when nothing is left that would need a file.

    fates, by a bullet's place in the file: the id its line shall carry, KEEP, or None to drop it. rows: in order.
    """
    if held is None:
        return _fresh(rows, frame) if rows else None
    newline = "\r\n" if any(line.endswith("\r\n") for line in held.lines) else "\n"
    blocks: dict[int, tuple[str | None, list[str]]] = {}
    for n, bullet in enumerate(held.bullets):
        lines, fate = list(held.lines[bullet.first : bullet.last]), fates.get(n, KEEP)
        if fate is None:
            blocks[bullet.first] = (None, [])
        elif fate in (KEEP, bullet.id):
            blocks[bullet.first] = (bullet.id, lines)
        else:
            blocks[bullet.first] = (fate, _with_id(lines, fate, newline))
    standing = [b for at in sorted(blocks) if (b := blocks[at][0]) is not None]
    before, after = _places(rows, standing)
    out: list[str] = []
    at, end = 0, _end_of_bullets(held)
    ends = {b.first: b.last for b in held.bullets}
    while at < len(held.lines):
        if at in blocks:
            mine, lines = blocks[at]
            out += [_line(r, newline) for r in before.get(mine or "", [])] + lines
            at = ends[at]
        else:
            out.append(_marked(held.lines[at], frame.mark))
            at += 1
        if at == end:
            _add(out, [_line(r, newline) for r in after], newline, has_bullets=bool(held.bullets))
            end = -1
    if end >= 0:
        _add(out, [_line(r, newline) for r in after], newline, has_bullets=bool(held.bullets))
    text = "".join(out)
    return None if not rows and not standing and _is_only_ours(text, frame) else text


def headed(held: Parsed, frame: Frame) -> str:
    """The page with the frame's title and hook in the place of its own."""
    out: list[str] = []
    is_titled, is_hooked, wanted = held.title is None, held.hook is None, f"When to look: {frame.hook}"
    for line in held.lines:
        bare = line.rstrip("\r\n").removeprefix("\ufeff")
        newline = "\r\n" if line.endswith("\r\n") else "\n"
        title, hook = _TITLE.match(bare), _HOOK.match(bare)
        if not is_titled and title is not None:
            is_titled = True
            out.append(f"# {frame.title}{newline}")
            if held.hook is None and frame.hook:
                out += [newline, f"{wanted}{newline}"]
        elif not is_hooked and hook is not None:
            is_hooked = True
            out += [f"{wanted}{newline}"] if frame.hook else []
        else:
            out.append(line)
    return "".join(out)


def _fresh(rows: Sequence[Row], frame: Frame) -> str:
    hook = f"When to look: {frame.hook}\n\n" if frame.hook else ""
    head = f"# {frame.title}\n<!-- nightclaw {frame.mark} {NOTE} -->\n\n{hook}"
    return head + "".join(_line(r, "\n") for r in rows)


def _line(row: Row, newline: str) -> str:
    return f"- {row.body} ^{row.id}{newline}"


def _with_id(lines: list[str], wanted: str, newline: str) -> list[str]:
    """The lines of a bullet, its words as they are, ending in the wanted id."""
    plain = [line.rstrip("\r\n") for line in lines]
    bare = [_BLOCK_ID.sub("", line) for line in plain]
    last = max((i for i, line in enumerate(bare) if line.strip()), default=0)
    if any(_INNER.match(line) for line in bare[1:]):
        last = 0  # behind an inner item it would be that item's
    bare[last] = f"{bare[last].rstrip()} ^{wanted}"
    return [f"{line}{newline}" for line in bare]


def _places(rows: Sequence[Row], standing: list[str]) -> tuple[dict[str, list[Row]], list[Row]]:
    """Where rows without a bullet go: before the first bullet that follows them in order, or at the end."""
    order = {r.id: i for i, r in enumerate(rows)}
    before: dict[str, list[Row]] = {}
    after: list[Row] = []
    for row in rows:
        if row.id in standing:
            continue
        follower = next((s for s in standing if s in order and order[s] > order[row.id]), None)
        if follower is None:
            after.append(row)
        else:
            before.setdefault(follower, []).append(row)
    return before, after


def _end_of_bullets(held: Parsed) -> int:
    return held.bullets[-1].last if held.bullets else len(held.lines)


def _add(out: list[str], lines: list[str], newline: str, *, has_bullets: bool) -> None:
    if not lines:
        return
    if out and not out[-1].endswith("\n"):
        out[-1] += newline
    if out and not has_bullets and out[-1].strip():
        out.append(newline)
    out += lines


def _marked(line: str, mark: str) -> str:
    """Our own comment names the newest rendering."""
    found = _MARK.match(line.rstrip("\r\n"))
    return line[: found.start(1)] + mark + line[found.end(1) :] if found else line


def _is_only_ours(text: str, frame: Frame) -> bool:
    """Nothing stands there but what we put there ourselves."""
    rest = [line.strip() for line in text.replace("\ufeff", "").split("\n") if line.strip()]
    ours = {f"# {frame.title}", f"When to look: {frame.hook}"}
    return all(line in ours or _MARK.match(line) for line in rest)
