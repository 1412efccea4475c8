"""What the owner wants kept, read from their own words: "remember that …", "I prefer …", "no, the port is 8081". Pure.

Rather nothing than a wrong thing: a sentence counts only when it plainly states something that holds beyond this
moment. What is pasted (fences, quotes, long texts) is not the owner's word, and a question states nothing.
"""

import re
from dataclasses import dataclass, replace

from nightclaw.memory import keys, pasted, standing, values

LONGEST, MOST = 600, 8
_OWN_WORDS = 1_500
_FOR_LATER = r"(?: (?:for|to) (?:later|next time|the future|me|you|self|yourself|myself)){0,2}"
_KEEP = re.compile(
    r"(?is)^(?:(?:(?:bitte )?(?:merk(?: dir| dir bitte|e)?|denk(?: bitte)? dran|notier(?:e dir)?)"
    r"|note bien|retiens"
    r"|souviens-toi|n['’]oublie pas|recuerda|ten en cuenta|ricorda|zapami[eę]taj|onthoud|remember|note"
    r"|keep in mind|bear in mind|be aware|memori[sz]e|don['’]?t forget"
    r"|do not forget|(?:for|as) (?:the record|(?:the )?next time|future reference)|fyi|(?:make"
    r"|take) a note|for your notes"
    rf"|psa|(?:add|save|commit) (?:(?:this|it) )?to (?:your |my )?(?:notes|memory)){_FOR_LATER}|(?:save|store"
    r"|keep|write|note|put|learn|record) (?:this|that|it|the following)(?: (?:down|in mind|(?:in|into"
    rf"|to) (?:your |my )?(?:memory|notes)))?{_FOR_LATER}(?=\s*[:,]))(?![\w'’-])(?: (?:that"
    r"|this|que|dass|che|dat|że))?\s*[:,—–-]?\s+(?P<said>.+)$"
)
_TO_DO = re.compile(r"(?i)^(?:to|me to|when|how|why|what|if you|whether|about|the (?:time|day) when)\b")
_FROM_NOW = re.compile(
    r"(?i)^(?:please |and |ok(?:ay)?,? |so )*(?:from (?:now|here|today)(?: on(?:wards)?)?+(?! (?:to|until"
    r"|till)\b)"
    r"|going forward|in (?:the )?future(?! \w+s (?:of|will|is|are|it|this)\b)|henceforth|hereafter"
    r"|(?:effective )?immediately(?=:)|moving forward|(?:for"
    r"|as) (?:the future|a general thing)|in general(?! i (?:agree|like (?:it|your|the))\b)|as a rule"
    r"|by default"
    r"|(?P<as_of>(?:starting|as of|beginning) (?:now|today)))\b[,:]?\s+"
    r"(?P<said>(?!we (?:could|should|might|may|can)\b).+)$"
    r"|^(?P<same>(?!there\b|i['’]ll\b|i will\b|(?:\w+ ){1,3}will\b).+?),?\s+"
    r"(?:from now on|from here on|going forward|in (?:the )?future|by default)[.!]?$"
)
_WRONG = re.compile(
    r"(?i)^(?:no(?: no)?(?=\s*[,.:;!—–]|\s+(?:i|we|it|the|that|use|you|our|my|he|she|they|do|don['’]?t|its"
    r"|it['’]s)\b)|nope|nah|wrong|incorrect|not quite|not right|that(?:['’]s| is| was) (?:wrong|incorrect"
    r"|not (?:right|true|correct|it))|you(?:['’]re| are) wrong|correction|(?P<weak>actually|sorry)"
    r"|wrong again|you (?:mixed|confused|swapped) [\w ]{2,20}|you (?:got|had) (?:the |my "
    r"|our )?[\w ]{2,20} wrong|let me correct (?:you|that|this)"
    r"|that(?:['’]s| is) (?:outdated|old|stale"
    r"|not how we \w+ (?:it|things|\w+s))|you(?:['’]re| are) (?:mixing|confusing) [\w ]{2,20}|i (?:meant"
    r"|said))\b(?:\s*[,.:;!—–-]+\s*|\s+)(?P<said>.+)$"
)
_MARKED = re.compile(
    r"(?i)^(?:(?:oh,? )?(?:no|nope|nah|wrong(?: \w+)? again|wrong|incorrect|correction|that(?:['’]s| is"
    r"| was) (?:wrong"
    r"|incorrect|not (?:right|true|correct|it))|you(?:['’]re| are) wrong|not (?!(?:now|yet|sure|really|bad"
    r"|again|quite|so|today|here|that|this|it)\b)(?:[\w.-]+ ){0,2}[\w.-]+(?=!))[\s.!,]*)+$"
)
_NOT_BUT = re.compile(r"(?i)^(?P<a>.+?)\bnot (?P<old>[^,.;]{1,60}?),? but (?P<new>[^,.;]{1,80})[.!]?$")
_BARE = re.compile(r"(?i)^not [^,.;]{1,60}?,? but (?P<new>[^,.;]{1,80})[.!]?$")
_NOT_LAST = re.compile(r"(?i)^(?P<said>.+?),? (?:and )?not (?P<old>[^,.;]{1,60})[.!]?$")
_ISNT = re.compile(
    r"(?i)^(?P<a>.+?) (?:is not|isn['’]t|are not|aren['’]t|is no longer) [^,;]{1,60}?(?: any ?more"
    r"| any longer)?[,;] (?:it['’]s|it is|they['’]re|but) (?P<new>[^,;]{1,80}?)[.!]?$"
)
_SPELLED = re.compile(
    r"(?i)^(?:it|that)(?:['’]s| is) (?:(?:spelled|spelt|called|pronounced|written) [^,.;]{2,40}"
    r"|\w+ with an? \w\b)"
)
_PRONOUN = re.compile(
    r"(?i)^(?:it|that|this|they|he|she|these|those)(?:['’]s|['’]re| is| are| was| should be)?\s+"
)
_PASSING = re.compile(
    r"(?i)^(?:let|lets|let['’]s|can|could|would|will|do(?:n['’]?t| not)?|please|go|stop|wait|thanks?"
    r"|thank you|just|try|run|show|check|look|open|close|give|tell|continue|proceed|keep going|never ?mind"
    r"|forget it|i(?:['’]ll| will| think|['’]m not| guess| need| want| have| was| just)|we(?:['’]ll| will"
    r"| can| should)|you(?:['’]?re| can| should|['’]ll)?|not? (?:now|yet)|problem|worries|idea|need|rush"
    r"|one|thing|way|more|longer|other|further)\b"
)
_UNSURE = re.compile(
    r"(?i)^(?:sure|yet|really|certain|clear|now|quite|that|so|a |the (?:other|first|last|same))"
)
_SHORT = re.compile(r"(?i)(?:^|[\s(])(?:e\.g|i\.e|etc|vs|resp|approx|no|mr|mrs|ms|dr|st|prof)\.$")
_PAIRED = re.compile(r"\"[^\"]*\"|'[^']*'|“[^”]*”")
_LASTING = re.compile(
    r"(?i)^(?:always|never|use|prefer|avoid|call|name|write|keep|put|say|spell|format|indent|sign)\b"
)
_EACH_ITS_OWN = re.compile(  # "tabs in the shader files, spaces everywhere else"
    r"(?i)^(?:(?!i\b|we\b)[\w-]+ ){1,4}(?:in|for|on|under) [^,]{2,40},? (?:and "
    r"|but )?(?:[\w-]+ ){1,4}(?:(?:in|for|on|under|next to|only (?:in|for|on)) [^,]{2,40}"
    r"|everywhere(?: else)?|elsewhere)[.!]?$"
)
_YOU_KEEP = re.compile(r"(?i)^(?:you|u) (?:keep|always|constantly|still) (?!getting\b)\w+ \S.{4,120}$")
_CUTS = re.compile(
    r"(?<=[\w)][\w)][.!?])\s+(?=[a-z][\w'’]*,? \w)"
    r"|(?<=\w)[,;.] (?:oh,? )?(?:and|but|also) (?=(?:please )?(?:remember(?: that\b|:)|keep in mind"
    r"|note that|from now on|in general|in (?:the )?future"
    r"|for (?:the|future)|going forward|as a rule)\b)"
)
_SEALS = re.compile(  # it is said of the sentence before
    r"(?i)^(?:(?:and )?(?:that|this|it)(?:['’]s| is) (?:just )?(?:the|our|my|a) (?:[\w-]+ )?(?:rule"
    r"|policy|convention|way|standard|law|preference|habit|deal)\b"
    r"|that['’]s (?:how|final|settled|been|fixed)\b|(?:always|ever|never|every time|no exceptions?"
    r"|without exceptions?|period|full stop|final|decided|please)[.!]*$)"
)
_HALVES = re.compile(
    r"(?i)^(?:no,? )?(?:i (?:said|meant) )?(?:[\w-]+, )?not (?!(?:now|yet|sure|really|bad|again|quite|so"
    r"|today|here|that|this|it)\b)[\w-]+\.$"
)
_STOP_IT = re.compile(
    r"(?i)^(?:please,? )?(?:don['’]?t(?: do (?:that|it))?|stop(?: (?:that|it))?|no more|quit (?:that"
    r"|it))(?:,? please)?[.!]*$"
)


@dataclass(frozen=True, slots=True)
class Learned:
    """text: the statement, so that it says the same alone. kind: `explicit` (asked to be kept) or `correction`.
    is_borrowed: a part of it is what the assistant said."""

    text: str
    kind: str
    is_borrowed: bool = False


def learned_of(text: str, before: str = "") -> list[Learned]:
    """What an owner's message asks to keep, in a few things. before: what the assistant said last."""
    lines = pasted.own_lines(text)
    items = [line[2:] for line in lines if line.startswith("- ")]
    own = "\n".join(line for line in lines if not line.startswith("- ")).strip()
    if len(own) > 3 * _OWN_WORDS:
        return []
    found = [Learned(_tidy(item), "explicit") for item in items if _is_told(item)]
    whole = _whole(own)
    parts = [] if whole else sentences(own[:_OWN_WORDS])
    if whole:
        found.append(Learned(_tidy(whole), "explicit"))
    is_marked, last = False, None
    for sentence in parts:
        one = _of_sentence(sentence, before, is_marked=is_marked)
        is_marked = _MARKED.match(sentence) is not None
        if last is not None and last in found and standing.goes_on(sentence, is_kept=one is not None):
            one = replace(last, text=f"{last.text} {_tidy(sentence)}")
            found[found.index(last)] = one
        elif one is not None and one not in found:
            found.append(one)
        last = one
    return [one for one in found if one.text and len(one.text) <= LONGEST][:MOST]


def _whole(own: str) -> str | None:
    """What a message says that is all one thing to remember."""
    told = _KEEP.match(standing.bare(own))
    first, *more = sentences(own) or [""]
    if not told or not more or any(standing.is_request(s) for s in more) or pasted.is_reported(own):
        return None
    return told["said"] if _is_told(told["said"]) and _of_sentence(first, "", is_marked=False) else None


def _is_told(said: str) -> bool:
    """Words that can be kept for having been asked to be: a statement, not a thing to do, to wonder or to look at."""
    is_cut = (
        said.endswith((":", "?")) or pasted.PASSAGE in said or len(said.split()) < 2 or len(said) > _OWN_WORDS
    )
    return (
        not is_cut
        and not _TO_DO.match(said)
        and not pasted.is_reported(said)
        and not standing.is_passing(said)
    )


def _of_sentence(sentence: str, before: str, *, is_marked: bool) -> Learned | None:
    """is_marked: the sentence before it said no more than that something is wrong."""
    sentence = standing.polite(sentence)
    if sentence.endswith("?") or pasted.PASSAGE in sentence or pasted.is_reported(sentence):
        return None
    said = standing.bare(sentence)
    kept = _KEEP.match(said)
    if kept:
        is_weak = said.lower().startswith(("note", "fyi", "psa", "be aware"))
        is_told = _is_told(kept["said"]) and not (is_weak and standing.points_away(kept["said"]))
        is_told = is_told and (not is_weak or ":" in said[: kept.start("said")] or _states(kept["said"]))
        return Learned(_tidy(kept["said"]), "explicit") if is_told else None
    late = standing.asked_late(said)
    if late is not None and _is_told(late):
        return Learned(_tidy(late), "explicit")
    plain = pasted.unquoted(said)
    ruled = _FROM_NOW.match(plain)
    if ruled and (said_ := ruled["said"] or ruled["same"]) and not _PRONOUN.match(said_):
        if not standing.is_passing(said_) and (not ruled["as_of"] or standing.rule_of(said_)):
            return Learned(_tidy(said_ if plain == said else said), "explicit")
        return None
    corrected = _corrected(said, before, is_marked=is_marked)
    if corrected is not None:
        is_borrowed = corrected.rstrip(". ") not in sentence
        return Learned(_tidy(corrected), "correction", is_borrowed and not _NOT_BUT.match(sentence))
    told = standing.informed(plain) or plain
    opened = _WRONG.match(told)
    fresh = opened["said"] if opened else told
    if standing.rule_of(fresh) is not None and (plain == said or standing.rule_of(said) is not None):
        return Learned(_tidy(said if plain != said else fresh), "explicit")
    return Learned(_tidy(told), "explicit") if told is not plain and standing.STATES.search(told) else None


def _states(said: str) -> bool:
    return standing.STATES.search(said) is not None or standing.rule_of(said) is not None


def _corrected(sentence: str, before: str, *, is_marked: bool) -> str | None:
    """The statement that takes the place of a wrong one; None when this corrects nothing that lasts."""
    opened = _WRONG.match(sentence)
    said = opened["said"] if opened else sentence
    if opened and (again := _WRONG.match(said)):  # "no, that's wrong, the port is …"
        said = again["said"]
    turned, last, bare = _NOT_BUT.match(said), _NOT_LAST.match(said), _BARE.match(said)
    if bare:
        said = f"it's {bare['new']}"
    elif turned and standing.STATES.search(turned["a"]):
        said = f"{turned['a']}{turned['new']}"
    elif last and _LASTING.match(said):
        pass  # what is not to be is a part of an instruction
    elif last and standing.STATES.search(last["said"]) and not _UNSURE.match(last["old"]):
        said = last["said"]
    elif not opened and not is_marked:
        return None  # nothing says that it corrects
    isnt = _ISNT.match(said)
    if isnt:
        said = f"{isnt['a']} is {isnt['new']}"
    if _PASSING.match(said) or ((opened or is_marked) and standing.is_passing(said)):
        return None
    if _SPELLED.match(said):
        return said
    if _PRONOUN.match(said):
        return _in_place(said, before)
    if standing.points_away(said) or standing.is_passing(said):
        return None
    is_weak = not is_marked and (opened is None or bool(opened["weak"]))
    if standing.is_news(said):
        return None
    lasts = (
        keys.fact_of(said) is not None
        or _EACH_ITS_OWN.match(said)
        or _LASTING.match(said)
        or (not is_weak and _states(said))
    )
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


def sentences(own: str) -> list[str]:
    """Its sentences; a short form ("e.g.") ends none, and "You keep … . Don't." is one."""
    out = list[str]()
    for part in (piece for whole in keys.sentences(own) for piece in _CUTS.split(whole)):
        goes_on = out and (
            _SHORT.search(out[-1])
            or (_STOP_IT.match(part) and _YOU_KEEP.match(out[-1]))
            or _HALVES.match(out[-1])
            or (_SEALS.match(part) and not standing.is_request(out[-1]))
        )
        if goes_on:
            out[-1] = f"{out[-1]} {part}"
        else:
            out.append(part)
    return out


def _tidy(said: str) -> str:
    text = " ".join(said.split())
    if _PAIRED.fullmatch(text):
        text = text[1:-1].strip()
    return text[:1].upper() + text[1:]
