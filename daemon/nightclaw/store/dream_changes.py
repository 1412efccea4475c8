"""The changes of a dream: applied in the caller's transaction, pictured before, and put back byte for byte."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection

from nightclaw.core.errors import Refused
from nightclaw.core.states import MemoryState
from nightclaw.core.types import JSON
from nightclaw.store import events, memories
from nightclaw.store.dream_material import marks, parts
from nightclaw.store.driver import driver
from nightclaw.store.memories import NewMemory


@dataclass(frozen=True, slots=True)
class Add:
    """ref: `new:N`, by which other changes name the row before it has an id."""

    ref: str
    new: NewMemory


@dataclass(frozen=True, slots=True)
class GiveWay:
    """old, to: an id or a ref. how: merged, newer, ended, dated."""

    old: str
    to: str
    how: str


@dataclass(frozen=True, slots=True)
class Retire:
    """by: dream or expiry."""

    id: str
    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class Settled:
    """What a row says of what, and until when, as the dream read it."""

    id: str
    fact_key: str | None
    fact_value: str | None
    expires_at: int | None


@dataclass(slots=True)
class Plan:
    """All a dream would change. chain: (older, newer, are they two values); expects: rows it rests on, with the
    `updated_at` they had when they were read."""

    adds: list[Add] = field(default_factory=list[Add])
    settled: list[Settled] = field(default_factory=list[Settled])
    joined: dict[str, list[int]] = field(default_factory=dict[str, list[int]])
    promoted: list[str] = field(default_factory=list[str])
    ways: list[GiveWay] = field(default_factory=list[GiveWay])
    retired: list[Retire] = field(default_factory=list[Retire])
    checked: dict[str, str | None] = field(default_factory=dict[str, str | None])
    chain: list[tuple[str, str, bool]] = field(default_factory=list[tuple[str, str, bool]])
    sketches: dict[str, frozenset[int]] = field(default_factory=dict[str, frozenset[int]])
    asks: list[tuple[str, str, tuple[str, ...]]] = field(
        default_factory=list[tuple[str, str, tuple[str, ...]]]
    )
    expects: dict[str, int] = field(default_factory=dict[str, int])
    topics: set[str] = field(default_factory=set[str])

    @property
    def is_empty(self) -> bool:
        return not (
            self.adds or self.settled or self.joined or self.promoted or self.ways or self.retired or self.checked
            or self.chain
        )  # fmt: skip


def expect(conn: Connection, expects: Mapping[str, int]) -> None:
    found = stamps(conn, sorted(expects))
    changed = [i for i, at in expects.items() if i not in found or found[i][0] != at]
    if changed:
        raise Refused(f"{len(changed)} memories changed while the dream was on: {', '.join(changed[:5])}")


def touched(plan: Plan) -> set[str]:
    """The rows that change."""
    named = (
        {s.id for s in plan.settled} | set(plan.joined) | set(plan.promoted) | {w.old for w in plan.ways}
        | {w.to for w in plan.ways} | {r.id for r in plan.retired} | set(plan.checked)
        | {i for link in plan.chain for i in link[:2]}
    )  # fmt: skip
    return {i for i in named if i.startswith("mem_")}


def sketched(conn: Connection, plan: Plan) -> dict[str, JSON]:
    """The sketches that rows have before the dream adds to them, of rows that do not change themselves."""
    ids = [i for i in sorted(plan.sketches) if i.startswith("mem_") and i not in touched(plan)]
    query = "SELECT s.hash FROM memory_sketch s JOIN memory m ON m.n = s.n WHERE m.id = ? ORDER BY s.hash"
    return {i: [int(r[0]) for r in driver(conn).execute(query, (i,))] for i in ids}


def restore_sketches(conn: Connection, memory_id: str, hashes: JSON) -> None:
    query = "DELETE FROM memory_sketch WHERE n = (SELECT n FROM memory WHERE id = ?)"
    driver(conn).execute(query, (memory_id,))
    memories.sketch(conn, memory_id, _ints(hashes))


@dataclass(frozen=True, slots=True)
class LeftOut:
    """What a dream would have changed and did not: refs of rows it would have made, and how much of what they were
    to be."""

    refs: frozenset[str]
    counts: Mapping[str, int]


def leave_forgotten(conn: Connection, plan: Plan) -> LeftOut:
    """Take out of the plan what the owner forgot: it would be refused, and the whole dream with it."""
    gone = [
        a for a in plan.adds if memories.is_forgotten(conn, a.new.text, a.new.fact_key, a.new.observed_at)
    ]
    refs = frozenset(a.ref for a in gone)
    ways = [w for w in plan.ways if refs & {w.old, w.to}]
    plan.adds = [a for a in plan.adds if a.ref not in refs]
    plan.ways = [w for w in plan.ways if w not in ways]
    plan.chain = [link for link in plan.chain if not refs & set(link[:2])]
    for changes in (plan.joined, plan.checked, plan.sketches):
        for ref in refs & changes.keys():
            del changes[ref]
    merged = sum(w.how == "merged" for w in ways if w.old not in refs)
    newer = sum(w.how != "merged" for w in ways if w.old not in refs)
    active = sum(a.new.state is MemoryState.ACTIVE for a in gone)
    return LeftOut(refs, {"added": -active, "merged": -merged, "superseded": -newer, "kept": merged + newer})


def apply(conn: Connection, plan: Plan, now: int) -> dict[str, str]:
    db = driver(conn)
    ids = {a.ref: memories.add(conn, a.new, now) for a in plan.adds}
    for s in plan.settled:
        db.execute(
            "UPDATE memory SET fact_key = ?, fact_value = ?, expires_at = ?, updated_at = ? WHERE id = ?",
            (s.fact_key, s.fact_value, s.expires_at, now, s.id),
        )
    for memory_id, cursors in plan.joined.items():
        _join(conn, ids.get(memory_id, memory_id), cursors)
        db.execute("UPDATE memory SET updated_at = ? WHERE id = ?", (now, ids.get(memory_id, memory_id)))
    for memory_id in plan.promoted:
        memories.promote(conn, memory_id, now)
    for way in plan.ways:
        memories.supersede(conn, ids.get(way.old, way.old), ids.get(way.to, way.to), now)
    for r in plan.retired:
        memories.retire(conn, r.id, r.by, now, tombstone=True, reason=r.reason)
        if r.by == "expiry":  # its key may hold again; only these words are over
            db.execute("UPDATE tombstone SET fact_key = NULL WHERE memory_id = ?", (r.id,))
    for memory_id, check in plan.checked.items():
        if check is None:
            memories.doubted(conn, ids.get(memory_id, memory_id), now)
        else:
            memories.verified(conn, ids.get(memory_id, memory_id), check, now)
    for older, newer, is_version in plan.chain:
        a, b = ids.get(older, older), ids.get(newer, newer)
        db.execute("UPDATE memory SET superseded_by = ?, updated_at = ? WHERE id = ?", (b, now, a))
        if is_version:
            db.execute("UPDATE memory SET supersedes = ? WHERE id = ?", (a, b))
    for memory_id, hashes in plan.sketches.items():
        memories.sketch(conn, ids.get(memory_id, memory_id), hashes)
    return ids


def _join(conn: Connection, memory_id: str, cursors: Sequence[int]) -> None:
    db = driver(conn)
    db.executemany(
        "INSERT OR IGNORE INTO memory_source (memory_id, cursor) VALUES (?, ?)",
        [(memory_id, c) for c in cursors],
    )
    held = db.execute(
        "SELECT cursor FROM memory_source WHERE memory_id = ? ORDER BY cursor", (memory_id,)
    ).fetchall()
    db.execute("UPDATE memory SET sources = ? WHERE id = ?", (events.dumps([r[0] for r in held]), memory_id))


def image(conn: Connection, ids: Sequence[str]) -> list[dict[str, JSON]]:
    """The rows as they are, each with its sources and sketches."""
    out = list[dict[str, JSON]]()
    for part in parts(ids):
        found = driver(conn).execute(f"SELECT * FROM memory WHERE id IN ({marks(part)}) ORDER BY n", part)
        names = [d[0] for d in found.description]
        for r in found.fetchall():
            row: dict[str, JSON] = dict(zip(names, r, strict=True))
            row["\0sources"] = [
                c for (c,) in driver(conn).execute(
                    "SELECT cursor FROM memory_source WHERE memory_id = ? ORDER BY cursor", (row["id"],)
                )
            ]  # fmt: skip
            row["\0sketches"] = [
                h
                for (h,) in driver(conn).execute(
                    "SELECT hash FROM memory_sketch WHERE n = ? ORDER BY hash", (row["n"],)
                )
            ]
            out.append(row)
    return out


def restore(conn: Connection, old: dict[str, JSON]) -> None:
    db = driver(conn)
    sources, hashes = old.pop("\0sources"), old.pop("\0sketches")
    names = [n for n in old if n != "used_at"]
    db.execute(
        f"UPDATE memory SET {', '.join(f'{n} = ?' for n in names)} WHERE id = ?",
        [*(old[n] for n in names), old["id"]],
    )
    db.execute("DELETE FROM memory_source WHERE memory_id = ?", (old["id"],))
    db.execute("DELETE FROM memory_sketch WHERE n = ?", (old["n"],))
    _join(conn, str(old["id"]), _ints(sources))
    db.execute("UPDATE memory SET sources = ? WHERE id = ?", (old["sources"], old["id"]))
    memories.sketch(conn, str(old["id"]), _ints(hashes))
    memories.index(conn, str(old["id"]))


def stamps(conn: Connection, ids: Sequence[str]) -> dict[str, tuple[int, str]]:
    return {
        str(r[0]): (int(r[1]), str(r[2]))
        for part in parts(ids)
        for r in driver(conn).execute(
            f"SELECT id, updated_at, state FROM memory WHERE id IN ({marks(part)})", part
        )
    }


def _ints(value: JSON) -> list[int]:
    return [v for v in value if isinstance(v, int)] if isinstance(value, list) else []
