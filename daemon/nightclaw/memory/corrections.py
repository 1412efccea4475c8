"""What the owner wants kept, read from their own words: "remember that …", "I prefer …", "no, the port is 8081". Pure.

Rather nothing than a wrong thing: a sentence counts only when it plainly states something that holds beyond this
moment. What is pasted (fences, quotes, long texts) is not the owner's word, and a question states nothing.
"""

import re
from dataclasses import dataclass

from nightclaw.memory import keys, values

LONGEST = 600
_OWN_WORDS, _PASTED = 1_500, 20_000
_FENCE = re.compile(r"```.*?(?:```|\Z)|~~~.*?(?:~~~|\Z)", re.DOTALL)
_QUOTE = re.compile(r"(?m)^[ \t]*(?:>|\||\$ |# |\+\+\+|---|@@).*$")
_KEEP = re.compile(
    r"(?is)^(?:please |also |and |ok(?:ay)?,? |hey,? )*(?:remember|note|keep in mind|bear in mind|don['’]?t forget"
    r"|do not forget|for (?:the record|future reference)|fyi|make a note|note to self|save this|remember this)\b"
    r"(?: (?:that|this))?\s*[:,—–-]?\s+(?P<said>.+)$"
)
_TO_DO = re.compile(r"(?i)^(?:to|me to|when|how|why|what|if you|whether|about|the (?:time|day) when)\b")
_FROM_NOW = re.compile(
    r"(?i)^(?:please |and |ok(?:ay)?,? |so )*(?:from now on|from here on|going forward|in (?:the )?future|henceforth"
    r"|as a rule|by default)\b[,:]?\s+(?P<said>.+)$"
    r"|^(?P<same>.+?),?\s+(?:from now on|going forward|in (?:the )?future)[.!]?$"
)
_TASTE = re.compile(
    r"(?i)^(?:please |and |also |btw,? |by the way,? |actually,? )*(?P<said>(?:i (?:prefer|(?:always|never|usually"
    r"|generally) \w+|(?:really |strongly )?(?:hate|dislike|love)|(?:do not|don['’]?t) (?:like|want you to|ever)"
    r"|like (?:my|to|when|it when)|want you to (?:always|never)|work (?:at|as|for|from)|live in)"
    r"|my (?:name|pronouns|time ?zone|email|editor|shell|title|role|team|manager|birthday)\b.{0,40}? (?:is|are)"
    r"|call me|(?:please )?(?:always|never(?! ?mind)) \w+)\b.*)$"
)
_WRONG = re.compile(
    r"(?i)^(?:no|nope|nah|wrong|incorrect|not quite|not right|that(?:['’]s| is| was) (?:wrong|incorrect"
    r"|not (?:right|true|correct|it))|you(?:['’]re| are) wrong|correction|(?P<weak>actually|sorry)|i (?:meant|said))\b"
    r"(?:\s*[,.:;!—–-]+\s*|\s+)(?P<said>.+)$"
)
_MARKED = re.compile(
    r"(?i)^(?:(?:oh,? )?(?:no|nope|nah|wrong|incorrect|correction|that(?:['’]s| is| was) (?:wrong|incorrect"
    r"|not (?:right|true|correct|it))|you(?:['’]re| are) wrong)[\s.!,]*)+$"
)
_NOT_BUT = re.compile(r"(?i)^(?P<a>.+?)\bnot (?P<old>[^,.;]{1,60}?),? but (?P<new>[^,.;]{1,80})[.!]?$")
_BARE = re.compile(r"(?i)^not [^,.;]{1,60}?,? but (?P<new>[^,.;]{1,80})[.!]?$")
_NOT_LAST = re.compile(r"(?i)^(?P<said>.+?),? (?:and )?not (?P<old>[^,.;]{1,60})[.!]?$")
_PRONOUN = re.compile(
    r"(?i)^(?:it|that|this|they|he|she|these|those)(?:['’]s|['’]re| is| are| was| should be)?\s+"
)
_PASSING = re.compile(
    r"(?i)^(?:let|lets|let['’]s|can|could|would|will|do(?:n['’]?t| not)?|please|go|stop|wait|thanks?|thank you|just|try"
    r"|run|show|check|look|open|close|give|tell|continue|proceed|keep going|never ?mind|forget it|i(?:['’]ll| will"
    r"| think|['’]m not| guess| need| want| have| was| just)|we(?:['’]ll| will| can| should)|you(?:['’]?re| can| should"
    r"|['’]ll)?|not? (?:now|yet)|problem|worries|idea|need|rush|one|thing|way|more|longer|other|further)\b"
)
_UNSURE = re.compile(
    r"(?i)^(?:sure|yet|really|certain|clear|now|quite|that|so|a |the (?:other|first|last|same))"
)
_STATES = re.compile(
    r"(?i)\b(?:is|are|was|were|has|have|uses?|lives?|listens?|runs?|needs?|must|should|belongs?|means|goes|works"
    r"|starts?|ends?|equals?|deploys?|owns?|wants?|named|called|moved to)\b|['’](?:s|re)\b"
)
_LASTING = re.compile(
    r"(?i)^(?:always|never|use|prefer|avoid|call|name|write|keep|put|say|spell|format|indent|sign)\b"
)


@dataclass(frozen=True, slots=True)
class Learned:
    """text: the statement, so that it says the same alone. kind: `explicit` (asked to be kept) or `correction`.
    is_borrowed: a part of it is what the assistant said."""

    text: str
    kind: str
    is_borrowed: bool = False


def learned_of(text: str, before: str = "") -> list[Learned]:
    """What an owner's message asks to keep, at most three things. before: what the assistant said last."""
    if len(text) > _PASTED:
        return []
    own = _QUOTE.sub("", _FENCE.sub("", text)).strip()
    if not own or len(own) > 3 * _OWN_WORDS:
        return []
    whole = _KEEP.match(own)
    if (
        whole
        and not own.endswith("?")
        and not _TO_DO.match(whole["said"])
        and len(whole["said"]) <= _OWN_WORDS
    ):
        return [Learned(_tidy(whole["said"]), "explicit")]
    found, is_marked = list[Learned](), False
    for sentence in keys.sentences(own[:_OWN_WORDS]):
        one = _of_sentence(sentence, before, is_marked=is_marked)
        is_marked = _MARKED.match(sentence) is not None
        if one is not None and one.text and len(one.text) <= LONGEST and one not in found:
            found.append(one)
    return found[:3]


def _of_sentence(sentence: str, before: str, *, is_marked: bool) -> Learned | None:
    """is_marked: the sentence before it said no more than that something is wrong."""
    if sentence.endswith("?"):
        return None
    kept = _KEEP.match(sentence)
    if kept:
        return None if _TO_DO.match(kept["said"]) else Learned(_tidy(kept["said"]), "explicit")
    ruled = _FROM_NOW.match(sentence)
    if ruled and (said := ruled["said"] or ruled["same"]) and not _PRONOUN.match(said):
        return Learned(_tidy(said), "explicit")
    corrected = _corrected(sentence, before, is_marked=is_marked)
    if corrected is not None:
        is_borrowed = corrected.rstrip(". ") not in sentence
        return Learned(_tidy(corrected), "correction", is_borrowed and not _NOT_BUT.match(sentence))
    liked = _TASTE.match(sentence)
    return Learned(_tidy(liked["said"]), "explicit") if liked else None


def _corrected(sentence: str, before: str, *, is_marked: bool) -> str | None:
    """The statement that takes the place of a wrong one; None when this corrects nothing that lasts."""
    opened = _WRONG.match(sentence)
    said = opened["said"] if opened else sentence
    if opened and (again := _WRONG.match(said)):  # "no, that's wrong, the port is …"
        said = again["said"]
    turned, last, bare = _NOT_BUT.match(said), _NOT_LAST.match(said), _BARE.match(said)
    if bare:
        said = f"it's {bare['new']}"
    elif turned and _STATES.search(turned["a"]):
        said = f"{turned['a']}{turned['new']}"
    elif last and _STATES.search(last["said"]) and not _UNSURE.match(last["old"]):
        said = last["said"]
    elif not opened and not is_marked:
        return None  # nothing says that it corrects
    if _PASSING.match(said):
        return None
    if _PRONOUN.match(said):
        return _in_place(said, before)
    is_weak = not is_marked and (opened is None or bool(opened["weak"]))
    lasts = keys.fact_of(said) is not None or _LASTING.match(said) or (not is_weak and _STATES.search(said))
    return said if lasts and len(said.split()) >= 2 else None


def _in_place(said: str, before: str) -> str | None:
    """ "it's 8081" put into the sentence it corrects: the last one of `before` that states one value of its type."""
    new = values.whole(_PRONOUN.sub("", said, count=1).rstrip(".! "))
    if new.kind == "name":
        return None
    for sentence in reversed(keys.sentences(before[-4_000:])):
        fact = keys.fact_of(sentence)
        held = [v for v in values.typed(sentence) if v.kind == new.kind]
        if fact is not None and len(held) == 1 and held[0].form != new.form:
            shown = _PRONOUN.sub("", said, count=1).rstrip(".! ")
            return f"{sentence[: held[0].start]}{shown}{sentence[held[0].end :]}"
    return None


def _tidy(said: str) -> str:
    text = " ".join(said.split()).strip(" \"'“”")
    return text[:1].upper() + text[1:]
