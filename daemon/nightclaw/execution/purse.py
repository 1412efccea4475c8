"""Money for a run: sets a call's bound aside before it is made, and settles what it cost."""

from collections.abc import Callable, Sequence

from nightclaw.core.ports import Clock, ModelCall, ModelRequest
from nightclaw.execution.parking import BUDGET, Parked
from nightclaw.store import budgets
from nightclaw.store.db import Connection
from nightclaw.store.tasks import Task

WAIT_MS = 3_600_000
Bound = Callable[[str, ModelRequest], tuple[float, int]]
"""(model, request) → the dollars and tokens a call may cost at most; (0, 0) for what is free."""


class Purse:
    """caps, bound and day_of are asked anew for each call, so a raised cap counts at once."""

    def __init__(
        self,
        clock: Clock,
        caps: Callable[[], budgets.Caps],
        bound: Bound,
        day_of: Callable[[int], str],
    ) -> None:
        self._clock = clock
        self._caps = caps
        self._bound = bound
        self._day_of = day_of

    def reserve(self, conn: Connection, task: Task, model: str, request: ModelRequest) -> str | Parked:
        """A reservation's id, or how the task waits because a cap says no (looked at again hourly)."""
        now = self._clock.now_ms()
        dollars, tokens = self._bound(model, request)
        ask = budgets.Ask(
            cause=_cause(task),
            day=self._day_of(now),
            model=model,
            bound_usd=dollars,
            bound_tokens=tokens,
            task_id=task.id,
            task_cap_usd=task.budget_usd,
        )
        made = budgets.reserve(conn, ask, self._caps(), now)
        if isinstance(made, str):
            return made
        why = f"Out of budget: {made.reason}. `clawctl config set budget.{made.key} N` raises it."
        return Parked(BUDGET, now + WAIT_MS, why)

    def settle(self, conn: Connection, reservation: str, calls: Sequence[ModelCall]) -> None:
        budgets.settle(conn, reservation, calls, self._caps(), self._clock.now_ms())


def _cause(task: Task) -> str:
    return {"chat": "chat", "dream": "dream"}.get(task.kind, "task")
