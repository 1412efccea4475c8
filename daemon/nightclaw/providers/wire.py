"""One streamed HTTP call to a model service, bounded in time and size.

Guarantees: connecting, the first byte, silence between bytes and the whole call have deadlines; nothing is followed to
another host; an answer that is not 2xx is read up to LARGEST_ERROR bytes and raised; a body that breaks off raises
kind `cut`, so what ends without an error ended as HTTP says it should. Raises only ProviderError.
"""

import asyncio
import importlib
import json
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from types import ModuleType
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from nightclaw.core import strictjson
from nightclaw.core.errors import ConfigError, Invalid, ProviderError
from nightclaw.core.ports import Clock, Reply, Restarted, TextDelta, ThinkingDelta
from nightclaw.core.types import JSON
from nightclaw.providers import faults
from nightclaw.providers.faults import Who

if TYPE_CHECKING:
    import httpx2

Part = TextDelta | ThinkingDelta | Restarted | Reply
Parts = AsyncGenerator[Part, None]
LOOPBACK = ("127.0.0.1", "localhost", "::1")
LARGEST_ERROR = 64 * 1024
LARGEST_ANSWER = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Deadlines:
    """Seconds. silence_s: between two pieces of an answer that has begun."""

    connect_s: float = 10.0
    first_byte_s: float = 60.0
    silence_s: float = 60.0
    total_s: float = 600.0


LOCAL = Deadlines(first_byte_s=300.0, silence_s=120.0, total_s=1800.0)
"""A model on this machine loads for a while before it speaks, and reads a long prompt slowly."""


@dataclass(slots=True)
class Client:
    """A service's address, and the connections to it; made on first use, in a thread."""

    base_url: str
    deadlines: Deadlines
    clock: Clock
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    on_response: Callable[["httpx2.Response"], Awaitable[None]] | None = None
    _http: "httpx2.AsyncClient | None" = None

    @property
    def host(self) -> str:
        return urlsplit(self.base_url).netloc.rpartition("@")[2] or self.base_url

    @property
    def library(self) -> ModuleType:
        """The HTTP library; only once `http` was called does it cost nothing."""
        return importlib.import_module("httpx2")

    async def http(self) -> "httpx2.AsyncClient":
        if self._http is None:
            made = await asyncio.to_thread(self._make)
            if self._http is None:
                self._http = made
        return self._http

    def _make(self) -> "httpx2.AsyncClient":
        httpx2 = importlib.import_module("httpx2")
        is_here = urlsplit(self.base_url).hostname in LOOPBACK and self.base_url.startswith("http:")
        return httpx2.AsyncClient(
            trust_env=not is_here,  # what is on this machine is not behind the owner's proxy
            verify=not is_here,  # and has no certificate to be checked, which costs time and memory
            timeout=httpx2.Timeout(None, connect=self.deadlines.connect_s, pool=self.deadlines.connect_s),
            headers={"User-Agent": "nightclaw", "Accept-Encoding": "identity", **self.headers},
            event_hooks={"response": [self.on_response]} if self.on_response else {},
        )

    async def aclose(self) -> None:
        http, self._http = self._http, None
        if http is not None:
            await http.aclose()

    def transport_fault(self, who: Who, error: BaseException) -> ProviderError | None:
        """The fault of an exception of the HTTP library (or of our own deadlines); None: not one of those."""
        library = self.library
        if isinstance(error, TimeoutError):
            return faults.fault(who, "timeout", str(error))
        if isinstance(error, library.ConnectTimeout):
            return faults.fault(who, "network", f"no connection within {self.deadlines.connect_s:g} s")
        if isinstance(error, library.TimeoutException):
            return faults.fault(who, "timeout")
        if isinstance(error, library.RemoteProtocolError | library.ReadError | library.DecodingError):
            return faults.fault(who, "cut", str(error))
        if isinstance(error, library.ConnectError | library.ProxyError):
            return faults.fault(who, "network", str(error))
        if isinstance(error, library.UnsupportedProtocol | library.InvalidURL | library.LocalProtocolError):
            return faults.fault(who, "request", str(error))
        return faults.fault(who, "network", str(error)) if isinstance(error, library.HTTPError) else None

    async def error_body(self, response: "httpx2.Response") -> bytes:
        """The beginning of an answer that is not 2xx; what breaks off or hangs is left out."""
        body = b""
        try:
            async with asyncio.timeout(self.deadlines.silence_s):
                async for piece in response.aiter_bytes():
                    body += piece
                    if len(body) >= LARGEST_ERROR:
                        break
        except Exception as error:
            if not isinstance(error, TimeoutError | self.library.HTTPError):
                raise
        return body

    def refusal(self, who: Who, response: "httpx2.Response", body: bytes, *secrets: str) -> ProviderError:
        """What an answer that is not 2xx says."""
        headers = {name.lower(): value for name, value in response.headers.items()}
        return faults.from_status(
            who, response.status_code, headers, body, now_ms=self.clock.now_ms(), secrets=secrets
        )

    async def pieces(
        self, who: Who, response: "httpx2.Response", begun: float
    ) -> AsyncGenerator[bytes, None]:
        """The body as it comes. begun: when the call began, by the loop's clock."""
        loop = asyncio.get_running_loop()
        read = 0
        async with aclosing(response.aiter_bytes()) as body:
            while True:
                left = begun + self.deadlines.total_s - loop.time()
                silence = self.deadlines.silence_s
                why = f"silent for {silence:g} s" if silence <= left else f"over {self.deadlines.total_s:g} s"
                try:
                    async with asyncio.timeout(max(min(silence, left), 0)):
                        piece = await anext(body, None)
                except TimeoutError:
                    raise faults.fault(who, "timeout", why) from None
                except Exception as error:
                    found = self.transport_fault(who, error)
                    if found is None:
                        raise
                    raise found from None
                if piece is None:
                    return
                read += len(piece)
                if read > LARGEST_ANSWER:
                    raise faults.fault(who, "server", "the answer is larger than any honest one")
                yield piece

    @asynccontextmanager
    async def post(
        self, who: Who, path: str, body: bytes, headers: Mapping[str, str], *secrets: str
    ) -> AsyncIterator[tuple["httpx2.Response", AsyncGenerator[bytes, None]]]:
        """POST JSON; the 2xx response and its body in pieces."""
        http = await self.http()
        begun = asyncio.get_running_loop().time()
        url = self.base_url.rstrip("/") + path
        try:
            request = http.build_request(
                "POST", url, content=body, headers={"Content-Type": "application/json", **headers}
            )
            async with asyncio.timeout(min(self.deadlines.first_byte_s, self.deadlines.total_s)):
                response = await http.send(request, stream=True)
        except Exception as error:
            found = self.transport_fault(who, error)
            if found is None:
                raise
            if isinstance(error, TimeoutError):
                found = faults.fault(who, "timeout", f"nothing for {self.deadlines.first_byte_s:g} s")
            raise found from None
        try:
            if not 200 <= response.status_code < 300:
                raise self.refusal(who, response, await self.error_body(response), *secrets)
            async with aclosing(self.pieces(who, response, begun)) as pieces:
                yield response, pieces
        finally:
            await response.aclose()


async def key_of(who: Who, resolve: Callable[[], str] | None) -> str | None:
    """The key, read where it lies; a file or a keyring may take a moment. Raises ProviderError (auth)."""
    if resolve is None:
        return None
    try:
        return await asyncio.to_thread(resolve)
    except ConfigError as error:
        problem = error.faults[0] if error.faults else None
        text = f"{who.name} has no key: {problem.problem if problem else error}"
        raise ProviderError(text, problem.remedy if problem else "", kind="auth") from None


def encoded(body: Mapping[str, JSON]) -> bytes:
    """The request's bytes; what cannot be UTF-8 (a lone surrogate) becomes `?`."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def parsed(who: Who, data: bytes) -> Mapping[str, JSON]:
    """The object a service sent. Raises ProviderError."""
    try:
        return strictjson.parse_object(data)[0]
    except Invalid as error:
        raise faults.fault(who, "server", f"it sent what cannot be read: {error.message}") from None
