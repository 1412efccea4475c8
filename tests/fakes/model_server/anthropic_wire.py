"""Turns as Anthropic's Messages API speaks them, JSON and server-sent events, down to field order and padding."""

import json
from collections.abc import Iterator, Mapping
from zlib import crc32

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

_DATED = {
    "claude-haiku-4-5": "claude-haiku-4-5-20251001",
    "claude-sonnet-4-5": "claude-sonnet-4-5-20250929",
}


def reply(turn: Turn, blocks: tuple[Block, ...], usage: Spent, model: str, seed: str) -> Body:
    """The answer to a request without `stream`."""
    details = {"output_tokens_details": {"thinking_tokens": usage.thinking}}
    return {
        **_head(model, seed),
        "content": [_whole(block) for block in blocks],
        "stop_reason": turn.stops,
        "stop_sequence": None,
        "stop_details": _stop_details(turn),
        "usage": _usage(usage) | details,
    }


def events(turn: Turn, blocks: tuple[Block, ...], usage: Spent, model: str, seed: str) -> Iterator[Event]:
    started = {
        **_head(model, seed),
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "stop_details": None,
        "usage": _usage(usage) | {"output_tokens": min(usage.output, 4)},
    }
    yield event("message_start", {"message": started})
    for index, block in enumerate(blocks):
        yield event("content_block_start", {"index": index, "content_block": _start(block)})
        if index == 0:
            yield Event("ping", b'event: ping\ndata: {"type": "ping"}\n\n')
        for delta in _deltas(block, turn):
            yield event("content_block_delta", {"index": index, "delta": delta})
        yield event("content_block_stop", {"index": index})
    delta = {"stop_reason": turn.stops, "stop_sequence": None, "stop_details": _stop_details(turn)}
    short = {
        "input_tokens": usage.input,
        "cache_creation_input_tokens": usage.cache_write,
        "cache_read_input_tokens": usage.cache_read,
        "output_tokens": usage.output,
    }
    yield event("message_delta", {"delta": delta, "usage": short})
    yield event("message_stop", {})


def event(name: str, fields: Body) -> Event:
    data = _padded(json.dumps({"type": name, **fields}, ensure_ascii=False, separators=(",", ":")))
    return Event(name, f"event: {name}\ndata: {data}\n\n".encode())


def error_event(fault: ErrorEvent, seed: str) -> bytes:
    """As recorded: the stream is over after it, with no message_stop."""
    error = {"details": None, "type": fault.type, "message": fault.message}
    if fault.bare:
        body = {"type": "error", "error": error, "request_id": request_id(seed)}
        return f"data: {json.dumps(body, separators=(',', ':'))}\n\n".encode()
    text = json.dumps({"type": "error", "error": error}, separators=(",", ":"))
    return f"event: error\ndata: {text[:-1]}              }}\n\n".encode()


def error(fault: Refused, seed: str) -> Body:
    return {
        "type": "error",
        "error": {"type": fault.type, "message": fault.message},
        "request_id": request_id(seed),
    }


def headers(seed: str, status: int) -> Mapping[str, str]:
    shown = {"request-id": request_id(seed), "server": "cloudflare"}
    if status == 200:
        for what, limit in (("requests", 4000), ("input-tokens", 2_000_000), ("output-tokens", 400_000)):
            shown[f"anthropic-ratelimit-{what}-limit"] = str(limit)
            shown[f"anthropic-ratelimit-{what}-remaining"] = str(limit - 1)
            shown[f"anthropic-ratelimit-{what}-reset"] = "2026-05-28T22:15:59Z"
    else:
        shown["x-should-retry"] = "true" if status in (408, 409, 429) or status >= 500 else "false"
    return shown


def models(names: list[str]) -> Body:
    data = [
        {"type": "model", "id": name, "display_name": name, "created_at": "2025-09-29T00:00:00Z"}
        for name in names
    ]
    return {
        "data": data,
        "has_more": False,
        "first_id": names[0] if names else None,
        "last_id": names[-1] if names else None,
    }


def request_id(seed: str) -> str:
    return f"req_011C{made_up(f'request {seed}', 20)}"


def _head(model: str, seed: str) -> Body:
    return {
        "model": _DATED.get(model, model),
        "id": f"msg_01{made_up(f'message {seed}', 22)}",
        "type": "message",
        "role": "assistant",
    }


def _usage(usage: Spent) -> Body:
    return {
        "input_tokens": usage.input,
        "cache_creation_input_tokens": usage.cache_write,
        "cache_read_input_tokens": usage.cache_read,
        "cache_creation": {
            "ephemeral_5m_input_tokens": usage.cache_write - usage.cache_write_1h,
            "ephemeral_1h_input_tokens": usage.cache_write_1h,
        },
        "output_tokens": usage.output,
        "service_tier": "standard",
        "inference_geo": "not_available",
    }


def _stop_details(turn: Turn) -> Body | None:
    if turn.stops != "refusal":
        return None
    return {"type": "refusal", "category": "cyber", "explanation": "This request was refused due to policy."}


def _whole(block: Block) -> Body:
    match block:
        case Text(text):
            return {"type": "text", "text": text}
        case Thinking(thinking, signature):
            return {"type": "thinking", "thinking": thinking, "signature": signature}
        case Redacted(data):
            return {"type": "redacted_thinking", "data": data}
        case ToolUse(name, args, id_, raw):
            given = dict(args) if raw is None else _object(raw)
            return {"type": "tool_use", "id": id_, "name": name, "input": given, "caller": {"type": "direct"}}


def _start(block: Block) -> Body:
    match block:
        case Text():
            return {"type": "text", "text": ""}
        case Thinking():
            return {"type": "thinking", "thinking": "", "signature": ""}
        case Redacted(data):
            return {"type": "redacted_thinking", "data": data}
        case ToolUse(name, _, id_, _):
            return {"type": "tool_use", "id": id_, "name": name, "input": {}, "caller": {"type": "direct"}}


def _deltas(block: Block, turn: Turn) -> Iterator[Body]:
    match block:
        case Text(text):
            for piece in pieces(text, turn.pace.text):
                yield {"type": "text_delta", "text": piece}
        case Thinking(thinking, signature):
            for piece in pieces(thinking, turn.pace.text):
                yield {"type": "thinking_delta", "thinking": piece}
            yield {"type": "signature_delta", "signature": signature}
        case ToolUse(_, args, _, raw):
            yield {"type": "input_json_delta", "partial_json": ""}
            text = raw if raw is not None else json.dumps(dict(args), ensure_ascii=False) if args else ""
            for piece in pieces(text, turn.pace.arguments):
                yield {"type": "input_json_delta", "partial_json": piece}
        case Redacted():
            pass


def _object(raw: str) -> Body:
    """Without streaming the service itself reads the arguments; what it cannot read it leaves empty."""
    try:
        value = json.loads(raw)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _padded(text: str) -> str:
    """The service pads an event's data before its last brace; a reader has to live with it."""
    return f"{text[:-1]}{' ' * (crc32(text.encode()) % 16)}}}"
