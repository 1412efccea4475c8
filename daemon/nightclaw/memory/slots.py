"""Facts with a typed value, read from the words around it: when the shape of a sentence is not known, its words may be.

`You reach billing on port 8080` says the port of billing: one value, words that only say "is at", and a name. A word
that says more stays in the key, so that another relation is another key.
"""

import re

from nightclaw.memory import nouns, values, words
from nightclaw.memory.frames import BY_KIND, Found

_LIGHT = words.word_set(
    "listen listens listening run runs running reach reaches reachable serve serves served answer answers use uses used"
    " expose exposes exposed bind binds bound find finds found keep keeps kept store stores stored live lives located"
    " locate put puts saved save sit sits reside resides available accessible open opened set sets configured happen"
    " happens place takes take held hold holds begin begins start starts scheduled schedule planned plan due occur occurs"
    " go goes come comes see get call called type execute executed invoke know known stay stays stand stands point"
    " points have has had currently one ones belong belongs assigned listed given there give need needs hosted host"
    " deployed written read reads under via through over be remains remain works work shows show"
)  # fmt: skip
_MEANS = {
    "configured": "configuration", "configures": "configuration", "configure": "configuration", "meet": "meeting",
    "meets": "meeting", "met": "meeting",
}  # fmt: skip
_VERBS = words.word_set(
    "release ship launch deploy publish deliver review audit migrate install present renew rotate pay bill invoice order"
    " print train vote elect freeze merge restart reboot back archive clean test build sync import export refresh retire"
)
_EVENTS = {
    form: verb
    for verb in _VERBS
    for form in (
        f"{verb}s",
        f"{verb}d",
        f"{verb}ed",
        f"{verb}ing",
        verb.removesuffix("e") + "ing",
        verb + verb[-1] + "ed",
    )
}
_PAST = re.compile(
    r"(?i)^(?:was|were|did|had|went|met|got|made|said|told|bought|sent|took|saw|came|gave|wrote|broke|lost|left|became)$"
)
_KEEPS = words.word_set(
    "from to before after between with without by per and or until than during against except"
)
_UNITS = frozenset({"amount", "number", "money"})


def in_words(text: str) -> Found | None:
    """What `text` says with its one typed value; None when it has none or more, or when its words say too much."""
    found = [v for v in values.typed(text) if v.kind != "email"]
    if len(found) != 1:
        return None
    v = found[0]
    text = _TO.sub(lambda m: " " * len(m[0]), text)
    before, after = words.tokens(text[: v.start]), words.tokens(text[v.end :])
    if any(
        w in words.NEGATIONS or (w in words.PRONOUNS and w not in _LIGHT) or _PAST.match(w)
        for w in (*before, *after)
    ):
        return None
    head, of = _about(before, after, v)
    if head is None or not 1 <= len(of) <= 5:
        return None
    return Found(nouns.Noun(head, tuple(sorted(of))).key, v.form, v.kind)


def _about(before: list[str], after: list[str], v: values.Value) -> tuple[str | None, set[str]]:
    """(the property, what it is of)."""
    of, heads, tag = set[str](), list[str](), ""
    verbs = 0
    for w in [*before, "\0", *after]:
        if w in _KEEPS:
            tag = f"{w}:"
            continue
        if w == "\0" or w in nouns.PREPOSITIONS:
            tag = ""
            continue
        if (
            w in words.SOFT
            or w in words.ARTICLES
            or w in words.AUXILIARIES
            or w == "'s"
            or nouns.is_status(w)
        ):
            verbs += w in words.AUXILIARIES
            continue
        if w in _LIGHT and w not in _MEANS:
            verbs += 1
            continue
        w = _EVENTS.get(w) or _MEANS.get(w) or words.SYNONYMS.get(w, w)
        name = nouns.singular(nouns.common(w))
        if name in nouns.HEADS and not tag:
            heads.append(name)
        else:
            of.add(tag + nouns.common(w))
    of = {w for w in of if not nouns.is_generic(w)} or of
    by_kind = "command" if v.kind == "literal" else BY_KIND.get(v.kind)
    if v.kind == "number" and "." in v.form:
        by_kind = "version"
    fitting = [h for h in heads if h == by_kind or (by_kind is None) or h in _LOOSE.get(by_kind, ())]
    others = {h for h in heads if h not in fitting}
    if v.kind == "literal" and not ("command" in heads or _RUNS.search(" ".join([*before, *after]))):
        return None, of
    if len(fitting) > 1 or (by_kind is None and not fitting):
        return None, of
    head = fitting[0] if fitting else by_kind
    if head in ("config", "location", "place", "time", "date") and by_kind is not None:
        head = by_kind
    return head, of | others


_LOOSE = {
    "path": ("place", "path"), "date": ("date", "deadline"), "day": ("day", "date", "deadline"),
    "time": ("time", "deadline"), "version": ("version",), "port": ("port",), "command": ("command",),
    "address": ("address", "host"), "host": ("host", "hostname", "address"), "url": ("url", "address", "endpoint"),
}  # fmt: skip
_TO = re.compile(
    r"(?i)\b(?:requests|calls|connections|queries|traffic|belongs?|assigned|given|reserved) to (?=[\w`])"
)
_RUNS = re.compile(r"\b(?:run|runs|use|type|execute|executed|invoke|call|with|command)\b")
