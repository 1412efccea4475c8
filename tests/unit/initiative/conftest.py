"""A real store file and the means to let signals happen in it."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import pytest
from sqlalchemy import Connection

from nightclaw import boot
from nightclaw.core.trust import Trust
from nightclaw.core.types import JSON, SignalDraft, Source, Verdict
from nightclaw.initiative.decide import Stance, decide
from nightclaw.initiative.judgement import Owner
from nightclaw.initiative.rules import OwnerRule, RuleSet
from nightclaw.store import lists, signals
from nightclaw.store.db import Store

ME = "octocat"


@dataclass
class Desk:
    """Drives initiative by hand: `happens` keeps a signal, `decides` decides its subject."""

    store: Store
    now: int = 1_790_000_000_000
    rules: tuple[OwnerRule, ...] = ()
    has_model: bool = False
    shadow: bool = False
    act_for: frozenset[str] = frozenset()
    n: int = field(default=0)

    def stance(self) -> Stance:
        owner = Owner(owners=frozenset({ME}), act_for=self.act_for)
        return Stance(RuleSet(owner, self.rules, "test"), "away", self.has_model, self.shadow)

    async def happens(self, kind: str, subject: str, **attrs: JSON) -> str:
        self.n += 1
        event, _, action = kind.partition(".")
        repo = subject.split("#")[0].split("@")[0]
        actor, payload = attrs.pop("actor", "stranger"), attrs.pop("payload", {})
        assert isinstance(payload, dict)
        draft = SignalDraft(
            source=Source(str(attrs.pop("source", "github"))),
            kind=kind,
            subject=subject,
            dedupe_key=str(attrs.pop("key", f"{kind}:{self.n}")),
            title=str(attrs.pop("title", f"{subject} {action or event}")),
            trust=Trust.WORLD,
            payload={"action": action, "n": self.n, **payload},
            attrs={"event": event, "action": action, **attrs},
            actor=str(actor),
            repo=repo,
        )
        self.now += 1000
        return (await self.store.write(signals.take_in, signals.prepare(draft), self.now)).signal_id

    async def decides(self, subject: str) -> dict[str, JSON]:
        decision_id = await self.store.write(decide, subject, self.stance(), self.now)
        assert decision_id is not None
        rows = await self.listed(lists.decisions)
        return next(r for r in rows if r["id"] == decision_id)

    async def judged(self, kind: str, subject: str, **attrs: JSON) -> dict[str, JSON]:
        await self.happens(kind, subject, **attrs)
        return await self.decides(subject)

    async def listed(self, f: Callable[[Connection, str | None, int], lists.Page]) -> list[dict[str, JSON]]:
        return [cast("dict[str, JSON]", row) for row in (await self.store.read(f, None, 500))["items"]]

    async def notes(self) -> list[str]:
        return [str(n["title"]) for n in await self.listed(lists.notifications)][::-1]

    async def tasks(self) -> list[dict[str, JSON]]:
        return await self.listed(lists.tasks)


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    path = tmp_path / "nightclaw.db"
    boot.make_database(path)
    store = Store(path)
    await store.open()
    yield Desk(store)
    await store.close()


def rule(
    name: str, verdict: str, *, cap: str | None = None, per_hour: int | None = None, **when: JSON
) -> OwnerRule:
    conditions = {k.replace("__", "."): v for k, v in when.items()}
    return OwnerRule(name, conditions, Verdict(verdict), Verdict(cap) if cap else None, per_hour)
