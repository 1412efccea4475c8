"""What a model sees: the session's transcript as messages, then what just came in. Pure over rows."""

import hashlib
import json
from collections.abc import Sequence

from nightclaw.core.ports import ModelRequest
from nightclaw.core.types import JSONObject
from nightclaw.store.runs import StepRow
from nightclaw.store.tasks import InboxItem

TRANSCRIPT_STEPS = 60


def user_content(items: Sequence[InboxItem]) -> list[JSONObject]:
    """The content blocks of one user message that carries these inbox items, in their order."""
    return [{"type": "text", "text": i.content} for i in items]


def build(model: str, transcript: Sequence[StepRow], content: list[JSONObject]) -> ModelRequest:
    """One request: every earlier step as a user and an assistant message, then the new content."""
    messages: list[JSONObject] = []
    for step in transcript:
        if step.input:
            messages.append({"role": "user", "content": step.input})
        if step.response:
            messages.append({"role": "assistant", "content": step.response})
    messages.append({"role": "user", "content": content})
    return ModelRequest(model=model, messages=tuple(messages))


def digest(request: ModelRequest) -> str:
    """sha256 over everything the model is sent."""
    whole = {"model": request.model, "system": request.system, "messages": list(request.messages)}
    return hashlib.sha256(json.dumps(whole, sort_keys=True, default=list).encode()).hexdigest()


def text_of(content: Sequence[JSONObject]) -> str:
    """The words of a reply, without its other blocks."""
    return "".join(str(b.get("text", "")) for b in content if b.get("type") == "text")
