"""Turns as OpenAI's chat completions speak them, JSON and server-sent chunks."""

import json
from collections.abc import Iterator, Mapping

from tests.fakes.model_server.events import Event, made_up, pieces
from tests.fakes.model_server.turns import (
    Block,
    Body,
    ErrorEvent,
    Redacted,
    Refused,
    Spent,
    Text,
    Thinking,
    ToolUse,
    Turn,
)

_CREATED = 1_774_963_589
_FINISH = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "tool_use": "tool_calls",
    "max_tokens": "length",
    "refusal": "content_filter",
}
_TYPES = {
    "authentication_error": "invalid_request_error",
    "not_found_error": "invalid_request_error",
    "request_too_large": "invalid_request_error",
    "rate_limit_error": "requests",
    "api_error": "server_error",
    "overloaded_error": "server_error",
}


def reply(turn: Turn, blocks: tuple[Block, ...], usage: Spent, model: str, seed: str) -> Body:
    message: Body = {"role": "assistant", "content": _text(blocks), "refusal": None, "annotations": []}
    thought = "".join(block.thinking for block in blocks if isinstance(block, Thinking))
    if thought:
        message["reasoning_content"] = thought
    uses = [block for block in blocks if isinstance(block, ToolUse)]
    if uses:
        message["tool_calls"] = [
            {"id": use.id, "type": "function", "function": {"name": use.name, "arguments": arguments(use)}}
            for use in uses
        ]
    finish = _FINISH.get(turn.stops, turn.stops)
    return {
        "id": _id(seed),
        "object": "chat.completion",
        "created": _CREATED,
        "model": model,
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": finish}],
        "usage": _usage(usage),
        "service_tier": "default",
        "system_fingerprint": "fp_d0469e1700",
    }


def events(
    turn: Turn, blocks: tuple[Block, ...], usage: Spent, model: str, seed: str, with_usage: bool
) -> Iterator[Event]:
    """with_usage: the request asked for it; else no chunk has the field and the last one is not sent."""

    def chunk(delta: Body | None, finish: str | None = None, final: Body | None = None) -> Event:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        body: Body = {
            "id": _id(seed),
            "object": "chat.completion.chunk",
            "created": _CREATED,
            "model": model,
            "service_tier": "default",
            "system_fingerprint": "fp_d0469e1700",
            "choices": [] if delta is None else [choice],
        }
        if with_usage:
            body["usage"] = final
        body["obfuscation"] = made_up(f"{seed} {json.dumps(delta)}", 2 + len(str(delta)) % 13)
        text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
        return Event("finish" if finish else "chunk", f"data: {text}\n\n".encode())

    uses = [block for block in blocks if isinstance(block, ToolUse)]
    only_tools = bool(uses) and len(uses) == len(blocks)
    if only_tools and len(uses) == 1:
        first = {"role": "assistant", "content": None, "tool_calls": [_named(0, uses[0])], "refusal": None}
        yield chunk(first)
    elif only_tools:
        yield chunk({"role": "assistant", "content": None})
    else:
        yield chunk({"role": "assistant", "content": "", "refusal": None})
    for delta in _deltas(turn, blocks, skip_first=only_tools and len(uses) == 1):
        yield chunk(delta)
    yield chunk({}, _FINISH.get(turn.stops, turn.stops))
    if with_usage:
        yield chunk(None, final=_usage(usage))
    yield Event("done", b"data: [DONE]\n\n")


def error_event(fault: ErrorEvent, seed: str) -> bytes:
    body = {"error": {"message": fault.message, "type": _TYPES.get(fault.type, fault.type), "code": None}}
    if fault.bare:
        body["error"]["request_id"] = f"req_{made_up(seed, 32).lower()}"
    return f"data: {json.dumps(body, separators=(',', ':'))}\n\n".encode()


def error(fault: Refused) -> Body:
    type_ = "insufficient_quota" if fault.code == "insufficient_quota" else _TYPES.get(fault.type, fault.type)
    return {"error": {"message": fault.message, "type": type_, "param": None, "code": fault.code}}


def headers(seed: str, status: int) -> Mapping[str, str]:
    shown = {
        "openai-processing-ms": "512",
        "openai-version": "2020-10-01",
        "x-request-id": f"req_{made_up(seed, 32).lower()}",
    }
    if status == 200:
        for what, limit in (("requests", 10_000), ("tokens", 50_000_000)):
            shown[f"x-ratelimit-limit-{what}"] = str(limit)
            shown[f"x-ratelimit-remaining-{what}"] = str(limit - 1)
            shown[f"x-ratelimit-reset-{what}"] = "6ms"
    return shown


def models(names: list[str]) -> Body:
    data = [{"id": name, "object": "model", "created": _CREATED, "owned_by": "system"} for name in names]
    return {"object": "list", "data": data}


def arguments(use: ToolUse) -> str:
    if use.raw is not None:
        return use.raw
    return json.dumps(dict(use.input), ensure_ascii=False, separators=(",", ":"))


def _deltas(turn: Turn, blocks: tuple[Block, ...], skip_first: bool) -> Iterator[Body]:
    index = -1
    for block in blocks:
        match block:
            case Text(text):
                yield from ({"content": piece} for piece in pieces(text, turn.pace.text))
            case Thinking(thinking, _):
                yield from ({"reasoning_content": piece} for piece in pieces(thinking, turn.pace.text))
            case ToolUse():
                index += 1
                if not (skip_first and index == 0):
                    yield {"tool_calls": [_named(index, block)]}
                for piece in pieces(arguments(block), turn.pace.arguments):
                    yield {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}
            case Redacted():
                pass


def _named(index: int, use: ToolUse) -> Body:
    function = {"name": use.name, "arguments": ""}
    return {"index": index, "id": use.id, "type": "function", "function": function}


def _text(blocks: tuple[Block, ...]) -> str | None:
    said = [block.text for block in blocks if isinstance(block, Text)]
    return "".join(said) if said else None


def _usage(usage: Spent) -> Body:
    return {
        "prompt_tokens": usage.all_input,
        "completion_tokens": usage.output,
        "total_tokens": usage.all_input + usage.output,
        "prompt_tokens_details": {"cached_tokens": usage.cache_read, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": usage.thinking,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def _id(seed: str) -> str:
    return f"chatcmpl-{made_up(f'completion {seed}', 29)}"
