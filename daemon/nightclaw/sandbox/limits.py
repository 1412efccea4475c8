"""How much of the machine one command may have: numbers, and the control group that counts its processes.

Where a control group for processes can be made it is; elsewhere a limit inside the user namespace does the same
(Linux 5.14 and later); for root without either, the guard counts by hand.
"""

import contextlib
import os
import platform
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

GIB = 1 << 30
_serial = count(1)
_left: set[Path] = set()


@dataclass(frozen=True, slots=True)
class Limits:
    """processes: of one command, threads included. file_bytes: of one file. tmp_bytes: of the private /tmp.
    output_bytes: what a command may print before it is ended. free_bytes: it is ended when its disk has less."""

    processes: int = 1024
    file_bytes: int = 4 * GIB
    tmp_bytes: int = 2 * GIB
    shm_bytes: int = GIB // 2
    output_bytes: int = 100 << 20
    free_bytes: int = GIB
    open_files: int = 65_536
    grace_s: float = 3.0


def for_this_machine() -> Limits:
    """The usual limits, with what lies in memory kept to a quarter of it."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return Limits(tmp_bytes=min(2 * GIB, memory // 4), shm_bytes=min(GIB // 2, memory // 8))


def counts_by_namespace() -> bool:
    """Whether RLIMIT_NPROC binds us and counts the sandbox alone: not for root, and since Linux 5.14."""
    major, minor, *_ = [*platform.release().split("."), "0"]
    return os.geteuid() != 0 and (int(major), int("".join(c for c in minor if c.isdigit()) or 0)) >= (5, 14)


def parent_group(
    mounts: Path = Path("/proc/self/mountinfo"), own: Path = Path("/proc/self/cgroup")
) -> Path | None:
    """The control group of ours under which one with a limit on processes can be made, None where none can."""
    try:
        points = [line.split() for line in mounts.read_text().splitlines()]
        lines = own.read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and "pids" not in controllers.split(","):
            continue
        for fields in points:
            kind, options = fields[fields.index("-") + 1], fields[-1].split(",")
            if (kind == "cgroup" and controllers and "pids" in options) or (
                kind == "cgroup2" and not controllers
            ):
                found = Path(fields[4] + path)
                if _can_limit(found):
                    return found
    return None


def _can_limit(parent: Path) -> bool:
    with contextlib.suppress(OSError):
        with group(parent, 16) as made:
            return made is not None
    return False


@contextlib.contextmanager
def group(parent: Path | None, processes: int) -> Iterator[Path | None]:
    """A control group for one command: write a pid to its `cgroup.procs`. Gone at the end. None without a parent.

    Raises OSError when it cannot be made.
    """
    if parent is None:
        yield None
        return
    for left in [*_left]:
        _remove(left)
    made = parent / f"nightclaw-{os.getpid()}-{next(_serial)}"
    made.mkdir()
    try:
        with (made / "pids.max").open("r+") as file:  # the kernel made it, or it counts nothing
            file.write(str(processes))
        yield made
    finally:
        _remove(made)


def _remove(made: Path) -> None:
    """A group empties a moment after its last process: what is still busy is tried again before the next command."""
    try:
        made.rmdir()
    except FileNotFoundError:
        _left.discard(made)
    except OSError:
        _left.add(made)
    else:
        _left.discard(made)


def sweep(parent: Path) -> None:
    """Remove the groups of daemons that are gone."""
    for left in parent.glob("nightclaw-*-*"):
        if not os.path.exists(f"/proc/{left.name.split('-')[1]}"):
            with contextlib.suppress(OSError):
                left.rmdir()


def tasks_in_namespace_of(pid: int, stop_at: int) -> int:
    """How many processes share the pid namespace of `pid`, counted up to `stop_at`; 0 when it is gone."""
    try:
        wanted = os.stat(f"/proc/{pid}/ns/pid").st_ino
    except OSError:
        return 0
    found = 0
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                found += os.stat(f"/proc/{entry.name}/ns/pid").st_ino == wanted
        if found >= stop_at:
            break
    return found
