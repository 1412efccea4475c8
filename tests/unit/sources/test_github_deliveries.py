"""What GitHub could not deliver is fetched from its record, once; a repository is connected with a proof."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.fakes import github_bodies as gh
from tests.fakes.clock import FakeClock
from tests.fakes.github_api import FakeGitHub, FakeHook
from tests.fakes.journal import MemoryJournal, ProblemBook

from nightclaw.config import Config, load
from nightclaw.core.errors import Invalid
from nightclaw.sources.connect import connect
from nightclaw.sources.deliveries import Deliveries
from nightclaw.sources.github import parse
from nightclaw.sources.github_answers import Absent
from nightclaw.sources.github_api import GitHubAPI

pytestmark = pytest.mark.anyio
PUBLIC = "https://claw.example.org"


class World:
    def __init__(self, home: Path, github: FakeGitHub) -> None:
        self.home, self.github = home, github
        self.clock, self.journal, self.problems = FakeClock(), MemoryJournal("deliveries:"), ProblemBook()
        self.configure()
        self.api = GitHubAPI(lambda: self.config, self.clock, gh=("/nonexistent/gh",))
        self.source = self.sweeper()

    def configure(
        self, public_url: str = PUBLIC, repo: str = "octo/app", secret: bool = True, poll: str = ""
    ) -> None:
        text = f'[github]\napi_url = "{self.github.url}"\ntoken = {{ env = "TOKEN" }}\n'
        text += 'secret = { env = "SECRET" }\n' if secret else ""
        text += f'poll = "{poll}"\n' if poll else ""
        text += f'[[github.repo]]\nname = "{repo}"\n'
        text += f'[ingress]\npublic_url = "{public_url}"\n' if public_url else ""
        (self.home / "config.toml").write_text(text)
        env = {"TOKEN": "fake-token", "SECRET": "s3cret-s3cret", "HOME": str(self.home)}
        self.config: Config = load(self.home, env)

    def sweeper(self) -> Deliveries:
        return Deliveries(lambda: self.config, self.journal, self.clock, self.problems, self.api)

    def hook(self, url: str = PUBLIC + "/hooks/github") -> FakeHook:
        return self.github.add_hook("octo/app", url)


@pytest.fixture
async def world(tmp_path: Path, github: FakeGitHub) -> AsyncIterator[World]:
    made = World(tmp_path, github)
    yield made
    await made.api.aclose()


async def test_missed_deliveries_are_taken_in_with_the_keys_of_the_hook(world: World) -> None:
    hook = world.hook()
    happened = gh.every_kind()
    for n, (event, body) in enumerate(happened):
        world.github.record(
            hook, event, body, status=502 if n % 2 else 202, guid=f"guid-{n}", at=gh.ago(600 - n)
        )
    await world.source.sweep()
    missed = [(event, body, f"guid-{n}") for n, (event, body) in enumerate(happened) if n % 2]
    expected = [parse(event, guid, b"", body).dedupe_key for event, body, guid in missed]
    assert [d.dedupe_key for d in world.journal.drafts] == expected, "oldest first, delivered ones left alone"
    assert [d.delivery for d in world.journal.drafts] == [guid for _, _, guid in missed]
    assert "recovered" in str(world.source.describe()["detail"])


async def test_a_sweep_fetches_nothing_twice_even_after_a_restart(world: World) -> None:
    hook = world.hook()
    world.github.record(hook, "issues", gh.issues("opened", gh.issue()), status=0, at=gh.ago(600))
    await world.source.sweep()
    world.source = world.sweeper()
    world.github.asked.clear()
    writes = world.journal.writes
    await world.source.sweep()
    assert [a.path.rpartition("/")[2] for a in world.github.asked] == ["hooks", "deliveries"]
    assert world.journal.writes == writes and len(world.journal.drafts) == 1


async def test_a_redelivery_that_came_through_counts(world: World) -> None:
    hook = world.hook()
    body = gh.issues("opened", gh.issue())
    world.github.record(hook, "issues", body, status=502, guid="g", at=gh.ago(600))
    world.github.record(hook, "issues", body, status=202, guid="g", at=gh.ago(500))
    await world.source.sweep()
    assert world.journal.drafts == []


async def test_a_delivery_that_arrived_after_all_is_one_signal(world: World) -> None:
    hook = world.hook()
    body = gh.issues("opened", gh.issue())
    world.github.record(hook, "issues", body, status=504, guid="g", at=gh.ago(600))
    await world.journal.emit(parse("issues", "g", b"{}", body))
    await world.source.sweep()
    assert len(world.journal.drafts) == 1


async def test_only_72_hours_and_only_listed_repositories(world: World) -> None:
    hook = world.hook()
    other = gh.issues("opened", gh.issue(7)) | {"repository": gh.repository("other/thing")}
    world.github.record(hook, "issues", gh.issues("opened", gh.issue(5)), status=0, at=gh.ago(hours=80))
    world.github.record(hook, "issues", gh.issues("opened", gh.issue(6)), status=0, at=gh.ago(hours=70))
    world.github.record(hook, "issues", other, status=0, at=gh.ago(hours=1))
    world.github.record(hook, "ping", {"zen": "x", "repository": gh.repository()}, status=0, at=gh.ago(9))
    await world.source.sweep()
    assert [d.subject for d in world.journal.drafts] == ["octo/app#6"]


@pytest.mark.parametrize(
    ("public_url", "url", "ours"),
    [
        (PUBLIC, PUBLIC + "/hooks/github", True),
        (PUBLIC, "https://colleague.example.org/hooks/github", False),
        ("", "https://tunnel.example.org/claw/hooks/github", True),
        ("", "https://ci.example.org/github-webhook/", False),
    ],
)
async def test_which_hook_is_ours(world: World, public_url: str, url: str, ours: bool) -> None:
    world.configure(public_url)
    world.github.record(world.hook(url), "issues", gh.issues("opened", gh.issue()), status=0, at=gh.ago(60))
    await world.source.sweep()
    assert len(world.journal.drafts) == ours


async def test_a_token_that_may_not_read_hooks_is_said_and_not_hammered(world: World) -> None:
    world.github.fail(r"/hooks$", 404, message="Not Found")
    for _ in range(5):
        assert await world.source.sweep() == 600
        await world.clock.advance(600)
    assert len(world.github.asked_for("/hooks")) == 1
    assert "admin:repo_hook" in str(world.source.describe()["detail"])
    assert world.problems.items == {}


async def test_one_delivery_that_cannot_be_fetched_does_not_hold_up_the_rest(world: World) -> None:
    hook = world.hook()
    bad = world.github.record(hook, "issues", gh.issues("opened", gh.issue(1)), status=0, at=gh.ago(90))
    world.github.record(hook, "issues", gh.issues("opened", gh.issue(2)), status=0, at=gh.ago(60))
    world.github.fail(rf"/deliveries/{bad['id']}$", 422, message="gone")
    await world.source.sweep()
    assert [d.subject for d in world.journal.drafts] == ["octo/app#2"]


async def test_github_away_is_tried_again_soon_then_less_often(world: World) -> None:
    world.github.fail(r".*", 500)
    assert [await world.source.sweep() for _ in range(8)] == [15, 30, 60, 120, 240, 480, 600, 600]
    assert world.source.describe()["state"] == "problem"


async def test_the_loop_sweeps_at_start_and_when_woken(world: World) -> None:
    hook = world.hook()
    world.github.record(hook, "issues", gh.issues("opened", gh.issue(1)), status=0, at=gh.ago(60))
    loop = asyncio.create_task(world.source.run())
    try:
        await world.journal.until(lambda: len(world.journal.drafts) == 1)
        world.github.record(hook, "issues", gh.issues("opened", gh.issue(2)), status=0, at=gh.ago(50))
        world.source.wake()
        await world.journal.until(lambda: len(world.journal.drafts) == 2)
    finally:
        loop.cancel()
        await asyncio.gather(loop, return_exceptions=True)


class Tunnel:
    """An ingress that answers every delivery with one status, and remembers the events."""

    def __init__(self, status: int = 200) -> None:
        self.status = status
        self.events: list[str] = []

    async def __aenter__(self) -> "Tunnel":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = next(line for line in head.split("\r\n") if line.startswith("content-length"))
        await reader.readexactly(int(length.partition(":")[2]))
        self.events.append(
            next(line for line in head.split("\r\n") if line.startswith("x-github-event"))[16:]
        )
        writer.write(b"HTTP/1.1 %d X\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}" % self.status)
        await writer.drain()
        writer.close()
        await writer.wait_closed()


async def test_connecting_makes_a_hook_and_proves_that_it_arrives(world: World) -> None:
    async with Tunnel() as tunnel:
        world.configure(tunnel.url)
        first = await connect(world.config, world.api, world.clock, "octo/app")
        again = await connect(world.config, world.api, world.clock, "octo/app")
    assert (first.mode, first.is_proved, first.is_new, first.is_listed) == ("hook", True, True, True)
    assert (again.is_proved, again.is_new, again.hook_id) == (True, False, first.hook_id)
    (hook,) = world.github.repos["octo/app"].hooks.values()
    assert hook.events == ["*"] and hook.config["content_type"] == "json"
    assert (hook.config["url"], hook.config["secret"]) == (tunnel.url + "/hooks/github", "s3cret-s3cret")
    assert tunnel.events == ["ping", "ping"]
    assert "s3cret" not in str(first.as_json())


async def test_a_ping_that_does_not_arrive_is_no_proof(world: World) -> None:
    async with Tunnel(502) as tunnel:
        world.configure(tunnel.url)
        result = await connect(world.config, world.api, world.clock, "octo/app", within_s=0)
    assert not result.is_proved and "502" in result.detail and "tunnel" in result.hint


async def test_our_own_ingress_may_be_the_witness(world: World) -> None:
    async with Tunnel(502) as tunnel:
        world.configure(tunnel.url)
        seen: list[int] = []
        result = await connect(
            world.config, world.api, world.clock, "octo/app", saw_ping=lambda n: bool(seen.append(n) or True)
        )
    assert result.is_proved and seen == [result.hook_id]


async def test_connecting_without_a_public_url_is_polling(world: World) -> None:
    world.configure("")
    result = await connect(world.config, world.api, world.clock, "octo/app")
    assert (result.mode, result.is_proved) == ("poll", True) and "every 120 s" in result.detail
    assert world.github.repos["octo/app"].hooks == {}


async def test_connecting_says_what_is_missing(world: World) -> None:
    world.configure(secret=False)
    with pytest.raises(Invalid, match="secret") as refused:
        await connect(world.config, world.api, world.clock, "octo/app")
    assert "[github] secret" in refused.value.hint
    with pytest.raises(Invalid, match="not a repository"):
        await connect(world.config, world.api, world.clock, "octo")
    with pytest.raises(Absent, match="octo/nope"):
        await connect(world.config, world.api, world.clock, "octo/nope")
    world.configure(repo="octo/other")
    world.github.fail(r"/hooks$", 404, message="Not Found")
    with pytest.raises(Absent) as refused:
        await connect(world.config, world.api, world.clock, "octo/app")
    assert "admin:repo_hook" in refused.value.hint
    world.configure("", repo="octo/other")
    result = await connect(world.config, world.api, world.clock, "octo/app")
    assert not result.is_listed and 'name = "octo/app"' in result.hint
