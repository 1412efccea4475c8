"""Which pieces are about one thing: by their key, by their wording, by their words.

A key and a wording are sure and cheap, so they go first. Words alone join what two people said in two ways; what they
join is settled as one history, in which each value has a name of its own.
"""

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

from nightclaw.memory.alignment import Relation, relation
from nightclaw.memory.dream.pieces import Piece, key_in_scope
from nightclaw.memory.gist import Gist
from nightclaw.memory.likeness import hash_of
from nightclaw.store.memories import text_hash

COMMON = 200
"""A word in more pieces than this tells nothing."""
NEAR = 24
"""As many of the others a piece is compared with."""


@dataclass(frozen=True, slots=True)
class Link:
    """older was seen to hold before newer."""

    older: Piece
    newer: Piece
    relation: Relation


def links(pieces: Sequence[Piece]) -> list[Link]:
    """How the new among the pieces stand to the others, by their words; each pair once."""
    out = list[Link]()
    seen = set[frozenset[str]]()
    by_word: defaultdict[tuple[object, str], list[Piece]] = defaultdict(list)
    for p in pieces:
        for sign in _signs(p):
            by_word[sign].append(p)
    for p in pieces:
        if not p.is_new:
            continue
        near = Counter[Piece]()
        for sign in _signs(p):
            if len(by_word[sign]) <= COMMON:
                near.update(q for q in by_word[sign] if q is not p)
        for q, _ in near.most_common(NEAR):
            pair = frozenset((p.id, q.id))
            if pair not in seen:
                seen.add(pair)
                link = _link(p, q)
                if link is not None:
                    out.append(link)
    return out


def _signs(p: Piece) -> Iterable[tuple[object, str]]:
    if p.gist is not None:
        for word in {w.form for w in p.gist.words if not w.is_faint}:
            yield p.scope, word


def _link(p: Piece, q: Piece) -> Link | None:
    a, b = (p, q) if (p.observed_at, p.order) <= (q.observed_at, q.order) else (q, p)
    if a.gist is None or b.gist is None:
        return None
    found = relation(a.gist, b.gist)
    if found is None and _is_reversible(a.gist, b.gist):
        # what was said of a change is about the same thing when the other was said after it
        found = Relation.NEWER if relation(b.gist, a.gist) is Relation.NEWER else None
    return Link(a, b, found) if found is not None else None


def _is_reversible(a: Gist, b: Gist) -> bool:
    return (a.strong or a.weak) and not b.ends


class Joined:
    """Things joined to sets, each known by one of them."""

    def __init__(self) -> None:
        self._to: dict[object, object] = {}

    def of(self, thing: object) -> object:
        while (to := self._to.get(thing, thing)) is not thing:
            self._to[thing] = self._to.get(to, to)
            thing = to
        return thing

    def join(self, a: object, b: object) -> None:
        a, b = self.of(a), self.of(b)
        if a is not b:
            self._to[b] = a


def histories(pieces: Sequence[Piece], found: Sequence[Link]) -> list[list[Piece]]:
    """The pieces that links join, with all that share a key with them; each told what it says there (`Piece.stands`)."""
    things, said = Joined(), Joined()
    by_key: defaultdict[tuple[object, str], list[Piece]] = defaultdict(list)
    for p in pieces:
        key = key_in_scope(p)
        if key is not None:
            by_key[p.scope, key].append(p)
    for mates in by_key.values():
        _join_mates(mates, things, said)
    off: dict[int, Piece] = {}
    _join_wordings(pieces, things, said, off)
    for link in found:
        things.join(link.older, link.newer)
    for link in found:
        if link.relation is Relation.SAME and not _differ(link.older, link.newer):
            said.join(link.older, link.newer)
    off.update({id(k.newer): k.older for k in found if k.relation is Relation.ENDS})
    groups: defaultdict[object, list[Piece]] = defaultdict(list)
    linked = {things.of(k.older) for k in found}
    for p in pieces:
        if things.of(p) in linked:
            ended = off.get(id(p))
            is_over = ended is not None or (p.fact is not None and not p.fact.holds)
            value = said.of(ended if ended is not None else p)
            assert isinstance(value, Piece)
            p.stands = (value.id, not is_over, False)
            groups[things.of(p)].append(p)
    return [g for g in groups.values() if len(g) > 1]


def _join_mates(mates: list[Piece], things: Joined, said: Joined) -> None:
    by_value: dict[str, Piece] = {}
    for p in mates:
        assert p.fact is not None
        first = by_value.setdefault(p.fact.value, p)
        things.join(first, p)
        said.join(first, p)
        if p.fact.is_purpose or not p.fact.is_multi:
            one = next(q for q in mates if q.fact is not None and q.fact.is_purpose == p.fact.is_purpose)
            things.join(one, p)


def _join_wordings(pieces: Sequence[Piece], things: Joined, said: Joined, off: dict[int, Piece]) -> None:
    groups: defaultdict[Hashable, list[Piece]] = defaultdict(list)
    for p in pieces:
        place = wording(p)
        if place is not None:
            groups[place].append(p)
    for group in groups.values():
        for first, *rest in alike(group):
            for p in rest:
                things.join(first, p)
                if first.like is not None and p.like is not None and first.like.opposes(p.like):
                    older, newer = sorted((first, p), key=lambda q: (q.observed_at, q.order))
                    off[id(newer)] = older
                else:
                    said.join(first, p)


def _differ(a: Piece, b: Piece) -> bool:
    return (
        a.fact is not None
        and b.fact is not None
        and key_in_scope(a) == key_in_scope(b)
        and a.fact.value != b.fact.value
    )


def wording(p: Piece) -> Hashable | None:
    """What rows without a key must share before their words are compared."""
    return None if p.fact is not None else (p.scope, p.topic)


def alike(group: list[Piece]) -> list[list[Piece]]:
    """The pieces of a group that say the same or the opposite, together."""
    out, by_sketch = list[list[Piece]](), dict[int, list[list[Piece]]]()
    for p in group:
        marks = p.like.sketches if p.like is not None else {hash_of(text_hash(p.text))}
        near = [same for m in marks for same in by_sketch.get(m, ())]
        home = next((same for same in near if _says(same[0], p)), None)
        if home is None:
            home = list[Piece]()
            out.append(home)
        home.append(p)
        for m in marks:
            held = by_sketch.setdefault(m, [])
            if not any(h is home for h in held):
                held.append(home)
    return [g for g in out if len(g) > 1 and any(p.is_new for p in g)]


def _says(a: Piece, b: Piece) -> bool:
    if a.like is None or b.like is None:
        return a.like is b.like
    return a.like.equals(b.like) or a.like.opposes(b.like)
