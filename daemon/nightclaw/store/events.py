"""The append-only event log. An event is written in the same transaction as the change it tells of."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, delete, func, select

from nightclaw.core.types import JSON, JSONObject
from nightclaw.store.driver import driver
from nightclaw.store.schema import event

_INSERT = "INSERT INTO event (kind, at, task_id, session_id, data) VALUES (?, ?, ?, ?, ?)"


@dataclass(frozen=True, slots=True)
class Event:
    cursor: int
    kind: str
    at: int
    task_id: str | None
    session_id: str | None
    data: JSONObject


def append(
    conn: Connection,
    kind: str,
    at: int,
    data: dict[str, JSON],
    *,
    task: str | None = None,
    session: str | None = None,
) -> int:
    """Add one event and return its cursor; the writer publishes it to the Head after the commit."""
    cursor = driver(conn).execute(_INSERT, (kind, at, task, session, dumps(data))).lastrowid or 0
    conn.info["head"] = max(int(conn.info.get("head", 0)), cursor)
    conn.info.setdefault("kinds", set()).add(kind)
    return cursor


def page(
    conn: Connection,
    after: int,
    limit: int,
    *,
    session: str | None = None,
    kinds: Sequence[str] | None = None,
) -> list[Event]:
    """Events with cursor > after, oldest first, at most `limit`."""
    query = select(event).where(event.c.cursor > after).order_by(event.c.cursor).limit(limit)
    if session is not None:
        query = query.where(event.c.session_id == session)
    if kinds is not None:
        query = query.where(event.c.kind.in_(kinds))
    return [
        Event(r.cursor, r.kind, r.at, r.task_id, r.session_id, json.loads(r.data))
        for r in conn.execute(query)
    ]


def head(conn: Connection) -> int:
    return int(conn.execute(select(func.max(event.c.cursor))).scalar() or 0)


def oldest(conn: Connection) -> int:
    """The smallest cursor still kept, 0 when there is none: an older `after` needs a reset."""
    return int(conn.execute(select(func.min(event.c.cursor))).scalar() or 0)


def prune(conn: Connection, before_at: int, keep_from: int, limit: int = 5000) -> int:
    """Delete up to `limit` events older than `before_at` whose cursor is < keep_from; returns how many."""
    old = (
        select(event.c.cursor)
        .where(event.c.cursor < keep_from, event.c.at < before_at)
        .order_by(event.c.cursor)
        .limit(limit)
    )
    return conn.execute(delete(event).where(event.c.cursor.in_(old))).rowcount


def dumps(value: JSON) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
