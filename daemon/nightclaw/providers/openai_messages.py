"""A conversation in Anthropic's shape becomes chat completions, for OpenAI and the many that speak like it.

Tool results become `tool` messages right after the call they answer; images and blocks of other services are named, not
sent; thinking is dropped, except where a vendor wants its own `reasoning_content` back while tools are being used.
Source: https://platform.openai.com/docs/api-reference/chat/create, https://api-docs.deepseek.com/guides/thinking_mode
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nightclaw.core.ports import ModelRequest
from nightclaw.core.types import JSON, JSONObject
from nightclaw.providers.blocks import number, rows, table

_WANTS_REASONING = re.compile(r"deepseek|moonshot|kimi", re.IGNORECASE)
_MISTRAL_ID = re.compile(r"[A-Za-z0-9]{9}")


@dataclass(slots=True)
class Dialect:
    """How one server differs. The flags are learned from what it refuses, once a process."""

    host: str
    with_usage: bool = True
    newer_limit: bool = False

    @classmethod
    def of(cls, host: str) -> "Dialect":
        return cls(host, with_usage=not host.endswith("mistral.ai"), newer_limit=host.endswith("openai.com"))

    def learn(self, refusal: str) -> bool:
        """True when the request can be worded differently now."""
        if self.with_usage and re.search(r"stream_options|include_usage", refusal):
            self.with_usage = False
            return True
        if self.newer_limit and re.search(r"max_completion_tokens", refusal):
            self.newer_limit = False
            return True
        if not self.newer_limit and re.search(
            r"'?max_tokens'?.*(?:not supported|max_completion_tokens)", refusal
        ):
            self.newer_limit = True
            return True
        return False


def body_of(request: ModelRequest, dialect: Dialect) -> dict[str, JSON]:
    made: dict[str, JSON] = {
        "model": request.model,
        "messages": messages_of(request, dialect.host),
        "stream": True,
        "max_completion_tokens" if dialect.newer_limit else "max_tokens": request.max_tokens,
    }
    if dialect.with_usage:
        made["stream_options"] = {"include_usage": True}
    if request.tools:
        made["tools"] = tools_of(request.tools)
    return made


def tools_of(tools: Sequence[JSONObject]) -> list[JSON]:
    return [
        {
            "type": "function",
            "function": {
                "name": tool.get("name"),
                "description": tool.get("description") or "",
                "parameters": tool.get("input_schema") or {"type": "object", "properties": {}},
            },
        }
        for tool in tools
    ]


def messages_of(request: ModelRequest, host: str) -> list[JSON]:
    made: list[JSON] = [{"role": "system", "content": request.system}] if request.system else []
    wants_reasoning = bool(_WANTS_REASONING.search(f"{host} {request.model}"))
    turn = _last_question(request.messages) if wants_reasoning else len(request.messages)
    for n, message in enumerate(request.messages):
        content = message.get("content")
        if message.get("role") == "assistant":
            made.append(_assistant(content, host, with_reasoning=n > turn))
        elif message.get("role") == "system":
            made.append({"role": "system", "content": text_of(content)})
        else:
            made.extend(_user(content, host))
    return made


def _last_question(messages: Sequence[JSONObject]) -> int:
    """Where the current turn began: the last user message that is more than tool results."""
    for n in range(len(messages) - 1, -1, -1):
        content = messages[n].get("content")
        if messages[n].get("role") == "user" and (
            isinstance(content, str) or any(b.get("type") != "tool_result" for b in rows(content))
        ):
            return n
    return -1


def _assistant(content: object, host: str, *, with_reasoning: bool) -> JSONObject:
    if isinstance(content, str):
        return {"role": "assistant", "content": content}
    given = rows(content)
    calls: list[JSON] = [
        {
            "id": call_id(block.get("id"), host),
            "type": "function",
            "function": {
                "name": block.get("name"),
                "arguments": json.dumps(block.get("input") or {}, ensure_ascii=False, separators=(",", ":")),
            },
        }
        for block in given
        if block.get("type") == "tool_use"
    ]
    said = "".join(str(b.get("text") or "") for b in given if b.get("type") == "text")
    made: dict[str, JSON] = {"role": "assistant", "content": said or (None if calls else "")}
    if calls:
        made["tool_calls"] = calls
    if with_reasoning:
        made["reasoning_content"] = "".join(
            str(b.get("thinking") or "") for b in given if b.get("type") == "thinking"
        )
    return made


def _user(content: object, host: str) -> list[JSONObject]:
    if isinstance(content, str):
        return [{"role": "user", "content": content}]
    given = rows(content)
    made: list[JSONObject] = []
    for block in given:
        if block.get("type") == "tool_result":
            said = text_of(block.get("content"))
            made.append(
                {
                    "role": "tool",
                    "tool_call_id": call_id(block.get("tool_use_id"), host),
                    "content": f"[error] {said}" if block.get("is_error") else said,
                }
            )
    rest = [block for block in given if block.get("type") != "tool_result"]
    if rest:
        made.append({"role": "user", "content": text_of(rest)})
    return made


def text_of(content: object) -> str:
    """The words of some content; what cannot be sent is named."""
    if isinstance(content, str):
        return content
    parts: list[str] = []
    for block in rows(content):
        kind = str(block.get("type"))
        parts.append(str(block.get("text") or "") if kind == "text" else f"[{kind} left out]")
    return "\n".join(parts)


def call_id(own: object, host: str) -> str:
    """A call's id as this server takes it: Mistral wants exactly 9 letters or digits, the others at most 40."""
    text = str(own or "")
    if host.endswith("mistral.ai"):
        return text if _MISTRAL_ID.fullmatch(text) else hashlib.sha256(text.encode()).hexdigest()[:9]
    return text if len(text) <= 40 else f"call_{hashlib.sha256(text.encode()).hexdigest()[:24]}"


def usage_of(said: Mapping[str, JSON]) -> dict[str, int]:
    """Tokens of a `usage` object: prompt without what came from or went to the cache, and those apart."""
    details = table(said.get("prompt_tokens_details"))
    read = number(details.get("cached_tokens")) or number(said.get("prompt_cache_hit_tokens"))
    wrote = number(details.get("cache_write_tokens")) or number(details.get("cache_creation_tokens"))
    prompt = number(said.get("prompt_tokens")) or number(said.get("input_tokens"))
    return {
        "input_tokens": max(prompt - read - wrote, 0),
        "output_tokens": number(said.get("completion_tokens")) or number(said.get("output_tokens")),
        "cache_read_tokens": read,
        "cache_write_tokens": wrote,
    }
