"""`GET /v1/events`: the log is the buffer. A follower reads a page after its cursor, sends it, waits for a newer head.

No transaction is open while bytes are sent, no queue grows for a client: a slow one harms only itself. Followers at
the same place share one read. The order is that of the log, without gap or repeat; ephemeral frames stand between
the events they were published between. A quiet stream says so every KEEP_ALIVE_S; all streams end on drain.
"""

import asyncio
import json
from collections.abc import Awaitable, MutableMapping
from dataclasses import dataclass
from typing import Protocol

from starlette.responses import Response

from nightclaw.api.ephemeral import Subscriber
from nightclaw.api.ports import Control
from nightclaw.core.errors import StoreError
from nightclaw.protocol import events as wire
from nightclaw.protocol.messages import iso
from nightclaw.store import stream
from nightclaw.store.stream import EventPage

FOLLOW_PAGE = 200
FOLLOW_BYTES = 32 * 1024
"""What a client that stops reading holds in memory, about; a single event may be larger."""
PAGE_BYTES = 1024 * 1024
MOST_FOLLOWERS = 500
LAST_WORDS_S = 1.0

Message = MutableMapping[str, object]


class Send(Protocol):
    def __call__(self, message: Message, /) -> Awaitable[None]: ...


class Receive(Protocol):
    def __call__(self) -> Awaitable[Message]: ...


@dataclass(frozen=True, slots=True)
class Wanted:
    """after None: from the oldest event kept. client: the id of an attached client, else None."""

    after: int | None
    limit: int
    session: str | None
    is_sse: bool
    client: str | None = None
    keep_alive_s: float = wire.KEEP_ALIVE_S


class Pages:
    """Reads pages of the log; readers that want the same page at the same time share one read."""

    def __init__(self, control: Control) -> None:
        self._store = control.store
        self._reading: dict[tuple[int, str | None], asyncio.Task[EventPage]] = {}

    async def after(self, cursor: int, session: str | None) -> EventPage:
        key = (cursor, session)
        reading = self._reading.get(key)
        if reading is None:
            reading = asyncio.create_task(
                self._store.read(stream.page, cursor, FOLLOW_PAGE, FOLLOW_BYTES, session)
            )
            self._reading[key] = reading
            reading.add_done_callback(lambda done: self._forget(key, done))
        return await asyncio.shield(reading)

    def _forget(self, key: tuple[int, str | None], done: asyncio.Task[EventPage]) -> None:
        del self._reading[key]
        if not done.cancelled():
            done.exception()  # each reader that still waits gets it; with none left nobody misses it


def as_bytes(frames: list[tuple[int | None, bytes]], is_sse: bool) -> bytes:
    """Frames in the chosen form; a cursor is an SSE event's id."""
    if not is_sse:
        return b"".join(frame + b"\n" for _, frame in frames)
    return b"".join(
        (b"id: %d\ndata: %s\n\n" % (cursor, frame)) if cursor is not None else b"data: %s\n\n" % frame
        for cursor, frame in frames
    )


async def start(control: Control, wanted: Wanted) -> tuple[int, list[tuple[int | None, bytes]]]:
    """Where the stream begins, and the reset that says so when the client's cursor cannot be honoured."""
    kept = await control.store.read(stream.kept)
    if wanted.after is None:
        return kept.floor, []
    if kept.floor <= wanted.after <= kept.head:
        return wanted.after, []
    reason = "older than what is kept" if wanted.after < kept.floor else "not a cursor of this log"
    frame: dict[str, object] = {
        "kind": wire.RESET,
        "cursor": kept.head,
        "at": iso(control.clock.now_ms()),
        "task": None,
        "session": wanted.session,
        "data": {"reason": reason, "asked": wanted.after, "head": kept.head, "oldest": kept.floor + 1},
    }
    return kept.head, [(kept.head, json.dumps(frame, separators=(",", ":")).encode())]


async def one_page(control: Control, wanted: Wanted) -> bytes:
    """The page after the cursor, or the reset alone."""
    cursor, reset = await start(control, wanted)
    if reset:
        return as_bytes(reset, wanted.is_sse)
    frames: list[tuple[int | None, bytes]] = []
    while len(frames) < wanted.limit:
        left = wanted.limit - len(frames)
        page = await control.store.read(stream.page, cursor, left, PAGE_BYTES, wanted.session)
        if not page.frames:
            break
        frames += page.frames
        cursor = page.upto
    return as_bytes(frames, wanted.is_sse)


class Follow(Response):
    """One following client, as an ASGI answer. `begin` may raise; from then on it streams until someone stops."""

    def __init__(self, control: Control, pages: Pages, wanted: Wanted) -> None:
        super().__init__()
        self._control = control
        self._pages = pages
        self._wanted = wanted
        self._wake = asyncio.Event()
        self._cursor = 0
        self._first: list[tuple[int | None, bytes]] = []

    async def begin(self) -> None:
        self._cursor, self._first = await start(self._control, self._wanted)

    async def __call__(self, scope: object, receive: Receive, send: Send) -> None:
        wanted, presence = self._wanted, self._control.presence
        with self._control.frames.subscribe(wanted.session, self._wake.set) as subscriber:
            if wanted.client:
                presence.attach(wanted.client, wanted.session)
            try:
                await self._run(subscriber, receive, send)
            finally:
                if wanted.client:
                    presence.detach(wanted.client)

    async def _run(self, subscriber: Subscriber, receive: Receive, send: Send) -> None:
        """Write until the client is gone, the daemon drains or the store closes."""
        writer = asyncio.create_task(self._write(subscriber, send))
        gone = asyncio.create_task(_until_gone(receive))
        stop = asyncio.create_task(self._control.draining.wait())
        try:
            await asyncio.wait({writer, gone, stop}, return_when=asyncio.FIRST_COMPLETED)
            if stop.done() and not gone.done():
                self._wake.set()
                await asyncio.wait({writer, gone}, timeout=LAST_WORDS_S, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for t in (writer, gone, stop):
                t.cancel()
            await asyncio.gather(writer, gone, stop, return_exceptions=True)
        fault = None if writer.cancelled() else writer.exception()
        if fault is not None and not isinstance(fault, StoreError | OSError):
            raise fault

    async def _write(self, subscriber: Subscriber, send: Send) -> None:
        kind = wire.SSE if self._wanted.is_sse else wire.NDJSON
        headers = [(b"content-type", kind.encode()), (b"cache-control", b"no-store")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await self._send(send, as_bytes(self._first, self._wanted.is_sse))
        draining = self._control.draining
        while True:
            ending = draining.is_set()
            self._wake.clear()
            page = await self._pages.after(self._cursor, self._wanted.session)
            frames = _in_order(page, subscriber)
            self._cursor = page.upto
            if frames:
                await self._send(send, as_bytes(frames, self._wanted.is_sse))
            elif ending:
                break
            is_done = self._control.store.head.cursor <= self._cursor and not subscriber.frames
            if is_done and not ending and not await self._news():
                await self._send(send, b": still here\n\n" if self._wanted.is_sse else b"\n")
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _send(self, send: Send, body: bytes) -> None:
        await send({"type": "http.response.body", "body": body, "more_body": True})

    async def _news(self) -> bool:
        """Wait for a newer event, a frame or the drain; False after the keep-alive time without any."""
        head = asyncio.create_task(
            self._control.store.head.wait_past(self._cursor, self._wanted.keep_alive_s)
        )
        wake = asyncio.create_task(self._wake.wait())
        try:
            await asyncio.wait({head, wake}, return_when=asyncio.FIRST_COMPLETED)
            return wake.done() or head.result()
        finally:
            head.cancel()
            wake.cancel()


def _in_order(page: EventPage, subscriber: Subscriber) -> list[tuple[int | None, bytes]]:
    """The page with the waiting frames at their places; frames beyond the page wait for the next one."""
    waiting = subscriber.frames
    out: list[tuple[int | None, bytes]] = []
    for cursor, frame in page.frames:
        while waiting and waiting[0][0] < cursor:
            out.append((None, waiting.popleft()[1]))
        out.append((cursor, frame))
    while waiting and waiting[0][0] <= page.upto:
        out.append((None, waiting.popleft()[1]))
    return out


async def _until_gone(receive: Receive) -> None:
    while (await receive()).get("type") != "http.disconnect":
        pass
