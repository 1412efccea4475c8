"""Cutting a text out of every row, whatever the table: for the owner's redaction, and for old copies of the database.

Works on the driver's own connection and on any schema of ours. Ids, states and other words of the program are left
alone. After `finish` neither free pages, nor the full-text index, nor the log of the database hold what was cut.
"""

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection

from nightclaw.core.topic import GENERAL, slug
from nightclaw.store.driver import driver

Cut = Callable[[str | bytes], str | bytes]

_OURS = frozenset(
    {"id", "state", "kind", "trust", "source", "role", "verdict", "floor", "cap", "class", "redo", "digest", "mode",
     "body_hash", "text_hash", "request_digest", "args_digest", "version_num", "made_by", "stop_reason", "model",
     "unattended", "min_trust", "day", "cause", "currency", "policy_version", "presence"}
)  # fmt: skip
_SHADOWS = ("data", "idx", "content", "docsize", "config")
CHUNK = 2_000
START = -1


@dataclass(frozen=True, slots=True)
class Table:
    """columns: those that may hold words."""

    name: str
    columns: tuple[str, ...]
    is_index: bool


def tables(db: sqlite3.Connection) -> list[Table]:
    """Every table with words in it, full-text indexes as tables of their own."""
    rows = db.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table'").fetchall()
    indexes = {name for name, sql in rows if sql and "USING fts5" in sql}
    shadows = {f"{name}_{part}" for name in indexes for part in _SHADOWS}
    found: list[Table] = []
    for name, sql in rows:
        if name.startswith("sqlite_") or name in shadows or "WITHOUT ROWID" in (sql or ""):
            continue
        columns = [str(c[1]) for c in db.execute(f'PRAGMA table_info("{name}")')]
        wanted = tuple(c for c in columns if c not in _OURS and not c.endswith("_id"))
        if wanted:
            found.append(Table(name, wanted, name in indexes))
    return found


def cut_rows(db: sqlite3.Connection, table: Table, after: int, cut: Cut) -> tuple[int | None, int]:
    """Cut the next rows of a table; (the rowid to go on after, None at its end; how many rows changed)."""
    names = ", ".join(f'"{c}"' for c in table.columns)
    query = f'SELECT rowid, {names} FROM "{table.name}" WHERE rowid > ? ORDER BY rowid LIMIT {CHUNK}'
    rows = db.execute(query, (after,)).fetchall()
    changed = 0
    for rowid, *values in rows:
        fresh = {
            column: new
            for column, value in zip(table.columns, values, strict=True)
            if isinstance(value, str | bytes) and (new := cut(value)) is not value and new != value
        }
        if fresh:
            changed += 1
            _update(db, table.name, rowid, fresh)
    return (rows[-1][0] if len(rows) == CHUNK else None), changed


def _update(db: sqlite3.Connection, table: str, rowid: int, fresh: dict[str, str | bytes]) -> None:
    sets = ", ".join(f'"{c}" = ?' for c in fresh)
    query = f'UPDATE "{table}" SET {sets} WHERE rowid = ?'
    try:
        db.execute(query, (*fresh.values(), rowid))
    except sqlite3.IntegrityError:  # two rows differed only in what was cut
        values = [f"{v}-{rowid}" if isinstance(v, str) else v for v in fresh.values()]
        db.execute(query, (*values, rowid))


def named_after(conn: Connection, text: str) -> tuple[str, ...]:
    """The text as it stands in the names and titles of topics, when one is called after it."""
    name = slug(text)
    also = tuple(t for t in (name, name.replace("-", " ")) if t != text.casefold())
    if name == GENERAL or not also:
        return ()
    query = "SELECT name FROM topic UNION SELECT topic FROM memory UNION SELECT topic FROM tombstone"
    held = (str(row[0]) for row in conn.exec_driver_sql(query))
    return also if any(f"-{name}-" in f"-{n}-" for n in held) else ()


def cut_chunk(conn: Connection, table: Table, after: int, cut: Cut) -> tuple[int | None, int]:
    """`cut_rows` in the writer."""
    return cut_rows(driver(conn), table, after, cut)


def tables_of(conn: Connection) -> list[Table]:
    return tables(driver(conn))


def cut_all(db: sqlite3.Connection, cut: Cut) -> int:
    """Every row of a database nobody else uses, in one transaction; how many changed."""
    total = 0
    db.execute("BEGIN IMMEDIATE")
    try:
        for table in tables(db):
            after: int | None = START
            while after is not None:
                after, changed = cut_rows(db, table, after, cut)
                total += changed
        db.execute("COMMIT")
    except BaseException:
        db.execute("ROLLBACK")
        raise
    return total


def finish(db: sqlite3.Connection) -> bool:
    """Write the file anew without anything that was cut; False when a reader kept the log from being emptied.

    Outside any transaction.
    """
    for table in tables(db):
        if table.is_index:
            db.execute(f'INSERT INTO "{table.name}" ("{table.name}") VALUES (\'optimize\')')
    db.execute("PRAGMA secure_delete = ON")
    db.execute("VACUUM")
    found = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    db.execute("PRAGMA secure_delete = OFF")
    return found is None or found[0] <= 0


def finish_alone(conn: Connection) -> bool:
    """`finish` in the writer, with no transaction open."""
    return finish(driver(conn))
