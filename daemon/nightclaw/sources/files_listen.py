"""The listening thread: owns all open watches, keeps their directories up to date, and tells what concerns us.

It asks at long intervals while nothing happens and often during a burst; the event loop is woken only by news. New
directories are listened to first and walked after, until nothing new turns up, so nothing made meanwhile is missed.
"""

import asyncio
import contextlib
import os
import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from nightclaw.core.ports import Clock
from nightclaw.sources.files_burst import Heard
from nightclaw.sources.files_prune import IGNORE_FILE
from nightclaw.sources.files_tree import VENV_FILE, Tree

T = TypeVar("T")

ADDED, MODIFIED, DELETED = 1, 2, 3
DECIDING = (IGNORE_FILE, VENV_FILE)
"""Files that decide what else is watched."""
TOGETHER = 2000
"""Directories given to one watcher: the library holds the interpreter while it adds them, 50 µs each."""
SATELLITES = 6
"""So many small watchers, for directories that came later, are merged into one."""
FAST_S = 0.04
SLOW_S = (0.1, 5.0)
TOO_MANY = 20_000
"""Changes heard at once that are not sorted out one by one."""
DEAF_ERRORS = (
    ("os file watch limit", "the limit of watched directories is reached", "fs.inotify.max_user_watches"),
    ("os error 28", "the limit of watched directories is reached", "fs.inotify.max_user_watches"),
    ("os error 24", "the limit of watchers is reached", "fs.inotify.max_user_instances"),
)

Hint = tuple[int, str]
"""(ADDED, MODIFIED or DELETED, absolute path)."""


class Ears(Protocol):
    """Open watches on some directories."""

    def poll(self) -> set[Hint]:
        """What was heard since the last poll, at once. Raises RuntimeError when something may have been lost."""
        ...

    def close(self) -> None: ...


class Deaf(Exception):
    """The system will not watch these directories; `hint` says what would let it."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


@dataclass(slots=True, eq=False)
class _Place:
    """One tree the thread listens in. ears: each with its number of directories."""

    tree: Tree
    quiet_s: float
    tell: Callable[[Heard], None]
    ears: list[tuple[int, Ears]] = field(default_factory=list[tuple[int, Ears]])
    satellites: set[str] = field(default_factory=set[str])
    busy_until: float = 0.0
    heard_at: float = 0.0
    reopen_at: float | None = None
    pause_s: float = 0.0


class Listener:
    """The one thread that owns all ears. `arm`, `extend` and `drop` are called on the event loop."""

    def __init__(self, clock: Clock, hear: Callable[[Sequence[str]], Ears]) -> None:
        self._clock = clock
        self._hear = hear
        self._loop = asyncio.get_running_loop()
        self._orders: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._ring = threading.Event()
        self._stopped = False
        self._places: dict[int, _Place] = {}
        self._thread: threading.Thread | None = None
        self._broken: asyncio.Future[None] = self._loop.create_future()

    async def run(self) -> None:
        """For as long as the thread is well; raises what ended it."""
        await self._broken

    async def arm(self, tree: Tree, quiet_s: float, tell: Callable[[Heard], None]) -> None:
        place = _Place(tree, quiet_s, tell)

        def order() -> None:
            self._listen(place, tree.dirs)
            place.heard_at = self._clock.monotonic()
            self._places[id(tree)] = place

        await self._order(order)

    async def extend(self, tree: Tree, dirs: set[str]) -> None:
        def order() -> None:
            place = self._places.get(id(tree))
            if place is None:
                tree.dirs |= dirs
            else:
                self._add(place, dirs)

        await self._order(order)

    def drop(self, tree: Tree) -> None:
        def order() -> None:
            place = self._places.pop(id(tree), None)
            for _, ears in place.ears if place else ():
                ears.close()

        self._orders.put(order)
        self._ring.set()

    def stop(self) -> None:
        """Ends the thread, at the latest when it has finished what it is at."""
        self._stopped = True
        self._ring.set()

    async def _order(self, order: Callable[[], None]) -> None:
        done: Future[None] = Future()

        def carry_out() -> None:
            try:
                order()
            except BaseException as error:  # noqa: BLE001  it is raised again where the order was given
                done.set_exception(error)
            else:
                done.set_result(None)

        self._orders.put(carry_out)
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="files", daemon=False)
            self._thread.start()
        self._ring.set()
        await asyncio.shield(asyncio.wrap_future(done))

    # --- the thread

    def _run(self) -> None:
        try:
            while not self._stopped:
                self._ring.wait(self._pause())
                self._ring.clear()
                while not self._orders.empty():
                    self._orders.get()()
                for place in list(self._places.values()):
                    self._attend(place)
        except Exception as error:  # noqa: BLE001  it is raised again on the event loop
            self._on_loop(self._break, error)
        finally:
            for place in self._places.values():
                for _, ears in place.ears:
                    ears.close()

    def _break(self, error: Exception) -> None:
        if not self._broken.done():
            self._broken.set_exception(error)

    def _on_loop(self, call: Callable[[T], None], value: T) -> None:
        with contextlib.suppress(RuntimeError):  # the loop ended while we were at it
            self._loop.call_soon_threadsafe(call, value)

    def _pause(self) -> float | None:
        """Seconds until to ask again: long enough to be idle, short enough to know before a quiet window is over."""
        now = self._clock.monotonic()
        pauses = [
            FAST_S if p.busy_until > now else min(max(0.75 * p.quiet_s - 0.05, SLOW_S[0]), SLOW_S[1])
            for p in self._places.values()
        ]
        return min(pauses, default=None)

    def _attend(self, place: _Place) -> None:
        now = self._clock.monotonic()
        since, place.heard_at = now - place.heard_at, now
        hints, heard = self._poll(place, now), Heard()
        try:
            if place.reopen_at is not None and place.reopen_at <= now:
                place.reopen_at = None
                place.tree.dirs = place.tree.walk()
                self._listen(place, place.tree.dirs)
                heard.lost = True
            elif hints:
                heard, fresh = self._sift(place, hints, since)
                self._add(place, fresh)
        except Deaf as error:
            self._places.pop(id(place.tree), None)
            heard = Heard(deaf=(str(error), error.hint))
        except OSError:
            heard = Heard(is_gone=True)
        if heard:
            place.busy_until = now + place.quiet_s + 0.5
            self._on_loop(place.tell, heard)

    def _poll(self, place: _Place, now: float) -> set[Hint]:
        """What all ears of a place heard. A loss closes them; they are opened anew, repeated losses ever later."""
        hints: set[Hint] = set()
        try:
            for _, ears in place.ears:
                hints |= ears.poll()
        except RuntimeError:
            for _, ears in place.ears:
                ears.close()
            place.ears, place.satellites = [], set()
            place.reopen_at = now + place.pause_s
            place.pause_s = min(place.pause_s * 2 or FAST_S, SLOW_S[1])
            return set()
        if now > place.busy_until:
            place.pause_s = 0.0
        return hints

    def _add(self, place: _Place, dirs: set[str]) -> None:
        """Listen in `dirs` and in all kept directories below, also those made meanwhile."""
        if not dirs:
            return
        tree = place.tree
        for _ in range(10):
            self._listen(place, dirs)
            tree.dirs |= dirs
            found: set[str] = set()
            for directory in dirs:
                with contextlib.suppress(OSError):
                    found |= tree.walk(directory)
            dirs = found - tree.dirs
            if not dirs:
                break
        small = [ears for size, ears in place.ears if size < TOGETHER // 4]
        if len(small) > SATELLITES:
            self._merge(place, small)

    def _listen(self, place: _Place, dirs: set[str]) -> None:
        wanted = sorted(dirs)
        for i in range(0, len(wanted), TOGETHER):
            part = wanted[i : i + TOGETHER]
            ears = self._open([place.tree.full(d) for d in part])
            if ears is not None:
                place.ears.append((len(part), ears))
                if len(part) < TOGETHER // 4:
                    place.satellites |= set(part)

    def _open(self, folders: list[str]) -> Ears | None:
        """Ears on those of `folders` that exist; raises Deaf."""
        for _ in range(5):
            folders = [f for f in folders if os.path.isdir(f) and os.access(f, os.R_OK)]
            if not folders:
                return None
            try:
                return self._hear(folders)
            except (FileNotFoundError, PermissionError):
                time.sleep(0.01)  # one of them went away or was closed between the look and the call
            except (OSError, RuntimeError) as error:
                raise _deafness(error) from None
        raise Deaf("its directories come and go too fast", "it is tried again by itself")

    def _merge(self, place: _Place, small: list[Ears]) -> None:
        """One watcher in place of many; the new one listens before the old ones stop."""
        kept = place.satellites & place.tree.dirs
        place.satellites = set()
        place.ears = [pair for pair in place.ears if pair[1] not in small]
        self._listen(place, kept)
        late: set[Hint] = set()
        for ears in small:
            with contextlib.suppress(RuntimeError):
                late |= ears.poll()
            ears.close()
        heard, fresh = self._sift(place, late, 0.0)
        self._add(place, fresh)
        if heard:
            self._on_loop(place.tell, heard)

    def _sift(self, place: _Place, hints: set[Hint], since: float) -> tuple[Heard, set[str]]:
        """What of the hints concerns us, and the directories to listen in from now on."""
        tree, heard, fresh = place.tree, Heard(), set[str]()
        if len(hints) > TOO_MANY:
            heard.lost = True
            self._refresh(place)
            return heard, fresh
        newest = 0
        for change, full in hints:
            path = tree.relative(full)
            if path is None or (not path and change != DELETED):
                continue
            if not path:
                heard.is_gone = True
                continue
            directory, _, name = path.rpartition("/")
            if directory not in tree.dirs:
                continue
            if path in tree.dirs and change == MODIFIED:
                continue
            if os.path.isdir(full) and not os.path.islink(full):
                if tree.skips(path, True):
                    continue
                fresh.add(path)
                heard.subtrees.add(path)
            elif path in tree.dirs:
                heard.subtrees.add(path)
            elif not tree.skips(path, False):
                heard.names.setdefault(directory, set()).add(name)
                heard.rules = heard.rules or name in DECIDING
            elif name in DECIDING and not tree.only:
                heard.rules = True  # the owner's globs pass it over, yet it decides
            else:
                continue
            newest = max(newest, tree.changed_at_ns(path))
        if heard.rules:
            self._refresh(place)
        elif gone := heard.subtrees - fresh:
            tree.dirs = {d for d in tree.dirs if not _is_below(d, gone)}
        age = self._clock.now_ms() / 1000 - newest / 1e9
        heard.age_s = min(max(age, 0.0), since)
        return heard, fresh

    def _refresh(self, place: _Place) -> None:
        """Read the tree anew: what is ignored has changed."""
        tree = place.tree
        kept = tree.walk()
        tree.dirs &= kept
        self._add(place, kept - tree.dirs)


def _is_below(directory: str, tops: set[str]) -> bool:
    at = directory
    while at:
        if at in tops:
            return True
        at = at.rpartition("/")[0]
    return False


def _deafness(error: OSError | RuntimeError) -> Deaf:
    said = str(error)
    number = f"os error {error.errno}" if isinstance(error, OSError) else ""
    for sign, message, setting in DEAF_ERRORS:
        if sign in said.lower() or sign == number:
            return Deaf(message, f"raise it: sudo sysctl {setting}=524288")
    return Deaf(f"the system refuses to watch it ({said[:200]})", "see the daemon's log")
