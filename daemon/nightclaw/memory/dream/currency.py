"""Which of several statements about one thing is current: decided by when they were seen to hold, and by trust. Pure.

The order in which statements arrived plays no part (only between two seen at the same millisecond the later told
counts). All that was ever said of a key is replayed in the order of observation, superseded rows too, so a late old
fact finds its place in the past and a value that comes back is current again.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from nightclaw.core.trust import Trust
from nightclaw.memory.dream.pieces import Piece
from nightclaw.memory.keys import ANY
from nightclaw.memory.likeness import content

FUTURE_MS = 5 * 60 * 1000


Ask = Callable[[str, str, Sequence[Piece]], None]
"""How a question to the owner is put: (key, words, pieces)."""


@dataclass(slots=True, eq=False)
class Spell:
    """A time during which one value held (or, off, during which it was said not to). ended_by: the spell after it."""

    value: str
    off: bool
    members: list[Piece] = field(default_factory=list[Piece])
    ended_by: "Spell | None" = None


@dataclass(frozen=True, slots=True)
class Timeline:
    """spells: oldest first. over: pieces below the trust of those that decide."""

    spells: list[Spell]
    over: list[Piece]


def timeline(pieces: Sequence[Piece], now: int) -> Timeline:
    """The history of one key. Pieces that give way only for a wording of their own count once."""
    said = [p for p in pieces if p.how != "dated"]
    top = max(p.trust.rank for p in said)
    deciding = [p for p in said if p.trust.rank == top]
    at = _moments(deciding, now)
    spells, holding, off = list[Spell](), dict[str, Spell](), dict[str, Spell]()
    for p in sorted(deciding, key=lambda p: (at[p], p.order, p.text)):
        value, holds, _ = says(p)
        if holds:
            _begin(p, value, spells, holding, off)
        else:
            _stop(p, value, spells, holding, off)
    return Timeline(spells, [p for p in said if p.trust.rank < top])


def says(p: Piece) -> tuple[str, bool, bool]:
    """(value, holds, is one of several): of its fact, or that it holds at all."""
    if p.stands is not None:
        return p.stands
    if p.fact is not None:
        return p.fact.value, p.fact.holds, p.fact.is_multi
    return "yes", not (p.like is not None and p.like.is_negated), False


def _begin(
    p: Piece, value: str, spells: list[Spell], holding: dict[str, Spell], off: dict[str, Spell]
) -> None:
    spell = holding.get(value)
    if spell is not None:
        spell.members.append(p)
    else:
        spell = Spell(value, False, [p])
        spells.append(spell)
        holding[value] = spell
    others = {v: s for v, s in holding.items() if v != value}
    for v in _replaced(p, others):
        holding.pop(v).ended_by = spell
    for v in [v for v in off if not says(p)[2] or v in (value, ANY)]:
        if off[v].members[0] is not p:
            off.pop(v).ended_by = spell


def _replaced(p: Piece, others: dict[str, Spell]) -> list[str]:
    """The values that a statement ends: all others, or of those one may have several of what it says to replace."""
    fact = p.fact
    if fact is None or not says(p)[2]:
        return list(others)
    if fact.was is not None:
        return [v for v in others if v == fact.was]
    if fact.is_update and len(others) == 1:
        return list(others)
    if fact.is_purpose:
        return [
            v for v, s in others.items() if all(m.fact is not None and m.fact.is_purpose for m in s.members)
        ]
    return []


def _stop(
    p: Piece, value: str, spells: list[Spell], holding: dict[str, Spell], off: dict[str, Spell]
) -> None:
    ended = list(holding) if value == ANY else [v for v in (value,) if v in holding]
    if p.fact is None and p.stands is None:
        ended = list(holding)
    if ended or (value not in off and not holding):
        spell = Spell(value, True, [p])
        spells.append(spell)
        for v in ended:
            holding.pop(v).ended_by = spell
        off[value] = spell
    elif value in off:
        off[value].members.append(p)
    else:  # what it ends was over already: part of the past of what holds now
        spell = Spell(value, True, [p])
        spell.ended_by = next(reversed(holding.values())) if not says(p)[2] else None
        spells.append(spell)


def _moments(pieces: Sequence[Piece], now: int) -> dict[Piece, int]:
    """When each was seen to hold. A clock that was ahead does not make a statement newer than later ones."""
    out = {p: p.observed_at for p in pieces}
    for p in pieces:
        if p.observed_at > now + FUTURE_MS:
            later = [q.observed_at for q in pieces if q.order > p.order and q.observed_at <= now + FUTURE_MS]
            out[p] = min(later, default=now) - 1
    return out


@dataclass(slots=True)
class Links:
    """How the rows of one key follow each other. versions: (older, newer) values; wordings: (row, the one it merged
    into)."""

    versions: list[tuple[Piece, Piece]] = field(default_factory=list[tuple[Piece, Piece]])
    wordings: list[tuple[Piece, Piece]] = field(default_factory=list[tuple[Piece, Piece]])


def settle(pieces: Sequence[Piece], now: int, ask: Ask, restate: Callable[[Piece], Piece]) -> Links:
    """Have the pieces of one key give way to the current ones; how all of them follow each other.

    What the owner edited gives way only to the owner's own words. Rows below the trust of the deciding ones never win.
    restate: makes a row of what is current again though its row gave way to one of the same key before.
    """
    said = [p for p in pieces if not p.is_bound or p.heir in pieces]
    links = Links()
    if not said or (len(said) == 1 and said[0].is_live):
        return links
    line = timeline(said, now)
    for spell in line.spells:
        if spell.ended_by is None and not any(p.is_live for p in spell.members):
            spell.members.append(restate(_face(spell)))
    faces = {id(s): _face(s) for s in line.spells}
    for spell in line.spells:
        face = faces[id(spell)]
        for p in (m for m in spell.members if m is not face):
            if p.is_live and not p.is_edit and (spell.ended_by is not None or _is_told_by(p, face)):
                p.give_way(face, "merged", "says the same")
            elif not p.is_live and p.how != "dated":
                links.wordings.append((p, face))
        newer = _ended_by(spell, faces)
        if newer is not None:
            _end(spell, newer, ask)
            if not face.is_live:
                links.versions.append((face, newer))
    _settle_lower(line, faces, ask)
    return links


def _ended_by(spell: Spell, faces: dict[int, Piece]) -> Piece | None:
    """The row that takes the place of a spell: the first after it that was not written in one go with it."""
    after = spell.ended_by
    while after is not None and _stand_together(faces[id(spell)], faces[id(after)]):
        after = after.ended_by
    return faces[id(after)] if after is not None else None


def _end(spell: Spell, newer: Piece, ask: Ask) -> None:
    is_off = spell.ended_by is not None and spell.ended_by.off
    for p in (m for m in spell.members if m.is_live):
        if p.is_edit and not newer.is_authored:
            ask(
                f"edit:{p.id}",
                f"“{newer.text}” was said after your line “{p.text}”. Which one holds?",
                [p, newer],
            )
        else:
            p.give_way(
                newer,
                "ended" if is_off else "newer",
                "said to hold no longer" if is_off else "a newer statement",
            )


def _stand_together(p: Piece, q: Piece) -> bool:
    """Lines of one file, written in one go: neither is newer than the other."""
    return p.made_by == q.made_by and p.made_by in ("edit", "import") and p.observed_at == q.observed_at


def _settle_lower(line: Timeline, faces: dict[int, Piece], ask: Ask) -> None:
    current = [s for s in line.spells if s.ended_by is None]
    for p in (p for p in line.over if p.is_live):
        value, holds, is_multi = says(p)
        same = next((s for s in line.spells if s.value == value and s.off != holds), None)
        if same is not None:
            p.give_way(faces[id(same)].last(), "merged", "says the same with more weight")
            continue
        rival = next((s for s in current if not is_multi), None)
        if rival is None or p.trust is Trust.WORLD:
            continue
        face = faces[id(rival)]
        if p.observed_at > face.observed_at:
            ask(
                f"rival:{p.id}",
                f"Newer but less trusted: “{p.text}”. Until you say otherwise “{face.text}” holds.",
                [p, face],
            )
        if p.state == "active" or p.observed_at <= face.observed_at:
            p.give_way(face, "newer", "what is trusted more says otherwise")
        else:
            p.how = "held"


def _face(spell: Spell) -> Piece:
    """The one row a spell is known by: the owner's edited line, else the newest live wording."""
    return max(
        spell.members,
        key=lambda p: (p.is_live, p.is_live and p.is_edit, p.observed_at, p.row is not None, p.order, p.text),
    )


def _is_told_by(p: Piece, face: Piece) -> bool:
    """True when nothing but wording is lost with `p`."""
    rest = p.fact.rest if p.fact is not None else ""
    return not rest or content(rest) <= content(face.text)
