"""Topics: what a page of memory is called, which rows stand on it, and what its file looked like when it was written.

A memory of a private repository stands on that repository's page and on no other. A topic's `rendered` remembers the
last few sets of block ids its file showed, so that an edit is compared with what its owner had before them.
"""

import hashlib
import json
import re
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from nightclaw.core.trust import Trust
from nightclaw.core.types import JSON
from nightclaw.store import events, memories, settings
from nightclaw.store.driver import driver
from nightclaw.store.memories import Memory

INDEX = "MEMORY"
"""The row of the index file; no topic can be called so."""
PRIVATE = "private"
"""The page of what is private without a repository."""
KINDS = (
    "memory.added",
    "memory.superseded",
    "memory.retired",
    "memory.moved",
    "memory.redacted",
    "dream.finished",
)
REMEMBERED = 8
_CURSOR = "memory_files"
_PLAIN = re.compile(r"[a-z0-9]+/[a-z0-9-]+")
_CHAIN = 64


@dataclass(frozen=True, slots=True)
class Topic:
    """title, hook: in the owner's words where they gave some. digest: of the file as it was written last, None before.
    shown: (mark, block ids) of its last renderings, oldest first. repo: whose page it is, for a private one."""

    name: str
    title: str
    hook: str
    digest: str | None
    text: str
    shown: tuple[tuple[str, frozenset[str]], ...]
    updated_at: int
    repo: str | None = None

    def base(self, mark: str | None) -> frozenset[str] | None:
        """The ids that stood in the rendering with this mark, without a mark in the newest; None when nobody knows."""
        if mark is None:
            return self.shown[-1][1] if self.shown else None
        return next((ids for held, ids in reversed(self.shown) if held == mark), None)


@dataclass(frozen=True, slots=True)
class Page:
    """A page and how much stands on it. private: told of by name only. repo: whose it is, for a private one."""

    name: str
    private: bool
    repo: str | None
    count: int


def page_name(topic: str, private: bool, repo: str | None) -> str:
    """The page a memory stands on: its topic, or `repo-octo-app` for one of a private repository."""
    if not private:
        return topic
    if repo is None:
        return PRIVATE
    name = repo.lower()
    slug = re.sub(r"[^a-z0-9]+", "-", name).strip("-")[:50]
    mark = (
        ""
        if _PLAIN.fullmatch(name) and len(name) <= 50
        else f"-{hashlib.sha256(name.encode()).hexdigest()[:6]}"
    )
    return f"repo-{slug}{mark}"


def page_of(row: Memory) -> str:
    return page_name(row.topic, row.private, row.repo)


def mark_of(ids: Iterable[str]) -> str:
    """Names a set of block ids."""
    return hashlib.sha256(" ".join(sorted(ids)).encode()).hexdigest()[:12]


def pages(conn: Connection) -> dict[str, Page]:
    """Every page with an active memory."""
    query = "SELECT topic, private, repo, count(*) FROM memory WHERE state = 'active' GROUP BY topic, private, repo"
    found: dict[str, Page] = {}
    for topic, private, repo, count in conn.exec_driver_sql(query):
        name = page_name(topic, bool(private), repo)
        held = found.get(name)
        mine = Page(name, bool(private), repo if private else None, int(count))
        if held is not None:
            mine = Page(name, held.private or mine.private, held.repo or mine.repo, held.count + mine.count)
        found[name] = mine
    return found


def rows_of(conn: Connection, name: str) -> list[Memory]:
    """The active memories on a page, in the order they stand there: where their first version stood."""
    found = [m for m in memories.of_topic(conn, name) if not m.private]
    if name == PRIVATE or name.startswith("repo-"):
        found += _private_rows(conn, name)
    roots = {m.id: root_n(conn, m) for m in found}
    return sorted(found, key=lambda m: (roots[m.id], m.n))


def root_n(conn: Connection, row: Memory) -> int:
    """The number of the first version of a memory."""
    n, before = row.n, row.supersedes
    for _ in range(_CHAIN):
        if before is None:
            break
        held = conn.exec_driver_sql("SELECT n, supersedes FROM memory WHERE id = ?", (before,)).fetchone()
        if held is None:
            break
        n, before = min(n, int(held[0])), held[1]
    return n


def newest_version(conn: Connection, row: Memory) -> Memory:
    """What became of a memory: the end of its line."""
    for _ in range(_CHAIN):
        after = memories.get(conn, row.superseded_by) if row.superseded_by else None
        if after is None:
            break
        row = after
    return row


def history(conn: Connection, row: Memory) -> list[Memory]:
    """The whole line of a memory, oldest first."""
    line, held = [row], row
    while held.supersedes and len(line) < _CHAIN:
        before = memories.get(conn, held.supersedes)
        if before is None:
            break
        line.insert(0, before)
        held = before
    held = row
    while held.superseded_by and len(line) < 2 * _CHAIN:
        after = memories.get(conn, held.superseded_by)
        if after is None:
            break
        line.append(after)
        held = after
    return line


def move(conn: Connection, memory_id: str, to: str, now: int) -> None:
    """Put a memory under another topic; its words, its label and its history stay."""
    held = memories.get(conn, memory_id)
    if held is None or held.topic == to:
        return
    driver(conn).execute("UPDATE memory SET topic = ?, updated_at = ? WHERE id = ?", (to, now, memory_id))
    memories.index(conn, memory_id)
    data: dict[str, JSON] = {"memory": memory_id, "topic": to, "from": held.topic}
    events.append(conn, "memory.moved", now, data)


def told(conn: Connection, page: str, limit: int) -> list[Memory]:
    """What may be hinted at in the index: not private, not doubted, nothing of strangers."""
    found = [
        m
        for m in memories.of_topic(conn, page)
        if not m.private and m.doubted_at is None and m.trust.at_least(Trust.REPO)
    ]
    return found[:limit]


def about_owner(conn: Connection, limit: int) -> list[Memory]:
    """Who the owner is and how they like to work, in their own words: newest kept, oldest first."""
    query = """
SELECT id FROM memory WHERE state = 'active' AND private = 0 AND doubted_at IS NULL
 AND kind IN ('user', 'feedback') AND trust IN ('OWNER', 'DAEMON') ORDER BY n DESC LIMIT ?"""
    ids = [str(r[0]) for r in conn.exec_driver_sql(query, (limit,))]
    return [m for m in (memories.get(conn, i) for i in reversed(ids)) if m is not None]


def get(conn: Connection, name: str) -> Topic | None:
    return next(iter(_topics(conn, "WHERE name = ?", (name,))), None)


def heads(conn: Connection) -> dict[str, Topic]:
    """Every topic that was ever named or written, without what its file looked like."""
    query = "SELECT name, title, hook, rendered_hash, updated_at FROM topic ORDER BY name"
    return {r[0]: Topic(r[0], r[1], r[2], r[3], "", (), r[4]) for r in conn.exec_driver_sql(query)}


def name_it(conn: Connection, name: str, title: str, hook: str, now: int) -> None:
    """Give a topic its title and hook."""
    driver(conn).execute(
        "INSERT INTO topic (name, title, hook, updated_at) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (name) DO UPDATE SET title = excluded.title, hook = excluded.hook",
        (name, title, hook, now),
    )


def note_rendered(
    conn: Connection, name: str, title: str, text: str, ids: Sequence[str], now: int, repo: str | None = None
) -> None:
    """The file of a topic is on the disk as `text`, showing these blocks."""
    held = get(conn, name)
    mark = mark_of(ids)
    shown = [s for s in (held.shown if held else ()) if s[0] != mark][1 - REMEMBERED :]
    kept: list[JSON] = [[m, sorted(i)] for m, i in [*shown, (mark, frozenset(ids))]]
    packed = zlib.compress(
        events.dumps({"text": text, "shown": kept, "repo": repo}).encode("utf-8", "surrogatepass"), 6
    )
    driver(conn).execute(
        "INSERT INTO topic (name, title, hook, rendered_hash, rendered, updated_at) VALUES (?, ?, '', ?, ?, ?)"
        " ON CONFLICT (name) DO UPDATE SET rendered_hash = excluded.rendered_hash,"
        " rendered = excluded.rendered, updated_at = excluded.updated_at",
        (name, title, digest(text), packed, now),
    )


def forget_file(conn: Connection, name: str) -> None:
    """The page has no file any more; what its owner called it, and what stood there, is still known."""
    driver(conn).execute("UPDATE topic SET rendered_hash = NULL WHERE name = ?", (name,))


def changed_since(conn: Connection, cursor: int, limit: int) -> tuple[set[str] | None, int]:
    """Pages that memory events after `cursor` touched (None: any may be), and the cursor read up to."""
    found = events.page(conn, cursor, limit, kinds=KINDS)
    touched: set[str] = set()
    for e in found:
        if e.kind == "dream.finished":
            if e.data.get("state") in ("finished", "undone"):
                return None, events.head(conn)
            continue
        row = memories.get(conn, str(e.data.get("memory")))
        if row is not None:
            touched.add(page_of(row))
            if not row.private:
                touched |= {str(e.data[k]) for k in ("topic", "from") if e.data.get(k)}
    return touched, found[-1].cursor if len(found) == limit else max(events.head(conn), cursor)


def cursor(conn: Connection) -> int | None:
    """How far the files follow the events; None in a store that never wrote them."""
    held = settings.get(conn, _CURSOR)
    return held if isinstance(held, int) else None


def save_cursor(conn: Connection, at: int) -> None:
    settings.put(conn, _CURSOR, at)


def digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def was_forgotten_by_hand(conn: Connection, row: Memory) -> bool:
    """The owner removed this very memory from a file."""
    query = "SELECT 1 FROM tombstone WHERE memory_id = ? AND by = 'edit'"
    return conn.exec_driver_sql(query, (row.id,)).fetchone() is not None


def _private_rows(conn: Connection, name: str) -> list[Memory]:
    query = "SELECT DISTINCT repo FROM memory WHERE state = 'active' AND private = 1"
    repos = [r[0] for r in conn.exec_driver_sql(query) if page_name("", True, r[0]) == name]
    found: list[Memory] = []
    for repo in repos:
        query = "SELECT id FROM memory WHERE state = 'active' AND private = 1 AND repo IS ? ORDER BY n"
        ids = [str(r[0]) for r in conn.exec_driver_sql(query, (repo,))]
        found += [m for m in (memories.get(conn, i) for i in ids) if m is not None]
    return found


def _topics(conn: Connection, where: str, values: tuple[str, ...]) -> list[Topic]:
    query = f"SELECT name, title, hook, rendered_hash, rendered, updated_at FROM topic {where}"
    found: list[Topic] = []
    for name, title, hook, held, packed, at in conn.exec_driver_sql(query, values):
        kept = json.loads(zlib.decompress(packed)) if packed else {}
        shown = tuple((str(m), frozenset(ids)) for m, ids in kept.get("shown", ()))
        repo = kept.get("repo")
        found.append(Topic(name, title, hook, held, str(kept.get("text", "")), shown, at, repo))
    return found
