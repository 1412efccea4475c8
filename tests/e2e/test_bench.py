"""`make bench` prints each number beside its goal, and leaves with 0 whether or not the goal is met."""

import subprocess
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[2] / "bench"
pytestmark = pytest.mark.skipif(
    not (BENCH.is_dir() and Path("/proc/self/stat").exists()),
    reason="no benchmarks here, or no /proc to read",
)


def _bench(*words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, BENCH / "all.py", *words], capture_output=True, text=True, timeout=55, check=False
    )


def test_a_number_stands_beside_its_goal() -> None:
    done = _bench("--quick", "status")
    assert (done.returncode, done.stderr) == (0, "")
    name, value, unit, *goal = next(line for line in done.stdout.splitlines() if "status.cpu" in line).split()
    assert (name, unit, goal[:2]) == ("status.cpu", "s", ["<=", "0.04"])
    assert goal[2] == ("met" if float(value) <= 0.04 else "MISSED")


def test_an_unknown_benchmark_is_named_with_those_there_are() -> None:
    done = _bench("nothing")
    assert done.returncode == 2 and "storm" in done.stderr
    listed = done.stderr.partition("there are ")[2].strip().split(", ")
    assert [name for name in listed if not (BENCH / f"{name}.py").is_file()] == []
