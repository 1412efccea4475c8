"""Every recorded GitHub body is believed, kept once and decided; and quickly."""

import json
import uuid
from datetime import datetime
from pathlib import Path

import pytest
from tests.e2e.conftest import Hatch
from tests.e2e.daemon import Daemon, Json
from tests.e2e.homes import standard

REAL = Path(__file__).parents[3] / "shared" / "data" / "github-webhooks"


@pytest.fixture(scope="module")
def daemon(hatch_once: Hatch) -> Daemon:
    return hatch_once(standard()).start()


def _recorded() -> list[tuple[str, str, bytes]]:
    """(event, file name, exact bytes) of every recorded body."""
    manifest = REAL / "MANIFEST.jsonl"
    if not manifest.exists():
        pytest.skip(
            "the recorded webhook bodies are not beside this repository (../shared/data/github-webhooks)"
        )
    rows = [json.loads(line) for line in manifest.read_text().splitlines()]
    return [(row["event"], row["file"], (REAL / row["file"]).read_bytes()) for row in rows]


def _at(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def test_all_recorded_bodies_are_kept_once_and_decided(daemon: Daemon) -> None:
    accepted: dict[str, str] = {}
    sent: list[tuple[str, bytes, str, int, Json]] = []
    for event, file, raw in _recorded():
        delivery = str(uuid.uuid4())
        answer = daemon.deliver(event, raw, delivery=delivery)
        assert answer.status in (200, 202), f"{file}: {answer.status} {answer.body.decode()}"
        sent.append((event, raw, delivery, answer.status, answer.json))
        if answer.status == 202:
            accepted[answer.json["signal"]] = file
        elif event != "ping":
            assert answer.json["duplicate"] is True, file
            first = accepted[answer.json["signal"]]
            assert first.partition("__")[0] == event, f"{file} was taken for {first}"
    assert len(accepted) >= 120, "most recorded bodies are occurrences of their own"

    for event, raw, delivery, status, said in sent:
        again = daemon.deliver(event, raw, delivery=delivery)
        assert again.status == 200
        if status == 202:
            assert again.json == {"duplicate": True, "signal": said["signal"]}

    daemon.settled(30)
    rows = {row["id"]: row for row in daemon.signals(source="github")}
    assert rows.keys() == accepted.keys(), "kept once, and nothing else"
    decided: dict[str, list[Json]] = {}
    for decision in daemon.items("/v1/decisions"):
        for signal_id in decision["signal_ids"]:
            decided.setdefault(signal_id, []).append(decision)
    assert [accepted[i] for i in accepted if len(decided.get(i, [])) != 1] == [], "decided exactly once"
    for signal_id, row in rows.items():
        assert row["decision_id"] == decided[signal_id][0]["id"]
        assert row["trust"] in ("REPO", "WORLD"), row
        assert row["kind"].partition(".")[0] == accepted[signal_id].partition("__")[0]
    waits = sorted(_at(decided[i][0]["created_at"]) - _at(rows[i]["created_at"]) for i in rows)
    assert waits[int(len(waits) * 0.95)] < 2.0, f"slowest {waits[-3:]}"
    assert [t for t in daemon.items("/v1/tasks") if t["state"] != "proposed"] == [], "nobody asked for work"
    assert daemon.status["today"]["model_calls"] == 0
