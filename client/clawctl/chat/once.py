"""`clawctl chat`: one message, its answer as it is written, and an exit code when the turn ends."""

import os
import sys
import time

from clawctl.api import Row, as_row, decoded, rows_of, words
from clawctl.chat.message import Answer, Sent, send
from clawctl.exits import DONE, FAILED, HOW_TO_START, INTERRUPTED, Failure, NotRunning, TimedOut
from clawctl.render import one_line
from clawctl.stream import BACK, LOST, Stream
from clawctl.transport import quoted
from clawctl.usage import Call, wrong
from nightclaw.protocol.events import NDJSON

GRACE_S = 1.0
"""How long after its task ended the turn's own last event is waited for."""

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}


def chat(call: Call) -> int:
    text = call.text("TEXT")
    if text == "-":
        text = sys.stdin.buffer.read().decode("utf-8", "replace")
    if not text.strip():
        raise wrong("there is nothing to say", call.verb)
    seconds = _seconds(call)
    sent = send(call.api, text, call.maybe("--session"))
    for line in sent.remembered:
        call.out.note(one_line(line))
    if call.has("--no-wait"):
        if call.out.is_json:
            call.out.json(sent.answer)
        else:
            call.out.line(
                one_line(f"{sent.signal} in {sent.session}; `clawctl attach {sent.session}` follows it")
            )
        return DONE
    turn = Turn(call, sent)
    try:
        return turn.wait(seconds)
    except NotRunning:
        turn.answer.end_line()
        later = f"the message is kept as {sent.signal} and is answered when the daemon is back"
        raise NotRunning("the daemon went away and did not come back", f"{later}; {HOW_TO_START}") from None
    except TimedOut:
        turn.answer.end_line()
        raise TimedOut("no answer in time", f"work goes on: `clawctl attach {sent.session}`") from None
    except KeyboardInterrupt:
        turn.answer.end_line()
        call.out.note(f"work goes on: `clawctl attach {sent.session}` follows it")
        return INTERRUPTED


def _seconds(call: Call) -> float | None:
    given = call.maybe("--timeout")
    if given is None:
        return None
    try:
        seconds = float(given[:-1]) * _UNITS[given[-1]] if given[-1:] in _UNITS else float(given)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 1e9:
        raise wrong(f"--timeout takes a time such as 90s or 10m, not {given!r}", call.verb)
    return seconds


class Turn:
    """The turn that answers one message, which may be told from the turn that was running when it came in."""

    def __init__(self, call: Call, sent: Sent) -> None:
        self._out = call.out
        self._sent = sent
        client = f"clawctl-chat-{os.getpid()}" if call.out.is_tty else None
        self._api = call.api
        self._stream = Stream(call.api, sent.cursor, sent.session or None, client=client)
        self._is_begun = not sent.task
        self._ended: Row = {}
        self.answer = Answer(self._nothing if call.out.is_json else call.out.write)

    def wait(self, seconds: float | None) -> int:
        """Print events until the turn is over. Raises NotRunning, TimedOut."""
        if seconds is not None:
            self._stream.deadline = time.monotonic() + seconds
        try:
            for event in self._stream.events():
                code = self._take(event)
                if code is not None:
                    return code
        except TimedOut:
            if not self._ended:
                raise
        return self._close(self._ended)

    def _take(self, event: Row) -> int | None:
        """Print one event; return the exit code when it is the last."""
        kind, data = event.get("kind"), as_row(event.get("data"))
        if kind == LOST:
            self.answer.break_off()
            self._out.note("the daemon went away; waiting for it")
            return None
        if kind == BACK:
            self._out.note("the daemon is back")
            return None
        if self._out.is_json:
            self._out.frame(event)
        task = words(event.get("task") or data.get("task"))
        if self._sent.task and task != self._sent.task:
            return None
        if kind == "turn.started":
            self._is_begun = True
        elif kind == "text.delta" and self._is_begun:
            self.answer.add(words(data.get("text")))
        elif kind == "approval.requested":
            self.answer.end_line()
            name = one_line(words(data.get("approval")))
            self._out.note(f"waits for your word: clawctl approve {name} | clawctl deny {name}")
        elif kind == "turn.finished" and (self._is_begun or self._is_heard(event)):
            if not data.get("error"):
                self.answer.finish(words(data.get("text")))
            return self._close(data)
        elif kind == "task.finished" and not self._ended:
            self._ended = {"state": "done", **data}
            grace = time.monotonic() + GRACE_S
            self._stream.deadline = min(self._stream.deadline or grace, grace)
        return None

    def _is_heard(self, finished: Row) -> bool:
        """Whether a turn that began before the message ended with it: it is read, and no turn began since."""
        try:
            task = as_row(self._api.get(f"/v1/tasks/{quoted(self._sent.task)}"))
            if any(row.get("text") == self._sent.text for row in rows_of(task.get("inbox"))):
                return False
            query: Row = {"after": finished.get("cursor"), "session": self._sent.session}
            later = self._api.open("GET", "/v1/events", query, accept=NDJSON)
            events = [as_row(decoded(line)) for line in later.lines() if line.strip()]
        except Failure:
            return True
        return not any(
            event.get("kind") == "turn.started" and event.get("task") == self._sent.task for event in events
        )

    def _close(self, data: Row) -> int:
        """Say how it ended, from the last event's data."""
        self.answer.end_line()
        error = words(data.get("error"))
        if error or data.get("state") in ("failed", "cancelled"):
            self._out.note(
                one_line(error or words(data.get("result")) or f"the task {words(data.get('state'))}")
            )
            return FAILED
        return DONE

    def _nothing(self, text: str) -> None:
        """With --json the events themselves are the output."""
