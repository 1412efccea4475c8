"""An owner's sentence that draws a line ("never push to main") as a rule. It only ever narrows.

Conservative: only sentences that plainly forbid or plainly want to be asked, about something a rule can name. What is
not understood is no boundary; the sentence still stands in the conversation.
"""

import re
from dataclasses import dataclass

from nightclaw.policy.wordlist import names


@dataclass(frozen=True, slots=True)
class Boundary:
    """verb: deny or ask. rule: `Tool(specifier)`. said: the sentence."""

    verb: str
    rule: str
    said: str


_LONGEST = 300
_NEVER = (
    r"(?:please\s+)?(?:you\s+(?:must|should|may)\s+)?"
    r"(?:never(?:\s+ever)?|do\s+not|don['’]?t|do\s+n['’]?t|must\s+not|stop)"
)
_ASK = r"(?:please\s+)?(?:always\s+)?(?:ask|check\s+with)\s+(?:me\s+)?(?:first\s+)?before(?:\s+you)?"
_WITHOUT = r"\s+without\s+(?:asking(?:\s+me)?|my\s+(?:ok|okay|permission|approval|consent))(?:\s+first)?"
_END = (
    r"(?:\s+(?:again|ever|please|directly|anymore|any\s+more|yourself|here|in\s+this\s+repo(?:sitory)?))*\s*"
)
_NAME = r"[`'\"“”]?([A-Za-z0-9_./*~-]+)[`'\"“”]?"
_PULLS = r"(?:prs?|pull\s+requests?)"
_TALKS = rf"(?:issues?|{_PULLS}|github|issues\s+(?:and|or)\s+{_PULLS}|{_PULLS}\s+(?:and|or)\s+issues?)"
_PLACE = r"(?:folder|directory|dir|files?)"
_BELOW = r"(?:in|under|inside)\s+"
_IN = rf"(?:anything\s+{_BELOW}|(?:(?:any|the)\s+)?files?\s+{_BELOW}|to\s+)?(?:the\s+)?(?:{_PLACE}\s+)?"
_CHANGE = r"(?:touch|edit|chang|modify|writ|alter|overwrit|updat|delet|remov)(?:e|ing|s|ying)?"
_QUOTED = r"[`'\"“]([a-z0-9][^`'\"“”()]*)[`'\"”]"
_DOING: tuple[tuple[str, str], ...] = (
    (
        rf"push(?:ing)?\s+(?:(?:anything|directly|straight)\s+)*(?:in)?to\s+(?:the\s+)?{_NAME}(?:\s+branch)?",
        "Git(push * {0})",
    ),
    (r"push(?:ing)?(?:\s+(?:anything|anywhere|to\s+(?:the\s+)?(?:remote|origin|github)))?", "Git(push)"),
    (r"commit(?:ting)?(?:\s+(?:anything|changes))?", "Git(commit)"),
    (
        rf"(?:comment|repl[yi]|respond|answer)(?:ing|ng)?(?:\s+(?:on|to|in)\s+(?:(?:any|the|my)\s+)?{_TALKS})?",
        "GitHub(comment)",
    ),
    (rf"(?:post|writ)(?:e|ing)?\s+(?:any\s+)?comments?(?:\s+(?:on|to|in)\s+{_TALKS})?", "GitHub(comment)"),
    (rf"(?:open|create|mak)(?:e|ing|s)?\s+(?:a\s+|any\s+)?{_PULLS}", "GitHub(create_pr)"),
    (
        rf"(?:(?:add|chang|set)(?:e|ing)?\s+(?:any\s+)?labels?|label(?:l?ing)?)(?:\s+(?:on\s+)?{_TALKS})?",
        "GitHub(label)",
    ),
    (r"us(?:e|ing)\s+(?:the\s+)?(?:shell|bash|terminal)", "Bash"),
    (r"run(?:ning)?\s+(?:any\s+)?(?:shell\s+)?commands?", "Bash"),
    (rf"(?:run|us|execut|call|invok)(?:e|ing|ning)?\s+(?:the\s+)?{_QUOTED}(?:\s+command)?", "Bash({0} *)"),
    (r"(?:run|execut)(?:e|ing|ning)?\s+([a-z][a-z0-9_.+-]*)(?:\s+commands?)?", "Bash({0} *)"),
    (rf"{_CHANGE}\s+{_IN}{_NAME}(?:\s+{_PLACE})?", "Edit({0})"),
    (rf"(?:read|open|look\s+(?:in|at|into))(?:ing)?\s+{_IN}{_NAME}(?:\s+{_PLACE})?", "Read({0})"),
)
_NO_TARGET = names(
    """it this that them these those anything everything something me my the a an any code tests test files file branch
    things stuff again more up down on off in out too much so yet now"""
)


def boundary_of(text: str) -> Boundary | None:
    """The boundary that an owner's chat message states; None when it states none that a rule can hold."""
    said = " ".join(text.split())
    if not said or len(said) > _LONGEST or "?" in said:
        return None
    plain = said.rstrip(".!").strip()
    for opening, verb in ((_NEVER, "deny"), (_ASK, "ask")):
        found = re.fullmatch(rf"{opening}\s+(.+)", plain, re.IGNORECASE)
        if not found:
            continue
        act = found[1]
        without = re.fullmatch(rf"(.+?){_WITHOUT}", act, re.IGNORECASE)
        if without:
            act, verb = without[1], "ask"
        rule = _rule_of(act)
        return Boundary(verb, rule, said) if rule else None
    return None


def _rule_of(act: str) -> str | None:
    for pattern, shape in _DOING:
        found = re.fullmatch(pattern + _END, act.strip(), re.IGNORECASE)
        if not found:
            continue
        if "{0}" not in shape:
            return shape
        name = (found[1] or "").strip("`'\"“”.,")
        if not name or name.lower() in _NO_TARGET:
            return None
        if (
            shape.startswith(("Edit", "Read"))
            and not re.search(r"[./*~_-]", name)
            and not _names_folder(act, name)
        ):
            return None
        return shape.format(name)
    return None


def _names_folder(act: str, name: str) -> bool:
    return bool(re.search(rf"{re.escape(name)}[`'\"”]?\s+(?:folder|directory|dir|file)", act)) or bool(
        re.search(r"(?:in|under|inside)\s+(?:the\s+)?[`'\"“]?" + re.escape(name), act)
    )
