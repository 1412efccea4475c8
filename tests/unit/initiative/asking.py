"""A desk with the whole loop of initiative behind it, and an oracle in place of the triage model."""

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC
from pathlib import Path

from tests.unit.initiative.conftest import Desk

from nightclaw.core.ports import ModelCall, Usage
from nightclaw.core.types import JSON, Verdict
from nightclaw.initiative.counsel import Means
from nightclaw.initiative.decide import Stance
from nightclaw.initiative.loop import Initiative
from nightclaw.initiative.triage import SYSTEM, TOKENS, Bound, TriageAnswer, estimate
from nightclaw.store import lists
from nightclaw.store.budgets import Caps

NOW = 1_790_000_000_000
CALL = ModelCall("scripted/small", Usage(input_tokens=300, output_tokens=30, cost_usd=0.002))
RICH = Caps(daily_usd=5.0, monthly_usd=60.0, task_usd=1.0, daily_tokens=2_000_000)


@dataclass
class Oracle:
    """initiative.triage.Triage from a script. It holds the caller to the rules: a prompt within its size, no question
    before the former ones were answered beyond two at once."""

    says: list[TriageAnswer] = field(default_factory=list[TriageAnswer])
    usd: float = 0.01
    allows: Callable[[Collection[str]], bool] = lambda repos: True
    prompts: list[str] = field(default_factory=list[str])
    repos: list[list[str]] = field(default_factory=list[list[str]])
    open: int = 0
    gate: asyncio.Event | None = None
    asked: asyncio.Event = field(default_factory=asyncio.Event)

    def bound(self, prompt: str, repos: Collection[str]) -> Bound | None:
        return Bound("scripted/small", self.usd, 900) if self.allows(repos) else None

    async def ask(self, prompt: str, repos: Collection[str]) -> TriageAnswer:
        assert estimate(SYSTEM) + estimate(prompt) <= TOKENS
        self.prompts.append(prompt)
        self.repos.append(sorted(repos))
        self.open += 1
        assert self.open <= 2
        self.asked.set()
        try:
            if self.gate is not None:
                await self.gate.wait()
            return self.says.pop(0) if self.says else answer("record")
        finally:
            self.open -= 1


def answer(verdict: str, reason: str = "because of the orders") -> TriageAnswer:
    return TriageAnswer(Verdict(verdict), reason, (CALL,))


@dataclass
class Watch:
    """core.ports.Clock, set by hand."""

    now: int = 0
    seconds: float = 0.0

    def now_ms(self) -> int:
        return self.now

    def monotonic(self) -> float:
        return self.seconds


@dataclass
class House:
    """initiative with its loop; `passes()` decides all that is due and waits for the answers."""

    desk: Desk
    oracle: Oracle
    initiative: Initiative
    clock: Watch
    home: Path
    caps: Caps = RICH
    may_triage: bool = True
    is_paused: bool = False

    async def passes(self) -> None:
        """Until nothing is due any more."""
        while await self.looks() or self.initiative.open_questions:
            await self.initiative.answered()

    async def looks(self) -> int:
        self.clock.now = self.desk.now + 10_000
        return await self.initiative.decide_due()

    async def decisions(self) -> list[dict[str, JSON]]:
        """As they were made."""
        return sorted(await self.desk.listed(lists.decisions), key=lambda d: str(d["created_at"]))

    async def one(self, kind: str, subject: str, **attrs: JSON) -> dict[str, JSON]:
        """What one signal is decided to be."""
        await self.desk.happens(kind, subject, **attrs)
        await self.passes()
        return (await self.decisions())[-1]

    def orders(self, text: str) -> None:
        (self.home / "ORDERS.md").write_text(text)


def house(desk: Desk, home: Path, answers: Sequence[TriageAnswer] = (), *, deadline_s: float = 30.0) -> House:
    clock, oracle = Watch(), Oracle(list(answers))
    made: list[House] = []

    def stance() -> Stance:
        return replace(desk.stance(), may_triage=made[0].may_triage)

    means = Means(oracle, home / "ORDERS.md", lambda: made[0].caps, lambda: UTC, deadline_s)
    initiative = Initiative(desk.store, clock, stance, lambda: made[0].is_paused, lambda: None, means)
    made.append(House(desk, oracle, initiative, clock, home))
    return made[0]
