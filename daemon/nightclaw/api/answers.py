"""How every answer and every refusal looks: JSON without detours, times in ISO, errors in one shape."""

import json
from collections.abc import Mapping, Sequence
from typing import TypedDict

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from nightclaw.core.errors import (
    ConfigError,
    Invalid,
    InvalidTransition,
    NightclawError,
    NotFound,
    ProviderError,
    Refused,
    StoreError,
)
from nightclaw.protocol.messages import iso

CALLS = "GET /v1/openapi.json lists the calls and their fields"
RETRY_AFTER_S = 1
_STATUS: tuple[tuple[type[NightclawError], int], ...] = (
    (NotFound, 404),
    (Refused, 409),
    (InvalidTransition, 409),
    (Invalid, 400),
    (ConfigError, 409),
    (StoreError, 503),
    (ProviderError, 503),
)
_CODES = {
    400: "invalid",
    404: "not_found",
    405: "method_not_allowed",
    413: "too_large",
    422: "invalid",
    429: "too_many",
}


class Listed(TypedDict):
    items: Sequence[object]
    next: str | None


def answer(content: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """JSON as it stands. A text that is no Unicode (a lone surrogate) is shown with `?`."""
    body = json.dumps(content, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "replace")
    return Response(body, status, headers, "application/json")


def listed(items: Sequence[object]) -> Response:
    """A list that is short by nature: all of it, nothing after it."""
    return answer(Listed(items=rendered_all(items), next=None))


def rendered(value: Mapping[str, object]) -> dict[str, object]:
    """JSON of another part with its times in ISO: milliseconds under `at`, `since` and keys ending in `_at`."""
    return {k: _rendered(k, v) for k, v in value.items()}


def rendered_all(values: Sequence[object]) -> list[object]:
    return [_rendered("", v) for v in values]


def _rendered(key: str, value: object) -> object:
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    if isinstance(value, int) and (key in ("at", "since") or key.endswith("_at")):
        return iso(value)
    if isinstance(value, Mapping):
        return rendered(value)
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        return rendered_all(value)
    return value


def refusal(
    status: int, code: str, message: str, hint: str = "", headers: Mapping[str, str] | None = None
) -> Response:
    return answer({"error": {"code": code, "message": message, "hint": hint}}, status, headers)


def add_handlers(app: FastAPI) -> None:
    """Make every failure of a route one of our refusals; what nobody foresaw is 500 and goes to the server's log."""

    async def ours(_: Request, error: Exception) -> Response:
        assert isinstance(error, NightclawError)
        status = next((s for kind, s in _STATUS if isinstance(error, kind)), 500)
        headers = {"retry-after": str(RETRY_AFTER_S)} if status == 503 else None
        return refusal(status, error.code, error.message, error.hint, headers)

    async def malformed(_: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        found = error.errors()
        if any(e.get("type") == "json_invalid" for e in found):
            return refusal(400, "malformed", "the body is not JSON", CALLS)
        return refusal(422, "invalid", "; ".join(_fault(e) for e in found[:5]), CALLS)

    async def http(_: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        status = error.status_code
        if status == 404:
            return refusal(404, "not_found", "there is no such call", CALLS)
        if status == 400:
            return refusal(400, "malformed", "the body is not JSON", CALLS)
        if status == 405:
            return refusal(405, "method_not_allowed", "this call takes another method", CALLS, error.headers)
        return refusal(status, _CODES.get(status, "error"), str(error.detail), CALLS, error.headers)

    async def unforeseen(_: Request, error: Exception) -> Response:
        message = f"the daemon failed at this: {type(error).__name__}"
        return refusal(500, "internal", message, "its log says more: clawctl service logs")

    app.add_exception_handler(NightclawError, ours)
    app.add_exception_handler(RequestValidationError, malformed)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(Exception, unforeseen)


def _fault(error: Mapping[str, object]) -> str:
    place = error.get("loc")
    names = [str(p) for p in place[1:]] if isinstance(place, tuple | list) else []
    name = ".".join(n[:60] for n in names) or "the body"
    if error.get("type") == "extra_forbidden":
        return f"{name}: no such field"
    return f"{name}: {str(error.get('msg')).removeprefix('Value error, ')}"
