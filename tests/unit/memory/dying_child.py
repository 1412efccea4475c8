"""`python -m tests.unit.memory.dying_child PREPARED ROOM TIMES SEED`: dreams that are killed, one home each.

Imports once, then forks a dreamer a home: killed at a named point, or at a moment nobody chose. Prints a line a death:
what was armed, and the picture of the memory it left.
"""

import asyncio
import importlib
import json
import os
import random
import shutil
import signal
import sys
import time
from pathlib import Path

from tests.unit.memory.nights import Night, night

from nightclaw.core import failpoints

POINTS = ("dream.before_commit", "dream.committed", "store.before_commit:1", "store.before_commit:2",
          "store.after_commit:1", "store.after_commit:2", "store.after_commit:3")  # fmt: skip


async def told(home: Night) -> list[object]:
    """What the rows say, whatever ids they have."""
    rows = await home.rows()
    by_id = {m.id: m.text for m in rows}
    found = sorted(
        [m.text, str(m.state), by_id.get(m.superseded_by or "", ""), by_id.get(m.supersedes or "", ""), list(m.sources),
         m.fact_key, m.fact_value] for m in rows
    )  # fmt: skip
    entries = await home.count("SELECT count(*) FROM memory_fts")
    sources = await home.count("SELECT count(*) FROM memory_source")
    whole = await home.count("SELECT count(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'")
    return [*found, entries, sources, whole]


async def dream(path: Path) -> list[object]:
    async with night(path) as home:
        await home.dream()
        return await told(home)


async def look(path: Path) -> list[object]:
    async with night(path) as home:
        return await told(home)


def die(path: Path, point: str | None, after_s: float) -> None:
    """A dreamer that does not live to its end, unless it is quicker."""
    pid = os.fork()
    if pid == 0:
        if point is not None:
            os.environ["NIGHTCLAW_FAILPOINT"] = point
            importlib.reload(failpoints)
        asyncio.run(dream(path))
        os._exit(0)
    if point is None:
        time.sleep(after_s)
        os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def main(prepared: Path, room: Path, times: int, seed: int) -> None:
    rng = random.Random(seed)
    began = time.monotonic()
    print(json.dumps(["before", asyncio.run(look(Path(shutil.copy(prepared, room / "before.db"))))]))
    began = time.monotonic()
    print(json.dumps(["after", asyncio.run(dream(Path(shutil.copy(prepared, room / "after.db"))))]))
    whole_s = time.monotonic() - began
    for i in range(times):
        path = Path(shutil.copy(prepared, room / f"{i}.db"))
        point = POINTS[i] if i < len(POINTS) else None
        after_s = rng.uniform(0, whole_s)
        die(path, point, after_s)
        left = asyncio.run(look(path))
        again = asyncio.run(dream(path))
        print(json.dumps([point or f"after {after_s:.3f} s", left, again]), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
