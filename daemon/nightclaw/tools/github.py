"""The tool `GitHub`: reading and answering the issues and pull requests of the task's own repository.

Needs service `github`. What it reads was written by strangers: it comes quoted, bounded and labelled WORLD. What it
writes says who wrote it, holds no secret, and is made once however often it is asked for.
"""

import re
from collections.abc import Mapping
from typing import cast

from nightclaw.core.errors import NightclawError
from nightclaw.core.tools import Redo, Tool, ToolContext, ToolResult, ToolSpec
from nightclaw.core.types import JSONObject
from nightclaw.tools import github_text as text
from nightclaw.tools import github_write as write
from nightclaw.tools.git_ports import known_only, refused
from nightclaw.tools.github_write import GitHubService, Target, declined, result

ACTIONS = ("read_issue", "read_pr", "read_checks", "list_comments", "comment", "label", "create_pr")
TOLD_COMMENTS = 30
SPEC = ToolSpec(
    name="GitHub",
    description=(
        "The task's own repository on GitHub. `number` is the issue or pull request, by default the task's own. "
        "create_pr makes one of the pushed task branch."
    ),
    input_schema={
        "type": "object",
        "properties": {
            "action": {"type": "string", "enum": list(ACTIONS)},
            "number": {"type": "integer"},
            "body": {"type": "string", "description": "comment, create_pr: Markdown"},
            "name": {"type": "string", "description": "label"},
            "title": {"type": "string"},
            "draft": {"type": "boolean"},
        },
        "required": ["action"],
    },
    redo=Redo.PROBE,
    deadline_s=120.0,
)
_SUBJECT = re.compile(r"([\w.-]{1,100}/[\w.-]{1,100})(?:[#@](.*))?", re.DOTALL)


class GitHubTool:
    """core.tools.Tool."""

    spec = SPEC

    async def run(self, args: JSONObject, ctx: ToolContext) -> ToolResult:
        github, target = _service(ctx), target_of(args, ctx)
        if github is None or target is None:
            return refused("This task belongs to no repository on GitHub: tell the owner instead.")
        try:
            known_only(args, SPEC)
            match args.get("action"):
                case "comment":
                    return await write.comment(github, ctx, target, str(args.get("body") or ""))
                case "label":
                    return await write.label(github, ctx, target, str(args.get("name") or ""))
                case "create_pr":
                    return await write.create_pr(github, ctx, target, args)
                case "read_checks":
                    return await _checks(github, ctx, target)
                case "read_issue" | "read_pr" | "list_comments" if target.number is None:
                    return refused(f"{args['action']} needs the `number` of an issue or pull request.")
                case "read_issue":
                    return await _issue(github, ctx, target)
                case "read_pr":
                    return await _pull(github, ctx, target)
                case "list_comments":
                    return await _comments(github, ctx, target)
                case other:
                    return refused(f"GitHub has no action {other!r}. The actions are: {', '.join(ACTIONS)}.")
        except NightclawError as error:
            return refused(f"{error.message}. {error.hint}".strip())

    async def probe(self, args: JSONObject, ctx: ToolContext) -> ToolResult | None:
        """What a cut call made, None when it made nothing."""
        github, target = _service(ctx), target_of(args, ctx)
        return None if github is None or target is None else await write.happened(github, ctx, target, args)


def build(config: Mapping[str, object], deps: Mapping[str, object]) -> Tool:
    return GitHubTool()


def target_of(args: JSONObject, ctx: ToolContext) -> Target | None:
    """The task's repository, and the number that was named or the task's own; None for a task of no repository."""
    found = _SUBJECT.fullmatch(ctx.subject)
    repo = ctx.workspace.repo or (found[1] if found else None)
    if repo is None or ".." in repo:
        return None
    number = args.get("number")
    if isinstance(number, str) and number.isascii() and number.isdigit():
        number = int(number)  # small models quote their numbers
    if number is not None and not isinstance(number, int):
        return None
    if isinstance(number, int) and not isinstance(number, bool) and number > 0:
        return Target(repo, number)
    own = found[2] if found and found[1].lower() == repo.lower() and found[2] else ""
    return Target(repo, int(own) if own.isascii() and own.isdigit() else None)


def _service(ctx: ToolContext) -> GitHubService | None:
    found = ctx.services.get("github")
    return cast(GitHubService, found) if found is not None else None


async def _issue(github: GitHubService, ctx: ToolContext, target: Target) -> ToolResult:
    status, found = await github.ask("GET", f"{target.path}/issues/{target.number}")
    if status != 200:
        return declined(status, found, f"show {target.name}")
    thing = text.row(found)
    return result(
        ctx, target, f"{text.thread(target.repo, thing)}\ncomments: {text.word(thing.get('comments'))}"
    )


async def _pull(github: GitHubService, ctx: ToolContext, target: Target) -> ToolResult:
    status, found = await github.ask("GET", f"{target.path}/pulls/{target.number}")
    if status != 200:
        return declined(status, found, f"show pull request {target.name}")
    status, files = await github.ask("GET", f"{target.path}/pulls/{target.number}/files?per_page=100")
    return result(
        ctx, target, text.pull(target.repo, text.row(found), text.rows(files) if status == 200 else [])
    )


async def _comments(github: GitHubService, ctx: ToolContext, target: Target) -> ToolResult:
    """The newest comments, those on lines of a pull request with their file."""
    found = await write.newest_comments(github, target)
    path = f"{target.path}/pulls/{target.number}/comments?per_page=100&sort=created&direction=desc"
    status, reviews = await github.ask("GET", path)
    found += text.rows(reviews) if status == 200 else []
    found.sort(key=lambda one: str(one.get("created_at")))
    left = len(found) - TOLD_COMMENTS
    more = f"({left} older ones are not shown)\n\n" if left > 0 else ""
    return result(ctx, target, more + text.comments(found[-TOLD_COMMENTS:]))


async def _checks(github: GitHubService, ctx: ToolContext, target: Target) -> ToolResult:
    """The checks of a pull request's head; without a number those of the task's own pushed branch."""
    ref = ctx.workspace.branch
    if target.number is not None:
        status, found = await github.ask("GET", f"{target.path}/pulls/{target.number}")
        head = text.word(text.row(text.row(found).get("head")).get("sha"), 64) if status == 200 else ""
        ref = head or ref
    if ref is None:
        return refused("read_checks needs the `number` of a pull request.")
    status, found = await github.ask("GET", f"{target.path}/commits/{ref}/check-runs?per_page=100")
    if status != 200:
        return declined(status, found, f"show the checks of {ref}")
    return result(ctx, target, f"checks of {ref}:\n{text.checks(text.rows(found, 'check_runs'))}")
