"""What systemd hears."""

import contextlib
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from nightclaw.sdnotify import Notify, watchdog_s


@contextlib.contextmanager
def manager(address: str) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(address)
        sock.settimeout(5)
        yield sock


@pytest.fixture
def folder() -> Iterator[Path]:
    made = tempfile.mkdtemp(prefix="nc-", dir="/tmp")
    yield Path(made)
    shutil.rmtree(made)


def test_each_state_is_one_datagram(folder: Path) -> None:
    path = str(folder / "notify")
    with manager(path) as sock, contextlib.closing(Notify({"NOTIFY_SOCKET": path})) as notify:
        notify.ready("listening on\n127.0.0.1:8787\nREADY=0")
        notify.alive()
        notify.reloading()
        notify.status("two tasks run")
        notify.stopping()
        heard = [sock.recv(4096).decode() for _ in range(5)]
    assert heard[0] == "READY=1\nSTATUS=listening on 127.0.0.1:8787 READY=0"
    assert heard[1] == "WATCHDOG=1"
    reloading, stamp = heard[2].split("\n")
    assert reloading == "RELOADING=1"
    assert int(stamp.removeprefix("MONOTONIC_USEC=")) > 0
    assert heard[3:] == ["STATUS=two tasks run", "STOPPING=1"]


@pytest.mark.skipif(sys.platform != "linux", reason="abstract sockets are Linux only")
def test_an_abstract_socket_is_reached(folder: Path) -> None:
    name = f"nightclaw-{folder.name}"
    with manager("\0" + name) as sock, contextlib.closing(Notify({"NOTIFY_SOCKET": "@" + name})) as notify:
        notify.alive()
        assert sock.recv(4096) == b"WATCHDOG=1"


@pytest.mark.parametrize(
    "env", [{}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "/no/such/socket"}, {"NOTIFY_SOCKET": "vsock:2:1"}]
)
def test_nobody_listening_is_no_error(env: dict[str, str]) -> None:
    with contextlib.closing(Notify(env)) as notify:
        notify.ready()
        notify.alive()


def test_a_manager_that_does_not_read_never_blocks_us(folder: Path) -> None:
    path = str(folder / "notify")
    with manager(path), contextlib.closing(Notify({"NOTIFY_SOCKET": path})) as notify:
        for _ in range(5000):
            notify.alive()


def test_the_watchdog_is_for_the_named_process() -> None:
    assert watchdog_s({"WATCHDOG_USEC": "60000000"}, 7) == 60.0
    assert watchdog_s({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "7"}, 7) == 60.0
    assert watchdog_s({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "8"}, 7) is None
    for usec in ("", "0", "soon", "-1"):
        assert watchdog_s({"WATCHDOG_USEC": usec}, 7) is None
    assert watchdog_s({}, 7) is None
