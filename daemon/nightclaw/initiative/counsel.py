"""Asking the triage model, off the store's transactions: reserve, ask with a deadline, settle.

Nothing here can fail a decision: no model, no budget, a provider that is down or silent all come back as an Opinion
without a verdict. A provider that fails is left alone for a while, so that an outage costs a handful of calls.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from pathlib import Path

from nightclaw.core import failpoints
from nightclaw.core.ports import Clock, ModelCall, Usage
from nightclaw.initiative import triage
from nightclaw.initiative.decide import NeedsTriage, Opinion
from nightclaw.initiative.triage import Bound, Material, Shown, Triage, TriageAnswer
from nightclaw.store import about, budgets, signals
from nightclaw.store.budgets import Ask, Caps, Refusal
from nightclaw.store.db import Connection, Store

AT_ONCE = 2
DEADLINE_S = 30.0
QUEUE_S = 120.0
REST_S = (60.0, 120.0, 300.0, 600.0)
ORDERS_BYTES = 64 * 1024
SHOWN = 6


@dataclass(frozen=True, slots=True)
class Means:
    """What asking takes. orders: ORDERS.md. All callables are read anew for every question."""

    triage: Triage
    orders: Path
    caps: Callable[[], Caps]
    tz: Callable[[], tzinfo]
    deadline_s: float = DEADLINE_S


class Counsel:
    """Answers what deciding wants to know of a model, two questions at a time."""

    def __init__(self, store: Store, clock: Clock, means: Means) -> None:
        self._store = store
        self._clock = clock
        self._means = means
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._failures = 0
        self._rests_until = 0.0

    async def ask(self, needs: NeedsTriage) -> Opinion:
        """What the model makes of it. Raises StoreError."""
        try:
            async with asyncio.timeout(QUEUE_S):
                await self._slots.acquire()
        except TimeoutError:
            return _opinion(needs, TriageAnswer(None, "too much waits for the triage model"))
        try:
            return _opinion(needs, await self._ask(needs))
        finally:
            self._slots.release()

    async def _ask(self, needs: NeedsTriage) -> TriageAnswer:
        if self._clock.monotonic() < self._rests_until:
            return TriageAnswer(None, "the triage model failed a moment ago and is left alone")
        now, means = self._clock.now_ms(), self._means
        orders = await asyncio.to_thread(_read, means.orders)
        when = datetime.fromtimestamp(now / 1000, means.tz())
        prompt = triage.compose(await self._store.read(_material, needs, orders, f"{when:%a %H:%M}", now))
        bound = means.triage.bound(prompt, needs.repos)
        if bound is None:
            return TriageAnswer(None, "no model may see this")
        wanted = Ask(
            cause=needs.cause,
            day=f"{when:%Y-%m-%d}",
            model=bound.model,
            bound_usd=bound.usd,
            bound_tokens=bound.tokens,
            decision_id=needs.decision_id,
        )
        reserved = await self._store.write(budgets.reserve, wanted, means.caps(), now)
        if isinstance(reserved, Refusal):
            return TriageAnswer(None, reserved.reason)
        return await self._spend(needs, prompt, bound, reserved)

    async def _spend(self, needs: NeedsTriage, prompt: str, bound: Bound, reserved: str) -> TriageAnswer:
        """The question itself; whatever becomes of it is settled, what nobody can know at its bound."""
        unknown = ModelCall(bound.model, Usage(input_tokens=bound.tokens, cost_usd=bound.usd), "unfinished")
        answer = TriageAnswer(
            None, f"the model did not answer in {self._means.deadline_s:g} s", (unknown,), is_down=True
        )
        try:
            async with asyncio.timeout(self._means.deadline_s):
                answer = await self._means.triage.ask(prompt, needs.repos)
        except TimeoutError:
            pass
        finally:
            failpoints.hit("triage.answered")
            await self._store.write(
                budgets.settle, reserved, list(answer.calls), self._means.caps(), self._clock.now_ms()
            )
        self._failures = self._failures + 1 if answer.is_down else 0
        if answer.is_down:
            rest_s = REST_S[min(self._failures, len(REST_S)) - 1]
            self._rests_until = self._clock.monotonic() + rest_s
        return answer


def _material(conn: Connection, needs: NeedsTriage, orders: str, when: str, now: int) -> Material:
    """What the question shows: the newest of what waits with the lead last, and what is known from before."""
    others = [i for i in needs.signal_ids if i != needs.lead_id]
    wanted = [*others[1 - SHOWN :], needs.lead_id]
    held = [s for s in (signals.get(conn, i) for i in wanted) if s is not None]
    shown = [] if needs.changes else [Shown(s, triage.excerpt(signals.payload(conn, s.id), s)) for s in held]
    subjects = {str(c.get("subject")) for c in needs.changes} or {needs.subject}
    return Material(
        shown=shown,
        earlier=about.earlier(conn, subjects, 3),
        changes=needs.changes,
        orders=orders,
        rule=needs.rule,
        floor=needs.floor,
        cap=needs.cap,
        presence=needs.presence,
        when=when,
        now=now,
    )


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(ORDERS_BYTES).decode("utf-8", errors="replace")
    except OSError:
        return ""


def _opinion(needs: NeedsTriage, answer: TriageAnswer) -> Opinion:
    before = needs.earlier
    calls: Sequence[ModelCall] = answer.calls
    usage = before.usage if before else Usage()
    for call in calls:
        usage = usage.plus(call.usage)
    return Opinion(
        decision_id=needs.decision_id,
        signal_ids=needs.signal_ids,
        verdict=answer.verdict,
        reason=answer.reason,
        model=calls[-1].model if calls else (before.model if before else None),
        usage=usage,
        calls=len(calls) + (before.calls if before else 0),
        times_asked=1 + (before.times_asked if before else 0),
    )
