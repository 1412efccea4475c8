"""The run loop: settle what is open, read the inbox, ask the model, save the step, act, answer. One claim to its rest.

A message stays unread until the step that answers it is saved, and a step is saved before any of its calls start, so
a crash anywhere goes on from rows (`turns`) and repeats nothing blindly. A run that recovery or a cancel has closed
stops quietly.
"""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Protocol, TypeVar

from nightclaw.core import failpoints
from nightclaw.core.errors import NightclawError, ProviderError
from nightclaw.core.ports import (
    Clock,
    ModelCall,
    ModelRequest,
    Provider,
    Reply,
    Restarted,
    TextDelta,
    ThinkingDelta,
)
from nightclaw.core.tools import Workspace
from nightclaw.core.trust import Label
from nightclaw.core.types import JSON, JSONObject
from nightclaw.execution import context
from nightclaw.execution.calls import Caller
from nightclaw.execution.errors import RunClosed, Stopped
from nightclaw.execution.parking import MODELS, Parked
from nightclaw.execution.places import Places
from nightclaw.execution.purse import Purse
from nightclaw.execution.turns import OFFLINE, Turns, sentences
from nightclaw.store import calls, tasks
from nightclaw.store.calls import Call
from nightclaw.store.db import Connection, Store
from nightclaw.store.runs import Claim

T = TypeVar("T")
Publish = Callable[[str, str, str, dict[str, JSON]], None]
"""(kind, task, session, data): an ephemeral frame for whoever follows."""
LASTING = ("auth", "quota", "model")
"""Kinds of fault that only the owner can mend."""
TRY_AGAIN_MS = 10 * 60 * 1000


@dataclass(frozen=True, slots=True)
class Model:
    """Who answers: the provider (a chain with its retries) and its name for people. tools: what it may call."""

    provider: Provider
    name: str
    tools: tuple[JSONObject, ...] = ()


class Reminder(Protocol):
    """Rows of memory that fit a message, quoted; and the label they bring, None without any."""

    @property
    def text(self) -> str: ...
    @property
    def label(self) -> Label | None: ...


class Memory(Protocol):
    """What is remembered, as a run sees it: the index for its prefix, and what fits a message of the owner's."""

    def index_for(self, conn: Connection, repo: str | None) -> str: ...
    def remind(
        self, conn: Connection, text: str, session: str, repo: str | None, private: bool
    ) -> Reminder: ...


class Runner:
    """Runs one claim at a time per call of `run`; several calls may run side by side."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        publish: Publish,
        caller: Caller,
        places: Places,
        purse: Purse,
        memory: Memory,
    ) -> None:
        self._store = store
        self._clock = clock
        self._publish = publish
        self._caller = caller
        self._places = places
        self._purse = purse
        self._memory = memory
        self._turns = Turns(clock, purse, places)
        self._nudges: dict[str, asyncio.Event] = {}

    def park(self, task_id: str) -> bool:
        """Stop the running turn of this task and leave it parked until the owner speaks; False when none runs."""
        if task_id not in self._nudges:
            return False
        self._turns.park_next(task_id)
        self._nudges[task_id].set()
        return True

    def nudge(self, task_id: str) -> None:
        """Have the running turn of this task stop where it is and look at its inbox and its cancel mark."""
        if task_id in self._nudges:
            self._nudges[task_id].set()

    async def run(self, claim: Claim, model: Model | None) -> None:
        """Work until the task is at rest. Raises nothing but cancellation (then resumable)."""
        nudge = self._nudges[claim.task.id] = asyncio.Event()
        try:
            if model is None:
                why = f"No configured model may see {claim.task.repo or 'this'}."
                await self._store.write(
                    self._turns.rest, claim, Parked(MODELS, self._clock.now_ms() + TRY_AGAIN_MS, why)
                )
                return
            workspace = await self._places.of(claim.task)
            while not await self._turn(claim, model, workspace, nudge):
                nudge.clear()
        except RunClosed:
            return
        except Stopped as stopped:
            await self._store.write(self._turns.fail, claim, str(stopped))
        except ProviderError as error:
            await self._provider_failed(claim, error)
        except NightclawError as error:
            await self._store.write(self._turns.fail, claim, sentences(error.message, error.hint))
        except asyncio.CancelledError:
            await asyncio.shield(self._store.write(self._turns.interrupt, claim))
            raise
        except Exception as error:
            await self._store.write(
                self._turns.fail, claim, f"stopped by a fault of Nightclaw: {error!r}"[:500]
            )
            raise
        finally:
            self._nudges.pop(claim.task.id, None)

    async def _turn(self, claim: Claim, model: Model, workspace: Workspace, nudge: asyncio.Event) -> bool:
        """One model call and the calls it makes; True when the task is at rest."""
        turn = await self._store.write(self._turns.begin, claim)
        if turn is None:
            return True
        if turn.answered is not None:
            return await self._conclude(claim, workspace, model, turn.answered, "end_turn", nudge)
        if any(not c.is_settled for c in turn.calls):
            return await self._act(claim, workspace, turn.calls, nudge)
        content: list[JSONObject] = calls.results(turn.calls)
        if turn.is_first:
            content.append(context.text_block(await self._places.opening(claim.task, workspace)))
        index, reminder = await self._store.read(self._remembered, claim.task, turn.items, bool(model.tools))
        if reminder is not None and reminder.text:
            content.append(context.text_block(reminder.text))
        content += context.inbox_content(turn.items)
        request = context.build(turn.transcript, content, model.tools, claim.task.id, index)
        reservation = await self._store.write(self._purse.reserve, claim.task, model.name, request)
        if isinstance(reservation, Parked):
            await self._store.write(self._turns.rest, claim, reservation)
            return True
        failpoints.hit("runner.before_model")
        reply = await self._paid_reply(claim, model, request, reservation, nudge)
        if reply is None:
            return False
        failpoints.hit("runner.after_model")
        label = reminder.label if reminder is not None else None
        requested = await self._store.write(
            self._turns.save, claim, turn, content, request, reply, reservation, label
        )
        failpoints.hit("runner.step_saved")
        if requested:
            return await self._act(claim, workspace, requested, nudge)
        failpoints.hit("runner.before_finish")
        text = context.text_of(reply.content)
        if reply.stop_reason == "max_tokens":
            text += "\n(the answer was cut at its longest allowed length)"
        return await self._conclude(claim, workspace, model, text, reply.stop_reason, nudge)

    async def _act(self, claim: Claim, workspace: Workspace, found: list[Call], nudge: asyncio.Event) -> bool:
        """Settle the calls of a step; True when the task was parked on one. A cancel or a `now` stops between them."""
        settled = await _unless_nudged(self._caller.settle(claim, workspace, found), nudge)
        if settled is None:  # the owner wants a word or an end now: the running call is ended and says so
            await self._store.write(self._turns.cut_calls, claim)
            return False
        return settled.result() is not None

    async def _paid_reply(
        self, claim: Claim, model: Model, request: ModelRequest, reservation: str, nudge: asyncio.Event
    ) -> Reply | None:
        """The reply; None when a nudge cut it short. Whatever was spent on a failure is settled here."""
        spent: tuple[ModelCall, ...] = ()
        kept = False
        try:
            reply = await self._ask(claim, model.provider, request, nudge)
            kept = reply is not None
            return reply
        except ProviderError as error:
            spent = tuple(c for c in error.calls if isinstance(c, ModelCall))
            raise
        finally:
            if not kept:
                await asyncio.shield(self._store.write(self._purse.settle, reservation, spent))

    async def _ask(
        self, claim: Claim, provider: Provider, request: ModelRequest, nudge: asyncio.Event
    ) -> Reply | None:
        """The reply, streamed to followers as it comes; None when a nudge cut it short."""

        async def consume() -> Reply:
            async for part in provider.stream(request):
                if isinstance(part, Reply):
                    return part
                self._tell_delta(claim, part)
            raise ProviderError("the model's answer ended before it was complete", kind="cut", may_pass=True)

        asked = await _unless_nudged(consume(), nudge)
        return asked.result() if asked is not None else None

    def _tell_delta(self, claim: Claim, part: TextDelta | ThinkingDelta | Restarted) -> None:
        kind = "thinking.delta" if isinstance(part, ThinkingDelta) else "text.delta"
        data: dict[str, JSON] = (
            {"text": "", "restart": part.why} if isinstance(part, Restarted) else {"text": part.text}
        )
        self._publish(kind, claim.task.id, claim.task.session, data)

    async def _conclude(
        self,
        claim: Claim,
        workspace: Workspace,
        model: Model,
        text: str,
        reason: str,
        nudge: asyncio.Event,
    ) -> bool:
        """Verify what was made, then close the turn; False when more came in meanwhile."""
        checked = await _unless_nudged(self._places.verify(claim.task, workspace), nudge)
        if checked is None:
            return False
        is_new = model.name != OFFLINE  # that one only repeats what is stored
        return await self._store.write(self._turns.finish, claim, text, reason, checked.result(), is_new)

    async def _provider_failed(self, claim: Claim, error: ProviderError) -> None:
        """A chat is told at once; other work waits, and what only the owner can mend is told once a day."""
        is_lasting = error.kind in LASTING
        if claim.task.kind == "chat":
            hint = "Say it again in a moment." if error.may_pass else error.hint
            await self._store.write(self._turns.fail, claim, sentences(error.message, hint))
        elif error.may_pass or is_lasting:
            said = sentences(error.message, error.hint)
            wait_ms = int((error.retry_after_s or 0) * 1000) or TRY_AGAIN_MS
            parked = Parked(MODELS, self._clock.now_ms() + wait_ms, said)
            await self._store.write(self._turns.wait_for_model, claim, parked, error if is_lasting else None)
        else:
            await self._store.write(self._turns.fail, claim, sentences(error.message, error.hint))

    def _remembered(
        self, conn: Connection, task: tasks.Task, items: list[tasks.InboxItem], has_model: bool
    ) -> tuple[str, Reminder | None]:
        """The index for the prefix, and what fits the owner's new words. Reads only; nothing without a model."""
        if not has_model:
            return "", None
        index = self._memory.index_for(conn, task.repo)
        if task.kind != "chat" or not items:
            return index, None
        words = "\n".join(i.content for i in items)
        return index, self._memory.remind(conn, words, task.session, task.repo, task.private)


async def _unless_nudged(
    work: Coroutine[object, object, T], nudge: asyncio.Event
) -> asyncio.Future[T] | None:
    """The work, done; None when a nudge came first and it was cancelled."""
    working, nudged = asyncio.ensure_future(work), asyncio.ensure_future(nudge.wait())
    try:
        await asyncio.wait({working, nudged}, return_when=asyncio.FIRST_COMPLETED)
        return working if working.done() else None
    finally:
        for waiting in (working, nudged):
            waiting.cancel()
        await asyncio.gather(working, nudged, return_exceptions=True)
