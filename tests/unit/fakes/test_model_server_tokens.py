"""Tokens come near to what real services counted, caches are read and written as theirs, and prices add up."""

import json
import re
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from tests.fakes.model_server import ModelServer, Redacted, Spent, Text, Thinking, ToolUse, say
from tests.fakes.model_server.asked import read
from tests.fakes.model_server.tokens import estimate, price_of, said_tokens, segments
from tests.unit.fakes.recorded import exchanges, needs_data

WORDS = " ".join(f"word{n % 7} is here" for n in range(700))
SHORT = {"type": "ephemeral"}


class Seconds:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Seconds:
    return Seconds()


@pytest.fixture
def server(clock: Seconds) -> Iterator[ModelServer]:
    with ModelServer(now=clock) as server:
        server.policy(lambda asked: say("A short answer."))
        yield server


@pytest.fixture
def http(server: ModelServer) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=server.url, headers={"anthropic-version": "2023-06-01"}) as http:
        yield http


def used(http: httpx2.Client, system: list[Any], messages: list[Any], **more: Any) -> Spent:
    body = {"model": "claude-sonnet-4-6", "max_tokens": 100, "system": system, "messages": messages, **more}
    row = http.post("/v1/messages", json=body).json()["usage"]
    return Spent(
        row["input_tokens"],
        row["output_tokens"],
        row["cache_read_input_tokens"],
        row["cache_creation_input_tokens"],
        row["cache_creation"]["ephemeral_1h_input_tokens"],
    )


def user(text: str, **more: Any) -> dict[str, Any]:
    return {"role": "user", "content": [{"type": "text", "text": text, **more}]}


def assistant(text: str = "A short answer.") -> dict[str, Any]:
    return {"role": "assistant", "content": [{"type": "text", "text": text}]}


@needs_data
def test_estimates_are_near_what_was_counted() -> None:
    near = []
    for name, row in exchanges():
        request, answer = row["request"] or {}, row["response"]["body"]
        if "/v1/messages" not in (request.get("url") or "") or row["response"]["status"] != 200:
            continue
        counted = _counted(answer)
        special = {"output_config", "thinking"} & set(request["body"])
        if counted < 100 or special or any("type" in tool for tool in request["body"].get("tools", [])):
            continue  # what the service itself adds for these is not estimated
        asked = read(
            1, name, "anthropic", "", {}, httpx2.Request("POST", "http://x", json=request["body"]).content
        )
        near.append((sum(part.tokens for part in segments(asked)) / counted, name))
    assert len(near) > 15
    far = [(ratio, name) for ratio, name in near if not 0.8 < ratio < 1.25]
    assert len(far) <= len(near) // 7, far
    assert 0.9 < sum(ratio for ratio, _ in near) / len(near) < 1.1


def _counted(answer: Any) -> int:
    text = answer if isinstance(answer, str) else json.dumps(answer)
    names = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
    found = [re.search(rf'"{name}"\s*:\s*(\d+)', text) for name in names]
    plain = re.search(r'[,{]\s*"input_tokens"\s*:\s*(\d+)', text)
    values = [int(one[1]) if one else 0 for one in (plain, *found[1:])]
    return sum(values)


def test_a_prefix_is_written_once_and_then_read(http: httpx2.Client) -> None:
    system = [{"type": "text", "text": WORDS, "cache_control": SHORT}]
    first = used(http, system, [user("hello")])
    second = used(http, system, [user("hello"), assistant(), user("and now?")])
    assert first.cache_write == second.cache_read > 2000
    assert first.cache_read == second.cache_write == 0
    assert first.input < 20
    assert 0 < second.input < 40


def test_a_growing_conversation_reads_all_but_its_end(server: ModelServer, http: httpx2.Client) -> None:
    system = [{"type": "text", "text": WORDS, "cache_control": SHORT}]
    messages: list[Any] = []
    for n in range(20):
        plain = [{**m, "content": [{"type": "text", "text": m["content"][0]["text"]}]} for m in messages]
        messages = [*plain, user(f"step {n} " + "detail " * 20, cache_control=SHORT)]
        used(http, system, messages)
        messages.append(assistant())
    report = server.report()
    assert report["cached"] > 0.9
    assert report["cache_read_tokens"] / (report["cache_read_tokens"] + report["input_tokens"]) > 0.99
    server.check()


def test_caches_grow_old_after_five_minutes_without_use(clock: Seconds, http: httpx2.Client) -> None:
    system = [{"type": "text", "text": WORDS, "cache_control": SHORT}]
    used(http, system, [user("hello")])
    for _ in range(3):
        clock.now += 299
        assert used(http, system, [user("hello")]).cache_read > 0
    clock.now += 301
    late = used(http, system, [user("hello")])
    assert (late.cache_read, late.cache_write > 0) == (0, True)


def test_an_hour_can_be_asked_for(clock: Seconds, http: httpx2.Client) -> None:
    system = [{"type": "text", "text": WORDS, "cache_control": {"type": "ephemeral", "ttl": "1h"}}]
    first = used(http, system, [user("hello")])
    assert first.cache_write_1h == first.cache_write > 0
    clock.now += 3000
    assert used(http, system, [user("hello")]).cache_read == first.cache_write


def test_a_mark_at_the_top_marks_the_last_block(http: httpx2.Client) -> None:
    messages = [user(WORDS)]
    first = used(http, [], messages, cache_control=SHORT)
    second = used(http, [], messages, cache_control=SHORT)
    assert first.cache_write == second.cache_read > 2000


def test_short_prefixes_and_changed_ones_are_not_cached(http: httpx2.Client) -> None:
    short = [{"type": "text", "text": "Be careful.", "cache_control": SHORT}]
    assert used(http, short, [user("hello")]).cache_write == 0
    for text in (WORDS, f"It is 10:01. {WORDS}", f"It is 10:02. {WORDS}"):
        spent = used(http, [{"type": "text", "text": text, "cache_control": SHORT}], [user("hello")])
        assert (spent.cache_read, spent.cache_write > 2000) == (0, True)


def test_openai_caches_long_prefixes_by_itself(clock: Seconds, http: httpx2.Client) -> None:
    def cached(text: str) -> int:
        body = {"model": "gpt-4o-mini", "max_tokens": 50}
        messages = [{"role": "system", "content": WORDS}, {"role": "user", "content": text}]
        answer = http.post("/v1/chat/completions", json={**body, "messages": messages}).json()
        assert answer["usage"]["total_tokens"] == (
            answer["usage"]["prompt_tokens"] + answer["usage"]["completion_tokens"]
        )
        return answer["usage"]["prompt_tokens_details"]["cached_tokens"]

    assert cached("one") == 0
    assert cached("two") > 1024
    assert cached("two") % 128 == 0
    clock.now += 301
    assert cached("three") == 0


def test_prices_are_of_the_model_and_the_dearest_when_unknown() -> None:
    million = Spent(1_000_000, 1_000_000, 1_000_000, 1_000_000)
    assert price_of("claude-haiku-4-5-20251001").of(million) == pytest.approx(1 + 5 + 0.1 + 1.25)
    assert price_of("claude-sonnet-4-6").of(Spent(cache_write=1_000_000, cache_write_1h=1_000_000)) == 6
    assert price_of("somebody-elses").of(million) == max(
        price_of(name).of(million) for name in ("claude-opus-4-8", "gpt-5", "claude-3-opus", "somebody-elses")
    )


def test_costs_and_bytes_are_summed_by_lane(server: ModelServer, http: httpx2.Client) -> None:
    server.lane("cheap", model="claude-haiku-4-5").policy(lambda asked: say("ok", usage=Spent(1000, 100)))
    for model in ("claude-haiku-4-5", "claude-sonnet-4-6"):
        used(http, [], [user("hello")], model=model)
    report = server.report()
    assert report["lanes"]["cheap"]["cost_usd"] == pytest.approx(0.0015)
    assert report["cost_usd"] == pytest.approx(
        sum(lane["cost_usd"] for lane in report["lanes"].values()), abs=1e-6
    )
    assert report["calls"] == report["whole"] == 2
    assert report["sent_bytes"] > 500 < report["request_bytes"] * 10


def test_estimates_are_exact_about_what_they_promise() -> None:
    assert estimate("word") == 1
    assert estimate("extraordinary") == 2
    assert estimate("a b\nc") == 4
    assert estimate("12345") == 2
    assert estimate("中文") == 2
    assert estimate("") == 0
    said = (Thinking("let me see"), Redacted("x" * 80), Text("ok"), ToolUse("Read", {"a": 1}))
    total, thinking = said_tokens(said)
    assert thinking == 13
    assert total > thinking + 25
