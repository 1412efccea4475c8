"""The fingerprints of a watched place as they are saved: one small row a directory, so that one edit rewrites one.

A row holds `name/mtime/size/inode/digest` a file, joined by `//` (neither can be part of a name). A directory of
more than PAGE files is cut into shards by the name's CRC; its own row then holds their number. Rows live under
`files:<watch id>:<directory>`, shards under `…//<n>`, and what belongs to the whole place under `files:<watch id>`.
"""

import asyncio
import zlib
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from nightclaw.core.errors import StoreBusy, StoreUnavailable
from nightclaw.core.ports import Journal
from nightclaw.core.types import JSON, JSONObject, SignalDraft
from nightclaw.sources.files_tree import Print

T = TypeVar("T")

PAGE = 1024
FEW_DIRECTORIES = 48
"""Up to here directories are read one by one, beyond in one sweep."""
SAVED_AT_ONCE = 1000
RETRY_S = (0.2, 15.0)
"""Pauses while the store cannot serve, from the first to the longest."""


@dataclass(frozen=True, slots=True)
class Head:
    """What is known of the whole place. shape: of which spec it is the baseline. born and count make its generation.

    at: ms of the last save; device: of the root; rules: digest of the ignore files; is_hashed: the slow first
    hashing is over.
    """

    shape: str
    born: str
    count: int = 0
    at: int = 0
    device: int = 0
    rules: str = ""
    is_file: bool = False
    is_hashed: bool = False

    @property
    def generation(self) -> str:
        return f"{self.born}-{self.count}"

    def next(self, **changes: str | int | bool) -> "Head":
        return replace(self, **changes)

    def as_json(self) -> dict[str, JSON]:
        return {name: getattr(self, name) for name in self.__slots__}


def head_of(value: JSON) -> Head | None:
    """The head a row holds, None when there is none or it is of a shape unknown to this program."""
    if not isinstance(value, Mapping) or set(value) - set(Head.__slots__):
        return None
    try:
        return Head(**value)  # pyright: ignore[reportArgumentType]
    except TypeError:
        return None


@dataclass(slots=True)
class Page:
    """What is saved of one directory: its row, and all its shards or only those that were asked for."""

    key: str
    rows: dict[str, JSON] = field(default_factory=dict[str, JSON])
    is_whole: bool = True

    @property
    def shards(self) -> int:
        value = self.rows.get(self.key)
        return value if isinstance(value, int) else 1

    def prints(self) -> dict[str, Print]:
        found: dict[str, Print] = {}
        for value in self.rows.values():
            if isinstance(value, str):
                found.update(decode(value))
        return found

    def rewrite(self, prints: Mapping[str, Print]) -> dict[str, JSON]:
        """The rows to save so that what was read of the directory becomes `prints`; None: drop the row."""
        if self.is_whole:
            wanted = encode(self.key, prints)
            gone = [k for k in self.rows if k not in wanted]
        else:
            wanted: dict[str, JSON] = {k: "" for k in self.rows if k != self.key}
            wanted |= _cut(self.key, prints, self.shards)
            gone = []
        return {k: v for k, v in wanted.items() if (self.rows.get(k) or "") != v} | dict.fromkeys(gone)


def encode(key: str, prints: Mapping[str, Print]) -> dict[str, JSON]:
    """All rows of a directory; none for an empty one."""
    if not prints:
        return {}
    if len(prints) <= PAGE:
        return {key: _text(prints.items())}
    shards = 1 << ((len(prints) - 1) // (PAGE // 2)).bit_length()
    return {key: shards, **_cut(key, prints, shards)}


def decode(text: str) -> dict[str, Print]:
    found: dict[str, Print] = {}
    for entry in text.split("//") if text else ():
        name, mtime_ns, size, inode, digest = entry.split("/")
        found[name] = Print(int(mtime_ns, 16), int(size, 16), int(inode, 16), digest.strip("-"))
    return found


def shard_key(key: str, name: str, shards: int) -> str:
    return key if shards == 1 else f"{key}//{zlib.crc32(name.encode()) & (shards - 1)}"


def _cut(key: str, prints: Mapping[str, Print], shards: int) -> dict[str, JSON]:
    parts: dict[str, list[tuple[str, Print]]] = {}
    for name, kept in prints.items():
        parts.setdefault(shard_key(key, name, shards), []).append((name, kept))
    return {k: _text(items) for k, items in parts.items()}


def _text(items: Iterable[tuple[str, Print]]) -> str:
    return "//".join(
        f"{name}/{p.mtime_ns:x}/{p.size:x}/{p.inode:x}/{p.digest or '-'}" for name, p in sorted(items)
    )


class Ledger:
    """What is saved of one watch, read and written. A store that is full or out of order is waited for."""

    def __init__(self, journal: Journal, watch_id: str) -> None:
        self._journal = journal
        self.head_key = f"files:{watch_id}"

    def key(self, directory: str) -> str:
        return f"{self.head_key}:{directory}"

    async def head(self) -> Head | None:
        return head_of(await self._load(self.head_key))

    async def everything(self) -> dict[str, Page]:
        return self._pages(await _patiently(lambda: self._journal.load_all(self.key(""))))

    async def under(self, directory: str) -> dict[str, Page]:
        """The pages of a directory and of all below it."""
        if not directory:
            return await self.everything()
        pages = self._pages(await _patiently(lambda: self._journal.load_all(self.key(directory))))
        return {d: p for d, p in pages.items() if d == directory or d.startswith(f"{directory}/")}

    async def only(self, directory: str) -> Page:
        """The whole page of one directory."""
        page = await self._page(directory)
        if not page.is_whole:
            page.rows |= await _patiently(lambda: self._journal.load_all(f"{page.key}//"))
            page.is_whole = True
        return page

    async def some(self, names: Mapping[str, Iterable[str]]) -> dict[str, Page]:
        """The pages of these directories, of large ones only the shards that hold these names."""
        if len(names) > FEW_DIRECTORIES:
            return {d: p for d, p in (await self.everything()).items() if d in names}
        found: dict[str, Page] = {}
        for directory, wanted in names.items():
            page = await self._page(directory)
            for key in {shard_key(page.key, n, page.shards) for n in wanted} if page.shards > 1 else ():
                page.rows[key] = await self._load(key)
            found[directory] = page
        return found

    async def save(self, states: Mapping[str, JSON]) -> None:
        items = list(states.items())
        for i in range(0, len(items), SAVED_AT_ONCE):
            part = dict(items[i : i + SAVED_AT_ONCE])
            await _patiently(lambda part=part: self._journal.save(part))

    async def save_head(self, head: Head) -> None:
        await self.save({self.head_key: head.as_json()})

    async def emit(self, draft: SignalDraft, states: Mapping[str, JSON], head: Head) -> None:
        """The signal, the fingerprints it tells of and the head, all or none."""
        await _patiently(lambda: self._journal.emit(draft, {**states, self.head_key: head.as_json()}))

    async def forget(self) -> None:
        """Drop all that is saved of this watch, the head first."""
        rows = await _patiently(lambda: self._journal.load_all(self.key("")))
        await self.save(dict.fromkeys([self.head_key, *rows]))

    async def _load(self, key: str) -> JSON:
        return await _patiently(lambda: self._journal.load(key))

    async def _page(self, directory: str) -> Page:
        """The directory's own row; whole when that is all of it."""
        page = Page(self.key(directory))
        value = await self._load(page.key)
        if value is not None:
            page.rows[page.key] = value
        page.is_whole = page.shards == 1
        return page

    def _pages(self, rows: JSONObject) -> dict[str, Page]:
        cut = len(self.key(""))
        pages: dict[str, Page] = {}
        for key, value in rows.items():
            directory = key[cut:].partition("//")[0]
            page = pages.setdefault(directory, Page(self.key(directory)))
            page.rows[key] = value
        return pages


async def _patiently(call: Callable[[], Awaitable[T]]) -> T:
    pause = RETRY_S[0]
    while True:
        try:
            return await call()
        except (StoreBusy, StoreUnavailable):
            await asyncio.sleep(pause)
            pause = min(pause * 2, RETRY_S[1])
