"""A text the owner wants gone is gone from rows, index, free pages, logs, files and backups; the chain stays whole."""

import asyncio
import contextlib
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tarfile
import zlib
from collections.abc import Iterator
from datetime import UTC
from pathlib import Path

import pytest
from tests.unit.memory.conftest import Desk

from nightclaw.admin.archive import unpack
from nightclaw.admin.backup import back_up
from nightclaw.core.errors import Invalid, NotFound
from nightclaw.core.states import MemoryState
from nightclaw.core.trust import Trust
from nightclaw.core.types import SignalDraft, Source
from nightclaw.diary import Diary, verify
from nightclaw.memory.recall import Scope, recall
from nightclaw.redaction.closed import JOURNAL
from nightclaw.redaction.running import Redaction, finish_interrupted
from nightclaw.redaction.words import MARK, Cutter
from nightclaw.store import memories, signals, tasks
from nightclaw.store.db import Connection, Store

pytestmark = pytest.mark.anyio
DAEMON = Path(__file__).parents[3] / "daemon"
TEXT = 'Project "Bluebird" [launch]'
FORMS = (b"bluebird", b"Bluebird", b"launch]")


def everything(home: Path) -> Iterator[tuple[str, bytes]]:
    """All bytes below the home, also inside tars, database columns and compressed data."""
    for path in sorted(home.rglob("*")):
        if not path.is_file() or path.name in ("config.toml",):
            continue
        data = path.read_bytes()
        yield str(path.relative_to(home)), data
        if tarfile.is_tarfile(path):
            with tarfile.open(path) as tar:
                for member in tar:
                    inner = tar.extractfile(member)
                    if inner is not None:
                        yield f"{path.name}:{member.name}", inner.read()
        if data.startswith(b"SQLite format 3"):
            with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
                for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
                    for row in db.execute(f'SELECT * FROM "{name}"'):
                        for value in row:
                            if isinstance(value, bytes) and value[:1] == b"\x78":
                                with contextlib.suppress(zlib.error):
                                    yield f"{path.name}:{name}", zlib.decompress(value)


def left(home: Path) -> list[str]:
    return [name for name, data in everything(home) if any(f in data for f in FORMS)]


class House:
    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.diary = Diary(desk.store, desk.home, lambda: UTC, desk.problems)
        self.redaction = Redaction(desk.store, desk.clock, desk.home, self.diary, desk.files)

    async def live(self) -> None:
        """A home in which the text went everywhere."""
        desk = self.desk
        await desk.keep(f"the code name is {TEXT} since May", "work")
        await desk.keep(TEXT, "names", trust=Trust.OWNER)
        await desk.keep("nothing to see", "work")
        await desk.store.write(self._said)
        await desk.step()
        (desk.home / "blobs").mkdir(exist_ok=True)
        (desk.home / "blobs" / "one.txt").write_text(f"output with {TEXT.upper()}\n{TEXT.lower()}\n")
        (desk.home / "blobs" / "two.z").write_bytes(zlib.compress(f'{{"a": "{TEXT[:7]}x"}}'.encode()))
        await self.diary.catch_up()
        gone = (await desk.active())["nothing to see"].id
        await desk.store.write(
            lambda conn: (
                conn.exec_driver_sql(
                    "UPDATE memory SET applies = ? WHERE id = ?", ("about bluebird" * 300, gone)
                )
                and None
            )
        )
        await desk.store.write(
            lambda conn: (
                conn.exec_driver_sql("UPDATE memory SET applies = NULL WHERE id = ?", (gone,)) and None
            )
        )
        backups = desk.home / "backups"
        backups.mkdir(exist_ok=True)
        back_up(desk.home, None)
        back_up(desk.home, backups / "mine")
        with (
            contextlib.closing(sqlite3.connect(desk.home / "nightclaw.db")) as source,
            contextlib.closing(sqlite3.connect(backups / "before-0003-x.db")) as copy,
        ):
            source.backup(copy)
        aside = backups / "before-restore-x"
        aside.mkdir()
        shutil.copy(backups / "before-0003-x.db", aside / "nightclaw.db")
        shutil.copytree(desk.home / "logs", aside / "logs")

    def _said(self, conn: Connection) -> None:
        now = self.desk.clock.now_ms()
        session = tasks.ensure_session(conn, "new", f"about {TEXT}", now)
        title = f"{'long ' * 25}and {TEXT}"[:140]
        draft = SignalDraft(
            Source.CHAT, "chat.message", f"session:{session}", "k1", title, Trust.OWNER,
            payload={"text": f"Tell nobody about {TEXT}!\nNew\tline"}, session=session,
        )  # fmt: skip
        taken = signals.take_in(conn, signals.prepare(draft), now)
        row: dict[str, object] = {
            "id": "dec_1", "verdict": "act", "reason": f"they said {TEXT}", "rule": "r", "floor": "act", "cap": "act",
            "policy_version": "1", "presence": "away", "facts": "[]", "usage": "{}", "shadow": False, "task_id": None,
            "notification_id": None, "created_at": now,
        }  # fmt: skip
        signals.decide(conn, row, [taken.signal_id])


@pytest.fixture
def house(desk: Desk) -> House:
    return House(desk)


async def test_it_is_gone_everywhere_and_the_chain_is_whole(house: House) -> None:
    desk = house.desk
    await house.live()
    assert len(left(desk.home)) > 8, left(desk.home)
    lines = verify(desk.home).lines
    report = await house.redaction.redact(TEXT)
    assert report["rows"] and report["lines"] and report["files"] and report["backups"] == 4, report
    assert report["left"] == []
    await house.diary.catch_up()
    await desk.step()
    assert left(desk.home) == []
    checked = verify(desk.home)
    assert checked.ok and checked.head_checked and checked.lines == lines + 1
    log = "".join(p.read_text() for p in (desk.home / "logs").rglob("*.md"))
    assert MARK in log and "you had a text redacted" in log
    rows = await desk.store.read(lambda conn: memories.list_(conn, states=list(MemoryState), limit=50))
    assert {m.text: str(m.state) for m in rows} == {
        f"the code name is {MARK} since May": "active", MARK: "retired", "nothing to see": "active"
    }  # fmt: skip
    assert await desk.store.read(memories.is_forgotten, TEXT)
    found = await desk.store.read(recall, "bluebird launch", 5, Scope(everything=True), 0)
    assert found == []
    assert not (desk.home / JOURNAL).exists()
    for tar in [*(desk.home / "backups").glob("*.tar"), desk.home / "backups" / "mine"]:
        kept = desk.home / "unpacked" / tar.name
        unpack(tar, kept)
        assert verify(kept).ok
    with pytest.raises(NotFound):
        await house.redaction.redact(TEXT)


async def test_the_files_go_on_after_it(house: House) -> None:
    desk = house.desk
    await house.live()
    await house.redaction.redact(TEXT)
    await desk.step()
    assert f"- the code name is {MARK} since May ^mem_" in desk.text("work")
    assert not desk.path("names").exists() and desk.told() == {}
    desk.save(desk.text("work").replace("nothing to see", "much to see"), "work")
    await desk.step()
    assert set(await desk.active()) == {f"the code name is {MARK} since May", "much to see"}


async def test_a_log_that_was_tampered_with_stays_so(house: House) -> None:
    desk = house.desk
    await house.live()
    log = next((desk.home / "logs").rglob("*.md"))
    text = log.read_text()
    log.write_text(text.replace("you said", "you never said", 1))
    before = verify(desk.home)
    assert not before.ok
    await house.redaction.redact(TEXT)
    after = verify(desk.home)
    assert not after.ok and after.first_bad is not None and before.first_bad is not None
    assert after.first_bad.line == before.first_bad.line


async def test_what_is_too_short_is_refused(house: House) -> None:
    for text in ("", "  ", "abc", "a b", "-----"):
        with pytest.raises(Invalid):
            await house.redaction.redact(text)


async def test_the_owners_own_files_are_named_and_not_changed(house: House) -> None:
    await house.live()
    orders = house.desk.home / "ORDERS.md"
    orders.write_text(f"watch {TEXT}\n")
    report = await house.redaction.redact(TEXT)
    assert report["left"] == ["ORDERS.md"] and TEXT in orders.read_text()


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        ("a Project “x” b", "a Project “x” b"),
        ('say project   "bluebird"\n[LAUNCH] now', f"say {MARK} now"),
        ('{"t":"x Project \\"Bluebird\\" [launch] y"}', f'{{"t":"x {MARK} y"}}'),
        ('x Project \\"Bluebird\\" \\[launch\\] y', f"x {MARK} y"),
        ("see ?q=Project+%22Bluebird%22+%5Blaunch%5D&x", f"see ?q={MARK}&x"),
        ('about Project "Bluebird" [la…', f"about {MARK}…"),
        ('about Project "Blue', f"about {MARK}"),
        ("about Proj", "about Proj"),
    ],
)
def test_it_is_found_however_it_was_written(found: str, wanted: str) -> None:
    assert Cutter(TEXT).text(found) == wanted
    packed = zlib.compress(found.encode())
    assert zlib.decompress(Cutter(TEXT).data(packed)) == wanted.encode()


CHILD = """
import asyncio, sys
from datetime import UTC
from pathlib import Path
from nightclaw.clock import SystemClock
from nightclaw.diary import Diary
from nightclaw.memory.topics import MemoryFiles
from nightclaw.problems import Problems
from nightclaw.redaction.running import Redaction
from nightclaw.store.db import Store

async def main():
    home = Path(sys.argv[1])
    store, clock, problems = Store(home / "nightclaw.db"), SystemClock(), Problems()
    await store.open()
    diary = Diary(store, home, lambda: UTC, problems)
    files = MemoryFiles(store, clock, home, problems)
    await Redaction(store, clock, home, diary, files).redact(sys.argv[2])
    await diary.catch_up()
    await store.close()

asyncio.run(main())
"""
POINTS = (
    *("redaction.begun", "redaction.rows_cut", "redaction.logs_ready", "redaction.logs_put"),
    *("redaction.backups_cut", "store.before_commit:3", "store.after_commit:7"),
)


@pytest.mark.parametrize("point", POINTS)
async def test_a_kill_ends_in_a_home_without_it(house: House, point: str) -> None:
    desk = house.desk
    await house.live()
    lines = verify(desk.home).lines
    await desk.store.close()
    env = {**os.environ, "PYTHONPATH": str(DAEMON), "NIGHTCLAW_FAILPOINT": point}
    command = [sys.executable, "-c", CHILD, str(desk.home), TEXT]
    ran = await asyncio.to_thread(
        subprocess.run, command, env=env, capture_output=True, text=True, timeout=60
    )
    assert ran.returncode == -signal.SIGKILL, ran.stderr
    assert await asyncio.to_thread(finish_interrupted, desk.home)
    assert left(desk.home) == []
    checked = verify(desk.home)
    assert checked.ok and checked.lines == lines
    assert not list(desk.home.glob(".redaction*")) and not list((desk.home / "logs").rglob(".*"))
    again = Store(desk.home / "nightclaw.db")
    await again.open()
    diary = Diary(again, desk.home, lambda: UTC, desk.problems)
    await diary.catch_up()
    await again.close()
    assert verify(desk.home).ok
    assert not await asyncio.to_thread(finish_interrupted, desk.home)
