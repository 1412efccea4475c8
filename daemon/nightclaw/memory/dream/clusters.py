"""Which pieces are about one thing: by their key, by their wording, by their words.

A key and a wording are sure and cheap, so they go first. Words alone join what two people said in two ways; what they
join is settled as one history, in which each value has a name of its own.
"""

import heapq
from collections import Counter, defaultdict, deque
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

from nightclaw.core.states import MemoryState
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


@dataclass(slots=True)
class Found:
    """links: how pieces stand to each other by their words, each pair once. reached: the new ones, and all that they
    led to."""

    links: list[Link] = field(default_factory=list[Link])
    reached: list[Piece] = field(default_factory=list[Piece])


def follow(pieces: Sequence[Piece], known: dict[tuple[str, str], Relation | None]) -> Found:
    """From the new among the pieces to what is about the same, and on from there: so that what a history comes to does
    not depend on which of it was told last. known: what comparing gave before, and gets what it gives now."""
    out = Found()
    by_word: defaultdict[tuple[object, str], list[Piece]] = defaultdict(list)
    by_key: defaultdict[tuple[object, str], list[Piece]] = defaultdict(list)
    for p in pieces:
        for sign in _signs(p):
            by_word[sign].append(p)
        key = key_in_scope(p)
        if key is not None:
            by_key[p.scope, key].append(p)
    seen = set[frozenset[str]]()
    met = {p for p in pieces if p.is_new}
    queue = deque(p for p in pieces if p.is_new)
    while queue:
        p = queue.popleft()
        out.reached.append(p)
        found = list(by_key.get((p.scope, key_in_scope(p) or ""), ()))
        for q in _near(p, by_word):
            pair = frozenset((p.id, q.id))
            if pair in seen:
                continue
            seen.add(pair)
            link = _link(p, q, known)
            if link is not None:
                out.links.append(link)
                found.append(q)
        queue.extend(q for q in dict.fromkeys(found) if q not in met)
        met.update(found)
    return out


def _near(p: Piece, by_word: Mapping[tuple[object, str], list[Piece]]) -> list[Piece]:
    """The pieces that share most with `p`, a rare word more than a common one."""
    near = dict[Piece, float]()
    for sign in _signs(p):
        held = by_word[sign]
        if len(held) <= COMMON:
            for q in held:
                near[q] = near.get(q, 0.0) + 1 / len(held)
    near.pop(p, None)
    return heapq.nlargest(NEAR, near, key=lambda q: (near[q], q.observed_at, q.text))


def _signs(p: Piece) -> Iterable[tuple[object, str]]:
    if p.gist is not None:
        for word in {w.form for w in p.gist.words if not w.is_faint}:
            yield p.scope, word


def _link(p: Piece, q: Piece, known: dict[tuple[str, str], Relation | None]) -> Link | None:
    a, b = (p, q) if (p.observed_at, p.order) <= (q.observed_at, q.order) else (q, p)
    if (a.id, b.id) not in known:
        known[a.id, b.id] = _relation(a.gist, b.gist)
    found = known[a.id, b.id]
    if found is Relation.NEWER and b.fact is not None and not b.fact.holds:
        found = Relation.ENDS  # it says of nothing that it holds
    return Link(a, b, found) if found is not None else None


def _relation(a: Gist | None, b: Gist | None) -> Relation | None:
    if a is None or b is None:
        return None
    found = relation(a, b)
    if found is None and _is_reversible(a, b):
        # what was said of a change is about the same thing when the other was said after it
        found = Relation.NEWER if relation(b, a) is Relation.NEWER else None
    return found


def _is_reversible(a: Gist, b: Gist) -> bool:
    return (a.strong or a.weak) and not b.ends


class Web:
    """What is joined to what, pair by pair. same: it says the same; ends, newer: what it ends, or says something else
    instead of."""

    def __init__(self) -> None:
        self.things: defaultdict[Piece, set[Piece]] = defaultdict(set)
        self.same: defaultdict[Piece, set[Piece]] = defaultdict(set)
        self.ends: defaultdict[Piece, set[Piece]] = defaultdict(set)
        self.newer: defaultdict[Piece, set[Piece]] = defaultdict(set)
        self.linked = set[Piece]()

    def join(self, a: Piece, b: Piece, *, is_same: bool) -> None:
        self.things[a].add(b)
        self.things[b].add(a)
        if is_same:
            self.same[a].add(b)
            self.same[b].add(a)


def weave(pieces: Sequence[Piece], links: Sequence[Link]) -> Web:
    """Join what shares a key, what says the same, and what words link."""
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
    for link in links:
        is_same = link.relation is Relation.SAME and not _differ(link.older, link.newer)
        web.join(link.older, link.newer, is_same=is_same)
        web.linked.update((link.older, link.newer))
        if link.relation is Relation.ENDS:
            web.ends[link.newer].add(link.older)
        elif link.relation is Relation.NEWER:
            web.newer[link.newer].add(link.older)
    return web


def bind(pieces: Iterable[Piece], web: Web) -> None:
    """Find what each piece gave way to, and whether that is joined to it: else the owner's hand or a model saw more."""
    thread = dict[Piece, int]()
    for n, start in enumerate(web.things):
        queue = [start]
        while queue:
            p = queue.pop()
            if p not in thread:
                thread[p] = n
                queue += web.things[p]
    by_id = {p.id: p for p in pieces}
    for p in by_id.values():
        if p.state is MemoryState.SUPERSEDED:
            p.heir = p.gone_to or by_id.get((p.row.superseded_by if p.row is not None else None) or "")
            is_joined = p.heir is not None and p in thread and thread[p] == thread.get(p.heir)
            p.is_bound = p.heir is None or p.heir.is_edit or not is_joined


def histories(web: Web) -> list[list[Piece]]:
    """The pieces that links join, with all that share a key with them; each told what it says there (`Piece.stands`).

    In the order of time a piece comes to the histories that it is joined to, which are one from then on: to a good part
    of each, for one link that is wrong must not make two histories one.
    """
    home = dict[Piece, list[Piece]]()
    for p in sorted(web.things, key=_when):
        groups = {id(home[q]): home[q] for q in web.things[p] if q in home}
        near = Counter(id(home[q]) for q in web.things[p] if q in home)
        mine = [g for i, g in groups.items() if near[i] >= len(g) * PART]
        whole = [*sorted((q for g in mine for q in g), key=_when), p]
        home.update((q, whole) for q in whole)
    groups = {id(g): g for g in home.values()}
    out = [g for g in groups.values() if any(p in web.linked for p in g) and (len(g) > 1 or not g[0].is_live)]
    for group in out:
        _tell(group, web)
    return out


def _when(p: Piece) -> tuple[int, int, str]:
    return p.observed_at, p.order, p.id


def _tell(group: list[Piece], web: Web) -> None:
    values = dict[Piece, str]()
    for p in group:
        ended = next((q for q in reversed(list(values)) if q in web.ends[p]), None)
        if any(q in values for q in web.newer[p]):
            ended = None  # it says what holds now, too
        like = ended or next((q for q in values if q in web.same[p]), None)
        values[p] = values[like] if like is not None else p.id
        is_over = ended is not None or (p.fact is not None and not p.fact.holds)
        p.stands = (values[p], not is_over, False)


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
        web.ends[newer].add(older)


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
    return [g for g in out if len(g) > 1]


def _says(a: Piece, b: Piece) -> bool:
    if a.like is None or b.like is None:
        return a.like is b.like
    return a.like.equals(b.like) or a.like.opposes(b.like)
