"""Prefixed ULIDs: 48 bits of milliseconds, 80 bits of chance, Crockford base 32, sortable by time.

Format: https://github.com/ulid/spec (26 characters, first 10 the time).
"""

import os
import re

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
PREFIXES = {
    "sig": "signal",
    "dec": "decision",
    "tsk": "task",
    "run": "run",
    "stp": "step",
    "cal": "tool_call",
    "apr": "approval",
    "eff": "effect",
    "mem": "memory",
    "ses": "session",
    "drm": "dream",
    "ntf": "notification",
    "sch": "schedule",
    "wat": "watch",
    "inb": "inbox",
    "rsv": "reservation",
    "grt": "grant",
    "bnd": "boundary",
}
_SHAPE = re.compile(r"^([a-z]{3})_[0-9A-HJKMNP-TV-Z]{26}$")


def new_id(prefix: str, at_ms: int) -> str:
    """A new id `<prefix>_<ULID>` for the moment `at_ms` (milliseconds since 1970)."""
    value = (max(at_ms, 0) & ((1 << 48) - 1)) << 80 | int.from_bytes(os.urandom(10), "big")
    chars = []
    for shift in range(125, -1, -5):
        chars.append(_ALPHABET[(value >> shift) & 31])
    return f"{prefix}_{''.join(chars)}"


def kind_of(identifier: str) -> str | None:
    """The noun an id names (`sig_…` → `signal`), or None when it is not one of ours."""
    found = _SHAPE.match(identifier)
    return PREFIXES.get(found.group(1)) if found else None
