"""Whatever goes wrong with a call has a kind, a text one can act on, and no key in it."""

import json
from email.utils import formatdate

import pytest
from tests.fakes.clock import FakeClock
from tests.fakes.replay import Answer, replaying
from tests.unit.providers.asking import (
    BOTH,
    KEY,
    anthropic,
    anthropic_events,
    ask,
    chunks,
    delta,
    openai,
    sse,
)

from nightclaw.core.errors import ConfigError, Fault
from nightclaw.providers import faults
from nightclaw.providers.anthropic import Anthropic
from nightclaw.providers.wire import Deadlines

pytestmark = pytest.mark.anyio

HTML = Answer(b"<html><h1>502 Bad Gateway</h1></html>", 502, {"content-type": "text/html"})
TOO_LONG = "prompt is too long: 214010 tokens > 200000 maximum"


def typed(kind: str, message: str = "no", status: int = 400, **headers: str) -> Answer:
    return Answer.json({"type": "error", "error": {"type": kind, "message": message}}, status, **headers)


def coded(
    code: str | None, message: str, status: int, kind: str = "invalid_request_error", **headers: str
) -> Answer:
    return Answer.json({"error": {"code": code, "message": message, "type": kind}}, status, **headers)


TABLE = [
    ("anthropic", typed("authentication_error", "invalid x-api-key", 401), "auth", False),
    ("anthropic", typed("permission_error", "not allowed", 403), "auth", False),
    ("anthropic", typed("billing_error", "pay", 402), "quota", False),
    ("anthropic", typed("invalid_request_error", "Your credit balance is too low", 400), "quota", False),
    ("anthropic", typed("invalid_request_error", "You reached your API usage limits.", 400), "quota", False),
    ("anthropic", typed("invalid_request_error", TOO_LONG, 400), "context", False),
    ("anthropic", typed("request_too_large", "too large", 413), "context", False),
    ("anthropic", typed("not_found_error", "model: claude-nope", 404), "model", False),
    ("anthropic", typed("invalid_request_error", "messages: bad", 400), "request", False),
    ("anthropic", typed("rate_limit_error", "slow down", 429), "rate", True),
    ("anthropic", typed("rate_limit_error", "slow down", 429, x_should_retry="false"), "rate", False),
    ("anthropic", typed("api_error", "oops", 500), "server", True),
    ("anthropic", typed("overloaded_error", "Overloaded", 529), "overloaded", True),
    ("anthropic", typed("timeout_error", "late", 504), "timeout", True),
    ("anthropic", typed("conflict", "again", 409), "server", True),
    ("anthropic", Answer(b"", 408), "timeout", True),
    ("anthropic", Answer(b"", 302, {"location": "http://127.0.0.1:1/"}), "server", True),
    ("anthropic", HTML, "server", True),
    ("openai", HTML, "server", True),
    ("openai", coded("invalid_api_key", "Incorrect API key provided: sk-abcdefgh***.", 401), "auth", False),
    ("openai", coded("insufficient_quota", "You exceeded your current quota, see billing.", 429), "quota", False),
    ("openai", coded("rate_limit_exceeded", "Limit hit. Add a payment method.", 429, "tokens"), "rate", True),
    ("openai", coded(None, "Insufficient Balance", 402, "unknown_error"), "quota", False),
    ("openai", coded("context_length_exceeded", "maximum context length is 8192 tokens", 400), "context", False),
    ("openai", coded(None, "exceeds the available context size", 400, "exceed_context_size_error"), "context", False),
    ("openai", coded("model_not_found", "The model `x` does not exist", 404), "model", False),
    ("openai", coded("model_decommissioned", "The model `x` has been decommissioned", 400), "model", False),
    ("openai", coded("tool_use_failed", "Failed to call a function.", 400), "cut", True),
    ("openai", coded("server_error", "boom", 500, "server_error"), "server", True),
    ("openai", Answer.json({"detail": [{"msg": "extra fields not permitted"}]}, 422), "request", False),
    ("openai", Answer.json({"error": "model 'x' not found"}, 404), "model", False),
    ("openai", Answer(b"Service Unavailable", 503, {"content-type": "text/plain"}), "overloaded", True),
    ("openai", Answer(b"\xff\xfe{", 500, {"content-type": "application/json"}), "server", True),
    ("openai", Answer(b"[" * 100_000, 500, {"content-type": "application/json"}), "server", True),
]  # fmt: skip


@pytest.mark.parametrize(("who", "answer", "kind", "may_pass"), TABLE)
async def test_a_refusal_has_its_kind(who: str, answer: Answer, kind: str, may_pass: bool) -> None:
    async with replaying(answer) as server:
        said = await ask(BOTH[who](server.url, None))
        assert len(server.asked) == 1, "providers do not try again; the chain does"
    assert said.error is not None
    assert (said.kind, said.error.may_pass) == (kind, may_pass), said.error.message
    assert said.error.message.startswith(who) and said.error.hint
    assert "<" not in said.error.message
    (call,) = said.error.calls
    assert getattr(call, "error", None) == kind


IN_STREAM = [
    (
        "anthropic",
        sse({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}),
        "overloaded",
    ),
    ("anthropic", sse({"type": "error", "error": {"type": "api_error", "message": "Internal"}}), "server"),
    ("anthropic", b'event: error\ndata: {"message": "?"}\n\n', "server"),
    ("anthropic", b"event: message_start\ndata: {nope}\n\n", "server"),
    ("anthropic", b"event: message_start\ndata: [1]\n\n", "server"),
    ("anthropic", sse({"type": "content_block_delta", "index": 0, "delta": {}}), "cut"),
    ("anthropic", sse({"type": "message_stop"}), "cut"),
    ("anthropic", b"", "cut"),
    ("anthropic", b"<html>come back later</html>", "cut"),
    ("openai", chunks({"error": {"message": "Overloaded", "code": 529}}), "overloaded"),
    ("openai", chunks({"error": {"message": "Rate limited", "code": "429"}}), "rate"),
    ("openai", chunks({"error": "the model crashed"}), "server"),
    ("openai", b"data: {nope}\n\n", "server"),
    ("openai", b"data: [DONE]\n\n", "server"),
    ("openai", b"", "cut"),
    ("openai", b"<html>come back later</html>", "cut"),
]


@pytest.mark.parametrize(("who", "body", "kind"), IN_STREAM)
async def test_an_error_after_200_is_an_error(who: str, body: bytes, kind: str) -> None:
    """Also when text came before it: then the text is void."""
    started = (
        sse({"type": "message_start", "message": {"usage": {}}})
        if who == "anthropic"
        else chunks(delta(content="Let me"), done=False)
    )
    for first in (b"", started if b"DONE" not in body else b""):
        async with replaying(Answer(first + body)) as server:
            said = await ask(BOTH[who](server.url, None))
        assert said.kind in (kind, "cut"), said.error


async def test_waiting_times_are_understood() -> None:
    clock = FakeClock()
    now = clock.now_ms()
    for given, seconds in (
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({"retry-after": formatdate(now / 1000 + 90, usegmt=True)}, 90.0),
        ({"retry-after": formatdate(now / 1000 - 90, usegmt=True)}, 0.0),
        ({"retry-after": "-3"}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "nan"}, None),
        ({}, None),
    ):
        assert faults.retry_after_s(given, now) == seconds, given
    async with replaying(Answer.json({}, 429, retry_after="12")) as server:
        said = await ask(anthropic(server.url))
    assert said.error is not None and said.error.retry_after_s == 12.0


@pytest.mark.parametrize("who", ["anthropic", "openai"])
async def test_no_error_holds_a_key(who: str) -> None:
    """Not ours, not one that looks like one, not in any field, repr or cause."""
    other = "sk-ant-api03-" + "Z" * 40
    message = f"Incorrect key {KEY}, also {other}; Authorization: Bearer abcdef.ghijkl \x1b[31mred"
    for answer in (
        coded("invalid_api_key", message, 401),
        Answer(sse({"type": "error", "error": {"message": message}})),
    ):
        async with replaying(answer) as server:
            said = await ask(BOTH[who](server.url, None))
        assert said.error is not None
        shown = repr((said.error, said.error.__dict__, said.error.__cause__))
        for secret in (KEY, other, "abcdef.ghijkl", "\\x1b"):
            assert secret not in shown


async def test_a_service_that_is_not_there_is_a_network_matter() -> None:
    for who in BOTH:
        said = await ask(BOTH[who]("http://127.0.0.1:9", None))
        assert said.error is not None and said.kind == "network" and said.error.may_pass
        assert "127.0.0.1:9" in said.error.hint


async def test_an_error_page_without_an_end_is_read_only_so_far() -> None:
    endless = Answer(b"x" * 3_000_000, 500, {"content-type": "text/plain"}, ends="never")
    for who in BOTH:
        async with replaying(endless) as server:
            said = await ask(BOTH[who](server.url, Deadlines(silence_s=1)))
        assert said.error is not None and said.kind == "server" and len(said.error.message) < 400


async def test_a_key_that_cannot_be_read_says_where_it_should_be() -> None:
    def missing() -> str:
        problem = "the environment variable MY_KEY is not set"
        raise ConfigError([Fault("config.toml", 0, "providers.anthropic.api_key", problem, "set MY_KEY")])

    async with replaying(Answer(anthropic_events())) as server:
        said = await ask(Anthropic("anthropic", server.url, missing, "", FakeClock()))
        assert not server.asked
    assert said.error is not None and said.kind == "auth" and not said.error.calls
    assert "MY_KEY is not set" in said.error.message and said.error.hint == "set MY_KEY"


async def test_a_redirect_takes_the_key_nowhere() -> None:
    async with replaying(Answer(anthropic_events())) as elsewhere:
        moved = Answer(b"", 307, {"location": elsewhere.url + "/v1/messages"})
        async with replaying(moved) as server:
            for who in BOTH:
                said = await ask(BOTH[who](server.url, None))
                assert said.kind == "server"
        assert not elsewhere.asked


async def test_the_key_goes_with_every_call_and_is_read_each_time() -> None:
    keys = iter(["first-key", "second-key"])
    body = json.dumps({"choices": [{"message": {"content": "hi"}, "finish_reason": "stop"}]}).encode()
    async with replaying(Answer(body, headers={"content-type": "application/json"})) as server:
        await ask(openai(server.url))
        assert server.asked[0].headers["authorization"] == f"Bearer {KEY}"
    async with replaying(Answer(anthropic_events({"type": "text", "text": "hi"}))) as server:
        provider = Anthropic("anthropic", server.url, lambda: next(keys), "", FakeClock())
        await ask(provider, close=False)
        await ask(provider)
        assert ["first-key" in asked.headers["authorization"] for asked in server.asked] == [True, False]
        assert "second-key" in server.asked[1].headers["authorization"]
