"""Sending a message once, and putting its answer together from what streams in.

A message carries a key of its own, so it may be sent again when the daemon went away before it answered: the same key
twice is one message. An answer is printed while it is written; at its end what is on the screen is the full text,
also when pieces were lost on the way.
"""

import os
import time
from collections.abc import Callable

from clawctl.api import Api, Row, as_row, rows_of, words
from clawctl.exits import Busy, Gone, NotRunning
from clawctl.stream import RETURN_S

_PAUSE_S = 0.2


class Sent:
    """Where a message went: its signal, its session, the task that answers and the event to read on from."""

    def __init__(self, text: str, answer: Row) -> None:
        self.text = text
        self.answer = answer
        self.signal = words(answer.get("signal"))
        self.session = words(answer.get("session"))
        self.task = words(answer.get("task"))
        cursor = answer.get("cursor")
        self.cursor = cursor if isinstance(cursor, int) else 0
        self.remembered = [
            f"remembered: {words(row.get('text'))} (clawctl memory forget {words(row.get('id'))})"
            for row in rows_of(answer.get("remembered"))
        ]
        """a line for each memory it made"""


def send(api: Api, text: str, session: str | None, return_s: float = 0.0) -> Sent:
    """Hand a message over; steers what runs in its session at the next step.

    Waits `return_s` for a daemon that is not there, and always for one that broke off. Raises Failure.
    """
    body: Row = {"key": f"clawctl-{os.urandom(12).hex()}", "text": plain(text), "priority": "next"}
    if session:
        body["session"] = session
    until = time.monotonic() + return_s
    while True:
        try:
            return Sent(words(body["text"]), as_row(api.post("/v1/chat", body)))
        except (NotRunning, Busy) as fault:
            if isinstance(fault, Gone):
                until = max(until, time.monotonic() + RETURN_S) if not return_s else until
                return_s = return_s or RETURN_S
            if time.monotonic() > until:
                raise
        time.sleep(_PAUSE_S)


def plain(text: str) -> str:
    """Return text without the halves of characters that a terminal or a file of another encoding may bring."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


class Answer:
    """One answer on its way to the screen."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._shown = ""

    @property
    def is_open(self) -> bool:
        return bool(self._shown)

    def add(self, text: str) -> None:
        if not self._shown:
            text = text.lstrip("\n")
        if text:
            self._write(text)
            self._shown += text

    def end_line(self) -> None:
        """Go to a new line, so something else can be said in between."""
        if self._shown and not self._shown.endswith("\n"):
            self._write("\n")
            self._shown += "\n"

    def break_off(self) -> None:
        """Forget what was shown: the rest is lost and the answer may be written anew."""
        self.end_line()
        self._shown = ""

    def finish(self, text: str) -> None:
        """Show what is still missing of the full text, and end the line."""
        text = text.strip("\n")
        if text and not self._shown.rstrip("\n").endswith(text):
            if text.startswith(self._shown):
                self.add(text[len(self._shown) :])
            else:
                self.end_line()
                self.add(text)
        self.end_line()
        self._shown = ""
