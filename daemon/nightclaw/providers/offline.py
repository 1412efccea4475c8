"""The provider without a model or a network: answers a chat from what the daemon itself knows.

It takes the same path as any model: it is asked through a request, streams text and ends with a reply.
"""

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import cast

from nightclaw.core.ports import ModelRequest, Reply, TextDelta, Usage
from nightclaw.core.types import JSON, JSONObject

MODEL = "offline"
ADD_A_MODEL = (
    "I have no model, so I cannot reason or work on code; rules, probes, notes and the log all run. To add one: "
    "export ANTHROPIC_API_KEY (or start Ollama) and run `clawctl init`, or set [models] in config.toml."
)
WHAT_I_DO = """I watch and tell; I have no model to think with yet. By rules and probes alone I
- take in GitHub (hooks or polling), your own hooks, watched folders and schedules, and look around every few minutes
- decide what each is worth and keep why: `clawctl signals`, `clawctl decisions`, `clawctl why ID`
- tell you what matters through your notification addresses, once: `clawctl notify test`, `clawctl mute octo/app`
- write it all into a daily log: `clawctl log`
Ask me about a repository, an issue or a person, and I say what I have on it.
"""
_ABOUT_ME = re.compile(
    r"what (can|do) you( do)?|who are you|what are you|how do you work|help|hello|hi|hey", re.I
)
_FORGET = re.compile(
    r"\s*(?:please |no, |ok,? )*(?:forget|do not remember|don['’]t remember|unlearn)\b", re.I
)


@dataclass(frozen=True, slots=True)
class Glance:
    """What the records say. status: how things stand, a line each. recent: what was told or done lately.
    found: rows that have the question's words.
    searched: it had words worth searching for. learned: what memory has of this very message. known: of earlier ones.
    """

    status: list[str]
    recent: list[str]
    found: list[str]
    searched: bool = True
    learned: list[str] = field(default_factory=list[str])
    known: list[str] = field(default_factory=list[str])


Look = Callable[[str], Awaitable[Glance]]


class Offline:
    """core.ports.Provider from the daemon's own records."""

    kind = "offline"

    def __init__(self, look: Look) -> None:
        self._look = look

    async def stream(self, request: ModelRequest) -> AsyncIterator[TextDelta | Reply]:
        question = _last_words(request)
        glance = await self._look(question)
        said: list[str] = []
        for part in _answer(question, glance):
            said.append(part)
            yield TextDelta(part)
        content: list[JSONObject] = [{"type": "text", "text": "".join(said)}]
        yield Reply(content=content, stop_reason="end_turn", usage=Usage(), model=MODEL)


def build(config: Mapping[str, JSON], deps: Mapping[str, object]) -> Offline:
    """deps["look"]: where the records are read."""
    return Offline(cast(Look, deps["look"]))


def _answer(question: str, glance: Glance) -> list[str]:
    parts: list[str] = []
    if _ABOUT_ME.fullmatch(question.strip(" \n?!.")):
        parts.append(WHAT_I_DO)
    else:
        parts += [
            f"{opening}\n{_bullets(lines)}"
            for opening, lines in (
                ("I keep in mind:", glance.learned),
                ("From memory:", glance.known),
                ("From my records, on what you ask:", glance.found),
            )
            if lines
        ]
        if glance.known and _FORGET.match(question):
            parts.append("Without a model I do not guess which one is meant: `clawctl memory forget ID`.\n")
        if not parts and glance.searched:
            parts.append("I find nothing in memory or my records with these words.\n")
    if glance.recent:
        parts.append("\nLately:\n" + _bullets(glance.recent))
    parts.append("\nNow:\n" + _bullets(glance.status))
    parts.append("\n" + ADD_A_MODEL)
    return parts


def _bullets(lines: list[str]) -> str:
    return "".join(f"- {line}\n" for line in lines)


def _last_words(request: ModelRequest) -> str:
    content = request.messages[-1].get("content") if request.messages else None
    if not isinstance(content, list):
        return str(content or "")
    said = [str(b.get("text", "")) for b in cast("list[JSONObject]", content) if b.get("type") == "text"]
    is_opened = len(said) > 1 and said[0].startswith(
        "Now: "
    )  # time and place, told before a task's first words
    return "\n".join(said[is_opened:])
