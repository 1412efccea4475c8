"""The reading actions of `Git`: status, diff, log, show. Every answer is bounded and names what to do to see less."""

import re

from nightclaw.core.tools import ToolContext, ToolResult
from nightclaw.core.types import JSONObject
from nightclaw.tools.git_ports import GitService, clipped, refused, told

PLAIN_DIFF = (
    "--no-ext-diff",
    "--no-textconv",
    "--no-color",
    "--submodule=short",
    "--ignore-submodules=all",
    "--src-prefix=a/",
    "--dst-prefix=b/",
)
LOGGED = 20
MOST_LOGGED = 200
_REV = re.compile(r"(?!-)[A-Za-z0-9_./@{}~^-]{1,200}")


async def status(git: GitService, ctx: ToolContext, args: JSONObject, paths: list[str]) -> ToolResult:
    work = ctx.workspace
    ran = await git.run(
        work, ["status", "--short", "--ignore-submodules=all", "--untracked-files=all", "--", *paths]
    )
    if not ran.ok:
        return refused(f"git status did not: {ran.said}.")
    ahead = await git.run(work, ["rev-list", "--count", f"{work.base}..HEAD"]) if work.base else None
    told_ahead = f", {ahead.out.strip()} commit(s) since {work.base_branch or 'its base'}" if ahead else ""
    changes = clipped(ran.out.rstrip("\n")) or "no changes: everything is committed"
    return told(ctx, f"on branch {work.branch}{told_ahead}\n{changes}")


async def diff(git: GitService, ctx: ToolContext, args: JSONObject, paths: list[str]) -> ToolResult:
    """Uncommitted changes; `staged` only those staged; `base` all since the branch began."""
    work = ctx.workspace
    against = ["--cached"] if args.get("staged") is True else ["HEAD"]
    if args.get("base") is True and work.base is not None:
        against = [work.base]
    words = ["diff", *PLAIN_DIFF, *against, "--", *paths]
    ran = await git.run(work, words)
    if ran.code is not None and not ran.ok:
        return refused(f"git diff did not: {ran.said}.")
    text = clipped(ran.out)
    if len(ran.out) > len(text) or ran.is_cut:
        stat = await git.run(work, ["diff", "--stat=100", *PLAIN_DIFF, *against, "--", *paths])
        text = f"{clipped(stat.out, 8_000)}\n{text}"
    if against != ["--cached"]:
        new = await git.run(work, ["ls-files", "--others", "--exclude-standard", "--", *paths])
        if new.ok and new.out:
            text += f"\nnew files, not in the diff:\n{clipped(new.out, 8_000)}"
    return told(ctx, text.strip("\n") or "no differences")


async def log(git: GitService, ctx: ToolContext, args: JSONObject, paths: list[str]) -> ToolResult:
    work, limit = ctx.workspace, args.get("limit")
    count = min(limit, MOST_LOGGED) if isinstance(limit, int) and limit > 0 else LOGGED
    if args.get("base") is True and work.base is not None:
        span = f"{work.base}..HEAD"
    else:
        found = await _commit(git, ctx, args.get("rev"))
        if isinstance(found, ToolResult):
            return found
        span = found
    words = [
        "log",
        "--no-color",
        "--no-show-signature",
        "--no-decorate",
        f"--max-count={count}",
        "--date=short",
    ]
    ran = await git.run(work, [*words, "--format=%h %ad %an: %s", span, "--", *paths])
    if not ran.ok:
        return refused(f"git log did not: {ran.said}.")
    return told(ctx, clipped(ran.out.strip("\n")) or "no commits")


async def show(git: GitService, ctx: ToolContext, args: JSONObject, paths: list[str]) -> ToolResult:
    """A commit with its diff; with one path, that file as the commit has it."""
    found = await _commit(git, ctx, args.get("rev"))
    if isinstance(found, ToolResult):
        return found
    if len(paths) == 1:
        words = ["cat-file", "blob", f"{found}:{paths[0]}"]
    else:
        form = "--format=commit %H%nAuthor: %an <%ae>%nDate:   %ad%n%n%B"
        words = ["show", *PLAIN_DIFF, "--no-show-signature", form, found, "--", *paths]
    ran = await git.run(ctx.workspace, words)
    if ran.code is not None and not ran.ok:
        return refused(f"git show did not: {ran.said}.")
    return told(ctx, clipped(ran.out))


async def _commit(git: GitService, ctx: ToolContext, rev: object) -> str | ToolResult:
    """The commit a model named, when it is of this branch or was published: what else the owner's clone holds
    (stashes, other branches) is not the task's."""
    name = rev.strip() if isinstance(rev, str) and rev.strip() else "HEAD"
    if not _REV.fullmatch(name) or "@{" in name:
        return refused(f"{name[:80]!r} does not name a commit: use a hash, HEAD~2 or a branch.")
    ran = await git.run(
        ctx.workspace, ["rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}"]
    )
    commit = ran.out.strip()
    if not ran.ok or not commit:
        return refused(f"There is no commit {name!r} here.")
    own = await git.run(ctx.workspace, ["merge-base", "--is-ancestor", commit, "HEAD"])
    if own.ok:
        return commit
    words = ["for-each-ref", "--count=1", "--contains", commit, "refs/remotes"]
    published = await git.run(ctx.workspace, words)
    if published.ok and published.out.strip():
        return commit
    return refused(f"{name!r} is neither on this branch nor on the remote: it is the owner's alone.")
