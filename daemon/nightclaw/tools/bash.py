"""Bash: a command line in a fresh shell behind the sandbox's wall, without network.

Where no wall stands it says so and runs nothing.
"""

import re
from collections.abc import Mapping

from nightclaw.core.errors import Invalid
from nightclaw.core.tools import Command, Ran, Redo, ToolContext, ToolResult, ToolSpec
from nightclaw.core.types import JSON, JSONObject
from nightclaw.tools.calls import Arguments, answered, label_of, schema

DEFAULT_MS = 120_000
MOST_MS = 600_000
SHOWN_BYTES = 30_000
_LONGEST = 100_000
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b\n]*(?:\x07|\x1b\\)?|[ -/]*[0-~])")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")

SPEC = ToolSpec(
    "Bash",
    "Run a command in a sandbox: writes only in the workspace, no network, new shell and new /tmp each time. "
    "timeout in ms, default 120000, at most 600000. To commit or push use Git.",
    schema(
        ("command",),
        command={"type": "string"},
        timeout={"type": "integer"},
        description={"type": "string", "description": "5-10 words"},
    ),
    Redo.ONCE,
    deadline_s=MOST_MS / 1000 + 30,
)


def build(config: Mapping[str, JSON], deps: Mapping[str, object]) -> "Bash":
    """deps: nothing; the sandbox comes with each call."""
    return Bash()


class Bash:
    """core.tools.Tool."""

    spec = SPEC

    async def run(self, args: JSONObject, ctx: ToolContext) -> ToolResult:
        return await answered(self._bash(args, ctx))

    async def probe(self, args: JSONObject, ctx: ToolContext) -> ToolResult | None:
        return None

    async def _bash(self, args: JSONObject, ctx: ToolContext) -> ToolResult:
        given = Arguments(args, SPEC.input_schema)
        command = given.text("command")
        given.text("description", "")
        timeout_ms = given.whole("timeout", DEFAULT_MS, least=1)
        if not command.strip() or "\0" in command or len(command) > _LONGEST:
            raise Invalid("the command is empty, too long or holds a zero byte", "give one command line")
        if ctx.sandbox.why_not is not None:
            return ToolResult(
                f"Commands do not run here: {ctx.sandbox.why_not}. Read, Edit, Write, Glob and Grep still work.",
                is_error=True,
            )
        seconds = min(timeout_ms, MOST_MS) / 1000
        ran = await ctx.sandbox.run(
            Command(("bash", "-c", command), ctx.workspace.root, seconds, SHOWN_BYTES), ctx.workspace
        )
        return ToolResult(
            told(ran, seconds),
            is_error=ran.exit_code != 0,
            label=label_of(ctx),
            data={"exit_code": ran.exit_code, "timed_out": ran.timed_out},
        )


def told(ran: Ran, seconds: float) -> str:
    """Output and end of a command as the model reads them."""
    text = plain(ran.output).strip("\n")
    if ran.timed_out:
        text += (
            f"\n[no end after {seconds:g} s: do less at once, or set a longer timeout (at most {MOST_MS} ms)]"
        )
    elif ran.exit_code is None:
        text += "\n[it was ended]"
    elif ran.exit_code:
        text += f"\n[exit code {ran.exit_code}]"
    return text.lstrip("\n") or "(no output)"


def plain(text: str) -> str:
    """Terminal output as text: no escape codes, and of a line that was drawn over, the last drawing."""
    lines = _ESCAPES.sub("", text).replace("\r\n", "\n").split("\n")
    return "\n".join(_CONTROLS.sub("", line.rstrip("\r").rpartition("\r")[2]) for line in lines)
