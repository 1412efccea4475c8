"""A watched place as a noun: what the owner said about it, and the row that keeps it.

Shared by the store, which keeps the rows, and the source that watches, which may not know each other.
"""

import math
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Protocol

from nightclaw.core.errors import Invalid
from nightclaw.core.stanza import Stanza
from nightclaw.core.types import JSON, Verdict

QUIET_S = 2.0
LONGEST_QUIET_S = 30.0
_PIECE = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m)")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0}


@dataclass(frozen=True, slots=True)
class WatchSpec:
    """path: absolute, a directory or one file. match: globs in .gitignore's syntax, none means every file."""

    name: str
    path: str
    match: tuple[str, ...] = ()
    quiet_s: float = QUIET_S
    verdict: Verdict = Verdict.RECORD
    prompt: str | None = None
    repo: str | None = None
    unattended: str | None = None
    model: str | None = None
    budget_usd: float | None = None
    per_hour: int | None = None

    def as_json(self) -> dict[str, JSON]:
        """In the owner's own words, as config.toml would say it; without the name, and without what is not said."""
        said: dict[str, JSON] = {
            "path": self.path,
            "match": list(self.match),
            "quiet": f"{self.quiet_s:g}s",
            "verdict": str(self.verdict),
            **self.work(),
        }
        return {k: v for k, v in said.items() if v != []}

    def work(self) -> dict[str, JSON]:
        """What it says about the work that may follow."""
        keys = ("prompt", "repo", "unattended", "model", "budget_usd", "per_hour")
        return {k: getattr(self, k) for k in keys if getattr(self, k) is not None}


@dataclass(frozen=True, slots=True)
class Watch:
    """A watch row. origin: "config" (TOML is its truth) or "api"."""

    id: str
    origin: str
    spec: WatchSpec
    created_at: int


class WatchStanza(Stanza, Protocol):
    """A `[[watch]]` as the config holds it."""

    @property
    def path(self) -> Path: ...
    @property
    def match(self) -> Sequence[str]: ...
    @property
    def quiet(self) -> float: ...
    @property
    def verdict(self) -> Verdict: ...


def of_stanza(stanza: WatchStanza) -> WatchSpec:
    return WatchSpec(
        name=stanza.name,
        path=os.path.normpath(stanza.path),
        match=tuple(stanza.match),
        quiet_s=stanza.quiet,
        verdict=stanza.verdict,
        prompt=stanza.prompt,
        repo=stanza.repo,
        unattended=stanza.unattended,
        model=stanza.model,
        budget_usd=stanza.budget_usd,
        per_hour=stanza.per_hour,
    )


def parse(body: Mapping[str, JSON]) -> WatchSpec:
    """A spec from what a client sent or a row holds. Raises Invalid naming the key and what would be right.

    path must be absolute or begin with `~`; name defaults to the path; match is a text or a list of texts;
    quiet is seconds or a text such as "2s", at most 30 s.
    """
    known = {f.name for f in fields(WatchSpec)} - {"quiet_s"} | {"quiet"}
    for key in body:
        if key not in known:
            raise Invalid(f'a watch has no "{key}"', f"its keys are {', '.join(sorted(known))}")
    path = os.path.expanduser(_text(body, "path") or "")
    if not os.path.isabs(path) or "\0" in path:
        raise Invalid("path: an absolute path is needed", 'say where, like "/home/me/src/app" or "~/src/app"')
    path = os.path.normpath(path)
    name = _text(body, "name") or path
    if not name.isprintable():
        raise Invalid("name: one line of plain text is needed", "take the control characters out")
    return WatchSpec(
        name=name,
        path=path,
        match=_globs(body.get("match")),
        quiet_s=_seconds(body.get("quiet")),
        verdict=_verdict(body),
        prompt=_text(body, "prompt"),
        repo=_text(body, "repo"),
        unattended=_text(body, "unattended"),
        model=_text(body, "model"),
        budget_usd=_number(body, "budget_usd"),
        per_hour=_count(body, "per_hour"),
    )


def _text(body: Mapping[str, JSON], key: str) -> str | None:
    value = body.get(key)
    if value is None:
        return None
    if not isinstance(value, str) or not value.strip():
        raise Invalid(f"{key}: a text is needed", "write it in quotes, or leave the key out")
    return value.strip()


def _globs(value: JSON) -> tuple[str, ...]:
    items = [value] if isinstance(value, str) else value if isinstance(value, Sequence) else []
    globs = [g for g in items if isinstance(g, str) and g.strip() and "\n" not in g]
    if value is not None and (len(globs) != len(items) or not isinstance(value, Sequence)):
        raise Invalid("match: a list of patterns is needed", 'write it like ["*.py", "docs/**"]')
    return tuple(globs)


def _seconds(value: JSON) -> float:
    if value is None:
        return QUIET_S
    seconds = float(value) if isinstance(value, int | float) and not isinstance(value, bool) else math.nan
    if isinstance(value, str) and value.strip() and not _PIECE.sub("", value.lower()).strip():
        seconds = sum(float(n) * _UNITS[unit] for n, unit in _PIECE.findall(value.lower()))
    if not 0 < seconds <= LONGEST_QUIET_S:
        raise Invalid("quiet: a time of at most 30 seconds is needed", 'write it like "2s" or "500ms"')
    return seconds


def _verdict(body: Mapping[str, JSON]) -> Verdict:
    word = _text(body, "verdict") or Verdict.RECORD
    if word not in list(Verdict):
        raise Invalid(f"verdict: {word!r} is none", f"it is one of {', '.join(Verdict)}")
    return Verdict(word)


def _number(body: Mapping[str, JSON], key: str) -> float | None:
    value = body.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise Invalid(f"{key}: a number of at least 0 is needed", f"write it like {key} = 1")
    return float(value)


def _count(body: Mapping[str, JSON], key: str) -> int | None:
    value = _number(body, key)
    if value is not None and (value < 1 or value != int(value)):
        raise Invalid(f"{key}: a whole number of at least 1 is needed", f"write it like {key} = 1")
    return None if value is None else int(value)
