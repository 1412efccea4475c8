"""What the owner forgot, by the words it rested on: neither recalled nor dreamt of any more, unless said again."""

from collections.abc import Sequence

from sqlalchemy import Connection

from nightclaw.store import memories

_VERSIONS = 64


def sources_of(conn: Connection, cursors: Sequence[int]) -> set[int]:
    """Those that a memory rests on, or an older version of it, which the owner forgot. At most some hundreds."""
    where, values = _among("s.cursor", cursors)
    query = f"""
SELECT m.id, m.superseded_by, m.text, m.state = 'retired', s.cursor FROM memory_source s JOIN memory m
ON m.id = s.memory_id WHERE {where} AND +m.state IN ('superseded', 'retired')"""
    line: dict[str, set[int]] = {}
    ended: dict[str, set[int]] = {}
    rows = conn.exec_driver_sql(query, tuple(values)).fetchall() if cursors else []
    for _ in range(_VERSIONS):
        for memory_id, after, text, is_retired, cursor in rows:
            mine = line.pop(memory_id, set()) | ({cursor} if cursor is not None else set())
            ended.setdefault(memories.text_hash(text), set()).update(mine if is_retired else ())
            if after and not is_retired:
                line.setdefault(after, set()).update(mine)
        if not line:
            break
        where, values = _among("id", sorted(line))
        query = f"SELECT id, superseded_by, text, state = 'retired', NULL FROM memory WHERE {where}"
        rows = conn.exec_driver_sql(query, tuple(values)).fetchall()
        line = {r[0]: line[r[0]] for r in rows}
    where, values = _among("text_hash", sorted(h for h, found in ended.items() if found))
    query = f"SELECT text_hash FROM tombstone WHERE {where} AND \"by\" IN ('owner', 'edit')"
    stones = conn.exec_driver_sql(query, tuple(values)) if values else ()
    return {cursor for stone in stones for cursor in ended[stone[0]]}


def _among(column: str, values: Sequence[str] | Sequence[int]) -> tuple[str, Sequence[str] | Sequence[int]]:
    return f"{column} IN ({', '.join('?' * len(values))})", values
