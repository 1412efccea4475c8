"""The owner's desk: everything the owner can ask of the running daemon that is more than reading rows."""

from collections.abc import Callable, Mapping
from datetime import tzinfo

from nightclaw import answering
from nightclaw.answering import Given
from nightclaw.api.ports import Answer, ChatMessage, TaskOrder
from nightclaw.core.errors import Invalid
from nightclaw.core.ids import new_id
from nightclaw.core.ports import Clock
from nightclaw.core.states import TaskState
from nightclaw.core.types import JSON, JSONObject
from nightclaw.execution.runner import Runner
from nightclaw.initiative import backtest, chat
from nightclaw.initiative.decide import Stance
from nightclaw.initiative.presence import Presence
from nightclaw.memory.offer import OwnerTurn, Scope
from nightclaw.store import approvals, memories, settings, tasks
from nightclaw.store.db import Connection, Store

FEATURES: dict[str, str] = {
    "ticks": "look at the probes and ORDERS.md at every tick",
    "schedules": "fire schedules when they come due",
    "files": "watch files and folders",
    "github": "poll GitHub and sweep missed deliveries",
    "hooks": "take in webhooks",
    "triage": "ask a model where the rules leave room",
    "notify": "send notes to your destinations",
    "dream": "consolidate memory while you are away",
}
"""Every switch and what it switches; the config knows the same names."""


class Desk:
    """stance: what holds now (rules, presence, models). came: called when the owner writes, before anything else. All
    callables raise the errors of core.errors."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        presence: Presence,
        runner: Runner,
        stance: Callable[[], Stance],
        changed: Callable[[], None],
        tz: Callable[[], tzinfo],
        came: Callable[[], None],
    ) -> None:
        self._store = store
        self._clock = clock
        self._presence = presence
        self._runner = runner
        self._stance = stance
        self._changed = changed
        self._tz = tz
        self._came = came
        self.paused_at: int | None = None
        self.overrides: dict[str, bool] = {}

    async def load(self) -> None:
        """Read the durable switches at start."""
        paused, features = await self._store.read(
            lambda conn: (settings.get(conn, settings.PAUSED), settings.get(conn, settings.FEATURES))
        )
        self.paused_at = paused if isinstance(paused, int) else None
        if isinstance(features, dict):
            self.overrides = {str(k): bool(v) for k, v in features.items()}

    def is_paused(self) -> bool:
        return self.paused_at is not None

    async def chat(self, message: ChatMessage) -> JSONObject:
        from nightclaw.memory import capture  # it knows many words: loaded with the first that are said

        self._presence.touch(self._clock.now_ms())
        self._came()
        stance, now = self._stance(), self._clock.now_ms()
        given = chat.ChatMessage(message.key, message.text, message.session, message.priority)

        def take(conn: Connection) -> tuple[chat.ChatTaken, list[JSON]]:
            taken = chat.take(conn, given, stance.rules.version, stance.presence, now)
            task = tasks.get(conn, taken.task) if taken.task else None
            scope = Scope(task.repo, task.private) if task is not None and task.private else Scope()
            turn = OwnerTurn(taken.cursor, given.text, taken.session, taken.task, scope)
            made = [memories.get(conn, i) for i in capture.owner_said(conn, turn, now, self._tz())]
            return taken, [{"id": m.id, "text": m.text} for m in made if m is not None]

        taken, remembered = await self._store.write(take)
        if taken.interrupt and taken.task:
            self._runner.nudge(taken.task)
        return {
            "signal": taken.signal,
            "session": taken.session,
            "task": taken.task,
            "cursor": taken.cursor,
            "remembered": remembered,
        }

    async def interrupt(self, session: str) -> JSONObject:
        """Stop the session's running turn: a chat ends, other work waits parked for the owner's next word."""
        held = await self._store.read(tasks.open_of_session, session)
        if held is None or held.state is not TaskState.RUNNING:
            return {"interrupted": False, "task": held.id if held else None}
        if held.kind == "chat":
            await self.cancel_task(held.id)
            return {"interrupted": True, "task": held.id}
        return {"interrupted": self._runner.park(held.id), "task": held.id}

    async def create_task(self, order: TaskOrder) -> str:
        self._presence.touch(self._clock.now_ms())
        stance, now = self._stance(), self._clock.now_ms()
        key = order.key or new_id("tsk", now)
        wanted = chat.Order(key, order.goal, order.subject or f"order:{key}", order.session, order.repo)
        return await self._store.write(
            lambda conn: chat.take_order(
                conn,
                wanted,
                has_model=stance.has_model,
                policy_version=stance.rules.version,
                presence=stance.presence,
                now=now,
            )
        )

    async def cancel_task(self, task_id: str) -> None:
        def write(conn: Connection) -> tasks.Task:
            now = self._clock.now_ms()
            held = tasks.ask_cancel(conn, task_id, now)
            for approval_id in approvals.pending_of_task(conn, task_id):
                approvals.withdraw(conn, approval_id, "the task was cancelled", now, held.session)
            return held

        held = await self._store.write(write)
        if held.state is TaskState.RUNNING:
            self._runner.nudge(task_id)

    async def retry_task(self, task_id: str) -> str:
        has_model = self._stance().has_model
        return await self._store.write(
            lambda conn: tasks.retry(conn, task_id, has_model=has_model, now=self._clock.now_ms())
        )

    async def resolve(self, answer: Answer) -> None:
        """Allow or deny. Raises Refused (409) for a second answer, a changed digest, or work without a model."""
        self._presence.touch(self._clock.now_ms())
        given = Given(answer, self._stance().has_model, self._clock.now_ms())
        await self._store.write(answering.resolve, given)

    async def release_proposed(self) -> None:
        """A model may be there now: start what only waited for one."""
        if self._stance().has_model:
            await self._store.write(tasks.release_proposed, self._clock.now_ms())

    async def pause(self) -> None:
        """Stop all proactive work until `resume`; chats are still answered, signals are still kept."""
        now = self._clock.now_ms()
        self.paused_at = self.paused_at or now
        await self._store.write(settings.put, settings.PAUSED, self.paused_at)
        self._changed()

    async def resume(self) -> None:
        self.paused_at = None
        await self._store.write(settings.put, settings.PAUSED, None)
        self._changed()

    async def set_features(self, wanted: Mapping[str, bool], known: Mapping[str, str]) -> None:
        """Durable overrides of `[features]`. Raises Invalid for a name that is not one."""
        for name in wanted:
            if name not in known:
                raise Invalid(f"there is no feature {name}", f"they are {', '.join(known)}")
        self.overrides = {**self.overrides, **wanted}
        held: JSON = dict(self.overrides)
        await self._store.write(settings.put, settings.FEATURES, held)
        self._changed()

    async def test_rules(self, since_at: int) -> JSONObject:
        found = await self._store.read(backtest.replay, self._stance().rules, since_at)
        return {
            "signals": found.signals,
            "counts": dict(found.counts),
            "told": found.told,
            "asked": found.asked,
            "done": found.done,
            "changed": found.changed,
        }
