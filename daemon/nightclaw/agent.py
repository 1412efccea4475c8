"""The agent, composed: models, the wall, git, tools and the run loop, from the config and the house around them."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

from nightclaw.config import Config
from nightclaw.config.rows import RepoConfig
from nightclaw.core.errors import NightclawError
from nightclaw.core.ports import ModelRequest
from nightclaw.core.tools import Command, Ran, Sandbox, Tool, Workspace
from nightclaw.core.types import JSON, JSONObject
from nightclaw.execution.asking import SPECS, Asking
from nightclaw.execution.calls import Caller, Kit
from nightclaw.execution.parking import BUDGET, MODELS
from nightclaw.execution.permits import Gatekeeper, Permits
from nightclaw.execution.places import Places, directory
from nightclaw.execution.purse import Purse
from nightclaw.execution.runner import Model, Publish, Runner
from nightclaw.house import House
from nightclaw.initiative.counsel import Means
from nightclaw.initiative.triage import ROLE as TRIAGE
from nightclaw.initiative.triage import ModelTriage
from nightclaw.policy.rules import ToolRule
from nightclaw.protocol.messages import parse_iso
from nightclaw.providers.offline import MODEL as OFFLINE
from nightclaw.providers.offline import Offline
from nightclaw.providers.router import CHAT, Router
from nightclaw.providers.router import Settings as RouterSettings
from nightclaw.remembering import Remembering
from nightclaw.sandbox import probe
from nightclaw.sandbox.none import NoSandbox
from nightclaw.sources.github_api import GitHubAPI
from nightclaw.store import budgets, tasks
from nightclaw.store.tasks import Task
from nightclaw.tools import bash, edit, glob, grep, read, recall, remember, write
from nightclaw.tools import git as git_tool
from nightclaw.tools import github as github_tool
from nightclaw.vcs.askpass import Askpass
from nightclaw.vcs.branches import branch_for
from nightclaw.vcs.git import Git
from nightclaw.vcs.instructions import instructions
from nightclaw.vcs.repository import Repositories
from nightclaw.vcs.worktrees import Worktrees

ROLE = "agent"
TIDY_S = 3600.0
KEPT = 20
"""How many worktrees with unsaved work may lie about before the owner is told."""


class Wall:
    """core.tools.Sandbox that is probed when the daemon starts; until then nothing may run."""

    def __init__(self) -> None:
        self.inner: Sandbox = NoSandbox("the sandbox is not ready yet")

    @property
    def why_not(self) -> str | None:
        return self.inner.why_not

    def run(self, command: Command, workspace: Workspace) -> Awaitable[Ran]:
        return self.inner.run(command, workspace)


class Agent:
    """One for the daemon. `open()` before the first task, `close()` at the end."""

    def __init__(
        self,
        house: House,
        api: GitHubAPI,
        offline: Offline,
        publish: Publish,
        day_of: Callable[[int], str],
        remembering: Remembering,
    ) -> None:
        self._house = house
        self._api = api
        config: Callable[[], Config] = lambda: house.config  # noqa: E731
        self.router = Router(
            cast(Callable[[], RouterSettings], config), house.clock, house.problems, offline=offline
        )
        self._git = Git()
        askpass = Askpass(house.home / "run" / "git", api.token, self._hosts)
        self.worktrees = Worktrees(self._git, house.home, askpass)
        self._wall = Wall()
        self._notes: dict[str, tuple[str, ...]] = {}
        self.tools = self._make_tools()
        self.asking = Asking(house.store, house.clock, _moment)
        self.gate = Gatekeeper(self._permits)
        self.places = Places(
            house.store, house.clock, self._wall, lambda: house.config.tz,
            self.prepare, self._instructions, self._has_commits,
        )  # fmt: skip
        purse = Purse(house.clock, self.caps, self._bound, day_of)
        services = {
            "git": Repositories(self._git, self.worktrees.remote),
            "github": api,
            **remembering.services,
        }
        kit = Kit(self.tools, self._wall, services)
        self.caller = Caller(house.store, house.clock, kit, self.gate, self.asking, publish)
        self.runner = Runner(house.store, house.clock, publish, self.caller, self.places, purse, remembering)

    async def open(self) -> None:
        """Probe the wall and look for a local model. Never raises."""
        user_home = Path.home()
        mounts = list(self._house.config.sandbox.mounts)
        self._wall.inner = await asyncio.to_thread(probe, self._house.home, user_home, os.environ, mounts)
        await self.router.refresh()

    async def reload(self) -> None:
        """Take new keys and caps; what waited for them looks again."""
        await self.router.reload()
        now = self._house.clock.now_ms()
        await self._house.store.write(tasks.wake_parked_on, (BUDGET, MODELS), now)

    async def close(self) -> None:
        await self.router.aclose()

    async def tidy(self) -> None:
        """Hold the worktrees against the tasks, hourly: what is over and nowhere unsaved goes."""
        while True:
            alive = await self._house.store.read(tasks.open_ids)
            standing = await self.worktrees.check_against(alive)
            kept = "; ".join(f"{task}: {why}" for task, why in standing.kept[:3])
            self._house.problems.set(
                "worktrees",
                f"{len(standing.kept)} worktrees of ended tasks are kept: {kept}"
                if len(standing.kept) > KEPT
                else None,
                "push or delete their branches, then they go by themselves",
            )
            await asyncio.sleep(TIDY_S)

    # Who answers, and at what price

    def has_model(self) -> bool:
        """Work may start unasked: a model is there and a config file says the daemon may use it."""
        return self._house.config.exists and self.router.has(ROLE)

    def may_triage(self) -> bool:
        """A model may be asked in the background where the rules leave room."""
        return self._house.config.exists and self.router.has(TRIAGE)

    def triage_means(self) -> Means:
        """What asking the triage model takes."""
        triage = ModelTriage(self.router, self._models_of)
        return Means(triage, self._house.home / "ORDERS.md", self.caps, lambda: self._house.config.tz)

    def _models_of(self, name: str) -> list[str] | None:
        repo = self._repo(name)
        return repo.models if repo is not None else None

    def may_claim(self, lane: str) -> bool:
        return lane == CHAT or self.has_model()

    def model_for(self, task: Task) -> Model | None:
        """The chain for one turn of this task, and what it may call; None when no model may see it."""
        role = CHAT if task.kind == "chat" else task.model or ROLE
        allowed = self._allowed(task)
        provider = self.router.chain(role, allowed)
        if provider is None:
            return None
        named = self.router.models(role, allowed)
        return Model(provider, named[0] if named else OFFLINE, self._specs() if named else ())

    def _allowed(self, task: Task) -> list[str] | None:
        repo = self._repo(task.repo)
        return repo.models if repo is not None else None

    def _specs(self) -> tuple[JSONObject, ...]:
        specs = [t.spec for t in self.tools.values()] + list(SPECS)
        return tuple(s.as_json() for s in sorted(specs, key=lambda s: s.name))

    def caps(self) -> budgets.Caps:
        b = self._house.config.budget
        return budgets.Caps(b.daily_usd, b.monthly_usd, b.task_usd, b.daily_tokens)

    def _bound(self, model: str, request: ModelRequest) -> tuple[float, int]:
        if model == OFFLINE:
            return 0.0, 0
        role = ROLE if model in self.router.models(ROLE) else model  # a schedule may name its own
        dollars = self.router.bound(role, request)
        return dollars, self.router.bound_tokens(request) if dollars > 0 else 0

    # Where it works

    def _repo(self, name: str | None) -> RepoConfig | None:
        return self._house.config.github.match(name) if name else None

    async def prepare(self, task: Task) -> Workspace:
        """The task's workspace; made once, the same after a restart. Raises NightclawError."""
        repo = self._repo(task.repo)
        if task.kind != "chat" and repo is not None and repo.path is not None:
            title = task.goal.partition(": ")[2] or task.goal
            branch = branch_for(task.id, task.subject, title.splitlines()[0])
            made = await self.worktrees.prepare(
                task.id, repo, branch, name=task.repo, is_private=task.private
            )
            taken = await self.worktrees.teammate_holds(made.workspace)
            if taken is not None:
                raise NightclawError(f"stood down: {taken}", "delete that branch, then retry")
            self._notes[task.id] = made.notes
            return made.workspace
        name = task.session if task.kind == "chat" else task.id
        root = await directory(self._house.home / "worktrees" / f"session-{name}")
        clones = tuple(r.path for r in self._house.config.github.repo if r.path is not None)
        return Workspace(root=root, repo=task.repo, reads=clones)

    async def _instructions(self, workspace: Workspace) -> str:
        repo = self._repo(workspace.repo)
        return await instructions(self._git, workspace, repo.paths if repo else ())

    async def _has_commits(self, workspace: Workspace) -> bool:
        if workspace.git_dir is None or workspace.base is None:
            return False
        words = ["rev-list", "--count", f"{workspace.base}..HEAD"]
        count = await self._git.text(words, git_dir=workspace.git_dir, work_tree=workspace.root)
        return count is not None and count.strip() not in ("", "0")

    # What it may do

    def _make_tools(self) -> Mapping[str, Tool]:
        deps = {"home": self._house.home}
        made = [
            m.build({}, deps)
            for m in (read, write, edit, glob, grep, bash, git_tool, github_tool, recall, remember)
        ]
        return {t.spec.name: t for t in made}

    def _permits(self) -> Permits:
        p = self._house.config.permissions
        return Permits(
            mode=p.mode,
            unattended=p.unattended,
            allow=tuple(ToolRule.parse(r) for r in p.allow),
            ask=tuple(ToolRule.parse(r) for r in p.ask),
            deny=tuple(ToolRule.parse(r) for r in p.deny),
            home=self._house.home,
            user_home=Path.home(),
            in_container=in_container(),
        )

    def _hosts(self) -> Sequence[str]:
        """Where GitHub's token may be used to push."""
        host = urlsplit(str(self._house.config.github.api_url)).netloc.lower()
        return ["github.com"] if host == "api.github.com" else [host, host.removeprefix("api.")]

    def describe(self) -> dict[str, JSON]:
        return {**self.router.describe(), "sandbox": self._wall.why_not or "ok"}


def in_container() -> bool:
    """True inside a container, where bypassing permissions harms only that."""
    return Path("/.dockerenv").exists() or Path("/run/.containerenv").exists()


def _moment(text: str) -> int | None:
    try:
        return parse_iso(text)
    except ValueError:
        return None
