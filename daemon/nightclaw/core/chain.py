"""The chain of the daily log, pure: each line ends with a mark whose hash covers it and every line before.

A line is `<text> <!-- <cursor> <hash> -->`, hash = the first 32 hex digits of
sha256(previous hash, newline, cursor, newline, text). The first line of a day is its heading, cursor 0; it names the
day before, so a missing file shows. The chain runs on from file to file and begins with GENESIS.
"""

import hashlib
import re
from dataclasses import dataclass

GENESIS = "0" * 32
HEADING = 0
_LINE = re.compile(r"(.*) <!-- (0|[1-9][0-9]*) ([0-9a-f]{32}) -->")
_HEADING = re.compile(r"# \d{4}-\d{2}-\d{2}, after (\d{4}-\d{2}-\d{2})")


@dataclass(frozen=True, slots=True)
class Link:
    """One line taken apart. cursor: the event it tells of, 0 for a heading."""

    text: str
    cursor: int
    hash: str

    def follows(self, previous: str) -> bool:
        return self.hash == digest(previous, self.cursor, self.text)


def digest(previous: str, cursor: int, text: str) -> str:
    return hashlib.sha256(f"{previous}\n{cursor}\n{text}".encode()).hexdigest()[:32]


def forge(previous: str, cursor: int, text: str) -> tuple[bytes, str]:
    """The line as it is written, newline included, and its hash. text: one line."""
    found = digest(previous, cursor, text)
    return f"{text} <!-- {cursor} {found} -->\n".encode(), found


def read(line: bytes) -> Link | None:
    """A line without its newline taken apart, None when it is not of this form."""
    try:
        found = _LINE.fullmatch(line.decode())
    except UnicodeDecodeError:
        return None
    return Link(found[1], int(found[2]), found[3]) if found else None


def heading(day: str, before: str | None) -> str:
    """`# 2026-11-20, after 2026-11-18`; the very first day has nothing before it."""
    return f"# {day}, after {before}" if before else f"# {day}"


def day_before(text: str) -> str | None:
    """The day a heading names as the one before it."""
    found = _HEADING.fullmatch(text)
    return found[1] if found else None


@dataclass(slots=True)
class Walk:
    """Reads lines in order; `hash` and `cursor` are those of the newest line that fits."""

    hash: str
    cursor: int
    foreign: int = 0

    def take(self, line: bytes) -> Link | None:
        """The line's link when it fits the chain here, else None (and the chain waits for one that does)."""
        link = read(line)
        if link is None or not link.follows(self.hash):
            self.foreign += 1
            return None
        self.hash = link.hash
        if link.cursor != HEADING:
            self.cursor = link.cursor
        return link
