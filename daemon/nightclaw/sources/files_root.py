"""The life of one watched place: baseline, listening, bursts told as signals, and coming back after a loss.

What was told and what is saved move in one transaction, so a crash at any point leaves either the old fingerprints
(and the next start tells the change) or the new ones with their signal. All work on a place is done by one task.
"""

import asyncio
import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass

from nightclaw.core import failpoints
from nightclaw.core.ports import Clock, Journal, Problems
from nightclaw.core.watch import Watch
from nightclaw.sources.files_burst import Burst, Heard, draft_of
from nightclaw.sources.files_diff import Change, Outcome, compare_names, compare_tree
from nightclaw.sources.files_first import Filler, first_look, moment_of
from nightclaw.sources.files_ledger import Head, Ledger
from nightclaw.sources.files_listen import Deaf, Listener
from nightclaw.sources.files_tree import Tree

RETRY_S = (0.5, 30.0)
"""Pauses between tries to open a place that is gone, from the first to the longest."""
POLL_S = (10.0, 60.0)
CHECK_S = (5.0, 600.0)
"""A burst is followed by one silent comparison of the whole place, the later the dearer it is: the kernel may have
dropped events, and the watching library does not say so."""
REARM_S = 600.0


class Gone(Exception):
    """The place is not there as it was."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the config says around a watch. clone and globs: of the configured repository it lies in."""

    repo: str | None = None
    clone: str | None = None
    globs: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()


class Root:
    def __init__(
        self,
        watch: Watch,
        around: Surroundings,
        journal: Journal,
        clock: Clock,
        problems: Problems,
        listening: Listener,
    ) -> None:
        self.watch = watch
        self.state = "waiting"
        self.detail = "opening"
        self.last_at: int | None = None
        self._spec = watch.spec
        self._around = around
        self._clock = clock
        self._problems = problems
        self._listening = listening
        self._ledger = Ledger(journal, watch.id)
        self._part = f"files:{watch.spec.name}"
        self._tree = self._make_tree(is_file=False)
        self._head = Head("", "")
        self._reset()

    def _reset(self) -> None:
        self._burst = Burst()
        self._bell = asyncio.Event()
        self._is_gone = False
        self._deaf: tuple[str, str] | None = None
        self._poll_at: float | None = None
        self._check_at: float | None = None
        self._rearm_at = 0.0
        self._scan_s = 0.0
        self._files = 0
        self._filler: Filler | None = None
        self._fill_at: float | None = None

    async def run(self) -> None:
        """Forever; cancelled to stop."""
        pause = RETRY_S[0]
        try:
            while True:
                self._reset()
                try:
                    await self._open()
                    pause = RETRY_S[0]
                    await self._serve()
                except (OSError, Gone) as error:
                    self._trouble(error)
                self._listening.drop(self._tree)
                await asyncio.sleep(pause)
                pause = min(pause * 2, RETRY_S[1])
        finally:
            self._listening.drop(self._tree)
            self._problems.set(self._part, None)

    def heard(self, heard: Heard) -> None:
        """Take what the listening noticed."""
        if heard.deaf is not None:
            self._deaf = heard.deaf
        if heard.is_gone:
            self._is_gone = True
        if heard.names or heard.subtrees or heard.lost or heard.rules:
            self._burst.hear(heard, self._clock.monotonic())
        self._bell.set()

    async def forget(self) -> None:
        """Drop what is saved of it: the row is gone."""
        await self._ledger.forget()

    def _make_tree(self, *, is_file: bool) -> Tree:
        clone = self._around.clone
        return Tree(
            self._spec.path,
            is_file=is_file,
            match=self._spec.match,
            repo=(clone, self._around.globs) if clone is not None else None,
            excluded=self._around.excluded,
        )

    # --- opening

    async def _open(self) -> None:
        head = await self._ledger.head()
        self._tree = tree = self._make_tree(is_file=self._is_file(head))
        if tree.is_ours:
            self._say(
                "problem", "lies in Nightclaw's own home, which is never watched", "watch another place"
            )
            await asyncio.Event().wait()
        tree.dirs = await asyncio.to_thread(tree.walk)
        await self._arm()
        shape = "\0".join([tree.base, tree.only, *self._spec.match, "", *self._around.globs])
        shape = hashlib.blake2b(shape.encode(errors="replace"), digest_size=8).hexdigest()
        if head is None or head.shape != shape:
            await self._baseline(shape)
        else:
            self._head = head
            await self._flush(Burst.of_everything(), "catch-up")
        if not self._head.is_hashed:
            self._filler = Filler(tree, self._ledger, self._clock)
            self._fill_at = self._clock.monotonic()
        self._well()

    def _is_file(self, head: Head | None) -> bool:
        """A file that is away for the moment is still a file, when its directory is there."""
        path = self._spec.path
        if os.path.isdir(path):
            return False
        if os.path.isfile(path):
            return True
        if head is not None and head.is_file and os.path.isdir(os.path.dirname(path)):
            return True
        raise FileNotFoundError(2, "does not exist", path)

    async def _arm(self) -> None:
        self._rearm_at = self._clock.monotonic() + REARM_S
        try:
            await self._listening.arm(self._tree, self._spec.quiet_s, self.heard)
        except Deaf as error:
            self._go_deaf(str(error), error.hint)
        else:
            self._poll_at = self._deaf = None

    def _go_deaf(self, message: str, hint: str) -> None:
        self._deaf = (message, hint)
        self._listening.drop(self._tree)
        self._poll_at = self._clock.monotonic() + self._spaced(50, POLL_S)

    async def _baseline(self, shape: str) -> None:
        began = self._clock.monotonic()
        first = await first_look(self._tree, self._ledger, self._clock, shape, self.watch.id)
        self._head, self._files = first.head, first.files
        self._scan_s = self._clock.monotonic() - began
        if strays := first.dirs - self._tree.dirs:  # made after the walk: not listened to yet
            await self._extend(strays)
            burst = Burst()
            burst.hear(Heard(subtrees=strays), began)
            await self._flush(burst, "edit")

    # --- serving

    async def _serve(self) -> None:
        while True:
            now = self._clock.monotonic()
            if self._is_gone:
                raise Gone("was moved or removed")
            if self._deaf is not None and self._poll_at is None:
                self._go_deaf(*self._deaf)
                self._well()
            due = self._burst.due_at(self._spec.quiet_s)
            if due is not None and due <= now:
                burst, self._burst = self._burst, Burst()
                await self._flush(burst, "edit")
            elif self._is_due(self._poll_at, now) or self._is_due(self._check_at, now):
                await self._look_again(now)
            elif self._is_due(self._fill_at, now):
                await self._fill_some()
            else:
                await self._wait([due, self._poll_at, self._check_at, self._fill_at], now)

    async def _look_again(self, now: float) -> None:
        """Compare all: listening is impossible here, or a burst may have been more than was heard."""
        self._check_at = None
        kept = await asyncio.to_thread(self._tree.walk)
        if self._deaf is not None:
            self._tree.dirs = kept
            if now >= self._rearm_at:
                await self._arm()
        elif kept - self._tree.dirs:
            await self._extend(kept - self._tree.dirs)
        await self._flush(Burst.of_everything(), "check")
        if self._deaf is not None:
            self._poll_at = self._clock.monotonic() + self._spaced(50, POLL_S)
        self._well()

    @staticmethod
    def _is_due(at: float | None, now: float) -> bool:
        return at is not None and at <= now

    async def _wait(self, timers: Sequence[float | None], now: float) -> None:
        due = [t for t in timers if t is not None]
        try:
            async with asyncio.timeout(max(min(due) - now, 0.0) if due else None):
                await self._bell.wait()
        except TimeoutError:
            pass
        self._bell.clear()

    async def _flush(self, burst: Burst, why: str) -> None:
        """Compare what the burst names, and tell what came out."""
        began = self._clock.monotonic()
        outcome = await self._compare(burst, began)
        for _ in range(5):
            if not outcome.strays:
                break
            strays = outcome.strays
            await self._extend(strays)
            burst.subtrees |= strays
            outcome = await self._compare(burst, began)
        await self._settle(outcome, why)
        if burst.is_rescan:
            self._files = outcome.files
            self._scan_s = self._clock.monotonic() - began
            self._check_at = None
        elif self._deaf is None:
            self._check_at = self._check_at or self._clock.monotonic() + self._spaced(1000, CHECK_S)

    async def _compare(self, burst: Burst, began: float) -> Outcome:
        tree, key = self._tree, self._ledger.key("")
        device = await asyncio.to_thread(tree.device)
        if burst.is_rescan:
            pages = await self._ledger.everything()
            was_empty = not pages
            moment = moment_of(self._clock, self._visible_ns(burst))
            outcome = await asyncio.to_thread(compare_tree, tree, "", pages, key, moment)
            if device != self._head.device and not outcome.files and not was_empty:
                raise Gone("is empty and on another device than before: is it mounted?")
            return outcome
        moment = moment_of(self._clock)
        tops = [s for s in burst.subtrees if not any(s.startswith(f"{o}/") for o in burst.subtrees)]
        outcome = Outcome()
        for top in sorted(tops):
            pages = await self._ledger.under(top)
            outcome.add(await asyncio.to_thread(compare_tree, tree, top, pages, key, moment))
        names = {
            d: n for d, n in burst.names.items() if not any(d == t or d.startswith(f"{t}/") for t in tops)
        }
        pages = await self._ledger.some(names)
        outcome.add(await asyncio.to_thread(compare_names, tree, names, pages, key, moment))
        return outcome

    def _visible_ns(self, burst: Burst) -> int | None:
        """From when on a file must have changed to count as new, when the ignore files are not as they were."""
        if burst.rules:
            ago_ms = burst.began_s_ago(self._clock.monotonic()) * 1000
            return int(self._clock.now_ms() - ago_ms - 100) * 1_000_000
        if self._tree.rules_digest != self._head.rules:
            return self._head.at * 1_000_000
        return None

    async def _settle(self, outcome: Outcome, why: str) -> None:
        """One signal and all new fingerprints in one transaction; without changes, the fingerprints alone."""
        head = self._head.next(
            at=self._clock.now_ms(), rules=self._tree.rules_digest, device=self._tree.device()
        )
        if outcome.changes:
            head = head.next(count=head.count + 1)
            for change, _ in outcome.changes.values():
                self._files += (change is Change.CREATED) - (change is Change.DELETED)
            draft = await asyncio.to_thread(
                draft_of, self._spec, self._around.repo, head.generation, outcome, why
            )
            failpoints.hit("files.before_emit")
            await self._ledger.emit(draft, outcome.states, head)
            failpoints.hit("files.emitted")
            self.last_at = head.at
        elif outcome.states or (head.rules, head.device) != (self._head.rules, self._head.device):
            await self._ledger.save(outcome.states)
            await self._ledger.save_head(head)
        self._head = head

    async def _extend(self, dirs: set[str]) -> None:
        if self._deaf is not None:
            self._tree.dirs |= dirs
            return
        await self._listening.extend(self._tree, dirs)

    async def _fill_some(self) -> None:
        began = self._clock.monotonic()
        if self._filler is not None and await self._filler.fill_some():
            now = self._clock.monotonic()
            self._fill_at = now + 4 * (now - began)
            return
        self._filler = self._fill_at = None
        self._head = self._head.next(is_hashed=True)
        await self._ledger.save_head(self._head)

    # --- small parts

    def _spaced(self, factor: float, bounds: tuple[float, float]) -> float:
        return min(max(self._scan_s * factor, bounds[0]), bounds[1])

    def _well(self) -> None:
        dirs = len(self._tree.dirs)
        self.detail = f"{self._files} files in {dirs} {'directory' if dirs == 1 else 'directories'}"
        if self._deaf is None:
            self.state = "ok"
            self._problems.set(self._part, None)
        else:
            message, hint = self._deaf
            self._say("problem", f"is looked at every {self._spaced(50, POLL_S):.0f} s: {message}", hint)

    def _trouble(self, error: OSError | Gone) -> None:
        if isinstance(error, Gone):
            self._say("problem", str(error), "changes are caught up when it is back")
        elif isinstance(error, PermissionError):
            self._say("problem", "cannot be read", "make it readable for the daemon's user")
        else:
            said = (error.strerror or str(error)).lower()
            self._say("problem", said, "changes are caught up when it is back, or take the watch out")

    def _say(self, state: str, problem: str, hint: str) -> None:
        self.state, self.detail = state, problem
        self._problems.set(self._part, f"{self._spec.path} {problem}", hint)
