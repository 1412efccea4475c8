"""The run loop: read the inbox, ask the model, save the step, answer. One claimed task from start to rest.

A message stays unread until the step that answers it is saved, so a crash anywhere asks again and loses nothing.
Every write is guarded by the run still being `running`: a run that recovery or a cancel has closed stops quietly.
"""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass

from nightclaw.store.db import Connection

from nightclaw.core import failpoints
from nightclaw.core.errors import ProviderError
from nightclaw.core.ports import Clock, Provider, Reply, Restarted, TextDelta, ThinkingDelta, Usage
from nightclaw.core.states import RunState, TaskState
from nightclaw.core.types import JSON, JSONObject
from nightclaw.execution import context
from nightclaw.store import costs, events, runs, tasks
from nightclaw.store.db import Store
from nightclaw.store.runs import Claim

Publish = Callable[[str, str, str, dict[str, JSON]], None]
"""(kind, task, session, data): an ephemeral frame for whoever follows."""


class RunClosed(Exception):
    """Somebody else closed this run; nothing more may be written for it."""


@dataclass(frozen=True, slots=True)
class Model:
    """Who answers: the provider and the name of its model."""

    provider: Provider
    name: str


class Runner:
    """Runs one claim at a time per call of `run`; several calls may run side by side."""

    def __init__(self, store: Store, clock: Clock, publish: Publish, day_of: Callable[[int], str]) -> None:
        self._store = store
        self._clock = clock
        self._publish = publish
        self._day_of = day_of
        self._nudges: dict[str, asyncio.Event] = {}
        self._parking: set[str] = set()

    def park(self, task_id: str) -> bool:
        """Stop the running turn of this task and leave it parked until the owner speaks; False when none runs."""
        if task_id not in self._nudges:
            return False
        self._parking.add(task_id)
        self._nudges[task_id].set()
        return True

    def nudge(self, task_id: str) -> None:
        """Have the running turn of this task stop where it is and look at its inbox and its cancel mark."""
        if task_id in self._nudges:
            self._nudges[task_id].set()

    async def run(self, claim: Claim, model: Model) -> None:
        """Work until the inbox is empty and answered. Raises nothing but cancellation (then resumable)."""
        nudge = self._nudges[claim.task.id] = asyncio.Event()
        try:
            while not await self._turn(claim, model, nudge):
                nudge.clear()
        except RunClosed:
            return
        except ProviderError as error:
            await self._store.write(self._fail, claim, f"{error.message} {error.hint}".strip())
        except asyncio.CancelledError:
            await asyncio.shield(self._store.write(self._interrupt, claim))
            raise
        finally:
            self._nudges.pop(claim.task.id, None)

    async def _turn(self, claim: Claim, model: Model, nudge: asyncio.Event) -> bool:
        """One model call with what waits in the inbox; True when the task is at rest."""
        items = await self._store.write(self._begin, claim)
        if items is None:
            return True
        transcript = await self._store.read(runs.transcript, claim.task.session, context.TRANSCRIPT_STEPS)
        content = context.user_content(items)
        request = context.build(model.name, transcript, content)
        failpoints.hit("runner.before_model")
        reply = await self._ask(claim, model.provider, request, nudge)
        if reply is None:
            return False
        failpoints.hit("runner.after_model")
        digest = context.digest(request)
        await self._store.write(self._save, claim, items, content, reply, digest)
        failpoints.hit("runner.step_saved")
        failpoints.hit("runner.before_finish")
        return await self._store.write(self._finish, claim, reply)

    async def _ask(
        self, claim: Claim, provider: Provider, request: context.ModelRequest, nudge: asyncio.Event
    ) -> Reply | None:
        """The reply, streamed to followers as it comes; None when a nudge cut it short."""

        async def consume() -> Reply:
            async for part in provider.stream(request):
                if isinstance(part, Reply):
                    return part
                self._tell_delta(claim, part)
            raise ProviderError("the model's answer ended before it was complete")

        asking = asyncio.ensure_future(consume())
        nudged = asyncio.ensure_future(nudge.wait())
        try:
            await asyncio.wait({asking, nudged}, return_when=asyncio.FIRST_COMPLETED)
            return asking.result() if asking.done() else None
        finally:
            for waiting in (asking, nudged):
                waiting.cancel()
            await asyncio.gather(asking, nudged, return_exceptions=True)

    def _tell_delta(self, claim: Claim, part: TextDelta | ThinkingDelta | Restarted) -> None:
        kind = "thinking.delta" if isinstance(part, ThinkingDelta) else "text.delta"
        data: dict[str, JSON] = (
            {"text": part.why, "restart": True} if isinstance(part, Restarted) else {"text": part.text}
        )
        self._publish(kind, claim.task.id, claim.task.session, data)

    # Writes: SQL only, one transaction each

    def _begin(self, conn: Connection, claim: Claim) -> list[tasks.InboxItem] | None:
        """What waits to be answered; None (and the task at rest) when nothing does or it is to be cancelled."""
        now = self._clock.now_ms()
        if not runs.is_running(conn, claim.run_id):
            raise RunClosed
        fresh = tasks.get(conn, claim.task.id)
        if fresh is not None and fresh.cancel_at is not None:
            runs.end(conn, claim.run_id, RunState.CANCELLED, "cancelled", now)
            _tell_turn(conn, claim, "Cancelled.", Usage(), now, error="cancelled")
            tasks.finish(conn, claim.task, TaskState.CANCELLED, "cancelled by the owner", now)
            return None
        if claim.task.id in self._parking:
            self._parking.discard(claim.task.id)
            runs.end(conn, claim.run_id, RunState.PARKED, "interrupted by the owner", now)
            _tell_turn(conn, claim, "Interrupted.", Usage(), now, error="interrupted")
            tasks.park(conn, claim.task, "owner", now)
            return None
        items = tasks.unread(conn, claim.task.id)
        if not items:
            runs.end(conn, claim.run_id, RunState.COMPLETED, "nothing to answer", now)
            tasks.finish(conn, claim.task, TaskState.DONE, runs.last_text(conn, claim.task.id), now)
            return None
        data: dict[str, JSON] = {"task": claim.task.id, "run": claim.run_id, "messages": len(items)}
        events.append(conn, "turn.started", now, data, task=claim.task.id, session=claim.task.session)
        return items

    def _save(
        self,
        conn: Connection,
        claim: Claim,
        items: list[tasks.InboxItem],
        content: list[JSONObject],
        reply: Reply,
        digest: str,
    ) -> None:
        now = self._clock.now_ms()
        if not runs.is_running(conn, claim.run_id):
            raise RunClosed
        runs.save_step(
            conn,
            claim,
            request_digest=digest,
            user_content=content,
            response=list(reply.content),
            usage=reply.usage.as_json(),
            text=context.text_of(reply.content),
            now=now,
        )
        tasks.mark_read(conn, claim.task.id, items[-1].seq, now)
        cause = "chat" if claim.task.kind == "chat" else "task"
        if reply.model != "offline":
            spent = costs.Spent(cause, self._day_of(now), reply.model, reply.usage, claim.task.id)
            costs.record(conn, spent, now)

    def _finish(self, conn: Connection, claim: Claim, reply: Reply) -> bool:
        """Close the turn; False when more came in meanwhile and the loop goes on."""
        now = self._clock.now_ms()
        if not runs.is_running(conn, claim.run_id):
            raise RunClosed
        text = context.text_of(reply.content)
        _tell_turn(conn, claim, text, reply.usage, now)
        if tasks.unread(conn, claim.task.id):
            return False
        runs.end(conn, claim.run_id, RunState.COMPLETED, reply.stop_reason, now)
        usage = json.dumps(reply.usage.as_json())
        tasks.finish(conn, claim.task, TaskState.DONE, text, now, usage=usage)
        return True

    def _fail(self, conn: Connection, claim: Claim, message: str) -> None:
        now = self._clock.now_ms()
        if runs.end(conn, claim.run_id, RunState.FAILED, message, now):
            _tell_turn(conn, claim, message, Usage(), now, error=message)
            tasks.finish(conn, claim.task, TaskState.FAILED, message, now)

    def _interrupt(self, conn: Connection, claim: Claim) -> None:
        now = self._clock.now_ms()
        if runs.end(conn, claim.run_id, RunState.INTERRUPTED, "the daemon is stopping", now):
            tasks.move(conn, claim.task.id, TaskState.READY, now)


def _tell_turn(
    conn: Connection, claim: Claim, text: str, usage: Usage, now: int, error: str | None = None
) -> None:
    data: dict[str, JSON] = {"task": claim.task.id, "text": text, "usage": usage.as_json()}
    if error is not None:
        data["error"] = error
    events.append(conn, "turn.finished", now, data, task=claim.task.id, session=claim.task.session)
