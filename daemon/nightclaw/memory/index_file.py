"""MEMORY.md on the disk: written after the topics it names, and read for what the owner changed in it.

A title or hint changed in its list is the topic's, words about the owner changed there are a new version of that
memory; all else the owner wrote stays where it is.
"""

import asyncio
from pathlib import Path

from nightclaw.core import failpoints
from nightclaw.core.ports import Clock, Problems
from nightclaw.memory import disk, edits, index
from nightclaw.memory.disk import Overtaken, Sign, Unusable
from nightclaw.store import topics
from nightclaw.store.db import Connection, Store
from nightclaw.store.topics import Topic

NAME = "MEMORY.md"


class IndexFile:
    """sign: of the file as it was seen last. is_dirty: it may not say what the rows say."""

    def __init__(self, store: Store, clock: Clock, top: Path, problems: Problems) -> None:
        self._store = store
        self._clock = clock
        self._problems = problems
        self._topics = top / "topics"
        self.path = top / NAME
        self.sign: Sign | None = None
        self.is_dirty = True

    async def take_edits(self) -> set[str]:
        """Take over what the owner changed in the list; the topics that are called otherwise now."""
        try:
            held = await asyncio.to_thread(disk.read, self.path)
        except Unusable:
            return set()
        topic = await self._store.read(topics.get, topics.INDEX)
        if held is None or topic is None or topic.digest in (None, topics.digest(held.text)):
            return set()
        listed = topic.text.split("\n")
        named, reworded = index.renamed(held.text, listed), index.reworded(held.text, listed)
        now = self._clock.now_ms()

        def take(conn: Connection) -> None:
            for new in named:
                was = topics.get(conn, new.name)
                hook = new.hook if new.hook is not None else was.hook if was else ""
                topics.name_it(conn, new.name, new.title, hook, now)
            for memory_id, words in reworded:
                edits.reword(conn, memory_id, words, now)

        if named or reworded:
            await self._store.write(take)
        return {n.name for n in named}

    async def sync(self) -> None:
        """Write the list as it is now; only pages whose file is there are in it. Raises OSError."""
        try:
            await self._write()
            self.is_dirty = False
            self._tell(None)
        except Unusable as error:
            self.is_dirty = False
            self.sign = disk.sign_of(self.path)
            self._tell(error)
        except Overtaken:
            self.is_dirty = True

    async def _write(self) -> None:
        held = await asyncio.to_thread(disk.read, self.path)
        there = await asyncio.to_thread(self.files_there)

        def read(conn: Connection) -> tuple[list[str], Topic | None]:
            rendered = {t.name for t in topics.heads(conn).values() if t.digest is not None}
            return index.entries(conn, rendered & there), topics.get(conn, topics.INDEX)

        listed, topic = await self._store.read(read)
        text = index.page(held.text if held is not None else None, listed)
        if text is None:
            self.sign = held.sign if held is not None else None
            return
        if held is None or held.text != text:
            held = await asyncio.to_thread(disk.write, self.path, text, held)
            failpoints.hit("memory.index_written")
        self.sign = held.sign
        if topic is None or topic.digest != topics.digest(text):
            now = self._clock.now_ms()
            await self._store.write(topics.note_rendered, topics.INDEX, "Memory", text, [], now)
        said = (
            f"{NAME} is over {index.LINES} lines or {index.BYTES // 1000} KB: prompts get only its beginning"
        )
        remedy = "move what you wrote there into topics/"
        self._problems.set("memory.index", said if index.is_too_long(text) else None, remedy)

    def files_there(self) -> set[str]:
        """The pages that have a file."""
        return {path.stem for path in self._topics.glob("*.md") if path.is_file() and not path.is_symlink()}

    def _tell(self, error: Unusable | None) -> None:
        if error is None:
            self._problems.set(f"memory.{NAME}", None)
        else:
            line = f" line {error.fault.line}" if error.fault.line else ""
            said = f"memory/{NAME}{line}: {error.fault.said}"
            self._problems.set(f"memory.{NAME}", said, error.fault.remedy)
