"""Write daemon/nightclaw/providers/prices.json from the data of genai-prices (MIT, © Pydantic Services Inc.).

    pip install genai-prices && python deploy/snapshot_prices.py

Prices are dollars per million tokens. Where a price depends on the time of day the dearest in force counts, where it
depends on the length of the prompt every step is kept, and models that take no text or write none are left out.
`dearest` is what a model nobody knows counts at: the highest of each rate over models that chat completions or the
Messages API can reach (the `-pro` models of OpenAI cannot) and that are not retired.
"""

import datetime
import importlib.metadata
import json
import re
from decimal import Decimal
from pathlib import Path

TARGET = Path(__file__).parent.parent / "daemon" / "nightclaw" / "providers" / "prices.json"
VENDORS = ("anthropic", "openai", "deepseek", "groq", "mistral", "google", "x-ai", "moonshotai")
RATES = ("input_mtok", "output_mtok", "cache_read_mtok", "cache_write_mtok")
NOT_CHAT = re.compile(
    r"embed|tts|whisper|audio|image|realtime|moderation|transcribe|dall-e|sora|ocr|search|computer"
)
NOT_REACHED = re.compile(r"-pro\b|preview|gpt-4-32k|davinci|curie|^gpt-4($|-0)|^claude-(2|3-)|^ft:")
NOTICE = (
    "Prices from genai-prices {version}, https://github.com/pydantic/genai-prices. MIT License. Copyright"
    " (c) Pydantic Services Inc. 2025 to present. Permission is hereby granted, free of charge, to any "
    'person obtaining a copy of this software and associated documentation files (the "Software"), to '
    "deal in the Software without restriction, including without limitation the rights to use, copy, "
    "modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit "
    "persons to whom the Software is furnished to do so, subject to the following conditions: The above "
    "copyright notice and this permission notice shall be included in all copies or substantial portions "
    'of the Software. THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED,'
    " INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE "
    "AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, "
    "DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT "
    "OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE."
)


def matches(clause: object) -> list[list[str]]:
    """A model's names as [how, text]: `=` equals, `^` starts with, `$` ends with, `*` contains, `~` regular expression."""
    for how, key in (
        ("=", "equals"),
        ("^", "starts_with"),
        ("$", "ends_with"),
        ("*", "contains"),
        ("~", "regex"),
    ):
        if hasattr(clause, key):
            return [[how, getattr(clause, key)]]
    return [found for part in getattr(clause, "or_", ()) for found in matches(part)]


def in_force(prices: object, today: datetime.date) -> list[object]:
    """The price sets that may hold now: the newest that began, and those of any time of day written after it."""
    if not isinstance(prices, list):
        return [prices]
    kept: list[object] = []
    for one in prices:
        start = getattr(one.constraint, "start_date", None)
        if start is not None and start > today:
            continue
        kept = [one.prices] if start is not None or one.constraint is None else [*kept, one.prices]
    return kept


def rate(value: object, start: int) -> float:
    """The price of a token beyond `start` tokens of prompt."""
    if value is None:
        return 0.0
    if isinstance(value, Decimal | int | float):
        return float(value)
    found = value.base
    for tier in value.tiers:
        found = tier.price if tier.start <= start else found
    return float(found)


def steps(sets: list[object]) -> list[list[float]]:
    """[[from tokens, input, output, cache read, cache write], …]; the dearest set counts."""
    starts = {0}
    for one in sets:
        for key in RATES:
            starts |= {tier.start for tier in getattr(getattr(one, key, None), "tiers", ())}
    return [
        [start, *(max(rate(getattr(one, key, None), start) for one in sets) for key in RATES)]
        for start in sorted(starts)
    ]


def main() -> None:
    import genai_prices.data as data

    today = datetime.datetime.now(datetime.UTC).date()
    vendors: dict[str, list[object]] = {}
    dearest = [0.0] * 4
    for provider in data.providers:
        if provider.id not in VENDORS:
            continue
        rows = vendors[provider.id] = []
        for model in provider.models:
            found = steps(in_force(model.prices, today)) if model.prices else []
            if not found or not found[0][1] or not found[0][2] or NOT_CHAT.search(model.id):
                continue
            rows.append([matches(model.match) or [["=", model.id]], found])
            if not NOT_REACHED.search(model.id) and not model.deprecated and model.id.find("/") < 0:
                dearest = [max(a, b) for a, b in zip(dearest, found[0][1:], strict=True)]
    dearest[3] = max(dearest[3], dearest[0])
    notice = NOTICE.format(version=importlib.metadata.version("genai-prices"))
    lines = [f'"notice": {json.dumps(notice)}', f'"taken": "{today}"', f'"dearest": {json.dumps(dearest)}']
    for vendor, rows in vendors.items():
        body = ",\n".join("  " + json.dumps(row, separators=(",", ":")) for row in rows)
        lines.append(f'"{vendor}": [\n{body}\n]')
    TARGET.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    print(TARGET, TARGET.stat().st_size, "bytes", {v: len(r) for v, r in vendors.items()}, "dearest", dearest)  # noqa: T201


if __name__ == "__main__":
    main()
