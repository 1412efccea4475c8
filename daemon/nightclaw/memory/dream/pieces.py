"""A dream's working copy: memory rows, and rows in the making, as one kind of thing. Pure; nothing here is durable.

A piece is what a row says now, in this dream. What becomes of it is written on it and turned into changes at the end,
so a step may build on what an earlier step decided without anything having happened yet.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import tzinfo

from nightclaw.core.states import MemoryState
from nightclaw.core.trust import Trust
from nightclaw.memory import dates
from nightclaw.memory.alignment import Relation
from nightclaw.memory.gist import Gist, gist
from nightclaw.memory.keys import Fact, fact_of
from nightclaw.memory.likeness import Likeness, hash_of, likeness
from nightclaw.store.memories import LIVE, Memory, text_hash
from nightclaw.store.observations import Observation

Scope = tuple[bool, str | None]
_ACTIVE_AT_ONCE = ("owner", "edit", "import")


@dataclass(slots=True, eq=False)
class Piece:
    """id: the row's, or `new:N` of one in the making. order: the newest of its sources. is_new: what this dream is
    about; others are there to be compared with. is_authored: the owner wrote these very words. gone_to, how, why: the
    piece it gives way to, and the reason in a word and in a sentence. stands: what it says in a
    history of several wordings: (value, holds, is one of several). before, after: its place in that history. heir:
    what it gave way to, in this dream or before; is_bound: for a reason of others, so that it tells only beside it."""

    id: str
    text: str
    kind: str
    topic: str
    state: MemoryState
    trust: Trust
    private: bool
    repo: str | None
    origins: frozenset[str]
    sources: set[int]
    made_by: str
    observed_at: int
    order: int
    is_new: bool
    applies: str | None = None
    expires_at: int | None = None
    row: Memory | None = None
    fact: Fact | None = None
    like: Likeness | None = None
    gist: Gist | None = None
    stands: tuple[str, bool, bool] | None = None
    gone_to: "Piece | None" = None
    how: str = ""
    why: str = ""
    ended_by: str = ""
    joined: set[int] = field(default_factory=set[int])
    before: "Piece | None" = None
    after: "Piece | None" = None
    heir: "Piece | None" = None
    is_bound: bool = False

    @property
    def scope(self) -> Scope:
        return self.private, self.repo

    @property
    def is_live(self) -> bool:
        return self.state in LIVE

    @property
    def is_edit(self) -> bool:
        return self.made_by == "edit"

    @property
    def is_authored(self) -> bool:
        return self.made_by in ("owner", "edit")

    def give_way(self, to: "Piece", how: str, why: str) -> None:
        """how: merged, newer, dated, ended."""
        self.state, self.gone_to, self.how, self.why = MemoryState.SUPERSEDED, to, how, why

    def end(self, by: str, why: str) -> None:
        self.state, self.ended_by, self.why = MemoryState.RETIRED, by, why

    def last(self) -> "Piece":
        """The piece that stands for this one after merges."""
        piece, seen = self, {id(self)}
        while (
            piece.gone_to is not None and piece.how in ("merged", "dated") and id(piece.gone_to) not in seen
        ):
            piece = piece.gone_to
            seen.add(id(piece))
        return piece


@dataclass(slots=True)
class Table:
    """All pieces of one dream, and the questions it found no answer to. relations: of the pairs compared so far, by
    their ids, the one seen to hold first before the other."""

    tz: tzinfo
    now: int
    pieces: list[Piece] = field(default_factory=list[Piece])
    asks: list[tuple[str, str, tuple[str, ...]]] = field(
        default_factory=list[tuple[str, str, tuple[str, ...]]]
    )
    relations: dict[tuple[str, str], Relation | None] = field(
        default_factory=dict[tuple[str, str], Relation | None]
    )
    _n: int = 0

    def hold(self, row: Memory, *, is_new: bool) -> Piece:
        piece = Piece(
            id=row.id, text=row.text, kind=row.kind, topic=row.topic, state=row.state, trust=row.trust,
            private=row.private, repo=row.repo, origins=frozenset(row.origins), sources=set(row.sources),
            made_by=row.made_by, observed_at=row.observed_at, order=max(row.sources, default=0), is_new=is_new,
            applies=row.applies, expires_at=row.expires_at, row=row,
        )  # fmt: skip
        self.pieces.append(piece)
        return piece

    def say(self, text: str, kind: str, topic: str, source: Observation) -> Piece:
        """A piece made of what was said."""
        return self._make(Piece(
            id="", text=text, kind=kind, topic=topic, state=MemoryState.CANDIDATE, trust=source.trust,
            private=source.private, repo=source.repo if source.private else None, origins=frozenset(source.origins),
            sources={source.cursor},
            made_by="dream", observed_at=source.at, order=source.cursor, is_new=True,
        ))  # fmt: skip

    def derive(self, old: Piece, text: str) -> Piece:
        """The same thing in other words, from the same sources."""
        return self._make(
            replace(
                old, text=text, made_by="dream", row=None, is_new=True, sources=set(old.sources), joined=set()
            )
        )

    def restate(self, old: Piece) -> Piece:
        """A row that is dead says what is current again: the same words of the same maker, from the same sources."""
        made = self.derive(old, old.text)
        made.made_by = old.made_by
        made.state = MemoryState.ACTIVE if old.made_by in _ACTIVE_AT_ONCE else MemoryState.CANDIDATE
        made.how, made.gone_to, made.why = "", None, ""
        self.read(made)
        return made

    def make(
        self, like: Sequence[Piece], text: str, kind: str, topic: str, source_cursors: Iterable[int]
    ) -> Piece:
        """A piece of several, with the lowest of their labels."""
        first = like[0]
        return self._make(Piece(
            id="", text=text, kind=kind, topic=topic, state=MemoryState.CANDIDATE,
            trust=min((p.trust for p in like), key=lambda t: t.rank), private=any(p.private for p in like),
            repo=first.repo, origins=frozenset().union(*(p.origins for p in like)), sources=set(source_cursors),
            made_by="dream", observed_at=max(p.observed_at for p in like), order=max(p.order for p in like),
            is_new=True,
        ))  # fmt: skip

    def _make(self, piece: Piece) -> Piece:
        self._n += 1
        piece.id = f"new:{self._n}"
        self.pieces.append(piece)
        return piece

    def read(self, piece: Piece) -> None:
        """Understand a piece: what it says of what, until when, and what it is like."""
        text = dates.absolute(piece.text, piece.observed_at, self.tz)
        if piece.expires_at is None:
            piece.expires_at = dates.expiry(text, piece.observed_at, self.tz)
        piece.fact, piece.like, piece.gist = fact_of(text), likeness(text), gist(text)

    def ask(self, key: str, question: str, pieces: Iterable[Piece]) -> None:
        if not any(k == key for k, _, _ in self.asks):
            self.asks.append((key, question, tuple(p.id for p in pieces)))


def key_in_scope(piece: Piece) -> str | None:
    """What pieces must share to be about one thing."""
    if piece.fact is None:
        return None
    return f"{piece.fact.key}\0{piece.topic if piece.fact.bare else ''}"


def sketches(piece: Piece) -> frozenset[int]:
    """Hashes under which a row is found by others that may say the same or end it."""
    found = set[int]()
    scope = f"{int(piece.private)}\0{piece.repo or ''}\0"
    if piece.like is not None:
        found |= {hash_of(f"{scope}{sketch}") for sketch in piece.like.sketches}
    if piece.like is None:
        found.add(hash_of(f"{scope}{piece.topic}\0{text_hash(piece.text)}"))
    fact = piece.fact
    if fact is not None and fact.bare:
        found.add(hash_of(f"{scope}{piece.topic}\0{fact.key}"))
    if fact is not None and fact.key.startswith("use of "):
        found |= {hash_of(f"{scope}use\0{v}") for v in (fact.value, fact.was) if v is not None}
    return frozenset(found)
