"""Killed anywhere, a dream leaves the memory as it was or as it would have been, and the next one finishes the work."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.unit.memory.nights import night
from tests.unit.memory.test_dream_orders import dated, statements, tell
from tests.unit.memory.test_dream_runs import fill

pytestmark = pytest.mark.anyio
ROOT = Path(__file__).parents[3]
DEATHS = int(os.environ.get("NIGHTCLAW_DEATHS", "25"))


@pytest.mark.timeout(240)
async def test_a_killed_dream_leaves_old_or_new(tmp_path: Path) -> None:
    prepared = tmp_path / "prepared.db"
    async with night(prepared) as home:
        await fill(home)
        await tell(home, dated(statements(5))[::-1])
        for i in range(30):
            await home.save(f"The cache size of node-{i} is {i} gb", "2026-11-01")
            await home.save(f"We raised the cache size of node-{i} to {i + 50} gb", "2026-11-02")
    ran = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-m", "tests.unit.memory.dying_child", prepared, tmp_path, str(DEATHS), "7"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    lines = [json.loads(line) for line in ran.stdout.splitlines()]
    (_, before), (_, after) = lines[:2]
    assert before != after
    assert before[-1] == after[-1] == 1, "the database is whole"
    assert len(lines) == 2 + DEATHS
    for where, left, again in lines[2:]:
        assert left in (before, after), f"killed {where}: something between"
        assert again == after, f"killed {where}: the next dream came to something else"
    ends = [left == after for _, left, _ in lines[2:]]
    assert any(ends)
    assert not all(ends)
