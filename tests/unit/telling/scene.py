"""An outbox with everything around it: a store, a clock, an owner and two phones."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select
from tests.fakes.clock import FakeClock
from tests.fakes.owner import Owner, Phone, Settings

from nightclaw.core.errors import Invalid
from nightclaw.core.ports import Address, Notifier
from nightclaw.core.types import NoteDraft
from nightclaw.outbox import Outbox
from nightclaw.problems import Problems
from nightclaw.store import notifications
from nightclaw.store.db import Store
from nightclaw.store.schema import notification


@dataclass
class Scene:
    store: Store
    clock: FakeClock
    problems: Problems
    settings: Settings
    owner: Owner
    phones: list[Phone]
    outbox: Outbox

    @property
    def phone(self) -> Phone:
        return self.phones[0]

    async def tell(
        self, title: str, kind: str = "ci", subject: str = "octo/app#5", urgent: bool = False
    ) -> str:
        draft = NoteDraft(title, f"about {title}", f"key:{title}", subject, kind, urgent)
        return await self.store.write(notifications.queue, draft, now=self.clock.now_ms())

    async def go(self) -> None:
        await self.outbox.step()
        await self.outbox.drain()

    async def states(self) -> dict[str, str]:
        def read(conn: Connection) -> dict[str, str]:
            query = select(notification.c.title, notification.c.state).order_by(notification.c.created_at)
            return {r.title: r.state for r in conn.execute(query)}

        return await self.store.read(read)

    async def reasons(self) -> dict[str, str | None]:
        def read(conn: Connection) -> dict[str, str | None]:
            query = select(notification.c.title, notification.c.reason, notification.c.error)
            return {r.title: r.reason or r.error for r in conn.execute(query)}

        return await self.store.read(read)


def make_outbox(
    scene_parts: tuple[Store, FakeClock, Problems, Settings, Owner],
    phones: list[Phone],
    paused: Callable[[], bool] = lambda: False,
) -> Outbox:
    store, clock, problems, settings, owner = scene_parts

    def build(addresses: Sequence[Address]) -> list[Notifier]:
        urls = [a.url for a in addresses]
        if "webpush" in urls:
            raise Invalid("webpush is not in this version", "use ntfy")
        return [p for p in phones if p.name in urls]

    return Outbox(store, clock, lambda: settings, owner, problems, build, paused)
