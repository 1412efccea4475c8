"""Write: a whole file, in one step, with the directories it needs."""

from collections.abc import Mapping
from pathlib import Path

from nightclaw.core.tools import Redo, ToolContext, ToolResult, ToolSpec
from nightclaw.core.types import JSON, JSONObject
from nightclaw.tools.calls import Arguments, in_thread, schema
from nightclaw.tools.opening import Roots

SPEC = ToolSpec(
    "Write",
    "Write a whole file, replacing one that is there. Makes missing directories. Prefer Edit for changes.",
    schema(("file_path", "content"), file_path={"type": "string"}, content={"type": "string"}),
    Redo.KEYED,
    deadline_s=30.0,
)


def build(config: Mapping[str, JSON], deps: Mapping[str, object]) -> "Write":
    """deps: "home" (Path of NIGHTCLAW_HOME)."""
    home = deps["home"]
    assert isinstance(home, Path)
    return Write(home)


class Write:
    """core.tools.Tool. The same call twice leaves the same file."""

    spec = SPEC

    def __init__(self, home: Path) -> None:
        self._home = home

    async def run(self, args: JSONObject, ctx: ToolContext) -> ToolResult:
        return await in_thread(lambda: self._write(args, ctx))

    async def probe(self, args: JSONObject, ctx: ToolContext) -> ToolResult | None:
        return None

    def _write(self, args: JSONObject, ctx: ToolContext) -> ToolResult:
        given = Arguments(args, SPEC.input_schema)
        roots = Roots(ctx.workspace, self._home)
        spot = roots.locate(given.text("file_path"))
        content = given.text("content")
        data = content.encode("utf-8", "replace")
        is_new = roots.write(spot, data)
        lines = content.count("\n") + (not content.endswith("\n") and content != "")
        return ToolResult(
            f"{'Created' if is_new else 'Replaced'} {spot.shown} ({lines} lines, {len(data):,} bytes)."
        )
