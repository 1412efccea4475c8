"""What probes and checks last answered, so that a change is told once and silence costs nothing."""

import json
from dataclasses import dataclass

from sqlalchemy import Connection, delete, select
from sqlalchemy.dialects.sqlite import insert as upsert

from nightclaw.core.types import JSON
from nightclaw.store import events
from nightclaw.store.schema import fact


@dataclass(frozen=True, slots=True)
class Fact:
    key: str
    value: JSON
    since: int


def get(conn: Connection, key: str) -> Fact | None:
    row = conn.execute(select(fact).where(fact.c.key == key)).first()
    return Fact(row.key, json.loads(row.value), row.since) if row else None


def starting_with(conn: Connection, prefix: str) -> dict[str, Fact]:
    rows = conn.execute(select(fact).where(fact.c.key.startswith(prefix, autoescape=True)))
    return {r.key: Fact(r.key, json.loads(r.value), r.since) for r in rows}


def put(conn: Connection, key: str, value: JSON, now: int) -> bool:
    """Store the answer; None forgets it. True when it differs from what was there."""
    held = get(conn, key)
    if value is None:
        conn.execute(delete(fact).where(fact.c.key == key))
        return held is not None
    if held is not None and held.value == value:
        return False
    row = upsert(fact).values(key=key, value=events.dumps(value), since=now)
    conn.execute(
        row.on_conflict_do_update(index_elements=["key"], set_={"value": row.excluded.value, "since": now})
    )
    return True
