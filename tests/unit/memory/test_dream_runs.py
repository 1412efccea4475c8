"""A dream as a whole: when it is due, that it is whole or not at all, and the way back."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import event
from tests.unit.memory.nights import Night, night, until

from nightclaw.core.errors import NotFound, Refused
from nightclaw.core.states import MemoryState
from nightclaw.core.trust import Trust
from nightclaw.memory.dream.orient import Past, Rules, is_quiet, why_not
from nightclaw.store import dream_material, dreams, memories
from nightclaw.store.db import Connection

pytestmark = pytest.mark.anyio
DAY_S = 86_400


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[Night]:
    async with night(tmp_path / "nightclaw.db") as made:
        yield made


async def fill(home: Night) -> None:
    """A little of everything that a dream changes."""
    await home.save("The staging port is 8080", "2026-09-01")
    await home.save("We moved staging to port 9090", "2026-10-01")
    await home.save("Staging listens on port 9090", "2026-10-02")
    await home.save("The demo is next Friday", "2026-11-17")
    await home.save("The office is closed until Friday", "2026-11-02", topic="house")
    await home.save(
        "Dana owns billing", "2026-11-01", trust=Trust.REPO, by="remember", state=MemoryState.CANDIDATE
    )
    await home.save(
        "npm ERR! code ELIFECYCLE", "2026-11-01", trust=Trust.REPO, by="remember", state=MemoryState.CANDIDATE
    )
    await home.say("We decided to use pnpm for package management.", "2026-11-10")


async def test_a_second_dream_with_nothing_new_changes_nothing(home: Night) -> None:
    await fill(home)
    await home.dream()
    before = await home.picture()
    report = await home.dream()
    assert await home.picture() == before
    assert all(not n for n in report.counts.values())
    assert report.usage["model_calls"] == 0


async def test_the_same_rows_in_another_order_give_the_same_memory(tmp_path: Path) -> None:
    told = [
        ("The staging port is 8080", "2026-09-01"),
        ("We moved staging to port 9090", "2026-10-01"),
        ("Staging listens on port 9090", "2026-10-02"),
        ("Dana owns billing", "2026-09-01"),
        ("Lee took over billing", "2026-09-05"),
        ("The demo is next Friday", "2026-11-17"),
        ("Before merging, the linter must pass", "2026-11-01"),
        ("The linter must pass before merging", "2026-10-01"),
    ]
    found: list[list[str]] = []
    for n, order in enumerate((told, told[::-1], told[3:] + told[:3])):
        async with night(tmp_path / f"{n}.db") as home:
            for i, (text, at) in enumerate(order):
                await home.save(text, at)
                if i % 3 == n:
                    await home.dream()
            await home.dream()
            found.append(await home.texts())
    assert found[0] == found[1] == found[2]
    assert "Lee took over billing" in found[0]


async def test_undo_puts_every_byte_back(home: Night) -> None:
    await fill(home)
    before = await home.picture()
    report = await home.dream()
    assert await home.picture() != before
    topics = await home.dreamer.undo(report.id)
    assert await home.picture() == before
    assert {"deploys", "house"} <= topics
    assert home.changed[-1] == topics
    assert (await home.last())["state"] == "undone"


async def test_undone_is_not_dreamt_again_until_something_is_new(home: Night) -> None:
    await fill(home)
    report = await home.dream()
    await home.dreamer.undo(report.id)
    before = await home.picture()
    await home.dream()
    assert await home.picture() == {**before}


async def test_undo_of_what_was_built_on_is_refused_and_changes_nothing(home: Night) -> None:
    await fill(home)
    first = await home.dream()
    await home.save("The staging port is 7000", "2026-11-16")
    second = await home.dream()
    held = await home.picture()
    with pytest.raises(Refused, match="changed since"):
        await home.dreamer.undo(first.id)
    assert await home.picture() == held
    await home.dreamer.undo(second.id)
    await home.dreamer.undo(first.id)
    with pytest.raises(Refused, match="undone"):
        await home.dreamer.undo(first.id)
    with pytest.raises(NotFound):
        await home.dreamer.undo("drm_00000000000000000000000000")


async def test_a_dry_run_tells_all_and_writes_nothing(home: Night) -> None:
    await fill(home)
    before, events = await home.picture(), await home.count("SELECT count(*) FROM event")
    dry = await home.dream(dry_run=True)
    assert await home.picture() == before
    assert await home.count("SELECT count(*) FROM event") == events
    assert await home.count("SELECT count(*) FROM dream") == 0
    real = await home.dream()
    assert dry.counts == real.counts


async def test_the_diff_reads_like_a_pull_request(home: Night) -> None:
    await fill(home)
    report = await home.dream()
    held = await home.last()
    assert held["diff"] == report.diff
    assert "## deploys" in report.diff
    assert "\n- The staging port is 8080 ^mem_" in report.diff
    assert "\n+ The demo is on 2026-11-20 ^mem_" in report.diff
    assert "new:" not in report.diff
    for key in (
        "id",
        "state",
        "phases",
        "added",
        "merged",
        "superseded",
        "retired",
        "kept",
        "lost",
        "usage",
        "diff",
    ):
        assert key in held
    names = [p["name"] for p in report.phases]
    assert names == ["orient", "gather", "consolidate", "verify", "prune"]


async def test_one_transaction_tells_of_it(home: Night) -> None:
    await fill(home)
    report = await home.dream()
    kinds = "SELECT count(*) FROM event WHERE kind = ? AND data LIKE ?"
    assert await home.count(kinds, "dream.started", f"%{report.id}%") == 1
    assert await home.count(kinds, "dream.finished", f'%{report.id}%"state":"finished"%') == 1
    assert await home.count("SELECT count(*) FROM event WHERE kind = 'memory.superseded'") >= 2
    assert home.changed == [report.topics]


async def test_two_dreams_at_once(home: Night) -> None:
    await fill(home)
    first = asyncio.create_task(home.dreamer.dream(now=True))
    await until(lambda: home.dreamer.is_dreaming)
    with pytest.raises(Refused, match="is on"):
        await home.dreamer.dream(now=True)
    with pytest.raises(Refused, match="is on"):
        await home.dreamer.undo("drm_x")
    assert (await first).state == "finished"


async def test_dreams_that_are_off_are_refused(home: Night) -> None:
    home.rules = Rules(False, 20, DAY_S, home.rules.tz)
    with pytest.raises(Refused, match="off"):
        await home.dreamer.dream(now=True)


async def test_new_work_ends_it_with_nothing_changed(home: Night) -> None:
    await fill(home)
    before = await home.picture()

    async def work_comes() -> None:
        home.dreamer.interrupt()
        await asyncio.Event().wait()

    home.store.before[dream_material.related] = work_comes
    began = asyncio.get_running_loop().time()
    report = await home.dreamer.dream(now=True)
    assert asyncio.get_running_loop().time() - began < 2
    assert (report.state, (await home.last())["state"]) == ("aborted", "aborted")
    assert await home.picture() == before
    assert (await home.dream()).counts["superseded"] >= 2, "the next one does what this one did not"


async def test_a_row_that_changed_meanwhile_is_not_overwritten(home: Night) -> None:
    old = await home.save("The staging port is 8080", "2026-09-01")
    await home.save("We moved staging to port 9090", "2026-10-01")

    async def the_owner_forgets() -> None:
        now = home.clock.now_ms() + 1
        await home.store.write(lambda conn: memories.retire(conn, old, "owner", now, tombstone=True))

    home.store.after[dream_material.due] = the_owner_forgets
    report = await home.dreamer.dream(now=True)
    assert report.state == "failed"
    assert (await home.get(old)).state is MemoryState.RETIRED
    assert (await home.dream()).state == "finished"


async def test_what_a_dream_made_is_no_food_for_the_next(home: Night) -> None:
    await home.say("We decided to use pnpm for package management.", "2026-11-10")
    await home.save("The demo is next Friday", "2026-11-17")
    await home.dream()
    after = await home.store.read(dreams.cursor)
    found = await home.store.read(dream_material.material, 0, 100)
    assert all(m.made_by != "dream" for m in found.memories)
    found = await home.store.read(dream_material.material, after, 100)
    assert (found.memories, found.observations) == ([], [])


async def test_reads_do_not_grow_with_the_store(home: Night) -> None:
    """Every look of a dream goes by an index."""

    asked: list[tuple[str, tuple[object, ...]]] = []

    def note(
        conn: Connection, cursor: object, statement: str, parameters: tuple[object, ...], *_: object
    ) -> None:
        asked.append((statement, parameters))

    def look(conn: Connection) -> list[str]:
        event.listen(conn, "before_cursor_execute", note)
        dream_material.material(conn, 5, 100)
        dream_material.related(conn, ["a", "b"], [1, 2])
        dream_material.due(conn, 5, 10)
        dream_material.new_since(conn, 5, 20)
        dream_material.has_more(conn, "deploys", 4)
        event.remove(conn, "before_cursor_execute", note)
        return [
            f"{query.strip()[:60]}: {row[3]}"
            for query, values in asked
            for row in conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {query}", values)
        ]

    await fill(home)
    queries = await home.store.read(look)
    assert len(queries) > 8
    scans = [
        q for q in queries if ": SCAN" in q and not q.endswith(("SCAN CONSTANT ROW", "SCAN (subquery-1)"))
    ]
    scans = [q for q in scans if "(subquery" not in q.rpartition("SCAN")[2]]
    assert scans == []
    assert not any("memory_state" in q for q in queries), "live rows are as many as the store is large"


def due(new: int, since_s: int | None, state: str | None = "finished", over: int = 0) -> str | None:
    rules = Rules(True, 20, DAY_S, None)  # pyright: ignore[reportArgumentType]
    now = 1_800_000_000_000
    return why_not(rules, Past(new, over, None if since_s is None else now - since_s * 1000, state), now)


async def test_the_gates() -> None:
    assert due(20, 60) is None
    assert due(19, 60) == "too little is new"
    assert due(1, DAY_S) is None
    assert due(0, 10 * DAY_S) == "nothing is new"
    assert due(0, DAY_S, over=1) is None
    assert due(1, None, None) is None
    assert due(30, 60, "asks") == "the last one waits for an answer"
    assert due(30, DAY_S, "asks") is None
    assert due(1, -400 * DAY_S) is None, "the clock went back"

    class Now:
        def __init__(self, attached: bool, working: bool) -> None:
            self.attached, self.working = attached, working

    assert is_quiet(Now(False, False), 5)
    assert not is_quiet(Now(True, False), 5)
    assert not is_quiet(Now(False, True), 5)
    assert not is_quiet(Now(False, False), None)


async def test_the_loop_dreams_once_the_house_is_quiet(home: Night) -> None:
    home.rules = Rules(True, 3, DAY_S, home.rules.tz)
    home.quiet_since = None
    loop = asyncio.create_task(home.dreamer.run())
    try:
        await fill(home)
        for _ in range(20):
            await asyncio.sleep(0)
        assert await home.count("SELECT count(*) FROM dream") == 0
        home.quiet_since = home.clock.now_ms()
        home.store.head.wake()
        await home.say("We decided to use uv for locking.", "2026-11-17")
        async with asyncio.timeout(10):
            while True:
                if await home.count("SELECT count(*) FROM dream WHERE state = 'finished'"):
                    break
                await asyncio.sleep(0.01)
        assert await home.dreamer.why_not() == "nothing is new"
    finally:
        loop.cancel()
        await asyncio.gather(loop, return_exceptions=True)


async def test_somebody_who_comes_ends_a_dream_nobody_asked_for(home: Night) -> None:
    await fill(home)
    before = await home.picture()

    async def somebody_comes() -> None:
        home.stir.attached = True
        await asyncio.Event().wait()

    home.store.before[dream_material.related] = somebody_comes
    report = await home.dreamer.dream()
    assert report.state == "aborted"
    assert await home.picture() == before


async def test_barren_dreams_are_told(home: Night) -> None:
    for i in range(6):
        await home.say(f"Thanks, that was number {i}", "2026-11-10")
        await home.dream()
    assert sum("kept nothing" in n for n in await home.notes()) == 1


async def test_a_redacted_text_is_in_no_dream(home: Night) -> None:
    await fill(home)
    await home.dream()
    assert await home.store.write(dreams.redact, "staging port is 8080", "[redacted]") == 1
    assert "staging port is 8080" not in str(await home.last())
    assert await home.store.write(dreams.redact, "staging port is 8080", "[redacted]") == 0


async def test_a_crash_leaves_a_running_row_that_the_next_dream_closes(home: Night) -> None:
    await fill(home)
    left = await home.store.write(dreams.begin, "offline", home.clock.now_ms())
    await home.dream()
    found = await home.store.read(dreams.get, left)
    assert found is not None
    assert found["state"] == "aborted"
