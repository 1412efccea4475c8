"""When two sentences say the same in other words. Pure, and sure before it is clever: a false "same" loses a fact.

A sentence becomes its words in one form, cut at its prepositions, each piece under its preposition; the pieces may
stand in any order ("For deploys, use X", "use X for deploys"), the words in a piece may not. Where a sentence opens
with a preposition and no comma tells where that piece ends, every reading is kept. Numbers, dates and names must be
the same; a "not" on one side makes the opposite, never the same.
"""

import hashlib
import re
from dataclasses import dataclass
from functools import lru_cache

from nightclaw.memory import values, words

_PREPOSITIONS = {
    "in": "at", "on": "at", "at": "at", "within": "at", "inside": "at", "for": "for", "via": "via", "using": "via",
    "with": "with", "to": "to", "from": "from", "before": "before", "after": "after", "until": "until", "till": "until",
    "by": "by", "over": "over", "under": "under", "about": "about", "between": "between", "during": "at",
    "without": "without", "when": "when", "if": "if", "unless": "unless", "because": "because", "than": "than",
    "into": "to", "against": "against", "through": "through", "instead": "instead", "rather": "instead", "except": "except",
    "as": "as", "while": "when", "whenever": "when", "per": "per", "since": "since", "once": "when", "and": "and",
    "or": "or", "but": "and", "toward": "to", "towards": "to", "around": "about", "like": "like", "that": "that",
}  # fmt: skip
_CONTEXT = words.word_set("it this that these those they he she him her them there here then such same")
_OFTEN = frozenset({"daily", "weekly", "monthly", "yearly", "hourly", "nightly", "each-morning"})
_EMPTY = (words.SOFT | words.AUXILIARIES | words.ARTICLES | {"always"}) - {"that"}
_COMMA = re.compile(r",|\s-\s|;|:\s")
_BE_DONE = re.compile(
    r"\b(?:should|must|shall|ought to|needs? to|ha(?:s|ve) to|(?:is|are) to) (not )?be ([a-z]{2,}(?:ed|en|ne|nt|pt|lt|ld|un))\b"
)
_MIN_WORDS = 2
_READINGS = 4

Pieces = tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True, slots=True)
class Likeness:
    """readings: what is said, in one form a reading. sketches: hashes, one of which is shared by what may be the same
    or the opposite."""

    readings: tuple[Pieces, ...]
    is_negated: bool
    sketches: frozenset[int]

    def opposes(self, other: "Likeness") -> bool:
        return self.is_negated != other.is_negated and self._meets(other)

    def equals(self, other: "Likeness") -> bool:
        return self.is_negated == other.is_negated and self._meets(other)

    def _meets(self, other: "Likeness") -> bool:
        return any(_alike(a, b) for a in self.readings for b in other.readings)


def likeness(text: str) -> Likeness | None:
    """What `text` says, comparable; None when it says too little by itself."""
    tokens = _compounded(_tokens(_active(words.plain(text))))
    is_negated = any(t in words.NEGATIONS and t != "without" for t in tokens)
    opening = next((i for i, t in enumerate(tokens) if t != ","), 0)
    cuts = [0]
    if tokens[opening : opening + 1] and tokens[opening] in _PREPOSITIONS:
        comma = next((i for i, t in enumerate(tokens) if t == "," and i > opening), None)
        if comma is None:
            cuts = [opening + 1 + i for i in range(1, _READINGS + 1) if opening + 1 + i < len(tokens)] or [0]
    found = (_pieces(tokens, cut) for cut in cuts)
    readings = dict.fromkeys(p for p in found if sum(len(w) for _, w in p) >= _MIN_WORDS)
    if not readings:
        return None
    return Likeness(tuple(readings), is_negated, frozenset(_sketch(p) for p in readings))


def depends_on_context(text: str) -> bool:
    """True when the words point at something said elsewhere ("it", "that one")."""
    found = [w for w in words.tokens(text) if w not in words.SOFT]
    return any(w in _CONTEXT for w in found[:3])


def content(text: str) -> frozenset[str]:
    """The words of a text that carry what it says, in one form."""
    return frozenset(
        words.stem(t) if t.isalpha() else t.strip("\0")
        for t in _tokens(words.plain(text))
        if t != "," and t not in _EMPTY and t not in _PREPOSITIONS and t != "of"
    )


def hash_of(text: str) -> int:
    """63 bits of a text, the same on every machine."""
    return (
        int.from_bytes(hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).digest(), "big") >> 1
    )


def _pieces(tokens: list[str], cut: int) -> Pieces:
    """The sentence in pieces; at `cut` the opening piece ends and the main one goes on."""
    found = list[tuple[str, list[str]]]()
    main: tuple[str, list[str]] = ("", [])
    current = main
    for i, token in enumerate(tokens):
        if token == "," or (cut and i == cut):
            current = main if not found or current[0] else ("", [])
            if current is not main:
                found.append(current)
            if token == ",":
                continue
        if token in _OFTEN or (token[0] == "\0" and current[0] in ("", "at") and _is_when(token)):
            found.append(("at", [token]))
        elif token in words.NEGATIONS and token != "without":
            continue
        elif token in _PREPOSITIONS:
            current = (_PREPOSITIONS[token], [])
            found.append(current)
        elif token[0] == "\0" or token not in _EMPTY:
            current[1].append(words.stem(token) if token.isalpha() else token)
    return tuple(sorted((p, tuple(w)) for p, w in [main, *found] if w))


def _active(plain: str) -> str:
    """ "Answers should be kept short" as "keep answers short": who should do it is not said either way."""
    m = _BE_DONE.search(plain)
    if m is None:
        return plain
    return f"{m[1] or ''}{m[2]} {plain[: m.start()]}{plain[m.end() :]}"


def _compounded(tokens: list[str]) -> list[str]:
    """ "the linter of billing" as "the billing linter"."""
    out = list[str]()
    it = iter(range(len(tokens)))
    for i in it:
        if tokens[i] == "of" and out:
            j = i + 1
            while j < len(tokens) and (tokens[j] in words.ARTICLES or tokens[j] in ("my", "our", "your")):
                j += 1
            if j < len(tokens) and tokens[j] not in _PREPOSITIONS and tokens[j] != ",":
                out.insert(len(out) - 1, tokens[j])
                for _ in range(j - i):
                    next(it)
        else:
            out.append(tokens[i])
    return out


def _tokens(plain: str) -> list[str]:
    """Words, with values in their one form as single tokens and commas as such."""
    out, end = list[str](), 0
    for v in [*values.typed(plain), None]:
        piece = plain[end : v.start if v else len(plain)]
        for i, part in enumerate(_COMMA.split(piece)):
            out += [","] * (i > 0) + [t for t in words.tokens(part) if t != "'s"]
        if v is not None:
            out.append(f"\0{v.form}")
            end = v.end
    return out


def _is_when(token: str) -> bool:
    return any(v.kind in ("day", "date", "time") for v in values.typed(token[1:]))


def _sketch(pieces: Pieces) -> int:
    return hash_of("|".join(f"{p}:{' '.join(_skeleton(w) for w in ws)}" for p, ws in pieces))


def _alike(a: Pieces, b: Pieces) -> bool:
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
