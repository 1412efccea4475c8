"""How a test speaks HTTP with a daemon and listens to it: one request, a followed stream. Standard library only."""

import http.client
import json
import socket
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        return self.json["error"]["code"]


class Unix(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        try:
            self.sock.connect(str(self.path))
        except OSError:
            self.sock.close()
            raise


def ask(connection: http.client.HTTPConnection, method: str, path: str, body: bytes, headers: Json) -> Answer:
    try:
        connection.request(method, path, body=body or None, headers=headers)
        answer = connection.getresponse()
        return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
    finally:
        connection.close()


class Follower:
    """A client that follows the event stream on a thread; `frames` grows as they come."""

    def __init__(self, control: Path, after: int, session: str | None) -> None:
        self.frames: list[Json] = []
        self._connection = Unix(control, 60)
        path = f"/v1/events?after={after}&follow=1" + (f"&session={session}" if session else "")
        self._connection.request("GET", path)
        self._answer = self._connection.getresponse()
        assert self._answer.status == 200, self._answer.read()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        try:
            for line in iter(self._answer.readline, b""):
                if line.strip():
                    self.frames.append(json.loads(line))
        except (OSError, ValueError, http.client.HTTPException):
            return  # closed under us

    @property
    def cursors(self) -> list[int]:
        return [f["cursor"] for f in list(self.frames) if f.get("cursor") is not None]

    def close(self) -> None:
        sock = self._connection.sock
        if sock is not None:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self._thread.join(5)
        self._answer.close()
        self._connection.close()

    def __enter__(self) -> "Follower":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def server_sent(
    control: Path, after: int, count: int, last_id: str | None = None
) -> Iterator[tuple[str | None, Json]]:
    """The first `count` server-sent events with an id: (id, data)."""
    connection = Unix(control, 20)
    headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": last_id} if last_id else {})
    try:
        connection.request("GET", f"/v1/events?after={after}&follow=1", headers=headers)
        answer = connection.getresponse()
        assert answer.getheader("content-type", "").startswith("text/event-stream")
        event_id: str | None = None
        with answer:
            while count:
                line = answer.readline().decode().rstrip("\n")
                if line.startswith("id:"):
                    event_id = line[3:].strip()
                elif line.startswith("data:") and event_id is not None:
                    yield event_id, json.loads(line[5:])
                    event_id, count = None, count - 1
    finally:
        connection.close()
