"""What one dream does: the phases, in their order. Each leaves its counts in the report; nothing is written here."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from nightclaw.core.ports import Clock
from nightclaw.core.trust import Trust
from nightclaw.core.types import JSON
from nightclaw.memory import dates, kinds
from nightclaw.memory.alignment import Relation, relation
from nightclaw.memory.dream import clusters, offline, prune, verify
from nightclaw.memory.dream.asking import Asked, Asking
from nightclaw.memory.dream.drafting import diff_of, plan_of
from nightclaw.memory.dream.gather import own_words, sayings
from nightclaw.memory.dream.orient import Rules
from nightclaw.memory.dream.pieces import Piece, Table, sketches
from nightclaw.memory.gist import gist, marks
from nightclaw.store import dream_material, dreams, neighbours, observations
from nightclaw.store.db import Store
from nightclaw.store.dream_changes import Plan
from nightclaw.store.dream_material import Material
from nightclaw.store.memories import LIVE, Memory, text_hash

T = TypeVar("T")

READ = 1_000
"""New observations, and as many memories, one dream reads at most."""
DUE = 500
AT_ONCE = 50
"""Pieces that are understood between two looks at whether the dream is to end."""
ROUNDS, MOST = 6, 5_000
"""How far a dream looks around what is new: steps, and rows."""


@dataclass(slots=True)
class DreamReport:
    """What a dream came to. state: finished, aborted, asks, failed, or dry (nothing was written). counts: added,
    merged, superseded, retired, kept, lost and more; diff: what changed, for people."""

    id: str
    state: str
    mode: str = "offline"
    why: str = ""
    phases: list[dict[str, JSON]] = field(default_factory=list[dict[str, JSON]])
    counts: dict[str, int] = field(default_factory=dict[str, int])
    usage: dict[str, JSON] = field(default_factory=dict[str, JSON])
    diff: str = ""
    topics: frozenset[str] = frozenset()

    def as_json(self) -> dict[str, JSON]:
        return {
            "id": self.id, "state": self.state, "mode": self.mode, "why": self.why, "phases": self.phases,
            **self.counts, "usage": self.usage, "diff": self.diff, "topics": sorted(self.topics),
        }  # fmt: skip


@dataclass(slots=True)
class Night:
    """What one dream knows so far."""

    table: Table
    material: Material
    unclaimed: list[Piece] = field(default_factory=list[Piece])
    report: DreamReport = field(default_factory=lambda: DreamReport("", "running"))
    asked: Asked = field(default_factory=Asked)
    said: int = 0
    rows_read: int = 0


class Phases:
    """The phases over one store. clone: a repository's local clone to check against."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        rules: Callable[[], Rules],
        asking: Asking | None,
        clone: Callable[[str], Path | None],
    ) -> None:
        self._store = store
        self._clock = clock
        self._rules = rules
        self._asking = asking
        self._clone = clone

    async def gather(self) -> Night:
        """Orient and gather: what is new, what was said in it, and what is known about the same."""
        begun, at = time.monotonic(), self._clock.now_ms()
        table = Table(self._rules().tz, at)
        after = await self._store.read(dreams.cursor)
        material = await self._store.read(dream_material.material, after, READ)
        night = Night(table, material)
        new = {m.id for m in material.memories}
        for row in material.memories:
            table.hold(row, is_new=True)
        await _each(lambda said: _hear(night, said), material.observations)
        heard = [o for o in material.observations if o.cursor <= night.material.until]
        _phase(night, "orient", begun, new_memories=len(new), new_observations=len(heard))
        begun = time.monotonic()
        await _each(table.read, list(table.pieces))
        known = await self._surround(table)
        over = await self._store.read(dream_material.due, at, DUE)
        await self._hold(table, over)
        night.rows_read = len(table.pieces) + len(heard)
        _phase(night, "gather", begun, said=night.said, known=known, due=len(over))
        return night

    async def _surround(self, table: Table) -> int:
        """Bring to the table what is known about the same as what is new, and what is known about that; how many."""
        new, looked = len(table.pieces), set[str]()
        around = list(table.pieces)
        for _ in range(ROUNDS):
            signs = await asyncio.to_thread(_signs, around)
            known = await self._store.read(dream_material.related, signs.keys, signs.sketches)
            known += await self._store.read(neighbours.beside, signs.spoken)
            known += await self._store.read(neighbours.before, signs.marks)
            await self._hold(table, await self._store.read(neighbours.with_kin, known))
            looked.update(p.id for p in around)
            found = await asyncio.to_thread(clusters.follow, table.pieces, table.relations)
            around = [p for p in found.reached if p.id not in looked]
            if not around or len(table.pieces) > new + MOST:
                break
        return len(table.pieces) - new

    async def _hold(self, table: Table, rows: Sequence[Memory]) -> None:
        held = {p.id for p in table.pieces}
        fresh = [m for m in rows if m.id not in held]
        made = [table.hold(m, is_new=m.doubted_at is not None and m.state in LIVE) for m in fresh]
        await _each(table.read, made)

    async def consolidate(self, night: Night, *, ask: bool) -> None:
        begun = time.monotonic()
        await asyncio.to_thread(offline.consolidate, night.table)  # long after a long day, and pure
        if ask and self._asking is not None:
            night.asked = await self._asking.ask(night.table, night.unclaimed)
            await asyncio.to_thread(offline.settle, night.table)
            offline.promote(night.table)
        _phase(
            night, "consolidate", begun, model_calls=night.asked.calls, applied=night.asked.judged.applied.total(),
            refused=dict(night.asked.judged.refused), why=night.asked.why,
        )  # fmt: skip

    async def plan(self, night: Night) -> Plan:
        """Verify and prune; then what is to change, and how it reads."""
        begun = time.monotonic()
        checks = await self._verify(night)
        _phase(
            night,
            "verify",
            begun,
            verified=sum(c is not None for c in checks.values()),
            doubted=_nones(checks),
        )
        begun = time.monotonic()
        plan = await asyncio.to_thread(plan_of, night.table)
        plan.checked = checks
        plan.topics |= {p.topic for p in night.table.pieces if p.id in checks}
        plan.expects.update({p.id: p.row.updated_at for p in night.table.pieces if p.row and p.id in checks})
        report = night.report
        report.counts = _counts(night, plan)
        report.usage = {
            **night.asked.usage.as_json(),
            "model_calls": night.asked.calls,
            "rows_read": night.rows_read,
        }
        report.diff = await asyncio.to_thread(diff_of, night.table, plan, "dream", report.counts)
        _phase(night, "prune", begun)
        return plan

    async def _verify(self, night: Night) -> dict[str, str | None]:
        changed = [
            p for p in night.table.pieces
            if p.is_live and p.is_new and (p.row is None or p.row.verified_by is None or p.row.doubted_at is not None)
        ]  # fmt: skip
        rests_on = _evidence(night.table.pieces)
        cursors = sorted({c for p in changed if len(rests_on[p.id]) > 1 for c in rests_on[p.id]})[:900]
        sources = {o.cursor: o for o in await self._store.read(observations.get, cursors)}
        out = dict[str, str | None]()
        for p in changed:
            root = self._clone(p.repo) if p.repo is not None else None
            checked = None
            if root is not None:
                checked = await asyncio.to_thread(verify.by_clone, p.text, root)
                file = await asyncio.to_thread(verify.is_said_in, p.text, root)
                if file is not None and not p.is_authored and (p.row is None or p.row.state == "candidate"):
                    if p.row is not None and p.trust is Trust.OWNER:
                        p.state = p.row.state  # not the dream's to end
                    else:
                        p.end("dream", f"{file} says it already")
                    continue
            checked = checked or verify.by_second_source(rests_on[p.id], sources)
            if checked is not None and not (p.row and checked.by is None and p.row.doubted_at is not None):
                out[p.id] = checked.by
        return out


def _is_told(night: Night, text: str, said: observations.Observation) -> bool:
    """A memory was made of it when it was said, whatever became of that since."""
    dated = dates.absolute(text, said.at, night.table.tz)
    wordings = {text_hash(text), text_hash(dated)}
    new = gist(dated)
    for held in night.material.claimed.get(said.cursor, ()):
        old = gist(held)
        if text_hash(held) in wordings or (new and old and relation(old, new) is Relation.SAME):
            return True
    return False


async def _each(do: Callable[[T], object], things: Sequence[T]) -> None:
    """Do it to each, beside the event loop, so that whoever comes is heard at once."""
    for i in range(0, len(things), AT_ONCE):
        await asyncio.to_thread(lambda part: [do(one) for one in part], things[i : i + AT_ONCE])


@dataclass(frozen=True, slots=True)
class Signs:
    """By what the store knows more about pieces."""

    keys: set[str]
    sketches: set[int]
    spoken: list[list[str]]
    marks: list[frozenset[int]]


def _signs(pieces: Sequence[Piece]) -> Signs:
    return Signs(
        {p.fact.key for p in pieces if p.fact is not None and not p.fact.bare},
        {s for p in pieces for s in sketches(p)},
        [p.gist.spoken for p in pieces if p.gist is not None],
        [marks(p.gist, *p.scope) for p in pieces],
    )


def _hear(night: Night, said: observations.Observation) -> None:
    """What is beyond the growth of one dream is left to the next, and so is all that was said after it."""
    if said.cursor > night.material.until:
        return
    if night.said >= prune.GROWTH:
        night.material = replace(night.material, until=said.cursor - 1)
        return
    is_claimed = said.cursor in night.material.claimed
    if is_claimed and said.kind == "correction":
        return  # what it corrects was made a memory where it was said
    heard = list(sayings(said))
    for text, kind in heard:
        if not _is_told(night, text, said):
            night.table.say(text, kind, kinds.topic_for(kind), said)
            night.said += 1
    text = own_words(said) if said.role in ("owner", "assistant") and not heard and not is_claimed else ""
    if len(text) > 20:
        aside = Table(night.table.tz, night.table.now)
        night.unclaimed.append(aside.say(text, "project", kinds.GENERAL, said))


def _evidence(pieces: list[Piece]) -> dict[str, set[int]]:
    """What each piece rests on, with what says the same."""
    found = {p.id: set(p.sources) for p in pieces}
    for p in pieces:
        if p.how == "merged":
            found[p.last().id] |= p.sources
    return found


def _phase(night: Night, name: str, begun: float, **counts: JSON) -> None:
    said = {k: v for k, v in counts.items() if v or isinstance(v, int)}
    night.report.phases.append({"name": name, "ms": round((time.monotonic() - begun) * 1000), **said})


def _counts(night: Night, plan: Plan) -> dict[str, int]:
    ways = [w.how for w in plan.ways if not w.old.startswith("new:")]
    pieces = night.table.pieces
    lost = sum(
        p.row is not None and p.row.state in LIVE and not p.is_live and p.gone_to is None and not p.ended_by
        for p in pieces
    )
    touched = {w.old for w in plan.ways} | {r.id for r in plan.retired}
    return {
        "added": sum(a.new.state == "active" for a in plan.adds),
        "merged": ways.count("merged"),
        "superseded": len(ways) - ways.count("merged"),
        "retired": len(plan.retired),
        "promoted": len(plan.promoted),
        "kept": sum(p.row is not None and p.is_live and p.id not in touched for p in pieces),
        "lost": lost,
        "asked": len(plan.asks),
        "verified": len(plan.checked),
        "looked": sum(p.is_new and (p.row is None or p.row.state == "candidate") for p in pieces)
        + len(night.unclaimed),
        "refused": night.asked.judged.refused.total(),
    }


def _nones(checks: Mapping[str, str | None]) -> int:
    return sum(c is None for c in checks.values())
