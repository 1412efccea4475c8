"""What the offline provider tells from: memory and the records that fit a question, what was told lately, how it is."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, tzinfo

from nightclaw.core.plain import one_line
from nightclaw.core.ports import Clock
from nightclaw.problems import Problems
from nightclaw.providers.offline import Glance
from nightclaw.store import glance, tallies
from nightclaw.store.db import Connection, Store

DAY_MS = 24 * 3600 * 1000


@dataclass(frozen=True, slots=True)
class Known:
    """A memory that answers. is_new: it is of the very message that is answered."""

    at: int
    words: str
    id: str
    is_new: bool


class Glancer:
    """Callable: a question in, a Glance out. Reads only."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        tz: Callable[[], tzinfo],
        problems: Problems,
        started_at: int,
        known: Callable[[Connection, str], list[Known]],
    ) -> None:
        self._store = store
        self._clock = clock
        self._tz = tz
        self._problems = problems
        self._started_at = started_at
        self._known = known

    async def __call__(self, question: str) -> Glance:
        return await self._store.read(self._look, question)

    def _look(self, conn: Connection, question: str) -> Glance:
        now = self._clock.now_ms()
        found = glance.matching(conn, question, now - 30 * DAY_MS, 5)
        told = glance.told_lately(conn, now - DAY_MS, 5)
        known = self._known(conn, question)
        return Glance(
            status=self._status(conn, now),
            recent=[self._line(*row) for row in told],
            found=[self._line(*row) for row in found],
            searched=bool(glance.words_of(question)),
            learned=[f"{one_line(k.words, 300)} ({k.id})" for k in known if k.is_new],
            known=[self._dated(k.at, k.words, k.id) for k in known if not k.is_new],
        )

    def _status(self, conn: Connection, now: int) -> list[str]:
        verdicts = glance.verdicts_since(conn, now - DAY_MS)
        decided = ", ".join(f"{n} {v}" for v, n in sorted(verdicts.items())) or "nothing"
        lines = [
            f"up for {_span(now - self._started_at)}; {tallies.signals_pending(conn)} signals wait",
            f"decided in the last 24 hours: {decided}",
        ]
        waiting = glance.open_tasks(conn, 5)
        lines += [f"{state}: {' '.join(goal.split())[:100]} ({task_id})" for task_id, state, goal in waiting]
        lines += [
            f"problem: {p.message}" + (f" ({p.hint})" if p.hint else "") for p in self._problems.items()
        ]
        return lines

    def _dated(self, at: int, words: str, row_id: str) -> str:
        when = datetime.fromtimestamp(at / 1000, self._tz())
        return f"{one_line(words, 300)} ({when:%d %b %Y}, {row_id})"

    def _line(self, at: int, title: str, row_id: str) -> str:
        when = datetime.fromtimestamp(at / 1000, self._tz())
        return f"{when:%d %b %H:%M} {title} ({row_id})"


def _span(ms: int) -> str:
    minutes = max(ms, 0) // 60_000
    if minutes < 120:
        return f"{minutes} min"
    hours = minutes // 60
    return f"{hours} h" if hours < 48 else f"{hours // 24} days"
