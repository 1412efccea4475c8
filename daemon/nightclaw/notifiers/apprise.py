"""Any Apprise address: some 170 services behind one call, in a thread of its own, with a deadline and a reason.

Apprise answers only yes or no. So that a refusal can be told from a message that may have arrived, each HTTP exchange
of the requests library is noted (status, Retry-After, how it broke). No text that leaves here holds a secret: a
reason is made of our own words, or of Apprise's with every part of the address struck out.
"""

import asyncio
import contextvars
import functools
import importlib
import logging
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from types import ModuleType
from typing import TypeVar
from urllib.parse import unquote, urlsplit

from nightclaw.core.errors import DeliveryError
from nightclaw.core.ports import Clock, Note
from nightclaw.core.types import JSON

T = TypeVar("T")

DEADLINE_S = 20.0
_CONNECT_S, _READ_S = 5, 14
# Schemes whose first part is a server; in every other it may be a key.
_HAS_HOST = frozenset(
    (
        "form",
        "gotify",
        "json",
        "mailto",
        "matrix",
        "mmost",
        "mqtt",
        "nctalk",
        "ncloud",
        "rocket",
        "syslog",
        "xml",
    )
)
_AGAIN = frozenset({408, 409, 421, 423, 425, 429})


def build(config: Mapping[str, JSON], deps: Mapping[str, object]) -> "AppriseNotifier":
    """config: {"url": …}. deps: {"clock": Clock}."""
    clock = deps["clock"]
    assert hasattr(clock, "now_ms")
    return AppriseNotifier(str(config["url"]), clock)  # pyright: ignore[reportArgumentType]


def shown(url: str) -> str:
    """The address without its secrets: the scheme, and the server where the first part is one."""
    scheme, _, rest = url.partition("://")
    scheme = scheme.lower()
    parts = urlsplit(f"x://{rest}")
    plain = scheme.removesuffix("s")
    has_host = plain in _HAS_HOST or (plain == "ntfy" and parts.path.strip("/") != "")
    host = parts.netloc.rpartition("@")[2] if has_host else "…"
    return f"{scheme}://{host}"


@dataclass(slots=True)
class Exchange:
    """What the last HTTP exchange of one delivery came to. sent: the request may have been read."""

    status: int | None = None
    retry_after: str | None = None
    broke: str | None = None
    sent: bool = False


_exchange: contextvars.ContextVar[Exchange | None] = contextvars.ContextVar("exchange", default=None)


class AppriseNotifier:
    """core.ports.Notifier for one address."""

    def __init__(self, url: str, clock: Clock) -> None:
        self.name = shown(url)
        self._url = url
        self._clock = clock

    async def deliver(self, note: Note) -> None:
        exchange = Exchange()
        try:
            said = await in_thread(functools.partial(self._send, note, exchange), DEADLINE_S)
        except TimeoutError:
            raise DeliveryError(
                f"no answer within {DEADLINE_S:.0f} s", "is the service up?", uncertain=True
            ) from None
        if said is not None:
            raise self._fault(said, exchange)

    def _send(self, note: Note, exchange: Exchange) -> str | None:
        """None when it was accepted, else what Apprise said. Runs in a thread."""
        library = _load()
        asset = library.AppriseAsset(
            app_id="Nightclaw",
            async_mode=False,
            storage_mode="memory",
            service_timeout=0,
            secure_logging=True,
        )
        target = library.Apprise(asset=asset)
        if not target.add(_with_timeouts(self._url)):
            raise DeliveryError(
                "this is not an address that Apprise understands",
                "correct it in [notify] urls",
                permanent=True,
            )
        _exchange.set(exchange)
        result = target.notify(title=note.title, body=note.body, body_format="text")
        if result:
            return None
        said = [entry.message for entry in result.logs()]
        return said[-1] if said else "the delivery failed"

    def _fault(self, said: str, exchange: Exchange) -> DeliveryError:
        status = exchange.status
        if status is None or exchange.broke is not None:
            if exchange.sent:
                why = f"no complete answer ({exchange.broke})"
                return DeliveryError(why, "is the service up?", uncertain=True)
            if exchange.broke is not None:
                return DeliveryError(exchange.broke, "is the address right, and the network up?")
            return DeliveryError(
                without_secrets(said, self._url), "is the address right, and the network up?"
            )
        phrase = HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else "refused"
        message = f"the service answered {status} {phrase}"
        if 400 <= status < 500 and status not in _AGAIN:
            hint = "check the key or token" if status in (401, 403) else "check the address"
            return DeliveryError(message, f"{hint} in [notify] urls", permanent=True)
        if 200 <= status < 300:
            return DeliveryError(without_secrets(said, self._url), "check the address in [notify] urls")
        wait_s = retry_after_s(exchange.retry_after, self._clock.now_ms())
        return DeliveryError(message, "it is tried again", retry_after_s=wait_s)


def retry_after_s(header: str | None, now_ms: int) -> float | None:
    """Seconds asked for by a Retry-After header (RFC 9110, section 10.2.3), None when there is none to read."""
    if header is None:
        return None
    if header.strip().isdigit():
        return float(header)
    try:
        return max(parsedate_to_datetime(header).timestamp() - now_ms / 1000, 0.0)
    except (ValueError, TypeError, OverflowError):
        return None


def without_secrets(text: str, url: str) -> str:
    """`text` with addresses, and every part of `url` but its scheme, struck out; one line."""
    text = re.sub(r"[a-z][a-z0-9+.-]*://\S+", "…", text, flags=re.IGNORECASE)
    rest = url.partition("://")[2]
    parts = {p for whole in (rest, unquote(rest)) for p in re.split(r"[/?&=:@#,\s]", whole) if len(p) > 3}
    for part in sorted(parts, key=len, reverse=True):
        text = text.replace(part, "…")
    return " ".join(text.split())[:200]


def _with_timeouts(url: str) -> str:
    wanted = [f"{key}={s}" for key, s in (("cto", _CONNECT_S), ("rto", _READ_S)) if f"{key}=" not in url]
    return url + ("&" if "?" in url else "?") + "&".join(wanted) if wanted else url


async def in_thread(work: Callable[[], T], deadline_s: float) -> T:
    """Run `work` in a daemon thread, so that one that hangs neither holds up a stop nor uses up a pool.

    Raises what it raises, or TimeoutError; the thread is then left behind.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: BaseException | None) -> None:
        if done.done():
            return
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(result)  # pyright: ignore[reportArgumentType]

    def run() -> None:
        result, failed = None, None
        try:
            result = work()
        except BaseException as error:  # noqa: BLE001  it is raised again where it is awaited
            failed = error
        if not loop.is_closed():
            loop.call_soon_threadsafe(settle, result, failed)

    threading.Thread(target=contextvars.copy_context().run, args=(run,), name="notifier", daemon=True).start()
    async with asyncio.timeout(deadline_s):
        return await done


_loading = threading.Lock()


@functools.cache
def _loaded() -> ModuleType:
    library = importlib.import_module("apprise")
    logger = logging.getLogger("apprise")
    logger.addHandler(logging.NullHandler())
    logger.propagate = False  # what it says may hold addresses
    _note_exchanges()
    return library


def _load() -> ModuleType:
    with _loading:
        return _loaded()


def _note_exchanges() -> None:
    """Have requests, which Apprise sends with, tell us of each exchange; there is no other way to these facts."""
    requests = importlib.import_module("requests")
    original = requests.Session.send

    @functools.wraps(original)
    def send(session: object, request: object, **kwargs: object) -> object:
        exchange = _exchange.get()
        if exchange is None:
            return original(session, request, **kwargs)
        exchange.status = exchange.retry_after = exchange.broke = None
        exchange.sent = False
        try:
            response = original(session, request, **kwargs)
        except requests.RequestException as error:
            exchange.broke, exchange.sent = _how_it_broke(error, requests)
            raise
        exchange.status, exchange.retry_after = response.status_code, response.headers.get("Retry-After")
        return response

    requests.Session.send = send


def _how_it_broke(error: Exception, requests: ModuleType) -> tuple[str, bool]:
    """In words without addresses, and whether the request may have been read on the other side."""
    exceptions = requests.exceptions
    cause = repr(error)
    if isinstance(error, exceptions.ConnectTimeout):
        return "no connection in time", False
    if isinstance(error, exceptions.ReadTimeout):
        return f"no answer within {_READ_S} s", True
    if isinstance(error, exceptions.SSLError):
        return "the secure connection failed", False
    for sign, words in (
        ("NameResolutionError", "the name of the service cannot be looked up"),
        ("refused", "connection refused"),
        ("NewConnectionError", "the service cannot be reached"),
        ("unreachable", "the network is unreachable"),
        ("ProxyError", "the proxy does not answer"),
    ):
        if sign in cause:
            return words, False
    return "the connection broke", isinstance(
        error, exceptions.ConnectionError | exceptions.ChunkedEncodingError
    )
