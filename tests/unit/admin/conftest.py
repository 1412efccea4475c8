"""A short home, a user who owns nothing else, and `nightclaw admin` as a real child process."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def user() -> Iterator[Path]:
    """The user's home folder; the daemon's home is `.nightclaw` in it. Short, so that a socket path fits."""
    folder = Path(tempfile.mkdtemp(prefix="nc-", dir="/tmp"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def home(user: Path) -> Path:
    made = user / ".nightclaw"
    made.mkdir(mode=0o700)
    return made


class Admin:
    """Runs verbs as that user; `env` may be changed before a run."""

    def __init__(self, user: Path) -> None:
        self.user = user
        self.bin = user / "bin"
        self.bin.mkdir()
        self.env = {
            "HOME": str(user), "NIGHTCLAW_HOME": str(user / ".nightclaw"), "PATH": f"{self.bin}:{os.environ['PATH']}",
            "OLLAMA_HOST": "127.0.0.1:9", "LANG": "C.UTF-8",
        }  # fmt: skip

    def __call__(self, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "nightclaw.admin", *words],
            env={**self.env, **env}, cwd=self.user,
            capture_output=True, text=True, timeout=50, stdin=subprocess.DEVNULL,
        )  # fmt: skip

    def program(self, name: str, script: str) -> None:
        path = self.bin / name
        path.write_text(script)
        path.chmod(0o755)


@pytest.fixture
def admin(user: Path) -> Admin:
    return Admin(user)
