"""An answer that broke off anywhere is an error and never a tool call, however it looked so far."""

import json

import pytest
from tests.fakes.replay import Answer, replaying
from tests.unit.providers.asking import (
    QUICK,
    anthropic,
    anthropic_events,
    ask,
    chunks,
    delta,
    ollama,
    openai,
)

from nightclaw.core.types import JSONObject
from nightclaw.providers import framing
from nightclaw.providers.anthropic_stream import Message
from nightclaw.providers.openai_stream import Completion

pytestmark = pytest.mark.anyio

TALK = "I will read the files you named, one after the other – größtenteils. " * 12
CALLS: list[JSONObject] = [
    {"type": "text", "text": TALK},
    {"type": "tool_use", "id": "toolu_1", "name": "Read", "input": {"file_path": "a" * 200}},
    {"type": "tool_use", "id": "toolu_2", "name": "Bash", "input": {"command": "rm -rf build " + "x" * 900}},
]


def anthropic_answer() -> bytes:
    return anthropic_events(*CALLS, stop="tool_use")


def openai_answer() -> bytes:
    call = {"index": 0, "id": "c1", "function": {"name": "Bash", "arguments": ""}}
    pieces = [json.dumps({"command": "rm -rf build " + "x" * 900})[n : n + 100] for n in range(0, 1000, 100)]
    return chunks(
        delta(role="assistant", content=None),
        delta(content=TALK),
        delta(tool_calls=[call]),
        *(delta(tool_calls=[{"index": 0, "function": {"arguments": piece}}]) for piece in pieces),
        delta("tool_calls"),
        {"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 9}},
    )


@pytest.mark.parametrize("framed", [True, False], ids=["chunked", "until it closes"])
@pytest.mark.parametrize("kind", ["anthropic", "openai"])
async def test_no_cut_gives_a_call(kind: str, framed: bool) -> None:
    """Cut at every 11th byte and at each of the last hundred, on a connection of its own that ends as by a crash."""
    body = anthropic_answer() if kind == "anthropic" else openai_answer()
    assert 3_000 < len(body) < 5_000
    at = 0
    async with replaying(by=lambda _: Answer(body[:at], ends="reset", framed=framed)) as server:
        provider = anthropic(server.url) if kind == "anthropic" else openai(server.url)
        ended = (
            body.index(b"\n\n", body.index(b'"finish_reason": "tool_calls"'))
            if kind == "openai"
            else len(body) - 1
        )
        for at in (*range(0, len(body) - 100, 11), *range(len(body) - 100, len(body))):
            said = await ask(provider, close=False)
            if said.error is None:
                assert not framed and at > ended - 1, f"byte {at} of {len(body)}"
                assert len(said.calls) == (2 if kind == "anthropic" else 1)
            else:
                assert said.kind == "cut" and said.error.may_pass, (at, said.error)
        at = len(body)
        assert (await ask(provider)).calls


async def test_a_closed_connection_after_the_last_word_is_an_end_only_where_nothing_can_be_missing() -> None:
    """Without framing, the end of the connection is all the end there is: then the finish reason must be there."""
    whole = openai_answer()
    named = whole.index(b'"finish_reason": "tool_calls"')
    finish = whole.index(b"\n\n", named) + 2
    for end, is_complete in ((finish, True), (finish - 2, False), (named, False)):
        async with replaying(Answer(whole[:end], ends="reset", framed=False)) as server:
            said = await ask(openai(server.url))
        assert (said.error is None) == is_complete


async def test_what_a_cut_answer_cost_is_counted() -> None:
    body = anthropic_answer()
    async with replaying(Answer(body[: len(body) - 20], ends="reset")) as server:
        said = await ask(anthropic(server.url))
    assert said.error is not None
    (call,) = said.error.calls
    usage = getattr(call, "usage", None)
    assert usage is not None and usage.input_tokens == 10 and usage.output_tokens >= 300


async def test_an_ollama_answer_without_done_is_cut() -> None:
    able = Answer.json({"capabilities": ["tools"], "model_info": {"q.context_length": 40960}})
    line = {"message": {"role": "assistant", "tool_calls": [{"function": {"name": "Read", "arguments": {}}}]}}
    torn = Answer(
        json.dumps({**line, "done": False}).encode() + b"\n", headers={"content-type": "application/x-ndjson"}
    )
    async with replaying(able, torn) as server:
        said = await ask(ollama(server.url))
    assert said.kind == "cut"


@pytest.mark.parametrize("kind", ["anthropic", "openai"])
async def test_silence_in_the_middle_ends_within_the_deadline(kind: str) -> None:
    body = anthropic_answer() if kind == "anthropic" else openai_answer()
    async with replaying(Answer(body[:2000], ends="never")) as server:
        said = await ask(anthropic(server.url, QUICK) if kind == "anthropic" else openai(server.url, QUICK))
    assert said.kind == "timeout" and "silent for 0.3 s" in str(said.error)


@pytest.mark.parametrize("kind", ["anthropic", "openai"])
async def test_a_server_that_never_answers_is_given_up(kind: str) -> None:
    async with replaying(Answer(speaks=False)) as server:
        said = await ask(anthropic(server.url, QUICK) if kind == "anthropic" else openai(server.url, QUICK))
    assert said.kind == "timeout" and "nothing for 0.3 s" in str(said.error)


async def test_no_cut_at_all_completes_a_message() -> None:
    """Every byte of the real thing, without the network: what the decoder was given so far is never complete."""
    body = anthropic_answer()
    for at in range(len(body)):
        message, events = Message(), framing.Events()
        for event in events.feed(body[:at]):
            message.take(json.loads(event.data))
        assert not message.is_complete, at
    completion = openai_answer()
    finish = completion.index(b"\n\n", completion.index(b'"finish_reason": "tool_calls"'))
    for at in range(finish + 2):
        said, events = Completion(), framing.Events()
        for event in events.feed(completion[:at]):
            said.take(json.loads(event.data))
        assert not said.has_finished, at
