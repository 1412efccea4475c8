"""Text of strangers, made safe to show and to search: one plain line, and who or what it calls.

Nothing here trusts its input: every function takes any value and answers in time linear in a bounded length.
What comes out holds no control, ANSI, bidi or other invisible character and no lone surrogate.
"""

import re
from itertools import pairwise

SCANNED = 65_536
"""GitHub's own limit for a body; what lies behind it is not searched."""

MOST_MENTIONS = 20
LONGEST_COMMAND = 2_000

_ANSI = re.compile(
    r"\x1b\[[0-?]{0,64}[ -/]{0,8}[@-~]?|\x9b[0-?]{0,64}[ -/]{0,8}[@-~]?"
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c]{0,2048}(?:\x07|\x1b\\|\x9c)?|\x1b."
)
_MENTION = re.compile(
    r"(?<![\w@./`+-])@([A-Za-z0-9](?:[A-Za-z0-9]|-(?=[A-Za-z0-9])){0,38})"
    r"(/[A-Za-z0-9][\w.-]{0,99})?(?![\w@-]|\.\w*@)",
    re.ASCII,
)
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_PARAGRAPHS = re.compile(r"(\n[ \t]*\n)")
_TICKS = re.compile(r"`+")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})(.*)")
_QUOTE = re.compile(r" {0,3}>")


def plain(value: object, limit: int = 200) -> str:
    """`value` as one plain line of at most `limit` characters; "" when it is no text."""
    if not isinstance(value, str):
        return ""
    text = value if len(value) <= limit * 8 else value[: limit * 8]
    text = text.strip() if text.isprintable() else _scrub(text)
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def _scrub(text: str) -> str:
    kept = (c if c.isprintable() else " " if c.isspace() else "" for c in _ANSI.sub("", text))
    return " ".join("".join(kept).split())


def mentions(text: object) -> list[str]:
    """The logins called by `@login` (teams as `org/team`), lower-case, each once, in order, at most 20.

    As on GitHub: nothing in code, quoted lines, HTML comments or e-mail addresses calls anyone.
    """
    if not isinstance(text, str) or "@" not in text:
        return []
    found: dict[str, None] = {}
    for match in _MENTION.finditer(_prose(text[:SCANNED])):
        found[(match[1] + (match[2] or "").rstrip(".-")).lower()] = None
        if len(found) == MOST_MENTIONS:
            break
    return list(found)


def command(text: object, names: tuple[str, ...]) -> str | None:
    """What follows the first `@name` that opens a line, to the end of the text, as one plain line.

    None when no line calls one of `names` outside code and quotes, or nothing is said to it.
    """
    if not isinstance(text, str) or "@" not in text:
        return None
    text = text[:SCANNED]
    prose = _prose(text)
    wanted = {name.lower() for name in names}
    for match in _MENTION.finditer(prose):
        if match[2] or match[1].lower() not in wanted:
            continue
        line = prose.rfind("\n", 0, match.start()) + 1
        if match.start() - line <= 3 and not prose[line : match.start()].strip():
            said = plain(_without_quotes(text, match.end()), LONGEST_COMMAND).lstrip(":,; ")
            return said or None
    return None


def _prose(text: str) -> str:
    """`text` with code, quotes and HTML comments blanked, every other character at its place."""
    text = text.replace("\r\n", " \n").replace("\r", "\n")
    if "`" in text or "~~~" in text or ">" in text:
        text = _without_blocks(text)
    if "`" in text:  # a span ends with its paragraph
        text = "".join(_without_spans(part) for part in _PARAGRAPHS.split(text))
    return _COMMENT.sub(_blank, text) if "<!--" in text else text


def _blank(match: re.Match[str]) -> str:
    return "\n".join(" " * len(line) for line in match[0].split("\n"))


def _without_blocks(text: str) -> str:
    """Fenced blocks and quoted lines blanked. https://spec.commonmark.org/0.31.2/#fenced-code-blocks"""
    kept: list[str] = []
    fence = ""
    for line in text.split("\n"):
        match = _FENCE.match(line)
        if fence:
            if match and match[1].startswith(fence) and not match[2].strip():
                fence = ""
            kept.append(" " * len(line))
        elif match and not (match[1][0] == "`" and "`" in match[2]):
            fence = match[1]
            kept.append(" " * len(line))
        else:
            kept.append(" " * len(line) if _QUOTE.match(line) else line)
    return "\n".join(kept)


def _without_spans(text: str) -> str:
    """Code spans blanked: a run of backticks closes at the next run of the same length, in linear time."""
    runs = [(m.start(), m.end()) for m in _TICKS.finditer(text)]
    closing: dict[int, list[int]] = {}
    for i in range(len(runs) - 1, -1, -1):
        closing.setdefault(runs[i][1] - runs[i][0], []).append(i)
    pieces: list[str] = []
    cuts = [0]
    i = 0
    while i < len(runs):
        start, end = runs[i]
        same = closing[end - start]
        while same and same[-1] <= i:
            same.pop()
        if not same:
            i += 1
            continue
        i = same.pop()
        cuts += [start, runs[i][1]]
        i += 1
    cuts.append(len(text))
    for n, (a, b) in enumerate(pairwise(cuts)):
        pieces.append(text[a:b] if n % 2 == 0 else "`" * (b - a))
    return "".join(pieces)


def _without_quotes(text: str, start: int) -> str:
    lines = text[start:].splitlines()
    return "\n".join(line for n, line in enumerate(lines) if n == 0 or not _QUOTE.match(line))
