"""A process with nothing but a store, an outbox and a diary: `teller.py HOME URL TITLE` tells one note and ends."""

import asyncio
import importlib
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.fakes.owner import Notify, Owner, Place, Settings

from nightclaw.clock import SystemClock
from nightclaw.core.ports import Address, Notifier
from nightclaw.core.types import NoteDraft
from nightclaw.diary import Diary
from nightclaw.notifiers.destinations import build_all
from nightclaw.outbox import Outbox
from nightclaw.problems import Problems
from nightclaw.store import deliveries, events, notifications
from nightclaw.store.db import Store


async def main(home: Path, url: str, title: str) -> None:
    path, clock, problems = home / "nightclaw.db", SystemClock(), Problems()
    if not path.exists():
        importlib.import_module("nightclaw.boot").make_database(path)
    store = Store(path)
    await store.open()
    settings = Settings(Notify([Place(url)]))

    def build(addresses: Sequence[Address]) -> list[Notifier]:
        return build_all(addresses, {"clock": clock})

    await store.write(deliveries.recover, clock.now_ms())
    outbox = Outbox(store, clock, lambda: settings, Owner(), problems, build)
    diary = Diary(store, home, lambda: settings.tz, problems)
    draft = NoteDraft(title, f"about {title}", f"key:{title}", "octo/app", "ci")
    note = await store.write(notifications.queue, draft, now=clock.now_ms())
    loops = [asyncio.create_task(outbox.run()), asyncio.create_task(diary.run())]
    cursor = 0
    while True:
        told = await store.read(events.page, 0, 1000, kinds=["notification.sent"])
        if any(e.data["notification"] == note for e in told):
            break
        cursor = store.head.cursor
        await store.head.wait_past(cursor, 1)
    for loop in loops:
        loop.cancel()
    await asyncio.gather(*loops, return_exceptions=True)
    await diary.catch_up()
    await store.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], sys.argv[3]))
