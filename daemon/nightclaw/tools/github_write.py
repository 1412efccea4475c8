"""What the GitHub tool sends: comments, labels, pull requests. Each is recognised afterwards and made only once.

A comment and a pull request end with a visible line that says who wrote them, which nothing removes, and a hidden
marker with the call's key. Before one is made, and after a call that was cut, the marker is looked for.
"""

import re
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import quote

from nightclaw.core import failpoints
from nightclaw.core.errors import NightclawError
from nightclaw.core.tools import ToolContext, ToolResult
from nightclaw.core.trust import Label, Trust
from nightclaw.core.types import JSONObject
from nightclaw.tools.git_commit import guard, held_back
from nightclaw.tools.git_ports import refused
from nightclaw.tools.github_text import Row, row, rows, word

SIGNATURE = "*Written by Nightclaw, an automated agent working for its owner.*"
LONGEST = 60_000
_MARKS = re.compile(r"<!--\s*nightclaw:.*?(?:-->|\Z)", re.DOTALL)


class GitHubService(Protocol):
    """The service `github`: one call, `path` below the API's address. A refusal is a status with `message` in the
    body; raises NightclawError when GitHub cannot be asked at all."""

    async def ask(self, method: str, path: str, body: JSONObject | None = None) -> tuple[int, object]: ...


@dataclass(frozen=True, slots=True)
class Target:
    """Where a call goes: the task's own repository, and an issue or pull request of it."""

    repo: str
    number: int | None

    @property
    def path(self) -> str:
        return f"/repos/{self.repo}"

    @property
    def name(self) -> str:
        return f"{self.repo}#{self.number}" if self.number is not None else self.repo


def result(ctx: ToolContext, target: Target, text: str, *ids: object, sent: int = 0) -> ToolResult:
    """A result that carries what strangers wrote."""
    private = ctx.workspace.is_private or ctx.label.private
    return ToolResult(
        text,
        object_ids=tuple(str(i) for i in ids if isinstance(i, str | int) and i != ""),
        label=Label(Trust.WORLD, private, frozenset({target.repo})),
        sent_to=f"github:{target.name}" if sent else "",
        sent_bytes=sent,
    )


def declined(status: int, body: object, what: str) -> ToolResult:
    why = word(row(body).get("message"), 300)
    return refused(f"GitHub did not {what} ({status}){': ' + why if why else ''}.")


async def comment(github: GitHubService, ctx: ToolContext, target: Target, text: str) -> ToolResult:
    words = _MARKS.sub("", text).replace("\0", "").strip()
    if target.number is None or not words or len(words) > LONGEST:
        return refused("comment needs a `body` (at most 60,000 characters) and the `number` of an issue.")
    held = held_back(guard(ctx, words, "the comment"), "comment")
    if held is not None:
        return held
    body = f"{words}\n\n{SIGNATURE}\n{_marker(ctx)}"
    there = await _comment_there(github, ctx, target, body)
    if there is not None:
        return there
    try:
        status, made = await github.ask(
            "POST", f"{target.path}/issues/{target.number}/comments", {"body": body}
        )
        failpoints.hit("github.sent")
    except NightclawError as error:
        return await _after(error, lambda: _comment_there(github, ctx, target, body))
    if status != 201:
        return declined(status, made, "take the comment")
    return _commented(ctx, target, row(made), len(body.encode()))


async def _comment_there(
    github: GitHubService, ctx: ToolContext, target: Target, body: str | None
) -> ToolResult | None:
    """The comment of this call, or one of ours with the same words, when it is there already."""
    for one in await newest_comments(github, target):
        said = one.get("body")
        if not isinstance(said, str):
            continue
        same = body is not None and "<!-- nightclaw:" in said and _bare(said) == _bare(body)
        if _marker(ctx) in said or same:
            return _commented(ctx, target, one, 0)
    return None


async def newest_comments(github: GitHubService, target: Target) -> list[Row]:
    """The newest comments of an issue, at least a hundred if there are so many. Raises NightclawError."""
    status, found = await github.ask("GET", f"{target.path}/issues/{target.number}")
    if status != 200:
        why = word(row(found).get("message"), 300)
        raise NightclawError(f"GitHub does not show {target.name} ({status}): {why}", "is the number right?")
    count = row(found).get("comments")
    last = max((count if isinstance(count, int) else 0) + 99, 100) // 100
    listed: list[Row] = []
    for page in range(max(1, last - 1), last + 1):
        path = f"{target.path}/issues/{target.number}/comments?per_page=100&page={page}"
        status, found = await github.ask("GET", path)
        listed += rows(found) if status == 200 else []
    return listed


async def label(github: GitHubService, ctx: ToolContext, target: Target, name: str) -> ToolResult:
    name = name.strip()
    if target.number is None or not name or len(name) > 50:
        return refused("label needs the `name` of a label that exists and the `number` of an issue.")
    status, found = await github.ask("GET", f"{target.path}/labels/{quote(name, safe='')}")
    if status == 404:
        _, known = await github.ask("GET", f"{target.path}/labels?per_page=100")
        names = ", ".join(word(r.get("name"), 50) for r in rows(known)[:50])
        return refused(f"{target.repo} has no label {name!r}. It has: {names or 'none'}.")
    if status != 200:
        return declined(status, found, "show the label")
    status, thing = await github.ask("GET", f"{target.path}/issues/{target.number}")
    if status != 200:
        return declined(status, thing, "show the issue")
    object_id = f"label:{word(row(thing).get('node_id'), 64)}:{name}"[:120]
    if any(word(r.get("name")).lower() == name.lower() for r in rows(row(thing).get("labels"))):
        return result(ctx, target, f"{target.name} has the label {name} already.", object_id)
    path = f"{target.path}/issues/{target.number}/labels"
    status, answer = await github.ask("POST", path, {"labels": [name]})
    failpoints.hit("github.sent")
    if status != 200:
        return declined(status, answer, "set the label")
    return result(ctx, target, f"{target.name} is now labelled {name}.", object_id, sent=len(name))


async def create_pr(github: GitHubService, ctx: ToolContext, target: Target, args: JSONObject) -> ToolResult:
    work = ctx.workspace
    title, body = str(args.get("title") or "").strip(), _MARKS.sub("", str(args.get("body") or "")).strip()
    if work.branch is None or work.base_branch is None:
        return refused("There is no branch here to make a pull request of.")
    if not title or len(title) > 250 or len(body) > LONGEST:
        return refused("create_pr needs a `title` (one line, at most 250 characters) and a `body`.")
    held = held_back(guard(ctx, f"{title}\n{body}", "the pull request"), "pull request")
    if held is not None:
        return held
    there = await open_pull(github, ctx, target)
    if there is not None:
        return there
    sent: JSONObject = {
        "title": " ".join(title.split()),
        "body": f"{body}\n\n{SIGNATURE}\n{_marker(ctx)}".strip(),
        "head": _head(ctx, target),
        "base": work.base_branch,
        "draft": args.get("draft") is True,
    }
    try:
        status, made = await github.ask("POST", f"{target.path}/pulls", sent)
        failpoints.hit("github.sent")
    except NightclawError as error:
        return await _after(error, lambda: open_pull(github, ctx, target))
    if status == 422:
        return refused(
            f"GitHub did not make the pull request: {word(row(made).get('message'), 300)}. "
            "The branch has to be pushed first, with at least one commit."
        )
    if status != 201:
        return declined(status, made, "make the pull request")
    return _opened(ctx, target, row(made), "opened", len(str(sent)))


async def open_pull(github: GitHubService, ctx: ToolContext, target: Target) -> ToolResult | None:
    """The open pull request of the task's branch, when there is one. Raises NightclawError."""
    path = f"{target.path}/pulls?state=open&per_page=10&head={quote(_head(ctx, target), safe=':')}"
    status, found = await github.ask("GET", path)
    if status != 200:
        raise NightclawError(
            f"GitHub does not list pull requests ({status})", "does the token reach the repository?"
        )
    for one in rows(found):
        if row(one.get("head")).get("ref") == ctx.workspace.branch:
            return _opened(ctx, target, one, "is open already", 0)
    return None


async def happened(
    github: GitHubService, ctx: ToolContext, target: Target, args: JSONObject
) -> ToolResult | None:
    """Of a call that was cut: what it made, None when it made nothing, a refusal when GitHub cannot be asked."""
    try:
        match args.get("action"):
            case "comment" if target.number is not None:
                return await _comment_there(github, ctx, target, None)
            case "create_pr" if ctx.workspace.branch is not None:
                return await open_pull(github, ctx, target)
            case _:
                return None  # a label set twice is set once
    except NightclawError as error:
        return refused(f"It is not known whether this was sent: {error.message}. Look before you repeat it.")


class _Look(Protocol):
    async def __call__(self) -> ToolResult | None: ...


async def _after(error: NightclawError, look: "_Look") -> ToolResult:
    """After a call that failed on the way: it may have been heard, so the far side is asked before anything is said."""
    try:
        there = await look()
    except NightclawError:
        return refused(f"{error.message}. It is not known whether this was sent: look before you repeat it.")
    return there or refused(f"{error.message}. Nothing was sent. {error.hint}".strip())


def _marker(ctx: ToolContext) -> str:
    return f"<!-- nightclaw:{re.sub(r'[^A-Za-z0-9_.:-]', '_', ctx.key)[:80]} -->"


def _bare(text: str) -> str:
    return " ".join(_MARKS.sub("", text).split())


def _head(ctx: ToolContext, target: Target) -> str:
    """`owner:branch`: the owner by the address pushed to, for it may be a fork."""
    url = (ctx.workspace.origin_url or "").removesuffix(".git").rstrip("/")
    parts = re.split(r"[/:]", url)
    named = len(parts) > 2 and parts[-1].lower() == target.repo.partition("/")[2].lower()
    is_far = not url.startswith(("/", "file:"))
    owner = (
        parts[-2]
        if named and is_far and re.fullmatch(r"[\w-]{1,60}", parts[-2])
        else target.repo.partition("/")[0]
    )
    return f"{owner}:{ctx.workspace.branch}"


def _commented(ctx: ToolContext, target: Target, made: Row, sent: int) -> ToolResult:
    how = "commented on" if sent else "this comment is there already on"
    ids = (made.get("node_id"), made.get("id"))
    return result(ctx, target, f"{how} {target.name}: {word(made.get('html_url'), 300)}", *ids, sent=sent)


def _opened(ctx: ToolContext, target: Target, made: Row, how: str, sent: int) -> ToolResult:
    text = f"pull request {target.repo}#{word(made.get('number'))} {how}: {word(made.get('html_url'), 300)}"
    return result(ctx, target, text, made.get("node_id"), sent=sent)
