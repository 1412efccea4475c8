"""Grep: lines by regular expression, through ripgrep where there is one, else through our own search program.

Either runs behind the sandbox's wall; where no wall stands no command of the model's runs either, and the search is a
plain child with an end to its time. Files that hold keys are passed over unless they are named.
"""

import asyncio
import json
import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from nightclaw.core.errors import Invalid, Refused
from nightclaw.core.tools import Command, Ran, Redo, ToolContext, ToolResult, ToolSpec
from nightclaw.core.types import JSON, JSONObject
from nightclaw.tools.calls import Arguments, answered, label_of, schema
from nightclaw.tools.opening import Roots, Spot
from nightclaw.tools.searching import SECRET

MODES = ("files_with_matches", "content", "count")
_SECONDS = 30.0
_OUTPUT = 2_000_000
_LINES = 250
_LINE_CHARACTERS = 500

SPEC = ToolSpec(
    "Grep",
    "Search file contents by regular expression. glob: only such files. output_mode: files_with_matches (default, "
    "newest first), content (lines, with -A -B -C around), count.",
    schema(
        ("pattern",),
        pattern={"type": "string"},
        path={"type": "string"},
        glob={"type": "string"},
        output_mode={"enum": list(MODES)},
        _i={"type": "boolean"},
        _A={"type": "integer"},
        _B={"type": "integer"},
        _C={"type": "integer"},
        head_limit={"type": "integer"},
        multiline={"type": "boolean"},
    ),
    Redo.PURE,
    deadline_s=45.0,
)


def build(config: Mapping[str, JSON], deps: Mapping[str, object]) -> "Grep":
    """deps: "home" (Path of NIGHTCLAW_HOME); may hold "rg" (path of ripgrep, "" for none; default: from PATH)."""
    home, program = deps["home"], deps.get("rg", shutil.which("rg") or "")
    assert isinstance(home, Path) and isinstance(program, str)
    return Grep(home, program)


@dataclass(frozen=True, slots=True)
class _Search:
    pattern: str
    mode: str
    glob: str
    ignore_case: bool
    multiline: bool
    before: int
    after: int

    def ripgrep(self, program: str, path: str) -> tuple[str, ...]:
        argv = [program, "--no-config", "--no-messages", "--color=never", "--hidden", "--no-require-git"]
        argv += ["--ignore-case"] if self.ignore_case else []
        argv += ["--multiline", "--multiline-dotall"] if self.multiline else []
        if "/" in self.glob:
            argv.append(f"--glob={self.glob}")
        elif self.glob:  # as a type, for a glob would bring back what git ignores
            argv += [f"--type-add=wanted:{self.glob}", "--type=wanted"]
        argv += [f"--glob=!{name}" for name in (".git", *SECRET)]
        if self.mode == "files_with_matches":
            argv += ["--files-with-matches", "--sortr=modified"]
        elif self.mode == "count":
            argv += ["--count", "--with-filename", "--sort=path"]
        else:
            argv += ["--line-number", "--no-heading", "--with-filename", "--sort=path"]
            argv += [f"--max-columns={_LINE_CHARACTERS}", "--max-columns-preview"]
            argv += [f"--before-context={self.before}", f"--after-context={self.after}"]
        return (*argv, f"--regexp={self.pattern}", "--", path)

    def python(self, path: str, prefix: str) -> tuple[str, ...]:
        options = {
            "pattern": self.pattern,
            "mode": self.mode,
            "glob": self.glob,
            "ignore_case": self.ignore_case,
            "multiline": self.multiline,
            "before": self.before,
            "after": self.after,
            "path": path,
            "prefix": prefix,
        }
        base = os.path.realpath(getattr(sys, "_base_executable", sys.executable))
        return (base, "-I", "-S", "-c", _program(), json.dumps(options))


class Grep:
    """core.tools.Tool."""

    spec = SPEC

    def __init__(self, home: Path, program: str) -> None:
        self._home = home
        self._program = program

    async def run(self, args: JSONObject, ctx: ToolContext) -> ToolResult:
        return await answered(self._grep(args, ctx))

    async def probe(self, args: JSONObject, ctx: ToolContext) -> ToolResult | None:
        return None

    async def _grep(self, args: JSONObject, ctx: ToolContext) -> ToolResult:
        given = Arguments(args, SPEC.input_schema)
        around = given.whole("-C", 0, most=50)
        search = _Search(
            given.text("pattern"),
            given.choice("output_mode", MODES),
            given.text("glob", ""),
            given.flag("-i"),
            given.flag("multiline"),
            given.whole("-B", around, most=50),
            given.whole("-A", around, most=50),
        )
        if not search.pattern or len(search.pattern) > 10_000:
            raise Invalid("the pattern is empty" if not search.pattern else "the pattern is too long")
        roots = Roots(ctx.workspace, self._home)
        spot = roots.locate(given.text("path", ".") or ".")
        ran = await self._searched(search, spot, await asyncio.to_thread(roots.real, spot), ctx)
        limit = given.whole("head_limit", 0) or (100 if search.mode == "files_with_matches" else _LINES)
        return ToolResult(_text(ran, search, limit), label=label_of(ctx))

    async def _searched(self, search: _Search, spot: Spot, real: Path, ctx: ToolContext) -> Ran:
        """By ripgrep if it starts, else by our own program. Raises Refused, Invalid."""
        is_walled = ctx.sandbox.why_not is None
        # behind the wall a name can only lead to what is there; without one the true place is searched
        path = f"./{spot.shown}" if is_walled and not spot.shown.startswith("/") else str(real)
        path = "." if path == "./." else path
        if not is_walled and real in self._home.resolve().parents:
            raise Refused(f"{spot.shown} holds the daemon's own home", "give a narrower path")
        if self._program:
            ran = await _ran(search.ripgrep(self._program, path), ctx)
            if ran.exit_code not in (126, 127):
                return _renamed(ran, path, spot)
        return await _ran(search.python(path, "" if spot.shown == "." else spot.shown), ctx)


def _renamed(ran: Ran, path: str, spot: Spot) -> Ran:
    """Paths as the model knows them, in place of what was searched."""
    plain = path.rstrip("/")
    shown = "" if spot.shown == "." else spot.shown
    lines = ran.output.split("\n")
    for n, line in enumerate(lines):
        if line.startswith(plain):
            lines[n] = shown + line[len(plain) :] if shown else line[len(plain) :].lstrip("/")
        else:
            lines[n] = line.removeprefix("./")
    return Ran(ran.exit_code, "\n".join(lines), ran.is_cut, ran.timed_out)


def _text(ran: Ran, search: _Search, limit: int) -> str:
    if ran.timed_out:
        raise Invalid(
            f"the search took over {_SECONDS:g} s", "give a narrower path or glob, or a simpler pattern"
        )
    if ran.exit_code not in (0, 1) and ran.exit_code is not None:
        said = [line for line in ran.output.strip().splitlines() if line.strip()]
        raise Invalid(f"the search failed: {'; '.join(said)[:300] or 'no reason given'}", "check the pattern")
    lines = ran.output.rstrip("\n").split("\n") if ran.output.strip() else []
    if not lines:
        return "No match." if search.mode == "content" else "No file matches."
    kept = [_short(line) for line in lines[:limit]]
    if len(lines) > limit or ran.is_cut:
        left = f"{len(lines) - limit} more lines" if not ran.is_cut else "more"
        kept.append(f"[{left}; make the search narrower or set head_limit]")
    return "\n".join(kept)


def _short(line: str) -> str:
    longest = _LINE_CHARACTERS + 200
    return line if len(line) <= longest else line[:longest] + " [line cut]"


async def _ran(argv: tuple[str, ...], ctx: ToolContext) -> Ran:
    root = ctx.workspace.root
    if ctx.sandbox.why_not is None:
        return await ctx.sandbox.run(Command(argv, root, _SECONDS, _OUTPUT), ctx.workspace)
    return await _unwalled(argv, root)


async def _unwalled(argv: tuple[str, ...], root: Path) -> Ran:
    """A child of ours without a wall: ends with its time, and only so much is read."""
    try:
        process = await asyncio.create_subprocess_exec(
            *argv,
            cwd=root,
            env={"PATH": os.defpath, "LANG": "C.UTF-8"},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError:
        return Ran(127, "")
    assert process.stdout is not None
    data = bytearray()
    timed_out = False
    try:
        async with asyncio.timeout(_SECONDS):
            while len(data) <= _OUTPUT and (part := await process.stdout.read(1 << 16)):
                data += part
            if len(data) <= _OUTPUT:
                await process.wait()
    except TimeoutError:
        timed_out = True
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
    is_cut = len(data) > _OUTPUT
    code = None if timed_out or is_cut else process.returncode
    return Ran(code, data[:_OUTPUT].decode("utf-8", "replace"), is_cut, timed_out)


@cache
def _program() -> str:
    return Path(__file__).with_name("searching.py").read_text(encoding="utf-8")
