"""A watched tree of 100,000 files on a real store: ready, an edit told, everything edited, idle.

    python bench/files.py [directories of ten files]

Prints one line `name value unit` a number. Ready is the first look ever, ready_again a restart.
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "daemon")]

from sqlalchemy import create_engine, func, select  # noqa: E402
from tests.unit.sources.watching import Settings  # noqa: E402

from nightclaw.clock import SystemClock  # noqa: E402
from nightclaw.core.watch import WatchSpec  # noqa: E402
from nightclaw.problems import Problems  # noqa: E402
from nightclaw.sources.files import Files  # noqa: E402
from nightclaw.store import watches  # noqa: E402
from nightclaw.store.db import Store  # noqa: E402
from nightclaw.store.journal import StoreJournal  # noqa: E402
from nightclaw.store.schema import metadata, signal  # noqa: E402

QUIET_S = 2.0
IDLE_S = 10.0


def say(name: str, value: float, unit: str) -> None:
    print(f"{name} {value:.4g} {unit}", flush=True)


def resident_mb() -> float:
    status = Path("/proc/self/status")
    if not status.exists():
        return float("nan")
    return next(int(line.split()[1]) / 1024 for line in status.read_text().splitlines() if "VmRSS" in line)


def plant(root: Path, directories: int) -> list[Path]:
    files: list[Path] = []
    for i in range(directories):
        folder = root / f"d{i % 100}" / f"e{i}"
        folder.mkdir(parents=True)
        for j in range(10):
            files.append(folder / f"f{j}.py")
            files[-1].write_text(f"print({i}, {j})\n")
    return files


@asynccontextmanager
async def watched(store: Store, home: Path, name: str) -> AsyncIterator[None]:
    before, began = resident_mb(), time.perf_counter()
    journal, clock = StoreJournal(store, SystemClock()), SystemClock()
    files = Files(Settings(home), journal, clock, Problems(), lambda: store.read(watches.all_of))
    task = asyncio.create_task(files.run())
    while files.describe()["state"] != "ok":
        await asyncio.wait([task], timeout=0.01)
    say(f"files_{name}", time.perf_counter() - began, "s")
    say(f"files_{name}_memory", resident_mb() - before, "MB")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def told(store: Store, count: int) -> None:
    while (
        await store.read(lambda conn: conn.execute(select(func.count()).select_from(signal)).scalar())
        != count
    ):
        await store.head.wait_past(store.head.cursor, 60.0)


async def main(directories: int) -> None:
    with tempfile.TemporaryDirectory() as place:
        home, root = Path(place, "home"), Path(place, "tree")
        home.mkdir()
        engine = create_engine(f"sqlite:///{home / 'nightclaw.db'}")
        metadata.create_all(engine)
        engine.dispose()
        paths = plant(root, directories)
        store = Store(home / "nightclaw.db")
        await store.open()
        await store.write(
            watches.mirror, [WatchSpec("tree", str(root), quiet_s=QUIET_S)], SystemClock().now_ms()
        )
        async with watched(store, home, "ready"):
            pass
        async with watched(store, home, "ready_again"):
            beyond: list[float] = []
            for n in range(5):
                began = time.perf_counter()
                paths[n * 7].write_text(f"edit {n}")
                await told(store, n + 1)
                beyond.append(time.perf_counter() - began - QUIET_S)
            say("files_edit_beyond_quiet_max", max(beyond) * 1000, "ms")
            for path in paths:
                path.write_text("all")
            began = time.perf_counter()
            await told(store, 6)
            say("files_all_edited_told_after", time.perf_counter() - began, "s")
            await asyncio.sleep(IDLE_S)
            used = time.process_time()
            await asyncio.sleep(IDLE_S)
            say("files_idle_cpu", 100 * (time.process_time() - used) / IDLE_S, "%")
        await store.close()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000))
