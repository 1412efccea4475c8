"""What the owner said that is worth keeping: facts, wishes, decisions and corrections, one sentence each. Pure.

Only the owner's own words are read; what the assistant, the world or a tool said is no source of a memory here. What
asks for something to be done now is a task, not a memory.
"""

import re
from collections.abc import Iterator
from datetime import UTC

from nightclaw.memory import dates, keys, kinds, likeness
from nightclaw.memory.dream.refuse import NO_WORDS, TOO_LITTLE, refusal
from nightclaw.store.observations import Observation

_ASKED = re.compile(
    r"(?i)^(?:please |and |also |so |ok(?:ay)?,? |hey,? )*(?:(?:please )?(?:remember|note|keep in mind|don't forget|do not forget"
    r"|bear in mind|be aware|memori[sz]e)(?: that|:|,)?|for the record[,:]?|fyi[,:]?|note to self[,:]?|reminder:)\s+(?:that )?"
)
_WISH = re.compile(
    r"(?i)^(?:please |and |also |so )*(?:always|never|from now on|going forward|in (?:the )?future|i (?:always |really |would )?(?:prefer|like|hate|want you to"
    r"|love|dislike|expect you to)|i don't (?:like|want)|we (?:always|never|prefer|don't|do not)|don't ever|do not ever|stop \w+ing|no more)\b"
)
_DECIDED = re.compile(
    r"(?i)\b(?:we|i|the team) (?:have |has )?(?:decided|agreed|settled|chose|chosen|committed to|standardi[sz]ed)\b|^(?:decision|agreed|the plan is)\b"
)
_TASK = re.compile(
    r"(?i)^(?:please |and |also |so |then |now |ok(?:ay)?,? |can you |could you |would you |will you |let's |go |just )*"
    r"(?:run|fix|write|make|create|open|close|check|look|show|tell|give|find|search|read|explain|summari[sz]e|review|test|build|start|stop"
    r"|deploy|push|commit|merge|rebase|add|remove|delete|rename|refactor|implement|update|change|set|move|try|help|list|print|do|get|put|send|ask"
    r"|see|wait|continue|retry|undo|draft|clean|install|bump|raise|lower|switch|use|replace|turn|enable|disable)\b"
)
_STATED = re.compile(
    r"(?i)\b(?:now|from now on|always|never|going forward|no longer|anymore|any more|instead)\b"
)
_TALK = re.compile(
    r"(?i)^(?:thanks|thank you|hi|hello|hey|ok|okay|yes|no|sure|great|good|nice|perfect|cool|lol|hmm|oh|sorry)\b[^a-z]*$"
)
LONGEST, LONGEST_MESSAGE = 400, 4_000


def sayings(said: Observation) -> Iterator[tuple[str, str]]:
    """(sentence, kind) of each thing worth keeping in what the owner said."""
    if said.role != "owner" or said.kind == "explicit" or "```" in said.text:
        return
    if len(said.text) > LONGEST_MESSAGE or (
        said.text.count("\n") > 3 and refusal(said.text[:590], said.trust) is not None
    ):
        return
    for sentence in keys.sentences(said.text):
        kept = _kept(sentence, said)
        if kept is not None:
            yield kept, kinds.kind_of(kept, "")


def own_words(said: Observation) -> str:
    """What is left of a message without what was pasted into it: fences, output, logs, code."""
    text = re.sub(r"```.*?(?:```|\Z)", " ", said.text, flags=re.DOTALL)
    lines = [line for line in text.splitlines() if refusal(line, said.trust) in (None, TOO_LITTLE, NO_WORDS)]
    return " ".join(" ".join(lines).split())


def _kept(sentence: str, said: Observation) -> str | None:
    if not 8 <= len(sentence) <= LONGEST or sentence.rstrip().endswith("?") or _TALK.match(sentence):
        return None
    asked = _ASKED.match(sentence)
    text = sentence[asked.end() :] if asked else sentence
    if refusal(text, said.trust) is not None or likeness.depends_on_context(text):
        return None
    if asked or _WISH.match(text):
        return _capital(text)
    is_task = _TASK.match(text) is not None and not _STATED.search(text)
    if is_task:
        return None
    if said.kind == "correction" or _DECIDED.search(text):
        return _capital(text)
    fact = keys.fact_of(dates.absolute(text, said.at, UTC))
    return _capital(text) if fact is not None else None


def _capital(text: str) -> str:
    text = text.strip()
    return text if "`" in text[:1] else text[:1].upper() + text[1:]
