"""Which state may follow which. Every guarded write asks this table; nothing else knows the order of a life."""

from enum import StrEnum


class TaskState(StrEnum):
    PROPOSED = "proposed"
    READY = "ready"
    RUNNING = "running"
    PARKED = "parked"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class RunState(StrEnum):
    RUNNING = "running"
    COMPLETED = "completed"
    PARKED = "parked"
    INTERRUPTED = "interrupted"
    CANCELLED = "cancelled"
    FAILED = "failed"


class CallState(StrEnum):
    REQUESTED = "requested"
    DENIED = "denied"
    WAITING = "waiting"
    APPROVED = "approved"
    RUNNING = "running"
    OK = "ok"
    ERROR = "error"
    UNKNOWN = "unknown"


class ApprovalState(StrEnum):
    PENDING = "pending"
    GRANTED = "granted"
    DENIED = "denied"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"


class EffectState(StrEnum):
    PREPARED = "prepared"
    APPLIED = "applied"
    FAILED = "failed"
    UNKNOWN = "unknown"
    ABANDONED = "abandoned"


class NotificationState(StrEnum):
    """`held`: waits for a digest; `folded`: told inside a digest; `muted`: the owner's mute matched;
    `shadow`: would have been sent; `kept`: no destination is configured, the row and the log have it;
    `unknown`: we died between the send and its settling, told again only inside a later note."""

    QUEUED = "queued"
    SENT = "sent"
    FAILED = "failed"
    HELD = "held"
    FOLDED = "folded"
    MUTED = "muted"
    SHADOW = "shadow"
    KEPT = "kept"
    UNKNOWN = "unknown"


class MemoryState(StrEnum):
    CANDIDATE = "candidate"
    ACTIVE = "active"
    SUPERSEDED = "superseded"
    RETIRED = "retired"


_T, _R, _A, _E, _N = TaskState, RunState, ApprovalState, EffectState, NotificationState
_C, _M = CallState, MemoryState

# By kind first: members of two enums with the same word are equal, so one flat table would mix their lives.
TRANSITIONS: dict[type[StrEnum], dict[StrEnum, frozenset[StrEnum]]] = {
    TaskState: {
        _T.PROPOSED: frozenset({_T.READY, _T.CANCELLED}),
        _T.READY: frozenset({_T.RUNNING, _T.CANCELLED}),
        _T.RUNNING: frozenset({_T.PARKED, _T.DONE, _T.FAILED, _T.CANCELLED, _T.READY}),
        _T.PARKED: frozenset({_T.READY, _T.CANCELLED, _T.FAILED}),
        _T.DONE: frozenset(),
        _T.FAILED: frozenset(),
        _T.CANCELLED: frozenset(),
    },
    RunState: {
        _R.RUNNING: frozenset({_R.COMPLETED, _R.PARKED, _R.INTERRUPTED, _R.CANCELLED, _R.FAILED}),
        _R.COMPLETED: frozenset(),
        _R.PARKED: frozenset(),
        _R.INTERRUPTED: frozenset(),
        _R.CANCELLED: frozenset(),
        _R.FAILED: frozenset(),
    },
    CallState: {
        _C.REQUESTED: frozenset({_C.DENIED, _C.WAITING, _C.RUNNING, _C.ERROR}),
        _C.WAITING: frozenset({_C.APPROVED, _C.DENIED, _C.ERROR}),
        _C.APPROVED: frozenset({_C.RUNNING, _C.ERROR, _C.DENIED}),
        _C.RUNNING: frozenset({_C.OK, _C.ERROR, _C.UNKNOWN, _C.WAITING}),
        _C.DENIED: frozenset(),
        _C.OK: frozenset(),
        _C.ERROR: frozenset(),
        _C.UNKNOWN: frozenset(),
    },
    ApprovalState: {
        _A.PENDING: frozenset({_A.GRANTED, _A.DENIED, _A.EXPIRED, _A.WITHDRAWN}),
        _A.GRANTED: frozenset(),
        _A.DENIED: frozenset(),
        _A.EXPIRED: frozenset(),
        _A.WITHDRAWN: frozenset(),
    },
    EffectState: {
        _E.PREPARED: frozenset({_E.APPLIED, _E.FAILED, _E.UNKNOWN}),
        _E.UNKNOWN: frozenset({_E.APPLIED, _E.FAILED, _E.ABANDONED}),
        _E.APPLIED: frozenset(),
        _E.FAILED: frozenset(),
        _E.ABANDONED: frozenset(),
    },
    NotificationState: {
        _N.QUEUED: frozenset({_N.SENT, _N.FAILED, _N.HELD, _N.MUTED, _N.SHADOW, _N.KEPT, _N.UNKNOWN}),
        _N.HELD: frozenset({_N.FOLDED, _N.QUEUED, _N.MUTED}),
        _N.UNKNOWN: frozenset({_N.FOLDED}),
        _N.SENT: frozenset(),
        _N.FAILED: frozenset({_N.FOLDED}),
        _N.FOLDED: frozenset(),
        _N.MUTED: frozenset(),
        _N.SHADOW: frozenset(),
        _N.KEPT: frozenset(),
    },
    MemoryState: {
        _M.CANDIDATE: frozenset({_M.ACTIVE, _M.SUPERSEDED, _M.RETIRED}),
        _M.ACTIVE: frozenset({_M.SUPERSEDED, _M.RETIRED}),
        _M.SUPERSEDED: frozenset({_M.RETIRED}),
        _M.RETIRED: frozenset(),
    },
}

TERMINAL_TASK = frozenset({_T.DONE, _T.FAILED, _T.CANCELLED})
ACTIVE_TASK = frozenset({_T.READY, _T.RUNNING, _T.PARKED})


def may(current: StrEnum, wanted: StrEnum) -> bool:
    """True when the table allows `current` → `wanted`."""
    return type(current) is type(wanted) and wanted in TRANSITIONS[type(current)][current]


def before(wanted: StrEnum) -> list[str]:
    """The states from which `wanted` may be reached: the guard of an UPDATE … WHERE state IN (…)."""
    return [str(s) for s, nexts in TRANSITIONS[type(wanted)].items() if wanted in nexts]
