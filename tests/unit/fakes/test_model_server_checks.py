"""Each invariant of a request is seen when it is broken, and an honest conversation breaks none."""

import base64
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import httpx2
import pytest
from tests.fakes.model_server import (
    Cut,
    ModelServer,
    Pace,
    Text,
    Thinking,
    ToolUse,
    Turn,
    call,
    rate_limited,
    say,
)

TOOLS: list[Any] = [
    {"name": "Read", "description": "Read a file", "input_schema": {"type": "object", "properties": {}}}
]
SYSTEM = [{"type": "text", "text": "You are careful.", "cache_control": {"type": "ephemeral"}}]


class Talk:
    """A conversation as an honest client holds it."""

    def __init__(self, server: ModelServer, http: httpx2.Client, first: str = "begin") -> None:
        self.server = server
        self.http = http
        self.messages: list[Any] = [{"role": "user", "content": first}]
        self.body: dict[str, Any] = {
            "model": "claude-sonnet-4-6",
            "max_tokens": 100,
            "system": SYSTEM,
            "tools": TOOLS,
        }

    def send(self, messages: list[Any] | None = None, **more: Any) -> list[Any]:
        """One call; takes the answer into the conversation when there is one."""
        asked = {**self.body, "messages": self.messages if messages is None else messages, **more}
        answer = self.http.post("/v1/messages", json=asked)
        if answer.status_code != 200:
            return []
        content = [{k: v for k, v in block.items() if k != "caller"} for block in answer.json()["content"]]
        self.messages.append({"role": "assistant", "content": content})
        return content

    def answer(self, text: str = "done") -> None:
        """Tool results for the last answer."""
        uses = [block["id"] for block in self.messages[-1]["content"] if block["type"] == "tool_use"]
        results = [{"type": "tool_result", "tool_use_id": id_, "content": text} for id_ in uses]
        self.messages.append({"role": "user", "content": results})

    def worked(self) -> "Talk":
        """After one tool call, answered."""
        self.server.script(Turn((Thinking("hm"), Text("I look."), ToolUse("Read", {"a": 1}))))
        self.send()
        self.answer()
        return self

    @property
    def rules(self) -> list[str]:
        return [v.rule for v in self.server.violations]


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer() as server:
        server.policy(lambda asked: say("ok"))
        yield server


@pytest.fixture
def http(server: ModelServer) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=server.url, headers={"anthropic-version": "2023-06-01"}) as http:
        yield http


@pytest.fixture
def talk(server: ModelServer, http: httpx2.Client) -> Talk:
    return Talk(server, http)


def test_an_honest_conversation_breaks_nothing(talk: Talk) -> None:
    for _ in range(3):
        talk.worked()
    talk.send()
    for n, message in enumerate(talk.messages):
        if n % 2 == 0 and isinstance(message["content"], list):
            message["content"][-1]["cache_control"] = {"type": "ephemeral"}
    talk.messages.append({"role": "user", "content": "more"})
    talk.messages[2]["content"][-1].pop("cache_control")
    talk.messages[4]["content"][-1].pop("cache_control")
    talk.send()
    talk.server.check()


def broken(talk: Talk, change: Any) -> list[str]:
    talk.worked()
    change(talk.messages)
    talk.send()
    return talk.rules


def test_a_tool_call_without_answer_is_refused_as_the_service_does(talk: Talk) -> None:
    talk.worked()
    talk.messages[-1]["content"] = [{"type": "text", "text": "never mind"}]
    answer = talk.http.post("/v1/messages", json={**talk.body, "messages": talk.messages})
    assert answer.status_code == 400
    assert "without `tool_result` blocks immediately after" in answer.json()["error"]["message"]
    assert talk.rules == ["unanswered"]


@pytest.mark.parametrize(
    "rule, change",
    [
        ("twice", lambda m: m[-1]["content"].append(deepcopy(m[-1]["content"][0]))),
        ("orphan", lambda m: m[-1]["content"].append({**m[-1]["content"][0], "tool_use_id": "toolu_0"})),
        ("order", lambda m: m[-1]["content"].insert(0, {"type": "text", "text": "see:"})),
        ("roles", lambda m: m.append({"role": "user", "content": "again"})),
        ("roles", lambda m: m.insert(0, {"role": "assistant", "content": "I begin"})),
        ("empty", lambda m: m[-1]["content"].append({"type": "text", "text": ""})),
        ("thinking", lambda m: m[1]["content"][0].update(thinking="hm!")),
        ("thinking", lambda m: m[1]["content"][0].update(signature="forged")),
        ("thinking_lost", lambda m: m[1]["content"].pop(0)),
        ("rewritten", lambda m: m[1]["content"][1].update(text="I looked.")),
        (
            "ids",
            lambda m: (m[1]["content"][2].update(id="a b"), m[2]["content"][0].update(tool_use_id="a b")),
        ),
        (
            "invented",
            lambda m: (
                m[1]["content"][2].update(id="toolu_9"),
                m[2]["content"][0].update(tool_use_id="toolu_9"),
            ),
        ),
    ],
)
def test_each_broken_history_is_named(talk: Talk, rule: str, change: Any) -> None:
    first = talk.worked().messages
    talk.send(first)
    talk.messages.append({"role": "user", "content": [{"type": "text", "text": "and on"}]})
    if rule in ("rewritten", "thinking", "thinking_lost", "invented", "ids", "roles"):
        change(talk.messages)
    else:
        talk.worked()
        change(talk.messages)
    talk.send()
    assert rule in talk.rules
    if rule in ("thinking_lost", "thinking", "invented", "ids"):
        assert set(talk.rules) <= {rule, "rewritten", "thinking_lost", "invented"}


@pytest.mark.parametrize(
    "rule, more",
    [
        ("max_tokens", {"max_tokens": 8193}),
        ("max_tokens", {"max_tokens": 0}),
        ("empty", {"system": [{"type": "text", "text": ""}]}),
        ("marks", {"system": [{**SYSTEM[0], "text": f"part {n}"} for n in range(5)]}),
        ("tools", {"tools": [{**TOOLS[0], "input_schema": {"type": "array"}}]}),
        ("tools", {"tools": [*TOOLS, *TOOLS]}),
        ("tools", {"tools": [{**TOOLS[0], "name": "two words"}]}),
        ("tools", {"tools": [{**TOOLS[0], "description": ""}]}),
    ],
)
def test_each_broken_field_is_named(talk: Talk, rule: str, more: dict[str, Any]) -> None:
    talk.send(**more)
    assert talk.rules == [rule]


@pytest.mark.parametrize(
    "schema",
    [
        {"properties": {"a": {"type": "text"}}},
        {"properties": {"a": {"type": "string", "enum": []}}},
        {"properties": {"a": {"type": "integer", "minimum": "1"}}},
        {"properties": {"a": {"type": "string", "minLenght": 1}}},
        {"properties": {"a": {"anyOf": []}}},
        {"properties": {"a": "string"}},
        {"properties": {"a": {"type": "array", "items": {"type": "file"}}}},
        {"properties": {}, "required": ["a"]},
        {"required": "a"},
        {"properties": {"a": {"type": "string", "pattern": "("}}},
    ],
)
def test_schemas_that_say_nothing_sensible_are_named(talk: Talk, schema: dict[str, Any]) -> None:
    talk.send(tools=[{**TOOLS[0], "input_schema": {"type": "object", **schema}}])
    assert talk.rules == ["tools"]


def test_a_rich_schema_is_taken(talk: Talk) -> None:
    inner = {"type": "array", "items": {"anyOf": [{"type": "string"}, {"type": "null"}]}, "minItems": 1}
    schema = {
        "type": "object",
        "properties": {"-i": {"type": "boolean"}, "list": inner, "n": {"type": "integer", "minimum": 0}},
        "required": ["list"],
        "additionalProperties": False,
    }
    talk.send(tools=[{**TOOLS[0], "input_schema": schema}])
    talk.server.check()


def test_a_tool_call_of_a_cut_reply_may_not_come_back(talk: Talk) -> None:
    turn = call("Read", {"a": 1}, fault=Cut(10_000))
    talk.server.script(Turn(turn.blocks, fault=Cut(300), pace=Pace(writes=(50,))))
    with pytest.raises(httpx2.TransportError):
        talk.send()
    (use,) = talk.server.calls[0].blocks
    assert isinstance(use, ToolUse)
    talk.messages.append(
        {"role": "assistant", "content": [{"type": "tool_use", "id": use.id, "name": "Read", "input": {}}]}
    )
    talk.answer()
    talk.send()
    assert talk.rules == ["cut_reply"]


def test_system_and_tools_stay_the_same_within_a_conversation(talk: Talk) -> None:
    talk.worked().send(system="You are careless.")
    assert talk.rules == ["prefix"]
    assert "system changed" in talk.server.violations[0].text
    turned = [{"description": "Read a file", **TOOLS[0]}]  # the same tool, its keys in another order
    talk.messages.append({"role": "user", "content": "more"})
    talk.send(tools=turned)
    assert [v.text.split()[0] for v in talk.server.violations] == ["system", "tools"]


def test_a_lane_may_ask_for_one_prefix_over_all_conversations(
    server: ModelServer, http: httpx2.Client
) -> None:
    server.lane(one_prefix=True)
    Talk(server, http, "one").send()
    Talk(server, http, "two").send(system="Today is another day.")
    assert [v.rule for v in server.violations] == ["prefix"]


def test_retries_further_words_and_equal_beginnings_are_no_rewriting(
    server: ModelServer, http: httpx2.Client
) -> None:
    one, two = Talk(server, http), Talk(server, http)
    one.send()
    two.send()  # the same first words once more: another conversation
    for talk, word in ((one, "left"), (two, "right")):
        talk.messages.append({"role": "user", "content": [{"type": "text", "text": word}]})
        server.script(rate_limited())
        talk.send()
        talk.messages[-1]["content"].append({"type": "text", "text": "and, while you were away"})
        talk.send()
        talk.messages.append({"role": "user", "content": "go on"})
        talk.send()
    server.check()


@pytest.mark.parametrize(
    "form",
    [
        "s3cret-c4nary",
        "yran4c-terc3s",
        base64.b64encode(b"s3cret-c4nary").decode(),
        base64.b64encode(b"token=s3cret-c4nary; x").decode(),
        base64.b64encode(b"my s3cret-c4nary").decode(),
        b"s3cret-c4nary".hex(),
    ],
)
def test_a_canary_is_found_in_its_disguises(talk: Talk, form: str) -> None:
    talk.server.checks.canaries.add("s3cret-c4nary")
    talk.send([{"role": "user", "content": f"see {form} here"}])
    assert talk.rules == ["canary"]
    assert "s3cret-c4nary" not in talk.server.violations[0].text


def test_limits_can_be_told_to_a_lane(server: ModelServer, http: httpx2.Client) -> None:
    server.lane(max_tokens=20_000, max_tools_tokens=10)
    talk = Talk(server, http)
    talk.send(max_tokens=20_000)
    assert talk.rules == ["tools_tokens"]
    assert server.report()["tools_tokens"] > 10


def test_openai_histories_are_held_to_the_same(server: ModelServer, http: httpx2.Client) -> None:
    server.script(call("Read", {"file_path": "a"}))
    functions = [
        {
            "type": "function",
            "function": {
                "name": "Read",
                "description": "Read a file",
                "parameters": {"type": "object", "properties": {}},
            },
        }
    ]
    body = {"model": "gpt-4o-mini", "max_completion_tokens": 50, "tools": functions}
    messages: list[Any] = [{"role": "system", "content": "Careful."}, {"role": "user", "content": "begin"}]
    first = http.post("/v1/chat/completions", json={**body, "messages": messages}).json()
    said = first["choices"][0]["message"]
    use = said["tool_calls"][0]
    messages.append({"role": "assistant", "content": None, "tool_calls": [use]})
    result = {"role": "tool", "tool_call_id": use["id"], "content": "text of a"}
    assert http.post("/v1/chat/completions", json={**body, "messages": messages}).status_code == 400
    assert [v.rule for v in server.violations] == ["unanswered"]
    server.violations.clear()
    messages.append(result)
    answer = http.post("/v1/chat/completions", json={**body, "messages": messages})
    assert answer.json()["choices"][0]["message"]["content"] == "ok"
    server.check()
    assert server.calls[-1].asked.results[0].result == "text of a"
    http.post("/v1/chat/completions", json={**body, "messages": [*messages, result]})
    assert "twice" in {v.rule for v in server.violations}


def test_a_lane_may_let_everything_through(server: ModelServer, http: httpx2.Client) -> None:
    server.lane(foreign_history=True, rewrites=True, but=frozenset({"roles"}))
    talk = Talk(server, http).worked()
    talk.messages[1]["content"] = [{"type": "tool_use", "id": "toolu_other", "name": "Read", "input": {}}]
    talk.messages[2]["content"][0]["tool_use_id"] = "toolu_other"
    talk.messages.append({"role": "user", "content": "twice mine"})
    talk.send()
    server.check()


def test_without_a_version_the_service_says_no(server: ModelServer) -> None:
    body = {"model": "m", "max_tokens": 1, "messages": [{"role": "user", "content": "x"}]}
    answer = httpx2.post(f"{server.url}/v1/messages", json=body)
    assert (answer.status_code, server.violations[0].rule) == (400, "version")
