"""Memories that share words with a sentence: found by an index, at a cost that does not grow with the store."""

from collections import Counter
from collections.abc import Collection, Sequence

from sqlalchemy import Connection

from nightclaw.store import memories
from nightclaw.store.dream_material import KNOWN, by_ids, marks, parts
from nightclaw.store.memories import Memory

_COMMON, _RARE, _NEAR, _GENERATIONS = 200, 10, 12, 4  # of words, and of rows beside one sentence


def beside(conn: Connection, spoken: Sequence[Collection[str]]) -> list[Memory]:
    """Live rows that share words with one of `spoken` (the words of a sentence each), and the rows they took the place
    of. A word in more rows than `_COMMON` finds nothing by itself."""
    rows = {word: _holding(conn, word) for word in {w for said in spoken for w in said}}
    near = set[int]()
    for said in spoken:
        shared = Counter(n for word in set(said) for n in rows[word])
        rare = {n for word in said if len(rows[word]) <= _RARE for n in rows[word]}
        near |= {n for n, many in shared.most_common(_NEAR) if many > 1 or n in rare}
    found = dict[str, Memory]()
    for part in parts(sorted(near)):
        found.update((m.id, m) for m in memories.matching(conn, f"n IN ({marks(part)})", part))
    older = [m.supersedes for m in found.values() if m.supersedes is not None]
    for _ in range(_GENERATIONS):
        before = [m for m in by_ids(conn, [i for i in older if i not in found]) if m.state in KNOWN]
        found.update((m.id, m) for m in before)
        older = [m.supersedes for m in before if m.supersedes is not None]
    return list(found.values())


def _holding(conn: Connection, word: str) -> list[int]:
    match = 'text : "' + word.replace('"', " ") + '"'
    query = "SELECT rowid FROM memory_fts WHERE memory_fts MATCH ? LIMIT ?"
    found = [int(r[0]) for r in conn.exec_driver_sql(query, (match, _COMMON + 1))]
    return found if len(found) <= _COMMON else []
