"""The dream itself: its gates, its phases and its end; and the loop that waits for a quiet house.

Guarantees. One dream at a time. What it changes stands in one transaction at the end or nowhere: new work, a kill, a
refusal or an answer that is awaited leave every memory as it was. A dream with nothing new changes no row and asks no
model. The next one begins where this one read to.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from nightclaw.core import failpoints
from nightclaw.core.errors import NightclawError, Refused, StoreBusy, StoreUnavailable
from nightclaw.core.ports import Clock
from nightclaw.core.types import JSON
from nightclaw.memory import kinds
from nightclaw.memory.dream import offline, orient, prune, verify
from nightclaw.memory.dream.asking import Asked, Asking, Means
from nightclaw.memory.dream.drafting import diff_of, plan_of
from nightclaw.memory.dream.gather import own_words, sayings
from nightclaw.memory.dream.orient import Activity, Past, Quiet, Rules
from nightclaw.memory.dream.pieces import Piece, Table, sketches
from nightclaw.store import dream_material, dreams, observations
from nightclaw.store.db import Connection, Store
from nightclaw.store.dream_changes import Plan
from nightclaw.store.dream_material import Material

READ = 1_000
"""New observations, and as many memories, one dream reads at most."""
DUE = 500
LOOK_S = 30.0
WATCH_S = 0.5
REST_S = 600.0
BARREN = 5

After = Callable[[frozenset[str]], Awaitable[None]]
"""Told which topics changed, after the commit."""


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
class _Night:
    """What one dream knows so far."""

    table: Table
    material: Material
    unclaimed: list[Piece] = field(default_factory=list[Piece])
    report: DreamReport = field(default_factory=lambda: DreamReport("", "running"))
    asked: Asked = field(default_factory=Asked)
    rows_read: int = 0


class Dreamer:
    """`run()` forever, `dream()` now. rules: read anew for each; activity: what stirs; quiet: since when nothing does.

    means: how a model is asked, None: never. clone: a repository's local clone to check against. after: see After.
    """

    name = "dream"

    def __init__(
        self,
        store: Store,
        clock: Clock,
        rules: Callable[[], Rules],
        activity: Callable[[], Awaitable[Activity]],
        quiet: Quiet,
        means: Means | None = None,
        clone: Callable[[str], Path | None] = lambda repo: None,
        after: After | None = None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._rules = rules
        self._activity = activity
        self._quiet = quiet
        self._asking = Asking(store, clock, means) if means is not None else None
        self._clone = clone
        self._after = after
        self._dreaming = False
        self._committing = False
        self._stop = asyncio.Event()

    @property
    def is_dreaming(self) -> bool:
        return self._dreaming

    def interrupt(self) -> None:
        """New work: end a dream that is on, with nothing changed."""
        self._stop.set()

    async def run(self) -> None:
        """Wait for a quiet house and dream in it when a dream is due."""
        seen, rest_until = -1, 0.0
        while True:
            await self._store.head.wait_past(max(seen, self._store.head.cursor), LOOK_S)
            if not self._rules().is_on or self._quiet() is None or self._clock.monotonic() < rest_until:
                continue
            seen = self._store.head.cursor
            try:
                if await self.why_not() is not None:
                    continue
                report = await self.dream()
            except (StoreBusy, StoreUnavailable, Refused):
                rest_until = self._clock.monotonic() + REST_S
                continue
            if report.state != "finished":
                rest_until = self._clock.monotonic() + REST_S

    async def why_not(self) -> str | None:
        """Why no dream is due now; None when one is."""
        rules = self._rules()
        if not rules.is_on:
            return "dreams are off"
        if not orient.is_quiet(await self._activity(), self._quiet()):
            return "the house is not quiet"
        past = await self._store.read(_past, rules.min_observations, self._clock.now_ms())
        return orient.why_not(rules, past, self._clock.now_ms())

    async def dream(
        self,
        now: bool = False,
        dry_run: bool = False,
        signal_id: str | None = None,
        task_id: str | None = None,
    ) -> DreamReport:
        """One dream. now: whoever is here asked for it. Raises Refused while one is on or when dreams are off."""
        if self._dreaming:
            raise Refused("a dream is on already", "wait for it, see `clawctl dreams`")
        if not self._rules().is_on:
            raise Refused("dreams are off", "`clawctl features dream=on`, and no pause")
        self._dreaming = True
        self._stop.clear()
        try:
            if dry_run:
                return await self._dry()
            return await self._whole(now, signal_id, task_id)
        finally:
            self._dreaming = False
            self._committing = False

    async def undo(self, dream_id: str) -> frozenset[str]:
        """Put back what a dream changed; the topics that changed. Raises NotFound or Refused."""
        if self._dreaming:
            raise Refused("a dream is on", "wait for it, then undo")
        topics = await self._store.write(dreams.undo, dream_id, self._clock.now_ms())
        await self._tell(topics)
        return topics

    async def _dry(self) -> DreamReport:
        night = await self._night()
        await self._consolidate(night, ask=False)
        plan = await self._plan(night)
        night.report.state = "dry"
        night.report.topics = frozenset(plan.topics)
        return night.report

    async def _whole(self, now: bool, signal_id: str | None, task_id: str | None) -> DreamReport:
        mode = "model" if self._asking is not None and self._rules().may_ask else "offline"
        at = self._clock.now_ms()
        made = await self._store.write(_begin, mode, at, signal_id, task_id)
        body = asyncio.create_task(self._body(made, mode))
        watch = asyncio.create_task(self._until_stirred(now))
        try:
            await asyncio.wait({body, watch}, return_when=asyncio.FIRST_COMPLETED)
            if not body.done() and not self._committing:
                body.cancel()
            return await body
        except asyncio.CancelledError:
            current = asyncio.current_task()
            if current is not None and current.cancelling():
                body.cancel()
                await asyncio.gather(body, return_exceptions=True)
                await asyncio.shield(self._end(made, "aborted", "the daemon stops", None))
                raise
            return await self._end(made, "aborted", "new work came", DreamReport(made, "aborted", mode))
        except NightclawError as error:
            report = await self._end(made, "failed", error.message, DreamReport(made, "failed", mode))
            if isinstance(error, StoreBusy | StoreUnavailable):
                raise
            return report
        finally:
            watch.cancel()

    async def _body(self, made: str, mode: str) -> DreamReport:
        night = await self._night()
        night.report.id, night.report.mode = made, mode
        await self._consolidate(night, ask=mode == "model")
        plan = await self._plan(night)
        for topic, bound in prune.at_risk(night.table).items():
            if not await self._store.read(dream_material.has_more, topic, bound):
                return await self._ask_first(
                    night, made, prune.too_much(topic, prune.losses(night.table)[topic])
                )
        ended = _ended(night)
        self._committing = True
        outcome = await self._store.write(dreams.commit, made, plan, ended, self._clock.now_ms())
        failpoints.hit("dream.committed")
        report = replace(night.report, state="finished", topics=outcome.topics)
        report.diff = dreams.named(report.diff, outcome.ids)
        await self._tell(outcome.topics)
        return report

    async def _night(self) -> _Night:
        """Orient and gather: what is new, what was said in it, and what is known about the same."""
        begun, at = time.monotonic(), self._clock.now_ms()
        table = Table(self._rules().tz, at)
        after = await self._store.read(dreams.cursor)
        material = await self._store.read(dream_material.material, after, READ)
        night = _Night(table, material)
        new = {m.id for m in material.memories}
        for row in material.memories:
            table.hold(row, is_new=True)
        for said in material.observations:
            self._hear(night, said)
            await asyncio.sleep(0)
        _phase(night, "orient", begun, new_memories=len(new), new_observations=len(material.observations))
        begun = time.monotonic()
        for i, p in enumerate(table.pieces):
            table.read(p)
            if i % 20 == 19:
                await asyncio.sleep(0)
        keys = {p.fact.key for p in table.pieces if p.fact is not None and not p.fact.bare}
        marks = {s for p in table.pieces for s in sketches(p)}
        known = await self._store.read(dream_material.related, keys, marks)
        over = await self._store.read(dream_material.due, at, DUE)
        for row in {m.id: m for m in [*known, *over]}.values():
            if row.id not in new:
                table.read(table.hold(row, is_new=row.doubted_at is not None))
        night.rows_read = len(table.pieces) + len(material.observations)
        said_new = sum(p.row is None for p in table.pieces)
        _phase(night, "gather", begun, said=said_new, known=len(known), due=len(over))
        return night

    def _hear(self, night: _Night, said: observations.Observation) -> None:
        is_claimed = said.cursor in night.material.claimed
        if is_claimed and said.kind == "correction":
            return  # what it corrects was made a memory where it was said
        heard = list(sayings(said))
        for text, kind in heard:
            night.table.say(text, kind, kinds.topic_for(kind), said)
        text = own_words(said) if said.role in ("owner", "assistant") and not heard and not is_claimed else ""
        if len(text) > 20:
            aside = Table(night.table.tz, night.table.now)
            night.unclaimed.append(aside.say(text, "project", kinds.GENERAL, said))

    async def _consolidate(self, night: _Night, *, ask: bool) -> None:
        begun = time.monotonic()
        offline.consolidate(night.table)
        if ask and self._asking is not None:
            night.asked = await self._asking.ask(night.table, night.unclaimed)
            offline.settle(night.table)
            offline.promote(night.table)
        _phase(
            night, "consolidate", begun, model_calls=night.asked.calls, applied=night.asked.judged.applied.total(),
            refused=dict(night.asked.judged.refused), why=night.asked.why,
        )  # fmt: skip

    async def _plan(self, night: _Night) -> Plan:
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
        left = prune.cap_growth(night.table)
        plan = plan_of(night.table)
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
        report.diff = diff_of(night.table, plan, "dream", report.counts)
        _phase(night, "prune", begun, left=left)
        return plan

    async def _verify(self, night: _Night) -> dict[str, str | None]:
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
                    p.end("dream", f"{file} says it already")
                    continue
            checked = checked or verify.by_second_source(rests_on[p.id], sources)
            if checked is not None and not (p.row and checked.by is None and p.row.doubted_at is not None):
                out[p.id] = checked.by
        return out

    async def _ask_first(self, night: _Night, made: str, stop: str) -> DreamReport:
        at = self._clock.now_ms()

        def write(conn: Connection) -> None:
            dreams.stop(conn, made, "asks", stop, _ended(night), at)
            dreams.ask(conn, f"loss:{made}", stop, [], at)

        await self._store.write(write)
        return replace(night.report, state="asks", why=stop)

    async def _end(self, made: str, state: str, why: str, report: DreamReport | None) -> DreamReport:
        await self._store.write(dreams.stop, made, state, why, None, self._clock.now_ms())
        return replace(report or DreamReport(made, state), why=why)

    async def _until_stirred(self, now: bool) -> None:
        """Return when the dream has to end: it was interrupted, dreams were turned off, work began or somebody came."""
        was_working = (await self._activity()).working
        while not self._stop.is_set():
            try:
                async with asyncio.timeout(WATCH_S):
                    await self._stop.wait()
            except TimeoutError:
                stirs = await self._activity()
                is_work = stirs.working and not (now and was_working)
                was_working = was_working and stirs.working
                if (
                    not self._rules().is_on
                    or is_work
                    or (not now and (stirs.attached or self._quiet() is None))
                ):
                    return

    async def _tell(self, topics: frozenset[str]) -> None:
        if self._after is not None and topics:
            await self._after(topics)


def _evidence(pieces: list[Piece]) -> dict[str, set[int]]:
    """What each piece rests on, with what says the same."""
    found = {p.id: set(p.sources) for p in pieces}
    for p in pieces:
        if p.how == "merged":
            found[p.last().id] |= p.sources
    return found


def _begin(conn: Connection, mode: str, now: int, signal_id: str | None, task_id: str | None) -> str:
    if dreams.barren(conn, BARREN):
        said = f"The last {BARREN} dreams looked at what was new and kept nothing of it."
        dreams.ask(conn, f"barren:{dreams.cursor(conn)}", said, [], now)
    return dreams.begin(conn, mode, now, signal_id=signal_id, task_id=task_id)


def _past(conn: Connection, enough: int, now: int) -> Past:
    last = dreams.last(conn)
    after = dreams.cursor(conn)
    return Past(
        new=dream_material.new_since(conn, after, max(1, enough)),
        due=len(dream_material.due(conn, now, 1)),
        last_at=last[0] if last else None,
        last_state=last[1] if last else None,
    )


def _phase(night: _Night, name: str, begun: float, **counts: JSON) -> None:
    said = {k: v for k, v in counts.items() if v or isinstance(v, int)}
    night.report.phases.append({"name": name, "ms": round((time.monotonic() - begun) * 1000), **said})


def _counts(night: _Night, plan: Plan) -> dict[str, int]:
    ways = [w.how for w in plan.ways if not w.old.startswith("new:")]
    pieces = night.table.pieces
    lost = sum(
        p.row is not None and not p.is_live and p.gone_to is None and not p.ended_by and not p.why
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
        "looked": sum(p.is_new for p in pieces) + len(night.unclaimed),
        "refused": night.asked.judged.refused.total(),
    }


def _ended(night: _Night) -> dreams.Ended:
    report = night.report
    return dreams.Ended(night.material.until, report.phases, dict(report.counts), report.usage, report.diff)


def _nones(checks: Mapping[str, str | None]) -> int:
    return sum(c is None for c in checks.values())
