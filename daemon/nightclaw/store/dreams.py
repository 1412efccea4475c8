"""Dreams as rows: how one begins and ends, one commit that is whole or not at all, and the way back.

Guarantees. `commit` writes every change of a dream, its cursor and the event that tells of it in the caller's one
transaction, and refuses when a row it rests on has changed since it was read. `undo` puts every row, source and index
entry back byte for byte, or refuses and names what was built on the dream since.
"""

import json
import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from nightclaw.core import failpoints
from nightclaw.core.errors import NotFound, Refused
from nightclaw.core.ids import new_id
from nightclaw.core.types import JSON, NoteDraft
from nightclaw.protocol.messages import iso
from nightclaw.store import dream_changes, events, memories, notifications
from nightclaw.store.dream_changes import LeftOut, Plan
from nightclaw.store.driver import driver

_REF = re.compile(r"\^(new:\d+)")
_EMPTY_SECTION = re.compile(r"(?m)^## .*\n*(?=^(?:## |\? )|\Z)")


@dataclass(frozen=True, slots=True)
class Outcome:
    """ids: refs to the ids they got."""

    ids: Mapping[str, str]
    topics: frozenset[str]


@dataclass(frozen=True, slots=True)
class Ended:
    """How a dream ended, beside its changes. phases: one object a phase; counts: added, merged, … ; diff: text."""

    until: int
    phases: Sequence[Mapping[str, JSON]]
    counts: Mapping[str, JSON]
    usage: Mapping[str, JSON]
    diff: str


def cursor(conn: Connection) -> int:
    """The event up to which dreams have read: of all that finished, undone ones too."""
    row = conn.exec_driver_sql(
        "SELECT max(to_cursor) FROM dream WHERE state IN ('finished', 'undone')"
    ).fetchone()
    return int(row[0] or 0) if row else 0


def last(conn: Connection) -> tuple[int, str] | None:
    """(created_at, state) of the dream made last, whatever the clock says."""
    row = conn.exec_driver_sql("SELECT created_at, state FROM dream ORDER BY rowid DESC LIMIT 1").fetchone()
    return (int(row[0]), str(row[1])) if row else None


def begin(
    conn: Connection, mode: str, now: int, *, signal_id: str | None = None, task_id: str | None = None
) -> str:
    """A row for a dream that begins now; what a crash left running is aborted."""
    db = driver(conn)
    after, made = cursor(conn), new_id("drm", now)
    abort_cut(conn, now)
    db.execute(
        "INSERT INTO dream (id, state, mode, signal_id, task_id, from_cursor, to_cursor, created_at)"
        " VALUES (?, 'running', ?, ?, ?, ?, ?, ?)",
        (made, mode, signal_id, task_id, after, after, now),
    )
    events.append(conn, "dream.started", now, {"dream": made, "mode": mode}, task=task_id)
    return made


def abort_cut(conn: Connection, now: int) -> None:
    """A dream that a crash left running is over, with nothing changed. Only the newest can be."""
    row = conn.exec_driver_sql("SELECT id, state FROM dream ORDER BY rowid DESC LIMIT 1").fetchone()
    if row is not None and row[1] == "running":
        stop(conn, str(row[0]), "aborted", "the daemon died in it", None, now)


def stop(conn: Connection, dream_id: str, state: str, why: str, ended: Ended | None, now: int) -> None:
    """End a dream that changes nothing. state: aborted, failed or asks (it stopped to ask the owner)."""
    done = driver(conn).execute(
        "UPDATE dream SET state = ?, finished_at = ?, phases = ?, counts = ?, usage = ?, diff = ?"
        " WHERE id = ? AND state = 'running'",
        (state, now, *_written(ended, why), dream_id),
    )
    if done.rowcount:
        events.append(conn, "dream.finished", now, {"dream": dream_id, "state": state, "why": why})


def commit(conn: Connection, dream_id: str, plan: Plan, ended: Ended, now: int) -> Outcome:
    """Make a dream true. Raises Refused when it does not run any more, or a row has changed since it was read."""
    db = driver(conn)
    row = db.execute(
        "SELECT from_cursor, task_id FROM dream WHERE id = ? AND state = 'running'", (dream_id,)
    ).fetchone()
    if row is None:
        raise Refused("this dream was ended meanwhile")
    if cursor(conn) > row[0]:
        raise Refused("another dream was there first")
    dream_changes.expect(conn, plan.expects)
    ended = _without(ended, dream_changes.leave_forgotten(conn, plan))
    touched = sorted(dream_changes.touched(plan))
    pre, sketched = dream_changes.image(conn, touched), dream_changes.sketched(conn, plan)
    ids = dream_changes.apply(conn, plan, now)
    failpoints.hit("dream.before_commit")
    image: dict[str, JSON] = {
        "rows": pre,
        "sketched": sketched,
        "made": sorted(ids.values()),
        "after": dream_changes.stamps(conn, [*touched, *ids.values()]),
        "buried": [
            memories.text_hash(str(m["text"])) for m in pre if m["id"] in {r.id for r in plan.retired}
        ],
    }
    phases, counts, usage, diff = _written(ended, "", ids)
    db.execute(
        "UPDATE dream SET state = 'finished', to_cursor = ?, finished_at = ?, phases = ?, counts = ?, usage = ?,"
        " diff = ?, pre_image = ? WHERE id = ?",
        (
            ended.until,
            now,
            phases,
            counts,
            usage,
            diff,
            zlib.compress(events.dumps(image).encode()),
            dream_id,
        ),
    )
    data: dict[str, JSON] = {
        "dream": dream_id,
        "state": "finished",
        **ended.counts,
        "topics": sorted(plan.topics),
    }
    events.append(conn, "dream.finished", now, data, task=row[1])
    for key, question, about in plan.asks:
        ask(conn, key, question, [ids.get(i, i) for i in about], now)
    return Outcome(ids, frozenset(plan.topics))


def ask(conn: Connection, key: str, question: str, about: Sequence[str], now: int) -> None:
    """Put a question of a dream before the owner, once."""
    shown = " ".join(about[:3])
    note = NoteDraft(
        title="A question about what I remember",
        body=f"{question} (`clawctl memory edit` or `forget` {shown})".strip(),
        dedupe_key=f"dream:{key}",
        subject="memory",
        kind="dream",
    )
    notifications.queue(conn, note, now=now)


def undo(conn: Connection, dream_id: str, now: int) -> frozenset[str]:
    """Put back all a dream changed; the topics that changed. Raises NotFound, or Refused when it is not finished or
    something was built on it since."""
    db = driver(conn)
    row = db.execute("SELECT state, pre_image FROM dream WHERE id = ?", (dream_id,)).fetchone()
    if row is None:
        raise NotFound(f"there is no dream {dream_id}", "see `clawctl dreams`")
    if row[0] != "finished" or row[1] is None:
        raise Refused(f"a dream that is {row[0]} has nothing to undo")
    picture = json.loads(zlib.decompress(row[1]))
    now_stamps = dream_changes.stamps(conn, sorted(picture["after"]))
    changed = [i for i, stamp in picture["after"].items() if list(now_stamps.get(i, ())) != stamp]
    if changed:
        later = "undo the later dream first, or change these by hand"
        raise Refused(f"changed since this dream: {', '.join(sorted(changed)[:5])}", later)
    topics = set[str]()
    for memory_id in picture["made"]:
        held = memories.get(conn, memory_id)
        if held is None:
            continue
        topics.add(held.topic)
        for query in (
            "DELETE FROM memory_fts WHERE rowid = ?",
            "DELETE FROM memory_sketch WHERE n = ?",
            "DELETE FROM memory WHERE n = ?",
        ):
            db.execute(query, (held.n,))
        db.execute("DELETE FROM memory_source WHERE memory_id = ?", (memory_id,))
    for old in picture["rows"]:
        topics.add(str(old["topic"]))
        dream_changes.restore(conn, old)
    for memory_id, hashes in picture.get("sketched", {}).items():
        dream_changes.restore_sketches(conn, memory_id, hashes)
    for text_hash in picture["buried"]:
        db.execute("DELETE FROM tombstone WHERE text_hash = ? AND by IN ('dream', 'expiry')", (text_hash,))
    db.execute("UPDATE dream SET state = 'undone', finished_at = ? WHERE id = ?", (now, dream_id))
    data: dict[str, JSON] = {"dream": dream_id, "state": "undone", "topics": sorted(topics)}
    events.append(conn, "dream.finished", now, data)
    return frozenset(topics)


def get(conn: Connection, dream_id: str) -> dict[str, JSON] | None:
    """A dream as scripts see it (CONTRACT section 8)."""
    row = conn.exec_driver_sql(f"SELECT {_SHOWN} FROM dream WHERE id = ?", (dream_id,)).fetchone()
    return _as_json(row) if row else None


def list_(conn: Connection, limit: int, after: str | None = None) -> list[dict[str, JSON]]:
    """Dreams, newest first; after: the id the last page ended with."""
    where, values = "", list[str | int]()
    if after is not None:
        where, values = "WHERE rowid < (SELECT rowid FROM dream WHERE id = ?)", [after]
    query = f"SELECT {_SHOWN} FROM dream {where} ORDER BY rowid DESC LIMIT ?"
    return [_as_json(r) for r in conn.exec_driver_sql(query, (*values, limit))]


def barren(conn: Connection, times: int) -> bool:
    """True when just now the last `times` finished dreams each looked at something and promoted nothing."""
    query = "SELECT counts FROM dream WHERE state = 'finished' ORDER BY rowid DESC LIMIT ?"
    rows = [json.loads(r[0]) for r in conn.exec_driver_sql(query, (times + 1,))]
    found = [bool(c.get("looked", 0)) and not c.get("added", 0) + c.get("promoted", 0) for c in rows]
    return found.count(True) == times and all(found[:times])


def failing(conn: Connection, times: int) -> str | None:
    """Why, when just now the last `times` dreams failed one after the other."""
    rows = conn.exec_driver_sql(
        "SELECT state, counts FROM dream ORDER BY rowid DESC LIMIT ?", (times + 1,)
    ).fetchall()
    found = [r[0] == "failed" for r in rows]
    is_now = found.count(True) == times and all(found[:times])
    return str(json.loads(rows[0][1]).get("why", "")) if is_now else None


def redact(conn: Connection, words: str, mark: str) -> int:
    """Take a text out of every diff and pre-image, because the owner wants it gone; how many dreams held it."""
    db, found = driver(conn), 0
    for row_id, diff, image in db.execute("SELECT id, diff, pre_image FROM dream").fetchall():
        said = zlib.decompress(diff).decode() if diff else ""
        held = zlib.decompress(image).decode() if image else ""
        inside = json.dumps(words, ensure_ascii=False)[1:-1]
        if words not in said and inside not in held:
            continue
        found += 1
        held = held.replace(inside, json.dumps(mark, ensure_ascii=False)[1:-1])
        db.execute(
            "UPDATE dream SET diff = ?, pre_image = ? WHERE id = ?",
            (_pack(said.replace(words, mark)), zlib.compress(held.encode()) if image else None, row_id),
        )
    return found


_SHOWN = (
    "id, state, mode, phases, counts, usage, diff, signal_id, task_id, from_cursor, to_cursor, created_at,"
    " finished_at"
)
_COUNTS = ("added", "merged", "superseded", "retired", "kept", "lost")


def _as_json(row: Sequence[object]) -> dict[str, JSON]:
    r = dict(zip(_SHOWN.split(", "), row, strict=True))
    counts = json.loads(str(r["counts"]))
    diff = r["diff"]
    return {
        "id": str(r["id"]),
        "state": str(r["state"]),
        "mode": str(r["mode"]),
        "phases": json.loads(str(r["phases"])),
        **dict.fromkeys(_COUNTS, 0),
        **counts,
        "usage": json.loads(str(r["usage"])),
        "diff": zlib.decompress(diff).decode() if isinstance(diff, bytes) else "",
        "created_at": iso(int(str(r["created_at"]))),
        "finished_at": iso(int(str(r["finished_at"]))) if r["finished_at"] is not None else None,
    }


def _written(
    ended: Ended | None, why: str, ids: Mapping[str, str] | None = None
) -> tuple[str, str, str, bytes | None]:
    """(phases, counts, usage, diff) as columns; refs in the diff get their ids."""
    if ended is None:
        return "[]", events.dumps({"why": why} if why else {}), "{}", None
    counts: dict[str, JSON] = {**ended.counts, **({"why": why} if why else {})}
    said = named(ended.diff, ids or {})
    return events.dumps(list(ended.phases)), events.dumps(counts), events.dumps(ended.usage), _pack(said)


def _without(ended: Ended, left: LeftOut) -> Ended:
    """The same end, telling nothing of what was left out."""
    if not left.refs:
        return ended
    counts = {k: v + left.counts.get(k, 0) if isinstance(v, int) else v for k, v in ended.counts.items()}
    first, *lines = ended.diff.split("\n")
    kept = "\n".join(line for line in lines if not left.refs & set(_REF.findall(line)))
    kept = _EMPTY_SECTION.sub("", kept).rstrip()
    title = headline(first.partition(":")[0], counts)
    return replace(ended, counts=counts, diff=f"{title}\n{kept}" if kept else title)


def headline(title: str, counts: Mapping[str, JSON]) -> str:
    """What a dream did, in one line."""
    said = ", ".join(f"{n} {name}" for name, n in counts.items() if n and name != "looked")
    return f"{title}: {said or 'nothing changes'}"


def named(diff: str, ids: Mapping[str, str]) -> str:
    """A diff with the ids its new rows got."""
    return _REF.sub(lambda m: f"^{ids.get(m[1], m[1])}", diff)


def _pack(text: str) -> bytes | None:
    return zlib.compress(text.encode()) if text else None
