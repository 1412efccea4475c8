"""Memories that share words with a sentence, and the lines they stand in: found by an index, at a cost that does not
grow with the store."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TypeVar

from sqlalchemy import Connection

from nightclaw.store import memories
from nightclaw.store.dream_material import KNOWN, by_ids, marks, parts
from nightclaw.store.memories import Memory

S = TypeVar("S", str, int)

_COMMON, _RARE, _NEAR = 200, 10, 12  # of words, and of rows beside one sentence
_STEPS, _KIN = 50, 2_000  # from row to row, and rows of one look


def beside(conn: Connection, spoken: Sequence[Collection[str]]) -> list[Memory]:
    """Live rows that share words with one of `spoken` (the words of a sentence each), those with the rarest first of
    all. A word in more rows than `_COMMON` finds nothing by itself."""
    return _rows(
        conn, _nearest(spoken, {word: _holding(conn, word) for word in {w for s in spoken for w in s}})
    )


def before(conn: Connection, spoken: Sequence[Collection[int]]) -> list[Memory]:
    """As `beside`, rows that gave way: by the sketches of their words."""
    found = _nearest(spoken, {mark: _marked(conn, mark) for mark in {m for s in spoken for m in s}})
    return [m for m in _rows(conn, found) if m.state in KNOWN]


def with_kin(conn: Connection, rows: Iterable[Memory]) -> list[Memory]:
    """`rows`, what they gave way to, what they took the place of, and so on, in KNOWN states."""
    found = {m.id: m for m in rows}
    last = list(found.values())
    for _ in range(_STEPS):
        if not last or len(found) > _KIN:
            break
        wanted = {
            i for m in last for i in (m.superseded_by, m.supersedes) if i is not None and i not in found
        }
        last = [m for m in by_ids(conn, sorted(wanted)) if m.state in KNOWN]
        found.update((m.id, m) for m in last)
    return list(found.values())


def _nearest(spoken: Sequence[Collection[S]], rows: Mapping[S, list[int]]) -> set[int]:
    near = set[int]()
    for said in spoken:
        shared, close = dict[int, float](), set[int]()
        for word in set(said):
            for n in rows[word]:
                if n in shared or len(rows[word]) <= _RARE:
                    close.add(n)
                shared[n] = shared.get(n, 0.0) + 1 / len(rows[word])
        near.update(sorted(close, key=lambda n: (-shared[n], -n))[:_NEAR])
    return near


def _rows(conn: Connection, numbers: Collection[int]) -> list[Memory]:
    return [
        m for part in parts(sorted(numbers)) for m in memories.matching(conn, f"n IN ({marks(part)})", part)
    ]


def _holding(conn: Connection, word: str) -> list[int]:
    match = 'text : "' + word.replace('"', " ") + '"'
    query = "SELECT rowid FROM memory_fts WHERE memory_fts MATCH ? LIMIT ?"
    return _few(conn, query, (match, _COMMON + 1))


def _marked(conn: Connection, mark: int) -> list[int]:
    return _few(conn, "SELECT n FROM memory_sketch WHERE hash = ? LIMIT ?", (mark, _COMMON + 1))


def _few(conn: Connection, query: str, values: tuple[object, ...]) -> list[int]:
    found = [int(r[0]) for r in conn.exec_driver_sql(query, values)]
    return found if len(found) <= _COMMON else []
