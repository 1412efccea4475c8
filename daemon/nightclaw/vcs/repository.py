"""Git as the tools are given it: always in a task's own worktree, always to that worktree's own origin."""

import asyncio
from collections.abc import Mapping, Sequence

from nightclaw.core.errors import NightclawError
from nightclaw.core.plain import lines, one_line
from nightclaw.core.tools import Workspace
from nightclaw.core.types import JSON
from nightclaw.vcs.git import DEADLINE_S, OUT_LIMIT, Git, GitRan, Person, nobody
from nightclaw.vcs.remote import Objects, Pushed, Remote, shown


class Repositories:
    """The service `git`. Nothing here takes a path or an address but from the workspace."""

    def __init__(self, git: Git, remote: Remote) -> None:
        self._git = git
        self._remote = remote

    def alone(self, workspace: Workspace) -> asyncio.Lock:
        """Held for whatever changes the worktree's index or branch."""
        return self._git.alone(workspace.git_dir or workspace.root)

    async def run(
        self,
        workspace: Workspace,
        args: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        timeout_s: float = DEADLINE_S,
        input: bytes | None = None,  # noqa: A002
        limit: int = OUT_LIMIT,
    ) -> GitRan:
        """Raises NightclawError where there is no worktree."""
        if workspace.git_dir is None or workspace.clone is None:
            raise NightclawError(
                "there is no git worktree here", "give the repository a path in [[github.repo]]"
            )
        if not workspace.git_dir.is_dir() or not workspace.root.is_dir():
            raise NightclawError(
                f"the worktree {workspace.root} is gone", "it was removed; the task has to start anew"
            )
        return await self._git.run(
            args, git_dir=workspace.git_dir, work_tree=workspace.root,
            env=env, timeout_s=timeout_s, input=input, limit=limit,
        )  # fmt: skip

    async def author(self, workspace: Workspace) -> Person:
        """Whom commits are by: the owner, as their own configuration says."""
        if workspace.git_dir is None:
            return nobody()
        return await self._git.owner(workspace.git_dir, workspace.root) or nobody()

    async def heads(self, workspace: Workspace, branches: Sequence[str]) -> dict[str, str]:
        """The origin's commits of these branches, those that it has. Raises RemoteError."""
        if workspace.origin_url is None:
            raise NightclawError("the clone has no origin", "add one with `git remote add origin …`")
        found = await self._remote.heads(workspace.origin_url, [f"refs/heads/{b}" for b in branches])
        return {ref.removeprefix("refs/heads/"): commit for ref, commit in found.items()}

    async def push(self, workspace: Workspace, commit: str, *, is_new: bool) -> Pushed:
        """Make the task's branch on its origin `commit`. Raises RemoteError."""
        if workspace.origin_url is None or workspace.branch is None or workspace.clone is None:
            raise NightclawError("there is nowhere to push to", "the clone needs an origin")
        ran = await self.run(workspace, ["rev-parse", "--show-object-format", "--git-common-dir"])
        kind, _, common = ran.out.strip().partition("\n")
        clone = Objects((workspace.root / common).resolve(), kind or "sha1")
        return await self._remote.push(clone, workspace.origin_url, commit, workspace.branch, is_new=is_new)

    async def facts(self, workspace: Workspace) -> dict[str, JSON]:
        """What a push of the task's branch would send, for the owner who is asked: worked out here, not told."""
        span = f"{workspace.base}..HEAD"
        log = await self.run(
            workspace, ["log", "--no-show-signature", "--max-count=50", "--format=%h %s", span]
        )
        stat = await self.run(workspace, ["diff", "--no-ext-diff", "--no-textconv", "--stat=100,60", span])
        head = await self.run(workspace, ["rev-parse", "HEAD"])
        return {
            "head": head.out.strip(),
            "commits": [one_line(line, 200) for line in log.out.splitlines()],
            "diffstat": lines(stat.out, 4_000),
            "destination": shown(workspace.origin_url or ""),
            "branch": workspace.branch,
        }
