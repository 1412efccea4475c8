"""Ollama's own API: the context is read and sent, a model that cannot work is refused with the fix, tools come back."""

import json

import pytest
from tests.fakes.clock import FakeClock
from tests.fakes.replay import Answer, Asked, pieces_of, replaying
from tests.unit.providers.asking import HELLO, TOOL, ask, ollama, request_of

from nightclaw.core.types import JSONObject
from nightclaw.providers import ollama as module
from nightclaw.providers.ollama import find_local

pytestmark = pytest.mark.anyio

LINES = {"content-type": "application/x-ndjson"}


def show(context: int | None = 40960, tools: bool = True) -> Answer:
    info = {"general.architecture": "q", **({"q.context_length": context} if context else {})}
    return Answer.json({"capabilities": ["completion", *(["tools"] if tools else [])], "model_info": info})


def lines(*said: object, size: int = 7) -> Answer:
    body = b"".join(json.dumps(one, ensure_ascii=False).encode() + b"\n" for one in said)
    return Answer(body, headers=LINES, pieces=pieces_of(size))


def message(done: bool = False, **said: object) -> dict[str, object]:
    last = {"done_reason": "stop", "prompt_eval_count": 26, "eval_count": 7} if done else {}
    return {"model": "m", "message": {"role": "assistant", **said}, "done": done, **last}


FINE = lines(message(content="Hi"), message(done=True, content="."))


@pytest.mark.parametrize(
    ("context", "sent"), [(40960, 32768), (131072, 32768), (16384, 16384), (None, 32768)]
)
async def test_the_context_is_read_and_sent(context: int | None, sent: int) -> None:
    async with replaying(show(context), FINE) as server:
        said = await ask(ollama(server.url), request_of(tools=[TOOL]))
        assert [asked.path for asked in server.asked] == ["/api/show", "/api/chat"]
        body = server.asked[1].json
    assert said.text == "Hi."
    assert body["options"] == {"num_ctx": sent, "num_predict": 8192}


async def test_a_long_conversation_gets_more_context_up_to_what_there_is() -> None:
    long: JSONObject = {"role": "user", "content": "word " * 30_000}
    for context, sent in ((131072, 65536), (40960, 40960)):
        async with replaying(show(context), FINE) as server:
            await ask(ollama(server.url), request_of(long))
            assert server.asked[1].json["options"]["num_ctx"] == sent  # pyright: ignore


async def test_the_context_stays_the_same_while_it_suffices() -> None:
    """A different one has Ollama load the model anew."""
    async with replaying(show(), FINE, FINE) as server:
        provider = ollama(server.url)
        await ask(provider, request_of(), close=False)
        await ask(provider, request_of(HELLO, {"role": "assistant", "content": "Hi."}, HELLO))
        options = [asked.json["options"] for asked in server.asked if asked.path == "/api/chat"]
        assert len(options) == 2 and options[0] == options[1], "and what a model can do is asked once"


@pytest.mark.parametrize(
    ("answer", "words"), [(show(8192), "holds 8192 tokens"), (show(tools=False), "cannot use tools")]
)
async def test_a_model_that_cannot_work_is_refused_with_the_fix(answer: Answer, words: str) -> None:
    async with replaying(answer, FINE) as server:
        said = await ask(ollama(server.url), request_of(tools=[TOOL]))
        assert [asked.path for asked in server.asked] == ["/api/show"]
    assert said.error is not None and said.kind == "model" and words in said.error.message
    assert "ollama pull" in said.error.hint
    async with replaying(answer, FINE) as server:
        assert (await ask(ollama(server.url))).text == "Hi.", "a judgement without tools fits"


async def test_tool_calls_come_and_go() -> None:
    asked_for = {"function": {"name": "Read", "arguments": {"file_path": "größe.txt"}}}
    stream = lines(
        message(thinking="I need the file."),
        message(content="", tool_calls=[asked_for]),
        message(
            content="",
            tool_calls=[asked_for, {"id": "c9", "function": {"name": "Read", "arguments": '{"n":'}}],
        ),
        message(done=True, content=""),
    )
    async with replaying(show(), stream, FINE) as server:
        provider = ollama(server.url)
        said = await ask(provider, request_of(tools=[TOOL]), close=False)
        assert said.reply is not None and said.reply.stop_reason == "tool_use"
        assert said.thinking == "I need the file."
        assert [c["input"] for c in said.calls] == [{"file_path": "größe.txt"}] * 2 + [
            {"_malformed": '{"n":'}
        ]
        assert len({str(c["id"]) for c in said.calls}) == 3
        assert said.reply.usage.input_tokens == 26 and said.reply.usage.output_tokens == 7
        first = said.calls[0]
        result = {"type": "tool_result", "tool_use_id": first["id"], "content": "text"}
        talk: list[JSONObject] = [
            HELLO,
            {"role": "assistant", "content": [said.content[0], first]},
            {"role": "user", "content": [result]},
        ]
        await ask(provider, request_of(*talk, tools=[TOOL]))
        sent = server.asked[-1].json["messages"]
    assert isinstance(sent, list)
    assert sent[1]["tool_calls"][0]["function"] == {"name": "Read", "arguments": {"file_path": "größe.txt"}}
    assert sent[2] == {"role": "tool", "tool_call_id": first["id"], "tool_name": "Read", "content": "text"}


async def test_errors_have_their_kinds() -> None:
    for answer, kind in (
        (Answer.json({"error": "model 'm' not found"}, 404), "model"),
        (Answer.json({"error": "unauthorized"}, 401), "auth"),
    ):
        async with replaying(answer) as server:
            assert (await ask(ollama(server.url))).kind == kind
    torn = lines(message(content="H"), {"error": "an error was encountered while running the model: CUDA"})
    async with replaying(show(), torn) as server:
        said = await ask(ollama(server.url))
    assert said.kind == "server" and "CUDA" in str(said.error)


async def test_the_token_limit_is_told() -> None:
    async with replaying(
        show(), lines({**message(done=True, content="Hi"), "done_reason": "length"})
    ) as server:
        said = await ask(ollama(server.url))
    assert said.reply is not None and said.reply.stop_reason == "max_tokens"


def one_of(models: dict[str, Answer]) -> object:
    def answer(asked: Asked) -> Answer:
        if asked.path == "/api/tags":
            return Answer.json({"models": [{"name": name} for name in models]})
        return models[str(asked.json["model"])]

    return answer


async def test_the_first_model_that_can_work_is_found() -> None:
    models = {"tiny": show(2048), "talker": show(tools=False), "gone": Answer(b"", 404), "qwen3": show()}
    async with replaying(by=one_of(models)) as server:  # pyright: ignore[reportArgumentType]
        assert await find_local(server.url, FakeClock()) == "qwen3"
    async with replaying(by=one_of({"tiny": show(2048)})) as server:  # pyright: ignore[reportArgumentType]
        assert await find_local(server.url, FakeClock()) is None


async def test_whatever_else_listens_there_is_no_model() -> None:
    for answer in (
        Answer(b"<html>"),
        Answer(b"", 500),
        Answer(b"{", ends="reset"),
        Answer.json({"models": "none"}),
    ):
        async with replaying(answer) as server:
            assert await find_local(server.url, FakeClock()) is None
    assert await find_local("http://127.0.0.1:9", FakeClock()) is None


@pytest.mark.parametrize(
    ("said", "url"),
    [
        (None, "http://127.0.0.1:11434"),
        ("0.0.0.0", "http://127.0.0.1:11434"),
        ("127.0.0.1:9999", "http://127.0.0.1:9999"),
        ("https://ai.lan/", "https://ai.lan:11434"),
        ("http://[::1]:8", "http://[::1]:8"),
    ],
)
def test_the_address_is_ollamas_own(said: str | None, url: str) -> None:
    assert module.address_from({"OLLAMA_HOST": said} if said else {}) == url
