"""What is told, asked and started by default, and that it is told once."""

import pytest
from tests.unit.initiative.conftest import Desk, rule

pytestmark = pytest.mark.anyio
PR = "octo/app#5"


@pytest.mark.parametrize(
    ("actor", "verdict"),
    [("octocat", "act"), ("Octocat", "act"), ("trusted", "act"), ("colleague", "propose")],
)
async def test_the_label_starts_work_for_me_and_asks_for_others(desk: Desk, actor: str, verdict: str) -> None:
    desk.act_for = frozenset({"trusted"})
    decision = await desk.judged("issues.labeled", "octo/app#1", label="nightclaw", actor=actor, number=1)
    assert decision["verdict"] == verdict
    [task] = await desk.tasks()
    assert task["state"] == "proposed", "no model is configured"
    assert "no model" in str(decision["reason"])
    assert len(await desk.notes()) == 1


async def test_with_a_model_the_owners_label_makes_a_ready_task_and_no_note(desk: Desk) -> None:
    desk.has_model = True
    await desk.judged("issues.labeled", "octo/app#1", label="nightclaw", actor="octocat", number=1)
    assert [t["state"] for t in await desk.tasks()] == ["ready"]
    assert await desk.notes() == []


async def test_another_label_is_recorded(desk: Desk) -> None:
    assert (await desk.judged("issues.labeled", "octo/app#1", label="bug", actor="octocat"))[
        "verdict"
    ] == "record"


@pytest.mark.parametrize(
    ("actor", "association", "verdict"),
    [("octocat", "NONE", "act"), ("colleague", "MEMBER", "propose"), ("anyone", "NONE", "record")],
)
async def test_a_command_in_a_comment(desk: Desk, actor: str, association: str, verdict: str) -> None:
    decision = await desk.judged(
        "issue_comment.created",
        "octo/app#2",
        command="fix it",
        actor=actor,
        association=association,
        number=2,
    )
    assert decision["verdict"] == verdict
    assert decision["cap"] in ("act", "propose")


async def test_a_strangers_command_is_capped_at_propose(desk: Desk) -> None:
    decision = await desk.judged(
        "issue_comment.created", "o/r#1", command="rm", actor="x", association="NONE"
    )
    assert (decision["floor"], decision["cap"]) == ("record", "propose")


async def test_review_assignment_and_mention_are_told(desk: Desk) -> None:
    for kind, attrs in (
        ("pull_request.review_requested", {"reviewer": "octocat", "is_pr": True, "number": 5}),
        ("issues.assigned", {"assignee": "OctoCat", "number": 5}),
        ("issue_comment.created", {"mentions": ["octocat"], "number": 5}),
    ):
        assert (await desk.judged(kind, PR, **attrs))["verdict"] == "notify", kind
    assert len(await desk.notes()) == 3


async def test_what_i_do_myself_is_not_told_to_me(desk: Desk) -> None:
    assert (await desk.judged("issues.assigned", PR, assignee="octocat", actor="octocat"))[
        "verdict"
    ] == "record"
    assert (await desk.judged("issue_comment.created", PR, mentions=["octocat"], actor="octocat"))[
        "verdict"
    ] == "record"
    assert await desk.notes() == []


async def test_without_owners_nobody_is_me(desk: Desk) -> None:
    assert (await desk.judged("pull_request.review_requested", PR, reviewer="someone"))["verdict"] == "record"


def ci(
    conclusion: str, *, check: str = "build", branch: str = "main", suite: str = "1", sha: str = "a1b2c3d"
) -> dict:
    return {
        "conclusion": conclusion, "check": check, "branch": branch, "default_branch": "main", "suite": suite, "sha": sha
    }  # fmt: skip


async def test_red_is_told_once_and_green_once(desk: Desk) -> None:
    where = "octo/app@main"
    verdicts = [
        (await desk.judged("check_run.completed", where, **ci("failure")))["verdict"],
        (await desk.judged("workflow_run.completed", where, **ci("failure", check="CI")))["verdict"],
        (await desk.judged("check_run.completed", where, **ci("failure", sha="b2")))["verdict"],
        (await desk.judged("workflow_run.completed", where, **ci("success", check="CI", suite="2")))[
            "verdict"
        ],
        (await desk.judged("check_run.completed", where, **ci("success", suite="2")))["verdict"],
        (await desk.judged("check_run.completed", where, **ci("success", suite="3")))["verdict"],
    ]
    notes = await desk.notes()
    assert [n for n in notes if "red" in n] == ["octo/app main is red: build"]
    assert [n for n in notes if "green again" in n] == [n for n in notes if "red" not in n]
    assert len(notes) == 2, (notes, verdicts)


async def test_a_second_breakage_is_told_again(desk: Desk) -> None:
    for conclusion in ("failure", "success", "failure"):
        await desk.judged("check_run.completed", "octo/app@main", **ci(conclusion))
    assert ["red" in n for n in await desk.notes()] == [True, False, True]


async def test_one_green_part_does_not_hide_another_red_one(desk: Desk) -> None:
    where = "octo/app@main"
    await desk.judged("check_run.completed", where, **ci("failure", check="build"))
    await desk.judged("check_run.completed", where, **ci("failure", check="lint"))
    await desk.judged("check_run.completed", where, **ci("success", check="build", suite="2"))
    await desk.judged("check_suite.completed", where, **ci("success", check="github-actions", suite="9"))
    assert len(await desk.notes()) == 1
    await desk.judged("check_run.completed", where, **ci("success", check="lint", suite="2"))
    assert len(await desk.notes()) == 2


async def test_a_part_that_was_renamed_away_goes_with_the_next_whole_run(desk: Desk) -> None:
    where = "octo/app@main"
    await desk.judged("check_run.completed", where, **ci("failure", check="old name", sha="a1"))
    await desk.judged("workflow_run.completed", where, **ci("success", check="Docs", sha="a1"))
    assert len(await desk.notes()) == 1, "another workflow of the same commit says nothing of it"
    await desk.judged("workflow_run.completed", where, **ci("success", check="CI", sha="b2"))
    assert len(await desk.notes()) == 2
    await desk.judged("workflow_run.completed", where, **ci("failure", check="CI", sha="c3"))
    await desk.judged("workflow_run.completed", where, **ci("success", check="Docs", sha="d4"))
    assert len(await desk.notes()) == 3, "one workflow does not stand for another"


async def test_an_incident_ends_with_its_branch_and_with_long_silence(desk: Desk) -> None:
    pull = {"is_pr": True, "number": 5, "author": "octocat", "branch": "dev", "default_branch": "main"}
    red = {**ci("failure", branch="dev"), "prs": [5]}
    await desk.judged("pull_request.opened", PR, state="open", actor="octocat", **pull)
    await desk.judged("check_run.completed", PR, **red)
    await desk.judged("pull_request.closed", PR, state="closed", actor="octocat", **pull)
    await desk.judged("pull_request.reopened", PR, state="open", actor="octocat", **pull)
    assert (await desk.judged("check_run.completed", PR, **red))["verdict"] == "notify"
    await desk.judged("check_run.completed", "octo/app@main", **ci("failure", check="gone"))
    assert (await desk.judged("check_run.completed", "octo/app@main", **ci("failure")))["verdict"] == "record"
    desk.now += 4 * 24 * 3_600_000
    assert (await desk.judged("check_run.completed", "octo/app@main", **ci("failure")))["verdict"] == "notify"


@pytest.mark.parametrize(
    ("attrs", "verdict"),
    [
        ({"prs": [5], "actor": "octocat"}, "notify"),
        ({"head_login": "octocat"}, "notify"),
        ({"branch": "dev", "sha": "f0"}, "notify"),
        ({"branch": "main", "default_branch": "main", "fork": True}, "record"),
        ({"branch": "main", "default_branch": "main", "sha": "f9"}, "record"),
        ({"branch": "dev", "sha": "f9", "prs": [9], "head_login": "octocat"}, "record"),
        ({"actor": "octocat"}, "record"),
    ],
)
async def test_whose_check_it_is(desk: Desk, attrs: dict, verdict: str) -> None:
    mine = {"is_pr": True, "number": 8, "author": "octocat", "branch": "dev", "sha": "f0", "state": "open"}
    theirs = {"is_pr": True, "number": 9, "author": "ines", "branch": "main", "sha": "f9", "state": "open"}
    await desk.judged("pull_request.opened", "octo/app#8", actor="octocat", **mine)
    await desk.judged("pull_request.opened", "octo/app#9", actor="ines", fork=True, **theirs)
    check = {**ci("failure", branch="topic"), "actor": "ines", **attrs}
    assert (await desk.judged("workflow_job.completed", "octo/app@x", **check))["verdict"] == verdict


async def test_a_name_that_an_edit_adds_and_a_strangers_command_with_a_name_are_told(desk: Desk) -> None:
    named = {"mentions": ["octocat"], "number": 5}
    assert (await desk.judged("issue_comment.edited", PR, **named))["verdict"] == "notify"
    decision = await desk.judged("issue_comment.created", PR, command="fix it", association="NONE", **named)
    assert (decision["verdict"], decision["cap"]) == ("notify", "propose")


async def test_another_branch_is_silent_unless_the_pull_request_is_mine(desk: Desk) -> None:
    assert (await desk.judged("check_run.completed", PR, prs=[5], **ci("failure", branch="topic")))[
        "verdict"
    ] == "record"
    await desk.judged(
        "pull_request.opened", PR, is_pr=True, number=5, author="octocat", state="open", actor="octocat"
    )
    decision = await desk.judged(
        "check_run.completed", PR, prs=[5], **ci("failure", branch="topic", check="lint")
    )
    assert decision["verdict"] == "notify"
    assert "your pull request" in str(decision["reason"])


async def test_a_batch_is_one_decision_and_one_note(desk: Desk) -> None:
    await desk.happens("issue_comment.created", PR, mentions=["octocat"])
    await desk.happens("pull_request.review_requested", PR, reviewer="octocat")
    await desk.happens("pull_request.synchronize", PR)
    decision = await desk.decides(PR)
    assert len(str(decision["signal_ids"]).split(",")) == 3
    assert len(await desk.notes()) == 1


async def test_shadow_only_reports(desk: Desk) -> None:
    desk.shadow = desk.has_model = True
    decision = await desk.judged("issues.labeled", "octo/app#1", label="nightclaw", actor="octocat", number=1)
    assert decision["verdict"] == "act"
    assert await desk.tasks() == []
    [note] = await desk.notes()
    assert note.startswith("I would have started")


async def test_baseline_is_recorded_silently(desk: Desk) -> None:
    decision = await desk.judged("pull_request.review_requested", PR, reviewer="octocat", baseline=True)
    assert decision["verdict"] == "record"
    assert await desk.notes() == []


async def test_the_owners_rule_comes_first_and_widens_only_by_cap(desk: Desk) -> None:
    desk.rules = (
        rule("quiet", "ignore", kind="star.*"),
        rule("forks", "notify", cap="act", kind="fork", payload__action=""),
        rule("ours", "record", repo="octo/*", payload__n=[1, 2, 3]),
    )
    assert (await desk.judged("star.created", "octo/app"))["verdict"] == "ignore"
    forked = await desk.judged("fork", "other/app")
    assert (forked["verdict"], forked["cap"], forked["rule"]) == ("notify", "act", "rule:forks")
    assert (await desk.judged("issues.assigned", "octo/app#1", assignee="octocat"))["rule"] == "rule:ours"
    assert (await desk.judged("issues.assigned", "octo/app#1", assignee="octocat"))["verdict"] == "notify"


async def test_an_hourly_cap_lowers_to_record_and_says_so(desk: Desk) -> None:
    desk.rules = (rule("stars", "notify", per_hour=2, kind="star.*"),)
    verdicts = [(await desk.judged("star.created", "octo/app"))["verdict"] for _ in range(4)]
    assert verdicts == ["notify", "notify", "record", "record"]
    desk.now += 3_700_000
    assert (await desk.judged("star.created", "octo/app"))["verdict"] == "notify"


async def test_one_open_task_a_subject(desk: Desk) -> None:
    desk.has_model = True
    for _ in range(3):
        await desk.judged("issues.labeled", "octo/app#1", label="nightclaw", actor="octocat", number=1)
    assert len(await desk.tasks()) == 1


async def test_a_proposal_becomes_ready_when_the_owner_asks_for_it_himself(desk: Desk) -> None:
    desk.has_model = True
    await desk.judged("issues.labeled", "octo/app#1", label="nightclaw", actor="colleague", number=1)
    assert [t["state"] for t in await desk.tasks()] == ["proposed"]
    await desk.judged("issues.labeled", "octo/app#1", label="nightclaw", actor="octocat", number=1)
    assert [t["state"] for t in await desk.tasks()] == ["ready"]
