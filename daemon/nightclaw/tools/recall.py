"""Recall: look something up in memory. Words of others come back quoted, and lower the session's label.

Needs the service `recall`: `async (query, limit, ctx) -> rows`.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol, cast

from nightclaw.core.errors import Refused
from nightclaw.core.quoting import quoted
from nightclaw.core.tools import Redo, ToolContext, ToolResult, ToolSpec
from nightclaw.core.trust import Label, Trust, join
from nightclaw.core.types import JSON, JSONObject
from nightclaw.tools.calls import Arguments, answered, schema

ROWS, MOST = 8, 25
LONGEST = 1_300
_DAY_MS = 86_400_000

SPEC = ToolSpec(
    "Recall",
    "Search what was said and learned before. Memory is a hint: check what you act on.",
    schema(("query",), query={"type": "string"}, limit={"type": "integer"}),
    Redo.PURE,
    deadline_s=20.0,
)


class Row(Protocol):
    """One row as the service gives it. id: of a memory, None for something said. observed_at: ms."""

    @property
    def id(self) -> str | None: ...
    @property
    def text(self) -> str: ...
    @property
    def trust(self) -> Trust: ...
    @property
    def observed_at(self) -> int: ...
    @property
    def topic(self) -> str | None: ...
    @property
    def source(self) -> str: ...
    @property
    def private(self) -> bool: ...
    @property
    def repo(self) -> str | None: ...


Search = Callable[[str, int, ToolContext], Awaitable[Sequence[Row]]]


def build(config: Mapping[str, JSON], deps: Mapping[str, object]) -> "Recall":
    return Recall()


class Recall:
    """core.tools.Tool."""

    spec = SPEC

    async def run(self, args: JSONObject, ctx: ToolContext) -> ToolResult:
        return await answered(self._run(args, ctx))

    async def probe(self, args: JSONObject, ctx: ToolContext) -> ToolResult | None:
        return None

    async def _run(self, args: JSONObject, ctx: ToolContext) -> ToolResult:
        given = Arguments(args, SPEC.input_schema)
        query, limit = given.text("query"), given.whole("limit", ROWS, least=1)
        if "recall" not in ctx.services:
            raise Refused("memory is switched off here")
        search = cast(Search, ctx.services["recall"])
        rows = await search(query, min(limit, MOST), ctx)
        if not rows:
            return ToolResult("Nothing in memory has these words. Other words may find it.")
        now = ctx.now_ms()
        shown = "\n".join(_shown(n, row, now) for n, row in enumerate(rows, 1))
        return ToolResult(shown, label=join([label_of(row) for row in rows]))


def label_of(row: Row) -> Label:
    return Label(row.trust, row.private, frozenset({row.repo} if row.repo else ()))


def _shown(number: int, row: Row, now: int) -> str:
    """`1. [OWNER, 3 days ago, topic deploys, mem_…] text`; below the owner the text stands in quotes."""
    parts = [str(row.trust), _age(now - row.observed_at)]
    parts.append(f"topic {row.topic}" if row.topic else f"said by {row.source}")
    parts += [row.id] if row.id else []
    head = f"{number}. [{', '.join(parts)}]"
    if row.trust is Trust.OWNER:
        return f"{head} {row.text}"
    return f"{head}\n{quoted(row.text, f'memory, {row.trust}', LONGEST)}"


def _age(ms: int) -> str:
    days = max(ms, 0) // _DAY_MS
    if days < 1:
        hours = max(ms, 0) // 3_600_000
        return f"{hours} h ago" if hours else "just now"
    return f"{days} day{'s' * (days > 1)} ago" if days < 60 else f"{days // 30} months ago"
