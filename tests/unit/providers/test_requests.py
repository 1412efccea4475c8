"""What goes out: one conversation in each service's words, its thinking intact, marked for the cache."""

import json
from typing import cast

import pytest
from tests.fakes.replay import Answer, Asked, replaying
from tests.unit.providers.asking import (
    HELLO,
    TOOL,
    anthropic,
    anthropic_events,
    ask,
    chunks,
    delta,
    openai,
    request_of,
    sse,
)
from tests.unit.providers.test_recordings import ALL, needs_recordings

from nightclaw.core.ports import ModelRequest
from nightclaw.core.types import JSONObject
from nightclaw.providers import openai_messages
from nightclaw.providers.anthropic import body_of
from nightclaw.providers.openai_messages import Dialect

pytestmark = pytest.mark.anyio

THOUGHT: JSONObject = {"type": "thinking", "thinking": "Let me see – Größe.", "signature": "EqRo+/8=="}
HIDDEN: JSONObject = {"type": "redacted_thinking", "data": "AAEC/w=="}
CALL: JSONObject = {"type": "tool_use", "id": "toolu_1", "name": "Read", "input": {"file_path": "a"}}
RESULT: JSONObject = {
    "type": "tool_result",
    "tool_use_id": "toolu_1",
    "content": "text of a",
    "is_error": False,
}
TALK: list[JSONObject] = [
    {"role": "user", "content": [{"type": "text", "text": "What is in a?"}]},
    {"role": "assistant", "content": [THOUGHT, HIDDEN, {"type": "text", "text": "I look."}, CALL]},
    {"role": "user", "content": [RESULT]},
]


def marks(value: object) -> int:
    if isinstance(value, dict):
        return ("cache_control" in value) + sum(marks(v) for v in value.values())
    return sum(marks(v) for v in value) if isinstance(value, list) else 0


def without_marks(value: object) -> object:
    if isinstance(value, dict):
        return {k: without_marks(v) for k, v in value.items() if k != "cache_control"}
    return [without_marks(v) for v in value] if isinstance(value, list) else value


def rows(body: object, key: str) -> list[dict[str, object]]:
    return cast("dict[str, list[dict[str, object]]]", body)[key]


def test_the_cache_is_marked_at_most_four_times() -> None:
    long = [*TALK, *TALK, *TALK]
    body = body_of(ModelRequest("m", long, "You are it.", [TOOL, TOOL]))
    assert marks(body) == 4
    assert "cache_control" in rows(body, "tools")[-1] and "cache_control" in rows(body, "system")[0]
    marked = [n for n, message in enumerate(rows(body, "messages")) if marks(message)]
    users = [n for n, message in enumerate(long) if message["role"] == "user"]
    assert marked == users[-2:]
    assert marks(body_of(request_of())) == 1


def test_the_prefix_is_the_same_from_turn_to_turn() -> None:
    """Apart from the marks, which are no part of what is cached, a longer conversation only adds."""
    shorter = body_of(ModelRequest("m", TALK[:1], "You are it.", [TOOL]))
    longer = body_of(ModelRequest("m", TALK, "You are it.", [TOOL]))
    for key in ("tools", "system"):
        assert json.dumps(shorter[key]) == json.dumps(longer[key])
    assert without_marks(rows(longer, "messages")[:1]) == without_marks(shorter["messages"])


def test_marks_of_the_caller_do_not_add_up() -> None:
    marked: JSONObject = {
        "role": "user",
        "content": [{"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}],
    }
    assert marks(body_of(request_of(marked, marked, marked, marked, system="s", tools=[TOOL]))) == 4


def test_the_request_itself_is_left_alone() -> None:
    request = ModelRequest("m", TALK, "s", [TOOL])
    before = json.dumps([*request.messages, *request.tools])
    body_of(request)
    openai_messages.body_of(request, Dialect("x"))
    assert json.dumps([*request.messages, *request.tools]) == before


async def test_thinking_goes_back_to_the_byte() -> None:
    async with replaying(Answer(anthropic_events({"type": "text", "text": "done"}))) as server:
        await ask(anthropic(server.url), request_of(*TALK))
        sent = server.asked[0]
    assert json.dumps(THOUGHT, ensure_ascii=False, separators=(",", ":")).encode() in sent.body
    assert json.dumps(HIDDEN, separators=(",", ":")).encode() in sent.body
    assert sent.path == "/v1/messages" and sent.headers["anthropic-version"]
    assert sent.headers["x-stainless-retry-count"] == "0"


@needs_recordings
async def test_recorded_thinking_survives_a_round_trip() -> None:
    recorded = [r for r in ALL if r.id in ("w007.0", "w009.0", "w011.0", "w083.0")]
    for recording in recorded:
        async with replaying(recording.answer()) as server:
            said = await ask(anthropic(server.url), close=True)
            thinking = [b for b in said.content if "thinking" in str(b["type"])]
            assert thinking
            await ask(
                anthropic(server.url),
                request_of(HELLO, {"role": "assistant", "content": said.content}, HELLO),
            )
            echoed = cast("list[JSONObject]", rows(server.asked[1].json, "messages")[1]["content"])
        assert [b for b in echoed if "thinking" in str(b["type"])] == thinking
        for block in thinking:
            assert str(block.get("signature") or block.get("data")) in recording.body.decode()


async def test_thinking_of_another_service_and_empty_texts_stay_here() -> None:
    foreign: JSONObject = {"type": "thinking", "thinking": "of another model"}
    empty: JSONObject = {"type": "text", "text": "\n"}
    body = body_of(request_of(HELLO, {"role": "assistant", "content": [foreign, empty]}, HELLO))
    assert rows(body, "messages")[1]["content"] == [{"type": "text", "text": "(nothing)"}]


def chat(request: ModelRequest, host: str = "api.example.com") -> list[dict[str, object]]:
    return rows(openai_messages.body_of(request, Dialect.of(host)), "messages")


def test_a_conversation_becomes_chat_completions() -> None:
    image: JSONObject = {"type": "image", "source": {"type": "base64", "data": "AAAA"}}
    failed: JSONObject = {"type": "tool_result", "tool_use_id": "toolu_1", "is_error": True,
                          "content": [{"type": "text", "text": "no such file"}, image]}  # fmt: skip
    steer: JSONObject = {"type": "text", "text": "and be brief"}
    talk = [*TALK, {"role": "assistant", "content": [CALL]}, {"role": "user", "content": [failed, steer]}]
    function = {"name": "Read", "arguments": '{"file_path":"a"}'}
    calls = [{"id": "toolu_1", "type": "function", "function": function}]
    assert chat(ModelRequest("m", talk, "You are it.")) == [
        {"role": "system", "content": "You are it."},
        {"role": "user", "content": "What is in a?"},
        {"role": "assistant", "content": "I look.", "tool_calls": calls},
        {"role": "tool", "tool_call_id": "toolu_1", "content": "text of a"},
        {"role": "assistant", "content": None, "tool_calls": calls},
        {"role": "tool", "tool_call_id": "toolu_1", "content": "[error] no such file\n[image left out]"},
        {"role": "user", "content": "and be brief"},
    ]


def test_tools_become_functions() -> None:
    body = openai_messages.body_of(request_of(tools=[TOOL]), Dialect.of("api.openai.com"))
    (function,) = rows(body, "tools")
    assert function == {
        "type": "function",
        "function": {"name": "Read", "description": "Read a file.", "parameters": TOOL["input_schema"]},
    }
    assert body["max_completion_tokens"] == 8192 and body["stream_options"] == {"include_usage": True}
    assert "tools" not in openai_messages.body_of(request_of(), Dialect.of("x"))


def test_a_vendor_that_wants_its_reasoning_back_gets_that_of_this_turn() -> None:
    thought: JSONObject = {"type": "thinking", "thinking": "I need a."}
    old: list[JSONObject] = [
        HELLO,
        {"role": "assistant", "content": [thought, {"type": "text", "text": "Hi"}]},
    ]
    now: list[JSONObject] = [
        HELLO,
        {"role": "assistant", "content": [thought, CALL]},
        {"role": "user", "content": [RESULT]},
    ]
    request = request_of(*old, *now)
    said = [m.get("reasoning_content") for m in chat(request, "api.deepseek.com") if m["role"] == "assistant"]
    assert said == [None, "I need a."]
    assert all("reasoning_content" not in m for m in chat(request, "api.groq.com"))


def test_call_ids_fit_the_vendor_and_each_other() -> None:
    talk = [*TALK[:1], {"role": "assistant", "content": [{**CALL, "id": "toolu_01" + "A" * 40}]},
            {"role": "user", "content": [{**RESULT, "tool_use_id": "toolu_01" + "A" * 40}]}]  # fmt: skip
    for host, length in (("api.mistral.ai", 9), ("api.openai.com", 40)):
        _, asked, answered = chat(request_of(*talk), host)
        own = cast("list[dict[str, str]]", asked["tool_calls"])[0]["id"]
        assert own == answered["tool_call_id"] and len(own) <= length
    assert len(own) > 9


async def test_a_server_that_refuses_a_setting_is_asked_without_it_once_and_for_all() -> None:
    refused = Answer.json(
        {"error": {"message": "Unknown parameter: stream_options", "type": "invalid_request_error"}}, 400
    )
    fine = Answer(chunks(delta(content="hi"), delta("stop")))

    def answer(asked: Asked) -> Answer:
        return refused if "stream_options" in asked.json else fine

    async with replaying(by=answer) as server:
        provider = openai(server.url)
        said = await ask(provider, close=False)
        assert said.text == "hi" and said.reply is not None
        assert [call.error for call in said.reply.calls] == ["request", None]
        await ask(provider)
        assert len(server.asked) == 3


async def test_the_newer_limit_is_learned() -> None:
    message = "'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
    refused = Answer.json({"error": {"message": message, "type": "invalid_request_error"}}, 400)
    fine = Answer(chunks(delta(content="hi"), delta("stop")))
    async with replaying(by=lambda asked: refused if "max_tokens" in asked.json else fine) as server:
        assert (await ask(openai(server.url))).text == "hi"


async def test_reasoning_and_refusals_have_their_place() -> None:
    stream = chunks(delta(reasoning_content="hm"), delta(reasoning="m"), delta(content="hi"), delta("stop"))
    async with replaying(Answer(stream)) as server:
        said = await ask(openai(server.url))
    assert said.thinking == "hmm" and said.text == "hi"
    assert said.content == [{"type": "thinking", "thinking": "hmm"}, {"type": "text", "text": "hi"}]
    async with replaying(Answer(chunks(delta(refusal="I cannot."), delta("stop")))) as server:
        said = await ask(openai(server.url))
    assert said.reply is not None and said.reply.stop_reason == "refusal" and said.text == "I cannot."


async def test_a_prompt_with_a_lone_surrogate_is_still_sent() -> None:
    for provider, answer in (
        (anthropic, anthropic_events({"type": "text", "text": "hi"})),
        (openai, chunks(delta(content="hi"), delta("stop"))),
    ):
        async with replaying(Answer(answer)) as server:
            said = await ask(provider(server.url), request_of({"role": "user", "content": "a\ud800b"}))
        assert said.text == "hi"


async def test_unknown_events_blocks_and_fields_are_kept_not_feared() -> None:
    strange = sse(
        {"type": "message_start", "message": {"usage": {"input_tokens": 3}}, "new": 1},
        {"type": "ping"},
        {"type": "moon_phase", "phase": "full"},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "hologram", "beam": "a"}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "beam_delta", "beam": "b", "hz": 7}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "pause_turn"}, "usage": {"output_tokens": 2}},
        {"type": "message_stop"},
    )
    async with replaying(Answer(strange)) as server:
        said = await ask(anthropic(server.url))
    assert said.content == [{"type": "hologram", "beam": "ab", "hz": 7}]
    assert said.reply is not None and said.reply.stop_reason == "end_turn"
