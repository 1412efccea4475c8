"""When a cron expression comes due on the owner's wall clock, across every change of that clock.

The calendar is walked by cronsim on bare local times; what a local time means as a moment is decided here:
- A cron that names its hours ("30 2 * * *") means local times. One the clock skips comes due once, at the moment of
  the change; one the clock shows twice comes due at its first showing only.
- A cron whose hour begins with `*` means real time: it comes due whenever the wall shows a matching time, so an
  hourly one fires every real hour, and nothing is due at times that are skipped.
Pure; moments are milliseconds since 1970 UTC.
"""

import copy
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache

from cronsim import CronSim, CronSimError

from nightclaw.core.errors import Invalid

DAY_MS = 86_400_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)
_SECOND = timedelta(seconds=1)
_HINT = 'write five fields: minute hour day month weekday, like "0 8 * * 1-5"'


def moment(at_ms: int) -> datetime:
    """The UTC date-time of a moment. Exact, unlike a float of seconds."""
    return EPOCH + at_ms * _MS


def milliseconds(aware: datetime) -> int:
    return (aware - EPOCH) // _MS


def iso(at_ms: int) -> str:
    """`2026-11-20T06:54:00.123Z`."""
    return moment(at_ms).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def local_of(at_ms: int, tz: tzinfo) -> datetime:
    """What the wall shows at a moment, without its zone."""
    return moment(at_ms).astimezone(tz).replace(tzinfo=None, fold=0)


def instant_of(local: datetime, tz: tzinfo) -> int:
    """The moment the wall first shows `local` (no zone); for a time it skips, the moment of the change."""
    late = milliseconds(local.replace(tzinfo=tz, fold=0).astimezone(UTC))
    if local_of(late, tz) == local.replace(fold=0):
        return late
    early = milliseconds(local.replace(tzinfo=tz, fold=1).astimezone(UTC))
    change = _first_change(early, late, tz)
    return late if change is None else change


def check_cron(expression: str) -> None:
    """Raise Invalid unless the expression has five sound fields and ever comes due."""
    if next(_matches(expression, datetime(2026, 1, 1)), None) is None:  # noqa: DTZ001
        raise Invalid(f"cron {expression!r} never comes due", "choose a day that exists")


def next_cron(expression: str, after_ms: int, tz: tzinfo) -> int | None:
    """The first moment after `after_ms` at which the cron comes due; None when there is none in 50 years.

    Raises Invalid for an expression that is not a cron.
    """
    if expression.split()[1:2] == [] or not expression.split()[1].startswith("*"):
        return _by_local_time(expression, after_ms, tz)
    return _by_real_time(expression, after_ms, tz)


def _by_local_time(expression: str, after_ms: int, tz: tzinfo) -> int | None:
    for local in _matches(expression, local_of(after_ms, tz)):
        at = instant_of(local, tz)
        if at > after_ms:
            return at
    return None


def _by_real_time(expression: str, after_ms: int, tz: tzinfo) -> int | None:
    at, back = after_ms, timedelta(0)
    while True:
        offset = _offset(at, tz)
        found = next(_matches(expression, local_of(at, tz) - back), None)
        if found is None:
            return None
        due = milliseconds(found.replace(tzinfo=UTC) - offset)
        change = _first_change(at, due, tz)
        if change is None:
            return due
        at, back = change, _SECOND  # the first match from the change on, the change itself included


def _first_change(start: int, end: int, tz: tzinfo) -> int | None:
    """The first moment in (start, end] at which the zone's offset differs from that at `start`."""
    held, low = _offset(start, tz), start
    while low < end:
        high = min(low + DAY_MS, end)
        if _offset(high, tz) != held:
            while high - low > 1:
                middle = (low + high) // 2
                if _offset(middle, tz) == held:
                    low = middle
                else:
                    high = middle
            return high
        low = high
    return None


def _offset(at_ms: int, tz: tzinfo) -> timedelta:
    return moment(at_ms).astimezone(tz).utcoffset() or timedelta(0)


def _matches(expression: str, after: datetime) -> Iterator[datetime]:
    """The matching local times after `after`, ascending, as cronsim walks a calendar without a zone."""
    walk = copy.copy(_parsed(expression))
    walk.dt = after.replace(microsecond=0)
    return walk


@lru_cache(maxsize=256)
def _parsed(expression: str) -> CronSim:
    fields = len(expression.split())
    if fields != 5:
        raise Invalid(f"cron {expression!r} has {fields} fields", _HINT)
    try:
        return CronSim(expression, datetime(2026, 1, 1))  # noqa: DTZ001
    except CronSimError as error:
        raise Invalid(f"cron {expression!r} is not sound ({error})", _HINT) from None
