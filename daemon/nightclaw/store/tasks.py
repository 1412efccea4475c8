"""Tasks, their inbox and their sessions. The only door from initiative to execution.

Every state change goes through `move`, which names the states it may come from and says whether it landed.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, Row, bindparam, func, insert, select, update

from nightclaw.core.errors import NotFound, Refused
from nightclaw.core.ids import new_id
from nightclaw.core.states import ACTIVE_TASK, TERMINAL_TASK, TaskState, before
from nightclaw.core.trust import Trust
from nightclaw.core.types import JSON
from nightclaw.store import events
from nightclaw.store.schema import approval, inbox, session, task

MAIN_SESSION = "main"
PRIORITY = {"chat": 0, "work": 5, "plan": 5, "doc": 8, "dream": 9}


@dataclass(frozen=True, slots=True)
class Task:
    id: str
    key: str
    kind: str
    subject: str
    goal: str
    session: str
    state: TaskState
    trust: Trust
    private: bool
    repo: str | None
    parked_on: str | None
    attempts: int
    decision_id: str | None
    parent_id: str | None
    cancel_at: int | None
    created_at: int
    unattended: str | None = None
    model: str | None = None
    budget_usd: float | None = None


@dataclass(frozen=True, slots=True)
class NewTask:
    """key: what we would do about it; the same key twice is one task."""

    key: str
    kind: str
    subject: str
    goal: str
    session: str
    state: TaskState
    trust: Trust
    private: bool = False
    repo: str | None = None
    parked_on: str | None = None
    decision_id: str | None = None
    parent_id: str | None = None
    unattended: str | None = None
    model: str | None = None
    budget_usd: float | None = None


@dataclass(frozen=True, slots=True)
class InboxItem:
    seq: int
    content: str
    from_signal: str | None
    created_at: int


def _task(row: Row[tuple[object, ...]]) -> Task:
    r = row._mapping
    return Task(
        id=r["id"],
        key=r["key"],
        kind=r["kind"],
        subject=r["subject"],
        goal=r["goal"],
        session=r["session_id"],
        state=TaskState(r["state"]),
        trust=Trust(r["trust"]),
        private=bool(r["private"]),
        repo=r["repo"],
        parked_on=r["parked_on"],
        attempts=r["attempts"],
        decision_id=r["decision_id"],
        parent_id=r["parent_id"],
        cancel_at=r["cancel_at"],
        created_at=r["created_at"],
        unattended=r["unattended"],
        model=r["model"],
        budget_usd=r["budget_usd"],
    )


def ensure_session(conn: Connection, wanted: str | None, title: str, now: int) -> str:
    """The session's id: `main` by default, a new one for `new`, else the named one. Raises NotFound for others."""
    session_id = wanted or MAIN_SESSION
    if session_id == "new":
        session_id = new_id("ses", now)
        wanted = None
    found = conn.execute(select(session.c.id).where(session.c.id == session_id)).scalar()
    if found is None and wanted not in (None, MAIN_SESSION):
        raise NotFound(f"there is no session {session_id}", "`new` makes one; see `clawctl sessions`")
    if found is None:
        conn.execute(insert(session).values(id=session_id, title=title[:80], created_at=now, updated_at=now))
    else:
        conn.execute(update(session).where(session.c.id == session_id).values(updated_at=now))
    return session_id


def create(conn: Connection, new: NewTask, now: int) -> tuple[str, bool]:
    """The task's id and whether it was made now; the same key gives the row that is there."""
    held = conn.execute(select(task.c.id).where(task.c.key == new.key)).scalar()
    if held is not None:
        return str(held), False
    task_id = new_id("tsk", now)
    conn.execute(
        insert(task).values(
            id=task_id,
            key=new.key,
            kind=new.kind,
            subject=new.subject,
            goal=new.goal,
            session_id=new.session,
            priority=PRIORITY.get(new.kind, 5),
            state=str(new.state),
            trust=str(new.trust),
            private=new.private,
            repo=new.repo,
            parked_on=new.parked_on,
            decision_id=new.decision_id,
            parent_id=new.parent_id,
            unattended=new.unattended,
            model=new.model,
            budget_usd=new.budget_usd,
            created_at=now,
        )
    )
    data: dict[str, JSON] = {
        "task": task_id,
        "kind": new.kind,
        "subject": new.subject,
        "goal": new.goal[:300],
        "state": str(new.state),
    }
    events.append(conn, "task.created", now, data, task=task_id, session=new.session)
    return task_id, True


def get(conn: Connection, task_id: str) -> Task | None:
    row = conn.execute(select(task).where(task.c.id == task_id)).first()
    return _task(row) if row else None


def open_of_subject(conn: Connection, subject: str) -> Task | None:
    """The task that still waits or works on a subject (chats apart), newest first."""
    states = [str(s) for s in (*ACTIVE_TASK, TaskState.PROPOSED)]
    row = conn.execute(
        select(task)
        .where(task.c.subject == subject, task.c.state.in_(states), task.c.kind != "chat")
        .order_by(task.c.created_at.desc())
    ).first()
    return _task(row) if row else None


def open_of_session(conn: Connection, session_id: str) -> Task | None:
    """The task of a session that a message steers: running first, then parked, then ready."""
    rows = conn.execute(
        select(task)
        .where(task.c.session_id == session_id, task.c.state.in_([str(s) for s in ACTIVE_TASK]))
        .order_by(task.c.created_at)
    ).all()
    order = {TaskState.RUNNING: 0, TaskState.PARKED: 1, TaskState.READY: 2}
    found = sorted((_task(r) for r in rows), key=lambda t: order[t.state])
    return found[0] if found else None


def move(conn: Connection, task_id: str, wanted: TaskState, now: int, **values: object) -> bool:
    """Change the state if the table allows it from where the row stands; True when it landed."""
    if wanted in TERMINAL_TASK:
        values.setdefault("finished_at", now)
    landed = conn.execute(
        update(task)
        .where(task.c.id == task_id, task.c.state.in_(before(wanted)))
        .values(state=str(wanted), **values)
    ).rowcount
    return landed == 1


def finish(
    conn: Connection, t: Task, wanted: TaskState, result: str, now: int, usage: str | None = None
) -> bool:
    """`move` to a final state, with its result and the event that tells it."""
    values: dict[str, object] = {"result": result, "parked_on": None}
    if usage is not None:
        values["usage"] = usage
    if not move(conn, t.id, wanted, now, **values):
        return False
    data: dict[str, JSON] = {
        "task": t.id,
        "state": str(wanted),
        "subject": t.subject,
        "result": result[:2000],
    }
    events.append(conn, "task.finished", now, data, task=t.id, session=t.session)
    return True


def park(conn: Connection, t: Task, parked_on: str, now: int, wake_at: int | None = None) -> bool:
    """`move` to parked, naming what it waits for, with the event that tells it. wake_at: when to look again."""
    if not move(conn, t.id, TaskState.PARKED, now, parked_on=parked_on, wake_at=wake_at):
        return False
    data: dict[str, JSON] = {"task": t.id, "parked_on": parked_on, "subject": t.subject}
    events.append(conn, "task.parked", now, data, task=t.id, session=t.session)
    return True


def ask_cancel(conn: Connection, task_id: str, now: int) -> Task:
    """Cancel at once what does not run; mark what does. Raises NotFound, or Refused for what has ended."""
    held = get(conn, task_id)
    if held is None:
        raise NotFound(f"there is no task {task_id}", "see `clawctl tasks`")
    if held.state is TaskState.RUNNING:
        conn.execute(update(task).where(task.c.id == task_id).values(cancel_at=now))
    elif not finish(conn, held, TaskState.CANCELLED, "cancelled by the owner", now):
        raise Refused(f"{task_id} is {held.state} already", "`clawctl task retry` starts it anew")
    return held


def retry(conn: Connection, task_id: str, *, has_model: bool, now: int) -> str:
    """A new task with the ended one as its parent. Raises NotFound, or Refused for one that is still open."""
    held = get(conn, task_id)
    if held is None:
        raise NotFound(f"there is no task {task_id}", "see `clawctl tasks`")
    if held.state not in TERMINAL_TASK:
        raise Refused(f"{task_id} is still {held.state}", f"`clawctl task cancel {task_id}` ends it first")
    if held.kind != "chat" and (other := open_of_subject(conn, held.subject)) is not None:
        raise Refused(f"{other.id} is already open for {held.subject}")
    may_start = has_model or held.kind == "chat"
    new = NewTask(
        key=f"retry:{task_id}:{new_id('tsk', now)}",
        kind=held.kind,
        subject=held.subject,
        goal=held.goal,
        session=held.session,
        state=TaskState.READY if may_start else TaskState.PROPOSED,
        trust=held.trust,
        private=held.private,
        repo=held.repo,
        parked_on=None if may_start else "models",
        parent_id=task_id,
        unattended=held.unattended,
        model=held.model,
        budget_usd=held.budget_usd,
    )
    retried, _ = create(conn, new, now)
    inbox_add(conn, retried, held.goal, None, now)
    return retried


def open_ids(conn: Connection) -> list[str]:
    """Every task that is not over."""
    ended = [str(s) for s in TERMINAL_TASK]
    return [str(i) for i in conn.execute(select(task.c.id).where(task.c.state.notin_(ended))).scalars()]


def wake_due(conn: Connection, now: int) -> int:
    """Make ready the parked tasks whose time has come; returns how many."""
    query = select(task.c.id).where(task.c.state == str(TaskState.PARKED), task.c.wake_at <= now)
    woken = [str(i) for i in conn.execute(query).scalars()]
    return sum(move(conn, i, TaskState.READY, now, parked_on=None, wake_at=None) for i in woken)


def wake_parked_on(conn: Connection, reasons: Sequence[str], now: int) -> int:
    """What these waited for may have changed (a cap, a key): make them ready to look; returns how many."""
    query = select(task.c.id).where(task.c.state == str(TaskState.PARKED), task.c.parked_on.in_(reasons))
    woken = [str(i) for i in conn.execute(query).scalars()]
    return sum(move(conn, i, TaskState.READY, now, parked_on=None, wake_at=None) for i in woken)


def next_wake_at(conn: Connection) -> int | None:
    query = select(func.min(task.c.wake_at)).where(task.c.state == str(TaskState.PARKED))
    return conn.execute(query).scalar()


def release_proposed(conn: Connection, now: int) -> int:
    """A model is there now: what was to be done at once, and only waited for one, becomes ready. Returns how many."""
    asked = select(approval.c.task_id).where(approval.c.kind == "proposal", approval.c.task_id == task.c.id)
    rows = conn.execute(
        select(task.c.id).where(
            task.c.state == str(TaskState.PROPOSED), task.c.parked_on == "models", ~asked.exists()
        )
    ).all()
    return sum(move(conn, r.id, TaskState.READY, now, parked_on=None) for r in rows)


def set_workspace(conn: Connection, task_id: str, workspace: str, worktree: str, branch: str | None) -> None:
    """Where a task works, as JSON for itself and in plain words for the owner."""
    conn.execute(
        update(task).where(task.c.id == task_id).values(workspace=workspace, worktree=worktree, branch=branch)
    )


def set_verified(conn: Connection, task_id: str, verified: bool | None) -> None:
    conn.execute(update(task).where(task.c.id == task_id).values(verified=verified))


def workspace_of(conn: Connection, task_id: str) -> str | None:
    return conn.execute(select(task.c.workspace).where(task.c.id == task_id)).scalar()


_OTHER = task.alias("other")
_READY = (
    select(task)
    .where(
        task.c.state == str(TaskState.READY),
        task.c.kind.in_(bindparam("kinds", expanding=True)),
        ~select(_OTHER.c.id)
        .where(_OTHER.c.state == str(TaskState.RUNNING), _OTHER.c.session_id == task.c.session_id)
        .exists(),
    )
    .order_by(task.c.priority, task.c.created_at, task.c.id)
    .limit(1)
)


def claimable(conn: Connection, kinds: list[str]) -> Task | None:
    """The ready task to start next: by priority, then age; a session has one running task at a time."""
    row = conn.execute(_READY, {"kinds": kinds}).first()
    return _task(row) if row else None


def inbox_add(conn: Connection, task_id: str, content: str, from_signal: str | None, now: int) -> int:
    """Append a message to a task's inbox; returns its sequence number."""
    last = conn.execute(select(func.max(inbox.c.seq)).where(inbox.c.task_id == task_id)).scalar()
    seq = int(last or 0) + 1
    conn.execute(
        insert(inbox).values(
            task_id=task_id, seq=seq, content=content, from_signal=from_signal, created_at=now
        )
    )
    return seq


def unread(conn: Connection, task_id: str) -> list[InboxItem]:
    rows = conn.execute(
        select(inbox).where(inbox.c.task_id == task_id, inbox.c.read_at.is_(None)).order_by(inbox.c.seq)
    )
    return [InboxItem(r.seq, r.content, r.from_signal, r.created_at) for r in rows]


def mark_read(conn: Connection, task_id: str, up_to: int, now: int) -> None:
    conn.execute(
        update(inbox)
        .where(inbox.c.task_id == task_id, inbox.c.seq <= up_to, inbox.c.read_at.is_(None))
        .values(read_at=now)
    )
