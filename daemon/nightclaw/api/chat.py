"""Talking to the daemon: messages in, conversations to look at, and the stop button of a turn."""

import secrets
from typing import Annotated

from fastapi import FastAPI
from pydantic import StringConstraints
from starlette.responses import Response

from nightclaw.api.answers import answer, rendered
from nightclaw.api.bodies import After, Body, Id, Limit, LongText, Word
from nightclaw.api.ports import ChatMessage, Control
from nightclaw.core.types import Priority
from nightclaw.protocol.messages import LIST_DEFAULT
from nightclaw.store import lists

# the length apart from the pattern: `\w{1,100}` alone is compiled to ten megabytes
Name = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=r"^[\w.@:+-]+$")]


class Message(Body):
    text: LongText
    session: Name | None = None
    key: Word | None = None
    priority: Priority = Priority.NEXT


class SessionChange(Body):
    title: Annotated[str, StringConstraints(min_length=1, max_length=80, strip_whitespace=True)]


def add(app: FastAPI, control: Control) -> None:
    @app.post("/v1/chat", status_code=202)
    async def chat(message: Message) -> Response:
        """Say something. It is decided at once: it steers the session's open task or starts one."""
        key = message.key or secrets.token_hex(12)
        said = await control.chat(ChatMessage(key, message.session, message.text, message.priority))
        return answer(rendered(said), 202)

    @app.get("/v1/sessions")
    async def sessions(limit: Limit = LIST_DEFAULT, after: After = None) -> Response:
        """Conversations, the one that moved last first."""
        return answer(await control.store.read(lists.sessions, after, limit))

    @app.get("/v1/sessions/{session_id}")
    async def session(session_id: Id) -> Response:
        """A conversation with its transcript, oldest first."""
        return answer(await control.store.read(lists.transcript, session_id))

    @app.patch("/v1/sessions/{session_id}")
    async def change(session_id: Id, change: SessionChange) -> Response:
        """Rename a conversation."""
        now = control.clock.now_ms()
        return answer(await control.store.offer(lists.rename_session, session_id, change.title, now))

    @app.post("/v1/sessions/{session_id}/interrupt")
    async def interrupt(session_id: Id) -> Response:
        """Stop the turn that runs now; what was saved stays."""
        control.presence.touch(control.clock.now_ms())
        return answer(rendered(await control.interrupt(session_id)))
