"""What the gate needs to know of a task: gathered from rows and config, so that judging itself stays pure."""

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from nightclaw.core.effects import ResolvedCall, Ruling
from nightclaw.core.tools import Workspace
from nightclaw.core.trust import Label
from nightclaw.core.types import JSONObject
from nightclaw.policy.gate import Stance, judge
from nightclaw.policy.resolve import Place, resolve
from nightclaw.policy.rules import ToolRule, matcher_of
from nightclaw.store import rules, sessions, tasks
from nightclaw.store.db import Connection
from nightclaw.store.notifications import notes_of_task_since

HOUR_MS = 3_600_000
HASHED_BYTES = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Permits:
    """The `[permissions]` table as it stands, and where we are. mode is for chats, unattended for the rest."""

    mode: str
    unattended: str
    allow: tuple[ToolRule, ...]
    ask: tuple[ToolRule, ...]
    deny: tuple[ToolRule, ...]
    home: Path
    user_home: Path
    in_container: bool
    hosts: tuple[str, ...] = ()


class Gatekeeper:
    """Resolves a call in its workspace and rules on it. One for chat, tick, webhook, file, schedule and resume."""

    def __init__(self, permits: Callable[[], Permits]) -> None:
        self._permits = permits

    def resolve(self, tool: str, args: JSONObject, task: tasks.Task, workspace: Workspace) -> ResolvedCall:
        """The call's effects and digest, as the file system stands now."""
        permits = self._permits()
        place = Place(
            workspace=workspace,
            home=permits.home,
            user_home=permits.user_home,
            realpath=os.path.realpath,
            file_hash=_file_hash,
            event_subject=task.subject,
            event_repo=task.repo,
            own_branch=workspace.branch,
            origin_url=workspace.origin_url,
            tip=_tip(workspace),
            allowed_hosts=permits.hosts,
        )
        return resolve(tool, args, place)

    def stance(self, conn: Connection, task: tasks.Task, workspace: Workspace, now: int) -> Stance:
        """What holds for this task now. SQL only."""
        permits = self._permits()
        mode, _, _ = sessions.settings_of(conn, task.session)
        is_chat = task.kind == "chat"
        label = sessions.label_of(conn, task.session)
        return Stance(
            label=label,
            lane="chat" if is_chat else "unattended",
            mode=(mode or permits.mode) if is_chat else (task.unattended or permits.unattended),
            allow=permits.allow,
            ask=permits.ask,
            deny=permits.deny,
            grants=tuple(rules.grants(conn, task.session, now)),
            boundaries=tuple(rules.boundaries(conn)),
            in_container=permits.in_container,
            throwaway=workspace.git_dir is not None,
            notes_last_hour=notes_of_task_since(conn, task.id, now - HOUR_MS),
        )

    def matcher(self, call: ResolvedCall) -> str | None:
        """What a grant of exactly this call would match; None when it cannot be granted for ever."""
        return matcher_of(call)

    def rule(self, call: ResolvedCall, stance: Stance) -> Ruling:
        return judge(call, stance)


def _file_hash(path: str) -> str | None:
    """sha256 of a file's bytes, None when it is not a readable regular file or too large to bind to."""
    try:
        with Path(path).open("rb") as file:
            content = file.read(HASHED_BYTES + 1)
    except OSError:
        return None
    return hashlib.sha256(content).hexdigest() if len(content) <= HASHED_BYTES else None


def _tip(workspace: Workspace) -> str | None:
    """The commit the task's branch is at, read from git's own files; None outside a repository."""
    if workspace.git_dir is None or workspace.branch is None:
        return None
    common, ref = workspace.git_dir.parent.parent, f"refs/heads/{workspace.branch}"
    try:
        return (common / ref).read_text().strip()
    except OSError:
        pass  # no file of its own: packed
    try:
        packed = (common / "packed-refs").read_text().splitlines()
    except OSError:
        return None
    return next((line.split()[0] for line in packed if line.endswith(f" {ref}")), None)


def label_of_task(task: tasks.Task) -> Label:
    return Label(task.trust, task.private, frozenset({task.repo} if task.repo else ()))
