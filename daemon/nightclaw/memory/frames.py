"""What the parts of a sentence make: readers of the shapes in `shapes.py`. Pure.

A reader gets a subject and a value by their place in the sentence and says of which property of what the value is, or
that this is no fact: an adjective is no value, half a phrase no subject.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from nightclaw.memory import values, words
from nightclaw.memory.nouns import HEADS, PREPOSITIONS, THINGS, VERBS, Noun, noun, singular, specific

BY_KIND = {
    "port": "port", "path": "path", "url": "url", "version": "version", "date": "date", "day": "day", "time": "time",
    "ip": "address", "host": "host", "email": "email", "phone": "phone",
}  # fmt: skip
_FITS = {"port": {"port", "number"}, "deadline": {"date", "day", "time"}, "date": {"date", "day"}}
_STATES = tuple(
    frozenset(group.split())
    for group in (
        "enabled disabled", "open closed", "online offline", "public private", "required optional", "allowed forbidden",
        "done pending blocked", "active inactive paused", "approved rejected", "locked unlocked",
    )
)  # fmt: skip
_STATE_WORDS = {
    "on": "enabled", "off": "disabled", "mandatory": "required", "permitted": "allowed", "prohibited": "forbidden",
    "banned": "forbidden", "finished": "done", "complete": "done", "completed": "done", "enable": "enabled",
    "disable": "disabled",
}  # fmt: skip
MULTI = ("use", "need", "dependency", "like", "team")
"""What one may have several of: a new one ends no other unless it says so."""


@dataclass(frozen=True, slots=True)
class Led:
    """A verb of leading: the noun of who does it, and its participle."""

    noun: str
    done: str


LEADING = {
    "leads?": Led("lead", "led"), "heads?": Led("head", "headed"), "manages?": Led("manager", "managed"),
    "chairs?": Led("chair", "chaired"), "supervises?": Led("supervisor", "supervised"),
    "coordinates?": Led("coordinator", "coordinated"), "reviews?": Led("reviewer", "reviewed"),
    "approves?": Led("approver", "approved"), "mentors?": Led("mentor", "mentored"), "hosts?": Led("host", "hosted"),
    "sponsors?": Led("sponsor", "sponsored"), "teaches": Led("teacher", "taught"), "coaches": Led("coach", "coached"),
}  # fmt: skip
_NOUN_OF = {"leader": "lead", "head": "head", "chair": "chair"}


@dataclass(frozen=True, slots=True)
class Found:
    """What a sentence says. was: the value it says to replace. is_purpose: said of what something is for."""

    key: str
    value: str
    kind: str
    bare: bool = False
    was: str | None = None
    is_purpose: bool = False


Read = Callable[[re.Match[str]], Found | None]


def attribute(subject: str, value: str) -> Found | None:
    """`subject` is `value`: the key is what the subject names, or the property the value's type is of."""
    more = list[str]()
    found = values.whole(value)
    if found.kind == "name":
        value, found, more = _tail(value)
    n = noun(" of ".join([subject, *more]))
    if n is None or not found.form:
        return None
    head = BY_KIND.get(found.kind)
    if found.kind == "name" and n.head in _MEANS and n.of:
        return relation("use", " ".join(n.of), value, purpose=True)
    if found.kind == "name" and not n.of and is_activity(n):
        return relation("use", n.head, value, purpose=True)
    if n.head in HEADS and not (head is not None and n.head in THINGS) and not (n.head == "number" and head):
        fits = _FITS.get(n.head)
        if fits is not None and found.kind not in fits:
            return None
        if n.head == "place" and head in ("path", "url"):
            n = Noun(head, n.of)
        return _plausible(n, found, value)
    if head is not None:
        of = n.of if n.head in (head, "number") else n.whole()
        return Found(Noun(head, tuple(sorted(of))).key, found.form, found.kind, bare=not of)
    if found.kind == "number" and "." in found.form:
        return Found(Noun("version", tuple(sorted(n.whole()))).key, found.form, found.kind)
    if found.kind in ("number", "amount", "money"):
        return Found(n.key, found.form, found.kind, bare=not n.of)
    is_named = found.kind == "name" and re.search(r"\b[A-Z]|\w[-_.\d]", value) is not None
    if n.of and is_named and re.match(r"(?i)(?:the|my|our)\b|.*'s ", subject):
        return _plausible(n, found, value)
    return None


_MEANS = frozenset({"tool", "solution", "choice", "software", "product", "service"})
"""What one uses for something."""
_ACTIVITY = re.compile(
    r"(?:ing|ment|tion|sion)$|^(?:ci|cd|chat|auth|vpn|mail|email|dns|sso|tests?|builds?|deploys?|lint|backups?|reviews?|search"
    r"|payroll|analytics)$"
)


def is_activity(n: Noun) -> bool:
    """Something one does, for which one uses a tool: CI, code review, monitoring."""
    return n.head not in THINGS and _ACTIVITY.search(n.head) is not None


def _plausible(n: Noun, v: values.Value, value: str = "") -> Found | None:
    """Words count as a value only when they look like a name of something, and the key says of what."""
    if v.kind in ("name", "literal") and (len(v.form.split()) > 5 or not _is_name(v.form, value)):
        return None
    return Found(n.key, v.form, v.kind, bare=not n.of)


_ADJECTIVE = re.compile(r"(?:able|ible|ful|less|ous|ive|ish|ing|ly|ient|ant|ent|est|ier)$")
_NO_NAME = words.word_set(
    "slow fast broken down up flaky wrong bad good fine great new old big small high low long short hard easy full empty"
    " important ready missing unknown unclear tbd stale same different late early true false yes no set used needed taken"
    " given kept held sent written built done made there here mine yours nice cool ok safe dead alive gone back in out over"
    " weird odd changed a"
)


def _is_name(form: str, written: str = "") -> bool:
    """written: with its capitals; a word that has one is no adjective."""
    found = form.split()
    if any(w in words.PRONOUNS or w in VERBS or w in words.NEGATIONS for w in found):
        return False
    if any(re.match(r"\d{4}-\d\d", w) for w in found) or found[0] in ("one", "ones"):
        return False
    if len(found) > 1 and re.search(r"(?:ed|taken|given|kept|held|sent|written|built|done|made)$", found[0]):
        return False
    if len(found) > 1 or written[:1].isupper():
        return found[0] not in _NO_NAME
    return found[0] not in _NO_NAME and _ADJECTIVE.search(found[0]) is None


def _tail(value: str) -> tuple[str, values.Value, list[str]]:
    """`9090 for staging` → 9090, and what more the key is of."""
    m = re.match(
        r"(?i)(.+?) (?:for|on|in|of|at) ((?:the |our |my )?[\w./-]+(?: [\w./-]+){0,3})\Z", value.strip()
    )
    if m is not None:
        v = values.whole(m[1])
        if v.kind != "name":
            return m[1], v, [m[2]]
    return value, values.whole(value), []


def relation(name: str, subject: str, value: str, *, purpose: bool = False) -> Found | None:
    """A relation with a name of its own: the owner of, the place of, the use of `subject` is `value`."""
    n, v = noun(subject), values.whole(value)
    if (
        n is None
        or not v.form
        or (v.kind == "name" and (len(v.form.split()) > 6 or not _is_name(v.form, value)))
    ):
        return None
    if v.kind == "name" and any(t.kind in BY_KIND for t in values.typed(value)):
        return None
    if name in ("platform", "place") and is_activity(n):
        name, purpose = "use", True
    if v.kind == "name" and name in MULTI:
        named = noun(value)
        if named is None:
            return None
        v = values.Value("name", " ".join(named.whole()), 0, 0)
    of = tuple(specific(set(n.whole())))
    if name in _ACTIVITIES:
        of = tuple(_act(w) for w in of)
    return Found(Noun(name, tuple(sorted(set(of)))).key, v.form, v.kind, is_purpose=purpose)


_ACTIVITIES = ("use", "preference")


def _act(word: str) -> str:
    """`deploys`, `deploying` and `deployment` are one thing to do."""
    return words.stem(word.removesuffix("ment") if len(word) > 8 else word)


# Readers


def about(name: str) -> Read:
    """Read `s`, `v` as the relation `name`."""
    return lambda m: relation(name, m["s"], m["v"])


_LISTENS = re.compile(r"(?i)\b(?:listen|bind|serve|answer|expose|reach|publish)")


def typed_or(name: str) -> Read:
    """Read `s`, `v`: the property the value's type is of, else the relation `name`."""

    def read(m: re.Match[str]) -> Found | None:
        v = values.whole(m["v"])
        if v.kind == "number" and _LISTENS.search(m[0]) and 2 <= len(v.form) <= 5:
            return relation("port", m["s"], m["v"])
        if v.kind in BY_KIND or v.kind in ("number", "amount", "money"):
            return attribute(m["s"], m["v"])
        return relation(name, m["s"], m["v"])

    return read


def is_(m: re.Match[str]) -> Found | None:
    """ "S is V", and "V is the … of S"."""
    state = _state(m["s"], m["v"])
    if state is not None:
        return state
    v = values.whole(m["v"])
    n = noun(m["s"])
    if (m["at"] or "").strip() in ("on", "via") and v.kind == "name" and (n is None or n.head not in HEADS):
        return relation("use", m["s"], m["v"])
    if (m["at"] or "").strip() in ("in", "at") and v.kind == "name" and (n is None or n.head != "place"):
        return relation("place", m["s"], m["v"])
    forward = attribute(m["s"], m["v"])
    if forward is not None or not re.match(r"(?i)(?:the|my|our)\b|.+'s ", m["v"]):
        return forward
    n = noun(m["v"])  # "Dana is the owner of billing"
    return attribute(m["v"], m["s"]) if n is not None and n.head in HEADS else None


def _state(subject: str, value: str) -> Found | None:
    word = words.plain(value).strip(" .!")
    word = _STATE_WORDS.get(word, word)
    n = noun(subject)
    for group in _STATES:
        if word in group and n is not None:
            return Found(
                Noun("/".join(sorted(group)), tuple(sorted(specific(set(n.whole()))))).key, word, "state"
            )
    return None


def switched(m: re.Match[str]) -> Found | None:
    return _state(m["s"], m["verb"])


def changed(m: re.Match[str]) -> Found | None:
    """We moved S to V; S was raised from W to V."""
    v = values.whole(m["v"])
    was = m.groupdict().get("was")
    verb = m["verb"].lower()
    if verb.startswith("renam"):
        return _replacing(relation("name", m["s"], m["v"]), was)
    if v.kind in ("number", "version") and re.match(r"upgrad|downgrad|updat|migrat", verb):
        return _replacing(relation("version", re.sub(r"(?i)\bversion (?:of|for) ", "", m["s"]), m["v"]), was)
    found = attribute(m["s"], m["v"])
    if found is None and v.kind in ("name", "literal"):
        is_use = verb.startswith(("switch", "migrat", "convert", "chang", "upgrad", "updat", "went"))
        found = relation("use" if is_use and (was or verb.startswith("switch")) else "place", m["s"], m["v"])
    return _replacing(found, was)


def _replacing(found: Found | None, was: str | None) -> Found | None:
    return replace(found, was=values.whole(was).form if was else None) if found is not None else None


def used(m: re.Match[str]) -> Found | None:
    """We use V; we switched from W to V."""
    v, n = values.whole(m["v"]), noun(m["v"])
    if v.kind == "name" and (n is None or any(t.kind in BY_KIND for t in values.typed(m["v"]))):
        return None
    form = " ".join(n.whole()) if v.kind == "name" and n is not None else v.form
    return _replacing(Found("use of us", form, v.kind), m.groupdict().get("was"))


def use_for(m: re.Match[str]) -> Found | None:
    """We use V for S."""
    if values.whole(m["v"]).kind in BY_KIND:
        found = attribute(m["s"], m["v"])
    else:
        found = relation("use", m["s"], m["v"], purpose=True)
    return _replacing(found, m.groupdict().get("was"))


def as_property(m: re.Match[str]) -> Found | None:
    """We use V as S: as a property it has, else for what S does."""
    n = noun(m["s"])
    return attribute(m["s"], m["v"]) if n is not None and n.head in HEADS else use_for(m)


def run_with(m: re.Match[str]) -> Found | None:
    """S is run with V: a command where V is written as one, else a tool, of which there may be several."""
    is_command = (
        values.whole(m["v"]).kind in ("literal", "path")
        or re.match(r"\w+ [a-z-]", m["v"].strip()) is not None
    )
    return relation("command" if is_command else "use", m["s"], m["v"])


def handed(m: re.Match[str]) -> Found | None:
    if any(v.kind in ("number", "amount") for v in values.typed(m["s"])):
        return None  # a share of something may be owned by many
    return _replacing(relation("owner", m["s"], m["v"]), m.groupdict().get("was"))


def leads(m: re.Match[str]) -> Found | None:
    """V leads S; V is the lead of S."""
    verb = m["verb"].lower()
    found = next(
        (led.noun for form, led in LEADING.items() if re.fullmatch(form, verb)), _NOUN_OF.get(verb, verb)
    )
    return relation(found, m["s"], m["v"]) if found in _NOUNS else None


def led(m: re.Match[str]) -> Found | None:
    """S is led by V."""
    found = next(x.noun for x in LEADING.values() if x.done == m["verb"].lower())
    return relation(found, m["s"], m["v"])


_NOUNS = frozenset(x.noun for x in LEADING.values()) | HEADS


def due(m: re.Match[str]) -> Found | None:
    return (
        attribute(f"deadline of {m['s']}", m["v"])
        if values.whole(m["v"]).kind in ("date", "day", "time")
        else None
    )


def happens(m: re.Match[str]) -> Found | None:
    return attribute(m["s"], m["v"]) if values.whole(m["v"]).kind in ("date", "day", "time") else None


def version_of(m: re.Match[str]) -> Found | None:
    """We run S 16."""
    return relation("version", m["s"], m["v"]) if m["s"].lower() not in VERBS | {"version", "port"} else None


def over(m: re.Match[str]) -> Found | None:
    """One of two: the pair is the key."""
    a, b = values.whole(m["v"]).form, values.whole(m["was"]).form
    of = noun(m["s"]) if m.groupdict().get("s") else None
    if not a or not b or a == b or max(len(a.split()), len(b.split())) > 4:
        return None
    of_what = f" for {' '.join(of.whole())}" if of else ""
    return Found(f"preference{_person(m)} of {'|'.join(sorted((a, b)))}{of_what}", a, "name")


def prefer(m: re.Match[str]) -> Found | None:
    """I prefer V for S; I prefer dark mode."""
    if m.groupdict().get("s"):
        found = relation("preference", m["s"], m["v"])
        return replace(found, key=found.key + _person(m)) if found else None
    n = noun(m["v"])
    if n is None or not 1 <= len(n.of) <= 3 or any(":" in w for w in n.of):
        return None
    tokens = [w for w in words.tokens(m["v"]) if w not in words.ARTICLES and w not in words.SOFT]
    if len(tokens) < 2 or any(w in PREPOSITIONS for w in tokens):
        return None
    return Found(
        f"preference{_person(m)} of {' '.join(words.stem(w) for w in tokens[1:])}", tokens[0], "name"
    )


def _person(m: re.Match[str]) -> str:
    who = (m.groupdict().get("who") or "").strip().casefold()
    return "" if who in ("", "i", "we", "please", "always") else f" by {who}"


_DOES_NOT = words.word_set("work live meet met talk spoke agree go went start")


def do_with(m: re.Match[str]) -> Found | None:
    """We deploy with V."""
    verb = words.plain(m["verb"])
    if (
        not m[0].lower().startswith(("we ", "i ", "they ", "let's "))
        or verb in VERBS
        or verb in words.AUXILIARIES
    ):
        return None
    if verb.endswith("ed") or verb in _DOES_NOT:
        return None
    return relation("use", f"{verb} {m['o'] or ''}", m["v"], purpose=True)


def counted(m: re.Match[str]) -> Found | None:
    """S has 5 members."""
    n, v = noun(m["s"]), values.whole(m["n"])
    if n is None or v.kind not in ("number", "amount"):
        return None
    return Found(Noun("count", tuple(sorted((singular(m["o"]), *n.whole())))).key, v.form, v.kind)
