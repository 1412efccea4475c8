"""Characters that make a line mean something else than it shows."""

import re

_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00a0\u00ad\u061c\u115f\u1160\u1680\u180e\u2000-\u200f\u2028-\u202f\u205f-\u206f"
    "\u3000\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\ud800-\udfff\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
_LOOKS_PLAIN = re.compile(
    "[\u01c3\u02b9-\u02bf\u02c6-\u02cf\u037e\u055a\u05c0\u05f3\u2010-\u2015\u2018-\u201f\u2024\u2032-\u2037\u2044\u2212\u2215\u2216"
    "\u2223\u2236\u223c\u29f8\u29f5\u2a75\ua4f8-\ua4ff\ua789\ufe10-\ufe19\ufe30-\ufe6f\uff01-\uff5e\uffe0-\uffee"
    "\U0001d400-\U0001d7ff]"
)
_OTHER = (
    "\u0131\u0250-\u02af\u0370-\u03ff\u0400-\u052f\u0531-\u0587\u13a0-\u13ff\u1d00-\u1dbf\u2100-\u214f\u2c80-\u2cff"
    "\ua4d0-\ua4ff"
)
_OTHER_LETTER = re.compile(f"[{_OTHER}]")
_MIXED = re.compile(f"[A-Za-z][{_OTHER}]|[{_OTHER}][A-Za-z]")
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")


def hidden_characters(text: str) -> bool:
    """Characters that show nothing, look like a blank or change the direction of what is shown."""
    return bool(_HIDDEN.search(text))


def mistakable_characters(text: str) -> bool:
    """Letters and signs that look like plain ones: full-width forms, other dashes, Greek or Cyrillic outside quotes
    or in one word with plain letters."""
    if text.isascii():
        return False
    bare = _QUOTED.sub(" ", text)
    return bool(_LOOKS_PLAIN.search(text) or _OTHER_LETTER.search(bare) or _MIXED.search(text))
