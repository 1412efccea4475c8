"""Is the daily log as it was written? Finds the first line that was edited, removed, moved or added.

The chain shows every change inside it; what was cut off at the end shows by the store's memory of the last line.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from nightclaw.core import chain
from nightclaw.core.types import JSON
from nightclaw.diary.files import days, path_of
from nightclaw.store.diary import Head, head_of_file

NOT_OURS = "this is not a line of the log: it was changed or added by hand"
BROKEN = "this line does not follow from the one before: a line was changed, removed or moved here"
MISPLACED = "this heading belongs to another day: a file was renamed or put in by hand"
TORN = "the last line is not whole"
CUT = "the end is missing: the store remembers more than the files hold"


@dataclass(frozen=True, slots=True)
class BadLine:
    """file: relative to the home. line: counted from 1."""

    file: str
    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """head_checked: whether the end could be compared with the store's memory of it."""

    ok: bool
    lines: int
    days: int
    head_checked: bool
    first_bad: BadLine | None

    def as_json(self) -> dict[str, JSON]:
        bad = self.first_bad
        return {
            "ok": self.ok,
            "lines": self.lines,
            "days": self.days,
            "head_checked": self.head_checked,
            "first_bad": {"file": bad.file, "line": bad.line, "reason": bad.reason} if bad else None,
        }


def verify(home: Path) -> VerifyReport:
    """Follow the whole chain and compare its end with the store. Blocking; works with or without a daemon."""
    head = head_of_file(home / "nightclaw.db")  # before the files: they may grow meanwhile
    check, found = _Check(head), days(home / "logs")
    for path in found:
        bad = next(check.file(path, is_last=path == found[-1]), None)
        if bad is not None:
            return VerifyReport(False, check.lines, len(found), head is not None, _relative(bad, home))
    if not check.reached and head is not None:
        path = path_of(home / "logs", head.day)
        lines = path.read_bytes().count(b"\n") if path.exists() else 0
        bad = BadLine(str(path), lines + 1, CUT if path.exists() else f"the log of {head.day} is missing")
        return VerifyReport(False, check.lines, len(found), True, _relative(bad, home))
    return VerifyReport(True, check.lines, len(found), head is not None, None)


def _relative(bad: BadLine, home: Path) -> BadLine:
    return BadLine(Path(bad.file).relative_to(home).as_posix(), bad.line, bad.reason)


class _Check:
    """reached: the line that the store remembers as the last was seen, so what follows may still be under way."""

    def __init__(self, head: Head | None) -> None:
        self.lines = 0
        self.reached = head is None or head.hash == chain.GENESIS
        self._head = head
        self._hash = chain.GENESIS
        self._day: str | None = None

    def file(self, path: Path, *, is_last: bool) -> Iterator[BadLine]:
        """Faults of one file, the first one first; the caller stops there."""
        *whole, rest = path.read_bytes().split(b"\n")
        for n, line in enumerate(whole, 1):
            link = chain.read(line)
            reason = NOT_OURS if link is None else self._misfit(link, path.stem, n)
            if link is None or reason is not None:
                yield BadLine(str(path), n, reason or NOT_OURS)
                return
            self.lines += 1
            self._hash = link.hash
            self.reached = self.reached or (self._head is not None and link.hash == self._head.hash)
        if rest and not (is_last and self.reached):
            yield BadLine(str(path), len(whole) + 1, TORN)
        elif not whole and not (is_last and self.reached):
            yield BadLine(str(path), 1, BROKEN)
        self._day = path.stem

    def _misfit(self, link: chain.Link, day: str, n: int) -> str | None:
        is_heading = link.cursor == chain.HEADING
        if not link.follows(self._hash):
            before = chain.day_before(link.text) if is_heading else None
            if before is not None and before != self._day:
                return f"the log of {before} is missing or was cut"
            return BROKEN
        if is_heading != (n == 1) or (is_heading and link.text != chain.heading(day, self._day)):
            return MISPLACED
        return None
