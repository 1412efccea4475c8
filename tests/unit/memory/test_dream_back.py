"""The way back from dreams that joined rows by their words: every byte, night by night, the latest first."""

import random
from pathlib import Path

import pytest
from tests.unit.memory.nights import night
from tests.unit.memory.test_dream_orders import dated, statements, tell

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("seed", range(10))
async def test_nights_are_undone_byte_for_byte(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    told = dated(statements(seed))
    rng.shuffle(told)
    async with night(tmp_path / "nightclaw.db") as home:
        await tell(home, told)
        before = await home.picture()
        dreamt = await home.dream()
        assert await home.picture() != before, "it changed something"
        await home.dreamer.undo(dreamt.id)
        assert await home.picture() == before
        await home.dream()
        assert await home.picture() == before, "undone is undone"


@pytest.mark.parametrize("seed", range(10))
async def test_the_last_of_several_nights_is_undone_alone(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    told = dated(statements(seed))
    rng.shuffle(told)
    async with night(tmp_path / "nightclaw.db") as home:
        for part in (told[:5], told[5:9], told[9:]):
            await tell(home, part)
            before = await home.picture()
            last = await home.dream()
        await home.dreamer.undo(last.id)
        assert await home.picture() == before
