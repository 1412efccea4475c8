"""What a model call costs, in dollars, from published prices per million tokens.

The table (prices.json) is a snapshot of genai-prices' data, made by deploy/snapshot_prices.py; nothing is fetched. A
model nobody knows counts at the dearest known rate, so a new or misspelt name can never spend unseen; a model on this
machine costs nothing. Models are named `provider/name`; a provider that resells (`openrouter/anthropic/claude-…`) is
priced as the model it resells, unless it says itself what a call cost.
"""

import json
import re
from functools import cache
from pathlib import Path

from nightclaw.core.ports import ModelRequest, Usage
from nightclaw.core.types import JSON

MOST_OUTPUT = 8192
_PER = 1_000_000
_TABLE = Path(__file__).with_name("prices.json")

Rates = tuple[float, float, float, float]
"""Dollars per million tokens: input, output, read from and written to the prompt cache."""
Steps = tuple[tuple[int, Rates], ...]
"""From how many tokens of prompt on which rates hold."""


class _Book:
    """The table, read on first use."""

    def __init__(self) -> None:
        told = json.loads(_TABLE.read_text(encoding="utf-8"))
        self.dearest: Steps = ((0, _full(*told.pop("dearest"))),)
        self.taken = str(told.pop("taken"))
        told.pop("notice")
        self.vendors: dict[str, list[tuple[list[list[str]], list[list[float]]]]] = told

    def find(self, vendor: str, model: str) -> Steps | None:
        order = [vendor] if vendor in self.vendors else list(self.vendors)
        for name in order:
            for matches, steps in self.vendors[name]:
                if any(_matches(how, text, model) for how, text in matches):
                    return tuple((int(start), _full(*rates)) for start, *rates in steps)
        return None


def _full(given: float, output: float, read: float, written: float) -> Rates:
    """A cache that has no price of its own costs what other input costs."""
    return given, output, read or given, written or given


def _matches(how: str, text: str, model: str) -> bool:
    if how == "=":
        return model == text
    if how == "^":
        return model.startswith(text)
    if how == "$":
        return model.endswith(text)
    return text in model if how == "*" else re.search(text, model) is not None


@cache
def _book() -> _Book:
    return _Book()


@cache
def steps_of(model: str) -> Steps | None:
    """The published rates of `provider/name`; None when nobody knows it."""
    book = _book()
    provider, _, name = model.lower().partition("/")
    found = book.find(provider, name)
    if found is None and "/" in name:
        maker, _, rest = name.partition("/")
        found = book.find(maker, rest)
    if found is None and provider in book.vendors:
        found = book.find("", name)
    return found


def rates(model: str, prompt_tokens: int, *, is_local: bool = False) -> Rates:
    """The rates that hold for a prompt of this length."""
    if is_local:
        return (0.0, 0.0, 0.0, 0.0)
    steps = steps_of(model) or _book().dearest
    return next(rate for start, rate in reversed(steps) if start <= prompt_tokens)


def cost(model: str, usage: Usage, *, is_local: bool = False) -> float:
    """Dollars of one call. A cost the service itself reported (usage.cost_usd) stands."""
    if usage.cost_usd:
        return usage.cost_usd
    prompt = usage.input_tokens + usage.cache_read_tokens + usage.cache_write_tokens
    given, output, read, written = rates(model, prompt, is_local=is_local)
    return (
        usage.input_tokens * given
        + usage.output_tokens * output
        + usage.cache_read_tokens * read
        + usage.cache_write_tokens * written
    ) / _PER


def bound(model: str, prompt_tokens: int, max_output: int = MOST_OUTPUT, *, is_local: bool = False) -> float:
    """The most dollars one call may cost: nothing of the prompt cached yet, all of the output used."""
    given, output, _, written = rates(model, prompt_tokens, is_local=is_local)
    return (prompt_tokens * max(given, written) + min(max_output, MOST_OUTPUT) * output) / _PER


def prompt_tokens(request: ModelRequest) -> int:
    """At most how many tokens a request holds: one for every 3 bytes, which English and code stay well below."""
    whole: list[JSON] = [request.system, list(request.tools), list(request.messages)]
    return -(-len(json.dumps(whole, ensure_ascii=False).encode("utf-8", "replace")) // 3)


def taken() -> str:
    """The day the table was made."""
    return _book().taken
