"""A page of memory as its rows have it, and what its file must become: everything about it that is no file work."""

from collections.abc import Collection
from dataclasses import dataclass

from nightclaw.core.topic import is_name, slug
from nightclaw.memory import edits, kinds
from nightclaw.memory.disk import Unusable
from nightclaw.memory.markdown import KEEP, Fault, Frame, Parsed, Row
from nightclaw.store import topics
from nightclaw.store.db import Connection
from nightclaw.store.topics import Topic


@dataclass(frozen=True, slots=True)
class Picture:
    """A page as rows have it, and what becomes of the bullets in its file."""

    rows: list[Row]
    topic: Topic | None
    frame: Frame
    fates: dict[int, str | None]
    faults: list[Fault]
    repo: str | None


def check_name(name: str) -> None:
    if not is_name(name):
        raise Unusable(f"{name}.md is no name of a topic", f"rename it to {slug(name)}.md")


def picture_of(
    conn: Connection,
    name: str,
    fates: dict[int, str | None],
    faults: list[Fault],
    leaving: Collection[str] = (),
) -> Picture:
    topic, found = topics.get(conn, name), [m for m in topics.rows_of(conn, name) if m.id not in leaving]
    private = bool(found) and found[0].private
    repo = found[0].repo if private else None
    title = topic.title if topic is not None and topic.title else repo or kinds.title(name)
    hook = topic.hook if topic is not None else ""
    rows = [Row(m.id, edits.shown(m)) for m in found]
    frame = Frame(title, hook, topics.mark_of(r.id for r in rows))
    return Picture(rows, topic, frame, fates, faults, repo)


def fates_of(conn: Connection, name: str, parsed: Parsed | None) -> dict[int, str | None]:
    """In a file nobody touched: bullets of ours whose row has left the page go, all else stays."""
    if parsed is None:
        return {}
    topic = topics.get(conn, name)
    ours, rows = (
        (topic.base(None) if topic is not None else None) or frozenset[str](),
        {m.id for m in topics.rows_of(conn, name)},
    )
    return {n: None if b.id in ours and b.id not in rows else KEEP for n, b in enumerate(parsed.bullets)}


def head_differs(parsed: Parsed, picture: Picture) -> bool:
    """The topic was called otherwise than its file says, in the index."""
    topic = picture.topic
    if topic is None or topic.digest is None or parsed.title is None:
        return False
    return parsed.title != picture.frame.title or (parsed.hook or "") != picture.frame.hook


def take_head(conn: Connection, name: str, parsed: Parsed, *, is_new: bool, now: int) -> None:
    """The heading and the hint of an edited file are the topic's."""
    held = topics.get(conn, name)
    title = parsed.title or (held.title if held is not None else kinds.title(name))
    if is_new and held is None and not parsed.bullets:
        return
    if held is None or held.title != title or held.hook != (parsed.hook or ""):
        topics.name_it(conn, name, title, parsed.hook or "", now)
