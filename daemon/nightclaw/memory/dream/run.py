"""The dream itself: its gates, its phases and its end; and the loop that waits for a quiet house.

Guarantees. One dream at a time. What it changes stands in one transaction at the end or nowhere: new work, a kill, a
refusal or an answer that is awaited leave every memory as it was. A dream with nothing new changes no row and asks no
model. The next one begins where this one read to.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

from nightclaw.core import failpoints
from nightclaw.core.errors import NightclawError, Refused, StoreBusy, StoreUnavailable
from nightclaw.core.ports import Clock
from nightclaw.memory.dream import orient, prune
from nightclaw.memory.dream.asking import Asking, Means
from nightclaw.memory.dream.orient import Activity, Past, Quiet, Rules
from nightclaw.memory.dream.phases import DreamReport, Night, Phases
from nightclaw.store import dream_material, dreams
from nightclaw.store.db import Connection, Store

LOOK_S = 30.0
WATCH_S = 0.5
REST_S = 600.0
BARREN, FAILED = 5, 3

After = Callable[[frozenset[str]], Awaitable[None]]
"""Told which topics changed, after the commit."""


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
        self._phases = Phases(store, clock, rules, self._asking, clone)
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
            raise Refused("dreams are off", "`clawctl features dream on`, and no pause")
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
        night = await self._phases.gather()
        await self._phases.consolidate(night, ask=False)
        plan = await self._phases.plan(night)
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
        night = await self._phases.gather()
        night.report.id, night.report.mode = made, mode
        await self._phases.consolidate(night, ask=mode == "model")
        plan = await self._phases.plan(night)
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

    async def _ask_first(self, night: Night, made: str, stop: str) -> DreamReport:
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


def _begin(conn: Connection, mode: str, now: int, signal_id: str | None, task_id: str | None) -> str:
    if dreams.barren(conn, BARREN):
        said = f"The last {BARREN} dreams looked at what was new and kept nothing of it."
        dreams.ask(conn, f"barren:{dreams.cursor(conn)}", said, [], now)
    why = dreams.failing(conn, FAILED)
    if why is not None:
        said = f"The last {FAILED} dreams failed: {why}. Nothing was changed."
        dreams.ask(conn, f"failed:{dreams.cursor(conn)}", said, [], now)
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


def _ended(night: Night) -> dreams.Ended:
    report = night.report
    return dreams.Ended(night.material.until, report.phases, dict(report.counts), report.usage, report.diff)
