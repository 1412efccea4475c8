"""The owner's requests to memory: add, change, forget, find, import. Hand edits in the files are taken over first."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo

from nightclaw.core.errors import Invalid, InvalidTransition, NightclawError, NotFound
from nightclaw.core.ports import Clock
from nightclaw.core.states import MemoryState
from nightclaw.core.trust import Trust
from nightclaw.core.types import JSON, JSONObject
from nightclaw.memory import kinds
from nightclaw.memory.offer import Wanted
from nightclaw.memory.recall import Scope, recall
from nightclaw.memory.topics import MemoryFiles
from nightclaw.store import events, memories, observations, topics
from nightclaw.store.db import Connection, Store
from nightclaw.store.memories import Memory, NewMemory, Said
from nightclaw.store.observations import NewObservation

_DAY_MS = 86_400_000
_AT_ONCE = 50
_PLANTED = re.compile(
    r"(?i)\b(?:ignore|disregard|forget|override) (?:all |any |the |your |my |of )*(?:previous|prior|earlier|above)"
    r"|\bsystem prompt\b|\bwithout (?:asking|telling|approval|permission|confirm\w+)\b|\bpre-?approved\b"
    r"|\b(?:is|are|was|were) (?:now )?authori[sz]ed to\b|\b(?:do not|don['’]t|never) (?:tell|inform|alert|mention)\b"
    r"|</?[A-Z]{4,}>|\[/?(?:INST|SYSTEM)\]"
)
LIVE = (MemoryState.ACTIVE, MemoryState.CANDIDATE)


@dataclass(frozen=True, slots=True)
class Piece:
    """One thing of an import: a memory (role None), or what was said in a session long ago (ms)."""

    text: str
    topic: str | None = None
    when: str | None = None
    observed_at: int | None = None
    role: str | None = None
    session: str | None = None


class MemoryDesk:
    """All methods raise NotFound, Invalid, Refused and InvalidTransition as core.errors says."""

    def __init__(self, store: Store, clock: Clock, zone: Callable[[], tzinfo], files: MemoryFiles) -> None:
        self._store = store
        self._clock = clock
        self._zone = zone
        self._files = files

    async def look(self) -> bool:
        """Take over what the owner changed in the files since."""
        return await self._files.look()

    async def add(self, wanted: Wanted) -> str:
        """Keep the owner's words, active at once; the memory's id."""
        from nightclaw.memory import capture

        return await self._store.write(capture.owner_adds, wanted, self._clock.now_ms(), self._zone())

    async def edit(self, memory_id: str, text: str | None, topic: str | None, when: str | None) -> str:
        """A newer version in the owner's words; its id. None leaves a part as it is, an empty `when` clears it."""
        await self.look()
        return await self._store.write(
            _edit, memory_id, text, topic, when, self._clock.now_ms(), self._zone()
        )

    async def forget(self, memory_id: str) -> None:
        await self.look()
        await self._store.write(_forget, memory_id, self._clock.now_ms())

    async def search(self, query: str, limit: int) -> list[tuple[str | None, int, float]]:
        """(memory or None, cursor, score), best first; everything, for the owner asks."""
        scope, now = Scope(everything=True), self._clock.now_ms()
        found = await self._store.read(recall, query, limit, scope, now)
        return [(r.id, r.cursor, r.score) for r in found]

    async def bring(self, pieces: Sequence[Piece], *, dry_run: bool) -> JSONObject:
        """Import: what is known already or may not be kept is left out and told. A dry run is rolled back."""
        now, zone = self._clock.now_ms(), self._zone()
        if dry_run:
            try:
                await self._store.write(_try, pieces, now, zone)
            except _Tried as tried:
                return tried.told.as_json()
            raise AssertionError("unreachable")
        told = Told()
        for start in range(0, len(pieces), _AT_ONCE):  # others write in between
            part = pieces[start : start + _AT_ONCE]
            told.add(await self._store.write(_bring, part, now, zone), start)
        return told.as_json()


def _edit(
    conn: Connection,
    memory_id: str,
    text: str | None,
    topic: str | None,
    when: str | None,
    now: int,
    zone: tzinfo,
) -> str:
    from nightclaw.memory import dates, keys

    held = _live(conn, memory_id)
    said = dates.absolute(" ".join(text.split()), now, zone) if text is not None else held.text
    name = kinds.slug(topic) if topic is not None else held.topic
    applies = held.applies if when is None else " ".join(when.split()) or None
    if (said, name, applies) == (held.text, held.topic, held.applies):
        return held.id
    fact = keys.fact_of(said)
    has_key = fact is not None and not fact.bare
    new = NewMemory(
        text=said,
        kind=held.kind,
        topic=name,
        trust=Trust.OWNER,
        sources=() if text is not None else held.sources,
        made_by="owner",
        observed_at=now if text is not None else held.observed_at,
        private=held.private,
        repo=held.repo,
        applies=applies,
        fact_key=fact.key if fact is not None and has_key else None,
        fact_value=(fact.value if fact.holds else f"not {fact.value}")
        if fact is not None and has_key
        else None,
        expires_at=dates.expiry(said, now, zone) if text is not None else held.expires_at,
        supersedes=held.id,
        state=MemoryState.ACTIVE,
    )
    return memories.save(conn, new, Said("owner"), now)


def _live(conn: Connection, memory_id: str) -> Memory:
    held = memories.get(conn, memory_id)
    if held is None:
        raise NotFound(f"there is no memory {memory_id}")
    if held.state in LIVE:
        return held
    newest = topics.newest_version(conn, held)
    hint = f"{newest.id} is its newest version" if newest.state in LIVE else "add it anew"
    raise InvalidTransition(f"a memory that is {held.state} is not changed", hint)


def _forget(conn: Connection, memory_id: str, now: int) -> None:
    held = memories.get(conn, memory_id)
    if held is None:
        raise NotFound(f"there is no memory {memory_id}")
    if held.state is MemoryState.SUPERSEDED and (newest := topics.newest_version(conn, held)).state in LIVE:
        raise InvalidTransition(
            "this is an older version; what holds now would stay", f"{newest.id} is its newest version"
        )
    memories.retire(conn, memory_id, "owner", now, tombstone=True)


@dataclass(slots=True)
class Told:
    """What came of an import, a piece by its place: added (with its memory), left out (with why)."""

    added: dict[int, str] = field(default_factory=dict[int, str])
    refused: dict[int, str] = field(default_factory=dict[int, str])
    known: int = 0
    turns: int = 0

    def add(self, more: "Told", start: int) -> None:
        self.added |= {start + n: made for n, made in more.added.items()}
        self.refused |= {start + n: why for n, why in more.refused.items()}
        self.known += more.known
        self.turns += more.turns

    def as_json(self) -> JSONObject:
        refused: list[JSON] = [{"n": n, "why": why} for n, why in self.refused.items()]
        return {
            "added": list[JSON](self.added.values()), "places": list[JSON](self.added), "known": self.known,
            "turns": self.turns, "refused": refused,
        }  # fmt: skip


class _Tried(Exception):
    """Ends a dry run, so that nothing of it stays."""

    def __init__(self, told: Told) -> None:
        super().__init__("dry run")
        self.told = told


def _try(conn: Connection, pieces: Sequence[Piece], now: int, zone: tzinfo) -> None:
    raise _Tried(_bring(conn, pieces, now, zone))


def _bring(conn: Connection, pieces: Sequence[Piece], now: int, zone: tzinfo) -> Told:
    from nightclaw.memory import capture
    from nightclaw.memory.refusals import why_not

    told = Told()
    for n, piece in enumerate(pieces):
        try:
            if piece.role is not None:
                is_new = _turn(conn, piece, now)
                told.turns += is_new
                told.known += not is_new
                continue
            why = why_not(piece.text, Trust.OWNER) or _planted(piece.text)
            if why is not None:
                told.refused[n] = why
                continue
            made, is_new = capture.owner_keeps(conn, _wanted(piece), now, zone, by="import")
            if is_new:
                told.added[n] = made
            else:
                told.known += 1
        except NightclawError as error:
            told.refused[n] = error.message
    return told


def _planted(text: str) -> str | None:
    """Another agent's file may hold what strangers had it write down: an order to it is nobody's memory."""
    found = _PLANTED.search(text)
    return "it reads like an order planted for an agent; add it yourself if it is yours" if found else None


def _wanted(piece: Piece) -> Wanted:
    return Wanted(piece.text, piece.topic, piece.when, piece.observed_at)


def _turn(conn: Connection, piece: Piece, now: int) -> bool:
    """What was said in a session of another agent: raw memory, found by recall and read by dreams."""
    at = piece.observed_at if piece.observed_at is not None else now
    session, role = f"import:{piece.session or 'transcript'}", piece.role or "owner"
    if at > now + _DAY_MS:
        raise Invalid("observed_at lies in the future")
    if observations.was_said(conn, session, role, piece.text, piece.observed_at):
        return False
    trust = Trust.OWNER if role == "owner" else Trust.DAEMON
    data: dict[str, JSON] = {"session": session, "role": role}
    cursor = events.append(conn, "memory.imported", now, data)
    observations.add(conn, NewObservation(cursor, at, role, "turn", piece.text, trust, session=session))
    return True
