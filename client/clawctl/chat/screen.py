"""The terminal two write to at once: the owner at the prompt, the daemon above it.

One lock guards standard output. While the owner has typed nothing the answer streams where the prompt was; once there
is something typed, whole lines are put above it and the half-typed line is drawn again. Without a terminal everything
is written in the order it comes.
"""

import sys
import threading
from collections.abc import Callable

from clawctl.render import Out, clean, width_of

PROMPT = "> "


class Screen:
    """Standard output of an attached client; its methods may be called from any thread."""

    def __init__(self, out: Out, has_prompt: bool) -> None:
        self._out = out
        self._lock = threading.RLock()
        self._has_prompt = has_prompt
        self._is_asking = False
        self._is_mid_line = False
        self._held = ""
        self._is_closed = False
        self._typed = _line_editor() if has_prompt else None

    def read_line(self) -> str:
        """Return the owner's next line. Raises EOFError at the end of the input."""
        if not self._has_prompt:
            line = sys.stdin.readline()
            if not line:
                raise EOFError
            return line.rstrip("\n")
        with self._lock:
            self._end_line()
            self._is_asking = True
        try:
            return input(PROMPT)
        finally:
            with self._lock:
                self._is_asking = False
                self._is_mid_line = False

    def say(self, text: str, style: str = "") -> None:
        """Write whole lines."""
        with self._lock:
            self._above("".join(self._out.styled(line, style) + "\n" for line in clean(text).split("\n")))

    def stream(self, text: str) -> None:
        """Write a piece of a text that goes on."""
        text = clean(text)
        with self._lock:
            if not self._is_asking:
                self._put(text)
                self._is_mid_line = not text.endswith("\n") if text else self._is_mid_line
                return
            self._held += text
            if self._half_typed():
                whole, newline, self._held = self._held.rpartition("\n")
                if newline:
                    self._above(whole + newline)
                return
            if not self._is_mid_line:
                self._put("\r\x1b[J")
            self._put(self._held)
            self._is_mid_line = not self._held.endswith("\n")
            self._held = ""
            if not self._is_mid_line:
                self._put(PROMPT)

    def rest(self) -> None:
        """The stream pauses: show what is held back, and the prompt again."""
        with self._lock:
            held, self._held = self._held, ""
            if held:
                self._above(held + "\n")
            elif self._is_mid_line:
                self._above("")

    def close(self) -> None:
        """Let nobody write any more; the cursor stands on a fresh line."""
        with self._lock:
            if self._is_mid_line or self._is_asking:
                self._put("\n")
            self._is_closed = True

    def _above(self, lines: str) -> None:
        if not self._is_asking:
            self._end_line()
            self._put(lines)
            return
        typed = self._half_typed()
        if self._is_mid_line:
            self._put("\n")
            self._is_mid_line = False
        else:
            self._put(_erase(PROMPT + typed, self._out))
        self._put(lines + PROMPT + typed)

    def _end_line(self) -> None:
        if self._is_mid_line:
            self._put("\n")
            self._is_mid_line = False

    def _half_typed(self) -> str:
        return self._typed() if self._typed else ""

    def _put(self, text: str) -> None:
        if not self._is_closed and text:
            sys.stdout.write(text)
            sys.stdout.flush()


def _erase(shown: str, out: Out) -> str:
    rows = max(0, width_of(shown) - 1) // (out.width() or 80)
    return "\r" + (f"\x1b[{rows}A" if rows else "") + "\x1b[J"


def _line_editor() -> Callable[[], str] | None:
    """Return what tells the half-typed line, once line editing and its history are loaded."""
    try:
        import readline
    except ImportError:
        return None
    readline.parse_and_bind("set enable-bracketed-paste on")
    return readline.get_line_buffer
