"""A program of ours run to its end: bounded in time and output, and nothing of it left afterwards.

It runs in a session of its own, with exactly the environment it is given and no terminal. When it ends, is cancelled,
takes too long or says too much, its whole process group ends with it.
"""

import asyncio
import os
import signal
import tempfile
from collections.abc import Callable, Coroutine, Mapping, Sequence
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
    out, err = _Pipe(limit, stops=not is_long), _Pipe(ERR_LIMIT, stops=False)
    with out, err, tempfile.TemporaryFile() as fed:
        fed.write(stdin or b"")
        fed.seek(0)
        try:
            child = await asyncio.create_subprocess_exec(
                *argv, cwd=cwd, env=env, start_new_session=True, stdin=fed, stdout=out.far, stderr=err.far
            )
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else str(error)
            raise NightclawError(f"{argv[0]} cannot be started in {cwd}: {why}") from error
        timed_out = False
        try:
            await out.open()
            await err.open()
            if started is not None:
                started(child.pid)
            async with asyncio.timeout(timeout_s):
                await _first(child.wait(), out.full.wait())
        except TimeoutError:
            timed_out = True
        finally:
            stopped = child.returncode is None
            await end_group(child)
        await asyncio.wait(
            [out.task, err.task], timeout=GRACE_S
        )  # one that left the group may hold a pipe open
    code = None if stopped else child.returncode
    return Ended(code, bytes(out.kept), bytes(err.kept), out.is_over, timed_out)


class _Pipe:
    """What a child writes, up to `limit` bytes; then `full` is set, and without `stops` the rest is read unheard.

    The pipe is ours and not the event loop's, so waiting for a child never waits for whoever else holds its end.
    """

    def __init__(self, limit: int, *, stops: bool) -> None:
        self.kept = bytearray()
        self.is_over = False
        self.full = asyncio.Event()
        self.task: asyncio.Task[None]
        self._limit = limit
        self._stops = stops
        self._near, self.far = os.pipe()
        self._transport: asyncio.BaseTransport | None = None

    def __enter__(self) -> "_Pipe":
        return self

    def __exit__(self, *_: object) -> None:
        self._close_far()
        if self._transport is None:
            os.close(self._near)
            return
        self.task.cancel()
        self._transport.close()

    def _close_far(self) -> None:
        if self.far >= 0:
            os.close(self.far)
            self.far = -1

    async def open(self) -> None:
        """Begin to read; the far end is the child's alone from now on."""
        self._close_far()
        loop, reader = asyncio.get_running_loop(), asyncio.StreamReader()
        file = os.fdopen(self._near, "rb", 0)
        self._transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), file)
        self.task = asyncio.create_task(self._read(reader))

    async def _read(self, reader: asyncio.StreamReader) -> None:
        while piece := await reader.read(PIECE):
            room = self._limit - len(self.kept)
            self.kept += piece[:room]
            if len(piece) > room:
                self.is_over = True
                if self._stops:
                    self.full.set()
                    return


async def _first(*waits: Coroutine[object, object, object]) -> None:
    """Until one of them is done; the others are given up."""
    tasks = [asyncio.ensure_future(w) for w in waits]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


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
