"""What a word of a shell line will be when it runs: its value where that is certain, and honest ignorance where not.

Quotes, ANSI-C quoting, `~`, braces and known variables are expanded; globs are kept as patterns; text of command and
process substitutions is handed to the caller, who judges it as a command of its own.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import product

from nightclaw.policy.shell_lexer import Unclear, ansi_end, backtick_end, dollar_end, double_end, paren_end


@dataclass(frozen=True, slots=True)
class Word:
    """raw: as written. text: its value, None when only the running shell will know. glob: text is a pattern.
    many: may become several words or none. env: may show a variable of the environment. prefix: what the value is
    sure to begin with."""

    raw: str
    text: str | None
    glob: bool = False
    many: bool = False
    env: bool = False
    prefix: str = ""

    @property
    def is_sure(self) -> bool:
        return self.text is not None and not self.glob

    def __str__(self) -> str:
        return self.raw if self.text is None else self.text


@dataclass(frozen=True, slots=True)
class Value:
    """What a variable holds. text None: known to be nothing from the environment, but not what."""

    text: str | None
    glob: bool = False
    env: bool = False


FROM_ENVIRONMENT = Value(None, env=True)
FROM_COMMAND = Value(None)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """lookup: a variable's value. nested: called with the text of each substitution. fault: called with what cannot
    be followed. home: what `~` is, None when unknown."""

    lookup: Callable[[str], Value]
    nested: Callable[[str], None]
    fault: Callable[[str], None]
    home: str | None = None


_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SPECIAL = "?#$!@*-0123456789_"
_PLAIN_PARAMETER = re.compile(r"#?([A-Za-z_][A-Za-z0-9_]*|[0-9]+|[?#$!@*-])")
# forms that only cut or replace inside the value, with nothing in them that expands again
_CUT_PARAMETER = re.compile(
    r"([A-Za-z_][A-Za-z0-9_]*|[0-9]+|[@*])(?:[#%/,^]|:?[-+?]|:[0-9])[\w./*?,%#:@^=+ \-]*"
)
_ARITHMETIC = re.compile(r"[0-9+\-*/%() <>=!&|^~?:,]*")
_ESCAPES = {
    "a": "\a",
    "b": "\b",
    "e": "\x1b",
    "E": "\x1b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "v": "\v",
}
_WILD = re.compile(r"[*?]|\[.+\]", re.DOTALL)
_MOST_WORDS = 64


@dataclass(slots=True)
class _Part:
    """A run of one word: text None for unknown."""

    text: str | None
    is_quoted: bool
    glob: bool = False
    env: bool = False
    splits: bool = False


@dataclass(slots=True)
class _Reader:
    raw: str
    around: Surroundings
    parts: list[_Part] = field(default_factory=list)

    def add(self, text: str, is_quoted: bool) -> None:
        if self.parts and self.parts[-1].text is not None and self.parts[-1].is_quoted == is_quoted:
            last = self.parts[-1]
            if not last.glob:
                last.text = (last.text or "") + text
                return
        self.parts.append(_Part(text, is_quoted))

    def add_value(self, value: Value, is_quoted: bool) -> None:
        splits = not is_quoted and (value.text is None or bool(re.search(r"\s|^$", value.text)))
        glob = value.glob or (
            not is_quoted and value.text is not None and bool(re.search(r"[*?\[]", value.text))
        )
        text = None if splits else value.text
        self.parts.append(_Part(text, True, glob and text is not None, value.env, splits))


def evaluate(raw: str, around: Surroundings) -> tuple[Word, ...]:
    """The words that `raw`, one word as written, becomes. Never raises: what is not followed is a fault."""
    reader = _Reader(raw, around)
    try:
        _scan(reader, raw)
    except (Unclear, ValueError) as problem:
        around.fault(str(problem) if isinstance(problem, Unclear) else "a word that is not read twice alike")
        return (Word(raw, None, many=True, env=True),)
    parts = _with_home(reader, around)
    if any(p.text is not None and not p.is_quoted and _has_braces(p.text) for p in parts) or (
        _has_braces("".join("\0" if p.is_quoted else p.text or "" for p in parts))
    ):
        return _with_braces(raw, parts)
    return (_joined(raw, parts),)


def expand_text(text: str, around: Surroundings) -> bool:
    """Judge what expands in the body of an unquoted here-document; True when it may show the environment."""
    reader = _Reader(text, around)
    try:
        _double(reader, text, 0, len(text))
    except Unclear as problem:
        around.fault(str(problem))
    return any(part.env for part in reader.parts)


def _joined(raw: str, parts: list[_Part]) -> Word:
    # quoted characters are no wildcards, but may stand between the brackets of one
    shown = "".join("q" * len(p.text or "q") if p.is_quoted or p.text is None else p.text for p in parts)
    glob = any(p.glob for p in parts) or _WILD.search(shown)
    env = any(p.env for p in parts)
    if all(p.text is not None for p in parts):
        text = "".join(p.text or "" for p in parts)
        if glob:
            # wildcards in quotes are only characters: escaped, so that the pattern stays one
            text = "".join(
                re.sub(r"([*?\[\]])", r"[\1]", p.text or "") if p.is_quoted and not p.glob else p.text or ""
                for p in parts
            )
        return Word(raw, text, glob=bool(glob), many=bool(glob), env=env, prefix=text)
    prefix = ""
    for part in parts:
        if part.text is None or (not part.is_quoted and re.search(r"[*?\[]", part.text)):
            break
        prefix += part.text
    return Word(raw, None, many=any(p.splits for p in parts) or bool(glob), env=env, prefix=prefix)


def _with_home(reader: _Reader, around: Surroundings) -> list[_Part]:
    parts = reader.parts
    if not parts or parts[0].is_quoted or not (parts[0].text or "").startswith("~"):
        return parts
    text = parts[0].text or ""
    name, slash, rest = text[1:].partition("/")
    alone = len(parts) == 1 or slash
    if name == "" and alone and around.home is not None:
        return [_Part(around.home, True), _Part(slash + rest, False), *parts[1:]]
    return [_Part(None, True), *parts[1:]]


def _has_braces(text: str) -> bool:
    return bool(re.search(r"\{[^{}]*(?:,|\.\.)", text) or re.search(r"\{.*,.*\}", text))


def _with_braces(raw: str, parts: list[_Part]) -> tuple[Word, ...]:
    """Braces of plain words are multiplied out; anything cleverer is unknown."""
    if all(p.text is not None and not p.is_quoted and not p.glob for p in parts):
        found = _multiplied("".join(p.text or "" for p in parts))
        if found is not None:
            return tuple(_joined(word, [_Part(word, False)]) for word in found)
    return (Word(raw, None, many=True, env=any(p.env for p in parts)),)


def _multiplied(text: str) -> list[str] | None:
    pieces = re.split(r"(\{[^{}]*\})", text)
    choices: list[list[str]] = []
    for piece in pieces:
        if piece.startswith("{") and piece.endswith("}"):
            inside = piece[1:-1]
            span = re.fullmatch(r"(-?\d{1,4})\.\.(-?\d{1,4})", inside)
            if span:
                low, high = int(span[1]), int(span[2])
                step = 1 if low <= high else -1
                choices.append([str(k) for k in range(low, high + step, step)])
            elif "," in inside:
                choices.append(inside.split(","))
            else:
                return None
        elif "{" in piece or "}" in piece:
            return None
        else:
            choices.append([piece])
    total = 1
    for choice in choices:
        total *= len(choice)
    return ["".join(c) for c in product(*choices)] if total <= _MOST_WORDS else None


def _scan(reader: _Reader, raw: str) -> None:
    i, n = 0, len(raw)
    while i < n:
        char = raw[i]
        if char == "\\":
            if raw.startswith("\\\n", i):
                i += 2
                continue
            reader.add(raw[i + 1 : i + 2], True)
            i += 2
        elif char == "'":
            end = raw.index("'", i + 1)
            reader.parts.append(_Part(raw[i + 1 : end], True))
            i = end + 1
        elif char == '"':
            end = double_end(raw, i + 1, 0)
            reader.parts.append(_Part("", True))
            _double(reader, raw, i + 1, end - 1)
            i = end
        elif char == "`":
            i = _backtick(reader, raw, i, False)
        elif char == "$":
            i = _dollar(reader, raw, i, False)
        elif char in "<>" and raw.startswith("(", i + 1):
            end = paren_end(raw, i + 2, 0)
            reader.around.nested(raw[i + 2 : end - 1])
            reader.parts.append(_Part("/dev/fd/63", True))
            i = end
        else:
            reader.add(char, False)
            i += 1


def _double(reader: _Reader, raw: str, i: int, end: int) -> None:
    while i < end:
        char = raw[i]
        if char == "\\":
            if raw.startswith("\\\n", i):
                pass
            elif raw[i + 1 : i + 2] in ("$", "`", '"', "\\"):
                reader.add(raw[i + 1], True)
            else:
                reader.add(raw[i : i + 2], True)
            i += 2
        elif char == "`":
            i = _backtick(reader, raw, i, True)
        elif char == "$" and raw[i + 1 : i + 2] not in ("'", '"'):
            i = _dollar(reader, raw, i, True)
        else:
            reader.add(char, True)
            i += 1


def _backtick(reader: _Reader, raw: str, i: int, is_quoted: bool) -> int:
    end = backtick_end(raw, i + 1)
    inside = raw[i + 1 : end - 1]
    marks = '`$\\"' if is_quoted else "`$\\"
    reader.around.nested(re.sub(r"\\([" + re.escape(marks) + "])", r"\1", inside))
    reader.add_value(FROM_COMMAND, is_quoted)
    return end


def _dollar(reader: _Reader, raw: str, i: int, is_quoted: bool) -> int:
    end = dollar_end(raw, i, 0)
    if raw.startswith("$((", i):
        if not _ARITHMETIC.fullmatch(raw[i + 3 : end - 2]):
            reader.around.fault("an arithmetic expression with names in it")
        reader.add_value(FROM_COMMAND, is_quoted)
        return end
    if raw.startswith("$(", i):
        reader.around.nested(raw[i + 2 : end - 1])
        reader.add_value(FROM_COMMAND, is_quoted)
        return end
    if raw.startswith("${", i):
        _parameter(reader, raw[i + 2 : end - 1], is_quoted)
        return end
    if raw.startswith("$'", i):
        reader.parts.append(_Part(_ansi(raw[i + 2 : end - 1]), True))
        return ansi_end(raw, i + 2)
    if raw.startswith('$"', i):
        raise Unclear("a string that may be translated")
    named = _NAME.match(raw, i + 1)
    if named:
        reader.add_value(reader.around.lookup(named[0]), is_quoted)
        return named.end()
    if raw[i + 1 : i + 2] and raw[i + 1] in _SPECIAL:
        reader.add_value(FROM_COMMAND, is_quoted and raw[i + 1] != "@")
        return i + 2
    reader.add("$", True)
    return i + 1


def _parameter(reader: _Reader, inside: str, is_quoted: bool) -> None:
    plain = _PLAIN_PARAMETER.fullmatch(inside)
    cut = _CUT_PARAMETER.fullmatch(inside)
    if plain and _NAME.fullmatch(plain[1]):
        value = reader.around.lookup(plain[1])
        reader.add_value(FROM_COMMAND if inside.startswith("#") else value, is_quoted)
    elif plain:
        reader.add_value(FROM_COMMAND, is_quoted and plain[1] != "@")
    elif cut:
        known = reader.around.lookup(cut[1]) if _NAME.fullmatch(cut[1]) else FROM_COMMAND
        reader.add_value(Value(None, env=known.env), is_quoted and cut[1] != "@")
    else:
        raise Unclear("a ${…} that may expand further")


def _ansi(inside: str) -> str:
    out: list[str] = []
    i = 0
    while i < len(inside):
        if inside[i] != "\\":
            out.append(inside[i])
            i += 1
            continue
        char = inside[i + 1 : i + 2]
        found = (
            re.compile(r"x([0-9a-fA-F]{1,2})").match(inside, i + 1)
            or re.compile(r"u([0-9a-fA-F]{1,4})").match(inside, i + 1)
            or re.compile(r"U([0-9a-fA-F]{1,8})").match(inside, i + 1)
        )
        octal = re.compile(r"[0-7]{1,3}").match(inside, i + 1)
        if found or octal:
            code = int(found[1], 16) if found else int((octal or found)[0], 8) & 0xFF  # pyright: ignore[reportOptionalSubscript]
            if code == 0 or code > 0x10FFFF:
                raise Unclear("a NUL in a quoted string")
            out.append(chr(code))
            i = (found or octal).end()  # pyright: ignore[reportOptionalMemberAccess]
        elif char in _ESCAPES:
            out.append(_ESCAPES[char])
            i += 2
        elif char in ("\\", "'", '"', "?"):
            out.append(char)
            i += 2
        elif char == "c":
            raise Unclear("a control character in a quoted string")
        else:
            out.append("\\" + char)
            i += 2
    return "".join(out)
