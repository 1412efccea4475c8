"""Kind `ollama`: a model on this machine (or another of the owner's) through Ollama's own API.

The native route, since only there `num_ctx` can be set: Ollama silently drops the beginning of what does not fit its
default context, which for an agent are its instructions. The model's real context is read once, sent with every
request, and one below LEAST_CONTEXT is refused for work with tools, with the fix.
Source: https://github.com/ollama/ollama/blob/main/docs/api.md
"""

import asyncio
import json
import re
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import urlsplit

from nightclaw.core.errors import ProviderError
from nightclaw.core.ports import Clock, ModelRequest, Reply, TextDelta, ThinkingDelta, Usage
from nightclaw.core.types import JSON, JSONObject
from nightclaw.providers import blocks, faults, framing
from nightclaw.providers.blocks import number, rows, table
from nightclaw.providers.faults import Who
from nightclaw.providers.openai_messages import messages_of, tools_of
from nightclaw.providers.wire import LOCAL, Client, Deadlines, Parts, encoded, parsed

BASE_URL = "http://127.0.0.1:11434"
LEAST_CONTEXT = 16 * 1024
USUAL_CONTEXT = 32 * 1024
KNOCK_S = 0.5
ASK_S = 10.0
MOST_TRIED = 20
_STOPS = {"length": "max_tokens", "stop": "end_turn"}


@dataclass(frozen=True, slots=True)
class Abilities:
    """What a model can do. context: tokens, 0 when it does not say."""

    context: int
    has_tools: bool
    is_remote: bool = False


class Ollama:
    """core.ports.Provider. name: of its table in the config."""

    kind = "ollama"

    def __init__(
        self, name: str, base_url: str | None, clock: Clock, deadlines: Deadlines | None = None
    ) -> None:
        address = re.sub(r"/v1/?$", "", base_url or BASE_URL)
        self._client = Client(address, deadlines or LOCAL, clock)
        self._name = name
        self._known: dict[str, Abilities] = {}

    async def aclose(self) -> None:
        await self._client.aclose()

    async def abilities(self, model: str) -> Abilities:
        """What `/api/show` says, kept. Raises ProviderError."""
        if model not in self._known:
            who = Who(self._name, model, self._client.host)
            body = encoded({"model": model})
            async with self._client.post(who, "/api/show", body, {}) as (_, pieces):
                shown = parsed(who, b"".join([piece async for piece in pieces]))
            self._known[model] = _abilities_of(shown)
        return self._known[model]

    async def stream(self, request: ModelRequest) -> Parts:
        who = Who(self._name, request.model, self._client.host)
        abilities = await self.abilities(request.model)
        _check(who, request, abilities)
        sent = encoded(body_of(request, abilities))
        answer = Answer()
        try:
            async with aclosing(self._asked(who, sent, answer, request)) as parts:
                async for part in parts:
                    yield part
        except ProviderError as error:
            error.calls = (who.call(answer.usage, len(sent), error.kind),)
            raise

    async def _asked(self, who: Who, sent: bytes, answer: "Answer", request: ModelRequest) -> Parts:
        lines = framing.Lines()
        try:
            async with self._client.post(who, "/api/chat", sent, {}) as (_, pieces):
                async for piece in pieces:
                    for line in lines.feed(piece):
                        for delta in self._take(who, answer, line):
                            yield delta
                for line in lines.end():
                    for delta in self._take(who, answer, line):
                        yield delta
        except framing.TooLarge:
            raise faults.fault(who, "server", "one line is larger than any honest one") from None
        if not answer.is_done:
            raise faults.fault(who, "cut", "it ended before it was complete")
        content = blocks.settle(answer.content(), blocks.used_ids(request.messages))
        call = who.call(answer.usage, len(sent))
        stop = blocks.stop_reason(_STOPS.get(answer.why, "end_turn"), content)
        yield Reply(content, stop, answer.usage, call.model, (call,))

    def _take(self, who: Who, answer: "Answer", line: bytes) -> list[TextDelta | ThinkingDelta]:
        if not line.strip():
            return []
        said = parsed(who, line)
        if said.get("error"):
            raise faults.from_event(who, said, now_ms=self._client.clock.now_ms())
        try:
            return answer.take(said)
        except OverflowError:
            raise faults.fault(who, "server", "more tool calls than any honest answer has") from None


class Answer:
    """Lines of one chat answer, put together."""

    def __init__(self) -> None:
        self._thinking: list[str] = []
        self._text: list[str] = []
        self._calls: list[JSONObject] = []
        self.usage = Usage()
        self.is_done = False
        self.why = ""

    def take(self, said: Mapping[str, JSON]) -> list[TextDelta | ThinkingDelta]:
        message = table(said.get("message"))
        seen: list[TextDelta | ThinkingDelta] = []
        thought, text = message.get("thinking"), message.get("content")
        if isinstance(thought, str) and thought:
            self._thinking.append(thought)
            seen.append(ThinkingDelta(thought))
        if isinstance(text, str) and text:
            self._text.append(text)
            seen.append(TextDelta(text))
        for call in rows(message.get("tool_calls")):
            function = table(call.get("function"))
            if len(self._calls) >= blocks.MOST_BLOCKS:
                raise OverflowError
            made = blocks.checked_input(function.get("arguments"))
            self._calls.append(
                {"type": "tool_use", "id": call.get("id"), "name": function.get("name"), "input": made}
            )
        if said.get("done") is True:
            self.is_done = True
            self.why = str(said.get("done_reason") or "stop")
            self.usage = Usage(number(said.get("prompt_eval_count")), number(said.get("eval_count")))
        return seen

    def content(self) -> list[JSONObject]:
        made: list[JSONObject] = []
        if self._thinking:
            made.append({"type": "thinking", "thinking": "".join(self._thinking)})
        if self._text:
            made.append({"type": "text", "text": "".join(self._text)})
        return [*made, *self._calls]


def build(config: Mapping[str, JSON], deps: Mapping[str, object]) -> Ollama:
    """config: name, base_url. deps: clock, deadlines (or None)."""
    given = cast("Mapping[str, Any]", {**config, **deps})
    return Ollama(given["name"], given.get("base_url"), given["clock"], given.get("deadlines"))


def address_from(env: Mapping[str, str]) -> str:
    """Where Ollama listens here; OLLAMA_HOST is honoured as its own client does."""
    host = env.get("OLLAMA_HOST", "").strip().rstrip("/")
    if not host:
        return BASE_URL
    parts = urlsplit(host if "://" in host else f"http://{host}")
    name = "127.0.0.1" if parts.hostname in (None, "0.0.0.0", "::") else parts.hostname
    shown = f"[{name}]" if ":" in name else name
    return f"{parts.scheme}://{shown}:{parts.port or 11434}"


async def find_local(base_url: str, clock: Clock) -> str | None:
    """The newest model of the Ollama at this address that can work as an agent; None when there is none.

    Costs one refused connection, and no import, where nothing listens. Models that Ollama only forwards to a cloud do
    not count: nothing may leave the machine that nobody configured.
    """
    parts = urlsplit(base_url)
    try:
        async with asyncio.timeout(KNOCK_S):
            _, writer = await asyncio.open_connection(parts.hostname, parts.port or 11434)
            writer.close()
            await writer.wait_closed()
    except (OSError, TimeoutError):
        return None
    deadlines = Deadlines(connect_s=KNOCK_S, first_byte_s=ASK_S, silence_s=ASK_S, total_s=ASK_S)
    ollama = Ollama("ollama", base_url, clock, deadlines)
    try:
        for model in (await _names(ollama._client))[:MOST_TRIED]:
            try:
                able = await ollama.abilities(model)
            except ProviderError:
                continue
            if able.has_tools and not able.is_remote and (not able.context or able.context >= LEAST_CONTEXT):
                return model
        return None
    except ProviderError:
        return None
    finally:
        await ollama.aclose()


async def _names(client: Client) -> list[str]:
    who = Who("ollama", "", client.host)
    try:
        async with asyncio.timeout(ASK_S):
            response = await (await client.http()).get(client.base_url.rstrip("/") + "/api/tags")
    except Exception as error:
        found = client.transport_fault(who, error)
        if found is None:
            raise
        raise found from None
    given = rows(parsed(who, response.content).get("models"))
    return [str(m.get("model") or m.get("name")) for m in given if not m.get("remote_host")]


def _abilities_of(shown: Mapping[str, JSON]) -> Abilities:
    info = table(shown.get("model_info"))
    context = max((number(v) for k, v in info.items() if k.endswith(".context_length")), default=0)
    able = shown.get("capabilities")
    tools = "tools" in able if isinstance(able, list) else ".Tools" in str(shown.get("template"))
    return Abilities(context, tools, bool(shown.get("remote_host")))


def _check(who: Who, request: ModelRequest, abilities: Abilities) -> None:
    """Refuse agent work the model cannot do. Raises ProviderError (model)."""
    if not request.tools:
        return
    better = "`ollama pull qwen3` and set [models] agent to it"
    if not abilities.has_tools:
        raise ProviderError(f"{who.model} of {who.name} cannot use tools", better, kind="model")
    if 0 < abilities.context < LEAST_CONTEXT:
        text = f"{who.model} of {who.name} holds {abilities.context} tokens, agent work needs {LEAST_CONTEXT}"
        raise ProviderError(text, f"use a model with a larger context: {better}", kind="model")


def body_of(request: ModelRequest, abilities: Abilities) -> dict[str, JSON]:
    """The request in Ollama's words. The context stays the same from call to call, or Ollama loads the model anew."""
    messages = messages_of(request, "")
    names: dict[JSON, JSON] = {}
    for message in cast("list[dict[str, JSON]]", messages):
        for call in rows(message.get("tool_calls")):
            function = cast("dict[str, JSON]", call["function"])
            function["arguments"] = json.loads(str(function["arguments"]))
            names[call["id"]] = function["name"]
        if message["role"] == "tool":
            message["tool_name"] = names.get(message["tool_call_id"])
    limit = abilities.context or USUAL_CONTEXT
    needed = (
        len(json.dumps(messages, ensure_ascii=False).encode("utf-8", "replace")) // 3 + request.max_tokens
    )
    context = min(USUAL_CONTEXT, limit)
    while context < min(needed, limit):
        context = min(context * 2, limit)
    made: dict[str, JSON] = {
        "model": request.model,
        "messages": messages,
        "stream": True,
        "options": {"num_ctx": context, "num_predict": request.max_tokens},
    }
    if request.tools:
        made["tools"] = tools_of(request.tools)
    return made
