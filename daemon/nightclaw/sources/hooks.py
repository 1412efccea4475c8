"""Generic hooks, `POST /hooks/{name}`: who may call, and what a call says. Pure: no clock, no I/O.

Two ways to prove who calls. Standard Webhooks (https://www.standardwebhooks.com): HMAC-SHA256 over
`id.timestamp.body`, at most five minutes off, compared in constant time. Or `Authorization: Bearer <secret>`. A
request with any `webhook-…` header is held to the first way: a broken signature never falls back to the second.

What makes a call the same call: its `webhook-id`, which the signature covers; with a bearer its `Idempotency-Key`,
else its `X-Request-Id`, else its body within ten minutes, so that a sender's retry is one signal and the same body
an hour later is a new one.
"""

import base64
import binascii
import hashlib
import hmac
import json
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from nightclaw.core.stanza import Stanza
from nightclaw.core.trust import Trust
from nightclaw.core.types import JSON, SignalDraft, Source, Verdict

TOLERANCE_S = 300
SAME_BODY_S = 600
PROMPT_LIMIT = 4000
VALUE_LIMIT = 500
TITLE_LIMIT = 160
_ID = re.compile(r"[\x21-\x7e]{1,256}")
_FIELD = re.compile(r"\{payload((?:\.[^.{}\s]+)*)\}")


class HookRow(Stanza, Protocol):
    """A `[[hook]]` of the config, as far as parsing needs it."""

    @property
    def verdict(self) -> Verdict | None: ...


@dataclass(frozen=True, slots=True)
class Proof:
    """`key`: what makes this call the same call. `refusal`: why it is nobody's; None when it is the sender's."""

    key: str = ""
    refusal: str | None = None


def identify(secret: str, headers: Mapping[str, str], raw: bytes, now_ms: int) -> Proof:
    """Judge one request. `headers`: lower-case names. An empty secret refuses everybody."""
    if not secret:
        return Proof(refusal="this hook has no secret")
    if any(name in headers for name in ("webhook-id", "webhook-timestamp", "webhook-signature")):
        return _signed(secret, headers, raw, now_ms)
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        return Proof(refusal="neither webhook-signature nor Authorization: Bearer is there")
    if not hmac.compare_digest(token.strip().encode(), secret.encode()):
        return Proof(refusal="the bearer token is wrong")
    for name in ("idempotency-key", "x-request-id"):
        given = headers.get(name, "")
        if _ID.fullmatch(given):
            return Proof(f"{name}:{given}")
    return Proof(f"body:{hashlib.sha256(raw).hexdigest()}:{now_ms // (SAME_BODY_S * 1000)}")


def _signed(secret: str, headers: Mapping[str, str], raw: bytes, now_ms: int) -> Proof:
    identifier, stamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not _ID.fullmatch(identifier):
        return Proof(refusal="webhook-id is absent or malformed")
    if not re.fullmatch(r"[0-9]{1,12}", stamp):
        return Proof(refusal="webhook-timestamp is absent or not a number of seconds")
    expected = signature(secret, identifier, stamp, raw)
    right = False
    for given in headers.get("webhook-signature", "").split()[:20]:
        right |= hmac.compare_digest(given.encode(), expected.encode())
    if not right:
        return Proof(refusal="webhook-signature does not match the body")
    if abs(now_ms // 1000 - int(stamp)) > TOLERANCE_S:
        return Proof(refusal="webhook-timestamp is more than five minutes off: is a clock wrong?")
    return Proof(f"id:{identifier}")


def signature(secret: str, identifier: str, timestamp: str, raw: bytes) -> str:
    """What stands in `webhook-signature`: `v1,` and the base64 of the HMAC."""
    content = f"{identifier}.{timestamp}.".encode() + raw
    return "v1," + base64.b64encode(hmac.digest(_key(secret), content, "sha256")).decode()


def _key(secret: str) -> bytes:
    """The bytes of a secret: base64 after `whsec_`, else the text itself."""
    if secret.startswith("whsec_"):
        text = secret.removeprefix("whsec_")
        try:
            return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
        except binascii.Error:
            pass
    return secret.encode()


def parse(hook: HookRow, proof: Proof, raw: bytes, body: Mapping[str, JSON]) -> SignalDraft:
    """The signal of one proven call. Text from the body is cleaned and clipped before it meets the owner's prompt."""
    attrs: dict[str, JSON] = {"hook": hook.name}
    if hook.prompt is not None:
        attrs["prompt"] = fill(hook.prompt, body)
    if hook.verdict is not None:
        attrs["verdict"] = str(hook.verdict)
    settings: dict[str, JSON] = {
        "repo": hook.repo,
        "unattended": hook.unattended,
        "model": hook.model,
        "budget_usd": hook.budget_usd,
        "per_hour": hook.per_hour,
    }
    attrs |= {key: value for key, value in settings.items() if value is not None}
    said = attrs.get("prompt")
    title = f"{hook.name}: {said}" if isinstance(said, str) else f"{hook.name} received"
    return SignalDraft(
        source=Source.HOOK,
        kind=f"{hook.name}.received",
        subject=f"hook:{hook.name}",
        dedupe_key=f"{hook.name}:{proof.key}",
        title=_plain(title, TITLE_LIMIT),
        trust=Trust.WORLD,
        attrs=attrs,
        raw=raw or b"{}",
        repo=hook.repo,
    )


def fill(template: str, body: Mapping[str, JSON]) -> str:
    """`{payload.a.b}` and `{payload.list.0}` become plain text; what is not there is `(none)`. One pass only."""

    def value(found: re.Match[str]) -> str:
        node: JSON = body
        for step in found.group(1).split(".")[1:]:
            if isinstance(node, Mapping):
                node = node.get(step)
            elif isinstance(node, list) and step.isdecimal() and int(step) < len(node):
                node = node[int(step)]
            else:
                node = None
        if node is None:
            return "(none)"
        text = node if isinstance(node, str) else json.dumps(node, ensure_ascii=False)
        return _plain(text, VALUE_LIMIT)

    filled = _FIELD.sub(value, template)
    return filled if len(filled) <= PROMPT_LIMIT else filled[: PROMPT_LIMIT - 1] + "…"


def _plain(text: str, limit: int) -> str:
    """One line without control, format (bidi, zero-width) and private characters, at most `limit` long."""
    kept = (" " if unicodedata.category(c)[0] in "CZ" else c for c in text[: limit * 4])
    line = " ".join("".join(kept).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"
