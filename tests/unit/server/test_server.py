"""The two listeners: who gets in, who is cut, and how it all ends."""

import asyncio
import os
import resource
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.fakes.listening import TOML, House, github_headers, head_of, issue, listening

from nightclaw.api.peer import Peer
from nightclaw.core.errors import ConfigError
from nightclaw.ingress import Receive, Scope, Send
from nightclaw.server import Limits, bind_control

pytestmark = pytest.mark.anyio

SHORT = Limits(header_s=0.3, body_idle_s=0.3, body_s=1.0, keep_alive_s=0.3, stop_s=0.3, retry_s=0.05)
HEAD = b"POST /hooks/github HTTP/1.1\r\nHost: localhost\r\n"
ASK = """
import os, socket, sys
if len(sys.argv) > 2:
    os.setgroups([])
    os.setgid(int(sys.argv[2]))
    os.setuid(int(sys.argv[2]))
sock = socket.socket(socket.AF_UNIX)
sock.connect(sys.argv[1])
sock.sendall(b"GET /v1/status HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n")
while data := sock.recv(4096):
    sys.stdout.write(data.decode())
"""


@pytest.fixture
def home() -> Iterator[Path]:
    folder = tempfile.mkdtemp(prefix="nc-", dir="/tmp")  # a socket's path must be short
    yield Path(folder) / "home"
    shutil.rmtree(folder)


async def ask_from_child(house: House, *user: str) -> str:
    command = [sys.executable, "-I", "-c", ASK, str(house.socket), *user]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, timeout=20)
    assert done.returncode == 0, done.stderr
    return done.stdout


# The control socket


async def test_the_socket_is_for_its_owner_alone_whatever_the_umask(home: Path) -> None:
    before = os.umask(0)
    try:
        async with listening(home) as house:
            assert stat.S_IMODE(house.socket.stat().st_mode) == 0o600
            assert stat.S_IMODE(house.socket.parent.stat().st_mode) == 0o700
            assert os.umask(0) == 0
    finally:
        os.umask(before)


async def test_a_control_request_knows_its_peer(home: Path) -> None:
    async with listening(home) as house, await house.unix() as line:
        answer = await line.request("POST", "/v1/chat", b"x" * 100_000)
    assert answer.json == {"path": "/v1/chat", "uid": os.geteuid(), "pid": os.getpid(), "bytes": 100_000}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
async def test_another_user_is_turned_away_even_where_the_modes_let_him_in(home: Path) -> None:
    async with listening(home) as house:
        for path in (house.home.parent, house.home, house.socket.parent):
            path.chmod(0o755)
        house.socket.chmod(0o666)
        said = await ask_from_child(house, "65534")
    assert said.startswith("HTTP/1.1 403")
    assert "own user only" in said


@pytest.mark.skipif(sys.platform != "linux", reason="parents are read from /proc")
async def test_a_process_the_daemon_started_is_turned_away(home: Path) -> None:
    async with listening(home) as house:
        said = await ask_from_child(house)
    assert said.startswith("HTTP/1.1 403")
    assert "may not steer" in said


async def test_any_other_process_of_the_user_is_served(home: Path) -> None:
    async with listening(home, peer_of=lambda sock: Peer(1, 2)) as house:
        assert (await ask_from_child(house)).startswith("HTTP/1.1 200")


def test_a_path_over_the_limit_of_the_system_says_so(home: Path) -> None:
    with pytest.raises(ConfigError, match="bytes long"):
        bind_control(home / ("x" * 100))


def test_a_dead_daemons_socket_is_replaced_and_a_file_is_not(home: Path) -> None:
    home.mkdir()
    first = bind_control(home)
    first.close()
    second = bind_control(home)
    second.close()
    path = home / "run" / "control.sock"
    path.unlink()
    path.write_text("precious")
    with pytest.raises(ConfigError, match="no socket"):
        bind_control(home)
    assert path.read_text() == "precious"


# The ingress and its port


async def test_the_note_says_where_the_ingress_is_and_goes_with_it(home: Path) -> None:
    async with listening(home) as house:
        note = house.socket.with_name("ingress.addr")
        assert note.read_text() == house.addresses[0]
        assert str(house.addresses[0]).startswith("127.0.0.1:")
    assert house.addresses[-1] is None
    assert os.listdir(house.socket.parent) == []


async def test_the_ingress_can_be_off(home: Path) -> None:
    async with listening(home, toml=TOML.replace('":0"', '"off"')) as house:
        assert house.addresses == []
        assert not house.socket.with_name("ingress.addr").exists()
        assert house.problems.items() == []


async def test_a_taken_port_is_a_problem_until_it_is_free(home: Path) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        async with listening(home, toml=TOML.replace(":0", f"127.0.0.1:{port}"), limits=SHORT) as house:
            [problem] = house.problems.items()
            assert (problem.part, str(port) in problem.message) == ("ingress", True)
            async with await house.unix() as line:
                assert (await line.request("GET", "/v1/status")).status == 200
            holder.close()
            await asyncio.wait_for(house.moved.wait(), 10)
            assert house.problems.items() == []
            assert (await house.post("/hooks/github", issue(), github_headers(issue()))).status == 202


# Connections


async def test_headers_that_do_not_come_are_cut(home: Path) -> None:
    async with listening(home, limits=SHORT) as house:
        async with await house.tcp() as line:
            await line.write(HEAD)
            answer = await line.read()
            assert answer is not None and (answer.status, answer.code) == (408, "timeout")
            assert await line.ended()
        async with await house.tcp() as silent:
            assert await silent.read() is None


async def test_dripping_bytes_do_not_buy_time(home: Path) -> None:
    async with listening(home, limits=SHORT) as house, await house.tcp() as line:
        await line.write(HEAD)

        async def drip() -> None:
            while True:
                await line.write(b"X-A: b\r\n")
                await asyncio.sleep(0.05)

        dripping = asyncio.create_task(drip())
        async with asyncio.timeout(5):
            answer = await line.read()
        dripping.cancel()
        await asyncio.gather(dripping, return_exceptions=True)
    assert answer is not None and answer.status == 408


@pytest.mark.parametrize("drip_s", [None, 0.05])
async def test_a_body_that_does_not_come_is_cut(home: Path, drip_s: float | None) -> None:
    async with listening(home, limits=SHORT) as house, await house.tcp() as line:
        await line.write(
            head_of(
                "POST", "/hooks/github", github_headers(b"") | {"Host": "localhost", "Content-Length": "999"}
            )
        )

        async def drip() -> None:
            while drip_s is not None:
                await line.write(b"x")
                await asyncio.sleep(drip_s)

        dripping = asyncio.create_task(drip())
        async with asyncio.timeout(5):
            answer = await line.read()
        dripping.cancel()
        await asyncio.gather(dripping, return_exceptions=True)
        assert answer is not None and answer.status == 408
        assert (await house.deliver(issue())).status == 202


async def test_an_idle_connection_is_closed_without_a_word(home: Path) -> None:
    async with listening(home, limits=SHORT) as house, await house.tcp() as line:
        assert (await line.request("GET", "/healthz")).status == 200
        assert await line.read() is None


async def test_the_control_socket_knows_no_hurry(home: Path) -> None:
    async with listening(home, limits=SHORT) as house, await house.unix() as slow, await house.tcp() as watch:
        await slow.write(b"GET /v1/status HTTP/1.1\r\nHost: localhost\r\n")
        assert await watch.read() is None  # the same time was too long on TCP
        await slow.write(b"\r\n")
        answer = await slow.read()
    assert answer is not None and answer.status == 200


async def test_a_head_without_end_is_cut(home: Path) -> None:
    async with listening(home) as house:
        for start in (HEAD + b"X-A: ", b"GET /" + b"a" * 1000):
            async with await house.tcp() as line:
                await line.write(start + b"a" * 400_000)
                answer = await line.read()
                assert answer is not None and answer.status == 431
                assert await line.ended()


NOISE = [
    b"hello\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"GET http:// HTTP/1.1\r\n\r\n",
]


async def test_noise_is_400_in_json(home: Path) -> None:
    async with listening(home) as house:
        for noise in NOISE:
            async with await house.tcp() as line:
                await line.write(noise)
                answer = await line.read()
            assert answer is not None and (answer.status, answer.code) == (400, "bad_request"), noise


async def test_a_full_house_makes_room_for_who_has_something_to_say(home: Path) -> None:
    async with listening(home, limits=Limits(connections=4)) as house:
        idlers = [await house.tcp() for _ in range(12)]
        for idler in idlers[8:]:
            await idler.write(HEAD)
        assert (await house.deliver(issue())).status == 202
        assert await idlers[0].read() is None
        for idler in idlers:
            idler.writer.close()


async def test_answers_of_pipelined_requests_come_in_order(home: Path) -> None:
    async with listening(home) as house, await house.tcp() as line:
        one = []
        for body in (issue(number) for number in range(5)):
            fields = {"Host": "localhost", "Content-Length": str(len(body)), **github_headers(body)}
            one.append(head_of("POST", "/hooks/github", fields) + body)
        await line.write(b"".join(one) + head_of("GET", "/healthz", {"Host": "localhost"}))
        answers = [await line.read() for _ in range(6)]
    assert [a.status for a in answers if a] == [202] * 5 + [200]


async def test_no_trace_of_the_server_is_told(home: Path) -> None:
    async with listening(home) as house, await house.tcp() as line:
        answer = await line.request("GET", "/healthz")
    assert sorted(answer.headers) == ["content-length", "content-type"]


async def test_a_client_that_waits_for_leave_to_send_gets_it_or_the_refusal(home: Path) -> None:
    body = issue()
    async with listening(home) as house:
        async with await house.tcp() as line:
            fields = {"Host": "localhost", "Content-Length": str(len(body)), "Expect": "100-continue"}
            await line.write(head_of("POST", "/hooks/github", fields | github_headers(body)))
            assert (await line.reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100")
            await line.write(body)
            answer = await line.read()
            assert answer is not None and answer.status == 202
        async with await house.tcp() as line:
            await line.write(head_of("POST", "/hooks/github", fields))
            answer = await line.read()
            assert answer is not None and answer.status == 401
            assert await line.ended()


async def test_nothing_wakes_while_nothing_happens(home: Path) -> None:
    async with listening(home) as house, await house.unix() as line:
        assert (await line.request("GET", "/v1/status")).status == 200
        before = resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(house.stop.wait(), 1)
        assert resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw - before <= 3


# The end


async def stream(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"first", "more_body": True})
    await DRAIN[0].wait()
    await send({"type": "http.response.body", "body": b"last"})


DRAIN: list[asyncio.Event] = []


async def test_open_streams_end_by_the_drain_and_all_is_gone(home: Path) -> None:
    async with listening(home, app=stream) as house:
        DRAIN[:] = [house.drain]
        async with await house.unix() as line, await house.tcp() as idle:
            await line.write(head_of("GET", "/v1/events", {"Host": "localhost"}))
            assert b"first" in await line.reader.readuntil(b"first")
            house.stop.set()
            rest = await line.reader.read()
            assert b"last" in rest
            assert await idle.read() is None
    assert not house.socket.exists()


async def test_what_does_not_end_is_cut(home: Path) -> None:
    async with listening(home, app=stream, limits=SHORT) as house:
        DRAIN[:] = [asyncio.Event()]  # never set: an app that does not care
        async with await house.unix() as line:
            await line.write(head_of("GET", "/v1/events", {"Host": "localhost"}))
            await line.reader.readuntil(b"first")
            house.stop.set()
            assert house.serving is not None
            await asyncio.wait_for(house.serving, 5)
            assert await line.ended()
