"""A turn over a chain: what is tried again, how often, who is asked next, and what followers and ledger see."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
from tests.fakes.clock import FakeClock
from tests.fakes.replay import Answer, Replay, replaying
from tests.unit.providers.asking import anthropic, anthropic_events, ask, chunks, delta, openai, request_of

from nightclaw.core.errors import ProviderError
from nightclaw.core.ports import ModelCall, ModelRequest, Reply, TextDelta, Usage
from nightclaw.problems import Problems
from nightclaw.providers.anthropic import Anthropic
from nightclaw.providers.breaker import Breaker
from nightclaw.providers.openai import OpenAI
from nightclaw.providers.retry import Chain, Link
from nightclaw.providers.wire import Parts

pytestmark = pytest.mark.anyio

FINE = Answer(anthropic_events({"type": "text", "text": "All is well."}))
BUSY = Answer.json({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}, 529)
NO_KEY = Answer.json({"type": "error", "error": {"type": "authentication_error", "message": "invalid"}}, 401)
WRONG = Answer.json({"type": "error", "error": {"type": "invalid_request_error", "message": "no"}}, 400)
GONE = Answer.json({"type": "error", "error": {"type": "not_found_error", "message": "model: x"}}, 404)
CUT = Answer(anthropic_events({"type": "text", "text": "All is"})[:-150], ends="reset")
OTHER_FINE = Answer(chunks(delta(content="From another."), delta("stop")))


class Stage:
    """A chain over replayed services, its clock and its problems; waiting costs no time but moves the clock."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.problems = Problems()
        self.waits: list[float] = []
        self.breakers: dict[str, Breaker] = {}
        self._made: list[Anthropic | OpenAI] = []

    async def aclose(self) -> None:
        for provider in self._made:
            await provider.aclose()

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        await self.clock.advance(seconds)

    def first(self, server: Replay, model: str = "claude-sonnet-4-5") -> Link:
        self._made.append(anthropic(server.url))
        return Link(self._made[-1], "anthropic", model, self.breaker("anthropic"))

    def second(self, server: Replay) -> Link:
        self._made.append(openai(server.url))
        return Link(self._made[-1], "openai", "gpt-5", self.breaker("openai"))

    def breaker(self, name: str) -> Breaker:
        return self.breakers.setdefault(name, Breaker(name, self.clock, self.problems))

    def chain(self, *links: Link, jitter: Callable[[float, float], float] = lambda _, most: most) -> Chain:
        return Chain(links, sleep=self.sleep, jitter=jitter)

    def told(self) -> dict[str, str]:
        return {p.part: p.message for p in self.problems.items()}


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    made = Stage()
    yield made
    await made.aclose()


def errors(calls: object) -> list[str | None]:
    assert isinstance(calls, tuple)
    return [call.error for call in calls if isinstance(call, ModelCall)]


async def test_what_passes_is_tried_again_and_everything_is_counted(stage: Stage) -> None:
    async with replaying(BUSY, CUT, FINE) as server:
        said = await ask(stage.chain(stage.first(server)))
    assert said.text == "All is well." and said.reply is not None
    assert errors(said.reply.calls) == ["overloaded", "cut", None]
    assert len(said.restarts) == 2 and "trying again" in said.restarts[0]
    assert stage.waits == [2.0, 4.0]
    assert said.reply.model == "anthropic/claude-sonnet-4-5"
    assert said.reply.usage.cost_usd == pytest.approx((10 * 3 + 20 * 15) / 1e6)
    assert said.reply.calls[1].usage.cost_usd > 0 and said.reply.calls[0].usage == Usage()
    assert stage.told() == {}


async def test_a_restart_comes_before_anything_is_said_twice(stage: Stage) -> None:
    async with replaying(CUT, FINE) as server:
        said = await ask(stage.chain(stage.first(server)))
    kinds = [type(part).__name__ for part in said.parts]
    assert kinds == ["TextDelta", "Restarted", "TextDelta", "Reply"]


async def test_three_tries_are_all(stage: Stage) -> None:
    async with replaying(BUSY) as server:
        said = await ask(stage.chain(stage.first(server)))
        assert len(server.asked) == 3
    assert said.error is not None and said.error.may_pass and said.kind == "overloaded"
    assert errors(said.error.calls) == ["overloaded"] * 3
    assert said.error.retry_after_s == pytest.approx(60, abs=1)


async def test_waiting_has_full_jitter(stage: Stage) -> None:
    windows: list[tuple[float, float]] = []

    def low(least: float, most: float) -> float:
        windows.append((least, most))
        return least

    async with replaying(BUSY, BUSY, FINE) as server:
        await ask(stage.chain(stage.first(server), jitter=low))
    assert windows == [(0.0, 2.0), (0.0, 4.0)] and stage.waits == [0.0, 0.0]


@pytest.mark.parametrize(("answer", "kind"), [(NO_KEY, "auth"), (WRONG, "request"), (GONE, "model")])
async def test_what_does_not_pass_is_asked_once(stage: Stage, answer: Answer, kind: str) -> None:
    async with replaying(answer) as server:
        said = await ask(stage.chain(stage.first(server)))
        assert len(server.asked) == 1
    assert said.error is not None and said.kind == kind and not said.error.may_pass and stage.waits == []


async def test_the_next_model_is_asked_after_two_failures(stage: Stage) -> None:
    async with replaying(BUSY) as server, replaying(OTHER_FINE) as other:
        said = await ask(stage.chain(stage.first(server), stage.second(other)))
        assert (len(server.asked), len(other.asked)) == (2, 1)
    assert said.text == "From another." and said.reply is not None
    assert errors(said.reply.calls) == ["overloaded", "overloaded", None]
    assert said.reply.model == "openai/gpt-5" and "asking openai/gpt-5" in said.restarts[-1]
    assert len(stage.waits) == 2 and stage.waits[1] == 0.0


@pytest.mark.parametrize(
    ("answer", "part"), [(NO_KEY, "provider anthropic"), (GONE, "model anthropic/claude-sonnet-4-5")]
)
async def test_a_bad_key_or_a_missing_model_sends_the_turn_on_at_once(
    stage: Stage, answer: Answer, part: str
) -> None:
    async with replaying(answer) as server, replaying(OTHER_FINE) as other:
        chain = stage.chain(stage.first(server), stage.second(other))
        assert (await ask(chain, close=False)).text == "From another."
        assert (await ask(chain)).text == "From another."
        assert len(server.asked) == 1, "told once, and not asked again at once"
    assert list(stage.told()) == [part]


async def test_a_wrong_request_is_not_tried_elsewhere(stage: Stage) -> None:
    async with replaying(WRONG) as server, replaying(OTHER_FINE) as other:
        said = await ask(stage.chain(stage.first(server), stage.second(other)))
        assert said.kind == "request" and not other.asked


async def test_a_service_that_names_its_time_is_given_it(stage: Stage) -> None:
    later = Answer.json({"error": {"type": "rate_limit_error", "message": "slow"}}, 429, retry_after="12")
    async with replaying(later, FINE) as server:
        said = await ask(stage.chain(stage.first(server)))
    assert said.reply is not None and stage.waits == [13.0]


async def test_a_long_wait_is_handed_to_the_caller_and_kept(stage: Stage) -> None:
    later = Answer.json({"error": {"type": "rate_limit_error", "message": "slow"}}, 429, retry_after="3600")
    async with replaying(later, FINE) as server, replaying(OTHER_FINE) as other:
        alone = stage.chain(stage.first(server))
        said = await ask(alone, close=False)
        assert (
            said.error is not None and said.error.may_pass and said.error.retry_after_s == pytest.approx(3600)
        )
        again = await ask(alone, close=False)
        assert again.error is not None and again.error.retry_after_s == pytest.approx(3600)
        assert not again.error.calls and len(server.asked) == 1, "it is left alone until then"
        assert (await ask(stage.chain(stage.first(server), stage.second(other)))).text == "From another."
        await stage.clock.advance(3601)
        assert (await ask(alone)).text == "All is well."


async def test_two_models_of_one_provider_are_limited_apart(stage: Stage) -> None:
    later = Answer.json({"error": {"type": "rate_limit_error", "message": "slow"}}, 429, retry_after="600")

    async with replaying(by=lambda asked: FINE if asked.json["model"] == "small" else later) as server:
        said = await ask(stage.chain(stage.first(server, "large"), stage.first(server, "small")))
    assert said.reply is not None and said.reply.model == "anthropic/small"


async def test_output_is_capped_and_the_model_is_the_chains_own(stage: Stage) -> None:
    async with replaying(FINE) as server:
        await ask(
            stage.chain(stage.first(server)), ModelRequest("", request_of().messages, max_tokens=64_000)
        )
        body = server.asked[0].json
    assert body["model"] == "claude-sonnet-4-5" and body["max_tokens"] == 8192


class Endless:
    """Streams a word and then nothing, until it is cancelled."""

    kind = "endless"

    def __init__(self) -> None:
        self.was_closed = False

    async def stream(self, request: ModelRequest) -> Parts:
        try:
            yield TextDelta("word " * 30)
            await asyncio.Event().wait()
        finally:
            self.was_closed = True


async def test_a_cancelled_turn_is_counted_and_learns_nothing(stage: Stage) -> None:
    endless = Endless()
    chain = stage.chain(Link(endless, "anthropic", "claude-sonnet-4-5", stage.breaker("anthropic")))
    heard = asyncio.Event()

    async def listen() -> None:
        async for _ in chain.stream(request_of()):
            heard.set()

    listening = asyncio.ensure_future(listen())
    await asyncio.wait_for(heard.wait(), 5)
    listening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await listening
    assert endless.was_closed
    (call,) = chain.calls
    assert call.error == "cancelled" and call.usage.output_tokens == 50 and call.usage.cost_usd > 0
    assert stage.breaker("anthropic").failures == 0


async def test_an_answer_without_an_end_is_no_answer() -> None:
    class Silent:
        kind = "silent"

        async def stream(self, request: ModelRequest) -> Parts:
            yield TextDelta("half")

    stage = Stage()
    said = await ask(stage.chain(Link(Silent(), "x", "m", stage.breaker("x"))))
    assert said.kind == "cut"


async def down_for(hours: float, every_s: float, models: int = 1, at_once: int = 1) -> tuple[int, Stage]:
    """How many calls a service sees that is down, when turns keep being asked for."""
    stage = Stage()
    calls = 0

    class Down:
        kind = "down"

        async def stream(self, request: ModelRequest) -> Parts:
            nonlocal calls
            calls += 1
            await asyncio.sleep(0)
            raise ProviderError("down", kind="server", may_pass=True)
            yield Reply([], "", Usage(), "")

    links = [Link(Down(), "anthropic", f"m{n}", stage.breaker("anthropic")) for n in range(models)]
    asked = 0.0
    while asked < hours * 3600:
        turns = [ask(stage.chain(*links, jitter=lambda least, _: least)) for _ in range(at_once)]
        for said in await asyncio.gather(*turns):
            assert said.error is not None and said.error.may_pass and said.error.retry_after_s is not None
        await stage.clock.advance(every_s)
        asked += every_s
    return calls, stage


@pytest.mark.parametrize(("every_s", "models", "at_once"), [(5, 1, 1), (60, 1, 1), (300, 2, 1), (30, 3, 3)])
async def test_a_service_that_is_down_for_six_hours_sees_at_most_forty_calls(
    every_s: float, models: int, at_once: int
) -> None:
    calls, stage = await down_for(6, every_s, models, at_once)
    assert 10 <= calls <= 40
    assert stage.told() == {"provider anthropic": "anthropic is down since 2026-11-20 12:00 UTC; work waits"}


async def test_the_first_answer_closes_the_matter(stage: Stage) -> None:
    async with replaying(BUSY, BUSY, BUSY, BUSY, FINE) as server:
        chain = stage.chain(stage.first(server))
        await ask(chain, close=False)
        assert "is down since" in stage.told()["provider anthropic"]
        refused = await ask(chain, close=False)
        assert (
            refused.error is not None
            and not refused.error.calls
            and "asked again in" in refused.error.message
        )
        await stage.clock.advance(61)
        assert (await ask(chain, close=False)).error is not None
        assert len(server.asked) == 4, "a probe is one call"
        await stage.clock.advance(121)
        assert (await ask(chain)).text == "All is well."
    assert stage.told() == {}


async def test_while_one_probe_is_out_nobody_else_asks(stage: Stage) -> None:
    breaker = stage.breaker("anthropic")
    for _ in range(3):
        breaker.failed("m", ProviderError("x", kind="server", may_pass=True))
    await stage.clock.advance(60)
    assert breaker.wait_s("m") == 0
    breaker.begin()
    assert breaker.wait_s("m") == 60
    breaker.left()
    assert breaker.wait_s("m") == 0


async def test_a_clock_set_back_does_not_lock_a_service_out(stage: Stage) -> None:
    breaker = stage.breaker("anthropic")
    for _ in range(3):
        breaker.failed("m", ProviderError("x", kind="server", may_pass=True))
    stage.clock.set_wall("2026-11-19T12:00:00+00:00")
    assert breaker.wait_s("m") == 0
