"""Numbers for status, cost and metrics that cost the same in a home of a million signals as in an empty one.

Every figure comes from a partial index, from the end of an index, or from the rows of one day or month; no query
walks the signals, events or decisions of a lifetime. Counts of waiting rows stop at COUNT_LIMIT.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, desc, func, select

from nightclaw.core.states import ApprovalState, TaskState
from nightclaw.protocol import messages as wire
from nightclaw.store import events, memory_lists, shapes
from nightclaw.store.schema import approval, cost, event, notification, session, signal, task

COUNT_LIMIT = 100_000
EVENTS_AT_ONCE = 20_000
_SUMS = (
    func.count().label("model_calls"),
    func.coalesce(func.sum(cost.c.input_tokens), 0).label("input_tokens"),
    func.coalesce(func.sum(cost.c.output_tokens), 0).label("output_tokens"),
    func.coalesce(func.sum(cost.c.cache_read_tokens), 0).label("cache_read_tokens"),
    func.coalesce(func.sum(cost.c.cost_usd), 0.0).label("cost_usd"),
)


@dataclass(frozen=True, slots=True)
class Counts:
    """The part of status that only rows know. last_tick_at in ms."""

    signals_pending: int
    tasks: wire.TaskCounts
    approvals_pending: int
    sessions: int
    last_tick_at: int | None
    today: wire.Today
    memory: wire.MemoryCounts
    event_head: int


def counts(conn: Connection, day: str) -> Counts:
    """day: the owner's local day, YYYY-MM-DD."""
    by_cause = usage_by(conn, "cause", day, day)
    total = add_up(by_cause.values())
    return Counts(
        signals_pending=signals_pending(conn),
        tasks=task_counts(conn),
        approvals_pending=approvals_pending(conn),
        sessions=int(conn.execute(select(func.count()).select_from(session)).scalar() or 0),
        last_tick_at=last_tick_at(conn),
        today={**total, "by_cause": by_cause},
        memory=memory_lists.counts(conn),
        event_head=events.head(conn),
    )


def signals_pending(conn: Connection) -> int:
    waiting = select(signal.c.subject).where(signal.c.decision_id.is_(None)).limit(COUNT_LIMIT).subquery()
    return int(conn.execute(select(func.count()).select_from(waiting)).scalar() or 0)


def approvals_pending(conn: Connection) -> int:
    query = select(func.count()).select_from(approval).where(approval.c.state == str(ApprovalState.PENDING))
    return int(conn.execute(query).scalar() or 0)


def task_counts(conn: Connection) -> wire.TaskCounts:
    def of(state: TaskState) -> int:
        query = select(func.count()).select_from(task).where(task.c.state == str(state))
        return int(conn.execute(query).scalar() or 0)

    return {"ready": of(TaskState.READY), "running": of(TaskState.RUNNING), "parked": of(TaskState.PARKED)}


def last_tick_at(conn: Connection) -> int | None:
    """When the newest tick came in (ms); tick keys are slots, which sort by time."""
    query = select(signal.c.created_at).where(signal.c.source == "tick")
    found = conn.execute(query.order_by(desc(signal.c.dedupe_key)).limit(1)).scalar()
    return None if found is None else int(found)


def no_usage() -> wire.Usage:
    return {
        "model_calls": 0,
        "input_tokens": 0,
        "output_tokens": 0,
        "cache_read_tokens": 0,
        "cost_usd": 0.0,
    }


def add_up(parts: Iterable[wire.Usage]) -> wire.Usage:
    total = no_usage()
    for part in parts:
        total = _plus(total, part)
    return total


def _plus(a: wire.Usage, b: wire.Usage) -> wire.Usage:
    return {
        "model_calls": a["model_calls"] + b["model_calls"],
        "input_tokens": a["input_tokens"] + b["input_tokens"],
        "output_tokens": a["output_tokens"] + b["output_tokens"],
        "cache_read_tokens": a["cache_read_tokens"] + b["cache_read_tokens"],
        "cost_usd": round(a["cost_usd"] + b["cost_usd"], 6),
    }


def usage_of(row: Mapping[str, object]) -> wire.Usage:
    """The figures of a sum row, or of a usage column; what is not there is nothing."""

    def number(key: str) -> float:
        value = row.get(key)
        return value if isinstance(value, int | float) else 0

    return {
        "model_calls": int(number("model_calls")),
        "input_tokens": int(number("input_tokens")),
        "output_tokens": int(number("output_tokens")),
        "cache_read_tokens": int(number("cache_read_tokens")),
        "cost_usd": round(float(number("cost_usd")), 6),
    }


def usage_by(conn: Connection, column: str, first_day: str, last_day: str) -> dict[str, wire.Usage]:
    """What was spent in those local days, by a column of the ledger: cause, model, day or task_id."""
    key = cost.c[column]
    query = (
        select(key.label("key"), *_SUMS)
        .where(cost.c.day.between(first_day, last_day))
        .group_by(key)
        .order_by(desc("cost_usd"), key)
    )
    return {str(r["key"]): usage_of(dict(r)) for r in conn.execute(query).mappings() if r["key"] is not None}


def spent(conn: Connection, day: str, budget: Mapping[str, object]) -> wire.Cost:
    """The ledger of the month of `day`, and of the day itself. Calls of no task are in no task's row."""
    first = f"{day[:7]}-01"
    by_day = usage_by(conn, "day", first, day)
    by_task: list[dict[str, object]] = []
    for task_id, usage in list(usage_by(conn, "task_id", first, day).items())[:50]:
        goal = conn.execute(select(task.c.goal).where(task.c.id == task_id)).scalar()
        by_task.append({"id": task_id, "goal": shapes.plain(str(goal or ""), 120), **usage})
    return {
        "today": by_day.get(day, no_usage()),
        "month": add_up(by_day.values()),
        "budget": dict(budget),
        "by_cause": usage_by(conn, "cause", first, day),
        "by_model": usage_by(conn, "model", first, day),
        "by_task": by_task,
        "by_day": [{"date": d, **by_day[d]} for d in sorted(by_day, reverse=True)],
    }


@dataclass(slots=True)
class EventTally:
    """Counts of what the event log told since `cursor` began: what Prometheus calls counters."""

    cursor: int
    signals: dict[str, int] = field(default_factory=dict)
    decisions: dict[str, int] = field(default_factory=dict)
    kinds: dict[str, int] = field(default_factory=dict)


def count_on(conn: Connection, tally: EventTally) -> bool:
    """Count the next events into the tally; True when there may be more to count."""
    upto = min(events.head(conn), tally.cursor + EVENTS_AT_ONCE)
    said = func.coalesce(
        func.json_extract(event.c.data, "$.verdict"), func.json_extract(event.c.data, "$.source"), ""
    )
    query = (
        select(event.c.kind, said.label("said"), func.count().label("n"))
        .where(event.c.cursor > tally.cursor, event.c.cursor <= upto)
        .group_by(event.c.kind, "said")
    )
    for r in conn.execute(query):
        tally.kinds[r.kind] = tally.kinds.get(r.kind, 0) + r.n
        into = {"signal.received": tally.signals, "decision.made": tally.decisions}.get(r.kind)
        if into is not None:
            into[r.said] = into.get(r.said, 0) + r.n
    tally.cursor = max(tally.cursor, upto)
    return events.head(conn) > tally.cursor


def notifications_since(conn: Connection, at: int) -> dict[str, int]:
    """How many notes made since then (ms) stand in each state."""
    query = (
        select(notification.c.state, func.count().label("n"))
        .where(notification.c.created_at >= at)
        .group_by(notification.c.state)
    )
    return {r.state: r.n for r in conn.execute(query)}


def last_signal_of_repos(conn: Connection, names: Sequence[str]) -> dict[str, int]:
    """When the newest signal of each repository came in (ms), looked for in the newest few thousand."""
    newest = (
        select(signal.c.repo, signal.c.created_at).order_by(signal.c.created_at.desc()).limit(5000).subquery()
    )
    wanted = {n.lower(): n for n in names}
    rows = conn.execute(
        select(newest.c.repo, func.max(newest.c.created_at).label("at")).group_by(newest.c.repo)
    )
    return {wanted[str(r.repo).lower()]: int(r.at) for r in rows if r.repo and str(r.repo).lower() in wanted}
