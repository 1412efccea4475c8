"""Memories as the owner looks at them: pages, one with its history and what it rests on, and the counts of status."""

from sqlalchemy import Connection

from nightclaw.core.errors import NotFound
from nightclaw.protocol import messages as wire
from nightclaw.protocol.messages import iso, iso_or_none
from nightclaw.store import memories, observations, shapes, topics
from nightclaw.store.lists import Page
from nightclaw.store.memories import Memory


def page(
    conn: Connection, after: str | None, limit: int, state: str | None = None, topic: str | None = None
) -> Page:
    """Newest first; every state unless one is named."""
    wanted = {"state": state, "topic": topic}
    given = {k: v for k, v in wanted.items() if v is not None}
    where = " AND ".join([f"{k} = ?" for k in given] or ["1"])
    values: list[object] = [*given.values()]
    if after is not None:
        row = memories.get(conn, after)
        where, values = f"{where} AND n < ?", [*values, row.n if row is not None else 0]
    query = f"SELECT id FROM memory WHERE {where} ORDER BY n DESC LIMIT ?"
    ids = [str(r[0]) for r in conn.exec_driver_sql(query, (*values, limit + 1))]
    shown = [shape(m) for m in (memories.get(conn, i) for i in ids[:limit]) if m is not None]
    return {"items": list[object](shown), "next": ids[limit - 1] if len(ids) > limit else None}


def one(conn: Connection, memory_id: str) -> Memory:
    """Raises NotFound."""
    found = memories.get(conn, memory_id)
    if found is None:
        raise NotFound(f"there is no memory {shapes.plain(memory_id, 60)}", "GET /v1/memories lists them")
    return found


def by_id(conn: Connection, memory_id: str) -> wire.Memory:
    return shape(one(conn, memory_id))


def in_full(conn: Connection, memory_id: str) -> dict[str, object]:
    """A memory, its line of versions oldest first, and the words it rests on. Raises NotFound."""
    row = one(conn, memory_id)
    said = observations.get(conn, list(row.sources))
    return {
        **shape(row),
        "history": [shape(m) for m in topics.history(conn, row)],
        "evidence": [
            {
                "cursor": o.cursor,
                "at": iso(o.at),
                "role": o.role,
                "kind": o.kind,
                "text": o.text,
                "session": o.session,
            }
            for o in said
        ],
    }


def ranked(conn: Connection, found: list[tuple[str | None, int, float]]) -> dict[str, object]:
    """What a search found, best first: (memory or None, cursor, score). The raw words stand beside the memories."""
    items: list[object] = []
    raw: list[object] = []
    for memory_id, cursor, score in found:
        row = memories.get(conn, memory_id) if memory_id is not None else None
        if row is not None:
            items.append({**shape(row), "score": score})
        elif memory_id is None:
            for o in observations.get(conn, [cursor]):
                raw.append({
                    "cursor": o.cursor, "at": iso(o.at), "role": o.role, "text": shapes.plain(o.text, 600),
                    "trust": str(o.trust), "session": o.session, "score": score,
                })  # fmt: skip
    return {"items": items, "observations": raw, "next": None}


def counts(conn: Connection) -> wire.MemoryCounts:
    """For status."""

    def of(state: str) -> int:
        found = conn.exec_driver_sql("SELECT count(*) FROM memory WHERE state = ?", (state,)).fetchone()
        return int(found[0]) if found else 0

    query = "SELECT finished_at FROM dream WHERE state = 'finished' ORDER BY rowid DESC LIMIT 1"
    last = conn.exec_driver_sql(query).fetchone()
    return {
        "active": of("active"),
        "candidates": of("candidate"),
        "last_dream_at": iso_or_none(last[0] if last else None),
    }


def shape(m: Memory) -> wire.Memory:
    return {
        "id": m.id,
        "text": m.text,
        "kind": m.kind,
        "state": str(m.state),
        "trust": str(m.trust),
        "sources": list(m.sources),
        "topic": m.topic,
        "when": m.applies,
        "observed_at": iso(m.observed_at),
        "created_at": iso(m.created_at),
        "supersedes": m.supersedes,
        "superseded_by": m.superseded_by,
        "made_by": m.made_by,
        "private": m.private,
        "repo": m.repo,
        "origins": list(m.origins),
        "fact_key": m.fact_key,
        "fact_value": m.fact_value,
        "verified_by": m.verified_by,
        "verified_at": iso_or_none(m.verified_at),
        "doubted_at": iso_or_none(m.doubted_at),
        "expires_at": iso_or_none(m.expires_at),
    }
