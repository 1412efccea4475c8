"""The event log as encoded frames, for clients that follow it: read by cursor, bounded in rows and bytes."""

import json
from dataclasses import dataclass

from sqlalchemy import Connection, select

from nightclaw.protocol.messages import iso
from nightclaw.store import events
from nightclaw.store.schema import event


@dataclass(frozen=True, slots=True)
class EventPage:
    """frames: (cursor, one JSON object), oldest first. upto: all there is to tell of up to this cursor is in here."""

    frames: list[tuple[int, bytes]]
    upto: int


@dataclass(frozen=True, slots=True)
class Kept:
    """Which cursors can be honoured: events after `floor` are all there, `head` is the newest."""

    floor: int
    head: int


def kept(conn: Connection) -> Kept:
    head = events.head(conn)
    oldest = events.oldest(conn)
    return Kept(floor=oldest - 1 if oldest else head, head=head)


def page(conn: Connection, after: int, limit: int, most_bytes: int, session: str | None = None) -> EventPage:
    """The next events: at most `limit`, and no further one once they have `most_bytes`."""
    head = events.head(conn)
    query = select(event).where(event.c.cursor > after).order_by(event.c.cursor).limit(limit)
    if session is not None:
        query = query.where(event.c.session_id == session)
    frames: list[tuple[int, bytes]] = []
    size = 0
    rows = conn.execute(query)
    for r in rows:
        frame = _frame(r.cursor, r.kind, r.at, r.task_id, r.session_id, r.data)
        frames.append((r.cursor, frame))
        size += len(frame)
        if size >= most_bytes:
            rows.close()
            return EventPage(frames, r.cursor)
    full = len(frames) == limit
    return EventPage(frames, frames[-1][0] if full and frames else max(head, after))


def _frame(cursor: int, kind: str, at: int, task: str | None, session: str | None, data: str) -> bytes:
    """The envelope around data that is JSON already."""
    head = json.dumps(
        {"cursor": cursor, "kind": kind, "at": iso(at), "task": task, "session": session},
        separators=(",", ":"),
        ensure_ascii=False,
    )
    return f'{head[:-1]},"data":{data}}}'.encode()
