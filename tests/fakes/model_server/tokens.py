"""Tokens, prompt caches and prices, near enough to the real services to hold budgets and caching against.

The estimate is deterministic and needs no vocabulary: a word costs one token a started seven letters, digits one a
three, every other mark one, a line break one, a single space nothing, a character beyond ASCII one. Against the
recorded exchanges nearly all are within a quarter and their mean within a tenth. What a service adds unseen (the
tool preamble, the frame of a message) is counted as recorded.
"""

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

from tests.fakes.model_server.asked import Asked, texts_of
from tests.fakes.model_server.turns import Block, Body, Redacted, Spent, Text, Thinking, ToolUse

_PIECES = re.compile(r"[A-Za-z]+|[0-9]+|[ \t]+|[\r\n]+|[^\sA-Za-z0-9\x00-\x7f]+|[^\sA-Za-z0-9]")
_TOOL_PREAMBLE = {"anthropic": 470, "openai": 10}
_MESSAGE_FRAME = {"anthropic": 4, "openai": 3}
_TOOL_BLOCK = {"anthropic": 25, "openai": 4}
_LOOK_BACK = 20


@lru_cache(maxsize=8192)
def estimate(text: str) -> int:
    """Tokens of a text."""
    count = 0
    for piece in _PIECES.findall(text):
        first = piece[0]
        if not first.isascii():
            count += len(piece)
        elif first.isalpha():
            count += -(-len(piece) // 7)
        elif first.isdigit():
            count += -(-len(piece) // 3)
        elif first in " \t":
            count += len(piece) > 1
        else:
            count += 1
    return count


def bare(block: Body) -> Body:
    """Without its cache marks, also those inside."""
    kept = {key: value for key, value in block.items() if key != "cache_control"}
    if isinstance(kept.get("content"), list):
        kept["content"] = [bare(one) if isinstance(one, dict) else one for one in kept["content"]]
    return kept


def rendered(value: object) -> str:
    """The bytes that count for a cache: key order kept, nothing sorted."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of the prompt in the order it is cached: tools, system, messages. mark: its cache mark's lifetime in
    seconds."""

    text: str
    tokens: int
    mark: float | None = None


def segments(asked: Asked) -> list[Segment]:
    found = []
    for n, tool in enumerate(asked.tools):
        tokens = tool_tokens(tool, asked.protocol) + (0 if n else _TOOL_PREAMBLE[asked.protocol])
        found.append(Segment(rendered(bare(tool)), tokens, _mark(tool)))
    for block in asked.system:
        found.append(Segment(rendered(bare(block)), _block_tokens(block, asked.protocol), _mark(block)))
    for message in asked.messages:
        frame = _MESSAGE_FRAME[asked.protocol]
        for block in message["content"]:
            text = f"{message['role']} {rendered(bare(block))}"
            found.append(Segment(text, frame + _block_tokens(block, asked.protocol), _mark(block)))
            frame = 0
    top = _mark(asked.body)
    if top is not None and found:
        last = found[-1]
        found[-1] = Segment(last.text, last.tokens, top)
    return found


def tools_tokens(asked: Asked) -> int:
    """Of the tools as written, without the service's preamble."""
    return sum(tool_tokens(tool, asked.protocol) for tool in asked.tools)


def tool_tokens(tool: Body, protocol: str) -> int:
    tokens = estimate(rendered(bare(tool)))
    return tokens // 2 if protocol == "openai" else tokens


def said_tokens(blocks: tuple[Block, ...]) -> tuple[int, int]:
    """(all, of them thinking)"""
    thinking = said = 0
    for block in blocks:
        match block:
            case Text(text):
                said += estimate(text)
            case Thinking(text, _):
                thinking += estimate(text)
            case Redacted(data):
                thinking += len(data) // 8
            case ToolUse(name, args, _, raw):
                said += _TOOL_BLOCK["anthropic"] + estimate(name)
                said += estimate(rendered(dict(args)) if raw is None else raw)
    return said + thinking, thinking


def _block_tokens(block: Body, protocol: str) -> int:
    kind = block.get("type")
    if kind == "tool_use":
        return (
            _TOOL_BLOCK[protocol] + estimate(str(block.get("name"))) + estimate(rendered(block.get("input")))
        )
    if kind == "tool_result":
        return _TOOL_BLOCK[protocol] + sum(map(estimate, texts_of([block])))
    if kind == "thinking":
        return estimate(str(block.get("thinking")))
    return sum(map(estimate, texts_of([block])))


def _mark(block: Body) -> float | None:
    control = block.get("cache_control")
    if control is None and isinstance(block.get("content"), list):
        marks = [_mark(one) for one in block["content"] if isinstance(one, dict)]
        return next((mark for mark in marks if mark is not None), None)
    if not isinstance(control, dict):
        return None
    return 3600.0 if control.get("ttl") == "1h" else 300.0


@dataclass
class PromptCache:
    """Both services' caches. now: seconds, monotonic.

    Anthropic keeps the prefix up to each mark for 5 minutes (or the hour the mark asks for) since its last use, from
    a least size on, and looks back up to 20 blocks from a mark. OpenAI keeps every prefix by itself, from 1024
    tokens on, in steps of 128.
    """

    now: Callable[[], float]
    _kept: dict[bytes, float] = field(default_factory=dict)
    _texts: dict[str, list[tuple[float, str]]] = field(default_factory=dict)

    def charge(self, asked: Asked, parts: list[Segment]) -> Spent:
        if asked.protocol == "openai":
            return self._openai(asked.model, parts)
        return self._anthropic(asked.model, parts)

    def _anthropic(self, model: str, parts: list[Segment]) -> Spent:
        total, least, now = 0, least_cached(model), self.now()
        keys: list[bytes] = []
        sums: list[int] = []
        running = hashlib.sha256(model.encode())
        for part in parts:
            running.update(part.text.encode() + b"\0")
            keys.append(running.digest())
            total += part.tokens
            sums.append(total)
        marks = [n for n, part in enumerate(parts) if part.mark is not None and sums[n] >= least]
        read = -1
        for mark in marks:
            for n in range(mark, max(mark - _LOOK_BACK, -1), -1):
                if self._kept.get(keys[n], -1.0) >= now and n > read:
                    read = n
                    break
        hour = 0
        for mark in marks:
            ttl = parts[mark].mark or 0.0
            self._kept[keys[mark]] = max(now + ttl, self._kept.get(keys[mark], 0.0))
            if ttl > 300 and mark > read:
                hour = sums[mark] - (sums[read] if read >= 0 else 0)
        if read >= 0:
            self._kept[keys[read]] = max(now + 300.0, self._kept[keys[read]])
        was_read = sums[read] if read >= 0 else 0
        written = max(sums[marks[-1]] - was_read, 0) if marks else 0
        return Spent(total - was_read - written, 0, was_read, written, hour)

    def _openai(self, model: str, parts: list[Segment]) -> Spent:
        now, total = self.now(), sum(part.tokens for part in parts)
        text = "\0".join(part.text for part in parts)
        kept = [(at, old) for at, old in self._texts.get(model, []) if at >= now]
        same = max((_same(text, old) for _, old in kept), default=0)
        cached = 0
        for part in parts:
            if same < len(part.text):
                cached += int(part.tokens * same / max(len(part.text), 1))
                break
            cached += part.tokens
            same -= len(part.text) + 1
        cached = cached // 128 * 128 if cached >= 1024 else 0
        self._texts[model] = [*kept[-63:], (now + 300.0, text)]
        return Spent(total - cached, 0, cached)


def _same(one: str, other: str) -> int:
    """How many characters two texts begin with in common, by halving: they are long."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def least_cached(model: str) -> int:
    """Shorter prefixes are not cached, and nothing says so."""
    return 4096 if re.search(r"haiku-4-5|opus-4-[5-9]", model) else 1024


@dataclass(frozen=True, slots=True)
class Price:
    """Dollars a million tokens."""

    input: float
    output: float
    cache_read: float
    cache_write: float
    cache_write_1h: float

    def of(self, spent: Spent) -> float:
        written = spent.cache_write - spent.cache_write_1h
        dollars = spent.input * self.input + spent.output * self.output
        dollars += spent.cache_read * self.cache_read
        dollars += written * self.cache_write + spent.cache_write_1h * self.cache_write_1h
        return dollars / 1_000_000


def _claude(input_: float, output: float) -> Price:
    return Price(input_, output, input_ * 0.1, input_ * 1.25, input_ * 2)


def _gpt(input_: float, output: float, read: float) -> Price:
    return Price(input_, output, read, input_, input_)


PRICES: list[tuple[str, Price]] = [
    ("haiku", _claude(1, 5)),
    ("opus-(4-[5-9]|5)", _claude(5, 25)),
    ("opus", _claude(15, 75)),
    ("sonnet", _claude(3, 15)),
    ("gpt-4o-mini", _gpt(0.15, 0.6, 0.075)),
    ("gpt-4.1-mini", _gpt(0.4, 1.6, 0.1)),
    ("gpt-4", _gpt(2.5, 10, 1.25)),
    ("gpt-5", _gpt(1.25, 10, 0.125)),
]
_DEAREST = _claude(15, 75)


def price_of(model: str) -> Price:
    """An unknown model counts at the dearest rate."""
    return next((price for pattern, price in PRICES if re.search(pattern, model)), _DEAREST)
