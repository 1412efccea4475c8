"""Promise: a time the owner set comes once, on every clock change the world knows, and an absence stays small."""

from datetime import datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nightclaw.core.errors import Invalid
from nightclaw.core.types import JSON
from nightclaw.sources.calendar import (
    COUNTED,
    GRACE_MS,
    ROWS,
    Fire,
    Spec,
    due,
    jitter,
    next_fire,
    read_spec,
    slots,
    span_ms,
    written,
)
from nightclaw.sources.crontab import DAY_MS, instant_of, iso, local_of, milliseconds, next_cron

BERLIN = ZoneInfo("Europe/Berlin")
NEW_YORK = ZoneInfo("America/New_York")
LORD_HOWE = ZoneInfo("Australia/Lord_Howe")  # its clock moves by half an hour
CASABLANCA = ZoneInfo("Africa/Casablanca")  # summer time but for Ramadan
SAO_PAULO = ZoneInfo("America/Sao_Paulo")  # moved its clock at midnight until 2019
KOLKATA = ZoneInfo("Asia/Kolkata")
APIA = ZoneInfo("Pacific/Apia")  # skipped 30 December 2011
ZONES = (BERLIN, NEW_YORK, LORD_HOWE, CASABLANCA, SAO_PAULO, KOLKATA, APIA)
HOUR_MS = 3_600_000


def ms(text: str) -> int:
    return milliseconds(datetime.fromisoformat(text))


def spec(**words: JSON) -> Spec:
    return read_spec(words, row_id="sch_1", created_at=ms("2026-01-01T00:00:00Z"), by_agent=False)


def fires(cron: str, start: str, end: str, tz: ZoneInfo) -> list[str]:
    """UTC hours and minutes, with the day, of every slot in (start, end]."""
    found = slots(spec(cron=cron), ms(start), ms(end), tz)
    return [iso(s)[8:16] for s in found]


@pytest.mark.parametrize(
    ("cron", "start", "end", "tz", "expected"),
    [
        # 02:30 does not exist when the clock jumps: once, at the jump
        ("30 2 * * *", "2026-03-28T12:00Z", "2026-03-30T12:00Z", BERLIN, ["29T01:00", "30T00:30"]),
        ("30 2 * * *", "2026-03-07T12:00Z", "2026-03-09T12:00Z", NEW_YORK, ["08T07:00", "09T06:30"]),
        ("15 2 * * *", "2026-10-03T00:00Z", "2026-10-04T23:00Z", LORD_HOWE, ["03T15:30", "04T15:15"]),
        ("30 0 * * *", "2018-11-03T12:00Z", "2018-11-05T12:00Z", SAO_PAULO, ["04T03:00", "05T02:30"]),
        ("0 8 * * *", "2011-12-29T12:00Z", "2011-12-31T12:00Z", APIA, ["29T18:00", "30T10:00", "30T18:00"]),
        # 01:30 or 02:30 exists twice when the clock falls back: once, the first time
        ("30 2 * * *", "2026-10-24T12:00Z", "2026-10-26T12:00Z", BERLIN, ["25T00:30", "26T01:30"]),
        ("30 1 * * *", "2026-10-31T12:00Z", "2026-11-02T12:00Z", NEW_YORK, ["01T05:30", "02T06:30"]),
        ("45 1 * * *", "2026-04-04T00:00Z", "2026-04-05T23:00Z", LORD_HOWE, ["04T14:45", "05T15:15"]),
        ("*/20 2 * * *", "2026-10-24T22:00Z", "2026-10-25T12:00Z", BERLIN, ["25T00:00", "25T00:20", "25T00:40"]),
        # the same minutes named for a skipped hour are one moment, not three
        ("*/20 2 * * *", "2026-03-29T00:00Z", "2026-03-29T12:00Z", BERLIN, ["29T01:00"]),
        # an hourly cron keeps real hours
        ("0 * * * *", "2026-10-24T23:30Z", "2026-10-25T03:00Z", BERLIN,
         ["25T00:00", "25T01:00", "25T02:00", "25T03:00"]),
        ("0 * * * *", "2026-03-29T00:30Z", "2026-03-29T03:00Z", BERLIN, ["29T01:00", "29T02:00", "29T03:00"]),
        # and finds its hour where the clock moved by half of one
        ("0 */2 * * *", "2026-04-04T12:30Z", "2026-04-04T18:00Z", LORD_HOWE, ["04T13:00", "04T15:30", "04T17:30"]),
        ("30 9 * * *", "2026-05-01T00:00Z", "2026-05-02T12:00Z", KOLKATA, ["01T04:00", "02T04:00"]),
        ("0 9 * * *", "2026-02-14T00:00Z", "2026-02-16T12:00Z", CASABLANCA, ["14T08:00", "15T09:00", "16T09:00"]),
    ],
)  # fmt: skip
def test_a_cron_comes_due_once_across_a_change_of_the_clock(
    cron: str, start: str, end: str, tz: ZoneInfo, expected: list[str]
) -> None:
    assert fires(cron, start, end, tz) == expected


@pytest.mark.parametrize("tz", ZONES, ids=str)
def test_a_daily_time_fires_on_every_local_day_of_a_year_exactly_once(tz: ZoneInfo) -> None:
    for clock in ("30 2 * * *", "30 1 * * *", "0 0 * * *", "45 1 * * *"):
        found = list(slots(spec(cron=clock), ms("2018-01-01T12:00Z"), ms("2019-01-01T12:00Z"), tz))
        days = [local_of(s, tz).date() for s in found]
        assert len(days) == len(set(days)) == 365


@pytest.mark.parametrize("tz", ZONES, ids=str)
def test_a_minutely_cron_fires_every_real_minute_and_none_twice(tz: ZoneInfo) -> None:
    for start in ("2026-03-28T22:00Z", "2026-10-24T22:00Z", "2026-04-04T12:00Z", "2018-11-04T01:00Z"):
        found = list(slots(spec(cron="* * * * *"), ms(start), ms(start) + 6 * HOUR_MS, tz))
        assert found == [ms(start) + n * 60_000 for n in range(1, 361)]


CRONS = st.tuples(
    st.sampled_from(["*", "*/7", "0", "30", "0-59/20", "5,50"]),
    st.sampled_from(["*", "*/2", "1", "2", "0-3", "23"]),
    st.sampled_from(["*", "1", "31", "L"]),
    st.sampled_from(["*", "3", "*/2"]),
    st.sampled_from(["*", "0", "1-5", "SUN#2"]),
).map(" ".join)
MOMENTS = st.integers(ms("2010-01-01T00:00Z"), ms("2040-01-01T00:00Z"))


@settings(max_examples=150, deadline=None)
@given(cron=CRONS, after=MOMENTS, tz=st.sampled_from(ZONES))
def test_slots_only_go_forward_and_none_hides_between_two(cron: str, after: int, tz: ZoneInfo) -> None:
    if cron.split()[2] == "31" and cron.split()[4] == "SUN#2":
        return  # no month has it
    one = spec(cron=cron)
    first = next_fire(one, after, tz)
    assert first is not None and first > after
    second = next_fire(one, first, tz)
    assert second is not None and second > first
    # asked from anywhere between, the answer is the same slot
    for between in (after + (first - after) // 2, first - 1):
        assert next_fire(one, between, tz) == first
    assert next_fire(one, (first + second) // 2, tz) == second


@settings(max_examples=100, deadline=None)
@given(minute=st.integers(0, 59), hour=st.integers(0, 23), after=MOMENTS, tz=st.sampled_from(ZONES))
def test_a_daily_time_is_never_silent_for_longer_than_two_days(
    minute: int, hour: int, after: int, tz: ZoneInfo
) -> None:
    found = next_cron(f"{minute} {hour} * * *", after, tz)
    assert found is not None and found - after <= 2 * DAY_MS
    wanted = local_of(found, tz).replace(hour=hour, minute=minute)
    assert local_of(found, tz) == wanted or instant_of(wanted, tz) == found  # else it was shifted by a jump


@settings(max_examples=150, deadline=None)
@given(
    every=st.integers(1_000, 40 * DAY_MS),
    created=MOMENTS,
    after=MOMENTS,
    jitter_ms=st.integers(0, 60_000),
)
def test_an_interval_is_one_grid_forever(every: int, created: int, after: int, jitter_ms: int) -> None:
    grid = Spec(every_ms=every, anchor=created, jitter_ms=jitter_ms)
    found = next_fire(grid, after, BERLIN)
    assert found is not None
    steps = (found - created - jitter_ms) / every
    assert found > after and steps == int(steps) and steps != 0
    assert found - after <= (2 * every if steps == 1 else every)
    assert next_fire(grid, found, BERLIN) == found + (2 * every if steps == -1 else every)


def test_an_interval_begins_a_whole_interval_after_its_creation() -> None:
    for n in range(20):
        grid = read_spec({"every": "1h"}, row_id=f"sch_{n}", created_at=NOW, by_agent=False)
        first = next_fire(grid, NOW, BERLIN)
        assert first is not None and HOUR_MS <= first - NOW < HOUR_MS + 60_000


def test_a_moment_comes_once_and_local_time_is_the_owners() -> None:
    local, fixed = spec(at="2026-12-01T09:00"), spec(at="2026-12-01T09:00:00+05:30")
    before = ms("2026-11-01T00:00Z")
    assert next_fire(local, before, BERLIN) == ms("2026-12-01T08:00Z")
    assert next_fire(local, before, NEW_YORK) == ms("2026-12-01T14:00Z")
    assert next_fire(fixed, before, NEW_YORK) == ms("2026-12-01T03:30Z")
    assert next_fire(local, ms("2026-12-01T08:00Z"), BERLIN) is None
    assert next_fire(spec(at="2026-03-29T02:30"), before - 300 * DAY_MS, BERLIN) == ms("2026-03-29T01:00Z")


def test_an_expiry_ends_it() -> None:
    ends = spec(every="1h", expires_at="2026-11-01T02:30:00Z")
    found = list(slots(ends, ms("2026-11-01T00:00Z"), ms("2027-01-01T00:00Z"), BERLIN))
    assert 2 <= len(found) <= 3
    assert next_fire(ends, found[-1], BERLIN) is None


def test_jitter_is_the_rows_own_and_spares_what_the_owner_timed_exactly() -> None:
    hourly = [jitter(f"sch_{n}", HOUR_MS, by_agent=False) for n in range(50)]
    assert hourly == [jitter(f"sch_{n}", HOUR_MS, by_agent=False) for n in range(50)]
    assert len(set(hourly)) > 40 and all(0 <= j < 60_000 for j in hourly)
    assert all(jitter(f"sch_{n}", 2_000, by_agent=False) < 200 for n in range(50))
    assert spec(cron="0 8 * * *").jitter_ms == 0
    made = {"cron": "0 8 * * *"}
    assert read_spec(made, row_id="sch_7", created_at=0, by_agent=True).jitter_ms > 0
    assert read_spec({"at": "2026-12-01T09:00"}, row_id="sch_7", created_at=0, by_agent=True).jitter_ms == 0


NOW = ms("2026-11-20T09:00:10Z")


def test_nothing_is_due_before_its_time() -> None:
    plan = due(spec(cron="0 8 * * *"), NOW + 1, NOW, BERLIN)
    assert plan.fires == () and plan.missed is None and plan.next_at == NOW + 1
    assert due(spec(cron="0 8 * * *"), None, NOW, BERLIN).next_at is None


def test_once_lets_the_newest_stand_for_all() -> None:
    plan = due(spec(cron="0 * * * *"), NOW - 10_000 - 9 * HOUR_MS, NOW, BERLIN)
    assert plan.fires == (Fire(NOW - 10_000, 9),)
    assert plan.missed is None and plan.next_at == NOW - 10_000 + HOUR_MS


def test_skip_fires_what_is_on_time_and_counts_the_rest() -> None:
    hourly = spec(cron="0 * * * *", missed="skip")
    on_time = due(hourly, NOW - 10_000, NOW, BERLIN)
    assert on_time.fires == (Fire(NOW - 10_000, 0),) and on_time.missed is None
    late = due(hourly, NOW - 10_000 - 2 * HOUR_MS, NOW + GRACE_MS, BERLIN)
    assert late.fires == () and late.missed is not None
    assert (late.missed.slot, late.missed.count) == (NOW - 10_000, 3)


def test_all_fires_each_in_order() -> None:
    plan = due(spec(cron="0 * * * *", missed="all"), NOW - 10_000 - 3 * HOUR_MS, NOW, BERLIN)
    assert [f.slot for f in plan.fires] == [NOW - 10_000 - n * HOUR_MS for n in (3, 2, 1, 0)]
    assert plan.missed is None


def test_within_bounds_how_far_back_anything_fires() -> None:
    one_time = due(spec(at="2026-11-01T09:00", within="7d"), ms("2026-11-01T08:00Z"), NOW, BERLIN)
    assert one_time.fires == () and one_time.missed is not None and one_time.missed.count == 1
    assert one_time.next_at is None
    all_of = due(spec(cron="0 * * * *", missed="all", within="150m"), NOW - 10_000 - 9 * HOUR_MS, NOW, BERLIN)
    assert len(all_of.fires) == 3
    assert all_of.missed is not None and all_of.missed.count == 7
    assert all_of.missed.slot == all_of.fires[0].slot - HOUR_MS


@pytest.mark.parametrize(
    "words",
    [
        {"cron": "* * * * *"},
        {"cron": "*/5 8-17 * * 1-5"},
        {"cron": "0 3 * * *"},
        {"every": "1s"},
        {"every": "7h"},
    ],
)
@pytest.mark.parametrize("policy", ["once", "skip", "all"])
def test_four_hundred_days_cost_little_and_say_how_much_was_left_out(
    words: dict[str, JSON], policy: str
) -> None:
    one = spec(**words, missed=policy)
    first = next_fire(one, NOW - 400 * DAY_MS, BERLIN)
    plan = due(one, first, NOW, BERLIN)
    assert plan.next_at is not None and plan.next_at > NOW
    assert len(plan.fires) <= (ROWS if policy == "all" else 1)
    ordered = [f.slot for f in plan.fires]
    assert ordered == sorted(set(ordered))
    if plan.fires:
        newest = plan.fires[-1].slot
        assert newest <= NOW and next_fire(one, newest, BERLIN) == plan.next_at
    for slot, following in pairwise(ordered):
        assert next_fire(one, slot, BERLIN) == following
    passed = (plan.missed.count if plan.missed else 0) + sum(f.missed for f in plan.fires)
    is_least = plan.missed.is_least if plan.missed else plan.fires[0].is_least
    known = passed + len(plan.fires)
    assert known == COUNTED if is_least else known >= 390
    if policy == "all":
        assert len(plan.fires) == ROWS
    if "every" in words:
        assert not is_least and known == 400 * DAY_MS // span_ms(words["every"])


@settings(max_examples=60, deadline=None)
@given(
    cron=CRONS,
    start=MOMENTS,
    gaps=st.lists(st.integers(0, 3 * DAY_MS), max_size=12),
    tz=st.sampled_from(ZONES),
)
def test_however_often_one_looks_no_slot_fires_twice_and_none_is_lost(
    cron: str, start: int, gaps: list[int], tz: ZoneInfo
) -> None:
    if cron.split()[2] == "31" and cron.split()[4] == "SUN#2":
        return
    one = spec(cron=cron)
    next_at, now, fired, counted = next_fire(one, start, tz), start, [], 0
    for gap in gaps:
        now += gap
        plan = due(one, next_at, now, tz)
        fired += [f.slot for f in plan.fires]
        counted += sum(1 + f.missed for f in plan.fires)
        if any(f.is_least for f in plan.fires):
            return  # more than it counts: the next test has that
        next_at = plan.next_at
    assert fired == sorted(set(fired))
    assert counted == sum(1 for _ in slots(one, start, now, tz))


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ({}, "no time"),
        ({"cron": "0 8 * * *", "every": "1h"}, "cron and every"),
        ({"cron": "0 8 * *"}, "4 fields"),
        ({"cron": "61 8 * * *"}, "not sound"),
        ({"cron": "0 0 31 2 *"}, "not sound"),
        ({"every": "soon"}, "not a duration"),
        ({"every": "100ms"}, "too often"),
        ({"every": "9999999999999999h"}, "not a duration"),
        ({"at": "tomorrow"}, "not a moment"),
        ({"at": "2026-12-01"}, "not a moment"),
        ({"every": "1h", "missed": "never"}, "no policy"),
        ({"every": "1h", "expires_at": "2026-12-01T09:00"}, "no offset"),
    ],
)
def test_words_that_mean_no_time_are_refused_with_a_remedy(words: dict[str, JSON], says: str) -> None:
    with pytest.raises(Invalid, match=says) as refused:
        spec(**words)
    assert refused.value.hint


@pytest.mark.parametrize("text", ["1s", "90s", "5m", "2h", "7d", "3w", "1500ms"])
def test_a_duration_reads_as_it_was_written(text: str) -> None:
    assert span_ms(written(span_ms(text))) == span_ms(text)
    assert span_ms("1h30m") == span_ms("90m") == span_ms(5400) == 5_400_000
    assert written(5_400_000) == "90m" and written(7 * DAY_MS) == "1w"


def test_moments_are_exact_to_the_millisecond() -> None:
    at = ms("2026-11-20T06:54:00.123Z")
    assert iso(at) == "2026-11-20T06:54:00.123Z"
    assert local_of(at, KOLKATA) == datetime(2026, 11, 20, 12, 24, 0, 123_000)
    assert instant_of(local_of(at, KOLKATA), KOLKATA) == at
    assert local_of(at + 1, KOLKATA) - local_of(at, KOLKATA) == timedelta(milliseconds=1)
