"""The small facts about a GitHub occurrence that rules read.

Only those that apply: event action actor actor_type created_at default_branch title url severity · of a thread:
number is_pr author association state draft merged branch sha fork label assignee reviewer team · of words: comment_id
mentions command · of a check: conclusion check suite branch sha prs run_attempt fork head_login · of a push:
branch sha pushed_by head_login commits deleted · object_ids. Every text is plain and clipped. `suite` is the same
for a workflow run, its jobs and their checks. `object_ids` name what an effect of our own could have made:
comment ids, node ids, commits, refs, `label:<node>:<name>`.
"""

import re

from nightclaw.core.types import JSON
from nightclaw.sources.github_keys import ZEROS, Body, obj, when, whole
from nightclaw.sources.github_text import command, mentions, plain

THREADS = ("issue", "pull_request", "discussion")
CHECKS = frozenset({"check_run", "check_suite", "workflow_run", "workflow_job", "status"})
MOST_IDS = 40

_SPEAKING = {
    "issues": ("issue", frozenset({"opened", "edited"})),
    "pull_request": ("pull_request", frozenset({"opened", "edited"})),
    "discussion": ("discussion", frozenset({"created", "edited"})),
    "issue_comment": ("comment", frozenset({"created", "edited"})),
    "commit_comment": ("comment", frozenset({"created", "edited"})),
    "discussion_comment": ("comment", frozenset({"created", "edited"})),
    "pull_request_review_comment": ("comment", frozenset({"created", "edited"})),
    "pull_request_review": ("review", frozenset({"submitted", "edited"})),
}
_RUN = re.compile(r"/actions/runs/(\d{1,20})(?:/|$)", re.ASCII)

Attrs = dict[str, JSON]


def login(value: object) -> str | None:
    return plain(value, 64) or None


def attrs_of(event: str, action: str, body: Body, bot: str | None) -> Attrs:
    """The facts of one occurrence. Never raises, whatever the body's shape."""
    sender = obj(body, "sender")
    found: dict[str, JSON] = {
        "event": event,
        "action": action or None,
        "actor": login(sender.get("login")),
        "actor_type": plain(sender.get("type"), 20) or None,
        "default_branch": plain(obj(body, "repository").get("default_branch"), 200) or None,
    }
    _thread(event, action, body, found)
    if event in CHECKS:
        _check(event, action, body, found)
    elif event == "push":
        _push(body, found)
    elif event in ("create", "delete"):
        _ref(body, found)
    elif event == "release":
        thing = obj(body, event)
        found["title"] = plain(thing.get("name")) or plain(thing.get("tag_name"))
        found["url"] = _url(thing)
        found["object_ids"] = _ids(thing.get("node_id"), thing.get("tag_name"))
    elif "alert" in body:
        _alert(obj(body, "alert"), found)
    elif event in ("label", "security_advisory", "milestone"):
        thing = obj(body, event)
        found["title"] = plain(thing.get("name")) or plain(thing.get("summary")) or plain(thing.get("title"))
    if event in _SPEAKING:
        _words(event, action, body, bot, found)
    found.setdefault("created_at", _at(event, action, body))
    return {k: v for k, v in found.items() if v is not None and v != "" and v != []}


def _url(thing: Body) -> str:
    return plain(thing.get("html_url"), 300)


def _ids(*values: object) -> list[JSON]:
    texts = (str(v) if whole(v) else plain(v, 120) for v in values)
    kept: list[JSON] = [t for t in dict.fromkeys(texts) if t and t != ZEROS]
    return kept[:MOST_IDS]


def thread_of(body: Body) -> tuple[str, Body]:
    """The issue, pull request or discussion a body is about: its name and itself, or ("", {})."""
    for name in THREADS:
        thing = obj(body, name)
        if thing:
            return name, thing
    return "", {}


def _thread(event: str, action: str, body: Body, found: Attrs) -> None:
    name, thing = thread_of(body)
    if not name:
        return
    is_pr = name == "pull_request" or isinstance(thing.get("pull_request"), dict)
    found["number"] = whole(thing.get("number"))
    found["is_pr"] = is_pr if name != "discussion" else None
    found["title"] = plain(thing.get("title"))
    found["url"] = _url(thing)
    found["author"] = login(obj(thing, "user").get("login"))
    found["association"] = plain(thing.get("author_association"), 30)
    found["state"] = plain(thing.get("state"), 30)
    if is_pr:
        head, draft = obj(thing, "head"), thing.get("draft")
        found["draft"] = draft if isinstance(draft, bool) else None
        merged = thing.get("merged", obj(thing, "pull_request").get("merged_at") is not None)
        found["merged"] = merged if isinstance(merged, bool) else None
        found["branch"] = plain(head.get("ref"))
        found["sha"] = plain(head.get("sha"), 64)
        found["fork"] = True if _differ(obj(body, "repository"), obj(head, "repo")) else None
    if event in ("issues", "pull_request", "discussion"):
        _change(action, body, thing, found)


def _change(action: str, body: Body, thing: Body, found: Attrs) -> None:
    """What an action on a thread was about: a label, a person, a new head."""
    node = thing.get("node_id")
    if action in ("labeled", "unlabeled"):
        label = plain(obj(body, "label").get("name"), 100)
        found["label"] = label
        if label and isinstance(node, str):
            found["object_ids"] = _ids(f"label:{plain(node, 64)}:{label}"[:120])
    elif action in ("assigned", "unassigned"):
        found["assignee"] = login(obj(body, "assignee").get("login"))
    elif action in ("review_requested", "review_request_removed"):
        found["reviewer"] = login(obj(body, "requested_reviewer").get("login"))
        team = obj(body, "requested_team")
        found["team"] = plain(team.get("slug"), 100) or plain(team.get("name"), 100)
    elif action in ("opened", "created"):
        found["object_ids"] = _ids(node, found.get("sha"))
    elif action == "synchronize":
        found["object_ids"] = _ids(found.get("sha"))
    elif action == "closed":
        found["object_ids"] = _ids(thing.get("merge_commit_sha"))


def _words(event: str, action: str, body: Body, bot: str | None, found: Attrs) -> None:
    """Who is called by what was written; of an edit only what the edit added."""
    name, actions = _SPEAKING[event]
    spoken = obj(body, name)
    if name in ("comment", "review"):
        found["url"] = _url(spoken) or found.get("url")
        found["association"] = plain(spoken.get("author_association"), 30) or found.get("association")
        found["object_ids"] = _ids(spoken.get("node_id"), spoken.get("id"))
        if name == "comment":
            found["comment_id"] = whole(spoken.get("id"))
            found["sha"] = plain(spoken.get("commit_id"), 64) or found.get("sha")
        else:
            found["state"] = plain(spoken.get("state"), 30).lower()
    text = spoken.get("body")
    if action not in actions or not isinstance(text, str) or "@" not in text:
        return
    names = ("nightclaw", bot) if bot else ("nightclaw",)
    called: list[str] = mentions(text)
    said = command(text, names)
    if action == "edited":
        before = obj(obj(body, "changes"), "body").get("from")
        if not isinstance(before, str):
            return
        gone = set(mentions(before))
        called = [m for m in called if m not in gone]
        said = said if said != command(before, names) else None
    found["mentions"] = [*called]
    found["command"] = said


def _check(event: str, action: str, body: Body, found: Attrs) -> None:
    thing = body if event == "status" else obj(body, event)
    found["sha"] = plain(thing.get("sha" if event == "status" else "head_sha"), 64)
    if action == "completed":  # a check asked for again still carries its former end
        found["conclusion"] = plain(thing.get("conclusion"), 40)
    found["check"] = plain(thing.get("name"))
    found["branch"] = plain(thing.get("head_branch"))
    found["prs"] = [*pull_numbers(thing, body)]
    found["url"] = _url(thing)
    found["run_attempt"] = whole(thing.get("run_attempt"))
    found["fork"] = True if _is_of_fork(thing, body) else None
    if event == "status":
        _status(body, found)
    elif event == "workflow_run":
        _run(thing, body, found)
    elif event == "workflow_job":
        number = whole(thing.get("run_id"))
        found["suite"] = f"run:{number}" if number else None
    elif event == "check_suite":
        found["check"] = plain(obj(thing, "app").get("name"))
        found["suite"] = _suite(thing)
    else:
        suite = obj(thing, "check_suite")
        found["branch"] = plain(suite.get("head_branch"))
        at = _RUN.search(plain(thing.get("details_url"), 300) or plain(thing.get("html_url"), 300))
        found["suite"] = f"run:{at[1]}" if at else _suite(suite)


def _is_of_fork(thing: Body, body: Body) -> bool:
    """A pull request to here that it belongs to has its head elsewhere, so its branch's name says nothing here."""
    listed = thing.get("pull_requests") or obj(thing, "check_suite").get("pull_requests")
    first = listed[0] if isinstance(listed, list) and listed and isinstance(listed[0], dict) else {}
    head, base = (obj(obj(first, side), "repo").get("id") for side in ("head", "base"))
    return base is not None and base == obj(body, "repository").get("id") and head not in (None, base)


def _differ(ours: Body, theirs: Body) -> bool:
    """Two repositories: told apart by their ids, which a rename keeps, else by their names."""
    for key in ("id", "full_name"):
        a, b = ours.get(key), theirs.get(key)
        if a is not None and b is not None:
            return a != b
    return False


def _suite(suite: Body) -> str | None:
    number = whole(suite.get("id"))
    return f"suite:{number}" if number else None


def _run(run: Body, body: Body, found: Attrs) -> None:
    workflow = obj(body, "workflow")
    found["check"] = plain(run.get("name")) or plain(workflow.get("name")) or plain(run.get("path"))
    found["title"] = plain(run.get("display_title"))
    number = whole(run.get("id"))
    found["suite"] = f"run:{number}" if number else None
    author = obj(obj(run, "head_commit"), "author")
    found["head_login"] = login(author.get("username")) or login(obj(run, "actor").get("login"))
    if _differ(obj(body, "repository"), obj(run, "head_repository")):
        found["fork"] = True


def _status(body: Body, found: Attrs) -> None:
    state = plain(body.get("state"), 20)
    found["state"] = state
    found["conclusion"] = state if state != "pending" else None
    found["check"] = plain(body.get("context"))
    found["url"] = plain(body.get("target_url"), 300)
    found["head_login"] = login(obj(obj(body, "commit"), "author").get("login"))
    listed = body.get("branches")
    heads = [b for b in listed[:20] if isinstance(b, dict)] if isinstance(listed, list) else []
    names = [
        plain(b.get("name")) for b in heads if obj(b, "commit").get("sha", body.get("sha")) == body.get("sha")
    ]
    names = names or [plain(b.get("name")) for b in heads]
    default = found.get("default_branch")
    found["branch"] = default if default in names else next(iter(names), None)


def pull_numbers(thing: Body, body: Body) -> list[int]:
    """Numbers of the pull requests of a check that are of the repository the event came from."""
    listed = thing.get("pull_requests")
    if not isinstance(listed, list):
        return []
    home = obj(body, "repository").get("id")
    numbers: list[int] = []
    for pull in listed[:20]:
        if isinstance(pull, dict):
            number = whole(pull.get("number"))
            base = obj(obj(pull, "base"), "repo").get("id", home)
            if number and base == home:
                numbers.append(number)
    return numbers


def _alert(alert: Body, found: Attrs) -> None:
    rule, weak = obj(alert, "rule"), obj(alert, "security_vulnerability")
    found["title"] = (
        plain(rule.get("description"))
        or plain(obj(alert, "security_advisory").get("summary"))
        or plain(alert.get("affected_package_name"))
    )
    found["severity"] = plain(rule.get("severity") or weak.get("severity") or alert.get("severity"), 20)
    found["url"] = _url(alert)
    found["state"] = plain(alert.get("state"), 40)


def _push(body: Body, found: Attrs) -> None:
    ref = plain(body.get("ref"))
    head = obj(body, "head_commit")
    commits = body.get("commits")
    listed = [c for c in commits if isinstance(c, dict)] if isinstance(commits, list) else []
    found["branch"] = ref.removeprefix("refs/heads/") if ref.startswith("refs/heads/") else None
    found["sha"] = plain(body.get("after"), 64)
    found["pushed_by"] = login(obj(body, "pusher").get("name")) or found.get("actor")
    found["head_login"] = login(obj(head, "author").get("username"))
    found["title"] = plain(head.get("message"))
    found["commits"] = len(listed) or None
    found["deleted"] = True if body.get("deleted") is True else None
    found["url"] = plain(body.get("compare"), 300)
    found["object_ids"] = _ids(body.get("after"), ref, *(c.get("id") for c in listed[-MOST_IDS:]))


def _ref(body: Body, found: Attrs) -> None:
    name, kind = plain(body.get("ref")), plain(body.get("ref_type"), 20)
    found["branch"] = name if kind == "branch" else None
    found["title"] = f"{kind} {name}".strip()
    found["object_ids"] = _ids(f"refs/{'tags' if kind == 'tag' else 'heads'}/{name}" if name else None)


_TIMES = {
    "opened": ("created_at",),
    "created": ("created_at", "started_at"),
    "closed": ("closed_at", "updated_at"),
    "completed": ("completed_at", "updated_at"),
    "submitted": ("submitted_at",),
    "published": ("published_at",),
    "released": ("published_at",),
    "prereleased": ("published_at",),
    "queued": ("created_at",),
    "requested": ("created_at",),
}
_HOLDS = {"issues": "issue", "pull_request_review": "review", "fork": "forkee", "page_build": "build"}


def _at(event: str, action: str, body: Body) -> str | None:
    """When it happened, as far as the body says."""
    if event == "push":
        return when(obj(body, "repository").get("pushed_at")) or when(
            obj(body, "head_commit").get("timestamp")
        )
    name = "comment" if event.endswith("_comment") else _HOLDS.get(event, event)
    thing = body if event == "status" else obj(body, name) or obj(body, "alert")
    for field in (*_TIMES.get(action, ()), "updated_at", "created_at"):
        at = when(thing.get(field))
        if at:
            return at
    return None
