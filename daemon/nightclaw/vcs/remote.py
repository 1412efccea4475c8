"""Talking to the clone's origin: what it holds, a newer base, and the one push of a task's own branch.

Guarantees. Git runs in an empty repository of our own that only borrows the clone's objects, so nothing in the clone's
configuration decides where bytes go or what runs on the way; the address is the one the caller names. A branch is
created only where none is, and moved only forward: two daemons cannot both have it.
"""

import json
import os
import re
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit, urlunsplit

from nightclaw.core.errors import NightclawError
from nightclaw.vcs import child, neutral
from nightclaw.vcs.git import Git, GitRan

Credentials = Callable[[str], AbstractAsyncContextManager[Mapping[str, str]]]
LOOK_S = 45.0
MOVE_S = 300.0
NETWORK = (
    "SSH_AUTH_SOCK",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "NO_PROXY",
    "ALL_PROXY",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
)
_SCP = re.compile(r"(?:[\w.+-]+@)?[A-Za-z0-9][\w.-]*:(?!//|:)[^\s]+")
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_OWNERS = r"^(http\.(.*\.)?(proxy|sslcainfo|sslcapath|sslbackend)|url\..*\.insteadof)$"
_LOGIN = re.compile(r"(\w+://)[^/@\s]+@")


class RemoteError(NightclawError):
    """The origin could not be asked, or said no. kind: offline, login, absent, address, other."""

    code = "git_remote"

    def __init__(self, message: str, hint: str, kind: str) -> None:
        super().__init__(message, hint)
        self.kind = kind


@dataclass(frozen=True, slots=True)
class Pushed:
    """state: `new` the branch was created, `moved` forward, `same` it was there already, `refused`: why says it."""

    state: Literal["new", "moved", "same", "refused"]
    why: str = ""


class Remote:
    """The remote side of `git`. `rooms` is a directory below the daemon's home."""

    def __init__(self, git: Git, rooms: Path, credentials: Credentials) -> None:
        self._git = git
        self._rooms = rooms
        self._credentials = credentials

    def sweep(self) -> None:
        """Remove what a killed daemon left; nothing may be under way."""
        shutil.rmtree(self._rooms, ignore_errors=True)

    async def heads(self, url: str, names: Sequence[str]) -> dict[str, str]:
        """The commits of these full ref names on the remote; what is not there is left out."""
        async with self._room(None) as (room, env):
            ran = await self._talk(url, ["ls-remote", "--quiet", "--", url, *names], room, env, LOOK_S)
        if not ran.ok:
            raise _refusal(url, ran)
        found: dict[str, str] = {}
        for line in ran.out.splitlines():
            sha, _, name = line.partition("\t")
            if name in names:
                found[name] = sha
        return found

    async def fetch(self, clone: "Objects", url: str, ref: str, have: str | None) -> str:
        """Bring `ref` of the remote into the clone's objects, no name with it; its commit. have: a commit of it that
        is there already."""
        async with self._room(clone, writes=True) as (room, env):
            if have is not None:
                _name(room, "refs/have/it", have)
            words = [
                "fetch",
                "--quiet",
                "--no-tags",
                "--no-write-fetch-head",
                "--refmap=",
                "--no-auto-maintenance",
            ]
            ran = await self._talk(url, [*words, "--", url, f"+{ref}:refs/got/it"], room, env, MOVE_S)
            if not ran.ok:
                raise _refusal(url, ran)
            asked = await self._git.bare(["rev-parse", "--verify", "refs/got/it"], git_dir=room, env=env)
        return asked.out.strip()

    async def push(self, clone: "Objects", url: str, commit: str, branch: str, *, is_new: bool) -> Pushed:
        """Make `branch` on the remote `commit`: created when `is_new` (and only if it is not there), else moved
        forward. Raises RemoteError when the remote cannot be asked; then it is not known what happened."""
        ref = f"refs/heads/{branch}"
        words = ["push", "--porcelain", "--no-verify", "--no-signed", "--no-recurse-submodules"]
        lease = [f"--force-with-lease={ref}:"] if is_new else []
        async with self._room(clone) as (room, env):
            ran = await self._talk(url, [*words, *lease, "--", url, f"{commit}:{ref}"], room, env, MOVE_S)
        for line in ran.out.splitlines():
            flag, _, rest = line.partition("\t")
            if f":{ref}" in rest and len(flag) == 1:
                return _pushed(flag, rest, ran)
        raise _refusal(url, ran)

    async def address(self, url: str) -> str:
        """`url` as the owner's own configuration would have it (`url.….insteadOf`), checked, without a login."""
        pairs = [(k, v) for k, v in await self._owners() if k.startswith("url.")]
        if pairs:
            async with self._room(None) as (room, env):
                told = neutral.as_environment([*neutral.ALWAYS, *pairs])
                ran = await self._git.bare(
                    ["ls-remote", "--get-url", "--", url], git_dir=room, env=env | told
                )
            url = ran.out.strip() if ran.ok else url
        return checked(url)

    async def _talk(
        self, url: str, words: Sequence[str], room: Path, env: Mapping[str, str], timeout_s: float
    ) -> GitRan:
        checked(url)
        proxies = [(k, v) for k, v in await self._owners() if k.startswith("http.")]
        told = neutral.as_environment([*neutral.ALWAYS, *proxies])
        passed = {k: os.environ[k] for n in NETWORK for k in (n, n.lower()) if k in os.environ}
        async with self._credentials(url) as secret:
            whole = {**env, **told, **passed, **secret}
            return await self._git.bare(words, git_dir=room, env=whole, timeout_s=timeout_s)

    async def _owners(self) -> list[tuple[str, str]]:
        """What the owner's own configuration says of proxies, certificates and rewritten addresses."""
        env = {k: os.environ[k] for k in ("PATH", "HOME", "XDG_CONFIG_HOME") if k in os.environ}
        argv = (self._git.program, "config", "--global", "--includes", "-z", "--get-regexp", _OWNERS)
        ran = await child.run(argv, cwd=Path("/"), env=env, timeout_s=10, limit=64 * 1024)
        pairs = (entry.partition("\n") for entry in os.fsdecode(ran.out).split("\0") if entry)
        return [(key, value) for key, _, value in pairs] if ran.code == 0 else []

    @asynccontextmanager
    async def _room(
        self, clone: "Objects | None", *, writes: bool = False
    ) -> AsyncIterator[tuple[Path, dict[str, str]]]:
        """An empty repository that sees the clone's objects, and writes new ones there only when it `writes`."""
        self._rooms.mkdir(mode=0o700, parents=True, exist_ok=True)
        room = Path(tempfile.mkdtemp(prefix="remote-", dir=self._rooms))
        try:
            for name in ("objects/info", "refs/heads"):
                (room / name).mkdir(parents=True)
            (room / "HEAD").write_text("ref: refs/heads/none\n")
            kind = "sha1" if clone is None else clone.format
            (room / "config").write_text(
                "[core]\n\trepositoryformatversion = 1\n\tbare = true\n"
                + (f"[extensions]\n\tobjectFormat = {kind}\n" if kind != "sha1" else "")
            )
            env: dict[str, str] = {}
            if clone is not None:
                key = "GIT_OBJECT_DIRECTORY" if writes else "GIT_ALTERNATE_OBJECT_DIRECTORIES"
                place = str(clone.common / "objects")
                env[key] = json.dumps(place) if ":" in place and not writes else place
                if (clone.common / "shallow").is_file():
                    env["GIT_SHALLOW_FILE"] = str(clone.common / "shallow")
            yield room, env
        finally:
            shutil.rmtree(room, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class Objects:
    """Where a clone keeps its objects. common: its git directory; format: sha1 or sha256."""

    common: Path
    format: str

    @property
    def is_shallow(self) -> bool:
        return (self.common / "shallow").is_file()


def checked(url: str) -> str:
    """The address, without a login in it. Raises RemoteError for a kind of address that is not gone to."""
    bad = "not a kind of address that is used"
    if not url or url.startswith("-") or "::" in url.partition("/")[0] or not url.isprintable():
        raise RemoteError(f"origin is {bad}", "use https, ssh or a local path", "address")
    if url.startswith("/") or (_SCP.fullmatch(url) and "://" not in url):
        return url
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        raise RemoteError(f"origin is {bad}", "use https, ssh or a local path", "address") from None
    if parts.scheme == "file" and not parts.netloc:
        return url
    if parts.scheme == "ssh" and host and not host.startswith("-"):
        return url
    if (parts.scheme == "https" and host) or (parts.scheme == "http" and host in _LOOPBACK):
        return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    raise RemoteError(
        f"origin's address begins with {parts.scheme[:20]!r}: {bad}", "use https or ssh", "address"
    )


def shown(url: str) -> str:
    """An address fit for a message."""
    return _LOGIN.sub(r"\1", url)[:200]


def _name(room: Path, ref: str, commit: str) -> None:
    path = room / ref
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(commit + "\n")


def _pushed(flag: str, rest: str, ran: GitRan) -> Pushed:
    states: dict[str, Literal["new", "moved", "same"]] = {"*": "new", " ": "moved", "=": "same"}
    if flag in states:
        return Pushed(states[flag])
    remote = [
        line.removeprefix("remote:").strip() for line in ran.err.splitlines() if line.startswith("remote:")
    ]
    summary = rest.rpartition("\t")[2]
    return Pushed("refused", " ".join([summary, *(r for r in remote if r)])[:600])


def _refusal(url: str, ran: GitRan) -> RemoteError:
    """Why the remote could not be asked, as something a person can act on."""
    said = _LOGIN.sub(r"\1", ran.said)
    low = ran.err.lower()
    where = shown(url)
    if ran.timed_out or any(w in low for w in _OFFLINE):
        return RemoteError(
            f"{where} cannot be reached: {said}", "it is tried again with the next push", "offline"
        )
    if any(w in low for w in _LOGIN_REFUSED):
        hint = "set [github] token, run `gh auth login`, or load the key into your ssh agent"
        return RemoteError(f"{where} refused the login: {said}", hint, "login")
    if any(w in low for w in _ABSENT):
        return RemoteError(f"{where} is not there: {said}", "check `git remote -v` in the clone", "absent")
    return RemoteError(f"{where}: {said}", "try it by hand in the clone", "other")


_OFFLINE = (
    "could not resolve",
    "failed to connect",
    "couldn't connect",
    "connection refused",
    "connection timed out",
    "operation timed out",
    "network is unreachable",
    "no route to host",
    "returned error: 5",
)
_LOGIN_REFUSED = (
    "authentication failed",
    "could not read username",
    "could not read password",
    "unable to read askpass",
    "permission denied",
    "permission to",
    "returned error: 401",
    "returned error: 403",
    "host key verification failed",
)
_ABSENT = (
    "not found",
    "does not appear to be a git repository",
    "does not exist",
    "no such file or directory",
)
