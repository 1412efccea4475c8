"""The owner's word on what was asked: a proposal, a tool call, a question. Compare-and-set; SQL only."""

from dataclasses import dataclass

from nightclaw.api.ports import Answer
from nightclaw.core.effects import Level
from nightclaw.core.errors import Invalid, NotFound, Refused
from nightclaw.core.states import ApprovalState, CallState, TaskState
from nightclaw.core.trust import Trust
from nightclaw.store import approvals, calls, rules, sessions, tasks
from nightclaw.store.approvals import Approval
from nightclaw.store.db import Connection
from nightclaw.store.tasks import Task

NO_MODEL_HINT = "`clawctl init` finds a key or a local model; [models] in config.toml names one"


@dataclass(frozen=True, slots=True)
class Given:
    """The answer, the moment it came, and whether a model is there to go on."""

    answer: Answer
    has_model: bool
    now: int

    @property
    def allows(self) -> bool:
        return self.answer.decision == "allow"


def resolve(conn: Connection, given: Given) -> None:
    """Settle an approval and let its task go on. Raises Refused (409) for a second answer, a changed digest, or work
    that no model could do; Invalid for `always` where it cannot be."""
    held = approvals.get(conn, given.answer.approval_id)
    if given.answer.digest is not None and given.answer.digest != held.digest:
        raise Refused("this is not what was asked: the digest differs", "look at the approval again")
    task = tasks.get(conn, held.task_id) if held.task_id else None
    if task is None:
        raise NotFound(f"the task of {held.id} is gone")
    settled = {"proposal": _proposal, "call": _call, "question": _question}.get(held.kind)
    if settled is None:
        raise Invalid(f"nothing can be answered to a {held.kind}")
    settled(conn, given, held, task)


def _settle(conn: Connection, given: Given, held: Approval, task: Task, *, allow: bool) -> None:
    wanted = ApprovalState.GRANTED if allow else ApprovalState.DENIED
    approvals.resolve(
        conn,
        held.id,
        wanted,
        by=given.answer.by,
        note=given.answer.note,
        now=given.now,
        session=task.session,
        answer=given.answer.answer,
    )


def _proposal(conn: Connection, given: Given, held: Approval, task: Task) -> None:
    if given.answer.always:
        raise Invalid("a proposal cannot be allowed for ever", "write a [[rule]] instead")
    if given.allows and not given.has_model and held.state is ApprovalState.PENDING:
        raise Refused("no model is configured, so this cannot start yet", NO_MODEL_HINT)
    _settle(conn, given, held, task, allow=given.allows)
    if given.allows:
        tasks.move(conn, task.id, TaskState.READY, given.now, parked_on=None)
    else:
        tasks.finish(conn, task, TaskState.CANCELLED, given.answer.note or "the owner said no", given.now)


def _call(conn: Connection, given: Given, held: Approval, task: Task) -> None:
    call = calls.get(conn, held.call_id or "")
    if given.answer.always and given.allows:
        _grant(conn, given, held, task)
    _settle(conn, given, held, task, allow=given.allows)
    if call is not None and given.allows:
        calls.move(conn, call.id, CallState.APPROVED)
    tasks.move(conn, task.id, TaskState.READY, given.now, parked_on=None)


def _question(conn: Connection, given: Given, held: Approval, task: Task) -> None:
    if given.answer.always:
        raise Invalid("a question has no `always`", "answer it with `clawctl answer`")
    if given.allows and not (given.answer.answer or given.answer.note):
        raise Invalid("a question needs an answer", f'`clawctl answer {held.id} "…"`')
    _settle(conn, given, held, task, allow=given.allows)
    tasks.move(conn, task.id, TaskState.READY, given.now, parked_on=None)


def _grant(conn: Connection, given: Given, held: Approval, task: Task) -> None:
    """`always`: never for WORLD, never for what cannot be undone, and never wider than what was asked."""
    level = held.facts.get("level")
    if sessions.label_of(conn, task.session).trust is Trust.WORLD:
        raise Invalid(
            "text of strangers is in this task, so it is allowed once only", "approve without --always"
        )
    if not isinstance(level, int) or level >= Level.IRREVERSIBLE:
        raise Invalid("this cannot be undone, so it is allowed once only", "approve without --always")
    call = calls.get(conn, held.call_id or "")
    if call is None or call.matcher is None:
        raise Invalid("this can be allowed once only", "approve without --always")
    trust = sessions.label_of(conn, task.session).trust
    rules.add_grant(conn, call.tool, call.matcher, "*", trust, held.id, given.now)
