"""What must not leave the machine in a commit or a comment: secrets, private names, paths of the owner's home. Pure.

A finding never repeats what it found. Secrets are refused everywhere, also on the way to a private repository; private
names and local paths only where the world can read. It is a net, not a wall: what is encoded passes.
"""

import math
import re
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass

# what it is, a literal that every one of them holds, what it looks like
_SHAPES: tuple[tuple[str, str, re.Pattern[str]], ...] = tuple(
    (what, mark, re.compile(shape))
    for what, mark, shape in (
        ("a private key", "PRIVATE KEY", r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----"),
        ("a GitHub token", "gh", r"gh[pousr]_[A-Za-z0-9]{30,}"),
        ("a GitHub token", "github_pat_", r"github_pat_[A-Za-z0-9_]{40,}"),
        ("a GitLab token", "glpat-", r"glpat-[\w-]{20,}"),
        ("an AWS key", "AKIA", r"\bAKIA[A-Z2-7]{16}\b"),
        ("an AWS key", "ASIA", r"\bASIA[A-Z2-7]{16}\b"),
        ("an Anthropic key", "sk-ant-", r"sk-ant-[\w-]{20,}"),
        ("an OpenAI key", "sk-", r"\bsk-(?:proj-|svcacct-)?(?=[\w-]*\d)[A-Za-z0-9_-]{32,}"),
        ("a Google key", "AIza", r"AIza[\w-]{35}"),
        ("a Slack token", "xox", r"\bxox[abeoprs]-[\w-]{10,}"),
        ("a Slack webhook", "hooks.slack.com", r"hooks\.slack\.com/services/T\w{5,}/B\w{5,}/\w{10,}"),
        ("a Stripe key", "k_live_", r"\b[rs]k_live_[A-Za-z0-9]{16,}"),
        ("an npm token", "npm_", r"\bnpm_[A-Za-z0-9]{36}\b"),
        ("a PyPI token", "pypi-AgEI", r"pypi-AgEI[\w-]{40,}"),
        ("a Hugging Face token", "hf_", r"\bhf_[A-Za-z0-9]{30,}"),
        ("a Telegram bot token", ":AA", r"\b\d{8,10}:AA[\w-]{33}\b"),
        ("a JSON web token", "eyJ", r"\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}"),
        ("an age key", "AGE-SECRET-KEY-", r"\bAGE-SECRET-KEY-1[A-Z0-9]{50,}"),
    )
)
_LOGIN = re.compile(r"\b[a-z][a-z0-9+.-]{1,20}://[^\s/:@'\"<>]{0,100}:([^\s/@'\"<>]{3,200})@[^\s/'\"<>]")
_NAMED = re.compile(
    r"(?i)(?:api[_-]?key|secret(?:[_-]?key)?|access[_-]?key|auth[_-]?token|access[_-]?token|passw(?:or)?d|private[_-]?key)"
    r"[\"']?\s*(?::|=>|:?=)\s*[\"']?([A-Za-z0-9+/_.~=-]{16,200})"
)
_PLACEHOLDER = re.compile(
    r"(?i)^(?:\$|<|\{)|example|dummy|placeholder|changeme|your[_-]|xxxx|0{8}|1234|test|fake|redacted|getenv|environ|os\.|process\."
)
_HOMES = re.compile(r"(?:/home/|/Users/|C:\\Users\\)([A-Za-z0-9._-]{1,64})(?=[/\\\"'\s:;,)\]]|$)")
_NOBODY = {
    "user",
    "username",
    "runner",
    "you",
    "me",
    "app",
    "name",
    "example",
    "ubuntu",
    "vscode",
    "node",
    "shared",
}
_NO_PASSWORDS = ("password", "pass", "token", "secret")
_NAMING = ("key", "secret", "token", "passw")
_WINDOW, _OVERLAP = 20_000, 1_000


@dataclass(frozen=True, slots=True)
class Finding:
    """what: kind of thing, in words. line: from 1. where: the file, or what the text is."""

    what: str
    line: int
    where: str = ""

    def __str__(self) -> str:
        return (
            f"{self.what} in {self.where}, line {self.line}"
            if self.where
            else f"{self.what} in line {self.line}"
        )


def find(
    text: str,
    *,
    where: str = "",
    is_public: bool = True,
    home: str = "",
    private_names: Collection[str] = (),
    secrets: Collection[str] = (),
) -> list[Finding]:
    """What in `text` must not go out, at most one finding a line. home: the owner's home directory; private_names:
    what only the owner may read (names of private repositories); secrets: known values. Costs are linear."""
    names = [re.compile(rf"(?i)(?<![\w-]){re.escape(n)}(?![\w-])") for n in private_names if len(n) > 2]
    known = [s for s in secrets if len(s) >= 8]
    places = [p for p in (home.rstrip("/\\"),) if len(p) > 4]
    shapes = [shape for shape in _SHAPES if shape[1] in text]
    found: list[Finding] = []
    for number, line in enumerate(text.split("\n"), 1):
        what = None
        for piece in _pieces(line):
            what = what or next(_secrets(piece, known, shapes), None)
            if what is None and is_public:
                what = next(_private(piece, names, places), None)
        if what is not None:
            found.append(Finding(what, number, where))
    return found


def _pieces(line: str) -> Iterator[str]:
    """A long line in overlapping pieces, so that one search is never long."""
    yield line[:_WINDOW]
    for start in range(_WINDOW - _OVERLAP, len(line) - _OVERLAP, _WINDOW - _OVERLAP):
        yield line[start : start + _WINDOW]


def _secrets(line: str, known: list[str], shapes: list[tuple[str, str, re.Pattern[str]]]) -> Iterator[str]:
    return (what for _, _, what in _marked(line, known, shapes))


def secret_spans(text: str, known: Collection[str] = ()) -> Iterator[tuple[int, int, str]]:
    """(start, end, what) of each secret in `text`; they may overlap. known: values that are secrets here."""
    shapes = [shape for shape in _SHAPES if shape[1] in text]
    values, at = [v for v in known if len(v) >= 8], 0
    for line in text.split("\n"):
        start = at
        for piece in _pieces(line):
            yield from ((start + a, start + b, what) for a, b, what in _marked(piece, values, shapes))
            start += _WINDOW - _OVERLAP
        at += len(line) + 1


def _marked(
    line: str, known: list[str], shapes: list[tuple[str, str, re.Pattern[str]]]
) -> Iterator[tuple[int, int, str]]:
    for value in known:
        at = line.find(value)
        while at >= 0:
            yield at, at + len(value), "a secret of this machine"
            at = line.find(value, at + len(value))
    for what, mark, shape in shapes:
        if mark in line:
            yield from ((found.start(), found.end(), what) for found in shape.finditer(line))
    if "://" in line and "@" in line:
        for match in _LOGIN.finditer(line):
            if not _PLACEHOLDER.search(match[1]) and match[1].lower() not in _NO_PASSWORDS:
                yield match.start(1), match.end(1), "a password in an address"
    low = line.lower()
    if any(word in low for word in _NAMING):
        for match in _NAMED.finditer(line):
            if _is_random(match[1]) and not _PLACEHOLDER.search(match[1]):
                yield match.start(1), match.end(1), "what looks like a key or password"


def _private(line: str, names: list[re.Pattern[str]], places: list[str]) -> Iterator[str]:
    for place in places:
        if place in line:
            yield "a path of this machine"
    for match in _HOMES.finditer(line):
        if match[1].lower() not in _NOBODY:
            yield "a path of somebody's home"
    for name in names:
        if name.search(line):
            yield "a private name"


def _is_random(value: str) -> bool:
    """True for what no one would write by hand: letters and digits mixed, and no letter stands out."""
    if not (re.search(r"\d", value) and re.search(r"[A-Za-z]", value)):
        return False
    counts = Counter(value)
    entropy = -sum(n / len(value) * math.log2(n / len(value)) for n in counts.values())
    return entropy > 3.2


def added_lines(diff: str) -> Iterator[tuple[str, str]]:
    """(file, text added to it) of each file in a unified diff of git's."""
    name, kept, in_hunk = "", list[str](), False
    for line in diff.split("\n"):
        if line.startswith("diff --git "):
            if name:
                yield name, "\n".join(kept)
            name, kept, in_hunk = line.rpartition(" b/")[2], [], False
        elif line.startswith("@@"):
            in_hunk = True
        elif in_hunk and line.startswith("+"):
            kept.append(line[1:])
    if name:
        yield name, "\n".join(kept)
