"""The control API's words: headers, limits, times, and the shape of every noun that scripts may rely on.

Shapes are TypedDicts to a type checker and bare annotated classes at run time: importing this module costs less than
two milliseconds, and the OpenAPI page is made from the same annotations when it is asked for.
"""

import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypedDict
else:
    TypedDict = object

ATTACHED_HEADER = "X-Nightclaw-Attached"
"""On a followed event stream: the client's own id. While it follows, somebody is looking at that session."""
LOG_SIZE_HEADER = "X-Log-Size"
LOG_DATE_HEADER = "X-Log-Date"

LIST_LIMIT = 500
LIST_DEFAULT = 50


def iso(at_ms: int) -> str:
    """UTC with milliseconds: `2026-11-20T06:54:00.123Z`."""
    seconds, ms = divmod(at_ms, 1000)
    t = time.gmtime(seconds)
    return f"{t[0]:04}-{t[1]:02}-{t[2]:02}T{t[3]:02}:{t[4]:02}:{t[5]:02}.{ms:03}Z"


def iso_or_none(at_ms: int | None) -> str | None:
    return None if at_ms is None else iso(at_ms)


def parse_iso(text: str) -> int:
    """Milliseconds of an ISO 8601 time; without a zone it is UTC. Raises ValueError."""
    from datetime import UTC, datetime, timedelta

    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def parse_span(text: str) -> int:
    """Milliseconds of a duration as people write it: `90s`, `5m`, `2h`, `1d`, `2w`, `1h30m`. Raises ValueError."""
    units = {"s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
    total, digits = 0, ""
    for char in text.strip().lower():
        if char.isascii() and char.isdigit() and len(digits) < 9:
            digits += char
        elif char in units and digits:
            total += int(digits) * units[char]
            digits = ""
        else:
            raise ValueError(f"{text[:40]!r} is no duration; write 90s, 5m, 2h or 1d")
    if digits or not total:
        raise ValueError(f"{text[:40]!r} is no duration; write 90s, 5m, 2h or 1d")
    return total


class ErrorBody(TypedDict):
    code: str
    message: str
    hint: str


class Error(TypedDict):
    """What every refusal answers."""

    error: ErrorBody


class Usage(TypedDict):
    model_calls: int
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cost_usd: float


class Today(TypedDict):
    model_calls: int
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cost_usd: float
    by_cause: dict[str, Usage]


class TaskCounts(TypedDict):
    ready: int
    running: int
    parked: int


class MemoryCounts(TypedDict):
    active: int
    candidates: int
    last_dream_at: str | None


class Status(TypedDict):
    version: str
    pid: int
    home: str
    socket: str
    ingress: str | None
    started_at: str
    uptime_s: float
    health: str
    problems: list[dict[str, object]]
    paused: bool
    presence: str
    last_tick_at: str | None
    last_tick_age_s: float | None
    models: dict[str, object]
    sources: list[dict[str, object]]
    signals_pending: int
    tasks: TaskCounts
    approvals_pending: int
    sessions: int
    today: Today
    budget: dict[str, object]
    features: dict[str, bool]
    memory: MemoryCounts
    event_head: int


class Signal(TypedDict):
    id: str
    source: str
    kind: str
    subject: str
    dedupe_key: str
    title: str
    trust: str
    state: str
    actor: str | None
    repo: str | None
    private: bool
    session: str | None
    created_at: str
    decision_id: str | None


class Decision(TypedDict):
    id: str
    verdict: str
    reason: str
    rule: str
    floor: str
    cap: str
    signal_ids: list[str]
    task_id: str | None
    notification_id: str | None
    usage: dict[str, object]
    presence: str
    facts: list[object]
    shadow: bool
    policy_version: str
    created_at: str


class Task(TypedDict):
    id: str
    key: str
    kind: str
    subject: str
    goal: str
    state: str
    parked_on: str | None
    trust: str
    private: bool
    repo: str | None
    session: str
    priority: int
    attempts: int
    parent: str | None
    decision_id: str | None
    worktree: str | None
    branch: str | None
    verified: bool | None
    created_at: str
    finished_at: str | None
    cancel_at: str | None
    result: str | None
    usage: dict[str, object]


class Run(TypedDict):
    id: str
    task: str
    attempt: int
    state: str
    model: str
    stop_reason: str | None
    steps: int
    usage: dict[str, object]
    started_at: str
    ended_at: str | None


class Approval(TypedDict):
    id: str
    kind: str
    task: str | None
    tool: str | None
    args: object
    facts: object
    digest: str
    state: str
    expires_at: str
    created_at: str
    resolved_by: str | None
    resolved_at: str | None
    note: str | None


class Session(TypedDict):
    id: str
    title: str
    created_at: str
    updated_at: str


class Said(TypedDict):
    """One turn of a transcript. cursor: the event that told of it, None when events were pruned."""

    role: str
    text: str
    at: str
    task: str
    cursor: int | None


class Transcript(TypedDict):
    id: str
    title: str
    created_at: str
    updated_at: str
    tasks: list[Task]
    transcript: list[Said]


class Notification(TypedDict):
    id: str
    title: str
    body: str
    kind: str
    subject: str
    state: str
    reason: str | None
    attempts: int
    urgent: bool
    error: str | None
    dedupe_key: str
    decision_id: str | None
    folded_into: str | None
    useful: bool | None
    created_at: str
    due_at: str
    sent_at: str | None


class Sent(TypedDict):
    """Something that left the machine. state `unknown`: it may have."""

    id: str
    at: str
    to: str
    what: str
    bytes: int
    state: str
    task: str | None


class Memory(TypedDict):
    """sources: cursors of the events it rests on. when: to what it applies. superseded_by: the version after it."""

    id: str
    text: str
    kind: str
    state: str
    trust: str
    sources: list[int]
    topic: str
    when: str | None
    observed_at: str
    created_at: str
    supersedes: str | None
    superseded_by: str | None
    made_by: str
    private: bool
    repo: str | None
    origins: list[str]
    fact_key: str | None
    fact_value: str | None
    verified_by: str | None
    verified_at: str | None
    doubted_at: str | None
    expires_at: str | None


class Dream(TypedDict):
    """diff: what it changed, as a pull request shows it. lost: true facts it would cost, by its own count."""

    id: str
    state: str
    mode: str
    phases: list[object]
    added: int
    merged: int
    superseded: int
    retired: int
    kept: int
    lost: int
    usage: dict[str, object]
    diff: str
    created_at: str
    finished_at: str | None


class Redacted(TypedDict):
    """How many rows, log lines, files and backups were cut; left: files of the owner's own that still hold the text."""

    rows: int
    lines: int
    files: int
    backups: int
    memories: list[str]
    left: list[str]
    mark: str


class Snapshot(TypedDict):
    head: int
    sessions: list[Session]
    tasks: list[Task]
    approvals: list[Approval]


class Cost(TypedDict):
    """today, month and every breakdown (of the month) in the same figures."""

    today: Usage
    month: Usage
    budget: dict[str, object]
    by_cause: dict[str, Usage]
    by_model: dict[str, Usage]
    by_task: list[dict[str, object]]
    by_day: list[dict[str, object]]


class Why(TypedDict):
    """story: what happened, a sentence a line. The rows it was told from stand beside it."""

    id: str
    kind: str
    story: list[str]
    signals: list[Signal]
    decision: Decision | None
    task: Task | None
    runs: list[Run]
    approvals: list[Approval]
    effects: list[Sent]
    notifications: list[Notification]
    memories: list[Memory]
    cost: Usage


class Check(TypedDict):
    check: str
    ok: bool
    detail: str
    fix: str


class Remembered(TypedDict):
    id: str
    text: str


class ChatAccepted(TypedDict):
    """cursor: events after it belong to the answer. remembered: what the message made a memory at once."""

    signal: str
    session: str
    task: str | None
    cursor: int
    remembered: list[Remembered]
