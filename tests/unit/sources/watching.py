"""A desk to watch files at: a journal that checks its caller, a source that runs, and the news it told."""

import asyncio
import json
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from nightclaw.clock import SystemClock
from nightclaw.core.errors import StoreBusy
from nightclaw.core.trust import Trust
from nightclaw.core.types import JSON, Intake, SignalDraft, Source
from nightclaw.core.watch import Watch, WatchSpec
from nightclaw.problems import Problems
from nightclaw.sources.files import Files, Watcher
from nightclaw.sources.files_listen import Ears

DEADLINE_S = 30.0


class RecordingJournal:
    """core.ports.Journal in memory. All or nothing, text that SQLite can hold, keys of the caller's own."""

    def __init__(self) -> None:
        self.drafts: list[SignalDraft] = []
        self.states: dict[str, str] = {}
        self.writes: list[set[str]] = []
        self.busy = 0
        self.news = asyncio.Event()

    async def emit(self, draft: SignalDraft, states: Mapping[str, JSON] | None = None) -> Intake:
        return (await self.emit_all([draft], states or {}))[0]

    async def emit_all(self, drafts: Sequence[SignalDraft], states: Mapping[str, JSON]) -> list[Intake]:
        self._serve_or_refuse()
        held = {d.dedupe_key: n for n, d in enumerate(self.drafts)}
        found: list[Intake] = []
        for draft in drafts:
            assert (draft.source, draft.trust) == (Source.FILE, Trust.REPO)
            assert draft.title == " ".join(draft.title.split())
            assert len(json.dumps(draft.attrs).encode()) < 20_000
            assert json.loads(draft.raw or b"null")
            assert states, "a signal without its fingerprints would be told again"
            if draft.dedupe_key in held:
                found.append(Intake(f"sig_{held[draft.dedupe_key]}", duplicate=True))
                continue
            self.drafts.append(draft)
            found.append(Intake(f"sig_{len(self.drafts) - 1}", duplicate=False))
        self._keep(states)
        self.news.set()
        return found

    async def save(self, states: Mapping[str, JSON]) -> None:
        self._serve_or_refuse()
        self._keep(states)
        self.news.set()

    async def load(self, key: str) -> JSON:
        await asyncio.sleep(0)
        return json.loads(self.states[key]) if key in self.states else None

    async def load_all(self, prefix: str) -> dict[str, JSON]:
        await asyncio.sleep(0)
        return {k: json.loads(v) for k, v in self.states.items() if k.startswith(prefix)}

    async def holds(self, source: str, dedupe_keys: Sequence[str]) -> set[str]:
        return {d.dedupe_key for d in self.drafts if d.source == source} & set(dedupe_keys)

    async def facts(self, prefix: str) -> dict[str, JSON]:
        raise AssertionError("files have no facts")

    def _serve_or_refuse(self) -> None:
        if self.busy > 0:
            self.busy -= 1
            raise StoreBusy("the write queue is full")

    def _keep(self, states: Mapping[str, JSON]) -> None:
        for key, value in states.items():
            assert key.startswith("files:wat_"), key
            text = json.dumps(value, ensure_ascii=False)
            text.encode()
            if value is None:
                self.states.pop(key, None)
            else:
                self.states[key] = text
        self.writes.append(set(states))


@dataclass
class Clone:
    name: str
    path: Path | None
    paths: Sequence[str] = ()


@dataclass
class Clones:
    repo: Sequence[Clone] = ()


@dataclass
class Settings:
    home: Path
    github: Clones = field(default_factory=Clones)


class Desk:
    """One journal, and the source started on it as often as a test likes."""

    def __init__(self, home: Path) -> None:
        self.settings = Settings(home)
        self.journal = RecordingJournal()
        self.problems = Problems()
        self.rows: list[Watch] = []
        self.seen = 0
        self.heard_in: list[str] = []
        self.files: Files | None = None
        self.task: asyncio.Task[None] | None = None
        self.hear: Callable[[Sequence[str]], Ears] = Watcher

    def add(self, path: Path, name: str = "app", quiet_s: float = 0.15, **said: object) -> Watch:
        spec = WatchSpec(name, str(path), quiet_s=quiet_s, **said)  # pyright: ignore[reportArgumentType]
        row = Watch(f"wat_{len(self.rows):026}", "api", spec, 0)
        self.rows.append(row)
        return row

    @asynccontextmanager
    async def watching(self, *, wait: bool = True):
        """The source runs inside the block; on entry every place is ready."""

        async def rows() -> list[Watch]:
            return list(self.rows)

        def hear(folders: Sequence[str]) -> Ears:
            self.heard_in += folders
            return self.hear(folders)

        self.files = Files(self.settings, self.journal, SystemClock(), self.problems, rows, hear)
        self.task = task = asyncio.create_task(self.files.run())
        try:
            if wait:
                await self.ready()
            yield self.files
            assert not task.done(), task.exception()
        finally:
            task.cancel()
            await asyncio.wait([task])
            if not task.cancelled():
                task.result()

    async def ready(self) -> None:
        await self.until(lambda: self.states() == ["ok"] * len(self.rows))

    def states(self) -> list[JSON]:
        watches = self.files.describe()["watches"] if self.files else []
        assert isinstance(watches, list)
        return [w["state"] for w in watches if isinstance(w, dict)]

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for `condition`, looked at whenever something was saved, and now and then."""
        end = time.monotonic() + DEADLINE_S
        while not condition():
            assert self.task is not None and not self.task.done(), "the source ended"
            assert time.monotonic() < end, (
                f"not within {DEADLINE_S} s: {self.states()} {self.problems.as_json()}"
            )
            await self._news(0.02)

    async def told(self) -> SignalDraft:
        """The next signal; there must not be a second one with it."""
        await self.until(lambda: len(self.journal.drafts) > self.seen)
        self.seen += 1
        return self.journal.drafts[self.seen - 1]

    async def changes(self) -> tuple[list[str], list[str], list[str]]:
        """Of the next signal: paths created, modified, deleted."""
        return changes_of(await self.told())

    async def _news(self, timeout_s: float) -> None:
        self.journal.news.clear()
        try:
            async with asyncio.timeout(timeout_s):
                await self.journal.news.wait()
        except TimeoutError:
            pass


def changes_of(draft: SignalDraft) -> tuple[list[str], list[str], list[str]]:
    payload = json.loads(draft.raw or b"")
    created, deleted = payload["created"], payload["deleted"]
    modified = [p for p in payload["paths"] if p not in set(created) | set(deleted)]
    counts = {"count": len(payload["paths"]), "created": len(created), "modified": len(modified)}
    assert counts | {"deleted": len(deleted)} == {k: draft.attrs[k] for k in (*counts, "deleted")}
    return created, modified, deleted


def write(path: Path, text: str = "x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path
