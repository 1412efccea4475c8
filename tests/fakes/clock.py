"""A clock that stands still until it is told to move: the wall and the monotonic time together, or the wall alone."""

import asyncio
from datetime import datetime


class FakeClock:
    """core.ports.Clock. Starts at `start` (ISO 8601 with an offset)."""

    def __init__(self, start: str = "2026-11-20T12:00:00+00:00") -> None:
        self._now_ms = int(datetime.fromisoformat(start).timestamp() * 1000)
        self._monotonic = 1000.0

    def now_ms(self) -> int:
        return self._now_ms

    def monotonic(self) -> float:
        return self._monotonic

    async def advance(self, seconds: float) -> None:
        """Time passes, and whoever is ready gets a turn."""
        self._now_ms += round(seconds * 1000)
        self._monotonic += seconds
        for _ in range(5):
            await asyncio.sleep(0)

    def set_wall(self, moment: str) -> None:
        """The owner, NTP or a suspend moves the wall clock; the monotonic one does not notice."""
        self._now_ms = int(datetime.fromisoformat(moment).timestamp() * 1000)
