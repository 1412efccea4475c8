"""Where a task works: its worktree or directory, made once, remembered in its row; and what its work came to."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from datetime import tzinfo
from pathlib import Path

from nightclaw.core.ports import Clock
from nightclaw.core.tools import Command, Sandbox, Workspace
from nightclaw.core.types import NoteDraft
from nightclaw.execution import prompt
from nightclaw.store import notifications, tasks
from nightclaw.store.db import Connection, Store
from nightclaw.store.tasks import Task

CHECK_TIMEOUT_S = 900.0


class Places:
    """prepare: makes a task's workspace (idempotent). instructions: the repository's own words at the base commit.
    changed: whether the workspace holds commits of its own."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        sandbox: Sandbox,
        tz: Callable[[], tzinfo],
        prepare: Callable[[Task], Awaitable[Workspace]],
        instructions: Callable[[Workspace], Awaitable[str]],
        changed: Callable[[Workspace], Awaitable[bool]],
    ) -> None:
        self._store = store
        self._clock = clock
        self._sandbox = sandbox
        self._tz = tz
        self._prepare = prepare
        self._instructions = instructions
        self._changed = changed

    async def of(self, task: Task) -> Workspace:
        """The task's workspace, made (again) if it is not there. Raises NightclawError when it cannot be."""
        workspace = await self._prepare(task)
        kept = await self._store.read(tasks.workspace_of, task.id)
        packed = _packed(workspace)
        if kept != packed:
            await self._store.write(
                tasks.set_workspace, task.id, packed, str(workspace.root), workspace.branch
            )
        return workspace

    async def opening(self, task: Task, workspace: Workspace) -> str:
        instructions = await self._instructions(workspace) if workspace.git_dir is not None else ""
        return prompt.opening(task, workspace, self._clock.now_ms(), self._tz(), instructions)

    async def verify(self, task: Task, workspace: Workspace) -> bool | None:
        """Whether the repository's check passes on what was committed; None when there is nothing to verify."""
        if not workspace.check or workspace.git_dir is None or self._sandbox.why_not is not None:
            return None
        if not await self._changed(workspace):
            return None
        command = Command(("bash", "-c", workspace.check), workspace.root, CHECK_TIMEOUT_S)
        return (await self._sandbox.run(command, workspace)).exit_code == 0

    def report(self, conn: Connection, task: Task, text: str, verified: bool | None, now: int) -> None:
        """Tell the owner what became of work they did not watch. SQL only."""
        if task.kind in ("chat", "dream"):
            return
        fresh = tasks.get(conn, task.id)
        state = fresh.state if fresh else "ended"
        how = {True: " and verified", False: ", but its check fails", None: ""}[verified]
        first = " ".join(text.split())
        note = NoteDraft(
            title=f"{task.subject}: {state}{how}",
            body=f"{first[:300]}\n`clawctl why {task.id}`",
            dedupe_key=f"finished:{task.id}",
            subject=task.subject,
            kind="work",
            private=task.private,
            session=task.session,
        )
        notifications.queue(conn, note, now=now, decision_id=task.decision_id)


def _packed(workspace: Workspace) -> str:
    fields = {k: _plain(v) for k, v in asdict(workspace).items()}
    return json.dumps(fields, sort_keys=True)


def _plain(value: object) -> object:
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, tuple):
        return [_plain(v) for v in value]
    return value


async def directory(path: Path) -> Path:
    """A directory of one's own, 0700, for work without a repository."""
    await asyncio.to_thread(path.mkdir, 0o700, True, True)
    return path
