"""Tool calls, settled one by one in their order: judged, asked about, run, or reconciled after a cut.

Guarantees. A call's row says `running` before anything happens and holds its result before the model hears of it. An
ask parks the task: the row outlives everything, and what is run after the owner's word is exactly what was asked (the
digest is worked out again). A call that was cut is never blindly repeated: its `redo` class says what to do.
"""

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from nightclaw.core import failpoints
from nightclaw.core.effects import Level, ResolvedCall, Ruling, Verb
from nightclaw.core.errors import NightclawError
from nightclaw.core.ports import Clock
from nightclaw.core.states import ApprovalState, CallState, EffectState
from nightclaw.core.tools import Redo, Sandbox, Tool, ToolContext, ToolResult, Workspace
from nightclaw.core.types import JSON, NoteDraft
from nightclaw.execution.asking import Asking
from nightclaw.execution.errors import RunClosed, Stopped
from nightclaw.execution.parking import Parked, park
from nightclaw.execution.permits import Gatekeeper
from nightclaw.policy.facts import with_taint
from nightclaw.store import approvals, calls, effects, events, notifications, runs, sessions
from nightclaw.store.calls import Call
from nightclaw.store.db import Connection, Store
from nightclaw.store.runs import Claim

SAME_CALL = 3
MALFORMED = "_malformed"
CALLS_A_TURN = 50
RESULT_LIMIT = 60_000
Say = Callable[[str, str, str, dict[str, JSON]], None]


@dataclass(frozen=True, slots=True)
class Kit:
    """What calls work with: the tools by name, the wall, the services the tools may ask for."""

    tools: Mapping[str, Tool]
    sandbox: Sandbox
    services: Mapping[str, object]


class Caller:
    """Settles the calls of a claimed task. `asking` are the tools that talk with the owner or wait."""

    def __init__(
        self, store: Store, clock: Clock, kit: Kit, gate: Gatekeeper, asking: Asking, say: Say
    ) -> None:
        self._store = store
        self._clock = clock
        self._kit = kit
        self._gate = gate
        self._asking = asking
        self._say = say

    async def settle(self, claim: Claim, workspace: Workspace, open_calls: list[Call]) -> Parked | None:
        """Settle them in order; Parked when one waits for the owner or the clock. Raises RunClosed, Stopped."""
        if await self._store.read(runs.calls_of_run, claim.run_id) > CALLS_A_TURN:
            raise Stopped(f"stopped after {CALLS_A_TURN} calls in one turn")
        for call in open_calls:
            parked = await self._one(claim, workspace, call)
            if parked is not None:
                return parked
        return None

    async def _one(self, claim: Claim, workspace: Workspace, call: Call) -> Parked | None:
        if call.is_settled:
            return None
        if call.state is CallState.RUNNING:
            return await self._reconcile(claim, workspace, call)
        if call.state is CallState.WAITING:
            return await self._answered(claim, workspace, call)
        if await self._store.read(_repeats, call) >= SAME_CALL:
            await self._end(
                claim, call, CallState.ERROR, ToolResult("refused: the same call a third time", True)
            )
            raise Stopped(f"it repeated the same {call.tool} call {SAME_CALL} times")
        if MALFORMED in call.args:
            text = "The arguments were not one valid JSON object, so nothing ran. Send the call again, whole."
            await self._end(claim, call, CallState.ERROR, ToolResult(text, True))
            return None
        tool = self._kit.tools.get(call.tool)
        if tool is None and not self._asking.knows(call.tool):
            known = ", ".join(sorted([*self._kit.tools, *self._asking.names]))
            text = f"There is no tool {call.tool!r}. The tools are: {known}."
            await self._end(claim, call, CallState.ERROR, ToolResult(text, True))
            return None
        resolved = await asyncio.to_thread(self._gate.resolve, call.tool, call.args, claim.task, workspace)
        if call.state is CallState.APPROVED:
            return await self._run_approved(claim, workspace, call, resolved)
        ruling = await self._store.write(self._judge, claim, workspace, call, resolved)
        if ruling.verb is Verb.DENY:
            text = f"Refused: {ruling.reason}. Do it another way, or say what you would need."
            await self._end(claim, call, CallState.DENIED, ToolResult(text, True))
            return None
        if ruling.verb is Verb.ASK:
            approval_id = await self._store.write(self._ask_owner, claim, call, resolved, ruling)
            return Parked(approval_id)
        return await self._run(claim, workspace, call, resolved)

    # Judging and asking: SQL only, one transaction each

    def _judge(
        self, conn: Connection, claim: Claim, workspace: Workspace, call: Call, resolved: ResolvedCall
    ) -> Ruling:
        _guard(conn, claim)
        stance = self._gate.stance(conn, claim.task, workspace, self._clock.now_ms())
        ruling = self._gate.rule(resolved, stance)
        if ruling.verb is Verb.ASK and approvals.was_denied(conn, claim.task.id, resolved.digest):
            ruling = replace(ruling, verb=Verb.DENY, reason="the owner said no to exactly this already")
        calls.note(
            conn,
            call.id,
            digest=resolved.digest,
            level=int(ruling.level),
            rule=ruling.rule,
            matcher=self._gate.matcher(resolved),
        )
        return ruling

    def _ask_owner(
        self, conn: Connection, claim: Claim, call: Call, resolved: ResolvedCall, ruling: Ruling
    ) -> str:
        """Park the task on the owner's word about exactly this call."""
        _guard(conn, claim)
        now, task = self._clock.now_ms(), claim.task
        label = sessions.label_of(conn, task.session)
        facts = {**with_taint(resolved.facts, label), "reason": ruling.reason, "level": int(ruling.level)}
        question = approvals.Question(
            "call", task.id, task.session, facts, resolved.digest, call.id, call.tool, call.args
        )
        approval_id = approvals.request(conn, question, now)
        calls.move(conn, call.id, CallState.WAITING, approval_id=approval_id, digest=resolved.digest)
        park(conn, claim, Parked(approval_id), now)
        what = str(resolved.facts.get("summary") or call.tool)
        note = NoteDraft(
            title=f"Asks: {what}"[:120],
            body=f"{task.subject}: {ruling.reason}. `clawctl approve {approval_id}` or `clawctl deny {approval_id}`.",
            dedupe_key=f"approval:{approval_id}",
            subject=task.subject,
            kind="approval",
            private=task.private,
            session=task.session,
        )
        notifications.queue(conn, note, now=now, decision_id=task.decision_id)
        return approval_id

    async def _answered(self, claim: Claim, workspace: Workspace, call: Call) -> Parked | None:
        """Go on with a call whose question was settled while the task was parked."""
        held = await self._store.read(approvals.get, call.approval_id or "")
        if held.state is ApprovalState.PENDING:
            await self._store.write(self._park_again, claim, Parked(held.id))
            return Parked(held.id)
        if self._asking.knows(call.tool):
            await self._store.write(self._settle_answer, claim, call, held)
            return None
        if held.state is not ApprovalState.GRANTED:
            said = f" They said: {held.note}" if held.note else ""
            text = (
                f"The owner did not allow this ({held.state}).{said} Do not try it again; go on without it."
            )
            await self._end(claim, call, CallState.DENIED, ToolResult(text, True))
            return None
        await self._store.write(self._approve, claim, call)
        fresh = await self._store.read(calls.get, call.id)
        return await self._one(claim, workspace, fresh) if fresh else None

    def _settle_answer(self, conn: Connection, claim: Claim, call: Call, held: approvals.Approval) -> None:
        """The owner's answer is the result of the call that asked."""
        calls.move(conn, call.id, CallState.APPROVED)
        calls.move(conn, call.id, CallState.RUNNING)
        self._settle_row(conn, claim, call, *self._asking.answer(call, held), None)

    def _approve(self, conn: Connection, claim: Claim, call: Call) -> None:
        _guard(conn, claim)
        calls.move(conn, call.id, CallState.APPROVED)

    def _park_again(self, conn: Connection, claim: Claim, parked: Parked) -> None:
        _guard(conn, claim)
        park(conn, claim, parked, self._clock.now_ms())

    async def _run_approved(
        self, claim: Claim, workspace: Workspace, call: Call, resolved: ResolvedCall
    ) -> Parked | None:
        if resolved.digest != call.digest:
            text = (
                "What the owner approved has changed since (a file, the branch or the destination). Ask anew."
            )
            await self._end(claim, call, CallState.ERROR, ToolResult(text, True))
            return None
        return await self._run(claim, workspace, call, resolved)

    # Running

    async def _run(
        self, claim: Claim, workspace: Workspace, call: Call, resolved: ResolvedCall, *, again: bool = False
    ) -> Parked | None:
        if self._asking.knows(call.tool):
            return await self._asking.run(claim, call)
        tool = self._kit.tools[call.tool]
        effect_id = await self._store.write(self._begin, claim, call, tool, resolved, again)
        failpoints.hit("calls.started")
        result = await self._perform(claim, workspace, call, tool)
        failpoints.hit("calls.performed")
        wanted = CallState.ERROR if result.is_error else CallState.OK
        await self._end(claim, call, wanted, result, effect_id)
        failpoints.hit("calls.settled")
        return None

    def _begin(
        self, conn: Connection, claim: Claim, call: Call, tool: Tool, resolved: ResolvedCall, again: bool
    ) -> str | None:
        _guard(conn, claim)
        now = self._clock.now_ms()
        calls.move(conn, call.id, CallState.RUNNING, started_at=now, redo=str(tool.spec.redo))
        data: dict[str, JSON] = {"call": call.id, "tool": call.tool, "summary": _summary(call)}
        events.append(conn, "tool.started", now, data, task=claim.task.id, session=claim.task.session)
        if resolved.level < Level.OUTWARD:
            return None
        target = next((e.target for e in resolved.effects if e.level >= Level.OUTWARD), call.tool)
        if again:
            held = effects.by_key(conn, call.id)
            if held is not None:
                effects.put_back(conn, held.id, "not there after a restart")
        size = len(json.dumps(dict(call.args)))
        return effects.prepare(
            conn, kind=call.tool.lower(), target=target, idem_key=call.id, repeat=str(tool.spec.redo),
            size=size, now=now, task=claim.task.id,
        )  # fmt: skip

    async def _perform(self, claim: Claim, workspace: Workspace, call: Call, tool: Tool) -> ToolResult:
        ctx = self._context(
            claim, workspace, call, await self._store.read(sessions.label_of, claim.task.session)
        )
        try:
            async with asyncio.timeout(tool.spec.deadline_s):
                return await tool.run(call.args, ctx)
        except TimeoutError:
            return ToolResult(f"{call.tool} took over {tool.spec.deadline_s:.0f} s and was stopped.", True)
        except NightclawError as error:
            return ToolResult(f"{error.message} {error.hint}".strip(), True)

    def _context(self, claim: Claim, workspace: Workspace, call: Call, label: sessions.Label) -> ToolContext:
        task = claim.task
        return ToolContext(
            call_id=call.id,
            task_id=task.id,
            session=task.session,
            key=call.id,
            subject=task.subject,
            workspace=workspace,
            label=label,
            sandbox=self._kit.sandbox,
            services=self._kit.services,
            now_ms=self._clock.now_ms,
            say=lambda line: self._say(
                "tool.progress", task.id, task.session, {"call": call.id, "text": line}
            ),
        )

    async def _end(
        self,
        claim: Claim,
        call: Call,
        wanted: CallState,
        result: ToolResult,
        effect_id: str | None = None,
    ) -> None:
        await self._store.write(self._settle_row, claim, call, wanted, result, effect_id)

    def _settle_row(
        self,
        conn: Connection,
        claim: Claim,
        call: Call,
        wanted: CallState,
        result: ToolResult,
        effect_id: str | None,
    ) -> None:
        """The result, its label, the effect's end and the event, in one transaction."""
        _guard(conn, claim)
        now = self._clock.now_ms()
        text = result.text if len(result.text) <= RESULT_LIMIT else result.text[:RESULT_LIMIT] + "\n… (cut)"
        if not calls.settle(conn, call, wanted, text, result.object_ids, now):
            held = calls.get(conn, call.id)
            if held is None or not held.is_settled:
                raise Stopped(f"stopped: the call {call.id} could not be settled as {wanted}")
            return
        if result.label is not None:
            sessions.lower(conn, claim.task.session, result.label)
        if effect_id is not None:
            _settle_effect(conn, effect_id, call, result, claim.task.id, now)
        data: dict[str, JSON] = {
            "call": call.id,
            "tool": call.tool,
            "ok": wanted is CallState.OK,
            "state": str(wanted),
            "summary": " ".join(text.split())[:200],
        }
        events.append(conn, "tool.finished", now, data, task=claim.task.id, session=claim.task.session)

    # After a cut

    async def _reconcile(self, claim: Claim, workspace: Workspace, call: Call) -> Parked | None:
        """A call that says `running` though nobody runs it: by its class, never blindly again."""
        tool = self._kit.tools.get(call.tool)
        resolved = await asyncio.to_thread(self._gate.resolve, call.tool, call.args, claim.task, workspace)
        effect = await self._store.read(effects.by_key, call.id)
        if tool is not None and call.redo in (Redo.PURE, Redo.KEYED):
            return await self._run(claim, workspace, call, resolved, again=True)
        if tool is not None and call.redo == Redo.PROBE:
            label = await self._store.read(sessions.label_of, claim.task.session)
            found = await tool.probe(call.args, self._context(claim, workspace, call, label))
            if found is None:
                return await self._run(claim, workspace, call, resolved, again=True)
            wanted = CallState.UNKNOWN if found.is_error else CallState.OK
            await self._end(claim, call, wanted, found, effect.id if effect else None)
            return None
        text = (
            "This was cut by a restart: it may have run wholly, partly or not at all. "
            "Look at how things stand before you repeat it."
        )
        await self._end(claim, call, CallState.UNKNOWN, ToolResult(text, True), effect.id if effect else None)
        return None


def _guard(conn: Connection, claim: Claim) -> None:
    if not runs.is_running(conn, claim.run_id):
        raise RunClosed


def _repeats(conn: Connection, call: Call) -> int:
    """How many of the task's newest calls in a row are this very one, it included."""
    count = 0
    for tool, args in calls.trail(conn, call.task_id, SAME_CALL):
        if tool != call.tool or json.loads(args) != dict(call.args):
            break
        count += 1
    return count


def _settle_effect(
    conn: Connection, effect_id: str, call: Call, result: ToolResult, task: str, now: int
) -> None:
    """Close the effect row; each further name of what was made gets a row of its own, so its echo is known."""
    wanted = EffectState.FAILED if result.is_error else EffectState.APPLIED
    first, *others = result.object_ids or ("",)
    error = result.text[:300] if result.is_error else None
    effects.settle(conn, effect_id, wanted, now, object_id=first or None, error=error)
    for n, object_id in enumerate(others, 2):
        more = effects.prepare(
            conn, kind=call.tool.lower(), target=object_id, idem_key=f"{call.id}#{n}", repeat="pure",
            size=0, now=now, task=task,
        )  # fmt: skip
        if more is not None:
            effects.settle(conn, more, EffectState.APPLIED, now, object_id=object_id)


def _summary(call: Call) -> str:
    """What the call is about, one plain line for people."""
    for key in ("command", "file_path", "pattern", "action", "query", "question", "message"):
        value = call.args.get(key)
        if isinstance(value, str) and value:
            return " ".join(value.split())[:160]
    return ""
