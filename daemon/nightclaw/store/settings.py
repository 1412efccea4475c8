"""Small durable settings of the daemon itself: epoch, pause, feature overrides, clean-stop mark."""

import json

from sqlalchemy import Connection, delete, select
from sqlalchemy.dialects.sqlite import insert as upsert

from nightclaw.core.types import JSON
from nightclaw.store import events
from nightclaw.store.schema import meta

EPOCH = "epoch"
PAUSED = "paused_at"
CLEAN_STOP = "clean_stop"
FEATURES = "features"
STARTS = "recent_starts"


def get(conn: Connection, key: str) -> JSON:
    found = conn.execute(select(meta.c.value).where(meta.c.key == key)).scalar()
    return json.loads(found) if found is not None else None


def put(conn: Connection, key: str, value: JSON) -> None:
    """Store a setting; None removes it."""
    if value is None:
        conn.execute(delete(meta).where(meta.c.key == key))
        return
    row = upsert(meta).values(key=key, value=events.dumps(value))
    conn.execute(row.on_conflict_do_update(index_elements=["key"], set_={"value": row.excluded.value}))


def next_epoch(conn: Connection) -> int:
    """Count this start of the daemon; runs carry it."""
    held = get(conn, EPOCH)
    epoch = (held if isinstance(held, int) else 0) + 1
    put(conn, EPOCH, epoch)
    return epoch
