"""Memory as its owner meets it: by command, by hand in the files, through kills; dreams undone, words gone for good."""

import json
import os
import time
from pathlib import Path

import pytest
from tests.e2e.conftest import Hatch
from tests.e2e.daemon import Daemon, Json, until
from tests.e2e.homes import standard


@pytest.fixture(scope="module")
def daemon(hatch_once: Hatch) -> Daemon:
    return hatch_once(standard()).start()


def memories(daemon: Daemon, state: str = "active") -> dict[str, Json]:
    """The rows of a state by their words."""
    return {row["text"]: row for row in daemon.items("/v1/memories") if row["state"] == state}


def page(daemon: Daemon, topic: str) -> Path:
    return daemon.home / "memory" / "topics" / f"{topic}.md"


def rendered(daemon: Daemon, topic: str, words: str) -> str:
    def text() -> str:
        path = page(daemon, topic)
        found = path.read_text() if path.exists() else ""
        return found if words in found else ""

    return until(text, f"{topic}.md shows {words!r}")


def test_add_search_show_edit_forget(daemon: Daemon) -> None:
    added = daemon.clawctl(
        "memory", "add", "The", "harbour", "crane", "is", "yellow", "--topic", "harbour", "--json"
    )
    assert added.code == 0, added.err
    first = added.json["id"]
    assert "crane" in daemon.clawctl("memory", "list").out
    assert [row["id"] for row in daemon.clawctl("memory", "list", "--json").json] == [
        row["id"] for row in daemon.items("/v1/memories")
    ]
    found = daemon.clawctl("memory", "search", "which colour has the crane?", "--json").json
    assert found[0]["id"] == first
    shown = daemon.clawctl("memory", "show", first)
    assert "The harbour crane is yellow" in shown.out and "harbour" in shown.out
    edited = daemon.clawctl("memory", "edit", first, "--text", "The harbour crane is red", "--json").json
    assert edited["supersedes"] == first and edited["state"] == "active"
    by_hand = daemon.clawctl("memory", "edit", edited["id"], "--json", env={"EDITOR": "sed -i s/red/blue/"})
    assert by_hand.code == 0 and by_hand.json["text"] == "The harbour crane is blue"
    assert daemon.clawctl("memory", "edit", by_hand.json["id"], env={"EDITOR": "true"}).out.endswith(
        "unchanged\n"
    )
    gone = daemon.clawctl("memory", "forget", by_hand.json["id"])
    assert gone.code == 0 and "crane" not in daemon.clawctl("memory", "list").out
    assert daemon.clawctl("memory", "show", "mem_01ARZ3NDEKTSV4RRFFQ69G5FAV").code == 4
    assert daemon.clawctl("memory", "forget", by_hand.json["id"]).code == 5
    assert daemon.clawctl("memory", "add", "my password is hunter2-Tango!9").code == 2
    assert daemon.clawctl("memory", "add", "-", stdin="from a pipe\n").code == 0
    assert "from a pipe" in memories(daemon)


def test_what_is_said_in_one_conversation_is_known_in_the_next(daemon: Daemon) -> None:
    said = daemon.clawctl("chat", "Remember that the lighthouse keeper is called Ines", "--session", "new")
    assert said.code == 0, said.err
    known = until(lambda: [t for t in memories(daemon) if "Ines" in t], "it is remembered")
    sources = memories(daemon)[known[0]]["sources"]
    cursors = {event["cursor"] for event in daemon.events()}
    assert sources and set(sources) <= cursors
    found = daemon.clawctl("memory", "search", "who keeps the lighthouse?", "--json").json
    assert "Ines" in found[0]["text"]


def test_the_owner_edits_the_files_by_hand(daemon: Daemon) -> None:
    for text in ("the barn door squeaks", "the barn roof leaks", "the barn cat is grey"):
        daemon.post("/v1/memories", {"text": text, "topic": "barn"})
    text = rendered(daemon, "barn", "the barn cat is grey")
    lines = text.splitlines()
    assert [line for line in lines if line.startswith("- ")] == [
        f"- {row['text']} ^{row['id']}" for row in sorted(memories(daemon).values(), key=lambda r: r["id"])
        if row["topic"] == "barn"
    ]  # fmt: skip
    assert "topics/barn.md" in (daemon.home / "memory" / "MEMORY.md").read_text()
    changed = [line.replace("is grey", "is black") for line in lines if "roof" not in line]
    page(daemon, "barn").write_text(
        "\n".join([*changed, "", "My own remark.", "", "- the barn has a loft", ""])
    )
    until(lambda: "the barn cat is black" in memories(daemon), "the edit is taken over", 20)
    now = memories(daemon)
    assert "the barn has a loft" in now and "the barn roof leaks" not in now
    assert now["the barn cat is black"]["trust"] == "OWNER" and now["the barn cat is black"]["supersedes"]
    assert memories(daemon, "retired")["the barn roof leaks"]["topic"] == "barn"
    after = rendered(daemon, "barn", now["the barn has a loft"]["id"])
    assert "My own remark." in after and "roof" not in after
    assert not [p for p in daemon.status["problems"] if p["part"].startswith("memory")]


def test_a_broken_file_is_a_problem_with_its_fix_and_loses_nothing(daemon: Daemon) -> None:
    daemon.post("/v1/memories", {"text": "the mill stands still", "topic": "mill"})
    before = rendered(daemon, "mill", "the mill stands still")
    broken = before + "```\nno end\n"
    page(daemon, "mill").write_text(broken)
    found = until(
        lambda: [p for p in daemon.status["problems"] if p["part"] == "memory.mill"],
        "the problem is told",
        20,
    )
    assert "mill.md" in found[0]["message"] and found[0]["hint"]
    assert page(daemon, "mill").read_text() == broken and "the mill stands still" in memories(daemon)
    page(daemon, "mill").write_text(before)
    until(
        lambda: not [p for p in daemon.status["problems"] if p["part"] == "memory.mill"],
        "it is well again",
        20,
    )


def test_everything_is_there_after_a_kill(hatch: Hatch) -> None:
    daemon = hatch(standard()).start()
    texts = [f"the ledger was seen by witness {chr(65 + n)}" for n in range(20)]
    for text in texts:
        daemon.post("/v1/memories", {"text": text, "topic": "ledger"})
    daemon.kill9()
    daemon.start()
    assert sorted(memories(daemon)) == sorted(texts)
    assert rendered(daemon, "ledger", texts[-1]).count("^mem_") == 20
    assert daemon.status["memory"]["active"] == 20


def picture(daemon: Daemon) -> list[object]:
    """What a dream may change: rows and files."""
    rows = sorted(daemon.items("/v1/memories"), key=lambda row: row["id"])
    files = sorted((daemon.home / "memory").rglob("*.md"))
    return [json.dumps(rows, sort_keys=True), *((p.name, p.read_bytes()) for p in files)]


def test_a_dream_is_read_and_undone_byte_for_byte(hatch: Hatch, tmp_path: Path) -> None:
    daemon = hatch(standard()).start()
    lines = [
        {
            "role": "user",
            "content": "The staging database is called Falcon.",
            "timestamp": "2026-03-01T10:00:00Z",
        },
        {"role": "assistant", "content": "Understood.", "timestamp": "2026-03-01T10:00:05Z"},
        {
            "role": "user",
            "content": "We deploy to production every Thursday.",
            "timestamp": "2026-03-02T10:00:00Z",
        },
        {
            "role": "user",
            "content": "The staging database is called Osprey now.",
            "timestamp": "2026-05-02T10:00:00Z",
        },
    ]
    transcript = tmp_path / "old.jsonl"
    transcript.write_text("\n".join(json.dumps(line) for line in lines))
    assert daemon.clawctl("memory", "import", str(transcript), "--dry-run").code == 0
    assert daemon.clawctl("memory", "import", str(transcript)).code == 0
    daemon.post("/v1/memories", {"text": "The kettle is in the kitchen"})
    rendered(daemon, "general", "kettle")
    before = picture(daemon)
    dry = daemon.clawctl("dream", "--dry-run", "--json")
    assert dry.code == 0 and dry.json["added"] > 0 and picture(daemon) == before
    assert daemon.clawctl("dream").code == 5, "nothing is due while somebody works here"
    dream = daemon.clawctl("dream", "--now", "--json").json
    assert dream["state"] == "finished" and dream["added"] > 0
    now = memories(daemon)
    assert [t for t in now if "Osprey" in t] and not [t for t in now if "Falcon" in t]
    assert "Osprey" in dream["diff"]
    again = daemon.clawctl("dream", "--now", "--json").json
    assert [again[k] for k in ("added", "merged", "superseded", "retired")] == [0, 0, 0, 0]
    assert [row["id"] for row in daemon.clawctl("dreams", "--json").json] == [again["id"], dream["id"]]
    undone = daemon.clawctl("dream", "undo", dream["id"])
    assert undone.code == 0, undone.err
    until(lambda: picture(daemon) == before, "all is as it was")
    assert daemon.clawctl("dream", "undo", dream["id"]).code == 5
    assert daemon.clawctl("log", "--verify").code == 0


def grep(home: Path, needle: bytes) -> list[str]:
    found: list[str] = []
    for folder, _, names in os.walk(home):
        for name in names:
            path = Path(folder) / name
            if path.is_file() and needle.lower() in path.read_bytes().lower():
                found.append(str(path.relative_to(home)))
    return found


def test_redacted_words_are_nowhere_and_the_log_verifies(hatch: Hatch) -> None:
    daemon = hatch(standard()).start()
    word = "Quicksilver-77"
    daemon.clawctl("chat", f"Remember that our code name is {word}", "--session", "new")
    daemon.post("/v1/memories", {"text": f"the plan is {word}", "topic": "plans"})
    daemon.post("/v1/memories", {"text": "the weather is fine", "topic": "plans"})
    rendered(daemon, "plans", word)
    until(lambda: word in daemon.clawctl("log").out, "the log tells of it")
    assert daemon.clawctl("backup").code == 0
    assert len(grep(daemon.home, word.encode())) >= 4
    done = daemon.clawctl("redact", word, "--json", timeout=120)
    assert done.code == 0 and done.json["rows"] and done.json["lines"] and done.json["backups"] == 1, done.err
    until(lambda: "redacted" in daemon.clawctl("log").out, "the log shows it")
    assert grep(daemon.home, word.encode()) == []
    assert daemon.clawctl("log", "--verify").code == 0
    assert daemon.clawctl("memory", "search", word, "--json").json == []
    assert "the weather is fine" in memories(daemon)
    daemon.restart()
    assert grep(daemon.home, word.encode()) == [] and daemon.clawctl("log", "--verify").code == 0
    backup = next((daemon.home / "backups").glob("*.tar"))
    daemon.stop()
    assert daemon.clawctl("restore", str(backup)).code == 0
    daemon.start()
    assert daemon.clawctl("log", "--verify").code == 0 and "the weather is fine" in memories(daemon)
    assert daemon.clawctl("redact", word).code == 4


@pytest.mark.parametrize("point", ["redaction.begun", "redaction.logs_ready", "redaction.backups_cut"])
def test_a_redaction_that_is_killed_is_finished_at_the_next_start(hatch: Hatch, point: str) -> None:
    daemon = hatch(standard()).start()
    word = "Quicksilver-78"
    daemon.post("/v1/memories", {"text": f"the plan is {word}", "topic": "plans"})
    daemon.clawctl("chat", f"what about {word}?", "--session", "new")
    until(lambda: word in daemon.clawctl("log").out, "the log tells of it")
    daemon.restart({"NIGHTCLAW_FAILPOINT": point})
    assert daemon.clawctl("redact", word, timeout=120).code != 0
    daemon.ended(20)
    daemon.start()
    assert grep(daemon.home, word.encode()) == []
    assert daemon.clawctl("log", "--verify").code == 0


def test_markdown_of_another_agent_comes_over(daemon: Daemon, tmp_path: Path) -> None:
    (tmp_path / "topics").mkdir()
    (tmp_path / "MEMORY.md").write_text(
        "# Memory\n\n- [Tools](topics/tools.md) what to use\n\n## Style\n\n- short commit messages\n"
    )
    (tmp_path / "topics" / "tools.md").write_text(
        "# Tools\n\n- ripgrep beats grep here ^m1\n- ripgrep beats grep here\n"
    )
    old = time.time() - 86_400 * 30
    os.utime(tmp_path / "topics" / "tools.md", (old, old))
    tried = daemon.clawctl("memory", "import", str(tmp_path), "--dry-run", "--json").json
    assert len(tried["added"]) == 2 and "ripgrep beats grep here" not in memories(daemon)
    done = daemon.clawctl("memory", "import", str(tmp_path), "--json").json
    assert len(done["added"]) == 2 and done["known"] == 1
    now = memories(daemon)
    assert (
        now["ripgrep beats grep here"]["topic"] == "tools"
        and now["short commit messages"]["topic"] == "style"
    )
    assert now["ripgrep beats grep here"]["observed_at"] < now["ripgrep beats grep here"]["created_at"]
    assert daemon.clawctl("memory", "import", str(tmp_path), "--json").json["added"] == []
    assert daemon.clawctl("memory", "import", str(tmp_path / "nowhere")).code == 4
