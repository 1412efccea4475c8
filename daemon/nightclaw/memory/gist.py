"""What a sentence says, as its bare words: what holds, what it says held before, and whether it tells of a change. Pure.

Where `keys` reads the shape of a sentence, this reads its words alone, in any order, so that two people's wordings of
one thing meet. Words that carry nothing by themselves ("is", "runs", "on", "now") are left out; words for one property
("owns", "is in charge of", "maintainer") are one mark.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

from nightclaw.memory import nouns, values, words

_PHRASES: tuple[tuple[str, str], ...] = (
    (r"(?:(?:is|are|be) )?(?:in charge of|responsible for|accountable for|on the hook for)\b", "owns"),
    (r"look(?:s|ing)? after\b|tak(?:es?|ing) care of\b|took care of\b", "owns"),
    (r"(?:hand(?:s|ed)?|pass(?:es|ed)?|gave|given?|transferr?(?:ed|s)?)(?= [^,;.]{0,60}\bto\b)", "moved handover"),
    (r"(?:takes?|took|taken) over(?: as)?\b|inherit(?:s|ed)?\b|pick(?:s|ed)? up\b|steps? in as\b|stepped in as\b",
     "moved handover"),
    (r"has (?:a )?new owner\b", "moved owns"),
    (r"questions (?:about|on|regarding|for)(?= .* (?:go to|to)\b)", "owns"),
    (r"the (?:person|one) to (?:ask|talk to|ping) (?:about|for)\b|point of contact\b|go-to(?: person)?\b", "contact"),
    (r"on[- ]call\b|pager(?: duty)?\b", "oncall"),
    (r"(?:(?:has|have|had|needs?) to|must|should|will|shall) be (?:\w+ed|done|ready|finished|complete|wrapped up|out|in)(?: up)?"
     r" (?:by|before|until)\b", "due"),
    (r"(?:due|target|end|delivery|cut-?off) date\b|due by\b|cut-?off\b|no later than\b", "due"),
    (r"would (?:much |far )?(?:rather|sooner|prefer to|like to)\b(?: (?:have|use|get|see|go with))?", "prefers"),
    (r"(?:like|love)s?(?= .*\bbetter\b)", "prefers"),
    (r"better(?= than\b)|(?:is|are) fond of\b|opts? for\b|leans? towards?\b|favou?rs?\b|chang(?:ed?|es) (?:my|his|her|their) mind(?: on| about)?\b",
     "prefers"),
    (r"a maximum of\b|at most\b|no more than\b|not (?:be )?(?:longer|more|larger|bigger|higher) than\b|maximum\b|max\b"
     r"|(?:is|are) (?:limited|capped) (?:to|at)\b|capped at\b|up to(?= \d)", "limit"),
    (r"time[sd]? out\b|timing out\b|gives? up after\b", "timeout"),
    (r"every (?:second|other) week\b|every two weeks\b|bi-?weekly\b|once a fortnight\b", "fortnightly"),
    (r"every (?:second|other)(?= \w+day)", "fortnightly"),
    (r"every hour\b|each hour\b|once an hour\b", "hourly"),
    (r"every day\b|each day\b|once a day\b", "daily"),
    (r"every week\b|each week\b|once a week\b", "weekly"),
    (r"every night\b|each night\b", "nightly"),
    (r"pull requests?\b|merge requests?\b|\bPRs\b", "pr"),
    (r"product manager\b", "pm"),
    (r"(?:rewritten|reimplemented|rewrote|ported)(?=[^,;.]* (?:in|to)\b)", "language moved"),
    (r"(?:written|implemented|coded|programmed)(?= in\b)|writ(?:es?|ing)\b(?=[^,;.]* in\b)", "language"),
    (r"kicks? off\b|starts? off\b", "starts"),
    (r"pull(?:ed|s)? (?:forward|in|ahead)\b|push(?:ed|es)? (?:back|out)\b|br(?:ought|ings?) forward\b|put off\b", "moved"),
    (r"(?:is|are|was|were) (?:now )?(?:down|up) to\b|gr[eo]w(?:s|n)? to\b|shr[aiu]nk(?:s)? to\b|went (?:up|down) to\b", "moved to"),
    (r"(?:are|is) (?:read|written|stored|saved|kept|backed up)(?= (?:in|on|at|to|from|under)\b)", "is"),
    (r"these days\b|nowadays\b", "now"),
    (r"(?:from|starting|as of) [\w ]{2,14}? on(?:wards?)?\b(?! the)|^as of [\w.]+,?(?= )", " "),
    (r"(?:a|an|per|each|every) (?=(?:second|minute|hour|day|week|month|quarter|year)\b(?! on\b))", "per-"),
    (r"back from\b", "returning"),
    (r"(?:prefers?|likes?) ([^,;.]+?) to ", r"prefers \1 over "),
    (r"between [^,;]+ and [^,;]+,", " "),
    (r"rate limit\b", "limit"),
    (r"req(?:uest)?s?/(?=min|s|h)", "requests per-"),
    (r"as a rule\b|by default\b|as usual\b|if possible\b", " "),
)  # fmt: skip
_MARKS = {
    "owns": "own owns owner owners owned maintain maintains maintainer maintained responsible responsibility accountable steward"
            " stewards custodian belongs belong",
    "leads": "lead leads leader led heads headed",
    "manages": "manager manages pm managed",
    "contact": "contact contacts",
    "handover": "handover",
    "oncall": "oncall on-call",
    "due": "due deadline deadlines duedate",
    "prefers": "prefer prefers preferred preference preferences rather want wants likes like wanted favourite favorite"
               " pick picks",
    "port": "port ports listen listens listening bind binds bound",
    "limit": "allow allows permits limit limits limited capped cap caps max maximum ceiling",
    "licence": "license licenses licensed licence licenced relicensed relicense",
    "language": "language",
    "version": "version versions pinned pin pins",
    "keeps": "retention retained retain retains kept keep keeps deleted erased purged",
    "allergy": "allergic allergy",
    "name": "called named name renamed",
    "starts": "start starts started begin begins began starting beginning",
    "ends": "end ends ended ending finish finishes finished expire expires expired",
}  # fmt: skip
_ROLES = frozenset({"owns", "leads", "manages", "contact", "oncall"})
_MARK_OF = {word: mark for mark, said in _MARKS.items() for word in said.split()}
_IMPLIED = {
    "port": {"port", "number"}, "version": {"version", "number"}, "due": {"date", "day", "time"},
    "starts": {"date", "day", "time"}, "limit": {"amount", "number", "money"}, "keeps": {"amount", "number"},
}  # fmt: skip
"""Marks that the type of a value may say by itself."""
STRONG = words.word_set(
    "moved move moves moving switched switch switching changed change changes changing replaced replaces replace"
    " replacing migrated migrate migrates renamed rename upgraded upgrade downgraded bumped bump bumps raised raise raises"
    " lowered lower lowers increased increase decreased reduced reduce cut cuts extended extend shortened doubled halved"
    " rescheduled reschedule postponed delayed slipped shifted shift swapped swap swaps transferred transfer rewritten"
    " rewrote relicensed relicense reverted revert relocated relocate reassigned reassign converted convert brought"
    " dropped drop drops ditched revised updated update instead tuned adjusted adjust pushed replatformed rebooked"
    " stopped stops retired went ported superseded supersedes correction"
)
_WEAK = re.compile(
    r"(?i)\b(?:now|nowadays|these days|from now on|from here on|going forward|as of|no longer|any ?more|since (?:then|last"
    r"|this|yesterday|the)|starting|effective|actually|turns out|currently|henceforth|lately|after all|from \w+ on"
    r"|decision|decided|agreed|anymore|no more|this (?:morning|week|month)|today|yesterday)\b"
)
_OLD = re.compile(
    r"(?i)\b(?:instead of|rather than|as opposed to|no longer(?: (?:in|on|at|with|from|to|use|uses|using))?|no more"
    r"|(?:(?<=[,;] )|and |but )not(?! (?:only|yet|before|until|more|longer|be|to)\b)|replac(?:es|ed|ing)(?! (?:by|with)\b)"
    r"|(?:moved?|migrated?|switch(?:ed)?|transferred|changed|went|swapped|away|got|came|revert(?:ed)?|taken) (?:away |back |over |out )?(?:from|off)"
    r"|(?:moved?|migrated?|took|taken) [\w-]+ (?:off|away from)|dropp?(?:ed|s|ing)?|ditch(?:ed|ing)?|retired|abandon(?:ed)?|got rid of"
    r"|g[ai]ve[ns]? up(?: on)?|away from|swapp?(?:ed)?(?: out)?(?= [^,;]+? (?:for|with)\b)|over(?! to\b)|than|previously|formerly"
    r"|used to be|it was|(?<=[,;(] )was|stop(?:ped|s)? (?:using )?|superseded?|supersedes|not use|up from|down from|but no|sold)\s+"
    r"(?P<old>(?:the |our |my |a |its )?[^,;:()]+?)(?=\s+(?:to|for|with|by|because|since|as|onto|in favou?r|and|but|at|on|in|is|are"
    r"|anymore|any|now|so|until|when|here|there|these)\b|\s*[,;:.()]|\s*$| - )"
)
_OLD_AFTER = re.compile(
    r"(?i)(?:^|(?<=[,;:.]\s)|(?<= and )|(?<= but ))(?P<old>(?:the |our |my )?[^,;:.]{2,40}?)(?: is| was| are| were| has(?: been)?| 's been| got| did)?"
    r" (?:(?<=is )out|(?<=are )out|(?<='s )out|gone|history|behind us|shut(?: down)?|retired|deprecated|dropped|removed|closed|uninstalled|left|dead|no more"
    r"|replaced(?= by\b)|superseded(?= by\b)|decommissioned|swapped(?= for\b)|stepped down|went back|ran out|not any ?more)\b"
)
_ENDS = re.compile(
    r"(?i)\bno longer\b|\bany ?more\b|\bany longer\b|\b(?:has|have|had|been|was|were|is|are|got|'s|'ve|we|i|they)?\s*(?:just )?(?:removed|dropped|cancell?ed"
    r"|scrapped|abolished|lifted|revoked|withdrawn|gone|called off|stopped|discontinued|decommissioned|torn down|shut down|given up"
    r"|gave up|abandoned|ditched|retired|deleted|expired|void|obsolete|undone|rolled back|reversed)\b"
    r"|\bforget (?:that|about|what)\b|\b(?:is|are|was|'s) (?:off|wrong|not true|no more|out)\b|\bhas left\b|\bhave left\b|\bleft\b"
    r"|\byou can stop\b|\bnever mind\b|\b(?:don't|do not|doesn't|does not|needn't) (?:need|have|apply|matter|exist)\b|\bno need\b"
    r"|\bis (?:no|not) (?:\w+ )?(?:rule|requirement|policy|limit|deadline) \b|\bquit\b|\bceased\b|\bdisregard\b|\bscratch that\b"
)
_TIE = re.compile(r"(?i)\b(of|for|in|on|to|with|by|at|from|as|via|is|are|to)\s")
_FROM = re.compile(r"(?i)\bfrom (?P<old>(?:the |our |my )?[^,;:()]+?)(?= (?:to|over to|onto)\b)")
_GAVE = re.compile(r"^(?P<old>[A-Z][\w.-]+(?: [A-Z][\w.-]+)?) (?:has |have )?moved handover\b(?=.*\bto\b)")
_NEW = re.compile(r"(?i)(?:^|[;,.] |\b(?:has|have|got|is|are) (?:a |an |the |my |our )?)new\b")
_BREAK = re.compile(
    r"(?i)(?<=[\s,;:=])(?:for|in|on|of|to|with|by|at|from|as|via|is|are|was|were|be|been|has|have|had|uses?|runs?|\w+s|\w+ed)(?=\s)|[,;:=]"
)
_DIRECTED = re.compile(
    r"(?i)\bfrom\b.+\bto\b|\b(?:depend|report|mentor|block|preced|follow|inherit|import|trigger|teach|supervis|feed|sync|cop[iy]|point|call|send)\w*\b"
)
_INVERTED = re.compile(
    r"(?i)^[^,;]{2,40}? (?:is|are) (?:now )?(?:our|my|the|what|where|how|who|used|for|in use)\b|^[^,;]{2,40}? (?:replace[sd]?|it is|handles?|powers?|owns|leads|drives?)\b"
)
_VERB = re.compile(
    r"(?i)[:=]|\b(?:is|are|was|were|has|have|had|will|must|can|use[sd]?|run[s]?|live[sd]?|decided|agreed|moved?|switch(?:ed)?|chang(?:ed?|es)"
    r"|owns|prefers|leads|manages|goes|go|sits?|sent|keeps?|kept|store[sd]?|ship[s]?|build[s]?|deploy[s]?|write[s]?|like[s]?|want[s]?|need[s]?"
    r"|renamed|replaced|migrated|swapped|dropped|going|chose|picked|settled|track[s]?|handle[sd]?|work[s]?|take[s]?|start[s]?|listens?|serves?)\b"
)
_AGAIN = re.compile(
    r"(?i)\b(?:also|too(?= *[.,;]|$)|as well|in addition|additionally|besides|another|both)\b"
)
_LIGHT = words.word_set(
    "run runs running reach reaches reachable reached serve serves served use uses used using expose exposes exposed find"
    " finds found store stores stored live lives living located locate put puts saved save sit sits reside resides available"
    " accessible set sets happen happens place take takes taking took held hold holds begin begins start starts started"
    " scheduled occur occurs go goes going gone come comes see get gets got getting call call type execute executed"
    " know known stay stays stand stands have has had having one ones give gives given gave hosted host hosts deployed"
    " under via through be remains remain work works working worked show shows make makes made making do does done"
    " doing did decided decide chose choose chosen settled agreed standardized standardised adopt adopted handled handle handles"
    " build builds built building based powered reported report reports where what which who how"
    " when while choice standard official current currently located time times last next ago week month year morning"
    " today yesterday tonight minute minutes good enough only just also still already again please really simply can could"
    " may might must shall should will would let lets try there here that this these those it its he she they them we i you"
    " my our your his her their me us mine ours because since due so and or but if then as at by for from in into of on off"
    " onto over per to up with within about between during than until till around out down back too very"
    " much more most many some any all each every both such same other own a an the not no never n't longer anymore decision"
    " update correction note fyi heads-up sorry actually mr mrs ms dr company everybody everyone people folks guys"
    " need needs needed require required requires respond switched say said tell told ask thing things kind"
    " way"
    " team number value setting happening figure stuff bit lot got'd kicks kick off leaves leave leaving opens open"
)  # fmt: skip
_ENDING = words.word_set(
    "cancelled canceled removed dropped scrapped abolished lifted revoked withdrawn discontinued decommissioned torn deleted"
    " forget wrong true plan date table stop stopped adding retired expired void obsolete good quit ceased disregard scratch"
    " abandoned gone rule requirement policy lift remove drop cancel"
)
"""Words by which something is said to be over."""
_PERSON = re.compile(r"@[\w-]+\Z|[^\W\d_a-z]['’]?[^\W\d_A-Z][\w'’]*(?:-[A-Z]\w+)?\Z")
_TITLE = re.compile(r"[A-Z][\w.-]*\Z")
_REASON = re.compile(
    r"(?i)[,;]?\s+(?:because|since (?!\d{4}|(?:last|this|yesterday|then|the \w+ release))|due to|so that|in order to|given that|whereas"
    r"|which is why|on .{2,20}'s request|thanks to)\b.*$"
)
_CLAUSE = re.compile(
    r"\s*(?:(?<!\b[DM][rs])(?<!\bMrs)[;.](?=\s)(?! (?:it|that|this|they)\b[^,;.]*(?:\d|\bnow\b))|,(?!\d)(?! (?:it|that|this|they)\b[^,;.]*(?:\d|\bnow\b))(?! [\d:/~`][\w.:/-]*(?:$|[.;]))|\s-\s"
    r"|\band\b|\bbut\b|\bso\b(?= (?:it|we|the|please)))\s*"
)
_WORD = re.compile(r"`[^`]*`|[A-Za-z0-9_@][\w.@/:+#$%&~-]*[\w/+#%]|[A-Za-z0-9$€%#]|'s\b")


@dataclass(frozen=True, slots=True)
class Word:
    """form: in one form; written: as it stands, in lower case. kind: `word`, `name` (of a thing), `person` (or what is written as one), `opening` (a capital that begins the sentence), or
    the type of a value. is_faint: it tells little apart. clause, phrase, at: where it stands; tie: the
    preposition before it. is_old: in words that
    say what held before."""

    form: str
    written: str
    kind: str
    is_faint: bool
    clause: int
    phrase: int
    tie: str
    at: int
    is_old: bool

    @property
    def is_value(self) -> bool:
        return self.kind not in ("word", "name", "person", "opening")


@dataclass(frozen=True, slots=True)
class Gist:
    """words: in their order. marks: the properties it speaks of. strong, weak: it tells of a change in so many words, or
    that something is so now. ends: it says that something holds no longer. adds: "also". is_inverted: it
    opens with what it says. is_directed: its two sides are not the same thing. negated: an odd number of "not"."""

    words: tuple[Word, ...]
    marks: frozenset[str]
    verb_at: int
    is_inverted: bool
    is_directed: bool
    strong: bool
    weak: bool
    ends: bool
    adds: bool
    negated: bool

    @property
    def held(self) -> frozenset[str]:
        return frozenset(w.form for w in self.words if not w.is_old)

    @property
    def old(self) -> frozenset[str]:
        return frozenset(w.form for w in self.words if w.is_old)


@lru_cache(4096)
def gist(text: str) -> Gist | None:
    """What `text` says; None when it is a question, too long, or too short to say anything."""
    if len(text) > 400 or text.rstrip().endswith("?"):
        return None
    plain = _spelled(_long(text))
    is_weak, is_ending, adds = _WEAK.search(plain), _ENDS.search(plain), _AGAIN.search(plain)
    is_strong = any(w in STRONG for w in words.tokens(plain)) or _NEW.search(plain) is not None
    for pattern, to in _COMPILED:
        plain = pattern.sub(to, plain)
    plain = _REASON.sub("", plain) if len(_REASON.sub("", plain).split()) >= 3 else plain
    of_old = (_OLD, _OLD_AFTER, _GAVE, _FROM) if is_strong else (_OLD, _OLD_AFTER, _GAVE)
    old = [m.span("old") for p in of_old for m in p.finditer(plain)]
    found, marks = list[Word](), set[str]()
    clauses = [m.end() for m in _CLAUSE.finditer(plain)]
    negations = phrase = 0
    for start, form, kind in _split(plain):
        if kind == "negation":
            negations += 1
            continue
        if kind == "mark":
            marks.add(form)
            continue
        clause = sum(end <= start for end in clauses)
        is_old = any(a <= start < b for a, b in old)
        is_counted = bool(found) and found[-1].kind == "number" and kind == "word"
        is_faint = kind in ("word", "opening") and form in _FAINT and not is_counted
        tie = _TIE.findall(plain, found[-1].at + 1 if found else 0, start)
        phrase += bool(found) and _BREAK.search(plain, found[-1].at + 1, start) is not None
        found.append(
            Word(
                form,
                plain[start : start + 40].split()[0].strip("'.,;:()").casefold(),
                kind,
                is_faint,
                clause,
                phrase,
                tie[-1].casefold() if tie else "",
                start,
                is_old,
            )
        )
    if not found:
        return None
    verb = _VERB.search(plain)
    if "handover" in marks:
        marks = marks - {"handover"} if marks & _ROLES else marks - {"handover"} | {"owns"}
    return Gist(
        tuple(found), frozenset(marks), verb.start() if verb else len(plain), _INVERTED.search(plain) is not None,
        _DIRECTED.search(plain) is not None,
        is_strong or re.search(r"\bmoved\b", plain) is not None, is_weak is not None, is_ending is not None,
        adds is not None, negations % 2 == 1,
    )  # fmt: skip


def implied(marks: frozenset[str], kinds: set[str]) -> frozenset[str]:
    """`marks` without those that a value of one of these types says by itself."""
    return frozenset(m for m in marks if not (_IMPLIED.get(m, set()) & kinds))


def _split(plain: str) -> list[tuple[int, str, str]]:
    """(place, form, kind) of what carries meaning: values, names, words, the marks of properties, negations."""
    out, end = list[tuple[int, str, str]](), 0
    for v in [*_values(plain), None]:
        for m in _WORD.finditer(plain, end, v.start if v else len(plain)):
            out += _word(m[0], m.start(), is_first=not out and m.start() < 2)
        if v is not None:
            out.append((v.start, v.form, v.kind))
            end = v.end
    return out


def _values(plain: str) -> list[values.Value]:
    return [v for v in values.typed(plain) if v.kind not in ("literal",) or v.end - v.start > 3]


def _word(written: str, at: int, *, is_first: bool) -> list[tuple[int, str, str]]:
    lower = written.strip("`").casefold()
    if lower in ("not", "no", "never", "none", "cannot", "without"):
        return [(at, lower, "negation")]
    if lower in _MARK_OF:
        return [(at, _MARK_OF[lower], "mark")]
    if (
        lower == "'s"
        or lower in STRONG
        or lower in _ENDING
        or (lower in _LIGHT and not (_TITLE.match(written) and not is_first and len(written) > 1))
    ):
        return []
    if lower in words.AUXILIARIES or lower in words.SOFT:
        return []
    is_name = bool(
        re.search(r"[A-Z]", written[1:] if is_first else written) or re.search(r"[\d_@/.#+]|\w-\w", written)
    )
    form = words.stem(nouns.common(lower))
    if form in _LIGHT and not lower.endswith("ing"):
        return []
    if form in _MARK_OF:
        return [(at, _MARK_OF[form], "mark")]
    if is_name and _PERSON.match(written):
        return [(at, form, "person")]
    kind = "name" if is_name else "opening" if is_first and written[0].isupper() else "word"
    return [(at, form, kind)]


_SHORT = tuple(
    (re.compile(rf"(?i){short}\b"), long)
    for short, long in (
        ("won't", "will not"),
        ("can't", "can not"),
        ("n't", " not"),
        ("'re", " are"),
        ("'ve", " have"),
        ("'ll", " will"),
        ("'m", " am"),
        ("(?<=[iuey])'d", " would"),
    )
)
_FAINT = frozenset(
    words.stem(w)
    for w in (*nouns.GENERIC, *nouns.STATUS, "team", "project", "repository", "website", "folder", "directory", "always", "svc",
              "once", "utc", "mood", "new", "job")
)  # fmt: skip
_NUMBERS = {
    w: str(n)
    for n, w in enumerate("zero one two three four five six seven eight nine ten eleven twelve".split())  # noqa: SIM905
} | {
    "fifteen": "15",
    "twenty": "20",
    "thirty": "30",
    "forty": "40",
    "fifty": "50",
    "sixty": "60",
    "ninety": "90",
}
_NUMBER = re.compile(
    r"(?i)\b(" + "|".join(_NUMBERS) + r")(?= \w)(?! (?:of|is|that|who|which|to|place|more|thing)\b)"
)


def _long(text: str) -> str:
    text = text.replace("’", "'").replace("–", "-").replace("—", " - ")
    for short, long in _SHORT:
        text = short.sub(long, text)
    return " ".join(text.split()).strip(" .!")


def _spelled(plain: str) -> str:
    return _NUMBER.sub(lambda m: _NUMBERS[m[1].lower()], plain)


_COMPILED = tuple((re.compile(rf"(?i)(?<![\w-])(?:{pattern})"), to) for pattern, to in _PHRASES)
