"""Loops come back, silence is named, and half-alive is dead."""

import asyncio
import contextlib
import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from nightclaw.clock import SystemClock
from nightclaw.core.errors import StoreUnavailable
from nightclaw.problems import Problems
from nightclaw.sdnotify import Notify
from nightclaw.supervise import Supervisor

pytestmark = pytest.mark.anyio


class Hands(SystemClock):
    """A clock whose monotonic hand can be pushed on."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead_s


@pytest.fixture
def clock() -> Hands:
    return Hands()


@pytest.fixture
def problems() -> Problems:
    return Problems()


@pytest.fixture
def supervisor(clock: Hands, problems: Problems) -> Supervisor:
    return Supervisor(clock, problems, critical_backoff_s=(0.0,), backoff_s=(0.0,))


class Loop:
    """Fails at its first `failures` lives, then lives on. `lived` is set when a life got that far."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.lives = 0
        self.lived = asyncio.Event()
        self.cancelled = False

    async def run(self) -> None:
        self.lives += 1
        if self.lives <= self.failures:
            raise OSError(f"life {self.lives} went wrong")
        self.lived.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise


async def test_a_failed_loop_lives_again_and_its_problem_is_told(
    supervisor: Supervisor, problems: Problems
) -> None:
    loop = Loop(failures=2)
    supervisor.add("scheduler", loop.run)
    supervisor.start()
    await asyncio.wait_for(loop.lived.wait(), 5)
    assert loop.lives == 3
    assert "life 2 went wrong" in problems.items()[0].message
    assert not supervisor.ended.is_set()
    assert await supervisor.drain(5) == []
    assert loop.cancelled


async def test_the_third_failure_in_five_minutes_ends_the_daemon(supervisor: Supervisor) -> None:
    loop = Loop(failures=99)
    supervisor.add("initiative", loop.run)
    supervisor.start()
    await asyncio.wait_for(supervisor.ended.wait(), 5)
    assert loop.lives == 3
    assert supervisor.given_up is not None
    assert "initiative" in str(supervisor.given_up) and "life 3 went wrong" in str(supervisor.given_up)
    assert "OSError" in supervisor.given_up.trace
    assert supervisor.stuck() == ["initiative failed and is being restarted"]


async def test_three_failures_over_a_longer_time_do_not(supervisor: Supervisor, clock: Hands) -> None:
    lives: asyncio.Queue[int] = asyncio.Queue()
    fail = asyncio.Semaphore(0)

    async def run() -> None:
        lives.put_nowait(1)
        await fail.acquire()
        raise OSError("now and then")

    supervisor.add("scheduler", run)
    supervisor.start()
    for _ in range(6):
        await asyncio.wait_for(lives.get(), 5)
        clock.ahead_s += 200
        fail.release()
    await asyncio.wait_for(lives.get(), 5)
    assert not supervisor.ended.is_set()
    await supervisor.drain(5)


async def test_a_source_may_fail_forever_and_may_also_be_done(supervisor: Supervisor) -> None:
    poll = Loop(failures=20)
    supervisor.add("poll", poll.run, critical=False)

    async def done() -> None:
        return

    supervisor.add("catch-up", done, critical=False)
    supervisor.start()
    await asyncio.wait_for(poll.lived.wait(), 5)
    assert supervisor.stuck() == []
    assert not supervisor.ended.is_set()
    await supervisor.drain(5)


async def test_a_critical_loop_that_just_returns_has_failed(supervisor: Supervisor) -> None:
    async def done() -> None:
        return

    supervisor.add("outbox", done)
    supervisor.start()
    await asyncio.wait_for(supervisor.ended.wait(), 5)
    assert "ended by itself" in str(supervisor.given_up)


async def test_a_cancellation_from_inside_is_a_failure_not_an_end(supervisor: Supervisor) -> None:
    lives: list[int] = []
    lived = asyncio.Event()

    async def run() -> None:
        lives.append(1)
        if len(lives) == 1:
            raise asyncio.CancelledError
        lived.set()
        await asyncio.Event().wait()

    supervisor.add("scheduler", run)
    supervisor.start()
    await asyncio.wait_for(lived.wait(), 5)
    await supervisor.drain(5)


async def test_silence_is_named_with_its_length(supervisor: Supervisor, clock: Hands) -> None:
    loop = Loop(failures=0)
    supervisor.add("initiative", loop.run, silence_s=90)
    supervisor.add("poll", Loop(failures=0).run, critical=False)
    supervisor.start()
    await asyncio.wait_for(loop.lived.wait(), 5)
    clock.ahead_s += 80
    assert supervisor.stuck() == []
    clock.ahead_s += 20
    assert supervisor.stuck() == ["initiative has been silent for 100 s"]
    assert supervisor.stuck(["scheduler"]) == []
    assert supervisor.ages()["initiative"] >= 100
    supervisor.beat("initiative")
    assert supervisor.stuck() == []
    await supervisor.drain(5)


async def test_a_drain_is_bounded_and_names_who_stays(supervisor: Supervisor) -> None:
    free = asyncio.Event()
    deaf = asyncio.Event()

    async def stubborn() -> None:
        while not free.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                deaf.set()
                await free.wait()

    supervisor.add("stubborn", stubborn)
    supervisor.add("polite", Loop(failures=0).run)
    supervisor.start()
    await asyncio.wait_for(deaf.wait(), 5)
    assert await supervisor.drain(0.1) == ["stubborn"]
    free.set()
    assert await supervisor.drain(5) == []


async def test_only_the_named_loops_are_drained(supervisor: Supervisor) -> None:
    source, outbox = Loop(failures=0), Loop(failures=0)
    supervisor.add("source", source.run, critical=False)
    supervisor.add("outbox", outbox.run)
    supervisor.start()
    await asyncio.wait_for(outbox.lived.wait(), 5)
    assert await supervisor.drain(5, ["source"]) == []
    assert source.cancelled and not outbox.cancelled
    await supervisor.drain(5)


# The watchdog


@pytest.fixture
def manager() -> Iterator[tuple[socket.socket, Notify]]:
    folder = tempfile.mkdtemp(prefix="nc-", dir="/tmp")
    path = str(Path(folder) / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(path)
        sock.setblocking(False)
        with contextlib.closing(Notify({"NOTIFY_SOCKET": path})) as notify:
            yield sock, notify
    shutil.rmtree(folder)


async def heard(sock: socket.socket, timeout_s: float) -> bytes | None:
    try:
        return await asyncio.wait_for(asyncio.get_running_loop().sock_recv(sock, 100), timeout_s)
    except TimeoutError:
        return None


async def test_the_watchdog_is_fed_only_while_the_vital_loops_beat(
    supervisor: Supervisor, clock: Hands, manager: tuple[socket.socket, Notify]
) -> None:
    sock, notify = manager
    supervisor.add("initiative", Loop(failures=0).run, silence_s=90)
    supervisor.add("watchdog", lambda: supervisor.watch(notify, 0.06, ["initiative"]))
    supervisor.start()
    assert await heard(sock, 5) == b"WATCHDOG=1"
    assert await heard(sock, 5) == b"WATCHDOG=1"
    clock.ahead_s += 100
    while await heard(sock, 0.3) is not None:  # what was sent before the silence
        pass
    supervisor.beat("initiative")
    assert await heard(sock, 5) == b"WATCHDOG=1"
    await supervisor.drain(5)


async def test_a_writer_that_hangs_falls_silent_and_one_that_refuses_does_not(
    supervisor: Supervisor, problems: Problems, clock: Hands
) -> None:
    pinged, answer = asyncio.Event(), asyncio.Event()

    async def refuses() -> None:
        raise StoreUnavailable("disk full")

    async def hangs() -> None:
        pinged.set()
        await answer.wait()

    supervisor.add("full", lambda: supervisor.prove("full", refuses), silence_s=90)
    supervisor.add("hung", lambda: supervisor.prove("hung", hangs), silence_s=90)
    supervisor.start()
    await asyncio.wait_for(pinged.wait(), 5)
    assert problems.items() == []  # a refusal is an answer, not a failure
    assert supervisor.stuck() == []
    clock.ahead_s += 100
    assert supervisor.stuck(["hung"]) == ["hung has been silent for 100 s"]
    await supervisor.drain(5)
