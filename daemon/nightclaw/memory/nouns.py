"""Noun phrases in one form: "the port of the staging API", "staging API's port" and "the API port on staging" are one.

Names keep their spelling (`api` is not `api-gateway`); only everyday nouns lose their plural.
"""

from dataclasses import dataclass

from nightclaw.memory import words

HEADS = words.word_set(
    "port version owner lead manager url address host hostname path deadline date time day timeout limit quota budget"
    " price cost fee rate size count number name title language framework database broker queue cache region zone branch"
    " editor shell theme color font email phone birthday command job employer place home room office place seat state"
    " schedule cadence frequency interval threshold level tier plan provider vendor host registry bucket cluster topic"
    " channel contact approver reviewer assistant boss head director captain fallback default password license"
    " format style unit currency timezone locale model strategy policy retention ttl capacity memory cpu disk tool"
    " runtime compiler linter formatter tracker dashboard runbook wiki repository endpoint prefix suffix label tag codename"
    " nickname alias chair supervisor coordinator mentor sponsor teacher coach capital spouse partner wife husband doctor dentist school hotel gate flight"
)
"""Nouns that name one property of something."""
THINGS = words.word_set(
    "database broker queue cache registry bucket cluster dashboard tracker wiki repository endpoint runbook framework editor"
    " shell linter formatter compiler tool provider vendor backup fallback room seat channel topic hotel school gate flight"
    " theme model office tag label host contact runtime job"
)
"""Those of them that are things themselves: what stands at a path or under an address is the thing's, not the thing."""
_TRIVIAL = frozenset({"number", "value", "setting", "parameter", "no"})
STATUS = words.word_set(
    "new current latest present actual up-to-date updated existing favorite preferred exact official correct right"
    " usual listening own"
)
GENERIC = words.word_set(
    "server service application project environment system instance component module box machine flag feature toggle"
    " backend-service website tool file"
)
"""Nouns that only say what kind of thing a name is of."""
_COMMON = {
    w: w[:-1]
    for w in words.word_set(
        "tests builds deploys logs backups releases requests emails reviews commits meetings standups deployments"
    )
} | {
    "branches": "branch",
    "retries": "retry",
    "deployment": "deploy",
    "deployments": "deploy",
    "testing": "test",
}
"""Everyday nouns of which one and many are the same thing; names of things stay as they are."""
_SPEECH = words.word_set(
    "we you i us always never please ask let do ever only any whoever everyone nobody someone"
)
"""Words of a sentence, not of the name of a thing."""
_OLD = frozenset(
    {"old", "former", "previous", "earlier", "ex", "past", "original", "last", "other", "another"}
)
PREPOSITIONS = frozenset({"of", "for", "on", "in", "at", "inside", "within", "about", "regarding", "under"})
_TAGGED = frozenset(
    {"from", "to", "between", "with", "without", "by", "via", "after", "before", "during", "per", "and", "or"}
)
VERBS = words.word_set("is are was were has have had will can could should must does did do may might need needs says said think uses"
    " use runs wants likes prefers lives works means seems looks because if when while unless that which who")  # fmt: skip
_HEAD_OF = {
    "folder": "path", "directory": "path", "dir": "path", "maintainer": "owner", "ownership": "owner",
    "location": "place", "home": "place", "home-town": "place", "hometown": "place", "residence": "place",
    "due-date": "deadline", "link": "url", "colour": "color", "cut-off": "deadline",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Noun:
    """`the port of the staging api`: its head and what tells it from others of that head. bare: nothing does."""

    head: str
    of: tuple[str, ...]

    @property
    def key(self) -> str:
        return f"{self.head} of {' '.join(self.of)}" if self.of else self.head

    def whole(self) -> tuple[str, ...]:
        return (*self.of, self.head) if self.head else self.of


def noun(phrase: str) -> Noun | None:
    """A noun phrase in its one form; None for what is none or says nothing by itself."""
    found = words.tokens(phrase.strip(" ,\"'"))
    if not found or len(found) > 9 or any(w in words.PRONOUNS or w in VERBS for w in found):
        return None
    if len(found) > 1 and any(w in _SPEECH for w in found):
        return None
    if any(w in _OLD for w in found) or any(w in words.NEGATIONS for w in found):
        return None
    first, of, tag, is_first = list[str](), set[str](), "", True
    for w in found:
        if w == "'s":  # "Dana's", "the api's": whose it is
            of.update(first if is_first else ())
            first = [] if is_first else first
        elif w in PREPOSITIONS:
            is_first, tag = False, ""
        elif w in _TAGGED:
            is_first, tag = False, f"{w}:"
        elif w in ("my", "mine", "i", "me"):
            of.add("me")
        elif w not in words.ARTICLES and w not in words.SOFT and w not in STATUS:
            w = words.SYNONYMS.get(w, w)
            if is_first:
                first.append(w)
            else:
                of.add(tag + _COMMON.get(w, w))
    while len(first) > 1 and first[-1] in _TRIVIAL:
        first.pop()
    if not first and of:
        return Noun("", tuple(sorted(of)))
    if not first:
        return Noun("us", ()) if set(found) & {"we", "us", "team", "our"} else None
    if len(first) > 1 and "-".join(first[-2:]) in _HEAD_OF:
        first[-2:] = ["-".join(first[-2:])]
    head = first.pop()
    of.update(_COMMON.get(w, w) for w in first)
    head = _HEAD_OF.get(head) or singular(head)
    if head in GENERIC and of and first:
        head = first[-1]  # "the billing service" is billing
        of.discard(_COMMON.get(head, head))
    return Noun(_COMMON.get(head, head), tuple(sorted(specific(of))))


def specific(names: set[str]) -> set[str]:
    """Without the words that only say what kind of thing the others name."""
    return {w for w in names if singular(w) not in GENERIC} or names


def is_generic(word: str) -> bool:
    return word in GENERIC


def is_status(word: str) -> bool:
    return word in STATUS


def common(word: str) -> str:
    return _COMMON.get(word, word)


def singular(head: str) -> str:
    one = (
        head[:-1] if head.endswith("s") and not head.endswith(("ss", "us", "is")) and len(head) > 3 else head
    )
    return one if one in HEADS else head
