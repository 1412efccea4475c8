"""A program of ours run to its end: bounded in time and output, and nothing of it left afterwards.

It runs in a session of its own, with exactly the environment it is given and no terminal. When it ends, is cancelled,
takes too long or says too much, its whole process group ends with it.
"""

import asyncio
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from nightclaw.core.errors import NightclawError

GRACE_S = 2.0
PIECE = 1 << 16
ERR_LIMIT = 64 * 1024


@dataclass(frozen=True, slots=True)
class Ended:
    """code None: it was ended by us, for its time (`timed_out`) or its size (`is_cut`)."""

    code: int | None
    out: bytes
    err: bytes
    is_cut: bool = False
    timed_out: bool = False


async def run(
    argv: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    timeout_s: float,
    limit: int,
    stdin: bytes | None = None,
    started: Callable[[int], None] | None = None,
    is_long: bool = False,
) -> Ended:
    """Run `argv` with at most `limit` bytes of output; what says more is ended, or (`is_long`) goes on unheard.
    `started` hears the process group's id. Raises NightclawError when it cannot be started."""
    pipe, null = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
    try:
        child = await asyncio.create_subprocess_exec(
            *argv, cwd=cwd, env=env, start_new_session=True,
            stdin=null if stdin is None else pipe, stdout=pipe, stderr=pipe,
        )  # fmt: skip
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise NightclawError(f"{argv[0]} cannot be started in {cwd}: {why}") from error
    out, err = _Kept(limit, stops=not is_long), _Kept(ERR_LIMIT, stops=False)
    timed_out = False
    try:
        if started is not None:
            started(child.pid)
        async with asyncio.timeout(timeout_s):
            assert child.stdout is not None and child.stderr is not None
            talks = [out.read(child.stdout), err.read(child.stderr)]
            if stdin is not None:
                talks.append(_feed(child, stdin))
            await asyncio.gather(*talks)
            if is_long or not out.is_over:
                await child.wait()
    except TimeoutError:
        timed_out = True
    finally:
        stopped = child.returncode is None
        await end_group(child)
    code = None if stopped else child.returncode
    return Ended(code, bytes(out.kept), bytes(err.kept), out.is_over, timed_out)


class _Kept:
    """Reads a pipe up to `limit` bytes; then it stops reading, or (`stops=False`) reads on and forgets."""

    def __init__(self, limit: int, *, stops: bool = True) -> None:
        self.kept = bytearray()
        self.is_over = False
        self._limit = limit
        self._stops = stops

    async def read(self, pipe: asyncio.StreamReader) -> None:
        while piece := await pipe.read(PIECE):
            room = self._limit - len(self.kept)
            self.kept += piece[:room]
            if len(piece) > room:
                self.is_over = True
                if self._stops:
                    return


async def _feed(child: asyncio.subprocess.Process, stdin: bytes) -> None:
    assert child.stdin is not None
    try:
        child.stdin.write(stdin)
        await child.stdin.drain()
    except (BrokenPipeError, ConnectionResetError):
        pass
    finally:
        child.stdin.close()


async def end_group(child: asyncio.subprocess.Process) -> None:
    """End what is left of the child's group: asked first while the child itself lives, then told."""
    if child.returncode is None:
        _tell(child.pid, signal.SIGTERM)
        try:
            await asyncio.shield(asyncio.wait_for(child.wait(), GRACE_S))
        except (TimeoutError, asyncio.CancelledError):
            pass
    _tell(child.pid, signal.SIGKILL)
    if child.returncode is None:
        await asyncio.shield(child.wait())


def _tell(group: int, what: signal.Signals) -> None:
    try:
        os.killpg(group, what)
    except (ProcessLookupError, PermissionError):
        pass


def birth_of(pid: int) -> str | None:
    """When a process was started, in the kernel's own words: with its id it names one process for good."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return stat.rpartition(")")[2].split()[19]


def end_leftover(pid: int, birth: str | None) -> None:
    """End the group of a process started before we were restarted, if it is still that very process."""
    if birth is not None and birth_of(pid) == birth:
        _tell(pid, signal.SIGKILL)
