"""Running things behind the wall, and looking at the world outside it."""

import asyncio
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.fakes.toolbox import House

from nightclaw.core.tools import Command, Ran, Sandbox
from nightclaw.sandbox import bubblewrap, shell

PYTHON = str(bubblewrap.interpreter())


async def sh(wall: Sandbox, house: House, line: str, timeout_s: float = 20.0) -> Ran:
    return await wall.run(shell(line, house.root, timeout_s), house.workspace)


async def py(wall: Sandbox, house: House, code: str, *args: str, timeout_s: float = 20.0) -> Ran:
    return await wall.run(Command((PYTHON, "-I", "-c", code, *args), house.root, timeout_s), house.workspace)


def pictured(top: Path, leave_out: Path) -> dict[str, tuple[int, bytes]]:
    """Every file with mode and content, and every symlink with its target."""
    found: dict[str, tuple[int, bytes]] = {}
    for folder, folders, names in os.walk(top):
        if Path(folder) == leave_out:
            folders.clear()
            continue
        for name in names:
            path = Path(folder, name)
            mode = path.lstat().st_mode
            if path.is_symlink():
                found[str(path)] = (mode, os.readlink(path).encode())
            elif path.is_file():
                found[str(path)] = (mode, path.read_bytes())
            else:
                found[str(path)] = (mode, b"")
    return found


def running(marker: str) -> list[int]:
    """Processes with `marker` in their command line, without this one."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit() and int(entry) != os.getpid():
            try:
                line = Path("/proc", entry, "cmdline").read_bytes()
            except OSError:
                continue
            if marker.encode() in line:
                found.append(int(entry))
    return found


async def until(condition: Callable[[], object], seconds: float = 10.0) -> bool:
    give_up = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > give_up:
            return False
        await asyncio.sleep(0.01)
    return True


async def gone(marker: str) -> bool:
    return await until(lambda: not running(marker))


@contextmanager
def child(*argv: str) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(argv) as process:
        try:
            yield process
        finally:
            process.kill()


def ended(*argv: str, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(argv, capture_output=True, text=True, timeout=60, **options)
