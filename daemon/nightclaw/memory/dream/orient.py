"""Whether a dream is due, and what stirs: the gates, cheapest first. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import tzinfo
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Rules:
    """What the config says of dreams. is_on: the feature and no pause; may_ask: a model may be asked in the
    background."""

    is_on: bool
    min_observations: int
    every_s: float
    tz: tzinfo
    may_ask: bool = False


class Activity(Protocol):
    """What stirs now: somebody looks, a task runs or waits."""

    @property
    def attached(self) -> bool: ...
    @property
    def working(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Past:
    """What the store says of dreams. new: observations and memories since the cursor, counted up to what is enough;
    due: rows whose date is past or that are in doubt; last_at, last_state: of the dream before."""

    new: int
    due: int
    last_at: int | None
    last_state: str | None


def is_quiet(activity: Activity, idle_since: int | None) -> bool:
    """Nobody attached, no work, and long enough so: `idle_since` is None until then."""
    return idle_since is not None and not activity.attached and not activity.working


def why_not(rules: Rules, past: Past, now: int) -> str | None:
    """Why no dream is due of itself; None when one is."""
    since_ms = None if past.last_at is None else now - past.last_at
    is_over = (
        since_ms is None or since_ms < 0 or since_ms >= rules.every_s * 1000
    )  # below 0: the clock went back
    if past.last_state == "asks" and not is_over:
        return "the last one waits for an answer"
    if past.new >= rules.min_observations:
        return None
    if not past.new and not past.due:
        return "nothing is new"
    return None if is_over else "too little is new"


Quiet = Callable[[], int | None]
"""Since when (ms) it has been quiet for long enough, None while it has not."""
