"""What may go wrong under a watch: a stop at any moment, lost events, limits, places that vanish, a full store."""

import asyncio
import errno
import hashlib
import json
import random
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.unit.sources.watching import Desk, changes_of, write

from nightclaw.core.watch import WatchSpec
from nightclaw.sources.files import Watcher
from nightclaw.sources.files_ledger import decode
from nightclaw.sources.files_listen import Ears, Hint

pytestmark = pytest.mark.anyio


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "home")


@pytest.fixture
def app(tmp_path: Path) -> Path:
    root = tmp_path / "app"
    for i in range(4):
        write(root / f"d{i}" / "x.py", str(i))
    return root


async def test_a_start_catches_up_with_one_signal(desk: Desk, app: Path) -> None:
    desk.add(app)
    async with desk.watching():
        pass
    write(app / "d0" / "x.py", "edited while down")
    write(app / "new" / "y.py")
    (app / "d1" / "x.py").touch()
    shutil.rmtree(app / "d2")
    async with desk.watching():
        draft = await desk.told()
        assert changes_of(draft) == (["new/y.py"], ["d0/x.py"], ["d2/x.py"])
        write(app / "new" / "y.py", "heard")
        assert await desk.changes() == ([], ["new/y.py"], [])
    async with desk.watching():
        pass
    assert len(desk.journal.drafts) == 2, "what was told is not told again"


async def test_a_stop_within_the_quiet_window_loses_nothing(desk: Desk, app: Path) -> None:
    desk.add(app, quiet_s=20.0)
    async with desk.watching():
        write(app / "d0" / "x.py", "just before the end")
    assert desk.journal.drafts == []
    async with desk.watching():
        assert await desk.changes() == ([], ["d0/x.py"], [])


async def test_a_stop_between_telling_and_keeping_cannot_be(desk: Desk, app: Path) -> None:
    """The signal and its fingerprints come in one call; a refused one leaves neither, and is tried again."""
    desk.add(app)
    async with desk.watching():
        before = dict(desk.journal.states)
        desk.journal.busy = 2
        write(app / "d0" / "x.py", "edited")
        await desk.until(lambda: desk.journal.busy < 2)
        assert (desk.journal.drafts, desk.journal.states) == ([], before)
        assert await desk.changes() == ([], ["d0/x.py"], [])
    assert len(desk.journal.drafts) == 1


async def test_one_edit_rewrites_one_row(desk: Desk, app: Path) -> None:
    for i in range(3000):
        write(app / "flat" / f"{i}.txt", str(i))
    desk.add(app)
    async with desk.watching():
        desk.journal.writes.clear()
        write(app / "d3" / "x.py", "edited")
        await desk.told()
        write(app / "flat" / "77.txt", "edited")
        await desk.told()
    sizes = [len(keys) for keys in desk.journal.writes]
    assert sizes == [2, 2], "the head, and a directory's row or one shard of a large one"


class Forgetful:
    """Ears that hear what they are told to, and then lose the rest."""

    def __init__(self, folders: Sequence[str]) -> None:
        self.watcher = Watcher(folders)
        self.drops = 0

    def poll(self) -> set[Hint]:
        found = self.watcher.poll()
        if self.drops and found:
            self.drops = 0
            raise RuntimeError("overflow")
        return found

    def close(self) -> None:
        self.watcher.close()


async def test_lost_events_are_found_by_looking(desk: Desk, app: Path) -> None:
    ears: list[Forgetful] = []

    def hear(folders: Sequence[str]) -> Ears:
        ears.append(Forgetful(folders))
        return ears[-1]

    desk.hear = hear
    desk.add(app)
    async with desk.watching():
        ears[0].drops = 1
        expected = [f"d{i % 4}/made{i}.txt" for i in range(60)]
        for name in expected:
            write(app / name)
        write(app / "fresh" / "deep" / "z.txt")
        assert sorted((await desk.changes())[0]) == sorted([*expected, "fresh/deep/z.txt"])
        write(app / "fresh" / "deep" / "z.txt", "heard again")
        assert await desk.changes() == ([], ["fresh/deep/z.txt"], [])


async def test_events_nobody_reported_are_found_after_the_next_burst(desk: Desk, app: Path) -> None:
    class HalfDeaf(Forgetful):
        def poll(self) -> set[Hint]:
            return {(change, path) for change, path in super().poll() if "unheard" not in path}

    desk.hear = HalfDeaf
    desk.add(app)
    async with desk.watching():
        write(app / "d0" / "unheard.py")
        write(app / "d1" / "x.py", "heard")
        assert await desk.changes() == ([], ["d1/x.py"], [])
        assert await desk.changes() == (["d0/unheard.py"], [], [])


async def test_the_watch_limit_means_looking_and_saying_so(desk: Desk, app: Path) -> None:
    def hear(folders: Sequence[str]) -> Ears:
        raise OSError('OS file watch limit reached. about ["/x"] (Error { kind: MaxFilesWatch })')

    desk.hear = hear
    desk.add(app)
    async with desk.watching(wait=False):
        await desk.until(lambda: desk.states() == ["problem"])
        problem = desk.problems.items()[0]
        assert problem.part == "files:app"
        assert "limit" in problem.message
        assert "fs.inotify.max_user_watches" in problem.hint
        write(app / "d0" / "x.py", "found by looking")
        write(app / "fresh" / "y.py")
        assert await desk.changes() == (["fresh/y.py"], ["d0/x.py"], [])
    assert desk.problems.items() == []


async def test_the_limit_of_watchers_is_named_too(desk: Desk, app: Path) -> None:
    def hear(folders: Sequence[str]) -> Ears:
        raise RuntimeError("Error creating recommended watcher: Too many open files (os error 24)")

    desk.hear = hear
    desk.add(app)
    async with desk.watching(wait=False):
        await desk.until(lambda: desk.states() == ["problem"])
        assert "max_user_instances" in desk.problems.items()[0].hint


async def test_a_full_disk_error_counts_as_the_watch_limit(desk: Desk, app: Path) -> None:
    def hear(folders: Sequence[str]) -> Ears:
        raise OSError(errno.ENOSPC, "No space left on device")

    desk.hear = hear
    desk.add(app)
    async with desk.watching(wait=False):
        await desk.until(lambda: desk.states() == ["problem"])
        assert "max_user_watches" in desk.problems.items()[0].hint


async def test_a_place_that_vanishes_is_a_problem_and_is_caught_up_when_it_is_back(
    desk: Desk, app: Path
) -> None:
    desk.add(app)
    async with desk.watching():
        away = app.rename(app.with_name("away"))
        await desk.until(lambda: desk.states() == ["problem"])
        assert str(app) in desk.problems.items()[0].message
        write(away / "d0" / "x.py", "edited while away")
        assert desk.journal.drafts == []
        away.rename(app)
        assert await desk.changes() == ([], ["d0/x.py"], [])
        await desk.ready()
        assert desk.problems.items() == []
        write(app / "d1" / "x.py", "heard again")
        assert await desk.changes() == ([], ["d1/x.py"], [])


async def test_a_place_made_anew_is_followed(desk: Desk, app: Path) -> None:
    desk.add(app)
    async with desk.watching():
        shutil.rmtree(app)
        for i in range(3):
            write(app / f"d{i}" / "x.py", str(i))
        await desk.until(lambda: len(desk.journal.drafts) > 0)
        await desk.ready()
        write(app / "d0" / "x.py", "heard")
        await desk.until(lambda: "d0/x.py" in changes_of(desk.journal.drafts[-1])[1])
        gone = [p for d in desk.journal.drafts for p in changes_of(d)[2] if p not in changes_of(d)[0]]
        assert "d3/x.py" in gone


async def test_a_place_that_is_not_there_yet_begins_with_a_baseline(desk: Desk, tmp_path: Path) -> None:
    desk.add(tmp_path / "later")
    async with desk.watching(wait=False):
        await desk.until(lambda: desk.states() == ["problem"])
        assert "does not exist" in desk.problems.items()[0].message
        write(tmp_path / "later" / "x.py")
        await desk.ready()
        write(tmp_path / "later" / "x.py", "edited")
        assert await desk.changes() == ([], ["x.py"], [])


async def test_our_own_home_is_refused(desk: Desk, tmp_path: Path) -> None:
    desk.add(tmp_path / "home" / "worktrees")
    write(tmp_path / "home" / "worktrees" / "x")
    async with desk.watching(wait=False):
        await desk.until(lambda: desk.states() == ["problem"])
        assert "never watched" in desk.problems.items()[0].message
    assert desk.heard_in == []


async def test_rows_come_change_and_go_while_it_runs(desk: Desk, app: Path, tmp_path: Path) -> None:
    other = write(tmp_path / "other" / "z.txt").parent
    async with desk.watching() as files:
        assert files.describe()["state"] == "off"
        row = desk.add(app)
        files.reload()
        await desk.ready()
        write(app / "d0" / "x.py", "edited")
        assert await desk.changes() == ([], ["d0/x.py"], [])
        spec = WatchSpec("app", str(other), quiet_s=0.15)
        desk.rows[0] = type(row)(row.id, row.origin, spec, 0)
        files.reload()
        await desk.until(lambda: '"z.txt/' in "".join(desk.journal.states.values()))
        await desk.ready()
        write(other / "z.txt", "edited")
        draft = await desk.told()
        assert (draft.subject, changes_of(draft)) == (f"file:{other}", ([], ["z.txt"], []))
        desk.rows.clear()
        files.reload()
        await desk.until(lambda: not desk.journal.states)
        assert files.describe()["watches"] == []


async def test_a_large_tree(desk: Desk, tmp_path: Path) -> None:
    root = tmp_path / "large"
    for i in range(400):
        folder = root / f"a{i % 20}" / f"b{i}"
        folder.mkdir(parents=True)
        for j in range(50):
            (folder / f"{j}.txt").write_text("x")
    desk.add(root)
    began = time.monotonic()
    async with desk.watching():
        print(f"20,000 files ready after {time.monotonic() - began:.2f} s")
        write(root / "a0" / "b0" / "0.txt", "edited")
        began = time.monotonic()
        assert await desk.changes() == ([], ["a0/b0/0.txt"], [])
        print(f"told {time.monotonic() - began:.2f} s after, 0.15 of them quiet")
    began = time.monotonic()
    async with desk.watching():
        print(f"caught up after {time.monotonic() - began:.2f} s")
    assert len(desk.journal.drafts) == 1


async def test_whatever_is_done_the_signals_add_up_to_what_is_there(desk: Desk, tmp_path: Path) -> None:
    root = write(tmp_path / "busy" / "start.txt").parent
    dice = random.Random(7)
    desk.add(root)
    async with desk.watching():
        for step in range(400):
            do_something(root, dice, step)
            if step % 9 == 0:
                await asyncio.sleep(0)
            if step % 60 == 0:
                told = len(desk.journal.drafts)
                await desk.until(lambda told=told: len(desk.journal.drafts) > told)
        write(root / "last.txt")
        await desk.until(
            lambda: added_up(desk) == {str(p.relative_to(root)) for p in root.rglob("*") if p.is_file()}
        )
    for key, row in desk.journal.states.items():
        for name, kept in decode(json.loads(row)).items() if ":" in key[6:] else ():
            path = root / key.rpartition(":")[2] / name
            assert kept.digest == hashlib.blake2b(path.read_bytes(), digest_size=10).hexdigest()


def do_something(root: Path, dice: random.Random, step: int) -> None:
    places = [p for p in root.rglob("*") if p.name != "start.txt"]
    folders = [root, *(p for p in places if p.is_dir())]
    match dice.randrange(6):
        case 0 if places:
            victim = dice.choice(places)
            shutil.rmtree(victim) if victim.is_dir() else victim.unlink()
        case 1 if places:
            mover, target = dice.choice(places), dice.choice(folders) / f"moved{step}"
            if not target.is_relative_to(mover):
                mover.rename(target)
        case 2:
            write(dice.choice(folders) / f"n{step}" / f"m{step % 3}" / "deep.txt", str(step))
        case _:
            write(dice.choice(folders) / f"{step % 40}.txt", str(dice.random()))


def added_up(desk: Desk) -> set[str]:
    there = {"start.txt"}
    for draft in desk.journal.drafts:
        created, modified, deleted = changes_of(draft)
        assert not there & set(created), "nothing is created twice"
        assert set(modified) <= there and set(deleted) <= there
        there = there - set(deleted) | set(created)
    return there


async def test_a_virtual_environment_is_left_alone_whatever_its_name(desk: Desk, app: Path) -> None:
    desk.add(app)
    async with desk.watching():
        write(app / "env" / "lib" / "one.py")
        write(app / "env" / "pyvenv.cfg")
        write(app / "a.py")
        assert await desk.changes() == (["a.py"], [], [])
        write(app / "env" / "lib" / "two.py")
        write(app / "b.py")
        assert await desk.changes() == (["b.py"], [], [])


async def test_a_thread_that_dies_ends_the_source(desk: Desk, app: Path) -> None:
    class Broken(Forgetful):
        def poll(self) -> set[Hint]:
            raise KeyError("a fault nobody thought of")

    desk.hear = Broken
    desk.add(app)
    with pytest.raises(ExceptionGroup) as caught:
        async with desk.watching():
            await desk.until(lambda: False)
    assert caught.group_contains(KeyError)


async def test_idle_does_not_wake_the_event_loop(desk: Desk, app: Path) -> None:
    desk.add(app, quiet_s=2.0)
    async with desk.watching():
        loop = asyncio.get_running_loop()
        selector = loop._selector  # pyright: ignore[reportAttributeAccessIssue]
        asleep: list[float | None] = []
        real = selector.select

        def select(timeout: float | None = None) -> object:
            asleep.append(timeout)
            return real(timeout)

        selector.select = select
        try:
            done = loop.create_future()
            loop.call_later(3.0, done.set_result, None)
            await done
        finally:
            selector.select = real
        assert len(asleep) <= 4, "only the timer of this test and what it set off"
