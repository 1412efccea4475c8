"""One question to the scripted model service, as Anthropic's SDK or a plain body puts it."""

from typing import Any

import anthropic

TOOLS: list[Any] = [
    {
        "name": "Read",
        "description": "Read a file",
        "input_schema": {"type": "object", "properties": {"file_path": {"type": "string"}}},
    }
]
HELLO: list[Any] = [{"role": "user", "content": "hello"}]


def ask(sdk: anthropic.Anthropic, messages: list[Any] = HELLO, **more: Any) -> anthropic.types.Message:
    asked = {"model": "claude-sonnet-4-6", "max_tokens": 1000, "messages": messages, **more}
    with sdk.messages.stream(**asked) as stream:
        return stream.get_final_message()


def body(**more: Any) -> dict[str, Any]:
    return {"model": "claude-sonnet-4-6", "max_tokens": 100, "messages": HELLO, **more}
