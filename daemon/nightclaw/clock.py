"""The machine's clock: the one place where the wall and the monotonic time are read."""

import time


class SystemClock:
    """core.ports.Clock over the operating system."""

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        return time.monotonic()
