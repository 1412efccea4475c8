"""Bytes of a streamed answer become events or lines, whatever the network cut them into.

A decoder keeps only what is not complete yet, and never more than LARGEST bytes of it. `end` is called when the answer
ended as the protocol says it should; an answer that broke off is never ended, so its torn tail is never seen.
Source of the event rules: https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
"""

from collections.abc import Iterator
from dataclasses import dataclass

LARGEST = 24 * 1024 * 1024


class TooLarge(Exception):
    """One event or line is larger than any honest one."""


@dataclass(frozen=True, slots=True)
class Event:
    """One server-sent event: its name (empty when it has none) and its data, as it was sent."""

    name: str
    data: bytes


class Lines:
    """Complete lines without their ends (`\\n`, `\\r\\n` or a lone `\\r`)."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._seen = 0
        self._skip_feed = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        if self._skip_feed and data:
            data = data.removeprefix(b"\n")
            self._skip_feed = False
        self._held += data
        start = 0
        while (end := self._next_end(max(start, self._seen))) >= 0:
            line = bytes(self._held[start:end])
            start = end + 1
            if self._held[end] == 13:
                if start == len(self._held):
                    self._skip_feed = True
                elif self._held[start] == 10:
                    start += 1
            self._seen = start
            yield line
        del self._held[:start]
        self._seen = len(self._held)
        if self._seen > LARGEST:
            raise TooLarge

    def _next_end(self, start: int) -> int:
        feed = self._held.find(b"\n", start)
        carriage = self._held.find(b"\r", start, feed if feed >= 0 else len(self._held))
        return carriage if carriage >= 0 else feed

    def end(self) -> Iterator[bytes]:
        """The last line of an answer that ended well, if no line end followed it."""
        if self._held:
            yield bytes(self._held)
            self._held.clear()


class Events:
    """Server-sent events; comments and fields nobody needs are dropped, and so is an event without data."""

    def __init__(self) -> None:
        self._lines = Lines()
        self._name = ""
        self._data: list[bytes] = []
        self._size = 0
        self._begun = False

    def feed(self, data: bytes) -> Iterator[Event]:
        for line in self._lines.feed(data):
            yield from self._take(line)

    def end(self) -> Iterator[Event]:
        """What a server left without the closing empty line; a line that is not complete is torn and dropped."""
        yield from self._take(b"")

    def _take(self, line: bytes) -> Iterator[Event]:
        if not self._begun:
            line = line.removeprefix(b"\xef\xbb\xbf")
            self._begun = True
        if line:
            self._field(line)
            return
        if self._data:
            yield Event(self._name, b"\n".join(self._data))
        self._name, self._data, self._size = "", [], 0

    def _field(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._size += len(value)
            if self._size > LARGEST:
                raise TooLarge
            self._data.append(value)
        elif name == b"event":
            self._name = value.decode("utf-8", "replace")
