"""Whether the owner is told now: the pure decision, quiet hours through clock changes, and the words of a digest."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightclaw.core.telling import (
    BODY_LIMIT,
    HOUR_MS,
    Hold,
    Keep,
    Mute,
    Send,
    Situation,
    digest_body,
    plan,
    quiet_until,
    with_untold,
)

BERLIN = ZoneInfo("Europe/Berlin")
ZONES = [
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Asia/Kolkata",
    "America/St_Johns",
    "UTC",
]


@dataclass(frozen=True)
class Hours:
    start: int
    end: int


NIGHT = Hours(22 * 60, 8 * 60)


def ms(text: str, tz: ZoneInfo = BERLIN, fold: int = 0) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=tz, fold=fold).astimezone(UTC).timestamp() * 1000)


def by_day(**changes: object) -> Situation:
    calm = Situation(ms("2026-11-20T12:00"), BERLIN, NIGHT, 6, [], False, True)
    return replace(calm, **changes)


def test_by_day_it_is_sent() -> None:
    assert plan(by_day()) == Send()


def test_the_first_question_that_stops_it_answers() -> None:
    night = ms("2026-11-20T23:00")
    everything = by_day(now=night, recent=[night - 1] * 6, is_looking=True, has_destinations=False)
    assert isinstance(plan(everything, muted="ci"), Mute)
    assert plan(everything) == Keep("no destination is configured; see [notify] urls")
    assert plan(replace(everything, has_destinations=True)) == Keep("you were attached")
    held = plan(replace(everything, has_destinations=True, is_looking=False))
    assert held == Hold(ms("2026-11-21T08:00"), "quiet hours")


def test_urgent_passes_quiet_hours_but_not_the_cap() -> None:
    night = ms("2026-11-20T23:00")
    assert plan(by_day(now=night), urgent=True) == Send()
    assert isinstance(plan(by_day(now=night, recent=[night - 1] * 6), urgent=True), Hold)


def test_over_the_cap_it_waits_until_the_hour_frees() -> None:
    now = ms("2026-11-20T12:00")
    recent = [now - 50 * 60_000 + i for i in range(6)]
    assert plan(by_day(recent=recent)) == Hold(recent[0] + HOUR_MS, "more than 6 an hour")
    assert plan(by_day(recent=recent[1:])) == Send()
    assert plan(by_day(recent=[now - HOUR_MS - 1] * 6)) == Send()


def test_a_cap_of_none_sends_nothing() -> None:
    assert plan(by_day(per_hour=0)) == Hold(ms("2026-11-20T13:00"), "more than 0 an hour")


@pytest.mark.parametrize(
    ("now", "until"),
    [
        ("2026-11-20T21:59:59", None),
        ("2026-11-20T22:00", "2026-11-21T08:00"),
        ("2026-11-21T07:59:59", "2026-11-21T08:00"),
        ("2026-11-21T08:00", None),
        ("2026-03-28T23:00", "2026-03-29T08:00"),  # the night that is an hour short
        ("2026-10-24T23:00", "2026-10-25T08:00"),  # and the one that is an hour long
    ],
)
def test_quiet_hours_over_midnight(now: str, until: str | None) -> None:
    assert quiet_until(ms(now), NIGHT, BERLIN) == (ms(until) if until else None)


def test_the_short_night_is_nine_hours_long_and_the_long_one_eleven() -> None:
    spring, autumn = ms("2026-03-28T22:00"), ms("2026-10-24T22:00")
    assert quiet_until(spring, NIGHT, BERLIN) == spring + 9 * HOUR_MS
    assert quiet_until(autumn, NIGHT, BERLIN) == autumn + 11 * HOUR_MS


def test_an_end_that_the_clock_skips() -> None:
    """Quiet until 02:30 on the night where 02:00 becomes 03:00: over at 03:30 local, an hour and a half later."""
    until = quiet_until(ms("2026-03-29T01:00"), Hours(22 * 60, 150), BERLIN)
    assert until == ms("2026-03-29T03:30")


def test_an_end_that_comes_twice_counts_the_first_time() -> None:
    until = quiet_until(ms("2026-10-25T01:00"), Hours(22 * 60, 150), BERLIN)
    assert until == ms("2026-10-25T02:30", fold=0)
    assert quiet_until(ms("2026-10-25T02:15", fold=1), Hours(22 * 60, 150), BERLIN) is None


@given(
    st.sampled_from(ZONES),
    st.integers(0, 1439),
    st.integers(1, 1440),
    st.integers(0, 366 * 24 * 60 - 1),
)
def test_every_hold_ends_within_a_day_and_it_is_loud_then(
    zone: str, start: int, end: int, minute: int
) -> None:
    if start == end:
        return
    tz, hours = ZoneInfo(zone), Hours(start, end)
    now = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp() * 1000) + minute * 60_000
    until = quiet_until(now, hours, tz)
    local = datetime.fromtimestamp(now / 1000, tz)
    if _changes_near(local, tz):
        assert until is None or now < until <= now + 26 * HOUR_MS
        return
    at = local.hour * 60 + local.minute
    is_quiet = start <= at < end if start < end else at >= start or at < end
    assert (until is not None) == is_quiet
    if until is not None:
        assert now < until <= now + 24 * HOUR_MS
        assert end == 1440 or quiet_until(until, hours, tz) is None


def _changes_near(local: datetime, tz: ZoneInfo) -> bool:
    day = timedelta(days=2)
    return (local - day).astimezone(tz).utcoffset() != (local.astimezone(UTC) + day).astimezone(
        tz
    ).utcoffset() or (local.astimezone(UTC) - day).astimezone(tz).utcoffset() != (
        local.astimezone(UTC) + day
    ).astimezone(tz).utcoffset()


@given(
    st.lists(
        st.text(min_size=1, max_size=300).map(lambda t: " ".join(t.split()) or "x"), min_size=1, max_size=1000
    )
)
def test_a_digest_fits_and_accounts_for_every_note(titles: list[str]) -> None:
    body = digest_body(titles)
    assert len(body) <= BODY_LIMIT
    lines = body.split("\n")
    hidden = int(lines[-1].split()[1]) if lines[-1].startswith("and ") else 0
    shown = len(lines) - 1 if hidden else len(lines)
    assert shown + hidden == len(titles)


@given(st.text(max_size=500), st.lists(st.text(max_size=119).map(lambda t: f"t{t}"), max_size=30))
def test_the_line_about_lost_notes_always_fits(body: str, titles: list[str]) -> None:
    text, named = with_untold(body, titles)
    assert len(text) <= BODY_LIMIT
    assert named >= min(1, len(titles))
    if titles:
        line = text.rpartition("may not have reached you: ")[2]
        hidden = len(titles) - named
        assert line.endswith(f"; and {hidden} more: clawctl notifications") or not hidden
