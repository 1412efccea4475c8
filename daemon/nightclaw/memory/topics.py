"""Memory as files the owner can read and edit: rows are the truth, the files are kept in step with them, both ways.

Guarantees. A topic file is whole under its name before the index names it, and is no longer named before it goes. What
the owner wrote is never rewritten: rows are woven into their text, and a file that cannot be taken over stays as it is
and is told as a problem with its remedy. A file that is gone is written anew: forgetting takes removing its bullets.
An edit is taken over once, whatever happens meanwhile: rows first, then the ids in the file.
"""

import asyncio
import os
import stat
from collections.abc import Callable, Collection
from pathlib import Path
from typing import TypeVar

from nightclaw.core import failpoints
from nightclaw.core.errors import StoreBusy, StoreUnavailable
from nightclaw.core.ports import Clock, Problems
from nightclaw.core.topic import is_name
from nightclaw.memory import disk, edits, markdown
from nightclaw.memory.disk import Held, Overtaken, Sign, Unusable
from nightclaw.memory.index_file import IndexFile
from nightclaw.memory.markdown import Fault, Parsed
from nightclaw.memory.pages import Picture, check_name, fates_of, head_differs, picture_of, take_head
from nightclaw.store import topics
from nightclaw.store.db import Connection, Store

T = TypeVar("T")

IDLE_S, BUSY_S, SETTLE_S = 5.0, 1.0, 1.0
"""How often the files are looked at, at rest and while they change; and how long a file must have been left alone."""
_GATHER_S = 0.1
_BUSY_FOR_S = 30.0
_TOLD_FOR_S = 600.0
_PAGE = 500
_INDEX = "/"  # no page can be called so
_KINDS = frozenset(topics.KINDS)


class MemoryFiles:
    """`run()` forever. `look()` takes edits over now; `render()` writes pages now."""

    name = "memory"

    def __init__(self, store: Store, clock: Clock, home: Path, problems: Problems) -> None:
        self._store = store
        self._clock = clock
        self._top = home / "memory"
        self._folder = self._top / "topics"
        self._problems = problems
        self._index = IndexFile(store, clock, self._top, problems)
        self._turn = asyncio.Lock()
        self._cursor: int | None = None  # events read; None before the first look
        self._saved: int | None = None
        self._touched = False  # since the cursor was saved
        self._dirty: set[str] = set()
        self._seen: dict[str, Sign] = {}
        self._faults: dict[str, list[Fault]] = {}
        self._kept_faults: dict[str, list[Fault]] = {}  # of lines, as long as the file stays as it is
        self._gone: dict[str, float] = {}
        self._changed_at = clock.monotonic() - _BUSY_FOR_S
        self.is_pending = False

    async def run(self) -> None:
        wait_s = BUSY_S
        while True:
            try:
                await self.look()
                await self._follow()
                wait_s = IDLE_S if not self._is_busy() else BUSY_S
            except (StoreBusy, StoreUnavailable):
                wait_s = min(wait_s * 2, 30.0)
            except OSError as error:
                self._problems.set(
                    "memory", f"the memory files cannot be written: {error.strerror or error}",
                    "make the memory folder of the home writable and free some space",
                )  # fmt: skip
                wait_s = min(wait_s * 2, 30.0)
            else:
                self._problems.set("memory", None)
            await self._rest(wait_s)

    async def _rest(self, wait_s: float) -> None:
        """Until memory changed, or for `wait_s`: other events wake nobody for long."""
        end = self._clock.monotonic() + wait_s
        while (left := end - self._clock.monotonic()) > 0:
            if not await self._store.head.wait_past(self._cursor or 0, left, _KINDS):
                return
            await asyncio.sleep(_GATHER_S)
            if await self._read_events():
                return

    async def look(self) -> bool:
        """Take over what the owner changed and left alone since; True when there was something."""
        async with self._turn:
            if self._cursor is None:
                await self._begin()
            found = self._signs()  # a few lstat: cheaper than waking a thread
            return await self._take_changes(found)

    async def render(self, pages: Collection[str]) -> None:
        """Write these pages and the index."""
        async with self._turn:
            if self._cursor is None:
                await self._begin()
            await self._read_events()
            self._dirty |= set(pages)
            await self._write_dirty()

    async def alone(self, work: Callable[[], T]) -> T:
        """Run `work` in a thread while nothing here reads or writes the files; afterwards all are looked at anew."""
        async with self._turn:
            try:
                return await asyncio.to_thread(work)
            finally:
                self._seen.clear()
                self._index.sign = None
                self._index.is_dirty = True

    # Following rows

    async def _begin(self) -> None:
        await asyncio.to_thread(self._clean)
        self._saved = await self._store.read(topics.cursor)
        heads = await self._store.read(topics.heads)
        there = await asyncio.to_thread(self._index.files_there)
        self._dirty |= {n for n, t in heads.items() if t.digest is not None and n != topics.INDEX} - there
        if self._saved is None:
            self._dirty |= set(await self._store.read(topics.pages))
        self._cursor = self._saved or 0
        await self._read_events()

    def _clean(self) -> None:
        for folder in (self._top, self._folder):
            disk.clean(folder)

    async def _read_events(self) -> bool:
        """Note which pages changed; True when some did."""
        touched, at = await self._store.read(topics.changed_since, self._cursor or 0, _PAGE)
        if touched is None:
            named = await self._store.read(lambda conn: {*topics.pages(conn), *topics.heads(conn)})
            touched = named - {topics.INDEX}
        self._dirty |= touched
        self._touched = self._touched or bool(touched)
        self._cursor = max(at, self._cursor or 0)
        return bool(touched)

    async def _follow(self) -> None:
        async with self._turn:
            await self._read_events()
            await self._write_dirty()

    async def _write_dirty(self) -> None:
        if self._dirty:
            self._index.is_dirty = True
        for name in sorted(self._dirty):
            await self._sync(name)
        if self._index.is_dirty:
            await self._sync_index()
        if not self._dirty and not self._index.is_dirty and self._cursor is not None:
            await self._save_cursor(self._cursor)

    async def _save_cursor(self, at: int) -> None:
        """Rows up to here are in the files; now and then, for an older cursor only costs another look."""
        if self._saved is None or self._touched or at - self._saved > _PAGE:
            await self._store.write(topics.save_cursor, at)
            self._saved, self._touched = at, False

    # Looking at files

    def _is_busy(self) -> bool:
        return self.is_pending or self._clock.monotonic() - self._changed_at < _BUSY_FOR_S

    def _signs(self) -> dict[str, Sign]:
        """What stands in the folder, by page name; the index under its own."""
        found: dict[str, Sign] = {}
        try:
            entries = list(os.scandir(self._folder))
        except OSError:
            entries = []
        for entry in entries:
            if entry.name.endswith(".md") and not entry.name.startswith("."):
                sign = disk.sign_of(Path(entry.path))
                if sign is not None:
                    found[entry.name.removesuffix(".md")] = sign
        sign = disk.sign_of(self._index.path)
        if sign is not None:
            found[_INDEX] = sign
        return found

    async def _take_changes(self, found: dict[str, Sign]) -> bool:
        self.is_pending, took = False, False
        for name in sorted({*found, *self._seen, _INDEX}):
            sign, before = found.get(name), self._seen.get(name)
            if name == _INDEX:
                before = self._index.sign
            if sign == before:
                continue
            self._changed_at = self._clock.monotonic()
            if sign is not None and self._is_fresh(sign, before):
                self.is_pending = True
                continue
            took = True
            if name == _INDEX:
                self._index.is_dirty = True
            else:
                self._dirty.add(name)
        if took:
            await self._read_events()
            await self._write_dirty()
        self._forget_old_news()
        return took

    def _is_fresh(self, sign: Sign, before: Sign | None) -> bool:
        """Somebody may still be writing it."""
        if not stat.S_ISREG(sign[3]) or (before is not None and before[:3] == sign[:3]):
            return False
        return 0 <= self._clock.now_ms() - sign[0] // 1_000_000 < SETTLE_S * 1000

    def _forget_old_news(self) -> None:
        for name, since in list(self._gone.items()):
            if self._clock.monotonic() - since > _TOLD_FOR_S:
                del self._gone[name]
                self._tell_gone()

    # One page

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.md"

    async def _sync(self, name: str) -> None:
        """Bring a page's rows and its file together; what cannot be done now stays dirty or is told."""
        path, faults = self._path(name), list[Fault]()
        self._dirty.discard(name)
        if disk.sign_of(path) is None:
            self._kept_faults.pop(name, None)
            if not is_name(name):  # it was renamed, as told
                self._seen.pop(name, None)
                self._faults.pop(name, None)
                self._tell(name)
                return
        try:
            check_name(name)
            held = await asyncio.to_thread(disk.read, path)
            parsed = markdown.parse(held.text) if held is not None and held.text.strip() else None
            if parsed is not None and parsed.fault is not None:
                raise Unusable(parsed.fault.said, parsed.fault.remedy, parsed.fault.line)
            picture = await self._picture(name, held, parsed)
            faults = self._kept_faults[name] = picture.faults
            await self._write_page(name, picture, parsed, held)
        except Unusable as error:
            faults = [*faults, error.fault]
            sign = disk.sign_of(path)
            if sign is not None:
                self._seen[name] = sign
        except Overtaken:
            self._dirty.add(name)
            self.is_pending = True
        except (OSError, StoreBusy, StoreUnavailable):
            self._dirty.add(name)
            raise
        self._faults[name] = faults
        self._tell(name)

    async def _picture(self, name: str, held: Held | None, parsed: Parsed | None) -> Picture:
        topic = await self._store.read(topics.get, name)
        was = topic.digest if topic is not None else None
        is_edited = parsed is not None and held is not None and topics.digest(held.text) != was
        elsewhere = await asyncio.to_thread(self._elsewhere, name) if is_edited else {}
        now = self._clock.now_ms()

        def take(conn: Connection) -> Picture:
            assert parsed is not None
            at = edits.place(conn, name, parsed.mark, elsewhere)
            applied = edits.apply(conn, parsed, at, now)
            take_head(conn, name, parsed, is_new=topic is None or was is None, now=now)
            return picture_of(conn, name, applied.fates, applied.faults, applied.leaving)

        if is_edited:
            self._changed_at = self._clock.monotonic()
            return await self._store.write(take)
        return await self._store.read(
            lambda conn: picture_of(conn, name, fates_of(conn, name, parsed), self._kept_faults.get(name, []))
        )

    def _elsewhere(self, name: str) -> dict[str, str]:
        """The block ids that stand in other files, with the file."""
        found: dict[str, str] = {}
        for path in sorted(self._folder.glob("*.md")):
            if path.stem != name and not path.name.startswith("."):
                found |= dict.fromkeys(disk.ids_in(path), path.name)
        return found

    async def _write_page(
        self, name: str, picture: Picture, parsed: Parsed | None, held: Held | None
    ) -> None:
        path, was_there = self._path(name), picture.topic is not None and picture.topic.digest is not None
        if parsed is not None and head_differs(parsed, picture):
            parsed = markdown.parse(markdown.headed(parsed, picture.frame))
        text = markdown.weave(parsed, picture.fates, picture.rows, picture.frame)
        if text is None:
            await self._remove_page(name, held, is_known=was_there)
            return
        if (held is None and was_there) or (held is not None and not held.text.strip()):
            self._gone[name] = self._clock.monotonic()
            self._tell_gone()
        if held is None or held.text != text:
            held = await asyncio.to_thread(disk.write, path, text, held)
        self._seen[name] = held.sign
        ids = [r.id for r in picture.rows]
        topic = picture.topic
        if topic is None or topic.digest != topics.digest(text) or topic.base(None) != frozenset(ids):
            failpoints.hit("memory.topic_written")
            await self._store.write(
                topics.note_rendered, name, picture.frame.title, text, ids, self._clock.now_ms(), picture.repo
            )
            self._index.is_dirty = True

    async def _remove_page(self, name: str, held: Held | None, *, is_known: bool) -> None:
        """The index stops naming the page, then its file goes."""
        if is_known:
            await self._store.write(topics.forget_file, name)
            await self._sync_index()
        if held is not None:
            await asyncio.to_thread(disk.remove, self._path(name), held)
        self._seen.pop(name, None)

    async def _sync_index(self) -> None:
        """MEMORY.md after its topics; a topic it calls otherwise now is written once more before."""
        for name in sorted(await self._index.take_edits()):
            await self._sync(name)
        await self._read_events()
        await self._index.sync()
        self.is_pending = self.is_pending or self._index.is_dirty

    # Telling

    def _tell(self, name: str) -> None:
        """The page's problem as status shows it."""
        file = f"topics/{name}.md"
        faults = self._faults.get(name, [])
        if faults:
            first = faults[0]
            where = f"memory/{file}" + (f" line {first.line}" if first.line else "")
            more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
            self._problems.set(f"memory.{name}", f"{where}: {first.said}{more}", first.remedy)
        else:
            self._problems.set(f"memory.{name}", None)

    def _tell_gone(self) -> None:
        """One problem for all files that came back lately."""
        first, *more = sorted(self._gone) or [""]
        were = f" and {len(more)} more were" if more else " was"
        said = f"memory/topics/{first}.md{were} gone or empty; written anew, nothing is forgotten"
        remedy = "to forget, remove bullets or use `clawctl memory forget`"
        self._problems.set("memory.*", said if first else None, remedy)
