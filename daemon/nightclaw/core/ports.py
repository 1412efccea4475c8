"""What the rooms ask of each other, as protocols, so that leaves import only core."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from nightclaw.core.types import JSON, Intake, JSONObject, SignalDraft


class Clock(Protocol):
    """The only source of time. `now_ms` is the wall (UTC), `monotonic` counts seconds without sleep or jumps."""

    def now_ms(self) -> int: ...
    def monotonic(self) -> float: ...


class Journal(Protocol):
    """All that a source may do to the store. Every call returns when it is durable.

    `state` is a source's own small memory (an ETag, a fingerprint table): JSON under keys that begin with the
    source's name (`poll:octo/app:issues`); None is what is not there, and saving None forgets it. `emit` keeps the
    signal and the given states in one transaction, so after a crash either both are there or neither. Raises
    StoreBusy or StoreUnavailable: wait and try again.
    """

    async def emit(self, draft: SignalDraft, states: Mapping[str, JSON] | None = None) -> Intake: ...
    async def emit_all(self, drafts: Sequence[SignalDraft], states: Mapping[str, JSON]) -> list[Intake]: ...
    async def load(self, key: str) -> JSON: ...
    async def load_all(self, prefix: str) -> dict[str, JSON]: ...
    async def save(self, states: Mapping[str, JSON]) -> None: ...
    async def holds(self, source: str, dedupe_keys: Sequence[str]) -> set[str]: ...
    async def facts(self, prefix: str) -> dict[str, JSON]: ...


class Problems(Protocol):
    """Where a part says what is wrong with it now; `status.problems` and doctor show it. None: it is well."""

    def set(self, part: str, problem: str | None, hint: str = "") -> None: ...


@dataclass(frozen=True, slots=True)
class Note:
    """What a notifier delivers: plain text, links only our own."""

    id: str
    title: str
    body: str


class Address(Protocol):
    """One entry of `[notify] urls`. private: may carry links that decide something."""

    @property
    def url(self) -> str: ...
    @property
    def private(self) -> bool: ...


class Notifier(Protocol):
    """One destination. `name` is safe to show (no secrets). Raises DeliveryError."""

    name: str

    def deliver(self, note: Note) -> Awaitable[None]: ...


@dataclass(frozen=True, slots=True)
class TextDelta:
    text: str


@dataclass(frozen=True, slots=True)
class ThinkingDelta:
    text: str


@dataclass(frozen=True, slots=True)
class Restarted:
    """What was streamed so far is void: the answer begins anew (a retry or another model). why: one plain line."""

    why: str


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one model call; cost in dollars. input_tokens counts what was neither read from nor written to the
    prompt cache."""

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cost_usd: float = 0.0

    def as_json(self) -> dict[str, JSON]:
        return {
            "input_tokens": self.input_tokens,
            "output_tokens": self.output_tokens,
            "cache_read_tokens": self.cache_read_tokens,
            "cache_write_tokens": self.cache_write_tokens,
            "cost_usd": round(self.cost_usd, 6),
        }

    def plus(self, other: "Usage") -> "Usage":
        return Usage(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.cache_read_tokens + other.cache_read_tokens,
            self.cache_write_tokens + other.cache_write_tokens,
            self.cost_usd + other.cost_usd,
        )


@dataclass(frozen=True, slots=True)
class ModelCall:
    """One HTTP call to a model, also one that failed: what the ledger keeps. model: `provider/name`. sent_bytes: of
    the request; to: the host it went to."""

    model: str
    usage: Usage
    error: str | None = None
    to: str = ""
    sent_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Reply:
    """The complete answer of a model: content blocks in the shape of Anthropic's Messages API, thinking intact.

    stop_reason: end_turn, tool_use, max_tokens, stop_sequence, refusal. calls: every call it took, the last one
    answered.
    """

    content: Sequence[JSONObject]
    stop_reason: str
    usage: Usage
    model: str
    calls: Sequence[ModelCall] = ()


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """One request. messages: Anthropic Messages shape, oldest first. system and tools are the stable prefix: a
    provider marks them, and the end of the messages, for caching (at most 4 marks)."""

    model: str
    messages: Sequence[JSONObject]
    system: str = ""
    tools: Sequence[JSONObject] = field(default_factory=tuple)
    max_tokens: int = 8192


class Provider(Protocol):
    """One model service. `stream` yields deltas as they come and ends with exactly one Reply. Raises ProviderError."""

    kind: str

    def stream(
        self, request: ModelRequest
    ) -> AsyncIterator[TextDelta | ThinkingDelta | Restarted | Reply]: ...


Factory = Callable[[Mapping[str, JSON], Mapping[str, object]], object]
