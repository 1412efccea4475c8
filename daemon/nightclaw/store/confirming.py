"""What is said again: one source more of the memory that says it already, which is as new as the last time it was said.

Without this a fact that was said, and said again later, would give way to another value seen in between. Raw rows stay
as they are: the words said again are an observation of their own.
"""

from sqlalchemy import Connection

from nightclaw.core.errors import NotFound
from nightclaw.core.types import JSON
from nightclaw.store import events, memories, observations
from nightclaw.store.driver import driver
from nightclaw.store.memories import Memory, Said
from nightclaw.store.observations import NewObservation


def confirm(conn: Connection, memory_id: str, cursor: int, observed_at: int, now: int) -> None:
    """The words at `cursor` say it again: a source more, the newer of both moments, and no doubt any longer."""
    held, db = _have(conn, memory_id), driver(conn)
    sources = events.dumps(sorted({*held.sources, cursor}))
    db.execute("INSERT OR IGNORE INTO memory_source (memory_id, cursor) VALUES (?, ?)", (memory_id, cursor))
    db.execute(
        "UPDATE memory SET sources = ?, observed_at = ?, doubted_at = NULL, updated_at = ? WHERE id = ?",
        (sources, max(held.observed_at, observed_at), now, memory_id),
    )
    memories.index(conn, memory_id)


def say_again(conn: Connection, memory_id: str, text: str, said: Said, observed_at: int, now: int) -> None:
    """As `memories.save`, for words a memory says already: the event `memory.confirmed` is their cursor."""
    held = _have(conn, memory_id)
    data: dict[str, JSON] = {"memory": held.id, "topic": held.topic}
    cursor = events.append(conn, "memory.confirmed", now, data, session=said.session, task=said.task)
    new = NewObservation(
        cursor, observed_at, said.role, said.kind, text, held.trust, held.private, held.repo, held.origins,
        said.session, said.task,
    )  # fmt: skip
    observations.add(conn, new)
    confirm(conn, memory_id, cursor, observed_at, now)


def _have(conn: Connection, memory_id: str) -> Memory:
    held = memories.get(conn, memory_id)
    if held is None:
        raise NotFound(f"no memory {memory_id}")
    return held
