"""The event stream as it goes over the wire: one envelope, durable kinds with a cursor, ephemeral ones without.

A frame is `{"cursor", "kind", "at", "task", "session", "data"}`. A client keeps the newest cursor it saw and asks for
what comes after it; a frame without a cursor is gone once sent. Imports nothing, so a client pays nothing for it.
"""

KINDS = (
    "signal.received",
    "decision.made",
    "task.created",
    "task.started",
    "task.parked",
    "task.finished",
    "turn.started",
    "turn.finished",
    "step.saved",
    "tool.started",
    "tool.finished",
    "approval.requested",
    "approval.resolved",
    "memory.added",
    "memory.confirmed",
    "memory.superseded",
    "memory.retired",
    "memory.moved",
    "memory.imported",
    "memory.redacted",
    "dream.started",
    "dream.finished",
    "notification.queued",
    "notification.sent",
    "budget.reached",
    "daemon.started",
    "daemon.stopping",
)
EPHEMERAL = ("text.delta", "thinking.delta")

RESET = "reset"
"""Sent first when a cursor cannot be honoured; its `cursor` is where the stream goes on, `data.reason` says why."""

NDJSON = "application/x-ndjson"
SSE = "text/event-stream"
KEEP_ALIVE_S = 15.0
"""A quiet stream sends an empty line (NDJSON) or a comment (SSE) this often."""

PAGE_LIMIT = 1000

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypedDict
else:
    TypedDict = (
        object  # the checker reads shapes; at run time a shape is a bare class, so that no import is paid
    )


class Frame(TypedDict):
    """One line of the stream; an ephemeral frame has no `cursor`."""

    cursor: int
    kind: str
    at: str
    task: str | None
    session: str | None
    data: dict[str, object]
