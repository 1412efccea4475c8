"""Initiative measured on a labelled stream (docs/labelling.md): every event goes the real way, by rules alone.

    python bench/initiative.py [--data FILE] [--model] [--orders FILE] [--json]

Parse, intake, quiet window, decision and outbox are the daemon's own, over a real store file; only time is stepped
from event to event. Without --data a fresh stream of 1,200 events is made. With --model the triage model of the config
(`NIGHTCLAW_HOME`, else a key in the environment) is asked where the rules leave room. Prints one line `name value
unit` a number, or with --json one object.
"""

import argparse
import asyncio
import json
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import cast
from zoneinfo import ZoneInfo

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT / "daemon"), str(ROOT / "bench")]

from nightclaw import boot, config  # noqa: E402
from nightclaw.config.model import NotifyUrl  # noqa: E402
from nightclaw.core.ports import Note  # noqa: E402
from nightclaw.initiative.counsel import Means  # noqa: E402
from nightclaw.initiative.decide import Stance  # noqa: E402
from nightclaw.initiative.judgement import Owner  # noqa: E402
from nightclaw.initiative.loop import LONGEST_WAIT_MS, Initiative  # noqa: E402
from nightclaw.initiative.rules import RuleSet  # noqa: E402
from nightclaw.initiative.triage import ModelTriage  # noqa: E402
from nightclaw.outbox import Outbox  # noqa: E402
from nightclaw.problems import Problems  # noqa: E402
from nightclaw.providers.router import Router, Settings  # noqa: E402
from nightclaw.sources import github  # noqa: E402
from nightclaw.store import lists, signals  # noqa: E402
from nightclaw.store.budgets import Caps  # noqa: E402
from nightclaw.store.db import Connection, Store  # noqa: E402

VERDICTS = ("ignore", "record", "notify", "propose", "act")
TOLD = ("notify", "propose", "act")
UNITS = {
    "precision": "share", "recall": "share", "must_tell_missed": "events", "pushes_a_day": "notes", "tokens": "tokens"
}  # fmt: skip
QUIET_MS = 1500
DAY_MS = 86_400_000
CHECKS = ("check_run", "check_suite", "workflow_run", "workflow_job", "status")


@dataclass(frozen=True, slots=True)
class Line:
    """One event of the stream. must: None when the stream does not say."""

    at: int
    event: str
    body: dict
    owner: str
    label: str
    must: bool | None


@dataclass(slots=True)
class Kept:
    """What became of a line: the signal that holds it, and how it was decided."""

    line: Line
    signal: str
    is_repeat: bool
    decision: str = ""
    verdict: str = "record"


class SteppedClock:
    def __init__(self) -> None:
        self.now = 0

    def now_ms(self) -> int:
        return self.now

    def monotonic(self) -> float:
        return self.now / 1000


@dataclass(slots=True)
class Letterbox:
    """The one destination of the outbox: counts what arrives."""

    name: str = "bench"
    pushes: int = 0

    async def deliver(self, note: Note) -> None:
        self.pushes += 1


@dataclass(frozen=True, slots=True)
class Notify:
    urls: tuple = (NotifyUrl(url="json://127.0.0.1"),)
    quiet_hours: None = None
    per_hour: int = 6


@dataclass(frozen=True, slots=True)
class Telling:
    notify: Notify = field(default_factory=Notify)
    tz: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))


class Nobody:
    def is_looking(self) -> bool:
        return False


class Bench:
    """One replay over one store file."""

    def __init__(self, folder: Path, model: bool, orders: Path | None) -> None:
        boot.make_database(folder / "nightclaw.db")
        self.store = Store(folder / "nightclaw.db")
        self.clock = SteppedClock()
        self.owner = ""
        self.letterbox = Letterbox()
        self.router: Router | None = None
        means = self._means(orders or folder / "ORDERS.md") if model else None
        self.initiative = Initiative(
            self.store, self.clock, self.stance, lambda: False, lambda: None, means
        )  # fmt: skip
        self.outbox = Outbox(
            self.store, self.clock, Telling, Nobody(), Problems(), lambda urls: [self.letterbox]
        )  # fmt: skip
        self.kept: list[Kept] = []
        self.next_push: int | None = None

    def stance(self) -> Stance:
        owner = Owner(owners=frozenset({self.owner.lower()}))
        asks = self.router is not None
        return Stance(RuleSet(owner, (), "bench"), "away", has_model=asks, shadow=False, may_triage=asks)

    def _means(self, orders: Path) -> Means:
        home = Path(os.environ.get("NIGHTCLAW_HOME", "") or Path.home() / ".nightclaw")
        settings = config.load(home, os.environ)
        wanted = settings if settings.exists else settings.model_copy(update={"exists": True})
        self.router = Router(cast("Callable[[], Settings]", lambda: wanted), self.clock, Problems())
        if not self.router.has("triage"):
            raise SystemExit(
                "no triage model: set ANTHROPIC_API_KEY, or NIGHTCLAW_HOME to a home with [models]"
            )
        budget = wanted.budget
        caps = Caps(budget.daily_usd, budget.monthly_usd, budget.task_usd, budget.daily_tokens)
        return Means(ModelTriage(self.router, lambda repo: None), orders, lambda: caps, lambda: UTC)

    async def run(self, lines: Iterable[Line]) -> None:
        await self.store.open()
        try:
            for n, line in enumerate(lines):
                if line.owner != self.owner and self.owner:
                    await self._until(self.clock.now + LONGEST_WAIT_MS)
                self.owner = line.owner
                await self._until(line.at)
                self.kept.append(await self._take_in(n, line))
            await self._until(self.clock.now + DAY_MS)
            for kept in self.kept:
                kept.decision, kept.verdict = await self.store.read(_decided, kept.signal)
            self.tokens, self.calls = await self.store.read(_spent)
        finally:
            await self.store.close()

    async def _take_in(self, n: int, line: Line) -> Kept:
        raw = json.dumps(line.body).encode()
        draft = github.parse(line.event, f"delivery-{n}", raw, line.body)
        ready = replace(draft, ready_at=self.clock.now + QUIET_MS)
        taken = await self.store.write(signals.take_in, signals.prepare(ready), self.clock.now)
        return Kept(line, taken.signal_id, taken.duplicate)

    async def _until(self, at: int) -> None:
        """Let time pass up to `at`: decide what falls due, send what may go."""
        while True:
            due = await self.store.read(signals.next_due_at, LONGEST_WAIT_MS)
            coming = [t for t in (due, self.next_push) if t is not None and t <= at]
            if not coming:
                break
            self.clock.now = max(self.clock.now, min(coming))
            await self.initiative.decide_due()
            await self.initiative.answered()
            self.next_push = await self.outbox.step()
            await self.outbox.drain()
            if self.next_push is not None and self.next_push <= self.clock.now:
                self.next_push = self.clock.now + 1000
        self.clock.now = max(self.clock.now, at)


def _decided(conn: Connection, signal_id: str) -> tuple[str, str]:
    return signals.decision_of(conn, signal_id) or "", signals.verdict_of(conn, signal_id) or "record"


def _spent(conn: Connection) -> tuple[int, int]:
    tokens = calls = 0
    after: str | None = None
    while True:
        page = lists.decisions(conn, after, 500)
        for row in cast("list[dict]", page["items"]):
            usage = row["usage"]
            calls += int(usage.get("model_calls", 0))
            tokens += sum(int(v) for k, v in usage.items() if k.endswith("_tokens"))
        after = page["next"]
        if after is None:
            return tokens, calls


def read_lines(file: Iterable[str]) -> Iterator[Line]:
    for text in file:
        if text.strip():
            row = json.loads(text)
            body = row["body"] if isinstance(row["body"], dict) else json.loads(row["body"])
            yield Line(_ms(row["at"]), row["event"], body, row["owner"], row["label"], row.get("must"))


def _ms(at: object) -> int:
    if isinstance(at, str):
        said = datetime.fromisoformat(at)
        return int((said if said.tzinfo else said.replace(tzinfo=UTC)).timestamp() * 1000)
    assert isinstance(at, int | float)
    return int(at if at > 1e11 else at * 1000)


def must_tell(line: Line) -> bool:
    """By the guide: what is asked of the owner by name, by label or by a failing check may not be missed."""
    if line.label not in TOLD:
        return False
    if line.must is not None:
        return line.must
    action, thing = line.body.get("action"), line.body.get(line.event)
    if line.event in CHECKS:
        held = line.body if line.event == "status" else thing
        ended = (
            held.get("conclusion" if line.event != "status" else "state") if isinstance(held, dict) else ""
        )
        return ended not in ("success", "neutral")
    if action in ("review_requested", "assigned", "labeled"):
        return True
    spoken = line.body.get("comment") or line.body.get("review") or thing
    text = str(spoken.get("body") or "").lower() if isinstance(spoken, dict) else ""
    return f"@{line.owner.lower()}" in text or "@nightclaw" in text


def measure(bench: Bench) -> dict:
    kept = bench.kept
    fresh = [k for k in kept if not k.is_repeat]
    wanted = {k.decision for k in fresh if k.line.label in TOLD}
    told = {k.decision for k in fresh if k.verdict in TOLD}
    deserving = [k for k in kept if k.line.label in TOLD]
    missed = [k for k in deserving if k.verdict not in TOLD and must_tell(k.line)]
    confusion: dict[str, dict[str, int]] = {a: dict.fromkeys(VERDICTS, 0) for a in VERDICTS}
    for k in fresh:
        confusion[k.line.label][k.verdict] += 1
    days = max((kept[-1].line.at - kept[0].line.at) / DAY_MS, 1.0) if kept else 1.0
    return {
        "precision": round(len(told & wanted) / len(told), 4) if told else 1.0,
        "recall": round(sum(k.verdict in TOLD for k in deserving) / len(deserving), 4) if deserving else 1.0,
        "must_tell_missed": len(missed),
        "pushes_a_day": round(bench.letterbox.pushes / days, 2),
        "tokens": bench.tokens,
        "model_calls": bench.calls,
        "events": len(kept),
        "repeats": len(kept) - len(fresh),
        "days": round(days, 2),
        "decisions": len({k.decision for k in fresh}),
        "told": len(told),
        "worth_telling": len(deserving),
        "must_tell": sum(must_tell(k.line) for k in kept),
        "exact": round(sum(k.line.label == k.verdict for k in fresh) / len(fresh), 4) if fresh else 1.0,
        "labels": dict(Counter(k.line.label for k in kept)),
        "verdicts": dict(Counter(k.verdict for k in fresh)),
        "confusion": confusion,
        "missed": [f"{k.line.event}.{k.line.body.get('action')} {k.signal}" for k in missed][:50],
    }


def replayed(lines: Iterable[Line], *, model: bool = False, orders: Path | None = None) -> tuple[Bench, dict]:
    """Replay a stream in a home of its own; the bench and its numbers."""
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), model, orders)
        asyncio.run(bench.run(lines))
        return bench, measure(bench)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--model", action="store_true")
    parser.add_argument("--orders", type=Path)
    parser.add_argument("--json", action="store_true")
    wanted = parser.parse_args()
    if wanted.data is not None:
        with wanted.data.open(encoding="utf-8") as file:
            lines = list(read_lines(file))
    else:
        from labelled_stream import stream

        lines = list(read_lines(json.dumps(row) for row in stream(1, 1200)))
    lines.sort(key=lambda line: line.at)
    _, numbers = replayed(lines, model=wanted.model, orders=wanted.orders)
    if wanted.json:
        print(json.dumps(numbers))
        return
    for name, unit in UNITS.items():
        print(f"initiative_{name} {numbers[name]} {unit}")


if __name__ == "__main__":
    main()
