"""The tools by which a run talks with its owner or waits: AskUserQuestion, SendUserMessage, Sleep.

They are rows, not programs, so they live here and not among the tools: a question is an approval, a message a note,
a wait a parked task.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable

from nightclaw.core.ports import Clock
from nightclaw.core.states import ApprovalState, CallState
from nightclaw.core.tools import Redo, ToolResult, ToolSpec
from nightclaw.core.types import JSON, JSONObject, NoteDraft
from nightclaw.execution.errors import RunClosed
from nightclaw.execution.parking import Parked, park
from nightclaw.store import approvals, calls, events, notifications, runs
from nightclaw.store.approvals import Approval
from nightclaw.store.calls import Call
from nightclaw.store.db import Connection, Store
from nightclaw.store.runs import Claim

LONGEST_SLEEP_S = 7 * 24 * 3600
NOTES_AN_HOUR = 20


def _spec(name: str, description: str, properties: JSONObject, required: list[str]) -> ToolSpec:
    schema: JSONObject = {"type": "object", "properties": properties, "required": list(required)}
    return ToolSpec(name, description, schema, Redo.ONCE)


_TEXT: JSONObject = {"type": "string"}
SPECS = (
    _spec(
        "AskUserQuestion",
        "Ask the owner something only they can decide, and wait for the answer.",
        {"question": _TEXT, "options": {"type": "array", "items": _TEXT}},
        ["question"],
    ),
    _spec(
        "SendUserMessage",
        "Send the owner a short note (plain text). Use it rarely: for what they would want to know now.",
        {"message": _TEXT, "urgency": {"type": "string", "enum": ["normal", "urgent"]}},
        ["message"],
    ),
    _spec(
        "Sleep",
        "Wait without cost and go on later: for some seconds, or until an ISO time.",
        {"seconds": {"type": "number"}, "until": _TEXT},
        [],
    ),
)


class Asking:
    """Carries out the three. `moment` reads an ISO time as ms, None when it is none."""

    def __init__(self, store: Store, clock: Clock, moment: Callable[[str], int | None]) -> None:
        self._store = store
        self._clock = clock
        self._moment = moment
        self._runs: dict[str, Callable[[Claim, Call], Awaitable[Parked | None]]] = {
            "AskUserQuestion": self._ask,
            "SendUserMessage": self._send,
            "Sleep": self._sleep,
        }
        self.names = tuple(self._runs)

    def knows(self, tool: str) -> bool:
        return tool in self._runs

    async def run(self, claim: Claim, call: Call) -> Parked | None:
        """Carry out an allowed call of one of these tools."""
        return await self._runs[call.tool](claim, call)

    def answer(self, call: Call, held: Approval) -> tuple[CallState, ToolResult]:
        """The result of a question that was settled."""
        if call.tool == "Sleep":
            return CallState.OK, ToolResult("You are awake again.")
        if held.state is ApprovalState.GRANTED:
            return CallState.OK, ToolResult(f"The owner answers: {held.answer or held.note or 'yes'}")
        said = held.note or held.answer or "no answer came"
        return CallState.OK, ToolResult(f"The owner did not answer the question ({held.state}): {said}")

    async def _ask(self, claim: Claim, call: Call) -> Parked | None:
        question = str(call.args.get("question") or "").strip()
        given = call.args.get("options")
        options = [str(o)[:200] for o in given][:8] if isinstance(given, list) else []
        if not question:
            return await self._end(
                claim, call, ToolResult("question is empty: say what you want to know", True)
            )
        approval_id = await self._store.write(self._park_on_question, claim, call, question[:2000], options)
        return Parked(approval_id)

    def _park_on_question(
        self, conn: Connection, claim: Claim, call: Call, question: str, options: list[str]
    ) -> str:
        if not runs.is_running(conn, claim.run_id):
            raise RunClosed
        now, task = self._clock.now_ms(), claim.task
        facts: dict[str, JSON] = {"question": question, "options": list(options), "summary": question[:200]}
        digest = hashlib.sha256(events.dumps({"call": call.id, **facts}).encode()).hexdigest()
        asked = approvals.Question(
            "question", task.id, task.session, facts, digest, call.id, call.tool, call.args, options
        )
        approval_id = approvals.request(conn, asked, now)
        calls.move(conn, call.id, CallState.RUNNING, started_at=now)
        calls.move(conn, call.id, CallState.WAITING, approval_id=approval_id)
        park(conn, claim, Parked(approval_id), now)
        choices = f" ({' / '.join(options)})" if options else ""
        note = NoteDraft(
            title=f"A question about {task.subject}",
            body=f'{question}{choices}\nAnswer: clawctl answer {approval_id} "…"',
            dedupe_key=f"approval:{approval_id}",
            subject=task.subject,
            kind="question",
            private=task.private,
            session=task.session,
        )
        notifications.queue(conn, note, now=now, decision_id=task.decision_id)
        return approval_id

    async def _send(self, claim: Claim, call: Call) -> Parked | None:
        message = str(call.args.get("message") or "").strip()
        if not message:
            return await self._end(claim, call, ToolResult("message is empty", True))
        return await self._store.write(self._queue_note, claim, call, message)

    def _queue_note(self, conn: Connection, claim: Claim, call: Call, message: str) -> None:
        if not runs.is_running(conn, claim.run_id):
            raise RunClosed
        now, task = self._clock.now_ms(), claim.task
        calls.move(conn, call.id, CallState.RUNNING, started_at=now)
        title, _, rest = message.partition("\n")
        note = NoteDraft(
            title=f"{task.subject}: {title}"[:120] if task.kind != "chat" else title[:120],
            body=f"{rest.strip() or title}\n(proactive; `clawctl why {task.id}` tells all)",
            dedupe_key=f"message:{call.id}",
            subject=task.subject,
            kind="message",
            urgent=False,
            private=task.private,
            session=task.session,
        )
        notifications.queue(conn, note, now=now, decision_id=task.decision_id)
        calls.settle(conn, call, CallState.OK, "The note is queued for the owner.", (), now)
        return None

    async def _sleep(self, claim: Claim, call: Call) -> Parked | None:
        now = self._clock.now_ms()
        seconds, until = call.args.get("seconds"), call.args.get("until")
        wake_at = self._moment(until) if isinstance(until, str) else None
        if wake_at is None and isinstance(seconds, int | float) and not isinstance(seconds, bool):
            wake_at = now + int(max(0.0, float(seconds)) * 1000)
        if wake_at is None:
            return await self._end(claim, call, ToolResult("give seconds, or until as an ISO time", True))
        wake_at = min(wake_at, now + LONGEST_SLEEP_S * 1000)
        if wake_at - now <= 2000:
            await asyncio.sleep(max(0, wake_at - now) / 1000)
            return await self._end(claim, call, ToolResult("You are awake again."))
        return await self._store.write(self._park_asleep, claim, call, wake_at)

    def _park_asleep(self, conn: Connection, claim: Claim, call: Call, wake_at: int) -> Parked:
        if not runs.is_running(conn, claim.run_id):
            raise RunClosed
        now, parked = self._clock.now_ms(), Parked("sleep", wake_at)
        calls.move(conn, call.id, CallState.RUNNING, started_at=now, redo=str(Redo.PURE))
        calls.settle(conn, call, CallState.OK, "You are awake again.", (), now)
        park(conn, claim, parked, now)
        return parked

    async def _end(self, claim: Claim, call: Call, result: ToolResult) -> Parked | None:
        def write(conn: Connection) -> None:
            if not runs.is_running(conn, claim.run_id):
                raise RunClosed
            now = self._clock.now_ms()
            calls.move(conn, call.id, CallState.RUNNING, started_at=now)
            wanted = CallState.ERROR if result.is_error else CallState.OK
            calls.settle(conn, call, wanted, result.text, (), now)

        await self._store.write(write)
        return None
