"""Only a check that passed makes a memory verified; the clone is read within its walls."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.unit.memory.nights import Night, night

from nightclaw.core.states import MemoryState
from nightclaw.core.trust import Trust
from nightclaw.memory.dream import verify

pytestmark = pytest.mark.anyio


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    root = tmp_path / "app"
    (root / "src").mkdir(parents=True)
    (root / "src" / "pay.py").write_text("def charge_card(amount):\n    return amount\n")
    (root / "AGENTS.md").write_text("- Run the checks of the app before each push.\n")
    os.symlink("/etc/passwd", root / "src" / "link.py")
    (tmp_path / "outside.py").write_text("x = 1\n")
    return root


@pytest.fixture
async def home(tmp_path: Path, clone: Path) -> AsyncIterator[Night]:
    roots = {"octo/app": clone}
    async with night(tmp_path / "nightclaw.db", clone=roots.get) as made:
        yield made


def test_files_and_names_are_looked_up_below_the_root(clone: Path) -> None:
    def said(text: str) -> str | bool | None:
        found = verify.by_clone(text, clone)
        return found.by if found else False

    assert said("Payments live in src/pay.py") == "file exists: src/pay.py"
    assert said("`charge_card()` takes cents") == "symbol found: charge_card in src/pay.py"
    assert said("Payments live in src/gone.py") is None
    assert said("Secrets are in ../outside.py") is False or said("Secrets are in ../outside.py") is None
    assert said("See src/link.py") is None, "a link leads out"
    assert said("`no_such_name` is slow") is False, "not found proves nothing"
    assert said("The logo is a heron") is False


async def test_checks_mark_rows_and_doubts(home: Night) -> None:
    good = await home.save(
        "Payments of app live in src/pay.py", "2026-11-01", trust=Trust.REPO, by="remember", repo="octo/app"
    )
    bad = await home.save(
        "Refunds of app live in src/refund.py", "2026-11-01", trust=Trust.REPO, by="remember", repo="octo/app"
    )
    none = await home.save("The logo of app is a heron", "2026-11-01")
    await home.dream()
    assert (await home.get(good)).verified_by == "file exists: src/pay.py"
    assert (await home.get(bad)).doubted_at is not None
    assert (await home.get(none)).verified_by is None
    before = await home.picture()
    await home.dream()
    assert await home.picture() == before, "a doubt that stays is no change"


async def test_a_doubt_that_is_lifted(home: Night, clone: Path) -> None:
    bad = await home.save(
        "Refunds of app live in src/refund.py", "2026-11-01", trust=Trust.REPO, by="remember", repo="octo/app"
    )
    await home.dream()
    (clone / "src" / "refund.py").write_text("")
    await home.dream()
    held = await home.get(bad)
    assert (held.doubted_at, held.verified_by) == (None, "file exists: src/refund.py")


async def test_what_the_repository_says_already_is_not_promoted(home: Night) -> None:
    said = await home.save(
        "Run the checks of the app before each push", "2026-11-01", trust=Trust.REPO, by="remember",
        repo="octo/app", state=MemoryState.CANDIDATE,
    )  # fmt: skip
    await home.dream()
    assert (await home.get(said)).state is MemoryState.RETIRED


async def test_a_second_independent_source(home: Night) -> None:
    await home.say("The staging port is 9090.", "2026-11-01", session="a")
    await home.say("Staging listens on port 9090.", "2026-11-05", session="b")
    await home.say("Dana owns billing.", "2026-11-05", session="c")
    await home.say("The owner of billing is Dana.", "2026-11-05", session="c")
    await home.dream()
    found = {m.fact_key: m.verified_by for m in await home.rows("active")}
    assert found == {"port of staging": "2 independent sources", "owner of billing": None}
