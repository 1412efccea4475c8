"""The owner's set-up command in a new worktree: with network and outside the sandbox, so only ever on the base's files.

It runs before any model has written there and never again: a set-up reads build files, and those of a changed worktree
are a stranger's program. What it says goes to a bounded log; its whole process group ends with it.
"""

import hashlib
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from nightclaw.core.errors import NightclawError
from nightclaw.core.plain import lines
from nightclaw.vcs import child
from nightclaw.vcs.git import Git
from nightclaw.vcs.remote import NETWORK

DEADLINE_S = 900.0
LOG_BYTES = 1024 * 1024
TAIL = 400
PASSED_ON = (
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "LANG",
    "TMPDIR",
    "CARGO_HOME",
    "RUSTUP_HOME",
    "GOPATH",
)
PREFIXES = ("LC_", "XDG_", "UV_", "PIP_", "NPM_CONFIG_")
_LOCKS = re.compile(
    r"(.*/)?(uv\.lock|poetry\.lock|pdm\.lock|Pipfile\.lock|requirements[^/]*\.txt|package-lock\.json"
    r"|npm-shrinkwrap\.json|yarn\.lock|pnpm-lock\.yaml|bun\.lockb?|Cargo\.lock|go\.sum|Gemfile\.lock"
    r"|composer\.lock|mix\.lock|Package\.resolved|flake\.lock)"
)


@dataclass(frozen=True, slots=True)
class SetUp:
    """How it went. failed: why not, for the owner and the model; empty when it went well."""

    failed: str = ""


async def run(command: str, root: Path, log: Path, started: Callable[[int], None]) -> SetUp:
    """Run `command` in `root`. A failure is told, not raised: work that needs no set-up can still be done."""
    env = {k: v for k, v in os.environ.items() if k in PASSED_ON or k.startswith(PREFIXES)}
    env |= {k: os.environ[k] for n in NETWORK for k in (n, n.lower()) if k in os.environ}
    argv = ("/bin/sh", "-c", f"exec 2>&1\n{command}")
    try:
        ended = await child.run(
            argv, cwd=root, env=env, timeout_s=DEADLINE_S, limit=LOG_BYTES, is_long=True, started=started
        )
    except NightclawError as error:
        return SetUp(error.message)
    log.write_bytes(ended.out)
    if ended.code == 0:
        return SetUp()
    why = f"took over {DEADLINE_S:g} s" if ended.timed_out else f"ended with {ended.code}"
    tail = lines(ended.out[-4 * TAIL :].decode(errors="replace"), 4 * TAIL)[-TAIL:]
    return SetUp(f"the set-up `{command}` {why}: {tail}")


async def lock_digest(git: Git, git_dir: Path, root: Path, base: str, command: str) -> str:
    """What the set-up depends on: the command and the lock files of the base commit."""
    listed = await git.text(["ls-tree", "-r", "-z", base], git_dir=git_dir, work_tree=root) or ""
    kept = [entry for entry in listed.split("\0") if _LOCKS.fullmatch(entry.partition("\t")[2])]
    return hashlib.sha256("\0".join([command, *kept]).encode()).hexdigest()[:16]
