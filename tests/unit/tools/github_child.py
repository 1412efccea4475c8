"""A daemon's part that is killed when GitHub has taken its comment: `github_child.py home url`."""

import asyncio
import sys
from pathlib import Path

from tests.unit.tools.test_github import Desk


async def main(home: str, url: str) -> None:
    await Desk(Path(home), url).call("comment", "cal_KILLED", body="Done.")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
