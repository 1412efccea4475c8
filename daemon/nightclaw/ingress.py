"""The TCP side: webhooks in, health out, nothing else. No control verb lives here.

Guarantees. A 2xx for a signal is sent after its commit is durable. Nothing of a body is parsed before its proof
holds, and a body over 25 MiB is refused before it is read. The checks run in one order: size, Host and Origin,
proof, shape, admission, ping, duplicate, intake. Memory is bounded: all bodies in flight share one allowance, and
a big one is worked on alone, in a thread.

Raw ASGI: this is the hot path, and a router with request objects costs more than all the checks.
"""

import asyncio
import ipaddress
import json
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from nightclaw.core import failpoints
from nightclaw.core.errors import StoreBusy, StoreClosed, StoreError, StoreUnavailable
from nightclaw.core.ports import Clock
from nightclaw.core.types import JSON, Intake, SignalDraft
from nightclaw.store import signals
from nightclaw.store.db import Store

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

BODY_LIMIT = 25 * 1024 * 1024
IN_FLIGHT_LIMIT = 64 * 1024 * 1024
ALONE = 128 * 1024  # bytes from which on a body leaves the event loop
RETRY_AFTER_S = {StoreBusy: 1, StoreUnavailable: 30, StoreClosed: 5}


class Turned(Exception):
    """A caller is turned away: the HTTP status and the one error object that says why."""

    def __init__(
        self, status: int, code: str, message: str, hint: str = "", *, retry_after_s: int = 0
    ) -> None:
        super().__init__(message)
        self.status = status
        self.body: dict[str, JSON] = {"error": {"code": code, "message": message, "hint": hint}}
        self.headers = {"retry-after": str(retry_after_s)} if retry_after_s else {}


class Door(Protocol):
    """Who may deliver here and what a delivery means. Pure and thread-safe: `read` of a big body runs in a thread."""

    def lacks_proof(self, headers: Mapping[str, str]) -> Turned | None:
        """Why these headers cannot prove anything, whatever the body; None when the body decides."""
        ...

    def read(self, headers: Mapping[str, str], raw: bytes, now_ms: int) -> SignalDraft | None:
        """The signal of a proven delivery, None for a ping. Raises Turned."""
        ...


@dataclass(frozen=True, slots=True)
class Doors:
    """What a config lets in. `hosts`, `origin`: of public_url, lower case; loopback names are always welcome."""

    github: Door
    hooks: Mapping[str, Door] = field(default_factory=dict[str, Door])
    hosts: frozenset[str] = frozenset()
    origin: str | None = None
    quiet_ms: int = 1500


class _Gone(Exception):
    """The client left before its body was complete."""


class Ingress:
    """The ASGI app. `stuck()` names what does not beat; `doors` may be replaced at any time.

    `is_on("github")` and `is_on("hooks")`: the kill switches; a door that is switched off asks to come again.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        doors: Doors,
        stuck: Callable[[], Sequence[str]],
        is_on: Callable[[str], bool] = lambda feature: True,
    ) -> None:
        self.doors = doors
        self._is_on = is_on
        self._store = store
        self._clock = clock
        self._stuck = stuck
        self._in_flight = 0
        self._alone = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            status, body = await self._answer(scope, receive)
            extra: dict[str, str] = {}
        except Turned as turned:
            status, body, extra = turned.status, turned.body, turned.headers
        except _Gone:
            return
        await respond(send, status, body, extra)

    async def _answer(self, scope: Scope, receive: Receive) -> tuple[int, JSON]:
        doors, path = self.doors, str(scope["path"])
        if path == "/healthz":
            door, allowed = None, "GET"
        elif path == "/hooks/github":
            door, allowed = doors.github, "POST"
        else:
            door, allowed = doors.hooks.get(path.removeprefix("/hooks/")), "POST"
            if door is None or not path.startswith("/hooks/"):
                hint = (
                    "the ingress has POST /hooks/github, POST /hooks/NAME for each [[hook]], and GET /healthz"
                )
                raise Turned(404, "not_found", "there is nothing at this address", hint)
        if scope["method"] != allowed:
            turned = Turned(405, "method_not_allowed", f"this address takes {allowed} only")
            turned.headers["allow"] = allowed
            raise turned
        headers = {n.decode("latin-1"): v.decode("latin-1") for n, v in scope["headers"]}
        declared = _declared_size(headers)
        if declared is not None and declared > BODY_LIMIT:
            raise _too_large()
        _check_address(headers, doors)
        if door is None:
            stuck = list(self._stuck())
            return (503, {"ok": False, "stuck": stuck}) if stuck else (200, {"ok": True})
        feature = "github" if door is doors.github else "hooks"
        if not self._is_on(feature):
            hint = f"`clawctl features` shows the switches; turn {feature} on"
            raise Turned(503, "switched_off", f"{feature} is switched off", hint, retry_after_s=600)
        return await self._deliver(door, headers, declared, receive)

    async def _deliver(
        self, door: Door, headers: Mapping[str, str], declared: int | None, receive: Receive
    ) -> tuple[int, JSON]:
        lacking = door.lacks_proof(headers)
        if lacking is not None and declared is not None:
            raise lacking
        chunks: list[bytes] = []
        size = held = 0
        try:
            more = True
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise _Gone
                chunk: bytes = message.get("body", b"")
                more = bool(message.get("more_body", False))
                size += len(chunk)
                if size > BODY_LIMIT:
                    raise _too_large()
                if lacking is None:
                    if self._in_flight + len(chunk) > IN_FLIGHT_LIMIT:
                        raise Turned(503, "busy", "too many big bodies at once", "try again", retry_after_s=5)
                    self._in_flight += len(chunk)
                    held += len(chunk)
                    chunks.append(chunk)
            if lacking is not None:
                raise lacking
            return await self._take_in(door, headers, chunks[0] if len(chunks) == 1 else b"".join(chunks))
        finally:
            self._in_flight -= held

    async def _take_in(self, door: Door, headers: Mapping[str, str], raw: bytes) -> tuple[int, JSON]:
        if len(raw) < ALONE:
            prepared = self._prepare(door, headers, raw)
        else:
            async with self._alone:
                prepared = await asyncio.to_thread(self._prepare, door, headers, raw)
        if prepared is None:
            return 200, {"ok": True}
        failpoints.hit("ingress.received")
        try:
            intake: Intake = await self._store.offer(signals.take_in, prepared, self._clock.now_ms())
        except StoreError as error:
            wait = RETRY_AFTER_S.get(type(error), 30)
            raise Turned(503, error.code, error.message, error.hint, retry_after_s=wait) from error
        failpoints.hit("ingress.committed")
        if intake.duplicate:
            return 200, {"duplicate": True, "signal": intake.signal_id}
        return 202, {"signal": intake.signal_id}

    def _prepare(self, door: Door, headers: Mapping[str, str], raw: bytes) -> signals.Prepared | None:
        now = self._clock.now_ms()
        draft = door.read(headers, raw, now)
        if draft is None:
            return None
        return signals.prepare(replace(draft, ready_at=now + self.doors.quiet_ms))


def _too_large() -> Turned:
    return Turned(413, "too_large", f"the body is over {BODY_LIMIT // 2**20} MiB")


def _declared_size(headers: Mapping[str, str]) -> int | None:
    text = headers.get("content-length", "")
    if not text:
        return None if "transfer-encoding" in headers else 0
    return int(text) if text.isdecimal() and len(text) < 16 else BODY_LIMIT + 1


def _check_address(headers: Mapping[str, str], doors: Doors) -> None:
    """Only callers that mean this machine or its public address: a browser lured by DNS names another Host.

    An Origin is sent by browsers alone; it must be the very address that was called, or the public one.
    """
    host = headers.get("host", "").lower()
    if not (host in _WELCOME or _is_welcome(host, doors.hosts)):
        hint = "call it as localhost, a loopback address, or set [ingress] public_url to the name you use"
        raise Turned(403, "foreign_host", "this Host is not served here", hint)
    origin = headers.get("origin")
    if origin is None:
        return
    origin = origin.lower()
    if origin != doors.origin and origin.partition("://")[2] != host:
        raise Turned(403, "foreign_origin", "pages of other sites may not call this address")


_WELCOME = {"localhost", "127.0.0.1", "[::1]"}


def _is_welcome(host: str, public: frozenset[str]) -> bool:
    name, colon, port = host.rpartition(":")
    if not colon or host.endswith("]"):
        name, port = host, "0"
    if not (port.isdecimal() and port.isascii()):
        return False
    if name in _WELCOME or name in public:
        return True
    bare = name[1:-1] if name.startswith("[") and name.endswith("]") else name
    try:
        address = ipaddress.ip_address(bare)
    except ValueError:
        return False
    return address.is_loopback and (address.version == 6) == (bare != name)


async def respond(send: Send, status: int, body: JSON, headers: Mapping[str, str] | None = None) -> None:
    """One complete JSON answer."""
    content = json.dumps(body).encode()
    fields = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(content))]
    fields += [(name.encode(), value.encode()) for name, value in (headers or {}).items()]
    await send({"type": "http.response.start", "status": status, "headers": fields})
    await send({"type": "http.response.body", "body": content})
