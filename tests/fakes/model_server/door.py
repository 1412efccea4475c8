"""HTTP/1.1 on loopback for the model server: exact about bytes, honest about connections that break.

Its loop has a thread of its own, so a test may be synchronous, asynchronous, or a child process away. A reply can be
cut, reset, or held; a client that hangs up ends its own reply and nothing else.
"""

import asyncio
import socket
import struct
import threading
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus

_MOST_HEAD = 65_536


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes


class ClientLeft(Exception):
    """The other side closed its connection while the reply was on its way."""


class Answer:
    """One reply. Body bytes are counted in `sent`."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._is_chunked = False
        self.sent = 0
        self.early = b""
        self.keeps = True

    async def whole(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        await self.start(status, {**headers, "content-length": str(len(body))})
        await self.write(body)

    async def start(self, status: int, headers: Mapping[str, str]) -> None:
        """Without a content-length the body is chunked and `end` closes it."""
        try:
            phrase = HTTPStatus(status).phrase
        except ValueError:
            phrase = "Overloaded" if status == 529 else "Status"
        lines = [f"HTTP/1.1 {status} {phrase}", *(f"{name}: {value}" for name, value in headers.items())]
        self._is_chunked = "content-length" not in headers
        if self._is_chunked:
            lines.append("transfer-encoding: chunked")
        self._writer.write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))
        await self._drain()

    async def write(self, data: bytes) -> None:
        if not data:
            return
        self._writer.write(b"%x\r\n%s\r\n" % (len(data), data) if self._is_chunked else data)
        self.sent += len(data)
        await self._drain()

    async def end(self) -> None:
        if self._is_chunked:
            self._writer.write(b"0\r\n\r\n")
            await self._drain()

    async def cut(self, reset: bool = False) -> None:
        """What was written is delivered, then the connection ends; reset: with RST."""
        self.keeps = False
        if reset:
            sock = self._writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.close()

    async def during(self, waiting: Awaitable[None]) -> None:
        """Waits, unless the client leaves first (ClientLeft)."""
        wait = asyncio.ensure_future(waiting)
        gone = asyncio.create_task(self._reader.read(1))
        try:
            await asyncio.wait({wait, gone}, return_when=asyncio.FIRST_COMPLETED)
            if not wait.done() and gone.done() and not self._early(gone):
                raise ClientLeft
            await wait
        finally:
            for task in (wait, gone):
                task.cancel()
            await asyncio.gather(wait, gone, return_exceptions=True)
            if not gone.cancelled() and gone.exception() is None and not self.early:
                self._early(gone)

    def _early(self, gone: "asyncio.Task[bytes]") -> bool:
        """Whether what came is the start of the next request instead of the end."""
        if gone.exception() is not None or not gone.result():
            return False
        self.early = gone.result()
        return True

    async def _drain(self) -> None:
        try:
            await self._writer.drain()
        except ConnectionError as e:
            raise ClientLeft from e
        if self._reader.at_eof():
            raise ClientLeft


Handler = Callable[[Request, Answer], Awaitable[None]]


class Door:
    """Listens on 127.0.0.1 from `open` to `close`."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._listening = threading.Event()
        self._connections: set[asyncio.Task[None]] = set()
        self._fault: BaseException | None = None
        self.port = 0

    def open(self, port: int = 0) -> None:
        self._listening.clear()
        self._thread = threading.Thread(target=self._work, args=(port,), name="model-server", daemon=True)
        self._thread.start()
        self._listening.wait()
        if self._fault is not None:
            raise self._fault

    def close(self) -> None:
        if self._loop is not None and self._stop is not None and self._thread is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(10)
            self._loop = None

    def _work(self, port: int) -> None:
        try:
            asyncio.run(self._serve(port))
        except OSError as e:
            self._fault = e
            self._listening.set()

    async def _serve(self, port: int) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._connected, "127.0.0.1", port, limit=_MOST_HEAD)
        self.port = server.sockets[0].getsockname()[1]
        self._listening.set()
        await self._stop.wait()
        server.close()
        for task in list(self._connections):
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        sock = writer.get_extra_info("socket")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        early = b""
        try:
            while True:
                request = await _read(reader, early, writer)
                if request is None:
                    return
                answer = Answer(reader, writer)
                await self._handler(request, answer)
                if not answer.keeps or request.headers.get("connection") == "close":
                    return
                early = answer.early
        except (ClientLeft, ConnectionError, asyncio.IncompleteReadError, ValueError):
            return
        except asyncio.CancelledError:
            return  # the server closes; nobody waits for this task's result
        finally:
            self._connections.discard(task)
            writer.close()
            try:
                await writer.wait_closed()
            except (ConnectionError, asyncio.CancelledError):
                pass


async def _read(reader: asyncio.StreamReader, early: bytes, writer: asyncio.StreamWriter) -> Request | None:
    try:
        head = early + await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
    method, target, _ = first.split(" ", 2)
    headers: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    if headers.get("expect", "").lower() == "100-continue":
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    path, _, query = target.partition("?")
    return Request(method, path, query, headers, await _body(reader, headers))


async def _body(reader: asyncio.StreamReader, headers: Mapping[str, str]) -> bytes:
    if headers.get("transfer-encoding", "").lower() != "chunked":
        return await reader.readexactly(int(headers.get("content-length", "0")))
    parts = []
    while size := int((await reader.readline()).split(b";")[0], 16):
        parts.append(await reader.readexactly(size))
        await reader.readline()
    while (await reader.readline()).strip():
        pass
    return b"".join(parts)
