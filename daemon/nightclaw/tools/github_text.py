"""What GitHub answers, as text a model reads: bounded, without hidden characters, and strangers' words quoted.

A quoted line begins with `> `, so nothing a stranger wrote can pass for the daemon's own words; comments hidden in
the text (`<!-- … -->`) are taken out, for a person would not have seen them.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence

from nightclaw.core.plain import one_line

QUOTED = 6_000
PATCH = 3_000
MOST_FILES = 60
_HIDDEN = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
Row = Mapping[str, object]


def quoted(text: object, limit: int = QUOTED) -> str:
    """A stranger's text, each line marked as theirs; indentation stays."""
    if not isinstance(text, str) or not text.strip():
        return "> (empty)"
    seen = _HIDDEN.sub("(hidden comment removed)", text.replace("\r\n", "\n").replace("\r", "\n"))
    plain = "".join(
        c for c in seen if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Co", "Cn")
    )
    kept = plain if len(plain) <= limit else f"{plain[:limit]}\n… (cut: {len(plain) - limit} more characters)"
    return "\n".join(f"> {line}" for line in kept.strip("\n").split("\n"))


def row(value: object) -> Row:
    return value if isinstance(value, Mapping) else {}


def rows(value: object, key: str = "") -> list[Row]:
    found = row(value).get(key) if key else value
    listed = found if isinstance(found, Sequence) and not isinstance(found, str) else ()
    return [r for r in listed if isinstance(r, Mapping)]


def word(value: object, limit: int = 200) -> str:
    """One line of a text that is shown beside our own words."""
    return one_line(value, limit) if isinstance(value, str) else str(value) if isinstance(value, int) else ""


def by(thing: Row) -> str:
    who, how = word(row(thing.get("user")).get("login"), 60), word(thing.get("author_association"), 30)
    return f"{who or 'someone'} ({how.lower()})" if how else who or "someone"


def thread(repo: str, thing: Row) -> str:
    """An issue or pull request with its description."""
    labels = ", ".join(word(r.get("name"), 60) for r in rows(thing.get("labels"))) or "none"
    kind = "pull request" if "head" in thing or thing.get("pull_request") else "issue"
    return (
        f"{kind} {repo}#{word(thing.get('number'))}, {word(thing.get('state'), 20)}, by {by(thing)}, "
        f"opened {word(thing.get('created_at'), 40)}, labels: {labels}\n"
        f"title:\n{quoted(thing.get('title'), 400)}\ndescription:\n{quoted(thing.get('body'))}"
    )


def pull(repo: str, thing: Row, files: Sequence[Row]) -> str:
    head, onto = row(thing.get("head")), row(thing.get("base"))
    lines = [thread(repo, thing)]
    lines.append(
        f"from {word(head.get('ref'))} at {word(head.get('sha'), 12)} into {word(onto.get('ref'))}; "
        f"draft: {thing.get('draft') is True}; merged: {thing.get('merged') is True}; "
        f"mergeable: {word(thing.get('mergeable_state'), 30) or 'unknown'}"
    )
    room = 24_000
    for file in files[:MOST_FILES]:
        name = word(file.get("filename"), 300)
        lines.append(
            f"{word(file.get('status'), 20)} {name} +{word(file.get('additions'))} -{word(file.get('deletions'))}"
        )
        if room > 0 and isinstance(file.get("patch"), str):
            lines.append(quoted(file.get("patch"), min(PATCH, room)))
            room -= len(lines[-1])
    if len(files) > MOST_FILES:
        lines.append(f"… and {len(files) - MOST_FILES} more files")
    return "\n".join(lines)


def comments(found: Sequence[Row]) -> str:
    parts: list[str] = []
    for one in found:
        at = f" on {word(one.get('path'), 200)}" if one.get("path") else ""
        parts.append(f"{by(one)} at {word(one.get('created_at'), 40)}{at}:\n{quoted(one.get('body'), 3_000)}")
    return "\n\n".join(parts) or "no comments"


def checks(runs: Sequence[Row]) -> str:
    lines: list[str] = []
    for run in runs:
        output = row(run.get("output"))
        state = word(run.get("conclusion"), 30) or word(run.get("status"), 30)
        lines.append(f"{state}: {word(run.get('name'), 120)}")
        if state in ("failure", "timed_out", "action_required", "cancelled"):
            told = "\n".join(
                str(output[k]) for k in ("title", "summary", "text") if isinstance(output.get(k), str)
            )
            if told.strip():
                lines.append(quoted(told, 3_000))
    return "\n".join(lines) or "no checks have run on this commit"
