"""A burst of changes becomes one signal, told once: nothing lost, nothing doubled, nothing that is ignored."""

import os
import shutil
import time
from pathlib import Path

import pytest
from tests.unit.sources.watching import Clone, Clones, Desk, changes_of, write

from nightclaw.core.types import Verdict

pytestmark = pytest.mark.anyio


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "home")


@pytest.fixture
def app(tmp_path: Path) -> Path:
    root = tmp_path / "app"
    write(root / "src" / "a.py", "a")
    write(root / "src" / "b.py", "b")
    write(root / "README.md", "hello")
    return root


async def test_an_edit_is_one_signal_that_says_what_happened(desk: Desk, app: Path) -> None:
    row = desk.add(app, prompt="look at it", verdict=Verdict.NOTIFY, per_hour=3)
    async with desk.watching() as files:
        write(app / "src" / "a.py", "changed")
        draft = await desk.told()
    assert (draft.kind, draft.subject) == ("file.changed", f"file:{app}")
    assert draft.title == "app: src/a.py modified"
    assert draft.dedupe_key.startswith(f"{app}:")
    assert draft.attrs == {
        "watch": "app",
        "root": str(app),
        "paths": ["src/a.py"],
        "count": 1,
        "created": 0,
        "modified": 1,
        "deleted": 0,
        "verdict": "notify",
        "prompt": "look at it",
        "per_hour": 3,
    }
    assert changes_of(draft) == ([], ["src/a.py"], [])
    assert files.describe()["state"] == "off", "nothing runs any more"
    assert row.id in next(iter(desk.journal.states))


async def test_the_first_look_tells_nothing_and_reading_or_touching_is_no_change(
    desk: Desk, app: Path
) -> None:
    desk.add(app)
    async with desk.watching():
        (app / "README.md").read_text()
        os.utime(app / "src" / "a.py")
        (app / "src" / "a.py").chmod(0o600)
        write(app / "src" / "b.py", "b")  # the same bytes again
        write(app / "late.txt")
        assert await desk.changes() == (["late.txt"], [], [])
    assert len(desk.journal.drafts) == 1


async def test_a_burst_is_one_signal(desk: Desk, app: Path) -> None:
    desk.add(app)
    async with desk.watching():
        names = [f"gen/{i}.txt" for i in range(40)]
        for name in names:
            write(app / name, name)
        (app / "src" / "a.py").unlink()
        created, modified, deleted = await desk.changes()
    assert (sorted(created), modified, deleted) == (sorted(names), [], ["src/a.py"])
    assert desk.journal.drafts[0].title == "app: 41 files changed (40 created, 1 deleted)"
    assert len(desk.journal.drafts) == 1


async def test_nothing_is_told_before_the_quiet_window_is_over(desk: Desk, app: Path) -> None:
    desk.add(app, quiet_s=0.6)
    async with desk.watching():
        last = 0.0
        for i in range(8):
            write(app / "src" / "a.py", f"draft {i}")
            last = time.monotonic()
            await desk.until(lambda last=last: time.monotonic() - last > 0.2)
        assert await desk.changes() == ([], ["src/a.py"], [])
        assert time.monotonic() - last >= 0.55
    assert len(desk.journal.drafts) == 1


async def test_there_and_back_again_are_two_occurrences(desk: Desk, app: Path) -> None:
    desk.add(app)
    async with desk.watching():
        keys: list[str] = []
        for text in ("B", "a", "B"):
            write(app / "src" / "a.py", text)
            keys.append((await desk.told()).dedupe_key)
    assert len(set(keys)) == 3


async def test_saving_by_rename_and_scratch_files_are_one_modification(desk: Desk, app: Path) -> None:
    desk.add(app)
    async with desk.watching():
        for scratch in ("4913", ".a.py.swp", "a.py~", ".#a.py", "#a.py#"):
            write(app / "src" / scratch)
        (app / "src" / "4913").unlink()
        write(app / "src" / "a.py.tmp1234", "better").replace(app / "src" / "a.py")
        assert await desk.changes() == ([], ["src/a.py"], [])
        (app / "src" / "a.py").rename(app / "src" / "a.bak")
        write(app / "src" / "a.py", "better still")
        (app / "src" / "a.bak").unlink()
        assert await desk.changes() == ([], ["src/a.py"], [])


async def test_renames_and_deletions_of_files_and_directories(desk: Desk, app: Path) -> None:
    desk.add(app)
    async with desk.watching():
        (app / "src" / "a.py").rename(app / "src" / "c.py")
        assert await desk.changes() == (["src/c.py"], [], ["src/a.py"])
        (app / "src").rename(app / "lib")
        created, modified, deleted = await desk.changes()
        assert (created, modified) == (["lib/b.py", "lib/c.py"], [])
        assert deleted == ["src/b.py", "src/c.py"]
        write(app / "lib" / "b.py", "heard in its new place")
        assert await desk.changes() == ([], ["lib/b.py"], [])
        shutil.rmtree(app / "lib")
        assert await desk.changes() == ([], [], ["lib/b.py", "lib/c.py"])
        write(app / "lib" / "b.py", "back")
        assert await desk.changes() == (["lib/b.py"], [], [])
    assert not any("src" in key.rpartition(":")[2] for key in desk.journal.states)


async def test_new_directories_are_heard_with_all_that_was_made_at_once(desk: Desk, app: Path) -> None:
    desk.add(app)
    async with desk.watching():
        made = [f"new/{i}/deep/{j}/x.py" for i in range(12) for j in range(3)]
        for name in made:
            write(app / name)
        assert sorted((await desk.changes())[0]) == sorted(made)
        write(app / made[-1], "heard")
        assert await desk.changes() == ([], [made[-1]], [])
        write(app / "new" / "late" / "y.py")
        assert await desk.changes() == (["new/late/y.py"], [], [])


async def test_many_waves_of_new_directories(desk: Desk, app: Path) -> None:
    """More waves than separate watchers are kept for."""
    desk.add(app)
    async with desk.watching():
        for wave in range(9):
            write(app / f"wave{wave}" / "x.py")
            assert await desk.changes() == ([f"wave{wave}/x.py"], [], [])
        for wave in range(9):
            write(app / f"wave{wave}" / "x.py", "edited")
        assert len((await desk.changes())[1]) == 9


async def test_ignored_trees_are_never_listened_to(desk: Desk, app: Path) -> None:
    for name in (".git/objects", "node_modules/x", ".venv/lib", "src/__pycache__", "build/out", "pkg/dist"):
        write(app / name / "f")
    write(app / "env" / "pyvenv.cfg")
    write(app / "env" / "lib" / "f")
    write(app / ".gitignore", "build/\n*.log\n!keep.log\n")
    write(app / "pkg" / ".gitignore", "/dist\n")
    write(app / ".git" / "info" / "exclude", "private/\n")
    write(app / "private" / "f")
    home = app / "home"
    write(home / "worktrees" / "t" / "f")
    desk.settings.home = home
    desk.add(app)
    async with desk.watching():
        assert {os.path.relpath(d, app) for d in desk.heard_in} == {".", "src", "pkg"}
        for name in (".git/HEAD", "node_modules/y", "build/new/z", "x.log", "home/nightclaw.db", "private/g"):
            write(app / name)
        write(app / "keep.log")
        assert await desk.changes() == (["keep.log"], [], [])
        (app / "later").mkdir()
        write(app / "later" / "node_modules" / "x" / "y.js")
        write(app / "later" / "z.py")
        assert await desk.changes() == (["later/z.py"], [], [])
    assert not any("node_modules" in d for d in desk.heard_in)


async def test_what_becomes_ignored_is_not_deleted_and_what_becomes_visible_is_not_created(
    desk: Desk, app: Path
) -> None:
    write(app / "out" / "old.txt")
    write(app / ".gitignore", "out/\n")
    os.utime(app / "out" / "old.txt", (1, 1))
    desk.add(app)
    async with desk.watching():
        # the change time of what was there must lie before the burst, as it does in life
        written = time.monotonic()
        await desk.until(lambda: time.monotonic() - written > 0.3)
        write(app / ".gitignore", "src/\n")
        assert await desk.changes() == ([], [".gitignore"], [])
        write(app / "src" / "a.py", "unseen now")
        write(app / "out" / "old.txt", "seen now")
        assert await desk.changes() == ([], ["out/old.txt"], [])
        write(app / ".gitignore", "")
        assert await desk.changes() == ([], [".gitignore"], [])
        write(app / "src" / "a.py", "seen again")
        assert await desk.changes() == ([], ["src/a.py"], [])


async def test_globs_and_the_repository_a_watch_lies_in(desk: Desk, app: Path) -> None:
    write(app / "services" / "api" / "main.py")
    write(app / "services" / "web" / "main.js")
    desk.settings.github = Clones([Clone("octo/*", app.parent), Clone("octo/app", app, ["services/api/**"])])
    desk.add(app / "services", match=("*.py", "!test_*"))
    async with desk.watching():
        for name in ("web/main.js", "web/x.py", "api/notes.txt", "api/test_main.py", "api/main.py"):
            write(app / "services" / name, "edited")
        draft = await desk.told()
        assert changes_of(draft) == ([], ["api/main.py"], [])
        assert (draft.repo, draft.attrs["repo"]) == ("octo/app", "octo/app")
    assert not any(d.endswith("web") for d in desk.heard_in)


async def test_one_file_can_be_watched(desk: Desk, app: Path) -> None:
    desk.add(app / "README.md", name="readme")
    async with desk.watching():
        write(app / "other.md")
        write(app / "new.tmp", "edited").replace(app / "README.md")
        draft = await desk.told()
        assert changes_of(draft) == ([], ["README.md"], [])
        assert draft.subject == f"file:{app / 'README.md'}"
        (app / "README.md").unlink()
        assert await desk.changes() == ([], [], ["README.md"])
    async with desk.watching():
        write(app / "README.md", "back")
        assert await desk.changes() == (["README.md"], [], [])


async def test_nested_places_tell_each_for_itself(desk: Desk, app: Path, tmp_path: Path) -> None:
    other = write(tmp_path / "other" / "z.txt").parent
    for path, name in ((app, "outer"), (app / "src", "inner"), (other, "other")):
        desk.add(path, name=name)
    async with desk.watching():
        write(app / "src" / "a.py", "edited")
        told = {d.attrs["watch"]: changes_of(d)[1] for d in (await desk.told(), await desk.told())}
        assert told == {"outer": ["src/a.py"], "inner": ["a.py"]}
        write(other / "z.txt", "edited")
        assert (await desk.told()).attrs["watch"] == "other"


async def test_links_are_not_followed_and_pipes_are_not_opened(desk: Desk, app: Path, tmp_path: Path) -> None:
    outside = write(tmp_path / "outside" / "secret.txt").parent
    (app / "link").symlink_to(outside)
    os.mkfifo(app / "pipe")
    desk.add(app)
    async with desk.watching():
        write(outside / "secret.txt", "changed")
        os.mkfifo(app / "pipe2")
        (app / "link").unlink()
        (app / "link").symlink_to(tmp_path)
        write(app / "late.txt")
        assert await desk.changes() == (["late.txt"], ["link"], [])
    assert {os.path.relpath(d, app) for d in desk.heard_in} == {".", "src"}


async def test_a_name_that_is_not_text_spoils_nothing(desk: Desk, app: Path) -> None:
    desk.add(app)
    async with desk.watching():
        write(Path(os.fsdecode(os.fsencode(app) + b"/\xff.py")))
        write(app / "src" / "a\nb .py")
        assert await desk.changes() == (["src/a\nb .py"], [], [])
        write(app / "src" / "a.py", "still heard")
        assert await desk.changes() == ([], ["src/a.py"], [])


async def test_large_files_go_by_size_and_time(desk: Desk, app: Path) -> None:
    large = app / "large.bin"
    with large.open("wb") as file:
        file.truncate(6 * 1024 * 1024)
    desk.add(app)
    async with desk.watching():
        os.utime(large, (5, 5))
        assert await desk.changes() == ([], ["large.bin"], [])


async def test_five_hundred_paths_are_one_rescan(desk: Desk, app: Path) -> None:
    desk.add(app)
    async with desk.watching():
        for i in range(700):
            write(app / f"d{i % 20}" / f"{i}.txt", str(i))
        draft = await desk.told()
        assert draft.kind == "file.rescan"
        created, _, _ = changes_of(draft)
        assert len(created) == 700
        paths = draft.attrs["paths"]
        assert isinstance(paths, list) and len(paths) == 50
    assert len(desk.journal.drafts) == 1
