"""Word lists and patterns of what lasts and what does not: rules that show it, and reasons that speak against it. Pure.

A pattern is tried on a sentence without its opening ("please", "by the way"), in any case of letters. `RULES` names the
ways in which people say what is to be for always; `AGAINST` names why a plain statement is none to keep. `standing`
says which sentences come here at all.
"""

import re


def one_of(words: str) -> str:
    """A pattern of words parted by spaces; `_` stands for a space in one, the rest as in a pattern."""
    return f"(?:{'|'.join(w.replace('_', ' ') for w in words.split())})"


NAME = r"(?-i:(?:Prof|Dr|Mrs?|Ms)\.? )?(?-i:(?!The\b|Our\b|My\b|This\b|It\b)[A-Z])[\w'’-]+(?: (?-i:[A-Z])[\w'’-]+){0,2}"
PAST = r"(?:\w*[^e\W]ed|seen|saw|was|did|heard|been|had|thought|knew|known|said|gone|got)"
PEOPLE = one_of(
    """owner lead manager maintainer contact reviewer approver admin(?:istrator)? designer boss ceo cto dba architect captain
    director editor accountant lawyer client customer person one_who one_to_ask on[-_]call responsible in_charge expert
    founder"""
)
_NOT_DONE = one_of(  # "never mind", "always nice": not what somebody is told to do
    rf"""{PAST} the a an here there glad up in on at to see hear give_up nice good great fun funny bad hard easy fine sure
    happy better worth mind again ever works? fails? crashes \w+ing"""
)
_DO = rf"(?!{_NOT_DONE}\b)\w+"
_ANY = (  # a thing of a kind, not a certain one
    r"(?!(?:the|a|an|yet|now|it|me|again|please|at|on|to|any|anything|something|nothing|everything)\b)[\w'’`./<-]+"
)
_HOW = one_of(  # what one is told how to do, rather than told to do
    """name sign treat put write format prefix suffix wrap sort order store spell quote tag label title group align
    capitali[sz]e express use answer speak talk reply explain log document encode indent escape round number pin keep call
    address close commit structure phrase end start open squash merge cite link translate render print abbreviate"""
)
_HABITS = one_of(
    """use run deploy ship release host store keep log write format lint test merge squash rebase branch tag name call
    follow build pin review sign support target rely prefer avoid document cache serve manage track bill charge back_up work
    code mock develop version encrypt speak allow require treat measure count_on publish import put go_with stick_to
    stick_with only do"""
)
_JOBS = one_of(  # what is done once, to all there is now, however many that are
    """fix find check look show add create make rename remove delete replace convert search list update run migrate bump move
    go tell give walk explain review read test rewrite refactor regenerate sort count"""
)
_DUTIES = one_of(  # of an imperative that says how all things of a kind are to be
    """use write put attach include quote pin commit log document keep name wrap store prefix suffix tag sign format spell
    indent round escape mark cite link mention ship state specify declare require"""
)
_EACH = (  # all things of a kind, with those to come: none of a certain place
    r"(?:(?:every|each|any|all)(?: (?:our|my|new|future|other))?"
    r" (?!(?:the|of|these|those|this|that|it|them|time|over|two|three|\d+)\b)[\w-]+\b|everything(?! (?:here|there|in the)\b)|everywhere|anywhere)"
)
_FINDINGS = one_of(
    "need idea time errors? problems? hits results? changes? news issues? luck answers? signs? warnings? clues?"
)
_HERE = r"(?!.*\b(?:here|just|in the|yesterday|and (?:push|commit|merge|run|send|open|show))\b)"  # what there is now
_CHORE = one_of(
    "reset clear restart rebuild back_up notify send restore verify wait stop close save pull push rebase ask take"
)
_STANDS = one_of(  # how things are that were made so
    r"""written kept stored named called numbered signed run served built measured given frozen reviewed generated paid billed
    encrypted versioned translated cached logged licensed hosted read-only optional required private public
    (?-i:[A-Z])\w+ an?_\w+ \w+_(?!are\b)\w+s$ (?:in|under|by)_(?!the\b|my\b)\w+"""
)
_TASTE = one_of(
    r"""prefer rather_have rather_see rather_use rather_get rather_not_have rather_not_use rather_not_see rather_you
    rather_keep rather_work rather_be hate dislike detest love like can['’]t_stand cannot_stand care_about care_a_lot_about
    always_want only_want never_want expect_you_to want_you_to_always want_you_to_never want_to_be_asked want_to_be_told
    want_to_be_informed want_to_be_notified want_to_be_warned (?:do_not|don['’]t)_(?:ever_)?(?:like|want)"""
)
_ERRANDS = "fix|merge|revert|wait|talk|speak|chat|grab|get|eat|call|ask|restart|look|try|test|postpone|close|leave|skip|have|meet|go for|take|do|keep|stop|stay|start|finish|see|push|help"
_MINE = one_of(
    r"""(?:first_|last_|full_|nick|user)?names? pronouns time_?zone e-?mail editor shell terminal title role team birthday keyboard layout phone laptop machine computer os language locale handle address company
    employer office (?:working_|work_|office_)?hours policy convention style rule preferences? stack calendar budget hobby
    country city account diet allergy job profession stand-?up branch_prefix default_\w+ preferred_\w+ favou?rite_\w+"""
)
_CIRCLE = one_of(
    """manager boss wife husband partner spouse son daughter kids? children mother father brother sister dog cat accountant
    lawyer doctor dentist landlord advis[eo]r supervisor professor mentor colleague assistant"""
)
_AM = one_of(
    r"""allergic vegan vegetarian colou?r[-_]?blind left[-_]handed deaf dyslexic based responsible from married
    on_(?:vacation|holiday|leave|parental_leave|call) (?:away|off|out_of_office)_(?!to\b)"""
)
_NO_TRADE = r"(?!(?:bit|little|few|lot|(?:\w+ )?fan|mix|mess|idiot|moron)\b)"
_EVENTS = one_of(
    """commit change fix release pr pull_request push merge deploy(?:ment)? build run session answer reply file function
    test feature bugfix migration endpoint module task step"""
)
_HOMES = one_of(
    """repos?(?:itor(?:y|ies))? projects? code_?base teams? company monorepo workspace machine laptop org(?:ani[sz]ation)? apps? products?
    services tools docs"""
)
_OURS = rf"(?:this|our|my|the whole|all|all our|all my) {_HOMES}"
_SEARCHES = "fix|run|find|check|look|show|add|create|make|open|rename|remove|delete|search|list|there|you|i"
_TELLS = r"(?!(?:i|it|the|my|they|he|she|there|we|nothing|everything|something|\w+ \w+ed)\b)"  # a story, no instruction
_NOT = r"(?:do not|don['’]t)"
_IDLE = one_of(
    r"""worry care bother mind panic hesitate forget know think see get\b understand do\b be\b stop wait asking give quit
    there here"""
)
_WE = r"^(?:here,? )?we"
_TEAM = r"^(?:we|the team)(?:['’]ve| have| has)? (?:now |just |finally )?"
_CHOSE = r"(?:decided|agreed|settled|standardi[sz]ed|committed)"

_PATTERNS: dict[str, tuple[str, ...]] = {
    "policy": (
        r"\b(?:it['’]s|it is|that['’]s|that is|this is) (?:my|our|the) (?:policy|rule|convention|preference|standard|law|habit)\b",
        r"\b(?:our|my|the) (?:[\w-]+ )?(?:convention|policy|rule|standard|practice|guideline) (?:is|here|for|says|:)",
        r"\bmake (?:it|that|this) (?:a|your|our) (?:rule|habit|point|practice)\b",
        r"\blet['’]?s (?:agree|settle) on\b",
        r"\b(?:as a (?:general )?rule|by convention|without exceptions?|at all times|every single time)\b",
        r", every time[.!]?$|[,.] ?(?:always|ever)[.!]?$",
        r"\bthat['’]s how (?:i|we) (?:like|do|want)\b|\bit(?:['’]s| is) important to me that\b",
    ),
    "always": (
        rf"^(?:you (?:can|may|should|must|have to|need to) )?(?:always|never(?: ever)?) {_DO}",
        rf"^{_NOT} ever (?!give up|quit|stop)\w+",
        rf"[,;.] (?:and |but |so |please )*(?:always|never|{_NOT} ever) {_DO}",
        r"\b(?:must|may|should|shall|can) never (?:be|show|leave|go|appear|contain|touch|reach|run|use|end up)\b",
    ),
    "ask first": (
        r"^(?:always )?(?:ask|check with|tell|consult)(?: me)?(?: first)? (?:before|for (?:permission|approval) before) (?:you )?\w+",
        r"\b(?:ask|check with|tell) (?:me|him|her|\w+) (?:first )?before (?:any|you|\w+ing\b)",
    ),
    "whenever": (
        rf"^(?:whenever|every time|each time|any ?time) (?:(?:you|we)\b.{{8,}}|[^,]{{3,80}}, {_TELLS}.{{6,}})",
        r"^when(?:ever)? there(?:['’]s| is| are) (?:two|several|more|any|no|an?)\b.{3,40}?, \w+ .{4,}",
        r"^(?:for )?next time,? (?!i\b|we\b).{8,}",
        rf"^when (?:you|i|we) (?!(?:{PAST}|have|are|can|get|finish)\b)\w+ {_ANY}.{{0,60}}?, {_TELLS}.{{6,}}",
        rf"^(?:before|after|with|on) (?:an? (?:[\w-]+ )?{_EVENTS},? (?:always|never|first|please)"
        rf"|(?:every|each|any) [\w -]{{3,40}}?,? (?:always |never |please )?(?:{_DUTIES}|{_JOBS}|{_CHORE}|{_NOT}))\b(?! (?:it|this|that)\b)",
        r"^(?:before|after) (?!(?:doing|trying|looking|seeing|talking|leaving|going|being|having|merging this)\b)\w+ing (?!(?:it|this|that|them)\b)[^,]{2,50}, (?!i\b|we\b|it\b|the\b|there\b|my\b|nothing\b|everything\b)\w+ \w",
        r"^if you (?!(?:have|find|see|get|got|are|want|can|think|need|feel|know|spot|notice|hit)\b)\w+ an? [\w -]{2,40}, \w+ \w",
        r"^(?:if|when) you(?:['’]re| are) about to \w+ (?!(?:it|this|that)\b)\w+",
        r"^before you \w+ (?:anything|any|an?)\b[^,]{0,50}, (?!i\b|we\b)\w+ .{4,}",
        rf"^when an? [\w -]{{2,40}}, {_TELLS}.{{6,}}",
        r"^if (?:an?|any|something|the) [^,]{3,50}\b(?:more|longer|less|fewer|bigger|larger|older|over|costs)\b[^,]{2,30}, \w+ .{2,}",
        r"^(?:if|when) (?:you(?:['’]re| are) )?(?:ever )?(?:unsure|in doubt|stuck|blocked|not sure)\b[^,]{0,50}, .{6,}",
        rf"^(?!.*(?:\bi\b|\bin [\w/]+\.\w+$)).{{6,}} (?:before|after|with|for|in|on) (?:every|each) (?:[\w-]+ )?{_EVENTS}\b",
    ),
    "we": (
        rf"{_WE} (?:(?:all|also|only|always|usually|normally|generally|typically|never|still|mostly|no longer|{_NOT}|['’]?ve always) )*{_HABITS}\b",
        r"^we(?:['’]re| are| ended up) (?:on|with|choosing|using|going with|moving to|standardi[sz]ing on|an?|both|all in) ",
    ),
    "decided": (
        rf"^(?:we|the (?:team|board|group|lab)|management|i)(?:['’]ve| have| has)? (?:now |just |finally |all )?{_CHOSE}"
        rf" (?!(?:on )?nothing|that (?:this|it)\b|to (?:{_ERRANDS})\b)",
        rf"{_TEAM}(?:switched|migrated|moved|upgraded|replaced|chosen|chose|picked|renamed)\b"
        r"(?=.{0,60}\b(?:to|from|for|with|over|off|as|on|since) \w)",
        rf"{_TEAM}(?:adopted|dropped|abandoned|retired) (?!the\b|an?\b)\w+",
        r"^(?:decision|decided|agreed)(?: (?:of|in|by|at|from) [\w -]{2,20})?(?:,? [\w ]{3,20})?: ?\w+|, (?:decided|agreed)[.!]?$",
        rf"^(?:{NAME} and (?:i|{NAME})|the \w+|legal|management) (?:have |has )?(?:{_CHOSE}|voted|approved)\b(?! (?:on )?nothing)",
        r"^(?:we|the team) (?:chose|picked|went with) (?-i:[A-Z])[\w.+#-]+[.!]?$",
        rf"^(?:after|in|at|during) .{{3,40}}?,? (?:we|the team) (?:have |has )?(?:all |finally )?{_CHOSE} (?:on|that|to use|for|to go) ",
        rf"^it(?:['’]s| has| was)(?: been)? (?:{_CHOSE}|approved) that |^(?:management|legal|the \w+) (?:has |have )?signed off on\b|^the (?:team|board|group) voted\b",
        r"^(?:we(?:['’]re| are) )?(?:sticking|staying) with \w|^we(?:['’]ve| have)? (?:gone|went|going|go) back to (?!bed|work|it)",
        r"[,.] (?:and )?that['’]s (?:final|been (?:decided|agreed|settled)|settled|decided)[.!]?$",
    ),
    "prefer": (
        r"^i(?:['’]d| would) like you to (?:be|always|never|use|write|ask|answer|keep|speak|explain)\b|^i want to see (?!(?:the|an?|it|this|that|what|how|if|your|my)\b)[\w-]+ \w+s\b",
        rf"^i(?:['’]d| would)? (?!(?<=d )(?:love|like|hate)\b)(?:(?:always|really|strongly|generally|usually|much|still) )*{_TASTE}\b"
        rf" (?:you )?(?!(?:how|when|where|the|your|better|doing|merge conflicts|to (?:{_ERRANDS}))\b)\w+",
    ),
    "about me": (
        rf"^my (?:[\w'’-]+ ){{0,2}}?{_MINE}\b(?: [\w'’-]+){{0,5}}? (?:is|are|was born|has|have|works?|starts?|ends?)\b"
        r"(?! (?:so|too|very|really|just|not feeling)\b)",
        rf"^my (?:[\w'’-]+ ){{0,2}}?{_CIRCLE}(?:['’]s name)? (?:(?:is|are) (?:{NAME}|called|named|an? |the |{_AM})|was born|works (?:at|for|as|only|from)|lives|wants|hates|prefers)\b(?!.* by (?:noon|\w+day|\d))",
        r"^i(?:['’]m| am) (?-i:[A-Z][a-z]+)(?:,| and) (?:i|the|from)\b",
        r"^call me (?!(?:later|when|back|if)\b)\w+",
        rf"^i(?:['’]m| am) (?:an? {_NO_TRADE}\w+|{_AM}|the (?:[\w-]+ ){{0,2}}?{PEOPLE})\b",
        r"^i (?:only |mostly |exclusively )?(?:use|do everything (?:with|in)|write everything in)"
        r" (?!(?:it|the|this|that|them|\w+ to|a (?:[\w-]+ )?here)\b)\w+",
    ),
    "person": (
        rf"(?:^|; ?){NAME} (?:took over (?!from\b)|joined the|left the (?:company|team|project)|replaces|succeeds|owns|maintains"
        r"|runs the (?!build|job|test|script|migration|loop|code|command|pipeline|query|suite)|reports to|(?:leads|heads|manages|chairs) (?:the|our)|(?:handles|looks after|signs off|approves|takes care of)"
        r" (?:the |our |all |every )?(?:[\w-]+ ){0,4}\w+s)\b",
    ),
    "who": (
        rf"^we (?:can['’]t|cannot|can not|may not|must not|mustn['’]t) (?:use|ship|send|store|share|publish|log|host|link) {_ANY} .{{4,}}",
        r"^only (?:i|(?:the )?[\w-]+s|(?-i:[A-Z])\w+) (?:may|can|should|must|merges?|push(?:es)?|deploys?|approves?|releases?)\b",
    ),
    "don't": (
        rf"^(?:{_NOT}|stop(?= \w+ing\b)|avoid) (?!{_IDLE})[\w-]+ {_ANY}",
        r"^stop \w+ing the [^,;]{3,50}[,;] we (?:have|use|do)\b",
        rf"^{_NOT} (?:wake|call|ping|disturb|notify|mail) me (?:before|after|between|on|at|for|about|unless|during)\b",
        rf"^{_NOT} \w+ (?:the|a|an) [^,;]{{2,60}}? (?:in|for|on) [a-z]+s\b",
        rf"^{_NOT} \w+ (?:the|a|an) [^,;]{{2,60}}?[,;] (?:it|they)(?:['’]s| is|['’]re| are) \w+(?:ed|en) ",
    ),
    "no": (
        rf"^no (?!more\b|{_FINDINGS}\b)(?:[\w-]+ ){{1,3}}in {_OURS}[.!]?$",
        rf"^no (?:more )?(?!{_FINDINGS}\b)(?:[\w.-]+ ){{0,2}}(?:[\w.-]+s|(?-i:[A-Z]+)) (?:(?:in|on|to|for|as|inside) [^,;]{{3,60}}|anywhere)"
        r"[,;] (?:it|they|we|nobody|i|because|since|please|not|ever|name|use|send|put|write|\w+ (?:it|them) instead)\b",
        r"^no (?!more than\b)(?:[\w-]+ ){1,8}please[.!]?$|, no [^,]{3,60} please[.!]?$|^no (?:[\w-]+ ){1,5}without \w+",
    ),
    "choose": (
        r"^(?:use|prefer|choose|favou?r) (?!(?:the|an?|port|version|option|number)\b|\d)[^,]{1,60}?"
        r"(?:,? not |,? instead of | over |,? rather than )\S",
        rf"^(?:instead of|rather than) (?!\w+ing\b){_ANY}(?: [\w-]+)?,? (?:use|take|write|choose|prefer|pick|post|send|log) (?!\d){_ANY}",
        r"^(?:give|show|tell) me (?:the )?\w+s? first(?:,| and| then) (?:the )?\w+s? (?:after(?:wards)?|later|second|last|then)\b",
        r"^(?!do\b|run\b)[\w -]{3,40} first, (?:then )?[\w ]+, then \w",
        r"^keep [^,]{3,50}, not |^(?:prefer|favou?r) (?!the\b|an?\b)\w+",
    ),
    "how": (
        rf"^{_HOW} (?!(?:the|an?|my|your|port|version|option)\b|\d|all \w+ (?:in|on) the\b|.* and (?:push|commit|merge|run|send|open|show)\b)(?:(?:only|new|all|stale|long|short|public|private) )?[\w-]*[^\W\d]s"
        r" (?:after|with|as|under|in|like|only|by|using|via|on|before|at|without|through|next to) \S",
        r"^(?:keep|write|format|name|spell|phrase) (?:commit|branch|file|test|class|variable|error|log|code|table|column) \w+s (?:in|with|after|like|as|at|under) \S",
        r"^(?:write|speak|answer|talk|reply) (?:to me |with me )?(?:in )?(?!it\b)\w+ (?:with|to) me[.!]?$|^(?:write|speak|talk) (?:to|with) me in \w",
        r"^use the (?:imperative|metric|same style|[\w-]+ (?:mood|tense|style|format)) in\b",
    ),
    "scope": (
        rf"^(?!{_JOBS}\b).*(?:\bin (?:everything|any new|every new|each new)\b|\b(?:in|for) (?:any|every|each|all) (?:new|our|my|future)\b)",
        rf"^(?:please )?{_DUTIES} (?!(?:(?:an? )?(?:\w+ )?tests?|it|this|that)\b){_HERE}"
        rf".{{2,50}} (?:in|into|for|to|with|on|by|under|before|after|beside|from|out of) {_EACH}(?! in \w+\.\w)",
        rf"^(?:please )?{_DUTIES} {_EACH}[^,;]*[,;] (?:because|as|since|so that|otherwise|i want|we (?:have|need|want|use)|they|nobody|(?:(?:the|our|my) )?\w+s (?!are\b)\w+)\b",
        rf"^{_DUTIES} (?:each|every) [\w -]{{2,30}} (?:in|on|under|to|with) its own \w",
        r"^(?:keep|write|make|give|format|answer|reply|use) .{0,30}\byour (?:answers?|replies|responses|explanations|summaries|messages"
        r"|commits?|commit messages)\b",
        r"^answer (?:me )?in \w+ even\b",
    ),
    "norm": (
        r"^(?:all|every|each|any|no|everything) (?!(?:done|good|set|of|idea)\b)[\w-]+ .{0,60}?\b(?:must|shall|may|has to|have to|needs? to)\b",
        rf"^(?:all|every|each|everything) (?!(?:the|of|that|is|are|i|we|you|\d+)\b)(?!.*\b(?:now|twice|again)\b)[\w-]+ .{{0,40}}?\b(?:(?:is|are) {_STANDS}|(?:(?:has|have) (?:its|their)|gets? an?|needs? an?|uses?|lives? in|goes? (?:in|to|under|through)"
        r"|belongs? (?:in|to)|starts? with) \S)",
        r"^(?:one|two|three|at most|at least) [\w -]{3,40} per [a-z]",
        rf"^(?:no need|you {_NOT} (?:have|need)) to \w+ .*\b(?:every|each|always|at the end|your (?:answers?|replies))\b",
    ),
    "you keep": (
        r"^(?:you|u) (?:keep|always|constantly) \w+ing .{1,40}?[,:;.] ?.{8,}|^keep (?:doing|using|writing) .{1,30}: .{6,}",
        r"^(?:you|u) (?:keep|always|constantly|still) .{6,120}[.!] (?:please,? )?(?:don['’]?t|stop|no more|quit)\b.{0,15}$",
        r"^.{10,80}\b(?:is|are|uses?)\b.{2,40}, you (?:assumed|used|wrote|said|put|took|got|picked) .{1,20} again[.!]?$",
    ),
    "home": (
        rf"^(?:in|for|on|at) {_OURS}(?!,? (?:{_SEARCHES})\b),? \w+ .{{6,}}",
        rf"^{_HOW} .{{3,60}} in {_OURS}[.!]?$|^{_HOW} {_ANY}.{{0,50}}? (?:in|on|for) {_OURS}[,;] ",
    ),
    "so": (
        rf"^(?:i|we|my|our|the)\b.{{4,80}}?(?:,? so |\. |, )(?:please )?(?:{_NOT}|never)"
        r" (?!worry|do\b|push\b|start\b|commit\b|wait|be\b|touch anything)\w+ .{4,}",
        r"^(?:i|we|our|my)\b.{4,60}, so [\w-]+ [\w-]+s(?: \w+)? please[.!]?$",
        r"^(?:i(?:['’]m| am)? (?!(?:on|at|in) (?:a|the|my) (?:call|meeting|bus|plane|phone|lunch|break|rush)\b|done\b|going\b|about\b)|we\b|my\b|our\b)[^,]{4,80},? so"
        r" (?:please )?(?:always|keep|use|write|give me|assume|avoid|prefer|no|target|make sure) (?!(?:it|that|this|going|in mind|more|(?!every|any)\w+ing|\d+)\b)\w+",
    ),
}  # fmt: skip
RULES: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (name, re.compile("|".join(f"(?:{p})" for p in found), re.IGNORECASE))
    for name, found in _PATTERNS.items()
)
"""(name, pattern), the first that fits names a sentence. `policy` says so itself, so it may point away."""
FRAME = re.compile(
    r"(?i)^(?:for|in|on|with|inside|under|during|when it comes to) (?!(?:this|that|these|the|a|an|now|your)\b)[^,]{2,40}?,? "
    rf"(?=(?:i|we|you|use|always|never|{_NOT}|prefer|keep|write|avoid|no|only|all|every|call|name)\b)"
)
"""Opens a sentence with where it holds: "For SQL …", "In Go code …"."""
ROLES = re.compile(
    r"^(?:[A-Z][\w'’-]+(?: (?:[A-Z][\w'’-]+|van|de|von|der))*) ?(?:is|['’]s|will be|becomes) (?:now )?(?:the |our |my )(?:new )?"
    rf"(?:[\w-]+ ){{0,3}}?(?i:{PEOPLE})\b"
    rf"|^(?i:the|our|my) (?:[\w-]+ ){{0,3}}?(?i:{PEOPLE})(?: (?i:for|of|on) [^,]{{1,40}})? (?:is|are)(?: now)? [A-Z]\w+"
)
"""Who does what: here capital letters tell a name."""


_FINITE = one_of(  # a verb in a form that has a subject
    r"""is are['’]?n?t? isn['’]t aren['’]t was wasn['’]t has have hasn['’]t haven['’]t do does don['’]t doesn['’]t can can['’]t cannot may must mustn['’]t
    will won['’]t should shouldn['’]t needs? gets? lets? goes go lives? uses? means?"""
)
_WORKPIECE = one_of(  # what one looks at or works on just now, when it is called "the …"
    r"""function method class variable file test tests line row column field button loop bug error exception issue ticket pr mr
    branch commit diff value result output answer response request endpoint parameter argument key string query script regex
    download page form list draft parser image job pipeline build deploy(?:ment)? migration patch change proposal fix problem
    cause header footer heading text typo mock stub assertion snippet screenshot log logs stack_?trace trace cache queue
    meeting call train coffee weather wifi vpn disk battery laptop screen (?:the_)?(?:customer|client|users?)$ intern demo
    invoice mail message package linter compiler debugger handler table rest thing way idea question numbers sidebar spinner cursor layout icons? bundle flag window title constructor array object container spec type
    heating checks? container step assertions? chart modal popup tooltip menu panel tab link url_bar animation colou?r font background
    image import imports callback hook component view route controller config_key selector element div span
    iterator closure lambda struct interface enum generic flight bus dashboard prototype slide deck text spec"""
)
_COMPOUND = r"(?! (?:codes?|messages?|names?|handling|files?|data|team|network|servers?|api|db|database|buckets?|format|style|size|limits?|services?|schemas?|types?|ids?|keys?|branch(?:es)?|pages?|index|pool|library)\b)"
_BAD_STATES = one_of(
    r"""late sick ill asleep out tired hungry offline unavailable behind ahead on_fire full blank weird odd strange ugly funny happy
    angry nervous loud noisy dead annoying terrible awful horrible hilarious halfway back done(?!_with_(?!the|this|that|it)) ready busy free available alive
    unstable unhappy confused lost outdated cut_off up at_lunch here there gone late early long big small fast amazing awesome
    cool nice cute boring interesting nonsense nuts crazy impressive correct right true clear obvious sad lovely a_(?:mess|pain|joke|nightmare|disaster|bit|lot)
    wrong missing empty broken stuck stale slow flaky fixed merged sorted assigned_to_me closed(?!_(?:between|on|for|from|during)) over incomplete unfinished"""
)
_IRREGULAR = one_of(
    r"""was were did had went got came saw found broke left made took gave said told ran sent wrote forgot lost felt kept heard thought
    knew began put_back blew hit fell grew shut sat stood met spent built caught meant read_it woke threw"""
)
GENERAL = re.compile(
    r"(?i)\b(?:always|never|nobody|no one|must(?:n['’]t)?|may|by default|generally|usually|normally|in general|as a rule|whenever"
    r"|nightly|weekly|daily|monthly|no longer|required|mandatory|forbidden|banned|optional|deprecated|supported|(?:mon|tues|wednes|thurs|fri|satur|sun)days|in (?:this|our|my) (?:repo|project|team|code_?base))\b"
)
"""Says that more is meant than what lies before the speaker."""
_AGAINST: dict[str, tuple[str, ...]] = {
    "request": (
        r"^(?:let['’]?s|let me|lemme|wonder(?:ing)?\b|please|pls|could|can|would|will you|wanna|need an?\b|need to|want to|got any|any (?:idea|news|chance)|time to)\b",
        r"\b(?:i need you|i want you|i['’]d like you|i['’]d like to|we need to|i need to|i have to|(?<!what )i want to|we have to (?:talk|go|leave|fix|look)|remind me|tell me|show me|give me|ping me|let me know)\b",
        r"\bneeds? (?:an? )?(?:\w+ )?(?:review|reboot|restart|fixture|fix|rebase|look|section|break|call|hand)\b",
    ),
    "progress": (
        r"(?:\b(?:am|is|are|was|were|been|be)|['’](?:m|s|re)|\b(?:keeps?|starts?|stops?|still|just))(?: (?:not|now|still|just|all|currently|already|slowly|about|also))*"
        r" (?!(?:going with|going for|dropping|moving (?:to|off|away)|switching|sticking|staying|standardi[sz]ing|retiring|deprecating"
        r"|replacing|migrating|adopting|using|keeping|phasing|nothing|anything|everything|something|staging|billing|testing"
        r"|training|logging|pricing|routing|marketing|engineering|missing (?:on purpose|by design)|sending all)\b)\w{2,}ing\b",
        r"^(?:still|just|looking|waiting|working|trying|thinking|feels?|looks|seems|sounds|works|turns out)\b",
        r"\b(?:looks? (?:good|great|fine|like|ok|weird|odd)|seems?|appears? to|sounds?|feels? like|about to|going to|gonna|i['’]ll|we['’]ll (?!(?:stay|stick|keep|remain|use|be|never|always|no longer) )|halfway|on (?:my|his|her|their) way|over night|out of)\b",
    ),
    "past": (
        rf"^(?!(?:the|our|my|an?) \w+ed\b)(?:(?!{_FINITE}\b|\w+['’](?:s|re|m)\b)[\w'’@./-]+ ){{1,5}}?(?:{_IRREGULAR}|(?<!the )(?<!our )(?<!are )(?<!is )(?<!get )(?<!gets )(?!need|feed|speed|seed|embed|shared|hosted|managed|nested|typed|generated|based|limited)\w{{2,}}ed)\b(?! (?:\w+ )?(?:is|are|has|have|must|may|lives?|goes?|gets?|needs?)\b)",
    ),
    "quote": (
        r"^(?-i:[@\w.-]+: [A-Z])",
        r"\b(?:sentence|text|line|phrase|words?|string|passage|snippet|payload|title|name|value)s?:? [\"“'`]|[\"“`]{2}|^[^\"]*\"[^\"]*$",),
    "state": (
        r"\b(?:returns?|answers with|responds? with|throws) (?:an? )?\d{3}\b|\blocally$|\bworks? for me\b|\b(?:plan|idea) is to\b|\b(?:open|pending|failing|unread) \w+s$|\bis off[.!]?$|\balready\b|\b(?:too|never) (?:low|high|many|much|goes? away|stops?)\b|\bthan before\b|\b(?:eats|overlaps|jumps|terrible|gorgeous)\b|\bhave (?:passed|failed)\b|\bexits with\b|\bwon['’]t (?:start|load|open|compile|stop|go|build|work)\b",
        r"\b(?:twice|again|finally|thanks|asleep)[.!]?$|\b(?:works?|takes?|looks?|runs?|loads?) (?:\S+ ){0,3}now\b|\ball (?:my|the) \w+[.!]?$",
        r"\b(?:rate|usage|load|latency|coverage|memory|score|accuracy|loss)\b.* (?:is|at) (?:at )?\d|\b(?:loss|acc\w*|lr) \d|\berror:|^[\w-]+: \(\d|(?:\d[\d.:]*+[^\d]+ ){4}\d",
        r"^(?:kubectl|docker|podman|make|cargo|terraform|helm|yarn|pnpm|npm|pytest|ssh|grep|psql|brew|apt) (?!(?:is|are|runs|has|must|over|for|and|or|not)\b)[a-z-]+(?: [\w./-]+)?$",
        r"^we(?:['’]re| are) (?:\d+|two|three|four|five)\b",
        rf"(?:\b(?:is|are|am)|['’](?:s|re|m))(?: (?:not|now|still|all|already|really|very|so|too|a bit|pretty|just|again|quite|completely|totally|almost|nearly|back|half))* {_BAD_STATES}(?=\s*(?:$|[,.;!]|and\b|but\b|since\b|again\b|today\b|now\b|until\b|at\b|with\b|about\b|to\b|in\b))",
        r"\b(?:fails?|crash(?:es)?|hangs?|breaks|errors? out|times? out|complains?|flickers?|lags?|does nothing|goes wrong|takes (?:ages|forever|too)|shows up|freezes)\b",
        r"\bhas (?:\d+|two|three|four|five|six|ten|a lot of|many|a|no) (?:\w+ )?(?:lines|pages|title|duplicates|messages|errors?|failures?|warnings?|comments?|typos?|bugs?|conflicts?|approvals|hits|entries|fields?|flu|call|meeting|question|problem)\b",
        r"\b(?:is|are) (?:at|only|about|around) \d+(?: ?%| percent| GB| MB| ms| of)|\d+ (?:percent|%)$",
        r"\bon (?:my|his|her) (?:machine|screen|phone|end|side|monitor|desk)\b|\bin the (?:log|logs|output|console|heading|browser|kitchen)$",
    ),
    "hour": (
        r"\b(?:today|tonight|tomorrow|yesterday|right now|ago|at the moment|currently|for now|now on(?!$)|in (?:\d+|five|ten|a few|an?|half an) (?:minutes?|mins?|hours?|sec\w*)"
        r"|(?:until|till|by|before|after|since) (?:noon|lunch|eleven|ten|tonight|tomorrow)|this (?:morning|afternoon|evening|week)|over lunch|last (?:night|week)|so far|later|soon|all day|(?:next|this) sprint|in one go|anymore)\b",
    ),
    "clock": (
        r"\b(?:until|till|by|before|after|since) \d+ ?[ap]m\b",
        r"\b(?:leaves?|starts?|meet(?:ing)?|call|back|home|here|free|until|by) (?:at )?(?:three|four|five|six|seven|eight|nine|ten|eleven|twelve|noon|\d{1,2}(?: ?[ap]m)?)[.!]?$",
    ),
    "wonder": (
        r"\b(?:maybe|perhaps|probably|possibly|presumably|apparently|i (?:think|guess|suppose|believe|assume|hope|wish|doubt|wonder)|could|might|would|not sure|no idea|what if|dunno|who knows|should be (?:fixed|fine|ok|enough|good)|or not|somehow|kinda|sort of|kind of)\b",
    ),
    "reaction": (
        r"^(?:thanks?|thx|nice|lol|haha\w*|wow|good|great|perfect|awesome|ugh|damn|happy|congrats?|sorry|ouch|yay|well done|love it|cool|fine|sure|ok(?:ay)?|done|yes|yep|no (?:problem|rush|worries|need|idea|luck)|same|hi|hello|morning|bye|see you|never ?mind|whatever|funny|oh|ah|hm+|stop|wait|back|next|first)\b(?! (?:names|practice|errors))",
        r"\b(?:lol|haha|ugh|argh|wow|so much)\b",
    ),
    "self": (
        r"^i (?:owe|want|wanted|agree|trust|bet|mind)\b|^i (?:love|hate) \w+$|^we (?:run|do|try|test|start|stop|go|meet) .*\b(?:now|then|first|soon)$|^(?:[\w-]+ ){1,3}wants to\b",
        r"^my (?:guess|question|point|idea|bet|take|turn|bad)\b|^(?:i|we)(?: have|['’]ve) (?:\w+ )?(?:minutes|hours|days|questions?|problems?)\b",
        r"^i(?:['’]m| am) (?!the (?:only|one|lead)\b)(?!.*\b(?:more|most|less|better) \w+ (?:with|at|than)\b)|^i (?:see|get|got|hear|need|have|can(?:['’]t|not)?|know|understand|feel|miss|wait|check|do|did|don['’]t (?:see|get|know|understand|have|think|remember|care|need)|love (?:it|how)|put|just|still|also see|look|run|start|open|try|click|deploy|press|mean|meant)\b",
        r"^we (?:can|could|see|got|hit|still|just|have (?:an?|no|\d+|two|three|time|to)|need (?:an?|more|time)|should|also|almost|miss|get|know|want)\b",
    ),
    "context": (
        r"^(?:you|your|u|yours|no|every(?:thing|one|body)|(?:each|every|any) ?time|all (?:my|the|of (?!our)|i|\d+)|killed|whenever|in case|instead|rather)\b",
        r"^(?:all|every|each) .* (?:is|are) \w+(?:ed|en)[.!]?$|\bmy (?:mails?|messages?|calls?|questions?)\b",
        r"^there(?:['’]s| is| are) (?!(?:no|only|exactly|two|three|four|five) (?!(?:\w+ )?(?:time|need|reason|way|point|rush|hurry|hope|doubt|sign|trace|tests?|errors?|bugs?|failing|left|idea|coffee|people|files?|failures?|warnings?|issues?|typos?)\b))",
        rf"^this (?!{_HOMES}\b)",
        r"^(?:it|that|these|those|they|he|she|here|them|him|its|his|her|their|both|neither|one|so|which|what|how|why|when|where|who|if|because|then|after|before|two of|none of|each of|some of|most of|and|or|but|like|as)\b",
    ),
    "piece": (
        rf"^(?:my|our|his|her|their) (?:\w+ )?(?:{_WORKPIECE}{_COMPOUND}|headphones|phone|code|boss|mentor|doctor|colleague|manager|numbers)\b",
        r"^(?:the|our|my) (?:new|second|first|next|other|whole|flaky) ",
        rf"^(?:the|another|some|an?(?= \w+ (?:is|has)\b)) (?:(?:first|second|third|last|next|other|same|old|docker|db|user|mobile|main(?! branch)|whole|left|right|failing|red|blue|green|top|customer|error|pull) )?{_WORKPIECE}\b{_COMPOUND}(?! (?:of|for|in|from) (?:the|our|my|every|all)\b.* (?:is|are|must)\b)",),
}  # fmt: skip
AGAINST: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (name, re.compile("|".join(f"(?:{p})" for p in found), re.IGNORECASE)) for name, found in _AGAINST.items()
)
"""(reason, pattern): why a sentence that states something is none to keep, the first that fits."""
STATED = re.compile(
    rf"(?i)\b{_FINITE}\b|['’](?:s|re|m|ll)\b|^(?:our|my|all|every|each) (?:[\w'’-]+ ){{2}}\w|^(?:[\w'’./@-]+,? ){{1,8}}?[a-z]{{2,}}s\b(?= \S)|^(?:[\w'’./@-]+ ){{0,4}}?[\w-]+s [a-z]+\b"
    r"|^(?:i|we) (?:[a-z]+ )?[a-z]+|^(?-i:[A-Z])\w+ and (?-i:[A-Z])\w+ \w|^[\w -]{3,30}, not [\w -]{3,30},? (?:when|for|in|if|as) |^(?!(?:the|an?)\b)[\w.+#-]+(?: [\w.+#-]+)? over (?!(?:the|an?|it|there|here|lunch)\b)[\w.+#-]+"
    r"|^(?!(?:error|warning|note|result)s?\b)[a-z]+(?: [a-z]+){0,2}: .*\d|^[\w ,-]{4,60} for [\w -]{2,40}, not \w"
)
"""What makes a statement of words: a verb that has a subject, or one of the short forms that do without."""
RESCUED = frozenset({"piece", "self", "clock"})
"""Reasons that a word of `GENERAL` takes away."""
