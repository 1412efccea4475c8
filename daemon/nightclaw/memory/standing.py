"""What holds beyond this moment: rules to work by, tastes, decisions, and facts about the owner or the project. Pure.

A sentence that says how things are is kept unless a reason in `lasting.AGAINST` speaks against it: it asks, wonders,
reacts, tells of this moment, or needs what lies before the speaker ("this one", "line 12"). An imperative is the other
way round: it asks for something now unless one of the rules shows that it is meant for always. Words of others are
told apart in `pasted`.
"""

import re

from nightclaw.memory import keys
from nightclaw.memory.lasting import AGAINST, FRAME, GENERAL, RESCUED, ROLES, RULES, STATED
from nightclaw.memory.refusals import VERBS
from nightclaw.policy.wordlist import names

_LEAD = re.compile(
    r"(?i)^(?:(?:please|pls|also|and|so|ok(?:ay)?|hey|hi|oh|well|but|btw|by the way|thanks|thank you"
    r"|generally(?: speaking)?|personally|for me|first of all)(?![\w'’-])[\s,:;.!–—-]*|(?:yes|yeah|yep"
    r"|right|correct|exactly"
    r"|cool|great|nice|sure|listen|look|important|reminder|update|one (?:more |other )?thing(?: though)?"
    r"|(?:it|that)['’]s (?:final|settled|decided)|(?:the|my|our) plans? (?:(?:has|have) )?changed"
    r"|change of plans?|let['’]?s settle (?:it|this)|(?:looks|sounds) (?:good|fine|great)"
    r"|(?:just )?(?:so it['’]s clear|to be clear)|as (?:i|we) (?:already )?(?:said|told you"
    r"|mentioned)(?: (?:before|already|earlier))?|i(?:['’]ve)? (?:already )?(?:told you"
    r"|said)(?: (?:before|already"
    r"|that|once|twice|now|(?:three|many) times))*)\s*[,:;.!–—-]\s*)+"
)
_INFORMS = re.compile(
    r"(?i)^(?:just )?(?:fyi|heads[- ]up|for your (?:information|notes)|so (?:that )?you know"
    r"|to let you know|(?:you|u) should know|good to know|for (?:the record|(?:the )?next time"
    r"|future reference)|psa)\b(?: that\b)?[\s,:;.!–—-]*"
)
_POLITE = re.compile(
    r"(?i)^(?:and |so |also |ok(?:ay)?,? |hey,? )*(?:could|can|would|will) you (?:please "
    r"|just )*(?P<said>(?:(?:always|never|from now on|in (?:the )?future|going forward|whenever)\b"
    r"|(?:remember|note|keep in mind)(?: that\b|:| (?:my|our|the|to always)\b)"
    r"|stop \w+ing\b).{8,}?)[\s,]*(?:please)?[?.!]*$"
)
_ASKS = re.compile(
    r"(?i)\?\s*$|\b(?:can|could|would|will) you\b|^(?:hm+,? |so |and |but "
    r"|ok(?:ay)?,? )*(?:can(?!['’]?t\b)|could"
    r"|would|will|shall|should|may|do(?! not\b)|does|did|is|are|was|were|am|has|have|what|why|how|where"
    r"|who|whose|which)\b"
)
_NOW = re.compile(
    r"(?i)^(?:now |then |go |just |let['’]?s )*(?:run|fix|write|make|create|open|close|check|look|show"
    r"|tell|give|find|search|read|explain|summari[sz]e|review|test|build|start|deploy|push|commit|merge"
    r"|rebase|add|remove|delete|rename|refactor|implement|update|change|set|move|try|help|list|print|do"
    r"|get|put|send|see|continue|retry|undo|draft|clean|install|bump|replace|turn|thanks?)\b"
)
_WONDERS = re.compile(
    r"(?i)\b(?:maybe|perhaps|probably|possibly|not sure|unsure|i wonder|wondering|i (?:think|guess|suppose"
    r"|believe|thought|heard|assume|hope|wish|bet|doubt)|could be|might|who knows|suppose|imagine|what if"
    r"|would be (?:nice|great|cool)|hmm+|no idea|lol|haha|if (?:we|i|you) (?:were|used|had|would|could)"
    r"|i forget|i forgot|i always (?:forget|get|struggle|have)|i never (?:understood|understand|know|knew"
    r"|remember|saw|got|had|thought)|i (?:usually|always|never) (?:get|see|have|don['’]t))\b"
)
_PASSES = re.compile(
    r"(?i)\b(?:today|tonight|tomorrow morning|right now|at the moment|for now|just now|not now(?! (?:and"
    r"|or)\b)|not yet|yet|this time|this once|for once|just once|temporar\w+|for the moment|for a (?:sec"
    r"|second|moment|minute)|in a (?:sec|second|moment|minute|hurry)|back in|(?:on|at|in) lines? \d+"
    r"|since (?:this )?(?:morning|yesterday|the deploy)|this (?:morning|afternoon|evening|week)"
    r"|a minute ago|earlier|before lunch|just a (?:quick|small)|brb|starts? now|it['’]s too|is too"
    r"|just (?:went|got|pinged|failed|came)|(?:is|are|was|were|['’]s|['’]re|keeps?|still"
    r"|just) (?:\w+ly )?(?<!you['’]re )(?:failing|fails|broken|red|green|up again|crashing|crashes|hanging"
    r"|passing|stuck|stale|slow|flaky|gone wrong|in use|wrong|missing|empty|fine|ok(?:ay)?|good|great"
    r"|merged|reached|unreachable|over|(?:taken|down|done|running|ready|open|deployed|unused)(?! (?:on|at"
    r"|in|by|with|every|from|under|via|for|when)\b))\b)"
)
_SCOPE = re.compile(
    r"(?i)\bthe one who\b|\b(?:as of|starting|from) this (?:month|year|quarter|sprint)\b|\b(?:(?:in|for|of|at"
    r"|to|on|across|throughout|within|with) |^(?=this ))(?:this|that|our|my|the whole|all|all our|all my"
    r"|any|every"
    r"|each) (?:repo(?:sitory)?|repos(?:itories)?|projects?|code ?base|code|team|company"
    r"|org(?:ani[sz]ation)?|workspace|monorepo|apps?|products?|place|house|machine|laptop|office|shop|docs"
    r"|tests|tools|services|branches|tickets|commits|releases|configs?|apis?)\b"
)
_POINTS = re.compile(
    r"(?i)\b(?:this|these|those|them|him|it(?!/)|here['’]s|(?:that|this|which)(?= (?:one|file|test|branch"
    r"|commit|line|change|bug|error|function|thing|way|is|was|again|then|first|too|part)\b)"
    r"|that(?=[\s.!]*$)|that['’]s|there(?=[\s.!]*$)|the (?:first|second|third|last|next|other|same"
    r"|previous|latter|former|above|following|right|left|wrong|rest|new (?:one|version|file"
    r"|test|branch)|(?!only one\b)(?:\w+ )?one(?! who))\b|your (?:first|second|last|next|other|previous"
    r"|latest|new"
    r"|proposal|suggestion|change|fix|patch|idea|plan)|like (?:this|that)|how (?:fast|quick|that|it)"
    r"|when (?:that|this|it)|(?:pr|mr|issue|ticket|commit) #?\d+)\b"
)
_WHOLE = re.compile(r"(?i)\b(?:it|this|that)['’]?s? (?:is )?(?:important to me that|how i like it|my|our)\b")
_SHELL = re.compile(
    r" (?:>>?|\|\|?|&&) |^(?:echo|cat|curl|wget|sudo|git|npm|pip|cd|ls|export) |[;{}]\s*$|\w\([^)]*\)$|\w = "
)
STATES = re.compile(
    r"(?i)\b(?:is|are|was|were|has|have|uses?|lives?|listens?|runs?|needs?|must|should|belongs?|means|goes"
    r"|works|supports|sits|stays|expects|takes|starts?|ends?|equals?|deploys?|owns?|wants?|named|called"
    r"|(?:moved|changed|switched|migrated) (?:\w+ ){0,4}?to)\b|['’](?:s|re)\b"
)
"""A verb that states something."""

_STRONG = frozenset({
    "port", "host", "url", "path", "ip", "email", "version", "date", "day", "time", "amount", "money", "phone",
    "literal",
})  # fmt: skip
_NAMED_BY = frozenset(
    {"owner", "name", "branch", "contact", "lead", "manager", "maintainer", "deadline", "place", "address"}
)
_THING = (
    r"(?:the|a|an|my|your) (?:[\w-]+ )?(?:function|method|class|variable|file|test|line|row|column|field"
    r"|button|loop|bug|error|issue|pr|branch|commit|diff|value|result|output|answer|response|parameter"
    r"|argument|key|string|query|script|regex|download|meeting is)\b"
)
_ORDERS = (
    r"(?:set|bump|use|put|move|change|rename|run|open|print|add|make|fix|check|show|find|search|grep"
    r"|assert|deploy|start|stop|kill|point|raise|lower|increase|decrease|try|test|write|create|delete"
    r"|remove|commit|push|merge|let|please|see|call|replace|switch|turn|bind|expect|cancel|convert)"
)
_STATED = re.compile(
    rf"(?i)^(?!(?:{_ORDERS}|not|his|her|their|its|port|line|it|there|this|that|he|she|they|you|i (?:need"
    rf"|want|have|get|am)|happy|in line|on line)\b|{_THING})(?:(?:the|our|my|we|i|all|every|each)\b"
    rf"|[\w.@/-]+ )"
)
_SHOULD = re.compile(
    r"(?i)\b(?:should|would|could|took|takes|needs? to|expected|returns?|prints?|shows?|fails?|failed"
    r"|tried|behind)\b"
)
_KEPT_AT = re.compile(
    r"(?i)^(?:the |our |my |all )?[\w -]{2,40} (?:is|are) \w+(?:ed|pt|t|en) (?:for|at|after|within|to|by"
    r"|under|every) \S*\d"
)
_LATE = re.compile(
    r"(?i)[\s,;.–—-]+(?:and )?(?:please )?(?:(?:remember|note|save|keep|memori[sz]e|write|jot) (?:it|that"
    r"|this)(?: (?:down|in mind|please|well|date|rule|name|number))?|put (?:it|that"
    r"|this) in(?:to)? (?:your|my) (?:notes|memory)|(?:stick|keep|adhere) to (?:it|that|this)|keep (?:it"
    r"|that|this) in mind|bear (?:it|that|this) in mind|don['’]?t forget(?: (?:it|that|this))?"
    r"|for (?:next time|the future|future reference)|fyi|just so you know)(?: (?:when|if|before) (?:you"
    r"|we)\b[^.!?]{2,60})?[\s.!]*$"
)
_DECIDED = re.compile(
    r"(?i)^(?:(?:we|the (?:team|board|group|lab)|i|it|(?-i:[A-Z])\w+ and (?:i"
    r"|(?-i:[A-Z])\w+))(?:['’]s)?(?:['’]ve| have| has)? (?:\w+ ){0,2}?)?(?:decided"
    r"|agreed|settled|voted|approved|chosen?|picked|standardi[sz]ed|switched|decision|ended up)\b"
)
_AT_A_TIME = re.compile(
    r"(?i) (?:(?:from |of )?(?:today|yesterday)|(?:from )?(?:this|last) (?:morning|afternoon"
    r"|week)(?:['’]s (?:meeting|call|sync))?|(?:in|at) (?:the "
    r"|our )?(?:stand-?up|meeting|retro|sync|planning))\b"
)
_MOMENT = re.compile(  # news and measures, unless they are asked to be kept
    r"(?i)\b(?:is|are) (?:at|in|on) (?:the|an?|his|her|their) (?:dentist|doctors?|airport|gym|hospital"
    r"|train|phone|call|meeting|kitchen)|\bin your version\b|\bnever ?mind\b|\bi['’]ll\b"
    r"|\bin my (?:downloads?|inbox|mail(?:box)?|pocket|bag|history|drafts?)\b|\b(?:is|are) (?:at|down to"
    r"|up to) \d+ ?(?:%|percent)|^(?:the|my|your) (?:error|bug|problem|issue|crash|failure|typo|cause"
    r"|mistake)\b"
)
_VERBS = VERBS | names(
    """add apply ask avoid bear bump cherry-pick clean close continue copy cut debug do don't drop dump explain feed fix
    follow format go grab help ignore install leave let look make mark mention migrate mock name note paste pick point
    print pull push rebase refactor remember retry revert roll see set skip sketch squash stop summarize tag talk test
    think throw try type grep undo wait walk watch wrap zip"""
)
_WHERE = re.compile(r"(?i)^(?:in|for|on|at|with|under|after|before|during) [^,]{2,60}, ")
_HOW = re.compile(
    r"(?i)^(?!only\b|(?:re|sup|ap|f)?ply\b|daily\b|\w*family\b)\w+ly |^\w+ (?:and|or) (?=\w+ (?:the|any"
    r"|all|an?|every|each|its?|my|your|this|that)\b)"
)
_OBJECT = re.compile(
    r"(?i)(?:the|an?|this|that|these|those|me|it|my|your|him|them|us|all|every|each|any|some|out|up"
    r"|down)\b"
)
_NO_VERB = re.compile(
    r"(?i)(?:all|both|half|not|only|for|in|on|at|with|from|by|under|per|during|of|nobody|everyone|we|i"
    r"|\w+s|\w+['’]\w+)$"
)
_SUBJECT_OF = re.compile(
    r"(?i)(?!(?:the|an?|this|that|these|those|me|it|my|your|our|all|every|each|some"
    r"|any)\b)(?:[\w./@'’-]+ ){0,3}?"
    r"(?:is|are|has|have|must|may|can(?:not)?|should|will|do(?:es)?|don['’]t|need|gets?|go|goes|live"
    r"|lives|run|runs|belong|use|stay|end|come|start|expire|sit|land)\b"
)
_SEALED = re.compile(
    r"(?i)[.,] (?:and )?that['’]s (?:the|our|my) (?:\w+ )?(?:rule|policy|convention"
    r"|standard)(?: here)?[.!]?$"
)
_CONTINUES = re.compile(
    r"(?i)^(?:it|they|those|these)(?:['’]s|['’]re)? |^\w+ (?:it|them|those) |\bthere[.!]?$"
)
_CONTINUED = re.compile(r"(?i)^(?:it|they|those|these|that)(?=['’ ])")
_OWN_IT = re.compile(  # what "it" means is said before it
    r"(?i)(?<=\w) (?:before|after|unless|until|once|when|if) (?:you|we|i) \w+ (?:it|them)\b"
)
_INSTEAD = re.compile(
    r"(?i)^not [\w .-]{2,30}?[,;.!] (?=(?:we|it|the|our|my|this (?:repo|project|codebase|team))\b)"
    r"|^it(?:['’]s| has|['’]s been| has been| was) (?:been )?(?:agreed|decided|settled) that |^it(?:['’]s"
    r"| is) (?=(?-i:[A-Z])\w+ (?:who"
    r"|that) )"
)
_IF_UNSURE = re.compile(r"(?i)^(?:if|when) (?:you(?:['’]re| are) )?(?:ever )?(?:unsure|not sure|in doubt)\b")


def bare(sentence: str) -> str:
    """A sentence without what only opens it: thanks, "please", "by the way"."""
    return _LEAD.sub("", sentence.strip(), count=1)


def polite(sentence: str) -> str:
    """A lasting wish that is put as a question ("could you always …?"), as a wish; any other sentence as it is."""
    asked = _POLITE.match(sentence.strip())
    return asked["said"] if asked else sentence


def is_request(sentence: str) -> bool:
    """True for a question, and for what is to be done now."""
    return _ASKS.search(sentence) is not None or _NOW.match(bare(sentence)) is not None


def is_passing(sentence: str) -> bool:
    """True for what asks, wonders, or tells of this moment only."""
    return bool(_ASKS.search(sentence) or _WONDERS.search(sentence) or _PASSES.search(sentence))


def is_news(sentence: str) -> bool:
    """True for what is found out or measured now."""
    return _MOMENT.search(sentence) is not None


def is_command(sentence: str) -> bool:
    """True for a line of a shell or a program."""
    return _SHELL.search(sentence) is not None


def is_statement(sentence: str) -> bool:
    """True for words that may state a fact: they order nothing and wish nothing, and are about no piece of code."""
    return _STATED.match(sentence) is not None and _SHOULD.search(sentence) is None


def points_away(sentence: str) -> bool:
    """True when the main clause needs what lies before the speaker to be understood."""
    main = re.split(
        r"[,;:](?=\s)|\.\s|\s[–—-]\s|\b(?:because|since|so|and (?=(?:it|he|she|they)\b))\b",
        _SCOPE.sub("", sentence),
        maxsplit=1,
    )[0]
    return _POINTS.search(_WHOLE.sub("", main)) is not None


def asked_late(sentence: str) -> str | None:
    """The statement of "…, keep that in mind"; None when it does not end so."""
    told = _LATE.search(sentence)
    if told is None or len(sentence[: told.start()].split()) < 4:
        return None
    return sentence[: told.start()]


def goes_on(sentence: str, *, is_kept: bool) -> bool:
    """True for a short sentence that says more of what the one before it says. is_kept: it would be kept alone."""
    if not _CONTINUES.search(sentence) or not 3 <= len(sentence.split()) <= 14:
        return False
    if is_kept:
        return points_away(sentence)
    if is_request(sentence) or is_passing(sentence):
        return False
    return against(_CONTINUED.sub("the thing ", sentence)) in {None, "piece"}


def informed(sentence: str) -> str | None:
    """The statement of "FYI …", "just so you know, …", when it is one; None for news of the moment."""
    told = _INFORMS.match(bare(sentence))
    said = bare(sentence)[told.end() :] if told else ""
    return said if len(said.split()) >= 3 and not is_passing(said) and not points_away(said) else None


def rule_of(sentence: str) -> str | None:
    """The name of the rule by which a sentence holds beyond this moment; None when none does. Without its opening."""
    if _DECIDED.match(sentence):  # that it was today is no part of what was decided
        sentence = _AT_A_TIME.sub("", sentence)
    if _SEALED.search(sentence) and not _WONDERS.search(sentence) and not _ASKS.search(sentence):
        return "policy"
    said = _IF_UNSURE.sub("", sentence)
    if not 8 <= len(sentence) <= 600 or is_news(sentence) or is_passing(said) or is_command(sentence):
        return None
    sentence = _INSTEAD.sub("", sentence)
    bodies = list(dict.fromkeys((sentence, FRAME.sub("", sentence))))
    if RULES[0][1].search(sentence):
        return "policy"
    if points_away(_OWN_IT.sub("", sentence)) and not re.match(
        r"(?i)(?:whenever|when there|every time|each time|you keep|keep doing)\b", sentence
    ):
        return None
    for name, pattern in RULES:
        if any(pattern.search(body) for body in bodies):
            return name
    if len(bodies) > 1 and re.match(r"(?i)i (?:want|need|expect) ", bodies[1]):
        return "want"
    if ROLES.match(sentence):
        return "role"
    if _is_fact(sentence) and against(sentence) not in {"state", "self", "hour", "clock"}:
        return "fact"
    return "stated" if any(is_stated(body) for body in bodies) else None


def is_stated(sentence: str) -> bool:
    """True for a sentence that says how things are, when nothing speaks against keeping it."""
    said = sentence
    if len(said.split()) < 3 or said.endswith(":") or "…" in said or orders(said) or not STATED.search(said):
        return False
    reason = against(said)
    return reason is None or (reason in RESCUED and GENERAL.search(said) is not None)


def against(sentence: str) -> str | None:
    """The name of the first reason why what a sentence states is nothing to keep."""
    return next((name for name, pattern in AGAINST if pattern.search(sentence)), None)


def orders(sentence: str) -> bool:
    """True for an imperative: it opens with a verb, and none that has a subject follows soon."""
    first, _, rest = _WHERE.sub("", _HOW.sub("", sentence)).partition(" ")
    if first.lower() in {"don't", "don’t", "dont", "do", "never"}:
        return True
    if _OBJECT.match(rest) and not _NO_VERB.match(first):
        return True
    return first.lower() in _VERBS and not _SUBJECT_OF.match(rest)


def _is_fact(sentence: str) -> bool:
    """A plain statement of a value with a type, of a thing with a name."""
    if not is_statement(sentence) or not STATES.search(sentence):
        return False
    if _KEPT_AT.match(sentence):
        return True
    for said in dict.fromkeys((sentence, re.split(r",\s", sentence, maxsplit=1)[0])):
        fact = keys.fact_of(said)
        if fact is None or fact.bare or (not fact.holds and fact.kind == "any"):
            continue
        is_mine = re.match(r"(?i)i\b", said) is not None
        if fact.kind in _STRONG or (not is_mine and fact.key.split(" of ")[0] in _NAMED_BY):
            return True
        if re.match(r"(?i)(?:our|we)\b", said):
            return True
    return False
