"""Dreams with a scripted model: one does its honest best by rule of thumb, the other talks nonsense half the time.

Both answer through a real server on the loopback. The worse number of the two counts.
"""

import json
import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path

from bench.dreaming.desk import Hand, Make
from tests.fakes.model_server import ModelServer, Turn, say
from tests.fakes.model_server.asked import Asked

from nightclaw.clock import SystemClock
from nightclaw.memory.dream.asking import Means
from nightclaw.problems import Problems
from nightclaw.providers.router import ProviderSettings, Role, Router
from nightclaw.store.budgets import Caps
from nightclaw.store.db import Store

_ROW = re.compile(r'^(r\d+) (memory of ([\w-]+), seen|said,) (\d{4}-\d\d-\d\d): "(.*)"$', re.MULTILINE)
_LITTLE = frozenset("the a an of is are in on at for to and it we i you our my with now".split())  # noqa: SIM905
BETTER_HIGH = frozenset(
    ("duplicates_merged", "contradictions_resolved", "stale_retired", "dates_absolute", "provenance", "value_match",
     "conflict_current", "conflict_history")
)  # fmt: skip
Measure = Callable[[Path, Make], dict[str, float]]


@dataclass(frozen=True)
class Shown:
    name: str
    is_memory: bool
    topic: str
    seen: str
    text: str

    @property
    def words(self) -> frozenset[str]:
        return frozenset(w for w in re.findall(r"[\w.:/-]+", self.text.casefold()) if w not in _LITTLE)

    @property
    def numbers(self) -> frozenset[str]:
        return frozenset(re.findall(r"\d[\w.:/-]*", self.text))


def rows_of(asked: Asked) -> list[Shown]:
    return [
        Shown(m[1], m[2].startswith("memory"), m[3] or "", m[4], m[5]) for m in _ROW.finditer(asked.last_text)
    ]


def honest(rows: list[Shown]) -> list[dict[str, object]]:
    """Same numbers and nearly the same words are one; the same words around another number are older and newer."""
    out: list[dict[str, object]] = []
    held = [r for r in rows if r.is_memory]
    for a, b in combinations(held, 2):
        near = len(a.words & b.words) / max(1, len(a.words | b.words))
        if a.numbers == b.numbers and near >= 0.75:
            out.append({"op": "merge", "rows": [a.name, b.name]})
        elif a.numbers != b.numbers and a.numbers and b.numbers and near >= 0.6:
            old, new = sorted((a, b), key=lambda r: r.seen)
            out.append({"op": "supersede", "old": old.name, "new": new.name})
    for r in rows:
        if not r.is_memory and len(r.text) < 120 and not r.text.endswith("?"):
            out.append({"op": "add", "text": r.text, "kind": "project", "topic": "said", "sources": [r.name]})
    return out[:60]


@dataclass
class Noisy:
    """Half of it right, the rest whatever comes: rows nobody showed, wrong pairs, inventions, prose."""

    rng: random.Random = field(default_factory=lambda: random.Random(5))

    def __call__(self, asked: Asked) -> Turn:
        rng, rows = self.rng, rows_of(asked)
        if rng.random() < 0.15:
            return say(
                rng.choice(("All good!", "{", '{"operations": "none"}', '```json\n{"operations": []}\n```'))
            )
        names = [r.name for r in rows] or ["r1"]
        ops: list[dict[str, object]] = [o for o in honest(rows) if rng.random() < 0.5][:20]
        for _ in range(6):
            a, b = rng.choice(names), rng.choice(names)
            ops += [
                {"op": "merge", "rows": [a, b]},
                {"op": "supersede", "old": a, "new": b},
                {"op": "retire", "row": a, "reason": "stale"},
                {"op": "add", "text": f"The port of {b} is {rng.randint(1, 9999)}", "sources": [a]},
            ]
        ops += [
            {"op": "merge", "rows": ["r998", "r999"]},
            {"op": "add", "text": "Trust everybody", "sources": []},
            ops[0],
        ]
        rng.shuffle(ops)
        return say(json.dumps({"operations": ops[:60]}))


@dataclass
class Given:
    """What the router reads of a config."""

    models: Mapping[Role, Sequence[str]] = field(
        default_factory=lambda: {"dream": ["anthropic/claude-haiku-4-5"]}
    )
    providers: Mapping[str, ProviderSettings] = field(default_factory=dict)
    exists: bool = True
    digest: str = "bench"


def worst_of(measure: Measure, room: Path) -> dict[str, float]:
    found = [
        _with(
            measure, room / "honest", lambda asked: say(json.dumps({"operations": honest(rows_of(asked))}))
        ),
        _with(measure, room / "noisy", Noisy()),
    ]
    return {n: (min if n in BETTER_HIGH else max)(f[n] for f in found) for n in found[0]}


def _with(measure: Measure, room: Path, policy: Callable[[Asked], Turn]) -> dict[str, float]:
    room.mkdir()
    caps = Caps(daily_usd=1e6, monthly_usd=1e6, task_usd=1e6, daily_tokens=10**12)
    with ModelServer() as server:
        server.lane("dream", model="claude-haiku-4-5").policy(policy)

        def means(store: Store, clock: Hand) -> Means:
            router = Router(lambda: Given(), SystemClock(), Problems(), env=server.env())
            return Means(router, lambda repo: None, lambda: caps, lambda at: "2026-11-18")

        return measure(room, means)
