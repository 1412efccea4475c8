"""The scripted model service fails as planned: refused, cut, silent, garbled, and with tool calls nobody can run."""

import json
from typing import Any

import anthropic
import httpx2
import pytest
from tests.fakes.model_server import (
    Cut,
    ErrorEvent,
    Garbled,
    Gate,
    ModelServer,
    Pace,
    Silence,
    ToolUse,
    Turn,
    bad_gateway,
    call,
    calls,
    context_overflow,
    huge,
    out_of_money,
    overloaded,
    rate_limited,
    refuses,
    repeated,
    say,
    server_error,
    too_large,
    truncated,
    unauthorized,
    unknown_model,
)
from tests.unit.fakes.asking import TOOLS, ask, body

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    "turn, raised, status",
    [
        (unauthorized(), anthropic.AuthenticationError, 401),
        (unknown_model("x"), anthropic.NotFoundError, 404),
        (too_large(), anthropic.RequestTooLargeError, 413),
        (rate_limited(7), anthropic.RateLimitError, 429),
        (server_error(), anthropic.InternalServerError, 500),
        (bad_gateway(), anthropic.InternalServerError, 502),
        (overloaded(), anthropic.OverloadedError, 529),
        (context_overflow(), anthropic.BadRequestError, 400),
        (out_of_money(), anthropic.BadRequestError, 400),
    ],
)
def test_the_sdk_sees_each_refusal_as_the_real_one(
    server: ModelServer,
    sdk: anthropic.Anthropic,
    turn: Turn,
    raised: type[anthropic.APIStatusError],
    status: int,
) -> None:
    server.script(turn)
    with pytest.raises(raised) as caught:
        ask(sdk)
    assert caught.value.status_code == status == server.calls[0].status
    assert caught.value.response.headers.get("retry-after") == ("7" if status == 429 else None)
    server.check()


async def test_openai_refuses_with_its_own_numbers(server: ModelServer, client: httpx2.AsyncClient) -> None:
    server.script(out_of_money(), overloaded())
    asked = body(model="gpt-4o-mini")
    answer = await client.post("/v1/chat/completions", json=asked)
    assert (answer.status_code, answer.json()["error"]["type"]) == (429, "insufficient_quota")
    assert (await client.post("/v1/chat/completions", json=asked)).status_code == 503


def test_the_sdk_retries_over_a_scripted_fault(server: ModelServer) -> None:
    server.script(rate_limited(0.01), say("after all"))
    with anthropic.Anthropic(api_key="k", base_url=server.anthropic_url(), max_retries=1) as sdk:
        assert ask(sdk).content[0].model_dump()["text"] == "after all"
    assert server.report()["statuses"] == {"429": 1, "200": 1}
    server.check()


async def raw(client: httpx2.AsyncClient, path: str = "/v1/messages", **more: Any) -> bytes:
    """All bytes that arrive, also when the connection breaks."""
    got = b""
    async with client.stream("POST", path, json=body(stream=True, **more)) as answer:
        try:
            async for piece in answer.aiter_raw():
                got += piece
        except httpx2.TransportError:
            got += b"<broken>"
    return got


@pytest.mark.parametrize("manner", ["close", "reset", "clean"])
async def test_a_stream_is_cut_at_every_byte(
    server: ModelServer, client: httpx2.AsyncClient, manner: Any
) -> None:
    turn = call("Read", {"file_path": "a"})
    server.script(turn)
    whole = await raw(client, tools=TOOLS)
    assert server.calls[0].is_whole
    step = 3 if manner == "close" else 97
    for at in range(0, len(whole), step):
        server.script(Turn(turn.blocks, fault=Cut(at, manner)))
        got = await raw(client, tools=TOOLS)
        broken = got.endswith(b"<broken>")
        got = got.removesuffix(b"<broken>")
        assert broken == (manner != "clean")
        # ids are of the call, so lengths agree and what comes before the first id does too
        assert len(got) == at if manner != "reset" else len(got) <= at
        assert not server.calls[-1].is_whole
    assert server.report()["whole"] == 1


async def test_a_cut_after_the_last_byte_is_still_a_whole_reply(
    server: ModelServer, client: httpx2.AsyncClient
) -> None:
    server.script(say("all of it", fault=Cut(1_000_000)))
    got = await raw(client)
    assert got.endswith(b"<broken>")
    assert b"message_stop" in got
    assert server.calls[0].is_whole


async def test_bytes_come_in_the_sizes_asked_for(server: ModelServer, client: httpx2.AsyncClient) -> None:
    text = "grün und 中文 – in odd pieces"
    server.script(say(text, pace=Pace(text=3, writes=(1, 2, 7))), say(text, pace=Pace(text=3)))
    pieces = []
    async with client.stream("POST", "/v1/messages", json=body(stream=True)) as answer:
        pieces = [piece async for piece in answer.aiter_raw()]
    whole = await raw(client)
    assert max(map(len, pieces)) <= 7 < len(whole)
    assert _text(b"".join(pieces)) == _text(whole) == text


def _text(stream: bytes) -> str:
    rows = [json.loads(line[6:]) for line in stream.decode().split("\n") if line.startswith("data: ")]
    return "".join(row["delta"].get("text", "") for row in rows if row["type"] == "content_block_delta")


async def test_silence_lasts_until_the_client_leaves_or_the_gate_opens(
    server: ModelServer, client: httpx2.AsyncClient
) -> None:
    request, headers, third = Gate(), Gate(), Gate()
    server.script(
        say("late", fault=Silence(request)),
        say("late", fault=Silence(headers, "headers")),
        say("late", fault=Silence(third, 3)),
    )
    with pytest.raises(httpx2.ReadTimeout):
        await client.post("/v1/messages", json=body(stream=True), timeout=httpx2.Timeout(10, read=0.05))
    server.wait_for(lambda server: server.calls[0].client_left)
    for gate in (headers, third):
        async with client.stream("POST", "/v1/messages", json=body(stream=True)) as answer:
            assert answer.status_code == 200
            await gate.has_arrived()
            gate.open()
            assert b"message_stop" in await answer.aread()
    server.check()


async def test_a_client_that_leaves_midway_is_seen(server: ModelServer, client: httpx2.AsyncClient) -> None:
    gate = Gate()
    server.script(say("one two three", pace=Pace(text=4, gates={4: gate})), say("next"))
    async with client.stream("POST", "/v1/messages", json=body(stream=True)) as answer:
        await gate.has_arrived()
        assert answer.status_code == 200
    server.wait_for(lambda server: server.calls[0].client_left)
    assert not server.calls[0].is_whole
    assert (await client.post("/v1/messages", json=body())).status_code == 200


async def test_what_is_garbled_or_missing_is_so_on_the_wire(
    server: ModelServer, client: httpx2.AsyncClient
) -> None:
    server.script(
        say("text", fault=Garbled(3, b'{"type":')),
        say("text", drop=frozenset({"message_stop"})),
        say("text", insert={2: b'event: from_the_future\ndata: {"type":"from_the_future"}\n\n'}),
        say("text", fault=Garbled(0, b'{"id": ')),
        say("text", fault=ErrorEvent(1)),
    )
    assert b'data: {"type":\n\n' in await raw(client)
    assert b"message_stop" not in await raw(client)
    assert b"from_the_future" in await raw(client)
    answer = await client.post("/v1/messages", json=body())
    with pytest.raises(json.JSONDecodeError):
        answer.json()
    assert b"overloaded_error" in await raw(client)
    assert [call.is_whole for call in server.calls] == [False, False, True, False, False]


async def test_tool_calls_can_be_broken_in_every_way(server: ModelServer, client: httpx2.AsyncClient) -> None:
    server.script(
        truncated("Read", '{"file_path": "a'),
        calls(ToolUse("NoSuchTool", {"a": 1})),
        repeated(ToolUse("Read", {"file_path": "a"})),
        huge("Read", "file_path"),
        refuses("I would rather not."),
    )
    cut = await raw(client, tools=TOOLS)
    assert b'"stop_reason":"max_tokens"' in cut
    assert b"NoSuchTool" in await raw(client, tools=TOOLS)
    twice = (await client.post("/v1/messages", json=body(tools=TOOLS))).json()["content"]
    assert [block["id"] for block in twice] == ["toolu_01TwiceTwiceTwiceTwice"] * 2
    assert len(await raw(client, tools=TOOLS)) > 10_000_000
    assert (await client.post("/v1/messages", json=body())).json()["stop_reason"] == "refusal"
