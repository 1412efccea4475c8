"""Which repositories the config means: exact names as they stand, patterns as what the token may see."""

from collections.abc import Callable
from urllib.parse import quote

from nightclaw.core.ports import Clock
from nightclaw.sources.github_answers import Absent, Unauthorized
from nightclaw.sources.github_api import GitHubAPI
from nightclaw.sources.github_token import Settings

KEPT_S = 900.0
MOST = 50
PAGES = 3


def is_pattern(name: str) -> bool:
    return any(c in name for c in "*?[")


class Repositories:
    """Expands `[[github.repo]]`, asking GitHub at most every 15 minutes and only when a pattern stands there."""

    def __init__(self, config: Callable[[], Settings], clock: Clock, api: GitHubAPI) -> None:
        self._config, self._clock, self._api = config, clock, api
        self._held: tuple[str, float, list[str]] | None = None

    def forget(self) -> None:
        self._held = None

    async def all(self) -> list[str]:
        """At most MOST names, exact ones first, none twice. Raises GitHubError when a pattern cannot be expanded."""
        github = self._config().github
        listed = [repo.name for repo in github.repo]
        names = {name.lower(): name for name in listed if not is_pattern(name)}
        patterns = [name for name in listed if is_pattern(name)]
        if patterns:
            source, now = repr(listed), self._clock.monotonic()
            held = self._held
            if held is None or held[0] != source or now - held[1] > KEPT_S:
                held = self._held = (source, now, await self._expand(patterns))
            for name in held[2]:
                if github.match(name) is not None:
                    names.setdefault(name.lower(), name)
        return list(names.values())[:MOST]

    async def _expand(self, patterns: list[str]) -> list[str]:
        """Names the token may see, most recently pushed first; without a token those of literal owners."""
        paths = ["/user/repos?per_page=100&sort=pushed"]
        try:
            await self._api.user()
        except Unauthorized:
            if not self._api.is_anonymous:
                raise
            owners = {pattern.partition("/")[0] for pattern in patterns}
            paths = [f"/users/{quote(o)}/repos?per_page=100&sort=pushed" for o in owners if not is_pattern(o)]
        names: list[str] = []
        for path in paths:
            try:
                rows = await self._api.pages(path, limit=PAGES)
            except Absent:
                continue
            live = (row.get("full_name") for row in rows if not row.get("archived"))
            names += [name for name in live if isinstance(name, str)]
        return names
