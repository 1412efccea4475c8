"""What both service managers are told, how their programs are run, and what came of it.

An installed file carries a mark; a file of the same name without it is somebody else's: it is kept beside ours and put
back at uninstall, so that uninstall leaves things as found.
"""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from nightclaw.core.errors import NightclawError

MARK = "Written by `clawctl service install`"
ASIDE = ".before-nightclaw"


@dataclass(frozen=True, slots=True)
class Daemon:
    """Who is to be kept running: its command, its home, and the environment of the one who asks."""

    command: tuple[str, ...]
    home: Path
    env: Mapping[str, str]

    @property
    def user_home(self) -> Path:
        return Path(self.env.get("HOME") or os.path.expanduser("~"))


@dataclass(frozen=True, slots=True)
class State:
    """What the manager says now. `state`: its own word; `detail`: one line for people."""

    installed: bool
    enabled: bool
    running: bool
    state: str
    pid: int | None
    path: Path
    detail: str = ""

    def as_json(self) -> dict[str, object]:
        return {
            "installed": self.installed, "enabled": self.enabled, "running": self.running, "state": self.state,
            "pid": self.pid, "path": str(self.path), "detail": self.detail,
        }  # fmt: skip


def this_program() -> tuple[str, ...]:
    """The command that starts this very installation."""
    script = Path(sys.executable).parent / "nightclaw"
    return (str(script), "run") if os.access(script, os.X_OK) else (sys.executable, "-m", "nightclaw", "run")


def call(words: Sequence[str], env: Mapping[str, str], *, timeout_s: float = 60) -> tuple[int, str]:
    """Run a manager's program: its exit code and what it said. Raises NightclawError when it is not there."""
    try:
        done = subprocess.run(
            words, env=dict(env), capture_output=True, text=True, timeout=timeout_s, stdin=subprocess.DEVNULL
        )
    except FileNotFoundError:
        hint = "start the daemon with `nightclaw run`, or under the supervisor this machine has"
        raise NightclawError(
            f"{words[0]} is not on this machine, so no service can be installed", hint
        ) from None
    except subprocess.TimeoutExpired:
        raise NightclawError(f"{' '.join(words)} did not answer in {timeout_s:g} s") from None
    return done.returncode, (done.stdout if done.returncode == 0 else done.stderr or done.stdout).strip()


def place(path: Path, text: str) -> bool:
    """Put the file at `path`; one that is not ours goes aside. True when something changed."""
    old = path.read_text(encoding="utf-8", errors="replace") if path.exists() else None
    if old == text:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    if old is not None and MARK not in old:
        path.replace(path.with_name(path.name + ASIDE))
    new = path.with_name(f".{path.name}.new")
    new.write_text(text, encoding="utf-8")
    new.replace(path)
    return True


def remove(path: Path) -> None:
    """Take our file away and put back what stood there before."""
    path.unlink(missing_ok=True)
    aside = path.with_name(path.name + ASIDE)
    if aside.exists():
        aside.replace(path)


def is_ours(path: Path) -> bool:
    return path.exists() and MARK in path.read_text(encoding="utf-8", errors="replace")
