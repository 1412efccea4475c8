"""A daemon to measure: a child process on a home of its own, seen from outside through /proc and its two doors.

Standard library only, so that measuring adds nothing to what is measured. Memory and wake-ups need Linux; elsewhere
they are told as `nan`.
"""

import hashlib
import hmac
import http.client
import json
import math
import os
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parent.parent
BIN = Path(sysconfig.get_path("scripts"))
SECRET = "the bench's secret"
QUIET_CONFIG = """
timezone = "UTC"
[ingress]
listen = ":0"
[tick]
every = "{tick}"
[github]
owners = ["octocat"]
accounts = ["*"]
secret = {{ env = "BENCH_SECRET" }}
poll = "off"
[[github.repo]]
name = "*/*"
{more}
"""


def say(name: str, value: float, unit: str) -> None:
    """One number of a benchmark, as `make bench` reads it."""
    print(f"{name} {value:.4g} {unit}", flush=True)


def is_quick() -> bool:
    """Whether a short run was asked for: fewer rows, shorter waits, the same lines."""
    return "--quick" in sys.argv[1:]


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def median(values: list[float]) -> float:
    return percentile(values, 0.5)


class _Unix(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=60)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


class House:
    """One home, and the daemon that runs on it now and again."""

    def __init__(self, *, tick: str = "12h", more: str = "") -> None:
        self.scratch = Path(tempfile.mkdtemp(prefix="ncb"))
        self.home = self.scratch / "h"
        self.home.mkdir(mode=0o700)
        (self.home / "config.toml").write_text(QUIET_CONFIG.format(tick=tick, more=more))
        (self.scratch / "owner").mkdir()
        self.env = {
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
            "HOME": str(self.scratch / "owner"),
            "NIGHTCLAW_HOME": str(self.home),
            "BENCH_SECRET": SECRET,
            "LANG": "C.UTF-8",
        }
        for name in ("PYTHONPATH", "LD_LIBRARY_PATH"):
            if name in os.environ:
                self.env[name] = os.environ[name]
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def socket(self) -> Path:
        return self.home / "run" / "control.sock"

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def start(self) -> float:
        """Start the daemon; seconds of wall clock until it says it is ready."""
        assert self.process is None or self.process.poll() is not None, "it runs already"
        began = time.perf_counter()
        self.process = subprocess.Popen(
            [BIN / "nightclaw", "run"], env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, cwd=self.scratch, start_new_session=True,
        )  # fmt: skip
        assert self.process.stdout is not None
        said = b""
        while b"is ready" not in said:
            line = self.process.stdout.readline()
            if not line:
                raise SystemExit(f"the daemon did not start:\n{said.decode()}")
            said += line
        return time.perf_counter() - began

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def kill9(self) -> None:
        self._end(signal.SIGKILL)

    def _end(self, number: signal.Signals) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)
            self.process.wait(60)
        if self.process is not None and self.process.stdout is not None:
            self.process.stdout.close()

    def discard(self) -> None:
        self.kill9()
        shutil.rmtree(self.scratch, ignore_errors=True)

    # its doors

    def ask(self, method: str, path: str, body: object = None) -> tuple[int, bytes]:
        """A call to the control API: status and body."""
        return _ask(_Unix(self.socket), method, path, None if body is None else json.dumps(body).encode(), {})

    def get(self, path: str) -> dict:
        status, body = self.ask("GET", path)
        assert status == 200, (path, status, body)
        return json.loads(body)

    @property
    def port(self) -> int:
        return int((self.home / "run" / "ingress.addr").read_text().strip().rpartition(":")[2])

    def tcp(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> tuple[int, bytes]:
        """A call to the ingress."""
        return _ask(
            http.client.HTTPConnection("127.0.0.1", self.port, timeout=60), method, path, body, headers
        )

    def deliver(self, event: str, body: bytes, delivery: str) -> dict:
        """One signed delivery that must be accepted."""
        status, answer = self.tcp("POST", "/hooks/github", body, github_headers(event, body, delivery))
        assert status in (200, 202), (event, status, answer)
        return json.loads(answer)

    def settle(self, seconds: float = 120.0) -> None:
        """Wait until everything that came in is decided."""
        until = time.monotonic() + seconds
        while self.get("/v1/status")["signals_pending"]:
            assert time.monotonic() < until, "signals stay undecided"
            time.sleep(0.1)

    # what it costs

    def cpu(self) -> float:
        """Seconds of CPU of the daemon and the children it waited for."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        children = sum(int(n) for n in fields[13:15]) / os.sysconf("SC_CLK_TCK")
        try:
            tasks = list(Path(f"/proc/{self.pid}/task").iterdir())
            return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9 + children
        except (OSError, ValueError):
            return sum(int(n) for n in fields[11:13]) / os.sysconf("SC_CLK_TCK") + children

    def tree(self) -> list[int]:
        found, at = [self.pid], 0
        while at < len(found):
            for children in Path(f"/proc/{found[at]}/task").glob("*/children"):
                found += [int(pid) for pid in children.read_text().split()]
            at += 1
        return found

    def memory(self) -> tuple[float, float]:
        """MB of the whole process tree: proportional set size, and the part that is nobody else's by nature."""
        pss = anonymous = 0
        if not Path("/proc/self/smaps_rollup").exists():
            return math.nan, math.nan
        for pid in self.tree():
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                name, _, rest = line.partition(":")
                pss += int(rest.split()[0]) if name == "Pss" else 0
                anonymous += int(rest.split()[0]) if name == "Anonymous" else 0
        return pss / 1024, anonymous / 1024

    def wakeups(self) -> dict[str, int]:
        """How often each thread went to sleep by itself since it began; `main` is the event loop."""
        found: dict[str, int] = {}
        for task in Path(f"/proc/{self.pid}/task").iterdir():
            line = next(s for s in (task / "status").read_text().splitlines() if s.startswith("voluntary"))
            found["main" if task.name == str(self.pid) else task.name] = int(line.split()[1])
        return found


@contextmanager
def house(*, tick: str = "12h", more: str = "") -> Iterator[House]:
    """A home of its own for the block, not started."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # a benchmark that is stopped leaves no daemon
    made = House(tick=tick, more=more)
    try:
        yield made
    finally:
        made.discard()


def github_headers(event: str, body: bytes, delivery: str) -> dict[str, str]:
    proof = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    return {
        "Content-Type": "application/json",
        "X-GitHub-Event": event,
        "X-GitHub-Delivery": delivery,
        "X-Hub-Signature-256": f"sha256={proof}",
    }


def child_cpu(argv: list[str | Path], env: Mapping[str, str]) -> float:
    """Seconds of CPU of one command, its output thrown away."""
    quiet = [(os.POSIX_SPAWN_OPEN, n, os.devnull, os.O_RDWR, 0) for n in (0, 1, 2)]
    pid = os.posix_spawn(argv[0], [str(word) for word in argv], dict(env), file_actions=quiet)
    _, status, usage = os.wait4(pid, 0)
    assert status == 0, f"{argv} ended with {status}"
    return usage.ru_utime + usage.ru_stime


def _ask(
    connection: http.client.HTTPConnection,
    method: str,
    path: str,
    body: bytes | None,
    headers: Mapping[str, str],
) -> tuple[int, bytes]:
    try:
        fields = {"Content-Type": "application/json", **headers} if body is not None else dict(headers)
        connection.request(method, path, body=body, headers=fields)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


if not Path("/proc/self/stat").exists():
    sys.exit("these numbers are read from /proc: Linux only")
