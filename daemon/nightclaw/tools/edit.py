"""Edit: replace an exact text in a file. What is not found exactly is not guessed; the model is told how near it was.

The file keeps its encoding, byte order mark, line ends and mode; a file that changed between reading and writing is
left alone.
"""

import difflib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from nightclaw.core.errors import Invalid, NotFound
from nightclaw.core.tools import Redo, ToolContext, ToolResult, ToolSpec
from nightclaw.core.types import JSON, JSONObject
from nightclaw.tools.calls import Arguments, answered, in_thread, label_of, schema
from nightclaw.tools.opening import LARGEST, Roots
from nightclaw.tools.textfile import SNIFFED, Text, binary_kind, decoded

_NUMBERED = re.compile(r"^ *\d+\t", re.MULTILINE)
_SHOWN_AROUND = 3

SPEC = ToolSpec(
    "Edit",
    "Replace old_string, exactly as in the file (no line numbers) and found once, by new_string; "
    "replace_all for every place.",
    schema(
        ("file_path", "old_string", "new_string"),
        file_path={"type": "string"},
        old_string={"type": "string"},
        new_string={"type": "string"},
        replace_all={"type": "boolean"},
    ),
    Redo.PROBE,
    deadline_s=30.0,
)


def build(config: Mapping[str, JSON], deps: Mapping[str, object]) -> "Edit":
    """deps: "home" (Path of NIGHTCLAW_HOME)."""
    home = deps["home"]
    assert isinstance(home, Path)
    return Edit(home)


@dataclass(frozen=True, slots=True)
class _File:
    text: Text
    stat: os.stat_result


class Edit:
    """core.tools.Tool."""

    spec = SPEC

    def __init__(self, home: Path) -> None:
        self._home = home

    async def run(self, args: JSONObject, ctx: ToolContext) -> ToolResult:
        return await in_thread(lambda: self._edit(args, ctx))

    async def probe(self, args: JSONObject, ctx: ToolContext) -> ToolResult | None:
        """Done, when the new text is there and the old one is not (beyond where the new one holds it)."""
        result = await answered(in_thread(lambda: self._probe(args, ctx)))
        return None if result.is_error else result

    def _probe(self, args: JSONObject, ctx: ToolContext) -> ToolResult:
        given = Arguments(args, SPEC.input_schema)
        roots = Roots(ctx.workspace, self._home)
        spot = roots.locate(given.text("file_path"))
        file = _load(roots, spot.shown)
        old, new = (_with_ends(given.text(name), file.text) for name in ("old_string", "new_string"))
        text = file.text.text
        if not (new in text and old not in (text.replace(new, "\0") if new else text)):
            raise Invalid("not done")
        return ToolResult(f"Edited {spot.shown}.")

    def _edit(self, args: JSONObject, ctx: ToolContext) -> ToolResult:
        given = Arguments(args, SPEC.input_schema)
        old, new = given.text("old_string"), given.text("new_string")
        if old == new:
            raise Invalid("old_string and new_string are the same", "give the text as it should become")
        roots = Roots(ctx.workspace, self._home)
        spot = roots.locate(given.text("file_path"))
        if not old:
            return self._create(roots, spot.shown, new)
        file = _load(roots, spot.shown)
        text = file.text.text
        old, new = _with_ends(old, file.text), _with_ends(new, file.text)
        places = text.count(old)
        if not places:
            raise Invalid(f"old_string is not in {spot.shown}", _near(old, text))
        if places > 1 and not given.flag("replace_all"):
            raise Invalid(
                f"old_string is in {spot.shown} {places} times (lines {_lines_of(old, text)})",
                "add lines around it until it is found once, or set replace_all",
            )
        first = text.index(old)
        changed = text.replace(old, new)
        roots.write(spot, file.text.encoded(changed), was=file.stat)
        count = f"{places} places" if places > 1 else "1 place"
        return ToolResult(
            f"Edited {spot.shown} in {count}:\n{_around(changed, first, len(new))}", label=label_of(ctx)
        )

    def _create(self, roots: Roots, path: str, content: str) -> ToolResult:
        spot = roots.locate(path)
        try:
            if _load(roots, path).text.text:
                raise Invalid(
                    f"old_string is empty but {path} is not", "give the text to replace, or use Write"
                )
        except NotFound:
            pass
        roots.write(spot, content.encode("utf-8", "replace"))
        return ToolResult(f"Created {spot.shown}.")


def _load(roots: Roots, path: str) -> _File:
    spot = roots.locate(path)
    with roots.opened(spot) as descriptor, open(descriptor, "rb", closefd=False) as file:
        found = os.fstat(descriptor)
        data = file.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise Invalid(f"{spot.shown} has more than {LARGEST >> 20} MB", "change it with a program in Bash")
    kind = binary_kind(data[:SNIFFED])
    if kind:
        raise Invalid(f"{spot.shown} is {kind}, not text", "change it with a program in Bash")
    return _File(decoded(data), found)


def _with_ends(text: str, file: Text) -> str:
    """`text` with the line ends of the file; a model writes plain line feeds."""
    return text if file.newline == "\n" else text.replace("\r\n", "\n").replace("\n", file.newline)


def _lines_of(old: str, text: str) -> str:
    found: list[str] = []
    at = text.find(old)
    while at >= 0 and len(found) < 8:
        found.append(str(text.count("\n", 0, at) + 1))
        at = text.find(old, at + len(old))
    return ", ".join(found) + (", …" if at >= 0 else "")


def _around(text: str, at: int, length: int) -> str:
    """The changed lines and a few about them, numbered, at most 30."""
    first = text.count("\n", 0, at)
    last = text.count("\n", 0, at + length)
    lines = text.split("\n")
    begin, end = max(first - _SHOWN_AROUND, 0), min(last + _SHOWN_AROUND + 1, len(lines), first + 27)
    return "\n".join(f"{n + 1:>6}\t{lines[n].rstrip(chr(13))[:200]}" for n in range(begin, end))


def _near(old: str, text: str) -> str:
    """What the model most likely got wrong."""
    if _NUMBERED.match(old) and _NUMBERED.sub("", old) in text:
        return "leave out the line numbers that Read shows"
    wanted = [line.strip() for line in old.strip("\n").splitlines()]
    lines = text.splitlines()[:50_000]
    bare = [line.strip() for line in lines]
    for n in range(len(bare) - len(wanted) + 1):
        if bare[n : n + len(wanted)] == wanted:
            there = "\n".join(lines[n : n + min(len(wanted), 20)])
            return f"only its white space differs; line {n + 1} has exactly\n{there}\n"
    longest = max(wanted, key=len, default="")[:300]
    words = set(longest.split())
    close = sorted(range(len(bare)), key=lambda n: -len(words & set(bare[n].split())))[:40]
    ratio, best = max(
        ((difflib.SequenceMatcher(None, longest, bare[n][:300]).ratio(), n) for n in close), default=(0.0, 0)
    )
    if ratio < 0.5:
        return "read the file again and copy the text from it"
    return f"the nearest line is {best + 1}: {lines[best].strip()[:200]}\nRead it again there"
