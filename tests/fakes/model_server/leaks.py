"""Planted secrets in a request, also when they were wrapped on the way: encoded, quoted, turned round."""

import base64
import json
from collections.abc import Iterator, Set
from functools import lru_cache
from urllib.parse import quote

from tests.fakes.model_server.asked import Asked


def leaked(canaries: Set[str], asked: Asked) -> Iterator[str]:
    """One line a canary that is in the body or in a header."""
    if not canaries:
        return
    decoded = json.dumps(asked.body, ensure_ascii=False)
    heads = "\n".join(asked.headers.values())
    for canary in sorted(canaries):
        for form, text in _forms(canary):
            if text in decoded or text in heads:
                yield f"the canary {canary[:6]}… is in the request ({form})"
                break


@lru_cache(maxsize=1024)
def _forms(canary: str) -> tuple[tuple[str, str], ...]:
    raw = canary.encode()
    forms = [
        ("plain", canary),
        ("within JSON", json.dumps(canary, ensure_ascii=False)[1:-1]),
        ("as a URL", quote(canary, safe="")),
        ("hex", raw.hex()),
        ("reversed", canary[::-1]),
    ]
    for shift in range(3):
        # whatever stands before and after, these characters of its base64 stay the same
        text = base64.b64encode(b"\0" * shift + raw).decode().rstrip("=")
        forms.append(("base64", text[-(-shift * 8 // 6) : len(text) - (1 if (shift + len(raw)) % 3 else 0)]))
    return tuple((form, text) for form, text in forms if len(text) >= 4)
