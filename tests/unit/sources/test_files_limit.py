"""The kernel's own limit of watches, in a user namespace where it is small: said, and worked around."""

import asyncio
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.unit.sources.watching import Desk, changes_of, write

LIMIT = Path("/proc/sys/user/max_inotify_watches")
NAMESPACE = ["unshare", "--user", "--map-root-user"]


def has_namespaces() -> bool:
    if shutil.which(NAMESPACE[0]) is None or not LIMIT.exists():
        return False
    return subprocess.run([*NAMESPACE, "true"], capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not has_namespaces(), reason="needs unshare and user namespaces")
def test_the_large_place_is_looked_at_and_the_small_one_still_heard(tmp_path: Path) -> None:
    for i in range(40):
        write(tmp_path / "large" / str(i) / "x", "x")
    write(tmp_path / "small" / "y", "y")
    child = [*NAMESPACE, sys.executable, "-m", "tests.unit.sources.test_files_limit", str(tmp_path)]
    ran = subprocess.run(child, capture_output=True, text=True, timeout=50, check=False)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.split("\n")[:2] == ["small: y modified", "large: 7/x modified"]
    assert "sysctl fs.inotify.max_user_watches" in ran.stdout


async def main(tmp: Path) -> None:
    LIMIT.write_text("20")
    desk = Desk(tmp / "home")
    desk.add(tmp / "small", name="small")
    desk.add(tmp / "large", name="large")
    async with desk.watching(wait=False):
        await desk.until(lambda: desk.states() == ["ok", "problem"])
        hint = desk.problems.items()[0].hint
        write(tmp / "small" / "y", "edited")
        print((await desk.told()).title)
        write(tmp / "large" / "7" / "x", "edited")
        draft = await desk.told()
        assert changes_of(draft) == ([], ["7/x"], [])
        print(draft.title, hint, sep="\n")


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
