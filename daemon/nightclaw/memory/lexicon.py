"""The words and phrases by which `gist` knows what carries meaning, as tables. Pure.

`PHRASES` are rewritten first, in their order; then each word is a mark of a property (`MARKS`), says nothing by itself
(`LIGHT`), tells of a change (`STRONG`), or counts.
"""

import re

from nightclaw.memory import nouns, words

PHRASES: tuple[tuple[str, str], ...] = (
    (r"(would|is|are|was|has|have|had|will|can) (?:now|currently|already|just|recently|finally|officially|also)(?= )", r"\1"),
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
    (r"(?:is|are|was) set to\b", "is"),
    (r"tak(?:es?|ing) place\b|took place\b", "happens"),
    (r"(?:are|is|gets?|got) (?:read|written|stored|saved|kept)(?= (?:in|on|at|to|from|under)\b)", "is"),
    (r"back(?:s|ed|ing)? up\b", "backup"),
    (r"these days\b|nowadays\b", "now"),
    (r"(?:from|starting|as of) [\w ]{2,14}? on(?:wards?)?\b(?! the)|^as of [\w.]+,?(?= )", " "),
    (r"(?:per|(?<=[\ds] )(?:an?|each|every)) month\b", "monthly"),
    (r"(?:per|(?<=[\ds] )(?:an?|each|every)) (?=(?:second|minute|hour|day|week|quarter|year)\b)(?!(?:day|week) on\b)", "per-"),
    (r"rps\b", "requests per-second"),
    (r"(?:last|this|next|that) (?:night|week|weekend|month|quarter|year|summer|winter|autumn|spring|sprint)\b|after all\b", " "),
    (r"back from\b", "returning"),
    (r"(?:prefers?|likes?) ([^,;.]+?) to ", r"prefers \1 over "),
    (r"between [^,;]+ and [^,;]+,", " "),
    (r"rate limit\b", "limit"),
    (r"req(?:uest)?s?/(?=min|s|h)", "requests per-"),
    (r"as a rule\b|by default\b|as usual\b|if possible\b", " "),
)  # fmt: skip
MARKS = {
    "owns": "ownership own owns owner owners owned maintain maintains maintainer maintained responsible responsibility accountable steward"
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
ROLES = frozenset({"owns", "leads", "manages", "contact", "oncall"})
MARK_OF = {word: mark for mark, said in MARKS.items() for word in said.split()}
IMPLIED = {
    "port": {"port", "number"}, "version": {"version", "number"}, "due": {"date", "day", "time"},
    "starts": {"date", "day", "time"}, "limit": {"amount", "number", "money"}, "keeps": {"amount", "number"},
}  # fmt: skip
"""Marks that the type of a value may say by itself."""
STRONG = words.word_set(
    "moved moving switched switching changed changing replaced replaces replace replacing migrated migrate migrates renamed"
    " rename upgraded downgraded bumped raised raise raises lowered lower lowers increased decreased reduced reduce cut cuts"
    " extended extend shortened doubled halved rescheduled reschedule postponed delayed slipped shifted swapped transferred"
    " rewritten rewrote relicensed relicense reverted revert relocated relocate reassigned reassign converted convert brought"
    " revised updated instead tuned adjusted adjust pushed replatformed rebooked prolonged renewed went ported superseded"
    " supersedes correction"
)
WEAK = re.compile(
    r"(?i)\b(?:now|nowadays|these days|from now on|from here on|going forward|as of|no longer|any ?more|since (?:then|last"
    r"|this|yesterday|the)|starting|effective|actually|turns out|currently|henceforth|lately|after all|from \w+ on"
    r"|decision|decided|agreed|anymore|no more|this (?:morning|week|month)|today|yesterday)\b"
)
OLD = re.compile(
    r"(?i)\b(?:instead of|rather than|as opposed to|(?:has|have|we|they|i) left|no longer(?: (?:in|on|at|with|from|to|use|uses|using))?|no more"
    r"|(?:(?<=[,;] )|and |but )not(?! (?:only|yet|before|until|more|longer|be|to)\b)|replac(?:es|ed|ing)(?! (?:by|with)\b)"
    r"|(?:moved?|migrated?|switch(?:ed)?|transferred|changed|went|swapped|away|got|came|revert(?:ed)?|taken) (?:away |back |over |out )?(?:from|off|out of)"
    r"|(?:moved?|migrated?|took|taken) [\w-]+ (?:off|away from)|dropp?(?:ed|s|ing)?|ditch(?:ed|ing)?|retired|abandon(?:ed)?|got rid of"
    r"|g[ai]ve[ns]? up(?: on)?|away from|swapp?(?:ed)?(?: out)?(?= [^,;]+? (?:for|with)\b)|over(?! to\b)|than|previously|formerly"
    r"|used to be|it was(?! \w+ed\b)|(?<=[,;(] )was|stop(?:ped|s)? (?:using )?|superseded?|supersedes|not use|up from|down from|but no|sold)\s+"
    r"(?P<old>(?:the |our |my |a |its )?[^,;:()]+?)(?=\s+(?:to|for|with|by|because|since|as|onto|in favou?r|and|but|at|on|in|is|are"
    r"|anymore|any|now|so|until|when|here|there|these)\b|\s*[,;:.()]|\s*$| - )"
)
OLD_AFTER = re.compile(
    r"(?i)(?:^|(?<=[,;:.]\s)|(?<= and )|(?<= but ))(?P<old>(?:the |our |my )?[^,;:.]{2,40}?)(?: is| was| are| were| has(?: been)?| 's been| got| did)?"
    r" (?:(?<=is )out|(?<=are )out|(?<='s )out|gone|history|behind us|shut(?: down)?|retired|deprecated|dropped|removed|closed|uninstalled|left(?! (?:for|at|in|on|to)\b)|dead|no more"
    r"|replaced(?= by\b)|superseded(?= by\b)|decommissioned|swapped(?= for\b)|stepped down|went back|ran out|not any ?more)\b"
)
ENDS = re.compile(
    r"(?i)\bno longer\b|\bany ?more\b|\bany longer\b|\b(?:has|have|had|been|was|were|is|are|got|'s|'ve|we|i|they)?\s*(?:just )?(?:removed|dropped|cancell?ed"
    r"|scrapped|abolished|lifted|revoked|withdrawn|gone|called off|stopped|discontinued|decommissioned|torn down|shut down|given up"
    r"|gave up|abandoned|ditched|retired|deleted|expired|void|obsolete|undone|rolled back|reversed)\b"
    r"|\bforget (?:that|about|what)\b|\b(?:is|are|was|'s) (?:off|wrong|not true|no more)\b|\bleft\b(?! (?:for|at|in|on|to)\b)"
    r"|\byou can stop\b|\bnever mind\b|\b(?:don't|do not|doesn't|does not|needn't) (?:need|have|apply|matter|exist)\b|\bno need\b"
    r"|\bis (?:no|not) (?:\w+ )?(?:rule|requirement|policy|limit|deadline) \b|\bquit\b|\bceased\b|\bdisregard\b|\bscratch that\b"
)
TIE = re.compile(r"(?i)\b(of|for|in|on|to|with|by|at|from|as|via|is|are|under|into)\s")
FROM = re.compile(r"(?i)\bfrom (?P<old>(?:the |our |my )?[^,;:()]+?)(?= (?:to|over to|onto)\b)")
TOOK = re.compile(r"(?i)\bmoved handover\b[^,;]* from (?P<old>[^,;.]+)")
GAVE = re.compile(r"^(?P<old>[A-Z][\w.-]+(?: [A-Z][\w.-]+)?) (?:has |have )?moved handover\b(?=.*\bto\b)")
NEW = re.compile(r"(?i)(?:^|[;,.] |\b(?:has|have|got|is|are) (?:a |an |the |my |our )?)new\b")
BREAK = re.compile(r"(?i)[,;:=]|(?<![\w'])(?!(?:the|a|an|our|my|your|its|their|his|her|s)\b)[a-z]+(?![\w'])")
DIRECTED = re.compile(
    r"(?i)\bfrom\b.+\bto\b|(?<![\w-])(?:depend|report|mentor|block|preced|follow|inherit|import|trigger|teach|supervis|feed|sync|cop[iy]|point|call|send)\w*\b"
)
INVERTED = re.compile(
    r"(?i)^[^,;]{2,40}? (?:is|are) (?:now )?(?:our|my|the|what|where|how|who|used|for|in use)\b|^[^,;]{2,40}? (?:replace[sd]?|it is|handles?|powers?|owns|leads|drives?)\b"
)
_VERBS = words.word_set(
    "is are was were got get has have had will must can use uses used run runs live lives lived decided agreed owns prefers leads"
    " manages goes go sit sits sent keep keeps kept store stores stored ship ships build builds deploy deploys write writes"
    " like likes want wants need needs going chose picked settled track tracks handle handles handled work works take takes"
    " start starts listens serves holds draws reviews"
)
VERB = re.compile(
    r"(?i)[:=]|\b(?:" + "|".join(sorted(_VERBS | (STRONG - {"instead", "update", "correction"}))) + r")\b"
)
LABEL = re.compile(r"^[^:=]{3,60}[:=]\s")
AGAIN = re.compile(r"(?i)\b(?:also|too(?= *[.,;]|$)|as well|in addition|additionally|besides|another|both)\b")
AMBIGUOUS = words.word_set("run work build call place show set order play drive start report use read write")
"""Verbs by their place (after \"we\", \"to\", or first of all), else nouns that tell things apart."""
BEFORE_VERBS = words.word_set(
    "we i you they to should must please always and will can let's us don't not now is are be been was were gets get got"
)
VERB_BEFORE = re.compile(r"(?i)\s*(?:(?:the|a|an|all|our|my|your|its|it|every)\b|[`\"\d])")
LIGHT = words.word_set(
    "runs running reach reaches reachable reached serve serves served uses used using expose exposes exposed find"
    " finds found store stores stored live lives living located locate put puts saved save sit sits reside resides available"
    " accessible sets happen happens take takes taking took held hold holds begin begins start starts started"
    " scheduled occur occurs go goes going gone come comes see get gets got getting type execute executed"
    " know known stay stays stand stands have has had having one ones give gives given gave hosted host hosts deployed"
    " under via through be remains remain works working worked shows make makes made making do does done"
    " doing did decided decide chose choose chosen settled agreed standardized standardised adopt adopted handled handle handles"
    " builds built building based powered reported report reports where what which who how"
    " when while choice standard official current currently located time times last next ago week month year morning"
    " today yesterday tonight minute minutes good enough only just also still already again please really simply can could"
    " may might must shall should will would let lets try there here that this these those it its he she they them we i you"
    " my our your his her their me us mine ours because since due so and or but if then as at by for from in into of on off"
    " onto over per to up with within about between during than until till around out down back too very"
    " much more most many some any all each every both such same other own a an the not no never n't longer anymore decision"
    " update correction note fyi heads-up sorry actually mr mrs ms dr company everybody everyone people folks guys"
    " need needs needed require required requires respond switched say said tell told ask thing things kind"
    " way"
    " number value setting happening figure stuff bit lot got'd kicks kick off leaves leave leaving opens open"
)  # fmt: skip
ENDING = words.word_set(
    "cancelled canceled removed dropped scrapped abolished lifted revoked withdrawn discontinued decommissioned torn deleted"
    " forget wrong true plan date table stop stopped adding retired expired void obsolete good quit ceased disregard scratch"
    " abandoned gone rule requirement policy lift remove drop cancel"
)
"""Words by which something is said to be over."""
SILENT = STRONG | ENDING | words.AUXILIARIES | words.SOFT | {"'s", "mr", "mrs", "ms", "dr"}
PERSON = re.compile(r"@[\w-]+\Z|[^\W\d_a-z]['’]?[^\W\d_A-Z][\w'’]*(?:-\w+)?\Z")
TITLE = re.compile(r"[A-Z][\w.-]*\Z")
REASON = re.compile(
    r"(?i)[,;]?\s+(?:(?:after|since) (?:the|last|this|a|an|our|\w+'s) [^,;]*?(?:upgrade|migration|change|release|incident|outage|switch|move|merge|resize)|because|since (?!\d{4}|(?:last|this|yesterday|then|the \w+ release))|due to|so that|in order to|given that|whereas"
    r"|which is why|on .{2,20}'s request|thanks to)\b.*$"
)
CLAUSE = re.compile(
    r"\s*(?:(?<!\b[DM][rs])(?<!\bMrs)[;.](?=\s)(?! (?:it|that|this|they)\b[^,;.]*(?:\d|\bnow\b))|,(?!\d)(?! (?:it|that|this|they)\b[^,;.]*(?:\d|\bnow\b))(?! (?:[\d:/~`][\w.:/-]*|(?-i:[A-Z])[\w-]+(?: (?-i:[A-Z])[\w-]+)?)(?:$|[.;]))|\s-\s"
    r"|\band\b(?! now\b)|\bbut\b|\bso\b(?= (?:it|we|the|please)))\s*"
)
WORD = re.compile(r"`[^`]*`|[\w@][\w.@/:+#$%&~-]*[\w/+#%]|[\w$€%#]|'s\b")
SHORT = tuple(
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
FAINT = frozenset(
    words.stem(w)
    for w in (*nouns.GENERIC, *nouns.STATUS, "team", "project", "repository", "website", "folder", "directory", "always", "svc",
              "once", "utc", "mood", "new", "job")
)  # fmt: skip
NUMBERS = {
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
NUMBER = re.compile(
    r"(?i)\b(" + "|".join(NUMBERS) + r")(?= \w)(?! (?:of|is|that|who|which|to|place|more|thing)\b)"
)
COMPILED = tuple((re.compile(rf"(?i)(?<![\w-])(?:{pattern})"), to) for pattern, to in PHRASES)
