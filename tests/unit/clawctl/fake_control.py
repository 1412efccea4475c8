"""A control server for tests: real HTTP/1.1 on a real unix socket, strict about who calls and how.

It answers what a test put into `routes`, keeps an event log that can be followed like the daemon's, and notes every
breach of the protocol by the client in `breaches`.
"""

import json
import os
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

DEADLINE_S = 20.0
Route = Callable[["Asked", "Wire"], object]


@dataclass
class Asked:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: dict[str, object] | None
    fleeting: int = 0
    """How many ephemeral frames had passed when it came."""


@dataclass
class Reply:
    """An answer that is not simply 200 with JSON."""

    status: int = 200
    value: object = None
    text: str | None = None
    headers: dict[str, str] = field(default_factory=dict)


def error(status: int, code: str, message: str, hint: str = "") -> Reply:
    return Reply(status, {"error": {"code": code, "message": message, "hint": hint}})


class Wire:
    """The open connection of one request, for routes that write their own bytes."""

    def __init__(self, link: socket.socket) -> None:
        self.link = link
        self.is_taken = False

    def raw(self, data: bytes) -> None:
        self.is_taken = True
        self.link.sendall(data)

    def head(self, *lines: str) -> None:
        self.raw("\r\n".join(("HTTP/1.1 200 OK", *lines, "", "")).encode())

    def chunk(self, data: bytes) -> None:
        self.raw(b"%x\r\n%s\r\n" % (len(data), data))


class FakeControl:
    """The daemon's side of `<home>/run/control.sock`."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.path = home / "run" / "control.sock"
        self.routes: dict[str, object] = {"GET /v1/events": self._events}
        self.asked: list[Asked] = []
        self.breaches: list[str] = []
        self.log: list[dict[str, object]] = []
        self._fleeting: list[tuple[int, bytes]] = []
        self._moved = threading.Condition()
        self._links: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._door: socket.socket | None = None

    def start(self) -> None:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path.unlink(missing_ok=True)
        door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        door.bind(str(self.path))
        door.listen(16)
        self._door = door
        self._spawn(self._accept, door)

    def stop(self) -> None:
        """Go away like a killed process: every connection breaks, the socket file stays."""
        with self._moved:
            door, self._door = self._door, None
            links = list(self._links)
            self._moved.notify_all()
        if door:
            door.shutdown(socket.SHUT_RDWR)
            door.close()
        for link in links:
            try:
                link.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # its client was faster
        for thread in self._threads:
            thread.join(DEADLINE_S)
        self._threads.clear()

    def event(self, kind: str, data: dict[str, object] | None = None, **more: object) -> int:
        """Append an event; a cursorless one for `*.delta`. Returns its cursor."""
        with self._moved:
            row: dict[str, object] = {"kind": kind, "task": None, "session": None, **more, "data": data or {}}
            if kind.endswith(".delta"):  # whoever does not follow yet never hears it
                self._moved.wait_for(lambda: any(a.path == "/v1/events" for a in self.asked), DEADLINE_S)
                self._fleeting.append((len(self.log), json.dumps(row).encode() + b"\n"))
            else:
                self.log.append({"cursor": len(self.log) + 1, "at": "2026-11-20T08:00:00.000Z", **row})
            self._moved.notify_all()
            return len(self.log)

    def wait_for(self, call: str, times: int = 1) -> Asked:
        """Return the nth request `METHOD /path`, waiting for it."""

        def found() -> list[Asked]:
            return [asked for asked in self.asked if f"{asked.method} {asked.path}" == call]

        with self._moved:
            if not self._moved.wait_for(lambda: len(found()) >= times, DEADLINE_S):
                raise AssertionError(f"{call} was not called {times} times: {[a.path for a in self.asked]}")
            return found()[times - 1]

    def bodies(self, call: str) -> list[dict[str, object] | None]:
        return [asked.body for asked in self.asked if f"{asked.method} {asked.path}" == call]

    def _spawn(self, run: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=run, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self, door: socket.socket) -> None:
        while True:
            try:
                link, _ = door.accept()
            except OSError:
                return
            with self._moved:
                if self._door is not door:
                    link.close()
                    return
                self._links.add(link)
            self._spawn(self._serve, link)

    def _serve(self, link: socket.socket) -> None:
        try:
            with link:
                self._check_caller(link)
                asked = self._read(link)
                if asked:
                    with self._moved:
                        asked.fleeting = len(self._fleeting)
                        self.asked.append(asked)
                        self._moved.notify_all()
                    self._answer(asked, Wire(link))
        except OSError:
            pass  # the client left, or this server was stopped
        finally:
            with self._moved:
                self._links.discard(link)

    def _check_caller(self, link: socket.socket) -> None:
        if sys.platform == "linux":
            _, uid, _ = struct.unpack("3i", link.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
            if uid != os.getuid():
                self.breaches.append(f"uid {uid} called")

    def _read(self, link: socket.socket) -> Asked | None:
        data = b""
        while b"\r\n\r\n" not in data:
            more = link.recv(4096)
            if not more:
                return None
            data += more
        head, _, body = data.partition(b"\r\n\r\n")
        first, *lines = head.decode("ascii").split("\r\n")
        method, target, version = first.split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        while len(body) < int(headers.get("content-length", "0")):
            body += link.recv(4096)
        if version != "HTTP/1.1" or headers.get("host") != "localhost":
            self.breaches.append(f"{first} for host {headers.get('host')}")
        if method in ("POST", "PATCH") and headers.get("content-type") != "application/json":
            self.breaches.append(f"{first} without a JSON body")
        if len(body) != int(headers.get("content-length", "0")):
            self.breaches.append(f"{first}: {len(body)} bytes are not its content-length")
        parts = urlsplit(target)
        query = {key: values[-1] for key, values in parse_qs(parts.query, keep_blank_values=True).items()}
        sent = json.loads(body) if body else None
        return Asked(method, unquote(parts.path), query, headers, sent)

    def _answer(self, asked: Asked, wire: Wire) -> None:
        found = self.routes.get(
            f"{asked.method} {asked.path}", error(404, "not_found", f"no {asked.path} here")
        )
        if callable(found):
            found = found(asked, wire)
        if wire.is_taken:
            return
        reply = found if isinstance(found, Reply) else Reply(value=found)
        body = (json.dumps(reply.value) if reply.text is None else reply.text).encode()
        headers = {"content-type": "application/json", "content-length": str(len(body)), **reply.headers}
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        wire.raw(f"HTTP/1.1 {reply.status} Whatever\r\n{head}\r\n".encode() + body)

    def _events(self, asked: Asked, wire: Wire) -> None:
        after, limit = int(asked.query.get("after", "0")), int(asked.query.get("limit", "1000"))
        wire.head("content-type: application/x-ndjson", "transfer-encoding: chunked")
        if "follow" not in asked.query:
            wire.chunk(b"".join(self._lines(asked, after, limit)) or b"\n")
            wire.raw(b"0\r\n\r\n")
            return
        door, fleeting = self._door, asked.fleeting
        while door is self._door:
            with self._moved:
                rows, after = self._lines(asked, after, limit), max(after, len(self.log))
                deltas, fleeting = self._fleeting[fleeting:], len(self._fleeting)
                if not rows and not deltas and door is self._door:
                    self._moved.wait(DEADLINE_S)
                    continue
            for data in _in_order(rows, deltas):
                wire.chunk(data)

    def _lines(self, asked: Asked, after: int, limit: int) -> list[bytes]:
        session = asked.query.get("session")
        rows = [row for row in self.log[after : after + limit] if session in (None, row["session"])]
        return [json.dumps(row).encode() + b"\n" for row in rows]


def _in_order(rows: Iterable[bytes], deltas: Iterable[tuple[int, bytes]]) -> list[bytes]:
    """Put what is fleeting behind the durable event it followed."""
    keyed = [(json.loads(row)["cursor"], 0, row) for row in rows]
    keyed += [(behind, 1, data) for behind, data in deltas]
    return [data for _, _, data in sorted(keyed, key=lambda item: item[:2])]


def pages(rows: list[dict[str, object]], size: int = 2) -> Route:
    """A list route that hands out `rows` in pages of at most `size`."""

    def page(asked: Asked, wire: Wire) -> object:
        first = int(asked.query.get("after", "0"))
        last = first + min(size, int(asked.query.get("limit", "500")))
        return {"items": rows[first:last], "next": str(last) if last < len(rows) else None}

    return page


def wait_until(holds: Callable[[], object], what: str) -> None:
    until = time.monotonic() + DEADLINE_S
    while not holds():
        if time.monotonic() > until:
            raise AssertionError(f"waited in vain: {what}")
        threading.Event().wait(0.01)
