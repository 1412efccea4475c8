"""The control API as one ASGI app over a `Control`: routes a noun, strict bodies, one shape of refusal.

No route exists for what the daemon cannot do: it answers 404 like any other unknown call. Bodies over BODY_LIMIT are
refused while they are read. Nothing is exported anywhere: the framework's own telemetry is off.
"""

import sys
from collections.abc import Awaitable, Callable, MutableMapping

from fastapi import FastAPI
from starlette.exceptions import HTTPException

from nightclaw.api import (
    answers,
    approvals,
    chat,
    diary,
    dreams,
    insight,
    memories,
    notes,
    observe,
    openapi,
    signals,
    sources,
    status,
    switches,
    tasks,
)
from nightclaw.api.ports import Answer, ChatMessage, Control, Presence, TaskOrder
from nightclaw.api.stream import Message, Receive, Send

__all__ = ["Answer", "ChatMessage", "Control", "Presence", "TaskOrder", "build"]

BODY_LIMIT = 2 * 1024 * 1024

Scope = MutableMapping[str, object]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
NOUNS = (
    status,
    observe,
    chat,
    signals,
    insight,
    tasks,
    approvals,
    notes,
    sources,
    switches,
    diary,
    memories,
    dreams,
    openapi,
)


def build(control: Control) -> App:
    """The app that answers the control socket. Call it when the store is open: counters begin at its head."""
    # FastAPI asks of each parameter whether it is a model of pydantic 1, and would load that library to know
    sys.modules.setdefault("pydantic.v1", None)  # pyright: ignore[reportArgumentType]
    app = FastAPI(
        title="Nightclaw control API",
        version=control.version,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        strict_content_type=False,
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
    )
    answers.add_handlers(app)
    for noun in NOUNS:
        noun.add(app, control)
    return _Bounded(app)


class _Bounded:
    """Counts the body while the app reads it, so that no client can fill the memory."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            body = message.get("body", b"")
            seen += len(body) if isinstance(body, bytes) else 0
            if seen > BODY_LIMIT:
                raise HTTPException(413, f"a body may have {BODY_LIMIT} bytes")
            return message

        await self._app(scope, counted, send)
