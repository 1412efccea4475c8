"""A point where the model server holds a reply until a test lets it go: instead of sleeping, both sides wait.

`arrived` tells the test that the server stands there; `open` lets it go on, now and at every later visit.
"""

import asyncio
import threading
from dataclasses import dataclass, field


@dataclass
class Gate:
    """Opened from any thread; waited for on the server's loop."""

    _lock: threading.Lock = field(default_factory=threading.Lock)
    _is_open: bool = False
    _there: threading.Event = field(default_factory=threading.Event)
    _waiting: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = field(default_factory=list)

    def open(self) -> None:
        with self._lock:
            self._is_open = True
            waiting, self._waiting = self._waiting, []
        for loop, event in waiting:
            if not loop.is_closed():
                loop.call_soon_threadsafe(event.set)

    def arrived(self, timeout_s: float = 10.0) -> None:
        """Returns when a reply waits (or waited) here."""
        if not self._there.wait(timeout_s):
            raise TimeoutError(f"no reply came to this gate within {timeout_s} s")

    async def has_arrived(self, timeout_s: float = 10.0) -> None:
        await asyncio.to_thread(self.arrived, timeout_s)

    async def wait(self) -> None:
        event = asyncio.Event()
        with self._lock:
            self._there.set()
            if self._is_open:
                return
            self._waiting.append((asyncio.get_running_loop(), event))
        await event.wait()
