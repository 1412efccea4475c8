"""HTTP/1.1 over the control socket, by hand: the libraries that speak it cost more than a whole `clawctl status`.

One request a connection. A body may come with a length, in chunks or until the end of the connection; an answer
that ends early raises `Gone`, a server that is not there `NotRunning`, one that stays silent `TimedOut`. Nothing
here knows what the bytes mean.
"""

import errno
import socket
import time
from collections.abc import Iterator

from clawctl.exits import Failure, Gone, NotRunning, TimedOut

ANSWER_S = 30.0
CONNECT_S = 5.0
HEAD_LIMIT = 64 * 1024
LINE_LIMIT = 64 * 1024 * 1024
READ_SIZE = 16 * 1024


class Response:
    """A status and its headers (names in lower case); the body is read once, whole or line by line."""

    def __init__(self, link: "Link", status: int, headers: dict[str, str]) -> None:
        self.status = status
        self.headers = headers
        self._link = link

    def read(self) -> bytes:
        """Return the whole body and close the connection."""
        try:
            return b"".join(self._parts())
        finally:
            self._link.close()

    def lines(self) -> Iterator[bytes]:
        """Yield each line of the body as soon as it is complete, without its end; an empty one is a sign of life."""
        waiting: list[bytes] = []
        size = 0
        try:
            for part in self._parts():
                size += len(part)
                if b"\n" not in part:
                    if size > LINE_LIMIT:
                        raise Failure(f"a line of the answer is longer than {LINE_LIMIT} bytes")
                    waiting.append(part)
                    continue
                *whole, rest = (b"".join(waiting) + part).split(b"\n")
                waiting, size = [rest], len(rest)
                yield from whole
            last = b"".join(waiting)
            if last.strip():
                yield last
        finally:
            self._link.close()

    def patience(self, seconds: float | None) -> None:
        """Wait at most so long for each further piece of the body; None waits for ever."""
        self._link.patience(seconds)

    def close(self) -> None:
        """Drop the connection; a reader blocked in another thread is woken with `Gone`."""
        self._link.hang_up()

    def _parts(self) -> Iterator[bytes]:
        link, headers = self._link, self.headers
        if self.status in (204, 304):
            return
        if "chunked" in headers.get("transfer-encoding", "").lower():
            yield from _chunks(link)
        elif "content-length" in headers:
            left = _whole_number(headers["content-length"], 10)
            while left:
                part = link.take(left)
                left -= len(part)
                yield part
        else:
            while part := link.more():
                yield part


class Link:
    """A connected socket and what was read from it but not used yet."""

    def __init__(self, path: str, patience_s: float | None) -> None:
        self._path = path
        self._read = b""
        self._socket = _connect(path)
        self._socket.settimeout(patience_s)

    def send(self, data: bytes) -> None:
        try:
            self._socket.sendall(data)
        except TimeoutError:
            raise TimedOut("the daemon does not take the request") from None
        except OSError as fault:
            raise Gone(f"the daemon hung up ({fault.strerror})") from None

    def more(self) -> bytes:
        """Return what is at hand, else what comes next; empty at the end of the connection."""
        if self._read:
            data, self._read = self._read, b""
            return data
        try:
            return self._socket.recv(READ_SIZE)
        except TimeoutError:
            raise TimedOut("the daemon did not answer in time", "`clawctl status` shows how it is") from None
        except OSError as fault:
            raise Gone(f"the connection to the daemon broke ({fault.strerror})") from None

    def take(self, most: int) -> bytes:
        """Return between 1 and `most` bytes."""
        data = self.more()
        if not data:
            raise Gone("the daemon went away in the middle of its answer")
        self._read = data[most:]
        return data[:most]

    def until(self, mark: bytes, limit: int) -> bytes:
        """Return what stands before the next `mark` and step over it."""
        held = b""
        while (at := held.find(mark)) < 0:
            if len(held) > limit:
                raise Failure("the control socket does not speak HTTP")
            data = self.more()
            if not data:
                raise Gone("the daemon went away before it answered")
            held += data
        self._read = held[at + len(mark) :] + self._read
        return held[:at]

    def patience(self, seconds: float | None) -> None:
        self._socket.settimeout(seconds)

    def hang_up(self) -> None:
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # the other side was faster

    def close(self) -> None:
        self._socket.close()


def request(
    path: str,
    method: str,
    target: str,
    body: bytes | None = None,
    accept: str = "application/json",
    patience_s: float | None = ANSWER_S,
    headers: dict[str, str] | None = None,
) -> Response:
    """Send one request over the socket at `path` and return its answer, the body still unread."""
    link = Link(path, patience_s)
    try:
        said = {"Host": "localhost", "User-Agent": "clawctl", "Accept": accept, "Connection": "close"} | (
            headers or {}
        )
        if body is not None:
            said |= {"Content-Type": "application/json", "Content-Length": str(len(body))}
        head = "".join(f"{name}: {value}\r\n" for name, value in said.items())
        link.send(f"{method} {target} HTTP/1.1\r\n{head}\r\n".encode("ascii") + (body or b""))
        return _answer(link)
    except BaseException:
        link.close()
        raise


def quoted(text: str) -> str:
    """Percent-encode everything that is not unreserved, so any text may stand in a path or a query."""
    return "".join(
        chr(byte) if byte < 128 and (chr(byte).isalnum() or byte in b"-._~") else f"%{byte:02X}"
        for byte in text.encode("utf-8", "surrogateescape")
    )


def _connect(path: str) -> socket.socket:
    link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    deadline = time.monotonic() + CONNECT_S
    try:
        link.settimeout(CONNECT_S)
        while True:
            try:
                link.connect(path)
                return link
            except BlockingIOError:  # its backlog is full for the moment
                if time.monotonic() > deadline:
                    raise TimedOut("the daemon takes no further connection") from None
                time.sleep(0.01)
    except BaseException as fault:
        link.close()
        if isinstance(fault, TimeoutError):
            raise TimedOut("the daemon takes no connection") from None
        if isinstance(fault, OSError):
            raise _no_connection(path, fault) from None
        raise


def _no_connection(path: str, fault: OSError) -> Failure:
    if fault.errno in (errno.ENOENT, errno.ENOTDIR, errno.ECONNREFUSED):
        return NotRunning(f"the daemon does not run ({path})")
    if fault.errno in (errno.EACCES, errno.EPERM):
        return Failure(
            f"{path} belongs to somebody else", hint="only the owner of the home may talk to its daemon"
        )
    if fault.errno is None:
        return NotRunning(
            f"the socket path is too long for this system: {path}",
            "choose a shorter home with --home or NIGHTCLAW_HOME",
        )
    return Failure(f"cannot reach {path}: {fault.strerror}")


def _answer(link: Link) -> Response:
    while True:
        first, *rest = link.until(b"\r\n\r\n", HEAD_LIMIT).decode("latin-1").split("\r\n")
        words = first.split(" ", 2)
        if len(words) < 2 or not words[0].startswith("HTTP/1.") or not words[1].isdigit():
            raise Failure("the control socket does not speak HTTP")
        status = int(words[1])
        if status >= 200:
            headers = {}
            for line in rest:
                name, _, value = line.partition(":")
                headers[name.strip().lower()] = value.strip()
            return Response(link, status, headers)


def _chunks(link: Link) -> Iterator[bytes]:
    while True:
        left = _whole_number(link.until(b"\r\n", HEAD_LIMIT).split(b";")[0].decode("latin-1").strip(), 16)
        if not left:
            while link.until(b"\r\n", HEAD_LIMIT):
                pass  # trailers
            return
        while left:
            part = link.take(left)
            left -= len(part)
            yield part
        if link.until(b"\r\n", HEAD_LIMIT):
            raise Failure("the daemon's answer is not well-formed: a chunk is longer than it says")


def _whole_number(text: str, radix: int) -> int:
    try:
        number = int(text, radix)
    except ValueError:
        number = -1
    if number < 0:
        raise Failure("the daemon's answer is not well-formed: a length is not a number")
    return number
