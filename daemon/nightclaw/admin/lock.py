"""Whether a daemon holds the home, asked of the same flock it holds itself."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from nightclaw.core.errors import Refused


def is_held(home: Path) -> bool:
    """True while a daemon (or a restore) holds the home."""
    try:
        handle = os.open(home / "run" / "daemon.lock", os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(handle)
    return False


def holder(home: Path) -> int | None:
    """The process id the holder wrote into the lock."""
    try:
        return int((home / "run" / "daemon.lock").read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


@contextlib.contextmanager
def alone(home: Path, what: str) -> Iterator[None]:
    """Hold the home against any daemon. Raises Refused at once when one runs."""
    (home / "run").mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(home / "run" / "daemon.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            hint = "stop it first: `systemctl --user stop nightclaw`, or end `nightclaw run`"
            raise Refused(f"a daemon runs on {home}, so it cannot be {what}", hint) from None
        yield
    finally:
        os.close(handle)
