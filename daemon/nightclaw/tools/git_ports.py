"""What the Git tool is given: git in the task's own worktree, and the way to its own origin."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Protocol

from nightclaw.core.errors import NightclawError
from nightclaw.core.tools import ToolContext, ToolResult, ToolSpec, Workspace
from nightclaw.core.trust import Label, Trust
from nightclaw.core.types import JSONObject

SHOWN = 30_000


class Ran(Protocol):
    """How a run of git ended; `said` is why it failed, in one line."""

    @property
    def ok(self) -> bool: ...
    @property
    def code(self) -> int | None: ...
    @property
    def out(self) -> str: ...
    @property
    def raw(self) -> bytes: ...
    @property
    def is_cut(self) -> bool: ...
    @property
    def said(self) -> str: ...


class Author(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def email(self) -> str: ...


class Pushed(Protocol):
    """state: new, moved, same, refused (why)."""

    @property
    def state(self) -> str: ...
    @property
    def why(self) -> str: ...


class GitService(Protocol):
    """The service `git`."""

    def alone(self, workspace: Workspace) -> asyncio.Lock: ...
    async def run(
        self,
        workspace: Workspace,
        args: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        timeout_s: float = 60.0,
        input: bytes | None = None,  # noqa: A002
        limit: int = 4 * 1024 * 1024,
    ) -> Ran: ...
    async def author(self, workspace: Workspace) -> Author: ...
    async def heads(self, workspace: Workspace, branches: Sequence[str]) -> Mapping[str, str]: ...
    async def push(self, workspace: Workspace, commit: str, *, is_new: bool) -> Pushed: ...


def known_only(args: JSONObject, spec: ToolSpec) -> None:
    """Raises NightclawError for an argument the tool does not have: what was judged is what is done."""
    known = spec.input_schema["properties"]
    unknown = [name for name in args if not isinstance(known, Mapping) or name not in known]
    if unknown and isinstance(known, Mapping):
        named = ", ".join(str(n)[:40] for n in unknown[:5])
        raise NightclawError(f"{spec.name} has no argument {named}", f"It has: {', '.join(known)}")


def refused(text: str) -> ToolResult:
    return ToolResult(text, is_error=True)


def told(ctx: ToolContext, text: str, **more: object) -> ToolResult:
    """A result with the label of what a listed repository holds."""
    work = ctx.workspace
    label = Label(Trust.REPO, work.is_private, frozenset({work.repo} if work.repo else ()))
    return ToolResult(text, label=label, **more)  # type: ignore[arg-type]


def clipped(text: str, limit: int = SHOWN, hint: str = "name paths to see less at once") -> str:
    text = text.replace("\0", "\N{REPLACEMENT CHARACTER}")
    if len(text) <= limit:
        return text
    return f"{text[:limit]}\n… (cut: {len(text) - limit} more characters; {hint})"
