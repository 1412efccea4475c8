"""Under a service manager: READY when it serves, fed watchdog, back within ten seconds after kill -9 with all it had.

systemd is not everywhere, so its part is played here by the same protocol: a notify socket and a restart.
"""

import os
import select
import signal
import socket
import time
from collections.abc import Iterator

import pytest
from tests.e2e.conftest import Hatch
from tests.e2e.daemon import Daemon, until
from tests.e2e.homes import standard

RESTART_S = 2.0


class Manager:
    """What systemd does for Type=notify: listens, starts, and starts again `RESTART_S` after an unclean end."""

    def __init__(self, daemon: Daemon) -> None:
        self.daemon = daemon
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.path = str(daemon.scratch / "notify")
        self.sock.bind(self.path)

    def start(self) -> None:
        self.daemon.spawn({"NOTIFY_SOCKET": self.path, "WATCHDOG_USEC": "3000000"})
        self.heard("READY=1", 15)

    def heard(self, word: str, seconds: float) -> str:
        """The next message that has `word`."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if select.select([self.sock], [], [], left)[0]:
                message = self.sock.recv(4096).decode()
                if word in message:
                    return message
        raise AssertionError(f"no {word} within {seconds} s")

    def restart_after_end(self) -> float:
        """Seconds from the end to READY, the pause included."""
        began = time.monotonic()
        self.daemon.ended(10)
        until(lambda: time.monotonic() - began >= RESTART_S, "the pause is over", RESTART_S + 1)
        self.start()
        return time.monotonic() - began

    def close(self) -> None:
        self.sock.close()


@pytest.fixture
def manager(hatch: Hatch) -> Iterator[Manager]:
    found = Manager(hatch(standard()))
    found.start()
    yield found
    found.close()


def test_it_is_back_after_kill_9_with_session_queue_and_timers(manager: Manager) -> None:
    daemon = manager.daemon
    daemon.post("/v1/schedules", {"name": "later", "every": "1h", "prompt": "look"})
    said = daemon.clawctl("chat", "remember me", "--session", "new", "--json")
    session = said.lines[-1]["session"]
    os.kill(daemon.pid, signal.SIGKILL)
    assert manager.restart_after_end() <= 10
    assert [s["name"] for s in daemon.items("/v1/schedules")] == ["later"]
    transcript = daemon.get(f"/v1/sessions/{session}")["transcript"]
    assert [t["role"] for t in transcript] == ["user", "assistant"]
    assert daemon.status["health"] == "ok"


def test_the_watchdog_is_fed_and_a_stop_is_announced(manager: Manager) -> None:
    manager.heard("WATCHDOG=1", 5)
    manager.daemon.signal(signal.SIGHUP)
    assert "MONOTONIC_USEC=" in manager.heard("RELOADING=1", 5)
    manager.heard("READY=1", 5)
    manager.daemon.signal(signal.SIGTERM)
    manager.heard("STOPPING=1", 5)
    assert manager.daemon.ended(30) == 0
