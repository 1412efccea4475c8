"""What a topic of memory is called: its name is a file name and an address, of words in any script. Pure."""

import re
import unicodedata

GENERAL = "general"
LONGEST = 64
_FILE_NAME = 180  # bytes: with what is put around it, a file name still has less than 255


def slug(words: str) -> str:
    """A topic's name of any words: small letters of any script, digits and dashes; `general` when nothing is left."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", words).casefold())
    name = "".join(c if unicodedata.category(c)[0] in "LNM" else "-" for c in folded)
    name = re.sub(r"-+", "-", name).strip("-")[:LONGEST]
    return name.encode(errors="ignore")[:_FILE_NAME].decode(errors="ignore").strip("-") or GENERAL


def is_name(name: str) -> bool:
    """A topic can be called so."""
    return name == slug(name)
