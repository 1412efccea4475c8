"""Finds on which line of a TOML text each key stands. The text is known to be valid: tomllib has read it."""

import re

Path = tuple[str | int, ...]
_BARE = re.compile(r"[A-Za-z0-9_-]+")


class _Reader:
    """Walks the text once; `found` maps the path of every key, table and array entry to its line (from 1)."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.line = 1
        self.found: dict[Path, int] = {}
        self._entries: dict[Path, int] = {}

    def peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def take(self, count: int = 1) -> str:
        taken = self.text[self.at : self.at + count]
        self.line += taken.count("\n")
        self.at += count
        return taken

    def skip(self, blanks: str) -> None:
        """Pass blanks and comments."""
        while self.at < len(self.text):
            if self.peek() in blanks:
                self.take()
            elif self.peek() == "#":
                end = self.text.find("\n", self.at)
                self.at = len(self.text) if end < 0 else end
            else:
                return

    def document(self) -> None:
        table: Path = ()
        while True:
            self.skip(" \t\r\n")
            if self.at >= len(self.text):
                return
            if self.peek() == "[":
                table = self.header()
            else:
                self.pair(table)

    def header(self) -> Path:
        line, is_entry = self.line, self.text.startswith("[[", self.at)
        self.take(2 if is_entry else 1)
        path = self._within(self.key())
        self.take(2 if is_entry else 1)
        if is_entry:
            number = self._entries.get(path, -1) + 1
            self._entries[path] = number
            self.found.setdefault(path, line)
            path = (*path, number)
        self._keep((), path, line)
        return path

    def _within(self, parts: Path) -> Path:
        """The path with the number of the newest entry after each array of tables on the way."""
        path: Path = ()
        for n, part in enumerate(parts):
            path = (*path, part)
            if path in self._entries and n < len(parts) - 1:
                path = (*path, self._entries[path])
        return path

    def _keep(self, base: Path, path: Path, line: int) -> None:
        for n in range(len(base) + 1, len(path) + 1):
            self.found.setdefault(path[:n], line)
        self.found[path] = line

    def key(self) -> Path:
        parts: list[str] = []
        while True:
            self.skip(" \t")
            if self.peek() in "\"'":
                parts.append(self.string())
            else:
                bare = _BARE.match(self.text, self.at)
                parts.append(self.take(len(bare[0]) if bare else 1))
            self.skip(" \t")
            if self.peek() != ".":
                return tuple(parts)
            self.take()

    def pair(self, table: Path) -> None:
        line = self.line
        path = (*table, *self.key())
        self._keep(table, path, line)
        self.take()
        self.value(path)

    def value(self, path: Path) -> None:
        self.skip(" \t\r\n")
        opening = self.peek()
        if opening in ("{", "["):
            self.take()
            closing, number = ("}" if opening == "{" else "]"), 0
            while True:
                self.skip(" \t\r\n,")
                if self.peek() in (closing, ""):
                    self.take()
                    return
                if opening == "{":
                    self.pair(path)
                else:
                    self.found[(*path, number)] = self.line
                    self.value((*path, number))
                    number += 1
        elif opening and opening in "\"'":
            self.string()
        else:
            while self.peek() not in ("", ",", "]", "}", "\n", "#"):
                self.take()

    def string(self) -> str:
        mark = self.peek()
        quote = mark * 3 if self.text.startswith(mark * 3, self.at) else mark
        self.take(len(quote))
        begin = self.at
        while self.at < len(self.text) and not self.text.startswith(quote, self.at):
            self.take(2 if self.peek() == "\\" and mark == '"' else 1)
        inner = self.text[begin : self.at]
        self.take(len(quote))
        while len(quote) == 3 and self.peek() == mark:
            self.take()
        return inner


def lines_of(text: str) -> dict[Path, int]:
    """The line of every key path; list entries by number: `("schedule", 0, "cron")`."""
    reader = _Reader(text)
    reader.document()
    return reader.found


def line_of(found: dict[Path, int], path: Path) -> int:
    """The line of `path`, else of the nearest thing around it that has one, else 0."""
    for n in range(len(path), 0, -1):
        if path[:n] in found:
            return found[path[:n]]
    return 0
