"""Git as the daemon runs it: told where to work, never looking for it, and deaf to what a repository asks for.

Guarantees. The git directory and the work tree are named by the caller, so a `.git` file rewritten in a work tree has
no say. No hook, file system monitor, filter, external diff, textconv, merge driver, signer, credential helper, pager
or alias of the repository runs; neither the system's nor the owner's own configuration is read, but for who the owner
is. There is no prompt, the environment is an allow-list, and each run is bounded in time and output.
"""

import asyncio
import os
import re
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from nightclaw.core.errors import NightclawError
from nightclaw.vcs import child, neutral

DEADLINE_S = 60.0
OUT_LIMIT = 4 * 1024 * 1024
MOST_KEYS = 20_000
UNSEEN = "nightclaw-unseen"
PASSED_ON = ("PATH", "HOME", "TMPDIR", "USER", "LOGNAME")
FIXED = {
    "LC_ALL": "C",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_SYSTEM": "/dev/null",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_ASKPASS": "true",
    "SSH_ASKPASS": "true",
    "GIT_EDITOR": "true",
    "GIT_SEQUENCE_EDITOR": "true",
    "GIT_PAGER": "cat",
    "GIT_ALLOW_PROTOCOL": "file:http:https:ssh",
    "GIT_PROTOCOL_FROM_USER": "0",
}
_VERSION = re.compile(r"(\d+)\.(\d+)")
OLDEST: tuple[int, ...] = (2, 31)
_NOT_IN_A_NAME = re.compile(r"[\x00-\x1f<>\x7f]")


@dataclass(frozen=True, slots=True)
class GitRan:
    """How a run of git ended. code None: it was ended for its time or size. out and err: text, undecodable bytes
    replaced; raw: out as it came, for names. `is_cut`: out was longer than allowed."""

    code: int | None
    out: str
    err: str
    is_cut: bool = False
    timed_out: bool = False
    raw: bytes = b""

    @property
    def ok(self) -> bool:
        return self.code == 0

    @property
    def said(self) -> str:
        """Why it failed, in git's own words on one line."""
        if self.timed_out:
            return "it took too long"
        words = [line.strip() for line in self.err.splitlines() if line.strip()]
        told = [w for w in words if w.startswith(("fatal:", "error:"))] or words
        return " ".join("; ".join(told[:3]).split())[:400] or f"exit {self.code}"


@dataclass(frozen=True, slots=True)
class Person:
    """Who a commit is by. Both are plain: no line breaks, no angle brackets."""

    name: str
    email: str


class Git:
    """The one way the daemon runs git. `program` is the git to run."""

    def __init__(self, program: str = "git") -> None:
        self.program = program
        self._locks: weakref.WeakValueDictionary[str, asyncio.Lock] = weakref.WeakValueDictionary()
        self._version: tuple[int, ...] | None = None

    def alone(self, git_dir: Path) -> asyncio.Lock:
        """The lock for changes to one git directory: git itself does not wait, it fails."""
        key = str(git_dir)
        lock = self._locks.get(key)
        if lock is None:
            lock = self._locks[key] = asyncio.Lock()
        return lock

    async def run(
        self,
        args: Sequence[str],
        *,
        git_dir: Path,
        work_tree: Path,
        env: Mapping[str, str] | None = None,
        timeout_s: float = DEADLINE_S,
        input: bytes | None = None,  # noqa: A002
        limit: int = OUT_LIMIT,
    ) -> GitRan:
        """Run `git <args>`; a refusal of git's is a code, not an error. `env` is added to the allow-list's.

        Raises NightclawError when git is missing or too old, or the repository's configuration cannot be read.
        """
        await self._check_version()
        pairs = neutral.overrides(await self._keys(git_dir, work_tree)) + _linked(git_dir)
        words = (f"--work-tree={work_tree}", "--no-pager", "--literal-pathspecs", *args)
        settings = {**neutral.as_environment(pairs), **(env or {})}
        ended = await self._start(words, git_dir, work_tree, settings, timeout_s, input, limit)
        if ended.code is None:
            _unlock(git_dir)
        return _told(ended)

    async def text(self, args: Sequence[str], *, git_dir: Path, work_tree: Path) -> str | None:
        """What git answers, without the line's end; None when it answers with a refusal."""
        ran = await self.run(args, git_dir=git_dir, work_tree=work_tree)
        return ran.out.rstrip("\n") if ran.ok else None

    async def bare(
        self,
        args: Sequence[str],
        *,
        git_dir: Path,
        env: Mapping[str, str],
        timeout_s: float = DEADLINE_S,
        limit: int = OUT_LIMIT,
    ) -> GitRan:
        """Run git in a bare repository of our own, whose configuration is ours: for talking to a remote."""
        await self._check_version()
        settings = {**neutral.as_environment(neutral.ALWAYS), **env}
        return _told(
            await self._start(("--no-pager", *args), git_dir, git_dir, settings, timeout_s, None, limit)
        )

    async def owner(self, git_dir: Path, work_tree: Path) -> Person | None:
        """Whom the owner's own configuration, the clone's before the account's, names as author."""
        found: dict[str, str] = {}
        owners = _passed_on()
        if "XDG_CONFIG_HOME" in os.environ:
            owners["XDG_CONFIG_HOME"] = os.environ["XDG_CONFIG_HOME"]
        for key in ("user.name", "user.email"):
            words = (f"--work-tree={work_tree}", "config", "--includes", "--get", key)
            argv = (self.program, f"--git-dir={git_dir}", *words)
            ran = await child.run(argv, cwd=work_tree, env=owners, timeout_s=10, limit=4096)
            found[key] = _NOT_IN_A_NAME.sub("", ran.out.decode(errors="replace")).strip()[:200]
        return Person(found["user.name"], found["user.email"]) if all(found.values()) else None

    async def _keys(self, git_dir: Path, work_tree: Path) -> list[str]:
        words = (f"--work-tree={work_tree}", "config", "--includes", "--list", "--name-only", "-z")
        ended = await self._start(words, git_dir, work_tree, {}, 10.0, None, OUT_LIMIT)
        keys = os.fsdecode(ended.out).split("\0")
        if ended.code != 0 or len(keys) > MOST_KEYS:
            why = _told(ended).said if ended.code != 0 else "it has too many keys"
            raise NightclawError(
                f"git cannot read the configuration of {git_dir}: {why}", "try `git status` there"
            )
        return keys

    async def _start(
        self,
        words: Sequence[str],
        git_dir: Path,
        cwd: Path,
        env: Mapping[str, str],
        timeout_s: float,
        stdin: bytes | None,
        limit: int,
    ) -> child.Ended:
        argv = (self.program, f"--git-dir={git_dir}", *words)
        whole = {**_passed_on(), **FIXED, **env}
        return await child.run(argv, cwd=cwd, env=whole, timeout_s=timeout_s, limit=limit, stdin=stdin)

    async def _check_version(self) -> None:
        if self._version is not None:
            return
        try:
            ran = await child.run(
                (self.program, "version"), cwd=Path("/"), env=_passed_on(), timeout_s=10, limit=4096
            )
        except NightclawError as error:
            raise NightclawError("git is not installed", "install git 2.31 or newer") from error
        found = _VERSION.search(ran.out.decode(errors="replace"))
        version: tuple[int, ...] = (int(found[1]), int(found[2])) if found else (0, 0)
        if version < OLDEST:
            shown = ".".join(map(str, version))
            raise NightclawError(f"git {shown} is too old to be run safely", "install git 2.31 or newer")
        self._version = version


def nobody() -> Person:
    """The author where the owner's configuration names none."""
    return Person("Nightclaw", "nightclaw@localhost")


def _told(ended: child.Ended) -> GitRan:
    out, err = ended.out.decode(errors="replace"), ended.err.decode(errors="replace")
    return GitRan(ended.code, out, err, ended.is_cut, ended.timed_out, ended.out)


def _passed_on() -> dict[str, str]:
    return {k: os.environ[k] for k in PASSED_ON if k in os.environ}


def _linked(git_dir: Path) -> list[tuple[str, str]]:
    """What a linked worktree has of its own: sparse patterns (the clone's setting is about the clone), and what is
    never shown as new."""
    if not (git_dir / "commondir").is_file():
        return []
    is_sparse = (git_dir / "info" / "sparse-checkout").is_file()
    unseen = git_dir / UNSEEN
    return [
        ("core.sparseCheckout", str(is_sparse).lower()),
        ("core.sparseCheckoutCone", "false"),
        ("core.excludesFile", str(unseen) if unseen.is_file() else "/dev/null"),
    ]


def _unlock(git_dir: Path) -> None:
    """A git that was ended leaves its index lock; only a linked worktree is ours to unlock."""
    if (git_dir / "commondir").is_file():
        (git_dir / "index.lock").unlink(missing_ok=True)
