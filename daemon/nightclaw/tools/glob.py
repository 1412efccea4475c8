"""Glob: files by the pattern of their path, the last changed first, without what git ignores."""

import os
from collections.abc import Mapping
from pathlib import Path

from nightclaw.core.errors import Invalid
from nightclaw.core.tools import Redo, ToolContext, ToolResult, ToolSpec
from nightclaw.core.types import JSON, JSONObject
from nightclaw.tools.calls import Arguments, in_thread, label_of, schema
from nightclaw.tools.opening import Roots, Spot
from nightclaw.tools.searching import Glob as Pattern
from nightclaw.tools.searching import Walk

MOST = 100
_ENTRIES = 200_000
_SECONDS = 10.0
_MAGIC = frozenset("*?[{\\")

SPEC = ToolSpec(
    "Glob",
    "Find files by path pattern (src/**/*.py), newest first, at most 100.",
    schema(("pattern",), pattern={"type": "string"}, path={"type": "string"}),
    Redo.PURE,
    deadline_s=30.0,
)


def build(config: Mapping[str, JSON], deps: Mapping[str, object]) -> "Glob":
    """deps: "home" (Path of NIGHTCLAW_HOME)."""
    home = deps["home"]
    assert isinstance(home, Path)
    return Glob(home)


class Glob:
    """core.tools.Tool."""

    spec = SPEC

    def __init__(self, home: Path) -> None:
        self._home = home

    async def run(self, args: JSONObject, ctx: ToolContext) -> ToolResult:
        return await in_thread(lambda: self._glob(args, ctx))

    async def probe(self, args: JSONObject, ctx: ToolContext) -> ToolResult | None:
        return None

    def _glob(self, args: JSONObject, ctx: ToolContext) -> ToolResult:
        given = Arguments(args, SPEC.input_schema)
        pattern, path = given.text("pattern"), given.text("path", ".") or "."
        if pattern.startswith("/"):
            path, pattern = _split(pattern)
        if not pattern or ".." in pattern.split("/"):
            raise Invalid(
                "the pattern cannot go upwards", "give the directory as path and a pattern below it"
            )
        roots = Roots(ctx.workspace, self._home)
        spot = roots.locate(path)
        found, stopped = self._found(roots, spot, pattern)
        lines = [name for _, name in found[:MOST]]
        if len(found) > MOST:
            lines.append(f"[{len(found) - MOST} more; make the pattern or the path narrower]")
        if stopped:
            lines.append(f"[not all was looked at: {stopped}; give a narrower path]")
        if not found:
            deeper = "" if "/" in pattern else f"; **/{pattern} looks in every directory"
            lines.insert(0, f"No file matches{deeper}.")
        return ToolResult("\n".join(lines), label=label_of(ctx))

    def _found(self, roots: Roots, spot: Spot, pattern: str) -> tuple[list[tuple[float, str]], str]:
        """(time of change, path) newest first; why the walk stopped early."""
        wanted = Pattern(pattern)
        prefix = "" if spot.shown == "." else spot.shown.rstrip("/") + "/"
        found: list[tuple[float, str]] = []
        with roots.opened(spot, folder=True) as folder:
            own = os.stat(self._home) if self._home.exists() else None
            hidden = (own.st_dev, own.st_ino) if own else (0, 0)
            walk = Walk(folder, most=_ENTRIES, seconds=_SECONDS, hidden=hidden)
            for parts, inside, name in walk.files():
                if wanted.matches(parts):
                    try:
                        changed = os.stat(name, dir_fd=inside, follow_symlinks=False).st_mtime
                    except OSError:
                        continue  # gone since
                    found.append((changed, prefix + "/".join(parts)))
        found.sort(key=lambda f: (-f[0], f[1]))
        return found, walk.stopped


def _split(pattern: str) -> tuple[str, str]:
    """An absolute pattern as the directory before its first magic part, and the rest."""
    parts = pattern.split("/")
    n = next((n for n, part in enumerate(parts) if _MAGIC & set(part)), len(parts) - 1)
    return "/".join(parts[:n]) or "/", "/".join(parts[n:])
