"""`make bench` and `make demo` run where `make run` runs; each number stands beside its goal, met or not."""

import re
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BENCH = ROOT / "bench"
LOADED = """
import runpy, sys
missing, *files = sys.argv[1:]
sys.modules.update(dict.fromkeys(missing.split()))
for file in files:
    runpy.run_path(file)
"""
pytestmark = pytest.mark.skipif(
    not (BENCH.is_dir() and Path("/proc/self/stat").exists()),
    reason="no benchmarks here, or no /proc to read",
)


def _bench(*words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, BENCH / "all.py", *words], capture_output=True, text=True, timeout=55, check=False
    )


def _locked(name: str) -> set[str]:
    return set(re.findall(r"^([a-z0-9-]+)==", (ROOT / name).read_text(), re.MULTILINE))


def test_benchmarks_and_the_demo_need_only_what_the_daemon_needs() -> None:
    for_tests = _locked("requirements-dev.lock") - _locked("requirements.lock")
    names = [
        module
        for module, given in packages_distributions().items()
        if all(re.sub(r"[-_.]+", "-", name).lower() in for_tests for name in given)
    ]
    assert {"pytest", "hypothesis", "ruff"} <= {*names}
    done = subprocess.run(
        [sys.executable, "-c", LOADED, " ".join(names), *map(str, sorted(BENCH.glob("*.py")))],
        env={"PYTHONPATH": str(BENCH), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=55,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


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
