"""Incident style: one note when a branch breaks, one when it recovers, silence between.

A branch is red while at least one check has failed and not passed since. A check that passes clears itself; a
whole suite that passes (a workflow run, a check suite) clears the parts of the one that failed, and at another
commit the parts that nothing whole stands for. GitHub Actions makes a check suite for every workflow under one name,
so those are left out: the workflow runs tell them apart.
An incident ends with its branch, and when nothing failed for three days: a check that was renamed away never passes.
Pure: values in, values out.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from nightclaw.core.types import JSON, JSONObject, Signal, Verdict
from nightclaw.initiative.judgement import Judgement

WATCHED = "default:ci"

FAILING = frozenset({"failure", "error", "timed_out", "startup_failure"})
ACTIONS = frozenset({"github actions", "github-actions"})
WHOLE = frozenset({"workflow_run", "check_suite"})
STALE_MS = 3 * 24 * 3_600_000
CHECK_EVENTS = frozenset({"check_run", "check_suite", "workflow_run", "workflow_job", "status"})


class Turn(StrEnum):
    BROKE = "broke"
    STILL_RED = "still_red"
    RECOVERED = "recovered"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Check:
    """One finished check: which branch, which member of its checks, how it ended."""

    repo: str
    branch: str
    member: str
    name: str
    suite: str
    sha: str
    failed: bool
    is_whole: bool

    @property
    def fact_key(self) -> str:
        return f"ci:{self.repo}:{self.branch}"


def check_of(signal: Signal) -> Check | None:
    """The finished check a signal tells of; None when it tells of none or its end says nothing."""
    a = signal.attrs
    event = str(a.get("event", ""))
    conclusion = str(a.get("conclusion") or "")
    branch = a.get("branch")
    if event not in CHECK_EVENTS or not signal.repo or not isinstance(branch, str) or not branch:
        return None
    if conclusion not in FAILING and conclusion != "success":
        return None
    name = str(a.get("check") or event)
    if event == "check_suite" and name.lower() in ACTIONS:
        return None
    return Check(
        repo=signal.repo,
        branch=branch,
        member=f"{event}:{name}",
        name=name,
        suite=str(a.get("suite") or ""),
        sha=str(a.get("sha") or ""),
        failed=conclusion in FAILING,
        is_whole=event in WHOLE,
    )


def advance(held: JSON, check: Check, signal_id: str, now: int) -> tuple[JSONObject | None, Turn]:
    """The branch's next state (None: green) and what this check turned.

    held: `{"red": {member: {"suite", "sha"}}, "since": ms, "last": ms, "first": signal id}` or None when green.
    """
    last = held.get("last") if isinstance(held, dict) else None
    if check.failed and isinstance(last, int) and now - last > STALE_MS:
        held = None
    red = _members(held)
    if check.failed:
        turn = Turn.STILL_RED if red else Turn.BROKE
        red[check.member] = {"suite": check.suite, "sha": check.sha}
        since = held.get("since", now) if isinstance(held, dict) else now
        first = held.get("first", signal_id) if isinstance(held, dict) else signal_id
        return {"red": red, "since": since, "last": now, "first": first}, turn
    if not red:
        return None, Turn.NOTHING
    cleared = {m for m, v in red.items() if _is_cleared(check, red, m, v)}
    if not cleared:
        return _as_object(held), Turn.NOTHING
    left = {m: v for m, v in red.items() if m not in cleared}
    if left:
        assert isinstance(held, dict)
        return {**held, "red": left}, Turn.STILL_RED
    return None, Turn.RECOVERED


def _is_cleared(passed: Check, red: dict[str, dict[str, JSON]], member: str, failed: dict[str, JSON]) -> bool:
    """The member itself, a part of the suite that failed before under the same name, a part of an older commit."""
    if member == passed.member:
        return True
    if not passed.is_whole:
        return False
    before = red.get(passed.member, {}).get("suite")
    is_part = member.partition(":")[0] not in WHOLE
    is_older = bool(passed.sha and failed.get("sha")) and failed["sha"] != passed.sha
    return bool(before and failed.get("suite") == before) or (is_part and is_older)


def ended_branch(signal: Signal) -> str | None:
    """The incident that is over because its branch is: its pull request closed, or it was deleted."""
    a, branch = signal.attrs, signal.attrs.get("branch")
    if not signal.repo or not isinstance(branch, str) or branch == a.get("default_branch"):
        return None
    closed = signal.kind == "pull_request.closed"
    deleted = signal.kind == "delete" or (signal.kind == "push" and a.get("deleted") is True)
    return f"ci:{signal.repo}:{branch}" if closed or deleted else None


def follows(judgement: Judgement) -> bool:
    """True when a judgement is about a check of a branch whose red is ours to tell."""
    return judgement.rule == WATCHED


def after(judgement: Judgement, turn: Turn) -> Judgement:
    """What a check's judgement becomes: silence while it stays red, a note when it recovers."""
    if turn is Turn.STILL_RED:
        said = f"{judgement.reason}; it was red already and you were told"
        return replace(judgement, floor=Verdict.RECORD, cap=Verdict.RECORD, reason=said)
    if turn is Turn.RECOVERED:
        said = f"{judgement.reason}: it is green again"
        return replace(judgement, floor=Verdict.NOTIFY, cap=Verdict.NOTIFY, reason=said)
    return judgement


def _members(held: JSON) -> dict[str, dict[str, JSON]]:
    if not isinstance(held, dict):
        return {}
    red = held.get("red")
    return {str(k): dict(v) for k, v in red.items() if isinstance(v, dict)} if isinstance(red, dict) else {}


def _as_object(held: JSON) -> JSONObject | None:
    return held if isinstance(held, dict) else None
