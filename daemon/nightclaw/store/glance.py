"""A look through the records without a model: rows that share words with a question, and what was told lately."""

import re

from sqlalchemy import Connection, or_, select

from nightclaw.store.schema import decision, notification, signal, task

LOOKED_AT = 5000
WORD = re.compile(r"[\w./#-]{3,}")
_COMMON = (
    "the and for with what why how when who did does was "
    "were are this that have has you your about from please can "
    "could would should will status tell show happened today yesterday lately overnight "
    "hello going anything something everything there "
)
COMMON = frozenset(_COMMON.split())


def words_of(question: str) -> list[str]:
    """The words worth searching for, at most eight."""
    seen = dict.fromkeys(w.strip(".#-/").lower() for w in WORD.findall(question))
    return [w for w in seen if w and w not in COMMON][:8]


def matching(conn: Connection, question: str, since_at: int, limit: int) -> list[tuple[int, str, str]]:
    """(at, title, id) of the newest signals since then whose title or subject has one of the words, best first."""
    wanted = words_of(question)
    if not wanted:
        return []
    newest = (
        select(signal.c.created_at, signal.c.title, signal.c.subject, signal.c.id, signal.c.source)
        .where(signal.c.created_at >= since_at)
        .order_by(signal.c.created_at.desc())
        .limit(LOOKED_AT)
        .subquery()
    )
    conditions = [newest.c.title.icontains(w, autoescape=True) for w in wanted]
    conditions += [newest.c.subject.icontains(w, autoescape=True) for w in wanted]
    rows = conn.execute(
        select(newest.c.created_at, newest.c.title, newest.c.id)
        .where(newest.c.source.notin_(["chat", "tick"]), or_(*conditions))
        .limit(200)
    ).all()
    scored = sorted(rows, key=lambda r: -sum(w in r.title.lower() for w in wanted))
    return [(r.created_at, r.title, r.id) for r in scored[:limit]]


def told_lately(conn: Connection, since_at: int, limit: int) -> list[tuple[int, str, str]]:
    """(at, title, id) of the newest notes."""
    rows = conn.execute(
        select(notification.c.created_at, notification.c.title, notification.c.id)
        .where(notification.c.created_at >= since_at)
        .order_by(notification.c.created_at.desc())
        .limit(limit)
    )
    return [(r.created_at, r.title, r.id) for r in rows]


def verdicts_since(conn: Connection, since_at: int) -> dict[str, int]:
    counts: dict[str, int] = {}
    for verdict in conn.execute(
        select(decision.c.verdict).where(decision.c.created_at >= since_at).limit(20_000)
    ).scalars():
        counts[str(verdict)] = counts.get(str(verdict), 0) + 1
    return counts


def open_tasks(conn: Connection, limit: int) -> list[tuple[str, str, str]]:
    """(id, state, goal) of tasks that wait or work, chats apart."""
    rows = conn.execute(
        select(task.c.id, task.c.state, task.c.goal)
        .where(task.c.state.in_(["proposed", "ready", "running", "parked"]), task.c.kind != "chat")
        .order_by(task.c.created_at.desc())
        .limit(limit)
    )
    return [(r.id, r.state, r.goal) for r in rows]
