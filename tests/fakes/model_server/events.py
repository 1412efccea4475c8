"""The steps of a streamed reply, before they become bytes: each has a name a script can drop, garble or stop at."""

from collections.abc import Iterator
from dataclasses import dataclass
from zlib import crc32


@dataclass(frozen=True, slots=True)
class Event:
    """name: as the service names it (`message_start`, …; of a nameless protocol `chunk`, `finish` and `done`)."""

    name: str
    wire: bytes


def pieces(text: str, size: int) -> Iterator[str]:
    for at in range(0, len(text), max(size, 1)):
        yield text[at : at + size]


def made_up(seed: str, length: int) -> str:
    """Letters and digits that depend on the seed alone: ids and padding that are the same in every run."""
    letters = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz123456789"
    out, value = [], crc32(seed.encode())
    for n in range(length):
        value = crc32(f"{seed}/{n}/{value}".encode())
        out.append(letters[value % len(letters)])
    return "".join(out)
