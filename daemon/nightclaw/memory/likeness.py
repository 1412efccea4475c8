"""When two sentences say the same in other words. Pure, and sure before it is clever: a false "same" loses a fact.

A sentence becomes its words in one form, cut at its prepositions, each piece under its preposition; the pieces may
stand in any order ("For deploys, use X", "use X for deploys"), the words in a piece may not. Numbers, dates and names
must be the same; a "not" on one side makes the opposite, never the same.
"""

import hashlib
import re
from dataclasses import dataclass
from functools import lru_cache

from nightclaw.memory import values, words

_PREPOSITIONS = {
    "in": "at", "on": "at", "at": "at", "within": "at", "inside": "at", "for": "for", "via": "via", "using": "via",
    "with": "with", "to": "to", "from": "from", "before": "before", "after": "after", "until": "until", "till": "until",
    "by": "by", "over": "over", "under": "under", "about": "about", "of": "of", "between": "between", "during": "at",
    "without": "without", "when": "when", "if": "if", "unless": "unless", "because": "because", "than": "than",
    "into": "to", "against": "against", "through": "through", "instead": "instead", "rather": "instead", "except": "except",
    "as": "as", "while": "when", "whenever": "when", "per": "per", "since": "since", "once": "when", "and": "and",
    "or": "or", "but": "and", "toward": "to", "towards": "to", "around": "about", "like": "like", "that": "that",
}  # fmt: skip
_CONTEXT = words.word_set("it this that these those they he she him her them there here then such same")
_MIN_WORDS = 2


@dataclass(frozen=True, slots=True)
class Likeness:
    """pieces: what is said, in one form. sketch: a hash that is equal for what may be the same or the opposite."""

    pieces: tuple[tuple[str, tuple[str, ...]], ...]
    is_negated: bool
    sketch: int

    def opposes(self, other: "Likeness") -> bool:
        return self.is_negated != other.is_negated and _alike(self.pieces, other.pieces)

    def equals(self, other: "Likeness") -> bool:
        return self.is_negated == other.is_negated and _alike(self.pieces, other.pieces)


def likeness(text: str) -> Likeness | None:
    """What `text` says, comparable; None when it says too little by itself."""
    found = list[tuple[str, list[str]]]()
    current: tuple[str, list[str]] = ("", [])
    is_negated = False
    for token in _tokens(text):
        if token == ",":
            found.append(current)
            current = ("", [])
        elif token in _OFTEN or (token[0] == "\0" and current[0] in ("", "at") and _is_when(token)):
            found.append(("at", [token]))
        elif token in words.NEGATIONS and token != "without":
            is_negated = True
        elif token in _PREPOSITIONS:
            found.append(current)
            current = (_PREPOSITIONS[token], [])
        elif token[0] == "\0" or token not in _EMPTY:
            current[1].append(words.stem(token) if token.isalpha() else token)
    found.append(current)
    pieces = tuple(sorted((p, tuple(w)) for p, w in found if w))
    if sum(len(w) for _, w in pieces) < _MIN_WORDS:
        return None
    plain = "|".join(f"{p}:{' '.join(_skeleton(w) for w in ws)}" for p, ws in pieces)
    return Likeness(pieces, is_negated, hash_of(plain))


def depends_on_context(text: str) -> bool:
    """True when the words point at something said elsewhere ("it", "that one")."""
    found = [w for w in words.tokens(text) if w not in words.SOFT]
    return any(w in _CONTEXT for w in found[:3])


def content(text: str) -> frozenset[str]:
    """The words of a text that carry what it says, in one form."""
    return frozenset(
        words.stem(t) if t.isalpha() else t.strip("\0")
        for t in _tokens(text)
        if t != "," and t not in _EMPTY and t not in _PREPOSITIONS
    )


def hash_of(text: str) -> int:
    """63 bits of a text, the same on every machine."""
    return (
        int.from_bytes(hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).digest(), "big") >> 1
    )


_OFTEN = frozenset({"daily", "weekly", "monthly", "yearly", "hourly"})
_EMPTY = (words.SOFT | {"always"} | words.AUXILIARIES | words.ARTICLES) - {"that"}
_COMMA = re.compile(r",|\s-\s|;|:\s")


def _tokens(text: str) -> list[str]:
    """Words, with values in their one form as single tokens and commas as such."""
    out, end = list[str](), 0
    plain = words.plain(text)
    for v in [*values.typed(plain), None]:
        piece = plain[end : v.start if v else len(plain)]
        for i, part in enumerate(_COMMA.split(piece)):
            out += [","] * (i > 0) + words.tokens(part)
        if v is not None:
            out.append(f"\0{v.form}")
            end = v.end
    return out


def _is_when(token: str) -> bool:
    return any(v.kind in ("day", "date", "time") for v in values.typed(token[1:]))


def _alike(a: tuple[tuple[str, tuple[str, ...]], ...], b: tuple[tuple[str, tuple[str, ...]], ...]) -> bool:
    if a == b:
        return True
    if [(p, len(w)) for p, w in a] != [(p, len(w)) for p, w in b]:
        return False
    pairs = [(x, y) for (_, ws), (_, vs) in zip(a, b, strict=True) for x, y in zip(ws, vs, strict=True)]
    return all(x == y or (len(x) >= 5 and x.isalpha() and _skeleton(x) == _skeleton(y)) for x, y in pairs)


@lru_cache(8192)
def _skeleton(word: str) -> str:
    """Without what is often misspelled: `ie` for `ei`, one letter for two."""
    if len(word) < 5 or not word.isalpha():
        return word
    return re.sub(r"([a-z])\1", r"\1", word.replace("ei", "ie"))
