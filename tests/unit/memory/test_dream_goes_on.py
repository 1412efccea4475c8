"""One row that a dream may not change does not stop it, tonight or any night; failing again and again is told."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.unit.memory.nights import Night, night

from nightclaw.core.errors import Refused
from nightclaw.core.states import MemoryState
from nightclaw.memory.dream.prune import GROWTH
from nightclaw.store import dreams, memories
from nightclaw.store.db import Connection

pytestmark = pytest.mark.anyio


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[Night]:
    async with night(tmp_path / "nightclaw.db") as made:
        yield made


async def test_what_its_date_ended_ends_again_after_an_undo(home: Night) -> None:
    over = await home.save("The office is closed until Friday", "2026-11-02")
    report = await home.dream()
    await home.dreamer.undo(report.id)
    assert (await home.get(over)).state is MemoryState.ACTIVE
    await home.save("The office is closed until 2026-12-24", "2026-11-03")
    await home.dream()
    assert await home.texts() == ["The office is closed until 2026-12-24"]


async def test_the_owners_word_stands_though_a_file_says_it_already(tmp_path: Path) -> None:
    (tmp_path / "AGENTS.md").write_text("Run the tests of billing with make check\n")
    async with night(tmp_path / "nightclaw.db", clone=lambda repo: tmp_path) as home:
        kept = await home.save(
            "Run the tests of billing with make check", "2026-11-02", repo="octo/app", private=True, by="remember",
            state=MemoryState.CANDIDATE,
        )  # fmt: skip
        await home.dream()
        assert (await home.get(kept)).state is MemoryState.CANDIDATE


async def test_words_that_a_written_date_would_make_too_long_stay_as_they_are(home: Night) -> None:
    said = ("The demo is tomorrow " + "and so on " * 200)[: memories.LONGEST].strip()
    await home.save(said, "2026-11-02")
    await home.dream()
    assert await home.texts() == [said]


async def test_dreams_that_fail_again_and_again_are_told_once(home: Night) -> None:
    await home.save("The staging port is 8080", "2026-09-01")

    def refuse(conn: Connection, dream_id: str, why: str) -> None:
        dreams.stop(conn, dream_id, "failed", why, None, home.clock.now_ms())

    for _ in range(5):
        made = await home.store.write(dreams.begin, "offline", home.clock.now_ms())
        await home.store.write(refuse, made, "a row stands in the way")
        with pytest.raises(Refused):
            await home.dreamer.undo(made)
    assert await home.store.read(dreams.failing, 5) == "a row stands in the way"
    assert await home.store.read(dreams.failing, 3) is None, "told when it was the third"


async def test_nights_on_which_the_owner_only_told_facts_are_not_barren(home: Night) -> None:
    for i in range(7):
        await home.save(f"The cache size of node-{i} is {i} gb", f"2026-11-0{i + 1}")
        await home.dream()
    assert not any("kept nothing" in n for n in await home.notes())


async def test_what_is_too_much_for_one_night_is_left_to_the_next(home: Night) -> None:
    for i in range(2 * GROWTH // 50):
        lines = [f"The cache size of node-{i}-{n} is {n + 1} gb." for n in range(50)]
        await home.say("\n".join(lines), "2026-11-10")
    added = [(await home.dream()).counts["added"] for _ in range(4)]
    assert all(n < GROWTH + 50 for n in added)
    assert added[1] > 0
    assert sum(added) == len(await home.texts()) == 2 * GROWTH
