"""Our own cutting of a shell line into words, operators, comments and here-documents.

The grammar in `shell_syntax` gives the structure of a line; this lexer is a second, independent reading of where each
word begins and ends. Both must agree on every token, else the line counts as not understood. Works on the line's
UTF-8 bytes seen as latin-1, so that positions are byte positions and no multi-byte character can look like an operator.
"""

from dataclasses import dataclass
from enum import StrEnum


class Unclear(Exception):
    """The text is not what this lexer reads; the reason is one plain phrase."""


class Sort(StrEnum):
    WORD = "word"
    OPERATOR = "operator"
    NEWLINE = "newline"
    COMMENT = "comment"


@dataclass(slots=True)
class Token:
    """body: on the delimiter word of a here-document, its text; is_literal: nothing in it expands."""

    sort: Sort
    start: int
    end: int
    text: str
    body: str | None = None
    is_literal: bool = False


OPERATORS = (
    ";;&",
    "<<<",
    "<<-",
    "&>>",
    ";;",
    ";&",
    "&&",
    "||",
    "|&",
    "<<",
    "<>",
    "<&",
    ">&",
    ">>",
    ">|",
    "&>",
    ";",
    "|",
    "&",
    "(",
    ")",
    "<",
    ">",
)
REDIRECTS = frozenset({"<<<", "<<-", "<<", "<>", "<&", ">&", ">>", ">|", "&>", "&>>", "<", ">"})
_META = " \t\n;|&()<>"
_DEEPEST = 24


def cut(text: str) -> list[Token]:
    """The tokens of `text`, in order; here-document bodies hang on their delimiter. Raises Unclear."""
    found: list[Token] = []
    waiting: list[tuple[Token, bool]] = []
    i, n = 0, len(text)
    while i < n:
        char = text[i]
        if char in " \t":
            i += 1
        elif text.startswith("\\\n", i):
            i += 2
        elif char == "\n":
            found.append(Token(Sort.NEWLINE, i, i + 1, "\n"))
            i = _bodies(text, i + 1, waiting)
        elif char == "#":
            end = text.find("\n", i)
            end = n if end < 0 else end
            found.append(Token(Sort.COMMENT, i, end, text[i:end]))
            i = end
        elif char in ";|&()<>" and not text.startswith(("<(", ">("), i):
            operator = next(o for o in OPERATORS if text.startswith(o, i))
            found.append(Token(Sort.OPERATOR, i, i + len(operator), operator))
            i += len(operator)
        else:
            end = word_end(text, i)
            token = Token(Sort.WORD, i, end, text[i:end])
            before = found[-1] if found else None
            if before is not None and before.text in ("<<", "<<-"):
                waiting.append((token, before.text == "<<-"))
            found.append(token)
            i = end
    if waiting:
        raise Unclear("a here-document without its end")
    return found


def _bodies(text: str, i: int, waiting: list[tuple[Token, bool]]) -> int:
    """Past the here-document bodies that begin at the line start `i`."""
    for token, strips_tabs in waiting:
        delimiter, token.is_literal = _delimiter(token.text)
        start = i
        while True:
            if i >= len(text):
                raise Unclear("a here-document without its end")
            end = text.find("\n", i)
            end = len(text) if end < 0 else end
            line = text[i:end]
            if (line.lstrip("\t") if strips_tabs else line) == delimiter:
                token.body = text[start:i]
                i = min(end + 1, len(text))
                break
            i = end + 1
    waiting.clear()
    return i


def _delimiter(raw: str) -> tuple[str, bool]:
    for quote in ("'", '"'):
        if len(raw) > 2 and raw[0] == raw[-1] == quote and raw[1:-1].replace("_", "").isalnum():
            return raw[1:-1], True
    if raw.replace("_", "").isalnum():
        return raw, False
    if raw.startswith("\\") and raw[1:].replace("_", "").isalnum():
        return raw[1:], True
    raise Unclear("a here-document with an odd delimiter")


def word_end(text: str, i: int, depth: int = 0) -> int:
    """Past the word that begins at `i`. Raises Unclear for quotes and brackets without their end."""
    n = len(text)
    while i < n:
        char = text[i]
        if char == "\\":
            if i + 1 >= n:
                raise Unclear("a backslash at the end")
            i += 2
        elif char == "'":
            i = _after(text, "'", i + 1)
        elif char == '"':
            i = double_end(text, i + 1, depth)
        elif char == "`":
            i = backtick_end(text, i + 1)
        elif char == "$":
            i = dollar_end(text, i, depth)
        elif char in "<>" and text.startswith("(", i + 1):
            i = paren_end(text, i + 2, depth + 1)
        elif char in _META:
            return i
        else:
            i += 1
    return n


def _after(text: str, mark: str, i: int) -> int:
    end = text.find(mark, i)
    if end < 0:
        raise Unclear("a quote without its end")
    return end + 1


def double_end(text: str, i: int, depth: int) -> int:
    """Past the closing double quote of a string whose inside begins at `i`."""
    while i < len(text):
        char = text[i]
        if char == '"':
            return i + 1
        if char == "\\":
            i += 2
        elif char == "`":
            i = backtick_end(text, i + 1)
        elif char == "$" and text[i + 1 : i + 2] not in ("'", '"'):
            i = dollar_end(text, i, depth)
        else:
            i += 1
    raise Unclear("a quote without its end")


def backtick_end(text: str, i: int) -> int:
    while i < len(text):
        if text[i] == "`":
            return i + 1
        i += 2 if text[i] == "\\" else 1
    raise Unclear("a backquote without its end")


def ansi_end(text: str, i: int) -> int:
    while i < len(text):
        if text[i] == "'":
            return i + 1
        i += 2 if text[i] == "\\" else 1
    raise Unclear("a quote without its end")


def dollar_end(text: str, i: int, depth: int) -> int:
    """Past whatever the dollar sign at `i` begins."""
    if depth > _DEEPEST:
        raise Unclear("nested too deeply")
    if text.startswith("$((", i):
        end = paren_end(text, i + 3, depth + 1)
        if not text.startswith(")", end):
            raise Unclear("an arithmetic expression that may be a substitution")
        return end + 1
    if text.startswith("$(", i):
        return paren_end(text, i + 2, depth + 1)
    if text.startswith("${", i):
        return _brace_end(text, i + 2, depth + 1)
    if text.startswith("$'", i):
        return ansi_end(text, i + 2)
    if text.startswith('$"', i):
        return double_end(text, i + 2, depth)
    if text.startswith("$[", i):
        raise Unclear("an old arithmetic expression")
    return i + 1


def paren_end(text: str, i: int, depth: int) -> int:
    """Past the `)` that closes a substitution whose inside begins at `i`."""
    fresh = True
    while i < len(text):
        char = text[i]
        if char == ")":
            return i + 1
        if char == "(":
            i, fresh = paren_end(text, i + 1, depth + 1), False
        elif char == "#" and fresh:
            i = text.find("\n", i)
            if i < 0:
                raise Unclear("a bracket without its end")
        elif text.startswith("<<", i) and not text.startswith("<<<", i):
            raise Unclear("a here-document inside a substitution")
        elif text.startswith("<<<", i):
            i, fresh = i + 3, True
        elif char in _META:
            i, fresh = i + 1, True
        else:
            i, fresh = word_end(text, i, depth + 1), False
        if depth > _DEEPEST:
            raise Unclear("nested too deeply")
    raise Unclear("a bracket without its end")


def _brace_end(text: str, i: int, depth: int) -> int:
    while i < len(text):
        char = text[i]
        if char == "}":
            return i + 1
        if char == "\\":
            i += 2
        elif char == "'":
            raise Unclear("a quote inside ${…}")
        elif char == '"':
            i = double_end(text, i + 1, depth)
        elif char == "`":
            i = backtick_end(text, i + 1)
        elif char == "$":
            i = dollar_end(text, i, depth)
        else:
            i += 1
    raise Unclear("a ${ without its end")
