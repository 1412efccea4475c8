"""A backup is one consistent moment of a living home, whole or not there; a restore is the old home or the new one."""

import contextlib
import fcntl
import io
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.admin.conftest import Admin

from nightclaw import boot
from nightclaw.admin import archive
from nightclaw.admin.backup import back_up
from nightclaw.admin.restore import finish_interrupted, newest_schema, restore
from nightclaw.core.errors import NightclawError, NotFound, Refused
from nightclaw.store.schema import SCHEMA_VERSION

DAY = "logs/2026/11/2026-11-20.md"
WRITER = """
import pathlib, sqlite3, sys
home = pathlib.Path(sys.argv[1])
db = sqlite3.connect(home / "nightclaw.db", isolation_level=None)
db.execute("PRAGMA journal_mode = WAL")
log = open(home / sys.argv[2], "a")
for n in range(10_000_000):
    db.execute("BEGIN IMMEDIATE")
    db.execute("INSERT INTO meta VALUES (?, '')", (f"n{n}",))
    db.execute("COMMIT")
    log.write(f"{n}\\n"); log.flush()
    if n == 50: print("going", flush=True)
"""


@pytest.fixture
def full(home: Path) -> Path:
    """A home with something of everything."""
    boot.make_home(home)
    boot.ensure_schema(home / "nightclaw.db")
    texts = {
        "config.toml": "[tick]\nevery = '9m'\n", "ORDERS.md": "be kind\n", DAY: "one\ntwo\n",
        "github.secret": "s3cret\n", "memory/topics/tea.md": "green\n", "blobs/ab/cd": "blob\n",
    }  # fmt: skip
    for name, text in texts.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(text)
    (home / "github.secret").chmod(0o600)
    (home / "worktrees").mkdir()
    (home / "worktrees" / "big").write_text("not in it")
    return home


def tell(home: Path, key: str) -> None:
    with contextlib.closing(sqlite3.connect(home / "nightclaw.db")) as db, db:
        db.execute("INSERT INTO meta VALUES (?, '')", (key,))


def told(database: Path) -> set[str]:
    with contextlib.closing(sqlite3.connect(database)) as db:
        return {row[0] for row in db.execute("SELECT key FROM meta")}


def contents(home: Path) -> dict[str, str]:
    """What a reader finds in the home, the database as its rows."""
    texts = {p.relative_to(home).as_posix(): p.read_text() for p in archive.files_of(home)}
    return {**texts, "rows": ",".join(sorted(told(home / "nightclaw.db")))}


@contextlib.contextmanager
def holding(home: Path) -> Iterator[None]:
    with open(home / "run" / "daemon.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def test_a_backup_brings_everything_back_and_keeps_what_stood_there(admin: Admin, full: Path) -> None:
    tell(full, "early")
    then = contents(full)
    done = admin("backup")
    made = Path(done.stdout.strip())
    assert (done.returncode, done.stderr) == (0, "")
    assert made.parent == full / "backups" and made.stat().st_mode & 0o777 == 0o600
    assert list((full / "backups").iterdir()) == [made]

    tell(full, "late")
    (full / "ORDERS.md").write_text("be quick\n")
    (full / "config.toml").unlink()
    (full / "memory" / "topics" / "new.md").write_text("x")
    (full / "mine.txt").write_text("kept")
    changed = contents(full)
    done = admin("restore", str(made))
    assert (done.returncode, done.stderr) == (0, "")
    assert contents(full) == {**then, "mine.txt": "kept"}
    assert (full / "github.secret").stat().st_mode & 0o777 == 0o600
    assert (full / "worktrees" / "big").exists()
    (aside,) = (full / "backups").glob("before-restore-*")
    assert {**contents(aside), "mine.txt": "kept"} == changed


def test_a_backup_goes_where_it_is_told(admin: Admin, full: Path, user: Path) -> None:
    named = admin("backup", str(user / "mine.tar"), "--json")
    assert json.loads(named.stdout)["path"] == f"{user}/mine.tar" and (user / "mine.tar").is_file()
    assert json.loads(named.stdout)["bytes"] == (user / "mine.tar").stat().st_size
    again = admin("backup", str(user / "mine.tar"))
    assert (again.returncode, again.stdout) == (5, "") and "exists already" in again.stderr
    inside = Path(admin("backup", f"{user}/new/folder/").stdout.strip())
    assert inside.parent == user / "new" / "folder" and inside.name.startswith("nightclaw-2")
    beside = Path(admin("backup", str(inside.parent)).stdout.strip())
    assert beside.parent == inside.parent and beside != inside
    assert admin("backup", str(user / "nowhere" / "x.tar")).returncode == 4
    assert admin("backup", f"{user}/mine.tar/").returncode == 5


@pytest.mark.parametrize("name", ["mine", "of 2026.11", "house.db", "c#1?.tar%20"])
def test_the_one_file_has_the_name_it_was_given(admin: Admin, full: Path, user: Path, name: str) -> None:
    then = contents(full)
    made = admin("backup", str(user / name))
    assert (made.returncode, made.stdout.strip()) == (0, str(user / name)) and (user / name).is_file()
    (full / "ORDERS.md").write_text("be quick\n")
    assert admin("restore", str(user / name)).returncode == 0
    assert contents(full) == then


def test_there_is_nothing_to_back_up(admin: Admin, home: Path) -> None:
    done = admin("backup")
    assert done.returncode == 4 and "nothing to back up" in done.stderr
    assert not (home / "backups").exists()


def test_a_backup_of_a_busy_home_is_one_moment(full: Path) -> None:
    (full / DAY).write_text("")
    command = [sys.executable, "-c", WRITER, str(full), DAY]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        try:
            assert writer.stdout is not None and writer.stdout.readline() == "going\n"
            for n in range(5):
                made = back_up(full, full / "backups" / f"nightclaw-{n}.tar")
                out = full / f"out{n}"
                out.mkdir()
                archive.unpack(made.path, out)
                rows = {int(k[1:]) for k in told(out / "nightclaw.db") if k[1:].isdigit()}
                lines = [int(line) for line in (out / DAY).read_text().splitlines()]
                assert lines == list(range(len(lines))) and rows == set(range(len(rows)))
                assert 0 <= len(rows) - len(lines) <= 1
                shutil.rmtree(out)
        finally:
            writer.kill()


def test_two_backups_at_once_are_both_whole(admin: Admin, full: Path) -> None:
    command = [sys.executable, "-m", "nightclaw.admin", "backup"]
    running = [subprocess.Popen(command, env=admin.env, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    paths = [Path(child.communicate(timeout=50)[0].strip()) for child in running]
    assert [child.returncode for child in running] == [0, 0, 0]
    assert all(archive.unpack(path, None) for path in paths)


def test_a_killed_backup_leaves_no_backup_and_the_next_one_sweeps(admin: Admin, full: Path) -> None:
    assert admin("backup", NIGHTCLAW_FAILPOINT="backup.copied").returncode == -9
    (left,) = (full / "backups").iterdir()
    assert left.name.startswith(".") and left.name.endswith(".partial")
    made = Path(admin("backup").stdout.strip())
    assert list((full / "backups").iterdir()) == [made]


@pytest.mark.parametrize("failpoint", ["restore.decided", *(f"restore.moved:{n}" for n in (1, 3, 6, 9))])
def test_a_killed_restore_is_the_old_home_or_the_new_one(admin: Admin, full: Path, failpoint: str) -> None:
    then = contents(full)
    made = back_up(full, None)
    tell(full, "late")
    (full / "ORDERS.md").write_text("be quick\n")
    (full / "config.toml").unlink()
    assert admin("restore", str(made.path), NIGHTCLAW_FAILPOINT=failpoint).returncode == -9
    assert finish_interrupted(full)
    assert contents(full) == then
    (aside,) = (full / "backups").glob("before-restore-*")
    assert "late" in told(aside / "nightclaw.db") and (aside / "ORDERS.md").read_text() == "be quick\n"
    assert not list((full / "backups").glob("restore-*"))
    assert not finish_interrupted(full)


def test_a_restore_killed_before_it_was_decided_changed_nothing(full: Path) -> None:
    now = contents(full)
    (full / "backups" / "restore-20260101-000000-000" / "new").mkdir(parents=True)
    (full / "backups" / "restore-20260101-000000-000" / "new" / "nightclaw.db").write_text("half")
    assert not finish_interrupted(full)
    assert contents(full) == now and not list((full / "backups").iterdir())


def test_a_restore_is_refused_while_a_daemon_runs(admin: Admin, full: Path) -> None:
    made = back_up(full, None)
    (full / "ORDERS.md").write_text("be quick\n")
    with holding(full):
        done = admin("restore", str(made.path))
        assert (done.returncode, done.stdout) == (5, "")
        assert "a daemon runs" in done.stderr and "stop it first" in done.stderr
        assert (full / "ORDERS.md").read_text() == "be quick\n"
        assert admin("backup").returncode == 0


def test_a_home_moves_house(admin: Admin, full: Path, user: Path) -> None:
    made, then = back_up(full, user / "house.tar"), contents(full)
    assert admin("restore", str(made.path), "--home", str(user / "new")).returncode == 0
    assert contents(user / "new") == then
    assert (user / "new").stat().st_mode & 0o777 == 0o700


def test_a_bare_copy_of_the_database_can_be_put_back(admin: Admin, full: Path) -> None:
    copy = full / "backups" / "before-0002-20260101.db"
    shutil.copyfile(full / "nightclaw.db", copy)
    tell(full, "late")
    (full / "ORDERS.md").write_text("be quick\n")
    assert admin("restore", str(copy)).returncode == 0
    assert "late" not in told(full / "nightclaw.db")
    assert (full / "ORDERS.md").read_text() == "be quick\n"


def test_a_database_of_a_newer_program_is_refused(full: Path) -> None:
    with contextlib.closing(sqlite3.connect(full / "nightclaw.db")) as db, db:
        db.execute("UPDATE alembic_version SET version_num = '9999'")
    made = back_up(full, None)
    now = contents(full)
    with pytest.raises(Refused, match="newer program"):
        restore(full, made.path)
    assert contents(full) == now and not list((full / "backups").glob("*restore*"))
    assert newest_schema() == SCHEMA_VERSION


ELSEWHERE = {"climb": "../ORDERS.md", "absolute": "/tmp/ORDERS.md", "run": "run/x"}


def rewritten(source: Path, target: Path, change: str) -> Path:
    """A copy of a backup with one thing done to it."""
    with tarfile.open(source) as old, tarfile.open(target, "w") as new:
        for member in old:
            content = old.extractfile(member)
            data = content.read() if content else b""
            if member.name == "ORDERS.md":
                if change == "drop":
                    continue
                data = b"be evil\n" if change == "content" else data
                member.name = {"climb": "../ORDERS.md", "absolute": "/tmp/ORDERS.md", "run": "run/x"}.get(
                    change, member.name
                )
                if change == "link":
                    member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
            if member.name == "manifest.json" and change == "manifest":
                continue
            member.size = len(data)
            new.addfile(member, io.BytesIO(data))
        if change == "extra":
            new.addfile(tarfile.TarInfo("extra"), io.BytesIO(b""))
    return target


@pytest.mark.parametrize(
    "change", ["drop", "content", "climb", "absolute", "run", "link", "manifest", "extra"]
)
def test_a_backup_that_is_not_as_it_was_written_is_refused(full: Path, user: Path, change: str) -> None:
    made = back_up(full, None)
    now = contents(full)
    bad = rewritten(made.path, user / "bad.tar", change)
    with pytest.raises(NightclawError, match=r"whole backup|damaged|no backup of ours"):
        restore(full, bad)
    assert contents(full) == now
    assert list((full / "backups").iterdir()) == [made.path]
    assert not (user / "ORDERS.md").exists()


def test_a_cut_or_foreign_file_is_refused(full: Path, user: Path) -> None:
    made, now = back_up(full, None), contents(full)
    whole = made.path.read_bytes()
    for size in (0, 10, 700, len(whole) // 2, len(whole) - 12_000):
        (user / "cut.tar").write_bytes(whole[:size])
        with pytest.raises(NightclawError):
            restore(full, user / "cut.tar")
    (user / "text.tar").write_text("hello" * 1000)
    (user / "text.db").write_text("hello" * 1000)
    for name in ("text.tar", "text.db"):
        with pytest.raises(NightclawError, match=r"not a whole backup|cannot be read"):
            restore(full, user / name)
    with pytest.raises(NotFound):
        restore(full, user / "nothing.tar")
    assert contents(full) == now


def test_a_damaged_database_is_not_backed_up_as_if_it_were_sound(full: Path) -> None:
    with contextlib.closing(sqlite3.connect(full / "nightclaw.db")) as db, db:
        db.executemany("INSERT INTO meta VALUES (?, ?)", [(f"k{n}", "x" * 200) for n in range(400)])
    with open(full / "nightclaw.db", "r+b") as database:
        database.seek(-16_384, os.SEEK_END)
        database.write(b"\xff" * 16_000)
    with pytest.raises(NightclawError, match=r"damaged|cannot be read"):
        back_up(full, None)
    assert list((full / "backups").iterdir()) == []


def test_a_daemon_completes_a_restore_before_it_reads_the_home(admin: Admin, full: Path) -> None:
    then = contents(full)
    made = back_up(full, None)
    (full / "ORDERS.md").write_text("be quick\n")
    assert admin("restore", str(made.path), NIGHTCLAW_FAILPOINT="restore.decided").returncode == -9
    boot.finish_restore(full)
    assert contents(full) == then
