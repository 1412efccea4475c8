"""What is no memory, whoever brings it: output of commands, secrets, and orders in text nobody vouches for. Pure."""

import re

from nightclaw.core.secrets import secret_in
from nightclaw.core.trust import Trust
from nightclaw.policy.wordlist import names

_OUTPUT = re.compile(
    r"(?m)^(?:\$ |# |>>> |❯ |\+ )\S|^[ \t]{0,20}at [\w.$<>]{1,200}\(.{0,200}:\d+\)"
    r"|^Traceback \(most recent|^[ \t]{0,20}File \".{1,200}\", line \d+"
    r"|^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d)?|^\[?\d\d:\d\d:\d\d|^diff --git |^@@ |^[+-]{3} |\x1b\[|^exit code\b"
    r"|^\W{0,3}(?:ERROR|WARN(?:ING)?|INFO|DEBUG|TRACE|FATAL)\b|^(?:total \d+|[d-][rwx-]{9} )"
    r"|^(?:npm|pip|cargo|make|error|warning|fatal)(?:\[\w+\])?: |^npm (?:ERR|WARN|notice)|^(?:PASS|FAIL)\b|^(?:not )?ok(?: \d|\t)"
)
_ORDERS = re.compile(
    r"(?i)\b(?:ignore (?:all|any|the|previous|prior)|disregard|override|bypass|system prompt|instructions?|please"
    r"|you(?:r|rs|rself)?|(?:the )?(?:agent|assistant|model|ai|user|owner) (?:must|should|will|shall|has to|needs to"
    r"|said|wants|allows|approved)|whenever|every time|each time|before (?:any|every|each)|always|never|from now"
    r"|do not|don['’]t|must(?: not)?|without (?:asking|telling|approval)|remember (?:that|to)|pre-?approved"
    r"|in (?:all )?future (?:sessions|runs|tasks)|is authori[sz]ed|has (?:approved|authori[sz]ed)|javascript)\b"
    r"|\bI\b|</?[A-Z]{4,}>|\$\(|`[^`]{0,200}[ \\][^`]{0,200}`|\bon\w+=[\"']|\b\w+\([\"']"
)
VERBS = names(
    """accept access add adjust administer allocate allow alter append approve archive assign authorize book buy call
    cancel capture change check clear click collect commit configure connect contact convert copy create deactivate
    decrease delete deliver deny deploy determine disable disclose distribute download draft drop edit email enable
    encrypt erase execute exfiltrate exploit export extract fetch fill find forge forward generate get give grant hide
    implement increase inform inject insert install integrate introduce invite issue keep launch leak list lock locate
    log make manage manipulate merge modify monitor move obtain open order output paste pay perform post print provide
    publish purchase push read recommend record redirect refer register release remove rename replace reply report
    request reserve reset respond restart retrieve reveal review revoke rewrite run save say schedule search secure sell
    send set share show shut sign solve start steal stop submit subscribe switch take tell track transfer transmit turn
    uninstall unlock update upgrade upload use verify view visit wipe withdraw write"""
)
_COMMANDS = re.compile(
    rf"(?i)(?:^|[.!:;,>\n]|\b(?:then|and|first|to)\b)\W{{0,8}}(?:{'|'.join(sorted(VERBS))})\b"
    r"(?!\s+(?:is|are|was|were|has|of|[#\d])\b)\s+\S"
)

_FOR = r"(?: (?:for|of|to) [\w .-]{1,40}?)?"
_CREDENTIAL = re.compile(
    rf"(?i)\b(?:pass(?:word|phrase|code)|(?:recovery|backup) (?:codes?|phrase)|seed phrase){_FOR}"
    r"(?:\s*[:=]\s*|\s+(?:is|was)\s+(?:now\s+)?[\"'`“]?(?!(?:kept|stored|in|at|under|on|managed|required|needed|not|never|no|only|set|read"
    r"|taken|known|the same|valid|too|\w+ed)\b))[\"'`“]?\S{3,}"
    rf"|\bpin(?: code)?{_FOR}\s*(?:[:=]|\bis\b)\s*\d{{3,}}"
    rf"|\b(?:alarm|door|gate|entry|access|unlock|safe|lock|vault|security|garage|sim|2fa|otp) (?:codes?|combination|key phrase)"
    rf"{_FOR}\s*(?:[:=]|\bis\b|\bare\b)\s*(?=\S*\d)\S{{3,}}|\bcombination{_FOR}\s*(?:[:=]|\bis\b)\s*(?=\S*\d)\S{{3,}}"
    rf"|\b(?:log-?in|credentials?)s?{_FOR}\s*(?:[:=]|\bis\b|\bare\b)\s*[\w.@+-]{{2,60}}\s*[/:|]\s*\S{{4,}}"
)


def why_not(text: str, trust: Trust) -> str | None:
    """Why these words are not kept, as a clause; None when nothing speaks against them."""
    secret = secret_of(text)
    if secret is not None:
        return f"it holds {secret}; memory keeps no secrets, only where they are"
    if is_output(text):
        return "it is output of a command or a log; say in one sentence what it shows"
    if not trust.at_least(Trust.REPO) and (_ORDERS.search(text) or _COMMANDS.search(text)):
        return "it is an instruction, and text from outside gives none; only the owner does"
    return None


def is_output(text: str) -> bool:
    """Text that commands or logs wrote."""
    lines = [line for line in text.splitlines() if line.strip()]
    marks = len(_OUTPUT.findall(text))
    return marks > 0 and (marks >= 2 or len(lines) > 3 or "\x1b[" in text or marks == len(lines))


def secret_of(text: str) -> str | None:
    """What secret the words hold: of a known form, or what people say when they tell a password."""
    return secret_in(text) or ("what looks like a credential" if _CREDENTIAL.search(text) else None)
