"""Standing orders that name a time: the bullets of ORDERS.md, and when each falls due. Pure.

A bullet falls due at a date ("2026-12-01", "2026-12-01 09:00", "2026-12-01T09:00Z", "… at 5pm") or again and again
("every day at 09:00", "every weekday", "every monday and thursday at 17:30"). A date without a time is due when that
day begins, a repeating order without one at 09:00, both on the owner's wall clock. Headings, HTML comments, code
blocks and done boxes (`- [x]`) say nothing; a bullet without a time is a standing text and never falls due.
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from nightclaw.sources.crontab import instant_of, local_of, milliseconds

MORNING = time(9, 0)
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_FENCE = re.compile(r"^\s*(```|~~~)")
_BULLET = re.compile(r"^\s{0,12}(?:[-*+]|\d{1,3}[.)])\s+(?:\[( |x|X)\]\s+)?(.*)$")
_DATE = re.compile(
    r"\b(\d{4}-\d{2}-\d{2})(?:(?:[T ]|,? at )(\d{1,2}(?::\d{2}){1,2}|\d{1,2} ?[ap]m)(Z|[+-]\d{2}:\d{2})?)?(?![\w:-])",
    re.IGNORECASE,
)
_DAY = r"(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?s?"
_EVERY = re.compile(
    rf"\bevery (day|weekday|(?:{_DAY})(?:(?:, and |, | and | & ){_DAY})*)\b"
    r"(?:,? at (\d{1,2}(?::\d{2})|\d{1,2} ?[ap]m)\b)?",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Order:
    """One bullet with a time. Either once (a moment) or days and at. digest: stable for the same text."""

    text: str
    digest: str
    once: int | None
    days: frozenset[int] = frozenset()
    at: time = MORNING


def read_orders(text: str, tz: tzinfo) -> list[Order]:
    """The orders with a time, in their order; the same text twice is one."""
    found: dict[str, Order] = {}
    for bullet in _bullets(_COMMENT.sub("", text)):
        digest = hashlib.sha256(bullet.lower().encode()).hexdigest()[:12]
        order = _order(bullet, digest, tz)
        if order is not None:
            found.setdefault(digest, order)
    return list(found.values())


def asks_for_judgement(text: str) -> bool:
    """True when there are standing orders at all: words beside headings, comments, code and done boxes."""
    in_code = False
    for line in _COMMENT.sub("", text).splitlines():
        if _FENCE.match(line):
            in_code = not in_code
            continue
        bullet = _BULLET.match(line)
        said = bullet[2] if bullet and (bullet[1] or " ") == " " else "" if bullet else line
        if not in_code and not said.lstrip().startswith("#") and any(c.isalpha() for c in said):
            return True
    return False


def last_due(order: Order, now: int, tz: tzinfo) -> int | None:
    """The newest moment up to now at which it fell due; None when it has not yet."""
    if order.once is not None:
        return order.once if order.once <= now else None
    today = local_of(now, tz).date()
    for back in range(9):  # a week, and a day a zone may skip
        day = today - timedelta(days=back)
        if day.weekday() in order.days:
            at = instant_of(datetime.combine(day, order.at), tz)
            if at <= now:
                return at
    return None


def _bullets(text: str) -> Iterator[str]:
    """Each open bullet as one line; an indented line after a bullet belongs to it."""
    held: list[str] = []
    in_code = False
    for line in [*text.splitlines(), ""]:
        if _FENCE.match(line):
            in_code = not in_code
            continue
        bullet = None if in_code else _BULLET.match(line)
        goes_on = held and not bullet and not in_code and line[:1] in (" ", "\t") and line.strip()
        if goes_on:
            held.append(line.strip())
            continue
        if held and not in_code:
            yield " ".join(" ".join(held).split())
            held = []
        if bullet and (bullet[1] or " ") == " ":
            held = [bullet[2]]


def _order(text: str, digest: str, tz: tzinfo) -> Order | None:
    every = _EVERY.search(text)
    if every is not None:
        at = _time(every[2]) if every[2] else MORNING
        return Order(text, digest, None, _days(every[1].lower()), at) if at is not None else None
    dated = _DATE.search(text)
    if dated is None:
        return None
    at = _time(dated[2]) if dated[2] else time(0, 0)
    try:
        day = date.fromisoformat(dated[1])
        zone = datetime.fromisoformat(f"2000-01-01T00:00{dated[3]}").tzinfo if dated[3] else None
    except ValueError:
        return None
    if at is None:
        return None
    local = datetime.combine(day, at)
    once = milliseconds(local.replace(tzinfo=zone).astimezone(UTC)) if zone else instant_of(local, tz)
    return Order(text, digest, once)


def _days(words: str) -> frozenset[int]:
    if words in ("day", "weekday"):
        return frozenset(range(7 if words == "day" else 5))
    named = re.findall(r"[a-z]+", words)
    return frozenset(i for i, day in enumerate(DAYS) for n in named if n != "and" and day[:3] == n[:3])


def _time(text: str) -> time | None:
    """ "09:00", "17:30:10", "9am", "5 pm"; None for what is no time."""
    word = text.lower().replace(" ", "")
    hour, minute, second, *_ = [*(int(n) for n in re.findall(r"\d+", word)), 0, 0]
    shift = 12 if word.endswith("pm") and hour < 12 else -12 if word.startswith("12") and "am" in word else 0
    try:
        return time(hour + shift, minute, second)
    except ValueError:
        return None
