"""File watches: one edit is one signal, one burst is one signal, what is not watched is silent, nothing is missed."""

import shutil
from pathlib import Path

import pytest
from tests.e2e.conftest import Hatch
from tests.e2e.daemon import Daemon, Json, short_folder, until
from tests.e2e.homes import standard


def _repo(root: Path, files: int = 3) -> Path:
    (root / ".git").mkdir(parents=True)
    (root / ".gitignore").write_text("build/\n*.log\n")
    for number in range(files):
        (root / f"file{number}.py").write_text("x = 0\n")
    return root


def _watch(path: Path, **more: str) -> str:
    extra = "".join(f"{key} = {value}\n" for key, value in more.items())
    return f'[[watch]]\nname = "{path.name}"\npath = "{path}"\nquiet = "300ms"\nverdict = "record"\n{extra}'


class Places:
    """Watched folders and the daemon that watches them."""

    def __init__(self, hatch: Hatch, root: Path) -> None:
        self.app, self.lib = _repo(root / "app"), _repo(root / "lib")
        self.mono = _repo(root / "mono")
        self.api = self.mono / "services" / "api"
        self.web = self.mono / "services" / "web"
        for folder in (self.api, self.web):
            folder.mkdir(parents=True)
        config = _watch(self.app, match='["*.py"]') + _watch(self.lib) + _watch(self.api)
        self.daemon: Daemon = hatch(standard(more=config)).start()
        until(self.ready, "the watches are set")

    def ready(self) -> bool:
        (row,) = [row for row in self.daemon.status["sources"] if row["name"] == "files"]
        return len(row["watches"]) >= 3 and all(w["state"] == "ok" for w in row["watches"])

    def seen(self) -> list[Json]:
        return self.daemon.signals(source="file")

    def news(self, before: list[Json], seconds: float = 8) -> list[Json]:
        """Signals since, when at least one came; a sentinel edit elsewhere proves that no more is to come."""
        known = {row["id"] for row in before}
        until(lambda: [r for r in self.seen() if r["id"] not in known], "a signal of the edit", seconds)
        return [row for row in self.seen() if row["id"] not in known]

    def barrier(self) -> None:
        """An edit in `lib` that is seen: whatever was written before it was seen or ignored."""
        before = self.seen()
        (self.lib / "barrier.py").write_text(f"n = {len(before)}\n" * (len(before) + 1))
        self.news(before)


@pytest.fixture(scope="module")
def places(hatch_once: Hatch, tmp_path_factory: pytest.TempPathFactory) -> Places:
    return Places(hatch_once, tmp_path_factory.mktemp("watched"))


def test_an_edit_is_one_signal_and_is_decided(places: Places) -> None:
    before = places.seen()
    (places.app / "file0.py").write_text("x = 1\n")
    (signal,) = places.news(before)
    assert signal["trust"] != "OWNER", "who wrote a file is not known"
    assert places.daemon.decision(signal["id"])["verdict"] == "record"
    assert "file0.py" in str(places.daemon.why(signal["id"])) + signal["title"]
    (places.app / "file0.py").write_text("x = 2\n")
    until(lambda: len(places.seen()) == len(before) + 2, "the next edit is another")


def test_a_burst_of_300_files_is_one_signal(places: Places) -> None:
    before = places.seen()
    for number in range(300):
        (places.app / f"burst{number}.py").write_text(f"n = {number}\n")
    found = places.news(before)
    places.barrier()
    mine = [row for row in places.seen() if row["subject"] == found[0]["subject"]]
    assert len(mine) - len([r for r in before if r["subject"] == found[0]["subject"]]) == 1
    assert "300" in found[0]["title"], found[0]["title"]


def test_what_is_ignored_or_does_not_match_is_silent(places: Places) -> None:
    before = {row["subject"] for row in places.seen()}, len(places.seen())
    for path in (".git/index", "node_modules/pkg/a.py", "__pycache__/a.py", "build/out.py", ".venv/lib/b.py"):
        (places.app / path).parent.mkdir(parents=True, exist_ok=True)
        (places.app / path).write_text("noise\n")
    (places.app / "notes.txt").write_text("does not match *.py\n")
    (places.lib / "debug.log").write_text("ignored by .gitignore\n")
    (places.web / "index.py").write_text("another part of the monorepo\n")
    places.barrier()
    assert len(places.seen()) == before[1] + 1, [row["title"] for row in places.seen()[:3]]


def test_two_repositories_and_a_part_of_a_third_at_once(places: Places) -> None:
    before = places.seen()
    for folder in (places.app, places.lib, places.api):
        (folder / "together.py").write_text("y = 1\n")
    until(lambda: len(places.seen()) >= len(before) + 3, "one signal each")
    known = {row["id"] for row in before}
    new = [row for row in places.seen() if row["id"] not in known]
    assert len({row["subject"] for row in new}) == len(new) == 3


def test_an_edit_by_rename_and_a_deletion_are_seen(places: Places) -> None:
    """Editors write a new file and move it over the old one."""
    before = places.seen()
    fresh = places.app / ".file1.py.swp"
    fresh.write_text("x = 7\n")
    fresh.rename(places.app / "file1.py")
    places.news(before)
    again = places.seen()
    (places.app / "file2.py").unlink()
    assert "file2.py" in str(places.daemon.why(places.news(again)[0]["id"])) + places.seen()[0]["title"]


def test_a_watch_by_the_client_and_its_end(places: Places) -> None:
    folder = short_folder()
    ran = places.daemon.clawctl(
        "watch", "add", str(folder), "--match", "*.md", "--quiet", "100ms", "--verdict", "notify", "--json"
    )
    assert ran.code == 0, ran.err
    row = ran.json
    assert (row["origin"], row["path"]) == ("api", str(folder))

    def watched() -> bool:
        (source,) = [s for s in places.daemon.status["sources"] if s["name"] == "files"]
        return any(w.get("path") == str(folder) and w["state"] == "ok" for w in source["watches"])

    until(watched, "it is watched without a restart")
    before = places.seen()
    (folder / "todo.md").write_text("- buy milk\n")
    (signal,) = places.news(before)
    assert places.daemon.decision(signal["id"])["verdict"] == "notify"
    assert places.daemon.clawctl("watch", "rm", row["id"]).code == 0
    assert [
        w["id"] for w in places.daemon.clawctl("watch", "list", "--json").json if w["id"] == row["id"]
    ] == []
    count = len(places.seen())
    (folder / "todo.md").write_text("- sell milk\n")
    places.barrier()
    assert len(places.seen()) == count + 1
    config_row = next(w for w in places.daemon.items("/v1/watches") if w["origin"] == "config")
    assert places.daemon.api("DELETE", f"/v1/watches/{config_row['id']}").status == 409
    assert places.daemon.api("POST", "/v1/watches", {"path": "relative/path"}).status in (400, 422)


def test_edits_while_down_are_caught_up_once(hatch: Hatch, tmp_path: Path) -> None:
    repo = _repo(tmp_path / "down")
    daemon = hatch(standard(more=_watch(repo))).start()

    def files() -> list[Json]:
        return daemon.signals(source="file")

    def ready() -> bool:
        (row,) = [row for row in daemon.status["sources"] if row["name"] == "files"]
        return bool(row["watches"]) and all(w["state"] == "ok" for w in row["watches"])

    until(ready, "watching")
    (repo / "file0.py").write_text("x = 1\n")
    until(files, "seen")
    daemon.kill9()
    (repo / "file1.py").write_text("x = 'while down'\n")
    (repo / "new.py").write_text("z = 1\n")
    (repo / "file2.py").unlink()
    daemon.start()
    until(lambda: len(files()) == 2, "caught up")
    story = str(daemon.why(files()[0]["id"]))
    assert [name for name in ("file1.py", "new.py", "file2.py") if name not in story] == [] or "3" in story
    daemon.restart()
    until(ready, "watching again")
    (repo / "file1.py").write_text("x = 'up again'\n")
    until(lambda: len(files()) >= 3, "seen")
    assert len(files()) == 3, "a start with nothing new brings nothing"


def test_a_folder_that_goes_and_comes_back_is_watched_again(hatch: Hatch, tmp_path: Path) -> None:
    repo = _repo(tmp_path / "gone")
    daemon = hatch(standard(more=_watch(repo))).start()

    def state() -> str:
        (source,) = [s for s in daemon.status["sources"] if s["name"] == "files"]
        return str([w["state"] for w in source["watches"]])

    until(lambda: state() == "['ok']", "watching")
    shutil.rmtree(repo)
    until(lambda: state() != "['ok']", "it says that the folder is gone", 40)
    assert str(repo) in str(daemon.status)
    _repo(repo)
    until(lambda: state() == "['ok']", "found again without a restart", 40)
    before = len(daemon.signals(source="file"))
    (repo / "file0.py").write_text("x = 'back'\n")
    until(lambda: len(daemon.signals(source="file")) > before, "and an edit is seen")
