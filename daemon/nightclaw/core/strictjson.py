"""JSON from strangers, read in bounded time and memory into a value that every later reader survives.

Accepted is UTF-8, one object, at most DEPTH levels and VALUES values, no key twice, no NaN or infinity. A lone
surrogate (`"\\ud800"`), which is legal JSON and cannot be written to a file or a database, becomes `?`.
"""

import json
import math
import re
from collections.abc import Iterable
from typing import NoReturn

from nightclaw.core.errors import Invalid
from nightclaw.core.types import JSON

DEPTH = 100
VALUES = 500_000
_LONE = re.compile(r"\\u[dD][89abAB]..(?!\\u[dD][c-fC-F])|(?<!\\u[dD][89abAB]..)\\u[dD][c-fC-F]")


def _object(pairs: list[tuple[str, JSON]]) -> dict[str, JSON]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return made


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"the number {text[:20]} is out of range")
    return value


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_constant, parse_float=_float)


def parse_object(raw: bytes) -> tuple[dict[str, JSON], bytes]:
    """The object in `raw`, and the bytes to keep: `raw` itself, rewritten only where it held a lone surrogate.

    Raises Invalid with what is wrong; costs are linear in the length of `raw` and do not depend on its depth.
    """
    nested = raw.count(b"{") + raw.count(b"[")
    if nested + raw.count(b",") > VALUES:  # an upper bound, commas in strings included
        raise Invalid(f"the body holds more than {VALUES} values")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Invalid(f"the body is not UTF-8 (byte {error.start})") from None
    try:
        value = _DECODER.decode(text)
    except RecursionError:
        raise Invalid(f"the body is nested deeper than {DEPTH} levels") from None
    except ValueError as error:
        raise Invalid(f"the body is not valid JSON: {error}") from None
    if not isinstance(value, dict):
        raise Invalid("the body is not a JSON object")
    if nested > DEPTH:
        _bound_depth(value)
    if ("\\ud" in text or "\\uD" in text) and _LONE.search(text):
        raw = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
        value = json.loads(raw)
    return value, raw


def _bound_depth(value: JSON) -> None:
    level: list[JSON] = [value]
    for _ in range(DEPTH):
        level = [child for node in level for child in _children(node)]
        if not level:
            return
    raise Invalid(f"the body is nested deeper than {DEPTH} levels")


def _children(node: JSON) -> Iterable[JSON]:
    if isinstance(node, dict):
        return node.values()
    return node if isinstance(node, list) else ()
