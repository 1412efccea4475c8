"""What memory offers to tools by name: `recall` and `remember`, each within what the call's workspace may see."""

from collections.abc import Callable
from datetime import tzinfo

from nightclaw.core.ports import Clock
from nightclaw.core.tools import ToolContext
from nightclaw.memory import offer
from nightclaw.memory.offer import Wanted
from nightclaw.memory.recall import Recalled, Scope, recall
from nightclaw.store import memories
from nightclaw.store.db import Connection, Store
from nightclaw.store.memories import Memory


class Offered:
    """`services["recall"] = offered.recall` and `services["remember"] = offered.remember`."""

    def __init__(self, store: Store, clock: Clock, tz: Callable[[], tzinfo]) -> None:
        self._store = store
        self._clock = clock
        self._tz = tz

    async def recall(self, query: str, limit: int, ctx: ToolContext) -> list[Recalled]:
        """At most `limit` rows, best first; private ones of the call's own repository alone."""
        return await self._store.read(recall, query, limit, scope_of(ctx), self._clock.now_ms())

    async def remember(self, text: str, topic: str, when: str, ctx: ToolContext) -> Memory:
        """The candidate made, or the row that says it already. Raises Refused and Invalid."""
        from nightclaw.memory import capture

        work = ctx.workspace
        own = offer.Scope(work.repo, work.is_private)
        wanted = Wanted(text, topic or None, when or None, scope=own)

        def write(conn: Connection) -> Memory:
            now = self._clock.now_ms()
            made = capture.remember(conn, wanted, ctx.label, ctx.session, ctx.task_id, now, self._tz())
            kept = memories.get(conn, made)
            assert kept is not None
            return kept

        return await self._store.write(write)


def scope_of(ctx: ToolContext) -> Scope:
    work = ctx.workspace
    return Scope(private=frozenset({work.repo}) if work.is_private and work.repo else frozenset())
