"""Running one walled program to its end: bounded in time, output, processes and disk, whatever it does.

Guarantees: output is read as it comes and only its head and tail are kept; at the deadline, on a breach of a bound
and on cancellation the command gets TERM, then KILL after the grace; when `run` returns, nothing of it runs.
"""

import asyncio
import contextlib
import json
import os
import signal
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from nightclaw.core.errors import Refused
from nightclaw.core.tools import Ran
from nightclaw.sandbox import limits
from nightclaw.sandbox.limits import Limits

_CHUNK = 1 << 16
_DRAIN_S = 2.0
_LOOK_EVERY_S = 0.5


@dataclass(frozen=True, slots=True)
class Launch:
    """A program ready to start. fds: passed on as they are, closed after the start. status: the descriptor
    bubblewrap reports on, None where nobody does. root: whose disk is watched."""

    argv: Sequence[str]
    env: Mapping[str, str]
    root: Path
    fds: tuple[int, ...] = ()
    status: tuple[int, int] | None = None
    counted_by_hand: bool = False


class Kept:
    """The first and the last half of `limit` bytes; everything is counted."""

    def __init__(self, limit: int) -> None:
        self._half = max(limit // 2, 1)
        self._head = bytearray()
        self._tail = bytearray()
        self.total = 0

    def add(self, data: bytes) -> None:
        self.total += len(data)
        room = self._half - len(self._head)
        self._head += data[:room]
        self._tail += data[room:] if room > 0 else data
        if len(self._tail) > 2 * self._half + _CHUNK:
            del self._tail[: -self._half]

    @property
    def is_cut(self) -> bool:
        return self.total > 2 * self._half

    def text(self) -> str:
        tail = bytes(self._tail[-self._half :])
        if not self.is_cut:
            return (bytes(self._head) + bytes(self._tail)).decode("utf-8", "replace")
        left_out = self.total - len(self._head) - len(tail)
        head = self._head.decode("utf-8", "replace")
        return f"{head}\n[… {left_out:,} bytes left out …]\n{tail.decode('utf-8', 'replace')}"


class _Running:
    def __init__(self, process: asyncio.subprocess.Process, launch: Launch, bounds: Limits) -> None:
        self.process = process
        self.launch = launch
        self.bounds = bounds
        self.ended_because = ""
        self._status = ""

    def read_status(self) -> dict[str, int]:
        """What bubblewrap told so far: child-pid, exit-code."""
        if self.launch.status:
            with contextlib.suppress(BlockingIOError):
                self._status += os.read(self.launch.status[0], 4096).decode("ascii", "replace")
        told: dict[str, int] = {}
        for line in self._status.splitlines():
            with contextlib.suppress(ValueError):
                told.update({k: v for k, v in json.loads(line).items() if isinstance(v, int)})
        return told

    def inside(self) -> int | None:
        """The first process inside, while it is surely still the one we started."""
        pid = self.read_status().get("child-pid")
        if pid is None or self.process.returncode is not None:
            return None
        with contextlib.suppress(OSError, ValueError, IndexError):
            stat = Path(f"/proc/{pid}/stat").read_text()
            if int(stat.rpartition(")")[2].split()[1]) == self.process.pid:
                return pid
        return None

    async def end(self, because: str) -> None:
        """TERM, grace, KILL. Returns when the program is gone."""
        self.ended_because = self.ended_because or because
        # bubblewrap passes no signal on: the command's own group is that of the first process inside
        self._signal(self.inside() or self.process.pid, signal.SIGTERM)
        try:
            await asyncio.wait_for(asyncio.shield(self.process.wait()), self.bounds.grace_s)
        except TimeoutError:
            self.kill()
            await self.process.wait()

    def kill(self) -> None:
        inside = self.inside()
        if inside is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(inside, signal.SIGKILL)  # and with it its whole pid namespace
        self._signal(self.process.pid, signal.SIGKILL)

    def _signal(self, group: int, number: int) -> None:
        if self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(group, number)

    async def read(self, kept: Kept) -> None:
        stream = self.process.stdout
        assert stream is not None
        while data := await stream.read(_CHUNK):
            kept.add(data)
            if kept.total > self.bounds.output_bytes and not self.ended_because:
                self.ended_because = f"it printed more than {self.bounds.output_bytes >> 20} MB"
                self.kill()

    async def guard(self) -> None:
        """Ends the command when it fills its disk or, where nothing else counts, forks without bound."""
        before = _free(self.launch.root)
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            free = _free(self.launch.root)
            if free < self.bounds.free_bytes and before - free > self.bounds.free_bytes // 8:
                self.ended_because = f"it left less than {self.bounds.free_bytes >> 20} MB of free disk"
                self.kill()
                return
            inside = self.inside() if self.launch.counted_by_hand else None
            if (
                inside
                and limits.tasks_in_namespace_of(inside, self.bounds.processes) >= self.bounds.processes
            ):
                self.ended_because = f"it started more than {self.bounds.processes} processes"
                self.kill()
                return


def _free(path: Path) -> int:
    try:
        found = os.statvfs(path)
    except OSError:
        return 0
    return found.f_bavail * found.f_frsize


@contextlib.asynccontextmanager
async def _started(launch: Launch) -> AsyncIterator[asyncio.subprocess.Process]:
    try:
        process = await asyncio.create_subprocess_exec(
            *launch.argv,
            env=dict(launch.env),
            cwd="/",
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
            pass_fds=launch.fds,
            limit=2 * _CHUNK,
        )
    except OSError as error:
        raise Refused(f"the sandbox could not start: {error.strerror}") from error
    finally:
        for fd in launch.fds:
            os.close(fd)
    try:
        yield process
    finally:
        transport = getattr(process, "_transport", None)
        if transport is not None:
            transport.close()  # a pipe held open by someone else must not leak here


async def run(launch: Launch, *, timeout_s: float, limit: int, bounds: Limits) -> Ran:
    """Run it to its end. Must be awaited on the main thread: the wall falls with the thread that built it.

    Raises Refused when the wall itself could not be built.
    """
    kept = Kept(limit)
    try:
        async with _started(launch) as process:
            running = _Running(process, launch, bounds)
            reading = asyncio.create_task(running.read(kept))
            guarding = asyncio.create_task(running.guard())
            timed_out = False
            try:
                await asyncio.wait_for(asyncio.shield(process.wait()), timeout_s)
            except TimeoutError:
                timed_out = True
                await running.end(f"its time of {timeout_s:g} s was over")
            except asyncio.CancelledError:
                await _end_anyway(running)
                raise
            finally:
                guarding.cancel()
                await _drained(reading)
            return _told(running, kept, timed_out)
    finally:
        if launch.status:
            os.close(launch.status[0])


async def _end_anyway(running: _Running) -> None:
    """On cancellation; a second one takes the grace away."""
    try:
        await running.end("it was cancelled")
    except asyncio.CancelledError:
        running.kill()
        raise


async def _drained(reading: asyncio.Task[None]) -> None:
    done, _ = await asyncio.wait({reading}, timeout=_DRAIN_S)
    if not done:
        reading.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await reading


def _told(running: _Running, kept: Kept, timed_out: bool) -> Ran:
    told = running.read_status()
    code: int | None = running.process.returncode
    if running.ended_because:
        code = None
    elif running.launch.status:
        code = told.get("exit-code")
        if code is None:
            line = kept.text().strip().splitlines()[-1:] or ["it ended without a word"]
            raise Refused(f"the sandbox could not start: {line[0]}", "see `nightclaw admin doctor`")
    note = f"\n[ended: {running.ended_because}]" if running.ended_because else ""
    return Ran(code, kept.text() + note, is_cut=kept.is_cut, timed_out=timed_out)
