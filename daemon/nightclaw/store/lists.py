"""What the owner may look at: pages of every noun, newest first, and single rows in full.

A page walks an index and stops: it costs the same in a home of a million rows. `after` is the last id of the page
before; ids sort by time, so a page never repeats or skips a row because new ones arrived.
"""

from collections.abc import Callable
from typing import TypedDict, TypeVar

from sqlalchemy import ColumnElement, Connection, RowMapping, Table, desc, select, tuple_

from nightclaw.core.errors import NotFound
from nightclaw.core.states import ACTIVE_TASK, ApprovalState, EffectState, TaskState
from nightclaw.protocol import messages as wire
from nightclaw.protocol.messages import iso
from nightclaw.store import events, runs, shapes
from nightclaw.store.schema import (
    approval,
    decision,
    effect,
    event,
    inbox,
    mute,
    notification,
    run,
    schedule,
    session,
    signal,
    step,
    task,
    watch,
)

T = TypeVar("T")

SIGNALS_SHOWN = 200
TRANSCRIPT_STEPS = 200
_SIGNAL = [c for c in signal.c if c.name not in ("payload", "attrs")]


class Page(TypedDict):
    items: list[object]
    next: str | None


def _page(
    conn: Connection,
    table: Table,
    after: str | None,
    limit: int,
    shape: Callable[[RowMapping], object],
    *where: ColumnElement[bool],
    columns: list[ColumnElement[object]] | None = None,
) -> Page:
    query = select(*columns) if columns else select(table)
    query = query.where(*where).order_by(desc(table.c.id)).limit(limit + 1)
    if after is not None:
        query = query.where(table.c.id < after)
    rows = conn.execute(query).mappings().all()
    shown = rows[:limit]
    return {"items": [shape(r) for r in shown], "next": shown[-1]["id"] if len(rows) > limit else None}


def signals(conn: Connection, after: str | None, limit: int) -> Page:
    return _page(conn, signal, after, limit, shapes.signal, columns=list(_SIGNAL))


def signal_ids_of(conn: Connection, decision_id: str) -> list[str]:
    """The signals a decision closed, oldest first, at most SIGNALS_SHOWN."""
    query = select(signal.c.id).where(signal.c.decision_id == decision_id).limit(SIGNALS_SHOWN)
    return sorted(str(i) for i in conn.execute(query).scalars())


def decisions(conn: Connection, after: str | None, limit: int) -> Page:
    return _page(
        conn, decision, after, limit, lambda r: shapes.decision(r, signal_ids_of(conn, str(r["id"])))
    )


def tasks(
    conn: Connection, after: str | None, limit: int, state: str | None = None, session_id: str | None = None
) -> Page:
    where = [task.c.state == state] if state else []
    if session_id:
        where.append(task.c.session_id == session_id)
    return _page(conn, task, after, limit, shapes.task, *where)


def approvals(conn: Connection, after: str | None, limit: int, state: str | None = None) -> Page:
    where = [approval.c.state == state] if state else []
    return _page(conn, approval, after, limit, shapes.approval, *where)


def notifications(conn: Connection, after: str | None, limit: int, state: str | None = None) -> Page:
    where = [notification.c.state == state] if state else []
    return _page(conn, notification, after, limit, shapes.notification, *where)


def schedules(conn: Connection, after: str | None, limit: int) -> Page:
    return _page(conn, schedule, after, limit, shapes.schedule)


def watches(conn: Connection, after: str | None, limit: int) -> Page:
    return _page(conn, watch, after, limit, shapes.watch)


def sent(conn: Connection, after: str | None, limit: int) -> Page:
    """Effects that reached the world, or may have."""
    left = effect.c.state.in_([str(EffectState.APPLIED), str(EffectState.UNKNOWN)])
    return _page(conn, effect, after, limit, shapes.sent, left)


def sessions(conn: Connection, after: str | None, limit: int) -> Page:
    """Conversations, the one that moved last first."""
    query = select(session).order_by(desc(session.c.updated_at), desc(session.c.id)).limit(limit + 1)
    if after is not None:
        last = select(session.c.updated_at).where(session.c.id == after).scalar_subquery()
        query = query.where(tuple_(session.c.updated_at, session.c.id) < tuple_(last, after))
    rows = conn.execute(query).mappings().all()
    shown = rows[:limit]
    return {
        "items": [shapes.session(r) for r in shown],
        "next": shown[-1]["id"] if len(rows) > limit else None,
    }


def mutes(conn: Connection, now: int) -> Page:
    rows = conn.execute(
        select(mute).where(mute.c.until_at > now).order_by(desc(mute.c.created_at))
    ).mappings()
    items: list[object] = [
        {"what": r["what"], "until_at": iso(r["until_at"]), "created_at": iso(r["created_at"])} for r in rows
    ]
    return {"items": items, "next": None}


def one(conn: Connection, table: Table, row_id: str) -> RowMapping:
    """The row with this id. Raises NotFound."""
    row = conn.execute(select(table).where(table.c.id == row_id)).mappings().first()
    if row is None:
        raise missing(table.name, row_id)
    return row


def missing(noun: str, row_id: str) -> NotFound:
    return NotFound(f"there is no {noun} {shapes.plain(row_id, 60)}", f"GET /v1/{_plural(noun)} lists them")


def _plural(noun: str) -> str:
    return f"{noun}es" if noun == "watch" else f"{noun}s"


def task_by_id(conn: Connection, task_id: str) -> wire.Task:
    return shapes.task(one(conn, task, task_id))


def task_in_full(conn: Connection, task_id: str) -> dict[str, object]:
    """The task with its runs, the questions it asked and the messages it has not read. Raises NotFound."""
    unread = (
        conn.execute(
            select(inbox).where(inbox.c.task_id == task_id, inbox.c.read_at.is_(None)).order_by(inbox.c.seq)
        )
        .mappings()
        .all()
    )
    asked = conn.execute(
        select(approval).where(approval.c.task_id == task_id).order_by(approval.c.id)
    ).mappings()
    return {
        **task_by_id(conn, task_id),
        "runs": runs_of(conn, task_id),
        "approvals": [shapes.approval(r) for r in asked],
        "inbox": [{"text": r["content"], "at": iso(r["created_at"])} for r in unread],
    }


def runs_of(conn: Connection, task_id: str) -> list[wire.Run]:
    rows = conn.execute(select(run).where(run.c.task_id == task_id).order_by(run.c.attempt)).mappings().all()
    counts: dict[str, int] = {}
    for run_id in conn.execute(select(step.c.run_id).where(step.c.task_id == task_id)).scalars():
        counts[str(run_id)] = counts.get(str(run_id), 0) + 1
    return [shapes.run(r, counts.get(r["id"], 0)) for r in rows]


def approval_by_id(conn: Connection, approval_id: str) -> wire.Approval:
    return shapes.approval(one(conn, approval, approval_id))


def notification_by_id(conn: Connection, notification_id: str) -> wire.Notification:
    return shapes.notification(one(conn, notification, notification_id))


def schedule_by_id(conn: Connection, ref: str) -> dict[str, object]:
    """By id or name. Raises NotFound."""
    return shapes.schedule(_named(conn, schedule, ref))


def watch_by_id(conn: Connection, ref: str) -> dict[str, object]:
    return shapes.watch(_named(conn, watch, ref))


def _named(conn: Connection, table: Table, ref: str) -> RowMapping:
    for column in (table.c.id, table.c.name):
        row = conn.execute(select(table).where(column == ref)).mappings().first()
        if row is not None:
            return row
    raise missing(table.name, ref)


def rename_session(conn: Connection, session_id: str, title: str, now: int) -> wire.Session:
    """Give a conversation another title. Raises NotFound."""
    conn.execute(session.update().where(session.c.id == session_id).values(title=title, updated_at=now))
    return shapes.session(one(conn, session, session_id))


def transcript(conn: Connection, session_id: str) -> wire.Transcript:
    """A conversation: what was said and answered, oldest first, then what waits unread. Raises NotFound."""
    row = one(conn, session, session_id)
    told = _cursors(conn, session_id)
    entries: list[tuple[bool, int, int, wire.Said]] = []
    for s in runs.transcript(conn, session_id, TRANSCRIPT_STEPS):
        if text := _text_of(s.response):
            entry: wire.Said = {
                "role": "assistant",
                "text": text,
                "at": iso(s.created_at),
                "task": s.task_id,
                "cursor": told.get(s.id),
            }
            entries.append((False, s.created_at, 1, entry))
    messages = conn.execute(
        select(inbox)
        .join(task, task.c.id == inbox.c.task_id)
        .where(task.c.session_id == session_id)
        .order_by(desc(inbox.c.created_at), desc(inbox.c.seq))
        .limit(TRANSCRIPT_STEPS)
    ).mappings()
    for r in messages:
        heard = r["read_at"] is not None
        entry = {
            "role": "user",
            "text": r["content"],
            "at": iso(r["created_at"]),
            "task": r["task_id"],
            "cursor": told.get(str(r["from_signal"])),
        }
        entries.append((not heard, min(r["created_at"], r["read_at"] or r["created_at"]), 0, entry))
    said = [e[3] for e in sorted(entries, key=lambda e: e[:3])]
    newest = conn.execute(
        select(task).where(task.c.session_id == session_id).order_by(desc(task.c.id)).limit(20)
    ).mappings()
    return {**shapes.session(row), "tasks": [shapes.task(r) for r in newest], "transcript": said}


def _cursors(conn: Connection, session_id: str) -> dict[str, int]:
    """Which event told of each recent step and message of a session."""
    rows = conn.execute(
        select(event.c.cursor, event.c.kind, event.c.data)
        .where(event.c.session_id == session_id, event.c.kind.in_(("step.saved", "signal.received")))
        .order_by(desc(event.c.cursor))
        .limit(4 * TRANSCRIPT_STEPS)
    )
    found: dict[str, int] = {}
    for r in rows:
        data = shapes.decoded(r.data)
        if isinstance(data, dict):
            found[str(data.get("step") or data.get("signal"))] = r.cursor
    return found


def _text_of(blocks: object) -> str:
    """The words in content blocks (a list of Anthropic's blocks, or plain text)."""
    if isinstance(blocks, str):
        return blocks
    parts: list[str] = []
    for block in blocks if isinstance(blocks, list) else []:
        if isinstance(block, str):
            parts.append(block)
        elif isinstance(block, dict):
            inner = block.get("text") if block.get("type") in (None, "text") else None
            parts.append(inner if isinstance(inner, str) else _text_of(block.get("content")))
    return "\n\n".join(p for p in parts if p)


def snapshot(conn: Connection, limit: int) -> wire.Snapshot:
    """What is open now and the event head, of one moment: the ground a client stands on before it follows."""
    states = [str(s) for s in (*ACTIVE_TASK, TaskState.PROPOSED)]
    open_tasks = (
        conn.execute(select(task).where(task.c.state.in_(states)).order_by(desc(task.c.id)).limit(limit))
        .mappings()
        .all()
    )
    recent = conn.execute(select(session).order_by(desc(session.c.updated_at)).limit(50)).mappings()
    open_sessions = {r["id"]: shapes.session(r) for r in recent}
    for r in open_tasks:
        if r["session_id"] not in open_sessions:
            open_sessions[r["session_id"]] = shapes.session(one(conn, session, r["session_id"]))
    asked = conn.execute(
        select(approval)
        .where(approval.c.state == str(ApprovalState.PENDING))
        .order_by(desc(approval.c.id))
        .limit(limit)
    ).mappings()
    return {
        "head": events.head(conn),
        "sessions": list(open_sessions.values()),
        "tasks": [shapes.task(r) for r in open_tasks],
        "approvals": [shapes.approval(r) for r in asked],
    }
