"""The fake speaks as the recorded services did: the same events, in the same order, with the same fields."""

import json
from typing import Any

import httpx2
import pytest
from tests.fakes.model_server import (
    ErrorEvent,
    ModelServer,
    Redacted,
    Text,
    Thinking,
    ToolUse,
    Turn,
    call,
    calls,
    fails,
    overloaded,
    rate_limited,
    refuses,
    say,
    unknown_model,
)
from tests.unit.fakes.recorded import DATA, events_of, exchanges, kind, needs_data, response_of, shape

pytestmark = needs_data
MESSAGES = [{"role": "user", "content": "hello"}]


def anthropic(server: ModelServer, turn: Turn, **more: Any) -> httpx2.Response:
    server.script(turn)
    body = {"model": "claude-haiku-4-5", "max_tokens": 100, "messages": MESSAGES, **more}
    return httpx2.post(f"{server.url}/v1/messages", json=body, headers={"anthropic-version": "2023-06-01"})


def openai(server: ModelServer, turn: Turn, **more: Any) -> httpx2.Response:
    server.script(turn)
    body = {"model": "gpt-4o-mini", "max_tokens": 100, "messages": MESSAGES, **more}
    return httpx2.post(f"{server.url}/v1/chat/completions", json=body)


def recorded_shapes(prefixes: tuple[str, ...], key: Any) -> dict[str, set[object]]:
    shapes: dict[str, set[object]] = {}
    for name, row in exchanges():
        body = row["response"]["body"]
        if name[:4] in prefixes and isinstance(body, str) and "data: " in body:
            for _, data in events_of(body):
                if data is not None:
                    shapes.setdefault(key(data), set()).add(shape(data))
    return shapes


def test_an_anthropic_stream_of_a_tool_call_is_the_recorded_one(server: ModelServer) -> None:
    answer = anthropic(server, call("fixed_version"), stream=True)
    recorded = response_of("w001.0")
    mine, theirs = events_of(answer.text), events_of(recorded)
    assert [name for name, _ in mine] == [name for name, _ in theirs]
    assert [shape(data) for _, data in mine] == [shape(data) for _, data in theirs]
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert answer.headers["transfer-encoding"] == "chunked"


def test_every_anthropic_event_has_fields_a_recording_has(server: ModelServer) -> None:
    turn = Turn(
        (
            Redacted(""),
            Thinking("Let me think about it"),
            Text("I look."),
            ToolUse("Read", {"file_path": "a"}),
        )
    )
    answer = anthropic(server, turn, stream=True)
    newest = ("w001", "w003", "w007", "w009", "w011")
    shapes = recorded_shapes(newest, kind)
    events = [data for _, data in events_of(answer.text)]
    assert {kind(data) for data in events} >= {
        "content_block_start redacted_thinking",
        "content_block_delta signature_delta",
        "content_block_delta text_delta",
        "content_block_delta input_json_delta",
    }
    for data in events:
        assert shape(data) in shapes[kind(data)], data
    assert json.loads(_joined(events, "partial_json")) == {"file_path": "a"}
    assert _joined(events, "text") == "I look."


def _joined(events: list[Any], field: str) -> str:
    return "".join(data["delta"].get(field, "") for data in events if data["type"] == "content_block_delta")


def test_a_refusal_streams_as_recorded(server: ModelServer) -> None:
    delta = events_of(anthropic(server, refuses(), stream=True).text)[-2][1]
    recorded = events_of(response_of("w091.0"))[-2][1]
    assert shape(delta["delta"]) == shape(recorded["delta"])
    assert delta["delta"]["stop_reason"] == "refusal"


def test_an_anthropic_answer_has_the_recorded_fields(server: ModelServer) -> None:
    mine = anthropic(server, calls(ToolUse("get_weather", {"location": "SF"}), text="A moment.")).json()
    order = response_of("w105.0")
    assert [key for key in mine if key != "stop_details"] == list(order)
    assert [key for key in mine["usage"] if key != "output_tokens_details"] == list(order["usage"])
    assert [list(block) for block in mine["content"]] == [list(block) for block in order["content"]]
    newest = response_of("w032.1")
    assert set(mine) == set(newest)
    assert set(mine["usage"]) == set(newest["usage"])


def test_counting_tokens_answers_as_recorded(server: ModelServer) -> None:
    body = {"model": "claude-opus-4-6", "messages": MESSAGES}
    mine = httpx2.post(
        f"{server.url}/v1/messages/count_tokens", json=body, headers={"anthropic-version": "x"}
    )
    assert shape(mine.json()) == shape(response_of("w032.0"))
    assert server.calls == []


def test_errors_have_the_recorded_form(server: ModelServer) -> None:
    mine = anthropic(server, rate_limited())
    assert mine.status_code == 429
    assert shape(mine.json()) == shape(response_of("w097.0"))
    assert mine.headers["x-should-retry"] == "true"
    mine = openai(server, unknown_model("gpt-9"))
    recorded = response_of("w048.0")["error"]
    assert mine.status_code == 404
    assert {**mine.json()["error"], "message": ""} == {**recorded, "message": ""}


def test_overload_has_the_quoted_forms(server: ModelServer) -> None:
    quoted = {
        row["id"]: row
        for row in map(
            json.loads, (DATA / "llm-wire" / "overloaded-from-issues.jsonl").read_text().splitlines()
        )
    }
    mid = anthropic(server, say("one two three", fault=ErrorEvent(after=3)), stream=True)
    assert mid.status_code == 200
    assert mid.text.endswith(quoted["x001"]["body"])
    assert "message_stop" not in mid.text
    bare = anthropic(server, say("one", fault=ErrorEvent(after=2, bare=True)), stream=True)
    last = bare.text.split("\n\n")[-2]
    assert shape(json.loads(last.removeprefix("data: "))) == shape(
        json.loads(quoted["x002"]["body"].removeprefix("data: "))
    )
    whole = anthropic(server, overloaded())
    assert whole.status_code == quoted["x003"]["status"]
    assert shape(whole.json()) == shape(json.loads(quoted["x003"]["body"]))


def chunk_kind(data: Any) -> str:
    choice = (data["choices"] or [{}])[0]
    delta = choice.get("delta") or {}
    tool = (delta.get("tool_calls") or [{}])[0]
    return f"{sorted(delta)} {sorted(tool)} {bool(data['choices'])}"


@pytest.mark.parametrize(
    "recording, turn",
    [
        ("w043.0", call("get_capital", {"country": "UK"})),
        ("w043.1", say("The capital of the UK is London.")),
    ],
)
def test_an_openai_stream_is_the_recorded_one(server: ModelServer, recording: str, turn: Turn) -> None:
    answer = openai(server, turn, stream=True, stream_options={"include_usage": True})
    shapes = recorded_shapes((recording[:4],), chunk_kind)
    mine, theirs = events_of(answer.text), events_of(response_of(recording))
    for _, data in mine[:-1]:
        assert shape(data) in shapes[chunk_kind(data)], data
    for end in (0, -3, -2):
        assert shape(mine[end][1]) == shape(theirs[end][1])
    assert mine[-1] == theirs[-1] == (None, None)


def test_parallel_openai_calls_without_usage_are_as_recorded(server: ModelServer) -> None:
    turn = calls(
        ToolUse("get_current_weather", {"location": "San Francisco"}),
        ToolUse("get_current_weather", {"location": "Boston"}),
    )
    mine = [data for _, data in events_of(openai(server, turn, stream=True).text)]
    theirs = [data for _, data in events_of(response_of("w041.1"))]
    assert mine[-1] is theirs[-1] is None
    assert {shape(data) for data in mine[:-1]} == {shape(data) for data in theirs[:-1]}
    starts = [data["choices"][0]["delta"].get("tool_calls", [{}])[0].get("id") for data in mine[:-1]]
    assert len({id_ for id_ in starts if id_}) == 2


def test_an_openai_answer_has_what_every_recorded_one_has(server: ModelServer) -> None:
    mine = openai(server, calls(ToolUse("a", {"b": 1}), text="Yes.")).json()
    for name in ("w052.0", "w056.1", "w062.0"):
        theirs = response_of(name)
        assert set(mine) & set(theirs) >= {"id", "object", "created", "model", "choices", "usage"}
        use, recorded = (one["choices"][0]["message"]["tool_calls"][0] for one in (mine, theirs))
        assert set(use) == set(recorded) - {"index"}
        assert set(use["function"]) == set(recorded["function"])
        assert mine["choices"][0]["finish_reason"] == theirs["choices"][0]["finish_reason"] == "tool_calls"


def test_what_the_real_service_refused_is_refused_in_its_words(server: ModelServer) -> None:
    row = next(row for name, row in exchanges("w109") if name == "w109.1")
    answer = httpx2.post(
        f"{server.url}/v1/messages", json=row["request"]["body"], headers={"anthropic-version": "2023-06-01"}
    )
    assert answer.status_code == row["response"]["status"] == 400
    assert answer.json()["error"] == json.loads(row["response"]["body"])["error"]


def test_what_the_real_service_took_breaks_no_rule_of_form(server: ModelServer) -> None:
    """Every recorded request that was answered passes; only our own limits on size and thinking may complain."""
    allowed = {"max_tokens", "invented", "thinking", "tools", "prefix", "empty"}
    seen = 0
    for name, row in exchanges():
        request, response = row["request"] or {}, row["response"]
        spoken = "/v1/messages" if "/v1/messages" in (request.get("url") or "") else "/v1/chat/completions"
        body = request.get("body")
        if response["status"] != 200 or not isinstance(body, dict) or "messages" not in body:
            continue
        if name.startswith(("w014", "w034", "w037", "w039", "w056", "w064", "w105")):
            continue  # prefill, the service's own tools, system in the middle, turns out of order: none is ours
        server.violations.clear()
        httpx2.post(
            f"{server.url}/lane/{name}{spoken}", json=body, headers={"anthropic-version": "2023-06-01"}
        )
        broken = {v.rule for v in server.violations} - allowed
        assert not broken, (name, server.violations)
        seen += 1
    assert seen > 25


def test_unknown_status_texts_reach_the_client(server: ModelServer) -> None:
    assert anthropic(server, fails(418, "api_error", "no coffee")).json()["error"]["message"] == "no coffee"
