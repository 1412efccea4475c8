"""What is known of a subject from before: its latest decisions and what became of them.

Looked for in the newest few thousand signals only, so it costs the same in a home of a million.
"""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Connection, select

from nightclaw.store.schema import decision, signal, task

NEWEST = 3000


@dataclass(frozen=True, slots=True)
class Earlier:
    """One decision of before. title: of its newest signal. task_state, result: of the task it led to, if any."""

    at: int
    verdict: str
    title: str
    task_state: str | None
    result: str | None


def earlier(conn: Connection, subjects: Collection[str], limit: int) -> list[Earlier]:
    """The latest decisions on these subjects that were worth keeping, newest first."""
    newest = (
        select(signal.c.subject, signal.c.title, signal.c.decision_id, signal.c.created_at)
        .order_by(signal.c.created_at.desc())
        .limit(NEWEST)
        .subquery()
    )
    query = (
        select(
            decision.c.id,
            decision.c.created_at,
            decision.c.verdict,
            newest.c.title,
            task.c.state,
            task.c.result,
        )
        .join(decision, decision.c.id == newest.c.decision_id)
        .join(task, task.c.id == decision.c.task_id, isouter=True)
        .where(newest.c.subject.in_(subjects), decision.c.verdict != "ignore")
        .order_by(newest.c.created_at.desc())
        .limit(limit * 5)
    )
    found: dict[str, Earlier] = {}
    for r in conn.execute(query):
        found.setdefault(r.id, Earlier(r.created_at, r.verdict, r.title, r.state, r.result))
    return list(found.values())[:limit]
