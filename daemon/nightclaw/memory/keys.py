"""What a sentence says about what: the notion of "the same fact, another value". Pure, and the same on every machine.

`key_of("The staging port is 8080")` is `("port of staging", "8080")`, and so is "staging listens on"
                                                                                 " 8080". A sentence
that says a value holds no longer has the value "not …". What does not fit as a whole has no key: two rows with one key
may give way to each other, so a key that is wrong loses a fact and a key that is missing loses nothing.
"""

import re
from dataclasses import dataclass, replace

from nightclaw.memory import frames, nouns, shapes, slots, values, words

_SENTENCES = 500
ANY = "*"
"""The value of a fact of which nothing holds any more."""
_DATE = (
    r"(?:around )?\d{4}-\d\d-\d\d(?: \d\d:\d\d)?|\d{4}-\d\d(?: \([A-Za-z]+\))?"
    r"|the week(?:end)? of \d{4}-\d\d-\d\d"
)
_AGO = (
    r"yesterday|today|recently|lately|last (?:week|month|year|night|\w+day)|this (?:week|month|morning"
    r"|\w+day)|just now"
)
_OPENING = re.compile(
    r"(?i)^(?:(?:please )?(?:remember|note|keep in mind|don't forget|do not forget|bear in mind"
    r"|be aware)(?: that|:)?"
    r"|fyi|btw|by the way|heads[- ]up|for the record|just so you know|just to let you know|so|ok(?:ay)?"
    r"|well|actually|also"
    r"|correction|update|reminder|note to self|psa|important|new|decision|sorry|no|yes|hey|hi|right|and|but"
    r"|(?:as of|from|starting|since|effective|beginning) (?:now(?: on)?|today|immediately|this week)"
    r"|from here on"
    rf"|(?:as of|starting|since|effective|from|on|in|beginning|after) (?:{_DATE})(?: on(?:ward|wards)?)?"
    rf"|(?:{_AGO})|now|currently|these days|nowadays|going forward|at the moment|for now|in fact"
    rf"|it turns out(?: that)?"
    r"|i (?:think|believe|learned|heard|said|told you)(?: that)?|we (?:decided|agreed)(?: that|:)"
    r"|turns out(?: that)?)\b(?!-)[,:.!]?\s*(?:- )?"
)
_CLOSING = re.compile(
    r"(?i)[,;]?\s*(?:\b(?:now|currently|these days|nowadays|at the moment|at present|for now|again"
    r"|instead|already|please|too"
    r"|as well|from now on|from here on|going forward|onwards?|permanently|as usual|as before|by default"
    r"|thanks|thank you|ok"
    rf"|in fact|actually|officially|since then|until further notice|{_AGO})"
    rf"|(?:as of|starting|since|effective|from|beginning|until|till|through) (?:{_DATE}|now"
    rf"|today)(?: on(?:ward|wards)?)?"
    rf"|(?:only )?(?:for|during|in) the week(?:end)? of [\d-]+(?: only)?)\s*$"
)
_ON_DATE = re.compile(
    rf"(?i),?\s+(?:on|in|around) (?:{_DATE})(?: in the (?:morning|afternoon|evening|night))?\s*$"
)
_MIDDLE = re.compile(
    r"(?i)(?<=\w)\s+(?:now|currently|presently|still|actually|already|just|officially|recently|really"
    r"|permanently"
    r"|nowadays|typically|usually|finally|simply|also)(?=\s)"
)
_REASON = re.compile(
    r"(?i)[,;]?\s+(?:because|since (?!\d)|due to|so that|so (?:we|it|that)|as (?:the|we|it)|which"
    r"|in order to|given that|after the"
    r"|thanks to|whereas|while)\b.*$|\s+-\s+.*$|;\s.*$"
)
_ASIDE = re.compile(r"\s*\(([^)]*)\)")
_WAS = re.compile(
    r"(?i),?\s+(?:instead of|rather than|and not|not|no longer|replacing|and no longer|up from|down from"
    r"|formerly|previously"
    r"|it was|used to be|was)\s+(?:the |on |at )?(?P<was>[^,;]+?)\s*$"
)
_NOT_A_FACT = re.compile(
    r"(?i)\?\s*$|^(?:if|when|whenever|unless|what|who|where|why|how|which|can|could|would|should|do|does"
    r"|did|is|are|maybe|perhaps"
    r"|suppose|imagine|let me|what if)\b|\b(?:used to be|formerly|previously|back then|at the time|maybe"
    r"|perhaps|might|probably"
    r"|possibly|not sure|i guess|would be nice|could be|may be|was thinking|if we|in addition|additionally)\b"
)
_TOO = re.compile(r"(?i)\b(?:also|too|as well|in addition|additionally|besides|another)\b")
_NEW = re.compile(
    r"(?i)\b(?:now|instead|from now on|no longer|switch\w*|moved|migrat\w+|replac\w+|changed"
    r"|going forward|from here on"
    r"|as of|starting|correction|update|actually|not any ?more|rather than|these days|nowadays|upgraded"
    r"|new)\b"
)
_PERFECT = re.compile(
    r"(?i)(?<=\w) (?:has|have|had)(?= (?:been )?(?:\w{2,}ed|taken|gone|grown|become|moved|rewritten|written|given)\b)"
)
_STARTED = re.compile(r"(?i)\b(?:started|began) (\w{3,})ing\b")
_RULE = re.compile(r"(?i)^(?:always|never|do not|don't|avoid|ask|keep|write|make|try|let)\b")
_CHOICE = re.compile(r"(?i)^(?:always )?(?:use|prefer|choose|pick|run|go with)\b")
_RELATIVE = re.compile(
    r"(?i)(?<=\w) (?:that |which )?(?:we|i|they) (?:use|have|run|rely on|picked|chose) (?=(?:for|in|on|is|are)\b)"
)
_ENDED: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), to)
    for pattern, to in (
        (r"(?i)\b(?:is|are) no longer (owned|used|hosted|stored|located|called|written|run|handled"
         r"|maintained)\b", r"is \1"),
        (r"(?i)\bno longer (is|are)\b", r"\1"),
        (r"(?i)\b(is|are|do|does) no longer\b", r"\1"),
        (r"(?i)\bno longer\b\s*", r""),
        (r"(?i)\b(?:is|are)(?: not|n't) (.+?),? (?:any ?more|any longer)\b", r"is \1"),
        (r"(?i)\b(?:do|does|will|would|should|shall|did|can)(?: not|n't) (.+?),? (?:any ?more"
         r"|any longer)\b", r"\1"),
        (r"(?i)\b(?:have |has )?(?:stopped|quit|ceased|gave up|stop|abandoned) using\b", "use"),
        (r"(?i)^((?:we|i|they) )?(?:have |has )?(?:dropped|ditched|abandoned|retired|got rid of"
         r"|moved away from|moved off) (?!to )", r"\1use "),
        (r"(?i)\b(?:stopped|quit|ceased) (\w+)ing\b", r"\1s"),
        (r"(?i)\b(?:it is not true that|it is false that|forget that|never mind that)\b\s*", ""),
        (r"(?i)\b(is|are) not (?=\S)(?!(?:yet|allowed|only|sure|ready|done)\b)", r"\1 "),
    )
)  # fmt: skip
_GONE = re.compile(
    r"(?i)^(?P<s>[^,;]+?) (?:(?:was|is|were|has been|have been|got|are) (?:removed|dropped|cancelled"
    r"|canceled|scrapped|abolished"
    r"|lifted|revoked|void|gone|called off|no more)|no longer (?:applies|exists|holds|counts|matters)"
    r"|does not (?:apply|exist|hold)"
    r" (?:any ?more|any longer))$|^(?:forget|ignore|drop|disregard) (?:about )?(?P<s2>the [^,;]+)$"
)


@dataclass(frozen=True, slots=True)
class Fact:
    """What a sentence says. holds False: it says so no longer (ANY: nothing of that key). bare: the key does not say of
    what, so only its topic tells. was: the value it replaces. is_update: it says that something is new. is_purpose: of
    what something is used for. rest: words beyond the fact."""

    key: str
    value: str
    kind: str
    holds: bool = True
    bare: bool = False
    was: str | None = None
    is_update: bool = False
    is_purpose: bool = False
    rest: str = ""

    @property
    def is_multi(self) -> bool:
        """One may have several values of it."""
        return self.key.split(" of ")[0] in frames.MULTI


def key_of(text: str) -> tuple[str, str] | None:
    """(key, value) of what `text` says; the value begins with "not " when it says that it holds no longer."""
    fact = fact_of(text)
    if fact is None:
        return None
    return fact.key, fact.value if fact.holds else f"not {fact.value}"


def fact_of(text: str) -> Fact | None:
    """The one fact `text` states, or None. Dates in it should be absolute."""
    if len(text) > 600:
        return None
    found = list[Fact]()
    rest = list[str]()
    for sentence in sentences(text):
        fact = _fact(sentence)
        if fact is None:
            rest.append(sentence)
        else:
            found.append(fact)
    if len(found) != 1:
        return None
    beyond = " ".join(s for s in rest if _says_something(s))
    if beyond and len(beyond.split()) > 12:
        return None
    return replace(found[0], rest=f"{found[0].rest} {beyond}".strip())


def sentences(text: str) -> list[str]:
    """`text` cut at the ends of its sentences and lines."""
    parts = re.split(r"(?<=[.!?])\s+(?=[\"'`(]?[A-Z0-9`])|\n+", text.strip())
    return [p.strip() for p in parts if p.strip()][:_SENTENCES]


def _says_something(sentence: str) -> bool:
    return any(w not in words.SOFT and w not in words.AUXILIARIES for w in words.tokens(sentence))


def _fact(sentence: str) -> Fact | None:
    text = _tidy(sentence)
    if not text or _NOT_A_FACT.search(text):
        return None
    is_update = bool(_NEW.search(sentence)) and not _TOO.search(sentence)
    text, rest = _without_reason(text)
    gone = _GONE.match(text)
    if gone is not None:
        n = nouns.noun(gone["s"] or gone["s2"])
        if n is None or (n.head not in nouns.HEADS and not n.of):
            return None
        return Fact(n.key, ANY, "any", holds=False, bare=not n.of)
    undated = _ON_DATE.sub("", text)
    if undated != text and any(v.kind not in ("literal",) for v in values.typed(undated)):
        text = undated
    if _RULE.match(text) and not _CHOICE.search(text):
        return None  # a rule for what to do, not what is
    body, was = _bare_of_was(text)
    for shorter in dict.fromkeys((body, text, undated)):
        positive = _positive(shorter)
        found = next(shapes.found_in(_strip(positive or shorter)), None)
        if found is not None:
            before = found.was or (values.whole(was).form if was and shorter == body else None)
            return Fact(
                found.key, found.value, found.kind, positive is None, found.bare, before,
                is_update or before is not None, found.is_purpose, rest,
            )  # fmt: skip
    forms = [f for t in dict.fromkeys((text, body)) for f in (_strip(t), _positive(t)) if f is not None]
    found = next((f for f in map(slots.in_words, forms) if f is not None), None)
    if found is None:
        return None
    return Fact(
        found.key, found.value, found.kind, _positive(text) is None, found.bare, None, is_update, rest=rest
    )


def _tidy(sentence: str) -> str:
    text = (
        re.sub(r"(?i)\bit's\b", "it is", sentence.strip().replace("’", "'"))
        .replace("‘", "'")
        .rstrip(" .!")
        .strip('"“” ')
    )
    for short, full in (
        ("can't", "can not"),
        ("won't", "will not"),
        ("n't", " not"),
        ("'re ", " are "),
    ):
        text = text.replace(short, full)
    before = ""
    while before != text:
        before = text
        text = _CLOSING.sub("", _OPENING.sub("", text)).strip(" ,.")
    return text


def _strip(text: str) -> str:
    text = (
        _RELATIVE.sub(" ", _MIDDLE.sub("", text))
        if re.match(r"(?i)(?:the|our)\b", text)
        else _MIDDLE.sub("", text)
    )
    text = _STARTED.sub(lambda m: f"{m[1]}s", _PERFECT.sub("", text))
    return " ".join(text.split()).strip(" ,.")


def _without_reason(text: str) -> tuple[str, str]:
    rest = list[str]()
    aside = _ASIDE.search(text)
    if aside is not None and not re.fullmatch(r"[A-Z][a-z]+", aside[1]):
        if not re.match(r"(?i)(?:was|previously|formerly|before|not|used to be)\b", aside[1]):
            rest.append(aside[1])
        text = f"{text[: aside.start()]}{text[aside.end() :]}"
    reason = _REASON.search(text)
    if reason is not None and len(text[: reason.start()].split()) >= 3:
        rest.append(reason[0].strip(" ,;-"))
        text = text[: reason.start()]
    return text.strip(" ,"), " ".join(rest)


def _bare_of_was(text: str) -> tuple[str, str | None]:
    m = _WAS.search(text)
    if m is None or len(text[: m.start()].split()) < 3:
        return text, None
    if (
        re.search(r"(?i)\b(?:use|uses|prefers?|choose|pick|go with|likes?)\b", text[: m.start()])
        and " for " not in m["was"]
    ):
        return text, None  # a choice between two has a shape of its own
    return text[: m.start()], m["was"]


def _positive(text: str) -> str | None:
    """What a sentence says no longer holds, as if it did; None when it says no such thing."""
    for pattern, to in _ENDED:
        said, n = pattern.subn(to, text, count=1)
        if n:
            return _strip(said)
    return None
