"""Arguments in, answers out: what every tool does at its two edges.

A wrong argument, a missing file, a refusal: each becomes an answer with `is_error` and a sentence that says what to
do instead. Nothing of a model's making is raised past a tool.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping

from nightclaw.core.errors import Invalid, NightclawError
from nightclaw.core.tools import ToolContext, ToolResult
from nightclaw.core.trust import Label, Trust
from nightclaw.core.types import JSON, JSONObject


class Arguments:
    """The arguments of one call, checked against the names of its schema. Every reader raises Invalid."""

    def __init__(self, args: JSONObject, schema: JSONObject) -> None:
        properties = schema["properties"]
        assert isinstance(properties, Mapping)
        unknown = [name for name in args if name not in properties]
        if unknown:
            raise Invalid(
                f"unknown argument {', '.join(map(repr, unknown))}", f"known: {', '.join(properties)}"
            )
        self._args = args

    def text(self, name: str, default: str | None = None) -> str:
        value = self._args.get(name, default)
        if not isinstance(value, str):
            raise Invalid(f"{name} must be given as text" if value is None else f"{name} must be text")
        return value

    def whole(self, name: str, default: int, *, least: int = 0, most: int = 10_000_000) -> int:
        value = self._args.get(name, default)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, str) and value.strip().isdecimal():
            value = int(value)  # small models quote their numbers
        if not isinstance(value, int) or isinstance(value, bool):
            raise Invalid(f"{name} must be a whole number")
        if not least <= value <= most:
            raise Invalid(f"{name} must be from {least:,} to {most:,}")
        return value

    def flag(self, name: str) -> bool:
        value = self._args.get(name, False)
        if value in ("true", "false"):
            return value == "true"
        if not isinstance(value, bool):
            raise Invalid(f"{name} must be true or false")
        return value

    def choice(self, name: str, choices: tuple[str, ...]) -> str:
        value = self.text(name, choices[0])
        if value not in choices:
            raise Invalid(f"{name} must be one of {', '.join(choices)}")
        return value


def schema(required: tuple[str, ...], **properties: JSON) -> JSONObject:
    """A JSON Schema of an object with nothing beside `properties`. A name with a leading `_` stands for `-`."""
    named = {("-" + name[1:] if name.startswith("_") else name): value for name, value in properties.items()}
    return {"type": "object", "properties": named, "required": list(required), "additionalProperties": False}


async def answered(work: Awaitable[ToolResult]) -> ToolResult:
    """What `work` answers, or its failure as an answer."""
    try:
        return await work
    except NightclawError as error:
        return ToolResult(f"{error.message}. {_sentence(error.hint)}".strip(), is_error=True)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        return ToolResult(f"The system refused: {reason}.", is_error=True)


async def in_thread(work: Callable[[], ToolResult]) -> ToolResult:
    """File work, away from the event loop."""
    return await answered(asyncio.to_thread(work))


def _sentence(hint: str) -> str:
    return hint and f"{hint[0].upper()}{hint[1:].rstrip('.')}."


def label_of(ctx: ToolContext) -> Label:
    """Of bytes that come from the workspace: anyone who writes to its files may have written them."""
    workspace = ctx.workspace
    return Label(Trust.REPO, workspace.is_private, frozenset({workspace.repo or str(workspace.root)}))
