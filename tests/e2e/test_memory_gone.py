"""A redacted text is nowhere, not even in what was named after it; private memory is shown at home alone."""

import os
import tarfile
from pathlib import Path

import pytest
from tests.e2e.conftest import Hatch
from tests.e2e.daemon import Daemon, until
from tests.e2e.homes import standard

WORD = "Zanzibar-4711"


def bytes_with(home: Path, *needles: str) -> list[str]:
    """Files of a home, members of its backups and their names that hold one of the words, in any case."""
    wanted = [needle.lower().encode() for needle in needles]
    found: list[str] = []

    def look(name: str, data: bytes) -> None:
        if any(needle in data.lower() or needle in name.lower().encode() for needle in wanted):
            found.append(name)

    for folder, _, names in os.walk(home):
        for name in names:
            path = Path(folder) / name
            if not path.is_file():
                continue
            look(str(path.relative_to(home)), path.read_bytes())
            if path.suffix == ".tar":
                with tarfile.open(path) as tar:
                    for member in tar:
                        inner = tar.extractfile(member)
                        look(f"{path.name}:{member.name}", inner.read() if inner is not None else b"")
    return found


def shown(daemon: Daemon, topic: str, words: str) -> None:
    path = daemon.home / "memory" / "topics" / f"{topic}.md"
    until(lambda: path.exists() and words in path.read_text(), f"{topic}.md shows it", 20)


def lived_in(daemon: Daemon) -> None:
    """The word went everywhere: chats, memories, a topic's name, a hint, a schedule, a dream, a backup."""
    daemon.clawctl("chat", f"Remember that our code name is {WORD}", "--session", "new")
    daemon.clawctl(
        "memory", "add", f"the safe of {WORD} is grey", "--topic", f"{WORD} plans", "--when", f"near {WORD}"
    )
    daemon.post("/v1/memories", {"text": "the beach is wide", "topic": f"{WORD} plans"})
    daemon.clawctl("schedule", "add", f"ask about {WORD}", "--every", "2h", "--name", "asking")
    items = [{"text": f"The ship to {WORD} is called Dora.", "role": "owner", "observed_at": "2026-03-01"}]
    daemon.post("/v1/memories/import", {"items": items})
    daemon.post("/v1/dreams")
    shown(daemon, "zanzibar-4711-plans", "beach")
    until(lambda: WORD in daemon.clawctl("log").out, "the log tells of it")
    assert daemon.clawctl("backup").code == 0


def test_what_was_named_after_the_text_goes_with_it(hatch: Hatch) -> None:
    daemon = hatch(standard()).start()
    lived_in(daemon)
    assert len(bytes_with(daemon.home, "zanzibar")) > 5
    done = daemon.clawctl("redact", WORD)
    assert done.code == 0, done.err
    shown(daemon, "redacted-plans", "the beach is wide")
    until(
        lambda: "(topics/redacted-plans.md) (2)" in (daemon.home / "memory" / "MEMORY.md").read_text(),
        "the index",
    )
    assert bytes_with(daemon.home, "zanzibar", "4711") == []
    assert not [p for p in daemon.status["problems"] if p["part"].startswith("memory")]
    assert daemon.clawctl("log", "--verify").code == 0
    topics = {row["topic"] for row in daemon.items("/v1/memories") if row["state"] == "active"}
    assert "redacted-plans" in topics and not [topic for topic in topics if "[" in topic]
    assert (daemon.home / "memory" / "MEMORY.md").read_text().count("topics/redacted-plans.md") == 1
    assert daemon.clawctl("redact", WORD).code == 4, "there is nothing left to cut"
    for row in daemon.items("/v1/memories"):
        assert daemon.clawctl("why", row["id"]).code == 0
    daemon.restart()
    assert bytes_with(daemon.home, "zanzibar", "4711") == []
    backup = next((daemon.home / "backups").glob("*.tar"))
    daemon.stop()
    assert daemon.clawctl("restore", str(backup)).code == 0
    daemon.start()
    shown(daemon, "redacted-plans", "the beach is wide")
    assert bytes_with(daemon.home, "zanzibar", "4711") == []


@pytest.mark.parametrize(
    "point", ["redaction.begun", "redaction.rows_cut", "redaction.logs_put", "redaction.backups_cut"]
)
def test_a_kill_in_between_leaves_none_of_it(hatch: Hatch, point: str) -> None:
    daemon = hatch(standard()).start()
    lived_in(daemon)
    daemon.restart({"NIGHTCLAW_FAILPOINT": point})
    assert daemon.clawctl("redact", WORD, timeout=120).code != 0
    daemon.ended(20)
    daemon.start()
    shown(daemon, "redacted-plans", "the beach is wide")
    until(lambda: bytes_with(daemon.home, "zanzibar", "4711") == [], "nothing is left", 45)
    assert daemon.clawctl("log", "--verify").code == 0


def test_a_topic_of_one_word_and_two_topics_that_become_one(hatch: Hatch) -> None:
    daemon = hatch(standard()).start()
    for topic in ("Quicksilver", "quicksilver old", "Quicksilver new"):
        daemon.post("/v1/memories", {"text": f"a note about {topic.split()[-1]} things", "topic": topic})
    shown(daemon, "quicksilver-new", "new things")
    assert daemon.clawctl("redact", "quicksilver").code == 0
    assert daemon.clawctl("redact", "note about old").code == 0
    shown(daemon, "redacted-new", "new things")
    assert bytes_with(daemon.home, "quicksilver") == []
    files = sorted(p.name for p in (daemon.home / "memory" / "topics").iterdir())
    assert files == ["redacted-new.md", "redacted-old.md", "redacted.md"]
    daemon.post("/v1/memories", {"text": "another thing", "topic": "redacted old"})
    shown(daemon, "redacted-old", "another thing")
