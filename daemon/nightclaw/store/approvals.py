"""Approvals: questions to the owner that outlive every client. Answered once, by compare-and-set."""

from dataclasses import dataclass

from sqlalchemy import Connection, insert, select, update

from nightclaw.core.errors import NotFound, Refused
from nightclaw.core.ids import new_id
from nightclaw.core.states import ApprovalState
from nightclaw.core.types import JSON
from nightclaw.protocol.messages import iso
from nightclaw.store import events
from nightclaw.store.schema import approval

EXPIRES_AFTER_MS = 24 * 3600 * 1000


@dataclass(frozen=True, slots=True)
class Approval:
    id: str
    kind: str
    task_id: str | None
    digest: str
    state: ApprovalState
    expires_at: int
    resolved_by: str | None
    resolved_at: int | None


def request(
    conn: Connection, *, kind: str, task: str, session: str, facts: dict[str, JSON], digest: str, now: int
) -> str:
    """Ask; unanswered it expires as a deny after 24 hours."""
    approval_id = new_id("apr", now)
    conn.execute(
        insert(approval).values(
            id=approval_id,
            kind=kind,
            task_id=task,
            facts=events.dumps(facts),
            digest=digest,
            state=str(ApprovalState.PENDING),
            expires_at=now + EXPIRES_AFTER_MS,
            created_at=now,
        )
    )
    data: dict[str, JSON] = {"approval": approval_id, "kind": kind, "facts": facts, "digest": digest}
    events.append(conn, "approval.requested", now, data, task=task, session=session)
    return approval_id


def get(conn: Connection, approval_id: str) -> Approval:
    row = conn.execute(select(approval).where(approval.c.id == approval_id)).first()
    if row is None:
        raise NotFound(f"there is no approval {approval_id}", "see `clawctl approvals`")
    return Approval(
        row.id,
        row.kind,
        row.task_id,
        row.digest,
        ApprovalState(row.state),
        row.expires_at,
        row.resolved_by,
        row.resolved_at,
    )


def resolve(
    conn: Connection,
    approval_id: str,
    wanted: ApprovalState,
    *,
    by: str,
    note: str,
    now: int,
    session: str | None,
) -> None:
    """Compare-and-set pending → wanted. Raises Refused (409) naming who answered first, and when."""
    held = get(conn, approval_id)
    landed = conn.execute(
        update(approval)
        .where(approval.c.id == approval_id, approval.c.state == str(ApprovalState.PENDING))
        .values(state=str(wanted), resolved_by=by, resolved_at=now, note=note)
    ).rowcount
    if landed != 1:
        at = f" at {iso(held.resolved_at)}" if held.resolved_at is not None else ""
        raise Refused(
            f"{approval_id} is already {held.state}, by {held.resolved_by or 'time'}{at}",
            "see `clawctl approvals`",
        )
    data: dict[str, JSON] = {"approval": approval_id, "state": str(wanted), "by": by, "note": note}
    events.append(conn, "approval.resolved", now, data, task=held.task_id, session=session)


def withdraw(conn: Connection, approval_id: str, why: str, now: int, session: str | None) -> None:
    """Take a pending question back; one that was answered meanwhile stays answered."""
    if get(conn, approval_id).state is ApprovalState.PENDING:
        resolve(conn, approval_id, ApprovalState.WITHDRAWN, by="daemon", note=why, now=now, session=session)


def pending_of_task(conn: Connection, task_id: str) -> list[str]:
    query = select(approval.c.id).where(
        approval.c.task_id == task_id, approval.c.state == str(ApprovalState.PENDING)
    )
    return [str(i) for i in conn.execute(query).scalars()]


def waiting(conn: Connection, limit: int = 100) -> list[tuple[str, int]]:
    """(id, created_at) of what waits for the owner, oldest first."""
    query = (
        select(approval.c.id, approval.c.created_at)
        .where(approval.c.state == str(ApprovalState.PENDING))
        .order_by(approval.c.created_at)
        .limit(limit)
    )
    return [(str(r.id), int(r.created_at)) for r in conn.execute(query)]


def overdue(conn: Connection, now: int) -> list[Approval]:
    query = select(approval.c.id).where(
        approval.c.state == str(ApprovalState.PENDING), approval.c.expires_at <= now
    )
    return [get(conn, str(i)) for i in conn.execute(query).scalars()]
