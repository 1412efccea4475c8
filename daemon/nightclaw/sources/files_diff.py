"""What is on the disk against what was saved: the changes, and the rows that make the two agree again.

A file has changed when its content has: time, size and inode only say where to look. Only where there is no hash
(a file over 5 MB, an unreadable one, one never hashed yet) do size and time decide. What merely became ignored is
not deleted, and what merely stopped being ignored is not created.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from nightclaw.core.types import JSON
from nightclaw.sources.files_ledger import Page, encode
from nightclaw.sources.files_tree import HASH_LIMIT, Listing, Print, Tree

SLICE_FILES = 4000


class Change(StrEnum):
    CREATED = "created"
    MODIFIED = "modified"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class Moment:
    """When a comparison is made. A file newer than `racy_ns` may change again within the same tick of the file
    system's clock, so its time is not trusted later. `visible_ns`: the ignore files changed; what is new to us but
    older than this only became visible. Nanoseconds since 1970."""

    racy_ns: int
    visible_ns: int | None = None


@dataclass(slots=True)
class Outcome:
    """changes: path → (what, mark); the mark stands for the content. strays: kept directories nobody watches."""

    changes: dict[str, tuple[Change, str]] = field(default_factory=dict[str, tuple[Change, str]])
    states: dict[str, JSON] = field(default_factory=dict[str, JSON])
    strays: set[str] = field(default_factory=set[str])
    files: int = 0

    def add(self, other: "Outcome") -> None:
        self.changes |= other.changes
        self.states |= other.states
        self.strays |= other.strays
        self.files += other.files


def judge(
    before: Print | None, now: Print | None, digest: Callable[[], str]
) -> tuple[Change | None, Print | None]:
    """What happened to one file, and its new fingerprint (None: there is none to keep)."""
    if now is None:
        return (Change.DELETED if before else None), None
    if before is None:
        return Change.CREATED, now._replace(digest=digest())
    if now.is_stat_of(before):
        return None, before
    now = now._replace(digest=digest())
    if now.digest and before.digest:
        differs = now.digest != before.digest
    else:
        differs = (now.size, now.mtime_ns) != (before.size, before.mtime_ns)
    return (Change.MODIFIED if differs else None), now


def compare_names(
    tree: Tree, names: Mapping[str, Iterable[str]], pages: Mapping[str, Page], key: str, moment: Moment
) -> Outcome:
    """Look only at these files of these directories; `pages` hold what is saved of them, `key` begins theirs."""
    outcome = Outcome()
    for directory, wanted in names.items():
        page = pages.get(directory) or Page(key + directory)
        stem = f"{directory}/" if directory else ""
        seen = {name: tree.look(stem + name) for name in wanted}
        _settle(tree, stem, page, page.prints(), seen, moment, outcome)
    return outcome


def compare_tree(tree: Tree, start: str, pages: dict[str, Page], key: str, moment: Moment) -> Outcome:
    """Look at everything from `start` on. `pages` holds all that is saved there and is used up.

    `key`: what a page's key begins with. Raises OSError only when `start` is the root and cannot be listed.
    """
    outcome = Outcome()
    blind: list[str] = []
    try:
        for directory, listing in tree.sweep(start):
            page = pages.pop(directory, None) or Page(key + directory)
            if listing is None:
                blind.append(f"{directory}/")
                continue
            if directory not in tree.dirs:
                outcome.strays.add(directory)
            outcome.files += len(listing.files)
            prints = page.prints()
            seen: dict[str, Print | None] = {**dict.fromkeys(prints), **listing.files}
            _settle(tree, f"{directory}/" if directory else "", page, prints, seen, moment, outcome)
    except OSError:
        if not start:
            raise
    for directory, page in pages.items():
        if not any(f"{directory}/".startswith(b) for b in blind):
            prints = page.prints()
            stem = f"{directory}/" if directory else ""
            _settle(tree, stem, page, prints, dict.fromkeys(prints), moment, outcome)
    return outcome


def _settle(
    tree: Tree,
    stem: str,
    page: Page,
    prints: dict[str, Print],
    seen: Mapping[str, Print | None],
    moment: Moment,
    outcome: Outcome,
) -> None:
    """Judge the `seen` files of one directory against `prints`, and put down what came out."""
    touched = False
    for name, now in seen.items():
        before = prints.get(name)
        if now is not None and before is not None and now.is_stat_of(before):
            continue
        path = stem + name
        change, kept = judge(before, now, lambda path=path, now=now: tree.digest(path, now) if now else "")
        if change is Change.DELETED and tree.holds(path):
            change = None
        if change is Change.CREATED and moment.visible_ns and tree.changed_at_ns(path) < moment.visible_ns:
            change = None
        if change is not None:
            outcome.changes[path] = (change, _mark(kept))
        if kept is None:
            prints.pop(name, None)
        else:
            prints[name] = _trusted(kept, moment)
        touched = touched or prints.get(name) != before
    if touched:
        outcome.states |= page.rewrite(prints)


def _mark(kept: Print | None) -> str:
    if kept is None:
        return "-"
    return kept.digest or f"{kept.size:x}.{kept.mtime_ns:x}"


def _trusted(kept: Print, moment: Moment) -> Print:
    return kept._replace(mtime_ns=0) if kept.digest and kept.mtime_ns >= moment.racy_ns else kept


@dataclass(slots=True)
class Slice:
    """A part of a first look at a tree. `is_hashed` False: some files were only looked at, not read."""

    states: dict[str, JSON] = field(default_factory=dict[str, JSON])
    dirs: set[str] = field(default_factory=set[str])
    files: int = 0
    is_hashed: bool = True


def take_slice(
    tree: Tree,
    sweep: Iterator[tuple[str, Listing | None]],
    key: str,
    moment: Moment,
    may_hash: Callable[[], bool],
) -> Slice:
    """The next few thousand files of a `sweep`; a slice without directories is the end."""
    part = Slice()
    for directory, listing in sweep:
        part.dirs.add(directory)
        stem = f"{directory}/" if directory else ""
        prints: dict[str, Print] = {}
        for name, now in (listing.files if listing else {}).items():
            if now.size <= HASH_LIMIT and may_hash():
                now = now._replace(digest=tree.digest(stem + name, now))
            elif now.size <= HASH_LIMIT:
                part.is_hashed = False
            prints[name] = _trusted(now, moment)
        part.states |= encode(key + directory, prints)
        part.files += len(prints)
        if part.files >= SLICE_FILES:
            break
    return part


@dataclass(slots=True)
class Filling:
    """Rows to save, bytes read, and whether that is all of it."""

    states: dict[str, JSON] = field(default_factory=dict[str, JSON])
    size: int = 0
    is_done: bool = True


def fill(tree: Tree, pages: Mapping[str, Page], may_hash: Callable[[], bool]) -> Filling:
    """Read the files of these pages that were never hashed and are as they were."""
    done = Filling()
    for directory, page in pages.items():
        prints = page.prints()
        stem = f"{directory}/" if directory else ""
        changed = False
        for name, kept in prints.items():
            if kept.digest or kept.size > HASH_LIMIT or tree.look(stem + name) != kept:
                continue
            if not may_hash():
                done.is_done = False
                break
            digest = tree.digest(stem + name, kept)
            done.size += kept.size
            if digest and tree.look(stem + name) == kept:
                prints[name] = kept._replace(digest=digest)
                changed = True
        if changed:
            done.states |= page.rewrite(prints)
    return done


def in_portions(dirs: set[str], size: int) -> list[tuple[str, bool]]:
    """All of `dirs` as subtrees of at most `size` directories, and single ones above them: (directory, subtree)."""
    below = dict.fromkeys(dirs, 0)
    children: dict[str, list[str]] = {}
    for directory in dirs:
        at = directory
        while True:
            below[at] = below.get(at, 0) + 1
            if not at:
                break
            at = at.rpartition("/")[0]
        if directory:
            children.setdefault(directory.rpartition("/")[0], []).append(directory)
    portions: list[tuple[str, bool]] = []
    waiting = [""]
    while waiting:
        at = waiting.pop()
        whole = below[at] <= size
        portions.append((at, whole))
        if not whole:
            waiting += children.get(at, [])
    return portions
