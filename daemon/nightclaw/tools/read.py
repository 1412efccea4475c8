"""Read: a text file with line numbers, in the form of `cat -n`."""

import difflib
import os
import time
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from nightclaw.core.errors import Invalid, NotFound
from nightclaw.core.tools import Redo, ToolContext, ToolResult, ToolSpec
from nightclaw.core.types import JSON, JSONObject
from nightclaw.tools.calls import Arguments, in_thread, label_of, schema
from nightclaw.tools.opening import Roots, Spot
from nightclaw.tools.textfile import SNIFFED, binary_kind, decoded, lines

LINES = 2000
LINE_CHARACTERS = 2000
ALL_CHARACTERS = 60_000
_WHOLE = 16 << 20  # larger files are scanned line by line
_SCAN_S = 10.0

SPEC = ToolSpec(
    "Read",
    "Read a text file, lines numbered like cat -n. 2000 lines from offset (first line: 1) unless limit is given.",
    schema(
        ("file_path",),
        file_path={"type": "string"},
        offset={"type": "integer"},
        limit={"type": "integer"},
    ),
    Redo.PURE,
    deadline_s=30.0,
)


def build(config: Mapping[str, JSON], deps: Mapping[str, object]) -> "Read":
    """deps: "home" (Path of NIGHTCLAW_HOME)."""
    home = deps["home"]
    assert isinstance(home, Path)
    return Read(home)


class Read:
    """core.tools.Tool."""

    spec = SPEC

    def __init__(self, home: Path) -> None:
        self._home = home

    async def run(self, args: JSONObject, ctx: ToolContext) -> ToolResult:
        return await in_thread(lambda: self._read(args, ctx))

    async def probe(self, args: JSONObject, ctx: ToolContext) -> ToolResult | None:
        return None

    def _read(self, args: JSONObject, ctx: ToolContext) -> ToolResult:
        given = Arguments(args, SPEC.input_schema)
        offset, limit = given.whole("offset", 1), given.whole("limit", LINES, least=1)
        roots = Roots(ctx.workspace, self._home)
        spot = roots.locate(given.text("file_path"))
        try:
            with roots.opened(spot) as descriptor, open(descriptor, "rb", closefd=False) as file:
                text = _numbered(file, os.fstat(descriptor).st_size, spot, max(offset, 1), limit)
        except NotFound as error:
            raise NotFound(error.message, _suggestion(roots, spot)) from error
        return ToolResult(text, label=label_of(ctx))


def _suggestion(roots: Roots, spot: Spot) -> str:
    close = difflib.get_close_matches(os.path.basename(spot.shown), roots.siblings(spot), n=3)
    return f"in its directory there is {', '.join(close)}" if close else "find it with Glob"


def _numbered(file: BinaryIO, size: int, spot: Spot, offset: int, limit: int) -> str:
    start = file.read(SNIFFED)
    kind = binary_kind(start)
    if kind:
        raise Invalid(
            f"{spot.shown} is {kind} of {size:,} bytes, not text", "look at it with a program in Bash"
        )
    file.seek(0)
    if size <= _WHOLE:
        # by line feeds alone: other separators are part of a line, as they are for every tool that counts lines
        text = decoded(file.read(_WHOLE + 1)).text
        if not text:
            return "(the file is empty)"
        file = BytesIO(text.encode("utf-8", "surrogatepass"))
    return _picked(file, offset, limit)


def _picked(file: BinaryIO, offset: int, limit: int) -> str:
    out: list[str] = []
    number = characters = 0
    rest = ""
    give_up = time.monotonic() + _SCAN_S
    for number, (raw, length) in enumerate(lines(file, 4 * LINE_CHARACTERS), 1):
        if number < offset:
            if number % 10_000 == 0 and time.monotonic() > give_up:
                raise Invalid(
                    f"line {offset:,} was not reached in {_SCAN_S:g} s", "use Grep or Bash on this file"
                )
            continue
        line = raw.decode("utf-8", "replace")
        cut = len(line) > LINE_CHARACTERS or length > len(raw) + 2
        shown = f"{number:>6}\t{line[:LINE_CHARACTERS]}{' [line cut]' if cut else ''}"
        if len(out) >= limit or characters + len(shown) > ALL_CHARACTERS:
            rest = f"\n[more lines follow; go on with offset {number}]"
            break
        out.append(shown)
        characters += len(shown) + 1
    if not out:
        raise Invalid(f"the file has {number} lines", f"give an offset up to {number}")
    return "\n".join(out) + rest
