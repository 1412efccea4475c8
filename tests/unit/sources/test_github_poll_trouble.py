"""What polling does when GitHub refuses, limits or is away, when the machine sleeps, and when the daemon dies."""

import asyncio

import pytest
from tests.fakes import github_bodies as gh
from tests.fakes.github_world import World
from tests.fakes.journal import Died

pytestmark = pytest.mark.anyio


async def test_without_a_token_public_repositories_are_polled_slowly(world: World) -> None:
    world.configure(token="")
    world.github.limit_headers = {"x-ratelimit-limit": "60", "x-ratelimit-remaining": "50"}
    world.github.occur("issues", gh.issues("opened", gh.issue()))
    await world.poll.round()
    assert world.journal.kinds() == ["issues.opened"]
    assert {a.token for a in world.github.asked} == {None}
    await world.later()
    asked = len(world.github.asked)
    await world.later(300)
    assert len(world.github.asked) == asked, "60 calls an hour do not allow a look every two minutes"
    assert "without a token" in str(world.poll.describe()["detail"])


async def test_a_refused_token_is_told_once_with_the_fix(world: World) -> None:
    world.configure(token="wrong")
    for _ in range(4):
        await world.later(1000)
    said = world.problems.items["github"]
    assert "401" in said.problem and "gh auth login" in said.hint and "wrong" not in said.problem
    assert world.problems.told == ["github"]
    assert len(world.github.asked) <= 8, "no error loop"
    world.configure(token="fake-token")
    await world.later(1000)
    assert world.problems.items == {} and world.poll.describe()["state"] == "ok"


async def test_a_repository_that_is_not_there_is_named_and_the_others_go_on(world: World) -> None:
    world.configure("octo/app octo/nope")
    world.github.occur("issues", gh.issues("opened", gh.issue()))
    await world.poll.round()
    assert world.journal.kinds() == ["issues.opened"]
    assert "octo/nope" in world.problems.items["github:octo/nope"].problem
    world.configure("octo/app")
    await world.later()
    assert world.problems.items == {}


async def test_what_the_token_may_not_read_matters_what_is_switched_off_does_not(world: World) -> None:
    world.github.fail(r"/actions/runs$", 403, message="Resource not accessible by personal access token")
    world.github.fail(r"/octo/app/issues$", 410, message="Issues are disabled")
    world.github.fail(r"/check-runs$", 409, message="Git Repository is empty.")
    await world.poll.round()
    assert list(world.problems.items) == ["github:octo/app"]
    assert "runs" in world.problems.items["github:octo/app"].problem
    await world.later()
    assert list(world.problems.items) == ["github:octo/app"], (
        "it is not forgotten while it is not asked again"
    )
    assert len(world.github.asked_for("/actions/runs")) == 1
    world.github.heal()
    world.github.occur("workflow_run", gh.run(3001))
    await world.later(3700)
    assert world.problems.items == {} and world.journal.kinds() == ["workflow_run.completed"]


@pytest.mark.parametrize(
    ("status", "headers", "message", "held_s"),
    [
        (403, {"retry-after": "300"}, "wait", 300),
        (429, {"retry-after": "90"}, "", 90),
        (403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "{now+700}"}, "limit", 700),
        (403, {}, "You have exceeded a secondary rate limit", 60),
    ],
)
async def test_a_rate_limit_is_waited_out(
    world: World, status: int, headers: dict[str, str], message: str, held_s: int
) -> None:
    await world.poll.round()
    reset = str(world.clock.now_ms() // 1000 + 150 + 700)
    world.github.fail(r"/pulls$", status, headers={k: v.replace("{now+700}", reset) for k, v in headers.items()},
                      message=message, times=1)  # fmt: skip
    world.github.occur("issues", gh.issues("opened", gh.issue()))
    pause = await world.later()
    assert pause == pytest.approx(held_s, abs=3)
    assert world.poll.describe()["state"] == "waiting" and world.api.waiting is not None
    asked = len(world.github.asked)
    await world.later(held_s - 10)
    assert len(world.github.asked) == asked, "nothing is asked while GitHub says wait"
    assert world.problems.items == {}
    await world.later(15)
    assert world.journal.kinds() == ["issues.opened"]


async def test_off_the_network_is_told_once_and_asked_ever_less_often(world: World) -> None:
    await world.poll.round()
    world.github.fail(r".*", 502)
    pauses = [await world.later(1000) for _ in range(9)]
    assert pauses[:4] == [pytest.approx(15 * 2**n) for n in range(4)] and pauses[-1] == pytest.approx(900)
    assert world.problems.told == ["github"] and world.poll.describe()["state"] == "problem"
    world.github.heal()
    world.github.occur("issues", gh.issues("opened", gh.issue()))
    await world.later(1000)
    assert world.journal.kinds() == ["issues.opened"] and world.problems.items == {}


async def test_a_suspend_is_caught_up_once(world: World) -> None:
    await world.poll.round()
    world.github.asked.clear()
    world.clock.set_wall("2026-11-20T21:00:00+00:00")
    await world.poll.round()
    await world.poll.round()
    assert len(world.github.asked_for("/repos/octo/app")) == 1


async def test_the_feed_is_asked_no_more_often_than_it_wants(world: World) -> None:
    world.github.poll_interval = "600"
    for _ in range(4):
        await world.later()
    assert len(world.github.asked_for("/octo/app/events")) == 1
    await world.later(300)
    assert len(world.github.asked_for("/octo/app/events")) == 2


async def test_a_feed_row_without_what_makes_its_key_is_left_to_the_listing(world: World) -> None:
    repo = world.github.repos["octo/app"]
    actor, at = gh.person("mona"), gh.ago(5)
    trimmed = {"action": "opened", "number": 8, "pull_request": {"id": 8008, "number": 8, "url": "https://x"}}
    repo.feed.append(
        {"id": "1", "type": "PullRequestEvent", "actor": actor, "payload": trimmed, "created_at": at}
    )
    closed = {"action": "closed", "issue": gh.issue(5) | {"closed_at": gh.ago(44), "state": "closed"}}
    repo.feed.append({"id": "2", "type": "IssuesEvent", "actor": actor, "payload": closed, "created_at": at})
    world.github.occur("pull_request", gh.pulls("opened", gh.pull(8), "mona"))
    world.github.occur("issues", gh.issues("closed", gh.issue(5), at=gh.ago(45)))
    await world.poll.round()
    assert sorted(world.journal.kinds()) == ["issues.closed", "issues.opened", "pull_request.opened"]


async def test_the_feed_stands_in_for_a_listing_that_cannot_be_read(world: World) -> None:
    labeled = gh.issues("labeled", gh.issue(), at=gh.ago(50), **gh.label("nightclaw"))
    payload = {k: labeled[k] for k in ("action", "issue", "label")}
    row = {"id": "1", "type": "IssuesEvent", "actor": gh.person("octocat"), "payload": payload}
    world.github.repos["octo/app"].feed.append(row | {"created_at": gh.ago(50)})
    world.github.fail(r"/issues/events$", 404)
    await world.poll.round()
    assert [d.dedupe_key for d in world.journal.drafts] == [world.hook("issues", labeled)]


@pytest.mark.parametrize("writes_before", [0, 1, 2])
async def test_a_death_at_any_write_loses_and_doubles_nothing(world: World, writes_before: int) -> None:
    await world.poll.round()
    for n in range(230):
        world.github.occur("issues", gh.issues("opened", gh.issue(100 + n, gh.ago(60 * (230 - n)))))
    world.journal.die_in = writes_before
    with pytest.raises(Died):
        await world.later()
    assert len(world.journal.drafts) == 100 * writes_before
    world.journal.die_in = None
    world.poll = world.source()
    await world.poll.round()
    assert len(world.journal.drafts) == 230


async def test_a_busy_store_is_tried_again(world: World) -> None:
    world.github.occur("issues", gh.issues("opened", gh.issue()))
    world.journal.busy = 2
    await asyncio.wait_for(world.poll.round(), 10)
    assert world.journal.kinds() == ["issues.opened"]


async def test_a_store_that_cannot_be_read_is_asked_again_soon(world: World) -> None:
    world.github.occur("issues", gh.issues("opened", gh.issue()))
    world.journal.unreadable = True
    assert await world.poll.round() == pytest.approx(5)
    world.journal.unreadable = False
    await world.later(6)
    assert world.journal.kinds() == ["issues.opened"]
