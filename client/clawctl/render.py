"""What stands on the terminal: clean text, short aligned columns, times as a person says them.

Whatever comes from the daemon may hold words of strangers. `clean` takes out everything that could move a cursor,
change a colour, hide or turn around text, so a line on the screen is what it seems to be; JSON output is plain ASCII.
Colours are used on a terminal only, and not where NO_COLOR is set.
"""

import json
import os
import re
import sys
import time

from clawctl.api import Row, number, words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TextIO

Column = tuple[str, str]
"""A heading and the path of its value in a row: `tasks.running`; `@path` an age, `$path` money, `#path` a count."""

_ESCAPES = r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?|[ -/]*[0-~])?"
_HIDDEN = dict.fromkeys(
    [
        *range(0x09),
        *range(0x0B, 0x20),
        *range(0x7F, 0xA0),
        0xAD,
        0x61C,
        0x180E,
        0x200B,
        *range(0x200E, 0x2010),
        *range(0x2028, 0x202F),
        *range(0x2060, 0x2070),
        0xFEFF,
        *range(0xFFF9, 0xFFFC),
        *range(0xE0000, 0xE0080),
    ]
)
_ONE_LINE = {**_HIDDEN, 0x09: " ", 0x0A: " ", 0x0D: " "}


def clean(text: str) -> str:
    """Return text without escape sequences, control, bidirectional and invisible characters; lines and tabs stay."""
    if text.isascii() and text.isprintable():
        return text
    if "\x1b" in text:
        text = re.sub(_ESCAPES, "", text)
    return text.translate(_HIDDEN)


def one_line(text: str) -> str:
    """Return clean text on a single line."""
    if text.isascii() and text.isprintable():
        return text
    return re.sub(_ESCAPES, "", text).replace("\r\n", "\n").translate(_ONE_LINE)


class Out:
    """Standard output as the answer, standard error for what is said beside it; or one stream for both."""

    def __init__(self, is_json: bool, stream: "TextIO | None" = None) -> None:
        self.is_json = is_json
        self._out = stream or sys.stdout
        self._notes = stream or sys.stderr
        self.is_tty = self._out.isatty()
        self.is_coloured = self.is_tty and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"

    def json(self, value: object) -> None:
        self._out.write(json.dumps(value, indent=2 if self.is_tty else None) + "\n")

    def frame(self, value: object) -> None:
        """Write one JSON value of a stream on its line, and show it at once."""
        self._out.write(json.dumps(value) + "\n")
        self._out.flush()

    def flush(self) -> None:
        self._out.flush()

    def line(self, text: str = "", style: str = "") -> None:
        for line in self._lines(clean(text), 0):
            self._out.write(self.styled(line, style) + "\n")

    def raw(self, text: str) -> None:
        """Write a line of our own making, colours and all; what came from outside is cleaned by the caller."""
        self._out.write(text + "\n")

    def write(self, text: str) -> None:
        """Write a piece of a text that goes on, and show it at once."""
        self._out.write(clean(text))
        self._out.flush()

    def note(self, text: str) -> None:
        self._out.flush()
        for line in self._lines(f"clawctl: {clean(text)}", 0):
            self._notes.write(f"{line}\n")

    def pairs(self, pairs: list[tuple[str, str]]) -> None:
        """Write labelled values under each other; a value of several lines is set in."""
        pairs = [(label, value) for label, value in pairs if value]
        wide = max((len(label) for label, _ in pairs), default=0)
        for label, value in pairs:
            first, *more = self._lines(clean(value).rstrip("\n"), wide + 2)
            self._out.write(f"{self.styled(label.ljust(wide), 'dim')}  {first}\n")
            for line in more:
                self._out.write(f"{' ' * wide}  {line}\n")

    def table(self, rows: list[Row], columns: list[Column]) -> None:
        """Write rows in aligned columns; columns that are empty throughout are left out."""
        cells = [[one_line(cell(row, path)) for _, path in columns] for row in rows]
        used = [n for n in range(len(columns)) if any(line[n] for line in cells)]
        grid = [[columns[n][0] for n in used], *([line[n] for n in used] for line in cells)]
        widths = [max(map(width_of, column)) for column in zip(*grid, strict=True)]
        room = self.width()
        for at, line in enumerate(grid):
            text = "  ".join(
                value + " " * (widths[n] - width_of(value)) for n, value in enumerate(line)
            ).rstrip()
            if room and width_of(text) > room:
                text = _cut(text, room)
            self._out.write((self.styled(text, "dim") if at == 0 else text) + "\n")

    def _lines(self, text: str, taken: int) -> list[str]:
        """Return the lines of a text, on a terminal broken between words; `taken` columns are used before it."""
        room = max(0, self.width() - taken)
        return [piece for line in text.split("\n") for piece in _broken(line, room)]

    def width(self) -> int:
        """Return the columns of the terminal, 0 when there is none or it does not say."""
        try:
            return os.get_terminal_size(self._out.fileno()).columns if self.is_tty else 0
        except (OSError, ValueError):
            return 0

    def styled(self, text: str, style: str) -> str:
        if not style or not self.is_coloured:
            return text
        code = {"bold": "1", "dim": "2", "bad": "31", "good": "32", "warn": "33"}[style]
        return f"\x1b[{code}m{text}\x1b[0m"


def at(row: object, path: str) -> object:
    """Return the value at `a.b` in nested rows, None where there is none."""
    for key in path.split("."):
        if not isinstance(row, dict):
            return None
        row = row.get(key)
    return row


def cell(row: Row, path: str) -> str:
    """Return a row's value as a table shows it."""
    if path[0] == "@":
        return age(words(at(row, path[1:])))
    if path[0] == "$":
        value = at(row, path[1:])
        return money(number(value)) if value is not None else ""
    if path[0] == "#":
        value = at(row, path[1:])
        return count(number(value)) if value is not None else ""
    value = at(row, path)
    if isinstance(value, list):
        return ", ".join(words(item) for item in value)
    return words(value)


def width_of(text: str) -> int:
    """Return the columns a text takes on a terminal."""
    if text.isascii():
        return len(text)
    import unicodedata

    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1
        for char in text
    )


def seconds_of(stamp: str) -> float | None:
    """Return the Unix time of `2026-11-20T08:00:00.000Z`, None when the text is no such time."""
    try:
        year, month, day = int(stamp[:4]), int(stamp[5:7]), int(stamp[8:10])
        hour, minute, second = int(stamp[11:13]), int(stamp[14:16]), float(stamp[17:].rstrip("Z"))
    except ValueError:
        return None
    year -= month <= 2
    era_day = (year // 400) * 146097 + (year % 400) * 365 + (year % 400) // 4 - (year % 400) // 100
    days = era_day + (153 * ((month + 9) % 12) + 2) // 5 + day - 1 - 719468
    return days * 86400.0 + hour * 3600 + minute * 60 + second


def age(stamp: str) -> str:
    """Return how long ago (or how soon) a time is."""
    then = seconds_of(stamp)
    if then is None:
        return stamp
    passed = time.time() - then
    if passed < -1:
        return f"in {span(-passed)}"
    return "just now" if passed < 2 else f"{span(passed)} ago"


def span(seconds: float) -> str:
    """Return a duration in its largest fitting unit: 40 s, 12 min, 3 h, 5 days."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    if seconds < 36 * 3600:
        return f"{seconds / 3600:.0f} h"
    return f"{seconds / 86400:.0f} days"


def local_time(stamp: str) -> str:
    """Return a UTC time in the clock of this machine, with the date unless it is today."""
    then = seconds_of(stamp)
    if then is None:
        return stamp
    moment = time.localtime(then)
    is_today = moment[:3] == time.localtime()[:3]
    return time.strftime("%H:%M:%S" if is_today else "%Y-%m-%d %H:%M", moment)


def money(dollars: float) -> str:
    return f"${dollars:.2f}" if dollars >= 0.01 or not dollars else f"${dollars:.4f}"


def count(quantity: float) -> str:
    """Return a number short: 950, 12.3k, 4.1M."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if quantity >= size:
            unit = 1e3 if letter == "k" else size
            return f"{quantity / unit:.1f}{letter}"
    return f"{quantity:g}" if quantity < 1e4 else f"{quantity:.0f}"


def plural(quantity: float, noun: str) -> str:
    return f"{quantity:g} {noun}{'' if quantity == 1 else 's'}"


def size(octets: float) -> str:
    for unit in ("B", "KB", "MB"):
        if octets < 1000:
            return f"{octets:.0f} {unit}" if unit == "B" else f"{octets:.1f} {unit}"
        octets /= 1000
    return f"{octets:.1f} GB"


def _broken(line: str, room: int) -> list[str]:
    """Return a line in pieces of at most `room` columns where it has spaces, set in like its beginning."""
    if not room or width_of(line) <= room:
        return [line]
    start = len(line) - len(line.lstrip(" -!"))
    first, *others = line[start:].split(" ")
    pieces = [line[:start] + first]
    for word in others:
        if width_of(pieces[-1]) + 1 + width_of(word) > room:
            pieces.append(" " * start + word)
        else:
            pieces[-1] += f" {word}"
    return pieces


def _cut(text: str, room: int) -> str:
    taken = 0
    for at_char, char in enumerate(text):
        taken += width_of(char)
        if taken > room - 1:
            return text[:at_char] + "…"
    return text
