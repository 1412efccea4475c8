"""A daemon's part that is killed in a call: `git_child.py top action`; the scene below `top` is there already."""

import asyncio
import sys
from pathlib import Path

from tests.fakes.clones import Scene, no_credentials
from tests.unit.tools.git_scene import TASK, AtWork

from nightclaw.vcs.git import Git
from nightclaw.vcs.remote import Remote
from nightclaw.vcs.repository import Repositories
from nightclaw.vcs.worktrees import Worktrees


async def main(top: Path, action: str) -> None:
    git, home = Git(), top / "home"
    workspace = Worktrees(git, home, no_credentials).find(TASK)
    assert workspace is not None
    service = Repositories(git, Remote(git, home / "run" / "git", no_credentials))
    work = AtWork(Scene(top, home, top / "clone", top / "origin.git"), workspace, {"git": service})
    args = {"message": "two"} if action == "commit" else {}
    await work.call(action, "cal_KILLED", **args)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
