"""The ledger of model calls: every call, whatever asked for it, is one row, written with its step or decision."""

from dataclasses import dataclass

from sqlalchemy import Connection, insert

from nightclaw.core.ports import Usage
from nightclaw.store.schema import cost


@dataclass(frozen=True, slots=True)
class Spent:
    """cause: chat, tick, signal, task or dream. day: the owner's local day, YYYY-MM-DD."""

    cause: str
    day: str
    model: str
    usage: Usage
    task_id: str | None = None
    decision_id: str | None = None


def record(conn: Connection, spent: Spent, now: int) -> None:
    u = spent.usage
    conn.execute(
        insert(cost).values(
            at=now,
            day=spent.day,
            cause=spent.cause,
            task_id=spent.task_id,
            decision_id=spent.decision_id,
            model=spent.model,
            input_tokens=u.input_tokens,
            output_tokens=u.output_tokens,
            cache_read_tokens=u.cache_read_tokens,
            cache_write_tokens=u.cache_write_tokens,
            cost_usd=u.cost_usd,
        )
    )
