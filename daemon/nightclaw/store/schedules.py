"""Schedules as rows: what is due, what fired, how often it failed. The table is the truth, timers only look at it.

A row's `spec` holds its words as JSON (cron, every or at, prompt, missed, within, repo, …). A fire moves `next_at`
and takes in its signals in one transaction, guarded by the `next_at` it was planned from: of two planners one wins.
Rows of origin "config" mirror config.toml and go only with it.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile

from sqlalchemy import Connection, Row, delete, insert, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from nightclaw.core import failpoints
from nightclaw.core.errors import NotFound, Refused
from nightclaw.core.ports import Clock
from nightclaw.core.states import TERMINAL_TASK, TaskState
from nightclaw.core.types import JSON, Intake, JSONObject, SignalDraft, Source
from nightclaw.store import events, signals
from nightclaw.store.db import Store
from nightclaw.store.schema import decision, schedule, signal, task
from nightclaw.store.signals import Prepared

CONFIG = "config"


@dataclass(frozen=True, slots=True)
class Schedule:
    """next_at None: it will not come due again. last_at: when it fired last."""

    id: str
    name: str
    origin: str
    spec: JSONObject
    enabled: bool
    next_at: int | None
    last_at: int | None
    created_at: int


def _schedule(row: Row[tuple[object, ...]]) -> Schedule:
    r = row._mapping
    return Schedule(
        id=r["id"],
        name=r["name"],
        origin=r["origin"],
        spec=json.loads(r["spec"]),
        enabled=bool(r["enabled"]),
        next_at=r["next_at"],
        last_at=r["last_at"],
        created_at=r["created_at"],
    )


def all_rows(conn: Connection) -> list[Schedule]:
    return [_schedule(r) for r in conn.execute(select(schedule).order_by(schedule.c.name))]


def find(conn: Connection, ref: str) -> Schedule:
    """By id or name. Raises NotFound."""
    for column in (schedule.c.id, schedule.c.name):
        row = conn.execute(select(schedule).where(column == ref)).first()
        if row is not None:
            return _schedule(row)
    raise NotFound(f"there is no schedule {ref[:80]}", "see `clawctl schedule list`")


def add(
    conn: Connection,
    row_id: str,
    name: str,
    origin: str,
    spec: JSONObject,
    next_at: int | None,
    created_at: int,
) -> None:
    """A new row. Raises Refused when the name is taken."""
    row = upsert(schedule).values(
        id=row_id,
        name=name,
        origin=origin,
        spec=events.dumps(spec),
        next_at=next_at,
        created_at=created_at,
    )
    if conn.execute(row.on_conflict_do_nothing()).rowcount == 0:
        raise Refused(f"there is already a schedule {name}", "choose another name, or remove that one first")


def mirror(
    conn: Connection, row_id: str, name: str, spec: JSONObject, next_at: int | None, created_at: int
) -> None:
    """Bring one stanza of config.toml into the table: a row of that name becomes the config's own."""
    values: dict[str, object] = {"origin": CONFIG, "spec": events.dumps(spec), "next_at": next_at}
    landed = conn.execute(
        update(schedule).where(schedule.c.id == row_id).values(**values, enabled=True)
    ).rowcount
    if landed == 0:
        conn.execute(insert(schedule).values(id=row_id, name=name, created_at=created_at, **values))


def remove(conn: Connection, ref: str, *, by_config: bool = False) -> None:
    """Raises NotFound; Refused for a row of config.toml, which only the config itself may take away."""
    held = find(conn, ref)
    if held.origin == CONFIG and not by_config:
        raise Refused(
            f"schedule {held.name} stands in config.toml",
            "take its [[schedule]] out of the file; the daemon reads it again on SIGHUP or restart",
        )
    conn.execute(delete(schedule).where(schedule.c.id == held.id))


def set_next(conn: Connection, row_id: str, expected: int | None, next_at: int | None) -> bool:
    """Move a row's due time if it still stands at `expected`; True when it landed."""
    found = update(schedule).where(schedule.c.id == row_id, schedule.c.next_at.is_not_distinct_from(expected))
    return conn.execute(found.values(next_at=next_at)).rowcount == 1


def fire(
    conn: Connection,
    row_id: str,
    expected: int,
    prepared: Sequence[Prepared],
    next_at: int | None,
    fired_at: int | None,
    now: int,
) -> list[Intake] | None:
    """Take in what came due and move on, both or neither. None: the row has moved, is off or is gone.

    fired_at: None when the signals only tell of missed slots.
    """
    failpoints.hit("schedule.before_fire")
    values: dict[str, object] = {"next_at": next_at}
    if fired_at is not None:
        values["last_at"] = fired_at
    landed = conn.execute(
        update(schedule)
        .where(schedule.c.id == row_id, schedule.c.next_at == expected, schedule.c.enabled)
        .values(**values)
    ).rowcount
    return [signals.take_in(conn, p, now) for p in prepared] if landed else None


def failing(conn: Connection) -> dict[str, int]:
    """How many times in a row the newest finished tasks of each schedule failed; 0 is left out."""
    found: dict[str, int] = {}
    for row in conn.execute(select(schedule.c.id, schedule.c.name)).all():
        ended = [TaskState(s) for s in _newest_ends(conn, row.id)]
        count = sum(1 for _ in takewhile(lambda s: s is TaskState.FAILED, ended))
        if count:
            found[row.name] = count
    return found


def _newest_ends(conn: Connection, row_id: str, limit: int = 10) -> list[str]:
    """How a schedule's newest tasks ended. Timed and manual ones sort apart by key, so both tails are read."""
    rows: list[tuple[int, str]] = []
    start = f"{Source.SCHEDULE}:{row_id}:"
    for low, high in ((start, f"{start}m"), (f"{start}m", f"{start}n")):
        query = (
            select(task.c.created_at, task.c.state)
            .where(task.c.key >= low, task.c.key < high, task.c.state.in_([str(s) for s in TERMINAL_TASK]))
            .order_by(task.c.key.desc())
            .limit(limit)
        )
        rows += [(r.created_at, r.state) for r in conn.execute(query)]
    return [state for _, state in sorted(rows, reverse=True)[:limit]]


def history(conn: Connection, row_id: str, limit: int = 20) -> list[dict[str, JSON]]:
    """The newest runs of a schedule: what was due when, what was decided, how its task stands. Newest first."""
    rows: list[dict[str, JSON]] = []
    for low, high in ((f"{row_id}:", f"{row_id}:m"), (f"{row_id}:m", f"{row_id}:n")):
        query = (
            select(
                signal.c.id,
                signal.c.kind,
                signal.c.created_at,
                signal.c.decision_id,
                decision.c.verdict,
                decision.c.task_id,
                task.c.state,
            )
            .select_from(
                signal.outerjoin(decision, decision.c.id == signal.c.decision_id).outerjoin(
                    task, task.c.id == decision.c.task_id
                )
            )
            .where(
                signal.c.source == str(Source.SCHEDULE),
                signal.c.dedupe_key >= low,
                signal.c.dedupe_key < high,
            )
            .order_by(signal.c.dedupe_key.desc())
            .limit(limit)
        )
        rows += [
            {
                "signal": r.id,
                "kind": r.kind,
                "created_at": r.created_at,
                "decision": r.decision_id,
                "verdict": r.verdict,
                "task": r.task_id,
                "state": r.state,
            }
            for r in conn.execute(query)
        ]
    return sorted(rows, key=lambda r: str(r["signal"]), reverse=True)[:limit]


class StoreScheduleBook:
    """The table as the schedule source sees it (its ScheduleBook). Every call returns when it is durable."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def rows(self) -> list[Schedule]:
        return await self._store.read(all_rows)

    async def find(self, ref: str) -> Schedule:
        return await self._store.read(find, ref)

    async def add(
        self, row_id: str, name: str, origin: str, spec: JSONObject, next_at: int | None, created_at: int
    ) -> None:
        await self._store.write(add, row_id, name, origin, spec, next_at, created_at)

    async def mirror(
        self, row_id: str, name: str, spec: JSONObject, next_at: int | None, created_at: int
    ) -> None:
        await self._store.write(mirror, row_id, name, spec, next_at, created_at)

    async def remove(self, ref: str, *, by_config: bool = False) -> None:
        await self._store.write(lambda conn: remove(conn, ref, by_config=by_config))

    async def set_next(self, row_id: str, expected: int | None, next_at: int | None) -> bool:
        return await self._store.write(set_next, row_id, expected, next_at)

    async def fire(
        self,
        row_id: str,
        expected: int,
        drafts: Sequence[SignalDraft],
        next_at: int | None,
        fired_at: int | None,
    ) -> list[Intake] | None:
        prepared = [signals.prepare(d) for d in drafts]
        now = self._clock.now_ms()
        return await self._store.write(fire, row_id, expected, prepared, next_at, fired_at, now)

    async def emit(self, draft: SignalDraft) -> Intake:
        """A run by hand: a signal, and nothing of the timetable moves."""
        prepared = signals.prepare(draft)
        return await self._store.write(signals.take_in, prepared, self._clock.now_ms())

    async def failing(self) -> dict[str, int]:
        return await self._store.read(failing)
