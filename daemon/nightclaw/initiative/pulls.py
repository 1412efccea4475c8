"""What is known of open pull requests, learned from signals as they pass: for probes that look at their age.

A pull request's fact `pr:owner/name#N` holds `{author, state, draft, title, branch, sha, fork, requested:
{login: at_ms}, last_at, private}`; it is forgotten when the pull request closes. Pure.
"""

from collections.abc import Mapping

from nightclaw.core.types import JSON, JSONObject, Signal
from nightclaw.initiative.incidents import CHECK_EVENTS


def fact_key(signal: Signal) -> str | None:
    """The fact a signal teaches something about, None when it is not about one pull request."""
    a = signal.attrs
    if (
        str(a.get("event")) in CHECK_EVENTS
        or not a.get("is_pr")
        or not signal.repo
        or not isinstance(a.get("number"), int)
    ):
        return None
    return f"pr:{signal.repo}#{a['number']}"


def checked_pull(signal: Signal) -> str | None:
    """The fact of the pull request a finished check belongs to, None when it names none."""
    prs = signal.attrs.get("prs")
    if not signal.repo or not isinstance(prs, list) or not prs or not isinstance(prs[0], int):
        return None
    return f"pr:{signal.repo}#{prs[0]}"


def of_check(pulls: Mapping[str, JSON], signal: Signal) -> JSON:
    """The open pull request a check that names none belongs to: by its head commit, else by its branch."""
    a = signal.attrs
    found = [p for p in pulls.values() if isinstance(p, dict)]
    by_head = (p for p in found if a.get("sha") and p.get("sha") == a["sha"])
    by_branch = (p for p in found if a.get("branch") and p.get("branch") == a["branch"] and not p.get("fork"))
    return next(by_head, None) or next(by_branch, None)


def learn(held: JSON, signal: Signal) -> JSONObject | None:
    """The pull request as it is known after this signal; None once it is closed."""
    a = signal.attrs
    event, action = str(a.get("event", "")), str(a.get("action", ""))
    known = dict(held) if isinstance(held, dict) else {}
    if a.get("state") == "closed" or (event == "pull_request" and action == "closed"):
        return None
    for name in ("title", "draft", "fork"):
        if a.get(name) is not None:
            known[name] = a[name]
    if event == "pull_request" and a.get("sha"):
        known["sha"] = a["sha"]
    for name in ("author", "branch"):
        if a.get(name) and not known.get(name):
            known[name] = a[name]
    asked = known.get("requested")
    requested: dict[str, JSON] = dict(asked) if isinstance(asked, dict) else {}
    reviewer = str(a.get("reviewer") or "").lower()
    if action == "review_requested" and reviewer:
        requested.setdefault(reviewer, signal.created_at)
    elif action == "review_request_removed" and reviewer:
        requested.pop(reviewer, None)
    elif event == "pull_request_review" and action == "submitted":
        requested.pop(str(a.get("actor") or "").lower(), None)
    known.update(state="open", requested=requested, last_at=signal.created_at, private=signal.private)
    return known
