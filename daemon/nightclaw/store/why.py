"""Why something happened, or did not: answered from rows alone, without a model, for any id the daemon hands out.

`why` follows the rows from the one asked about in both directions (what came in, who judged it, what followed) and
tells them in sentences, with the rows beside. It reads by index only, and all text it answers is plain.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import tzinfo

from sqlalchemy import ColumnElement, Connection, RowMapping, Table, desc, func, or_, select

from nightclaw.core.errors import NotFound
from nightclaw.core.ids import kind_of
from nightclaw.protocol.messages import iso_or_none
from nightclaw.store import lists, memory_lists, settings, shapes, story, tallies, why_memory
from nightclaw.store.memories import Memory
from nightclaw.store.schema import (
    approval,
    decision,
    effect,
    inbox,
    notification,
    run,
    schedule,
    session,
    signal,
    step,
    task,
)

MOST = 20
_AN_ID = re.compile(r"\b(?:sig|dec|tsk|apr|run|sch)_[0-9A-HJKMNP-TV-Z]{26}\b")


@dataclass(slots=True)
class Trail:
    """The rows that belong together. about: the row asked for, with its noun."""

    about: RowMapping
    noun: str
    signals: list[RowMapping] = field(default_factory=list)
    signal_count: int = 0
    decision: RowMapping | None = None
    task: RowMapping | None = None
    runs: list[RowMapping] = field(default_factory=list)
    steps: Mapping[str, int] = field(default_factory=dict)
    approvals: list[RowMapping] = field(default_factory=list)
    effects: list[RowMapping] = field(default_factory=list)
    memories: list[Memory] = field(default_factory=list[Memory])
    """what its model was reminded of"""
    notifications: list[RowMapping] = field(default_factory=list)
    family: list[RowMapping] = field(default_factory=list)
    """tasks of a session, or the last signals of a schedule, newest first"""


def why(conn: Connection, row_id: str, *, now: int, tz: tzinfo) -> dict[str, object]:
    """The story of one row and the rows it is told from (shape `protocol.messages.Why`). Raises NotFound."""
    noun = kind_of(row_id) or "session"
    paused = settings.get(conn, settings.PAUSED)
    teller = story.Teller(now=now, tz=tz, paused_at=paused if isinstance(paused, int) else None)
    if noun in _REMEMBERED:
        return _REMEMBERED[noun](conn, row_id, teller)
    follow = _FOLLOW.get(noun)
    if follow is None or (noun == "session" and _maybe(conn, session, row_id) is None):
        raise NotFound(
            f"nothing is known as {shapes.plain(row_id, 60)}",
            "ask for an id that `clawctl signals`, `decisions`, `tasks`, `notifications` or `memory list` shows",
        )
    trail = follow(conn, row_id)
    return {
        "id": row_id,
        "kind": noun,
        "story": [shapes.plain(line, 600) for line in story.tell(teller, trail)],
        **_clean(_rows(trail)),
    }


def _rows(t: Trail) -> dict[str, object]:
    decided = None
    if t.decision is not None:
        decided = shapes.decision(t.decision, [r["id"] for r in t.signals])
    parts = [shapes.figures(r["usage"]) for r in (t.decision, t.task) if r is not None]
    rows: dict[str, object] = {
        "signals": [shapes.signal(r) for r in t.signals],
        "decision": decided,
        "task": shapes.task(t.task) if t.task is not None else None,
        "runs": [shapes.run(r, t.steps.get(r["id"], 0)) for r in t.runs],
        "approvals": [shapes.approval(r) for r in t.approvals],
        "effects": [shapes.sent(r) for r in t.effects],
        "memories": [memory_lists.shape(m) for m in t.memories],
        "notifications": [shapes.notification(r) for r in t.notifications],
        "cost": tallies.add_up(tallies.usage_of(p) for p in parts),
    }
    if t.noun == "schedule":
        rows["schedule"] = shapes.schedule(t.about)
        rows["signals"] = [shapes.signal(r) for r in t.family]
    if t.noun == "session":
        rows["tasks"] = [shapes.task(r) for r in t.family]
    if t.noun == "effect":
        rows["effect"] = {
            **shapes.sent(t.about),
            "error": t.about["error"],
            "attempts": t.about["attempts"],
            "object_id": t.about["object_id"],
            "settled_at": iso_or_none(t.about["settled_at"]),
        }
    return rows


def _clean(value: object) -> dict[str, object]:
    cleaned = _cleaned(value)
    assert isinstance(cleaned, dict)
    return cleaned


def _cleaned(value: object) -> object:
    """The same JSON with every text made plain; long texts are clipped."""
    if isinstance(value, str):
        return shapes.plain(value, 2000)
    if isinstance(value, Mapping):
        return {shapes.plain(str(k), 100): _cleaned(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_cleaned(v) for v in value]
    return value


# From the row asked for to its trail


def _from_signal(conn: Connection, row_id: str) -> Trail:
    found = lists.one(conn, signal, row_id)
    trail = Trail(found, "signal", signals=[found], signal_count=1)
    if found["decision_id"]:
        _add_decision(conn, trail, found["decision_id"])
    return trail


def _from_decision(conn: Connection, row_id: str) -> Trail:
    trail = Trail(lists.one(conn, decision, row_id), "decision")
    _add_decision(conn, trail, row_id)
    return trail


def _from_task(conn: Connection, row_id: str) -> Trail:
    found = lists.one(conn, task, row_id)
    trail = Trail(found, "task")
    _add_task(conn, trail, found)
    if found["decision_id"]:
        _add_decision(conn, trail, found["decision_id"])
    else:
        asked = select(inbox.c.from_signal).where(inbox.c.task_id == row_id, inbox.c.from_signal.is_not(None))
        first = conn.execute(asked.order_by(inbox.c.seq).limit(1)).scalar()
        source = _maybe(conn, signal, first)
        if source is not None:
            trail.signals, trail.signal_count = [source], 1
            if source["decision_id"]:
                _add_decision(conn, trail, source["decision_id"])
    _add_notes(conn, trail)
    return trail


def _from_part_of_task(table: Table, noun: str) -> Callable[[Connection, str], Trail]:
    def follow(conn: Connection, row_id: str) -> Trail:
        found = lists.one(conn, table, row_id)
        if found["task_id"] and _maybe(conn, task, found["task_id"]) is not None:
            trail = _from_task(conn, found["task_id"])
            trail.about, trail.noun = found, noun
        else:
            trail = Trail(found, noun)
        return trail

    return follow


def _from_notification(conn: Connection, row_id: str) -> Trail:
    found = lists.one(conn, notification, row_id)
    named = _AN_ID.search(found["dedupe_key"])
    if found["decision_id"] and _maybe(conn, decision, found["decision_id"]) is not None:
        trail = _from_decision(conn, found["decision_id"])
    elif named and (follow := _FOLLOW.get(kind_of(named.group()) or "")) and _exists(conn, named.group()):
        trail = follow(conn, named.group())
    else:
        trail = Trail(found, "notification")
    trail.about, trail.noun, trail.notifications = found, "notification", [found]
    query = select(effect).where(effect.c.idem_key > f"{row_id}:", effect.c.idem_key < f"{row_id};")
    trail.effects = list(conn.execute(query.order_by(effect.c.created_at).limit(MOST)).mappings())
    return trail


def _from_schedule(conn: Connection, row_id: str) -> Trail:
    trail = Trail(lists.one(conn, schedule, row_id), "schedule")
    fired = select(signal).where(
        signal.c.source == "schedule", signal.c.dedupe_key > f"{row_id}:", signal.c.dedupe_key < f"{row_id};"
    )
    trail.family = list(conn.execute(fired.order_by(desc(signal.c.dedupe_key)).limit(5)).mappings())
    if trail.family and trail.family[0]["decision_id"]:
        trail.signals, trail.signal_count = [trail.family[0]], 1
        _add_decision(conn, trail, trail.family[0]["decision_id"])
    return trail


def _from_session(conn: Connection, row_id: str) -> Trail:
    trail = Trail(lists.one(conn, session, row_id), "session")
    query = select(task).where(task.c.session_id == row_id).order_by(desc(task.c.id)).limit(MOST)
    trail.family = list(conn.execute(query).mappings())
    return trail


def _from_step(conn: Connection, row_id: str) -> Trail:
    trail = _from_task(conn, lists.one(conn, step, row_id)["task_id"])
    trail.about, trail.noun = lists.one(conn, step, row_id), "step"
    return trail


_REMEMBERED = {"memory": why_memory.why_memory, "dream": why_memory.why_dream}
_FOLLOW: dict[str, Callable[[Connection, str], Trail]] = {
    "signal": _from_signal,
    "decision": _from_decision,
    "task": _from_task,
    "run": _from_part_of_task(run, "run"),
    "step": _from_step,
    "approval": _from_part_of_task(approval, "approval"),
    "effect": _from_part_of_task(effect, "effect"),
    "notification": _from_notification,
    "schedule": _from_schedule,
    "session": _from_session,
}


# What belongs to it


def _maybe(conn: Connection, table: Table, row_id: object) -> RowMapping | None:
    return conn.execute(select(table).where(table.c.id == row_id)).mappings().first() if row_id else None


def _exists(conn: Connection, row_id: str) -> bool:
    tables = {"signal": signal, "decision": decision, "task": task, "approval": approval, "run": run}
    table = tables.get(kind_of(row_id) or "", schedule)
    return _maybe(conn, table, row_id) is not None


def _add_decision(conn: Connection, trail: Trail, decision_id: str) -> None:
    """The decision, the signals it closed, the task and the notes that followed."""
    trail.decision = _maybe(conn, decision, decision_id)
    if trail.decision is None:
        return
    query = select(signal).where(signal.c.decision_id == decision_id).limit(lists.SIGNALS_SHOWN)
    closed = sorted(conn.execute(query).mappings(), key=lambda r: str(r["id"]))
    trail.signal_count = len(closed)
    if trail.noun == "signal":
        closed.sort(key=lambda r: r["id"] != trail.about["id"])
    trail.signals = closed[:MOST]
    if trail.task is None and (found := _maybe(conn, task, trail.decision["task_id"])) is not None:
        _add_task(conn, trail, found)
    _add_notes(conn, trail)


def _add_task(conn: Connection, trail: Trail, found: RowMapping) -> None:
    trail.task = found
    trail.runs = list(
        conn.execute(select(run).where(run.c.task_id == found["id"]).order_by(run.c.attempt)).mappings()
    )
    trail.steps = {r["id"]: r["steps"] for r in lists.runs_of(conn, found["id"])}
    asked = select(approval).where(
        approval.c.created_at >= found["created_at"], approval.c.task_id == found["id"]
    )
    trail.approvals = list(conn.execute(asked.order_by(approval.c.id).limit(MOST)).mappings())
    done = select(effect).where(effect.c.created_at >= found["created_at"], effect.c.task_id == found["id"])
    trail.effects = list(conn.execute(done.order_by(effect.c.created_at).limit(MOST)).mappings())
    trail.memories = why_memory.reminded_of(conn, str(found["id"]))[:MOST]


def _add_notes(conn: Connection, trail: Trail) -> None:
    """The note a decision names (maybe an older one, already told), and those made for it or its task since."""
    found: dict[str, RowMapping] = {r["id"]: r for r in trail.notifications}
    d, t = trail.decision, trail.task
    if d is not None and (named := _maybe(conn, notification, d["notification_id"])) is not None:
        found[named["id"]] = named
    since = min(r["created_at"] for r in (d, t) if r is not None) if d is not None or t is not None else None
    about: list[ColumnElement[bool]] = []
    if d is not None:
        about.append(notification.c.decision_id == d["id"])
    if t is not None:
        about.append(func.instr(notification.c.dedupe_key, t["id"]) > 0)
    if since is not None:
        query = select(notification).where(notification.c.created_at >= since, or_(*about))
        for r in conn.execute(query.order_by(notification.c.created_at).limit(MOST)).mappings():
            found[r["id"]] = r
    trail.notifications = list(found.values())
