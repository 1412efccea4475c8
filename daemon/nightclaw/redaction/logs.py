"""The daily log without a text: its lines keep their place and their chain, and say where something was cut.

Every line from the first changed one on is linked anew, but a link that was broken stays broken: what was tampered
with before does not become whole by this. New files are written beside the old ones first, then all put in place.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from nightclaw.configfile import sync_folder
from nightclaw.core import chain
from nightclaw.redaction import files
from nightclaw.redaction.words import Cutter
from nightclaw.store.diary import Head

_MAKING = ".redacted"


@dataclass(frozen=True, slots=True)
class Relogged:
    """What was made ready: how many lines changed, and where the log ends then."""

    lines: int
    head: Head | None


def prepare(logs: Path, head: Head | None, cutter: Cutter) -> Relogged:
    """Write the new files beside the old ones."""
    discard(logs)
    walk = _Walk(head, cutter)
    for path in _days(logs):
        data = path.read_bytes()
        fresh = walk.file(data)
        if fresh != data:
            files.write(_making(path), fresh, path)
    return Relogged(walk.lines, walk.head)


def put(logs: Path) -> None:
    """Put what was made ready in place. May be repeated."""
    for path in sorted(logs.glob(f"*/*/.*{_MAKING}")):
        path.rename(path.with_name(path.name[1 : -len(_MAKING)]))
        sync_folder(path.parent)


def discard(logs: Path) -> None:
    for path in logs.glob(f"*/*/.*{_MAKING}"):
        path.unlink()


def _days(logs: Path) -> list[Path]:
    return sorted(logs.glob("[0-9][0-9][0-9][0-9]/[0-9][0-9]/????-??-??.md"))


def _making(path: Path) -> Path:
    return path.with_name(f".{path.name}{_MAKING}")


class _Walk:
    """old, new: the hash of the line before, as it was and as it is now."""

    def __init__(self, head: Head | None, cutter: Cutter) -> None:
        self.head = head
        self.lines = 0
        self._was = head
        self._cutter = cutter
        self._old = self._new = chain.GENESIS

    def file(self, data: bytes) -> bytes:
        out = bytearray()
        *whole, rest = data.split(b"\n")
        for line in self._lines(whole):
            out += line
            if self._was is not None and self._old == self._was.hash and self._was.hash != chain.GENESIS:
                self.head, self._was = replace(self._was, hash=self._new, size=len(out)), None
        return bytes(out) + self._cutter.data(rest)

    def _lines(self, lines: list[bytes]) -> Iterator[bytes]:
        for line in lines:
            link = chain.read(line)
            if link is None:
                yield self._cutter.data(line) + b"\n"
                continue
            text = link.text if link.cursor == chain.HEADING else self._cutter.text(link.text)
            self.lines += text != link.text
            fresh, found = chain.forge(self._new, link.cursor, text)
            if not link.follows(self._old):
                fresh, found = f"{text} <!-- {link.cursor} {link.hash} -->\n".encode(), link.hash
            self._old, self._new = link.hash, found
            yield fresh
