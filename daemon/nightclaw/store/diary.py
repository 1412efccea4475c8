"""What the daily log reads from the store: events worth a line, the titles they need, and how far it has come."""

import contextlib
import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, select

from nightclaw.core.types import JSON, JSONObject, Source, Verdict
from nightclaw.store import events, settings, signals, tasks
from nightclaw.store.events import Event
from nightclaw.store.schema import decision

_KEY = "diary"


@dataclass(frozen=True, slots=True)
class Head:
    """The newest line the store knows of. day: its file ("" before the first), size: the file's bytes up to it."""

    cursor: int
    hash: str
    day: str
    size: int


@dataclass(frozen=True, slots=True)
class Entry:
    """One event and what a line about it needs beside its data."""

    cursor: int
    kind: str
    at: int
    data: JSONObject
    title: str = ""
    more: int = 0
    is_chat: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """entries: those worth a line. up_to: the cursor read so far. head: the newest cursor there is."""

    entries: list[Entry]
    up_to: int
    head: int


def head(conn: Connection) -> Head | None:
    return of_json(settings.get(conn, _KEY))


def of_json(value: JSON) -> Head | None:
    if not isinstance(value, dict):
        return None
    cursor, line, day, size = (value.get(k) for k in ("cursor", "hash", "day", "size"))
    if isinstance(cursor, int) and isinstance(line, str) and isinstance(day, str) and isinstance(size, int):
        return Head(cursor, line, day, size)
    return None


def place(conn: Connection) -> tuple[Head | None, int]:
    """The head, None in a new store, and the newest event there is."""
    return head(conn), events.head(conn)


def save_head(conn: Connection, wanted: Head) -> None:
    settings.put(conn, _KEY, as_json(wanted))


def as_json(head: Head) -> dict[str, JSON]:
    return {"cursor": head.cursor, "hash": head.hash, "day": head.day, "size": head.size}


def head_of_file(database: Path) -> Head | None:
    """The head as a stopped daemon left it, None when the file does not tell."""
    with contextlib.suppress(sqlite3.Error, ValueError):
        with contextlib.closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as connection:
            row = connection.execute("SELECT value FROM meta WHERE key = ?", (_KEY,)).fetchone()
            return of_json(json.loads(row[0])) if row else None
    return None


def page(conn: Connection, after: int, kinds: Sequence[str], limit: int) -> Page:
    """Events after a cursor that are worth a line, oldest first."""
    newest = events.head(conn)
    found = events.page(conn, after, limit, kinds=kinds)
    up_to = found[-1].cursor if len(found) == limit else max(newest, after)
    entries = [entry for e in found if (entry := _entry(conn, e)) is not None]
    return Page(entries, up_to, newest)


def _entry(conn: Connection, e: Event) -> Entry | None:
    if e.kind == "decision.made":
        return _decided(conn, e)
    task = tasks.get(conn, e.task_id) if e.task_id is not None else None
    is_chat = task is not None and task.kind == "chat"
    return Entry(e.cursor, e.kind, e.at, e.data, task.goal if task is not None else "", 0, is_chat)


def _decided(conn: Connection, e: Event) -> Entry | None:
    """A decision with the title of what it was about; None for one to ignore."""
    if e.data.get("verdict") == str(Verdict.IGNORE):
        return None
    named = e.data.get("signals")
    ids = [str(i) for i in named] if isinstance(named, list) else []
    first = signals.get(conn, ids[0]) if ids else None
    title, is_chat = first.title if first is not None else "", False
    if first is not None and first.source is Source.CHAT:
        text = (signals.payload(conn, first.id) or {}).get("text")
        title, is_chat = text if isinstance(text, str) else title, True
    elif first is not None and first.source is Source.TICK:
        title = _changes(conn, str(e.data.get("decision"))) or title
    return Entry(e.cursor, e.kind, e.at, e.data, title, max(len(ids) - 1, 0), is_chat)


def _changes(conn: Connection, decision_id: str) -> str:
    """The titles of the facts that changed at a tick."""
    held = conn.execute(select(decision.c.facts).where(decision.c.id == decision_id)).scalar()
    facts = json.loads(held) if held else []
    titles = [str(f["title"]) for f in facts if isinstance(f, dict) and f.get("title")]
    return "; ".join(titles)
