"""MEMORY.md in an editor: titles, hints and words about the owner are theirs to change; damage is told and heals."""

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.e2e.conftest import Hatch
from tests.e2e.daemon import Daemon, Json, until
from tests.e2e.homes import standard


@pytest.fixture(scope="module")
def daemon(hatch_once: Hatch) -> Daemon:
    daemon = hatch_once(standard()).start()
    for text, topic in (("the barn cat is grey", "barn"), ("the mill stands still", "mill")):
        daemon.post("/v1/memories", {"text": text, "topic": topic})
    daemon.post("/v1/memories", {"text": "I prefer short commit messages", "topic": "preferences"})
    until(
        lambda: index(daemon).exists() and "short commit" in index(daemon).read_text(), "the index is written"
    )
    return daemon


def index(daemon: Daemon) -> Path:
    return daemon.home / "memory" / "MEMORY.md"


def problems(daemon: Daemon) -> list[Json]:
    return [p for p in daemon.status["problems"] if p["part"].startswith("memory")]


def settled(daemon: Daemon, is_so: Callable[[str], bool], what: str) -> str:
    """The index once it is as it should be."""
    until(lambda: index(daemon).is_file() and is_so(index(daemon).read_text(errors="replace")), what, 20)
    return index(daemon).read_text()


def test_titles_hints_and_prose_are_the_owners(daemon: Daemon) -> None:
    text = index(daemon).read_text()
    text = text.replace(
        "[Barn](topics/barn.md) (1): the barn cat is grey", "[The Barn](topics/barn.md) (1): animals"
    )
    text = text.replace("short commit messages", "long commit messages").replace(
        "# Memory\n", "# Memory\n\nMine above.\n", 1
    )
    index(daemon).write_text(text + "\nMine below.\n")
    page = daemon.home / "memory" / "topics" / "barn.md"
    until(
        lambda: "# The Barn\n" in page.read_text() and "When to look: animals" in page.read_text(),
        "the page",
        20,
    )
    rows = {r["text"]: r for r in daemon.items("/v1/memories") if r["state"] == "active"}
    assert (
        rows["I prefer long commit messages"]["supersedes"] and "I prefer short commit messages" not in rows
    )
    daemon.post("/v1/memories", {"text": "the barn has a loft", "topic": "barn"})
    after = settled(daemon, lambda text: "[The Barn](topics/barn.md) (2): animals" in text, "the count grows")
    assert "Mine above." in after and after.rstrip().endswith("Mine below.")


@pytest.mark.parametrize("damage", ["deleted", "emptied", "markers", "doubled", "crlf", "bom"])
def test_a_damaged_index_heals(daemon: Daemon, damage: str) -> None:
    text = index(daemon).read_text()
    listed = [line for line in text.splitlines() if line.startswith("- [")]
    if damage == "deleted":
        index(daemon).unlink()
    else:
        index(daemon).write_bytes({
            "emptied": "",
            "markers": "\n".join(line for line in text.splitlines() if not line.startswith("<!--")) + "\n",
            "doubled": text + text,
            "crlf": text.replace("\n", "\r\n"),
            "bom": "\ufeff" + text,
        }[damage].encode())  # fmt: skip
    daemon.post("/v1/memories", {"text": f"the well was {damage}", "topic": f"well {damage}"})
    name = f"topics/well-{damage}.md"
    after = settled(daemon, lambda text: name in text, "the index is up to date")
    for line in listed:
        assert line in after
    assert problems(daemon) == []
    assert {r["state"] for r in daemon.items("/v1/memories") if "barn" in r["text"]} <= {
        "active",
        "superseded",
    }


@pytest.mark.parametrize("fault", ["latin", "folder", "read-only"])
def test_an_index_that_cannot_be_kept_is_told_until_it_can(daemon: Daemon, fault: str) -> None:
    path, text = index(daemon), index(daemon).read_text()
    aside = path.with_name("aside")
    if fault == "latin":
        path.write_bytes(text.encode() + b"\ncaf\xe9\n")
    elif fault == "folder":
        path.rename(aside)
        path.mkdir()
    else:
        path.chmod(0o444)
    daemon.post("/v1/memories", {"text": f"the gate is {fault}", "topic": f"gate {fault}"})
    told = until(lambda: problems(daemon), "it is told", 20)
    assert len(told) == 1 and "MEMORY.md" in told[0]["message"] and told[0]["hint"]
    if fault == "latin":
        path.write_text(text)
    elif fault == "folder":
        path.rmdir()
        aside.rename(path)
    else:
        path.chmod(0o644)
    settled(daemon, lambda text: f"topics/gate-{fault}.md" in text, "the index is up to date")
    until(lambda: problems(daemon) == [], "and well", 20)


def test_a_read_only_page_is_told_and_its_rows_wait(daemon: Daemon) -> None:
    page = daemon.home / "memory" / "topics" / "mill.md"
    page.chmod(0o444)
    added = daemon.post("/v1/memories", {"text": "the mill has a new wheel", "topic": "mill"})
    told = until(lambda: problems(daemon), "it is told", 20)
    assert "mill.md is read-only" in told[0]["message"] and "chmod" in told[0]["hint"]
    assert "wheel" in daemon.clawctl("memory", "search", "which wheel has the mill?").out
    page.chmod(0o644)
    until(lambda: added["id"] in page.read_text(), "it is written", 20)
    until(lambda: problems(daemon) == [], "and well", 20)
    assert page.stat().st_mode & 0o777 == 0o644
