"""What calls cost: published prices, the dearest rate for what nobody knows, nothing for what runs here."""

import json

import pytest
from tests.unit.providers.asking import TOOL, request_of

from nightclaw.core.ports import Usage
from nightclaw.providers import prices

MILLION = Usage(1_000_000, 1_000_000)


@pytest.mark.parametrize(
    ("model", "given", "output"),
    [
        ("anthropic/claude-haiku-4-5", 1.0, 5.0),
        ("anthropic/claude-haiku-4-5-20251001", 1.0, 5.0),
        ("openai/gpt-4.1-mini", 0.4, 1.6),
        ("groq/llama-3.3-70b-versatile", 0.59, 0.79),
        ("deepseek/deepseek-chat", 0.27, 1.1),
        ("mistral/mistral-large-latest", 2.0, 6.0),
        ("openrouter/anthropic/claude-3-haiku", 0.25, 1.25),
        ("our-proxy/claude-opus-4-1", 15.0, 75.0),
    ],
)
def test_published_prices(model: str, given: float, output: float) -> None:
    assert prices.cost(model, Usage(1000)) == pytest.approx(given / 1000)
    assert prices.cost(model, Usage(0, 1_000_000)) == pytest.approx(output)


def test_the_cache_has_its_own_prices() -> None:
    usage = Usage(10_000, 1_000, 100_000, 50_000)
    assert prices.cost("anthropic/claude-sonnet-4-5", usage) == pytest.approx(
        (10_000 * 3 + 1_000 * 15 + 100_000 * 0.3 + 50_000 * 3.75) / 1e6
    )


def test_a_cache_without_a_price_costs_what_input_costs() -> None:
    assert prices.cost("groq/llama-3.3-70b-versatile", Usage(0, 0, 1_000_000)) == pytest.approx(0.59)


def test_long_prompts_cost_more_where_they_do() -> None:
    short, long = Usage(100_000), Usage(300_000)
    assert prices.cost("anthropic/claude-sonnet-4-5", long) == pytest.approx(
        6 * prices.cost("anthropic/claude-sonnet-4-5", short)
    )


def test_what_nobody_knows_counts_at_the_dearest_rate() -> None:
    unknown = prices.cost("anthropic/claude-next-9", MILLION)
    assert prices.steps_of("anthropic/claude-next-9") is None
    for known in ("anthropic/claude-opus-4-1", "openai/gpt-5", "mistral/mistral-large-latest", "openai/o3"):
        assert prices.steps_of(known) is not None
        assert unknown >= prices.cost(known, MILLION)


def test_what_runs_here_costs_nothing() -> None:
    assert prices.cost("ollama/qwen3", MILLION, is_local=True) == 0
    assert prices.bound("local/model", 100_000, is_local=True) == 0


def test_a_cost_the_service_reports_stands() -> None:
    assert prices.cost("openrouter/x/y", Usage(5, 5, cost_usd=0.25)) == 0.25


def test_a_call_never_costs_more_than_its_bound() -> None:
    request = request_of(system="You are it. " * 200, tools=[TOOL] * 10)
    tokens = prices.prompt_tokens(request)
    assert tokens > 1000
    for model in ("anthropic/claude-sonnet-4-5", "openai/gpt-5", "x/unknown"):
        most = prices.bound(model, tokens, 100_000)
        for usage in (Usage(tokens, 8192), Usage(0, 8192, tokens), Usage(0, 8192, 0, tokens), Usage(1, 1)):
            assert prices.cost(model, usage) <= most
    assert prices.bound("openai/gpt-5", tokens, 100) < prices.bound("openai/gpt-5", tokens)


def test_the_table_says_where_it_comes_from() -> None:
    table = json.loads(prices._TABLE.read_text())
    assert "MIT License" in table["notice"] and "genai-prices" in table["notice"]
    assert prices.taken() >= "2026-01-01"
    for vendor in ("anthropic", "openai", "deepseek", "groq", "mistral"):
        assert len(table[vendor]) >= 5
    for vendor, rows in table.items():
        if vendor not in ("notice", "taken", "dearest"):
            for matches, steps in rows:
                assert matches and steps[0][0] == 0 and all(rate >= 0 for step in steps for rate in step)
