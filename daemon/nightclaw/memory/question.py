"""A question as groups of words that mean the same to the index, without the words that every question has."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from nightclaw.core.stems import stem, words
from nightclaw.policy.wordlist import names

_STOP = names(
    """a an the and or but if of to in on at by for with from as is are was were be been being am do does did done doing
    have has had having i me my mine you your yours he him his she her hers it its we us our they them their this that
    these those what which who whom whose when where why how not no nor so than too very can could will would shall
    should may might must about into over after before during between out up down off on again further then once here
    there all any both each few more most other some such only own same just s t don ll re ve d m"""
)
# what Porter's rules cannot bring together
_FORMS = """
go went gone|buy bought|make made|win won|teach taught|write wrote written|meet met|child children|get got gotten|
give gave given|take took taken|see saw seen|feel felt|find found|lose lost|leave left|begin began begun|start began|
break broke broken|bring brought|build built|catch caught|choose chose chosen|come came|draw drew drawn|
drive drove driven|eat ate eaten|fall fell fallen|fly flew flown|grow grew grown|hear heard|hold held|keep kept|
know knew known|learn learnt|mean meant|pay paid|run ran|say said|sell sold|send sent|sing sang sung|sit sat|
sleep slept|speak spoke spoken|spend spent|stand stood|swim swam swum|tell told|think thought|throw threw thrown|
understand understood|wear wore worn|wake woke|ride rode ridden|rise rose|hide hid|fight fought|
forget forgot forgotten|lead led|shoot shot|dream dreamt|become became|man men|woman women|person people|wife wives|
life lives|mouse mice|foot feet|good better best|bad worse worst|config configuration|repo repository|
db database|prod production|env environment|auth authentication|doc documentation
"""
_MONTH = re.compile(r"\bMay\b(?=[\s,]*\d)|(?<=\d )May\b|(?<=\b[Ii]n )May\b|(?<=\b[Oo]f )May\b")
_ORDINAL = re.compile(r"(\d{1,2})(?:st|nd|rd|th)")
_MOST = 32


@dataclass(frozen=True, slots=True)
class Group:
    """One word of a question. forms: the words that count as it; stems: theirs."""

    forms: tuple[str, ...]
    stems: frozenset[str]

    @property
    def match(self) -> str:
        """The group in the language of FTS5."""
        return " OR ".join(f'"{form}"' for form in self.forms)


def groups(question: str) -> list[Group]:
    """The words of a question worth looking for, at most 32; all of them when it has none but common ones."""
    found = words(question)
    kept = [w for w in found if w not in _STOP]
    if _MONTH.search(question):
        kept.append("may")
    distinct: dict[frozenset[str], Group] = {}
    for word in kept or found:
        forms = tuple(_alike(word))
        distinct.setdefault(stems := frozenset(stem(form) for form in forms), Group(forms, stems))
        if len(distinct) == _MOST:
            break
    return list(distinct.values())


def _alike(word: str) -> Iterator[str]:
    yield word
    ordinal = _ORDINAL.fullmatch(word)
    if ordinal:
        yield ordinal[1]
    own = stem(word)
    for form in _forms().get(own, ()):
        if stem(form) != own:
            yield form


@cache
def _forms() -> dict[str, tuple[str, ...]]:
    table: dict[str, dict[str, None]] = {}
    for group in _FORMS.split("|"):
        forms = group.split()
        for form in forms:
            table.setdefault(stem(form), {}).update(dict.fromkeys(forms))
    return {s: tuple(forms) for s, forms in table.items()}
