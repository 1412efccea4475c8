"""Kind `openai`: chat completions of OpenAI and of every server that speaks like it.

Written directly on the HTTP library, without OpenAI's SDK: the protocol we use is one POST and a stream of events, the
compatible servers (DeepSeek, Groq, Mistral, OpenRouter, vLLM, llama.cpp, Ollama's second route) need tolerance where
the SDK is strict, and it is one dependency less. Guarantees: an answer counts only with a finish reason or `[DONE]`;
the key goes to this provider's own address only, is read for each call and stands in no error.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing
from dataclasses import replace
from typing import Any, cast

from nightclaw.core.errors import ProviderError
from nightclaw.core.ports import (
    Clock,
    ModelCall,
    ModelRequest,
    Reply,
    TextDelta,
    ThinkingDelta,
    Usage,
)
from nightclaw.core.types import JSON
from nightclaw.providers import blocks, faults, framing
from nightclaw.providers.faults import Who
from nightclaw.providers.openai_messages import Dialect, body_of
from nightclaw.providers.openai_stream import Completion, TooMany
from nightclaw.providers.wire import Client, Deadlines, Parts, encoded, key_of, parsed

BASE_URL = "https://api.openai.com/v1"
KNOWN_URLS = {
    "openai": BASE_URL,
    "deepseek": "https://api.deepseek.com/v1",
    "groq": "https://api.groq.com/openai/v1",
    "mistral": "https://api.mistral.ai/v1",
    "openrouter": "https://openrouter.ai/api/v1",
}
"""Where a provider of this name lives when its table gives no base_url."""
_DONE = b"[DONE]"


class OpenAI:
    """core.ports.Provider. name: of its table in the config. key: reads the key where it lies; None: sends none."""

    kind = "openai"

    def __init__(
        self,
        name: str,
        base_url: str | None,
        key: Callable[[], str] | None,
        key_from: str,
        clock: Clock,
        deadlines: Deadlines | None = None,
    ) -> None:
        address = base_url or KNOWN_URLS.get(name, BASE_URL)
        self._client = Client(address, deadlines or Deadlines(), clock)
        self._dialect = Dialect.of(self._client.host.partition(":")[0])
        self._name = name
        self._key = key
        self._key_from = key_from

    async def aclose(self) -> None:
        await self._client.aclose()

    async def stream(self, request: ModelRequest) -> Parts:
        who = Who(self._name, request.model, self._client.host, self._key_from)
        key = await key_of(who, self._key)
        before: tuple[ModelCall, ...] = ()
        while True:
            sent = encoded(body_of(request, self._dialect))
            said = Completion()
            try:
                async with aclosing(self._asked(who, key, sent, said, request)) as parts:
                    async for part in parts:
                        yield replace(part, calls=(*before, *part.calls)) if isinstance(part, Reply) else part
                return
            except ProviderError as error:
                before = (*before, who.call(_spent(said, sent), len(sent), error.kind))
                error.calls = before
                if error.kind != "request" or not self._dialect.learn(error.message):
                    raise

    async def _asked(
        self, who: Who, key: str | None, sent: bytes, said: Completion, request: ModelRequest
    ) -> Parts:
        secrets = (key,) if key else ()
        headers = {"Accept": "text/event-stream", **({"Authorization": f"Bearer {key}"} if key else {})}
        try:
            async with self._client.post(who, "/chat/completions", sent, headers, *secrets) as (
                response,
                pieces,
            ):
                if "json" in response.headers.get("content-type", ""):
                    body = parsed(who, b"".join([piece async for piece in pieces]))
                    self._take(who, said, body, secrets)
                else:
                    async for delta in self._events(who, said, pieces, secrets):
                        yield delta
        except framing.TooLarge:
            raise faults.fault(who, "server", "one event is larger than any honest one") from None
        except TooMany:
            raise faults.fault(who, "server", "more tool calls than any honest answer has") from None
        yield self._reply(who, said, blocks.used_ids(request.messages), sent)

    async def _events(
        self, who: Who, said: Completion, pieces: AsyncIterator[bytes], secrets: tuple[str, ...]
    ) -> AsyncGenerator[TextDelta | ThinkingDelta, None]:
        """Deltas until `[DONE]`, or until the body ends after a finish reason."""
        events = framing.Events()
        async for piece in pieces:
            for event in events.feed(piece):
                if event.data.strip() == _DONE:
                    return
                for delta in self._take(who, said, parsed(who, event.data), secrets):
                    yield delta
        for event in events.end():
            if event.data.strip() == _DONE:
                return
            for delta in self._take(who, said, parsed(who, event.data), secrets):
                yield delta
        if not said.has_finished:
            raise faults.fault(who, "cut", "it ended before it was complete")

    def _take(
        self, who: Who, said: Completion, chunk: Mapping[str, JSON], secrets: tuple[str, ...]
    ) -> list[TextDelta | ThinkingDelta]:
        if str(chunk.get("type") or "").startswith("response."):
            raise faults.fault(
                who, "request", "it speaks the Responses protocol; chat completions are needed"
            )
        deltas = said.take(chunk)
        if chunk.get("error") or chunk.get("object") == "error":
            raise faults.from_event(who, chunk, now_ms=self._client.clock.now_ms(), secrets=secrets)
        return deltas

    def _reply(self, who: Who, said: Completion, taken: set[str], sent: bytes) -> Reply:
        if not said.has_choices:
            raise faults.fault(who, "server", "its answer is not a chat completion")
        content = blocks.settle(said.content(), taken)
        usage = said.usage or _spent(said, sent)
        call = who.call(usage, len(sent))
        return Reply(content, blocks.stop_reason(said.stop(), content), usage, call.model, (call,))


def build(config: Mapping[str, JSON], deps: Mapping[str, object]) -> OpenAI:
    """config: name, base_url, key_from. deps: clock, key (callable or None), deadlines (or None)."""
    given = cast("Mapping[str, Any]", {**config, **deps})
    return OpenAI(
        given["name"],
        given.get("base_url"),
        given.get("key"),
        given.get("key_from", ""),
        given["clock"],
        given.get("deadlines"),
    )


def _spent(said: Completion, sent: bytes) -> Usage:
    """What a call cost whose service did not say: 4 bytes a token sent, 4 characters a token written; a call that was
    refused outright cost nothing."""
    if said.usage is not None:
        return said.usage
    if not said.has_choices:
        return Usage()
    return Usage(-(-len(sent) // 4), -(-said.streamed // 4))
