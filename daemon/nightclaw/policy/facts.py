"""What the owner is shown when asked: computed by us, nothing of it in the model's words alone.

Every character that hides, moves or pads text is shown as what it is, so that what is read is what will happen.
"""

import hashlib
import re
import unicodedata
from collections.abc import Sequence

from nightclaw.core.effects import CallEffect, Kind, Level
from nightclaw.core.trust import Label
from nightclaw.core.types import JSON, JSONObject

_MOST_SHOWN = 4_000
_PADDING = re.compile(r"[ \t]{9,}|\n{4,}")
_DOES = {
    Kind.READ: "reads",
    Kind.WRITE: "writes",
    Kind.RUN: "runs",
    Kind.COMMIT: "commits to",
    Kind.NETWORK: "connects to",
    Kind.PUSH: "pushes to",
    Kind.COMMENT: "comments on",
    Kind.LABEL: "labels",
    Kind.PULL_REQUEST: "opens a pull request in",
    Kind.INSTALL: "installs:",
    Kind.DELETE: "deletes",
    Kind.PERMISSIONS: "changes permissions:",
    Kind.OWN_STATE: "reaches the daemon's own state or services:",
    Kind.CREDENTIALS: "reads or handles secrets:",
    Kind.NOTE: "sends a note to",
    Kind.ASK: "asks",
    Kind.MEMORY: "remembers",
    Kind.WAIT: "waits",
    Kind.UNKNOWN: "is not understood:",
}


def visible(text: str) -> str:
    """`text` with control, escape, bidirectional and invisible characters written out, padding counted."""
    out: list[str] = []
    marks = 2  # a mark needs a letter to stand on, and many on one letter bury the line above
    for char in text:
        kind = unicodedata.category(char)
        marks = marks + 1 if kind in ("Mn", "Me") else 0
        if char in "\n\t" or not (_hides(char, kind) or marks > 2):
            out.append(char)
        else:
            out.append(f"\\u{{{ord(char):x}}}")
    return _PADDING.sub(
        lambda m: f"\\u{{{len(m[0])} {'blanks' if m[0][0] != chr(10) else 'line breaks'}}}", "".join(out)
    )


def _hides(char: str, kind: str) -> bool:
    return kind in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp") or (kind == "Zs" and char != " ")


def in_a_line(text: str, limit: int = 200) -> str:
    shown = visible(text).replace("\n", "\\n").replace("\t", "\\t")
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


def exact(text: str) -> dict[str, JSON]:
    """The bytes of a text: all of them when they fit, else head and tail, always length and digest."""
    raw = text.encode("utf-8", "surrogatepass")
    found: dict[str, JSON] = {"bytes": len(raw), "sha256": hashlib.sha256(raw).hexdigest()}
    if len(text) <= _MOST_SHOWN:
        return {**found, "text": visible(text)}
    half = _MOST_SHOWN // 2
    return {
        **found,
        "head": visible(text[:half]),
        "tail": visible(text[-half:]),
        "left_out": len(text) - 2 * half,
    }


def told(effects: tuple[CallEffect, ...]) -> Sequence[JSON]:
    """One line an effect, the furthest reaching first."""
    lines: dict[str, None] = {}
    for effect in sorted(effects, key=lambda e: -e.level):
        if effect.level is Level.OBSERVE and lines:
            continue
        known = "" if effect.level < Level.OUTWARD or not effect.is_known else " (known)"
        lines[f"{_DOES[effect.kind]} {in_a_line(effect.target)}{known}"] = None
    return [*lines][:40]


def with_taint(facts: JSONObject, label: Label) -> dict[str, JSON]:
    """The facts with what has reached the context that asks: its trust, and where its bytes came from."""
    return {
        **facts,
        "trust": str(label.trust),
        "private": label.private,
        "origins": [in_a_line(o, 120) for o in sorted(label.origins)][:20],
    }
