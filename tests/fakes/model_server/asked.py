"""One request to the model server, read the same way whichever protocol it came in.

Messages are in Anthropic's shape: content is always a list of blocks, and a tool's answer is a `tool_result` block
of a user message. Nothing is repaired: what is wrong with a request stays visible to the checks.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from tests.fakes.model_server.turns import Block, Body, Spent, Turn

Protocol = Literal["anthropic", "openai"]


@dataclass(frozen=True, slots=True)
class Made:
    """A tool call found in a request's history, with its answer (None: it has none)."""

    id: str
    name: str
    input: Body
    result: str | None = None
    is_error: bool = False


@dataclass(frozen=True)
class Asked:
    """n counts the calls of the server from 1."""

    n: int
    lane: str
    protocol: Protocol
    path: str
    headers: Mapping[str, str]
    raw: bytes
    body: Body
    system: list[Body]
    tools: list[Body]
    messages: list[Body]

    @property
    def model(self) -> str:
        return str(self.body.get("model", ""))

    @property
    def stream(self) -> bool:
        return bool(self.body.get("stream"))

    @property
    def max_tokens(self) -> int | None:
        value = self.body.get("max_tokens", self.body.get("max_completion_tokens"))
        return value if isinstance(value, int) else None

    @property
    def system_text(self) -> str:
        return "\n".join(texts_of(self.system))

    @property
    def first_text(self) -> str:
        """All text of the first user message."""
        first = next((m for m in self.messages if m.get("role") == "user"), None)
        return "\n".join(texts_of(first["content"])) if first else ""

    @property
    def last_text(self) -> str:
        """All text, also of tool results, of the last user message: what a script's expectation is held against."""
        last = next((m for m in reversed(self.messages) if m.get("role") == "user"), None)
        return "\n".join(texts_of(last["content"])) if last else ""

    @property
    def shown(self) -> str:
        """Every text the model reads that it did not say itself."""
        said = [
            text for m in self.messages if m.get("role") != "assistant" for text in texts_of(m["content"])
        ]
        return "\n".join([self.system_text, *said])

    @property
    def made(self) -> list[Made]:
        """The tool calls of the history in order."""
        results = {block.get("tool_use_id"): block for block in self._blocks("user", "tool_result")}
        made = []
        for block in self._blocks("assistant", "tool_use"):
            answer = results.get(block.get("id"))
            text = None if answer is None else "\n".join(texts_of([answer]))
            is_error = bool(answer and answer.get("is_error"))
            made.append(
                Made(block.get("id", ""), block.get("name", ""), block.get("input", {}), text, is_error)
            )
        return made

    @property
    def results(self) -> list[Made]:
        """The answers the last user message brings."""
        last = self.messages[-1] if self.messages else {"content": []}
        ids = {b.get("tool_use_id") for b in last["content"] if b.get("type") == "tool_result"}
        return [one for one in self.made if one.id in ids]

    def _blocks(self, role: str, type_: str) -> Iterator[Body]:
        for message in self.messages:
            if message.get("role") == role:
                yield from (block for block in message["content"] if block.get("type") == type_)


@dataclass
class Call:
    """One model call as the server saw it. blocks: what was said, ids filled in. is_whole: the reply left in full.
    client_left: the other side hung up first."""

    asked: Asked
    turn: Turn | None = None
    blocks: tuple[Block, ...] = ()
    status: int = 0
    usage: Spent = field(default_factory=Spent)
    cost_usd: float = 0.0
    tools_tokens: int = 0
    sent_bytes: int = 0
    is_whole: bool = False
    client_left: bool = False


def texts_of(blocks: object) -> Iterator[str]:
    if isinstance(blocks, str):
        yield blocks
        return
    for block in blocks if isinstance(blocks, list) else []:
        if not isinstance(block, dict):
            continue
        if isinstance(block.get("text"), str):
            yield block["text"]
        elif block.get("type") == "tool_result":
            yield from texts_of(block.get("content"))


def read(n: int, lane: str, protocol: Protocol, path: str, headers: Mapping[str, str], raw: bytes) -> Asked:
    """Raises ValueError when the body is no JSON object."""
    body = json.loads(raw)
    if not isinstance(body, dict):
        raise ValueError("the body is not an object")
    read_as = _anthropic if protocol == "anthropic" else _openai
    system, tools, messages = read_as(body)
    return Asked(n, lane, protocol, path, headers, raw, body, system, tools, messages)


def _listed(content: object) -> list[Body]:
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return [block for block in content if isinstance(block, dict)] if isinstance(content, list) else []


def _rows(body: Body, key: str) -> list[Body]:
    value = body.get(key)
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []


def _anthropic(body: Body) -> tuple[list[Body], list[Body], list[Body]]:
    messages = [
        {"role": message.get("role"), "content": [_result_listed(b) for b in _listed(message.get("content"))]}
        for message in _rows(body, "messages")
    ]
    return _listed(body.get("system", [])), _rows(body, "tools"), messages


def _result_listed(block: Body) -> Body:
    if block.get("type") != "tool_result":
        return block
    return {**block, "content": _listed(block.get("content", []))}


def _openai(body: Body) -> tuple[list[Body], list[Body], list[Body]]:
    system: list[Body] = []
    messages: list[Body] = []
    for message in _rows(body, "messages"):
        role = message.get("role")
        if role in ("system", "developer") and not messages:
            system += _listed(message.get("content"))
        elif role == "tool":
            answer = {"type": "tool_result", "tool_use_id": message.get("tool_call_id")}
            block = {**answer, "content": _listed(message.get("content"))}
            if messages and messages[-1].get("of_tools"):
                messages[-1]["content"].append(block)
            else:
                messages.append({"role": "user", "content": [block], "of_tools": True})
        elif role == "user" and messages and messages[-1].get("of_tools"):
            # what follows the answers of the tools belongs to the same turn
            messages[-1]["content"] += _listed(message.get("content"))
            del messages[-1]["of_tools"]
        else:
            content = _listed(message.get("content") or [])
            content += [_tool_use(one) for one in _rows(message, "tool_calls")]
            messages.append({"role": role, "content": content})
    tools = [
        {
            "name": function.get("name"),
            "description": function.get("description"),
            "input_schema": function.get("parameters"),
        }
        for function in (tool.get("function", {}) for tool in _rows(body, "tools"))
    ]
    return system, tools, [{"role": m["role"], "content": m["content"]} for m in messages]


def _tool_use(one: Body) -> Body:
    function = one.get("function", {})
    try:
        arguments = json.loads(function.get("arguments") or "{}")
    except ValueError:
        arguments = {"unreadable arguments": function.get("arguments")}
    return {"type": "tool_use", "id": one.get("id"), "name": function.get("name"), "input": arguments}
