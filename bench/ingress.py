"""Durable webhook acknowledgements: real server, store and sockets, against bare fsync'd inserts.

    python bench/ingress.py [seconds]

The client is a process of its own that does next to nothing (prepared requests, epoll), since it shares the cores.
Prints one line `name value unit` a number.
"""

import asyncio
import hashlib
import hmac
import json
import multiprocessing
import selectors
import socket
import sqlite3
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "daemon")]

from tests.fakes.listening import SECRET, listening  # noqa: E402

BODY_SIZE = 10 * 1024


def body(number: int) -> bytes:
    """An `issues.opened` of GitHub's shape, about 10 KB, no two alike."""
    text = "It fails when the queue is empty. " * 200
    user = {"login": "octocat", "id": 1, "type": "User", "url": "https://api.github.com/users/octocat"}
    urls = {
        f"{word}_url": f"https://api.github.com/repos/octo/app/{word}{{/id}}" for word in "abcdefghijklmnopq"
    }
    issue = {
        "node_id": f"I_{number}", "number": number, "title": f"Bug {number}", "user": user, "state": "open",
        "labels": [{"name": "bug", "color": "f00"}], "created_at": "2026-11-20T06:54:00Z",
        "updated_at": "2026-11-20T06:54:00Z", "author_association": "NONE", "body": text,
    }  # fmt: skip
    repo = {
        "full_name": f"octo/app{number % 50}",
        "private": False,
        "default_branch": "main",
        "owner": user,
        **urls,
    }
    made = {"action": "opened", "issue": issue, "repository": repo, "sender": user, "padding": ""}
    made["padding"] = "x" * (BODY_SIZE - len(json.dumps(made)))
    return json.dumps(made).encode()


def request(number: int) -> bytes:
    content = body(number)
    proof = hmac.new(SECRET.encode(), content, hashlib.sha256).hexdigest()
    return (
        f"POST /hooks/github HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"User-Agent: GitHub-Hookshot/044aadd\r\nAccept: */*\r\nX-GitHub-Event: issues\r\n"
        f"X-GitHub-Delivery: {number:08x}-0000-0000-0000-000000000000\r\nX-GitHub-Hook-ID: 1\r\n"
        f"X-Hub-Signature-256: sha256={proof}\r\nContent-Length: {len(content)}\r\n\r\n"
    ).encode() + content


def drive(
    address: str, connections: int, seconds: float, start: int, answers: "multiprocessing.Queue"
) -> None:
    """Keep `connections` requests under way for `seconds`; put (latencies in s, elapsed, statuses)."""
    host, _, port = address.rpartition(":")
    prepared = [request(start + n) for n in range(int(seconds * 4500) + connections)]
    selector = selectors.DefaultSelector()
    taken, latencies, bad = 0, [], 0
    began = time.perf_counter()
    sent: dict[int, float] = {}
    got: dict[int, bytes] = defaultdict(bytes)
    for _ in range(connections):
        sock = socket.create_connection((host, int(port)))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        selector.register(sock, selectors.EVENT_READ)
        sent[sock.fileno()] = time.perf_counter()
        sock.sendall(prepared[taken])
        taken += 1
    while len(latencies) < taken:
        for key, _ in selector.select():
            sock = key.fileobj
            assert isinstance(sock, socket.socket)
            got[key.fd] += sock.recv(4096)
            if not got[key.fd].endswith(b"}"):
                continue
            now = time.perf_counter()
            bad += b" 202 " not in got[key.fd][:14]
            got[key.fd] = b""
            latencies.append(now - sent[key.fd])
            if now - began < seconds and taken < len(prepared):
                sent[key.fd] = now
                sock.sendall(prepared[taken])
                taken += 1
    answers.put((latencies, time.perf_counter() - began, bad))


def bare_inserts(path: Path, seconds: float) -> list[float]:
    """What one durable 10 KB insert costs here with nothing around it: WAL, synchronous=FULL, autocommit."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, key TEXT UNIQUE, body BLOB)")
    content, took, n = body(0), [], 0
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        before = time.perf_counter()
        connection.execute("INSERT INTO t (key, body) VALUES (?, ?)", (f"k{n}", content))
        took.append(time.perf_counter() - before)
        n += 1
    connection.close()
    return took


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))] * 1000


async def run(seconds: float) -> None:
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory(prefix="nc-", dir=Path.cwd()) as folder:
        bare = bare_inserts(Path(folder) / "bare.db", seconds / 2)
        print(f"ingress.bare_insert.p50 {percentile(bare, 0.5):.3f} ms")
        print(f"ingress.bare_insert.p99 {percentile(bare, 0.99):.3f} ms")
        async with listening(Path(folder) / "home") as house:
            start = 1
            for connections in (1, 32):
                answers = context.Queue()
                arguments = (house.addresses[-1], connections, seconds, start, answers)
                driver = context.Process(target=drive, args=arguments)
                cpu = time.process_time()
                driver.start()
                latencies, took, bad = await asyncio.to_thread(answers.get)
                driver.join()
                start += len(latencies) + 1_000_000
                name = f"ingress.{connections}"
                print(f"{name}.p50 {percentile(latencies, 0.5):.3f} ms")
                print(f"{name}.p99 {percentile(latencies, 0.99):.3f} ms")
                print(f"{name}.rate {len(latencies) / took:.0f} acks/s")
                print(f"{name}.cpu {(time.process_time() - cpu) / len(latencies) * 1e6:.0f} us/ack")
                print(f"{name}.not_202 {bad} answers")
                if connections == 1:
                    ratio = percentile(latencies, 0.5) / percentile(bare, 0.5)
                    print(f"{name}.over_bare_insert {ratio:.2f} ratio")


if __name__ == "__main__":
    asyncio.run(run(float(sys.argv[1]) if len(sys.argv) > 1 else 5.0))
