"""Memories: looking, searching, adding, changing, forgetting; and redaction, which leaves nothing behind.

What the owner adds is active at once. A change makes a newer version; the older one stays as history. What may not be
kept (a secret, words without end) is 422.
"""

from collections.abc import Awaitable
from typing import Annotated, TypeVar

from fastapi import FastAPI, Query
from pydantic import AfterValidator, Field
from starlette.responses import Response

from nightclaw.api.answers import answer, refusal
from nightclaw.api.bodies import After, Body, Id, Limit, Words
from nightclaw.api.ports import Brought, Control, MemoryChange, MemoryOrder
from nightclaw.core.errors import Invalid, Refused
from nightclaw.core.states import MemoryState
from nightclaw.core.topic import slug
from nightclaw.protocol.messages import LIST_DEFAULT, parse_iso
from nightclaw.store import memory_lists


def _is_time(text: str) -> str:
    try:
        parse_iso(text)
    except (ValueError, OverflowError):
        raise ValueError("write a time like 2026-11-20T06:54:00Z") from None
    return text


T = TypeVar("T")
DAY_MS = 86_400_000
IMPORT_LIMIT = 500
Topic = Annotated[str, Field(min_length=1, max_length=100)]
Moment = Annotated[str, Field(max_length=40), AfterValidator(_is_time)]
When = Annotated[str, Field(max_length=200)]


class Order(Body):
    """topic: any words, kept as small letters and dashes. observed_at: when it was so, ISO 8601; now when missing."""

    text: Words
    topic: Topic | None = None
    when: When | None = None
    observed_at: Moment | None = None
    kind: Annotated[str, Field(pattern="^(user|feedback|project|reference|procedure)$")] | None = None


class Change(Body):
    """At least one of them; an empty `when` clears it."""

    text: Words | None = None
    topic: Topic | None = None
    when: When | None = None


class Piece(Body):
    """A memory, or with `role` (owner or assistant) something said in a session long ago."""

    text: Annotated[str, Field(min_length=1, max_length=20_000)]
    topic: Topic | None = None
    when: When | None = None
    observed_at: Moment | None = None
    role: Annotated[str, Field(pattern="^(owner|assistant)$")] | None = None
    session: Annotated[str, Field(max_length=200)] | None = None


class Import(Body):
    items: Annotated[list[Piece], Field(min_length=1, max_length=IMPORT_LIMIT)]
    dry_run: bool = False


class Redact(Body):
    text: Annotated[str, Field(min_length=1, max_length=20_000)]


def add(app: FastAPI, control: Control) -> None:
    _add_reading(app, control)
    _add_changing(app, control)


def _add_reading(app: FastAPI, control: Control) -> None:
    store = control.store

    @app.get("/v1/memories")
    async def listed(
        limit: Limit = LIST_DEFAULT,
        after: After = None,
        state: MemoryState | None = None,
        topic: Annotated[str | None, Query(max_length=100)] = None,
        q: Annotated[str | None, Query(max_length=2_000)] = None,
    ) -> Response:
        """What is remembered, newest first; with `q` what answers it, best first, and the words it was said in."""
        await control.read_memory_files()
        if q is not None and q.strip():
            found = await control.search_memory(q, min(limit, 100))
            return answer(await store.read(memory_lists.ranked, list(found)))
        name = slug(topic) if topic and topic.strip() else None
        return answer(await store.read(memory_lists.page, after, limit, str(state) if state else None, name))

    @app.get("/v1/memories/{memory_id}")
    async def one(memory_id: Id) -> Response:
        """A memory, its versions and the words it rests on."""
        await control.read_memory_files()
        return answer(await store.read(memory_lists.in_full, memory_id))


def _add_changing(app: FastAPI, control: Control) -> None:
    store = control.store

    @app.post("/v1/memories", status_code=201)
    async def keep(order: Order) -> Response:
        """Remember something; it is active at once."""
        now = control.clock.now_ms()
        control.presence.touch(now)
        made = await _or_422(
            control.add_memory(
                MemoryOrder(order.text, order.topic, order.when, _at(order.observed_at, now), order.kind)
            )
        )
        return made if isinstance(made, Response) else answer(await store.read(memory_lists.by_id, made), 201)

    @app.post("/v1/memories/import")
    async def bring(wanted: Import) -> Response:
        """Take memories and transcripts of another agent over; with `dry_run` only say what would come of it."""
        now = control.clock.now_ms()
        control.presence.touch(now)
        pieces = [
            Brought(p.text, p.topic, p.when, _at(p.observed_at, None if p.role else now), p.role, p.session)
            for p in wanted.items
        ]
        return answer(await control.import_memories(pieces, wanted.dry_run))

    @app.patch("/v1/memories/{memory_id}")
    async def change(memory_id: Id, wanted: Change) -> Response:
        """Make a newer version of a memory; the older one stays as history."""
        control.presence.touch(control.clock.now_ms())
        if wanted.text is None and wanted.topic is None and wanted.when is None:
            return refusal(422, "invalid", "text, topic or when: one of them is needed")
        await store.read(memory_lists.one, memory_id)
        made = await _or_422(
            control.edit_memory(memory_id, MemoryChange(wanted.text, wanted.topic, wanted.when))
        )
        return made if isinstance(made, Response) else answer(await store.read(memory_lists.by_id, made))

    @app.delete("/v1/memories/{memory_id}")
    async def forget(memory_id: Id) -> Response:
        """Forget a memory; it does not come back unless you say it again."""
        control.presence.touch(control.clock.now_ms())
        await store.read(memory_lists.one, memory_id)
        await control.forget_memory(memory_id)
        return answer(await store.read(memory_lists.by_id, memory_id))

    @app.post("/v1/redact")
    async def redact(wanted: Redact) -> Response:
        """Remove a text from rows, index, log, files and our backups. There is no way back."""
        control.presence.touch(control.clock.now_ms())
        try:
            return answer(await control.redact(wanted.text))
        except Invalid as error:
            return refusal(422, error.code, error.message, error.hint)


async def _or_422(work: Awaitable[T]) -> T | Response:
    """What the daemon will not keep is the caller's body's fault, not a conflict."""
    try:
        return await work
    except Invalid as error:
        return refusal(422, error.code, error.message, error.hint)
    except Refused as error:
        return refusal(422, "refused", error.message, error.hint)


def _at(text: str | None, now: int | None) -> int | None:
    """A moment in ms. A day's name may lie ahead of UTC where the day begins earlier: nothing was seen after `now`."""
    at = None if text is None else parse_iso(text)
    return min(at, now) if at is not None and now is not None and at <= now + DAY_MS else at
