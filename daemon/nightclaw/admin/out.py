"""How the admin verbs answer: plain lines, or one JSON document with `--json`; and with which exit code they leave."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from nightclaw.core.errors import Invalid, NightclawError, NotFound, Refused

DONE, FAILED, USAGE, NOT_RUNNING, NOT_FOUND, REFUSED, BAD_CONFIG = 0, 1, 2, 3, 4, 5, 78


class Out:
    """Standard output carries the answer and nothing else; remarks go to standard error."""

    def __init__(self, is_json: bool = False) -> None:
        self.is_json = is_json

    def line(self, text: str = "") -> None:
        if not self.is_json:
            sys.stdout.write(f"{text}\n")

    def json(self, value: object) -> None:
        if self.is_json:
            sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2, default=_as_text) + "\n")

    def note(self, text: str) -> None:
        sys.stderr.write(f"{text}\n")

    def answer(self, value: object, lines: Sequence[str]) -> None:
        """The same answer for people and for scripts."""
        for line in lines:
            self.line(line)
        self.json(value)


def _as_text(value: object) -> str:
    return str(value) if isinstance(value, Path) else repr(value)


def exit_code(error: NightclawError) -> int:
    if isinstance(error, NotFound):
        return NOT_FOUND
    if isinstance(error, Refused):
        return REFUSED
    return USAGE if isinstance(error, Invalid) else FAILED
