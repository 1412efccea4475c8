"""Behind NAT: polling sees what a hook would have brought, once, and costs a quiet repository nothing."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests.fakes import github_bodies as gh
from tests.fakes.github_world import World

from nightclaw import boot
from nightclaw.core.types import Intake
from nightclaw.sources.github import parse
from nightclaw.store.db import Store
from nightclaw.store.journal import StoreJournal

pytestmark = pytest.mark.anyio


async def test_what_polling_finds_has_the_keys_of_the_hook(world: World) -> None:
    await world.poll.round()
    happened = gh.every_kind()
    for event, body in happened:
        world.github.occur(event, body)
    await world.later()
    polled = {draft.dedupe_key: draft for draft in world.journal.drafts}
    assert sorted(polled) == sorted(world.hook(event, body) for event, body in happened)
    for event, body in happened:
        draft, hook = polled[world.hook(event, body)], parse(event, "g", b"", body)
        same = ("kind", "subject", "repo", "private", "trust")
        assert [getattr(draft, n) for n in same] == [getattr(hook, n) for n in same], draft.title
        assert draft.delivery is None and "baseline" not in draft.attrs
        for name in (
            "label",
            "assignee",
            "reviewer",
            "mentions",
            "command",
            "conclusion",
            "branch",
            "comment_id",
        ):
            assert draft.attrs.get(name) == hook.attrs.get(name) or name == "branch", (draft.title, name)
    assert [d.actor for d in world.journal.drafts if d.kind == "pull_request.review_requested"] == ["mona"]


async def test_a_hook_and_a_poll_of_one_thing_are_one_signal(world: World, tmp_path: Path) -> None:
    boot.make_database(tmp_path / "nightclaw.db")
    store = Store(tmp_path / "nightclaw.db")
    await store.open()
    try:
        journal = StoreJournal(store, world.clock)
        world.poll = world.source(journal)
        await world.poll.round()

        async def deliver(event: str, body: gh.Body, n: int) -> Intake:
            raw = json.dumps(body).encode()
            return await journal.emit(parse(event, f"guid-{n}", raw, body))

        happened = gh.every_kind()
        for n, (event, body) in enumerate(happened):
            world.github.occur(event, body)
            if n % 2:
                assert not (await deliver(event, body, n)).duplicate
        await world.later()
        for n, (event, body) in enumerate(happened):
            assert (await deliver(event, body, 100 + n)).duplicate, event
    finally:
        await store.close()


async def test_a_hook_whose_clock_is_a_second_off_is_still_the_same_label(world: World) -> None:
    await world.poll.round()
    labeled = gh.issues("labeled", gh.issue(), at=gh.ago(50), **gh.label("nightclaw"))
    late = gh.issues("labeled", gh.issue(), at=gh.ago(49), **gh.label("nightclaw"))
    await world.journal.emit(parse("issues", "guid", b"{}", late))
    world.github.occur("issues", labeled)
    await world.later()
    assert world.journal.kinds().count("issues.labeled") == 1


async def test_a_quiet_repository_costs_only_304s_and_no_write(world: World) -> None:
    for event, body in gh.every_kind():
        world.github.occur(event, body)
    await world.poll.round()
    await world.later()
    writes, world.github.asked[:] = world.journal.writes, []
    await world.later()
    assert {asked.status for asked in world.github.asked} == {304}
    assert 0 < len(world.github.asked) <= 9
    assert all(asked.token == "fake-token" for asked in world.github.asked)
    assert world.journal.writes == writes


async def test_an_old_etag_survives_a_restart(world: World) -> None:
    world.github.occur("issues", gh.issues("opened", gh.issue()))
    await world.poll.round()
    world.poll, world.github.asked[:] = world.source(), []
    await world.poll.round()
    assert {asked.status for asked in world.github.asked} == {304}
    assert world.journal.kinds() == ["issues.opened"]


async def test_the_first_look_is_a_baseline_except_what_still_stands(world: World) -> None:
    occur = world.github.occur
    occur("issues", gh.issues("opened", gh.issue(1, gh.ago(days=9))))
    occur("issues", gh.issues("opened", gh.issue(2, gh.ago(hours=3))))
    occur("workflow_run", gh.run(10, "failure", gh.ago(days=5)))
    occur("workflow_run", gh.run(11, "success", gh.ago(days=4)))
    occur("workflow_run", gh.run(12, "failure", gh.ago(days=3), workflow_id=4))
    occur("workflow_run", gh.run(13, "failure", gh.ago(days=3), workflow_id=5, head_branch="fix"))
    occur("check_run", gh.check(20, "failure", gh.ago(days=3)))
    waiting = gh.pull(3, gh.ago(days=8), requested_reviewers=[gh.person("octocat")])
    occur("pull_request", gh.pulls("opened", waiting, "mona"))
    asked = {"requested_reviewer": gh.person("octocat")}
    occur("pull_request", gh.pulls("review_requested", waiting, "mona", gh.ago(days=7), **asked))
    gone = {"requested_reviewer": gh.person("hubot")}
    occur("pull_request", gh.pulls("review_requested", waiting, "mona", gh.ago(days=7), **gone))
    await world.poll.round()
    fresh = {
        f"{d.kind} {d.attrs.get('number') or d.attrs.get('check')}": d.attrs.get("reviewer")
        for d in world.journal.drafts
        if "baseline" not in d.attrs
    }
    assert fresh == {
        "issues.opened 2": None,
        "workflow_run.completed CI": None,
        "check_run.completed lint": None,
        "pull_request.review_requested 3": "octocat",
    }
    assert [d.attrs["suite"] for d in world.journal.drafts if d.kind == "workflow_run.completed"].count(
        "run:12"
    ) == 1
    old = {d.kind for d in world.journal.drafts if d.attrs.get("baseline") is True}
    assert old == {
        "issues.opened",
        "workflow_run.completed",
        "pull_request.opened",
        "pull_request.review_requested",
    }


async def test_a_review_request_behind_the_listing_is_found_on_the_first_look(world: World) -> None:
    waiting = gh.pull(3, gh.ago(days=8), requested_reviewers=[gh.person("octocat")])
    world.github.occur("pull_request", gh.pulls("opened", waiting, "mona"))
    asked = gh.pulls(
        "review_requested", waiting, "mona", gh.ago(days=7), requested_reviewer=gh.person("octocat")
    )
    world.github.occur("pull_request", asked)
    for n in range(120):
        other = gh.issue(500 + n, gh.ago(days=2))
        world.github.occur("issues", gh.issues("labeled", other, at=gh.ago(60 * n, days=2), **gh.label("x")))
    await world.poll.round()
    found = [d for d in world.journal.drafts if d.kind == "pull_request.review_requested"]
    assert [(d.dedupe_key, d.attrs.get("baseline")) for d in found] == [
        (world.hook("pull_request", asked), None)
    ]


async def test_a_long_absence_is_paged_through(world: World) -> None:
    await world.poll.round()
    for n in range(180):
        world.github.occur("issues", gh.issues("opened", gh.issue(100 + n, gh.ago(60 * (180 - n)))))
    await world.later()
    assert len(world.journal.drafts) == 180
    times = [str(d.attrs["created_at"]) for d in world.journal.drafts]
    assert times == sorted(times), "oldest first"
    assert len(world.github.asked_for("/octo/app/issues")) == 1 + 4
    world.github.occur("issues", gh.issues("opened", gh.issue(999, gh.ago())))
    await world.later()
    assert len(world.github.asked_for("/octo/app/issues")) == 1 + 4 + 1, "one page is enough for one thing"


async def test_a_push_to_a_pull_request_is_a_synchronize(world: World) -> None:
    world.github.occur("pull_request", gh.pulls("opened", gh.pull(8), "mona"))
    await world.poll.round()
    pushed = gh.pulls("synchronize", gh.pull(8, sha="e" * 40), at=gh.ago(5), before="a" * 40, after="e" * 40)
    world.github.occur("pull_request", pushed)
    await world.later()
    await world.later()
    assert world.journal.kinds() == ["pull_request.opened", "pull_request.synchronize"]
    assert world.journal.drafts[1].dedupe_key == world.hook("pull_request", pushed)


async def test_closed_reopened_and_closed_again_are_three(world: World) -> None:
    await world.poll.round()
    bug = gh.issue(5)
    happened = [("closed", gh.ago(50)), ("reopened", gh.ago(40)), ("closed", gh.ago(30))]
    bodies = [gh.issues(action, bug | {"closed_at": None}, at=at) for action, at in happened]
    for body in bodies:
        world.github.occur("issues", body)
    for event in world.github.repos["octo/app"].issue_events:  # every row shows the issue as it is now
        event["issue"] = world.github.repos["octo/app"].issues[5]
    await world.later()
    polled = {d.dedupe_key for d in world.journal.drafts if d.kind != "issues.opened"}
    assert polled == {world.hook("issues", body) for body in bodies} and len(polled) == 3


async def test_an_edited_comment_is_an_occurrence_of_its_own(world: World) -> None:
    said = gh.comment(900, "@octocat look", gh.issue())
    world.github.occur("issue_comment", said)
    await world.poll.round()
    changed = said["comment"] | {"updated_at": gh.ago(3), "body": "never mind"}
    edited = said | {"action": "edited", "comment": changed, "changes": {"body": {"from": "@octocat look"}}}
    world.github.occur("issue_comment", edited)
    await world.later()
    keys = [d.dedupe_key for d in world.journal.drafts if d.kind.startswith("issue_comment")]
    assert keys == [world.hook("issue_comment", said), world.hook("issue_comment", edited)]


async def test_a_comment_on_an_issue_not_listed_brings_the_issue_with_it(world: World) -> None:
    on = gh.issue(41, gh.ago(days=400))
    world.github.occur("issue_comment", gh.comment(900, "hello", on))
    world.github.fail(r"/octo/app/issues$", 410, message="Issues are disabled")
    await world.poll.round()
    assert [(d.subject, d.attrs["title"]) for d in world.journal.drafts] == [("octo/app#41", "Issue 41")]


async def test_a_private_repository_stays_private(world: World) -> None:
    world.github.add_repo(gh.repository("octo/secret", private=True, id=78, node_id="R_2"))
    world.configure("octo/secret")
    body = gh.issues("opened", gh.issue()) | {"repository": gh.repository("octo/secret", private=True)}
    world.github.occur("issues", body)
    await world.poll.round()
    assert [(d.repo, d.private) for d in world.journal.drafts] == [("octo/secret", True)]


async def test_patterns_are_expanded_with_what_the_token_may_see(world: World) -> None:
    world.github.add_repo("octo/web")
    world.github.add_repo("octo/attic", archived=True)
    world.github.add_repo("other/thing")
    world.configure("octo/*")
    await world.poll.round()
    looked = {a.path for a in world.github.asked if a.path.count("/") == 3}
    assert looked == {"/repos/octo/app", "/repos/octo/web"}
    world.github.asked.clear()
    await world.later()
    assert not world.github.asked_for("/user/repos"), "kept for a while"


async def test_it_is_off_without_poll_and_says_so(world: World) -> None:
    world.configure(poll="off")
    assert await world.poll.round() == 30
    assert world.github.asked == [] and world.poll.describe()["state"] == "off"


async def test_the_loop_polls_wakes_and_stops(world: World) -> None:
    world.github.occur("issues", gh.issues("opened", gh.issue(1)))
    loop = asyncio.create_task(world.poll.run())
    try:
        await world.journal.until(lambda: world.journal.kinds() == ["issues.opened"])
        world.github.occur("issues", gh.issues("opened", gh.issue(2)))
        world.poll.wake()
        await world.journal.until(lambda: len(world.journal.drafts) == 2)
    finally:
        loop.cancel()
        await asyncio.gather(loop, return_exceptions=True)
    assert loop.cancelled()


def test_nothing_heavy_is_loaded_with_the_sources() -> None:
    code = (
        "import sys, nightclaw.sources.poll, nightclaw.sources.deliveries, nightclaw.sources.connect;"
        " print(sorted(m for m in sys.modules if m.split('.')[0] in ('httpx2', 'ssl', 'pydantic')))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() in ("[]", "['ssl']")
