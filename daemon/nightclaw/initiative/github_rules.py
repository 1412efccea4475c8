"""The default verdict for every GitHub event.

Told: a failed check on the owner's pull request or the default branch, a review asked of the owner, a mention,
an assignment. Started: the owner's (or a listed login's) label `nightclaw`, the owner's `@nightclaw` comment.
Proposed: the same from another collaborator. A stranger's words are at most proposed. Everything else is recorded.
"""

from nightclaw.core.types import Signal, Verdict
from nightclaw.initiative.incidents import check_of
from nightclaw.initiative.judgement import Judgement, Knowledge, Owner

LABEL = "nightclaw"
COLLABORATORS = frozenset({"OWNER", "MEMBER", "COLLABORATOR"})
SPOKEN = frozenset(
    {
        "issues.opened",
        "issue_comment.created",
        "pull_request.opened",
        "pull_request_review.submitted",
        "pull_request_review_comment.created",
        "commit_comment.created",
        "discussion.created",
        "discussion_comment.created",
    }
)


def judge(signal: Signal, owner: Owner, known: Knowledge) -> Judgement:
    """The first of the defaults that speaks about this signal."""
    for rule in (_label, _command, _check, _review, _assignment, _mention, _stranger):
        found = rule(signal, owner, known)
        if found is not None:
            return found
    return Judgement(Verdict.RECORD, Verdict.RECORD, "default:github", f"{signal.kind} is recorded")


def _fixed(verdict: Verdict, rule: str, reason: str, kind: str, headline: str | None = None) -> Judgement:
    return Judgement(verdict, verdict, f"default:{rule}", reason, note_kind=kind, headline=headline)


def _label(signal: Signal, owner: Owner, known: Knowledge) -> Judgement | None:
    a = signal.attrs
    if a.get("action") != "labeled" or str(a.get("label") or "").lower() != LABEL:
        return None
    if owner.may_start(signal.actor):
        return _fixed(Verdict.ACT, "label", f"{signal.actor} put the label {LABEL} on it", "work")
    return _fixed(Verdict.PROPOSE, "label", f"{signal.actor} asks for work by the label {LABEL}", "proposal")


def _command(signal: Signal, owner: Owner, known: Knowledge) -> Judgement | None:
    if signal.kind not in SPOKEN or not signal.attrs.get("command"):
        return None
    if owner.is_me(signal.actor):
        return _fixed(Verdict.ACT, "command", "you asked for it in a comment", "work")
    if signal.attrs.get("association") in COLLABORATORS:
        return _fixed(Verdict.PROPOSE, "command", f"{signal.actor} asks for work in a comment", "proposal")
    return Judgement(
        Verdict.NOTIFY if _names_me(signal, owner) else Verdict.RECORD,
        Verdict.PROPOSE,
        "default:command",
        f"{signal.actor} is a stranger here: at most proposed",
    )


def _check(signal: Signal, owner: Owner, known: Knowledge) -> Judgement | None:
    check = check_of(signal)
    if check is None:
        return None
    where = watched_branch(signal, owner, known)
    if where is None:
        return _fixed(Verdict.RECORD, "check", "neither your pull request nor the default branch", "ci")
    if check.failed:
        return _fixed(Verdict.NOTIFY, "ci", f"{check.name} failed on {where}", "ci")
    return _fixed(Verdict.RECORD, "ci", f"{check.name} passed on {where}", "ci")


def watched_branch(signal: Signal, owner: Owner, known: Knowledge) -> str | None:
    """Whose red is ours to tell: `the default branch`, `your pull request`, or None."""
    a = signal.attrs
    pull = known.pull if isinstance(known.pull, dict) else {}
    is_of_fork = a.get("fork") or (pull.get("fork") and pull.get("sha") == a.get("sha"))
    if a.get("branch") and a.get("branch") == a.get("default_branch") and not is_of_fork:
        return "the default branch"
    author = pull.get("author")
    if author is None:  # not seen before: whose commit it is, else who pushed
        author = a.get("head_login") or (signal.actor if a.get("prs") else None)
    return "your pull request" if owner.is_me(author) else None


def _review(signal: Signal, owner: Owner, known: Knowledge) -> Judgement | None:
    a = signal.attrs
    if signal.kind != "pull_request.review_requested" or not owner.is_me(a.get("reviewer")):
        return None
    if owner.is_me(signal.actor):
        return None
    return _fixed(
        Verdict.NOTIFY,
        "review",
        f"{signal.actor} asks for your review",
        "review",
        f"Review asked: {signal.subject}",
    )


def _assignment(signal: Signal, owner: Owner, known: Knowledge) -> Judgement | None:
    a = signal.attrs
    if a.get("action") != "assigned" or not owner.is_me(a.get("assignee")) or owner.is_me(signal.actor):
        return None
    return _fixed(
        Verdict.NOTIFY,
        "assigned",
        f"{signal.actor} assigned it to you",
        "assignment",
        f"Assigned to you: {signal.subject}",
    )


def _mention(signal: Signal, owner: Owner, known: Knowledge) -> Judgement | None:
    if not _names_me(signal, owner):
        return None
    return _fixed(
        Verdict.NOTIFY,
        "mention",
        f"{signal.actor} mentions you",
        "mention",
        f"{signal.actor} mentions you: {signal.subject}",
    )


def _names_me(signal: Signal, owner: Owner) -> bool:
    """Someone else calls me by name: in something new, or in what an edit added."""
    named = signal.attrs.get("mentions")
    if owner.is_me(signal.actor) or not isinstance(named, list):
        return False
    return (signal.kind in SPOKEN or signal.kind.endswith(".edited")) and any(owner.is_me(m) for m in named)


def _stranger(signal: Signal, owner: Owner, known: Knowledge) -> Judgement | None:
    if signal.kind not in SPOKEN or owner.is_me(signal.actor):
        return None
    return Judgement(
        Verdict.RECORD,
        Verdict.PROPOSE,
        "default:spoken",
        "someone else's words: recorded, at most proposed",
    )
