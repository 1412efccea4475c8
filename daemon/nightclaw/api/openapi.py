"""`/v1/openapi.json`: made when it is asked for and not kept, so that it costs an idle daemon nothing."""

import asyncio
import types
from collections.abc import Mapping
from typing import Union, get_args, get_origin

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.responses import Response

from nightclaw.api.answers import answer
from nightclaw.api.ports import Control
from nightclaw.protocol import messages as wire

# What a good answer to a call looks like; lists are `{"items": [shape], "next"}`.
SHAPES: Mapping[str, type] = {
    "GET /v1/status": wire.Status,
    "GET /v1/snapshot": wire.Snapshot,
    "GET /v1/cost": wire.Cost,
    "GET /v1/why/{row_id}": wire.Why,
    "POST /v1/chat": wire.ChatAccepted,
    "GET /v1/sessions/{session_id}": wire.Transcript,
    "PATCH /v1/sessions/{session_id}": wire.Session,
    "POST /v1/tasks": wire.Task,
    "GET /v1/tasks/{task_id}": wire.Task,
    "POST /v1/tasks/{task_id}/cancel": wire.Task,
    "POST /v1/tasks/{task_id}/retry": wire.Task,
    "POST /v1/approvals/{approval_id}": wire.Approval,
    "POST /v1/notifications/{notification_id}/useful": wire.Notification,
    "POST /v1/memories": wire.Memory,
    "GET /v1/memories/{memory_id}": wire.Memory,
    "PATCH /v1/memories/{memory_id}": wire.Memory,
    "DELETE /v1/memories/{memory_id}": wire.Memory,
    "POST /v1/dreams": wire.Dream,
    "GET /v1/dreams/{dream_id}": wire.Dream,
    "POST /v1/dreams/{dream_id}/undo": wire.Dream,
    "POST /v1/redact": wire.Redacted,
}
LISTS: Mapping[str, type] = {
    "GET /v1/signals": wire.Signal,
    "GET /v1/decisions": wire.Decision,
    "GET /v1/tasks": wire.Task,
    "GET /v1/approvals": wire.Approval,
    "GET /v1/notifications": wire.Notification,
    "GET /v1/sessions": wire.Session,
    "GET /v1/sent": wire.Sent,
    "GET /v1/memories": wire.Memory,
    "GET /v1/dreams": wire.Dream,
}
_PLAIN = {str: "string", int: "integer", float: "number", bool: "boolean", type(None): "null"}

Schema = dict[str, object]


def schema_of(kind: object, shapes: dict[str, Schema]) -> Schema:
    """JSON Schema of an annotation; the shapes of the wire it names are added to `shapes`."""
    if kind in _PLAIN:
        return {"type": _PLAIN[kind]}
    origin, args = get_origin(kind), get_args(kind)
    if origin is list:
        return {"type": "array", "items": schema_of(args[0], shapes)}
    if origin is dict:
        return {"type": "object", "additionalProperties": schema_of(args[1], shapes)}
    if origin in (types.UnionType, Union):
        return {"anyOf": [schema_of(a, shapes) for a in args]}
    if isinstance(kind, type) and kind.__module__ == wire.__name__:
        if kind.__name__ not in shapes:
            fields = kind.__annotations__
            shapes[kind.__name__] = {}
            shapes[kind.__name__] = {
                "type": "object",
                "properties": {name: schema_of(said, shapes) for name, said in fields.items()},
                "required": list(fields),
            }
        return {"$ref": f"#/components/schemas/{kind.__name__}"}
    return {}


def document(app: FastAPI) -> Schema:
    """The whole page."""
    page = get_openapi(title=app.title, version=app.version, routes=app.routes)
    shapes: dict[str, Schema] = {}
    error = {
        "description": "A refusal",
        "content": {"application/json": {"schema": schema_of(wire.Error, shapes)}},
    }
    for path, calls in page["paths"].items():
        for method, call in calls.items():
            name = f"{method.upper()} {path}"
            good = next(iter(call["responses"]))
            schema: Schema = {}
            if name in SHAPES:
                schema = schema_of(SHAPES[name], shapes)
            elif name in LISTS:
                items: Schema = {"type": "array", "items": schema_of(LISTS[name], shapes)}
                following: Schema = {"anyOf": [{"type": "string"}, {"type": "null"}]}
                schema = {"type": "object", "properties": {"items": items, "next": following}}
            ok = call["responses"][good]
            call["responses"] = {good: ok, "default": error}
            if schema:
                ok["content"] = {"application/json": {"schema": schema}}
    parts = page.setdefault("components", {}).setdefault("schemas", {})
    for gone in ("HTTPValidationError", "ValidationError"):
        parts.pop(gone, None)
    parts.update(shapes)
    return page


def add(app: FastAPI, control: Control) -> None:
    @app.get("/v1/openapi.json")
    async def openapi() -> Response:
        """This page."""
        return answer(await asyncio.to_thread(document, app))
