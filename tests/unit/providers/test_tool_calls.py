"""Tool calls as models and servers really send them: the broken are marked, the odd put right, none is huge."""

import json

import pytest
from tests.fakes.replay import Answer, pieces_of, replaying
from tests.unit.providers.asking import (
    HELLO,
    Said,
    anthropic,
    anthropic_events,
    ask,
    chunks,
    delta,
    openai,
    request_of,
)

from nightclaw.core.types import JSONObject
from nightclaw.providers.blocks import HEAD, LARGEST_INPUT, MALFORMED, settle

pytestmark = pytest.mark.anyio


def use(given: object, own: str = "toolu_1", name: str = "Read") -> JSONObject:
    return {"type": "tool_use", "id": own, "name": name, "input": given}  # pyright: ignore[reportReturnType]


async def said_by_anthropic(*blocks: JSONObject, stop: str = "tool_use", **more: object) -> Said:
    async with replaying(Answer(anthropic_events(*blocks, stop=stop))) as server:
        return await ask(anthropic(server.url), request_of(**more))


async def said_by_openai(*deltas: object, done: bool = True) -> Said:
    async with replaying(Answer(chunks(*deltas, done=done))) as server:
        return await ask(openai(server.url))


def call(arguments: object, **more: object) -> dict[str, object]:
    return {"type": "function", "function": {"name": "Read", "arguments": arguments}, **more}


BROKEN = [
    '{"file_path": "a',
    '{"file_path": "a"} trailing',
    "[1, 2]",
    '"just a string"',
    "42",
    "nul",
    '{"a": NaN}',
    '{"a": 1, "a": 2}',
    "{" * 500 + "}" * 500,
    "[" * 100_000,
]


@pytest.mark.parametrize("text", BROKEN, ids=lambda t: t[:12])
async def test_input_that_is_not_one_object_is_marked(text: str) -> None:
    """The block stays, so that the model can be told; its input cannot be mistaken for arguments."""
    for said in (
        await said_by_anthropic(use(text)),
        await said_by_openai(delta(tool_calls=[call(text, index=0, id="c1")]), delta("tool_calls")),
    ):
        assert [c["input"] for c in said.calls] == [{MALFORMED: text[:HEAD]}]
        assert said.reply is not None and said.reply.stop_reason == "tool_use"


@pytest.mark.parametrize("size", [2_000_000, 10_000_000])
async def test_a_huge_call_is_marked_and_bounded(size: int) -> None:
    text = json.dumps({"content": "x" * size})
    for said in (
        await said_by_anthropic(use(text)),
        await said_by_openai(delta(tool_calls=[call(text, index=0, id="c1")]), delta("tool_calls")),
    ):
        (found,) = said.calls
        assert list(found["input"]) == [MALFORMED] and len(json.dumps(found)) < 1000  # pyright: ignore[reportArgumentType]


async def test_a_huge_call_in_small_pieces_is_bounded_too() -> None:
    piece = {"type": "input_json_delta", "partial_json": "x" * 1000}
    many = b"".join(
        b"event: content_block_delta\ndata: %b\n\n"
        % json.dumps({"type": "content_block_delta", "index": 0, "delta": piece}).encode()
        for _ in range(LARGEST_INPUT // 1000 + 50)
    )
    body = anthropic_events(use({}), stop="tool_use")
    at = body.index(b"event: content_block_stop")
    async with replaying(Answer(body[:at] + many + body[at:])) as server:
        said = await ask(anthropic(server.url))
    assert list(said.calls[0]["input"]) == [MALFORMED]  # pyright: ignore[reportArgumentType]


async def test_an_answer_larger_than_any_honest_one_is_an_error() -> None:
    line = b"data: " + b"x" * 26_000_000
    for provider in (anthropic, openai):
        async with replaying(Answer(line, pieces=pieces_of(1_000_000), ends="never")) as server:
            said = await ask(provider(server.url))
        assert said.kind == "server" and "larger than any honest one" in str(said.error)


async def test_more_calls_than_any_honest_answer_has_are_an_error() -> None:
    many = [use({"n": n}, f"toolu_{n}") for n in range(600)]
    assert (await said_by_anthropic(*many)).error is not None
    some = [delta(tool_calls=[call("{}", index=n, id=f"c{n}")]) for n in range(600)]
    assert (await said_by_openai(*some, delta("tool_calls"))).error is not None


async def test_a_call_cut_by_the_token_limit_is_marked() -> None:
    """Also one of which not a byte of input came: it would look like a call without arguments."""
    for text in ("", '{"file_path": "a.t'):
        said = await said_by_anthropic(use({"file_path": "b"}, "toolu_0"), use(text), stop="max_tokens")
        assert [c["input"] for c in said.calls] == [{"file_path": "b"}, {MALFORMED: text}]
        assert said.reply is not None and said.reply.stop_reason == "max_tokens"
        said = await said_by_openai(delta(tool_calls=[call(text, index=0, id="c1")]), delta("length"))
        assert said.calls[0]["input"] == {MALFORMED: text}


async def test_an_unfinished_call_in_a_finished_message_is_no_call() -> None:
    body = anthropic_events(use({"file_path": "a"}), stop="tool_use")
    stop = b'event: content_block_stop\ndata: {"type": "content_block_stop", "index": 0}\n\n'
    assert stop in body
    async with replaying(Answer(body.replace(stop, b""))) as server:
        assert (await ask(anthropic(server.url))).kind == "cut"


async def test_a_call_said_twice_is_one_call() -> None:
    said = await said_by_anthropic(use({"a": 1}), use({"a": 1}), use({"a": 2}))
    assert [c["input"] for c in said.calls] == [{"a": 1}, {"a": 2}]
    assert len({str(c["id"]) for c in said.calls}) == 2


async def test_ids_are_unique_in_the_whole_conversation() -> None:
    """Some servers number calls anew in every answer."""
    before: JSONObject = {"role": "assistant", "content": [use({"a": 0}, "0")]}
    result: JSONObject = {
        "role": "user",
        "content": [{"type": "tool_result", "tool_use_id": "0", "content": "x"}],
    }
    stream = chunks(delta(tool_calls=[call("{}", index=0, id="0")]), delta("tool_calls"))
    async with replaying(Answer(stream)) as server:
        said = await ask(openai(server.url), request_of(HELLO, before, result))
    assert said.calls[0]["id"] != "0"


async def test_odd_ids_and_names_become_ones_every_service_takes_back() -> None:
    said = await said_by_openai(
        delta(
            tool_calls=[
                {"index": 0, "function": {"name": "Read", "arguments": "{}"}},
                {"index": 1, "id": "functions.Read:1", "function": {"name": "../Read\n", "arguments": "{}"}},
                {"index": 2, "id": "x" * 300, "function": {"name": "", "arguments": "{}"}},
                {"index": 3, "id": 7, "function": {"name": "R" * 500}},
            ]
        ),
        delta("tool_calls"),
    )
    ids = [str(c["id"]) for c in said.calls]
    assert len(set(ids)) == 4 and all(0 < len(i) <= 40 and i.replace("_", "").isalnum() for i in ids)
    assert [str(c["name"])[:10] for c in said.calls] == ["Read", "___Read_", "unknown", "R" * 10]


WILD = {
    "one piece": [delta(tool_calls=[call('{"file_path":"a"}', index=0, id="c")]), delta("tool_calls")],
    "arguments as an object": [
        delta(tool_calls=[call({"file_path": "a"}, index=0, id="c")]),
        delta("tool_calls"),
    ],
    "no index": [
        delta(tool_calls=[call('{"file_', id="c")]),
        delta(tool_calls=[{"function": {"arguments": 'path":"a"}'}}]),
        delta("tool_calls"),
    ],
    "no index, id repeated": [
        delta(tool_calls=[call('{"file_', id="c")]),
        delta(tool_calls=[{"id": "c", "function": {"arguments": 'path":"a"}'}}]),
        delta("tool_calls"),
    ],
    "neither index nor id": [delta(tool_calls=[call('{"file_path":"a"}')]), delta("tool_calls")],
    "an index that begins at one": [
        delta(tool_calls=[call('{"file_path":"a"}', index=1, id="c")]),
        delta("tool_calls"),
    ],
    "an empty id in what follows": [
        delta(tool_calls=[call("", index=0, id="c")]),
        delta(tool_calls=[{"index": 0, "id": "", "function": {"arguments": '{"file_path":"a"}'}}]),
        delta("tool_calls"),
    ],
    "a null name in what follows": [
        delta(tool_calls=[call("", index=0, id="c")]),
        delta(tool_calls=[{"index": 0, "function": {"name": None, "arguments": '{"file_path":"a"}'}}]),
        delta("tool_calls"),
    ],
    "the reason is stop": [delta(tool_calls=[call('{"file_path":"a"}', index=0, id="c")]), delta("stop")],
    "the reason comes with the call": [
        delta("tool_calls", tool_calls=[call('{"file_path":"a"}', index=0, id="c")])
    ],
    "no reason": [
        delta(role="assistant", content=None, tool_calls=[call('{"file_path":"a"}', index=0, id="c")])
    ],
    "a role in every delta, content null": [
        delta(role="assistant", content=None),
        delta(role="assistant", content=None, tool_calls=[call('{"file_path":"a"}', index=0, id="c")]),
        delta("tool_calls", role="assistant", content=None),
        {"choices": [], "usage": None},
    ],
}


@pytest.mark.parametrize("how", WILD)
async def test_calls_as_servers_stream_them(how: str) -> None:
    said = await said_by_openai(*WILD[how])
    assert [(c["name"], c["input"]) for c in said.calls] == [("Read", {"file_path": "a"})]
    assert said.reply is not None and said.reply.stop_reason == "tool_use"


async def test_parallel_calls_are_told_apart() -> None:
    """By index; where all have the same index or none, by id and name."""
    one, two = call('{"file_path":"a"}'), call('{"file_path":"b"}')
    for deltas in (
        [{**one, "index": 0, "id": "c1"}, {**two, "index": 1, "id": "c2"}],
        [{**one, "index": 0, "id": "c1"}, {**two, "index": 0, "id": "c2"}],
        [{**one, "id": "c1"}, {**two, "id": "c2"}],
        [one, two],
    ):
        together = await said_by_openai(delta(tool_calls=deltas), delta("tool_calls"))
        apart = await said_by_openai(*(delta(tool_calls=[d]) for d in deltas), delta("tool_calls"))
        for said in (together, apart):
            assert [c["input"] for c in said.calls] == [{"file_path": "a"}, {"file_path": "b"}]


async def test_no_done_after_a_reason_is_an_end() -> None:
    said = await said_by_openai(delta(content="hi"), delta("stop"), done=False)
    assert said.text == "hi" and said.reply is not None and said.reply.stop_reason == "end_turn"


async def test_an_error_after_a_call_voids_it() -> None:
    said = await said_by_openai(
        delta(tool_calls=[call('{"file_path":"a"}', index=0, id="c")]),
        {"error": {"message": "boom", "code": 502}},
    )
    assert said.error is not None and not said.calls


async def test_a_lone_surrogate_cannot_reach_the_store() -> None:
    escaped = (
        b'data: {"choices":[{"delta":{"content":"a\\ud800b"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
    )
    async with replaying(Answer(escaped)) as server:
        said = await ask(openai(server.url))
    said.text.encode("utf-8")
    assert said.text == "a?b"


def test_settling_keeps_what_it_does_not_know() -> None:
    thinking: JSONObject = {"type": "thinking", "thinking": "", "signature": "s"}
    odd: JSONObject = {"type": "server_tool_use", "id": "srv 1", "name": "any thing", "input": {}}
    assert settle([thinking, odd, {"type": "text", "text": ""}], ()) == [thinking, odd]
