"""From a verdict to a task row: the one door to execution.

One open task a subject: later signals join its inbox if their trust allows, or are left for the next decision.
Without a model a task stays proposed and says so.
"""

import hashlib
from dataclasses import dataclass

from nightclaw.core.quoting import quoted
from nightclaw.core.states import TaskState
from nightclaw.core.trust import Label
from nightclaw.core.types import JSON, JSONObject, Signal, Source, Verdict
from nightclaw.initiative.judgement import Judgement
from nightclaw.store import approvals, events, sessions, signals, tasks
from nightclaw.store.db import Connection

NO_MODEL = "no model is configured, so it waits as proposed (`clawctl init` finds one)"
QUOTED_TEXT, QUOTED_PAYLOAD = 16_000, 6_000
PARKED_ON_MODELS = "models"


@dataclass(frozen=True, slots=True)
class Work:
    """The task a decision led to. needs_owner: only the owner can move it on, so a note tells of it."""

    task_id: str | None
    reason: str
    needs_owner: bool = False


def start_work(
    conn: Connection,
    signal: Signal,
    judgement: Judgement,
    verdict: Verdict,
    decision_id: str,
    has_model: bool,
    now: int,
    session: str | None = None,
) -> Work:
    """Create the task, or let the subject's open one hear of the signal."""
    content = brief(conn, signal, judgement)
    held = tasks.open_of_subject(conn, signal.subject)
    if held is not None:
        return _join(conn, held, signal, verdict, content, has_model, now)
    acts = verdict is Verdict.ACT
    session = tasks.ensure_session(conn, session or "new", signal.title, now)
    task_id, fresh = tasks.create(
        conn,
        tasks.NewTask(
            key=f"{signal.source}:{signal.dedupe_key}",
            kind="work",
            subject=signal.subject,
            goal=_goal(signal, judgement)[:2000],
            session=session,
            state=TaskState.READY if acts and has_model else TaskState.PROPOSED,
            trust=signal.trust,
            private=signal.private,
            repo=signal.repo or _text(signal.attrs.get("repo")),
            parked_on=None if has_model else PARKED_ON_MODELS,
            decision_id=decision_id,
            unattended=_text(signal.attrs.get("unattended")),
            model=_text(signal.attrs.get("model")),
            budget_usd=_number(signal.attrs.get("budget_usd")),
        ),
        now,
    )
    if not fresh:
        return Work(task_id, "its task was there already")
    tasks.inbox_add(conn, task_id, content, signal.id, now)
    sessions.lower(conn, session, Label(signal.trust, signal.private, frozenset({signal.subject})))
    if acts:
        return Work(task_id, "" if has_model else NO_MODEL, needs_owner=not has_model)
    approval = _propose(conn, task_id, session, signal, _goal(signal, judgement), now)
    asks = f"`clawctl approve {approval}` starts it"
    return Work(task_id, asks if has_model else NO_MODEL, needs_owner=True)


def _join(
    conn: Connection,
    held: tasks.Task,
    signal: Signal,
    verdict: Verdict,
    content: str,
    has_model: bool,
    now: int,
) -> Work:
    if verdict is not Verdict.ACT or not signal.trust.at_least(held.trust):
        return Work(held.id, f"{held.id} is already open for it")
    tasks.inbox_add(conn, held.id, content, signal.id, now)
    if held.state is TaskState.PROPOSED and has_model:
        for approval_id in approvals.pending_of_task(conn, held.id):
            approvals.withdraw(conn, approval_id, "the owner asked for it himself", now, held.session)
        tasks.move(conn, held.id, TaskState.READY, now, parked_on=None)
        return Work(held.id, f"{held.id} was proposed and starts now")
    if held.state is TaskState.PROPOSED:
        return Work(held.id, NO_MODEL)
    if held.state is TaskState.PARKED:
        tasks.move(conn, held.id, TaskState.READY, now, parked_on=None)
    return Work(held.id, f"{held.id} hears of it")


def _propose(conn: Connection, task_id: str, session: str, signal: Signal, content: str, now: int) -> str:
    facts: dict[str, JSON] = {
        "goal": content,
        "subject": signal.subject,
        "asked_by": signal.actor,
        "trust": str(signal.trust),
    }
    digest = hashlib.sha256(events.dumps({"task": task_id, **facts}).encode()).hexdigest()
    return approvals.request(conn, approvals.Question("proposal", task_id, session, facts, digest), now)


def _goal(signal: Signal, judgement: Judgement) -> str:
    """What the task is for, in one line or in the owner's own prompt."""
    if judgement.goal:
        return judgement.goal
    if signal.source is Source.GITHUB:
        return f"{signal.subject}: {_text(signal.attrs.get('title')) or signal.title}"
    return signal.title


def brief(conn: Connection, signal: Signal, judgement: Judgement) -> str:
    """The message a task begins with: what is asked and why, then what came from outside, quoted."""
    parts = [_goal(signal, judgement)]
    if signal.source is not Source.CHAT:
        parts.append(f"(Begun because {judgement.reason}.)")
    parts += _material(signal, signals.payload(conn, signal.id))
    return "\n\n".join(parts)


def _material(signal: Signal, payload: JSONObject | None) -> list[str]:
    if payload is None or signal.source in (Source.CHAT, Source.SCHEDULE, Source.TICK, Source.IDLE):
        return []
    if signal.source is Source.GITHUB:
        return _github_material(signal, payload)
    return [quoted(events.dumps(payload), f"{signal.source} {signal.subject}", QUOTED_PAYLOAD)]


def _github_material(signal: Signal, payload: JSONObject) -> list[str]:
    """The thread's title and body, and the words of the comment that began it."""
    found: list[str] = []
    for name in ("issue", "pull_request", "discussion"):
        thread = payload.get(name)
        if isinstance(thread, dict):
            author = thread.get("user")
            who = str(author.get("login")) if isinstance(author, dict) else "unknown"
            text = f"{thread.get('title') or ''}\n\n{thread.get('body') or ''}".strip()
            found.append(quoted(text, f"{signal.subject} by {who}", QUOTED_TEXT))
            break
    comment = payload.get("comment") or payload.get("review")
    if isinstance(comment, dict) and comment.get("body"):
        lead = "The owner's comment asks" if signal.attrs.get("command") else "The comment says"
        found.append(f"{lead}:\n" + quoted(str(comment["body"]), f"comment by {signal.actor}", QUOTED_TEXT))
    if not found:
        found.append(quoted(signal.title, signal.subject, 400))
    return found


def _number(value: JSON) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _text(value: JSON) -> str | None:
    return value if isinstance(value, str) and value else None
