"""The content blocks of one answer, made fit to be saved, acted on and sent back.

Thinking, signatures and blocks we do not know pass through unchanged. A tool call is repaired where that cannot change
its meaning (an id that is absent, odd or used before gets a new one; a name that no service would take back is
rewritten) and marked where it can: input that is not one JSON object, is larger than LARGEST_INPUT or was cut off by
the token limit becomes `{"_malformed": "<its beginning>"}`, which the run loop answers with an error and never runs.
A call that is said twice with the same id, name and input is one call.
"""

import json
import re
import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import cast

from nightclaw.core import strictjson
from nightclaw.core.errors import Invalid
from nightclaw.core.types import JSON, JSONObject

MALFORMED = "_malformed"
LARGEST_INPUT = 1024 * 1024
MOST_BLOCKS = 512
HEAD = 200
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
STOPS = ("end_turn", "tool_use", "max_tokens", "stop_sequence", "refusal")


def tool_input(text: str, *, cut: bool = False) -> dict[str, JSON]:
    """The object that a model wrote as JSON, or the mark. cut: the token limit ended the answer right here."""
    if not text.strip():
        return {MALFORMED: ""} if cut else {}
    if len(text) > LARGEST_INPUT:
        return malformed(text)
    try:
        return strictjson.parse_object(text.encode("utf-8", "replace"))[0]
    except Invalid:
        return malformed(text)


def checked_input(value: object, *, cut: bool = False) -> dict[str, JSON]:
    """As `tool_input`, for services that send the object itself; a string is taken for JSON."""
    if value is None or isinstance(value, str):
        return tool_input(value or "", cut=cut)
    return tool_input(json.dumps(value, ensure_ascii=False, default=str))


def malformed(text: str) -> dict[str, JSON]:
    return {MALFORMED: text[:HEAD]}


def used_ids(messages: Sequence[JSONObject]) -> set[str]:
    """Ids of the tool calls a conversation already holds."""
    found: set[str] = set()
    for message in messages:
        content = message.get("content")
        for block in content if isinstance(content, list) else ():
            if isinstance(block, dict) and block.get("type") == "tool_use":
                found.add(str(block.get("id")))
    return found


def settle(content: Iterable[JSONObject], taken: Iterable[str]) -> list[JSONObject]:
    """The blocks of a complete answer, ids and names of its tool calls put right, texts without a word left out.

    taken: ids in use before it."""
    known = set(taken)
    said: list[tuple[str, str, object]] = []
    kept: list[JSONObject] = []
    for block in content:
        if block.get("type") != "tool_use":
            if block.get("type") != "text" or block.get("text"):
                kept.append(block)
            continue
        call = (str(block.get("id") or ""), name_of(block.get("name")), block.get("input"))
        if call[0] and call in said:
            continue
        said.append(call)
        own = call[0] if _ID.fullmatch(call[0]) and call[0] not in known else f"call_{uuid.uuid4().hex[:24]}"
        known.add(own)
        kept.append({**block, "id": own, "name": call[1]})
    return kept


def name_of(value: object) -> str:
    """A tool's name as every service accepts it back; a name of no tool stays one."""
    name = value if isinstance(value, str) else ""
    return name if _NAME.fullmatch(name) else re.sub(r"[^A-Za-z0-9_-]", "_", name)[:64] or "unknown"


def stop_reason(said: object, content: Sequence[JSONObject]) -> str:
    """One of core.ports.Reply's words. Calls in an answer are to be answered whatever its service called the end."""
    calls = any(block.get("type") == "tool_use" for block in content)
    if said in ("refusal", "max_tokens"):
        return cast(str, said)
    if calls:
        return "tool_use"
    if said == "model_context_window_exceeded":
        return "max_tokens"
    return "stop_sequence" if said == "stop_sequence" else "end_turn"


def number(value: object) -> int:
    """A token count as services send it; anything else is 0."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


def table(value: object) -> Mapping[str, JSON]:
    """`value` when it is an object, else an empty one."""
    return cast("Mapping[str, JSON]", value) if isinstance(value, dict) else {}


def rows(value: object) -> list[Mapping[str, JSON]]:
    """The objects of an array; whatever else there is, is not."""
    return (
        [cast("Mapping[str, JSON]", v) for v in value if isinstance(v, dict)]
        if isinstance(value, list)
        else []
    )
