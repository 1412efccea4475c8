"""What must hold for every request a model service is sent, whoever sends it and however the last reply ended.

`Checks.of` yields violations and remembers: what the server said in full (only that may come back as thinking or tool
calls), the bytes of each conversation's prefix, its messages. `refused` are those the real service answers with 400.
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.fakes.model_server.asked import Asked
from tests.fakes.model_server.leaks import leaked
from tests.fakes.model_server.schemas import faults_of_tools
from tests.fakes.model_server.tokens import bare, rendered, tools_tokens
from tests.fakes.model_server.turns import Block, Body, Redacted, Thinking, ToolUse

_UNANSWERED = (
    "messages.{n}: `tool_use` ids were found without `tool_result` blocks immediately after: {ids}. Each `tool_use` "
    "block must have a corresponding `tool_result` block in the next message."
)
_ORPHAN = (
    "messages.{n}.content.{m}: unexpected `tool_use_id` found in `tool_result` blocks: {id}. Each `tool_result` block "
    "must have a corresponding `tool_use` block in the previous message."
)


@dataclass(frozen=True, slots=True)
class Violation:
    """rule: its name, stable. text: what is wrong, with where. refused: the service would not have it."""

    lane: str
    rule: str
    text: str
    refused: bool = False
    call: int = field(default=0, compare=False)


@dataclass
class Rules:
    """What a lane allows. foreign_history: conversations may hold replies this server never gave (a restored home, a
    fallback). rewrites: messages may change between calls (compaction). one_prefix: every conversation of the lane
    has the same system and tools. refuses: answer 400 where the real service would."""

    max_tokens: int = 8192
    max_tools_tokens: int | None = None
    foreign_history: bool = False
    rewrites: bool = False
    one_prefix: bool = False
    refuses: bool = True
    but: frozenset[str] = frozenset()


@dataclass
class Checks:
    canaries: set[str] = field(default_factory=set)
    _thought: dict[str, str] = field(default_factory=dict)
    _before_tool: dict[str, list[Body]] = field(default_factory=dict)
    _cut: set[str] = field(default_factory=set)
    _prefixes: dict[tuple[str, str], tuple[str, str]] = field(default_factory=dict)
    _histories: dict[tuple[str, str], list[list[str]]] = field(default_factory=dict)
    _answered: set[tuple[str, str]] = field(default_factory=set)

    def said(self, asked: Asked, blocks: tuple[Block, ...], whole: bool) -> None:
        """What a reply contained; whole: it left the server complete and well formed."""
        thought: list[Body] = []
        for block in blocks:
            match block:
                case Thinking(text, signature) if whole:
                    self._thought[signature] = text
                    thought.append({"type": "thinking", "thinking": text, "signature": signature})
                case Redacted(data) if whole:
                    self._thought[data] = data
                    thought.append({"type": "redacted_thinking", "data": data})
                case ToolUse(_, _, id_, _) if whole:
                    self._before_tool[id_] = thought if asked.protocol == "anthropic" else []
                case ToolUse(_, _, id_, _):
                    self._cut.add(id_)
                case _:
                    pass
        if whole:
            self._answered.add((asked.lane, _digest(_messages(asked))))

    def of(self, asked: Asked, rules: Rules) -> list[Violation]:
        found = [*self._shape(asked, rules), *_pairs(asked), *self._history(asked, rules)]
        found += self._stable(asked, rules)
        return [
            Violation(asked.lane, rule, text, refused, asked.n)
            for rule, text, refused in found
            if rule not in rules.but
        ]

    def _shape(self, asked: Asked, rules: Rules) -> Iterator[tuple[str, str, bool]]:
        if asked.protocol == "anthropic" and "anthropic-version" not in asked.headers:
            yield "version", "anthropic-version: header is required", True
        limit = asked.max_tokens
        if limit is None and asked.protocol == "anthropic":
            yield "max_tokens", "max_tokens: Field required", True
        elif limit is None:
            yield "max_tokens", "no limit on the answer: neither max_tokens nor max_completion_tokens", False
        elif limit > rules.max_tokens or limit < 1:
            yield "max_tokens", f"max_tokens is {limit}, allowed are 1 to {rules.max_tokens}", False
        marks = _marks([asked.body, *asked.tools, *asked.system, *asked.messages])
        if marks > 4:
            yield "marks", f"A maximum of 4 blocks with cache_control may be provided. Found {marks}.", True
        if asked.protocol == "openai" and marks:
            yield "marks", "cache_control is not part of this protocol", False
        for place, block in _texts(asked):
            if not block.get("text"):
                yield "empty", f"{place}: text content blocks must be non-empty", True
        for fault in faults_of_tools(asked.tools):
            yield "tools", fault, asked.protocol == "anthropic"
        tokens = tools_tokens(asked)
        if rules.max_tools_tokens is not None and tokens > rules.max_tools_tokens:
            yield (
                "tools_tokens",
                f"the tools take {tokens} tokens, allowed are {rules.max_tools_tokens}",
                False,
            )
        for canary in leaked(self.canaries, asked):
            yield "canary", canary, False

    def _history(self, asked: Asked, rules: Rules) -> Iterator[tuple[str, str, bool]]:
        if rules.foreign_history:
            return
        for n, message in enumerate(asked.messages):
            if message["role"] != "assistant":
                continue
            blocks = [bare(block) for block in message["content"]]
            for m, block in enumerate(blocks):
                yield from self._thinking(f"messages.{n}.content.{m}", block)
                id_ = block.get("id") if block.get("type") == "tool_use" else None
                if id_ in self._cut and id_ not in self._before_tool:
                    yield (
                        "cut_reply",
                        f"messages.{n}: the tool call {id_} is from a reply that never ended",
                        False,
                    )
                elif id_ is not None and id_ not in self._before_tool:
                    yield "invented", f"messages.{n}: no reply had the tool call {id_}", False
                elif id_ is not None and asked.protocol == "anthropic":
                    missing = [one for one in self._before_tool[id_] if one not in blocks[:m]]
                    if missing:
                        yield "thinking_lost", f"messages.{n}: {id_} came after thinking that is gone", False

    def _thinking(self, place: str, block: Body) -> Iterator[tuple[str, str, bool]]:
        if block.get("type") == "thinking":
            known = self._thought.get(str(block.get("signature")))
            if known is None:
                yield "thinking", f"{place}: Invalid `signature` in `thinking` block", True
            elif known != block.get("thinking"):
                changed = (
                    "`thinking` blocks cannot be modified: they must remain as they were in the response"
                )
                yield "thinking", f"{place}: {changed}", True
        elif block.get("type") == "redacted_thinking" and str(block.get("data")) not in self._thought:
            yield "thinking", f"{place}: Invalid `data` in `redacted_thinking` block", True

    def _stable(self, asked: Asked, rules: Rules) -> Iterator[tuple[str, str, bool]]:
        messages = _messages(asked)
        if not messages:
            return
        key = (asked.lane, messages[0])
        parts = ("system", "tools")
        now = (
            rendered([bare(block) for block in asked.system]),
            rendered([bare(tool) for tool in asked.tools]),
        )
        for scope in {key, (asked.lane, "")} if rules.one_prefix else {key}:
            before = self._prefixes.setdefault(scope, now)
            for part, old, new in zip(parts, before, now, strict=True):
                if old != new:
                    yield "prefix", f"{part} changed within a conversation: {_difference(old, new)}", False
        histories = self._histories.setdefault(key, [])
        best = max(histories, key=lambda old: self._kinship(asked.lane, old, messages), default=None)
        if best is None or (len(best) > len(messages) and _common(best, messages) == len(messages)):
            histories.append(messages)
        elif best == messages:
            if (asked.lane, _digest(messages)) in self._answered:
                histories.append(messages)  # the same words once more, after an answer: another conversation
        elif _common(best, messages) == len(best) or self._grew(asked.lane, best, messages):
            histories[histories.index(best)] = messages
        else:
            histories.append(messages)
            if not rules.rewrites:
                where = _common(best, messages)
                change = _difference(best[where], messages[where])
                yield "rewritten", f"messages.{where} is not what it was in an earlier call: {change}", False

    def _kinship(self, lane: str, old: list[str], now: list[str]) -> tuple[bool, int]:
        """(may be of the same conversation, messages in common)"""
        common = _common(old, now)
        return common in (len(old), len(now)) or self._grew(lane, old, now), common

    def _grew(self, lane: str, before: list[str], now: list[str]) -> bool:
        """The last message may have been added to when no answer ever came to it."""
        last = len(before) - 1
        return (
            _common(before, now) == last < len(now)
            and now[last].startswith(before[last].removesuffix("]"))
            and (lane, _digest(before)) not in self._answered
        )


def _messages(asked: Asked) -> list[str]:
    return [f"{m['role']} {rendered([bare(block) for block in m['content']])}" for m in asked.messages]


def _digest(messages: list[str]) -> str:
    return hashlib.sha256("\0".join(messages).encode()).hexdigest()


def _common(one: list[str], other: list[str]) -> int:
    count = 0
    for a, b in zip(one, other, strict=False):
        if a != b:
            break
        count += 1
    return count


def _difference(old: str, new: str) -> str:
    at = _common(list(old), list(new))
    near = max(at - 20, 0)
    return f"at {at}: {old[near : at + 40]!r} became {new[near : at + 40]!r}"


def _marks(value: object) -> int:
    if isinstance(value, list):
        return sum(map(_marks, value))
    if not isinstance(value, dict):
        return 0
    inside = value.get("content")
    return ("cache_control" in value) + (_marks(inside) if isinstance(inside, list) else 0)


def _texts(asked: Asked) -> Iterator[tuple[str, Body]]:
    for n, block in enumerate(asked.system):
        yield f"system.{n}", block
    for n, message in enumerate(asked.messages):
        if not message["content"]:
            yield f"messages.{n}", {"text": ""}
        for m, block in enumerate(message["content"]):
            if block.get("type") == "text":
                yield f"messages.{n}.content.{m}", block


def _pairs(asked: Asked) -> Iterator[tuple[str, str, bool]]:
    """Roles in turn, every tool call answered once in the next message, no answer without its call."""
    if not asked.messages:
        yield "roles", "messages: at least one message is required", True
        return
    merged: list[Body] = []
    for n, message in enumerate(asked.messages):
        before = merged[-1]["role"] if merged else "assistant"
        if message["role"] not in ("user", "assistant") or message["role"] == before:
            yield "roles", f"messages.{n} has the role {message['role']!r} where the other one is due", False
        if merged and message["role"] == before:
            merged[-1] = {"role": before, "content": [*merged[-1]["content"], *message["content"]]}
        else:
            merged.append(message)
    wanted: list[str] = []
    for n, message in enumerate(merged):  # as the service does, which counts the messages so
        role, blocks = message["role"], message["content"]
        answers = [str(b.get("tool_use_id")) for b in blocks if b.get("type") == "tool_result"]
        missing = [id_ for id_ in wanted if id_ not in answers]
        if missing:
            yield "unanswered", _UNANSWERED.format(n=n, ids=", ".join(missing)), True
        yield from _answers(n, blocks, wanted, answers)
        wanted = [str(b.get("id")) for b in blocks if b.get("type") == "tool_use" and role == "assistant"]
        bad = [id_ for id_ in wanted if not re.fullmatch(r"[a-zA-Z0-9_-]+", id_)]
        if bad:
            yield "ids", f"messages.{n}: tool call ids of a wrong form: {bad}", True
        if len(set(wanted)) < len(wanted):
            yield "twice", f"messages.{n}: `tool_use` ids must be unique", True
    if wanted:
        yield "unanswered", f"the tool calls {', '.join(wanted)} were never answered", True
    elif asked.messages[-1]["role"] != "user":
        yield "roles", "the last message is not the user's", False


def _answers(
    n: int, blocks: list[Body], wanted: list[str], answers: list[str]
) -> Iterator[tuple[str, str, bool]]:
    places = [m for m, block in enumerate(blocks) if block.get("type") == "tool_result"]
    for m, id_ in zip(places, answers, strict=True):
        if id_ not in wanted:
            yield "orphan", _ORPHAN.format(n=n, m=m, id=id_), True
        elif answers.index(id_) != places.index(m):
            yield "twice", f"messages.{n}: the tool call {id_} is answered more than once", True
    kinds = [b.get("type") == "tool_result" for b in blocks]
    if kinds != sorted(kinds, reverse=True):
        yield "order", f"messages.{n}: `tool_result` blocks must come first", True
