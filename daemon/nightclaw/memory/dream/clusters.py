"""Which pieces are about one thing: by their key, by their wording, by their words.

A key and a wording are sure and cheap, so they go first. Words alone join what two people said in two ways; what they
join is settled as one history, in which each value has a name of its own.
"""

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

from nightclaw.memory.alignment import Relation, relation
from nightclaw.memory.dream.pieces import Piece, key_in_scope
from nightclaw.memory.gist import Gist
from nightclaw.memory.likeness import hash_of
from nightclaw.store.memories import text_hash

COMMON = 200
"""A word in more pieces than this tells nothing."""
PART = 0.34
NEAR = 24
"""PART: of a history a piece must be joined to, to be of it. NEAR: as many of the others a piece is compared with."""


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


class Web:
    """What is joined to what, pair by pair."""

    def __init__(self) -> None:
        self.things: defaultdict[Piece, set[Piece]] = defaultdict(set)
        self.same: defaultdict[Piece, set[Piece]] = defaultdict(set)
        self.ends: dict[Piece, Piece] = {}

    def join(self, a: Piece, b: Piece, *, is_same: bool) -> None:
        self.things[a].add(b)
        self.things[b].add(a)
        if is_same:
            self.same[a].add(b)
            self.same[b].add(a)


def histories(pieces: Sequence[Piece], found: Sequence[Link]) -> list[list[Piece]]:
    """The pieces that links join, with all that share a key with them; each told what it says there (`Piece.stands`).

    In the order of time a piece comes to the history that it is joined to most: to a good part of it, for one link that
    is wrong must not make two histories one.
    """
    web = _web(pieces, found)
    linked = {p for k in found for p in (k.older, k.newer)}
    groups, home = list[list[Piece]](), dict[Piece, list[Piece]]()
    for p in sorted(web.things, key=lambda p: (p.observed_at, p.order, p.id)):
        near = Counter(id(home[q]) for q in web.things[p] if q in home)
        best = max((g for g in groups if near[id(g)]), key=lambda g: near[id(g)] / len(g), default=None)
        if best is None or near[id(best)] < len(best) * PART:
            best = list[Piece]()
            groups.append(best)
        best.append(p)
        home[p] = best
    out = [g for g in groups if len(g) > 1 and any(p in linked for p in g)]
    for group in out:
        _tell(group, web)
    return out


def _tell(group: list[Piece], web: Web) -> None:
    values = dict[Piece, str]()
    for p in group:
        ended = web.ends.get(p)
        if ended not in group:
            ended = None
        like = next((q for q in group if q in values and (q in web.same[p] or q is ended)), None)
        values[p] = values[like] if like is not None else p.id
        is_over = ended is not None or (p.fact is not None and not p.fact.holds)
        p.stands = (values[p], not is_over, False)


def _web(pieces: Sequence[Piece], found: Sequence[Link]) -> Web:
    web = Web()
    by_key: defaultdict[tuple[object, str], list[Piece]] = defaultdict(list)
    by_wording: defaultdict[Hashable, list[Piece]] = defaultdict(list)
    for p in pieces:
        key, place = key_in_scope(p), wording(p)
        if key is not None:
            by_key[p.scope, key].append(p)
        elif place is not None:
            by_wording[place].append(p)
    for mates in by_key.values():
        _join_mates(mates, web)
    for group in by_wording.values():
        for first, *rest in alike(group):
            for p in rest:
                _join_alike(first, p, web)
    for link in found:
        web.join(
            link.older,
            link.newer,
            is_same=link.relation is Relation.SAME and not _differ(link.older, link.newer),
        )
        if link.relation is Relation.ENDS:
            web.ends[link.newer] = link.older
    return web


def _join_mates(mates: list[Piece], web: Web) -> None:
    """All of one key; of what one may have several of, those of one value, and what one uses for one purpose."""
    for p, q in combinations(mates, 2):
        assert p.fact is not None and q.fact is not None
        is_same = p.fact.value == q.fact.value
        if is_same or not p.fact.is_multi or (p.fact.is_purpose and q.fact.is_purpose):
            web.join(p, q, is_same=is_same)


def _join_alike(first: Piece, p: Piece, web: Web) -> None:
    is_opposite = first.like is not None and p.like is not None and first.like.opposes(p.like)
    web.join(first, p, is_same=not is_opposite)
    if is_opposite:
        older, newer = sorted((first, p), key=lambda q: (q.observed_at, q.order))
        web.ends[newer] = older


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
