"""The event stream of a daemon that may restart: events in order, none missed, none twice.

`Stream.events` goes on after the last cursor it saw. While the daemon is away it yields a `LOST` frame, and a `BACK`
frame once it answers again; what was ephemeral in between (deltas) is gone, the durable events are not.
"""

import time
from collections.abc import Iterator

from clawctl.api import Api, Row, as_row, decoded
from clawctl.exits import Busy, Gone, NotRunning, TimedOut
from clawctl.transport import Response
from nightclaw.protocol.events import KEEP_ALIVE_S, NDJSON
from nightclaw.protocol.messages import ATTACHED_HEADER

RETURN_S = 30.0
"""How long a daemon that went away is waited for; its service manager brings it back within ten seconds."""

SILENCE_S = 4 * KEEP_ALIVE_S
"""A daemon that sends not even an empty line for so long is taken for gone."""

LOST = "client.lost"
BACK = "client.back"

_FIRST_PAUSE_S = 0.05
_LAST_PAUSE_S = 1.0


class Stream:
    """The events after a cursor, of one session or of all. `deadline` (monotonic) may be set at any time.

    client: an id of one's own; while the stream lasts, the daemon knows that somebody is looking.
    """

    def __init__(
        self,
        api: Api,
        after: int,
        session: str | None = None,
        *,
        return_s: float = RETURN_S,
        client: str | None = None,
    ) -> None:
        self.after = after
        self.deadline: float | None = None
        self._api = api
        self._session = session
        self._return_s = return_s
        self._headers = {ATTACHED_HEADER: client} if client else None

    def events(self) -> Iterator[Row]:
        """Yield events and the frames LOST and BACK for ever.

        Raises TimedOut past the deadline, NotRunning when the daemon was never there or stays away.
        """
        lost_at: float | None = None
        pause = _FIRST_PAUSE_S
        while True:
            try:
                answer = self._open()
            except (NotRunning, Busy, TimedOut):
                if lost_at is None or time.monotonic() - lost_at > self._return_s:
                    raise
                self._rest(pause)
                pause = min(2 * pause, _LAST_PAUSE_S)
                continue
            if lost_at is not None:
                lost_at = None
                yield {"kind": BACK, "data": {}}
            try:
                for event in self._read(answer):
                    pause = _FIRST_PAUSE_S
                    yield event
            except Gone:
                pass  # its ordinary end is a stop of the daemon too
            lost_at = time.monotonic()
            yield {"kind": LOST, "data": {}}
            self._rest(pause)
            pause = min(2 * pause, _LAST_PAUSE_S)

    def _open(self) -> Response:
        query: Row = {"after": self.after, "follow": 1, "session": self._session}
        return self._api.open("GET", "/v1/events", query, accept=NDJSON, headers=self._headers)

    def _read(self, answer: Response) -> Iterator[Row]:
        answer.patience(self._left())
        for line in self._lines(answer):
            event = as_row(decoded(line))
            cursor = event.get("cursor")
            if event.get("kind") == "reset":
                self.after = _head_of(event)
            elif isinstance(cursor, int):
                if cursor <= self.after:
                    continue
                self.after = cursor
            yield event
            answer.patience(self._left())

    def _lines(self, answer: Response) -> Iterator[bytes]:
        """Yield the lines that say something. Raises Gone when not even a sign of life comes any more."""
        try:
            for line in answer.lines():
                if line.strip():
                    yield line
                else:
                    answer.patience(self._left())
        except TimedOut:
            self._left()
            raise Gone("the daemon fell silent") from None

    def _left(self) -> float:
        """Return how long to wait for the next line. Raises TimedOut past the deadline."""
        if self.deadline is None:
            return SILENCE_S
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimedOut("it took longer than was asked for")
        return min(left, SILENCE_S)

    def _rest(self, pause_s: float) -> None:
        time.sleep(min(pause_s, self._left()))


def _head_of(reset: Row) -> int:
    data = as_row(reset.get("data"))
    for head in (reset.get("cursor"), data.get("head"), data.get("cursor")):
        if isinstance(head, int):
            return head
    return 0
