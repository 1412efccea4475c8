"""Whether the owner is told now, later or not at all, and in what words. Pure: values in, values out.

Order of the questions: muted? is there anywhere to send to? is the owner looking already? quiet hours? too many
this hour? Only quiet hours bend for an urgent note. A text that goes out is at most 500 characters.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Protocol

from nightclaw.core.plain import clip

HOUR_MS = 3600 * 1000
BODY_LIMIT = 500
_LINE_LIMIT = 100
_UNTOLD_LIMIT = 200


class Hours(Protocol):
    """Minutes after local midnight; start > end runs over midnight. 1440 is the next midnight."""

    @property
    def start(self) -> int: ...
    @property
    def end(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Send:
    """Out, now, to every destination."""


@dataclass(frozen=True, slots=True)
class Hold:
    """Waits for the digest at `until` (ms)."""

    until: int
    reason: str


@dataclass(frozen=True, slots=True)
class Keep:
    """Never pushed: the row, the event and the log have it."""

    reason: str


@dataclass(frozen=True, slots=True)
class Mute:
    reason: str


Plan = Send | Hold | Keep | Mute


@dataclass(frozen=True, slots=True)
class Situation:
    """Now (ms), and all else the answer hangs on. recent: when notes went out in the last hour, oldest first."""

    now: int
    tz: tzinfo
    quiet: Hours | None
    per_hour: int
    recent: Sequence[int]
    is_looking: bool
    has_destinations: bool


def plan(s: Situation, *, urgent: bool = False, muted: str | None = None) -> Plan:
    """What becomes of a note. muted: what the owner muted that covers it, None when nothing does."""
    if muted is not None:
        return Mute(f"you muted {muted}")
    if not s.has_destinations:
        return Keep("no destination is configured; see [notify] urls")
    if s.is_looking:
        return Keep("you were attached")
    ends = quiet_until(s.now, s.quiet, s.tz) if s.quiet is not None and not urgent else None
    if ends is not None:
        return Hold(ends, "quiet hours")
    lately = [at for at in s.recent if at > s.now - HOUR_MS]
    if len(lately) >= max(s.per_hour, 0):
        free_at = lately[-s.per_hour] + HOUR_MS if s.per_hour > 0 else s.now + HOUR_MS
        return Hold(free_at, f"more than {s.per_hour} an hour")
    return Send()


def quiet_until(now: int, hours: Hours, tz: tzinfo) -> int | None:
    """When the quiet hours that hold now end (ms), None when it is not quiet.

    A local time that a clock change skips counts as if the clock had not moved; of a doubled one the first counts.
    """
    today = datetime.fromtimestamp(now / 1000, tz).date()
    for day in (today - timedelta(days=1), today, today + timedelta(days=1)):
        starts = _instant(day, hours.start, tz)
        ends = _instant(day if hours.start < hours.end else day + timedelta(days=1), hours.end, tz)
        if starts <= now < ends:
            return ends
    return None


def _instant(day: date, minute: int, tz: tzinfo) -> int:
    day, minute = day + timedelta(days=minute // 1440), minute % 1440
    local = datetime.combine(day, time(minute // 60, minute % 60), tzinfo=tz)
    return int(local.astimezone(UTC).timestamp()) * 1000


def digest_title(count: int, since: int, tz: tzinfo) -> str:
    began = datetime.fromtimestamp(since / 1000, tz)
    return f"{count} notes since {began:%H:%M}"


def digest_body(titles: Sequence[str]) -> str:
    """One plain line a note, as many as fit, and how many more there are."""
    shown: list[str] = []
    left = BODY_LIMIT
    for i, title in enumerate(titles):
        line = "- " + clip(title, _LINE_LIMIT)
        more = _and_more(len(titles) - i - 1)
        if len(line) + 1 + len(more) > left:
            return "\n".join([*shown, _and_more(len(titles) - i)])
        shown.append(line)
        left -= len(line) + 1
    return "\n".join(shown)


def with_untold(body: str, titles: Sequence[str]) -> tuple[str, int]:
    """`body` and one line that names what may not have reached the owner; the line gives way to neither.

    Also how many of the titles it names: at least the first, so that a later note can name the next.
    """
    if not titles:
        return body, 0
    line, named = "may not have reached you: ", 0
    for title in titles:
        piece = ("; " if named else "") + clip(title, 80)
        if named and len(line) + len(piece) + len(f"; {_and_more(len(titles))}") > _UNTOLD_LIMIT:
            break
        line, named = line + piece, named + 1
    if named < len(titles):
        line += f"; {_and_more(len(titles) - named)}"
    return f"{clip(body, BODY_LIMIT - len(line) - 1)}\n{line}".strip(), named


def _and_more(count: int) -> str:
    return f"and {count} more: clawctl notifications" if count else ""
