"""Consolidation without a model: what merges, what is current, what ends, and what is left alone."""

from collections.abc import AsyncIterator
from itertools import permutations
from pathlib import Path

import pytest
from tests.unit.memory.nights import Night, ms, night

from nightclaw.core.states import MemoryState
from nightclaw.core.trust import Trust

pytestmark = pytest.mark.anyio
CANDIDATE = MemoryState.CANDIDATE


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[Night]:
    async with night(tmp_path / "nightclaw.db") as made:
        yield made


async def test_three_wordings_of_one_fact_become_one(home: Night) -> None:
    old = await home.save("The staging port is 8080", "2026-11-01")
    await home.save("Staging listens on port 8080", "2026-11-02")
    kept = await home.save("You reach staging on port 8080.", "2026-11-03")
    report = await home.dream()
    assert report.counts["merged"] == 2
    assert report.counts["lost"] == 0
    assert await home.texts() == ["You reach staging on port 8080."]
    gone = await home.get(old)
    assert (gone.state, gone.superseded_by) == (MemoryState.SUPERSEDED, kept)
    assert len((await home.get(kept)).sources) == 3


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("The port of api is 8080", "The port of api-gateway is 8080"),
        ("The port of api is 8080", "The port of api 2 is 8080"),
        ("The linter must pass before a merge", "The linter must pass after a merge"),
        ("frontend depends on backend", "backend depends on frontend"),
        ("Dana reports to Lee", "Lee reports to Dana"),
        ("The deploy script needs sudo", "The backup script needs sudo"),
        ("The flight from Oslo to Rome takes 3 hours", "The flight from Rome to Oslo takes 3 hours"),
        ("We use pytest", "We use hypothesis"),
        ("Dana likes tea", "Dana likes coffee"),
        ("The office opens at 9:00", "The office closes at 9:00"),
        ("upload logs to the bucket", "unload logs to the bucket"),
        ("The retry limit of uploads is 5", "The retry limit of downloads is 5"),
        ("Billing needs Redis", "Billing needs Kafka"),
        ("The release of app is on 2027-01-05", "The freeze of app is on 2027-01-05"),
    ],
)
async def test_what_only_looks_alike_stays_two(home: Night, one: str, other: str) -> None:
    await home.save(one, "2026-11-01")
    await home.save(other, "2026-11-02")
    await home.dream()
    assert await home.texts() == sorted([one, other])


@pytest.mark.parametrize("order", list(permutations(range(3))))
async def test_the_newest_observation_is_current_in_whatever_order_it_came(
    home: Night, order: tuple[int, ...]
) -> None:
    said = [
        ("The staging port is 8080", "2026-09-01"),
        ("We moved staging to port 9090", "2026-10-01"),
        ("Use port 9191 for staging now", "2026-11-01"),
    ]
    ids: dict[int, str] = {}
    for i in order:
        ids[i] = await home.save(*said[i])
        await home.dream()
    assert await home.texts() == ["Use port 9191 for staging now"]
    first, second, third = [await home.get(ids[i]) for i in range(3)]
    assert [first.superseded_by, second.superseded_by, third.superseded_by] == [second.id, third.id, None]
    assert [first.supersedes, second.supersedes, third.supersedes] == [None, first.id, second.id]


async def test_a_value_that_comes_back_is_current_again(home: Night) -> None:
    await home.save("The staging port is 8080", "2026-09-01")
    await home.save("We moved staging to port 9090", "2026-10-01")
    await home.dream()
    await home.save("The staging port is 8080 again", "2026-11-01")
    await home.dream()
    assert await home.texts() == ["The staging port is 8080 again"]


async def test_what_is_said_to_be_over_is_over(home: Night) -> None:
    await home.save("We use Jenkins for CI", "2026-09-01")
    await home.save("The owner of billing is Dana", "2026-09-01")
    await home.dream()
    await home.save("We no longer use Jenkins for CI", "2026-10-01")
    await home.save("Dana no longer owns billing", "2026-10-01")
    await home.dream()
    assert await home.texts() == ["Dana no longer owns billing", "We no longer use Jenkins for CI"]


async def test_an_end_of_an_older_value_leaves_the_current_one(home: Night) -> None:
    await home.save("The staging port is 8080", "2026-09-01")
    await home.save("We moved staging to port 9090", "2026-10-01")
    await home.dream()
    await home.save("The staging port is no longer 8080", "2026-10-02")
    await home.dream()
    assert await home.texts() == ["We moved staging to port 9090"]


async def test_what_one_has_several_of_ends_only_when_it_is_said(home: Night) -> None:
    await home.save("Billing uses Postgres", "2026-09-01")
    await home.save("Billing uses Kafka", "2026-10-01")
    await home.dream()
    assert len(await home.texts()) == 2
    await home.save("We migrated billing from Postgres to CockroachDB", "2026-11-01")
    await home.dream()
    assert await home.texts() == ["Billing uses Kafka", "We migrated billing from Postgres to CockroachDB"]


async def test_the_owners_word_holds_against_newer_words_of_others(home: Night) -> None:
    await home.save("The staging port is 8080", "2026-09-01")
    late = await home.save(
        "The staging port is 9090", "2026-11-01", trust=Trust.REPO, by="remember", state=CANDIDATE
    )
    await home.dream()
    assert await home.texts() == ["The staging port is 8080"]
    assert (await home.get(late)).state is CANDIDATE
    assert any("9090" in n and "8080" in n for n in await home.notes())


async def test_what_the_owner_edited_is_neither_rewritten_nor_ended(home: Night) -> None:
    edited = await home.save("Demo is next Friday on port 8080", "2026-10-01", by="edit")
    line = await home.save("The staging port is 8080", "2026-09-01", by="edit")
    over = await home.save("The office is closed until 2026-10-05", "2026-10-01", by="edit")
    await home.say("We moved staging to port 9090.", "2026-11-01")
    await home.dream()
    for memory_id in (edited, line, over):
        assert (await home.get(memory_id)).state is MemoryState.ACTIVE
    assert (await home.get(edited)).text == "Demo is next Friday on port 8080"
    assert any("Which one holds?" in n for n in await home.notes())


async def test_the_owners_own_newer_words_end_an_edited_line(home: Night) -> None:
    await home.save("The staging port is 8080", "2026-09-01", by="edit")
    await home.save("The staging port is 9090", "2026-10-01", by="edit")
    await home.dream()
    assert await home.texts() == ["The staging port is 9090"]


@pytest.mark.parametrize(
    ("said", "day", "written"),
    [
        ("We deployed v2 yesterday", "2026-11-18", "We deployed v2 on 2026-11-17"),
        ("The demo is next Friday", "2026-11-18", "The demo is on 2026-11-20"),
        ("In two weeks we switch to the new VPN", "2026-11-18", "On 2026-12-02 we switch to the new VPN"),
        ("Last month the contract was signed", "2026-11-18", "In 2026-10 (October) the contract was signed"),
        ("Anna left three days ago", "2026-11-18", "Anna left on 2026-11-15"),
        ("Deploys happen on Fridays", "2026-11-18", "Deploys happen on Fridays"),
        ("Anna's birthday is 3 May", "2026-11-18", "Anna's birthday is 3 May"),
    ],
)
async def test_relative_dates_are_written_out_from_when_they_were_said(
    home: Night, said: str, day: str, written: str
) -> None:
    was = await home.save(said, day)
    await home.dream()
    [row] = await home.rows("active")
    assert (row.text, row.observed_at) == (written, ms(day))
    if said != written:
        assert (await home.get(was)).superseded_by == row.id
        assert row.sources == (await home.get(was)).sources


@pytest.mark.parametrize(
    ("said", "day"),
    [
        ("The office is closed until Friday", "2026-11-02"),
        ("The report is due by 3 November", "2026-10-20"),
        ("This week only, Lee covers for Dana", "2026-11-02"),
        ("For the next two weeks use the old VPN", "2026-10-01"),
        ("Today only the side door is open", "2026-11-01"),
    ],
)
async def test_a_dated_fact_ends_with_its_date(home: Night, said: str, day: str) -> None:
    gone = await home.save(said, day)
    kept = await home.save("The office is closed until 2026-12-24", day)
    report = await home.dream()
    assert report.counts["retired"] == 1
    assert (await home.get(gone)).state is MemoryState.RETIRED
    assert (await home.get(kept)).state is MemoryState.ACTIVE
    assert await home.count("SELECT count(*) FROM tombstone") == 1


async def test_what_holds_for_a_while_ends_nothing_that_lasts(home: Night) -> None:
    lasting = await home.save("The staging port is 8080", "2026-11-01")
    await home.save("Until 2026-11-25 the staging port is 9090", "2026-11-17")
    await home.dream()
    assert len(await home.texts()) == 2
    await home.clock.advance(10 * 86_400)
    await home.dream()
    assert await home.texts() == ["The staging port is 8080"]
    assert (await home.get(lasting)).state is MemoryState.ACTIVE


async def test_scopes_and_topics_keep_to_themselves(home: Night) -> None:
    for repo in ("octo/app", "octo/web"):
        await home.save(
            f"The test command of {repo[5:]}s is `make test`", "2026-11-01", repo=repo, private=True
        )
        await home.save("The deploy key rotates every 90 days", "2026-11-01", repo=repo, private=True)
    await home.save("The database is Postgres", "2026-11-01", topic="billing")
    await home.save("The database is MariaDB", "2026-11-02", topic="search")
    await home.dream()
    assert len(await home.rows("active")) == 6


async def test_candidates_become_active_when_they_are_sourced_and_trusted(home: Night) -> None:
    given: dict[str, Trust] = {
        "Dana owns billing": Trust.OWNER,
        "The cache of search is Redis": Trust.REPO,
        "Strangers say the port is 1": Trust.WORLD,
    }
    for text, trust in given.items():
        await home.save(text, "2026-11-01", trust=trust, by="remember", state=CANDIDATE)
    report = await home.dream()
    assert report.counts["promoted"] == 2
    assert await home.texts() == ["Dana owns billing", "The cache of search is Redis"]


async def test_a_clock_that_was_ahead_does_not_win_forever(home: Night) -> None:
    home.clock.set_wall("2027-12-01T03:00:00+01:00")
    await home.save("The staging port is 8080", "2027-12-01")
    await home.dream()
    home.clock.set_wall("2026-11-18T03:00:00+01:00")
    await home.save("We moved staging to port 9090", "2026-11-17")
    await home.dream()
    assert await home.texts() == ["We moved staging to port 9090"]


async def test_doubts_are_looked_at_again(home: Night) -> None:
    from nightclaw.store import memories

    held = await home.save("The staging port is 8080", "2026-09-01", trust=Trust.REPO, by="remember")
    await home.store.write(memories.doubted, held, home.clock.now_ms())
    await home.dream()
    assert (await home.get(held)).doubted_at is not None, "nothing that was checked speaks for it"


async def test_lines_written_in_one_go_stand_together(home: Night) -> None:
    """Neither is newer than the other; a line of another day may take the place of both."""
    for text in ("The blue bike belongs to Ana", "The blue bike belongs to Ben", "The box listens on port 80",
                 "The box listens on port 443"):  # fmt: skip
        await home.save(text, "2026-10-01", by="edit")
    await home.dream()
    assert len(await home.texts()) == 4
    await home.save("The blue bike belongs to Celia now", "2026-10-05", by="edit")
    await home.dream()
    assert [t for t in await home.texts() if "bike" in t] == ["The blue bike belongs to Celia now"]
