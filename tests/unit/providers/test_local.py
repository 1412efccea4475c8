"""A model file served by a child of ours: started on demand, gone when idle or when we are, never holding a key."""

import asyncio
import importlib.util
import json
import os
import sys
from pathlib import Path

import pytest
from tests.fakes.clock import FakeClock
from tests.unit.providers.asking import ask

from nightclaw.core.errors import Invalid
from nightclaw.providers.local import Local, build

pytestmark = pytest.mark.anyio

SERVER = """
import json, os, sys
from http.server import BaseHTTPRequestHandler, HTTPServer
import threading

class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        said = json.dumps({"pid": os.getpid(), "env": sorted(os.environ)})
        chunk = {"choices": [{"delta": {"content": said}, "finish_reason": "stop"}]}
        body = b"data: " + json.dumps(chunk).encode() + b"\\n\\ndata: [DONE]\\n\\n"
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args):
        pass

server = HTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
print("loading the model")
print(json.dumps({"address": "http://127.0.0.1:%d" % server.server_port}), flush=True)
sys.stdin.read()
"""


async def gone(pid: int) -> None:
    """Return once no such process is left."""
    async with asyncio.timeout(10):
        while Path(f"/proc/{pid}").exists() if sys.platform == "linux" else _is_alive(pid):
            await asyncio.to_thread(os.sched_yield if hasattr(os, "sched_yield") else lambda: None)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_the_child_serves_until_it_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-canary")
    local = Local("local", [sys.executable, "-c", SERVER], FakeClock())
    first, second = await asyncio.gather(ask(local, close=False), ask(local, close=False))
    told = json.loads(first.text)
    assert told["pid"] == json.loads(second.text)["pid"] != os.getpid()
    assert "ANTHROPIC_API_KEY" not in told["env"]
    await local.aclose()
    await gone(told["pid"])


async def test_an_idle_child_goes_and_comes_back() -> None:
    local = Local("local", [sys.executable, "-c", SERVER], FakeClock(), idle_s=0.05)
    pid = json.loads((await ask(local, close=False)).text)["pid"]
    await gone(pid)
    again = json.loads((await ask(local, close=False)).text)["pid"]
    assert again != pid
    await local.aclose()


async def test_a_child_does_not_outlive_us() -> None:
    """It ends with its standard input, which ends with us, however we end."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SERVER, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert child.stdin is not None and child.stdout is not None
    while b"address" not in await child.stdout.readline():
        pass
    child.stdin.close()
    assert await asyncio.wait_for(child.wait(), 10) == 0


async def test_a_child_that_cannot_serve_says_why() -> None:
    for program, words in (
        ('print(\'{"error": "no such file"}\')', "cannot load its model: no such file"),
        ("pass", "ended before its model was ready"),
    ):
        local = Local("local", [sys.executable, "-c", program], FakeClock())
        said = await ask(local)
        assert said.kind == "model" and words in str(said.error)


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    file = tmp_path / "m.gguf"
    with pytest.raises(Invalid, match="has no path"):
        build({"name": "local"}, {"clock": FakeClock()})
    with pytest.raises(Invalid, match="does not exist"):
        build({"name": "local", "path": str(file)}, {"clock": FakeClock()})
    file.write_bytes(b"GGUF")
    if importlib.util.find_spec("xllamacpp") is None:
        with pytest.raises(Invalid, match=r"needs llama\.cpp") as found:
            build({"name": "local", "path": str(file)}, {"clock": FakeClock()})
        assert "pip install xllamacpp" in found.value.hint
