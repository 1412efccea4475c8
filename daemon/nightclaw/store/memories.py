"""Derived memory: rows made of sources, each with its label, its life and its full-text entry.

Guarantees. No row without a source, none with a secret, none that was forgotten unless the owner says it again. What
the owner said is changed by the owner alone, and no row gives way to one of lower trust or of another scope. Rows
that may be recalled (candidate and active) stand in `memory_fts`, kept in the same transaction.
"""

import hashlib
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields, replace

from sqlalchemy import Connection

from nightclaw.core.errors import Invalid, InvalidTransition, NotFound, Refused
from nightclaw.core.ids import new_id
from nightclaw.core.secrets import secret_in
from nightclaw.core.states import MemoryState, before
from nightclaw.core.topic import is_name
from nightclaw.core.trust import Trust
from nightclaw.core.types import JSON
from nightclaw.store import events, observations, terms
from nightclaw.store.driver import driver

KINDS = frozenset({"user", "feedback", "project", "reference", "procedure"})
MAKERS = frozenset({"owner", "remember", "dream", "edit", "import"})
LONGEST = 2_000
_ROOM = 8  # spaces and points at the ends of a wording
LIVE = (MemoryState.CANDIDATE, MemoryState.ACTIVE)
_INSERT_FTS = "INSERT INTO memory_fts (rowid, text, previous, next, date) VALUES (?, ?, ?, '', ?)"


@dataclass(frozen=True, slots=True)
class NewMemory:
    """A memory before it is a row. kind: user, feedback, project, reference, procedure. topic: a slug. sources: event
    cursors it rests on. made_by: owner, remember, dream, edit, import. applies: when it matters, in words.
    fact_key, fact_value: what it says about what, when that can be told. repo with private: recalled there alone."""

    text: str
    kind: str
    topic: str
    trust: Trust
    sources: Sequence[int]
    made_by: str
    observed_at: int
    private: bool = False
    repo: str | None = None
    origins: tuple[str, ...] = ()
    applies: str | None = None
    fact_key: str | None = None
    fact_value: str | None = None
    expires_at: int | None = None
    supersedes: str | None = None
    state: MemoryState = MemoryState.CANDIDATE


@dataclass(frozen=True, slots=True)
class Memory:
    n: int
    id: str
    text: str
    kind: str
    topic: str
    state: MemoryState
    trust: Trust
    private: bool
    repo: str | None
    origins: tuple[str, ...]
    sources: tuple[int, ...]
    made_by: str
    applies: str | None
    fact_key: str | None
    fact_value: str | None
    observed_at: int
    expires_at: int | None
    verified_by: str | None
    verified_at: int | None
    doubted_at: int | None
    supersedes: str | None
    superseded_by: str | None
    used_at: int | None
    created_at: int
    updated_at: int


_NAMES = [f.name for f in fields(Memory)]
_COLUMNS = ", ".join(_NAMES)
_INSERT = f"INSERT INTO memory ({', '.join(_NAMES[1:])}) VALUES ({', '.join('?' * (len(_NAMES) - 1))})"


@dataclass(frozen=True, slots=True)
class Said:
    """Words that are saved as they are: who said them, and where. They become an observation of their own."""

    role: str
    kind: str = "explicit"
    session: str | None = None
    task: str | None = None


def add(conn: Connection, new: NewMemory, now: int, *, session: str | None = None) -> str:
    """Make a memory of its sources; its id. Raises Invalid without sources or with bad fields, Refused for a secret
    or for what the owner forgot. With `supersedes`, the older row gives way in the same breath."""
    if not new.sources:
        raise Invalid("a memory needs at least one source")
    checked = _checked(conn, new, now)
    return _insert(conn, checked, _tell_added(conn, checked, now, session)[0], now)


def save(conn: Connection, new: NewMemory, said: Said, now: int) -> str:
    """Keep words said to be kept: the event `memory.added` is their source and their observation. The same errors."""
    checked = _checked(conn, new, now)
    memory_id, cursor = _tell_added(conn, checked, now, said.session, said.task)
    observations.add(
        conn,
        observations.NewObservation(
            cursor=cursor,
            at=checked.observed_at,
            role=said.role,
            kind=said.kind,
            text=checked.text,
            trust=checked.trust,
            private=checked.private,
            repo=checked.repo,
            origins=checked.origins,
            session=said.session,
            task=said.task,
        ),
    )
    return _insert(conn, replace(checked, sources=[*checked.sources, cursor]), memory_id, now)


def get(conn: Connection, memory_id: str) -> Memory | None:
    row = conn.exec_driver_sql(f"SELECT {_COLUMNS} FROM memory WHERE id = ?", (memory_id,)).fetchone()
    return _memory(row) if row else None


def list_(
    conn: Connection,
    *,
    states: Sequence[MemoryState] = LIVE,
    topic: str | None = None,
    after: int = 0,
    limit: int = 200,
) -> list[Memory]:
    """Rows in these states, oldest first, with n > `after`."""
    where, values = _in("state", [str(s) for s in states])
    if topic is not None:
        where, values = f"{where} AND topic = ?", [*values, topic]
    return matching(conn, f"{where} AND n > ? ORDER BY n LIMIT ?", [*values, after, limit])


def of_topic(
    conn: Connection, topic: str, states: Sequence[MemoryState] = (MemoryState.ACTIVE,)
) -> list[Memory]:
    where, values = _in("state", [str(s) for s in states])
    return matching(conn, f"topic = ? AND {where} ORDER BY n", [topic, *values])


def by_key(conn: Connection, fact_key: str, states: Sequence[MemoryState] = LIVE) -> list[Memory]:
    """What is said about this key, newest observation last. Every scope: the caller compares `private` and `repo`."""
    where, values = _in("state", [str(s) for s in states])
    return matching(conn, f"fact_key = ? AND {where} ORDER BY observed_at, n", [fact_key, *values])


def since(conn: Connection, cursor: int, limit: int = 500) -> list[Memory]:
    """Memories that rest on something after `cursor`, oldest first."""
    where = "id IN (SELECT memory_id FROM memory_source WHERE cursor > ?) ORDER BY n LIMIT ?"
    return matching(conn, where, [cursor, limit])


def of_source(conn: Connection, cursor: int) -> list[Memory]:
    return matching(conn, "id IN (SELECT memory_id FROM memory_source WHERE cursor = ?) ORDER BY n", [cursor])


def counts(conn: Connection) -> dict[str, int]:
    """How many rows are in each state."""
    return {
        str(r[0]): int(r[1])
        for r in conn.exec_driver_sql("SELECT state, count(*) FROM memory GROUP BY state")
    }


def promote(conn: Connection, memory_id: str, now: int) -> None:
    """candidate → active. Raises InvalidTransition."""
    _move(conn, memory_id, MemoryState.ACTIVE, now)


def supersede(conn: Connection, old_id: str, new_id_: str, now: int) -> None:
    """`old` gives way to `new`, by code that compared their times. Raises NotFound, Refused, InvalidTransition."""
    old, new = _have(conn, old_id), _have(conn, new_id_)
    _may_replace(old, new.trust, new.private, new.repo)
    _give_way(conn, old, new.id, now)
    driver(conn).execute("UPDATE memory SET supersedes = ? WHERE id = ?", (old.id, new.id))


def retire(conn: Connection, memory_id: str, by: str, now: int, *, tombstone: bool, reason: str = "") -> None:
    """End a memory. by: owner, edit, dream, expiry. With a tombstone it does not come back below the owner.

    Raises Refused when it is the owner's and neither the owner ends it nor its own date is past.
    """
    held = _have(conn, memory_id)
    is_past = by == "expiry" and held.expires_at is not None and held.expires_at <= now
    if held.trust is Trust.OWNER and by not in ("owner", "edit") and not is_past:
        raise Refused("what the owner said is retired by the owner alone")
    _move(conn, memory_id, MemoryState.RETIRED, now)
    if tombstone:
        driver(conn).execute(
            "INSERT OR REPLACE INTO tombstone (text_hash, memory_id, topic, fact_key, by, at)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (text_hash(held.text), held.id, held.topic, held.fact_key, by, now),
        )
    data: dict[str, JSON] = {"memory": held.id, "topic": held.topic, "by": by, "reason": reason}
    events.append(conn, "memory.retired", now, data)


def is_forgotten(conn: Connection, text: str, fact_key: str | None = None, observed_at: int = 0) -> bool:
    """True for words with a tombstone, and for another wording of the same fact from before it was forgotten."""
    query = "SELECT 1 FROM tombstone WHERE text_hash = ? OR (fact_key = ? AND at >= ?) LIMIT 1"
    return conn.exec_driver_sql(query, (text_hash(text), fact_key, observed_at)).fetchone() is not None


def verified(conn: Connection, memory_id: str, by: str, now: int) -> None:
    """A check passed: which one, and when; an earlier doubt is lifted."""
    query = (
        "UPDATE memory SET verified_by = ?, verified_at = ?, doubted_at = NULL, updated_at = ? WHERE id = ?"
    )
    driver(conn).execute(query, (by, now, now, memory_id))


def doubted(conn: Connection, memory_id: str, now: int) -> None:
    """The world says otherwise: out of the prompt until a dream or the owner looks at it."""
    query = "UPDATE memory SET doubted_at = ?, verified_by = NULL, verified_at = NULL, updated_at = ? WHERE id = ?"
    driver(conn).execute(query, (now, now, memory_id))


def as_long_as(conn: Connection, topic: str, text: str) -> list[Memory]:
    """The live rows of a topic that are about as long as `text`: among them is the one of the same hash."""
    live = f"topic = ? AND state IN ('{LIVE[0]}', '{LIVE[1]}') AND length(text) BETWEEN ? AND ? ORDER BY n"
    return matching(conn, live, [topic, len(text) - _ROOM, len(text) + _ROOM])


def text_hash(text: str) -> str:
    """One hash for one wording, whatever its spaces, case or last point."""
    plain = " ".join(text.casefold().split()).rstrip(" .!")
    return hashlib.sha256(plain.encode("utf-8", "replace")).hexdigest()


def index_entry(row: Memory) -> tuple[int, str, str, str] | None:
    """The full-text entry a row should have: (rowid, text, previous, date); None when it may not be recalled."""
    if row.state not in LIVE:
        return None
    around = f"{row.topic.replace('-', ' ')} {row.applies or ''}".strip()
    return row.n, row.text, around, terms.date_words(row.observed_at)


def index(conn: Connection, memory_id: str) -> None:
    """Make the row's full-text entry what it should be, after the row itself was written or restored."""
    row = _have(conn, memory_id)
    driver(conn).execute("DELETE FROM memory_fts WHERE rowid = ?", (row.n,))
    entry = index_entry(row)
    if entry is not None:
        driver(conn).execute(_INSERT_FTS, entry)


def sketch(conn: Connection, memory_id: str, hashes: Collection[int]) -> None:
    """Have a row found by these hashes of what it says, too."""
    driver(conn).executemany(
        "INSERT OR IGNORE INTO memory_sketch (hash, n) SELECT ?, n FROM memory WHERE id = ?",
        [(h, memory_id) for h in sorted(hashes)],
    )


def _checked(conn: Connection, new: NewMemory, now: int) -> NewMemory:
    text = " ".join(new.text.replace("\0", " ").split())
    if not text:
        raise Invalid("a memory needs words")
    if len(text) > LONGEST:
        raise Invalid(f"a memory has at most {LONGEST} characters", "say it shorter, one fact a memory")
    if new.kind not in KINDS or new.made_by not in MAKERS or new.state not in LIVE:
        raise Invalid(f"no memory is of the kind {new.kind!r}, made by {new.made_by!r}, {new.state!r}")
    if not is_name(new.topic):
        raise Invalid(f"{new.topic!r} is not the name of a topic", "use small letters, digits and -")
    if new.private and new.repo is None and new.trust is not Trust.OWNER:
        raise Invalid("what is private needs its repository")
    secret = secret_in(f"{text}\n{new.applies or ''}")
    if secret is not None:
        raise Refused(
            f"not kept: it holds {secret}", "memory is no place for secrets; say where it is kept instead"
        )
    if is_forgotten(conn, text, new.fact_key, new.observed_at):
        if new.trust is not Trust.OWNER or new.made_by not in ("owner", "edit"):
            raise Refused("this was forgotten on purpose")
        driver(conn).execute("DELETE FROM tombstone WHERE text_hash = ?", (text_hash(text),))
    if new.supersedes is not None:
        _may_replace(_have(conn, new.supersedes), new.trust, new.private, new.repo)
    return replace(new, text=text)


def _tell_added(
    conn: Connection, new: NewMemory, now: int, session: str | None, task: str | None = None
) -> tuple[str, int]:
    memory_id = new_id("mem", now)
    data: dict[str, JSON] = {
        "memory": memory_id,
        "topic": new.topic,
        "kind": new.kind,
        "state": str(new.state),
        "trust": str(new.trust),
        "by": new.made_by,
    }
    return memory_id, events.append(conn, "memory.added", now, data, session=session, task=task)


def _insert(conn: Connection, new: NewMemory, memory_id: str, now: int) -> str:
    db, sources = driver(conn), sorted({int(c) for c in new.sources})
    db.execute(
        _INSERT,
        (
            memory_id, new.text, new.kind, new.topic, str(new.state), str(new.trust), new.private, new.repo,
            events.dumps(sorted(new.origins)), events.dumps(sources), new.made_by, new.applies, new.fact_key,
            new.fact_value, new.observed_at, new.expires_at, None, None, None, new.supersedes, None, None, now, now,
        ),
    )  # fmt: skip
    db.executemany(
        "INSERT INTO memory_source (memory_id, cursor) VALUES (?, ?)", [(memory_id, c) for c in sources]
    )
    index(conn, memory_id)
    if new.supersedes is not None:
        _give_way(conn, _have(conn, new.supersedes), memory_id, now)
    return memory_id


def _may_replace(old: Memory, trust: Trust, private: bool, repo: str | None) -> None:
    if not trust.at_least(old.trust):
        raise Refused(f"a memory of {old.trust} does not give way to one of {trust}")
    if (old.private, old.repo if old.private else None) != (private, repo if private else None):
        raise Refused("a memory gives way only to one of its own scope")


def _give_way(conn: Connection, old: Memory, new: str, now: int) -> None:
    _move(conn, old.id, MemoryState.SUPERSEDED, now)
    driver(conn).execute("UPDATE memory SET superseded_by = ? WHERE id = ?", (new, old.id))
    events.append(conn, "memory.superseded", now, {"memory": old.id, "topic": old.topic, "by": new})


def _move(conn: Connection, memory_id: str, to: MemoryState, now: int) -> None:
    held = _have(conn, memory_id)
    where, values = _in("state", before(to))
    query = f"UPDATE memory SET state = ?, updated_at = ? WHERE id = ? AND {where}"
    if driver(conn).execute(query, (str(to), now, memory_id, *values)).rowcount == 0:
        raise InvalidTransition(f"a memory that is {held.state} does not become {to}")
    index(conn, memory_id)


def _have(conn: Connection, memory_id: str) -> Memory:
    held = get(conn, memory_id)
    if held is None:
        raise NotFound(f"no memory {memory_id}")
    return held


def _in(column: str, values: Sequence[str]) -> tuple[str, list[object]]:
    return f"{column} IN ({', '.join('?' * len(values))})", list(values)


def matching(conn: Connection, where: str, values: Sequence[object], index: str = "") -> list[Memory]:
    """Rows that a condition of the store's own choosing fits. index: the one to go by, where the planner errs."""
    by = f"INDEXED BY {index}" if index else ""
    return [
        _memory(r)
        for r in conn.exec_driver_sql(f"SELECT {_COLUMNS} FROM memory {by} WHERE {where}", tuple(values))
    ]


def _memory(row: Sequence[object]) -> Memory:
    r = dict(zip(_NAMES, row, strict=True))
    return Memory(
        **{
            **r,
            "state": MemoryState(str(r["state"])),
            "trust": Trust(str(r["trust"])),
            "private": bool(r["private"]),
            "origins": tuple(json.loads(str(r["origins"]))),
            "sources": tuple(json.loads(str(r["sources"]))),
        }
    )
