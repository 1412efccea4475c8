"""What a turn leaves in the store: its start, its step, its end. SQL only, one transaction each.

Every write is guarded by the run still being `running`: one that recovery or a cancel has closed raises RunClosed, or
writes nothing.
"""

import json
from dataclasses import dataclass

from nightclaw.core.errors import ProviderError
from nightclaw.core.ports import Clock, ModelCall, ModelRequest, Reply, Usage
from nightclaw.core.states import RunState, TaskState
from nightclaw.core.trust import Label
from nightclaw.core.types import JSON, JSONObject, NoteDraft
from nightclaw.execution import context
from nightclaw.execution.errors import RunClosed, Stopped
from nightclaw.execution.parking import OWNER, Parked, park
from nightclaw.execution.places import Places
from nightclaw.execution.purse import Purse
from nightclaw.store import calls, events, notifications, observations, runs, sessions, tasks
from nightclaw.store.calls import Call
from nightclaw.store.db import Connection
from nightclaw.store.runs import Claim, StepRow

TURNS_AN_HOUR = 30
OFFLINE = "offline"
"""The model's name of the provider that only repeats what is stored."""
HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class Turn:
    """What a turn begins with: the newest step's calls, what waits in the inbox, the conversation before it."""

    calls: list[Call]
    items: list[tasks.InboxItem]
    transcript: list[StepRow]
    is_first: bool
    answered: str | None = None
    """The answer of the newest step, when it was saved and only the turn was not closed."""


class Turns:
    """The rows of a turn. purse settles what a step cost, places tells what became of the work."""

    def __init__(self, clock: Clock, purse: Purse, places: Places) -> None:
        self._clock = clock
        self._purse = purse
        self._places = places
        self._parking: set[str] = set()

    def park_next(self, task_id: str) -> None:
        """Have the next turn of this task not begin, and the task wait for the owner."""
        self._parking.add(task_id)

    def begin(self, conn: Connection, claim: Claim) -> Turn | None:
        """What the next turn works with; None (and the task at rest) when there is nothing to do."""
        now, task = self._clock.now_ms(), claim.task
        if not runs.is_running(conn, claim.run_id):
            raise RunClosed
        fresh = tasks.get(conn, task.id)
        if fresh is not None and fresh.cancel_at is not None:
            self.cut_calls(conn, claim)
            runs.end(conn, claim.run_id, RunState.CANCELLED, "cancelled", now)
            _tell_turn(conn, claim, "Cancelled.", Usage(), now, error="cancelled")
            tasks.finish(conn, task, TaskState.CANCELLED, "cancelled by the owner", now)
            return None
        if task.id in self._parking:
            self._parking.discard(task.id)
            park(conn, claim, Parked(OWNER, why="Interrupted."), now)
            return None
        if runs.runs_since(conn, task.id, now - HOUR_MS) > TURNS_AN_HOUR:
            raise Stopped(f"stopped: more than {TURNS_AN_HOUR} turns in an hour")
        found, items = calls.of_last_step(conn, task.id), tasks.unread(conn, task.id)
        _, _, cleared_at = sessions.settings_of(conn, task.session)
        transcript = runs.transcript(conn, task.session, context.TRANSCRIPT_STEPS, cleared_at)
        own = [s for s in transcript if s.task_id == task.id]
        if own and not found and not items:
            return Turn(found, items, transcript, False, context.text_of(own[-1].response))
        if items:
            data: dict[str, JSON] = {"task": task.id, "run": claim.run_id, "inbox": [i.seq for i in items]}
            events.append(conn, "turn.started", now, data, task=task.id, session=task.session)
        return Turn(found, items, transcript, is_first=not own)

    def save(
        self,
        conn: Connection,
        claim: Claim,
        turn: Turn,
        content: list[JSONObject],
        request: ModelRequest,
        reply: Reply,
        reservation: str,
        label: Label | None,
    ) -> list[Call]:
        """The step, its calls as requested, the ledger and the inbox read, in one transaction."""
        now, task = self._clock.now_ms(), claim.task
        if not runs.is_running(conn, claim.run_id):
            raise RunClosed
        step_id = runs.save_step(
            conn,
            claim,
            request_digest=f"{context.prefix_digest(request)}:{context.digest(request)[:32]}",
            user_content=content,
            response=list(reply.content),
            usage=reply.usage.as_json(),
            text=context.text_of(reply.content),
            now=now,
        )
        if label is not None:
            sessions.lower(conn, task.session, label)
        calls.request(conn, step_id, task.id, context.uses_of(reply.content), now)
        if turn.items:
            tasks.mark_read(conn, task.id, turn.items[-1].seq, now)
        spent = reply.calls or ([ModelCall(reply.model, reply.usage)] if reply.model != OFFLINE else [])
        self._purse.settle(conn, reservation, tuple(spent))
        return calls.of_step(conn, step_id)

    def finish(
        self, conn: Connection, claim: Claim, text: str, reason: str, verified: bool | None, is_new: bool
    ) -> bool:
        """Close the turn; False when more came in meanwhile and the loop goes on."""
        now, task = self._clock.now_ms(), claim.task
        if not runs.is_running(conn, claim.run_id):
            raise RunClosed
        usage = runs.usage_of_task(conn, task.id)
        told = _tell_turn(conn, claim, text, usage, now)
        if is_new:
            repo = task.repo if task.private else None
            observations.answered(conn, told, text, task.session, task.id, now, repo)
        if tasks.unread(conn, task.id):
            return False
        runs.end(conn, claim.run_id, RunState.COMPLETED, reason, now)
        tasks.set_verified(conn, task.id, verified)
        tasks.finish(conn, task, TaskState.DONE, text, now, usage=json.dumps(usage.as_json()))
        self._places.report(conn, task, text, verified, now)
        return True

    def rest(self, conn: Connection, claim: Claim, parked: Parked) -> None:
        if runs.is_running(conn, claim.run_id):
            park(conn, claim, parked, self._clock.now_ms())

    def wait_for_model(
        self, conn: Connection, claim: Claim, parked: Parked, lasting: ProviderError | None
    ) -> None:
        """lasting: a key, a quota or a name that is wrong, however many tasks meet it today."""
        self.rest(conn, claim, parked)
        if lasting is None:
            return
        now = self._clock.now_ms()
        day = now // (24 * HOUR_MS)
        note = NoteDraft(
            title=f"Work waits: {lasting.message}"[:120],
            body=sentences(lasting.hint, "`clawctl status` shows what waits."),
            dedupe_key=f"models:{lasting.kind}:{lasting.message[:80]}:{day}",
            subject="models",
            kind="problem",
        )
        if not notifications.is_known(conn, note.dedupe_key):
            notifications.queue(conn, note, now=now)

    def fail(self, conn: Connection, claim: Claim, message: str) -> None:
        now = self._clock.now_ms()
        if runs.end(conn, claim.run_id, RunState.FAILED, message, now):
            self.cut_calls(conn, claim)
            _tell_turn(conn, claim, message, runs.usage_of_task(conn, claim.task.id), now, error=message)
            tasks.finish(conn, claim.task, TaskState.FAILED, message, now)
            self._places.report(conn, claim.task, message, None, now)

    def interrupt(self, conn: Connection, claim: Claim) -> None:
        now = self._clock.now_ms()
        if runs.end(conn, claim.run_id, RunState.INTERRUPTED, "the daemon is stopping", now):
            tasks.move(conn, claim.task.id, TaskState.READY, now)

    def cut_calls(self, conn: Connection, claim: Claim) -> None:
        now = self._clock.now_ms()
        for call in calls.of_last_step(conn, claim.task.id):
            if not call.is_settled:
                calls.cut(conn, call, "Stopped: the owner interrupted.", now)


def sentences(first: str, *more: str) -> str:
    """One text of several: each ends with a full stop; those after the first begin with a capital letter."""
    whole = [first, *(f"{p[0].upper()}{p[1:]}" for p in more if p)]
    return " ".join(p if p.endswith((".", "!", "?")) else f"{p}." for p in whole if p)


def _tell_turn(
    conn: Connection, claim: Claim, text: str, usage: Usage, now: int, error: str | None = None
) -> int:
    """Say that the turn is over; the cursor of the event."""
    data: dict[str, JSON] = {"task": claim.task.id, "text": text, "usage": usage.as_json()}
    if error is not None:
        data["error"] = error
    return events.append(conn, "turn.finished", now, data, task=claim.task.id, session=claim.task.session)
