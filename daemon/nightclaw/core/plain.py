"""Text from anywhere made safe to show: no escape codes, no hidden or direction-changing characters, no links.

What a stranger wrote may end on a lock screen, in a terminal or in the daily log; there it must be only words.
"""

import re
import unicodedata

LINK_REMOVED = "(link removed)"

# ECMA-48 control sequences (CSI), and OSC, DCS, SOS, PM, APC strings up to their end or the end of the line
_ESCAPES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
    r"|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c\n]*(?:\x07|\x1b\\|\x9c)?"
    r"|\x1b[ -/]*[0-~]"
)
_JOINERS = "\u200c\u200d"  # some scripts and emoji need them
_LINKS = re.compile(
    r"\b[a-z][a-z0-9+.-]*://[^\s<>()\[\]\"']+"
    r"|\b(?:mailto:|javascript:|tel:\+?\d|sms:\+?\d|data:\w+/\w)[^\s<>()\[\]\"']*"
    r"|\bwww\.[^\s<>()\[\]\"']+"
    r"|\b(?:[a-z0-9-]+\.)+[a-z]{2,}(?::\d+)?/[^\s<>()\[\]\"']*",
    re.IGNORECASE,
)
_MARKDOWN_LINK = re.compile(r"!?\[([^\]\n]*)\]\(([^)\n]*)\)")


def one_line(text: str, limit: int) -> str:
    """`text` without control, hidden or bidirectional characters, on one line of at most `limit` characters."""
    return clip(" ".join(_shown(text).split()), limit)


def lines(text: str, limit: int) -> str:
    """As `one_line`, but line breaks stay; runs of blank lines become one."""
    kept = "\n".join(" ".join(line.split()) for line in _shown(text).split("\n"))
    return clip(re.sub(r"\n{3,}", "\n\n", kept).strip(), limit)


def clip(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: max(limit - 1, 0)].rstrip() + "…"


def without_links(text: str) -> str:
    """`text` with every address replaced; hidden characters go first, they could hide one."""
    text = _MARKDOWN_LINK.sub(lambda found: f"{found[1]} {LINK_REMOVED}", _shown(text))
    return _LINKS.sub(LINK_REMOVED, text)


def _shown(text: str) -> str:
    text = _ESCAPES.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    return "".join(_kept(c) for c in text)


def _kept(char: str) -> str:
    if char == "\n" or char in _JOINERS:
        return char
    kind = unicodedata.category(char)
    if kind in ("Zl", "Zp") or char in "\t\x0b\x0c\x85":
        return " "
    return "" if kind in ("Cc", "Cf", "Cs", "Co", "Cn") else char
