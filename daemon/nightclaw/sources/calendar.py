"""When a schedule comes due, and what to do about the times that passed unnoticed. Pure.

A slot is the moment a schedule means; the same slot never fires twice, because its signal is keyed by it.
- cron: see crontab. every: a fixed grid of real time from the row's creation on. at: once; a time without offset is
  the owner's local time, one the clock skips is the moment of the change.
- Jitter keeps machines and schedules apart: the grid of `every` is moved by up to a tenth of its interval, a cron or
  grid an agent made by up to a minute; both are fixed by the row's id. Crons of the owner are exact, `at` always is.
- A catch-up is bounded: counting stops at COUNTED, no plan fires more than ROWS slots, whatever the clock did.
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, tzinfo
from itertools import islice

from nightclaw.core.errors import Invalid
from nightclaw.core.types import JSON, JSONObject
from nightclaw.sources.crontab import check_cron, instant_of, milliseconds, next_cron

ROWS = 100
COUNTED = 1_000
GRACE_MS = 60_000
"""How late a slot may be and still be on time for `missed = "skip"`."""
JITTER_MS = 60_000
FARTHEST = 32_503_680_000_000  # the year 3000: a clock or an interval beyond it is a mistake
POLICIES = ("once", "skip", "all")
UNITS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
_PIECE = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d|w|y)")


@dataclass(frozen=True, slots=True)
class Spec:
    """One of cron, every_ms and at. anchor: where the grid of `every` begins. jitter_ms: added to every slot."""

    cron: str | None = None
    every_ms: int | None = None
    at: str | None = None
    missed: str = "once"
    within_ms: int | None = None
    expires_at: int | None = None
    anchor: int = 0
    jitter_ms: int = 0


@dataclass(frozen=True, slots=True)
class Fire:
    """A slot to fire now. missed: how many earlier slots it stands for; is_least: at least so many."""

    slot: int
    missed: int = 0
    is_least: bool = False


@dataclass(frozen=True, slots=True)
class Missed:
    """Slots that will not fire: the newest of them, and how many (is_least: at least so many). why: in words."""

    slot: int
    count: int
    why: str
    is_least: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """fires: oldest first."""

    fires: tuple[Fire, ...]
    missed: Missed | None
    next_at: int | None


def span_ms(value: JSON) -> int:
    """Milliseconds of "90s", "5m", "1h30m", "7d", or of a number of seconds. Raises Invalid."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        total = round(value * 1000)
    else:
        text = value.strip().lower() if isinstance(value, str) else ""
        left = _PIECE.sub("", text).strip()
        pieces = [] if left else _PIECE.findall(text)
        total = round(sum(float(n) * (UNITS["d"] * 365 if u == "y" else UNITS[u]) for n, u in pieces))
    if not 0 < total < FARTHEST:
        raise Invalid(f"{value!r} is not a duration", 'write it like "90s", "5m", "2h" or "7d"')
    return total


def written(span: int) -> str:
    """A duration as people write it: the largest unit that divides it."""
    for unit in ("w", "d", "h", "m", "s"):
        if span % UNITS[unit] == 0:
            return f"{span // UNITS[unit]}{unit}"
    return f"{span}ms"


def read_spec(words: JSONObject, *, row_id: str, created_at: int, by_agent: bool) -> Spec:
    """The spec a row's words mean. Raises Invalid, saying what would be right."""
    given = [k for k in ("cron", "every", "at") if words.get(k) is not None]
    if len(given) != 1:
        said = f"has {' and '.join(given)}" if given else "says no time"
        raise Invalid(f"the schedule {said}", 'give exactly one of cron, every ("2h") and at')
    cron, every, at = words.get("cron"), words.get("every"), words.get("at")
    every_ms = span_ms(every) if every is not None else None
    if cron is not None:
        if not isinstance(cron, str):
            raise Invalid(f"cron {cron!r} is not a text", 'write it like "0 8 * * 1-5"')
        check_cron(cron)
    if every_ms is not None and every_ms < 1000:
        raise Invalid(f"every {every!r} is too often", "a second is the shortest")
    if at is not None:
        _moment_of(at)
    missed = words.get("missed") or "once"
    if missed not in POLICIES:
        raise Invalid(f"missed {missed!r} is no policy", "it is one of once, skip, all")
    within, expires = words.get("within"), words.get("expires_at")
    return Spec(
        cron=cron,
        every_ms=every_ms,
        at=at if isinstance(at, str) else None,
        missed=str(missed),
        within_ms=span_ms(within) if within is not None else None,
        expires_at=milliseconds(_with_offset(expires)) if expires is not None else None,
        anchor=created_at,
        jitter_ms=0 if at is not None else jitter(row_id, every_ms, by_agent),
    )


def jitter(row_id: str, every_ms: int | None, by_agent: bool) -> int:
    """The fixed delay of a row, by its id: 0 for a cron of the owner."""
    limit = min(every_ms // 10, JITTER_MS) if every_ms else JITTER_MS if by_agent else 0
    return int.from_bytes(hashlib.sha256(row_id.encode()).digest()[:8], "big") % limit if limit else 0


def next_fire(spec: Spec, after_ms: int, tz: tzinfo) -> int | None:
    """The first slot after `after_ms`; None when there is none, or only past the expiry."""
    found = _next_exact(spec, after_ms - spec.jitter_ms, tz)
    if found is None:
        return None
    slot = found + spec.jitter_ms
    return None if spec.expires_at is not None and slot >= spec.expires_at else slot


def due(spec: Spec, next_at: int | None, now: int, tz: tzinfo) -> Plan:
    """What to do about the slots from `next_at` up to `now`, by the row's policy.

    once: the newest stands for all. skip: the newest, and only if it is hardly late. all: each, the newest ROWS
    of them. Slots older than `within` never fire. What does not fire is counted in one Missed.
    """
    if next_at is None or next_at > now:
        return Plan((), None, next_at)
    newest, count = _newest(spec, next_at, now, tz), _count(spec, next_at, now, tz)
    is_least = spec.cron is not None and count == COUNTED
    following = next_fire(spec, now, tz)
    late = now - newest
    if spec.within_ms is not None and late > spec.within_ms:
        why = f"more than {written(spec.within_ms)} late"
        return Plan((), Missed(newest, count, why, is_least), following)
    if spec.missed == "skip" and late > GRACE_MS:
        return Plan((), Missed(newest, count, "its policy says skip", is_least), following)
    if spec.missed != "all":
        return Plan((Fire(newest, count - 1, is_least),), None, following)
    oldest = next_at if spec.within_ms is None else max(next_at, now - spec.within_ms)
    fires = _newest_rows(spec, next_at, oldest, now, tz)
    passed = count - len(fires)
    missed = None
    if passed > 0:
        before = _newest(spec, next_at, fires[0].slot - 1, tz)
        missed = Missed(before, passed, f"the newest {len(fires)} run", is_least)
    return Plan(fires, missed, following)


def slots(spec: Spec, after_ms: int, until_ms: int, tz: tzinfo) -> Iterator[int]:
    """The slots in (after, until], ascending."""
    slot = next_fire(spec, after_ms, tz)
    while slot is not None and slot <= until_ms:
        yield slot
        slot = next_fire(spec, slot, tz)


def _next_exact(spec: Spec, after_ms: int, tz: tzinfo) -> int | None:
    if spec.cron is not None:
        return next_cron(spec.cron, after_ms, tz)
    if spec.every_ms is not None:
        steps = (after_ms - spec.anchor) // spec.every_ms + 1
        return spec.anchor + (steps or 1) * spec.every_ms  # the anchor itself, its creation, is no slot
    found = _moment_of(spec.at)
    at = milliseconds(found) if found.tzinfo is not None else instant_of(found, tz)
    return at if at > after_ms else None


def _newest(spec: Spec, first: int, now: int, tz: tzinfo) -> int:
    """The newest slot up to `now`, where `first` is one: bisected, so its work does not grow with the time missed."""
    low, high = first, now
    while high - low > 0:
        middle = (low + high) // 2
        slot = next_fire(spec, middle, tz)
        if slot is not None and slot <= now:
            low = slot
        else:
            high = middle
    return low


def _count(spec: Spec, first: int, now: int, tz: tzinfo) -> int:
    """How many slots from `first` up to now; a cron is counted up to COUNTED."""
    if spec.every_ms is not None:
        end = now if spec.expires_at is None else max(min(now, spec.expires_at - 1), first)
        return 1 + (end - first) // spec.every_ms
    return 1 + sum(1 for _ in islice(slots(spec, first, now, tz), COUNTED - 1))


def _newest_rows(spec: Spec, first: int, oldest: int, now: int, tz: tzinfo) -> tuple[Fire, ...]:
    """The newest slots from `oldest` on, at most ROWS; `first` is a slot even if the grid moved under it."""

    def few(after: int) -> list[int] | None:
        head = [first] if after < first else []
        found = head + list(islice(slots(spec, max(after, first), now, tz), ROWS + 1 - len(head)))
        return found if len(found) <= ROWS else None

    found = few(oldest - 1)
    low, high = oldest - 1, now
    best: list[int] = found or []
    while found is None and high - low > 1:
        middle = (low + high) // 2
        tried = few(middle)
        if tried is None:
            low = middle
        else:
            best, high = tried, middle
            if len(tried) == ROWS:
                break
    return tuple(Fire(s) for s in best)


def _moment_of(value: JSON) -> datetime:
    try:
        if isinstance(value, str) and "T" in value.strip().upper().replace(" ", "T"):
            return datetime.fromisoformat(value.strip())
    except ValueError:
        pass
    raise Invalid(f"{value!r} is not a moment", 'write it like "2026-12-01T09:00"')


def _with_offset(value: JSON) -> datetime:
    found = _moment_of(value)
    if found.tzinfo is None:
        raise Invalid(f"{value!r} has no offset", 'write it like "2026-12-01T09:00:00Z"')
    return found
