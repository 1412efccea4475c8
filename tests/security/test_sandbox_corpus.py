"""Every flagged shell command of the corpus, really run behind the wall beside a house full of canaries."""

import asyncio
import json
import os
import shutil
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from tests.fakes.hostile import gone, pictured
from tests.fakes.toolbox import House

from nightclaw.core.errors import Refused
from nightclaw.core.tools import Sandbox
from nightclaw.sandbox import shell

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(sys.platform != "linux", reason="the walls of Linux are tried on Linux"),
    pytest.mark.timeout(240),
]

CASES = Path(__file__).parents[3] / "shared" / "data" / "shell" / "cases.jsonl"
AT_ONCE = 3
FILES = {
    "f": "a\nx\nnotes\n",
    "x": "x\n",
    ".env": "SECRET=its-own\n",
    "x.sh": "#!/bin/sh\ntouch pwn ../pwn ../../pwn /tmp/pwn; cat ../../state.db > got 2>/dev/null\n",
    "setup.sh": "touch pwn ../pwn\n",
    "x.mk": "all:\n\ttouch pwn ../pwn\n",
    "x.patch": "--- a/outside.txt\n+++ b/outside.txt\n@@ -1 +1 @@\n-old\n+gone\n",
    "curlrc": "url = http://127.0.0.1/\n",
    "victim/a": "mine to lose\n",
    "build/a": "mine to lose\n",
    "package.json": "{}\n",
    "requirements.txt": "left-padd\n",
}


def prepared(house: House, number: int) -> Path:
    root = house.home / "worktrees" / f"case-{number}"
    root.mkdir()
    for name, text in FILES.items():
        path = root / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)
    shutil.copy(house.root / ".git", root / ".git")
    return root


@contextmanager
def sink() -> Iterator[list[bytes]]:
    """Who listens on this machine's loopback, where every invented host would have to lead."""
    heard: list[bytes] = []
    with (
        closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as datagrams,
        closing(socket.socket()) as stream,
    ):
        for one in (datagrams, stream):
            one.bind(("127.0.0.1", 0))
            one.settimeout(0.1)
        stream.listen()
        stop = threading.Event()

        def listen() -> None:
            while not stop.is_set():
                for one in (datagrams, stream):
                    try:
                        if one is stream:
                            one.accept()[0].close()
                        heard.append(b"accepted" if one is stream else one.recv(1000))
                    except TimeoutError:
                        continue

        thread = threading.Thread(target=listen)
        thread.start()
        try:
            yield heard
        finally:
            stop.set()
            thread.join()


@pytest.mark.skipif(not CASES.exists(), reason="the corpus of shell commands is not beside this repository")
async def test_no_flagged_command_harms_anything_outside(walled_house: House, wall: Sandbox) -> None:
    house = walled_house
    cases = [case for case in map(json.loads, CASES.read_text().splitlines()) if case["should_be_flagged"]]
    assert len(cases) >= 100
    roots = {case["id"]: prepared(house, n) for n, case in enumerate(cases)}
    worktrees = house.home / "worktrees"
    before, real_home = pictured(house.top, worktrees), _top_of(Path.home())
    neighbour = pictured(house.root, Path("/nowhere"))
    slots, ended = asyncio.Semaphore(AT_ONCE), []

    async def one(case: dict[str, str]) -> None:
        root = roots[case["id"]]
        async with slots:
            command = shell(case["command"], root, 4.0)
            ran = await wall.run(command, replace(house.workspace, root=root))
        ended.append(case["id"])
        assert "canary" not in ran.output and "root:" not in ran.output, (case["command"], ran.output)
        assert "canary" not in "".join(
            p.read_text(errors="replace") for p in root.glob("*") if _is_small(p)
        ), case

    with sink() as heard:
        await asyncio.gather(*(one(case) for case in cases))
    assert len(ended) == len(cases) and heard == []
    assert pictured(house.top, worktrees) == before, "nothing of the house changed"
    assert pictured(house.root, Path("/nowhere")) == neighbour, "nor of the worktree beside"
    assert {p.name for p in worktrees.iterdir()} == {house.root.name, *(r.name for r in roots.values())}
    assert (
        _top_of(Path.home()) == real_home and not Path("/tmp/pwn").exists() and not Path("/tmp/out").exists()
    )
    assert await gone(str(worktrees))


def _is_small(path: Path) -> bool:
    return path.is_file() and not path.is_symlink() and path.stat().st_size < 1 << 20


def _top_of(folder: Path) -> dict[str, float]:
    return {name: os.lstat(folder / name).st_ino for name in sorted(os.listdir(folder))}


async def test_a_stolen_worktree_pointer_is_refused(walled_house: House, wall: Sandbox) -> None:
    root = prepared(walled_house, 1)
    (root / ".git").unlink()
    (root / ".git").symlink_to(walled_house.user / ".ssh")
    with pytest.raises(Refused):
        await wall.run(shell("ls -la .git/", root, 5.0), replace(walled_house.workspace, root=root))
