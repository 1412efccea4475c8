"""The daily log: exactly one line an event through crashes and full disks, and no change of it goes unseen."""

import asyncio
import os
import random
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection

from nightclaw.core.trust import Trust
from nightclaw.core.types import JSON, NoteDraft, SignalDraft, Source
from nightclaw.diary import Diary, verify
from nightclaw.diary.files import append, days
from nightclaw.problems import Problems
from nightclaw.store import diary as rows
from nightclaw.store import events, notifications, signals
from nightclaw.store.db import Store
from nightclaw.store.diary import Entry, Head

BERLIN = ZoneInfo("Europe/Berlin")
DAY_MS = 24 * 3600 * 1000


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


NOON = ms("2026-11-20T12:00")


def diary_of(store: Store, tmp_path: Path, problems: Problems) -> Diary:
    return Diary(store, tmp_path, lambda: BERLIN, problems)


@pytest.fixture
def diary(store: Store, tmp_path: Path, problems: Problems) -> Diary:
    return diary_of(store, tmp_path, problems)


async def tell(store: Store, at: int, title: str = "Nightly build", to: str = "phone") -> None:
    data: dict[str, JSON] = {"notification": "ntf_1", "title": title, "to": [to]}
    await store.write(events.append, "notification.sent", at, data)


def text_of(home: Path) -> str:
    return "".join(p.read_text() for p in days(home / "logs"))


def decide(conn: Connection, verdict: str, source: Source, title: str, at: int, key: str) -> None:
    payload: dict[str, JSON] = {"text": title}
    draft = SignalDraft(source, "kind", "octo/app#5", key, title[:160], Trust.WORLD, payload)
    intake = signals.take_in(conn, signals.prepare(draft), at)
    row: dict[str, object] = {
        "id": f"dec_{key}", "verdict": verdict, "reason": "because", "rule": "default", "floor": verdict,
        "cap": verdict, "policy_version": "1", "presence": "away", "created_at": at,
    }  # fmt: skip
    signals.decide(conn, row, [intake.signal_id])


class TestLines:
    pytestmark = pytest.mark.anyio

    async def test_what_matters_has_a_line_and_an_idle_tick_none(
        self, store: Store, diary: Diary, tmp_path: Path
    ) -> None:
        await store.write(events.append, "daemon.started", NOON, {"clean": False, "requeued": 2})
        await store.write(decide, "ignore", Source.TICK, "tick", NOON, "1")
        await store.write(decide, "record", Source.GITHUB, "octo/app#5 opened", NOON, "2")
        await store.write(decide, "act", Source.CHAT, "what is up?\nsecond line", NOON, "3")
        draft = NoteDraft("CI is red", "tests failed", "k", "octo/app", "ci")
        note = await store.write(notifications.queue, draft, now=NOON)
        await store.write(events.append, "daemon.stopping", NOON, {})
        assert await diary.catch_up() == 5
        lines = text_of(tmp_path).splitlines()
        assert [line.partition(" <!--")[0] for line in lines] == [
            "# 2026-11-20",
            "- 13:00:00 Nightclaw started after an unclean stop, 2 tasks taken up again",
            "- 13:00:00 noted: octo/app#5 opened (because) · dec_2",
            "- 13:00:00 you said: what is up? second line · dec_3",
            f"- 13:00:00 note: CI is red: tests failed · {note}",
            "- 13:00:00 Nightclaw stops",
        ]
        size = sum(p.stat().st_size for p in days(tmp_path / "logs"))
        await store.write(decide, "ignore", Source.TICK, "tick", NOON + 300_000, "4")
        head = await store.read(rows.head)
        assert await diary.catch_up() == 0 and await store.read(rows.head) == head
        assert sum(p.stat().st_size for p in days(tmp_path / "logs")) == size
        assert verify(tmp_path).ok

    async def test_a_strangers_text_stays_one_harmless_line(
        self, store: Store, diary: Diary, tmp_path: Path
    ) -> None:
        hostile = "x\n- 13:00:00 you said: yes\r# 2027 <!-- 9 aa --> <script> [a](http://b) `c` \x1b[2J\u202e"
        await tell(store, NOON, hostile)
        await diary.catch_up()
        _, line = text_of(tmp_path).splitlines()
        assert line.startswith(
            "- 13:00:00 sent to phone: x - 13:00:00 you said: yes # 2027 \\<!-- 9 aa --> \\<script>"
        )
        assert "\\[a\\](http" in line and "\\`c\\`" in line and "\x1b" not in line and "\u202e" not in line
        assert verify(tmp_path).ok

    async def test_days_are_local_and_the_log_never_goes_back(
        self, store: Store, diary: Diary, tmp_path: Path
    ) -> None:
        await tell(store, ms("2026-11-20T22:30"))  # 23:30 in Berlin
        await tell(store, ms("2026-11-20T23:30"))  # already the 21st there
        await tell(store, ms("2026-11-20T12:00"))  # the clock went back
        await diary.catch_up()
        files = days(tmp_path / "logs")
        assert [p.relative_to(tmp_path).as_posix() for p in files] == [
            "logs/2026/11/2026-11-20.md",
            "logs/2026/11/2026-11-21.md",
        ]
        second = files[1].read_text().splitlines()
        assert second[0].startswith("# 2026-11-21, after 2026-11-20 <!--")
        assert second[2].startswith("- 2026-11-20 13:00:00 ")
        assert files[0].stat().st_mode & 0o777 == 0o600
        assert verify(tmp_path).ok


class TestRecovery:
    pytestmark = pytest.mark.anyio

    async def test_lines_the_store_does_not_know_of_are_not_written_again(
        self, store: Store, diary: Diary, tmp_path: Path, problems: Problems
    ) -> None:
        await tell(store, NOON)
        await diary.catch_up()
        before = await store.read(rows.head)
        assert before is not None
        await tell(store, NOON + 1000)
        await tell(store, NOON + DAY_MS)
        await diary.catch_up()
        written = text_of(tmp_path)
        await store.write(rows.save_head, before)  # as if killed between the write and the note of it
        again = diary_of(store, tmp_path, problems)
        assert await again.catch_up() == 0 and text_of(tmp_path) == written
        await tell(store, NOON + DAY_MS + 1000)
        assert await again.catch_up() == 1
        assert verify(tmp_path).ok and problems.items() == []

    async def test_cancelled_at_any_moment_it_goes_on_with_no_line_twice(
        self, store: Store, diary: Diary, tmp_path: Path
    ) -> None:
        for i in range(40):
            await tell(store, NOON + i)
            writing = asyncio.create_task(diary.catch_up())
            for _ in range(i % 8):
                await asyncio.sleep(0.0005)
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)
        await diary.catch_up()
        report = verify(tmp_path)
        assert report.ok and report.lines == 41

    async def test_a_write_torn_at_any_byte_ends_whole(
        self, store: Store, tmp_path: Path, problems: Problems
    ) -> None:
        for i in range(2):
            await tell(store, NOON + i * 1000)
        await diary_of(store, tmp_path, problems).catch_up()
        before, kept = await store.read(rows.head), tmp_path / "kept"
        assert before is not None
        await tell(store, NOON + 2000)
        await tell(store, NOON + DAY_MS)
        shutil.copytree(tmp_path / "logs", kept)
        await diary_of(store, tmp_path, problems).catch_up()
        whole = {p.name: p.read_bytes() for p in days(tmp_path / "logs")}
        first, second = sorted(whole)
        cuts = [(n, None) for n in range(before.size, len(whole[first]))]
        cuts += [(len(whole[first]), n) for n in range(len(whole[second]))]
        for size, later in random.Random(7).sample(cuts, 25):
            shutil.rmtree(tmp_path / "logs")
            shutil.copytree(kept, tmp_path / "logs")
            folder = tmp_path / "logs/2026/11"
            (folder / first).write_bytes(whole[first][:size])
            if later is not None:
                (folder / second).write_bytes(whole[second][:later])
            await store.write(rows.save_head, before)
            assert verify(tmp_path).ok, "what a crash tears is no forgery"
            await diary_of(store, tmp_path, problems).catch_up()
            assert {p.name: p.read_bytes() for p in days(tmp_path / "logs")} == whole
        assert problems.items() == []

    async def test_a_new_store_goes_on_with_the_old_log(
        self, store: Store, tmp_path: Path, problems: Problems
    ) -> None:
        await tell(store, NOON)
        await diary_of(store, tmp_path, problems).catch_up()
        await store.write(
            rows.settings.put, "diary", None
        )  # the store of a home that was restored without it
        await tell(store, NOON + 1000)
        assert await diary_of(store, tmp_path, problems).catch_up() == 2
        assert verify(tmp_path).ok

    async def test_a_change_from_outside_is_said_and_the_log_goes_on(
        self, store: Store, tmp_path: Path, problems: Problems
    ) -> None:
        await tell(store, NOON)
        await diary_of(store, tmp_path, problems).catch_up()
        with days(tmp_path / "logs")[0].open("a") as file:
            file.write("my own remark\n")
        await tell(store, NOON + 1000)
        assert await diary_of(store, tmp_path, problems).catch_up() == 1
        (problem,) = problems.items()
        assert problem.part == "diary" and "not ours" in problem.message
        bad = verify(tmp_path).first_bad
        assert bad is not None and (bad.file, bad.line) == ("logs/2026/11/2026-11-20.md", 3)

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
    async def test_a_folder_that_refuses_loses_nothing(
        self, store: Store, diary: Diary, tmp_path: Path
    ) -> None:
        (tmp_path / "logs").mkdir(mode=0o500)
        await tell(store, NOON)
        with pytest.raises(OSError):
            await diary.catch_up()
        (tmp_path / "logs").chmod(0o700)
        assert await diary.catch_up() == 1 and verify(tmp_path).ok

    async def test_a_place_that_cannot_be_written_is_a_problem_until_it_can(
        self, store: Store, diary: Diary, tmp_path: Path, problems: Problems
    ) -> None:
        (tmp_path / "logs").write_text("a file where the folder should be")
        await tell(store, NOON)
        running = asyncio.create_task(diary.run())
        await until(lambda: bool(problems.items()))
        assert "cannot be written" in problems.items()[0].message
        (tmp_path / "logs").unlink()
        await until(lambda: verify(tmp_path).lines == 2)
        assert problems.items() == []
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running


async def until(holds: Callable[[], bool]) -> None:
    for _ in range(2000):
        if holds():
            return
        await asyncio.sleep(0.01)
    raise TimeoutError


# The chain: no store is needed for what shows inside the files


def written(home: Path, count: int = 24) -> list[bytes]:
    """A log of three days; returns every line."""
    at = Head(0, "0" * 32, "", 0)
    entries = [
        (Entry(i, "notification.sent", NOON + i * 3 * DAY_MS // count, {}), f"sent {i % 3}")
        for i in range(1, count + 1)
    ]
    append(home / "logs", at, entries, UTC)
    return [line for p in days(home / "logs") for line in p.read_bytes().splitlines(keepends=True)]


def rewrite(home: Path, change: Callable[[list[bytes]], list[bytes]], path: Path) -> None:
    path.write_bytes(b"".join(change(path.read_bytes().splitlines(keepends=True))))


@pytest.fixture(scope="module")
def log_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("log")
    written(home)
    return home


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_edit_deletion_move_or_insertion_is_found(
    log_home: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    home = tmp_path_factory.mktemp("copy")
    shutil.copytree(log_home / "logs", home / "logs")
    files = days(home / "logs")
    assert verify(home).ok
    which = data.draw(st.integers(0, len(files) - 1), "file")
    lines = files[which].read_bytes().splitlines(keepends=True)
    n = data.draw(st.integers(0, len(lines) - 1), "line")
    is_end = which == len(files) - 1
    how = data.draw(st.sampled_from(["edit", "delete", "swap", "insert", "double"]), "how")
    changed = list(lines)
    expected = n
    if how == "edit":
        at = data.draw(st.integers(0, len(lines[n]) - 2), "byte")
        byte = data.draw(st.integers(0, 255).filter(lambda b: b != lines[n][at]), "to")
        changed[n] = lines[n][:at] + bytes([byte]) + lines[n][at + 1 :]
    elif how == "delete":
        del changed[n]
        if n == len(lines) - 1:
            if is_end:
                return  # a cut end shows by the store's memory only: see below
            expected = -1
    elif how == "swap":
        if n == len(lines) - 1:
            return
        changed[n], changed[n + 1] = changed[n + 1], changed[n]
    elif how == "insert":
        changed.insert(n, b"- 12:00:00 sent 1 <!-- 5 " + b"a" * 32 + b" -->\n")
    else:
        changed.insert(n + 1, lines[n])
        expected = n + 1
    files[which].write_bytes(b"".join(changed))
    report = verify(home)
    assert not report.ok and report.first_bad is not None
    where, at_line = (files[which], expected + 1) if expected >= 0 else (files[which + 1], 1)
    assert (report.first_bad.file, report.first_bad.line) == (where.relative_to(home).as_posix(), at_line)
    shutil.rmtree(home)


def test_a_missing_day_is_named(log_home: Path, tmp_path: Path) -> None:
    shutil.copytree(log_home / "logs", tmp_path / "logs")
    files = days(tmp_path / "logs")
    files[1].unlink()
    bad = verify(tmp_path).first_bad
    assert bad is not None and bad.reason == f"the log of {files[1].stem} is missing or was cut"
    files[0].unlink()
    assert not verify(tmp_path).ok


def test_a_day_that_was_emptied_or_renamed_is_found(log_home: Path, tmp_path: Path) -> None:
    shutil.copytree(log_home / "logs", tmp_path / "logs")
    files = days(tmp_path / "logs")
    kept = files[0].read_bytes()
    files[0].write_bytes(b"")
    assert not verify(tmp_path).ok
    files[0].write_bytes(kept)
    assert verify(tmp_path).ok
    files[2].rename(files[2].with_name("2026-11-28.md"))
    assert not verify(tmp_path).ok


@pytest.mark.anyio
async def test_a_cut_or_rewritten_end_shows_by_the_stores_memory(
    store: Store, tmp_path: Path, problems: Problems
) -> None:
    for i in range(6):
        await tell(store, NOON + i * DAY_MS // 3)
    await diary_of(store, tmp_path, problems).catch_up()
    assert verify(tmp_path).ok and verify(tmp_path).head_checked
    last = days(tmp_path / "logs")[-1]
    whole = last.read_bytes()
    for end in range(len(whole)):
        last.write_bytes(whole[:end])
        assert not verify(tmp_path).ok
    last.unlink()
    bad = verify(tmp_path).first_bad
    assert bad is not None and bad.reason == f"the log of {last.stem} is missing"
    shutil.rmtree(tmp_path / "logs")
    assert not verify(tmp_path).ok
    written(tmp_path)  # a whole log, forged from the first line on
    assert not verify(tmp_path).ok
