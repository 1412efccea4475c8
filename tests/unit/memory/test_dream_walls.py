"""Words join rows within one wall: nothing of lower trust, of another repository or of a hand is moved by them."""

import random
from pathlib import Path

import pytest
from tests.unit.memory.nights import Night, night
from tests.unit.memory.test_dream_orders import dated, statements, tell

from nightclaw.core.states import MemoryState
from nightclaw.core.trust import Trust
from nightclaw.store import memories
from nightclaw.store.db import Connection
from nightclaw.store.memories import Memory, NewMemory, Said

pytestmark = pytest.mark.anyio
SEEDS = range(8)


async def save(
    home: Night, told: list[tuple[str, int]], trust: Trust, by: str, repo: str | None = None
) -> list[str]:
    """Rows as others make them: nothing gives way before the night. Private when they are of a repository."""
    state = MemoryState.CANDIDATE if by == "remember" else MemoryState.ACTIVE

    def write(conn: Connection) -> list[str]:
        role, made = "assistant" if by == "remember" else "owner", list[str]()
        for text, at in told:
            new = NewMemory(text, "project", "work", trust, (), by, at, repo is not None, repo, state=state)
            made.append(memories.save(conn, new, Said(role), home.clock.now_ms()))
        return made

    return await home.store.write(write)


def said(rows: list[Memory]) -> list[tuple[str, str, str, str | None]]:
    return [(m.id, m.text, str(m.state), m.superseded_by) for m in rows]


@pytest.mark.parametrize("trust", [Trust.WORLD, Trust.REPO, Trust.DAEMON])
@pytest.mark.parametrize("seed", SEEDS)
async def test_words_of_lower_trust_change_nothing_of_the_owners(
    tmp_path: Path, seed: int, trust: Trust
) -> None:
    told = dated(statements(seed))
    async with night(tmp_path / "nightclaw.db") as home:
        await tell(home, told[:7])
        await home.dream()
        owners = said(await home.rows())
        await save(home, told[7:], trust, "remember")
        await home.dream()
        found = await home.rows()
        assert [r for r in said(found) if r[0] in {o[0] for o in owners}] == owners
        others = [m for m in found if m.id not in {o[0] for o in owners}]
        if trust is Trust.WORLD:
            assert all(m.state is not MemoryState.ACTIVE for m in others)


@pytest.mark.parametrize("seed", SEEDS)
async def test_words_of_one_place_do_not_meet_those_of_another(tmp_path: Path, seed: int) -> None:
    told = dated(statements(seed))
    parts = [told[i::3] for i in range(3)]
    places = (None, "octo/app", "octo/web")
    alone: list[list[str]] = []
    for n, (part, repo) in enumerate(zip(parts, places, strict=True)):
        async with night(tmp_path / f"{n}.db") as home:
            await save(home, part, Trust.OWNER, "owner", repo)
            await home.dream()
            alone.append(await home.texts())
    async with night(tmp_path / "all.db") as home:
        order = [(pair, repo) for part, repo in zip(parts, places, strict=True) for pair in part]
        random.Random(seed).shuffle(order)
        for i, (pair, repo) in enumerate(order):
            await save(home, [pair], Trust.OWNER, "owner", repo)
            if i % 5 == 4:
                await home.dream()
        await home.dream()
        found = await home.rows()
        by_id = {m.id: m for m in found}
        for m in found:
            heir = by_id.get(m.superseded_by or "", m)
            assert (heir.private, heir.repo) == (m.private, m.repo)
        for repo, texts in zip(places, alone, strict=True):
            assert sorted(m.text for m in found if m.repo == repo and m.state == "active") == texts


@pytest.mark.parametrize("seed", SEEDS)
async def test_what_the_owner_edited_stands_against_the_words_of_a_model(tmp_path: Path, seed: int) -> None:
    told = dated(statements(seed))
    async with night(tmp_path / "nightclaw.db") as home:
        edited = await save(home, told[:7], Trust.OWNER, "edit")
        before = [r for r in said(await home.rows()) if r[0] in edited]
        await save(home, told[7:], Trust.OWNER, "remember")
        await home.say(" ".join(text for text, _ in told[7:]), "2026-06-01")
        await home.dream()
        now = {r[0]: r for r in said(await home.rows())}
        by_id = {m.id: m for m in await home.rows()}
        for row in before:
            if now[row[0]] != row:  # the owner's own later line took its place
                heir = by_id[now[row[0]][3] or ""]
                assert heir.made_by == "edit"


@pytest.mark.parametrize("seed", SEEDS)
async def test_what_holds_for_a_while_ends_alone(tmp_path: Path, seed: int) -> None:
    told = dated(statements(seed))
    async with night(tmp_path / "nightclaw.db") as home:
        await tell(home, told[:7])
        await home.dream()
        lasting = await home.texts()
        await tell(home, [(f"Until 2026-11-25 {text[:1].lower()}{text[1:]}", at) for text, at in told[7:]])
        await home.dream()
        await home.clock.advance(10 * 86_400)
        await home.dream()
        assert await home.texts() == lasting
