"""A session's label: what reached its conversation. It only falls; a new session or `clear` starts at OWNER."""

import json

from sqlalchemy import Connection, select, update

from nightclaw.core.trust import Label, Trust, join
from nightclaw.store import events
from nightclaw.store.schema import session

OWNER = Label(Trust.OWNER)


def label_of(conn: Connection, session_id: str) -> Label:
    row = conn.execute(
        select(session.c.trust, session.c.private, session.c.origins).where(session.c.id == session_id)
    ).first()
    if row is None:
        return OWNER
    return Label(Trust(row.trust), bool(row.private), frozenset(json.loads(row.origins)))


def lower(conn: Connection, session_id: str, label: Label) -> Label:
    """Join a label into the session's; the result."""
    joined = join([label_of(conn, session_id), label])
    conn.execute(
        update(session)
        .where(session.c.id == session_id)
        .values(
            trust=str(joined.trust), private=joined.private, origins=events.dumps(sorted(joined.origins)[:20])
        )
    )
    return joined


def clear(conn: Connection, session_id: str, now: int) -> None:
    """Start the conversation anew: earlier steps are no longer shown to a model, the label is OWNER again."""
    conn.execute(
        update(session)
        .where(session.c.id == session_id)
        .values(trust="OWNER", private=False, origins="[]", cleared_at=now, updated_at=now)
    )


def settings_of(conn: Connection, session_id: str) -> tuple[str | None, str | None, int]:
    """(mode, model, cleared_at) of a session; mode and model None where the config rules."""
    row = conn.execute(
        select(session.c.mode, session.c.model, session.c.cleared_at).where(session.c.id == session_id)
    ).first()
    return (row.mode, row.model, row.cleared_at or 0) if row else (None, None, 0)


def set_modes(conn: Connection, session_id: str, mode: str | None, model: str | None) -> None:
    values = {k: v for k, v in (("mode", mode), ("model", model)) if v is not None}
    if values:
        conn.execute(update(session).where(session.c.id == session_id).values(**values))
