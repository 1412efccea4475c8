"""Kind `anthropic`: the Messages API through Anthropic's SDK.

The SDK builds and signs the request; its own retries are off, since ours are the only ones, and the stream is read as
raw bytes, so that thinking, signatures and blocks the SDK does not know come back exactly as they were sent.
Guarantees: an answer counts only when it is complete; the key is read for each call and stands in no error or repr; at
most 4 marks for the prompt cache: the tools, the system prompt and the ends of the last two user turns.
Source of the cache rules: https://docs.anthropic.com/en/docs/build-with-claude/prompt-caching
"""

import asyncio
import hashlib
import importlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from nightclaw.core.errors import ProviderError
from nightclaw.core.ports import Clock, ModelRequest, Reply, Restarted, TextDelta, ThinkingDelta, Usage
from nightclaw.core.types import JSON, JSONObject
from nightclaw.providers import blocks, faults, framing
from nightclaw.providers.anthropic_stream import Disorder, Message, usage_of, whole
from nightclaw.providers.blocks import table
from nightclaw.providers.faults import Who
from nightclaw.providers.wire import Client, Deadlines, Parts, encoded, key_of, parsed

if TYPE_CHECKING:
    import anthropic
    import httpx2

BASE_URL = "https://api.anthropic.com"
_MARK: JSONObject = {"type": "ephemeral"}
_TURNS_MARKED = 2


class Refused(Exception):
    """The service answered with something else than 2xx; the response is closed, `body` its beginning."""

    def __init__(self, response: "httpx2.Response", body: bytes) -> None:
        super().__init__(response.status_code)
        self.response = response
        self.body = body


class Anthropic:
    """core.ports.Provider. name: of its table in the config. key: reads the key where it lies."""

    kind = "anthropic"

    def __init__(
        self,
        name: str,
        base_url: str | None,
        key: Callable[[], str] | None,
        key_from: str,
        clock: Clock,
        deadlines: Deadlines | None = None,
    ) -> None:
        self._client = Client(base_url or BASE_URL, deadlines or Deadlines(), clock, on_response=self._check)
        self._name = name
        self._key = key
        self._key_from = key_from
        self._sdk: tuple[bytes, anthropic.AsyncAnthropic] | None = None

    async def aclose(self) -> None:
        self._sdk = None
        await self._client.aclose()

    async def stream(self, request: ModelRequest) -> Parts:
        who = Who(self._name, request.model, self._client.host, self._key_from)
        key = await key_of(who, self._key)
        if key is None:
            raise ProviderError(
                f"{self._name} has no key", f"set {self._key_from or 'api_key'} for it", kind="auth"
            )
        sent = encoded(body_of(request))
        message = Message()
        try:
            async with aclosing(self._asked(who, key, sent, message, request)) as parts:
                async for part in parts:
                    yield part
        except ProviderError as error:
            error.calls = (who.call(_spent(message, sent), len(sent), error.kind),)
            raise

    async def _asked(self, who: Who, key: str, sent: bytes, message: Message, request: ModelRequest) -> Parts:
        begun = asyncio.get_running_loop().time()
        response = await self._open(who, key, sent)
        taken = blocks.used_ids(request.messages)
        try:
            async with aclosing(self._client.pieces(who, response, begun)) as pieces:
                if "json" in response.headers.get("content-type", ""):
                    said = parsed(who, b"".join([piece async for piece in pieces]))
                    yield self._whole(who, said, taken, sent, key)
                    return
                events = framing.Events()
                async for piece in pieces:
                    for event in events.feed(piece):
                        part = self._take(who, message, event, key)
                        if part is not None:
                            yield part
                        if message.is_complete:
                            yield self._reply(who, message, taken, sent)
                            return
                for event in events.end():
                    self._take(who, message, event, key)
                if not message.is_complete:
                    raise faults.fault(who, "cut", "it ended before it was complete")
                yield self._reply(who, message, taken, sent)
        except framing.TooLarge:
            raise faults.fault(who, "server", "one event is larger than any honest one") from None
        except Disorder as error:
            raise faults.fault(who, "cut", str(error)) from None
        finally:
            await response.aclose()

    def _take(
        self, who: Who, message: Message, event: framing.Event, key: str
    ) -> TextDelta | ThinkingDelta | Restarted | None:
        said = parsed(who, event.data)
        if said.get("type") == "error" or event.name == "error":
            raise faults.from_event(who, said, now_ms=self._client.clock.now_ms(), secrets=(key,))
        return message.take(said)

    def _reply(self, who: Who, message: Message, taken: set[str], sent: bytes) -> Reply:
        content = blocks.settle(message.content(), taken)
        return self._answer(who, content, message.stop, message.usage, sent)

    def _whole(self, who: Who, said: Mapping[str, JSON], taken: set[str], sent: bytes, key: str) -> Reply:
        if said.get("type") == "error":
            raise faults.from_event(who, said, now_ms=self._client.clock.now_ms(), secrets=(key,))
        content, stop = whole(said)
        if said.get("type") != "message" or stop is None:
            raise faults.fault(who, "server", "its answer is not a message")
        return self._answer(
            who, blocks.settle(content, taken), stop, usage_of(table(said.get("usage"))), sent
        )

    def _answer(
        self, who: Who, content: list[JSONObject], stop: str | None, usage: Usage, sent: bytes
    ) -> Reply:
        call = who.call(usage, len(sent))
        return Reply(content, blocks.stop_reason(stop, content), usage, call.model, (call,))

    async def _open(self, who: Who, key: str, sent: bytes) -> "httpx2.Response":
        """The response of one request, body unread."""
        sdk = await self._make(key)
        library = importlib.import_module("anthropic")
        deadlines = self._client.deadlines
        try:
            async with asyncio.timeout(min(deadlines.first_byte_s, deadlines.total_s)):
                return await sdk.post(
                    "/v1/messages",
                    cast_to=self._client.library.Response,
                    content=sent,
                    options={"headers": {"Content-Type": "application/json", "Accept": "text/event-stream"}},
                    stream=True,
                    stream_cls=library.AsyncStream[object],
                )
        except TimeoutError:
            why = f"nothing for {deadlines.first_byte_s:g} s"
            raise faults.fault(who, "timeout", why) from None
        except library.AnthropicError as error:
            cause = error.__cause__ or error
            if isinstance(cause, Refused):
                raise self._client.refusal(who, cause.response, cause.body, key) from None
            found = self._client.transport_fault(who, cause)
            raise (found or faults.fault(who, "request", str(cause), secrets=(key,))) from None

    async def _check(self, response: "httpx2.Response") -> None:
        """Before the SDK would read an error's body without a bound, or follow it elsewhere."""
        if not 200 <= response.status_code < 300:
            raise Refused(response, await self._client.error_body(response))

    async def _make(self, key: str) -> "anthropic.AsyncAnthropic":
        http = await self._client.http()
        mark = hashlib.sha256(key.encode()).digest()
        if self._sdk is None or self._sdk[0] != mark:
            self._sdk = (mark, await asyncio.to_thread(self._sdk_for, key, http))
        return self._sdk[1]

    def _sdk_for(self, key: str, http: "httpx2.AsyncClient") -> "anthropic.AsyncAnthropic":
        library = importlib.import_module("anthropic")
        return library.AsyncAnthropic(
            api_key=key,
            base_url=self._client.base_url,
            max_retries=0,
            timeout=http.timeout,
            http_client=http,
        )


def build(config: Mapping[str, JSON], deps: Mapping[str, object]) -> Anthropic:
    """config: name, base_url, key_from. deps: clock, key (callable or None), deadlines (or None)."""
    given = cast("Mapping[str, Any]", {**config, **deps})
    return Anthropic(
        given["name"],
        given.get("base_url"),
        given.get("key"),
        given.get("key_from", ""),
        given["clock"],
        given.get("deadlines"),
    )


def _spent(message: Message, sent: bytes) -> Usage:
    """What a call that failed cost: what the service counted so far, at least what it was seen to write."""
    usage = message.usage
    return replace(usage, output_tokens=max(usage.output_tokens, -(-message.streamed // 4)))


def body_of(request: ModelRequest) -> dict[str, JSON]:
    """The request in the service's words, marked for its cache."""
    made: dict[str, JSON] = {
        "model": request.model,
        "max_tokens": request.max_tokens,
        "stream": True,
        "messages": _messages(request.messages),
    }
    if request.system:
        made["system"] = [{"type": "text", "text": request.system, "cache_control": _MARK}]
    if request.tools:
        tools = [dict(tool) for tool in request.tools]
        tools[-1]["cache_control"] = _MARK
        made["tools"] = tools
    return made


def _messages(messages: Sequence[JSONObject]) -> list[JSON]:
    sendable = [{"role": m.get("role"), "content": _content(m.get("content"))} for m in messages]
    turns = [n for n, m in enumerate(sendable) if m["role"] == "user"][-_TURNS_MARKED:]
    for n in turns:
        content = cast("list[JSONObject]", sendable[n]["content"])
        sendable[n]["content"] = [*content[:-1], {**content[-1], "cache_control": _MARK}]
    return cast("list[JSON]", sendable)


def _content(content: object) -> list[JSONObject]:
    """Blocks as the service takes them back: no empty text, no thinking of another service (it has no signature)."""
    if isinstance(content, str):
        content = [{"type": "text", "text": content}]
    kept: list[JSONObject] = []
    for block in blocks.rows(content):
        kind = block.get("type")
        if kind == "text" and not str(block.get("text") or "").strip():
            continue
        if kind == "thinking" and not block.get("signature"):
            continue
        kept.append({key: value for key, value in block.items() if key != "cache_control"})
    return kept or [{"type": "text", "text": "(nothing)"}]
