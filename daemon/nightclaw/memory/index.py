"""The index of memory: what exists and when to look, in at most 200 lines and 25 KB; the only layer in every prompt.

Its lines are made of rows, in an order that changes only when rows do, so the prompt's bytes stay the same between
changes. Words of strangers, doubted rows and private repositories are not in it; the latter by their name only. What
the owner writes beside the list in MEMORY.md is theirs: it stays there, and goes into the prompt as it is.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass

from nightclaw.core.plain import one_line
from nightclaw.core.secrets import without_secrets
from nightclaw.memory import kinds
from nightclaw.memory.markdown import ID, LONGEST_SHOWN
from nightclaw.store import topics
from nightclaw.store.db import Connection
from nightclaw.store.topics import Page, Topic

LINES, BYTES = 200, 25_000
_LIST_LINES, _LIST_BYTES = 150, 15_000
_ABOUT, _ABOUT_BYTES = 30, 4_000
_OWN_LINES, _OWN_BYTES = 120, 8_000
BEGIN = "<!-- nightclaw: this list is kept up to date; its titles and hints are yours to change -->"
END = "<!-- nightclaw: end of the list -->"
HEADING = "# Memory"
ABOUT = "About the owner, and how they like to work:"
_LINK = re.compile(r"- \[(?P<title>.*)\]\(topics/(?P<name>[^\s()\[\]/]+)\.md\)(?P<rest>.*)")
_REST = re.compile(r" \((?:\d+|private)\)(?:: (?P<hook>.*))?")
_ABOUT_LINE = re.compile(rf"- (?P<words>.*) \^(?P<id>{ID})")
_HINT = 140


@dataclass(frozen=True, slots=True)
class Named:
    """A topic the owner called otherwise in the index. hook None: as it was."""

    name: str
    title: str
    hook: str | None


def index_text(conn: Connection, repo: str | None = None) -> str:
    """The index as it stands in the prompt of work on this repository; empty while nothing is remembered."""
    listed = entries(conn, None, repo)
    held = topics.get(conn, topics.INDEX)
    own = own_words(held.text) if held is not None else ""
    if not listed and not own:
        return ""
    return clipped("\n".join([*listed, *(["", without_secrets(own)] if own else [])]), LINES, BYTES)


def entries(conn: Connection, with_file: Collection[str] | None, repo: str | None = None) -> list[str]:
    """A line a topic, then what the owner said about themselves. with_file: only these pages are named."""
    about = topics.about_owner(conn, _ABOUT)
    told, named = {m.id for m in about}, topics.heads(conn)
    lines: list[str] = []
    found = sorted(topics.pages(conn).values(), key=lambda p: p.name)
    for page in found:
        if with_file is not None and page.name not in with_file:
            continue
        is_here = page.repo is not None and repo is not None and page.repo.lower() == repo.lower()
        lines += _page_lines(conn, page, named.get(page.name), told, is_here=is_here)
    lines = _capped(lines, _LIST_LINES, _LIST_BYTES, "- … and {} more topics: search for them")
    if about:
        shown = [f"- {one_line(m.text, LONGEST_SHOWN)} ^{m.id}" for m in reversed(about)]
        kept = _capped(shown, _ABOUT, _ABOUT_BYTES, "")
        lines += ["", ABOUT, *reversed([line for line in kept if line])]
    return lines


def _page_lines(
    conn: Connection, page: Page, topic: Topic | None, told: set[str], *, is_here: bool
) -> list[str]:
    if page.private:
        name = one_line(page.repo or "private", 140)
        lines = [f"- [{name}](topics/{page.name}.md) (private)"]
        if is_here:
            rows = [m for m in topics.rows_of(conn, page.name) if m.doubted_at is None and m.trust != "WORLD"]
            lines += [f"  - {one_line(m.text, 300)} ^{m.id}" for m in rows[-20:]]
        return lines
    own_title = topic.title if topic is not None and topic.title else kinds.title(page.name)
    hook = topic.hook if topic is not None and topic.hook else _hint(conn, page.name, told)
    link = f"- [{_bracketed(own_title)}](topics/{page.name}.md) ({page.count})"
    return [f"{link}: {one_line(hook, 300)}" if hook else link]


def _bracketed(words: str) -> str:
    return one_line(words, 80).replace("[", "(").replace("]", ")")


def _hint(conn: Connection, page: str, told: set[str]) -> str:
    """When to look, where the owner said nothing: what the first rows begin with."""
    rows = [m for m in topics.told(conn, page, 6) if m.id not in told][:3]
    share = _HINT // len(rows) if rows else 0
    return "; ".join(one_line(m.text, share) for m in rows)


def _capped(lines: list[str], most: int, size: int, rest: str) -> list[str]:
    kept: list[str] = []
    room = size
    for n, line in enumerate(lines):
        room -= len(line.encode()) + 1
        if room < 0 or len(kept) >= most:
            return [*kept, rest.format(sum(not x.startswith(" ") for x in lines[n:]))]
        kept.append(line)
    return kept


def clipped(text: str, lines: int, size: int) -> str:
    """At most so many lines and bytes of it, whole lines."""
    kept: list[str] = []
    for line in text.split("\n")[:lines]:
        size -= len(line.encode()) + 1
        if size < 0:
            break
        kept.append(line)
    return "\n".join(kept)


# The file


def page(held: str | None, listed: list[str]) -> str | None:
    """MEMORY.md with this list in it; None when there is nothing to write and no file."""
    block = [BEGIN, "", *listed, END] if listed else []
    if held is None:
        return "\n".join([HEADING, "", *block, ""]) if block else None
    before, inside, after = _parts(held)
    if not inside and not block:
        return held
    foreign = [line for line in inside if line.strip() and not is_ours(line)]
    newline = "\r\n" if "\r\n" in held else "\n"
    head = before if before or inside else f"{HEADING}{newline}{newline}"
    if head and not head.endswith("\n"):
        head += newline
    if not inside and before.strip():
        head += newline
    return head + "".join(f"{line}{newline}" for line in [*block, *foreign]) + after


def own_words(held: str) -> str:
    """What the owner wrote beside the list."""
    before, inside, after = _parts(held)
    lines = [line for line in inside if line.strip() and not is_ours(line)]
    lines = [line for line in (before + after).splitlines() if line.strip() != HEADING] + lines
    return clipped("\n".join(line.rstrip() for line in lines).strip(), _OWN_LINES, _OWN_BYTES)


def is_too_long(held: str) -> bool:
    """The owner's own words do not all fit into a prompt, or the file is over its cap."""
    return held.count("\n") > LINES or len(held.encode()) > BYTES


def is_ours(line: str) -> bool:
    bare = line.strip()
    return bool(
        bare in (BEGIN, END, ABOUT) or _LINK.fullmatch(bare) or bare.startswith("- … and ")
        or _ABOUT_LINE.fullmatch(bare)
    )  # fmt: skip


def _parts(held: str) -> tuple[str, list[str], str]:
    """(before the list, its lines, after it); a list whose end is gone reaches to its last line of ours."""
    lines = held.splitlines(keepends=True)
    bare = [line.strip() for line in lines]
    if BEGIN not in bare:
        return held, [], ""
    first = bare.index(BEGIN)
    if END in bare[first:]:
        last = bare.index(END, first)
    else:
        last = max(n for n in range(first, len(lines)) if is_ours(bare[n]))
    inside = [line.rstrip("\r\n") for line in lines[first : last + 1]]
    return "".join(lines[:first]), inside, "".join(lines[last + 1 :])


def renamed(held: str, listed: list[str]) -> list[Named]:
    """Titles and hints the owner changed in the list, as it was written last."""
    ours = {m["name"]: m.group(0) for line in listed if (m := _LINK.fullmatch(line.strip()))}
    found: list[Named] = []
    for line in _parts(held)[1]:
        m = _LINK.fullmatch(line.strip())
        if m is None or m["name"] not in ours or ours[m["name"]] == line.strip():
            continue
        rest, was = _REST.fullmatch(m["rest"]), _LINK.fullmatch(ours[m["name"]])
        assert was is not None
        old = _REST.fullmatch(was["rest"])
        hook = rest["hook"] or "" if rest else m["rest"].strip(" :-–—")
        is_hook_same = old is not None and (old["hook"] or "") == hook
        found.append(Named(m["name"], m["title"].strip(), None if is_hook_same else hook))
    return found


def reworded(held: str, listed: list[str]) -> list[tuple[str, str]]:
    """(block id, words) of lines about the owner that were changed in the list."""
    ours = {m["id"]: m["words"] for line in listed if (m := _ABOUT_LINE.fullmatch(line.strip()))}
    found = [m for line in _parts(held)[1] if (m := _ABOUT_LINE.fullmatch(line.strip())) is not None]
    return [(m["id"], m["words"]) for m in found if m["id"] in ours and ours[m["id"]] != m["words"]]
