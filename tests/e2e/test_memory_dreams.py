"""Dreams seen from outside: what they may not do to the owner's words, kills, two at once, edits meanwhile, undo."""

import hashlib
import json
from threading import Thread

import pytest
from tests.e2e.conftest import Hatch
from tests.e2e.daemon import Daemon, Json, until
from tests.e2e.homes import standard

SAID = [
    ("The staging database is called Falcon.", "2026-03-01T10:00:00Z"),
    ("We deploy to production every Thursday.", "2026-03-02T10:00:00Z"),
    ("The staging database is called Osprey now.", "2026-05-02T10:00:00Z"),
    ("The office cat is called Miso.", "2026-05-03T10:00:00Z"),
]


def tell(daemon: Daemon) -> None:
    """What was said long ago, as an import brings it."""
    items = [{"text": text, "role": "owner", "session": "s1", "observed_at": at} for text, at in SAID]
    assert daemon.post("/v1/memories/import", {"items": items})["turns"] == len(SAID)


def rows(daemon: Daemon) -> list[Json]:
    return sorted(daemon.items("/v1/memories"), key=lambda row: row["id"])


def files(daemon: Daemon) -> dict[str, str]:
    """The memory folder by name and hash."""
    return {
        path.relative_to(daemon.home).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted((daemon.home / "memory").rglob("*"))
        if path.is_file()
    }


def active(daemon: Daemon) -> set[str]:
    return {row["text"] for row in rows(daemon) if row["state"] == "active"}


def shown(daemon: Daemon) -> None:
    """Every active memory stands in its file."""

    def all_there() -> bool:
        text = "".join(p.read_text() for p in (daemon.home / "memory" / "topics").glob("*.md"))
        return all(row["id"] in text for row in rows(daemon) if row["state"] == "active")

    until(all_there, "all is shown", 20)


def test_what_was_forgotten_stays_so_and_stops_no_dream(hatch: Hatch) -> None:
    daemon = hatch(standard()).start()
    daemon.clawctl("chat", "Remember that the harbour master is called Ines", "--session", "new")
    first = rows(daemon)[0]
    daemon.api("PATCH", f"/v1/memories/{first['id']}", {"text": "The harbour master is called Rui"})
    daemon.clawctl("chat", "By the way, the harbour master is called Ines.", "--session", "new")
    for row in rows(daemon):
        if row["state"] == "active":
            assert daemon.clawctl("memory", "forget", row["id"]).code == 0
    tell(daemon)
    dream = daemon.post("/v1/dreams")
    assert dream["state"] == "finished", dream
    said = active(daemon)
    assert not [text for text in said if "harbour" in text] and [text for text in said if "Miso" in text]
    assert "harbour" not in dream["diff"]
    new = [row for row in rows(daemon) if row["made_by"] == "dream" and row["state"] == "active"]
    assert dream["added"] == len(new) == sum(line.startswith("+ ") for line in dream["diff"].split("\n"))
    assert dream["diff"].startswith(f"dream: {len(new)} added")


@pytest.mark.parametrize("point", ["dream.before_commit", "dream.committed", "memory.topic_written"])
def test_a_dream_that_is_killed_is_whole_or_not_at_all(hatch: Hatch, point: str) -> None:
    daemon = hatch(standard()).start()
    daemon.post("/v1/memories", {"text": "The kettle is in the kitchen"})
    tell(daemon)
    shown(daemon)
    before = rows(daemon)
    daemon.restart({"NIGHTCLAW_FAILPOINT": point})
    with pytest.raises((OSError, AssertionError)):
        daemon.post("/v1/dreams")
    daemon.ended(20)
    daemon.start()
    states = [row["state"] for row in daemon.items("/v1/dreams")]
    assert "running" not in states, "a dream that nobody dreams is not on"
    if point == "dream.before_commit":
        assert rows(daemon) == before and states == ["aborted"]
        assert daemon.post("/v1/dreams")["state"] == "finished"
    assert [text for text in active(daemon) if "Osprey" in text]
    shown(daemon)
    again = daemon.post("/v1/dreams")
    assert [again[k] for k in ("added", "merged", "superseded", "retired")] == [0, 0, 0, 0]
    assert daemon.clawctl("log", "--verify").code == 0


def test_undo_after_the_owner_went_on_names_what_stands_in_its_way(hatch: Hatch) -> None:
    daemon = hatch(standard()).start()
    tell(daemon)
    dream = daemon.post("/v1/dreams")
    made = next(row for row in rows(daemon) if "Miso" in row["text"] and row["state"] == "active")
    newer = daemon.api("PATCH", f"/v1/memories/{made['id']}", {"text": "The office cat is called Tofu"}).json
    refused = daemon.clawctl("dream", "undo", dream["id"])
    assert refused.code == 5 and made["id"] in refused.err
    assert newer["text"] in active(daemon) and daemon.get(f"/v1/dreams/{dream['id']}")["state"] == "finished"


def test_undo_takes_back_the_dream_and_not_what_the_owner_changed_besides(hatch: Hatch) -> None:
    daemon = hatch(standard()).start()
    held = daemon.post("/v1/memories", {"text": "The kettle is in the kitchen"})
    tell(daemon)
    dream = daemon.post("/v1/dreams")
    daemon.api("PATCH", f"/v1/memories/{held['id']}", {"text": "The kettle is on the balcony"})
    undone = daemon.clawctl("dream", "undo", dream["id"])
    assert undone.code == 0, undone.err
    assert active(daemon) == {"The kettle is on the balcony"}


def test_undo_puts_rows_files_and_index_back_byte_for_byte(hatch: Hatch) -> None:
    daemon = hatch(standard()).start()
    daemon.post(
        "/v1/memories", {"text": "The staging database is called Kestrel", "observed_at": "2026-01-01"}
    )
    daemon.post("/v1/memories", {"text": "The kettle is in the kitchen", "topic": "house"})
    tell(daemon)
    shown(daemon)
    page = daemon.home / "memory" / "topics" / "house.md"
    page.write_text(page.read_text() + "\nMy own prose, with trailing spaces  \n\n\n")
    before = (rows(daemon), files(daemon), daemon.get("/v1/memories?q=staging+database"))
    dream = daemon.post("/v1/dreams")
    assert dream["added"] or dream["superseded"]
    shown(daemon)
    assert files(daemon) != before[1]
    assert daemon.clawctl("dream", "undo", dream["id"]).code == 0
    until(lambda: files(daemon) == before[1], "the files are as they were")
    assert (rows(daemon), daemon.get("/v1/memories?q=staging+database")) == (before[0], before[2])
    again = daemon.post("/v1/dreams")
    assert [again[k] for k in ("added", "merged", "superseded", "retired")] == [0, 0, 0, 0]
    assert rows(daemon) == before[0], "what was taken back is not done again"


def test_two_dreams_at_once_are_one_after_the_other_or_refused(hatch: Hatch) -> None:
    daemon = hatch(standard()).start()
    tell(daemon)
    heard: list[int] = []

    def dream() -> None:
        heard.append(daemon.api("POST", "/v1/dreams", {}, timeout=60).status)

    threads = [Thread(target=dream) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(set(heard)) in ([200], [200, 409]) and len(heard) == 4
    assert len({text for text in active(daemon) if "Osprey" in text}) == 1
    running = [row for row in daemon.items("/v1/dreams") if row["state"] == "running"]
    assert running == []


def test_an_edit_during_a_dream_wins(hatch: Hatch) -> None:
    daemon = hatch(standard()).start()
    made = daemon.post("/v1/memories", {"text": "The kettle is in the kitchen", "topic": "house"})
    tell(daemon)
    shown(daemon)
    page = daemon.home / "memory" / "topics" / "house.md"
    page.write_text(page.read_text().replace("in the kitchen", "on the balcony"))
    dream = daemon.post("/v1/dreams")
    assert dream["state"] in ("finished", "failed", "aborted")
    until(lambda: "The kettle is on the balcony" in active(daemon), "the edit is taken over", 20)
    assert "The kettle is in the kitchen" not in active(daemon)
    until(
        lambda: "on the balcony" in page.read_text() and made["id"] not in page.read_text(), "the file has it"
    )


def test_the_dream_is_told_in_the_log(hatch: Hatch) -> None:
    daemon = hatch(standard()).start()
    tell(daemon)
    dream = daemon.post("/v1/dreams")
    line = until(
        lambda: [x for x in daemon.clawctl("log").out.splitlines() if dream["id"] in x], "it is logged"
    )
    assert "added" in line[0]
    daemon.post(f"/v1/dreams/{dream['id']}/undo")
    until(
        lambda: [x for x in daemon.clawctl("log").out.splitlines() if "took back" in x],
        "and that it is undone",
    )
    empty = daemon.post("/v1/dreams")
    daemon.post("/v1/memories", {"text": "the lamp is lit"})
    assert daemon.clawctl("log", "--verify").code == 0
    assert empty["id"] not in daemon.clawctl("log").out, "a dream that changed nothing is not worth a line"


def test_a_dry_run_leaves_no_trace(hatch: Hatch) -> None:
    daemon = hatch(standard()).start()
    tell(daemon)
    before = (rows(daemon), files(daemon), daemon.items("/v1/dreams"), daemon.status["memory"])
    dry = daemon.clawctl("dream", "--dry-run")
    assert dry.code == 0 and "Osprey" in dry.out and dry.out.startswith("tried  dry")
    assert (rows(daemon), files(daemon), daemon.items("/v1/dreams"), daemon.status["memory"]) == before
    whole = json.loads(daemon.clawctl("dream", "--dry-run", "--json").out)
    assert whole["state"] == "dry" and whole["added"] > 0
    assert "Osprey" in whole["diff"]
