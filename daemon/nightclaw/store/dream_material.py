"""What a dream reads: each look goes by an index and has a limit, so it costs what is new and not what is there."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy import Connection

from nightclaw.core.states import MemoryState
from nightclaw.store import events, memories, observations
from nightclaw.store.memories import Memory
from nightclaw.store.observations import Observation

T = TypeVar("T")

KNOWN = (MemoryState.CANDIDATE, MemoryState.ACTIVE, MemoryState.SUPERSEDED)
_IN_ONE = 300  # values of one IN list
_PAST = 5000  # rows of one look at what is related


@dataclass(frozen=True, slots=True)
class Material:
    """What is new after a cursor. until: the cursor up to which it was read. claimed: observations that
    memories rest on already, with the texts of those."""

    until: int
    memories: list[Memory]
    observations: list[Observation]
    claimed: dict[int, list[str]]


def new_since(conn: Connection, after: int, enough: int) -> int:
    """How many observations and memories came after the cursor `after`, counted up to `enough`."""
    query = """
SELECT (SELECT count(*) FROM (SELECT 1 FROM observation WHERE cursor > ? LIMIT ?))
     + (SELECT count(*) FROM (SELECT 1 FROM memory_source s JOIN memory m ON m.id = s.memory_id
        WHERE s.cursor > ? AND m.made_by <> 'dream'
        AND s.cursor NOT IN (SELECT cursor FROM observation WHERE cursor > ?) LIMIT ?))"""
    row = conn.exec_driver_sql(query, (after, enough, after, after, enough)).fetchone()
    return int(row[0]) if row else 0


def material(conn: Connection, after: int, limit: int) -> Material:
    """What is new after the cursor `after`, oldest first: at most `limit` observations and as many memories."""
    until = events.head(conn)
    said = observations.since(conn, after, limit)
    query = """
SELECT s.memory_id, max(s.cursor) AS c FROM memory_source s WHERE s.cursor > ? AND s.cursor <= ?
GROUP BY s.memory_id ORDER BY c LIMIT ?"""
    if len(said) == limit:
        until = said[-1].cursor
    rows = conn.exec_driver_sql(query, (after, until, limit)).fetchall()
    if len(rows) == limit:
        until = int(rows[-1][1])
        said = [o for o in said if o.cursor <= until]
    found = by_ids(conn, [str(r[0]) for r in rows])
    claimed = observations.claims(conn, [o.cursor for o in said])
    fresh = [m for m in found if m.made_by != "dream" and m.state in KNOWN]
    return Material(until, fresh, said, claimed)


def by_ids(conn: Connection, ids: Sequence[str]) -> list[Memory]:
    return [m for part in parts(ids) for m in memories.matching(conn, f"id IN ({marks(part)})", part)]


def related(conn: Connection, keys: Iterable[str], sketches: Iterable[int]) -> list[Memory]:
    """Rows in KNOWN states about one of these keys, or that may say what one of these sketches is of."""
    states = "', '".join(KNOWN)
    found = dict[str, Memory]()
    for part in parts(sorted(set(keys))):
        where = f"fact_key IN ({marks(part)}) AND +state IN ('{states}') ORDER BY n LIMIT {_PAST}"
        found.update((m.id, m) for m in memories.matching(conn, where, part))
    for part in parts(sorted(set(sketches))):
        where = (
            f"n IN (SELECT n FROM memory_sketch WHERE hash IN ({marks(part)})) AND +state IN ('{states}')"
            f" ORDER BY n LIMIT {_PAST}"
        )
        found.update((m.id, m) for m in memories.matching(conn, where, part))
    return list(found.values())


def due(conn: Connection, now: int, limit: int) -> list[Memory]:
    """Live rows whose own date is past, and live rows the world was found to contradict."""
    live = "state IN ('candidate', 'active')"
    over = f"expires_at IS NOT NULL AND {live} AND expires_at <= ? ORDER BY expires_at LIMIT ?"
    doubt = f"doubted_at IS NOT NULL AND {live} ORDER BY doubted_at LIMIT ?"
    found = memories.matching(conn, over, [now, limit], "memory_expiry")
    found += memories.matching(conn, doubt, [limit], "memory_doubt")
    return list({m.id: m for m in found}.values())


def has_more(conn: Connection, topic: str, than: int) -> bool:
    """True when a topic has more than so many active memories; counted no further."""
    query = "SELECT count(*) FROM (SELECT 1 FROM memory WHERE topic = ? AND state = 'active' LIMIT ?)"
    row = conn.exec_driver_sql(query, (topic, than + 1)).fetchone()
    return row is not None and int(row[0]) > than


def parts(values: Sequence[T]) -> Iterable[Sequence[T]]:
    return (values[i : i + _IN_ONE] for i in range(0, len(values), _IN_ONE))


def marks(values: Sequence[object]) -> str:
    return ",".join("?" * len(values))
