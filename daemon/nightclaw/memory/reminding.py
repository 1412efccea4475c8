"""What memory has to say to a new turn before anybody asks: a few rows, quoted, beside the message and never above it.

Nothing of strangers comes up unasked, and of a private repository only at home. What comes up lowers the label of the
session that hears it, so whoever adds the text joins the label, too.
"""

import time
from dataclasses import dataclass

from nightclaw.core.plain import one_line
from nightclaw.core.quoting import FROM_MEMORY, quoted
from nightclaw.core.trust import Label, Trust, join
from nightclaw.memory.recall import Recalled, Scope, recall
from nightclaw.store import memories, observations
from nightclaw.store.db import Connection

MEMORIES, SAID = 5, 2
LOOKED_AT = 24
_ROW = 300
_ALL = 2_400


@dataclass(frozen=True, slots=True)
class Reminder:
    """text: "" when nothing fits. label: of all of it, None without text. ids: the memories in it."""

    text: str = ""
    label: Label | None = None
    ids: tuple[str, ...] = ()


def remind(conn: Connection, text: str, session: str, repo: str | None, private: bool, now: int) -> Reminder:
    """Rows that fit a message of this session; private: its work is on a private repository."""
    scope = Scope(private=frozenset({repo} if repo and private else ()), floor=Trust.REPO)
    rows = recall(conn, text[:2_000], LOOKED_AT, scope, now)
    kept = [r for r in rows if r.id is not None and not _is_doubted(conn, r.id)][:MEMORIES]
    kept += _said_elsewhere(conn, [r for r in rows if r.id is None], session)[:SAID]
    if not kept:
        return Reminder()
    lines = "\n".join(_line(r) for r in kept)
    label = join(Label(r.trust, r.private, frozenset({r.repo} if r.repo else ())) for r in kept)
    return Reminder(
        f"{FROM_MEMORY}\n{quoted(lines, 'memory', _ALL)}", label, tuple(r.id for r in kept if r.id)
    )


def _is_doubted(conn: Connection, memory_id: str) -> bool:
    row = memories.get(conn, memory_id)
    return row is None or row.doubted_at is not None


def _said_elsewhere(conn: Connection, rows: list[Recalled], session: str) -> list[Recalled]:
    """The owner's words of other sessions of which nothing was made: a memory tells its own, and if it still holds."""
    cursors = [r.cursor for r in rows]
    claimed = observations.claims(conn, cursors).keys()
    there = [o for o in observations.get(conn, cursors) if o.session != session and o.role == "owner"]
    mine = {o.cursor for o in there} - claimed
    return [r for r in rows if r.cursor in mine]


def _line(row: Recalled) -> str:
    day = time.strftime("%Y-%m-%d", time.gmtime(row.observed_at / 1000))
    who = f"{row.topic}, {row.trust}" if row.id else f"said by {row.source}"
    return f"- {one_line(row.text, _ROW)} ({day}, {who}{f', {row.id}' if row.id else ''})"
