"""Many changes, one signal: when a burst is over, and the signal that tells of it. Pure."""

import hashlib
import json
import os
from dataclasses import dataclass, field

from nightclaw.core.plain import one_line
from nightclaw.core.trust import Trust
from nightclaw.core.types import JSON, SignalDraft, Source
from nightclaw.core.watch import WatchSpec
from nightclaw.sources.files_diff import Change, Outcome

LONGEST_S = 30.0
"""A burst that does not end is told in parts of this length."""
MANY = 500
"""From so many paths on the single ones are not followed: the whole place is compared once."""
SHOWN_PATHS = 50


@dataclass(slots=True)
class Heard:
    """What the listening noticed at once. names: files by directory; subtrees: directories that came, went or moved.

    age_s: how long ago the last of it happened. lost: it may not be all. rules: an ignore file changed.
    is_gone: the root itself moved or vanished. deaf: why nothing more will be heard, "" while it is well.
    """

    names: dict[str, set[str]] = field(default_factory=dict[str, set[str]])
    subtrees: set[str] = field(default_factory=set[str])
    age_s: float = 0.0
    lost: bool = False
    rules: bool = False
    is_gone: bool = False
    deaf: tuple[str, str] | None = None

    def __bool__(self) -> bool:
        return bool(self.names or self.subtrees or self.lost or self.rules or self.is_gone or self.deaf)


class Burst:
    """Changes gathered until `quiet_s` pass without a new one, or LONGEST_S since the first."""

    def __init__(self) -> None:
        self.names: dict[str, set[str]] = {}
        self.subtrees: set[str] = set()
        self.is_rescan = False
        self.rules = False
        self._count = 0
        self._first: float | None = None
        self._last = 0.0

    @classmethod
    def of_everything(cls) -> "Burst":
        burst = cls()
        burst.rescan()
        return burst

    def hear(self, heard: Heard, now: float) -> None:
        """`now`: seconds on the monotonic clock."""
        self._last = max(self._last, now - heard.age_s) if self._first is not None else now - heard.age_s
        self._first = min(self._first, self._last) if self._first is not None else self._last
        self.rules = self.rules or heard.rules
        if heard.lost or heard.rules:
            self.rescan()
        if self.is_rescan:
            return
        for directory, names in heard.names.items():
            held = self.names.setdefault(directory, set())
            before = len(held)
            held |= names
            self._count += len(held) - before
        self.subtrees |= heard.subtrees
        if self._count + len(self.subtrees) >= MANY:
            self.rescan()

    def rescan(self) -> None:
        self.is_rescan = True
        self.names, self.subtrees = {}, set()

    def due_at(self, quiet_s: float) -> float | None:
        """When it is over, on the monotonic clock; None while nothing was heard."""
        if self._first is None:
            return None
        return min(self._last + quiet_s, self._first + LONGEST_S)

    def began_s_ago(self, now: float) -> float:
        return now - self._first if self._first is not None else 0.0


def draft_of(spec: WatchSpec, repo: str | None, generation: str, outcome: Outcome, why: str) -> SignalDraft:
    """The one signal for these changes. why: "edit", "catch-up" (found at start) or "check" (found by looking)."""
    paths = sorted(outcome.changes)
    by = {change: [p for p in paths if outcome.changes[p][0] is change] for change in Change}
    marks = "\0".join(f"{p}\0{outcome.changes[p][1]}" for p in paths)
    digest = hashlib.blake2b(marks.encode(), digest_size=12).hexdigest()
    counts: dict[str, JSON] = {str(change): len(found) for change, found in by.items()}
    payload: dict[str, JSON] = {
        "watch": spec.name,
        "root": spec.path,
        "why": why,
        "count": len(paths),
        "paths": paths,
        "created": by[Change.CREATED],
        "deleted": by[Change.DELETED],
    }
    attrs: dict[str, JSON] = {
        "watch": spec.name,
        "root": spec.path,
        "paths": paths[:SHOWN_PATHS],
        "count": len(paths),
        **counts,
        "verdict": str(spec.verdict),
        **spec.work(),
        **({"repo": repo} if repo else {}),
    }
    return SignalDraft(
        source=Source.FILE,
        kind="file.rescan" if len(paths) >= MANY else "file.changed",
        subject=f"file:{spec.path}",
        dedupe_key=f"{spec.path}:{generation}:{digest}",
        title=one_line(_title(spec, by), 200),
        trust=Trust.REPO,
        raw=json.dumps(payload, separators=(",", ":"), ensure_ascii=False).encode(),
        attrs=attrs,
        repo=repo,
    )


def _title(spec: WatchSpec, by: dict[Change, list[str]]) -> str:
    """ "app: src/a.py created", "app: 3 files changed (a.py, b.py, c.py)", "app: 800 files changed (…)"."""
    called = os.path.basename(spec.path) or spec.path if spec.name == spec.path else spec.name
    paths = sorted(p for found in by.values() for p in found)
    if len(paths) == 1:
        what = next(change for change, found in by.items() if found)
        return f"{called}: {paths[0]} {what}"
    if len(paths) <= 5:
        return f"{called}: {len(paths)} files changed ({', '.join(paths)})"
    told = ", ".join(f"{len(found)} {change}" for change, found in by.items() if found)
    return f"{called}: {len(paths)} files changed ({told})"
