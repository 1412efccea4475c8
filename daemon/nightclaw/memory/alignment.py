"""How two sentences stand to each other, word by word: the same, one in place of the other, one the end of the other.
Pure.

The words both hold are what they speak of; the words only one holds are what it says of it. Two sentences meet where
everything they do not share is a value on either side, of one type or in one place. Sure before it is clever: a word
that is neither shared nor a value makes them two.
"""

from collections.abc import Iterable
from enum import StrEnum

from nightclaw.memory import nouns, words
from nightclaw.memory.gist import ME, Gist, Word, implied

_ALONE = frozenset({"owns", "leads", "manages", "oncall", "contact", "licence", "language", "name"})
"""Properties of which there is one."""
_FREE = frozenset({"licence", "language", "name"})
_LOOSE = frozenset({"keeps", "name"})
_COMPLEMENTS = frozenset({"in", "to", "into", "under", "as", "is", "are"})
_QUALIFY = frozenset({"for", "of", "in", "on", "with", "from"})
_NAMED = ("name", "person", "opening")
_WHO = ("person", "opening")
_MOST, _LITTLE = 4, 2


class Relation(StrEnum):
    """SAME: both say one thing. NEWER: the later one says another value of the same. ENDS: the later one takes the
    earlier back."""

    SAME = "same"
    NEWER = "newer"
    ENDS = "ends"


def relation(old: Gist, new: Gist) -> Relation | None:
    """How `new`, said later, stands to `old`; None when they are two things."""
    if new.adds or old.adds:
        return None
    return _same(old, new) or _replaced(old, new) or _ended(old, new) or _other_value(old, new)


def could_be_newer(old: Gist, new: Gist) -> bool:
    """Not enough to go by alone, enough to believe who has read both: they differ in one thing said of the same, or the
    later one tells of a change."""
    is_told = new.strong or new.weak
    return not _are_of_two(old, new) and (is_told or all(_is_span(rest) for rest, _ in _rests(old, new)))


def could_be_same(a: Gist, b: Gist) -> bool:
    """As `could_be_newer`: little is said in other words, and no name."""
    rests = _rests(a, b)
    is_of_names = all(any(w.kind in _NAMED for w in rest) for rest, _ in rests)
    return not _are_of_two(a, b) and not is_of_names and all(len(rest) <= _LITTLE for rest, _ in rests)


def _rests(a: Gist, b: Gist) -> list[tuple[list[Word], Gist]]:
    """What each tells and the other does not."""
    return [(_beyond(a, b), a), (_beyond(b, a), b)]


def _are_of_two(a: Gist, b: Gist) -> bool:
    """Each begins with something that the other does not speak of."""
    return all(rest and rest[0] is _telling(g)[0] for rest, g in _rests(a, b))


def _same(a: Gist, b: Gist) -> Relation | None:
    kinds = _kinds((*a.words, *b.words))
    if len(a.held) + len(a.marks) < 2 or not _marks_agree(a, b, kinds):
        return None
    if not _is_little_more(_beyond(a, b), _beyond(b, a), a, b):
        return None
    if not (a.held & b.held):
        return None
    if a.negated != b.negated or a.ends != b.ends:
        return Relation.ENDS if b.negated or b.ends else None
    if (a.is_directed or b.is_directed) and _order(a) != _order(b):
        return None
    if a.old and b.old and a.old != b.old:
        return None
    return Relation.SAME


def _beyond(a: Gist, b: Gist) -> list[Word]:
    """What `a` tells and `b` does not."""
    return [w for w in _telling(a) if w.form not in b.held]


def _is_little_more(mine: list[Word], theirs: list[Word], a: Gist, b: Gist) -> bool:
    """Both tell the same; or the same value of the same, and one of them has a word more that is no qualifier."""
    more = mine or theirs
    if not more:
        return True
    values = {w.form for w in a.words if w.is_value}
    is_sure = bool(values) and values == {w.form for w in b.words if w.is_value}
    shared = [w for w in _telling(a) if w.form in b.held and not w.is_value]
    is_word = len(more) == 1 and more[0].kind == "word" and more[0].tie not in _QUALIFY
    return is_sure and is_word and not (mine and theirs) and len(shared) > 1


def _telling(g: Gist) -> list[Word]:
    return [w for w in g.words if not w.is_old and not w.is_faint]


def _marks_agree(a: Gist, b: Gist, kinds: set[str], *, is_change: bool = False) -> bool:
    """True when neither speaks of a property the other does not: one may leave out what the type of the value says."""
    loose = frozenset() if kinds else _LOOSE
    mine, theirs = a.marks - b.marks - loose, b.marks - a.marks - loose
    if mine and theirs:
        return False
    return not implied(mine | theirs, kinds) or (is_change and bool(kinds))


def _replaced(old: Gist, new: Gist) -> Relation | None:
    """ "… instead of X", "X is gone", "X, not Y": the later one names what the earlier one said, as over."""
    told = {w.form for w in new.words}
    main = _main_clause(old, new)
    standing = {w.form for w in new.words if not w.is_old and w.clause == main}
    gone = (new.old - standing) & old.held
    if new.strong or new.weak:
        gone |= {w.form for w in new.words if w.clause != main and w.form not in standing} & old.held
    shared = [w for w in old.words if not w.is_old and w.form in standing and w.form not in gone]
    left = [w for w in _telling(old) if w.form not in told]
    ended = {w.phrase for w in new.words if w.form in gone}
    if any(w.phrase in ended and w.is_old and w.kind in _NAMED and w.form not in old.held for w in new.words):
        return None  # somebody else of that name
    phrases = {w.phrase for w in old.words if w.form in gone}
    left = [w for w in left if not _is_title(w) and w.phrase not in phrases]
    if not gone or not _is_little(left, [w for w in shared if not w.is_faint], new):
        return None
    if not any(not w.is_faint for w in shared) and len(shared) < 2 and not (old.marks & new.marks):
        return None
    if (
        any(w.kind in _NAMED and not w.is_old and w.form not in old.held for w in new.words[:1])
        and not left
        and len(shared) < 2
    ):
        return None if _is_narrower(old, new) else Relation.NEWER
    return Relation.NEWER if standing - old.held else Relation.ENDS


def _is_little(left: list[Word], shared: list[Word], new: Gist) -> bool:
    """What is left unsaid may be a word when enough is shared otherwise."""
    if not left:
        return True
    is_sure = len(shared) > 1 or (new.strong and any(w.kind != "word" for w in shared))
    return is_sure and len(left) == 1 and left[0].kind == "word"


def _is_narrower(old: Gist, new: Gist) -> bool:
    """The later one is about something by name that the earlier one does not speak of, and says more after it."""
    fresh = [w for w in new.words if not w.is_old and w.form not in old.held]
    return len(fresh) > 1 and fresh[0] is new.words[0] and fresh[0].at < new.verb_at


def _main_clause(old: Gist, new: Gist) -> int:
    """The clause of `new` that speaks most of what `old` speaks of, and says something else of it."""
    here = {w.clause: [v for v in new.words if v.clause == w.clause and not v.is_old] for w in new.words}

    def weight(clause: int) -> tuple[bool, int, int]:
        said = here[clause]
        is_news = any(w.form not in old.held for w in said)
        return is_news, sum(w.form in old.held and not w.is_faint for w in said), -clause

    return max(here, key=weight)


def _ended(old: Gist, new: Gist) -> Relation | None:
    if not new.ends and not (new.negated and not old.negated):
        return None
    said = {w.form for w in old.words}
    told = [w for w in new.words if w.clause == new.words[0].clause and not w.is_faint]
    if not told or not all(
        w.form in said or _is_title(w) or any(f.startswith(w.form) for f in said if w.is_value) for w in told
    ):
        return None
    forms = {w.form for w in new.words}
    shared = [w for w in told if w.form in said]
    left = [
        w
        for w in old.words
        if not w.is_faint and w.form not in forms and not any(w.form.startswith(f"{f} ") for f in forms)
    ]
    if not shared or sum(not w.is_value for w in left) > (1 if len(shared) >= 2 else 0):
        return None
    if any(w.kind != "word" and not w.is_value for w in left) and not new.ends:
        return None
    kinds = _kinds(old.words)
    return Relation.ENDS if not implied(new.marks - old.marks - {"name"}, kinds) else None


def _other_value(old: Gist, new: Gist) -> Relation | None:
    """Another value of the same: of one type, or a name in the same place."""
    is_told = new.strong or new.weak
    if new.negated or old.negated or old.ends or (new.ends and not is_told):
        return None
    main = _main_clause(old, new)
    mine = [w for w in new.words if w.clause == main and not w.is_old]
    forms = {w.form for w in mine}
    rest_old = [w for w in old.words if not w.is_old and w.form not in forms and not (w.is_faint and is_told)]
    rest_new = [w for w in mine if w.form not in old.held and not (w.is_faint and is_told)]
    shared = [w for w in mine if w.form in old.held]
    is_mine = bool(old.marks & new.marks & _ALONE) and any(w.form == ME for w in shared)
    if not rest_old or not rest_new or not (is_mine or any(not w.is_faint for w in shared)):
        return None
    kinds = {w.kind for w in (*rest_old, *rest_new) if w.is_value}
    if not _marks_agree(old, new, kinds, is_change=is_told):
        return None
    values_old, values_new = [w for w in rest_old if w.is_value], [w for w in rest_new if w.is_value]
    if not (values_old or values_new) or old.marks & new.marks & _FREE or _is_in_name(rest_old, rest_new):
        return _other_name(old, new, rest_old, rest_new, shared)
    if not _are_of_one_type(values_old, values_new) or any(
        _family(w) == _family(values_old[0]) for w in shared
    ):
        return None
    if _is_number_of(values_old[0], old) and _is_number_of(values_new[0], new):
        return None
    began = min(w.at for w in shared)
    beside = {w.phrase for w in shared}
    extra = [
        w for w in rest_new if not w.is_value and not (new.strong and w.at < began and w.phrase not in beside)
    ]
    extra += [w for w in rest_old if not w.is_value and not (is_told and w.form in _MEASURES)]
    return Relation.NEWER if not extra else None


def _are_of_one_type(a: list[Word], b: list[Word]) -> bool:
    if not a or not b or len({_family(w) for w in (*a, *b)}) != 1:
        return False
    return (len(a), len(b)) == (1, 1) or _family(a[0]) == "when"


def _is_in_name(rest_old: list[Word], rest_new: list[Word]) -> bool:
    """ "Maliebaan 12", "MySQL 8": what has a type is part of a name on either side."""
    return all(
        any(w.is_value for w in rest)
        and any(w.kind in ("name", "person") for w in rest)
        and len({w.phrase for w in rest}) == 1
        for rest in (rest_old, rest_new)
    )


def _is_number_of(value: Word, whole: Gist) -> bool:
    """ "Shelf 3 holds paint": the number belongs to the name of what is spoken of."""
    first = whole.words[0]
    is_named = value is not first and value.kind in ("number", "version") and value.phrase == first.phrase
    return is_named and any(w.phrase != first.phrase and not w.is_faint for w in whole.words)


def _other_name(
    old: Gist, new: Gist, rest_old: list[Word], rest_new: list[Word], shared: list[Word]
) -> Relation | None:
    marks = old.marks & new.marks
    if new.old and not new.old & old.held:
        return None  # what it replaces is something else
    if not (_is_span(rest_old) and _is_span(rest_new)):
        return None
    if {rest_old[0].tie, rest_new[0].tie} & {"of", "for"}:
        return None  # of what it is said
    if marks & _ALONE:
        is_free = bool(marks & _FREE)
        if is_free and not (_is_complement(rest_old, old) and _is_complement(rest_new, new)):
            return None
        is_named = is_free or all(w.kind in _WHO for w in (*rest_new, *rest_old))
        is_thing = is_free or not any(w.kind == "person" for w in shared)
        return Relation.NEWER if is_named and is_thing and not any(w.is_value for w in shared) else None
    is_told = (
        new.strong
        or (old.is_label and new.is_label)
        or (new.weak and ("prefers" in marks or sum(not w.is_faint for w in shared) > 1))
    )
    if not is_told or any(
        _is_subject(r, g) or _is_object(r, g) for r, g in ((rest_old, old), (rest_new, new))
    ):
        return None
    return Relation.NEWER


def _is_span(rest: list[Word]) -> bool:
    """The words stand side by side."""
    return len(rest) <= _MOST and len({w.phrase for w in rest}) <= 1


def _is_subject(rest: list[Word], whole: Gist) -> bool:
    """They stand before the verb: what the sentence speaks of, not what it says."""
    return not whole.is_inverted and rest[0].at < whole.verb_at


def _is_object(rest: list[Word], whole: Gist) -> bool:
    """ "We rewrite the parser in Rust": what follows says something of them."""
    return any(
        w.at > rest[-1].at and w.tie in ("in", "to", "into", "as") and not w.is_old for w in whole.words
    )


def _is_complement(rest: list[Word], whole: Gist) -> bool:
    """ "… under MIT", "… in Go", "… is master"."""
    return rest[0].tie in _COMPLEMENTS and not _is_subject(rest, whole)


def _kinds(said: Iterable[Word]) -> set[str]:
    return {w.kind for w in said if w.is_value}


_FAMILY = {
    "date": "when", "day": "when", "time": "when", "port": "number", "version": "number", "host": "place",
    "url": "place", "ip": "place", "path": "place",
}  # fmt: skip
_DIMENSION = {
    **dict.fromkeys(("ms", "s", "min", "h", "day", "week", "month", "year"), "time"),
    **dict.fromkeys(("kb", "mb", "gb", "tb"), "size"),
    **dict.fromkeys(("usd", "eur", "gbp"), "money"),
}


def _family(w: Word) -> str:
    if w.kind == "amount":
        unit = w.form.partition(" ")[2]
        return f"amount {_DIMENSION.get(unit, unit)}"
    return _FAMILY.get(w.kind, w.kind)


def _order(g: Gist) -> tuple[str, ...]:
    return tuple(w.form for w in _telling(g))


def _is_title(w: Word) -> bool:
    return w.form in _TITLES


_MEASURES = frozenset(
    words.stem(w)
    for w in (
        "budget",
        "number",
        "size",
        "count",
        "amount",
        "time",
        "date",
        "address",
        "hostname",
        "price",
        "cost",
        "rate",
    )
)
"""What a value may be called, or not."""
_TITLES = frozenset(words.stem(w) for w in nouns.HEADS)
