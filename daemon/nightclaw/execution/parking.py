"""A parked task: it waits for the owner, the clock, money or a model, and holds no slot while it does."""

from dataclasses import dataclass

from nightclaw.core.states import RunState
from nightclaw.core.types import JSON
from nightclaw.store import events, runs, tasks
from nightclaw.store.db import Connection
from nightclaw.store.runs import Claim

BUDGET, MODELS, OWNER, SLEEP = "budget", "models", "owner", "sleep"


@dataclass(frozen=True, slots=True)
class Parked:
    """on: an approval's id, or `sleep`, `budget`, `models`, `owner`. wake_at: when to look again (ms). why: for the
    owner, plain words."""

    on: str
    wake_at: int | None = None
    why: str = ""


def park(conn: Connection, claim: Claim, parked: Parked, now: int) -> None:
    """The run rests and the slot is free; whoever answers makes the task ready again."""
    runs.end(conn, claim.run_id, RunState.PARKED, parked.why or parked.on, now)
    tasks.park(conn, claim.task, parked.on, now, wake_at=parked.wake_at)
    data: dict[str, JSON] = {
        "task": claim.task.id,
        "text": parked.why,
        "parked_on": parked.on,
        "usage": {},
    }
    events.append(conn, "turn.finished", now, data, task=claim.task.id, session=claim.task.session)
