"""A day of ticks: silence costs nothing, one changed fact is judged once where ORDERS.md speaks, and told once."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path

import pytest
from tests.unit.initiative.asking import House, answer, house
from tests.unit.initiative.conftest import ME, Desk

from nightclaw.core.types import JSON
from nightclaw.initiative.triage import TriageAnswer
from nightclaw.problems import Problems
from nightclaw.sources.orders import asks_for_judgement
from nightclaw.sources.probes import Around, standard_probes
from nightclaw.sources.ticks import Ticks
from nightclaw.store.journal import StoreJournal

pytestmark = pytest.mark.anyio
PULL = "octo/app#5"
DAY_OF_TICKS = 288
HOURS_OF_A_DAY = 26
ORDERS = "# Orders\n\n- Reviews that wait for me: tell me, kindly.\n"


@dataclass
class Pace:
    every: float = 300.0
    max: float | None = None


@dataclass
class Days:
    """The real ticks and probes over the desk's store, one slot at a time."""

    there: House
    ticks: Ticks
    pace: Pace

    async def pass_by(self, count: int) -> None:
        for _ in range(count):
            self.there.desk.now += round(self.pace.every * 1000)
            self.there.clock.now = self.there.desk.now
            await self.ticks.look()
            await self.there.passes()


async def days(
    desk: Desk, home: Path, answers: Sequence[TriageAnswer], *, orders: str = ORDERS, every: float = 3600.0
) -> Days:
    pace = Pace(every)
    there = house(desk, home, answers)
    there.orders(orders)

    async def no_approvals() -> list[tuple[str, int]]:
        return []

    async def no_failures() -> dict[str, int]:
        return {}

    around = Around(home=home, tz=UTC, owners=frozenset({ME}))
    journal, problems = StoreJournal(desk.store, there.clock), Problems()
    probes = standard_probes(no_approvals, no_failures, problems)
    ticks = Ticks(journal, there.clock, problems, lambda: pace, lambda: around, probes)
    there.clock.now = desk.now
    made = Days(there, ticks, pace)
    await made.pass_by(3)
    return made


async def asks_for_review(desk: Desk, title: str = "Update the docs") -> None:
    await desk.judged(
        "pull_request.review_requested", PULL, reviewer=ME, is_pr=True, number=5, author="ines", state="open",
        draft=False, title=title, actor="ines",
    )  # fmt: skip


async def test_a_day_without_change_asks_nobody(desk: Desk, tmp_path: Path) -> None:
    made = await days(desk, tmp_path, [], every=300.0)
    await made.pass_by(DAY_OF_TICKS)
    assert made.there.oracle.prompts == []
    assert {str(d["verdict"]) for d in await made.there.decisions()} == {"ignore"}
    assert await desk.notes() == []


@pytest.mark.parametrize("said", ["notify", "ignore", "act"])
async def test_one_planted_change_is_judged_once_and_told_once(desk: Desk, tmp_path: Path, said: str) -> None:
    desk.has_model = True
    made = await days(desk, tmp_path, [answer(said)])
    await asks_for_review(desk)
    notes = await desk.notes()
    await made.pass_by(HOURS_OF_A_DAY)
    made.pace.every = 300.0
    await made.pass_by(DAY_OF_TICKS if said == "notify" else 12)
    [prompt] = made.there.oracle.prompts
    assert "tell me, kindly" in prompt
    assert "octo/app#5 has waited over a day for your review" in prompt
    assert made.there.oracle.repos == [["octo/app"]]
    assert len(await desk.notes()) == len(notes) + 1
    tasks = await desk.tasks()
    assert [(t["subject"], t["trust"]) for t in tasks] == ([(PULL, "WORLD")] if said == "act" else [])
    changed = [
        d for d in await made.there.decisions() if d["rule"] == "probe:changed" and d["floor"] == "notify"
    ]
    assert [d["verdict"] for d in changed] == ["act" if said == "act" else "notify"]


async def test_a_proposal_says_what_approves_it(desk: Desk, tmp_path: Path) -> None:
    desk.has_model = True
    made = await days(desk, tmp_path, [answer("propose")])
    await asks_for_review(desk)
    await made.pass_by(HOURS_OF_A_DAY)
    proposed = [n for n in await desk.notes() if n.startswith("Proposed: octo/app#5 has waited")]
    assert len(proposed) == 1
    assert [t["state"] for t in await desk.tasks()] == ["proposed"]


@pytest.mark.parametrize("orders", ["", "# Orders\n", "<!-- - Tell me all -->\n", "- [x] done is done\n"])
async def test_without_orders_a_change_is_told_and_nobody_is_asked(
    desk: Desk, tmp_path: Path, orders: str
) -> None:
    assert not asks_for_judgement(orders)
    made = await days(desk, tmp_path, [], orders=orders)
    await asks_for_review(desk)
    await made.pass_by(HOURS_OF_A_DAY)
    assert made.there.oracle.prompts == []
    assert [n for n in await desk.notes() if "waited over a day" in n] != []


async def test_an_order_that_falls_due_may_start_work_of_the_daemon(desk: Desk, tmp_path: Path) -> None:
    desk.has_model = True
    made = await days(
        desk, tmp_path, [answer("act", "it is ordered")], orders="- every day at 09:00 sum up\n"
    )
    await made.pass_by(24)
    [prompt] = made.there.oracle.prompts
    assert 'a standing order is due: "due by your orders: every day at 09:00 sum up"' in prompt
    [task] = await desk.tasks()
    trust: JSON = task["trust"]
    assert (trust, task["state"], str(task["subject"])[:6]) == ("DAEMON", "ready", "order:")
    assert "sum up" in str(task["goal"])
