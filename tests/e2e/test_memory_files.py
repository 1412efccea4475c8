"""The memory files in an editor: nothing that stands there is lost, and a fault is told exactly as long as it lasts."""

import os
from pathlib import Path

import pytest
from tests.e2e.conftest import Hatch
from tests.e2e.daemon import Daemon, Json, until
from tests.e2e.homes import standard

NO_ID = "mem_01ARZ3NDEKTSV4RRFFQ69G5FAV"


@pytest.fixture(scope="module")
def daemon(hatch_once: Hatch) -> Daemon:
    daemon = hatch_once(standard()).start()
    learn(daemon, "first", "the first memory makes the folder")
    return daemon


def page(daemon: Daemon, topic: str) -> Path:
    return daemon.home / "memory" / "topics" / f"{topic}.md"


def texts(daemon: Daemon, topic: str, state: str = "active") -> list[str]:
    """The words of a topic's memories, oldest first."""
    rows = [r for r in daemon.items("/v1/memories") if r["topic"] == topic and r["state"] == state]
    return [row["text"] for row in reversed(rows)]


def problems(daemon: Daemon) -> list[Json]:
    return [p for p in daemon.status["problems"] if p["part"].startswith("memory")]


def is_well(daemon: Daemon) -> None:
    until(lambda: not problems(daemon), "no problem of memory is left", 20)


def learn(daemon: Daemon, topic: str, *said: str) -> list[str]:
    """Memories of a topic, and its file on the disk; their ids."""
    ids = [daemon.post("/v1/memories", {"text": text, "topic": topic})["id"] for text in said]
    until(lambda: page(daemon, topic).exists() and ids[-1] in page(daemon, topic).read_text(), "it is shown")
    return ids


def make_folder(path: Path) -> None:
    path.mkdir()
    (path / "inside.md").write_text("- not a memory\n")


FAULTS = {
    "latin": (lambda p: p.write_bytes(b"# Latin\n\n- caf\xe9\n"), "UTF-8"),
    "zeros": (lambda p: p.write_bytes(b"- has nul \0 in it\n"), "no text"),
    "huge": (lambda p: p.write_bytes(b"- " + b"a" * 10_000_000 + b"\n"), "too large"),
    "drawer": (make_folder, "folder"),
    "pipe": (lambda p: os.mkfifo(p), "no plain file"),
    "elsewhere": (lambda p: p.symlink_to("/etc/hostname"), "no plain file"),
    "fence": (lambda p: p.write_text("- fine\n\n```\nno end\n"), "does not end"),
    "forged": (lambda p: p.write_text(f"- forged ^{NO_ID}\n"), NO_ID),
    "Two Words": (lambda p: p.write_text("- misnamed\n"), "two-words.md"),
}


@pytest.mark.parametrize("name", list(FAULTS))
def test_a_fault_is_told_with_its_remedy_until_the_file_is_gone(daemon: Daemon, name: str) -> None:
    make, said = FAULTS[name]
    active = daemon.status["memory"]["active"]
    make(page(daemon, name))
    told = until(lambda: problems(daemon), f"{name}.md is told", 20)
    assert len(told) == 1 and f"{name}.md" in told[0]["message"] and told[0]["hint"]
    assert said in told[0]["message"] + told[0]["hint"]
    assert daemon.status["health"] == "degraded"
    assert daemon.status["memory"]["active"] == active, "nothing was lost or made up"
    path = page(daemon, name)
    if path.is_dir():
        (path / "inside.md").unlink()
        path.rmdir()
    else:
        path.unlink()
    is_well(daemon)
    assert daemon.status["health"] == "ok"


def test_a_misnamed_file_that_is_renamed_as_told_is_taken_over(daemon: Daemon) -> None:
    page(daemon, "Garden Tools").write_text("# Garden tools\n\n- the rake is in the shed\n")
    told = until(lambda: problems(daemon), "the name is told", 20)
    assert "garden-tools.md" in told[0]["hint"]
    page(daemon, "Garden Tools").rename(page(daemon, "garden-tools"))
    until(lambda: texts(daemon, "garden-tools") == ["the rake is in the shed"], "it is taken over", 20)
    is_well(daemon)


def test_an_id_that_stands_twice_keeps_both_lines_and_one_memory(daemon: Daemon) -> None:
    (held,) = learn(daemon, "twins", "the elder twin is Ada")
    page(daemon, "twins").write_text(
        f"# Twins\n\n- the elder twin is Ada ^{held}\n- the younger is Bo ^{held}\n"
    )
    told = until(lambda: problems(daemon), "it is told", 20)
    assert "twice" in told[0]["message"]
    assert texts(daemon, "twins") == ["the elder twin is Ada"]
    assert "the younger is Bo" in page(daemon, "twins").read_text()
    page(daemon, "twins").write_text(f"# Twins\n\n- the elder twin is Ada ^{held}\n- the younger is Bo\n")
    until(
        lambda: texts(daemon, "twins") == ["the elder twin is Ada", "the younger is Bo"], "both are kept", 20
    )
    is_well(daemon)


def test_windows_line_ends_and_a_byte_order_mark_stay(daemon: Daemon) -> None:
    page(daemon, "windows").write_bytes(b"\xef\xbb\xbf# Win\r\n\r\n- the first pane\r\n- the second pane\r\n")
    until(lambda: len(texts(daemon, "windows")) == 2, "both are taken over", 20)
    first, second = [r["id"] for r in reversed(daemon.items("/v1/memories")) if r["topic"] == "windows"]
    wanted = f"\ufeff# Win\r\n\r\n- the first pane ^{first}\r\n- the second pane ^{second}\r\n".encode()
    until(lambda: page(daemon, "windows").read_bytes() == wanted, "only the ids were added")


def test_each_kind_of_list_item_is_a_memory_of_its_own(daemon: Daemon) -> None:
    page(daemon, "lists").write_text(
        "# Lists\n\n- a dash\n* a star\n+ a plus\n1. the first step\n2) the second step\n"
        "- a parent\n  - its child\n- long words\n  that go on\n\n2026. was a year of prose\n"
    )
    wanted = ["a dash", "a star", "a plus", "the first step", "the second step", "a parent - its child",
              "long words that go on"]  # fmt: skip
    until(lambda: texts(daemon, "lists") == wanted, "each is one memory", 20)
    text = page(daemon, "lists").read_text()
    assert text.count("^mem_") == 7 and "\n2026. was a year of prose\n" in text
    assert "1. the first step ^mem_" in text and "- a parent ^mem_" in text
    page(daemon, "lists").write_text(text.replace("the second step", "the last step"))
    until(lambda: "the last step" in texts(daemon, "lists"), "a change is taken over", 20)
    assert "the second step" in texts(daemon, "lists", "superseded")
    is_well(daemon)


def test_files_that_are_gone_come_back_and_one_line_says_so(hatch: Hatch) -> None:
    daemon = hatch(standard()).start()
    for topic in ("ant", "bee", "cow"):
        learn(daemon, topic, f"the {topic} is small")
    index = daemon.home / "memory" / "MEMORY.md"  # written after the pages it names
    until(
        lambda: all(f"{topic}.md" in index.read_text() for topic in ("ant", "bee", "cow")),
        "the index names all",
    )
    before = {p: p.read_text() for p in (daemon.home / "memory").rglob("*.md")}
    for path in before:
        path.unlink()
    (daemon.home / "memory" / "topics").rmdir()
    until(lambda: {p: p.read_text() for p in before if p.exists()} == before, "all are back", 40)
    told = until(lambda: problems(daemon), "it is told")
    assert len(told) == 1 and "written anew" in told[0]["message"] and "memory forget" in told[0]["hint"]
    assert daemon.status["memory"]["active"] == 3
    page(daemon, "bee").write_text("")
    until(lambda: page(daemon, "bee").read_text() == before[page(daemon, "bee")], "an emptied one, too", 20)


def test_edits_while_it_is_stopped_are_taken_over_at_the_start(hatch: Hatch) -> None:
    daemon = hatch(standard()).start()
    learn(daemon, "boats", "the ferry is blue", "the tug is old", "the barge leaks")
    daemon.stop()
    text = page(daemon, "boats").read_text().replace("is blue", "is green")
    lines = [line for line in text.splitlines(keepends=True) if "the tug" not in line]
    page(daemon, "boats").write_text("".join(lines) + "- the yacht is sold (when: asked for a ride)\n")
    daemon.start()
    wanted = {"the ferry is green", "the barge leaks", "the yacht is sold"}
    until(lambda: set(texts(daemon, "boats")) == wanted, "the edit is taken over", 20)
    rows = {row["text"]: row for row in daemon.items("/v1/memories")}
    assert rows["the yacht is sold"]["when"] == "asked for a ride"
    assert texts(daemon, "boats", "retired") == ["the tug is old"]


def test_topics_may_be_called_in_any_language(daemon: Daemon) -> None:
    added = daemon.clawctl("memory", "add", "Der Tisch ist grün", "--topic", "Küche & Bad", "--json").json
    assert added["topic"] == "küche-bad"
    until(lambda: page(daemon, "küche-bad").exists(), "its file is there")
    assert page(daemon, "küche-bad").read_text().startswith("# Küche bad\n")
    index = daemon.home / "memory" / "MEMORY.md"
    until(lambda: "[Küche bad](topics/küche-bad.md)" in index.read_text(), "the index names it")
    page(daemon, "会議").write_text("- 木曜日です\n")
    until(lambda: texts(daemon, "会議") == ["木曜日です"], "it is taken over", 20)
    until(lambda: "topics/会議.md" in index.read_text(), "the index names it")
    index.write_text(index.read_text().replace("[Küche bad]", "[Kitchen]"))
    until(
        lambda: page(daemon, "küche-bad").read_text().startswith("# Kitchen\n"), "the title is taken over", 20
    )
    is_well(daemon)


def test_a_page_of_more_than_a_megabyte_stays_in_step(hatch: Hatch) -> None:
    daemon = hatch(standard()).start()
    words = " ".join(["told in full, as somebody wrote it down long ago"] * 38)
    for start in range(0, 600, 100):
        items = [{"text": f"entry {n:03} {words}", "topic": "ledger"} for n in range(start, start + 100)]
        daemon.post("/v1/memories/import", {"items": items})
    path = page(daemon, "ledger")
    until(lambda: path.exists() and path.read_text().count(" ^mem_") == 600, "the page is written", 30)
    assert path.stat().st_size > 1_000_000 and problems(daemon) == []
    path.write_text(path.read_text().replace("- entry 007 ", "- entry seven "))
    until(lambda: [t for t in texts(daemon, "ledger") if t.startswith("entry seven")], "it is taken over", 30)
    assert problems(daemon) == []
