"""Text from outside as material for a model: bounded, and its end cannot be forged from within.

The closing mark carries a digest of the text, and no text can hold its own digest.
"""

import hashlib

FROM_MEMORY = "From your memory; it may be out of date, so check it before you act on it:"
"""The line above rows of memory in a prompt."""


def quoted(text: str, source: str, limit: int) -> str:
    """`text` between marks that name where it came from; at most `limit` characters of it."""
    clipped = text if len(text) <= limit else text[:limit] + "\n… (cut)"
    mark = hashlib.sha256(clipped.encode("utf-8", "replace")).hexdigest()[:12]
    plain = "".join(c for c in source if c.isalnum() or c in " ./#@:_-")[:120]
    return f'<quoted from="{plain}" id="{mark}">\n{clipped}\n</quoted {mark}>'
