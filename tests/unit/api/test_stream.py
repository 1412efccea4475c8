"""The event stream: gap-free, ordered, replayable, for any number of clients, however slow."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, MutableMapping

import httpx2
import pytest
from tests.unit.api.house import START, Api

from nightclaw.api.ephemeral import WAITING
from nightclaw.api.metrics import resident_bytes
from nightclaw.api.stream import Follow, Pages, Wanted
from nightclaw.store import events

pytestmark = pytest.mark.anyio


class Follower:
    """One client that reads frame by frame."""

    def __init__(self, answer: httpx2.Response) -> None:
        self._lines = answer.aiter_lines()

    async def line(self) -> str:
        async with asyncio.timeout(10):
            return await anext(self._lines)

    async def frame(self) -> dict[str, object]:
        """The next frame of an NDJSON stream."""
        while not (line := await self.line()):
            pass
        return json.loads(line)

    async def frames(self, count: int) -> list[dict[str, object]]:
        return [await self.frame() for _ in range(count)]

    async def ended(self) -> bool:
        async with asyncio.timeout(10):
            return [line async for line in self._lines if line] == []


@contextlib.asynccontextmanager
async def following(api: Api, query: str = "", **headers: str) -> AsyncIterator[Follower]:
    async with api.http.stream("GET", f"/v1/events?follow=1{query}", headers=headers) as answer:
        assert answer.status_code == 200
        yield Follower(answer)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event of its own
            await asyncio.sleep(0)


def cursors(frames: list[dict[str, object]]) -> list[object]:
    return [f["cursor"] for f in frames]


async def test_one_page_is_ndjson_in_the_envelope_of_the_contract(api: Api) -> None:
    first = await api.event(title="zwölf\u2028\n")
    await api.event("task.started", "main", task="tsk_1")
    found = await api.http.get("/v1/events")
    assert found.headers["content-type"] == "application/x-ndjson"
    lines = found.content.decode().split("\n")
    assert lines.pop() == "" and len(lines) == 2
    assert json.loads(lines[0]) == {
        "cursor": first,
        "kind": "task.created",
        "at": "2026-11-18T11:06:40.000Z",
        "task": None,
        "session": None,
        "data": {"title": "zwölf\u2028\n"},
    }
    only = await api.http.get(f"/v1/events?after={first}&session=main&limit=1")
    assert json.loads(only.text)["cursor"] == first + 1
    assert (await api.http.get(f"/v1/events?after={first + 1}")).text == ""


async def test_a_page_ends_at_its_limit_and_the_next_goes_on(api: Api) -> None:
    for n in range(7):
        await api.event(n=n)
    first = [json.loads(x) for x in (await api.http.get("/v1/events?limit=5")).text.splitlines()]
    rest = [
        json.loads(x)
        for x in (await api.http.get(f"/v1/events?after={first[-1]['cursor']}")).text.splitlines()
    ]
    assert [f["data"]["n"] for f in first + rest] == list(range(7))


async def test_a_follower_sees_the_past_then_the_present_without_gap_or_repeat(api: Api) -> None:
    async def write(n: int) -> None:
        await api.event(n=n)

    for n in range(250):
        await write(n)
    async with following(api, "&after=0") as follower:
        writing = asyncio.gather(*(write(n) for n in range(250, 700)))
        seen = await follower.frames(700)
        await writing
    assert cursors(seen) == list(range(1, 701))


async def test_large_events_are_paged_by_size_and_still_complete(api: Api) -> None:
    for n in range(12):
        await api.event(n=n, text="x" * 100_000)
    async with following(api, "&after=0") as follower:
        assert cursors(await follower.frames(12)) == list(range(1, 13))
    assert len((await api.http.get("/v1/events")).text.splitlines()) == 12


async def test_sse_carries_the_cursor_as_id_and_resumes_by_it(api: Api) -> None:
    for n in range(3):
        await api.event(n=n)
    headers = {"accept": "text/event-stream"}
    page = await api.http.get("/v1/events", headers=headers)
    assert page.headers["content-type"].startswith("text/event-stream")
    blocks = page.text.strip().split("\n\n")
    assert [b.split("\n")[0] for b in blocks] == ["id: 1", "id: 2", "id: 3"]
    assert json.loads(blocks[2].split("\n")[1].removeprefix("data: "))["cursor"] == 3
    rest = await api.http.get("/v1/events", headers={**headers, "last-event-id": "2"})
    assert rest.text.startswith("id: 3\n") and rest.text.count("id:") == 1


@pytest.mark.parametrize("accept", ["application/x-ndjson", "text/event-stream"])
async def test_a_foreign_cursor_is_reset_to_the_head_and_goes_on_from_there(api: Api, accept: str) -> None:
    await api.event(n=1)
    async with following(api, "&after=900", accept=accept) as follower:
        line = await follower.line()
        if accept == "text/event-stream":
            assert line == "id: 1"
            line = (await follower.line()).removeprefix("data: ")
        frame = json.loads(line)
        assert (frame["kind"], frame["cursor"], frame["data"]["asked"]) == ("reset", 1, 900)
        await api.event(n=2)
        while not (line := await follower.line()).removeprefix("data: ").startswith("{"):
            pass
        assert json.loads(line.removeprefix("data: "))["cursor"] == 2


async def test_a_cursor_older_than_what_is_kept_is_reset_but_the_oldest_kept_is_not(api: Api) -> None:
    for n in range(6):
        await api.event(n=n)
    await api.store.write(events.prune, START + 1, 4)
    old = json.loads((await api.http.get("/v1/events?after=2")).text)
    assert (old["kind"], old["cursor"]) == ("reset", 6)
    kept = [json.loads(x)["cursor"] for x in (await api.http.get("/v1/events?after=3")).text.splitlines()]
    assert kept == [4, 5, 6]
    assert len((await api.http.get("/v1/events")).text.splitlines()) == 3


async def test_a_session_follower_sees_only_its_own(api: Api) -> None:
    async with following(api, "&after=0&session=a") as follower:
        for session in ("a", "b", None, "a"):
            await api.event(session=session)
        api.control.frames.publish("text.delta", START, {"text": "no"}, session="b")
        api.control.frames.publish("text.delta", START, {"text": "yes"}, session="a")
        seen = await follower.frames(3)
    assert [f.get("cursor") for f in seen] == [1, 4, None] and seen[2]["data"] == {"text": "yes"}


async def test_ephemeral_frames_stand_where_they_were_published(api: Api) -> None:
    async with following(api, "&after=0") as follower:
        await until(lambda: len(api.control.frames) == 1)
        for n in range(5):
            await api.event(n=n)
            for part in "ab":
                api.control.frames.publish("text.delta", START, {"text": f"{n}{part}"}, task="tsk_1")
        seen = await follower.frames(15)
    told = [f["cursor"] if "cursor" in f else f["data"]["text"] for f in seen]  # pyright: ignore
    assert told == [x for n in range(5) for x in (n + 1, f"{n}a", f"{n}b")]
    assert seen[1]["task"] == "tsk_1" and "cursor" not in seen[1]


async def test_frames_beyond_the_queue_are_counted_not_kept(api: Api) -> None:
    with api.control.frames.subscribe(None, lambda: None) as slow:
        for n in range(WAITING + 7):
            api.control.frames.publish("text.delta", START, {"n": n})
        assert len(slow.frames) == WAITING
        slow.frames.popleft()
        api.control.frames.publish("text.delta", START, {"n": -1})
        assert json.loads(slow.frames[-1][1])["dropped"] == 7
    assert len(api.control.frames) == 0


async def test_drain_ends_every_stream_after_its_last_event(api: Api) -> None:
    async with following(api, "&after=0") as follower:
        await until(lambda: len(api.control.frames) == 1)
        await api.event("daemon.stopping")
        api.control.draining.set()
        assert (await follower.frame())["kind"] == "daemon.stopping"
        assert await follower.ended()


@pytest.mark.parametrize(("is_sse", "sign"), [(False, b"\n"), (True, b": still here\n\n")])
async def test_a_quiet_stream_shows_that_it_lives(api: Api, is_sse: bool, sign: bytes) -> None:
    sent: asyncio.Queue[bytes] = asyncio.Queue()

    async def send(message: MutableMapping[str, object]) -> None:
        if (body := message.get("body")) and isinstance(body, bytes):
            await sent.put(body)

    async def receive() -> MutableMapping[str, object]:
        await asyncio.Event().wait()
        raise AssertionError("nobody goes away here")

    follow = Follow(api.control, Pages(api.control), Wanted(None, 1, None, is_sse, keep_alive_s=0.01))
    await follow.begin()
    streaming = asyncio.create_task(follow({}, receive, send))
    async with asyncio.timeout(10):
        assert [await sent.get() for _ in range(2)] == [sign, sign]
        await api.event()
        while (body := await sent.get()) == sign:
            pass
        assert b'"cursor":1' in body
    api.control.draining.set()
    await streaming


async def test_a_client_that_goes_away_is_forgotten_at_once(api: Api) -> None:
    async with following(api):
        await until(lambda: len(api.control.frames) == 1)
    await until(lambda: len(api.control.frames) == 0)


async def test_an_attached_client_is_present_exactly_while_it_follows(api: Api) -> None:
    header = {"X-Nightclaw-Attached": "clawctl-77"}
    async with following(api, "&session=main", **header):
        await until(lambda: api.house.presence.attached == {"clawctl-77": "main"})
        assert (await api.get("/v1/status"))["presence"] == "attached"
    await until(lambda: api.house.presence.attached == {})
    async with following(api):
        await until(lambda: len(api.control.frames) == 1)
        assert api.house.presence.attached == {}


async def test_clients_that_never_read_cost_bounded_memory_and_hold_nobody_up(api: Api) -> None:
    links = []
    try:
        for _ in range(200):
            reader, writer = await asyncio.open_unix_connection(str(api.socket), limit=1024)
            writer.write(b"GET /v1/events?follow=1&after=0 HTTP/1.1\r\nHost: x\r\n\r\n")
            links.append((reader, writer))
        await until(lambda: len(api.control.frames) == 200)
        before = resident_bytes()
        for n in range(60):
            await api.event(n=n, text="x" * 50_000)
        async with following(api, "&after=0") as follower:
            assert cursors(await follower.frames(60)) == list(range(1, 61))
        grown_mb = (resident_bytes() - before) / 1e6
        assert grown_mb < 200 * 0.4, f"{grown_mb:.0f} MB for 3 MB of events and 200 clients that do not read"
        slow = Lines(links[100][0])
        assert [json.loads(x)["cursor"] for x in await slow.take(60)] == list(range(1, 61))
    finally:
        for _, writer in links:
            writer.close()


class Lines:
    """The JSON lines of a raw chunked answer."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self._reader = reader

    async def take(self, count: int) -> list[bytes]:
        async with asyncio.timeout(20):
            while (await self._head_line()) != b"":
                pass
            body = b""
            while body.count(b"\n") < count:
                size = int(await self._head_line(), 16)
                body += (await self._exactly(size + 2))[:-2]
        return body.split(b"\n")[:count]

    async def _head_line(self) -> bytes:
        line = b""
        while not line.endswith(b"\r\n"):
            line += await self._exactly(1)
        return line[:-2]

    async def _exactly(self, size: int) -> bytes:
        return await self._reader.readexactly(size)


async def test_two_hundred_followers_of_one_burst_all_see_all_of_it(api: Api) -> None:
    async def watch() -> list[object]:
        async with following(api, "&after=0") as follower:
            return cursors(await follower.frames(50))

    limits = httpx2.Limits(max_connections=None)
    transport = httpx2.AsyncHTTPTransport(uds=str(api.socket), limits=limits)
    async with httpx2.AsyncClient(transport=transport, base_url="http://control", timeout=30) as many:
        api.http, mine = many, api.http
        watching = [asyncio.create_task(watch()) for _ in range(200)]
        await until(lambda: len(api.control.frames) == 200)
        for n in range(50):
            await api.event(n=n)
        seen = await asyncio.gather(*watching)
        api.http = mine
    assert all(s == list(range(1, 51)) for s in seen)
