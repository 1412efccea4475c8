"""The scripted model service, driven by Anthropic's own SDK and by plain HTTP: scripts, lanes, faults, accounts."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import anthropic
import httpx2
import pytest
from tests.fakes.model_server import (
    Asked,
    Gate,
    ModelServer,
    Pace,
    Spent,
    Text,
    Thinking,
    Turn,
    call,
    provider_toml,
    say,
)
from tests.unit.fakes.asking import HELLO, TOOLS, ask, body

pytestmark = pytest.mark.anyio


def test_a_script_is_played_by_the_real_sdk(server: ModelServer, sdk: anthropic.Anthropic) -> None:
    server.script(
        call("Read", {"file_path": "a.py"}, text="I look.", think="Where is it?", expect="hello"),
        say("Fixed.", expect=["def a", lambda asked: asked.results[0].name == "Read"]),
    )
    first = ask(sdk, tools=TOOLS)
    assert [block.type for block in first.content] == ["thinking", "text", "tool_use"]
    assert first.stop_reason == "tool_use"
    use = first.content[2]
    assert isinstance(use, anthropic.types.ToolUseBlock)
    assert use.input == {"file_path": "a.py"}
    said = [block.model_dump(exclude_none=True, exclude={"caller"}) for block in first.content]
    result = {"type": "tool_result", "tool_use_id": use.id, "content": "def a(): ..."}
    messages = [*HELLO, {"role": "assistant", "content": said}, {"role": "user", "content": [result]}]
    second = sdk.messages.create(model="claude-sonnet-4-6", max_tokens=100, messages=messages, tools=TOOLS)
    assert second.content[0].model_dump()["text"] == "Fixed."
    server.check()
    assert [made.result for made in server.calls[1].asked.made] == ["def a(): ..."]


async def test_the_asynchronous_sdk_streams_text_as_it_comes(server: ModelServer) -> None:
    gate = Gate()
    server.script(say("one two", pace=Pace(text=4, gates={4: gate})))
    asked: Any = body()
    async with (
        anthropic.AsyncAnthropic(api_key="k", base_url=server.anthropic_url(), max_retries=0) as sdk,
        sdk.messages.stream(**asked) as stream,
    ):
        texts = stream.text_stream
        assert await anext(texts) == "one "
        await gate.has_arrived()
        gate.open()
        assert await anext(texts) == "two"


def test_an_extra_call_is_a_failure_and_is_refused(server: ModelServer, sdk: anthropic.Anthropic) -> None:
    server.script(say("only this"))
    ask(sdk)
    with pytest.raises(anthropic.BadRequestError, match="not in the script"):
        ask(sdk, [{"role": "user", "content": "and now?"}])
    assert len(server.failures) == 1
    with pytest.raises(AssertionError, match="more than the script has"):
        server.check()


@pytest.mark.parametrize(
    "expect, why",
    [
        ("goodbye", "'goodbye' is not in 'hello'"),
        (lambda asked: asked.model == "another", "does not hold"),
        (lambda asked: "the model is wrong", "the model is wrong"),
    ],
)
def test_an_unmet_expectation_is_a_failure(
    server: ModelServer, sdk: anthropic.Anthropic, expect: Any, why: str
) -> None:
    server.script(say("…", expect=expect))
    with pytest.raises(anthropic.BadRequestError):
        ask(sdk)
    assert why in server.failures[0]


def test_turns_nobody_asked_for_are_told(server: ModelServer) -> None:
    server.script(say("never"))
    with pytest.raises(AssertionError, match="1 turns of default"):
        server.check()
    server.check(unplayed=True)


async def test_lanes_are_found_by_path_marker_and_model(
    server: ModelServer, client: httpx2.AsyncClient
) -> None:
    server.lane("triage", model="claude-haiku-4-5").script(say("by model"))
    server.lane("issue", when=r"octo/app#5").script(say("by marker"))
    server.lane("demo").script(say("by path"))
    marked = [{"role": "user", "content": [{"type": "text", "text": "work on octo/app#5"}]}]
    for path, asked, lane in (
        ("/v1/messages", body(model="claude-haiku-4-5"), "triage"),
        ("/v1/messages", body(messages=marked), "issue"),
        ("/lane/demo/v1/messages", body(), "demo"),
    ):
        answer = await client.post(path, json=asked)
        assert answer.status_code == 200, answer.text
        assert server.calls[-1].asked.lane == lane
    server.check()
    assert {name: lane["calls"] for name, lane in server.report()["lanes"].items()} == {
        "demo": 1,
        "issue": 1,
        "triage": 1,
    }


async def test_a_policy_answers_when_the_script_is_over(
    server: ModelServer, client: httpx2.AsyncClient
) -> None:
    server.script(say("scripted")).policy(lambda asked: say(f"you said {asked.last_text}"))
    texts = []
    for _ in range(3):
        answer = await client.post("/v1/messages", json=body())
        texts.append(answer.json()["content"][0]["text"])
    assert texts == ["scripted", "you said hello", "you said hello"]


def test_a_policy_that_breaks_is_a_failure(server: ModelServer, sdk: anthropic.Anthropic) -> None:
    def breaks(asked: Asked) -> Turn:
        raise KeyError(asked.model)

    server.policy(breaks)
    with pytest.raises(anthropic.BadRequestError):
        ask(sdk)
    assert "KeyError" in server.failures[0]


async def test_a_key_is_required_when_one_is_set(client: httpx2.AsyncClient) -> None:
    with ModelServer(key="right") as server:
        server.policy(lambda asked: say("in"))
        for headers, status in (
            ({"x-api-key": "right"}, 200),
            ({"authorization": "Bearer right"}, 200),
            ({"x-api-key": "wrong"}, 401),
            ({}, 401),
        ):
            answer = await client.post(f"{server.url}/v1/messages", json=body(), headers=headers)
            assert answer.status_code == status
        assert len(server.calls) == 2


async def test_models_are_listed_in_both_forms(server: ModelServer, client: httpx2.AsyncClient) -> None:
    listed = (await client.get("/v1/models")).json()
    assert listed["data"][0]["type"] == "model"
    async with httpx2.AsyncClient(base_url=server.url) as other:
        assert (await other.get("/lane/x/v1/models")).json()["data"][0]["object"] == "model"
        assert (await other.get("/v1/elsewhere")).status_code == 404
        assert (await other.get("/v1/messages")).status_code == 404


async def test_a_prompt_beyond_the_context_is_refused(client: httpx2.AsyncClient) -> None:
    with ModelServer(context_tokens=100) as server:
        server.script(say("never"))
        asked = body(messages=[{"role": "user", "content": "word " * 200}])
        answer = await client.post(f"{server.url}/v1/messages", json=asked)
    assert answer.status_code == 400
    assert "prompt is too long: 20" in answer.json()["error"]["message"]


async def test_a_body_that_is_no_json_is_a_failure(server: ModelServer, client: httpx2.AsyncClient) -> None:
    for content in (b"{", b"[]", b"\xff"):
        assert (await client.post("/v1/messages", content=content)).status_code == 400
    assert len(server.failures) == 3


def test_many_clients_at_once_are_kept_apart(server: ModelServer) -> None:
    server.policy(lambda asked: say(f"echo {asked.first_text}"))
    together = threading.Barrier(8)

    def one(n: int) -> str:
        with anthropic.Anthropic(api_key="k", base_url=server.anthropic_url(), max_retries=0) as sdk:
            together.wait(10)
            return ask(sdk, [{"role": "user", "content": f"number {n}"}]).content[0].model_dump()["text"]

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(one, range(8))) == [f"echo number {n}" for n in range(8)]
    server.wait_for_calls(8)
    server.check()


async def test_usage_can_be_dictated(server: ModelServer, client: httpx2.AsyncClient) -> None:
    server.script(say("ok", usage=Spent(1_000_000, 100_000)))
    used = (await client.post("/v1/messages", json=body())).json()["usage"]
    assert (used["input_tokens"], used["output_tokens"]) == (1_000_000, 100_000)
    assert server.report()["cost_usd"] == pytest.approx(4.5)


def test_the_environment_and_the_config_point_here(server: ModelServer) -> None:
    env = server.env("chat")
    assert env["ANTHROPIC_BASE_URL"] == f"{server.url}/lane/chat"
    assert env["OPENAI_BASE_URL"] == f"{server.url}/lane/chat/v1"
    text = provider_toml("fake", "openai", server.openai_url(), "OPENAI_API_KEY")
    assert f'base_url = "{server.url}/v1"' in text


def test_a_thought_has_one_signature_in_every_run() -> None:
    signatures = set()
    for _ in range(2):
        with ModelServer() as server:
            server.script(Turn((Thinking("same"), Text("same"))))
            answer = httpx2.post(
                f"{server.url}/v1/messages", json=body(), headers={"anthropic-version": "2023-06-01"}
            )
            signatures.add(answer.json()["content"][0]["signature"])
    assert len(signatures) == 1
