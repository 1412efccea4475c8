"""What lies uncommitted in the owner's clones, asked of git without letting the clone have a say.

git runs with an explicit directory, no hooks, no file system monitor, no prompt, no locks, an allow-list of the
environment, a deadline, and a bound on what it may answer; its whole process group ends with the question.
"""

import asyncio
import os
import signal
from dataclasses import dataclass
from pathlib import Path

from nightclaw.core.errors import NightclawError

DEADLINE_S = 8.0
ANSWER_BYTES = 1 << 20
FILES_LOOKED_AT = 2_000
PASSED_ON = ("PATH", "HOME", "XDG_CONFIG_HOME", "TMPDIR")


@dataclass(frozen=True, slots=True)
class Dirt:
    """files: how many are changed, staged or new. newest_at: when one of them was last touched (ms)."""

    files: int
    newest_at: int


class NothingSaid(NightclawError):
    """git ended with an error, or with nothing to tell."""


async def uncommitted(path: Path) -> Dirt | None:
    """What differs from the last commit, None when nothing does. Raises NightclawError when git cannot say."""
    answer = await _git(
        path,
        *await _no_filters(path),
        "status",
        "--porcelain=v1",
        "-z",
        "--no-renames",
        "--ignore-submodules=all",
    )
    names = [e[3:] for e in answer.split(b"\0")[:-1] if len(e) > 3]
    if not names:
        return None
    newest = await asyncio.to_thread(_newest, path, names[:FILES_LOOKED_AT])
    return Dirt(len(names), newest)


async def _no_filters(path: Path) -> list[str]:
    """Options that switch off every filter the clone itself defines: a filter is a command that status would run."""
    options: list[str] = []
    try:
        names = await _git(
            path, "config", "--local", "--includes", "-z", "--name-only", "--get-regexp", r"^filter\."
        )
    except NothingSaid:
        return options
    for name in {n.decode(errors="surrogateescape").rpartition(".")[0] for n in names.split(b"\0") if n}:
        for key, value in (("clean", ""), ("smudge", ""), ("process", ""), ("required", "false")):
            options += ["-c", f"{name}.{key}={value}"]
    return options


def _newest(path: Path, names: list[bytes]) -> int:
    """The newest change among the files; a deleted one changed when its folder did."""
    found = 0
    for name in names:
        target = os.path.join(os.fsencode(path), name)
        for place in (target, os.path.dirname(target), os.fsencode(path)):
            try:
                found = max(found, os.lstat(place).st_mtime_ns // 1_000_000)
                break
            except OSError:
                continue
    return found


async def _git(path: Path, *words: str) -> bytes:
    env = {k: os.environ[k] for k in PASSED_ON if k in os.environ}
    env |= {"LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "GIT_ASKPASS": "true"}
    try:
        process = await asyncio.create_subprocess_exec(
            "git", f"--git-dir={path / '.git'}", f"--work-tree={path}", "--no-pager",
            "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "-c", "core.untrackedCache=false",
            *words,
            cwd=path, env=env, start_new_session=True, stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
    except OSError as error:
        raise NightclawError(f"git could not look at {path}: {error.strerror}", "install git") from error
    assert process.stdout is not None
    answer = bytearray()
    try:
        async with asyncio.timeout(DEADLINE_S):
            while len(answer) < ANSWER_BYTES and (piece := await process.stdout.read(1 << 16)):
                answer += piece
            if len(answer) < ANSWER_BYTES and await process.wait() != 0:
                raise NothingSaid(f"git cannot read {path}", "is it a clone? see `git status` there")
    except TimeoutError:
        raise NightclawError(f"git status in {path} took over {DEADLINE_S:g} s", "try it there") from None
    finally:
        await _end(process)
    return bytes(answer)


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        await asyncio.shield(process.wait())
