"""Real git repositories for tests: an origin, the owner's clone of it, and what of the clone must not change."""

import asyncio
import hashlib
import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

WHO = {
    "GIT_AUTHOR_NAME": "Mona",
    "GIT_AUTHOR_EMAIL": "mona@example.org",
    "GIT_COMMITTER_NAME": "Mona",
    "GIT_COMMITTER_EMAIL": "mona@example.org",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_OPTIONAL_LOCKS": "0",
}
FILES = {"README.md": "# app\n", "src/app.py": "print('hi')\n", "AGENTS.md": "Be brief.\n"}


def git(at: Path, *words: str, check: bool = True, env: Mapping[str, str] | None = None) -> str:
    """The owner's own git, in `at`."""
    whole = {"PATH": os.environ["PATH"], "HOME": str(at), **WHO, **(env or {})}
    ran = subprocess.run(["git", *words], cwd=at, env=whole, capture_output=True, text=True, timeout=30)
    if check and ran.returncode != 0:
        raise AssertionError(f"git {' '.join(words)}: {ran.stderr}")
    return ran.stdout.strip()


def write(at: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        (at / name).parent.mkdir(parents=True, exist_ok=True)
        (at / name).write_text(text)


def commit(at: Path, files: Mapping[str, str], message: str = "change") -> str:
    write(at, files)
    git(at, "add", "-A")
    git(at, "commit", "-q", "-m", message)
    return git(at, "rev-parse", "HEAD")


@dataclass
class Repo:
    """A `[[github.repo]]` entry."""

    path: Path | None
    base: str | None = None
    paths: Sequence[str] = ()
    setup: str | None = None
    share: Sequence[str] = ()
    check: str | None = None


@dataclass
class Scene:
    """origin: a bare repository; clone: the owner's, on main, with Mona as its author."""

    top: Path
    home: Path
    clone: Path
    origin: Path
    env: dict[str, str] = field(default_factory=dict)

    def repo(self, **fields: object) -> Repo:
        return Repo(self.clone, **fields)  # type: ignore[arg-type]

    def elsewhere(self) -> Path:
        """Another machine's clone of the origin."""
        other = self.top / "elsewhere"
        if not other.exists():
            git(self.top, "clone", "-q", str(self.origin), str(other))
        return other


def scene(top: Path, files: Mapping[str, str] = FILES) -> Scene:
    home, clone, origin = top / "home", top / "clone", top / "origin.git"
    home.mkdir()
    git(top, "init", "-q", "-b", "main", str(clone))
    for key, value in (("user.name", "Mona"), ("user.email", "mona@example.org")):
        git(clone, "config", key, value)
    commit(clone, files, "begin")
    git(top, "clone", "-q", "--bare", str(clone), str(origin))
    git(clone, "remote", "add", "origin", str(origin))
    git(clone, "fetch", "-q", "origin")
    git(clone, "remote", "set-head", "origin", "main")
    return Scene(top, home, clone, origin)


def print_of(clone: Path) -> dict[str, tuple[int, str]]:
    """What must stay: every file of the checkout, the index, HEAD and the configuration, with their times."""
    found: dict[str, tuple[int, str]] = {}
    places = [clone / ".git" / n for n in ("index", "HEAD", "config", "config.worktree")]
    places += [p for p in clone.rglob("*") if ".git" not in p.relative_to(clone).parts]
    for path in places:
        if path.is_file():
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            found[str(path.relative_to(clone))] = (path.stat().st_mtime_ns, digest)
    return found


def no_credentials(url: str) -> AbstractAsyncContextManager[Mapping[str, str]]:
    @asynccontextmanager
    async def nothing():
        yield dict[str, str]()

    return nothing()


async def until(holds: Callable[[], object], within_s: float = 20.0) -> None:
    """Wait for the world to be so."""
    async with asyncio.timeout(within_s):
        while True:
            if holds():
                return
            await asyncio.sleep(0.01)
