"""Making a commit: what goes into it, who it says made it, and what it must not hold."""

import asyncio
import hashlib
import re
from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path
from typing import cast

from nightclaw.core import failpoints
from nightclaw.core.outbound import Finding, added_lines, find
from nightclaw.core.tools import ToolContext, ToolResult, Workspace
from nightclaw.tools.git_ports import GitService, refused, told
from nightclaw.tools.git_stage import links, must, stage, tree_of

LARGEST_DIFF = 48 * 1024 * 1024
MESSAGE = 20_000
TOLD = 5
_OURS = re.compile(r"(?im)^(?:nightclaw-[\w-]+|assisted-by: *nightclaw).*\n?")
_SAFE_KEY = re.compile(r"[\w.:-]{1,80}", re.ASCII)
WHOLE_DIFF = ("--text", "--no-renames", "--no-ext-diff", "--no-textconv", "--no-color", "--unified=0",
              "--src-prefix=a/", "--dst-prefix=b/")  # fmt: skip


async def commit(git: GitService, ctx: ToolContext, message: str, paths: list[str]) -> ToolResult:
    """Commit what is staged, or `paths`, or everything when nothing is staged. A call made twice commits once."""
    words = _OURS.sub("", message.replace("\r\n", "\n").replace("\0", "")).strip()
    if not words or len(words) > MESSAGE:
        return refused("A commit needs a `message`: a subject line, and below a blank line why.")
    async with git.alone(ctx.workspace):
        done = await found(git, ctx)
        if done is not None:
            return done
        astray = await off_branch(git, ctx.workspace)
        if astray is not None:
            return astray
        nested = (
            []
            if not paths and await _is_staged(git, ctx.workspace)
            else await stage(git, ctx.workspace, paths)
        )
        failpoints.hit("git.staged")
        tree = await tree_of(git, ctx.workspace, paths)
        held = await _guard(git, ctx, words, tree)
        if held is not None:
            return held
        result = await _make(git, ctx, words, tree, nested)
    failpoints.hit("git.committed")
    return result


async def found(git: GitService, ctx: ToolContext) -> ToolResult | None:
    """The commit this very call made, when it did."""
    work = ctx.workspace
    span = f"{work.base}..HEAD" if work.base else "HEAD"
    words = ["log", "--no-show-signature", "--max-count=200", "--fixed-strings", f"--grep={_trailer(ctx)}"]
    ran = await git.run(work, [*words, "--format=%H", span])
    shas = ran.out.split() if ran.ok else []
    return await _told(git, ctx, shas[0]) if shas else None


async def off_branch(git: GitService, work: Workspace) -> ToolResult | None:
    """A refusal when the worktree is not on the task's own branch."""
    ran = await git.run(work, ["symbolic-ref", "--quiet", "HEAD"])
    if ran.out.strip() == f"refs/heads/{work.branch}":
        return None
    return refused(f"The worktree is not on its branch {work.branch} any more; the owner has to look at it.")


async def _is_staged(git: GitService, work: Workspace) -> bool:
    ran = await git.run(work, ["diff-index", "--cached", "--quiet", "HEAD", "--"])
    return ran.code == 1


async def _guard(git: GitService, ctx: ToolContext, message: str, tree: str) -> ToolResult | None:
    """What stands against committing this very tree."""
    ran = await git.run(
        ctx.workspace, ["diff-tree", "-r", "--patch", *WHOLE_DIFF, "HEAD", tree], limit=LARGEST_DIFF
    )
    if ran.is_cut:
        return refused(
            "This commit is too large to be checked for secrets (over 48 MiB): commit less at once."
        )
    if not ran.ok:
        return refused(f"git diff did not: {ran.said}.")
    if not ran.out:
        return refused(
            'Nothing to commit: there are no changes there. `Git(action="status")` shows what there is.'
        )
    linked = await links(git, ctx.workspace, tree)
    if linked:
        return refused(
            f"{', '.join(linked[:5])}: a repository inside the worktree is not committed; unstage it."
        )
    return held_back(await findings(ctx, ran.out, message), "commit")


async def findings(ctx: ToolContext, diff: str, message: str) -> list[Finding]:
    """What in a diff's added lines and file names, or in the message, must not go out."""

    def look() -> list[Finding]:
        found = guard(ctx, message, "the message")
        for name, text in added_lines(diff):
            named = guard(ctx, name, "the name of a file")
            found += named + guard(ctx, text, "added text" if named else f"what is added to {name}")
        return found

    return await asyncio.to_thread(look)


def guard(ctx: ToolContext, text: str, where: str) -> list[Finding]:
    """The findings of one text that is on its way to the task's repository."""
    work = ctx.workspace
    is_local = work.origin_url is not None and work.origin_url.startswith(("/", "file:"))
    return find(
        text,
        where=where,
        is_public=not work.is_private and not is_local,
        home=str(Path.home()),
        private_names=_names(ctx, "private_names"),
        secrets=_names(ctx, "secrets"),
    )


def held_back(found: list[Finding], what: str) -> ToolResult | None:
    if not found:
        return None
    told = "\n".join(f"- {f}" for f in found[:TOLD])
    more = f"\n- and {len(found) - TOLD} more" if len(found) > TOLD else ""
    return refused(
        f"Not done: the {what} holds what must not leave this machine.\n{told}{more}\nTake it out first."
    )


def _names(ctx: ToolContext, service: str) -> Collection[str]:
    """What the daemon offers by this name: a callable giving strings, or nothing."""
    offered = ctx.services.get(service)
    return cast(Callable[[], Collection[str]], offered)() if callable(offered) else ()


async def _make(git: GitService, ctx: ToolContext, message: str, tree: str, nested: list[str]) -> ToolResult:
    work, author = ctx.workspace, await git.author(ctx.workspace)
    env = {
        "GIT_AUTHOR_NAME": author.name,
        "GIT_AUTHOR_EMAIL": author.email,
        "GIT_COMMITTER_NAME": "Nightclaw",
        "GIT_COMMITTER_EMAIL": author.email,
    }
    trailers = f"Nightclaw-Task: {ctx.task_id}\n{_trailer(ctx)}\nAssisted-by: Nightclaw"
    text = "\n".join(line.rstrip() for line in message.split("\n")) + f"\n\n{trailers}\n"
    head = must(await git.run(work, ["rev-parse", "HEAD"]), "find the last commit").out.strip()
    words = ["commit-tree", "--no-gpg-sign", "-p", head, "-F", "-", tree]
    made = must(
        await git.run(work, words, env=env, input=text.encode("utf-8", "replace")), "commit"
    ).out.strip()
    subject = text.partition("\n")[0][:72]
    move = ["update-ref", "-m", f"commit: {subject}", f"refs/heads/{work.branch}", made, head]
    must(await git.run(work, move, env=env), "move the branch")
    done = await _told(git, ctx, made)
    if not nested:
        return done
    left = ", ".join(nested[:5])
    return replace(done, text=f"{done.text}\nleft out, a repository of its own: {left}")


async def _told(git: GitService, ctx: ToolContext, sha: str) -> ToolResult:
    words = [
        "show",
        "--no-show-signature",
        "--no-ext-diff",
        "--no-textconv",
        "--stat=80",
        "--format=%h %s",
        sha,
    ]
    ran = await git.run(ctx.workspace, words)
    return told(ctx, f"committed on {ctx.workspace.branch}: {ran.out.strip()[:4_000]}", object_ids=(sha,))


def _trailer(ctx: ToolContext) -> str:
    key = ctx.key if _SAFE_KEY.fullmatch(ctx.key) else hashlib.sha256(ctx.key.encode()).hexdigest()[:32]
    return f"Nightclaw-Call: {key}"
