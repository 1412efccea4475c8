"""Runs and steps: each claim of a task is a run, each model call a step, saved before anything follows from it."""

import json
import zlib
from dataclasses import dataclass

from sqlalchemy import Connection, func, insert, select, update

from nightclaw.core.ids import new_id
from nightclaw.core.ports import Usage
from nightclaw.core.states import RunState, TaskState
from nightclaw.core.types import JSON, JSONObject
from nightclaw.store import events, tasks
from nightclaw.store.schema import run, step, task, tool_call

_LOOKED_AT = 40


@dataclass(frozen=True, slots=True)
class Claim:
    """A task taken for work: every write of the run is guarded by its run id still being `running`."""

    task: tasks.Task
    run_id: str
    attempt: int


@dataclass(frozen=True, slots=True)
class StepRow:
    """input: the user content this step answered, [] when none; response: the reply's content blocks."""

    id: str
    task_id: str
    input: list[JSONObject]
    response: list[JSONObject]
    created_at: int


def claim_next(conn: Connection, kinds: list[str], epoch: int, model: str, now: int) -> Claim | None:
    """Take the next ready task of these kinds, or None."""
    found = tasks.claimable(conn, kinds)
    if found is None or not tasks.move(
        conn, found.id, TaskState.RUNNING, now, attempts=found.attempts + 1, parked_on=None
    ):
        return None
    run_id, attempt = new_id("run", now), found.attempts + 1
    conn.execute(
        insert(run).values(
            id=run_id,
            task_id=found.id,
            attempt=attempt,
            epoch=epoch,
            state=str(RunState.RUNNING),
            model=model,
            started_at=now,
        )
    )
    data: dict[str, JSON] = {"task": found.id, "run": run_id, "attempt": attempt, "subject": found.subject}
    events.append(conn, "task.started", now, data, task=found.id, session=found.session)
    return Claim(found, run_id, attempt)


def end(conn: Connection, run_id: str, wanted: RunState, reason: str, now: int) -> bool:
    """Close a run that still runs; False when it was closed already (its writer must stop)."""
    return (
        conn.execute(
            update(run)
            .where(run.c.id == run_id, run.c.state == str(RunState.RUNNING))
            .values(state=str(wanted), stop_reason=reason, ended_at=now)
        ).rowcount
        == 1
    )


def calls_of_run(conn: Connection, run_id: str) -> int:
    """How many tool calls a run has asked for."""
    query = select(func.count()).select_from(tool_call).join(step, step.c.id == tool_call.c.step_id)
    return int(conn.execute(query.where(step.c.run_id == run_id)).scalar() or 0)


def has_steps(conn: Connection, task_id: str) -> bool:
    return conn.execute(select(step.c.id).where(step.c.task_id == task_id).limit(1)).first() is not None


def usage_of_task(conn: Connection, task_id: str) -> Usage:
    """What the task's steps used so far, added up."""
    total = Usage()
    for row in conn.execute(select(step.c.usage).where(step.c.task_id == task_id)):
        u = json.loads(row.usage)
        total = total.plus(
            Usage(
                u.get("input_tokens", 0),
                u.get("output_tokens", 0),
                u.get("cache_read_tokens", 0),
                u.get("cache_write_tokens", 0),
                u.get("cost_usd", 0.0),
            )
        )
    return total


def runs_since(conn: Connection, task_id: str, at: int) -> int:
    query = select(func.count()).select_from(run).where(run.c.task_id == task_id, run.c.started_at >= at)
    return int(conn.execute(query).scalar() or 0)


def is_running(conn: Connection, run_id: str) -> bool:
    return conn.execute(select(run.c.state).where(run.c.id == run_id)).scalar() == str(RunState.RUNNING)


def save_step(
    conn: Connection,
    claim: Claim,
    *,
    request_digest: str,
    user_content: list[JSONObject],
    response: list[JSONObject],
    usage: dict[str, JSON],
    text: str,
    now: int,
) -> str:
    """Save what was asked and what came back; the full text goes out as `step.saved`."""
    n = int(conn.execute(select(func.max(step.c.n)).where(step.c.run_id == claim.run_id)).scalar() or 0) + 1
    step_id = new_id("stp", now)
    conn.execute(
        insert(step).values(
            id=step_id,
            run_id=claim.run_id,
            task_id=claim.task.id,
            session_id=claim.task.session,
            n=n,
            request_digest=request_digest,
            input=_pack(user_content),
            response=_pack(response),
            usage=events.dumps(usage),
            created_at=now,
        )
    )
    data: dict[str, JSON] = {"step": step_id, "n": n, "text": text, "usage": usage}
    events.append(conn, "step.saved", now, data, task=claim.task.id, session=claim.task.session)
    return step_id


def transcript(conn: Connection, session_id: str, limit: int, after_at: int = 0) -> list[StepRow]:
    """The last `limit` steps of a session since `after_at` (ms), oldest first."""
    rows = conn.execute(
        select(step)
        .where(step.c.session_id == session_id, step.c.created_at >= after_at)
        .order_by(step.c.created_at.desc(), step.c.id.desc())
        .limit(limit)
    ).all()
    return [
        StepRow(r.id, r.task_id, _unpack(r.input), _unpack(r.response), r.created_at) for r in reversed(rows)
    ]


def texts_shown(conn: Connection, task_id: str, opening: str) -> list[str]:
    """The texts a task's model was shown that begin with `opening`, oldest first; of its last `_LOOKED_AT` steps."""
    newest = (
        select(step.c.input)
        .where(step.c.task_id == task_id)
        .order_by(step.c.created_at.desc(), step.c.n.desc())
    )
    blobs = conn.execute(newest.limit(_LOOKED_AT)).scalars().all()
    texts = (
        str(b.get("text", "")) for blob in reversed(blobs) for b in _unpack(blob) if b.get("type") == "text"
    )
    return [text for text in texts if text.startswith(opening)]


def last_text(conn: Connection, task_id: str) -> str:
    """The words of a task's newest step, "" when it has none."""
    blob = conn.execute(
        select(step.c.response)
        .where(step.c.task_id == task_id)
        .order_by(step.c.created_at.desc(), step.c.n.desc())
    ).scalar()
    return "".join(str(b.get("text", "")) for b in _unpack(blob) if b.get("type") == "text")


def interrupt_all(conn: Connection, now: int) -> list[tasks.Task]:
    """Recovery: close every run that still says running. Returns the tasks they leave behind, still running."""
    for r in conn.execute(select(run.c.id).where(run.c.state == str(RunState.RUNNING))).all():
        end(conn, r.id, RunState.INTERRUPTED, "the daemon stopped", now)
    rows = conn.execute(select(task.c.id).where(task.c.state == str(TaskState.RUNNING))).all()
    return [t for r in rows if (t := tasks.get(conn, r.id)) is not None]


def deaths_at_same_step(conn: Connection, task_id: str) -> int:
    """How many of the task's newest runs were cut without getting anywhere: no step saved, no call settled."""
    count = 0
    rows = conn.execute(
        select(run.c.id, run.c.state, run.c.started_at)
        .where(run.c.task_id == task_id)
        .order_by(run.c.attempt.desc())
        .limit(5)
    ).all()
    for r in rows:
        saved = conn.execute(select(step.c.id).where(step.c.run_id == r.id).limit(1)).first()
        settled = conn.execute(
            select(tool_call.c.id)
            .where(tool_call.c.task_id == task_id, tool_call.c.ended_at >= r.started_at)
            .limit(1)
        ).first()
        if r.state != str(RunState.INTERRUPTED) or saved or settled:
            break
        count += 1
    return count


def _pack(value: list[JSONObject]) -> bytes:
    return zlib.compress(events.dumps(value).encode(), 6)


def _unpack(blob: bytes | None) -> list[JSONObject]:
    return json.loads(zlib.decompress(blob)) if blob else []
