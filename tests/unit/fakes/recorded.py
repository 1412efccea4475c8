"""Recorded exchanges with real services, kept beside the repository; tests that need them are skipped without."""

import json
from pathlib import Path
from typing import Any

import pytest

DATA = Path(__file__).parents[4] / "shared" / "data"

needs_data = pytest.mark.skipif(
    not (DATA / "llm-wire").is_dir(),
    reason="the recorded exchanges are not beside this repository (../shared/data)",
)


def exchanges(prefix: str = "w") -> list[tuple[str, dict[str, Any]]]:
    """(name, {request, response}) of every recording whose file name begins with the prefix."""
    found = []
    for path in sorted((DATA / "llm-wire").glob(f"{prefix}*.json")):
        rows = json.loads(path.read_text(encoding="utf-8")).get("interactions", [])
        found += [(f"{path.name[:4]}.{n}", row) for n, row in enumerate(rows)]
    return found


def response_of(name: str) -> Any:
    body = next(row for found, row in exchanges(name[:4]) if found == name)["response"]["body"]
    try:
        return json.loads(body) if isinstance(body, str) else body
    except ValueError:
        return body


def events_of(stream: str) -> list[tuple[str | None, Any]]:
    """(event name, data) of a server-sent stream; data None for `[DONE]`."""
    events = []
    for part in stream.split("\n\n"):
        name = data = None
        for line in part.split("\n"):
            if line.startswith("event: "):
                name = line[7:]
            elif line.startswith("data: "):
                data = line[6:]
        if data is not None:
            events.append((name, None if data == "[DONE]" else json.loads(data)))
    return events


def shape(value: object) -> object:
    """Field names in their order, all the way down; what is in the fields is left out."""
    if isinstance(value, dict):
        return tuple((key, shape(one)) for key, one in value.items())
    if isinstance(value, list):
        return tuple(shape(one) for one in value)
    return None


def kind(data: Any) -> str:
    """What an Anthropic event is: its type, and the type of what it carries."""
    inner = data.get("delta") or data.get("content_block") or {}
    return f"{data['type']} {inner.get('type', '')}".strip()
