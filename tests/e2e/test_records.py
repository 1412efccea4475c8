"""What the daemon can be asked afterwards: a log that shows any change, a why for every row, and where it all went."""

import re
from pathlib import Path

import pytest
from tests.e2e.conftest import Hatch
from tests.e2e.daemon import Daemon, Json, Ran, until
from tests.e2e.deliveries import ci, labeled, names, opened
from tests.e2e.homes import standard
from tests.fakes.sink import Sink

REPO = names("records")
IDS = re.compile(r"\b(?:sig|dec|tsk|ntf)_[0-9A-Z]+\b")


@pytest.fixture(scope="module")
def daemon(hatch_once: Hatch, shared_sink: Sink) -> Daemon:
    """A home in which something of each kind has happened."""
    daemon = hatch_once(standard(shared_sink.url)).start()
    sent = [
        daemon.take("workflow_run", ci(next(REPO), "failure")),
        daemon.take("issues", labeled(next(REPO), 1, "nightclaw")),
        daemon.take("issues", labeled(next(REPO), 2, "nightclaw", sender="hubot")),
        daemon.take("issues", opened(next(REPO), 3)),
    ]
    daemon.clawctl("chat", "good evening")
    for signal_id in sent:
        daemon.decision(signal_id)
    until(lambda: len(shared_sink.kept) >= 3, "the notes")
    return daemon


def _logs(daemon: Daemon) -> list[Path]:
    return sorted((daemon.home / "logs").rglob("*.md"))


def _verified(daemon: Daemon) -> Ran:
    return daemon.clawctl("log", "--verify")


def test_every_row_can_be_asked_why(daemon: Daemon) -> None:
    asked = 0
    for path in ("/v1/signals", "/v1/decisions", "/v1/tasks", "/v1/notifications"):
        rows = daemon.items(path)
        assert rows, path
        for row in rows:
            why = daemon.why(row["id"])
            assert why["id"] == row["id"] and len(why["story"]) >= 2, row
            ran = daemon.clawctl("why", row["id"])
            assert ran.code == 0 and ran.out.strip() == "\n".join(why["story"]).strip()
            asked += 1
    assert asked >= 12
    assert daemon.status["today"]["model_calls"] == 0, "from rows alone"


def test_why_tells_what_came_in_who_judged_the_cost_and_what_followed(daemon: Daemon) -> None:
    (red,) = daemon.signals(kind="workflow_run.completed")
    story = daemon.clawctl("why", red["id"]).out
    for part in ("workflow_run.completed", red["subject"], "default:ci", "notify", "cost", "ntf_"):
        assert part in story, part
    (still,) = daemon.signals(kind="issues.opened")
    story = daemon.clawctl("why", still["id"]).out
    assert "othing followed" in story, "also why nothing did"
    noted = daemon.why(red["id"])
    assert noted["notifications"][0]["state"] == "sent"
    for chain in (noted["notifications"][0]["id"], noted["decision"]["id"]):
        assert [s["id"] for s in daemon.why(chain)["signals"]] == [red["id"]]
    js = daemon.clawctl("why", red["id"], "--json").json
    assert js["decision"]["verdict"] == "notify"


def test_the_log_has_a_line_for_what_mattered(daemon: Daemon) -> None:
    until(lambda: "good evening" in daemon.clawctl("log").out, "the diary has caught up")
    text = daemon.clawctl("log").out
    assert IDS.search(text), "lines lead back to rows"
    (path,) = _logs(daemon)
    assert re.fullmatch(r"logs/\d{4}/\d\d/\d{4}-\d\d-\d\d\.md", str(path.relative_to(daemon.home)))
    assert path.stat().st_mode & 0o077 == 0
    day = path.stem
    assert daemon.clawctl("log", day).out == text
    assert daemon.clawctl("log", "1999-01-01").code in (1, 4)
    lines = daemon.clawctl("log", "--json")
    assert lines.code == 0 and lines.out.strip()


def test_cost_and_sent_are_lists_of_the_truth(daemon: Daemon, shared_sink: Sink) -> None:
    cost = daemon.clawctl("cost", "--json").json
    assert cost["today"]["cost_usd"] == 0 and cost["by_cause"] == {}
    sent: list[Json] = daemon.clawctl("sent", "--json").json
    assert len(sent) == len(shared_sink.kept)
    assert {shared_sink.address in row["to"] for row in sent} == {True}
    assert all(row["bytes"] > 0 and row["at"].endswith("Z") for row in sent)


TAMPERINGS = ["edit", "delete", "reorder", "append", "truncate"]


@pytest.mark.parametrize("how", TAMPERINGS)
def test_verify_finds_any_tampering(daemon: Daemon, how: str) -> None:
    until(lambda: "good evening" in daemon.clawctl("log").out, "the diary has caught up")
    daemon.settled()
    whole = _verified(daemon)
    assert whole.code == 0, whole.err
    (path,) = _logs(daemon)
    kept = path.read_bytes()
    lines = kept.decode().splitlines(keepends=True)
    middle = len(lines) // 2
    line = middle + 1
    if how == "edit":
        lines[middle] = lines[middle].replace(" ", "  ", 1)
    elif how == "delete":
        del lines[middle]
    elif how == "reorder":
        lines[middle], lines[middle + 1] = lines[middle + 1], lines[middle]
    elif how == "append":
        lines.append("- 23:59:59 nothing to see here\n")
        line = len(lines)
    else:
        del lines[-1]
        line = 0
    try:
        path.write_text("".join(lines))
        broken = _verified(daemon)
        assert broken.code == 1
        if line:
            said = broken.out + broken.err
            assert str(line) in said and path.name in said, said
    finally:
        path.write_bytes(kept)
    assert _verified(daemon).code == 0


def test_verify_finds_a_deleted_day(hatch: Hatch) -> None:
    daemon = hatch(standard()).start()
    daemon.clawctl("chat", "one day")
    until(lambda: "one day" in daemon.clawctl("log").out, "the log")
    for path in _logs(daemon):
        path.unlink()
    assert _verified(daemon).code == 1
