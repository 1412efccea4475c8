"""Text files as bytes and back: what a file's encoding, byte order mark and line ends were, they stay."""

import codecs
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from nightclaw.core.errors import Invalid

_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_KINDS = (
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"%PDF", "a PDF"),
    (b"PK\x03\x04", "a zip archive"),
    (b"\x1f\x8b", "gzip data"),
    (b"\x7fELF", "a program"),
    (b"SQLite format 3", "a SQLite database"),
)
SNIFFED = 8192


@dataclass(frozen=True, slots=True)
class Text:
    """text: with the file's own line ends. mark: its byte order mark."""

    text: str
    encoding: str = "utf-8"
    mark: bytes = b""

    @property
    def newline(self) -> str:
        """The line end to write: CRLF where every line has it."""
        lines = self.text.count("\n")
        return "\r\n" if lines and self.text.count("\r\n") == lines else "\n"

    def encoded(self, text: str) -> bytes:
        """`text` as bytes of this file. Raises Invalid for a character it cannot hold."""
        try:
            return self.mark + text.encode(self.encoding)
        except UnicodeEncodeError as error:
            raise Invalid(
                f"the file is {self.encoding} and cannot hold {error.object[error.start]!r}",
                "leave that character out, or write the whole file anew with Write",
            ) from error


def binary_kind(start: bytes) -> str | None:
    """What kind of binary begins like this; None for text."""
    if any(start.startswith(mark) for mark, _ in _MARKS):
        return None
    for magic, kind in _KINDS:
        if start.startswith(magic):
            return kind
    return "a binary file" if b"\0" in start else None


def decoded(data: bytes) -> Text:
    """Any bytes as text: by their mark, else UTF-8, else Latin-1, which keeps every byte."""
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return Text(data[len(mark) :].decode(encoding, "surrogatepass"), encoding, mark)
    try:
        return Text(data.decode("utf-8"))
    except UnicodeDecodeError:
        return Text(data.decode("latin-1"), "latin-1")


def lines(file: BinaryIO, longest: int) -> Iterator[tuple[bytes, int]]:
    """(the first `longest` bytes of a line without its end, its whole length): bounded memory for any file."""
    while part := file.readline(longest + 2):
        kept, length = part, len(part)
        while part and not part.endswith(b"\n"):
            part = file.readline(1 << 20)
            length += len(part)
        ended = kept.removesuffix(b"\n").removesuffix(b"\r")
        yield ended[:longest], length
