"""`python -m tests.unit.sources.watching_child HOME ROOT`: the file source on a real store, to be killed."""

import asyncio
import sys
from pathlib import Path

from tests.unit.sources.watching import Settings

from nightclaw.clock import SystemClock
from nightclaw.core.watch import WatchSpec
from nightclaw.problems import Problems
from nightclaw.sources.files import Files
from nightclaw.store import watches
from nightclaw.store.db import Store
from nightclaw.store.journal import StoreJournal


async def main(home: Path, root: str) -> None:
    store, clock = Store(home / "nightclaw.db"), SystemClock()
    await store.open()
    spec = WatchSpec("app", root, quiet_s=0.15)
    await store.write(watches.mirror, [spec], clock.now_ms())
    journal = StoreJournal(store, clock)
    files = Files(Settings(home), journal, clock, Problems(), lambda: store.read(watches.all_of))
    task = asyncio.create_task(files.run())
    while files.describe()["state"] != "ok":
        await asyncio.wait([task], timeout=0.01)
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    task.cancel()
    await asyncio.wait([task])
    await store.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
