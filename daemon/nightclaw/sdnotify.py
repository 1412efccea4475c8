"""sd_notify: tells systemd (or whoever set NOTIFY_SOCKET) that we are ready, stopping, reloading or alive.

Protocol: https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html. Without NOTIFY_SOCKET every call
is a no-op; a manager that does not listen is never an error of ours.
"""

import contextlib
import socket
import time
from collections.abc import Mapping


class Notify:
    """`env` is read once. Sends never block: a datagram that does not fit is dropped."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._sock: socket.socket | None = None
        address = env.get("NOTIFY_SOCKET", "")
        if not address.startswith(("/", "@")):
            return
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._sock.setblocking(False)

    def ready(self, status: str = "") -> None:
        self._send("READY=1", status)

    def stopping(self, status: str = "") -> None:
        self._send("STOPPING=1", status)

    def reloading(self) -> None:
        """Must be followed by ready() when the reload is over, also when it failed."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def alive(self) -> None:
        self._send("WATCHDOG=1")

    def status(self, text: str) -> None:
        self._send("", text)

    def extend_start(self, seconds: float) -> None:
        """Ask for more time before READY, as a long schema upgrade needs."""
        self._send(f"EXTEND_TIMEOUT_USEC={round(seconds * 1_000_000)}")

    def close(self) -> None:
        if self._sock is not None:
            self._sock.close()
            self._sock = None

    def _send(self, state: str, status: str = "") -> None:
        if self._sock is None:
            return
        line = f"STATUS={' '.join(status.split())}" if status else ""
        with contextlib.suppress(OSError):
            self._sock.sendto("\n".join(part for part in (state, line) if part).encode(), self._address)


def watchdog_s(env: Mapping[str, str], pid: int) -> float | None:
    """The silence after which we would be killed, in seconds; None when nobody watches this process."""
    usec, whose = env.get("WATCHDOG_USEC", ""), env.get("WATCHDOG_PID", "")
    if not usec.isdecimal() or int(usec) == 0 or (whose and whose != str(pid)):
        return None
    return int(usec) / 1_000_000
