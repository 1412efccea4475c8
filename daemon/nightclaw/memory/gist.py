"""What a sentence says, as its bare words: what holds, what held before, whether it tells of a change. Pure.

Where `keys` reads the shape of a sentence, this reads its words alone, in any order, so that two people's wordings of
one thing meet. Words that carry nothing by themselves ("is", "runs", "on", "now") are left out; words for one property
("owns", "is in charge of", "maintainer") are one mark.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from nightclaw.memory import lexicon, nouns, values, words
from nightclaw.memory.likeness import hash_of

LONGEST = 400
SPOKEN = 12
ME = "me"


@dataclass(frozen=True, slots=True)
class Word:
    """form: in one form; written: as it stands, in lower case. kind: `word`, `name` (of a thing), `person` (or what is
    written as one), `opening` (a capital that begins the sentence), or the type of a value. is_faint: it tells little
    apart. clause, phrase, at, end: where it stands; tie: the preposition before it. is_old: in words that say what held
    before."""

    form: str
    written: str
    kind: str
    is_faint: bool
    clause: int
    phrase: int
    tie: str
    at: int
    end: int
    is_old: bool

    @property
    def is_value(self) -> bool:
        return self.kind not in ("word", "name", "person", "opening")


@dataclass(frozen=True, slots=True)
class Gist:
    """words: in their order. marks: the properties it speaks of. verb_at: where its verb stands. is_label: "name:
    value". is_inverted: it opens with what it says. is_directed: its two sides are not the same thing. strong, weak: it
    tells of a change in so many words, or that something is so now. ends: it says that something holds no longer. adds:
    "also". negated: an odd number of "not"."""

    words: tuple[Word, ...]
    marks: frozenset[str]
    verb_at: int
    is_label: bool
    is_inverted: bool
    is_directed: bool
    strong: bool
    weak: bool
    ends: bool
    adds: bool
    negated: bool

    @property
    def spoken(self) -> list[str]:
        """The words that tell it apart, as they were written: under them an index finds what is about the same."""
        return [w.written for w in self.words if not w.is_faint][:SPOKEN]

    @property
    def held(self) -> frozenset[str]:
        return frozenset(w.form for w in self.words if not w.is_old)

    @property
    def old(self) -> frozenset[str]:
        return frozenset(w.form for w in self.words if w.is_old)


def marks(said: Gist | None, private: bool, repo: str | None) -> frozenset[int]:
    """Hashes of the words that tell it apart, within one scope: under them a row is found when it has given way."""
    forms = [w.form for w in said.words if not w.is_faint][:SPOKEN] if said is not None else []
    return frozenset(hash_of(f"{int(private)}\0{repo or ''}\0word\0{form}") for form in forms)


@lru_cache(4096)
def gist(text: str) -> Gist | None:
    """What `text` says; None when it is a question, too long, or too short to say anything."""
    if len(text) > LONGEST or text.rstrip().endswith("?"):
        return None
    plain = _spelled(_long(text))
    weak, ends, adds = (p.search(plain) is not None for p in (lexicon.WEAK, lexicon.ENDS, lexicon.AGAIN))
    strong = any(w in lexicon.STRONG for w in words.tokens(plain)) or lexicon.NEW.search(plain) is not None
    plain = _without_reason(plain)
    for pattern, to in lexicon.COMPILED:
        plain = pattern.sub(to, plain)
    strong = strong or re.search(r"\bmoved\b", plain) is not None
    found, marks, negations = _read(plain, strong=strong)
    if not found:
        return None
    if "handover" in marks:
        marks = marks - {"handover"} if marks & lexicon.ROLES else marks - {"handover"} | {"owns"}
    verb = lexicon.VERB.search(plain)
    return Gist(
        tuple(found), frozenset(marks), verb.start() if verb else len(plain), lexicon.LABEL.match(plain) is not None,
        lexicon.INVERTED.search(plain) is not None,
        lexicon.DIRECTED.search(plain) is not None, strong, weak, ends, adds, negations % 2 == 1,
    )  # fmt: skip


def implied(marks: frozenset[str], kinds: set[str]) -> frozenset[str]:
    """`marks` without those that a value of one of these types says by itself."""
    return frozenset(m for m in marks if not (lexicon.IMPLIED.get(m, set()) & kinds))


def _read(plain: str, *, strong: bool) -> tuple[list[Word], set[str], int]:
    """(words, marks, how many times "not")."""
    of_old = (
        lexicon.OLD,
        lexicon.OLD_AFTER,
        lexicon.GAVE,
        lexicon.TOOK,
        *((lexicon.FROM,) if strong else ()),
    )
    old = [m.span("old") for p in of_old for m in p.finditer(plain)]
    clauses = [m.end() for m in lexicon.CLAUSE.finditer(plain)]
    found, marks = list[Word](), set[str]()
    negations = phrase = 0
    for t in _split(plain):
        if t.kind == "negation":
            negations += 1
        elif t.kind == "mark":
            marks.add(t.form)
        else:
            gap = plain[found[-1].end if found else 0 : t.start]
            phrase += bool(found) and lexicon.BREAK.search(gap) is not None
            ties = lexicon.TIE.findall(gap)
            is_counted = bool(found) and found[-1].kind == "number" and t.kind == "word"
            found.append(
                Word(
                    form=t.form, written=plain[t.start : t.end].strip("`").casefold(), kind=t.kind,
                    is_faint=t.form == ME or (t.form in lexicon.FAINT and not is_counted),
                    clause=sum(end <= t.start for end in clauses), phrase=phrase,
                    tie=ties[-1].casefold() if ties else "",
                    at=t.start, end=t.end, is_old=any(a <= t.start < b for a, b in old),
                )
            )  # fmt: skip
    return found, marks, negations


@dataclass(frozen=True, slots=True)
class _Token:
    form: str
    kind: str
    start: int
    end: int


def _split(plain: str) -> Iterator[_Token]:
    """What carries meaning: values, names, words, the marks of properties, negations."""
    end, before = 0, ""
    for v in [*_values(plain), None]:
        for m in lexicon.WORD.finditer(plain, end, v.start if v else len(plain)):
            is_verb = (m.start() < 2 or before in ("", ",")) and lexicon.VERB_BEFORE.match(
                plain, m.end()
            ) is not None
            found = _word(m[0], is_first=m.start() < 2, is_verb=is_verb or before in lexicon.BEFORE_VERBS)
            before = "" if plain[m.end() : m.end() + 1] == "," else m[0].casefold()
            if found is not None:
                yield _Token(*found, m.start(), m.end())
        if v is not None:
            yield _Token(v.form, v.kind, v.start, v.end)
            end = v.end


def _values(plain: str) -> list[values.Value]:
    return [v for v in values.typed(plain) if v.kind != "literal" or v.end - v.start > 3]


def _word(written: str, *, is_first: bool, is_verb: bool) -> tuple[str, str] | None:
    """(form, kind) of a word, None for one that carries nothing here."""
    lower = written.strip("`").casefold()
    if lower in ("not", "no", "never", "none", "cannot"):
        return lower, "negation"
    if lower in lexicon.MARK_OF:
        return lexicon.MARK_OF[lower], "mark"
    if lower in ("my", "mine", "i", "me"):
        return ME, "word"
    if is_verb and lower in lexicon.AMBIGUOUS:
        return None
    is_title = not is_first and len(written) > 1 and lexicon.TITLE.match(written) is not None
    if lower in lexicon.SILENT or (lower in lexicon.LIGHT and not is_title):
        return None
    form = words.stem(nouns.common(lower))
    if form in lexicon.LIGHT and not is_title and not lower.endswith("ing"):
        return None
    if form in lexicon.MARK_OF:
        return lexicon.MARK_OF[form], "mark"
    is_name = re.search(r"[A-Z]", written[1:] if is_first else written) or re.search(
        r"[\d_@/.#+]|\w-\w", written
    )
    if is_name:
        return form, "person" if lexicon.PERSON.match(written) else "name"
    return form, "opening" if is_first and written[0].isupper() else "word"


def _without_reason(plain: str) -> str:
    bare = lexicon.REASON.sub("", plain)
    return bare if len(bare.split()) >= 3 else plain


def _long(text: str) -> str:
    text = text.replace("’", "'").replace("–", "-").replace("—", " - ")
    for short, long in lexicon.SHORT:
        text = short.sub(long, text)
    return " ".join(text.split()).strip(" .!")


def _spelled(plain: str) -> str:
    return lexicon.NUMBER.sub(lambda m: lexicon.NUMBERS[m[1].lower()], plain)
