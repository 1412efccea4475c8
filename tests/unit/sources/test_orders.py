"""Promise: a bullet of ORDERS.md that names a time falls due at that time, and nothing else in the file does."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightclaw.sources.crontab import iso, milliseconds
from nightclaw.sources.orders import last_due, read_orders

BERLIN = ZoneInfo("Europe/Berlin")


def due(text: str, now: str) -> list[str | None]:
    """When each order fell due last, in UTC to the minute."""
    at = milliseconds(datetime.fromisoformat(now))
    found = [last_due(o, at, BERLIN) for o in read_orders(text, BERLIN)]
    return [iso(f)[:16] if f is not None else None for f in found]


@pytest.mark.parametrize(
    ("bullet", "expected"),
    [
        ("- 2026-11-19 the day before", "2026-11-18T23:00"),
        ("* pay on 2026-11-19 at 14:30", "2026-11-19T13:30"),
        ("1. pay on 2026-11-19, at 5pm", "2026-11-19T16:00"),
        ("- by 2026-11-19T14:30Z.", "2026-11-19T14:30"),
        ("- by 2026-11-19 14:30+05:30", "2026-11-19T09:00"),
        ("- [ ] 2026-11-19 open", "2026-11-18T23:00"),
        ("- 2026-11-21 tomorrow", None),
        ("- every day at 09:00 stand up", "2026-11-20T08:00"),
        ("- Every day at 12:01 lunch", "2026-11-19T11:01"),
        ("- every weekday", "2026-11-20T08:00"),
        ("- every monday", "2026-11-16T08:00"),
        ("- every Mon, Wed and Sat at 7:05 run", "2026-11-18T06:05"),
        ("- look every tuesday at 12am", "2026-11-16T23:00"),
    ],
)
def test_a_time_in_words(bullet: str, expected: str | None) -> None:
    assert due(bullet, "2026-11-20T12:00:00+01:00") == [expected]


@pytest.mark.parametrize(
    "text",
    [
        "# 2026-11-19 a heading",
        "2026-11-19 a paragraph",
        "- [x] 2026-11-19 done",
        "<!-- - 2026-11-19 -->",
        "<!--\n- 2026-11-19 never closed",
        "```\n- 2026-11-19 code\n```",
        "- never push to main",
        "- 2026-13-45 no date",
        "- every day at 25:00 no time",
        "- every monster counts",
        "- build 12026-11-19",
        "",
    ],
)
def test_what_names_no_time_never_falls_due(text: str) -> None:
    assert due(text, "2026-11-20T12:00:00+01:00") == []


def test_a_bullet_may_run_over_lines_and_bullets_end_it() -> None:
    text = "- call the bank\n  on 2026-11-19\n  - 2026-11-18 nested\nplain 2026-11-17\n\n- 2026-11-16 last"
    orders = read_orders(text, BERLIN)
    assert [o.text for o in orders] == [
        "call the bank on 2026-11-19",
        "2026-11-18 nested",
        "2026-11-16 last",
    ]
    assert len({o.digest for o in orders}) == 3
    assert read_orders("- 2026-11-16  LAST\n", BERLIN)[0].digest == orders[2].digest


def test_a_time_the_clock_skips_or_repeats_is_due_once() -> None:
    assert due("- every day at 02:30 x", "2026-03-29T12:00:00+02:00") == ["2026-03-29T01:00"]
    assert due("- every day at 02:30 x", "2026-10-25T02:45:00+01:00") == ["2026-10-25T00:30"]


@given(st.text(alphabet="-*# \n2026:T1every dayt<!>`[]x", max_size=200))
def test_any_text_is_read_without_complaint(text: str) -> None:
    for order in read_orders(text, BERLIN):
        assert order.once is not None or order.days
