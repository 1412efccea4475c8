"""Where the rules leave room a model is asked: once, briefly, inside floor and cap, and never as an obstacle."""

import asyncio
from datetime import UTC
from pathlib import Path

import pytest
from tests.unit.initiative.asking import CALL, answer, house
from tests.unit.initiative.conftest import Desk, rule

from nightclaw.core.ports import ModelCall, Usage
from nightclaw.core.types import JSON
from nightclaw.initiative.triage import TriageAnswer
from nightclaw.store import budgets, tallies, why
from nightclaw.store.budgets import Caps

pytestmark = pytest.mark.anyio
ISSUE = "octo/app#7"
SPOKEN: dict[str, JSON] = {"actor": "stranger", "association": "NONE", "number": 7}
POOR = Caps(daily_usd=0.005, monthly_usd=60.0, task_usd=1.0, daily_tokens=2_000_000)


def wrote(text: str) -> dict[str, JSON]:
    return {**SPOKEN, "payload": {"issue": {"body": text}}}


def ids_of(decision: dict[str, JSON]) -> list[JSON]:
    ids = decision["signal_ids"]
    assert isinstance(ids, list)
    return ids


async def test_a_strangers_issue_is_judged_and_the_answer_is_kept_with_its_cost(
    desk: Desk, tmp_path: Path
) -> None:
    there = house(desk, tmp_path, [answer("propose", "it loses data")])
    there.orders("- Tell me of anything that loses data.\n")
    decision = await there.one("issues.opened", ISSUE, **wrote("All my files are gone."))
    assert (decision["verdict"], decision["floor"], decision["cap"]) == ("propose", "record", "propose")
    assert "the model says propose: it loses data" in str(decision["reason"])
    usage = decision["usage"]
    assert isinstance(usage, dict)
    assert (usage["model"], usage["model_calls"], usage["input_tokens"], usage["cost_usd"]) == (
        "scripted/small", 1, 300, 0.002,
    )  # fmt: skip
    [prompt] = there.oracle.prompts
    assert "Tell me of anything that loses data." in prompt
    assert 'they wrote: "All my files are gone."' in prompt
    assert [t["state"] for t in await desk.tasks()] == ["proposed"]
    by_cause = await desk.store.read(tallies.usage_by, "cause", "2000-01-01", "2100-01-01")
    assert by_cause["signal"]["cost_usd"] == 0.002
    told = await desk.store.read(lambda conn: why.why(conn, str(decision["id"]), now=desk.now, tz=UTC))
    assert "scripted/small was asked: 300 tokens in, 30 out" in str(told["story"])


@pytest.mark.parametrize(
    ("floor", "cap", "said", "verdict"),
    [
        ("notify", "act", "ignore", "notify"),
        ("notify", "propose", "act", "propose"),
        ("record", "notify", "act", "notify"),
        ("record", "act", "act", "act"),
        ("ignore", "act", "record", "record"),
    ],
)
async def test_an_answer_counts_between_floor_and_cap(
    desk: Desk, tmp_path: Path, floor: str, cap: str, said: str, verdict: str
) -> None:
    desk.rules, desk.has_model = (rule("r", floor, cap=cap, kind="star.*"),), True
    decision = await house(desk, tmp_path, [answer(said)]).one("star.created", "octo/app")
    assert (decision["verdict"], decision["rule"]) == (verdict, "rule:r")


async def test_nobody_is_asked_where_the_rules_leave_no_room(desk: Desk, tmp_path: Path) -> None:
    there = house(desk, tmp_path)
    await there.one("issue_comment.created", ISSUE, mentions=["octocat"], **SPOKEN)
    await there.one("star.created", "octo/app")
    await there.one("issues.labeled", ISSUE, label="nightclaw", actor="octocat")
    assert there.oracle.prompts == []


@pytest.mark.parametrize(
    "attrs",
    [
        {"actor": "dependabot[bot]"},
        {"actor": "helper", "actor_type": "Bot"},
        {"actor": "stranger", "baseline": True},
    ],
)
async def test_machines_and_what_was_there_before_are_not_worth_a_question(
    desk: Desk, tmp_path: Path, attrs: dict[str, JSON]
) -> None:
    there = house(desk, tmp_path)
    assert (await there.one("issues.opened", ISSUE, **attrs))["verdict"] == "record"
    assert there.oracle.prompts == []


async def test_what_lay_through_a_long_pause_is_not_worth_a_question(desk: Desk, tmp_path: Path) -> None:
    there = house(desk, tmp_path)
    await desk.happens("issues.opened", ISSUE, **SPOKEN)
    desk.now += 8 * 24 * 3_600_000
    await there.passes()
    [decision] = await there.decisions()
    assert "lay for over a week" in str(decision["reason"])
    assert there.oracle.prompts == []


async def test_without_leave_nobody_is_asked(desk: Desk, tmp_path: Path) -> None:
    there = house(desk, tmp_path, [answer("propose")])
    there.may_triage = False
    decision = await there.one("issues.opened", ISSUE, **SPOKEN)
    assert decision["verdict"] == "record"
    assert "no model judged it" in str(decision["reason"])
    assert (there.oracle.prompts, decision["usage"]) == ([], {})


async def test_over_budget_the_floor_holds_and_says_so(desk: Desk, tmp_path: Path) -> None:
    there = house(desk, tmp_path, [answer("propose")])
    there.caps = POOR
    for n in (7, 8):
        decision = await there.one("issues.opened", f"octo/app#{n}", **SPOKEN)
        assert decision["verdict"] == "record"
        assert "daily_usd" in str(decision["reason"])
    assert there.oracle.prompts == []
    assert [n for n in await desk.notes() if "budget" in n] == ["Out of budget: daily_usd"]


async def test_nobody_who_may_see_it_means_the_floor(desk: Desk, tmp_path: Path) -> None:
    there = house(desk, tmp_path, [answer("propose")])
    there.oracle.allows = lambda repos: "octo/app" not in repos
    decision = await there.one("issues.opened", ISSUE, **SPOKEN)
    assert (decision["verdict"], there.oracle.prompts) == ("record", [])
    assert "no model may see this" in str(decision["reason"])


async def test_a_provider_that_is_down_is_left_alone_for_a_while(desk: Desk, tmp_path: Path) -> None:
    failed = ModelCall("scripted/small", Usage(), "overloaded")
    down = TriageAnswer(None, "the model could not be asked: overloaded", (failed,), is_down=True)
    there = house(desk, tmp_path, [down, answer("propose")])
    first = await there.one("issues.opened", ISSUE, **SPOKEN)
    assert first["verdict"] == "record"
    assert "overloaded, so record holds" in str(first["reason"])
    for n in range(20, 40):
        assert (await there.one("issues.opened", f"octo/app#{n}", **SPOKEN))["verdict"] == "record"
    assert len(there.oracle.prompts) == 1
    there.clock.seconds += 61
    assert (await there.one("issues.opened", "octo/app#50", **SPOKEN))["verdict"] == "propose"


async def test_silence_ends_at_the_deadline_and_counts_in_full(desk: Desk, tmp_path: Path) -> None:
    there = house(desk, tmp_path, deadline_s=0.05)
    there.oracle.gate = asyncio.Event()
    decision = await there.one("issues.opened", ISSUE, **SPOKEN)
    assert decision["verdict"] == "record"
    assert "did not answer in 0.05 s" in str(decision["reason"])
    spent = await desk.store.read(tallies.usage_by, "model", "2000-01-01", "2100-01-01")
    assert spent["scripted/small"]["cost_usd"] == there.oracle.usd
    assert await desk.store.write(budgets.close_open, desk.now) == 0


async def test_others_are_decided_while_one_waits_for_its_answer(desk: Desk, tmp_path: Path) -> None:
    there = house(desk, tmp_path, [answer("propose")])
    there.oracle.gate = asyncio.Event()
    await desk.happens("issues.opened", ISSUE, **SPOKEN)
    assert await there.looks() == 1
    await there.oracle.asked.wait()
    await desk.happens("issue_comment.created", "octo/app#8", mentions=["octocat"], **SPOKEN)
    assert await there.looks() == 1
    assert [d["verdict"] for d in await there.decisions()] == ["notify"]
    assert await there.looks() == 0, "what waits for an answer is not due"
    there.oracle.gate.set()
    await there.initiative.answered()
    assert [d["verdict"] for d in await there.decisions()] == ["notify", "propose"]


async def test_no_more_than_two_questions_are_open_at_once(desk: Desk, tmp_path: Path) -> None:
    there = house(desk, tmp_path)
    for n in range(7):
        await desk.happens("issues.opened", f"octo/app#{n}", **SPOKEN)
    await there.passes()
    assert len(there.oracle.prompts) == 7  # the oracle fails at a third one
    assert len(await there.decisions()) == 7


async def test_what_joins_is_asked_about_once_more_and_no_further(desk: Desk, tmp_path: Path) -> None:
    there = house(desk, tmp_path, [answer("propose", "first"), answer("record", "second"), answer("propose")])
    oracle = there.oracle

    async def joins(n: int) -> None:
        oracle.asked.clear()
        oracle.gate = asyncio.Event()
        await (there.looks() if n == 0 else asyncio.sleep(0))

    await desk.happens("issues.opened", ISSUE, **SPOKEN)
    await joins(0)
    for _ in range(2):
        await oracle.asked.wait()
        oracle.asked.clear()
        held, oracle.gate = oracle.gate, asyncio.Event()
        await desk.happens("issue_comment.created", ISSUE, **SPOKEN)
        assert held is not None
        held.set()
    await there.initiative.answered()
    [first] = await there.decisions()
    assert len(ids_of(first)) == 2, "the third came after the second question"
    assert first["verdict"] == "record"
    assert "second" in str(first["reason"])
    assert isinstance(first["usage"], dict)
    assert first["usage"]["model_calls"] == 2
    oracle.gate = None
    await there.passes()
    assert [d["verdict"] for d in await there.decisions()] == ["record", "propose"]
    assert len(oracle.prompts) == 3


async def test_the_owners_word_that_joins_needs_no_further_question(desk: Desk, tmp_path: Path) -> None:
    desk.has_model = True
    there = house(desk, tmp_path, [answer("record")])
    there.oracle.gate = asyncio.Event()
    await desk.happens("issues.opened", ISSUE, **SPOKEN)
    await there.looks()
    await there.oracle.asked.wait()
    await desk.happens("issues.labeled", ISSUE, label="nightclaw", actor="octocat")
    there.oracle.gate.set()
    await there.initiative.answered()
    [decision] = await there.decisions()
    assert (decision["verdict"], decision["rule"]) == ("act", "default:label")
    assert len(ids_of(decision)) == 2
    assert isinstance(decision["usage"], dict)
    assert decision["usage"]["cost_usd"] == CALL.usage.cost_usd
    assert len(there.oracle.prompts) == 1


async def test_an_hourly_cap_that_is_reached_asks_nobody(desk: Desk, tmp_path: Path) -> None:
    desk.rules = (rule("stars", "record", cap="notify", per_hour=1, kind="star.*"),)
    there = house(desk, tmp_path, [answer("notify"), answer("notify")])
    verdicts = [(await there.one("star.created", "octo/app"))["verdict"] for _ in range(3)]
    assert (verdicts, len(there.oracle.prompts)) == (["notify", "record", "record"], 1)


async def test_in_a_flood_the_floor_holds_for_the_rest(desk: Desk, tmp_path: Path) -> None:
    there = house(desk, tmp_path)
    there.oracle.gate = asyncio.Event()
    for n in range(80):
        await desk.happens("issues.opened", f"octo/app#{n}", **SPOKEN)
    while await there.looks():
        pass
    assert len(await there.decisions()) == 48
    there.oracle.gate.set()
    await there.passes()
    assert (len(await there.decisions()), len(there.oracle.prompts)) == (80, 32)


async def test_shadow_asks_and_only_reports(desk: Desk, tmp_path: Path) -> None:
    desk.shadow = True
    await house(desk, tmp_path, [answer("propose")]).one("issues.opened", ISSUE, **SPOKEN)
    assert await desk.tasks() == []
    [note] = await desk.notes()
    assert note.startswith("I would have proposed")


async def test_a_pause_ends_the_question_at_once(desk: Desk, tmp_path: Path) -> None:
    there = house(desk, tmp_path, [answer("propose")])
    there.oracle.gate = asyncio.Event()
    await desk.happens("issues.opened", ISSUE, **SPOKEN)
    there.clock.now = desk.now + 10_000
    life = asyncio.create_task(there.initiative.run())
    await asyncio.wait_for(there.oracle.asked.wait(), 10)
    there.is_paused = True
    desk.store.head.wake()
    await asyncio.wait_for(there.initiative.answered(), 10)
    assert await there.decisions() == []
    there.oracle.gate, there.is_paused = None, False
    cursor = desk.store.head.cursor
    desk.store.head.wake()
    while not await there.decisions():
        assert await desk.store.head.wait_past(cursor, 10)
        cursor = desk.store.head.cursor
    life.cancel()
    await asyncio.wait([life])
    assert [d["verdict"] for d in await there.decisions()] == ["propose"]


async def test_stopping_ends_the_question_and_leaves_the_signal_for_the_next_life(
    desk: Desk, tmp_path: Path
) -> None:
    there = house(desk, tmp_path)
    there.oracle.gate = asyncio.Event()
    await desk.happens("issues.opened", ISSUE, **SPOKEN)
    there.clock.now = desk.now + 10_000
    life = asyncio.create_task(there.initiative.run())
    await asyncio.wait_for(there.oracle.asked.wait(), 10)
    life.cancel()
    await asyncio.wait([life])
    assert await there.decisions() == []
    spent = await desk.store.read(tallies.usage_by, "model", "2000-01-01", "2100-01-01")
    assert spent["scripted/small"]["cost_usd"] == there.oracle.usd, "nobody knows what it cost"
    again = house(desk, tmp_path, [answer("propose")])
    await again.passes()
    assert [d["verdict"] for d in await again.decisions()] == ["propose"]
