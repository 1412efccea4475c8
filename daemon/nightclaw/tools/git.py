"""The tool `Git`: looking at, committing and pushing the task's own branch in its own worktree. Needs service `git`.

Guarantees. A commit says by its trailers that Nightclaw made it, for which task and by which call, so a call that was
cut is recognised and not made twice. A push goes to the task's own branch on the clone's origin and nowhere else, only
ever forward; what holds a secret is neither committed nor pushed.
"""

from collections.abc import Mapping, Sequence
from typing import cast

from nightclaw.core.errors import NightclawError
from nightclaw.core.tools import Redo, Tool, ToolContext, ToolResult, ToolSpec
from nightclaw.core.types import JSONObject
from nightclaw.tools import git_commit, git_push, git_read
from nightclaw.tools.git_ports import GitService, known_only, refused, told
from nightclaw.tools.git_stage import stage

ACTIONS = ("status", "diff", "log", "show", "add", "commit", "push", "restore")
READS = {"status": git_read.status, "diff": git_read.diff, "log": git_read.log, "show": git_read.show}
SPEC = ToolSpec(
    name="Git",
    description=(
        "Git in the task's worktree. commit takes what is staged, or `paths`, or all changes when nothing is staged. "
        "push sends the task's own branch to origin. There is no force, checkout or rebase."
    ),
    input_schema={
        "type": "object",
        "properties": {
            "action": {"type": "string", "enum": list(ACTIONS)},
            "paths": {"type": "array", "items": {"type": "string"}},
            "message": {"type": "string", "description": "commit: subject line, blank line, why"},
            "staged": {"type": "boolean", "description": "diff, restore: of the index"},
            "base": {"type": "boolean", "description": "diff, log: since the branch began"},
            "rev": {"type": "string", "description": "log, show: a commit"},
            "limit": {"type": "integer", "description": "log: how many"},
        },
        "required": ["action"],
    },
    redo=Redo.PROBE,
    deadline_s=420.0,
)


class GitTool:
    """core.tools.Tool."""

    spec = SPEC

    async def run(self, args: JSONObject, ctx: ToolContext) -> ToolResult:
        action, git = args.get("action"), _service(ctx)
        if git is None:
            return refused(
                "There is no git worktree here: work with the files as they are, or ask the owner."
            )
        try:
            known_only(args, SPEC)
            paths = _paths(args, ctx)
            if isinstance(action, str) and action in READS:
                return await READS[action](git, ctx, args, paths)
            match action:
                case "commit":
                    return await git_commit.commit(git, ctx, str(args.get("message") or ""), paths)
                case "push":
                    return await git_push.push(git, ctx)
                case "add" if paths:
                    return await _add(git, ctx, paths)
                case "restore" if paths:
                    return await _restore(git, ctx, paths, args.get("staged") is True)
                case "add" | "restore":
                    return refused(f"{action} needs `paths`, a list of files or directories in the worktree.")
                case _:
                    return refused(f"Git has no action {action!r}. The actions are: {', '.join(ACTIONS)}.")
        except NightclawError as error:
            return refused(f"{error.message}. {error.hint}".strip())

    async def probe(self, args: JSONObject, ctx: ToolContext) -> ToolResult | None:
        """Of a call that was cut: its commit if it was made, its push if it arrived. None: it did not happen."""
        git = _service(ctx)
        if git is None:
            return None
        if args.get("action") == "commit":
            return await git_commit.found(git, ctx)
        if args.get("action") == "push":
            return await git_push.arrived(git, ctx)
        return None


def build(config: Mapping[str, object], deps: Mapping[str, object]) -> Tool:
    return GitTool()


def _service(ctx: ToolContext) -> GitService | None:
    found = ctx.services.get("git")
    return cast(GitService, found) if found is not None and ctx.workspace.git_dir is not None else None


def _paths(args: JSONObject, ctx: ToolContext) -> list[str]:
    """The paths of a call, relative to the worktree. Raises NightclawError for one outside."""
    listed = args.get("paths") or []
    if isinstance(listed, str) or not isinstance(listed, Sequence):
        raise NightclawError("paths is a list of strings", "for one file give a list of one")
    found: list[str] = []
    root = str(ctx.workspace.root)
    for path in listed:
        if not isinstance(path, str) or not path.strip() or "\0" in path:
            raise NightclawError("a path is an unempty string", "name files as `git status` shows them")
        if path == root or path.startswith(root + "/"):
            path = path[len(root) :].lstrip("/") or "."
        parts = path.split("/")
        if path.startswith("/") or ".." in parts or ".git" in (part.lower() for part in parts):
            raise NightclawError(f"{path} is not in the worktree", "name paths relative to its top")
        found.append(path)
    return found


async def _add(git: GitService, ctx: ToolContext, paths: list[str]) -> ToolResult:
    async with git.alone(ctx.workspace):
        nested = await stage(git, ctx.workspace, paths)
    if nested:
        return refused(f"{', '.join(nested[:5])}: a repository inside the worktree is not added.")
    return await git_read.status(git, ctx, {}, [])


async def _restore(git: GitService, ctx: ToolContext, paths: list[str], staged: bool) -> ToolResult:
    words = ["restore", "--staged"] if staged else ["restore", "--staged", "--worktree", "--source=HEAD"]
    async with git.alone(ctx.workspace):
        ran = await git.run(ctx.workspace, [*words, "--", *paths])
    if not ran.ok:
        return refused(f"git restore did not: {ran.said}. What was never committed cannot be restored.")
    what = "is no longer staged" if staged else "is as in the last commit"
    return told(ctx, f"{', '.join(paths)} {what}.")
