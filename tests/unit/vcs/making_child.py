"""A daemon's part that is killed: `making_child.py home clone task branch setup prepare|remove`."""

import asyncio
import sys
from pathlib import Path

from tests.fakes.clones import Repo, no_credentials

from nightclaw.vcs.git import Git
from nightclaw.vcs.worktrees import Worktrees


async def main(home: str, clone: str, task: str, branch: str, setup: str, verb: str) -> None:
    worktrees = Worktrees(Git(), Path(home), no_credentials)
    repo = Repo(Path(clone), paths=["src/**"], setup=setup or None, share=[".venv"])
    if verb == "prepare":
        await worktrees.prepare(task, repo, branch, name="octo/app")
    else:
        await worktrees.remove(task, discard=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
