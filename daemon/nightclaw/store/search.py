"""Full-text search: which rows hold the words of a question, with what was said around them.

FTS5 picks a few rows by weighted bm25 over a row's words, its neighbours' and its date; with them come the rows
beside them in their sessions, for the caller to weigh anew. Words are bounded by how many rows they stand in, so that
a question costs the same work in a small store and in a large one. Nothing is returned that the scope does not admit,
and of what the owner forgot not the words it was said in, unless the owner asks.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from nightclaw.core.trust import Trust
from nightclaw.store import forgotten

WEIGHTS = "1.0, 0.5, 0.3, 0.4"
"""Of text, previous, next and date in bm25."""
LONGEST = 6_000
"""Characters of a row that are looked at."""
_SHARE, _FEWEST = 0.02, 200
"""All words of a question together may stand in that share of the rows, or that many, before common ones are cut."""
COUNTED = 2
"""Times the budget: a word in more rows is only known to be common."""
_GROWN = 1.1


@dataclass(frozen=True, slots=True)
class Scope:
    """What a recall may see: rows of `floor` and above; private ones only of these repositories. everything: the
    owner asks."""

    private: frozenset[str] = frozenset()
    floor: Trust = Trust.WORLD
    everything: bool = False


@dataclass(slots=True)
class Row:
    """One row that may answer. Either a memory (`memory` is its id) or an observation. n: its place in its table.
    before: n of the row before it in its session. around: words that belong to it beside its own. sources: of a memory,
    as JSON. is_hit: the index gave it; else it stands beside one that it gave."""

    memory: str | None
    n: int
    text: str
    at: int
    session: str | None
    before: int | None
    role: str
    repo: str | None
    topic: str | None
    sources: str
    around: str
    is_hit: bool
    is_private: bool
    trust: Trust


@dataclass(frozen=True, slots=True)
class Found:
    """hidden: hits that the scope kept back."""

    rows: list[Row]
    hidden: int


class Tally:
    """What one connection knows of the store's words: how many rows there are, and in how many a word stands.

    A count is looked up once and kept until the log has grown by a tenth. newest: the last cursor that was counted;
    seen: the last one there is.
    """

    __slots__ = ("counted", "newest", "rows", "seen")

    def __init__(self) -> None:
        self.rows = 0
        self.newest = 0
        self.seen = 0
        self.counted: dict[str, int] = {}


def tally_of(conn: Connection) -> Tally:
    held = conn.info.get("tally")
    if not isinstance(held, Tally):
        held = conn.info["tally"] = Tally()
    return held


def frequencies(conn: Connection, matches: Sequence[str]) -> tuple[list[int], int]:
    """(in how many observations each match expression is true, how many there are). Counting stops at what matters;
    memories are few and follow the same words, so they are not counted."""
    tally = tally_of(conn)
    if tally.newest == 0 or tally.seen > tally.newest * _GROWN:
        tally.counted.clear()
        rows = "SELECT count(*), ifnull(max(cursor), 0) FROM observation WHERE cursor > ?"
        more, newest = conn.exec_driver_sql(rows, (tally.newest,)).fetchall()[0]
        tally.rows += int(more)
        tally.newest = tally.seen = max(tally.newest, int(newest))
    missing = [m for m in dict.fromkeys(matches) if m not in tally.counted]
    if missing:
        _count(conn, tally, missing)
    return [tally.counted[m] for m in matches], max(tally.rows, 1)


def _count(conn: Connection, tally: Tally, missing: list[str]) -> None:
    most = COUNTED * budget(tally.rows) + 1
    each = (
        f"(SELECT count(*) FROM (SELECT 1 FROM observation_fts WHERE observation_fts MATCH ? LIMIT {most}))"
    )
    found = conn.exec_driver_sql(f"SELECT {', '.join([each] * len(missing))}", tuple(missing)).fetchall()[0]
    if len(tally.counted) > 5_000:
        tally.counted = {m: tally.counted[m] for m in list(tally.counted)[2_500:]}
    tally.counted.update(zip(missing, (int(n) for n in found), strict=True))


def budget(rows: int) -> int:
    """In how many rows the words of one question may stand together."""
    return max(_FEWEST, int(rows * _SHARE))


def search(conn: Connection, match: str, limit: int, beside: int, scope: Scope) -> Found:
    """The `limit` best observations and the `limit` best memories for a match expression, and of each observation the
    `beside` rows before and after it in its session. Hits that the scope hides are counted, never returned."""
    found, hidden, tally = list[Row](), 0, tally_of(conn)
    values = (match, limit, beside, beside, LONGEST, match, limit)
    rows = conn.exec_driver_sql(_QUERY, values).fetchall()
    gone = (
        set[int]() if scope.everything else forgotten.sources_of(conn, [r[1] for r in rows if r[0] is None])
    )
    for r in rows:
        row = Row(*r[:14])
        row.trust, tally.seen = _TRUSTS[r[13]], r[14]
        if scope.everything or (
            (not row.is_private or row.repo in scope.private)
            and row.trust.at_least(scope.floor)
            and (row.memory is not None or row.n not in gone)
        ):
            found.append(row)
        else:
            hidden += row.is_hit
    return Found(found, hidden)


_TRUSTS = {str(t): t for t in Trust}
_QUERY = f"""
WITH hit (c) AS MATERIALIZED (
    SELECT rowid FROM observation_fts WHERE observation_fts MATCH ?
    ORDER BY bm25(observation_fts, {WEIGHTS}) LIMIT ?
), span (session, low, high) AS MATERIALIZED (
    SELECT o.session_id,
        ifnull((SELECT min(cursor) FROM (SELECT p.cursor FROM observation p
            WHERE p.session_id = o.session_id AND p.cursor < o.cursor ORDER BY p.cursor DESC LIMIT ?)), o.cursor),
        ifnull((SELECT max(cursor) FROM (SELECT p.cursor FROM observation p
            WHERE p.session_id = o.session_id AND p.cursor > o.cursor ORDER BY p.cursor LIMIT ?)), o.cursor)
    FROM hit JOIN observation o ON o.cursor = hit.c WHERE o.session_id IS NOT NULL
), near (c) AS MATERIALIZED (
    SELECT c FROM hit UNION
    SELECT p.cursor FROM span JOIN observation p
        ON p.session_id = span.session AND p.cursor BETWEEN span.low AND span.high
)
SELECT NULL, o.cursor, substr(o.text, 1, ?), o.at, o.session_id,
    (SELECT max(p.cursor) FROM observation p WHERE p.session_id = o.session_id AND p.cursor < o.cursor),
    o.role, o.repo, NULL, '', '', o.cursor IN (SELECT c FROM hit), o.private, o.trust,
    (SELECT max(cursor) FROM observation)
FROM near JOIN observation o ON o.cursor = near.c
UNION ALL
SELECT m.id, m.n, m.text, m.observed_at, NULL, NULL, m.made_by, m.repo, m.topic, m.sources,
    m.topic || ' ' || ifnull(m.applies, ''), 1, m.private, m.trust, (SELECT ifnull(max(cursor), 0) FROM observation)
FROM (
    SELECT rowid AS n FROM memory_fts WHERE memory_fts MATCH ? ORDER BY bm25(memory_fts, {WEIGHTS}) LIMIT ?
) JOIN memory m USING (n)"""
