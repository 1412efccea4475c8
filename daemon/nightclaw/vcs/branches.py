"""What a task's branch is called: the same on every machine, so that two daemons meet on the remote and see it."""

import re
import unicodedata

PREFIX = "nightclaw/"
SLUG = 40
_ISSUE = re.compile(r"[^/\s]+/[^/\s#]+#(\d{1,10})")


def branch_for(task_id: str, subject: str, title: str) -> str:
    """`nightclaw/5-fix-the-build` for the issue `octo/app#5`, else `nightclaw/<end of the task's id>`.

    title: the issue's, without its number; what is no plain letter or digit becomes a dash.
    """
    found = _ISSUE.fullmatch(subject)
    if found is None:
        return PREFIX + task_id[-8:].lower()
    slug = slug_of(title)
    return f"{PREFIX}{found[1]}-{slug}" if slug else f"{PREFIX}{found[1]}"


def slug_of(title: str) -> str:
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    words = re.findall(r"[a-z0-9]+", plain)
    slug = ""
    for word in words:
        longer = f"{slug}-{word}" if slug else word
        if len(longer) > SLUG:
            return slug or word[:SLUG]
        slug = longer
    return slug
