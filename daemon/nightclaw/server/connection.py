"""One HTTP connection: uvicorn's httptools protocol with what a listener in the open needs."""

import asyncio
import json
import socket
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Protocol

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

HEAD_LIMIT = 64 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds, and the number of TCP connections at once (half of the descriptors we may open, at most 512)."""

    header_s: float = 10.0
    body_idle_s: float = 10.0
    body_s: float = 60.0
    keep_alive_s: float = 30.0
    stop_s: float = 5.0
    retry_s: float = 10.0
    connections: int = 512


class Peer(Protocol):
    """Who is on the other end of the control socket; see `nightclaw.api.peer`."""

    @property
    def pid(self) -> int | None: ...
    @property
    def uid(self) -> int | None: ...
    @property
    def refusal(self) -> str | None: ...


PeerOf = Callable[[socket.socket], Peer]


class House(Protocol):
    """What a connection asks of the server it belongs to."""

    limits: Limits
    peer_of: PeerOf

    def enter(self, guest: "Connection") -> bool:
        """Let a TCP connection in; False when the house is full of guests that are being served."""
        ...

    def leave(self, gone: "Connection") -> None: ...


class Connection(HttpToolsProtocol):
    """uvicorn's protocol with what a listener in the open needs: deadlines, a bounded head, JSON errors.

    One lazy timer a connection: the hot path only moves `_due`. A timer is never set further ahead than the
    shortest deadline, so it is never late.
    """

    def __init__(self, server: House, config: uvicorn.Config, state: ServerState) -> None:
        super().__init__(config, state, app_state={})
        self._owner = server
        self._limits = server.limits
        self._open_air = False
        self._in_head = False
        self._in_body = False
        self._head_bytes = 0
        self._body_end = 0.0
        self._due: float | None = None
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)
        if self.server is not None and self.server[1] is None:
            self.app_state = {"peer": self._owner.peer_of(transport.get_extra_info("socket"))}
            return
        self._open_air = True
        self._arm(self._limits.header_s)
        if not self._owner.enter(self):
            self._turn_away(503, "busy", "too many connections")

    def connection_lost(self, exc: Exception | None) -> None:
        self._due = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        super().connection_lost(exc)
        self._owner.leave(self)

    def data_received(self, data: bytes) -> None:
        if self._in_body:
            self._due = min(self.loop.time() + self._limits.body_idle_s, self._body_end)
        elif self._in_head:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._in_head and self._head_bytes > HEAD_LIMIT and not self.transport.is_closing():
            self._turn_away(431, "too_large", "the request head is over 64 KiB")

    def send_400_response(self, msg: str) -> None:
        self._turn_away(400, "bad_request", msg)

    # Parser callbacks: head → body → (the answer) → idle → head

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head = True
        self._head_bytes = 0
        if self._open_air:
            self._arm(self._limits.header_s)

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._in_head:  # what comes after a chunked body is dropped
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._in_head, self._in_body = False, True
        if self._open_air:
            self._body_end = self.loop.time() + self._limits.body_s
            self._due = min(self.loop.time() + self._limits.body_idle_s, self._body_end)
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._in_body = False
        self._due = None
        super().on_message_complete()
        if self.cycle.response_complete and not self.pipeline:
            self._rest()

    def on_response_complete(self) -> None:
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        if self._in_body and self.expect_100_continue:
            self.transport.close()  # nobody can know whether the body still comes
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        elif not self._in_body:
            self._rest()

    def _rest(self) -> None:
        if self._open_air:
            self._arm(self._limits.keep_alive_s)

    @property
    def is_waiting(self) -> bool:
        """It is the client's turn, nothing of ours is at work: it may be cut to make room."""
        return self._in_body or self.cycle is None or self.cycle.response_complete

    def _arm(self, seconds: float) -> None:
        now = self.loop.time()
        self._due = now + seconds
        if self._timer is None:
            self._timer = self.loop.call_at(min(self._due, now + self._limits.header_s), self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        if self._due is None or self.transport.is_closing():
            return
        now = self.loop.time()
        if self._in_body and self.flow.read_paused:  # we are the slow side
            self._due = now + self._limits.body_idle_s
        if now < self._due:
            soon = min(self._due, now + self._limits.header_s)
            self._timer = self.loop.call_at(soon, self._on_timer)
        elif self._in_body or self._in_head:
            self._turn_away(408, "timeout", "the request did not arrive in time")
        else:
            self.transport.close()

    def _turn_away(self, status: int, code: str, message: str) -> None:
        """Answer outside of any app and close; silent when an answer is already under way."""
        cycle = self.cycle
        if cycle is None or cycle.response_complete or not cycle.response_started:
            if cycle is not None and not cycle.response_complete:
                cycle.disconnected = True
                cycle.message_event.set()
            content = json.dumps({"error": {"code": code, "message": message, "hint": ""}}).encode()
            head = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\ncontent-type: application/json\r\n"
            head += f"content-length: {len(content)}\r\nconnection: close\r\n\r\n"
            self.transport.write(head.encode() + content)
        self.transport.close()
