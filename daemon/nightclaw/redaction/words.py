"""A text to be forgotten, found however it was written down, and cut out. Pure.

Found as it is in any case and spacing, as JSON, the daily log and addresses escape it, inside compressed data, and as
the beginning that is left of it where a title was clipped. What was encoded otherwise passes. What is a topic's name
stays one: it is a file's name, too.
"""

import json
import re
import zlib
from collections.abc import Sequence

from nightclaw.core.errors import Invalid
from nightclaw.core.topic import is_name
from nightclaw.core.types import JSON

MARK, NAME = "[redacted]", "redacted"
"""What stands in the place of a text, and of its part of a topic's name."""
_PATH = re.compile(r"topics/[^\s()\[\]/]*\Z")
SHORTEST, LONGEST = 4, 10_000
_CLIPPED_AT = re.compile("…|\\.\\.\\.|$")
_NEEDLE = 8


class Cutter:
    """Cuts one text, and `also` what was named after it. Raises Invalid for one that would hit by chance, or is too
    long."""

    def __init__(self, text: str, also: Sequence[str] = ()) -> None:
        plain = " ".join(text.split())
        if len(plain) < SHORTEST or sum(c.isalnum() for c in plain) < 3:
            raise Invalid(
                "that is too short to be told from other words", f"give at least {SHORTEST} characters"
            )
        if len(plain) > LONGEST:
            raise Invalid(f"a text to redact has at most {LONGEST:,} characters", "redact it in parts")
        texts = [plain, *also]
        self._whole = re.compile("|".join(_pattern(t) for t in texts), re.IGNORECASE)
        self._bytes = [t.encode("utf-8", "replace") for t in (text, *also)]
        self._least = max(6, len(plain) // 2)
        self._forms = {
            f.casefold() for t in texts for f in (t, _logged(t), json.dumps(t, ensure_ascii=False)[1:-1])
        }
        needles = {_needle(t, min(_NEEDLE, self._least)) for t in texts}
        self._needles = tuple(sorted(needles)) if all(len(n) >= 3 for n in needles) else ()

    def text(self, found: str) -> str:
        """`found` without the text; the same object when it is not in it."""
        if not found:
            return found
        if self._needles:
            folded = found.casefold()
            if not any(needle in folded for needle in self._needles):
                return found
        if found[0] in '{["':
            try:
                held = json.loads(found)
            except (ValueError, RecursionError):
                pass
            else:
                cut = self._walk(held)
                same = cut == held
                return found if same else json.dumps(cut, separators=(",", ":"), ensure_ascii=False)
        return self._plain(found)

    def data(self, found: bytes) -> bytes:
        """The same for bytes: compressed ones, text, or any."""
        if found[:1] == b"\x78":
            try:
                inner = zlib.decompress(found)
            except zlib.error:
                pass
            else:
                cut = self.data(inner)
                return found if cut is inner or cut == inner else zlib.compress(cut, 6)
        try:
            text = found.decode()
        except UnicodeDecodeError:
            for held in self._bytes:
                found = found.replace(held, MARK.encode())
            return found
        cut_text = self.text(text)
        return found if cut_text is text or cut_text == text else cut_text.encode()

    def is_all_of(self, found: str) -> bool:
        """Nothing but the text and what surrounds a word stands there."""
        cut = self.text(found)
        return cut is not found and not any(c.isalnum() for c in cut.replace(MARK, "").replace(NAME, ""))

    def _walk(self, value: JSON) -> JSON:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self._walk(v) for v in value]
        if isinstance(value, dict):
            return {self.text(k): self._walk(v) for k, v in value.items()}
        return value

    def _plain(self, found: str) -> str:
        def mark(at: re.Match[str]) -> str:
            return NAME if is_name(found) or _PATH.search(found, 0, at.start()) else MARK

        return self._without_beginnings(self._whole.sub(mark, found))

    def _without_beginnings(self, found: str) -> str:
        """Where a text was clipped, its first part may be the text's."""
        folded = found.casefold()
        if len(folded) != len(found):
            folded = found  # some letters fold to several: then only the very same beginning is found
        spans: list[tuple[int, int]] = []
        for end in {m.start() for m in _CLIPPED_AT.finditer(folded)}:
            start = max(0, end - 2 * LONGEST)
            before = folded[start:end].rstrip()
            longest = max((self._beginning(before, form) for form in self._forms), default=0)
            if longest:
                spans.append((start + len(before) - longest, start + len(before)))
        for start, end in sorted(spans, reverse=True):
            found = found[:start] + MARK + found[end:]
        return found

    def _beginning(self, before: str, form: str) -> int:
        """How many characters of `form` stand at the end of `before`; 0 for too few to tell."""
        for size in range(min(len(form), len(before)), self._least - 1, -1):
            if before.endswith(form[:size].rstrip()):
                return len(form[:size].rstrip())
        return 0


def _pattern(text: str) -> str:
    gap = r"(?:\s|\\{1,4}[nrt]|%20|\+)+"
    return gap.join("".join(_one(c) for c in word) for word in text.split())


def _needle(text: str, longest: int) -> str:
    """What stands plainly in everything that holds the text; too short when nothing does."""
    run = re.match(r"[A-Za-z0-9]*", text)
    return (run[0] if run else "").casefold()[:longest]


def _logged(text: str) -> str:
    """As the daily log escapes it."""
    for char in ("\\", "<", "[", "]", "`"):
        text = text.replace(char, "\\" + char)
    return text


def _one(char: str) -> str:
    """One character however it was escaped."""
    if char.isascii() and char.isalnum():
        return char
    forms = [rf"\\{{0,4}}{re.escape(char)}" if char != "\\" else r"\\{1,8}"]
    if not char.isascii():
        units = char.encode("utf-16-be", "surrogatepass").hex()
        forms.append("".join(rf"\\{{1,2}}u{units[i : i + 4]}" for i in range(0, len(units), 4)))
    forms.append("".join(f"%{b:02x}" for b in char.encode("utf-8", "replace")))
    return f"(?:{'|'.join(forms)})"
