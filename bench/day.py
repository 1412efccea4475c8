"""The disk of a busy day (500 deliveries of real bodies and their decisions), and an idle day of 288 ticks.

python bench/day.py [--quick]
"""

import json
import time
from pathlib import Path

from house import ROOT, House, house, is_quick, say

REAL = ROOT.parent / "shared" / "data" / "github-webhooks"
EVENTS = 100 if is_quick() else 500
TICKS = 288
IDS = ("node_id", "head_sha", "after", "updated_at")


def bodies() -> list[tuple[str, dict]]:
    """(event, body) of every recorded delivery, from the large set where it lies beside the repository."""
    if (REAL / "MANIFEST.jsonl").exists():
        rows = [json.loads(line) for line in (REAL / "MANIFEST.jsonl").read_text().splitlines()]
        return [(row["event"], json.loads((REAL / row["file"]).read_bytes())) for row in rows]
    small = ROOT / "tests" / "data" / "webhooks"
    return [(f.stem.split(".")[0], json.loads(f.read_bytes())) for f in sorted(small.glob("*.json"))]


def another(body: object, number: int) -> object:
    """The same body about something else: every id in it is new."""
    if isinstance(body, dict):
        found = {key: another(value, number) for key, value in body.items()}
        return found | {key: f"{body[key]}{number}" for key in IDS if isinstance(body.get(key), str)}
    return [another(item, number) for item in body] if isinstance(body, list) else body


def disk(home: Path) -> int:
    return sum(f.stat().st_blocks * 512 for f in home.rglob("*") if f.is_file())


def busy() -> None:
    known = bodies()
    with house() as made:
        made.start()
        made.stop()
        empty = disk(made.home)
        made.start()
        sent = 0
        for n in range(EVENTS):
            event, body = known[n % len(known)]
            raw = json.dumps(another(body, n // len(known))).encode()
            made.deliver(event, raw, f"day-{n}")
            sent += len(raw)
        made.settle()
        time.sleep(1)
        made.stop()
        per_day = (disk(made.home) - empty) / EVENTS * 500
        say("day.bodies", sent / EVENTS * 500 / 1e6, "MB")
        say("day.disk", per_day / 1e6, "MB")


def idle() -> None:
    with house(tick="0.1s") as made:
        made.start()
        wait_for_ticks(made)
        status = made.get("/v1/status")
        say("day.idle_model_calls", status["today"]["model_calls"], "calls")
        say("day.idle_tokens", status["today"]["input_tokens"] + status["today"]["output_tokens"], "tokens")
        say("day.idle_notes", len(made.get("/v1/notifications?limit=500")["items"]), "notes")
        made.stop()
        say("day.idle_disk", disk(made.home) / 1e6, "MB")


def wait_for_ticks(made: House) -> None:
    after, seen = 0, 0
    until = time.monotonic() + 180
    while seen < TICKS:
        assert time.monotonic() < until, f"{seen} ticks only"
        _, page = made.ask("GET", f"/v1/events?after={after}&limit=1000")
        rows = [json.loads(line) for line in page.splitlines() if line.strip()]
        rows = [row for row in rows if row.get("cursor")]
        seen += sum(row["kind"] == "decision.made" for row in rows)
        after = rows[-1]["cursor"] if rows else after
        time.sleep(0 if rows else 0.5)


if __name__ == "__main__":
    busy()
    idle()
