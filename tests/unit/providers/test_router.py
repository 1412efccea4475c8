"""Which model answers which role: from a real config, with keys, repositories that allow few, and nothing at all."""

from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest
from tests.fakes.clock import FakeClock
from tests.fakes.replay import Answer, Asked, Replay, replaying
from tests.unit.providers.asking import KEY, TOOL, anthropic_events, ask, chunks, delta, request_of

from nightclaw import config
from nightclaw.core.errors import ProviderError
from nightclaw.core.ports import ModelRequest, Reply, TextDelta, Usage
from nightclaw.problems import Problems
from nightclaw.providers import offline
from nightclaw.providers.offline import Glance
from nightclaw.providers.router import Router
from nightclaw.providers.wire import Parts

pytestmark = pytest.mark.anyio

FINE = Answer(anthropic_events({"type": "text", "text": "All is well."}))
CHAT_FINE = Answer(chunks(delta(content="From another."), delta("stop")))
REFUSED = Answer.json({"error": {"type": "authentication_error", "message": f"bad key {KEY}"}}, 401)
NOWHERE = "http://127.0.0.1:9"


async def look(question: str) -> Glance:
    return Glance(["nothing waits"], [], [])


class House:
    """A router over a home whose config.toml is `toml` (None: there is no file)."""

    def __init__(self, home: Path, toml: str | None, env: Mapping[str, str] | None = None) -> None:
        self.home = home
        self.env = {"HOME": str(home), "OLLAMA_HOST": NOWHERE, **(env or {})}
        self.clock = FakeClock()
        self.problems = Problems()
        self.write(toml)
        self.router = Router(
            lambda: self.config, self.clock, self.problems, offline=offline.build({}, {"look": look}),
            env=self.env, sleep=self.clock.advance,
        )  # fmt: skip

    def write(self, toml: str | None) -> None:
        self.home.mkdir(exist_ok=True)
        if toml is not None:
            (self.home / "config.toml").write_text(toml)
        self.config = config.load(self.home, self.env)

    async def ask(self, role: str = "agent", allowed: list[str] | None = None) -> str:
        """What the role's chain says; the message of its error."""
        chain = self.router.chain(role, allowed)
        assert chain is not None, "nobody may answer"
        said = await ask(chain)
        return said.text if said.error is None else said.error.message


@pytest.fixture
async def houses(tmp_path: Path) -> AsyncIterator[list[House]]:
    made: list[House] = []
    yield made
    for house in made:
        await house.router.aclose()


@pytest.fixture
def house(tmp_path: Path, houses: list[House]):
    def make(toml: str | None, **env: str) -> House:
        houses.append(House(tmp_path / f"home{len(houses)}", toml, env))
        return houses[-1]

    return make


def two(first: Replay, second: Replay, models: str) -> str:
    return f"""
[models]
{models}
[providers.anthropic]
api_key = {{ env = "A_KEY" }}
base_url = "{first.url}"
[providers.mine]
kind = "openai"
base_url = "{second.url}/v1"
"""


async def test_roles_have_chains_and_fall_back_to_the_agents(house) -> None:
    made = house(
        '[models]\nagent = ["anthropic/a", "mine/b"]\ntriage = "mine/c"\n'
        '[providers.mine]\nkind = "openai"\nbase_url = "http://127.0.0.1:9/v1"'
    )
    assert made.router.models("agent") == ("anthropic/a", "mine/b")
    assert made.router.models("triage") == ("mine/c",)
    for role in ("plan", "dream", "chat"):
        assert made.router.models(role) == ("anthropic/a", "mine/b")
        assert made.router.has(role)
    described = made.router.describe()
    assert described["triage"] == ["mine/c"] and described["configured"] is True
    assert described["may_background"] is True


async def test_a_rule_may_name_its_own_model(house) -> None:
    made = house('[models]\nagent = "anthropic/a"')
    assert made.router.models("openai/special") == ("openai/special",)
    assert made.router.models("openai/special", ["anthropic"]) == ("anthropic/a",)
    assert house(None).router.chain("openai/special") is None


async def test_a_chain_asks_its_models_in_turn(house) -> None:
    async with replaying(Answer(b"", 500)) as first, replaying(CHAT_FINE) as second:
        made = house(two(first, second, 'agent = ["anthropic/a", "mine/b"]'), A_KEY=KEY)
        assert await made.ask() == "From another."
        assert [asked.path for asked in (*first.asked, *second.asked)] == [
            "/v1/messages", "/v1/messages", "/v1/chat/completions",
        ]  # fmt: skip
        assert KEY in first.asked[0].headers["authorization"]
        assert "authorization" not in second.asked[0].headers, "a key goes to its own provider only"


async def test_a_repository_bounds_who_sees_its_bytes(house) -> None:
    """Also where a model of the chain fails: nobody else is asked."""
    async with replaying(FINE) as first, replaying(Answer(b"", 500)) as second:
        made = house(two(first, second, 'agent = ["anthropic/a", "mine/b"]\nplan = "mine/p"'), A_KEY=KEY)
        assert "failed" in await made.ask("agent", ["mine"])
        assert not first.asked and len(second.asked) == 3
        assert made.router.models("triage", ["mine"]) == ("mine/b",)
        assert made.router.models("agent", ["anthropic"]) == ("anthropic/a",)
        assert made.router.chain("agent", ["ollama"]) is None and not made.router.has("agent", ["ollama"])
        assert made.router.chain("agent", []) is None


async def test_another_role_of_an_allowed_provider_is_better_than_nobody(house) -> None:
    made = house('[models]\nagent = "anthropic/a"\nplan = "openai/p"')
    assert made.router.models("agent", ["openai"]) == ("openai/p",)


async def test_a_found_key_serves_chats_and_nothing_else_without_a_config(house) -> None:
    async with replaying(FINE) as server:
        made = house(None, ANTHROPIC_API_KEY=KEY, ANTHROPIC_BASE_URL=server.url)
        for role in ("agent", "triage", "dream", "plan"):
            assert made.router.chain(role) is None and not made.router.has(role)
        assert made.router.models("chat") == ("anthropic/claude-sonnet-4-5",)
        assert await made.ask("chat") == "All is well."
        assert server.asked[0].json["model"] == "claude-sonnet-4-5"
        assert made.router.describe()["may_background"] is False


async def test_with_a_config_a_found_key_serves_every_role(house) -> None:
    made = house("", OPENAI_API_KEY=KEY)
    assert made.router.models("agent") == ("openai/gpt-5",)
    assert made.router.models("triage") == ("openai/gpt-5-mini",)


async def test_openais_address_and_key_from_the_environment(house) -> None:
    async with replaying(CHAT_FINE) as server:
        made = house(
            '[models]\nagent = "openai/gpt-5"', OPENAI_API_KEY=KEY, OPENAI_BASE_URL=server.url + "/v1"
        )
        assert await made.ask() == "From another."
        assert (
            server.asked[0].path == "/v1/chat/completions" and KEY in server.asked[0].headers["authorization"]
        )


async def test_nothing_configured_is_the_offline_provider_for_chats_only(house) -> None:
    made = house(None)
    assert "nothing waits" in await made.ask("chat")
    assert made.router.chain("agent") is None and not made.router.has("chat")
    assert made.router.describe()["chat"] == ["offline"]


async def test_offline_is_no_way_out_where_a_model_is_configured(house) -> None:
    made = house(
        f'[models]\nagent = "anthropic/a"\n[providers.anthropic]\nbase_url = "{NOWHERE}"',
        ANTHROPIC_API_KEY=KEY,
    )
    assert "cannot be reached" in await made.ask("chat")
    named = house(f'[models]\nagent = ["anthropic/a", "offline"]\n[providers.anthropic]\nbase_url = "{NOWHERE}"',
                  ANTHROPIC_API_KEY=KEY)  # fmt: skip
    assert "nothing waits" in await named.ask("chat")
    assert "cannot be reached" in await named.ask("agent")


def ollama_answers(asked: Asked) -> Answer:
    if asked.path == "/api/tags":
        return Answer.json(
            {"models": [{"name": "tiny"}, {"name": "gpt:cloud", "remote_host": "x"}, {"name": "qwen3"}]}
        )
    if asked.path == "/api/show":
        able = asked.json["model"] == "qwen3"
        return Answer.json(
            {"capabilities": ["tools"] if able else [], "model_info": {"q.context_length": 40960}}
        )
    return Answer(
        b'{"message":{"content":"From here."},"done":true}\n',
        headers={"content-type": "application/x-ndjson"},
    )


async def test_a_local_model_is_found_and_its_loss_noticed(house) -> None:
    async with replaying(by=ollama_answers) as server:
        made = house("", OLLAMA_HOST=server.url)
        assert not made.router.has("agent")
        assert await made.ask("chat") == "From here."
        assert made.router.models("agent") == ("ollama/qwen3",) and made.router.has("triage")
        found = len(server.asked)
        await made.router.refresh()
        assert len(server.asked) == found, "what was found is believed for a minute"
        assert made.router.bound("agent", request_of()) == 0
        assert house(None, OLLAMA_HOST=server.url).router.chain("agent") is None
    await made.clock.advance(120)
    assert "nothing waits" in await made.ask("chat")
    assert not made.router.has("agent")


async def test_a_repository_may_ask_for_the_local_model(house) -> None:
    async with replaying(by=ollama_answers) as server:
        made = house(f'[models]\nagent = "anthropic/a"\n[providers.ollama]\nbase_url = "{server.url}"')
        await made.router.refresh()
        assert made.router.models("agent", ["ollama"]) == ("ollama/qwen3",)
        assert made.router.models("agent") == ("anthropic/a",)
        assert await made.ask("agent", ["ollama"]) == "From here."


async def test_a_refused_key_is_told_once_and_a_reload_asks_again(house) -> None:
    async with replaying(REFUSED, FINE) as server:
        made = house(f'[models]\nagent = "anthropic/a"\n[providers.anthropic]\napi_key = {{ env = "A_KEY" }}\n'
                     f'base_url = "{server.url}"', A_KEY=KEY)  # fmt: skip
        for _ in range(5):
            assert "refused its key (401)" in await made.ask()
        assert len(server.asked) == 1
        (problem,) = made.problems.items()
        assert problem.part == "provider anthropic" and "[providers.anthropic] api_key" in problem.hint
        assert KEY not in repr(problem)
        assert made.router.describe()["providers"]["anthropic"]["state"] == "refused"
        await made.router.reload()
        assert made.problems.items() == []
        assert await made.ask() == "All is well."


async def test_a_changed_config_counts_from_the_next_turn(house) -> None:
    async with replaying(FINE) as first, replaying(CHAT_FINE) as second:
        made = house(two(first, second, 'agent = "anthropic/a"'), A_KEY=KEY)
        assert await made.ask() == "All is well."
        made.write(two(first, second, 'agent = "mine/b"'))
        assert await made.ask() == "From another."


async def test_no_repr_or_status_holds_a_key(house) -> None:
    async with replaying(REFUSED) as server:
        made = house(f'[providers.anthropic]\nbase_url = "{server.url}"', ANTHROPIC_API_KEY=KEY)
        chain = made.router.chain("agent")
        said = await ask(chain)
        assert said.error is not None
        for thing in (made.router, made.router.describe(), chain, vars(chain), said.error, said.error.calls):
            assert KEY not in repr(thing)
        assert all(KEY not in repr(vars(provider)) for provider in made.router._made.values())


async def test_a_bound_is_of_the_dearest_in_the_chain(house) -> None:
    made = house(
        '[models]\nagent = ["openai/gpt-5-mini", "anthropic/claude-opus-4-1"]\ntriage = "openai/gpt-5-mini"'
    )
    request = ModelRequest("", request_of().messages, "s" * 30_000, [TOOL], 100_000)
    assert made.router.bound("agent", request) == pytest.approx((10_090 * 18.75 + 8192 * 75) / 1e6, rel=0.02)
    assert made.router.bound("triage", request) < 0.03
    assert made.router.bound_tokens(request) == pytest.approx(18_280, abs=200)


async def test_an_own_server_without_a_key_costs_nothing_a_cloud_one_does(house) -> None:
    here = '[models]\nagent = "mine/llama"\n[providers.mine]\nkind = "openai"\nbase_url = "http://127.0.0.1:9/v1"'
    assert house(here).router.bound("agent", request_of()) == 0
    assert house(here, MINE_API_KEY="x").router.bound("agent", request_of()) > 0.5
    assert house(here.replace("127.0.0.1", "example.com")).router.bound("agent", request_of()) > 0.5


async def test_a_provider_that_cannot_be_made_is_a_problem_and_skipped(house) -> None:
    async with replaying(FINE) as server:
        made = house(
            '[models]\nagent = ["local/m", "anthropic/a"]\n[providers.local]\npath = "/nowhere/m.gguf"\n'
            f'[providers.anthropic]\nbase_url = "{server.url}"',
            ANTHROPIC_API_KEY=KEY,
        )
        assert await made.ask() == "All is well."
    (problem,) = made.problems.items()
    assert "/nowhere/m.gguf does not exist" in problem.message


async def test_kinds_are_found_by_whoever_builds_them(tmp_path: Path) -> None:
    """A kind is one more module: the router only calls its `build`."""
    seen: list[object] = []

    class Parrot:
        kind = "parrot"

        async def stream(self, request: ModelRequest) -> Parts:
            if request.model == "mute":
                raise ProviderError("no", kind="request")
            yield TextDelta("caw")
            yield Reply([{"type": "text", "text": "caw"}], "end_turn", Usage(1, 1), request.model)

    def build(kind: str):
        def parrot(config: object, deps: Mapping[str, object]) -> object:
            seen.append((kind, sorted(deps)))
            return Parrot()

        return parrot

    home = tmp_path / "home"
    home.mkdir()
    (home / "config.toml").write_text('[models]\nagent = "anthropic/loud"')
    loaded = config.load(home, {"HOME": str(home)})
    router = Router(lambda: loaded, FakeClock(), Problems(), build, env={})
    chain = router.chain("agent")
    assert chain is not None
    said = await ask(chain)
    assert said.text == "caw" and said.reply is not None and said.reply.model == "anthropic/loud"
    assert seen == [("anthropic", ["clock", "deadlines", "key"])]
