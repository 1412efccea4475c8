"""What a sentence says about what: many wordings, one key; near ones, another; half a sentence, none."""

from datetime import UTC, datetime

import pytest

from nightclaw.memory.dates import absolute, expiry
from nightclaw.memory.keys import fact_of, key_of
from nightclaw.memory.likeness import likeness
from nightclaw.memory.values import whole

SAME = {
    ("port of staging", "9090"): [
        "The staging port is 9090", "port of staging is 9090", "we moved staging to port 9090",
        "Staging listens on 9090",
        "use port 9090 for staging now", "For staging, use port 9090", "The port for staging was bumped to 9090",
        "You reach staging on port 9090", "staging's port changed from 8080 to 9090",
        "The staging server runs on port 9090",
        "Heads up: the staging port is 9090 now", "Port 9090 belongs to staging, not 8080",
    ],
    ("owner of billing", "dana"): [
        "Dana owns billing", "Billing is now owned by Dana", "Ownership of billing moved to Dana",
        "The billing owner is Dana",
        "Dana is responsible for the billing service", "Dana took over billing from Lee",
        "We handed billing over to Dana",
    ],
    ("deadline of audit", "2027-03-04"): [
        "The deadline for the audit is 4 March 2027", "The audit is due on 2027-03-04",
        "audit's deadline moved to 2027-03-04",
    ],
    ("path of configuration", "/etc/app.toml"): [
        "The config lives in /etc/app.toml", "config is stored at /etc/app.toml",
        "You find the config in /etc/app.toml",
    ],
    ("preference of spaces|tabs", "tabs"): [
        "I prefer tabs over spaces", "Use tabs instead of spaces", "Always use tabs, not spaces",
    ],
    ("command of test", "make test"): [
        "Run the tests with `make test`", "To run the tests use `make test`", "`make test` runs the tests",
    ],
    ("port of staging", "not 9090"): [
        "The staging port is no longer 9090", "staging no longer runs on port 9090",
        "The staging port is not 9090 any more",
    ],
}  # fmt: skip


@pytest.mark.parametrize(("wanted", "text"), [(k, t) for k, texts in SAME.items() for t in texts])
def test_many_wordings_have_one_key(wanted: tuple[str, str], text: str) -> None:
    assert key_of(text) == wanted


@pytest.mark.parametrize(
    "text",
    [
        "What is the staging port?", "The old staging port was 8080", "I met Anna at 9:30", "We bought 3 laptops",
        "The staging database is slow", "Maybe the port of staging is 9090", "It is 9090", "Never push to main",
        "Always ask before you push to billing", "If the port of staging is 9090, tell me", "Dana is nice", "", "9090",
        "The port of staging is 9090 and the port of production is 9191. The owner of billing is Dana.",
    ],
)  # fmt: skip
def test_what_is_no_fact_or_two_has_no_key(text: str) -> None:
    assert key_of(text) is None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("port of api is 1000", "port of api-gateway is 1000"),
        ("The timeout of uploads is 5 s", "The timeout of downloads is 5 s"),
        ("The staging port of api is 1000", "The production port of api is 1000"),
        ("The train from Oslo to Rome leaves at 9:00", "The train from Rome to Oslo leaves at 9:00"),
        ("The office opens at 9:00", "The office closes at 9:00"),
        ("The owner of user is Dana", "The owner of users is Dana"),
    ],
)
def test_near_things_have_other_keys(one: str, other: str) -> None:
    a, b = key_of(one), key_of(other)
    assert a is not None
    assert b is not None
    assert a[0] != b[0]


def test_a_reason_is_kept_apart() -> None:
    fact = fact_of("The staging port is 9090 because nginx holds 8080")
    assert fact is not None
    assert (fact.key, fact.value) == ("port of staging", "9090")
    assert "nginx" in fact.rest


@pytest.mark.parametrize(
    ("a", "b", "is_same"),
    [
        ("30 seconds", "30s", True), ("v2.1.0", "version 2.1.0", True), ("Thursdays", "every Thursday", True),
        ("3 March 2027", "2027-03-03", True), ("$400", "400 dollars", True), ("9:30", "09:30", True),
        ("3 pm", "15:00", True),
        ("4.30", "4.3", False), ("30 seconds", "30 minutes", False), ("9:30 am", "9:30 pm", False),
        ("12,000", "12000", True), ("$400", "400 euros", False),
    ],
)  # fmt: skip
def test_values_have_one_form(a: str, b: str, is_same: bool) -> None:
    assert (whole(a).form == whole(b).form) is is_same


AT = round(datetime(2026, 11, 18, 15, tzinfo=UTC).timestamp() * 1000)  # a Wednesday


@pytest.mark.parametrize(
    ("said", "written"),
    [
        ("next Friday", "2026-11-20"), ("next Wednesday", "2026-11-25"), ("last Wednesday", "2026-11-11"),
        ("this Friday", "2026-11-20"), ("the day after tomorrow", "2026-11-20"), ("two weeks ago", "2026-11-04"),
        ("in 3 months", "2027-02-18"), ("next week", "the week of 2026-11-23"), ("last year", "2025"),
        ("next month", "2026-12 (December)"), ("this quarter", "2026-Q4"), ("the end of the month", "2026-11-30"),
        ("the end of next year", "2027-12-31"), ("a week from today", "2026-11-25"),
        ("tonight", "2026-11-18 in the evening"),
    ],
)  # fmt: skip
def test_relative_dates(said: str, written: str) -> None:
    assert absolute(f"We do it {said}", AT, UTC).endswith(written)


@pytest.mark.parametrize(
    "text",
    ["Deploys happen on Fridays", "Anna's birthday is 3 May", "The last Friday of each month is demo day",
     "Tests finish in 2 days",
     "Use `date --date yesterday`", "We review every Monday", "The standup is on Monday every week",
     "We retain logs for 30 days"],
)  # fmt: skip
def test_what_recurs_or_lasts_stays(text: str) -> None:
    assert absolute(text, AT, UTC) == text
    assert expiry(text, AT, UTC) is None


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("Closed until 2026-11-20", "2026-11-21"), ("Due by 3 March 2027", "2027-03-04"),
        ("Only on 2026-11-18 the door is open", "2026-11-19"),
        ("It holds the week of 2026-11-16 only", "2026-11-23"),
        ("The freeze lasts until 2026-12 (December)", "2027-01-01"),
        ("Hand it in before 2026-11-30", "2026-11-30"), ("Dana is on vacation for two weeks", "2026-12-03"),
    ],
)  # fmt: skip
def test_how_long_a_fact_holds(text: str, day: str) -> None:
    found = expiry(text, AT, UTC)
    assert found is not None
    assert datetime.fromtimestamp(found / 1000, UTC).date().isoformat() == day


@pytest.mark.parametrize(
    "text", ["The release is scheduled for 2027-01-05", "It was closed until 2026-11-01", "Written by Anna"]
)
def test_what_has_no_end(text: str) -> None:
    assert expiry(text, AT, UTC) is None


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("The linter must pass before merging", "Before merging, the linter must pass"),
        ("Keep answers short", "Answers should be kept short, please"),
        ("The docs of app are in German", "The app documentation is in German"),
        ("The build takes 30 seconds", "the build takes 30s"),
        ("Anna is allergic to nuts", "Anna's allergic to nuts"),
        ("Recieve mail at the desk", "Receive mail at the desk"),
    ],
)
def test_same_in_other_words(a: str, b: str) -> None:
    x, y = likeness(a), likeness(b)
    assert x is not None
    assert y is not None
    assert x.equals(y)
    assert x.sketches & y.sketches
