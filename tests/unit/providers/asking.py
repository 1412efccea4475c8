"""How the provider tests ask: one turn against a replayed answer, and what was seen of it."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.fakes.clock import FakeClock

from nightclaw.core.errors import ProviderError
from nightclaw.core.ports import ModelRequest, Provider, Reply, Restarted, TextDelta, ThinkingDelta
from nightclaw.core.types import JSON, JSONObject
from nightclaw.providers.anthropic import Anthropic
from nightclaw.providers.ollama import Ollama
from nightclaw.providers.openai import OpenAI
from nightclaw.providers.wire import Deadlines

RECORDINGS = Path(__file__).parents[4] / "shared" / "data" / "llm-wire"
needs_recordings = pytest.mark.skipif(
    not RECORDINGS.is_dir(),
    reason="the recordings of model services are not on this machine (../shared/data/llm-wire)",
)
KEY = "sk-canary-0123456789abcdef"
QUICK = Deadlines(connect_s=5, first_byte_s=0.3, silence_s=0.3, total_s=5)
HELLO: JSONObject = {"role": "user", "content": "Hello"}
TOOL: JSONObject = {
    "name": "Read",
    "description": "Read a file.",
    "input_schema": {
        "type": "object",
        "properties": {"file_path": {"type": "string"}},
        "required": ["file_path"],
    },
}


@dataclass
class Said:
    """What one turn gave. text: as followers see it, from the last restart on."""

    reply: Reply | None = None
    error: ProviderError | None = None
    text: str = ""
    thinking: str = ""
    restarts: list[str] = field(default_factory=list[str])
    parts: list[object] = field(default_factory=list[object])

    @property
    def content(self) -> Sequence[JSONObject]:
        assert self.reply is not None, self.error
        return self.reply.content

    @property
    def calls(self) -> list[JSONObject]:
        """The tool calls of the answer; a failed turn has none."""
        return [b for b in self.reply.content if b.get("type") == "tool_use"] if self.reply else []

    @property
    def kind(self) -> str:
        assert self.error is not None, "the turn did not fail"
        return self.error.kind


async def ask(provider: Provider, request: ModelRequest | None = None, *, close: bool = True) -> Said:
    said = Said()
    try:
        async for part in provider.stream(request or request_of()):
            said.parts.append(part)
            match part:
                case TextDelta(text):
                    said.text += text
                case ThinkingDelta(text):
                    said.thinking += text
                case Restarted(why):
                    said.restarts.append(why)
                    said.text = said.thinking = ""
                case Reply():
                    assert said.reply is None, "a turn has one reply"
                    said.reply = part
    except ProviderError as error:
        said.error = error
    assert (said.reply is None) != (said.error is None)
    done = getattr(provider, "aclose", None)
    if close and done is not None:
        await done()
    return said


def request_of(*messages: JSONObject, **more: object) -> ModelRequest:
    return ModelRequest("m", messages or (HELLO,), **more)  # pyright: ignore[reportArgumentType]


def anthropic(url: str, deadlines: Deadlines | None = None) -> Anthropic:
    return Anthropic("anthropic", url, lambda: KEY, "ANTHROPIC_API_KEY", FakeClock(), deadlines)


def openai(url: str, deadlines: Deadlines | None = None) -> OpenAI:
    return OpenAI("openai", url, lambda: KEY, "OPENAI_API_KEY", FakeClock(), deadlines)


def ollama(url: str, deadlines: Deadlines | None = None) -> Ollama:
    return Ollama("ollama", url, FakeClock(), deadlines)


BOTH: dict[str, Callable[[str, Deadlines | None], Anthropic | OpenAI]] = {
    "anthropic": anthropic,
    "openai": openai,
}


def anthropic_events(*blocks: JSONObject, stop: str = "end_turn", pieces: int = 1) -> bytes:
    """A stream of the Messages API that says these blocks; tool input given as str goes out as it is."""
    events: list[JSONObject] = [
        {
            "type": "message_start",
            "message": {"role": "assistant", "usage": {"input_tokens": 10, "output_tokens": 1}},
        }
    ]
    for index, block in enumerate(blocks):
        head: dict[str, JSON] = dict(block)
        delta: dict[str, JSON] = {}
        if block["type"] == "tool_use":
            given = head["input"]
            head["input"] = {}
            delta = {
                "type": "input_json_delta",
                "partial_json": given if isinstance(given, str) else json.dumps(given),
            }
        elif block["type"] == "text":
            delta = {"type": "text_delta", "text": head["text"]}
            head["text"] = ""
        events.append({"type": "content_block_start", "index": index, "content_block": head})
        if delta:
            events.append({"type": "content_block_delta", "index": index, "delta": delta})
        events.append({"type": "content_block_stop", "index": index})
    events.append({"type": "message_delta", "delta": {"stop_reason": stop}, "usage": {"output_tokens": 20}})
    events.append({"type": "message_stop"})
    return sse(*events)


def sse(*events: JSONObject) -> bytes:
    return b"".join(b"event: %b\ndata: %b\n\n" % (str(e["type"]).encode(), _json(e)) for e in events)


def chunks(*chunks: object, done: bool = True) -> bytes:
    """A chat completion's stream."""
    lines = [b"data: " + _json(chunk) for chunk in chunks] + ([b"data: [DONE]"] if done else [])
    return b"".join(line + b"\n\n" for line in lines)


def delta(finish: str | None = None, **said: object) -> dict[str, object]:
    return {"choices": [{"index": 0, "delta": said, "finish_reason": finish}]}


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()
