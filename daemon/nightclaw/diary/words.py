"""One line of the daily log for one event: a verb, what it was about, and the id to ask `clawctl why` about.

KINDS is all that the log tells of. Text from outside is escaped, so that a line stays one line of Markdown.
"""

from collections.abc import Callable

from nightclaw.core.plain import one_line
from nightclaw.store.diary import Entry

_TITLE, _TEXT = 160, 240


def told(e: Entry) -> str | None:
    """What the line says after the time, None when the event is not worth one."""
    words = KINDS[e.kind](e)
    if words is None:
        return None
    about = next(
        (str(e.data[k]) for k in ("decision", "approval", "notification", "dream", "task") if e.data.get(k)),
        "",
    )
    return f"{words} · {about}" if about else words


def _shown(value: object, limit: int = _TITLE) -> str:
    """A text as part of one Markdown line: nothing in it can open a tag, a comment, a link or code."""
    text = one_line(str(value or ""), limit)
    for char in ("\\", "<", "[", "]", "`"):
        text = text.replace(char, "\\" + char)
    return text


def _decision(e: Entry) -> str:
    if e.is_chat:
        return f"you said: {_shown(e.title, _TEXT)}"
    done = {"record": "noted", "notify": "worth telling", "propose": "proposed", "act": "took up"}
    words = done.get(str(e.data.get("verdict")), "decided")
    prefix = "shadow, would have: " if e.data.get("shadow") else ""
    more = f" and {e.more} more" if e.more else ""
    reason = _shown(e.data.get("reason"))
    return f"{prefix}{words}: {_shown(e.title)}{more}" + (f" ({reason})" if reason else "")


def _task_created(e: Entry) -> str | None:
    return None if e.is_chat else f"task {_shown(e.data.get('state'))}: {_shown(e.data.get('goal'))}"


def _task_started(e: Entry) -> str | None:
    return None if e.is_chat else f"began: {_shown(e.title)}"


def _task_parked(e: Entry) -> str | None:
    return f"waits for {_shown(e.data.get('parked_on'))}: {_shown(e.title)}"


def _task_finished(e: Entry) -> str | None:
    if e.is_chat:
        return None
    result = _shown(e.data.get("result"), _TEXT)
    return f"{_shown(e.data.get('state'))}: {_shown(e.title)}" + (f": {result}" if result else "")


def _turn_finished(e: Entry) -> str | None:
    if not e.is_chat:
        return None
    return f"answered: {_shown(e.data.get('text'), _TEXT)}"


def _approval_requested(e: Entry) -> str:
    facts = e.data.get("facts")
    said = (
        "; ".join(f"{k}: {v}" for k, v in facts.items() if isinstance(v, str))
        if isinstance(facts, dict)
        else ""
    )
    return f"asks you ({_shown(e.data.get('kind'))}): {_shown(said or e.title, _TEXT)}"


def _approval_resolved(e: Entry) -> str:
    note = _shown(e.data.get("note"))
    return f"{_shown(e.data.get('state'))} by {_shown(e.data.get('by'))}" + (f": {note}" if note else "")


def _note_queued(e: Entry) -> str:
    reason = _shown(e.data.get("reason"))
    body = _shown(e.data.get("body"), _TEXT)
    return (
        f"note: {_shown(e.data.get('title'))}"
        + (f": {body}" if body else "")
        + (f" ({reason})" if reason else "")
    )


def _note_sent(e: Entry) -> str:
    to = e.data.get("to")
    names = ", ".join(str(t) for t in to) if isinstance(to, list) else "you"
    return f"sent to {_shown(names)}: {_shown(e.data.get('title'))}"


def _redacted(e: Entry) -> str:
    found = [(k, e.data.get(k)) for k in ("rows", "lines", "files", "backups")]
    counts = ", ".join(f"{n} {k.removesuffix('s') if n == 1 else k}" for k, n in found if n)
    return f"you had a text redacted: {counts or 'it was nowhere'}"


def _dreamt(e: Entry) -> str | None:
    """A dream that changed something, asks something, or was taken back."""
    state = e.data.get("state")
    if state == "undone":
        return "you took back a dream"
    if state == "asks":
        return f"a dream stopped to ask you: {_shown(e.data.get('why'), _TEXT)}"
    kinds = ("added", "merged", "superseded", "retired", "promoted")
    counts = ", ".join(f"{e.data.get(k)} {k}" for k in kinds if e.data.get(k))
    return f"dreamt: {counts}" if state == "finished" and counts else None


def _started(e: Entry) -> str:
    unclean = "" if e.data.get("clean", True) else " after an unclean stop"
    requeued = e.data.get("requeued")
    return f"Nightclaw started{unclean}" + (f", {requeued} tasks taken up again" if requeued else "")


def _stopping(e: Entry) -> str:
    return "Nightclaw stops"


KINDS: dict[str, Callable[[Entry], str | None]] = {
    "decision.made": _decision,
    "task.created": _task_created,
    "task.started": _task_started,
    "task.parked": _task_parked,
    "task.finished": _task_finished,
    "turn.finished": _turn_finished,
    "approval.requested": _approval_requested,
    "approval.resolved": _approval_resolved,
    "notification.queued": _note_queued,
    "notification.sent": _note_sent,
    "memory.redacted": _redacted,
    "dream.finished": _dreamt,
    "daemon.started": _started,
    "daemon.stopping": _stopping,
}
