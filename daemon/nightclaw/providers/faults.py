"""What went wrong with a model call, as one ProviderError with a text its reader can act on.

Every way a service can say it (a status, an error inside a stream, a broken connection) ends in one of the kinds of
core.errors.ProviderError. No error holds a key: the key itself and everything that looks like one is taken out.

| kind | tried again | another provider asked | may pass |
|---|---|---|---|
| rate, overloaded, server, timeout, network, cut | yes | after a few | yes |
| auth, quota, model | no | at once | no |
| request, context, refused | no | no | no |
"""

import email.utils
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nightclaw.core import plain
from nightclaw.core.errors import ProviderError
from nightclaw.core.ports import ModelCall, Usage
from nightclaw.core.types import JSON
from nightclaw.providers.blocks import table

PASSING = frozenset({"rate", "overloaded", "server", "timeout", "network", "cut"})
ELSEWHERE = frozenset({"auth", "quota", "model"})
TEXT = 300
_KEYS = re.compile(r"\b(?:sk|rk|pk|gsk|xai|key|or|AIza)[-_][A-Za-z0-9_*.-]{8,}|\bBearer\s+\S+", re.IGNORECASE)
_CONTEXT = re.compile(
    r"context[ _](?:length|size|window|limit)|prompt (?:is )?too long|maximum context|too many (?:input )?tokens"
    r"|exceed\w* (?:the )?(?:available|maximum|max)[\w ]{0,20}(?:context|tokens|model length)|exceed_context_size"
    r"|reduce the length of|request_too_large|input is too long|too large for model",
    re.IGNORECASE,
)
_QUOTA = re.compile(
    r"insufficient[_ ](?:quota|balance|credits?|funds)|credit balance|exceeded[ _](?:your[ _])?current[ _]quota"
    r"|spend(?:ing)? (?:limit|cap)|out of credits",
    re.IGNORECASE,
)
_BILLING = re.compile(
    r"billing|payment|usage limits?\b", re.IGNORECASE
)  # a plain rate limit may say these too
_MODEL = re.compile(
    r"model[\w\s`'\"./:-]{0,80}(?:not (?:found|exist|supported)|does not (?:exist|support tools)|decommissioned)"
    r"|model_not_found|no such model|unknown model",
    re.IGNORECASE,
)
_TYPES = {
    "overloaded_error": "overloaded", "rate_limit_error": "rate", "rate_limit_exceeded": "rate",
    "api_error": "server", "server_error": "server", "internal_server_error": "server",
    "timeout_error": "timeout", "authentication_error": "auth", "permission_error": "auth",
    "invalid_api_key": "auth", "billing_error": "quota", "insufficient_quota": "quota",
    "not_found_error": "model", "model_not_found": "model", "request_too_large": "context",
    "context_length_exceeded": "context", "exceed_context_size_error": "context", "tool_use_failed": "cut",
    "invalid_request_error": "request",
}  # fmt: skip
_SAYS = {
    "auth": "refused its key",
    "quota": "has no credit or quota left",
    "rate": "asks to slow down",
    "overloaded": "is overloaded",
    "server": "failed",
    "timeout": "did not answer in time",
    "network": "cannot be reached",
    "cut": "broke off its answer",
    "request": "did not accept the request",
    "context": "cannot take a conversation this long",
    "model": "does not serve this model",
    "refused": "refused to answer",
}


@dataclass(frozen=True, slots=True)
class Who:
    """Who was asked, for texts and the ledger: the provider's name, its host, and where its key comes from."""

    name: str
    model: str
    host: str
    key_from: str = ""

    def call(self, usage: Usage, sent: int, error: str | None = None) -> ModelCall:
        return ModelCall(f"{self.name}/{self.model}", usage, error, self.host, sent)


def fault(
    who: Who, kind: str, detail: str = "", *, status: int = 0, secrets: Sequence[str] = ()
) -> ProviderError:
    """The error of this kind. detail: the service's own words, from outside: shown as one plain line."""
    said = plain.one_line(redact(detail, *secrets), TEXT)
    code = f" ({status})" if status else ""
    text = f"{who.name} {_SAYS[kind]}{code}" + (f": {said}" if said else "")
    return ProviderError(text, _hint(who, kind), kind=kind, may_pass=kind in PASSING)


def redact(text: str, *secrets: str) -> str:
    for secret in secrets:
        if len(secret) >= 4:
            text = text.replace(secret, "(key)")
    return _KEYS.sub("(key)", text)


def from_status(
    who: Who,
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    *,
    now_ms: int,
    secrets: Sequence[str] = (),
) -> ProviderError:
    """The error of an answer that is not 2xx. headers: names in lower case."""
    error, detail = _error_of(body)
    kind = _kind_of_status(status, error, detail)
    found = fault(who, kind, detail or _shape(headers, body), status=status, secrets=secrets)
    found.retry_after_s = retry_after_s(headers, now_ms)
    if headers.get("x-should-retry") == "false":
        found.may_pass = False
    return found


def from_event(who: Who, body: JSON, *, now_ms: int, secrets: Sequence[str] = ()) -> ProviderError:
    """The error that stands inside a stream which began with 200."""
    error, detail = _error_of(json.dumps(body).encode())
    code = error.get("code", error.get("status"))
    status = int(code) if isinstance(code, int) or (isinstance(code, str) and code.isdigit()) else 0
    kind = _kind_of_status(status, error, detail) if 400 <= status < 600 else _kind_of_words(error, detail)
    return fault(who, kind or "server", detail, secrets=secrets)


def _error_of(body: bytes) -> tuple[Mapping[str, JSON], str]:
    """The error object of whichever service, and its sentence."""
    try:
        found = json.loads(body[:65536])
    except (ValueError, RecursionError):
        return {}, ""
    if isinstance(found, list) and found:
        found = found[0]
    outer = table(found)
    inner = outer.get("error", outer.get("detail", outer))
    if isinstance(inner, str):
        return outer, inner
    error = table(inner) or outer
    return error, str(error.get("message") or error.get("msg") or error.get("detail") or "")


def _kind_of_words(error: Mapping[str, JSON], detail: str) -> str | None:
    words = [str(error.get(key)) for key in ("code", "type", "status") if error.get(key)]
    named = next((_TYPES[word] for word in words if word in _TYPES), None)
    if named in (None, "request", "rate", "server", "model"):
        said = " ".join((*words, detail))
        if _QUOTA.search(said) or (named != "rate" and _BILLING.search(said)):
            return "quota"
        if named != "rate" and _CONTEXT.search(said):
            return "context"
        if named == "request" and _MODEL.search(detail):
            return "model"
    return named


def _kind_of_status(status: int, error: Mapping[str, JSON], detail: str) -> str:
    words = _kind_of_words(error, detail)
    if status in (401, 403):
        return "quota" if words == "quota" else "auth"
    if status == 402:
        return "quota"
    if status in (408, 504):
        return "timeout"
    if status == 413:
        return "context"
    if status == 429:
        return "quota" if words == "quota" else "rate"
    if status in (503, 529):
        return "overloaded"
    if status in (409, 425) or status >= 500:
        return words if words in ("context", "quota") else "server"
    if status in (404, 410):
        return "model" if words in (None, "model", "request") else words
    if status >= 400:
        return words if words in ("context", "quota", "model", "cut", "auth") else "request"
    return "server"


def _shape(headers: Mapping[str, str], body: bytes) -> str:
    kind = headers.get("content-type", "").partition(";")[0].strip()
    if "html" in kind or body.lstrip()[:1] == b"<":
        return "a web page instead of an answer"
    return body[:TEXT].decode("utf-8", "replace") if "text" in kind or not kind else ""


def retry_after_s(headers: Mapping[str, str], now_ms: int) -> float | None:
    """How long the service asks to wait: milliseconds, seconds or an HTTP date. Never negative."""
    try:
        if "retry-after-ms" in headers:
            return max(float(headers["retry-after-ms"]) / 1000, 0.0)
    except ValueError:
        pass
    said = headers.get("retry-after", "").strip()
    if not said:
        return None
    try:
        seconds = float(said)
    except ValueError:
        try:
            seconds = email.utils.parsedate_to_datetime(said).timestamp() - now_ms / 1000
        except (ValueError, TypeError, OverflowError):
            return None
    return max(seconds, 0.0) if seconds == seconds and seconds < 1e9 else None


def _hint(who: Who, kind: str) -> str:
    if kind == "auth":
        return f"check {who.key_from or 'its key'}; it is tried again within 15 minutes, or at once after a SIGHUP"
    if kind == "quota":
        return f"add credit or raise the limit at {who.host}, or name another model in [models]"
    if kind == "model":
        return f'check the name "{who.name}/{who.model}" in [models] (and base_url: {who.host})'
    if kind == "network":
        return f"check the network and [providers.{who.name}] base_url ({who.host})"
    if kind == "context":
        return "start a new session, or ask for less at once"
    if kind == "request":
        return f"the model {who.model} may not support what is asked; try another in [models]"
    return "it is tried again by itself" if kind in PASSING else ""
