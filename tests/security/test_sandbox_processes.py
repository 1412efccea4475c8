"""What hostile code can do to processes, the kernel and the machine from inside the wall."""

import asyncio
import os
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.fakes.hostile import child, ended, gone, py, running, sh, until
from tests.fakes.toolbox import SMALL, House

from nightclaw.core.tools import Sandbox
from nightclaw.sandbox import bubblewrap

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(sys.platform != "linux", reason="the walls of Linux are tried on Linux"),
]

CALLS = Path(__file__).with_name("hostile_calls.py")


async def test_other_processes_are_out_of_reach(walled_house: House, wall: Sandbox) -> None:
    with child("sleep", "600") as outside:
        line = f"kill -9 {outside.pid} {os.getpid()} $PPID 1; ls /proc | grep -c '^[0-9]'"
        ran = await sh(wall, walled_house, line)
        assert outside.poll() is None and int(ran.output.split()[-1]) <= 6
        await sh(wall, walled_house, "kill -9 -1")
        assert outside.poll() is None


async def test_hostile_system_calls_are_refused(walled_house: House, wall: Sandbox) -> None:
    with child("sleep", "600") as outside:
        ran = await py(wall, walled_house, CALLS.read_text(), str(outside.pid))
        assert outside.poll() is None
    told = dict(line.split(" ", 1) for line in ran.output.splitlines())
    assert told.pop("tried", "") == "all", ran.output
    assert {name: said for name, said in told.items() if not said.startswith("refused")} == {}
    assert len(told) >= 30


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="the other instruction sets of x86_64")
@pytest.mark.parametrize("way", ["int80", "x32"])
async def test_no_other_instruction_set_gets_around_the_filter(
    walled_house: House, wall: Sandbox, way: str
) -> None:
    code = """
import ctypes, mmap, sys
if sys.argv[1] == 'x32':
    ctypes.CDLL(None).syscall(0x40000000 | 39)
else:
    m = mmap.mmap(-1, 4096, prot=7); m.write(b'\\xb8\\x14\\x00\\x00\\x00\\xcd\\x80\\xc3')
    ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(m)))()
print('SURVIVED')
"""
    ran = await py(wall, walled_house, code, way)
    assert ran.exit_code not in (0, 1) and "SURVIVED" not in ran.output


async def test_what_is_detached_ends_with_the_command(walled_house: House, wall: Sandbox) -> None:
    marker = f"31415.{os.getpid()}"
    line = (
        f"sleep {marker} & setsid sleep {marker} & nohup sleep {marker} >/dev/null 2>&1 & "
        f"(setsid sh -c 'trap \"\" TERM HUP; (sleep {marker} & ) ; sleep {marker}' &) ; disown -a; echo left"
    )
    started = time.monotonic()
    ran = await sh(wall, walled_house, line)
    assert (ran.exit_code, ran.output) == (0, "left\n") and time.monotonic() - started < 10
    assert await gone(marker)


async def test_the_deadline_first_asks_then_ends(walled_house: House, wall: Sandbox) -> None:
    ran = await sh(wall, walled_house, "trap 'echo asked; exit 3' TERM; while :; do sleep 0.05; done", 1.0)
    assert ran.timed_out and ran.exit_code is None and "asked" in ran.output
    marker = f"27182.{os.getpid()}"
    ran = await sh(
        wall, walled_house, f"trap '' TERM INT HUP; echo deaf; while :; do sleep {marker}; done", 1.0
    )
    assert ran.timed_out and "deaf" in ran.output
    assert await gone(marker)


async def test_a_cancelled_command_leaves_nothing(walled_house: House, wall: Sandbox) -> None:
    marker = f"16180.{os.getpid()}"
    task = asyncio.create_task(sh(wall, walled_house, f"sleep {marker}", 60.0))
    while not running(marker):
        await asyncio.sleep(0.01)
        assert not task.done()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await gone(marker)


async def test_a_killed_daemon_takes_its_commands_along(walled_house: House, wall: Sandbox) -> None:
    marker = f"14142.{os.getpid()}"
    code = (
        "import asyncio, sys\nfrom pathlib import Path\nfrom nightclaw import sandbox\n"
        "from nightclaw.core.tools import Workspace\nhome, user, root = map(Path, sys.argv[1:4])\n"
        "wall = sandbox.probe(home, user, {})\n"
        f"command = sandbox.shell('(setsid sleep {marker} &); sleep {marker}', root, 60)\n"
        "asyncio.run(wall.run(command, Workspace(root)))\n"
    )
    plain = walled_house.top / "plain"
    plain.mkdir()
    argv = [sys.executable, "-c", code, *map(str, (walled_house.home, walled_house.user, plain))]
    with child(*argv) as daemon:
        assert await until(lambda: len([pid for pid in running(marker) if _runs(pid, "sleep")]) == 2, 20.0)
        daemon.send_signal(signal.SIGKILL)
        daemon.wait()
    assert await gone(marker)


def _runs(pid: int, name: str) -> bool:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip() == name
    except OSError:
        return False


async def test_a_fork_bomb_is_bounded(walled_house: House, wall: Sandbox) -> None:
    code = (
        "import os, time\nn = 0\ntry:\n    while True:\n        if os.fork() == 0:\n            time.sleep(600)\n"
        "        n += 1\nexcept OSError:\n    print(n)"
    )
    ran = await py(wall, walled_house, code)
    assert 20 < int(ran.output.split()[-1]) <= SMALL.processes
    marker = f"bomb{os.getpid()}"
    ran = await sh(wall, walled_house, f"{marker}() {{ {marker} | {marker} & }}; {marker}; sleep 600", 3.0)
    assert await gone(marker)


async def test_endless_output_fills_neither_memory_nor_time(walled_house: House, wall: Sandbox) -> None:
    before = _resident()
    for line in (
        "yes",
        "head -c 10G /dev/zero",
        "cat /dev/urandom",
        "while :; do printf '%0999999d' 0; done",
    ):
        started = time.monotonic()
        ran = await sh(wall, walled_house, line, 30.0)
        assert ran.is_cut and ran.exit_code is None and not ran.timed_out, line
        assert len(ran.output) < 100_000 and "[ended: it printed more than 16 MB]" in ran.output
        assert time.monotonic() - started < 20
    assert _resident() - before < 64 << 20


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def test_files_cannot_grow_without_end(walled_house: House, wall: Sandbox) -> None:
    fill = "dd if=/dev/zero of=$d/big bs=1M count=1000; stat -c size=%s $d/big"
    ran = await sh(wall, walled_house, f"for d in . /tmp /var/tmp /dev/shm; do {fill}; done")
    sizes = [int(word[5:]) for word in ran.output.split() if word.startswith("size=")]
    assert len(sizes) == 4 and all(size <= SMALL.file_bytes for size in sizes), ran.output


async def test_a_command_that_fills_the_disk_is_ended(walled_house: House) -> None:
    free = os.statvfs(walled_house.root)
    wall = walled_house.wall(
        bounds=replace(SMALL, free_bytes=free.f_bavail * free.f_frsize, file_bytes=1 << 40)
    )
    if wall.why_not:
        pytest.skip(wall.why_not)
    size = free.f_bavail * free.f_frsize // 8 + (1 << 30)
    ran = await sh(wall, walled_house, f"fallocate -l {size} big && sleep 600", 30.0)
    assert "of free disk" in ran.output and not ran.timed_out, ran.output


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become somebody else")
async def test_it_stands_for_an_ordinary_user_too(walled_house: House) -> None:
    python = "/usr/bin/python3"
    check = "import sys; sys.path.insert(0, sys.argv[1]); from nightclaw import sandbox"
    package = str(Path(bubblewrap.__file__).parents[2])
    nobody: dict[str, Any] = {"user": 65534, "group": 65534, "extra_groups": [], "cwd": "/"}
    nobody["env"] = {"PATH": "/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1"}
    if not os.path.exists(python) or ended(python, "-c", check, package, **nobody).returncode:
        pytest.skip("an ordinary user cannot read an interpreter and this package here")
    code = (
        "import asyncio, os, sys, tempfile\nfrom pathlib import Path\nsys.path.insert(0, sys.argv[1])\n"
        "from nightclaw import sandbox\nfrom nightclaw.core.tools import Workspace\n"
        "from nightclaw.sandbox.limits import Limits\n"
        "with tempfile.TemporaryDirectory() as t:\n"
        "    top = Path(t); root = top / 'work'; root.mkdir(); (top / 'canary').write_text('canary')\n"
        "    wall = sandbox.probe(top / 'home', top / 'user', {'PATH': '/usr/bin:/bin'}, bounds=Limits(processes=64))\n"
        "    print(wall.why_not)\n"
        "    line = 'id -u; touch made; cat ../canary; for i in $(seq 200); do sleep 9 & done 2>&1 | head -1'\n"
        "    ran = asyncio.run(wall.run(sandbox.shell(f'({line}) 2>&1', root, 20), Workspace(root)))\n"
        "    print(ran.output, wall.describe(), os.listdir(root))\n"
    )
    done = ended(python, "-c", code, package, **nobody)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("None\n65534\n") and "canary" not in done.stdout.replace("../canary", "")
    assert "fork" in done.stdout and "['made']" in done.stdout, done.stdout
