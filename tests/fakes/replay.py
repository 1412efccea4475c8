"""A real HTTP server on loopback that says exactly the bytes it was told to, in pieces, and breaks off where told.

Answers are given in order; after the last one it is repeated. What was asked is kept for the test to read.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

Cut = Callable[[bytes], Iterator[bytes]]


def whole(body: bytes) -> Iterator[bytes]:
    yield body


def pieces_of(size: int) -> Cut:
    """Cuts a body into pieces of `size` bytes, through characters and fields alike."""

    def cut(body: bytes) -> Iterator[bytes]:
        for start in range(0, len(body), size):
            yield body[start : start + size]

    return cut


@dataclass(frozen=True)
class Answer:
    """ends: "well" (the body is closed as HTTP says), "reset" (the connection just ends), "never" (silence).
    framed: chunked, so that a missing end is visible; without it the end of the connection is the end of the body.
    speaks: False says nothing at all, not even a status.
    """

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=lambda: {"content-type": "text/event-stream"})
    pieces: Cut = whole
    ends: str = "well"
    framed: bool = True
    speaks: bool = True

    @classmethod
    def json(cls, body: object, status: int = 200, **headers: str) -> "Answer":
        return cls(
            json.dumps(body).encode(),
            status,
            {"content-type": "application/json", **{k.replace("_", "-"): v for k, v in headers.items()}},
        )


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, object]:
        return json.loads(self.body)


class Replay:
    def __init__(self, answers: Sequence[Answer] | Callable[[Asked], Answer]) -> None:
        self.answers = answers
        self.asked: list[Asked] = []
        self.url = ""
        self.ended = asyncio.Event()
        self._given = 0
        self._lines: set[asyncio.Task[None]] = set()

    def _next(self, asked: Asked) -> Answer:
        if callable(self.answers):
            return self.answers(asked)
        self._given += 1
        return self.answers[min(self._given, len(self.answers)) - 1]

    def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._serve(reader, writer))
        self._lines.add(task)
        task.add_done_callback(self._lines.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while asked := await _read(reader):
                self.asked.append(asked)
                if not await self._say(self._next(asked), writer):
                    break
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def _say(self, answer: Answer, writer: asyncio.StreamWriter) -> bool:
        """True while the connection may be used again."""
        if not answer.speaks:
            await self.ended.wait()
            return False
        head = [f"HTTP/1.1 {answer.status} Said"]
        fields = {
            k: v
            for k, v in answer.headers.items()
            if k.lower() not in ("transfer-encoding", "content-length")
        }
        fields["transfer-encoding" if answer.framed else "connection"] = (
            "chunked" if answer.framed else "close"
        )
        head += [f"{name}: {value}" for name, value in fields.items()]
        writer.write("\r\n".join([*head, "", ""]).encode())
        for piece in filter(None, answer.pieces(answer.body)):  # an empty chunk would be the last one
            writer.write(b"%x\r\n%b\r\n" % (len(piece), piece) if answer.framed else piece)
            await writer.drain()
        if answer.ends == "never":
            await self.ended.wait()
        elif answer.ends == "well" and answer.framed:
            writer.write(b"0\r\n\r\n")
            await writer.drain()
            return True
        return False

    async def close(self) -> None:
        self.ended.set()
        for line in self._lines:
            line.cancel()
        await asyncio.gather(*self._lines, return_exceptions=True)


async def _read(reader: asyncio.StreamReader) -> Asked | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines if line)}
    method, path, _ = first.split(" ")
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Asked(method, path, headers, body)


@asynccontextmanager
async def replaying(*answers: Answer, by: Callable[[Asked], Answer] | None = None) -> AsyncIterator[Replay]:
    """Serve these answers, or whatever `by` says to each request, until the block ends."""
    replay = Replay(by or answers)
    server = await asyncio.start_server(replay.connected, "127.0.0.1", 0, limit=2**26)
    replay.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield replay
    finally:
        await replay.close()
        server.close()
        await server.wait_closed()
