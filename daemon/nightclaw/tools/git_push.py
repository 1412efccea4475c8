"""Pushing the task's own branch: created only where it is not, else moved forward, and checked for secrets before."""

from nightclaw.core import failpoints
from nightclaw.core.errors import NightclawError
from nightclaw.core.plain import one_line
from nightclaw.core.tools import ToolContext, ToolResult
from nightclaw.tools.git_commit import LARGEST_DIFF, WHOLE_DIFF, findings, held_back, off_branch
from nightclaw.tools.git_ports import GitService, refused, told

TOLD_COMMITS = 40


async def push(git: GitService, ctx: ToolContext) -> ToolResult:
    """Raises NightclawError when the origin cannot be asked beforehand: then nothing happened."""
    work = ctx.workspace
    if work.origin_url is None or work.branch is None or work.base is None:
        return refused(
            "There is nowhere to push to: the clone has no origin. Tell the owner where the branch is."
        )
    async with git.alone(work):
        astray = await off_branch(git, work)
        if astray is not None:
            return astray
        commits = await _commits(git, ctx)
        if not commits:
            return refused("Nothing to push: the branch has no commits yet. Commit first.")
        held = await _guard(git, ctx)
        if held is not None:
            return held
        there = await git.heads(work, [b for b in (work.branch, work.base_branch) if b])
        return await _send(git, ctx, commits, there.get(work.branch), there.get(work.base_branch or ""))


async def arrived(git: GitService, ctx: ToolContext) -> ToolResult | None:
    """Whether the branch on the origin is what is here. When the origin cannot be asked, a result that says so."""
    commits = await _commits(git, ctx)
    if not commits or ctx.workspace.branch is None or ctx.workspace.origin_url is None:
        return None
    try:
        there = await git.heads(ctx.workspace, [ctx.workspace.branch])
    except NightclawError as error:
        return refused(
            f"It is not known whether the push arrived: {error.message}. Push again later to find out."
        )
    if there.get(ctx.workspace.branch) != commits[0]:
        return None
    return _done(ctx, commits, "pushed", 0, "")


async def _commits(git: GitService, ctx: ToolContext) -> list[str]:
    """The branch's own commits, newest first."""
    ran = await git.run(ctx.workspace, ["rev-list", "--max-count=1000", f"{ctx.workspace.base}..HEAD"])
    return ran.out.split() if ran.ok else []


async def _guard(git: GitService, ctx: ToolContext) -> ToolResult | None:
    """Every commit of the branch is looked at, not only the last state: a push sends them all."""
    words = [
        "log",
        "--no-show-signature",
        "--patch",
        *WHOLE_DIFF,
        "--diff-merges=first-parent",
        "--format=%n",
    ]
    span = f"{ctx.workspace.base}..HEAD"
    ran = await git.run(ctx.workspace, [*words, span], limit=LARGEST_DIFF, timeout_s=120)
    if ran.is_cut:
        return refused(
            "These commits are too large to be checked for secrets (over 48 MiB): ask the owner to push."
        )
    said = await git.run(ctx.workspace, ["log", "--format=%B", span])
    if not ran.ok or not said.ok:
        return refused(f"git log did not: {ran.said}.")
    return held_back(await findings(ctx, ran.out, said.out), "push")


async def _send(
    git: GitService, ctx: ToolContext, commits: list[str], there: str | None, base: str | None
) -> ToolResult:
    work, tip = ctx.workspace, commits[0]
    if there == tip:
        return _done(ctx, commits, "was pushed already", 0, "")
    if there is not None and not await _is_ours(git, ctx, there):
        return refused(
            f"{work.branch} on origin has commits that are not here (at {there[:10]}): someone else pushed to it. "
            "Nothing was overwritten. Stop and tell the owner; do not try another branch."
        )
    ctx.say(f"pushing {work.branch}")
    size = await _size(git, ctx, there)
    try:
        pushed = await git.push(work, tip, is_new=there is None)
        failpoints.hit("git.pushed")
    except NightclawError as error:
        after = await arrived(git, ctx)
        if after is not None and not after.is_error:
            return after
        fate = "It did not arrive" if after is None else "It is not known whether it arrived"
        return refused(f"{error.message}. {fate}. {error.hint}".strip())
    if pushed.state == "refused":
        return _rejected(ctx, pushed.why)
    moved = base is not None and not await _is_ours(git, ctx, base)
    more = f" {work.base_branch} has moved on since the branch began." if moved else ""
    return _done(ctx, commits, "pushed", size, more)


async def _is_ours(git: GitService, ctx: ToolContext, commit: str) -> bool:
    return (await git.run(ctx.workspace, ["merge-base", "--is-ancestor", commit, "HEAD"])).ok


async def _size(git: GitService, ctx: ToolContext, there: str | None) -> int:
    """About how many bytes leave: what the new objects take on disk."""
    words = ["rev-list", "--objects", "--disk-usage", "HEAD", f"^{there or ctx.workspace.base}"]
    ran = await git.run(ctx.workspace, words)
    return int(ran.out) if ran.ok and ran.out.strip().isdigit() else 0


def _rejected(ctx: ToolContext, why: str) -> ToolResult:
    branch, said = ctx.workspace.branch, one_line(why, 500)
    if "stale info" in why or "already exists" in why or "fetch first" in why or "non-fast-forward" in why:
        text = f"{branch} was pushed by someone else at the same moment: nothing was overwritten. Tell the owner."
    elif "workflow" in why and "scope" in why:
        text = "GitHub refused changes below .github/workflows/: the token lacks the scope `workflow`. Tell the owner."
    elif "protected" in why or "pre-receive" in why or "hook declined" in why:
        text = "The remote's own rules refused the branch. Read why, and tell the owner if it is not yours to mend."
    else:
        text = "The remote refused the push."
    return refused(f"{text} It said: {said}")


def _done(ctx: ToolContext, commits: list[str], how: str, size: int, more: str) -> ToolResult:
    work = ctx.workspace
    ref = f"refs/heads/{work.branch}"
    return told(
        ctx,
        f"{work.branch} {how} to origin at {commits[0][:10]} ({len(commits)} commit(s)).{more}",
        object_ids=(commits[0], ref, *commits[1:TOLD_COMMITS]),
        sent_to=_host(work.origin_url or ""),
        sent_bytes=size,
    )


def _host(url: str) -> str:
    """Where an address leads, for the record: its host, or the local path."""
    if "://" in url and not url.startswith("file:"):
        return url.split("://", 1)[1].split("/", 1)[0].rpartition("@")[2]
    return (
        url.partition(":")[0].rpartition("@")[2] if ":" in url and not url.startswith(("/", "file:")) else url
    )
