"""Where the event log ends, and how the loops sleep until it goes on."""

import asyncio
from collections.abc import Collection


class Head:
    """The newest event cursor of this process, and the way to wait for a newer one. Event loop only."""

    def __init__(self) -> None:
        self.cursor = 0
        self._newest: dict[str, int] = {}
        self._waiters: dict[asyncio.Future[None], frozenset[str] | None] = {}

    def publish(self, cursor: int, kinds: Collection[str] = ()) -> None:
        """There are events up to `cursor`; kinds: of those that are new."""
        if cursor <= self.cursor:
            return
        self.cursor = cursor
        for kind in kinds:
            self._newest[kind] = cursor
        for waiter, wanted in list(self._waiters.items()):
            if wanted is None or not wanted.isdisjoint(kinds):
                self._let_go(waiter)

    def wake(self) -> None:
        """Have every waiter look again, without a new event: a pause, a reload, a feature was changed."""
        for waiter in list(self._waiters):
            self._let_go(waiter)

    def _let_go(self, waiter: asyncio.Future[None]) -> None:
        self._waiters.pop(waiter, None)
        if not waiter.done():
            waiter.set_result(None)

    def _is_past(self, cursor: int, kinds: frozenset[str] | None) -> bool:
        if kinds is None:
            return self.cursor > cursor
        return any(self._newest.get(kind, 0) > cursor for kind in kinds)

    async def wait_past(self, cursor: int, timeout_s: float, kinds: frozenset[str] | None = None) -> bool:
        """True when an event (of these kinds) newer than `cursor` exists; False after `timeout_s` seconds, or when
        woken without one."""
        if self._is_past(cursor, kinds):
            return True
        waiter = asyncio.get_running_loop().create_future()
        self._waiters[waiter] = kinds
        try:
            async with asyncio.timeout(timeout_s):
                await waiter
        except TimeoutError:
            return False
        finally:
            self._waiters.pop(waiter, None)
        return self._is_past(cursor, kinds)
