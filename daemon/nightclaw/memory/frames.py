"""The shapes of sentences that say one thing about another, each reading its subject and its value. Pure.

A shape must fit the whole sentence: what it cannot place makes it no fact, because a fact taken from half a sentence
may give way to another it does not contradict.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from nightclaw.memory import values, words
from nightclaw.memory.nouns import HEADS, PREPOSITIONS, VERBS, Noun, noun, singular, specific

BY_KIND = {
    "port": "port", "path": "path", "url": "url", "version": "version", "date": "date", "day": "day", "time": "time",
    "ip": "address", "host": "host", "email": "email",
}  # fmt: skip
_FITS = {"port": {"port", "number"}, "deadline": {"date", "day", "time"}, "date": {"date", "day"}}
_STATES = tuple(
    frozenset(group.split())
    for group in (
        "enabled disabled", "open closed", "online offline", "public private", "required optional",
        "allowed forbidden", "done pending blocked", "active inactive paused", "approved rejected", "locked unlocked",
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
class Found:
    """What a sentence says. was: the value it says to replace. is_purpose: said of what something is for."""

    key: str
    value: str
    kind: str
    bare: bool = False
    was: str | None = None
    is_purpose: bool = False


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
    if n.head in _MEANS and n.of and found.kind == "name":
        return relation("use", " ".join(n.of), value, purpose=True)
    if n.head in HEADS or n.head == head:
        fits = _FITS.get(n.head)
        if fits is not None and found.kind not in fits:
            return None
        if n.head == "place" and head in ("path", "url"):
            n = Noun(head, n.of)
        return _plausible(n, found, value)
    if head is not None:
        return Found(Noun(head, tuple(sorted(n.whole()))).key, found.form, found.kind)
    if found.kind == "number" and "." in found.form:
        return Found(Noun("version", tuple(sorted(n.whole()))).key, found.form, found.kind)
    if found.kind in ("number", "amount", "money"):
        return Found(n.key, found.form, found.kind, bare=not n.of)
    if (
        n.of
        and found.kind == "name"
        and re.search(r"\b[A-Z]|\w[-_.\d]", value)
        and re.match(r"(?i)(?:the|my|our)\b|.*'s ", subject)
    ):
        return _plausible(n, found, value)
    return None


_MEANS = frozenset({"tool", "solution", "choice", "software", "product", "service"})
"""What one uses for something."""


def _plausible(n: Noun, v: values.Value, value: str = "") -> Found | None:
    """Words count as a value only when they look like a name of something, and the key says of what."""
    if v.kind in ("name", "literal") and (len(v.form.split()) > 5 or not _is_name(v.form, value)):
        return None
    return Found(n.key, v.form, v.kind, bare=not n.of)


_ADJECTIVE = re.compile(r"(?:able|ible|ful|less|ous|ive|ish|ing|ly|ient|ant|ent|est|ier)$")
_NO_NAME = words.word_set(
    "slow fast broken down up flaky wrong bad good fine great new old big small high low long short hard"
    " easy full empty"
    " important ready missing unknown unclear tbd stale same different late early true false yes no set"
    " used needed"
    " taken given kept held sent written built done made there here mine yours nice cool ok safe dead alive gone back in out over weird odd changed a"
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


# The shapes


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


_LISTENS = re.compile(r"(?i)\b(?:listen|bind|serve|answer|expose|reach)")


def typed_or(name: str) -> "Read":
    """Read `s`, `v`: the property the value's type is of, else the relation `name`."""

    def read(m: re.Match[str]) -> Found | None:
        v = values.whole(m["v"])
        if v.kind == "number" and _LISTENS.search(m[0]) and 2 <= len(v.form) <= 5:
            return relation("port", m["s"], m["v"])
        if v.kind in BY_KIND or v.kind in ("number", "amount", "money"):
            return attribute(m["s"], m["v"])
        return relation(name, m["s"], m["v"])

    return read


def _is(m: re.Match[str]) -> Found | None:
    state = _state(m["s"], m["v"])
    if state is not None:
        return state
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
            return Found(Noun("/".join(sorted(group)), tuple(sorted(n.whole()))).key, word, "state")
    return None


def _switch(m: re.Match[str]) -> Found | None:
    return _state(m["s"], m["verb"])


def _change(m: re.Match[str]) -> Found | None:
    v = values.whole(m["v"])
    was = m.groupdict().get("was")
    verb = m["verb"].lower()
    found: Found | None
    if verb.startswith("renam"):
        found = relation("name", m["s"], m["v"])
    elif v.kind in ("number", "version") and re.match(r"upgrad|downgrad|updat|migrat", verb):
        found = relation("version", re.sub(r"(?i)\bversion (?:of|for) ", "", m["s"]), m["v"])
    else:
        found = attribute(m["s"], m["v"])
        if found is None and v.kind in ("name", "literal"):
            is_use = verb.startswith(("switch", "migrat", "convert", "chang", "upgrad", "updat", "went"))
            found = relation(
                "use" if is_use and (was or verb.startswith("switch")) else "place", m["s"], m["v"]
            )
    return _replacing(found, was)


def _replacing(found: Found | None, was: str | None) -> Found | None:
    if found is None:
        return None
    was_form = values.whole(was).form if was else None
    return Found(found.key, found.value, found.kind, found.bare, was_form, found.is_purpose)


def _us(m: re.Match[str]) -> Found | None:
    subject = m.groupdict().get("s") or "us"
    found = relation("use", subject, m["v"]) if subject != "us" else _named("use of us", m["v"])
    return _replacing(found, m.groupdict().get("was"))


def _do_with(m: re.Match[str]) -> Found | None:
    verb = words.plain(m["verb"])
    if (
        not m[0].lower().startswith(("we ", "i ", "they ", "let's "))
        or verb in VERBS
        or verb in words.AUXILIARIES
    ):
        return None
    if verb.endswith("ed") or verb in (
        "work",
        "live",
        "meet",
        "met",
        "talk",
        "spoke",
        "agree",
        "go",
        "went",
        "start",
    ):
        return None
    return relation("use", f"{verb} {m['o'] or ''}", m["v"], purpose=True)


def _count(m: re.Match[str]) -> Found | None:
    n, v = noun(m["s"]), values.whole(m["n"])
    if n is None or v.kind not in ("number", "amount"):
        return None
    return Found(Noun("count", tuple(sorted((singular(m["o"]), *n.whole())))).key, v.form, v.kind)


def _named(key: str, value: str) -> Found | None:
    v, n = values.whole(value), noun(value)
    if v.kind == "name" and any(t.kind in BY_KIND for t in values.typed(value)):
        return None
    if v.kind != "name":
        return Found(key, v.form, v.kind)
    return Found(key, " ".join(n.whole()), "name") if n is not None else None


def _use_for(m: re.Match[str]) -> Found | None:
    v = values.whole(m["v"])
    if v.kind in BY_KIND:
        found = attribute(m["s"], m["v"])
    else:
        found = relation("use", m["s"], m["v"], purpose=True)
    return _replacing(found, m.groupdict().get("was"))


def _over(m: re.Match[str]) -> Found | None:
    """One of two: the pair is the key."""
    a, b = values.whole(m["v"]).form, values.whole(m["was"]).form
    of = noun(m["s"]) if m.groupdict().get("s") else None
    if not a or not b or a == b or max(len(a.split()), len(b.split())) > 4:
        return None
    about = f" for {' '.join(of.whole())}" if of else ""
    who = _person(m)
    return Found(f"preference{who} of {'|'.join(sorted((a, b)))}{about}", a, "name")


def _person(m: re.Match[str]) -> str:
    who = (m.groupdict().get("who") or "").strip().casefold()
    return "" if who in ("", "i", "we", "please", "always") else f" by {who}"


def _prefer(m: re.Match[str]) -> Found | None:
    n = noun(m["v"])
    if m.groupdict().get("s"):
        found = relation("preference", m["s"], m["v"])
        return Found(found.key + _person(m), found.value, found.kind) if found else None
    if n is None or not 1 <= len(n.of) <= 3 or any(":" in w for w in n.of):
        return None
    tokens = [w for w in words.tokens(m["v"]) if w not in words.ARTICLES and w not in words.SOFT]
    if len(tokens) < 2 or any(w in PREPOSITIONS for w in tokens):
        return None
    about = " ".join(words.stem(w) for w in tokens[1:])
    return Found(f"preference{_person(m)} of {about}", tokens[0], "name")


def _about(name: str, subject: str = "s", value: str = "v") -> "Read":
    return lambda m: relation(name, m[subject], m[value])


Read = Callable[[re.Match[str]], Found | None]
_S, _V, _W = r"(?P<s>[^,;]+?)", r"(?P<v>[^;]+?)", r"(?P<was>[^,;]+?)"
_WE = r"(?:(?:we|i|they|let's|you|one) (?:have |had |will |should |can |all )?)?"
_NAME = (
    r"(?P<v>(?-i:[A-Z])[\w.-]*(?: (?:and )?(?-i:[A-Z])[\w.-]*){0,3}|the [\w -]+? (?:team|guild|squad"
    r"|group|crew)|@[\w-]+|[\w-]+)"
)
_CHANGED = (
    r"(?P<verb>mov(?:ed?|es|ing)|switch(?:ed|es)?|chang(?:ed?|es)|sets?|rais(?:ed?|es)|lower(?:ed|s)?"
    r"|increas(?:ed?|es)"
    r"|decreas(?:ed?|es)|reduc(?:ed?|es)|bump(?:ed|s)?|upgrad(?:ed?|es)|downgrad(?:ed?|es)|migrat(?:ed?"
    r"|es)|renam(?:ed?|es)"
    r"|updat(?:ed?|es)|push(?:ed|es)?|postpon(?:ed?|es)|reschedul(?:ed?|es)|shift(?:ed|s)?|extend(?:ed"
    r"|s)?|reset"
    r"|transferr?(?:ed|s)?|convert(?:ed|s)?|pin(?:ned|s)?|relocat(?:ed?|es)|delay(?:ed|s)?|cut|dropped"
    r"|doubled|went|goes"
    r"|slipped|jumped|rose|fell|brought forward|point(?:ed|s)?|adjust(?:ed|s)?|swapp?(?:ed|s)?"
    r"|redirect(?:ed|s)?)"
)
_BE = (
    r"(?:is|are|was|were|has been|have been|had been|got|gets|is being|are being|will be|should be"
    r"|must be|be|being)"
)
_BEC = (
    r"(?:is|are|=|:|equals|will be|has become|becomes|became|remains|stays|should be|must be|shall be"
    r"|is set to|are set to|is at|stands at|reads)"
)
_SHAPES: tuple[tuple[str, Read], ...] = (
    (rf"{_WE}(?:switch|turn)(?:ed|s)? (?P<verb>on|off) {_S}", _switch),
    (rf"{_WE}(?P<verb>enable|disable)[sd]? {_S}", _switch),
    (rf"{_S} (?:was|were|has been|have been|is|are|got) (?P<verb>enabled|disabled|turned on|turned off)", lambda m: _state(m["s"], m["verb"].split()[-1])),
    (rf"{_WE}(?:switched|moved|migrated|went|changed)(?: over)? to {_V} for {_S}", _use_for),
    (rf"{_WE}(?:had to )?{_CHANGED} {_S}(?:,|;| and|:) (?:now )?(?:it|that|this|they) (?:is|are|runs on|lives in|listens on) {_V}", _change),
    (rf"{_WE}(?:switched|moved|migrated|changed|went|switch|move|migrate"
     rf"|change) from {_W} to {_V} for {_S}", _use_for),
    (rf"{_WE}(?:switched|moved|migrated|changed|went|switch|move|migrate"
     rf"|change) (?:over )?from {_W} to {_V}", _us),
    (rf"{_WE}(?:replaced|swapped|traded|replace|swap|trade)(?: out)? {_W} (?:with|by|for) {_V} (?:for"
     rf"|in) {_S}", _use_for),
    (rf"{_WE}(?:replaced|swapped|traded|replace|swap|trade)(?: out)? {_W} (?:with|by|for) {_V}", _us),
    (rf"{_V} (?:replaced|replaces|took over from|supersedes|superseded) {_W} (?:for|in|as) {_S}", _use_for),
    (rf"(?:ownership|responsibility|the ownership) (?:of|for) {_S} (?:moved|went|passed|was (?:moved"
     rf"|handed|given|transferred)|is now with|goes)(?: over)? ?(?:from {_W} )?(?:to|with)? ?{_V}", lambda m: _replacing(relation("owner", m["s"], m["v"]), m["was"])),
    (rf"{_WE}(?:handed|hand|gave|passed|transferred) (?:over )?{_S} (?:over )?(?:from {_W} )?to {_NAME}", lambda m: _replacing(relation("owner", m["s"], m["v"]), m["was"])),
    (rf"{_NAME} (?:took over|takes over|has taken over|inherited|inherits|picks up"
     rf"|picked up) {_S}(?: from {_W})?", lambda m: _replacing(relation("owner", m["s"], m["v"]), m["was"])),
    (rf"{_NAME} (?:owns|maintains|is (?:the )?responsible for|is in charge of|is accountable for"
     rf"|looks after|takes care of|is the person for|is the go-to (?:person )?for|is the (?:owner"
     rf"|maintainer) (?:of|for)) {_S}", _about("owner")),
    (rf"{_S} (?:is|are|will be) (?:owned|maintained|looked after|handled|run) by {_NAME}", _about("owner")),
    (rf"{_S} (?:was|is|has been|were|are) (?:handed|given|passed|transferred)(?: over)? (?:from {_W} )?to {_NAME}",
        lambda m: _replacing(relation("owner", m["s"], m["v"]), m["was"])),
    (rf"{_S} (?:is|are) (?:on|in|part of|a member of|in the crew of|with) the {_V} (?:team|group|squad|crew|guild)", _about("team")),
    (rf"{_S} (?:belongs to|joined|works (?:on|in|with|for)) the {_V} (?:team|group|squad|crew|guild)", _about("team")),
    (rf"{_S} belongs to {_V}", _about("owner")),
    (rf"{_WE}{_CHANGED} {_S} (?:over )?(?:from {_W} )?(?:back )?(?:to|at|onto|into) {_V}", _change),
    (rf"{_S} (?:{_BE} )?{_CHANGED} (?:over )?(?:from {_W} )?(?:back )?(?:to|at|onto|into) {_V}", _change),
    (rf"(?P<who>[\w-]+ )?(?:always )?(?:prefers?|would rather have|likes? better) {_V} (?:over|to"
     rf"|rather than|instead of) {_W}(?: (?:for|in) {_S})?", _over),
    (rf"(?:please )?(?:{_WE})?(?:always )?(?:use|choose|pick|take|go with|used|uses"
     rf"|chose) {_V}(?:,? (?:instead of|rather than|not|over|and not)) {_W}(?: (?:for|in) {_S})?", lambda m: _use_for(m) if m["s"] else _over(m)),
    (rf"(?:for|in|on) {_S},? (?:we |i )?(?:always |should )?(?:use|go with|used|chose|picked|stick with"
     rf"|stick to) {_V}", _use_for),
    (rf"{_WE}(?:decided (?:on|to use|to go with)|chose|choose|went with|go with|settled on|picked"
     rf"|agreed on|agreed to use|standardi[sz]ed on|use|using|stick to|stick with|adopted) {_V} (?:for"
     rf"|to do|as) {_S}", _use_for),
    (rf"{_V} (?:is|are) (?:used|what we use|our choice|the choice|the tool(?: of choice)?"
     rf"|the way to go) (?:for|in) {_S}", _use_for),
    (rf"{_WE}(?:run|start|build|launch|execute) {_S} (?:with|using|via|by running) {_V}", lambda m: relation("command", m["s"], m["v"])),
    (rf"(?:to )(?:run|start|build|launch|execute) {_S},? (?:use|run|type|call|invoke|we use"
     rf"|execute) {_V}", lambda m: relation("command", m["s"], m["v"])),
    (rf"{_S} (?:is|are) (?:run|started|built|launched|executed) (?:with|using|via|by running) {_V}", lambda m: relation("command", m["s"], m["v"])),
    (rf"the command (?:to (?:run|start|build|launch|execute)|for(?: running)?) {_S} is {_V}", lambda m: relation("command", m["s"], m["v"])),
    (rf"{_S} (?:listens?|runs?|binds?|serves?|answers?|is (?:exposed|reachable|available|listening"
     rf"|running|served)|can be reached|sits) (?:on|at|under|via) {_V}", typed_or("platform")),
    (rf"{_S} (?:lives?|resides?|sits?|is (?:located|stored|kept|saved|found|placed|hosted|deployed|based"
     rf"|documented|tracked)|are (?:located|stored|kept|saved|found|placed|hosted|deployed|based"
     rf"|documented|tracked)|can be found|goes?|gets? (?:stored|written|saved)) (?:in|at|on|under|into|to"
     rf"|with) {_V}", typed_or("place")),
    (rf"{_S} (?:lives?|resides?|is (?:living|based|at home|residing)|has (?:a |an )?(?:home|flat|house)|are (?:living|based)) in {_V}", _about("place")),
    (rf"{_S} (?:moved|has moved|relocated|has relocated|is moving|went to live) (?:to|in) {_V}", typed_or("place")),
    (rf"{_WE}(?:rely|depend|count) on {_V} for {_S}", _use_for),
    (rf"{_WE}do {_S} (?:with|using|via|in|through) {_V}", _use_for),
    (rf"{_S} (?:is|are) (?:written|implemented|coded) in {_V}", _about("language")),
    (rf"{_S} (?:happens?|takes? place|is (?:held|scheduled|planned|due|happening|set|on the calendar)"
     rf"|are (?:held|scheduled|planned|due)|starts?|begins?|meets?|occurs?) (?:on|at|for|by|every"
     rf"|each)? ?{_V}", lambda m: attribute(f"deadline of {m['s']}" if re.search(r"\bdue\b", m[0]) else m["s"], m["v"]) if values.whole(m["v"]).kind in ("date", "day", "time") else None),
    (rf"{_S} (?:points?|redirects?|resolves?|links?) (?:to|at) {_V}", typed_or("target")),
    (rf"{_S} (?:depends|relies|is dependent|are dependent|depend|rely) on {_V}", _about("dependency")),
    (rf"{_S} (?:works?|is (?:employed|working)) (?:at|for) {_V}", _about("employer")),
    (rf"{_S} reports? to {_V}", _about("manager")),
    (rf"{_NAME} (?:manages|is the (?:manager|boss) of) {_S}", _about("manager")),
    (rf"{_S} (?:is|are) (?:called|named|known as) {_V}", _about("name")),
    (rf"{_WE}call {_S} {_V}", _about("name")),
    (rf"{_WE}(?P<verb>[a-z]+) (?:(?P<o>[\w -]+?) )?(?:with|using|via|by means of) {_V}", _do_with),
    (rf"{_S} (?:is|are) done (?:with|using|via|by|in|through) {_V}", lambda m: relation("use", m["s"], m["v"], purpose=True)),
    (rf"{_S} (?:has|have|keeps|employs|counts) (?P<n>\d+|[a-z]+) (?P<o>[a-z][\w-]*)", _count),
    (rf"there are (?P<n>\d+|[a-z]+) (?P<o>[a-z][\w-]*) (?:in|on|at|for) {_S}", _count),
    (rf"{_WE}use {_V}", _us),
    (rf"{_S} (?:uses?|is using|are using|is built (?:on|with)|is based on|is powered by) {_V}", lambda m: typed_or("use")(m)),
    (rf"{_V} (?:is|are) used by {_S}", typed_or("use")),
    (rf"{_S} (?:needs?|requires?) {_V}(?: (?:to|in order to) (?:run|start|work|build|boot|operate))?", _about("need")),
    (rf"(?:you|we|one) needs? {_V} (?:for|to (?:run|use|start|build)) {_S}", _about("need")),
    (rf"{_V} (?:is|are) (?:needed|required|necessary) (?:for|by|to (?:run|use|start|build)) {_S}", _about("need")),
    (rf"{_S} {_BEC} (?:on |at |in |via )?{_V}", _is),
    (rf"(?P<who>[\w-]+ )?(?:prefers?|would rather have|likes?) {_V} (?:for|in|when) {_S}", _prefer),
    (rf"(?P<who>[\w-]+ )?(?:prefers?|would rather have) {_V}", _prefer),
)  # fmt: skip
_COMPILED = tuple((re.compile(rf"(?i){shape}\Z"), read) for shape, read in _SHAPES)


def found_in(sentence: str) -> Iterator[Found]:
    """What each shape that fits makes of the sentence, the most telling shape first."""
    for pattern, read in _COMPILED:
        m = pattern.match(sentence)
        if m is not None:
            found = read(m)
            if found is not None:
                yield found
