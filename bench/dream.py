"""What a dream does to a home: planted facts, doubles, contradictions, dates and junk, from a seed.

    python bench/dream.py --seed 7 [--mode offline|model] [--json] [--show]

Sentences and names come from `dreaming/words.py`, which the daemon does not know. Prints one line `name value unit` a
number, or with --json one object. --show lists what went wrong.
"""

import argparse
import asyncio
import json
import random
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT / "daemon"), str(ROOT)]

from bench.dreaming import scripted, streams  # noqa: E402
from bench.dreaming.desk import Desk, Make, desk  # noqa: E402
from bench.dreaming.plant import plant  # noqa: E402
from bench.dreaming.scores import provenance, scores  # noqa: E402

from nightclaw.store.db import Connection  # noqa: E402

NAMES = [
    "duplicates_merged",
    "contradictions_resolved",
    "stale_retired",
    "facts_lost",
    "dates_absolute",
    "provenance",
    "value_match",
    "no_loss_points",
    "conflict_current",
    "conflict_history",
    "false_merges",
    "idempotent_changes",
    "junk_promoted",
    "cost_ratio",
    "nights30_lost",
]


UNITS = {
    "no_loss_points": "points", "false_merges": "merges", "idempotent_changes": "rows", "junk_promoted": "rows",
    "cost_ratio": "times", "nights30_lost": "facts",
}  # fmt: skip


async def measure(seed: int, room: Path, means: Make, wrong: dict[str, list[str]]) -> dict[str, float]:
    rng = random.Random(seed)
    out: dict[str, float] = {}
    async with desk(room / "planted.db", means) as home:
        planted = await plant(home, rng)
        await home.dream()
        rows = await home.rows()
        out |= scores(planted, rows, wrong)
        due = {t.cursor or 0: t.value for t in planted.dated} | {
            t.cursor or 0: monday(t.at) for _, t in planted.changed if "this week" in t.text
        }
        out["provenance"], out["value_match"] = provenance(rows, await texts(home), due, wrong)
        out["idempotent_changes"] = await again(home)
    out |= await streams.conflicts(rng, room / "conflicts.db", means, wrong)
    out["no_loss_points"] = await streams.no_loss(rng, room / "recall.db", means)
    out["cost_ratio"] = await streams.cost(rng, room, wrong)
    out["nights30_lost"] = await streams.nights(rng, room / "nights.db", means, wrong)
    return {name: round(out[name], 4) for name in NAMES}


def monday(at: int) -> str:
    day = datetime.fromtimestamp(at / 1000, UTC).date()
    return (day - timedelta(days=day.weekday())).isoformat()


async def texts(home: Desk) -> dict[int, str]:
    def read(conn: Connection) -> dict[int, str]:
        return {int(r[0]): str(r[1]) for r in conn.exec_driver_sql("SELECT cursor, text FROM observation")}

    return await home.store.read(read)


async def again(home: Desk) -> float:
    """Rows another dream changes with nothing new, and the model calls it makes."""

    def picture(conn: Connection) -> list[tuple[object, ...]]:
        queries = ("SELECT * FROM memory ORDER BY n", "SELECT * FROM memory_source", "SELECT * FROM memory_sketch",
                   "SELECT * FROM tombstone", "SELECT rowid, * FROM memory_fts")  # fmt: skip
        return [tuple(r) for q in queries for r in conn.exec_driver_sql(q)]

    before = await home.store.read(picture)
    report = await home.dream()
    after = await home.store.read(picture)
    calls = report.usage.get("model_calls", 0)
    return len(set(before) ^ set(after)) + (calls if isinstance(calls, int) else 0)


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--seed", type=int, default=1)
    words.add_argument("--mode", choices=("offline", "model"), default="offline")
    words.add_argument("--json", action="store_true")
    words.add_argument("--show", action="store_true")
    args = words.parse_args()
    wrong: dict[str, list[str]] = {}
    with tempfile.TemporaryDirectory(prefix="ncd") as room:
        if args.mode == "model":
            found = scripted.worst_of(
                lambda part, means: asyncio.run(measure(args.seed, part, means, wrong)), Path(room)
            )
        else:
            found = asyncio.run(measure(args.seed, Path(room), lambda store, clock: None, wrong))
    if args.show:
        for name, cases in wrong.items():
            for case in cases:
                print(f"{name}: {case}", file=sys.stderr)
    if args.json:
        print(json.dumps(found))
        return
    for name, value in found.items():
        print(f"dream.{name} {value:g} {UNITS.get(name, 'share')}")


if __name__ == "__main__":
    main()
