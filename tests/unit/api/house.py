"""What stands behind the API in its tests: a real store, and small honest stand-ins for what acts on it."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC
from pathlib import Path

import httpx2
from sqlalchemy import Connection, insert

from nightclaw.api.control import Answer, ChatMessage, Control, TaskOrder
from nightclaw.api.ephemeral import Ephemeral
from nightclaw.config import load
from nightclaw.core.errors import NotFound, Refused
from nightclaw.core.ids import new_id
from nightclaw.core.states import ApprovalState, TaskState
from nightclaw.core.trust import Trust
from nightclaw.core.types import JSON, JSONObject, SignalDraft, Source
from nightclaw.diary import Diary
from nightclaw.problems import Problems
from nightclaw.remembering import Remembering
from nightclaw.sources.idle import Activity
from nightclaw.store import approvals, budgets, events, signals, tasks
from nightclaw.store.db import Store
from nightclaw.store.schema import schedule, watch

START = 1_795_000_000_000  # 2026-11-18T11:06:40Z


class StepClock:
    """Moves only when a test moves it."""

    def __init__(self) -> None:
        self.ms = START

    def now_ms(self) -> int:
        return self.ms

    def monotonic(self) -> float:
        return self.ms / 1000


class Lookout:
    """Presence as the API sees it, remembering what it was told."""

    def __init__(self) -> None:
        self.attached: dict[str, str | None] = {}
        self.touched = 0

    def attach(self, client_id: str, session: str | None) -> None:
        self.attached[client_id] = session

    def detach(self, client_id: str) -> None:
        self.attached.pop(client_id, None)

    def touch(self, now: int) -> None:
        self.touched += 1

    def state(self, now: int) -> str:
        return "attached" if self.attached else "away"


@dataclass
class House:
    """The daemon's parts that the API calls, over the same store."""

    store: Store
    clock: StepClock
    presence: Lookout = field(default_factory=Lookout)
    paused: bool = False
    features: dict[str, bool] = field(default_factory=lambda: {"dream": True})
    problems: list[JSON] = field(default_factory=list)
    rules_since: int = 0
    remembering: Remembering | None = None

    async def chat(self, message: ChatMessage) -> JSONObject:
        def write(conn: Connection) -> JSONObject:
            now = self.clock.now_ms()
            session = tasks.ensure_session(conn, message.session, message.text, now)
            draft = SignalDraft(
                Source.CHAT, "chat.message", f"session:{session}", message.key, message.text, Trust.OWNER,
                session=session,
            )  # fmt: skip
            taken = signals.take_in(conn, signals.prepare(draft), now)
            new = tasks.NewTask(
                f"chat:{message.key}", "chat", f"session:{session}", message.text, session, TaskState.READY,
                Trust.OWNER,
            )  # fmt: skip
            task_id, made = tasks.create(conn, new, now)
            if made:
                tasks.inbox_add(conn, task_id, message.text, taken.signal_id, now)
            return {
                "signal": taken.signal_id,
                "session": session,
                "task": task_id,
                "cursor": taken.cursor or 0,
            }

        return await self.store.offer(write)

    async def interrupt(self, session: str) -> JSONObject:
        return {"interrupted": False, "task": None, "asked_at": self.clock.now_ms()}

    async def create_task(self, order: TaskOrder) -> str:
        def write(conn: Connection) -> str:
            now = self.clock.now_ms()
            session = tasks.ensure_session(conn, order.session, order.goal, now)
            key = order.key or new_id("tsk", now)
            new = tasks.NewTask(
                key, "work", order.subject or key, order.goal, session, TaskState.READY, Trust.OWNER
            )
            return tasks.create(conn, new, now)[0]

        return await self.store.offer(write)

    async def cancel_task(self, task_id: str) -> None:
        landed = await self.store.write(tasks.move, task_id, TaskState.CANCELLED, self.clock.now_ms())
        if not landed:
            raise Refused(f"{task_id} has ended already", "clawctl task show tells how")

    async def retry_task(self, task_id: str) -> str:
        return await self.create_task(TaskOrder("again", None, None, None, f"again:{task_id}"))

    async def resolve(self, given: Answer) -> None:
        wanted = ApprovalState.GRANTED if given.decision == "allow" else ApprovalState.DENIED

        def write(conn: Connection) -> None:
            approvals.resolve(
                conn,
                given.approval_id,
                wanted,
                by=given.by,
                note=given.note,
                now=self.clock.now_ms(),
                session=None,
            )

        await self.store.write(write)

    async def pause(self) -> None:
        self.paused = True

    async def resume(self) -> None:
        self.paused = False

    async def set_features(self, wanted: Mapping[str, bool]) -> None:
        if unknown := set(wanted) - set(self.features):
            raise NotFound(f"there is no feature {min(unknown)}", "they are dream")
        self.features.update(wanted)

    async def add_schedule(self, spec: JSONObject) -> str:
        return await self._add_row("sch", spec)

    async def add_watch(self, spec: JSONObject) -> str:
        return await self._add_row("wat", spec)

    async def _add_row(self, prefix: str, spec: JSONObject) -> str:
        now = self.clock.now_ms()
        row_id, table = new_id(prefix, now), schedule if prefix == "sch" else watch
        row = {"id": row_id, "name": spec.get("name", row_id), "origin": "api", "spec": events.dumps(spec)}
        await self.store.write(
            lambda conn: conn.execute(insert(table).values(**row, created_at=now)) and None
        )
        return row_id

    async def refuse(self, ref: str) -> str:
        raise Refused(f"{ref} comes from config.toml", "change it there")

    async def nothing(self) -> list[dict[str, JSON]]:
        return []

    async def doctor(self) -> list[dict[str, JSON]]:
        return [{"check": "store", "ok": True, "detail": "whole", "fix": ""}]

    async def told(self) -> JSONObject:
        return {
            "id": "ntf_X",
            "deliveries": [{"to": "ntfy", "ok": True, "error": None}],
            "ok": True,
            "lines": 0,
        }

    async def replay(self, since: int) -> JSONObject:
        self.rules_since = since
        return {
            "signals": 1,
            "told": [{"signal": "sig_X", "at": START}],
            "asked": [],
            "done": [],
            "changed": [],
        }


class Around:
    """What memory needs of a daemon, over the same store."""

    def __init__(self, house: House, home: Path) -> None:
        self.home = home
        self.config = load(home, {})
        self.store, self.clock = house.store, house.clock
        self.problems = Problems()
        self.diary = Diary(house.store, home, lambda: UTC, self.problems)
        self.agent = NoModels()

    def has(self, feature: str) -> bool:
        return True

    def is_paused(self) -> bool:
        return False

    async def activity(self) -> Activity:
        return Activity(0, False, False)

    def idle_since(self) -> int | None:
        return None

    def day_of(self, at: int) -> str:
        return "2026-11-18"


MEMORY = (
    *("add_memory", "edit_memory", "forget_memory", "read_memory_files", "search_memory", "import_memories"),
    *("dream", "undo_dream", "redact"),
)


class NoModels:
    """An agent without any model."""

    def __init__(self) -> None:
        self.router = self

    def has(self, role: str) -> bool:
        return False

    def caps(self) -> budgets.Caps:
        return budgets.Caps(0, 0, 0, 0)


def control_of(house: House, home: Path, draining: asyncio.Event) -> Control:
    house.remembering = Remembering(Around(house, home))  # pyright: ignore[reportArgumentType]
    memory = house.remembering.control()

    async def connect(repo: str | None) -> list[dict[str, JSON]]:
        return [{"name": repo or "octo/app", "mode": "hook", "last_event_at": START}]

    async def drop(ref: str) -> None:
        await house.refuse(ref)

    return Control(
        store=house.store,
        clock=house.clock,
        presence=house.presence,
        frames=Ephemeral(lambda: house.store.head.cursor),
        draining=draining,
        home=home,
        socket=home / "run" / "control.sock",
        version="0.1.0",
        started_at=START - 5_000,
        tz=lambda: UTC,
        ingress=lambda: "127.0.0.1:8787",
        models=lambda: {"agent": ["offline"]},
        budget=lambda: {"daily_usd": 5.0, "daily_tokens": 2_000_000},
        problems=lambda: house.problems,
        sources=lambda: [{"name": "ticks", "kind": "tick", "state": "ok", "last_at": START, "detail": ""}],
        loops=lambda: {"initiative": 0.25},
        is_paused=lambda: house.paused,
        features=lambda: [
            {"name": n, "on": on, "origin": "api", "what": ""} for n, on in house.features.items()
        ],
        rules=lambda: [{"n": 1, "name": "quiet", "when": {"kind": "ci"}, "verdict": "record", "cap": None}],
        chat=house.chat,
        interrupt=house.interrupt,
        create_task=house.create_task,
        cancel_task=house.cancel_task,
        retry_task=house.retry_task,
        resolve=house.resolve,
        pause=house.pause,
        resume=house.resume,
        set_features=house.set_features,
        add_schedule=house.add_schedule,
        remove_schedule=drop,
        run_schedule=house.refuse,
        add_watch=house.add_watch,
        remove_watch=drop,
        test_notification=house.told,
        test_rules=house.replay,
        github=house.nothing,
        connect_github=connect,
        doctor=house.doctor,
        verify_log=house.told,
        **{name: getattr(memory, name) for name in MEMORY},
    )


@dataclass
class Api:
    """An open socket, a client on it, and what stands behind."""

    http: httpx2.AsyncClient
    control: Control
    house: House
    socket: Path
    stop: asyncio.Event
    serving: asyncio.Task[None]

    @property
    def store(self) -> Store:
        return self.control.store

    async def get(self, path: str) -> dict[str, object]:
        found = await self.http.get(path)
        assert found.status_code == 200, found.text
        return found.json()

    async def post(self, path: str, body: object = None, status: int = 200) -> dict[str, object]:
        found = await self.http.post(path, json={} if body is None else body)
        assert found.status_code == status, found.text
        return found.json()

    async def event(self, kind: str = "task.created", session: str | None = None, **data: JSON) -> int:
        return await self.store.write(events.append, kind, self.house.clock.now_ms(), data, session=session)
