"""Chunks of a chat completion become content blocks, as the many compatible servers really send them.

Seen in the wild: tool calls without an index, with an empty or repeated id, with arguments in one piece or as an
object; `finish_reason` "stop" or none at all with tool calls; reasoning under two names; usage in the last chunk, in
`x_groq` or never; `[DONE]` missing; an error object in the middle.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from nightclaw.core.ports import TextDelta, ThinkingDelta, Usage
from nightclaw.core.types import JSON, JSONObject
from nightclaw.providers import blocks
from nightclaw.providers.blocks import LARGEST_INPUT, MOST_BLOCKS, rows, table
from nightclaw.providers.openai_messages import usage_of

_STOPS = {
    "length": "max_tokens",
    "content_filter": "refusal",
    "tool_calls": "tool_use",
    "function_call": "tool_use",
}


class TooMany(Exception):
    """More tool calls than any honest answer has."""


@dataclass(slots=True)
class Call:
    """One tool call while it grows."""

    id: str
    name: str = ""
    parts: list[str] = field(default_factory=list[str])
    given: object = None
    size: int = 0

    def add(self, said: object) -> None:
        if isinstance(said, str):
            self.size += len(said)
            if self.size <= LARGEST_INPUT + len(said):
                self.parts.append(said)
        elif said is not None:
            self.given = said

    def block(self, is_cut: bool) -> JSONObject:
        whole = (
            self.given if self.given is not None and not "".join(self.parts).strip() else "".join(self.parts)
        )
        made = blocks.checked_input(whole, cut=is_cut)
        return {"type": "tool_use", "id": self.id, "name": self.name, "input": made}


class Completion:
    """Give it every chunk; `has_finished` once a finish reason came."""

    def __init__(self) -> None:
        self._thinking: list[str] = []
        self._text: list[str] = []
        self._refusal: list[str] = []
        self._calls: list[Call] = []
        self._at: dict[int, Call] = {}
        self.finish: str | None = None
        self.usage: Usage | None = None
        self.has_choices = False

    @property
    def has_finished(self) -> bool:
        return self.finish is not None

    @property
    def streamed(self) -> int:
        return sum(map(len, (*self._text, *self._thinking))) + sum(call.size for call in self._calls)

    def take(self, chunk: Mapping[str, JSON]) -> list[TextDelta | ThinkingDelta]:
        """What followers see of this chunk. Raises TooMany."""
        self._count(chunk)
        seen: list[TextDelta | ThinkingDelta] = []
        for choice in rows(chunk.get("choices"))[:1]:
            self.has_choices = True
            delta = table(choice.get("delta")) or table(choice.get("message"))
            seen += self._grow(delta)
            for call in rows(delta.get("tool_calls")):
                self._call(call)
            finish = choice.get("finish_reason")
            if isinstance(finish, str) and finish:
                self.finish = finish
        return seen

    def _grow(self, delta: Mapping[str, JSON]) -> list[TextDelta | ThinkingDelta]:
        seen: list[TextDelta | ThinkingDelta] = []
        reasoning = delta.get("reasoning_content") or delta.get("reasoning")
        if isinstance(reasoning, str) and reasoning:
            self._thinking.append(reasoning)
            seen.append(ThinkingDelta(reasoning))
        said = delta.get("content")
        if isinstance(said, list):  # Mistral's magistral models send parts
            for part in rows(said):
                text = str(part.get("text") or "")
                thought = "".join(str(t.get("text") or "") for t in rows(part.get("thinking")))
                if thought:
                    self._thinking.append(thought)
                    seen.append(ThinkingDelta(thought))
                seen += self._say(text)
        elif isinstance(said, str):
            seen += self._say(said)
        refusal = delta.get("refusal")
        if isinstance(refusal, str) and refusal:
            self._refusal.append(refusal)
            seen += self._say(refusal)
        return seen

    def _say(self, text: str) -> list[TextDelta | ThinkingDelta]:
        if not text:
            return []
        self._text.append(text)
        return [TextDelta(text)]

    def _call(self, said: Mapping[str, JSON]) -> None:
        function = table(said.get("function"))
        index, own = said.get("index"), str(said.get("id") or "")
        name = function.get("name")
        call = self._growing(index if isinstance(index, int) else None, own, bool(name))
        if isinstance(name, str) and name and not call.name:
            call.name = name
        call.add(function.get("arguments"))

    def _growing(self, index: int | None, own: str, has_name: bool) -> Call:
        """The call this piece belongs to: by index; without one by id; without both the last, if it is no new one."""
        if index is not None:
            call = self._at.get(index)
            is_another = call is not None and own and call.id and own != call.id and has_name
            if call is not None and not is_another:
                call.id = call.id or own
                return call
            self._at[index] = self._new(own)
            return self._at[index]
        if own:
            known = next((call for call in self._calls if call.id == own), None)
            return known if known is not None and not has_name else self._new(own)
        return self._calls[-1] if self._calls and not has_name else self._new("")

    def _new(self, own: str) -> Call:
        if len(self._calls) >= MOST_BLOCKS:
            raise TooMany
        self._calls.append(Call(own))
        return self._calls[-1]

    def _count(self, chunk: Mapping[str, JSON]) -> None:
        said = table(chunk.get("usage")) or table(table(chunk.get("x_groq")).get("usage"))
        if said:
            cost = said.get("cost")
            self.usage = Usage(
                **usage_of(said), cost_usd=float(cost) if isinstance(cost, int | float) and cost > 0 else 0.0
            )

    def content(self) -> list[JSONObject]:
        made: list[JSONObject] = []
        if self._thinking:
            made.append({"type": "thinking", "thinking": "".join(self._thinking)})
        if self._text:
            made.append({"type": "text", "text": "".join(self._text)})
        is_cut = self.finish == "length"
        for call in self._calls:
            made.append(call.block(is_cut and call is self._calls[-1]))
        return made

    def stop(self) -> str | None:
        return "refusal" if self._refusal else _STOPS.get(self.finish or "", self.finish)
