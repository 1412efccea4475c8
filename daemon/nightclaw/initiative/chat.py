"""The owner's words: a signal decided at once, a task or a message to the one that is open."""

from dataclasses import dataclass

from nightclaw.core.ids import new_id
from nightclaw.core.states import TaskState
from nightclaw.core.trust import Trust
from nightclaw.core.types import Priority, SignalDraft, Source, Verdict
from nightclaw.initiative.judgement import Judgement
from nightclaw.initiative.work import start_work
from nightclaw.policy.boundaries import boundary_of
from nightclaw.store import approvals, rules, signals, tasks
from nightclaw.store.db import Connection


@dataclass(frozen=True, slots=True)
class ChatTaken:
    """interrupt: the running turn of `task` should stop at once to hear this."""

    signal: str
    session: str
    task: str | None
    cursor: int
    interrupt: bool = False


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """key: the client's own id of the message; the same key twice is one message."""

    key: str
    text: str
    session: str | None
    priority: Priority


def take(conn: Connection, message: ChatMessage, policy_version: str, presence: str, now: int) -> ChatTaken:
    """Keep the message, decide it, and hand it to its session's task. Raises NotFound for an unknown session."""
    held = _held(conn, message.key)
    if held is not None:
        return held
    session = tasks.ensure_session(conn, message.session, message.text, now)
    draft = SignalDraft(
        source=Source.CHAT,
        kind="chat.message",
        subject=f"session:{session}",
        dedupe_key=message.key,
        title=" ".join(message.text.split())[:160],
        trust=Trust.OWNER,
        payload={"text": message.text},
        attrs={"priority": str(message.priority)},
        actor="owner",
        session=session,
    )
    intake = signals.take_in(conn, signals.prepare(draft), now)
    decision_id = new_id("dec", now)
    task_id, interrupt = _hand_over(conn, message, session, intake.signal_id, decision_id, now)
    row = _act_row(decision_id, "you asked", "default:chat", policy_version, presence, task_id, now)
    signals.decide(conn, row, [intake.signal_id])
    stated = boundary_of(message.text)
    if stated is not None:
        rules.add_boundary(conn, stated.verb, stated.rule, stated.said, intake.signal_id, now)
    return ChatTaken(intake.signal_id, session, task_id, intake.cursor or 0, interrupt)


@dataclass(frozen=True, slots=True)
class Order:
    """A task the owner asks for outright. key: the same key twice is one task."""

    key: str
    goal: str
    subject: str
    session: str | None
    repo: str | None


def take_order(
    conn: Connection, order: Order, *, has_model: bool, policy_version: str, presence: str, now: int
) -> str:
    """Keep the order as a signal, decide it and make its task; the task's id."""
    held = signals.by_key(conn, Source.CHAT, order.key)
    if held is not None and (decided := signals.decision_of(conn, held.id)) is not None:
        return signals.task_of_decision(conn, decided) or ""
    draft = SignalDraft(
        source=Source.CHAT,
        kind="task.ordered",
        subject=order.subject,
        dedupe_key=order.key,
        title=" ".join(order.goal.split())[:160],
        trust=Trust.OWNER,
        payload={"goal": order.goal},
        actor="owner",
        repo=order.repo,
    )
    intake = signals.take_in(conn, signals.prepare(draft), now)
    found = signals.get(conn, intake.signal_id)
    assert found is not None
    decision_id = new_id("dec", now)
    judgement = Judgement(Verdict.ACT, Verdict.ACT, "default:order", "you ordered it", goal=order.goal)
    work = start_work(conn, found, judgement, Verdict.ACT, decision_id, has_model, now, session=order.session)
    reason = f"you ordered it; {work.reason}" if work.reason else "you ordered it"
    row = _act_row(decision_id, reason, "default:order", policy_version, presence, work.task_id, now)
    signals.decide(conn, row, [intake.signal_id])
    return work.task_id or ""


def _act_row(
    decision_id: str, reason: str, rule: str, policy: str, presence: str, task_id: str | None, now: int
) -> dict[str, object]:
    return {
        "id": decision_id,
        "verdict": str(Verdict.ACT),
        "reason": reason,
        "rule": rule,
        "floor": str(Verdict.ACT),
        "cap": str(Verdict.ACT),
        "policy_version": policy,
        "presence": presence,
        "facts": "[]",
        "usage": "{}",
        "shadow": False,
        "task_id": task_id,
        "notification_id": None,
        "created_at": now,
    }


def _held(conn: Connection, key: str) -> ChatTaken | None:
    found = signals.by_key(conn, Source.CHAT, key)
    if found is None or found.session is None:
        return None
    decision_id = signals.decision_of(conn, found.id)
    task_id = signals.task_of_decision(conn, decision_id) if decision_id else None
    return ChatTaken(found.id, found.session, task_id, signals.arrival_cursor(conn, found.id, found.session))


def _hand_over(
    conn: Connection, message: ChatMessage, session: str, signal_id: str, decision_id: str, now: int
) -> tuple[str, bool]:
    """The task that hears the message, and whether its running turn is to be interrupted."""
    held = None if message.priority is Priority.LATER else tasks.open_of_session(conn, session)
    if held is None:
        task_id, _ = tasks.create(
            conn,
            tasks.NewTask(
                key=f"chat:{message.key}",
                kind="chat",
                subject=f"session:{session}",
                goal=message.text[:2000],
                session=session,
                state=TaskState.READY,
                trust=Trust.OWNER,
                decision_id=decision_id,
            ),
            now,
        )
        tasks.inbox_add(conn, task_id, message.text, signal_id, now)
        return task_id, False
    tasks.inbox_add(conn, held.id, message.text, signal_id, now)
    is_now = message.priority is Priority.NOW
    if held.state is TaskState.PARKED:
        if is_now:
            for approval_id in approvals.pending_of_task(conn, held.id):
                approvals.withdraw(conn, approval_id, "interrupted by the owner", now, session)
        tasks.move(conn, held.id, TaskState.READY, now, parked_on=None)
    return held.id, is_now and held.state is TaskState.RUNNING
