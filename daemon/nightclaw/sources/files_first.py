"""The first look at a watched place: everything is kept, nobody is told.

Times and sizes are taken at once, so that the place is ready soon; what could not be hashed by then is read
afterwards in small portions with long rests.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from nightclaw.core.ports import Clock
from nightclaw.sources.files_diff import Moment, fill, in_portions, take_slice
from nightclaw.sources.files_ledger import Head, Ledger
from nightclaw.sources.files_tree import Tree

RACY_MS = 50
HASH_S = 0.2
"""How much of the first look may go into hashing; enough for several thousand small files."""
PORTION_S = 0.5
PORTION_DIRECTORIES = 200
MOST_BYTES = 1 << 30
"""A place with more is not read to its end: the first change of a file not read then counts by size and time."""


@dataclass(frozen=True, slots=True)
class First:
    head: Head
    files: int
    dirs: set[str]


async def first_look(tree: Tree, ledger: Ledger, clock: Clock, shape: str, watch_id: str) -> First:
    """Take and save the baseline in place of whatever was saved; the head comes last and makes it valid."""
    await ledger.forget()
    sweep, may_hash = tree.sweep(), _within(clock, HASH_S)
    files, is_hashed, dirs = 0, True, set[str]()
    while True:
        part = await asyncio.to_thread(take_slice, tree, sweep, ledger.key(""), moment_of(clock), may_hash)
        if not part.dirs:
            break
        await ledger.save(part.states)
        files, is_hashed = files + part.files, is_hashed and part.is_hashed
        dirs |= part.dirs
    now = clock.now_ms()
    head = Head(
        shape,
        f"{now:x}{watch_id[-4:]}",
        at=now,
        device=tree.device(),
        rules=tree.rules_digest,
        is_file=bool(tree.only),
        is_hashed=is_hashed,
    )
    await ledger.save_head(head)
    return First(head, files, dirs)


class Filler:
    """Hashes what the first look did not."""

    def __init__(self, tree: Tree, ledger: Ledger, clock: Clock) -> None:
        self._tree = tree
        self._ledger = ledger
        self._clock = clock
        self._portions = in_portions(tree.dirs, PORTION_DIRECTORIES)
        self._left = MOST_BYTES

    async def fill_some(self) -> bool:
        """Hash a portion; False when nothing is left to do."""
        if not self._portions or self._left <= 0:
            return False
        directory, is_subtree = portion = self._portions.pop()
        if is_subtree:
            pages = await self._ledger.under(directory)
        else:
            pages = {directory: await self._ledger.only(directory)}
        done = await asyncio.to_thread(fill, self._tree, pages, _within(self._clock, PORTION_S))
        await self._ledger.save(done.states)
        self._left -= done.size
        if not done.is_done:
            self._portions.append(portion)
        return True


def moment_of(clock: Clock, visible_ns: int | None = None) -> Moment:
    return Moment((clock.now_ms() - RACY_MS) * 1_000_000, visible_ns)


def _within(clock: Clock, seconds: float) -> Callable[[], bool]:
    """Says whether `seconds` from now are not over yet."""
    until = clock.monotonic() + seconds
    return lambda: clock.monotonic() < until
