"""`clawctl` as a child process on a home of its own, with or without a control server."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.unit.clawctl.fake_control import FakeControl

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def home() -> Iterator[Path]:
    """A home with a path short enough for a socket wherever pytest keeps its own."""
    path = Path(tempfile.mkdtemp(prefix="claw-"))
    yield path
    shutil.rmtree(path)


@pytest.fixture
def daemon(home: Path) -> Iterator[FakeControl]:
    control = FakeControl(home)
    control.start()
    yield control
    control.stop()
    assert control.breaches == []


@pytest.fixture
def environment(home: Path) -> dict[str, str]:
    kept = {key: os.environ[key] for key in ("PATH", "LANG", "LD_LIBRARY_PATH") if key in os.environ}
    return {**kept, "NIGHTCLAW_HOME": str(home), "TZ": "UTC", "HOME": str(home)}


@pytest.fixture
def claw(environment: dict[str, str]) -> Run:
    """Run one command line to its end."""

    def run(*argv: str, stdin: str = "", **more: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "clawctl", *argv]
        env = {**environment, **more}
        return subprocess.run(
            command, input=stdin, capture_output=True, text=True, env=env, timeout=40, check=False
        )

    return run


@pytest.fixture
def start(environment: dict[str, str]) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start a command line that is talked to; it is ended with the test."""
    running: list[subprocess.Popen[str]] = []

    def begin(*argv: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "clawctl", *argv]
        pipe = subprocess.PIPE
        child = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, env=environment)
        running.append(child)
        return child

    yield begin
    for child in running:
        child.kill()
        child.communicate()
