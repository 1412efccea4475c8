"""Words and their stems, as the full-text index of the store cuts them: so that a text can be weighed outside it.

Tokens are runs of letters and digits without accents (SQLite's `unicode61`), stems are M. F. Porter's of 1980
(https://tartarus.org/martin/PorterStemmer/def.txt), which is what FTS5's `porter` does to words of a-z.
"""

import re
import unicodedata
from functools import lru_cache

_SEPARATED = str.maketrans({chr(c): " " for c in range(128) if not chr(c).isalnum()})
_WORD = re.compile(r"[^\W_]+")


def words(text: str) -> list[str]:
    """The tokens of a text, small, in their order."""
    if text.isascii():
        return text.lower().translate(_SEPARATED).split()
    plain = unicodedata.normalize("NFKD", text)
    return _WORD.findall("".join(c for c in plain if not unicodedata.combining(c)).lower())


_STEP2 = (
    ("ational", "ate"), ("tional", "tion"), ("enci", "ence"), ("anci", "ance"), ("izer", "ize"), ("bli", "ble"),
    ("alli", "al"), ("entli", "ent"), ("eli", "e"), ("ousli", "ous"), ("ization", "ize"), ("ation", "ate"),
    ("ator", "ate"), ("alism", "al"), ("iveness", "ive"), ("fulness", "ful"), ("ousness", "ous"), ("aliti", "al"),
    ("iviti", "ive"), ("biliti", "ble"), ("logi", "log"),
)  # fmt: skip
_STEP3 = (
    ("icate", "ic"), ("ative", ""), ("alize", "al"), ("iciti", "ic"), ("ical", "ic"), ("ful", ""), ("ness", ""),
)  # fmt: skip
_STEP4 = (  # of one ending in another the longer stands first
    "al", "ance", "ence", "er", "ic", "able", "ible", "ant", "ement", "ment", "ent", "ion", "ou", "ism", "ate", "iti",
    "ous", "ive", "ize",
)  # fmt: skip


def _measure(word: str) -> int:
    """How often a vowel run is followed by a consonant run: Porter's m."""
    return _shape(word).count("VC")


def _shape(word: str) -> str:
    """The word's runs as letters: `V` for vowels, `C` for consonants."""
    runs, vowel = list[str](), False
    for i, c in enumerate(word):
        vowel = c in "aeiou" or (c == "y" and i > 0 and not vowel)
        kind = "V" if vowel else "C"
        if not runs or runs[-1] != kind:
            runs.append(kind)
    return "".join(runs)


def _consonant(word: str, i: int) -> bool:
    c = word[i]
    if c in "aeiou":
        return False
    return not (c == "y" and i > 0 and _consonant(word, i - 1))


def _ends_cvc(word: str) -> bool:
    return (
        len(word) > 2
        and _consonant(word, len(word) - 1)
        and not _consonant(word, len(word) - 2)
        and _consonant(word, len(word) - 3)
        and word[-1] not in "wxy"
    )


def _plural(w: str) -> str:
    if w.endswith(("sses", "ies")):
        return w[:-2]
    return w[:-1] if w.endswith("s") and not w.endswith("ss") else w


def _past(w: str) -> str:
    if w.endswith("eed"):
        return w[:-1] if _measure(w[:-3]) > 0 else w
    for ending in ("ed", "ing"):
        if w.endswith(ending) and "V" in _shape(w[: -len(ending)]):
            w = w[: -len(ending)]
            if w.endswith(("at", "bl", "iz")):
                return w + "e"
            if len(w) > 1 and w[-1] == w[-2] and w[-1] not in "lsz" and _consonant(w, len(w) - 1):
                return w[:-1]
            return w + "e" if _measure(w) == 1 and _ends_cvc(w) else w
    return w


def _long_endings(w: str) -> str:
    for table in (_STEP2, _STEP3):
        for ending, instead in table:
            if w.endswith(ending):
                if _measure(w[: -len(ending)]) > 0:
                    w = w[: -len(ending)] + instead
                break
    for ending in _STEP4:
        if w.endswith(ending):
            rest = w[: -len(ending)]
            if _measure(rest) > 1 and (ending != "ion" or rest.endswith(("s", "t"))):
                w = rest
            break
    return w


@lru_cache(maxsize=20_000)
def stem(word: str) -> str:
    """The stem of one token; what is not a word of a-z stays as it is."""
    if len(word) < 3 or not word.isascii() or not word.isalpha():
        return word
    w = _past(_plural(word))
    if w.endswith("y") and "V" in _shape(w[:-1]):
        w = w[:-1] + "i"
    w = _long_endings(w)
    if w.endswith("e"):
        m = _measure(w[:-1])
        if m > 1 or (m == 1 and not _ends_cvc(w[:-1])):
            w = w[:-1]
    return w[:-1] if w.endswith("ll") and _measure(w) > 1 else w
