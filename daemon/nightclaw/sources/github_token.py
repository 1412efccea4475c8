"""What GitHub sources read of the config, and the token they call GitHub with.

The token is `[github] token`, else that of GitHub's own client for the very host of `api_url`, else none. It is
read again after ten minutes and after a refusal, so a renewed one needs no restart.
"""

import asyncio
import re
from collections.abc import Callable, Sequence
from typing import Protocol
from urllib.parse import urlsplit

from nightclaw.core.errors import ConfigError
from nightclaw.core.ports import Clock
from nightclaw.sources.github_answers import TOKEN_HINT, Unauthorized

KEPT_S = 600.0
GH_DEADLINE_S = 10.0


class Secret(Protocol):
    """A reference to a secret; `resolve` raises ConfigError and may block."""

    def resolve(self) -> str: ...


class RepoSettings(Protocol):
    @property
    def name(self) -> str: ...


class GitHubSettings(Protocol):
    """What GitHub sources read of the config. `poll`: seconds; None or 0: no polling."""

    @property
    def api_url(self) -> str: ...
    @property
    def token(self) -> Secret | None: ...
    @property
    def secret(self) -> Secret | None: ...
    @property
    def poll(self) -> float | None: ...
    @property
    def bot(self) -> str | None: ...
    @property
    def repo(self) -> Sequence[RepoSettings]: ...
    def match(self, full_name: str, /) -> RepoSettings | None: ...


class IngressSettings(Protocol):
    @property
    def public_url(self) -> str | None: ...


class Settings(Protocol):
    @property
    def github(self) -> GitHubSettings: ...
    @property
    def ingress(self) -> IngressSettings: ...


class Token:
    """`gh` is the command that prints the token of GitHub's own client."""

    def __init__(self, config: Callable[[], Settings], clock: Clock, gh: Sequence[str]) -> None:
        self._config = config
        self._clock = clock
        self._gh = tuple(gh)
        self._held: tuple[str | None, float, str] | None = None

    @property
    def is_missing(self) -> bool:
        """True once it was found that there is none."""
        return self._held is not None and self._held[0] is None

    def forget(self) -> None:
        self._held = None

    async def current(self) -> str | None:
        """The token, or None without one. Raises Unauthorized when the configured one cannot be read."""
        settings = self._config().github
        source = f"{settings.token!r} {settings.api_url}"
        held = self._held
        if held and held[2] == source and self._clock.monotonic() - held[1] < KEPT_S:
            return held[0]
        if settings.token is not None:
            try:
                token: str | None = await asyncio.to_thread(settings.token.resolve)
            except ConfigError as error:
                raise Unauthorized(f"the GitHub token cannot be read: {error.message}", TOKEN_HINT) from None
        else:
            token = await self._ask_gh(settings.api_url)
        self._held = (token, self._clock.monotonic(), source)
        return token

    async def _ask_gh(self, api_url: str) -> str | None:
        """The token of GitHub's own client for this very host, None without one."""
        host = urlsplit(api_url).hostname or ""
        host = "github.com" if host == "api.github.com" else host
        pipe, null = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
        command = (*self._gh, "--hostname", host)
        try:
            child = await asyncio.create_subprocess_exec(*command, stdin=null, stdout=pipe, stderr=null)
        except OSError:
            return None
        try:
            async with asyncio.timeout(GH_DEADLINE_S):
                out, _ = await child.communicate()
        except TimeoutError:
            return None
        finally:
            if child.returncode is None:
                child.kill()
                await child.wait()
        token = out.decode("ascii", "replace").strip()
        return token if child.returncode == 0 and re.fullmatch(r"[\x21-\x7e]{8,500}", token) else None
