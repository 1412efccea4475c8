"""What a model is sent: the conversation so far as messages that always pair up, then what just came in. Pure."""

import hashlib
import json
from collections.abc import Sequence

from nightclaw.core.ports import ModelRequest
from nightclaw.core.types import JSON, JSONObject
from nightclaw.execution.prompt import SYSTEM
from nightclaw.store.runs import StepRow
from nightclaw.store.tasks import InboxItem

TRANSCRIPT_STEPS = 400
MAX_OUTPUT = 8192
LOST = "(no result: this run ended before the call was settled)"


def text_block(text: str) -> JSONObject:
    return {"type": "text", "text": text or "(empty)"}


def inbox_content(items: Sequence[InboxItem]) -> list[JSONObject]:
    """The content blocks of what came in, in its order."""
    return [text_block(i.content) for i in items]


def build(
    transcript: Sequence[StepRow],
    content: list[JSONObject],
    tools: Sequence[JSONObject],
    task_id: str,
    remembered: str = "",
) -> ModelRequest:
    """One request: every earlier step as a user and an assistant message, then the new content.

    remembered: the index of memory, which ends the stable prefix.

    Other tasks of the session come first, whole; a call of theirs that was never settled gets a result that says so.
    """
    others = [s for s in transcript if s.task_id != task_id]
    own = [s for s in transcript if s.task_id == task_id]
    messages: list[dict[str, JSON]] = []
    for step in [*others, *own]:
        if step.input:
            messages.append({"role": "user", "content": list(step.input)})
        if step.response:
            messages.append({"role": "assistant", "content": list(step.response)})
    messages.append({"role": "user", "content": list(content)})
    system = f"{SYSTEM}\n\n{remembered}" if remembered else SYSTEM
    return ModelRequest(
        model="", messages=tuple(_paired(messages)), system=system, tools=tuple(tools), max_tokens=MAX_OUTPUT
    )


def _paired(messages: list[dict[str, JSON]]) -> list[JSONObject]:
    """Roles alternate, and each tool_use is answered by exactly one tool_result in the next user message."""
    merged: list[dict[str, JSON]] = []
    for message in messages:
        blocks = message["content"]
        if merged and merged[-1]["role"] == message["role"] and isinstance(blocks, list):
            held = merged[-1]["content"]
            merged[-1]["content"] = [*(held if isinstance(held, list) else []), *blocks]
        else:
            merged.append(dict(message))
    asked: list[str] = []
    for message in merged:
        found = message["content"]
        blocks = [b for b in found if isinstance(b, dict)] if isinstance(found, list) else []
        if message["role"] == "user":
            given = {str(b.get("tool_use_id")): b for b in blocks if b.get("type") == "tool_result"}
            results: list[JSON] = [given.get(use_id) or _lost(use_id) for use_id in asked]
            message["content"] = [*results, *(b for b in blocks if b.get("type") != "tool_result")]
        else:
            asked = [str(b.get("id")) for b in blocks if b.get("type") == "tool_use"]
    return list(merged)


def _lost(use_id: str) -> dict[str, JSON]:
    return {"type": "tool_result", "tool_use_id": use_id, "content": LOST, "is_error": True}


def digest(request: ModelRequest) -> str:
    """sha256 over everything the model is sent."""
    whole = {"system": request.system, "tools": list(request.tools), "messages": list(request.messages)}
    return hashlib.sha256(
        json.dumps(whole, sort_keys=True, default=list).encode("utf-8", "replace")
    ).hexdigest()


def prefix_digest(request: ModelRequest) -> str:
    """sha256 over the stable prefix: the same from turn to turn, or the cache is lost."""
    whole = {"system": request.system, "tools": list(request.tools)}
    return hashlib.sha256(json.dumps(whole, default=list).encode()).hexdigest()[:16]


def text_of(content: Sequence[JSONObject]) -> str:
    """The words of a reply, without its other blocks."""
    return "".join(str(b.get("text", "")) for b in content if b.get("type") == "text")


def uses_of(content: Sequence[JSONObject]) -> list[JSONObject]:
    """The tool_use blocks of a reply, in their order."""
    return [b for b in content if b.get("type") == "tool_use"]
