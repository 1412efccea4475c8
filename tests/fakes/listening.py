"""A real server over a real store on loopback, with a tiny control app: what the ingress and server tests talk to."""

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.fakes.settings import opened

from nightclaw import config
from nightclaw.api import peer
from nightclaw.clock import SystemClock
from nightclaw.doors import doors_of
from nightclaw.ingress import Ingress, Receive, Scope, Send, respond
from nightclaw.problems import Problems
from nightclaw.server import DEFAULTS, Limits, bind_control, serve
from nightclaw.server.connection import PeerOf
from nightclaw.store.db import Store

SECRET = "a github secret"
HOOK_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
TOML = """
[ingress]
listen = ":0"
public_url = "https://claw.example.org"
[github]
accounts = ["octo"]
secret = { env = "GH_SECRET" }
[[github.repo]]
name = "octo/*"
[[hook]]
name = "deploys"
secret = { env = "HOOK_SECRET" }
prompt = "A deploy finished: {payload.status}"
"""


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, object]:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        error = self.json["error"]
        assert isinstance(error, dict) and {"code", "message", "hint"} == error.keys()
        return error["code"]


class Line:
    """One connection that speaks HTTP/1.1 by hand, so that a test can be as rude as it likes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def __aenter__(self) -> "Line":
        return self

    async def __aexit__(self, *_: object) -> None:
        self.writer.close()
        try:
            await self.writer.wait_closed()
        except OSError:
            pass

    async def write(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def read(self) -> Answer | None:
        """The next answer; None when the connection ended without one."""
        try:
            head = await self.reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            return None
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines if line)}
        body = await self.reader.readexactly(int(headers.get("content-length", "0")))
        return Answer(int(first.split()[1]), headers, body)

    async def request(
        self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> Answer:
        fields = {"Host": "localhost", "Content-Length": str(len(body)), **(headers or {})}
        await self.write(head_of(method, path, fields) + body)
        answer = await self.read()
        assert answer is not None, "the server hung up"
        return answer

    async def ended(self) -> bool:
        """True when the server closed; bytes still coming are dropped."""
        try:
            while await self.reader.read(65536):
                pass
        except ConnectionError:
            pass
        return True


def head_of(method: str, path: str, fields: Mapping[str, str]) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items()), "", ""]
    return "\r\n".join(lines).encode("latin-1")


@dataclass
class House:
    home: Path
    store: Store
    ingress: Ingress
    problems: Problems
    stop: asyncio.Event
    drain: asyncio.Event
    addresses: list[str | None] = field(default_factory=list)
    moved: asyncio.Event = field(default_factory=asyncio.Event)
    stuck: list[str] = field(default_factory=list)
    off: set[str] = field(default_factory=set)
    serving: asyncio.Task[None] | None = None

    def on_ingress(self, address: str | None) -> None:
        self.addresses.append(address)
        self.moved.set()

    @property
    def socket(self) -> Path:
        return self.home / "run" / "control.sock"

    async def tcp(self) -> Line:
        address = self.addresses[-1]
        assert address is not None
        host, _, port = address.rpartition(":")
        return Line(*await asyncio.open_connection(host, int(port), limit=2**26))

    async def unix(self) -> Line:
        return Line(*await asyncio.open_unix_connection(self.socket))

    async def post(self, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Answer:
        async with await self.tcp() as line:
            return await line.request("POST", path, body, headers)

    async def deliver(self, body: bytes, **headers: str) -> Answer:
        """One signed GitHub delivery on its own connection."""
        return await self.post("/hooks/github", body, {**github_headers(body), **headers})


def github_headers(body: bytes, event: str = "issues", delivery: str | None = None) -> dict[str, str]:
    return {
        "X-GitHub-Event": event,
        "X-GitHub-Delivery": delivery or hashlib.sha256(body).hexdigest()[:36],
        "X-Hub-Signature-256": "sha256=" + hmac.new(SECRET.encode(), body, "sha256").hexdigest(),
        "Content-Type": "application/json",
    }


def issue(number: int = 1, repo: str = "octo/app", **more: object) -> bytes:
    """The body of `issues.opened`, with what the parser reads."""
    return json.dumps(
        {
            "action": "opened",
            "issue": {
                "node_id": f"I_{repo}_{number}",
                "number": number,
                "title": f"Bug {number}",
                "user": {"login": "stranger"},
                "created_at": "2026-11-20T06:54:00Z",
                "updated_at": "2026-11-20T06:54:00Z",
            },
            "repository": {"full_name": repo, "private": False, "default_branch": "main"},
            "sender": {"login": "stranger", "type": "User"},
            **more,
        }
    ).encode()


async def control(scope: Scope, receive: Receive, send: Send) -> None:
    """Says who asked and what was asked for."""
    body = b""
    more = True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    who = scope["state"]["peer"]
    await respond(send, 200, {"path": scope["path"], "uid": who.uid, "pid": who.pid, "bytes": len(body)})


@asynccontextmanager
async def listening(
    home: Path,
    *,
    toml: str = TOML,
    app: object = control,
    peer_of: PeerOf = peer.judge,
    limits: Limits = DEFAULTS,
) -> AsyncIterator[House]:
    """Serve on `home` until the block ends."""
    home.mkdir(exist_ok=True)
    (home / "config.toml").write_text(toml)
    loaded = config.load(home, {"GH_SECRET": SECRET, "HOOK_SECRET": HOOK_SECRET, "HOME": str(home)})
    problems = Problems()
    async with opened(home / "nightclaw.db") as store:
        stuck: list[str] = []
        off: set[str] = set()
        doors = doors_of(loaded, problems)
        ingress = Ingress(store, SystemClock(), doors, lambda: stuck, lambda feature: feature not in off)
        house = House(home, store, ingress, problems, asyncio.Event(), asyncio.Event(), stuck=stuck, off=off)
        ready = asyncio.Event()
        house.serving = asyncio.create_task(
            serve(
                app,  # pyright: ignore[reportArgumentType]
                ingress,
                bind_control(home),
                loaded.ingress.listen,
                problems,
                house.stop,
                house.drain,
                ready.set,
                peer_of=peer_of,
                on_ingress=house.on_ingress,
                limits=limits,
            )
        )
        try:
            await asyncio.wait_for(ready.wait(), 10)
            yield house
        finally:
            house.stop.set()
            await asyncio.wait_for(house.serving, 10)
