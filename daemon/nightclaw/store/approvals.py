"""Approvals: questions to the owner that outlive every client. Answered once, by compare-and-set."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, insert, select, update

from nightclaw.core.errors import NotFound, Refused
from nightclaw.core.ids import new_id
from nightclaw.core.states import ApprovalState
from nightclaw.core.types import JSON, JSONObject
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
    call_id: str | None
    tool: str | None
    note: str
    answer: str | None
    facts: JSONObject
    args: JSONObject


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked. kind: call, proposal, question or plan. facts: worked out by us. options: for a question."""

    kind: str
    task: str
    session: str
    facts: JSONObject
    digest: str
    call: str | None = None
    tool: str | None = None
    args: JSONObject | None = None
    options: Sequence[JSON] = ()


def request(conn: Connection, q: Question, now: int) -> str:
    """Ask; unanswered it expires as a deny after 24 hours."""
    approval_id = new_id("apr", now)
    conn.execute(
        insert(approval).values(
            id=approval_id,
            kind=q.kind,
            task_id=q.task,
            call_id=q.call,
            tool=q.tool,
            args=events.dumps(q.args) if q.args is not None else None,
            facts=events.dumps(q.facts),
            options=events.dumps(list(q.options)),
            digest=q.digest,
            state=str(ApprovalState.PENDING),
            expires_at=now + EXPIRES_AFTER_MS,
            created_at=now,
        )
    )
    data: dict[str, JSON] = {
        "approval": approval_id,
        "kind": q.kind,
        "tool": q.tool,
        "facts": q.facts,
        "digest": q.digest,
        "options": list(q.options),
    }
    events.append(conn, "approval.requested", now, data, task=q.task, session=q.session)
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
        row.call_id,
        row.tool,
        row.note or "",
        row.answer,
        json.loads(row.facts),
        json.loads(row.args) if row.args else {},
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
    answer: str | None = None,
) -> None:
    """Compare-and-set pending → wanted. Raises Refused (409) naming who answered first, and when."""
    held = get(conn, approval_id)
    landed = conn.execute(
        update(approval)
        .where(approval.c.id == approval_id, approval.c.state == str(ApprovalState.PENDING))
        .values(state=str(wanted), resolved_by=by, resolved_at=now, note=note, answer=answer)
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


def was_denied(conn: Connection, task_id: str, digest: str) -> bool:
    """True when the owner refused exactly this to this task before."""
    query = select(approval.c.id).where(
        approval.c.task_id == task_id,
        approval.c.digest == digest,
        approval.c.state.in_([str(ApprovalState.DENIED), str(ApprovalState.EXPIRED)]),
    )
    return conn.execute(query).first() is not None


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
