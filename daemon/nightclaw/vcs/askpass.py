"""How git gets the owner's token for a push: from a program that answers one host's question and no other.

Guarantees. The token is in no argument and no environment: only in a file of a private directory below the daemon's
home, where no command of a model's can look, and only while git runs. It is answered to the very scheme and host that
was asked for, so an address that was rewritten or redirected gets nothing.
"""

import re
import shlex
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

_HOST = re.compile(r"[A-Za-z0-9.\-]+(:\d{1,5})?|\[[0-9a-fA-F:]+\](:\d{1,5})?")
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
USER = "x-access-token"


def hosts_of(api_url: str) -> frozenset[str]:
    """Where a token for this API may be shown to git: GitHub's own host, or that of a GitHub Enterprise server."""
    host = urlsplit(api_url).netloc.lower().rpartition("@")[2]
    return frozenset({"github.com" if host == "api.github.com" else host.removeprefix("api.")})


class Askpass:
    """Credentials for a remote, by its address. `hosts` are the ones the token is for, as `host` or `host:port`."""

    def __init__(
        self,
        directory: Path,
        token: Callable[[], Awaitable[str | None]],
        hosts: Callable[[], Collection[str]],
    ) -> None:
        self._directory = directory
        self._token = token
        self._hosts = hosts

    @asynccontextmanager
    async def __call__(self, url: str) -> AsyncIterator[Mapping[str, str]]:
        """The environment git needs to reach `url`: empty when the token is not for it or there is none."""
        token = await self._token() if self._is_for(url) else None
        if token is None:
            yield {}
            return
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        room = Path(tempfile.mkdtemp(prefix="askpass-", dir=self._directory))
        try:
            yield {"GIT_ASKPASS": str(_program(room, url, token))}
        finally:
            shutil.rmtree(room, ignore_errors=True)

    def _is_for(self, url: str) -> bool:
        try:
            parts = urlsplit(url)
        except ValueError:
            return False
        is_safe = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
        return is_safe and bool(_HOST.fullmatch(parts.netloc)) and parts.netloc.lower() in self._hosts()


def _program(room: Path, url: str, token: str) -> Path:
    parts = urlsplit(url)
    secret, program = room / "secret", room / "ask"
    secret.touch(mode=0o600)
    secret.write_text(token + "\n")
    user = shlex.quote(f"Username for '{parts.scheme}://{parts.netloc}': ")
    password = shlex.quote(f"Password for '{parts.scheme}://{USER}@{parts.netloc}': ")
    program.touch(mode=0o700)
    program.write_text(
        f'#!/bin/sh\ncase "$1" in\n{user}) echo {USER} ;;\n'
        f"{password}) cat {shlex.quote(str(secret))} ;;\n*) exit 1 ;;\nesac\n"
    )
    return program
