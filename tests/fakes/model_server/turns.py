"""What a scripted model says in one turn, and how the wire may fail while it says it.

A Turn is protocol-free: the same one is spoken as Anthropic Messages or as OpenAI chat completions.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from tests.fakes.model_server.gate import Gate

if TYPE_CHECKING:
    from tests.fakes.model_server.asked import Asked

Body = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Text:
    text: str


@dataclass(frozen=True, slots=True)
class Thinking:
    """signature "": one is made from the text."""

    thinking: str
    signature: str = ""


@dataclass(frozen=True, slots=True)
class Redacted:
    data: str


@dataclass(frozen=True, slots=True)
class ToolUse:
    """id "": one is made. raw: sent as the arguments as it stands, valid JSON or not."""

    name: str
    input: Mapping[str, Any] = field(default_factory=dict)
    id: str = ""
    raw: str | None = None


Block = Text | Thinking | Redacted | ToolUse
Expect = str | re.Pattern[str] | Callable[["Asked"], object] | Sequence[Any]


@dataclass(frozen=True, slots=True)
class Spent:
    """Tokens of one call as the API reports them. input: neither read from nor written to the cache."""

    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0
    cache_write_1h: int = 0
    thinking: int = 0

    @property
    def all_input(self) -> int:
        return self.input + self.cache_read + self.cache_write


@dataclass(frozen=True, slots=True)
class Refused:
    """An HTTP answer other than 200. body: sent as it stands (a proxy's page) instead of the API's error."""

    status: int
    type: str
    message: str
    headers: Mapping[str, str] = field(default_factory=dict)
    code: str | None = None
    body: bytes | None = None
    content_type: str = "application/json"


@dataclass(frozen=True, slots=True)
class Silence:
    """Nothing more comes until the gate opens. after: before the status line, after the headers, or after n events."""

    gate: Gate
    after: Literal["request", "headers"] | int = "request"


@dataclass(frozen=True, slots=True)
class Cut:
    """The connection ends after `at` bytes of the body, at the latest after all. clean: as if they were the body."""

    at: int
    manner: Literal["close", "reset", "clean"] = "close"


@dataclass(frozen=True, slots=True)
class ErrorEvent:
    """An error inside a 200 stream after n events, then the end. bare: without the `event:` line, with a request id."""

    after: int = 2
    type: str = "overloaded_error"
    message: str = "Overloaded"
    bare: bool = False


@dataclass(frozen=True, slots=True)
class Garbled:
    """The n-th event (of a JSON answer: the body) carries these bytes instead of its data."""

    event: int
    data: bytes = b'{"type":"content_block_delta","index":0,"delta":{"type":"text_de'


Fault = Refused | Silence | Cut | ErrorEvent | Garbled


@dataclass(frozen=True, slots=True)
class Pace:
    """text, arguments: characters a delta carries. writes: sizes of the socket writes, in a cycle (default: one an
    event). gates: waited for before the n-th event."""

    text: int = 24
    arguments: int = 16
    writes: tuple[int, ...] = ()
    gates: Mapping[int, Gate] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Turn:
    """stop_reason None: tool_use when a tool is called, else end_turn. usage None: estimated. drop: names of events
    left out. insert: bytes sent before the n-th event."""

    blocks: tuple[Block, ...] = ()
    expect: Expect | None = None
    fault: Fault | None = None
    stop_reason: str | None = None
    usage: Spent | None = None
    pace: Pace = field(default_factory=Pace)
    drop: frozenset[str] = frozenset()
    insert: Mapping[int, bytes] = field(default_factory=dict)

    @property
    def stops(self) -> str:
        if self.stop_reason is not None:
            return self.stop_reason
        return "tool_use" if any(isinstance(block, ToolUse) for block in self.blocks) else "end_turn"


def say(text: str, *, think: str = "", expect: Expect | None = None, **more: Any) -> Turn:
    return Turn((*_thought(think), Text(text)), expect, **more)


def call(
    name: str,
    args: Mapping[str, Any] | None = None,
    *,
    text: str = "",
    think: str = "",
    expect: Expect | None = None,
    **more: Any,
) -> Turn:
    return calls(ToolUse(name, args or {}), text=text, think=think, expect=expect, **more)


def calls(*uses: ToolUse, text: str = "", think: str = "", expect: Expect | None = None, **more: Any) -> Turn:
    said = (Text(text),) if text else ()
    return Turn((*_thought(think), *said, *uses), expect, **more)


def _thought(think: str) -> tuple[Thinking, ...]:
    return (Thinking(think),) if think else ()


def refuses(text: str = "") -> Turn:
    """The model itself declines."""
    return Turn((Text(text),) if text else (), stop_reason="refusal")


def repeated(use: ToolUse, times: int = 2) -> Turn:
    """The same tool call, with one id, several times in one answer."""
    named = ToolUse(use.name, use.input, use.id or "toolu_01TwiceTwiceTwiceTwice", use.raw)
    return Turn((named,) * times)


def truncated(name: str, raw: str) -> Turn:
    """A tool call that ran into max_tokens: its arguments end in the middle."""
    return Turn((ToolUse(name, raw=raw),), stop_reason="max_tokens")


def huge(name: str, argument: str, size: int = 10_000_000) -> Turn:
    return Turn((ToolUse(name, {argument: "x" * size}),), pace=Pace(arguments=65_536))


def unauthorized() -> Turn:
    return fails(401, "authentication_error", "invalid x-api-key", code="invalid_api_key")


def unknown_model(model: str) -> Turn:
    return fails(404, "not_found_error", f"model: {model}", code="model_not_found")


def too_large() -> Turn:
    return fails(413, "request_too_large", "Request exceeds the maximum size")


def rate_limited(retry_after: float | str | None = None) -> Turn:
    headers = {} if retry_after is None else {"retry-after": str(retry_after)}
    return fails(
        429,
        "rate_limit_error",
        "This request would exceed your organization's rate limit.",
        headers,
        code="rate_limit_exceeded",
    )


def out_of_money() -> Turn:
    """A cap, not a hiccup: trying again helps nothing."""
    return fails(
        400,
        "invalid_request_error",
        "Your credit balance is too low to access the API. Please go to Plans & Billing to upgrade.",
        code="insufficient_quota",
    )


def server_error() -> Turn:
    return fails(500, "api_error", "Internal server error")


def overloaded() -> Turn:
    return fails(529, "overloaded_error", "Overloaded")


def bad_gateway() -> Turn:
    title = b"<head><title>502 Bad Gateway</title></head>"
    page = b"<html>\r\n%s\r\n<body><h1>502 Bad Gateway</h1></body>\r\n</html>\r\n" % title
    return Turn(fault=Refused(502, "", "", body=page, content_type="text/html"))


def context_overflow(tokens: int = 208_310, limit: int = 200_000) -> Turn:
    message = f"prompt is too long: {tokens} tokens > {limit} maximum"
    return fails(400, "invalid_request_error", message, code="context_length_exceeded")


def fails(
    status: int, type_: str, message: str, headers: Mapping[str, str] | None = None, code: str | None = None
) -> Turn:
    return Turn(fault=Refused(status, type_, message, headers or {}, code))
