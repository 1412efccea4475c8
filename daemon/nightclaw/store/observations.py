"""Raw memory: what was said, one row for one event that carried words. Append-only; a dream never writes here.

A row's full-text entry stands beside it in the same transaction: its words, its date, and the words said just before
and after it in the same session, so that a question finds the turn before the answer too.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, Row

from nightclaw.core.errors import Invalid
from nightclaw.core.secrets import without_secrets
from nightclaw.core.trust import Label, Trust
from nightclaw.store import events, sessions, terms
from nightclaw.store.driver import driver

ROLES = frozenset({"owner", "assistant", "world"})
KINDS = frozenset({"turn", "explicit", "correction", "signal"})
LONGEST = 20_000
_REPO = re.compile(r"[\w.-]+/[\w.-]+(?=$|[#@:])")
_IN_ONE = 300  # values of one IN list
_BESIDE = 4_000
"""Characters of a neighbour that are indexed with a row."""

_INSERT = """
INSERT INTO observation (cursor, at, session_id, task_id, role, kind, text, trust, private, repo, origins)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"""
_INSERT_FTS = "INSERT INTO observation_fts (rowid, text, previous, next, date) VALUES (?, ?, ?, '', ?)"
_PREVIOUS = """
SELECT cursor, text, private, repo FROM observation WHERE session_id = ? AND cursor < ? ORDER BY cursor DESC LIMIT 1"""
_SET_NEXT = "UPDATE observation_fts SET next = ? WHERE rowid = ?"
_COLUMNS = "cursor, at, session_id, task_id, role, kind, text, trust, private, repo, origins"


@dataclass(frozen=True, slots=True)
class NewObservation:
    """cursor: of the event that carried the words. at: when it was said (ms), maybe long ago. repo: of a private
    repository alone the words may be recalled there only. trust, private, origins: the label of the words."""

    cursor: int
    at: int
    role: str
    kind: str
    text: str
    trust: Trust
    private: bool = False
    repo: str | None = None
    origins: tuple[str, ...] = ()
    session: str | None = None
    task: str | None = None


@dataclass(frozen=True, slots=True)
class Observation:
    cursor: int
    at: int
    session: str | None
    task: str | None
    role: str
    kind: str
    text: str
    trust: Trust
    private: bool
    repo: str | None
    origins: tuple[str, ...]


def add(conn: Connection, new: NewObservation) -> int:
    """Keep one; its cursor. The same event twice is one row; secrets are cut out. Raises Invalid for no words."""
    if new.role not in ROLES or new.kind not in KINDS:
        raise Invalid(f"no observation has the role {new.role!r} and the kind {new.kind!r}")
    text = without_secrets(new.text.replace("\0", " ")[:LONGEST]).strip()
    if not text:
        raise Invalid("an observation needs words")
    row = (
        new.cursor,
        new.at,
        new.session,
        new.task,
        new.role,
        new.kind,
        text,
        str(new.trust),
        new.private,
        new.repo,
        events.dumps(list(new.origins)),
    )
    db = driver(conn)
    if db.execute(_INSERT, row).rowcount == 0:
        return new.cursor
    before = ""
    if new.session is not None:
        held = db.execute(_PREVIOUS, (new.session, new.cursor)).fetchone()
        # a private repository's words are not even an index entry of what may be recalled elsewhere
        if held is not None and (bool(held[2]), held[3]) == (new.private, new.repo):
            before = held[1][:_BESIDE]
            db.execute(_SET_NEXT, (text[:_BESIDE], held[0]))
    db.execute(_INSERT_FTS, (new.cursor, text, before, terms.date_words(new.at)))
    return new.cursor


def answered(
    conn: Connection, cursor: int, text: str, session: str, task: str, now: int, repo: str | None
) -> None:
    """Keep an assistant's answer under its session's label. cursor: of its `turn.finished`; repo: of its task."""
    if not text.strip():
        return
    label = sessions.label_of(conn, session)
    home = home_of(label, repo)
    origins = tuple(sorted(label.origins))[:20]
    new = NewObservation(
        cursor, now, "assistant", "turn", text, label.trust, label.private, home, origins, session, task
    )
    add(conn, new)


def home_of(label: Label, repo: str | None) -> str | None:
    """The repository private words belong to; None when they are of several, then only the owner sees them."""
    if not label.private or repo is not None:
        return repo
    homes = {found[0] for origin in label.origins if (found := _REPO.match(origin))}
    return homes.pop() if len(homes) == 1 else None


def get(conn: Connection, cursors: list[int]) -> list[Observation]:
    """Those of `cursors` that exist, by cursor."""
    marks = ",".join("?" * len(cursors))
    query = f"SELECT {_COLUMNS} FROM observation WHERE cursor IN ({marks}) ORDER BY cursor"
    return [_observation(r) for r in conn.exec_driver_sql(query, tuple(cursors))] if cursors else []


def claims(conn: Connection, cursors: Sequence[int]) -> dict[int, list[str]]:
    """Of observations that memories rest on, in any state: the texts of those memories."""
    found: dict[int, list[str]] = {}
    for i in range(0, len(cursors), _IN_ONE):
        part = tuple(cursors[i : i + _IN_ONE])
        query = f"""SELECT s.cursor, m.text FROM memory_source s JOIN memory m ON m.id = s.memory_id
WHERE s.cursor IN ({",".join("?" * len(part))}) ORDER BY m.n"""
        for cursor, text in conn.exec_driver_sql(query, part):
            found.setdefault(int(cursor), []).append(str(text))
    return found


def was_said(conn: Connection, session_id: str, role: str, text: str, at: int | None) -> bool:
    """The same words stand there already; at None: at any time."""
    held = without_secrets(text.replace("\0", " ")[:LONGEST]).strip()
    query = "SELECT 1 FROM observation WHERE session_id = ? AND role = ? AND text = ? AND (? IS NULL OR at = ?) LIMIT 1"
    return conn.exec_driver_sql(query, (session_id, role, held, at, at)).fetchone() is not None


def since(conn: Connection, cursor: int, limit: int) -> list[Observation]:
    """Observations after `cursor`, oldest first, at most `limit`."""
    query = f"SELECT {_COLUMNS} FROM observation WHERE cursor > ? ORDER BY cursor LIMIT ?"
    return [_observation(r) for r in conn.exec_driver_sql(query, (cursor, limit))]


def count_since(conn: Connection, cursor: int) -> int:
    row = conn.exec_driver_sql("SELECT count(*) FROM observation WHERE cursor > ?", (cursor,)).fetchone()
    return int(row[0]) if row else 0


def of_session(conn: Connection, session_id: str, before: int, limit: int) -> list[Observation]:
    """The last `limit` of a session whose cursor is below `before`, oldest first."""
    query = f"""
SELECT {_COLUMNS} FROM observation WHERE session_id = ? AND cursor < ? ORDER BY cursor DESC LIMIT ?"""
    found = [_observation(r) for r in conn.exec_driver_sql(query, (session_id, before, limit))]
    return found[::-1]


def holding(conn: Connection, words: str, limit: int = 500) -> list[int]:
    """Cursors of the rows whose text holds `words` exactly. Reads the whole table: for the owner's redaction."""
    query = "SELECT cursor FROM observation WHERE instr(text, ?) > 0 LIMIT ?"
    return [int(r[0]) for r in conn.exec_driver_sql(query, (words, limit))]


def redact(conn: Connection, cursor: int, text: str) -> None:
    """Replace the words of a row because the owner wants them gone, and index it and its neighbours anew."""
    db = driver(conn)
    db.execute("UPDATE observation SET text = ? WHERE cursor = ?", (text, cursor))
    row = db.execute("SELECT session_id FROM observation WHERE cursor = ?", (cursor,)).fetchone()
    session = row[0] if row else None
    beside = [cursor]
    if session is not None:
        for way, order in (("<", "DESC"), (">", "ASC")):
            query = f"""
SELECT cursor FROM observation WHERE session_id = ? AND cursor {way} ? ORDER BY cursor {order} LIMIT 1"""
            beside += [int(r[0]) for r in db.execute(query, (session, cursor))]
    for each in beside:
        db.execute("DELETE FROM observation_fts WHERE rowid = ?", (each,))
        entry = index_entry(conn, each)
        if entry is not None:
            db.execute(
                "INSERT INTO observation_fts (rowid, text, previous, next, date) VALUES (?, ?, ?, ?, ?)",
                entry,
            )


def index_entry(conn: Connection, cursor: int) -> tuple[int, str, str, str, str] | None:
    """The full-text entry a row should have: (rowid, text, previous, next, date); None when there is no such row."""
    db = driver(conn)
    query = "SELECT text, at, session_id, private, repo FROM observation WHERE cursor = ?"
    row = db.execute(query, (cursor,)).fetchone()
    if row is None:
        return None
    text, at, session, private, repo = row
    sides = ["", ""]
    if session is not None:
        for i, (way, order) in enumerate((("<", "DESC"), (">", "ASC"))):
            query = f"""
SELECT text, private, repo FROM observation WHERE session_id = ? AND cursor {way} ? ORDER BY cursor {order} LIMIT 1"""
            held = db.execute(query, (session, cursor)).fetchone()
            if held is not None and (held[1], held[2]) == (private, repo):
                sides[i] = held[0][:_BESIDE]
    return cursor, text, sides[0], sides[1], terms.date_words(at)


def _observation(row: Row[tuple[object, ...]]) -> Observation:
    r = row._mapping
    return Observation(
        cursor=r["cursor"],
        at=r["at"],
        session=r["session_id"],
        task=r["task_id"],
        role=r["role"],
        kind=r["kind"],
        text=r["text"],
        trust=Trust(r["trust"]),
        private=bool(r["private"]),
        repo=r["repo"],
        origins=tuple(json.loads(r["origins"])),
    )
