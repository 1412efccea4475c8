"""Anthropic's stream of events becomes one message.

Source: https://docs.anthropic.com/en/docs/build-with-claude/streaming. Blocks and deltas of kinds we do not know are
put together by their shape, so that they can be sent back as they came. A message counts only with its stop reason and
its `message_stop`; a second `message_start` voids what came before it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from nightclaw.core.ports import Restarted, TextDelta, ThinkingDelta, Usage
from nightclaw.core.types import JSON, JSONObject
from nightclaw.providers import blocks
from nightclaw.providers.blocks import LARGEST_INPUT, MOST_BLOCKS, number, rows, table

_COUNTED = ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")


class Disorder(Exception):
    """The stream contradicts itself; what it said cannot be trusted."""


@dataclass(slots=True)
class Block:
    """One block while it grows: `head` as it began, `parts` the pieces of its texts."""

    head: dict[str, JSON]
    parts: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    size: int = 0
    is_closed: bool = False

    def add(self, key: str, text: str) -> None:
        self.size += len(text)
        if key != "partial_json" or self.size <= LARGEST_INPUT + len(text):
            self.parts.setdefault(key, []).append(text)

    def built(self, is_cut: bool) -> JSONObject:
        made = dict(self.head)
        for key, parts in self.parts.items():
            if key != "partial_json":
                before = made.get(key)
                made[key] = (before if isinstance(before, str) else "") + "".join(parts)
        if made.get("type") in ("tool_use", "server_tool_use", "mcp_tool_use"):
            said = "".join(self.parts.get("partial_json", ()))
            first = made.get("input")
            if said or not first:
                made["input"] = blocks.tool_input(said, cut=is_cut)
            else:
                made["input"] = blocks.checked_input(first)
        return made


class Message:
    """Give it every event; ask for `content` once it `is_complete`."""

    def __init__(self) -> None:
        self._blocks: dict[int, Block] = {}
        self._usage: dict[str, JSON] = {}
        self._has_begun = False
        self._ended = False
        self.stop: str | None = None
        self.streamed = 0

    @property
    def is_complete(self) -> bool:
        return self._ended and self.stop is not None

    def take(self, event: Mapping[str, JSON]) -> TextDelta | ThinkingDelta | Restarted | None:
        """What followers see of this event. Raises Disorder. Errors and pings are not for here."""
        kind = event.get("type")
        if kind == "message_start":
            return self._begin(table(event.get("message")))
        if kind == "content_block_start":
            self._open(event.get("index"), table(event.get("content_block")))
        elif kind == "content_block_delta":
            return self._grow(self._block(event.get("index")), table(event.get("delta")))
        elif kind == "content_block_stop":
            self._block(event.get("index")).is_closed = True
        elif kind == "message_delta":
            stop = table(event.get("delta")).get("stop_reason")
            self.stop = stop if isinstance(stop, str) else self.stop
            self._count(table(event.get("usage")))
        elif kind == "message_stop":
            self._ended = True
        return None

    def _begin(self, message: Mapping[str, JSON]) -> Restarted | None:
        again = self._has_begun
        self._blocks.clear()
        self._has_begun, self.stop = True, None
        self._count(table(message.get("usage")))
        return Restarted("the service began its answer anew") if again else None

    def _open(self, index: JSON, block: Mapping[str, JSON]) -> None:
        if not self._has_begun or not isinstance(index, int) or index in self._blocks or not block:
            raise Disorder("a block begins where none can")
        if len(self._blocks) >= MOST_BLOCKS:
            raise Disorder(f"more than {MOST_BLOCKS} blocks")
        self._blocks[index] = Block(dict(block))

    def _block(self, index: JSON) -> Block:
        block = self._blocks.get(index) if isinstance(index, int) else None
        if block is None or block.is_closed:
            raise Disorder("a piece of a block that is not open")
        return block

    def _grow(self, block: Block, delta: Mapping[str, JSON]) -> TextDelta | ThinkingDelta | None:
        kind = delta.get("type")
        for key, value in delta.items():
            if key == "type":
                continue
            if key == "citation":
                cited = block.head.get("citations")
                block.head["citations"] = [*(cited if isinstance(cited, list) else ()), value]
            elif key == "signature" or not isinstance(value, str):
                block.head[key] = value
            else:
                block.add(key, value)
                self.streamed += len(value)
        if kind == "text_delta":
            return TextDelta(str(delta.get("text") or ""))
        return ThinkingDelta(str(delta.get("thinking") or "")) if kind == "thinking_delta" else None

    def _count(self, usage: Mapping[str, JSON]) -> None:
        self._usage.update({key: value for key, value in usage.items() if value is not None})

    @property
    def usage(self) -> Usage:
        return usage_of(self._usage)

    def content(self) -> list[JSONObject]:
        """The blocks in their order. Raises Disorder when a tool call was never finished."""
        found: list[JSONObject] = []
        for index in sorted(self._blocks):
            block = self._blocks[index]
            if not block.is_closed and block.head.get("type") == "tool_use":
                raise Disorder("a tool call without an end")
            is_last = index == max(self._blocks)
            found.append(block.built(is_cut=is_last and self.stop == "max_tokens"))
        return found


def usage_of(said: Mapping[str, JSON]) -> Usage:
    """Tokens as billed: where a service worked in several rounds, those of every round."""
    rounds: Sequence[Mapping[str, JSON]] = rows(said.get("iterations")) or [said]
    total = {key: sum(number(one.get(key)) for one in rounds) for key in _COUNTED}
    return Usage(*(total[key] for key in _COUNTED))


def whole(message: Mapping[str, JSON]) -> tuple[list[JSONObject], str | None]:
    """Blocks and stop reason of a message that came in one piece."""
    stop = message.get("stop_reason")
    content: list[JSONObject] = []
    given = rows(message.get("content"))
    for n, block in enumerate(given):
        if block.get("type") == "tool_use":
            is_cut = stop == "max_tokens" and n == len(given) - 1
            found = block.get("input")
            block = {**block, "input": blocks.checked_input(found or None, cut=is_cut)}
        content.append(block)
    return content, stop if isinstance(stop, str) else None
