"""What the owner said that is worth keeping: facts, wishes, decisions and corrections, one sentence each. Pure.

What a chat keeps at once is found here in the same words, so that both are one memory; beyond it a night has the time
to take plain facts, too. Only the owner's own words are read: what they pasted, quoted or reported, and what the
assistant, the world or a tool said, is no source of a memory here. What asks for something now is a task, not a memory.
"""

import re
from collections.abc import Iterator
from datetime import UTC

from nightclaw.memory import corrections, dates, keys, kinds, likeness, pasted, standing
from nightclaw.memory.dream.refuse import NO_WORDS, TOO_LITTLE, refusal
from nightclaw.store.observations import Observation

_TALK = re.compile(
    r"(?i)^(?:thanks|thank you|hi|hello|hey|ok|okay|yes|no|sure|great|good|nice|perfect|cool|lol|hmm|oh|sorry)\b[^a-z]*$"
)
LONGEST = 400


def sayings(said: Observation) -> Iterator[tuple[str, str]]:
    """(sentence, kind) of each thing worth keeping in what the owner said."""
    if said.role != "owner" or said.kind == "explicit":
        return
    heard = [one.text for one in corrections.learned_of(said.text)]
    learned = [text for text in heard if refusal(text, said.trust) in (None, TOO_LITTLE)]
    for text in learned:
        yield text, kinds.kind_of(text, "")
    for sentence in corrections.sentences(pasted.own_part(said.text)):
        kept = _kept(sentence, said)
        if kept is not None and not any(_says_same(kept, one) for one in learned):
            yield kept, kinds.kind_of(kept, "")


def own_words(said: Observation) -> str:
    """What is left of a message without what was pasted into it or quoted: fences, output, logs, code, mails."""
    if said.role == "owner":
        text = pasted.unquoted(pasted.own_part(said.text))
    else:
        text = re.sub(r"```.*?(?:```|\Z)", " ", said.text, flags=re.DOTALL)
    lines = [line for line in text.splitlines() if refusal(line, said.trust) in (None, TOO_LITTLE, NO_WORDS)]
    return " ".join(" ".join(line for line in lines if not standing.is_command(line)).split())


def _kept(sentence: str, said: Observation) -> str | None:
    """A plain fact or a correction; what a chat keeps at once is not looked for again."""
    text = standing.bare(sentence)
    if not 8 <= len(text) <= LONGEST or not _is_own_statement(text) or refusal(text, said.trust) is not None:
        return None
    if said.kind == "correction":
        return _capital(text)
    fact = keys.fact_of(dates.absolute(text, said.at, UTC))
    return _capital(text) if fact is not None else None


def _is_own_statement(text: str) -> bool:
    if (
        _TALK.match(text)
        or standing.is_request(text)
        or standing.is_passing(text)
        or standing.is_command(text)
        or standing.is_news(text)
    ):
        return False
    if likeness.depends_on_context(text) or standing.points_away(text) or not standing.is_statement(text):
        return False
    own = pasted.unquoted(text)
    is_whole = own == text or keys.fact_of(own) is not None
    return is_whole and pasted.PASSAGE not in text and not pasted.is_reported(text)


def _says_same(sentence: str, learned: str) -> bool:
    """True when one is the other with its opening ("for the record: …") or its end ("…, note that")."""
    one, other = standing.bare(sentence).casefold().rstrip(". "), learned.casefold().rstrip(". ")
    return one in other or other in one


def _capital(text: str) -> str:
    text = text.strip()
    return text if "`" in text[:1] else text[:1].upper() + text[1:]
