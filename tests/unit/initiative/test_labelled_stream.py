"""The benchmark of initiative keeps its promises on a small stream, by rules alone and with a model."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.fakes.model_server import ModelServer, say

ROOT = Path(__file__).parents[3]
BENCH = ROOT / "bench"
REAL = ROOT.parent / "shared" / "data" / "github-webhooks"
pytestmark = pytest.mark.skipif(
    not (BENCH.is_dir() and REAL.is_dir()), reason="the benchmarks or GitHub's example bodies are not here"
)


def run(script: str, *arguments: str, **environment: str) -> str:
    command = [sys.executable, str(BENCH / script), *arguments]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=55, env={**os.environ, **environment}, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def stream(tmp_path: Path) -> Path:
    file = tmp_path / "stream.jsonl"
    file.write_text(run("labelled_stream.py", "--seed", "11", "--events", "300"))
    return file


def measured(stream: Path, *arguments: str, **environment: str) -> dict[str, Any]:
    return json.loads(run("initiative.py", "--data", str(stream), "--json", *arguments, **environment))


def test_the_same_seed_makes_the_same_stream_and_its_lines_are_whole(stream: Path) -> None:
    assert run("labelled_stream.py", "--seed", "11", "--events", "300") == stream.read_text()
    rows = [json.loads(line) for line in stream.read_text().splitlines()]
    assert {tuple(r) for r in rows} == {("at", "event", "body", "owner", "label", "must")}
    assert [r["at"] for r in rows] == sorted(r["at"] for r in rows)
    assert {"ignore", "record", "notify", "propose"} <= {r["label"] for r in rows}


def test_by_rules_alone_little_is_told_that_should_not_be_and_nothing_missed(stream: Path) -> None:
    found = measured(stream)
    assert found["must_tell"] > 10
    assert found["must_tell_missed"] == 0, found["missed"]
    assert found["precision"] >= 0.9, found["confusion"]
    assert found["recall"] >= 0.8, found["confusion"]
    assert found["pushes_a_day"] < 15
    assert found["tokens"] == 0


def test_labels_turned_around_are_seen(stream: Path, tmp_path: Path) -> None:
    rows = [json.loads(line) for line in stream.read_text().splitlines()[:100]]
    swapped = tmp_path / "swapped.jsonl"
    told = ("notify", "propose", "act")
    with swapped.open("w") as file:
        for row in rows:
            row |= {"label": "record" if row["label"] in told else "notify", "must": row["label"] not in told}
            file.write(json.dumps(row) + "\n")
    found = measured(swapped)
    assert found["precision"] < 0.5
    assert found["recall"] < 0.5
    assert found["must_tell_missed"] > 50


def test_with_a_model_each_question_is_small_and_without_tools(stream: Path, tmp_path: Path) -> None:
    stream.write_text("".join(stream.read_text().splitlines(keepends=True)[:150]))
    with ModelServer() as server:
        server.policy(lambda asked: say('{"verdict": "record", "reason": "nothing urgent"}'))
        found = measured(stream, "--model", NIGHTCLAW_HOME=str(tmp_path), **server.env())
        server.check()
        assert found["model_calls"] == len(server.calls) > 5
        assert found["tokens"] == sum(c.usage.all_input + c.usage.output for c in server.calls)
        assert max(c.usage.all_input for c in server.calls) <= 800
        assert all(c.asked.tools == [] for c in server.calls)
    assert found["must_tell_missed"] == 0
    assert found["precision"] >= 0.9
