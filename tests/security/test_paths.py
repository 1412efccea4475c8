"""What a hostile path can reach through the file tools: nothing outside the roots, whatever names are made to mean."""

import os
import shutil
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from tests.fakes import toolbox
from tests.fakes.hostile import PYTHON, pictured
from tests.fakes.toolbox import House, call, context

from nightclaw.core.tools import Command, Sandbox, Tool
from nightclaw.tools import edit, glob, grep, opening, read, write

pytestmark = pytest.mark.anyio


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    found = toolbox.build(tmp_path)
    root = found.root
    (root / "out").symlink_to(found.canary)
    (root / "up").symlink_to("../../../../outside.txt")
    (root / "ssh").symlink_to(found.user / ".ssh")
    (root / "state").symlink_to("../../state.db")
    (root / "proc").symlink_to("/proc/self/root")
    (root / "loop").symlink_to("loop")
    (root / "fd").symlink_to("/proc/self/fd")
    (root / "gone").symlink_to(found.user / "new")
    (root / "pointer").symlink_to(".git")
    os.mkfifo(root / "pipe")
    listening = socket.socket(socket.AF_UNIX)
    here = os.getcwd()
    os.chdir(root)
    listening.bind("socket")
    os.chdir(here)
    yield found
    listening.close()


def tools(house: House) -> dict[str, Tool]:
    deps = {"home": house.home}
    return {module.SPEC.name: module.build({}, deps) for module in (read, write, edit, glob, grep)}


def hostile(house: House) -> list[str]:
    found = [
        "out",
        "up",
        "ssh/id_ed25519",
        "state",
        f"proc{house.canary}",
        "loop",
        "gone",
        "pipe",
        "socket",
        "pointer",
    ]
    found += [
        "../../state.db",
        "../../../.netrc",
        "sub/../../../state.db",
        str(house.canary),
        "/etc/shadow",
        "/etc/passwd",
    ]
    found += [
        "/proc/self/environ",
        f"/proc/{os.getpid()}/environ",
        "/proc/self/root/etc/shadow",
        "/proc/1/cmdline",
    ]
    found += [
        "/dev/zero",
        "/dev/stdin",
        "~/.netrc",
        "~",
        "a.py\0",
        "",
        ".git",
        ".git/config",
        "./.git",
        ".GIT/config",
    ]
    found += [
        str(house.home / "state.db"),
        str(house.user),
        f"{house.root}/../../state.db",
        f"{house.root}x/a",
    ]
    found += [
        str(house.clone / ".git" / "config"),
        str(house.clone / "a.py"),
        "a.py/x",
        "//etc/passwd",
        "fd/0",
    ]
    return found


async def test_no_path_leads_out(house: House) -> None:
    ctx, all_tools = context(house.workspace), tools(house)
    before = pictured(house.top, Path("/nowhere"))
    for path in hostile(house):
        for name, args in (
            ("Read", {"file_path": path}),
            ("Write", {"file_path": path, "content": "owned"}),
            ("Edit", {"file_path": path, "old_string": "canary", "new_string": "owned"}),
            ("Edit", {"file_path": path, "old_string": "", "new_string": "owned"}),
        ):
            result = await call(all_tools[name], ctx, **args)
            allowed = name == "Write" and path in ("loop",)  # a symlink to nothing is neither written through
            assert result.is_error or allowed, (name, path, result.text)
            assert "canary" not in result.text and "root:" not in result.text, (name, path)
    assert pictured(house.top, Path("/nowhere")) == before


async def test_no_search_leads_out(house: House) -> None:
    ctx, all_tools = context(house.workspace), tools(house)
    (house.root / "leak").symlink_to(house.top)
    paths = [p for p in hostile(house) if p] + [
        "leak",
        "leak/user",
        "..",
        "../..",
        "/",
        str(house.top),
        "/proc",
        "/etc",
    ]
    for path in paths:
        for name, args in (
            ("Glob", {"pattern": "**/*"}),
            ("Grep", {"pattern": "canary", "output_mode": "content"}),
        ):
            result = await call(all_tools[name], ctx, path=path, **args)
            shown = result.text.replace(path, "")
            assert "canary" not in shown and "id_ed25519" not in shown, (name, path, result.text)
            assert result.is_error or "No " in result.text, (name, path, result.text)
    for pattern in ("../**", "/etc/*", f"{house.top}/**", "leak/**", "**/../../*", "ssh/*", "proc/*"):
        result = await call(all_tools["Glob"], ctx, pattern=pattern)
        assert (
            "outside.txt" not in result.text and "passwd" not in result.text and "id_" not in result.text
        ), pattern


async def test_a_symlink_within_the_workspace_is_followed(house: House) -> None:
    if sys.platform != "linux":
        pytest.skip("elsewhere no symlink is followed at all")
    root, all_tools, ctx = house.root, tools(house), context(house.workspace)
    (root / "src").mkdir()
    (root / "src" / "b.py").write_text("b = 1\n")
    (root / "link.py").symlink_to("src/b.py")
    (root / "code").symlink_to("src")
    for path in ("link.py", "code/b.py", "src/../link.py", f"{root}/code/b.py"):
        assert "b = 1" in (await call(all_tools["Read"], ctx, file_path=path)).text
    result = await call(all_tools["Edit"], ctx, file_path="link.py", old_string="b = 1", new_string="b = 2")
    assert not result.is_error and (root / "link.py").is_symlink()
    result = await call(all_tools["Write"], ctx, file_path="code/deep/c.py", content="c = 1\n")
    assert not result.is_error and (root / "src" / "deep" / "c.py").read_text() == "c = 1\n"
    assert (root / "src" / "b.py").read_text() == "b = 2\n"


async def test_a_hard_link_is_parted_by_writing(house: House) -> None:
    all_tools, ctx = tools(house), context(house.workspace)
    os.link(house.canary, house.root / "hard")
    assert "canary-outside" in (await call(all_tools["Read"], ctx, file_path="hard")).text, (
        "it is this file's data"
    )
    for args in ({"file_path": "hard", "content": "mine"},):
        assert not (await call(all_tools["Write"], ctx, **args)).is_error
    assert house.canary.read_text() == "canary-outside" and (house.root / "hard").read_text() == "mine"
    os.link(house.canary, house.root / "hard2")
    result = await call(all_tools["Edit"], ctx, file_path="hard2", old_string="canary", new_string="owned")
    assert not result.is_error and house.canary.read_text() == "canary-outside"


async def test_reads_and_shares_can_be_read_only(house: House) -> None:
    docs = house.top / "docs"
    docs.mkdir()
    (docs / "a.md").write_text("docs")
    (house.clone / ".venv").mkdir()
    (house.clone / ".venv" / "lib.py").write_text("shared")
    workspace = replace(house.workspace, reads=(docs, house.user), share=(house.clone / ".venv",))
    all_tools, ctx = tools(house), context(workspace)
    assert "docs" in (await call(all_tools["Read"], ctx, file_path=str(docs / "a.md"))).text
    assert "shared" in (await call(all_tools["Read"], ctx, file_path=".venv/lib.py")).text
    for path in (str(docs / "a.md"), ".venv/lib.py", str(docs / "new"), str(house.user / "new")):
        assert (await call(all_tools["Write"], ctx, file_path=path, content="x")).is_error
    for path in (house.home / "state.db", house.home / "run", house.clone / ".git" / "config"):
        result = await call(all_tools["Read"], ctx, file_path=str(path))
        assert result.is_error and "canary" not in result.text, (
            "a home above does not lay open the daemon's own"
        )
    for wall in (None, house.wall()):
        searching = context(workspace, wall)
        result = await call(
            all_tools["Grep"], searching, pattern="canary", path=str(house.user), output_mode="content"
        )
        assert "canary-state" not in result.text
    assert "state.db" not in (await call(all_tools["Glob"], ctx, pattern="**/*", path=str(house.user))).text


def _race(root: Path, house: House, stop: threading.Event) -> None:
    """`door` is now a symlink to a directory of ours, now one to the owner's, now a directory; so goes `file`."""
    (root / "inner").mkdir()
    (root / "inner" / "outside.txt").write_text("ours")
    door, link = root / "door", root / "link"

    def point(name: Path, target: str) -> None:
        with suppress(OSError):
            link.symlink_to(target)
            os.rename(link, name)
        with suppress(OSError):
            link.unlink()

    while not stop.is_set():
        for target in (str(house.top), "inner"):
            point(door, target)
            point(root / "file", f"{target}/outside.txt")
        with suppress(OSError):
            door.unlink()
            door.mkdir()
            (door / "outside.txt").write_text("ours")
        shutil.rmtree(door, ignore_errors=True)


async def test_no_race_leads_out(house: House) -> None:
    stop, all_tools, ctx = threading.Event(), tools(house), context(house.workspace)
    racer = threading.Thread(target=_race, args=(house.root, house, stop))
    racer.start()
    good = 0
    try:
        for n in range(120):
            for path in ("door/outside.txt", "file"):
                result = await call(all_tools["Read"], ctx, file_path=path)
                good += "ours" in result.text
                assert "canary" not in result.text
            await call(all_tools["Write"], ctx, file_path="door/outside.txt", content="owned")
            await call(all_tools["Write"], ctx, file_path=f"door/new{n}/x", content="owned")
            await call(all_tools["Edit"], ctx, file_path="file", old_string="canary", new_string="owned")
            result = await call(all_tools["Glob"], ctx, pattern="door/**/*")
            assert "id_ed25519" not in result.text and ".netrc" not in result.text
    finally:
        stop.set()
        racer.join()
    assert good, "the race was also won by honest files"
    assert house.canary.read_text() == "canary-outside"
    assert sorted(p.name for p in house.top.iterdir()) == ["outside.txt", "user"]


async def test_a_device_is_not_even_opened(house: House) -> None:
    device = house.root / "zero"
    try:
        os.mknod(device, 0o020666, os.makedev(1, 5))
    except PermissionError:
        pytest.skip("only root makes devices")
    result = await call(tools(house)["Read"], context(house.workspace), file_path="zero")
    assert result.is_error and "not a regular file" in result.text


WITHOUT_OPENAT2 = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from nightclaw.core.errors import NightclawError
from nightclaw.core.tools import Workspace
from nightclaw.tools import opening
assert not opening._has_openat2()
root = Path(sys.argv[2])
roots = opening.Roots(Workspace(root), Path('/nowhere'))
for path in ('link/a', 'src/../link/a', 'file', 'up', 'proc', 'src/up', 'pipe'):
    try:
        with roots.opened(roots.locate(path)) as fd: print('OPENED', path)
    except NightclawError as e: print('refused', path)
    try: roots.write(roots.locate(path), b'owned'); print('WROTE', path)
    except NightclawError as e: pass
with roots.opened(roots.locate('src/a')) as fd: print(open(fd, closefd=False).read())
roots.write(roots.locate('new/deep/x'), b'made'); print((root / 'new/deep/x').read_text())
"""


async def test_a_kernel_without_openat2_follows_no_symlink(house: House) -> None:
    """Behind the wall `openat2` does not exist, so there the other way of opening is taken."""
    wall = house.wall()
    if wall.why_not:
        pytest.skip(wall.why_not)
    root = house.root
    (root / "src").mkdir()
    (root / "src" / "a").write_text("plain")
    for name, target in (("link", "src"), ("file", "src/a"), ("src/up", "../../../state.db")):
        (root / name).symlink_to(target)
    package = Path(opening.__file__).parents[2]
    command = Command((PYTHON, "-I", "-B", "-c", WITHOUT_OPENAT2, str(package), str(root)), root, 20.0)
    ran = await wall.run(command, replace(house.workspace, reads=(package,)))
    assert ran.exit_code == 0, ran.output
    assert "OPENED" not in ran.output and "WROTE" not in ran.output, ran.output
    assert ran.output.endswith("plain\nmade\n")


async def test_searching_walled_or_not_finds_the_same(house: House) -> None:
    walls: list[Sandbox | None] = [None]
    if not house.wall().why_not:
        walls.append(house.wall())
    (house.root / "b.py").write_text("needle\n")
    (house.root / ".env").write_text("needle=secret\n")
    searches: list[Callable[[], Tool]] = [lambda: grep.build({}, {"home": house.home, "rg": ""})]
    if shutil.which("rg"):
        searches.append(lambda: grep.build({}, {"home": house.home}))
    for wall in walls:
        for search in searches:
            result = await call(
                search(), context(house.workspace, wall), pattern="needle", output_mode="content"
            )
            assert result.text == "b.py:1:needle", "the same from each, and no file of keys"
