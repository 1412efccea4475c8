"""The files of the daily log: appended to, synced, and found again after a crash. Blocking: call in a thread."""

import os
from dataclasses import replace
from datetime import datetime, tzinfo
from pathlib import Path

from nightclaw.core import chain
from nightclaw.core.chain import Walk
from nightclaw.store.diary import Entry, Head


def path_of(logs: Path, day: str) -> Path:
    return logs / day[:4] / day[5:7] / f"{day}.md"


def days(logs: Path) -> list[Path]:
    """Every day's file, oldest first."""
    return sorted(logs.glob("[0-9][0-9][0-9][0-9]/[0-9][0-9]/????-??-??.md"))


def append(logs: Path, at: Head, lines: list[tuple[Entry, str]], zone: tzinfo) -> Head:
    """Write the lines, a file a day, each file synced; returns where the log stands then. Raises OSError."""
    pending = bytearray()
    for e, text in lines:
        local = datetime.fromtimestamp(e.at / 1000, zone)
        day = local.date().isoformat()
        if day > at.day:
            if pending:
                at = _put(logs, at, bytes(pending))
            line, found = chain.forge(at.hash, chain.HEADING, chain.heading(day, at.day or None))
            pending, at = bytearray(line), Head(at.cursor, found, day, 0)
        when = f"{local:%H:%M:%S}" if day == at.day else f"{local:%Y-%m-%d %H:%M:%S}"
        line, found = chain.forge(at.hash, e.cursor, f"- {when} {text}")
        pending += line
        at = replace(at, cursor=e.cursor, hash=found)
    return _put(logs, at, bytes(pending))


def _put(logs: Path, at: Head, data: bytes) -> Head:
    path = path_of(logs, at.day)
    is_new = not path.exists()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view) :]
        os.fsync(descriptor)
        size = os.fstat(descriptor).st_size
    finally:
        os.close(descriptor)
    if is_new:
        for folder in (path.parent, path.parent.parent, logs):
            _sync_folder(folder)
    return replace(at, size=size)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _close_line(path: Path, end: int, start: int, size: int) -> int:
    """Cut a torn last line that the store does not know of; one it knows was cut by others: go on below it."""
    if start <= end:
        os.truncate(path, end)
        return end
    with path.open("ab") as file:
        file.write(b"\n")
    return size + 1


def end_of(logs: Path) -> Head:
    """The last line of a log that no store knows, to go on from."""
    for path in reversed(days(logs)):
        links = [link for line in path.read_bytes().split(b"\n") if (link := chain.read(line)) is not None]
        if links:
            return Head(0, links[-1].hash, path.stem, path.stat().st_size)
    return Head(0, chain.GENESIS, "", 0)


def settle_tail(logs: Path, head: Head, newest: int) -> tuple[Head, str]:
    """Follow the lines after the head, cut a torn last one; and what is there that is not ours ("" for nothing)."""
    walk, at, foreign = Walk(head.hash, head.cursor), head, ""
    later = [p for p in days(logs) if p.stem >= head.day]
    if head.day and not (later and later[0].stem == head.day):
        foreign = f"{head.day}.md is missing"
    for path in later:
        is_last, data = path == later[-1], path.read_bytes()
        start = head.size if path.stem == head.day else 0
        if start > len(data):
            foreign, start = foreign or f"{path.name} is shorter than it was", len(data)
        end = data.rfind(b"\n") + 1
        if end < len(data) and is_last:
            end = _close_line(path, end, start, len(data))
            start = min(start, end)
        fitting = [
            link for line in data[start:end].split(b"\n")[:-1] if (link := walk.take(line)) is not None
        ]
        if walk.foreign:
            foreign = foreign or f"a line in {path.name} is not ours"
        cursor = max((link.cursor for link in fitting if link.cursor <= newest), default=at.cursor)
        if fitting or path.stem == head.day:
            at = Head(max(at.cursor, cursor), walk.hash, path.stem, end)
        elif end == 0:
            path.unlink()  # made for a new day, and cut before its first line
    return at, foreign
