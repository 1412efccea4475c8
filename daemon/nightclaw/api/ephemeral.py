"""Frames that are sent to whoever follows right now and kept nowhere: the words of a model while it writes.

Each subscriber has a small bounded queue; one that reads too slowly loses frames (the next one it gets says how many)
and loses nothing durable: the full text comes as an event. Event loop only.
"""

import json
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from nightclaw.core.types import JSON
from nightclaw.protocol.messages import iso

WAITING = 256


@dataclass(slots=True)
class Subscriber:
    """session None: all. wake is called whenever a frame is put into `frames`: (event head then, the frame)."""

    session: str | None
    wake: Callable[[], object]
    frames: deque[tuple[int, bytes]] = field(default_factory=deque)
    dropped: int = 0


class Ephemeral:
    """`head` answers the newest event cursor, so that a frame keeps its place among the events."""

    def __init__(self, head: Callable[[], int]) -> None:
        self._head = head
        self._by_id: dict[int, Subscriber] = {}

    def __len__(self) -> int:
        return len(self._by_id)

    def publish(
        self,
        kind: str,
        at: int,
        data: Mapping[str, JSON],
        *,
        task: str | None = None,
        session: str | None = None,
    ) -> None:
        """Hand a frame to every subscriber of its session; never waits. at in ms."""
        wanted = [s for s in self._by_id.values() if s.session is None or s.session == session]
        if not wanted:
            return
        frame: dict[str, object] = {
            "kind": kind,
            "at": iso(at),
            "task": task,
            "session": session,
            "data": data,
        }
        plain, place = _encoded(frame), self._head()
        for s in wanted:
            if len(s.frames) >= WAITING:
                s.dropped += 1
                continue
            s.frames.append((place, _encoded({**frame, "dropped": s.dropped}) if s.dropped else plain))
            s.dropped = 0
            s.wake()

    @contextmanager
    def subscribe(self, session: str | None, wake: Callable[[], object]) -> Iterator[Subscriber]:
        subscriber = Subscriber(session, wake)
        self._by_id[id(subscriber)] = subscriber
        try:
            yield subscriber
        finally:
            del self._by_id[id(subscriber)]


def _encoded(frame: Mapping[str, object]) -> bytes:
    return json.dumps(frame, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "replace")
