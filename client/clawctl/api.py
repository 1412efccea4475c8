"""The control API as calls: where the daemon of a home listens, JSON in and out, its errors as `Failure`.

A list is followed over its pages up to a limit. What an answer holds is not trusted to have the right shape: the
readers at the end give a value of the asked type or its empty form.
"""

import json
import os

from clawctl import transport
from clawctl.exits import FAILED, NOT_FOUND, REFUSED, TIMED_OUT, USAGE, Busy, Failure

Row = dict[str, object]

PAGE = 500
_CODES = {400: USAGE, 403: REFUSED, 404: NOT_FOUND, 408: TIMED_OUT, 409: REFUSED, 422: USAGE, 504: TIMED_OUT}


class Api:
    """The daemon of one home."""

    def __init__(self, home: str) -> None:
        self.home = home
        self.socket = os.path.join(home, "run", "control.sock")

    def get(self, path: str, **query: object) -> object:
        return self.call("GET", path, query)

    def post(self, path: str, body: Row, patience_s: float = transport.ANSWER_S) -> object:
        return self.call("POST", path, body=body, patience_s=patience_s)

    def call(
        self,
        method: str,
        path: str,
        query: Row | None = None,
        body: Row | None = None,
        patience_s: float = transport.ANSWER_S,
    ) -> object:
        """Return the answer's JSON; None when it has no body. Raises Failure."""
        data = self.open(method, path, query, body, patience_s=patience_s).read()
        return decoded(data) if data.strip() else None

    def open(
        self,
        method: str,
        path: str,
        query: Row | None = None,
        body: Row | None = None,
        accept: str = "application/json",
        headers: dict[str, str] | None = None,
        patience_s: float = transport.ANSWER_S,
    ) -> transport.Response:
        """Send one request; a refusal is raised, a good answer's body is left to the caller."""
        target = path
        given = {key: str(value) for key, value in (query or {}).items() if value is not None}
        if given:
            target += "?" + "&".join(f"{key}={transport.quoted(value)}" for key, value in given.items())
        sent = None if body is None else json.dumps(body).encode()
        answer = transport.request(self.socket, method, target, sent, accept, patience_s, headers)
        if not 200 <= answer.status < 300:
            raise _refusal(answer.status, answer.read())
        return answer

    def items(self, path: str, limit: int, **query: object) -> tuple[list[Row], bool]:
        """Return up to `limit` rows, newest first, and whether there are more."""
        found: list[Row] = []
        after: object = None
        while True:
            page = as_row(
                self.call("GET", path, {**query, "limit": min(limit - len(found), PAGE), "after": after})
            )
            rows = rows_of(page.get("items"))
            found += rows
            following = page.get("next")
            if not rows or following in (None, "", after):
                return found[:limit], len(found) > limit
            if len(found) >= limit:
                return found[:limit], True
            after = following


def decoded(data: bytes) -> object:
    """Read JSON from the daemon. Raises Failure."""
    try:
        return json.loads(data)
    except ValueError:
        raise Failure(
            "the daemon's answer is not JSON", hint="`clawctl version` shows both sides' versions"
        ) from None


def as_row(value: object) -> Row:
    return value if isinstance(value, dict) else {}


def rows_of(value: object) -> list[Row]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def list_of(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def words(value: object) -> str:
    """Return a value as one would say it: nothing for null, yes and no for booleans."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (dict, list)):
        return json.dumps(value, ensure_ascii=False)
    return str(value)


def number(value: object) -> float:
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else 0


def _refusal(status: int, body: bytes) -> Failure:
    try:
        error = as_row(as_row(json.loads(body)).get("error"))
    except ValueError:
        error = {}
    message = words(error.get("message")) or f"the daemon answered {status}"
    hint = _for_people(words(error.get("hint")))
    if status in (429, 503):
        return Busy(message, hint=hint)
    return Failure(message, _CODES.get(status, FAILED), hint)


def _for_people(hint: str) -> str:
    """The verb in the place of the call it makes; where the fields of a call stand helps nobody here."""
    if not hint.startswith("GET /v1/"):
        return hint
    noun = hint.removeprefix("GET /v1/").split(" ")[0]
    verb = {"memories": "memory list", "schedules": "schedule list", "watches": "watch list"}.get(noun, noun)
    return f"`clawctl {verb}` lists them" if hint.endswith(" lists them") else ""
