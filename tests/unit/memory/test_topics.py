"""Files follow rows: whole before they are named, in place, gone with their last row, the same after an undo."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.unit.memory.conftest import Desk

from nightclaw.core.trust import Trust
from nightclaw.memory import index
from nightclaw.store import events, memories, topics
from nightclaw.store.db import Connection

pytestmark = pytest.mark.anyio
DAEMON = Path(__file__).parents[3] / "daemon"


def named(home: Path) -> list[str]:
    """The topics the index names."""
    file = home / "memory" / "MEMORY.md"
    text = file.read_text() if file.exists() else ""
    return [line.split("(topics/")[1].split(".md)")[0] for line in text.splitlines() if "(topics/" in line]


async def test_a_row_is_a_bullet_that_ends_in_its_id(desk: Desk) -> None:
    first = await desk.keep("tests run with pytest")
    second = await desk.keep("a stranger said so", trust=Trust.WORLD, applies="reviewing")
    await desk.step()
    assert desk.text().splitlines()[0] == "# Deploys"
    assert f"- tests run with pytest ^{first}" in desk.text().splitlines()
    assert f"- a stranger said so (when: reviewing) (from outside) ^{second}" in desk.text().splitlines()
    assert desk.path().stat().st_mode & 0o777 == 0o600


async def test_rows_come_and_go_and_an_undone_change_leaves_the_same_bytes(desk: Desk) -> None:
    ids = [await desk.keep(f"fact {n}") for n in range(5)]
    await desk.step()
    files = {p: p.read_bytes() for p in (desk.path(), desk.index)}

    def dream(conn: Connection) -> list[tuple[object, ...]]:
        before = [tuple(r) for r in conn.exec_driver_sql("SELECT * FROM memory ORDER BY n")]
        now = desk.clock.now_ms()
        new = memories.NewMemory(
            "fact 1 and 2", "project", "deploys", Trust.DAEMON, [1], "dream", now, state=memories.LIVE[1]
        )
        merged = memories.add(conn, new, now)
        memories.supersede(conn, ids[1], merged, now)
        memories.supersede(conn, ids[2], merged, now)
        memories.retire(conn, ids[4], "dream", now, tombstone=True)
        return before

    before = await desk.store.write(dream)
    await desk.step()
    assert "fact 1 and 2" in desk.text() and "fact 4" not in desk.text()

    def undo(conn: Connection) -> None:
        conn.exec_driver_sql("DELETE FROM memory")
        marks = ",".join("?" * len(before[0]))
        for row in before:
            conn.exec_driver_sql(f"INSERT INTO memory VALUES ({marks})", row)
        events.append(conn, "dream.finished", desk.clock.now_ms(), {"dream": "drm_x", "state": "undone"})

    await desk.store.write(undo)
    await desk.step()
    assert {p: p.read_bytes() for p in files} == files


async def test_a_page_goes_with_its_last_row_and_stays_with_the_owners_words(desk: Desk) -> None:
    one, two = await desk.keep("short-lived", "fleeting"), await desk.keep("also", "noted")
    await desk.step()
    desk.save(desk.text("noted") + "\nMy own words.\n", "noted")
    await desk.step()
    now = desk.clock.now_ms()
    for gone in (one, two):
        await desk.store.write(
            lambda conn, gone=gone: memories.retire(conn, gone, "owner", now, tombstone=True)
        )
    await desk.step()
    assert not desk.path("fleeting").exists() and named(desk.home) == []
    assert "My own words." in desk.text("noted") and "also" not in desk.text("noted")


async def test_the_files_follow_by_themselves_and_edits_come_back(desk: Desk) -> None:
    running = asyncio.create_task(desk.files.run())
    try:
        await desk.keep("written by the loop")
        async with asyncio.timeout(20):
            while not desk.path().exists() or not desk.index.exists():
                await desk.store.head.wait_past(desk.store.head.cursor, 0.05)
            desk.save(desk.text().replace("written", "edited"))
            while "edited by the loop" not in await desk.active():
                await desk.store.head.wait_past(desk.store.head.cursor, 0.2)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_a_new_start_finds_what_changed_while_nobody_looked(desk: Desk) -> None:
    await desk.keep("one")
    await desk.keep("two", "other")
    await desk.step()
    desk.save(desk.text().replace("- one", "- one more"))
    desk.path("other").unlink()
    await desk.keep("three", "third")
    after = desk.again()
    await after.step()
    assert set(await after.active()) == {"one more", "two", "three"}
    assert named(desk.home) == ["deploys", "other", "third"]
    assert "- two" in desk.text("other")


async def test_a_title_and_hint_changed_in_the_index_are_the_topics(desk: Desk) -> None:
    await desk.keep("tag first")
    await desk.step()
    line = next(x for x in desk.index.read_text().splitlines() if "topics/deploys" in x)
    desk.save(
        desk.index.read_text().replace(line, "- [Shipping](topics/deploys.md) (1): before a release"),
        path=desk.index,
    )
    await desk.step()
    assert desk.text().startswith("# Shipping\n") and "When to look: before a release" in desk.text()
    assert "- [Shipping](topics/deploys.md) (1): before a release" in desk.index.read_text()
    text = await desk.store.read(index.index_text)
    assert "before a release" in text


async def test_what_the_owner_writes_in_the_index_stays_and_is_in_the_prompt(desk: Desk) -> None:
    await desk.keep("tag first")
    await desk.step()
    desk.save(desk.index.read_text() + "\nAlways answer in German.\n", path=desk.index)
    await desk.step()
    await desk.keep("another", "second")
    await desk.step()
    held = desk.index.read_text()
    assert held.count("Always answer in German.") == 1 and named(desk.home) == ["deploys", "second"]
    assert (await desk.store.read(index.index_text)).endswith("Always answer in German.")


POINTS = (
    *("memory.topic_written:1", "memory.topic_written:3", "memory.index_written:1", "memory.index_written:2"),
    *("store.before_commit:1", "store.after_commit:2"),
)
CHILD = """
import asyncio, sys
from pathlib import Path
from nightclaw.clock import SystemClock
from nightclaw.memory.topics import MemoryFiles
from nightclaw.problems import Problems
from nightclaw.store.db import Store

async def main():
    home = Path(sys.argv[1])
    store = Store(home / "nightclaw.db")
    await store.open()
    files = MemoryFiles(store, SystemClock(), home, Problems())
    await files.look()
    await files.render(())
    await store.close()

asyncio.run(main())
"""


@pytest.mark.parametrize("point", POINTS)
async def test_at_no_kill_the_index_names_a_topic_that_is_not_whole(desk: Desk, point: str) -> None:
    for n in range(3):
        await desk.keep(f"fact {n}", f"topic-{n}")
    await desk.step()
    for n in range(4):
        await desk.keep(f"newer {n}", f"topic-{n + 1}")
    now = desk.clock.now_ms()
    first = (await desk.active())["fact 0"].id
    await desk.store.write(lambda conn: memories.retire(conn, first, "owner", now, tombstone=True))
    desk.save(desk.text("topic-1") + "- by hand\n", "topic-1")
    await desk.store.close()
    env = {**os.environ, "PYTHONPATH": str(DAEMON), "NIGHTCLAW_FAILPOINT": point}
    command = [sys.executable, "-c", CHILD, str(desk.home)]
    ran = await asyncio.to_thread(
        subprocess.run, command, env=env, capture_output=True, text=True, timeout=60
    )
    assert ran.returncode in (-signal.SIGKILL, 0), ran.stderr
    for name in named(desk.home):
        assert "^mem_" in desk.text(name) and desk.text(name).endswith("\n")
    del env["NIGHTCLAW_FAILPOINT"]
    ran = await asyncio.to_thread(
        subprocess.run, command, env=env, capture_output=True, text=True, timeout=60
    )
    assert ran.returncode == 0, ran.stderr
    assert named(desk.home) == ["topic-1", "topic-2", "topic-3", "topic-4"]
    assert desk.text("topic-1").count("by hand ^mem_") == 1 and "newer 3" in desk.text("topic-4")
    assert not desk.path("topic-0").exists()
    assert [p.name for p in desk.path().parent.iterdir() if p.name.startswith(".")] == []


async def test_pages_of_repositories_do_not_share_a_name() -> None:
    repos = [
        "octo/app",
        "octo/app-x",
        "octo-app/x",
        "octo/app.x",
        "octo/app_x",
        "octo/" + "x" * 80,
        "octo/" + "x" * 81,
    ]
    assert len({topics.page_name("t", True, r) for r in repos}) == len(repos)
    assert (
        topics.page_name("t", True, "octo/app") == "repo-octo-app" == topics.page_name("u", True, "Octo/App")
    )
