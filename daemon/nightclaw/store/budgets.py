"""Money is reserved before it is spent: each model call takes its bound from the caps first, then settles.

A reservation left open by a crash counts in full. A refusal says which cap, and how to raise it; it is told once a
day. Warnings at 50, 75 and 90 % of a cap are told once each a period.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, delete, func, insert, select

from nightclaw.core.ids import new_id
from nightclaw.core.ports import ModelCall, Usage
from nightclaw.core.types import JSON, NoteDraft
from nightclaw.store import costs, events, notifications
from nightclaw.store.schema import cost, reservation

WARN_AT = (0.5, 0.75, 0.9)


@dataclass(frozen=True, slots=True)
class Caps:
    """The `[budget]` table: dollars a day, month and task, tokens a day."""

    daily_usd: float
    monthly_usd: float
    task_usd: float
    daily_tokens: int


@dataclass(frozen=True, slots=True)
class Ask:
    """What a call may cost at most. day: the owner's local day. bound_tokens: 0 for local models."""

    cause: str
    day: str
    model: str
    bound_usd: float
    bound_tokens: int
    task_id: str | None = None
    decision_id: str | None = None
    task_cap_usd: float | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """key: the setting that says no. spent and cap in its unit."""

    key: str
    spent: float
    cap: float
    reason: str


def reserve(conn: Connection, ask: Ask, caps: Caps, now: int) -> str | Refusal:
    """Set the bound aside and return the reservation's id; or say which cap it would break."""
    task_cap = ask.task_cap_usd if ask.task_cap_usd is not None else caps.task_usd
    day, month, task = _spent(conn, ask)
    checks = [
        ("daily_usd", day[0], ask.bound_usd, caps.daily_usd),
        ("monthly_usd", month, ask.bound_usd, caps.monthly_usd),
        ("daily_tokens", day[1], float(ask.bound_tokens), float(caps.daily_tokens)),
    ]
    if ask.task_id is not None and ask.cause != "chat":
        checks.append(("task_usd", task, ask.bound_usd, task_cap))
    for key, spent, bound, cap in checks:
        if bound > 0 and spent + bound > cap:
            return _refuse(conn, ask, key, spent, cap, now)
    made = new_id("rsv", now)
    conn.execute(
        insert(reservation).values(
            id=made,
            at=now,
            day=ask.day,
            cause=ask.cause,
            task_id=ask.task_id,
            decision_id=ask.decision_id,
            model=ask.model,
            bound_usd=ask.bound_usd,
            bound_tokens=ask.bound_tokens,
        )
    )
    return made


def settle(conn: Connection, reservation_id: str, calls: Sequence[ModelCall], caps: Caps, now: int) -> None:
    """Replace the reservation by what was really spent: one ledger row a call. A second settling does nothing."""
    row = conn.execute(select(reservation).where(reservation.c.id == reservation_id)).first()
    if row is None:
        return
    conn.execute(delete(reservation).where(reservation.c.id == reservation_id))
    for call in calls:
        spent = costs.Spent(row.cause, row.day, call.model, call.usage, row.task_id, row.decision_id)
        costs.record(conn, spent, now)
    _warn(conn, row.day, caps, now)


def close_open(conn: Connection, now: int) -> int:
    """At start: what a crash left open counts in full. Returns how many there were."""
    rows = conn.execute(select(reservation)).all()
    for r in rows:
        usage = Usage(input_tokens=r.bound_tokens, cost_usd=r.bound_usd)
        costs.record(conn, costs.Spent(r.cause, r.day, r.model, usage, r.task_id, r.decision_id), now)
    conn.execute(delete(reservation))
    return len(rows)


def _spent(conn: Connection, ask: Ask) -> tuple[tuple[float, float], float, float]:
    """((dollars, tokens) of the day, dollars of the month, dollars of the task), open reservations included."""
    dollars = func.coalesce(func.sum(cost.c.cost_usd), 0.0)
    tokens = func.coalesce(
        func.sum(
            cost.c.input_tokens + cost.c.output_tokens + cost.c.cache_write_tokens + cost.c.cache_read_tokens
        ),
        0,
    )
    month = ask.day[:7]
    a, b = conn.execute(select(dollars, tokens).where(cost.c.day == ask.day)).one()
    m = conn.execute(select(dollars).where(cost.c.day >= f"{month}-01", cost.c.day <= f"{month}-31")).scalar()
    t = conn.execute(select(dollars).where(cost.c.task_id == ask.task_id)).scalar() if ask.task_id else 0.0
    held = conn.execute(select(reservation)).all()
    return (
        (
            float(a) + sum(r.bound_usd for r in held if r.day == ask.day),
            float(b) + sum(r.bound_tokens for r in held if r.day == ask.day),
        ),
        float(m or 0) + sum(r.bound_usd for r in held if r.day[:7] == month),
        float(t or 0) + sum(r.bound_usd for r in held if r.task_id == ask.task_id),
    )


def _refuse(conn: Connection, ask: Ask, key: str, spent: float, cap: float, now: int) -> Refusal:
    unit = "tokens" if key == "daily_tokens" else "$"
    said = f"{spent:,.0f} of {cap:,.0f} tokens" if unit == "tokens" else f"${spent:.2f} of ${cap:.2f}"
    reason = f"the cap [budget] {key} would be passed ({said} are spent or set aside)"
    period = ask.task_id if key == "task_usd" else ask.day[:7] if key == "monthly_usd" else ask.day
    note = NoteDraft(
        title=f"Out of budget: {key}",
        body=f"{reason[:1].upper()}{reason[1:]}. `clawctl config set budget.{key} N` raises it.",
        dedupe_key=f"budget:{key}:{period}",
        subject="budget",
        kind="budget",
    )
    if not notifications.is_known(conn, note.dedupe_key):
        notifications.queue(conn, note, now=now)
        data: dict[str, JSON] = {"key": key, "spent": spent, "cap": cap, "cause": ask.cause, "share": 1.0}
        events.append(conn, "budget.reached", now, data, task=ask.task_id)
    return Refusal(key, spent, cap, reason)


def _warn(conn: Connection, day: str, caps: Caps, now: int) -> None:
    dollars = func.coalesce(func.sum(cost.c.cost_usd), 0.0)
    month = day[:7]
    of_day = float(conn.execute(select(dollars).where(cost.c.day == day)).scalar() or 0)
    of_month = float(
        conn.execute(select(dollars).where(cost.c.day >= f"{month}-01", cost.c.day <= f"{month}-31")).scalar()
        or 0
    )
    for key, period, spent, cap in (
        ("daily_usd", day, of_day, caps.daily_usd),
        ("monthly_usd", month, of_month, caps.monthly_usd),
    ):
        passed = [share for share in WARN_AT if cap > 0 and spent >= share * cap]
        if not passed or spent >= cap:
            continue
        share = passed[-1]
        note = NoteDraft(
            title=f"{share:.0%} of [budget] {key} is spent",
            body=f"${spent:.2f} of ${cap:.2f}. `clawctl cost` shows on what.",
            dedupe_key=f"budget:{key}:{period}:{share}",
            subject="budget",
            kind="budget",
        )
        if not notifications.is_known(conn, note.dedupe_key):
            notifications.queue(conn, note, now=now)
            data: dict[str, JSON] = {"key": key, "spent": spent, "cap": cap, "share": share}
            events.append(conn, "budget.reached", now, data)
