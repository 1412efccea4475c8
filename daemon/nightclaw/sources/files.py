"""Watches directories and files of the owner's choice and tells each burst of changes as one signal.

Directories are watched one by one, never recursively, so that what is ignored costs nothing. Whatever the library
says is a hint where to look; what is told comes from comparing fingerprints (files_diff) that are saved with the
signal (files_root), so a change is told once: not twice after a crash, and not never.
"""

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Generator, Sequence
from pathlib import Path
from typing import Protocol

from watchfiles import Change, watch

from nightclaw.core.errors import StoreBusy, StoreUnavailable
from nightclaw.core.ports import Clock, Journal, Problems
from nightclaw.core.types import JSON
from nightclaw.core.watch import Watch
from nightclaw.sources.files_listen import Ears, Hint, Listener
from nightclaw.sources.files_root import Root, Surroundings

logging.getLogger("watchfiles").setLevel(logging.WARNING)


class Watcher:
    """Ears of the library on these directories. Raises what the library raises: OSError, RuntimeError."""

    def __init__(self, dirs: Sequence[str]) -> None:
        self._changes: Generator[set[tuple[Change, str]], None, None] = watch(
            *dirs,
            watch_filter=None,
            debounce=20,
            step=1,
            rust_timeout=1,
            yield_on_timeout=True,
            recursive=False,
            force_polling=False,
            ignore_permission_denied=False,  # True also hides that the watch limit was hit
            raise_interrupt=False,
        )
        self._first = next(self._changes)

    def poll(self) -> set[Hint]:
        first, self._first = self._first, set[tuple[Change, str]]()
        return {(int(change), path) for change, path in first | next(self._changes, set())}

    def close(self) -> None:
        self._changes.close()


class Clone(Protocol):
    """A `[[github.repo]]`."""

    @property
    def name(self) -> str: ...
    @property
    def path(self) -> Path | None: ...
    @property
    def paths(self) -> Sequence[str]: ...


class Clones(Protocol):
    @property
    def repo(self) -> Sequence[Clone]: ...


class FilesConfig(Protocol):
    """What of the config matters here."""

    @property
    def home(self) -> Path: ...
    @property
    def github(self) -> Clones: ...


class Files:
    """The source: one task a watch row. `rows` gives the rows there are now; `reload` has it asked again."""

    name = "files"

    def __init__(
        self,
        config: FilesConfig,
        journal: Journal,
        clock: Clock,
        problems: Problems,
        rows: Callable[[], Awaitable[list[Watch]]],
        hear: Callable[[Sequence[str]], Ears] = Watcher,
    ) -> None:
        self._config = config
        self._journal = journal
        self._clock = clock
        self._problems = problems
        self._rows = rows
        self._hear = hear
        self._changed = asyncio.Event()
        self._roots: dict[str, tuple[object, Root, asyncio.Task[None]]] = {}

    def reload(self, config: FilesConfig | None = None) -> None:
        """Read the rows again; with a config, what they lie in, too. Event loop only."""
        self._config = config or self._config
        self._changed.set()

    def describe(self) -> dict[str, JSON]:
        roots = [root for _, root, _ in self._roots.values()]
        states = {root.state for root in roots}
        state = next((s for s in ("problem", "waiting", "ok") if s in states), "off")
        watches: list[JSON] = [
            {
                "id": r.watch.id,
                "name": r.watch.spec.name,
                "path": r.watch.spec.path,
                "state": r.state,
                "detail": r.detail,
            }
            for r in roots
        ]
        return {
            "name": self.name,
            "kind": "file",
            "state": state,
            "last_at": max((r.last_at for r in roots if r.last_at is not None), default=None),
            "detail": f"{len(roots)} {'place' if len(roots) == 1 else 'places'} watched"
            if roots
            else "no watches",
            "watches": watches,
        }

    async def run(self) -> None:
        """Forever; cancelled to stop. Raises what a place's task raises."""
        listener = Listener(self._clock, self._hear)
        self._roots = {}
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(listener.run())
                while True:
                    self._changed.clear()
                    await self._sync(group, listener, await self._wanted())
                    await self._changed.wait()
        finally:
            listener.stop()
            self._roots = {}

    async def _wanted(self) -> list[Watch]:
        while True:
            try:
                return await self._rows()
            except (StoreBusy, StoreUnavailable):
                await asyncio.sleep(1.0)

    async def _sync(self, group: asyncio.TaskGroup, listener: Listener, rows: list[Watch]) -> None:
        wanted = {row.id: (row, (row.spec, self._around(row))) for row in rows}
        for watch_id, (said, root, task) in list(self._roots.items()):
            if watch_id in wanted and wanted[watch_id][1] == said:
                continue
            task.cancel()
            await asyncio.wait([task])
            del self._roots[watch_id]
            if watch_id not in wanted:
                await root.forget()
        for watch_id, (row, said) in wanted.items():
            if watch_id not in self._roots:
                root = Root(row, said[1], self._journal, self._clock, self._problems, listener)
                task = group.create_task(root.run(), name=f"files:{row.spec.name}")
                self._roots[watch_id] = (said, root, task)

    def _around(self, row: Watch) -> Surroundings:
        """The configured repository the watch lies in (the innermost clone), and what is ours."""
        home = os.path.realpath(self._config.home)
        real = os.path.realpath(row.spec.path)
        around: list[tuple[int, Clone, str]] = []
        for repo in self._config.github.repo:
            clone = os.path.realpath(repo.path) if repo.path is not None else ""
            if clone and (real == clone or real.startswith(f"{clone}/")):
                around.append((len(clone), repo, clone))
        if not around:
            return Surroundings(repo=row.spec.repo, excluded=(home,))
        _, repo, clone = max(around, key=lambda found: found[0])
        name = row.spec.repo or (repo.name if not set(repo.name) & set("*?[") else None)
        return Surroundings(name, clone, tuple(repo.paths), (home,))
