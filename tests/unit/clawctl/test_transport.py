"""However the bytes of an answer are cut, it is read whole; an answer that is cut off is never taken for whole."""

import json
import subprocess
from collections.abc import Callable

import pytest
from tests.unit.clawctl.conftest import Run
from tests.unit.clawctl.fake_control import FakeControl, Wire, wait_until
from tests.unit.clawctl.rows import STATUS

Start = Callable[..., subprocess.Popen[str]]
BODY = json.dumps(STATUS).encode()


@pytest.mark.parametrize("size", [1, 7, 4096])
def test_a_chunked_answer_is_whole_whatever_its_chunks(claw: Run, daemon: FakeControl, size: int) -> None:
    def answer(_: object, wire: Wire) -> None:
        wire.head("Transfer-Encoding: Chunked")
        for at in range(0, len(BODY), size):
            wire.chunk(BODY[at : at + size])
        wire.raw(b"0\r\nX-Trailer: yes\r\n\r\n")

    daemon.routes["GET /v1/status"] = answer
    assert json.loads(claw("status", "--json").stdout) == STATUS


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_an_answer_may_come_in_the_smallest_pieces(claw: Run, daemon: FakeControl, size: int) -> None:
    body = b'{"version": "1"}'
    chunks = b"".join(b"%X;note=x\r\n%s\r\n" % (1, body[at : at + 1]) for at in range(len(body)))
    wired = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"

    def answer(_: object, wire: Wire) -> None:
        for at in range(0, len(wired), size):
            wire.raw(wired[at : at + size])

    daemon.routes["GET /v1/status"] = answer
    assert json.loads(claw("status", "--json").stdout) == {"version": "1"}


def test_a_body_without_a_length_ends_with_the_connection(claw: Run, daemon: FakeControl) -> None:
    def answer(_: object, wire: Wire) -> None:
        wire.head("Content-Type: application/json")
        wire.raw(BODY)

    daemon.routes["GET /v1/status"] = answer
    assert json.loads(claw("status", "--json").stdout) == STATUS


def test_an_interim_answer_is_stepped_over(claw: Run, daemon: FakeControl) -> None:
    def answer(_: object, wire: Wire) -> None:
        wire.raw(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n")
        wire.head(f"Content-Length: {len(BODY)}")
        wire.raw(BODY)

    daemon.routes["GET /v1/status"] = answer
    assert json.loads(claw("status", "--json").stdout) == STATUS


@pytest.mark.parametrize(
    "wired",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nConte",
        b"HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n20\r\n{}",
    ],
)
def test_an_answer_that_breaks_off_is_a_daemon_that_went_away(
    claw: Run, daemon: FakeControl, wired: bytes
) -> None:
    daemon.routes["GET /v1/status"] = lambda asked, wire: wire.raw(wired)
    done = claw("status", "--json")
    assert (done.returncode, done.stdout) == (3, "")
    assert "the daemon went away" in done.stderr


@pytest.mark.parametrize(
    "wired",
    [
        b"SSH-2.0-OpenSSH_9\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -4\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{}\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{]",
    ],
)
def test_an_answer_that_makes_no_sense_is_a_failure(claw: Run, daemon: FakeControl, wired: bytes) -> None:
    daemon.routes["GET /v1/status"] = lambda asked, wire: wire.raw(wired)
    done = claw("status", "--json")
    assert (done.returncode, done.stdout) == (1, "")
    assert "Traceback" not in done.stderr


def test_an_event_may_be_longer_than_a_read_and_cut_within_a_character(
    claw: Run, daemon: FakeControl
) -> None:
    text = "ü€𝄞" * 40_000
    line = json.dumps({"cursor": 1, "kind": "x", "data": {"text": text}}, ensure_ascii=False).encode()
    small = b'\n{"cursor": 2, "kind": "y", "data": {}}\n'

    def answer(_: object, wire: Wire) -> None:
        wire.head("transfer-encoding: chunked")
        data = line + small
        for at in range(0, len(data), 997):
            wire.chunk(data[at : at + 997])
        wire.raw(b"0\r\n\r\n")

    daemon.routes["GET /v1/events"] = answer
    done = claw("events", "--after", "0", "--json")
    assert [(row["cursor"], row["data"].get("text")) for row in json.loads(done.stdout)] == [
        (1, text),
        (2, None),
    ]


def test_a_reader_that_leaves_early_is_no_error(daemon: FakeControl, start: Start) -> None:
    for _ in range(3000):
        daemon.event("x", {"text": "y" * 80})
    child = start("events", "--after", "0", "--follow")
    assert child.stdout and child.stderr
    assert child.stdout.readline().strip().startswith("1 ")
    child.stdout.close()
    wait_until(lambda: child.poll() is not None, "the client ends when nobody reads")
    assert child.stderr.read() == ""
