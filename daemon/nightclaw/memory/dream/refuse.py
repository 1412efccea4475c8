"""What does not become a memory: shell output, logs, code, secrets, and words that give orders instead of facts. Pure."""

import re

from nightclaw.core.secrets import CUT
from nightclaw.core.trust import Trust
from nightclaw.memory.likeness import content
from nightclaw.memory.refusals import why_not

LONGEST = 600
TOO_LITTLE, NO_WORDS = "says too little", "not in words"
_OUTPUT = re.compile(
    r"(?m)^\s*(?:[$#>%]\s+\S|(?:[\w.-]+@[\w.-]+[:~]\S*)[$#]\s|\+\+\+ |--- |@@ |diff --git|total \d+$|[d-][rwxst-]{9}\s)"
    r"|^\s*(?:on branch|modified:|deleted:|untracked files|your branch is|fast-forward|remote:|fatal:|warning:|error:|npm err!"
    r"|traceback \(most recent|\s*file \"|caused by:|exception in|panic:|goroutine \d+|make(?:\[\d\])?: \*\*\*|collected \d+ items"
    r"|=+ .* =+$|pass(?:ed)?\s+\S+\.\w+|fail(?:ed)?\s+\S+\.\w+|exit (?:code|status):? ?\d+)"
    r"|\bat [\w.$<>]+ ?\([^)]*:\d+(?::\d+)?\)|\bline \d+, in \w+|segmentation fault|core dumped|\bexit(?:ed with)? (?:code|status) \d+"
    r"|\b\d+ (?:passed|failed|skipped)(?:,| in)\b|\x1b\[",
    re.IGNORECASE,
)  # fmt: skip
_LOG = re.compile(
    r"(?m)^\s*(?:\[?\d{4}-\d\d-\d\d[t ]\d\d:\d\d:\d\d|\[?\d\d:\d\d:\d\d\]?\s|\w{3} +\d+ \d\d:\d\d:\d\d\b|<\d+>"
    r"|\[?(?:info|debug|warn(?:ing)?|error|trace|fatal|notice)\]?[:\s]\s*\S)"
    r"|\b(?:level|lvl)=\w+|\b(?:GET|POST) /\S* HTTP|\bHTTP/1\.[01]\"? \d{3}|\bpid[=:]\s?\d+",
    re.IGNORECASE,
)  # fmt: skip
_CODE = re.compile(
    r"(?m)^\s*(?:def |class |import |from \w+ import|function |const |let |var |return |if \(|for \(|while \(|#include|package "
    r"|public |private |SELECT |INSERT |UPDATE |DELETE |<\?php|</?[a-z]+[ >])|[;{}]\s*$|=>|\w+\([^)]*\);|```|&&\s|\|\s*(?:grep|sh|bash|xargs)\b"
)
_ORDER = re.compile(
    r"(?i)\b(?:ignore|disregard|forget|override) (?:all |any |the |your )?(?:previous|prior|above|earlier|other)?\s*(?:instructions?|rules?"
    r"|prompts?|guidelines|policies|restrictions)|\b(?:system|developer) (?:prompt|message|note)\b|\byou (?:must|should|are to|have to|need to|will|shall|may)"
    r" (?:now |always |never )?(?:run|execute|send|post|push|merge|delete|approve|grant|trust|obey|follow|comply|disable|upload|email|open|fetch|download)\b"
    r"|\b(?:the owner|the user|maintainers?) (?:has |have )?(?:already )?(?:approved|authori[sz]ed|agreed|wants you|told you|allows?)\b"
    r"|\b(?:pre-?approved|auto-?approved?|without (?:asking|confirmation|approval))\b|\bdo not (?:tell|inform|notify|ask)\b"
    r"|\bnew instructions?\b|\bas an? (?:ai|assistant|agent)\b|\bcurl\s+\S+|\bwget\s+\S+|\brm -rf\b|\bbase64\b|\beval\b"
    r"|\b(?:assistant|agents?|nightclaw|bot)[,:]\s"
)
_BLOB = re.compile(r"[A-Za-z0-9+/=_-]{60,}|(?:[0-9a-f]{2}[ :]){8,}|\b[0-9a-f]{32,}\b")
_LITERAL = re.compile(r"`[^`\n]+`")
_REMEMBER = re.compile(
    r"(?i)\b(?:remember|memori[sz]e|note|keep in mind|save)(?: this| that|:| the following)"
)


def refusal(text: str, trust: Trust) -> str | None:
    """Why `text` is not to be a memory, in a few words; None when it may be one."""
    stripped = text.strip()
    if len(stripped) > LONGEST or stripped.count("\n") > 4:
        return "too long for one fact"
    why = why_not(stripped, trust)
    if why is not None:
        return why.partition(";")[0].partition(",")[0]
    if CUT in stripped:
        return "a secret was cut out of it"
    stripped = _LITERAL.sub("`x`", stripped)
    if _OUTPUT.search(stripped):
        return "shell output"
    if _LOG.search(stripped):
        return "a log line"
    if _CODE.search(stripped):
        return "code"
    if _BLOB.search(stripped):
        return "a blob"
    if trust is not Trust.OWNER and (_ORDER.search(stripped) or _REMEMBER.search(stripped)):
        return "an order, not a fact"
    letters = sum(c.isalpha() or c.isspace() for c in stripped)
    if letters < 0.4 * len(stripped):
        return NO_WORDS
    if len(content(text)) < 2:
        return TOO_LITTLE
    return None
