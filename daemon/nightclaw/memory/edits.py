"""The owner's hand in the files, taken into the rows: one page, one transaction, and twice is the same as once.

A changed bullet becomes a memory of the owner's that supersedes the old one, a new one is added, a removed one is
retired with a tombstone, one that stands on another page now changes its topic. What cannot be taken over (an id that
is nobody's, one that stands twice, words that hold a secret) stays in the file as it is and is told with its remedy.
Rows never change their words, so a bullet that differs from its row was changed by hand, whoever else was at work.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from nightclaw.core.errors import NightclawError
from nightclaw.core.states import MemoryState
from nightclaw.core.trust import Trust
from nightclaw.memory import markdown
from nightclaw.memory.kinds import GENERAL, kind_of
from nightclaw.memory.markdown import KEEP, Bullet, Fault, Parsed
from nightclaw.store import memories, topics
from nightclaw.store.db import Connection
from nightclaw.store.memories import Memory, NewMemory, Said

LIVE = (MemoryState.ACTIVE, MemoryState.CANDIDATE)


@dataclass(slots=True)
class Applied:
    """fates: what becomes of each bullet in the file (see `markdown.weave`). leaving: ids that stand in another file
    now, which decides about them. changed: rows were written."""

    fates: dict[int, str | None] = field(default_factory=dict[int, str | None])
    faults: list[Fault] = field(default_factory=list[Fault])
    leaving: set[str] = field(default_factory=set[str])
    changed: int = 0


@dataclass(frozen=True, slots=True)
class Place:
    """The page an edit happens on. base: the ids its owner had in front of them, None when
    nobody knows. elsewhere: ids in other files."""

    name: str
    private: bool
    repo: str | None
    base: frozenset[str] | None
    elsewhere: Mapping[str, str]


def shown(row: Memory) -> str:
    """A row's words as its bullet shows them."""
    return markdown.body(row.text, row.applies, is_foreign=not row.trust.at_least(Trust.REPO))


def place(conn: Connection, name: str, mark: str | None, elsewhere: Mapping[str, str]) -> Place:
    page, topic = topics.pages(conn).get(name), topics.get(conn, name)
    private = page.private if page else name == topics.PRIVATE
    repo = page.repo if page else None
    if page is None and topic is not None and topic.repo is not None:
        private, repo = True, topic.repo
    return Place(name, private, repo, topic.base(mark) if topic else None, elsewhere)


def apply(conn: Connection, parsed: Parsed, at: Place, now: int) -> Applied:
    """Take the page over. SQL only."""
    done = Applied()
    hand = _Hand(conn, at, now, done)
    twice = _stand_twice(parsed)
    here = {b.id for b in parsed.bullets if b.id}
    for n, bullet in enumerate(parsed.bullets):
        if n in twice:
            _tell(
                done,
                bullet,
                f"the block id ^{bullet.id} stands there twice",
                "remove the id of one of the two",
            )
            done.fates[n] = KEEP
            continue
        try:
            done.fates[n] = hand.take(bullet, here)
        except NightclawError as error:
            done.fates[n] = KEEP
            _tell(done, bullet, error.message, error.hint or "change the line")
    for gone in sorted((at.base or frozenset()) - here):
        hand.removed(gone, parsed)
    return done


def _stand_twice(parsed: Parsed) -> set[int]:
    """Bullets whose id another one has, too."""
    seen: dict[str, list[int]] = {}
    for n, bullet in enumerate(parsed.bullets):
        if bullet.id:
            seen.setdefault(bullet.id, []).append(n)
    return {n for found in seen.values() if len(found) > 1 for n in found}


def _tell(done: Applied, bullet: Bullet, said: str, remedy: str) -> None:
    done.faults.append(Fault(bullet.first + 1, said, remedy))


class _Hand:
    """What one bullet asks for. Every method answers the id its line shall carry, None to drop it, KEEP to leave it."""

    def __init__(self, conn: Connection, at: Place, now: int, done: Applied) -> None:
        self._conn, self._at, self._now, self._done = conn, at, now, done
        self._claimed: set[str] = set()
        self._rows: list[Memory] | None = None

    def take(self, bullet: Bullet, here: set[str]) -> str | None:
        if bullet.id is None:
            return self._new(bullet, here)
        row = memories.get(self._conn, bullet.id)
        if row is None:
            _tell(
                self._done,
                bullet,
                f"^{bullet.id} is the id of no memory",
                "remove the id: the line is kept as new",
            )
            return KEEP
        is_same = bullet.body == shown(row)
        if row.state in LIVE:
            return self._live(bullet, row, is_same=is_same)
        if row.state is MemoryState.SUPERSEDED:
            return self._superseded(bullet, row, here, is_same=is_same)
        base = self._at.base
        came_back = base is not None and (
            bullet.id not in base or topics.was_forgotten_by_hand(self._conn, row)
        )
        if is_same and not came_back:
            return None
        return self._add(bullet, row) if bullet.body else None

    def _live(self, bullet: Bullet, row: Memory, *, is_same: bool) -> str | None:
        is_here = topics.page_of(row) == self._at.name
        if not is_here and row.id in self._at.elsewhere:
            other = self._at.elsewhere[row.id]
            _tell(
                self._done, bullet, f"^{row.id} stands in {other}, too", "remove it in one of the two files"
            )
            return KEEP
        if is_same and is_here:
            return row.id
        if is_same and not row.private and not self._at.private:
            topics.move(self._conn, row.id, self._at.name, self._now)
            self._done.changed += 1
            return row.id
        return self._replace(bullet, row)

    def _superseded(self, bullet: Bullet, row: Memory, here: set[str], *, is_same: bool) -> str | None:
        end = topics.newest_version(self._conn, row)
        if is_same:
            return None  # an older picture of the page: the newer words stand in for it
        if bullet.body == shown(end) and end.state in LIVE:
            return end.id if end.id not in here and self._claim(end.id) else None
        if end.state in LIVE and end.id not in here and topics.page_of(end) == self._at.name:
            return self._replace(bullet, end)
        return self._add(bullet, row)

    def _claim(self, memory_id: str) -> bool:
        is_free = memory_id not in self._claimed
        self._claimed.add(memory_id)
        return is_free

    def _new(self, bullet: Bullet, here: set[str]) -> str:
        """A line without an id: one that was taken over before its id could be written, or a new memory."""
        if not bullet.body:
            return KEEP

        text, applies = markdown.taken_apart(bullet.body)
        if self._rows is None:
            self._rows = topics.rows_of(self._conn, self._at.name)
        for row in self._rows:
            same = memories.text_hash(row.text) == memories.text_hash(text) and row.applies == applies
            if same and row.id not in here and self._claim(row.id):
                return row.id
        return self._add(bullet, None)

    def _add(self, bullet: Bullet, like: Memory | None) -> str:
        self._done.changed += 1
        return self._save(self._wanted(bullet, like))

    def _replace(self, bullet: Bullet, row: Memory) -> str | None:
        """The owner's words in the place of a row; over a repository's border the old one ends and a new begins."""
        wanted = self._wanted(bullet, row)
        if not bullet.body:
            memories.retire(self._conn, row.id, "edit", self._now, tombstone=True)
            self._done.changed += 1
            return None
        self._done.changed += 1
        if (row.private, row.repo if row.private else None) == (
            wanted.private,
            wanted.repo if wanted.private else None,
        ):
            return self._save(replace(wanted, supersedes=row.id))
        made = self._save(wanted)
        memories.retire(self._conn, row.id, "edit", self._now, tombstone=False, reason="moved by hand")
        return made

    def _wanted(self, bullet: Bullet, like: Memory | None) -> NewMemory:
        text, applies = markdown.taken_apart(bullet.body)
        from nightclaw.memory import keys  # loaded with the first line that is read

        at = self._at
        topic = (like.topic if like else GENERAL) if at.private else at.name
        fact = keys.fact_of(text)
        has_key = fact is not None and not fact.bare
        repo = at.repo if at.private else like.repo if like and not like.private else None
        return NewMemory(
            text=text,
            kind=like.kind if like else kind_of(text, topic),
            topic=topic,
            trust=Trust.OWNER,
            sources=(),
            made_by="edit",
            observed_at=self._now,
            private=at.private,
            repo=repo,
            applies=applies,
            fact_key=fact.key if fact is not None and has_key else None,
            fact_value=(fact.value if fact.holds else f"not {fact.value}")
            if fact is not None and has_key
            else None,
            state=MemoryState.ACTIVE,
        )

    def _save(self, wanted: NewMemory) -> str:
        return memories.save(self._conn, wanted, Said("owner"), self._now)

    def removed(self, memory_id: str, parsed: Parsed) -> None:
        """A bullet that stood there when the owner began is gone."""
        row = memories.get(self._conn, memory_id)
        if row is None or memory_id in self._at.elsewhere:
            self._done.leaving.add(memory_id)
            return
        end = topics.newest_version(self._conn, row)
        if (
            end.state not in LIVE
            or topics.page_of(end) != self._at.name
            or end.id in self._done.fates.values()
        ):
            return
        if end.id == row.id or memories.text_hash(end.text) == memories.text_hash(row.text):
            memories.retire(self._conn, end.id, "edit", self._now, tombstone=True)
            self._done.changed += 1


def reword(conn: Connection, memory_id: str, words: str, now: int) -> None:
    """Words of one memory that were changed where it is only named. Raises NightclawError."""
    row = memories.get(conn, memory_id)
    if row is None or not words.strip():
        return
    at = place(conn, topics.page_of(row), None, {})
    said = markdown.body(words, row.applies, is_foreign=False)
    _Hand(conn, at, now, Applied()).take(Bullet(memory_id, said, 0, 1), set())
