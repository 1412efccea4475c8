"""`log://`: the note as one line on standard error, where the service manager's journal keeps it.

The daily log tells of every note in any case; this is for those who watch `journalctl` or `docker logs`.
"""

import sys
from collections.abc import Mapping
from typing import TextIO

from nightclaw.core.errors import DeliveryError
from nightclaw.core.plain import one_line
from nightclaw.core.ports import Note
from nightclaw.core.types import JSON


def build(config: Mapping[str, JSON], deps: Mapping[str, object]) -> "LogNotifier":
    """deps may hold "stream" (TextIO); default: standard error at the time of writing."""
    return LogNotifier(deps.get("stream"))


class LogNotifier:
    """core.ports.Notifier for the journal."""

    name = "log://"

    def __init__(self, stream: object | None = None) -> None:
        self._stream = stream

    async def deliver(self, note: Note) -> None:
        stream = self._stream or sys.stderr
        assert hasattr(stream, "write")
        try:
            _write(stream, f"note {note.id}: {one_line(f'{note.title}: {note.body}', 700)}\n")  # pyright: ignore[reportArgumentType]
        except (OSError, ValueError) as error:
            raise DeliveryError(f"standard error cannot be written: {error}") from error


def _write(stream: TextIO, line: str) -> None:
    stream.write(line)
    stream.flush()
