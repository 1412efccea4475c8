"""A fake GitHub, a journal in memory, and a poll source between them, on a clock that stands still."""

import json
from pathlib import Path

from tests.fakes import github_bodies as gh
from tests.fakes.clock import FakeClock
from tests.fakes.github_api import FakeGitHub
from tests.fakes.journal import MemoryJournal, ProblemBook

from nightclaw.config import Config, load
from nightclaw.core.ports import Journal
from nightclaw.sources.github import parse
from nightclaw.sources.github_api import GitHubAPI
from nightclaw.sources.poll import Poll

NO_GH = ("/nonexistent/gh",)


class World:
    """`poll` looks at octo/app of `github` and writes to `journal`."""

    def __init__(self, home: Path, github: FakeGitHub) -> None:
        self.home, self.github = home, github
        self.clock = FakeClock()
        self.journal = MemoryJournal("poll:")
        self.problems = ProblemBook()
        self.configure()
        self.api = GitHubAPI(self._config, self.clock, gh=NO_GH)
        self.poll = self.source()

    def _config(self) -> Config:
        return self.config

    def configure(
        self, repos: str = "octo/app", poll: str = "2m", more: str = "", token: str = "fake-token"
    ) -> None:
        named = token and 'token = { env = "TOKEN" }'
        rows = "".join(f'\n[[github.repo]]\nname = "{name}"' for name in repos.split())
        text = f'[github]\napi_url = "{self.github.url}"\npoll = "{poll}"\n{named}\n{more}{rows}\n'
        (self.home / "config.toml").write_text(text)
        self.config = load(self.home, {"TOKEN": token, "HOME": str(self.home)})

    def source(self, journal: Journal | None = None) -> Poll:
        return Poll(self._config, journal or self.journal, self.clock, self.problems, self.api)

    async def later(self, seconds: float = 150) -> float:
        """Time passes, and the source has its round."""
        await self.clock.advance(seconds)
        return await self.poll.round()

    def hook(self, event: str, body: gh.Body) -> str:
        """The key that a delivery of it has."""
        return parse(event, "guid-of-the-hook", json.dumps(body).encode(), body).dedupe_key
