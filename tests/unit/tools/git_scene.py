"""A task at work: a real worktree, the Git tool's service over it, and contexts for its calls."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.fakes.clones import Scene, no_credentials, scene

from nightclaw.core.tools import Command, Ran, ToolContext, ToolResult, Workspace
from nightclaw.core.trust import Label, Trust
from nightclaw.core.types import JSON
from nightclaw.tools.git import GitTool
from nightclaw.vcs.git import Git
from nightclaw.vcs.remote import Remote
from nightclaw.vcs.repository import Repositories
from nightclaw.vcs.worktrees import Worktrees

TASK, BRANCH = "tsk_01JDAAAAAAAAAAAAAAAAAAAAAA", "nightclaw/5-fix"


class NoWall:
    why_not: str | None = "no commands in this test"

    async def run(self, command: Command, workspace: Workspace) -> Ran:
        raise AssertionError("nothing runs a command here")


@dataclass
class AtWork:
    """`call` is one tool call of the model; each has a key of its own, or the one that is named."""

    world: Scene
    workspace: Workspace
    services: dict[str, object]
    said: list[str] = field(default_factory=list)
    count: int = 0

    def context(self, key: str = "", **changes: object) -> ToolContext:
        self.count += 1
        key = key or f"cal_{self.count:026d}"
        whole = ToolContext(
            call_id=key,
            task_id=TASK,
            session="ses_1",
            key=key,
            subject="octo/app#5",
            workspace=self.workspace,
            label=Label(Trust.WORLD),
            sandbox=NoWall(),
            services=self.services,
            now_ms=lambda: 0,
            say=self.said.append,
        )
        return replace(whole, **changes)

    async def call(self, action: str, key: str = "", **args: JSON) -> ToolResult:
        return await GitTool().run({"action": action, **args}, self.context(key))

    async def probe(self, action: str, key: str, **args: JSON) -> ToolResult | None:
        return await GitTool().probe({"action": action, **args}, self.context(key))

    def write(self, files: Mapping[str, str]) -> None:
        for name, text in files.items():
            path = self.workspace.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)


async def at_work(top: Path, **repo: object) -> AtWork:
    world = scene(top)
    git = Git()
    worktrees = Worktrees(git, world.home, no_credentials)
    prepared = await worktrees.prepare(TASK, world.repo(**repo), BRANCH, name="octo/app")
    service = Repositories(git, Remote(git, world.home / "run" / "git", no_credentials))
    return AtWork(world, prepared.workspace, {"git": service})
