"""What the control API needs of the daemon: one frozen object, so that routers reach nothing by themselves.

Plain reading goes to the store; everything that acts is a callable given by the composition root. JSON that callables
answer may hold times as milliseconds under keys ending in `_at`: they are rendered on the way out.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from pathlib import Path
from typing import Protocol

from nightclaw.api.ephemeral import Ephemeral
from nightclaw.core.ports import Clock
from nightclaw.core.types import JSON, JSONObject, Priority
from nightclaw.store.db import Store

Rows = Sequence[Mapping[str, JSON]]


class Presence(Protocol):
    """Whether the owner is looking. `state`: attached, active or away."""

    def attach(self, client_id: str, session: str | None) -> object: ...
    def detach(self, client_id: str) -> object: ...
    def touch(self, now: int) -> object: ...
    def state(self, now: int) -> str: ...


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """key: the same key twice is one message. session None: `main`; `new`: a new one."""

    key: str
    session: str | None
    text: str
    priority: Priority


@dataclass(frozen=True, slots=True)
class TaskOrder:
    """The owner's own task. key None: always a new one."""

    goal: str
    subject: str | None
    session: str | None
    repo: str | None
    key: str | None


@dataclass(frozen=True, slots=True)
class Answer:
    """The owner's word on an approval. decision: allow or deny. digest None: not checked by the client. by: who."""

    approval_id: str
    decision: str
    digest: str | None
    always: bool
    answer: str | None
    note: str
    by: str


@dataclass(frozen=True, slots=True)
class MemoryOrder:
    """Words to keep. topic, when: None where nobody says; observed_at: when it was so (ms), None for now."""

    text: str
    topic: str | None = None
    when: str | None = None
    observed_at: int | None = None
    kind: str | None = None


@dataclass(frozen=True, slots=True)
class MemoryChange:
    """None leaves as it is; an empty `when` clears it."""

    text: str | None = None
    topic: str | None = None
    when: str | None = None


@dataclass(frozen=True, slots=True)
class Brought:
    """One thing of an import: a memory (role None), or what was said in a session long ago."""

    text: str
    topic: str | None = None
    when: str | None = None
    observed_at: int | None = None
    role: str | None = None
    session: str | None = None


@dataclass(frozen=True, slots=True)
class DreamOrder:
    """dry_run: work it out and change nothing. now: do not wait for the gates."""

    dry_run: bool = False
    now: bool = False


@dataclass(frozen=True, slots=True)
class Control:
    # the daemon
    store: Store
    clock: Clock
    presence: Presence
    frames: Ephemeral
    draining: asyncio.Event
    home: Path
    socket: Path
    version: str
    started_at: int
    tz: Callable[[], tzinfo]

    # how it is now
    ingress: Callable[[], str | None]
    models: Callable[[], JSONObject]
    budget: Callable[[], JSONObject]
    problems: Callable[[], Sequence[JSON]]
    sources: Callable[[], Rows]
    loops: Callable[[], Mapping[str, float]]
    """seconds since each supervised loop beat last"""
    is_paused: Callable[[], bool]
    features: Callable[[], Rows]
    """`{"name", "on", "origin", "what"}` each"""
    rules: Callable[[], Rows]
    """`{"n", "name", "when", "verdict", "cap", "origin"}` each"""

    # what it can be asked for; ids go in and come out, Refused, NotFound and Invalid are answered as such
    chat: Callable[[ChatMessage], Awaitable[JSONObject]]
    """→ `{"signal", "session", "task", "cursor"}`"""
    interrupt: Callable[[str], Awaitable[JSONObject]]
    create_task: Callable[[TaskOrder], Awaitable[str]]
    cancel_task: Callable[[str], Awaitable[None]]
    retry_task: Callable[[str], Awaitable[str]]
    resolve: Callable[[Answer], Awaitable[None]]
    pause: Callable[[], Awaitable[None]]
    resume: Callable[[], Awaitable[None]]
    set_features: Callable[[Mapping[str, bool]], Awaitable[None]]
    add_schedule: Callable[[JSONObject], Awaitable[str]]
    remove_schedule: Callable[[str], Awaitable[None]]
    """by id or name, as the next"""
    run_schedule: Callable[[str], Awaitable[str]]
    """→ the signal's id"""
    add_watch: Callable[[JSONObject], Awaitable[str]]
    remove_watch: Callable[[str], Awaitable[None]]
    test_notification: Callable[[], Awaitable[JSONObject]]
    """→ `{"id", "deliveries": [{"to", "ok", "error"}]}`"""
    test_rules: Callable[[int], Awaitable[JSONObject]]
    """since (ms) → `{"signals", "told", "asked", "done", "changed", "counts"}`"""
    github: Callable[[], Awaitable[Rows]]
    connect_github: Callable[[str | None], Awaitable[Rows]]
    doctor: Callable[[], Awaitable[Rows]]
    """`{"check", "ok", "detail", "fix"}` each"""
    verify_log: Callable[[], Awaitable[JSONObject]]
    """→ `{"ok", "lines", "days", "first_bad"}`"""

    # memory; ids come out, Refused and Invalid are answered as such
    add_memory: Callable[[MemoryOrder], Awaitable[str]]
    edit_memory: Callable[[str, MemoryChange], Awaitable[str]]
    """→ the id of the newer version"""
    forget_memory: Callable[[str], Awaitable[None]]
    read_memory_files: Callable[[], Awaitable[object]]
    """take over what the owner changed in the files since"""
    search_memory: Callable[[str, int], Awaitable[Sequence[tuple[str | None, int, float]]]]
    """→ (memory or None, cursor, score), best first"""
    import_memories: Callable[[Sequence[Brought], bool], Awaitable[JSONObject]]
    """dry run or not → `{"added", "known", "turns", "refused": [{"n", "why"}]}`"""
    dream: Callable[[DreamOrder], Awaitable[JSONObject]]
    """→ the dream as it ended"""
    undo_dream: Callable[[str], Awaitable[None]]
    redact: Callable[[str], Awaitable[JSONObject]]
    """→ `{"rows", "lines", "files", "backups", "memories", "left", "mark"}`"""
