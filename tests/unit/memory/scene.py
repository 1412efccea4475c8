"""A store to write to directly: one connection, one transaction that a test leaves open."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nightclaw import boot
from nightclaw.core.trust import Trust
from nightclaw.store import events, observations
from nightclaw.store.db import Connection, writer_engine

NOON = 1_795_003_200_000  # 2026-11-18 12:00 UTC, a Wednesday
HOUR = 3_600_000
DAY = 24 * HOUR


@contextmanager
def opened(room: Path) -> Iterator[Connection]:
    path = room / "nightclaw.db"
    if not path.exists():
        boot.make_database(path)
    engine = writer_engine(path)
    with engine.connect() as conn:
        conn.exec_driver_sql("BEGIN IMMEDIATE")
        conn.info["head"] = 0
        yield conn
        conn.exec_driver_sql("ROLLBACK")
    engine.dispose()


def say(
    conn: Connection,
    text: str,
    *,
    session: str | None = "ses_1",
    role: str = "owner",
    at: int = NOON,
    trust: Trust = Trust.OWNER,
    private: bool = False,
    repo: str | None = None,
) -> int:
    """An event that carried words, and its observation; the cursor."""
    cursor = events.append(conn, "signal.received", at, {}, session=session)
    new = observations.NewObservation(
        cursor, at, role, "turn", text, trust, private=private, repo=repo, session=session
    )
    return observations.add(conn, new)
