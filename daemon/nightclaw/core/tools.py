"""Tools as the run loop sees them: a spec the model reads, and a run that answers with text.

A tool never decides whether it may: the gate did. It gets all it needs through its context.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from nightclaw.core.trust import Label
from nightclaw.core.types import JSON, JSONObject


class Redo(StrEnum):
    """What recovery may do with a call that was cut: run it again; run it again under its key; ask the world whether
    it happened (the tool's `probe`); or leave it to the owner and the model."""

    PURE = "pure"
    KEYED = "keyed"
    PROBE = "probe"
    ONCE = "once"


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """name, description, input_schema: exactly what the model is shown (JSON Schema of an object)."""

    name: str
    description: str
    input_schema: JSONObject
    redo: Redo
    deadline_s: float = 120.0

    def as_json(self) -> dict[str, JSON]:
        shown = {k: v for k, v in self.input_schema.items() if k != "additionalProperties"}
        return {"name": self.name, "description": self.description, "input_schema": shown}


@dataclass(frozen=True, slots=True)
class ToolResult:
    """text: what the model reads. object_ids: names of what was made outside (commit, ref, comment id), by which an
    echo is known. label: what the text brought with it, joined into the session's label. sent: what left the machine.
    wait_until: park the task until then (ms); ask: park it on a question to the owner."""

    text: str
    is_error: bool = False
    object_ids: tuple[str, ...] = ()
    label: Label | None = None
    sent_to: str = ""
    sent_bytes: int = 0
    data: JSONObject = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Workspace:
    """Where a task works. root: its worktree, else the session's directory; every relative path starts there.

    git_dir, clone: of the worktree, None outside a repository. base: commit the branch began at. reads: further
    roots that may be read. share: read-only binds into the worktree. is_private: of the repository.
    """

    root: Path
    repo: str | None = None
    clone: Path | None = None
    git_dir: Path | None = None
    branch: str | None = None
    base_branch: str | None = None
    base: str | None = None
    origin_url: str | None = None
    check: str | None = None
    reads: tuple[Path, ...] = ()
    share: tuple[Path, ...] = ()
    is_private: bool = False


@dataclass(frozen=True, slots=True)
class Command:
    """A program to run in the sandbox. Of its output the first and the last half of `limit` bytes are kept."""

    argv: tuple[str, ...]
    cwd: Path
    timeout_s: float
    limit: int = 30_000
    network: bool = False


@dataclass(frozen=True, slots=True)
class Ran:
    """exit_code None: it was ended (timeout or cancel)."""

    exit_code: int | None
    output: str
    is_cut: bool = False
    timed_out: bool = False


class Sandbox(Protocol):
    """The wall commands run behind. `why_not` says why none can run here, None when they can."""

    @property
    def why_not(self) -> str | None: ...
    def run(self, command: Command, workspace: Workspace) -> Awaitable[Ran]: ...


@dataclass(frozen=True, slots=True)
class ToolContext:
    """What a tool is given for one call. key: the call's idempotency key, stable over retries.

    services: what the daemon offers by name (`git`, `github`, `recall`, `remember`, …); a tool documents which it
    needs. subject: what the task is about (`octo/app#5`). say: a line of progress for whoever follows.
    """

    call_id: str
    task_id: str
    session: str
    key: str
    subject: str
    workspace: Workspace
    label: Label
    sandbox: Sandbox
    services: Mapping[str, object]
    now_ms: Callable[[], int]
    say: Callable[[str], None]


class Tool(Protocol):
    """One tool. `probe` asks the world whether a cut call happened: a result when it did, None when it did not."""

    @property
    def spec(self) -> ToolSpec: ...
    async def run(self, args: JSONObject, ctx: ToolContext) -> ToolResult: ...
    async def probe(self, args: JSONObject, ctx: ToolContext) -> ToolResult | None: ...


Tools = Mapping[str, Tool]
Specs = Sequence[ToolSpec]
