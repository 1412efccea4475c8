"""The daemon as its owner meets it: a child process on a home of its own, its control socket, its ingress, its client.

Nothing here imports the program. The client and the daemon are siblings, because the daemon refuses its own children.
"""

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from tests.e2e.deliveries import SECRET, github_headers
from tests.e2e.wire import Answer, Follower, Json, Unix, ask

T = TypeVar("T")
BIN = Path(sys.executable).parent
NIGHTCLAW = str(BIN / "nightclaw")
CLAWCTL = str(BIN / "clawctl")
READY = 20.0


class NotInTime(AssertionError):
    """A condition did not come true before its deadline."""


def until(condition: Callable[[], T], what: str, seconds: float = 10.0) -> T:
    """The condition's first true answer; NotInTime with `what` and the last answer after the deadline."""
    end = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > end:
            raise NotInTime(f"not within {seconds:.0f} s: {what} (last: {str(found)[:500]})")
        time.sleep(0.02)  # the poll's step, not a wait: the deadline decides


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def short_folder() -> Path:
    """A folder whose path leaves room for a socket: 108 bytes are all the system has."""
    return Path(tempfile.mkdtemp(prefix="nc", dir="/tmp"))


@dataclass(frozen=True)
class Ran:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]


def environment(home: Path, owner_home: Path, more: Mapping[str, str] | None = None) -> dict[str, str]:
    """What every child process gets: nothing of the machine's but the path."""
    passed = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    return (
        passed
        | {
            "HOME": str(owner_home),
            "NIGHTCLAW_HOME": str(home),
            "LANG": "C.UTF-8",
            "TZ": "UTC",
            "HUB_SECRET": SECRET,
            "HUB_TOKEN": "fake-token",
            "HOOK_SECRET": "whsec_bmlnaHRjbGF3IGUyZSBob29rIHNlY3JldA==",
            "PYTHONWARNINGS": "default::ResourceWarning,default::RuntimeWarning",
        }
        | dict(more or {})
    )


class Daemon:
    """One home and the daemon that runs on it, now and again."""

    def __init__(
        self,
        config: str | None = None,
        env: Mapping[str, str] | None = None,
        home: Path | None = None,
        scratch: Path | None = None,
    ):
        self.scratch = scratch or short_folder()
        self.home = home or self.scratch / "h"
        self.owner_home = self.scratch / "owner"
        self.owner_home.mkdir()
        self.env = environment(self.home, self.owner_home, env)
        self.process: subprocess.Popen[bytes] | None = None
        self.output = self.scratch / "output"
        self.output.touch()
        if config is not None:
            self.configure(config)

    # the home

    @property
    def socket(self) -> Path:
        return self.home / "run" / "control.sock"

    def configure(self, toml: str) -> None:
        self.home.mkdir(mode=0o700, exist_ok=True)
        (self.home / "config.toml").write_text(textwrap.dedent(toml))

    # the process

    def spawn(self, env: Mapping[str, str] | None = None) -> "subprocess.Popen[bytes]":
        with self.output.open("ab") as output:
            self.process = subprocess.Popen(
                [NIGHTCLAW, "run"],
                env=self.env | dict(env or {}),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=self.scratch,
                start_new_session=True,
            )
        return self.process

    def start(self, env: Mapping[str, str] | None = None, seconds: float = READY) -> "Daemon":
        process = self.spawn(env)
        until(lambda: self._is_ready(process), "the daemon is ready", seconds)
        return self

    def _is_ready(self, process: "subprocess.Popen[bytes]") -> bool:
        if process.poll() is not None:
            raise AssertionError(f"the daemon ended with {process.returncode}:\n{self.said()[-4000:]}")
        try:
            answer = self.api("GET", "/v1/status", timeout=5)
        except OSError:
            return False
        return answer.status == 200 and answer.json["pid"] == process.pid

    def said(self) -> str:
        return self.output.read_text(errors="replace")

    @property
    def pid(self) -> int:
        assert self.process is not None, "not started"
        return self.process.pid

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def ended(self, seconds: float = 30.0) -> int:
        """The exit code; a daemon that goes on is a failure."""
        assert self.process is not None
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise NotInTime(f"the daemon still runs after {seconds:.0f} s") from None

    def stop(self, seconds: float = 30.0) -> int:
        self.signal(signal.SIGTERM)
        return self.ended(seconds)

    def kill9(self) -> None:
        if self.running:
            self.signal(signal.SIGKILL)
        self.ended(10)

    def restart(self, env: Mapping[str, str] | None = None) -> "Daemon":
        self.stop()
        return self.start(env)

    def discard(self) -> None:
        """End it and forget the home."""
        if self.process is not None:
            if self.running:
                try:
                    self.signal(signal.SIGCONT)
                    self.stop(15)
                except NotInTime:
                    pass
            self.kill9()
        shutil.rmtree(self.scratch, ignore_errors=True)

    # the control API

    def api(
        self,
        method: str,
        path: str,
        body: object = None,
        headers: Mapping[str, str] | None = None,
        timeout: float = 15.0,
    ) -> Answer:
        raw = b"" if body is None else json.dumps(body).encode()
        fields: Json = {"Content-Type": "application/json"} if raw else {}
        return ask(Unix(self.socket, timeout), method, path, raw, fields | dict(headers or {}))

    def get(self, path: str) -> Any:
        answer = self.api("GET", path)
        assert answer.status == 200, f"GET {path}: {answer.status} {answer.body.decode()}"
        return answer.json

    def post(self, path: str, body: object = None, expect: tuple[int, ...] = (200, 201, 202, 204)) -> Any:
        answer = self.api("POST", path, {} if body is None else body)
        assert answer.status in expect, f"POST {path}: {answer.status} {answer.body.decode()}"
        return answer.json if answer.body else None

    def items(self, path: str) -> list[Json]:
        """Every row of a list, over all its pages, newest first."""
        rows: list[Json] = []
        after: str | None = None
        while True:
            page = self.get(f"{path}?limit=500" + (f"&after={after}" if after else ""))
            rows += page["items"]
            after = page["next"]
            if after is None:
                return rows

    @property
    def status(self) -> Json:
        return self.get("/v1/status")

    def events(self, after: int = 0) -> list[Json]:
        """Every event kept after the cursor."""
        rows: list[Json] = []
        while True:
            answer = self.api("GET", f"/v1/events?after={after}&limit=1000")
            assert answer.status == 200, answer.body.decode()
            page = [json.loads(line) for line in answer.body.splitlines() if line.strip()]
            page = [row for row in page if row.get("cursor") is not None]
            if not page:
                return rows
            rows += page
            after = page[-1]["cursor"]

    def follow(self, after: int = 0, session: str | None = None) -> Follower:
        return Follower(self.socket, after, session)

    # what was made of it

    def signals(self, **where: str) -> list[Json]:
        return [row for row in self.items("/v1/signals") if all(row[k] == v for k, v in where.items())]

    def decision(self, signal_id: str, seconds: float = 10.0) -> Json:
        """The decision about a signal, as soon as there is one."""

        return until(lambda: self.why(signal_id)["decision"], f"{signal_id} is decided", seconds)

    def settled(self, seconds: float = 15.0) -> None:
        """Everything that came in is decided, and every note was sent or is held."""
        until(lambda: self.status["signals_pending"] == 0, "no signal is pending", seconds)

    def why(self, some_id: str) -> Json:
        return self.get(f"/v1/why/{some_id}")

    # the ingress

    @property
    def port(self) -> int:
        return int((self.home / "run" / "ingress.addr").read_text().strip().rpartition(":")[2])

    def tcp(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        timeout: float = 15,
    ) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        return ask(connection, method, path, body, dict(headers or {}))

    def deliver(
        self, event: str, body: Json | bytes, *, delivery: str | None = None, **headers: str
    ) -> Answer:
        """One signed delivery. headers: replaced or added ones, `_` for `-`."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        fields = github_headers(event, raw, delivery) | {k.replace("_", "-"): v for k, v in headers.items()}
        return self.tcp("POST", "/hooks/github", raw, fields)

    def take(self, event: str, body: Json) -> str:
        """Deliver what must be accepted; the signal's id."""
        answer = self.deliver(event, body)
        assert answer.status == 202, f"{event}: {answer.status} {answer.body.decode()}"
        return answer.json["signal"]

    # the client

    def clawctl(
        self, *args: str, stdin: str | None = None, timeout: float = 30.0, env: Json | None = None
    ) -> Ran:
        done = subprocess.run(
            [CLAWCTL, *args],
            env=self.env | dict(env or {}),
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=True,
            timeout=timeout,
            cwd=self.owner_home,
        )
        assert "Traceback" not in done.stderr, f"clawctl {args} crashed:\n{done.stderr}"
        return Ran(done.returncode, done.stdout, done.stderr)

    def nightclaw(self, *args: str, timeout: float = 30.0) -> Ran:
        """Another `nightclaw` on the same home."""
        done = subprocess.run(
            [NIGHTCLAW, *args],
            env=self.env,
            capture_output=True,
            text=True,
            timeout=timeout,
            cwd=self.scratch,
        )
        return Ran(done.returncode, done.stdout, done.stderr)
