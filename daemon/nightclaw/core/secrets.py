"""Secrets in what is to be remembered: found and named, or cut out. Pure.

The shapes are those that may not leave the machine (`core.outbound`), and what people write about in words ("the
password is …"). It is a second net: what is encoded passes. Costs are linear in the text.
"""

import re
from collections.abc import Collection, Iterator

from nightclaw.core.outbound import secret_spans

CUT = "[secret removed]"
_KEY_BLOCK = re.compile(
    r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----(?:(?!-----END).)*(?:-----END [A-Z0-9 ]{0,60}-----)?",
    re.DOTALL,
)
_SAID = re.compile(
    r"(?i)\b(?:password|passphrase|passwd|passcode|pin|api[ _-]?key|secret(?: key)?"
    r"|(?:access|auth|bearer|api)[ _-]?token|recovery code|seed phrase)\b"
    r"(?: (?:for|of|to|on) [^\n:=]{1,60}?)?\s{0,3}(?:is|are|was|:|=|->)\s{0,3}[\"'`“]?([^\s\"'`”]{4,200})"
)
_ASSIGNED = re.compile(
    r"(?i)\b(?=\w{0,60}_)\w{0,60}(?:secret|token|passw(?:or)?d|api_?key|access_?key|private_?key)\w{0,40}"
    r"\s{0,3}[=:]\s{0,3}[\"'`]?([^\s\"'`]{8,200})"
)
_BEARER = re.compile(
    r"(?i)\b(?:authorization|bearer|basic)\b:?\s{1,3}(?:bearer |basic )?([A-Za-z0-9+/_.~=-]{20,400})"
)


def secret_in(text: str, known: Collection[str] = ()) -> str | None:
    """What kind of secret `text` holds, in words; None when none is seen. known: values that are secrets here."""
    return next((what for _, _, what in _spans(text, known)), None)


def without_secrets(text: str, known: Collection[str] = ()) -> str:
    """`text` with every secret replaced by a mark."""
    spans = sorted((start, end) for start, end, _ in _spans(text, known))
    if not spans:
        return text
    out, at = list[str](), 0
    for start, end in spans:
        if start >= at:
            out += [text[at:start], CUT]
        at = max(at, end)
    return "".join([*out, text[at:]])


def _spans(text: str, known: Collection[str]) -> Iterator[tuple[int, int, str]]:
    if "PRIVATE KEY" in text:
        for found in _KEY_BLOCK.finditer(text):
            yield found.start(), found.end(), "a private key"
    yield from secret_spans(text, known)
    for found in _SAID.finditer(text):
        if _could_be_secret(found[1]):
            yield found.start(1), found.end(1), "a password or key in words"
    for found in _ASSIGNED.finditer(text):
        if _could_be_secret(found[1]) and any(c.isalpha() for c in found[1]):
            yield found.start(1), found.end(1), "a secret setting"
    for found in _BEARER.finditer(text):
        if _could_be_secret(found[1]):
            yield found.start(1), found.end(1), "a login header"


def _could_be_secret(value: str) -> bool:
    """False for the ordinary words that follow ("the password is in the vault") and for references to elsewhere."""
    plain = value.rstrip(".,;:!?)")
    if len(plain) < 4 or plain.startswith(
        ("$", "<", "{", "[", "env:", "file:", "keyring:", "http", "/", "~")
    ):
        return False
    return any(c.isdigit() for c in plain) or any(not c.isalnum() and c not in "-_./'’" for c in plain)
