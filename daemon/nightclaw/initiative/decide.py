"""One decision for the waiting signals of one subject, written with all that follows from it in one transaction.

What follows is rows only: a task or an inbox entry, a note in the outbox, facts. Nothing here can act. Where the
rules leave room and a model may be asked, nothing is written: the answer is what to ask, and deciding comes again
with the opinion. The opinion counts for exactly the signals it was asked about, inside floor and cap.
"""

from dataclasses import dataclass, field, replace

from nightclaw.core.ids import new_id
from nightclaw.core.ports import Usage
from nightclaw.core.trust import Trust
from nightclaw.core.types import JSON, Signal, Source, Verdict, final_verdict, lower
from nightclaw.initiative import heard, notes
from nightclaw.initiative.judgement import Judgement
from nightclaw.initiative.weighing import Finding, Stance, Weighed, weigh
from nightclaw.initiative.work import Work, start_work
from nightclaw.store import events, notifications, signals
from nightclaw.store.db import Connection

__all__ = ["Finding", "NeedsTriage", "Opinion", "Stance", "decide"]

HOUR_MS = 3_600_000
OLD_MS = 7 * 24 * HOUR_MS
ASKED_AT_MOST = 2
NOBODY_JUDGED = "no model judged it"


@dataclass(frozen=True, slots=True)
class Opinion:
    """What asking a model came to. verdict None: nobody answered usefully, so the floor holds; reason says why.

    usage: of everything asked for this decision; calls: how many HTTP calls that took.
    """

    decision_id: str
    signal_ids: tuple[str, ...]
    verdict: Verdict | None
    reason: str
    model: str | None = None
    usage: Usage = field(default_factory=Usage)
    calls: int = 0
    times_asked: int = 1

    def usage_json(self) -> dict[str, JSON]:
        return {"model": self.model, "model_calls": self.calls, **self.usage.as_json()} if self.calls else {}


@dataclass(frozen=True, slots=True)
class NeedsTriage:
    """The rules leave room between floor and cap: what to ask about. repos: whose bytes the question would show.

    decision_id: the decision to be, which the ledger cites. earlier: what was asked before others joined.
    """

    decision_id: str
    subject: str
    signal_ids: tuple[str, ...]
    lead_id: str
    cause: str
    rule: str
    floor: Verdict
    cap: Verdict
    presence: str
    repos: frozenset[str]
    changes: tuple[dict[str, JSON], ...] = ()
    earlier: Opinion | None = None


def decide(
    conn: Connection, subject: str, stance: Stance, now: int, opinion: Opinion | None = None
) -> str | NeedsTriage | None:
    """Decide what waits on `subject`: the decision's id, what to ask a model first, or None when nothing waited."""
    only = ()
    if opinion is not None and opinion.verdict is not None and opinion.times_asked >= ASKED_AT_MOST:
        only = opinion.signal_ids  # what joined since is decided next, so that asking ends
    weighed = weigh(conn, subject, stance, now, only)
    if weighed is None:
        return None
    lead = weighed.lead
    limit = _hourly_limit(conn, lead.judgement, now)
    asks = lead.judgement.floor.rank < lower(lead.judgement.cap, limit).rank
    fits = opinion is not None and (opinion.verdict is None or opinion.signal_ids == weighed.signal_ids)
    silence = _why_not_asked(lead, stance, now)
    if asks and silence is None and not fits:
        return _question(weighed, stance, opinion, now)
    judgement, verdict = _settled(lead.judgement, limit, opinion if fits and asks else None)
    if asks and silence is not None and not fits:
        judgement = replace(judgement, reason=f"{judgement.reason}; {silence}")
    decision_id = opinion.decision_id if opinion else new_id("dec", now)
    _write(conn, weighed, stance, judgement, verdict, opinion, decision_id, now)
    return decision_id


def _write(
    conn: Connection,
    weighed: Weighed,
    stance: Stance,
    judgement: Judgement,
    verdict: Verdict,
    opinion: Opinion | None,
    decision_id: str,
    now: int,
) -> None:
    weighed.notebook.keep(now)
    lead = replace(weighed.lead, judgement=judgement)
    found = [lead if f is weighed.lead else f for f in weighed.found]
    reason = judgement.reason
    work = Work(task_id=None, reason="")
    if verdict.rank >= Verdict.PROPOSE.rank and not stance.shadow:
        about = _about(lead)
        work = start_work(conn, about, judgement, verdict, decision_id, stance.has_model, now)
        reason = f"{reason}; {work.reason}" if work.reason else reason
    notification_id: str | None = None
    for draft in notes.compose(found, lead, verdict, work, stance):
        queued = notifications.queue(conn, draft, now=now, decision_id=decision_id, shadow=stance.shadow)
        notification_id = notification_id or queued
    row: dict[str, object] = {
        "id": decision_id,
        "verdict": str(verdict),
        "reason": reason,
        "rule": judgement.rule,
        "floor": str(judgement.floor),
        "cap": str(judgement.cap),
        "policy_version": stance.rules.version,
        "presence": stance.presence,
        "facts": events.dumps([c for f in found for c in f.changes]),
        "usage": events.dumps(opinion.usage_json() if opinion else {}),
        "shadow": stance.shadow,
        "task_id": work.task_id,
        "notification_id": notification_id,
        "created_at": now,
    }
    told = signals.decide(conn, row, list(weighed.signal_ids))
    if verdict.rank >= Verdict.NOTIFY.rank and not stance.shadow:
        heard.keep(conn, lead.signal, told, work.task_id, now)


def _settled(judgement: Judgement, limit: Verdict, opinion: Opinion | None) -> tuple[Judgement, Verdict]:
    """`min(max(triage or floor, floor), cap, limit)`, and the reason with what was said."""
    told = opinion.verdict if opinion else None
    verdict = final_verdict(judgement.floor, judgement.cap, triage=told, budget_cap=limit)
    reason = judgement.reason
    if opinion is not None and told is not None:
        reason += f"; the model says {told}: {opinion.reason}"
        if told is not verdict:
            reason += f" (from {judgement.floor} to {judgement.cap} is possible, so {verdict})"
    elif opinion is not None:
        reason += f"; {opinion.reason}, so {judgement.floor} holds"
    if limit is not Verdict.ACT and judgement.floor.rank > limit.rank:
        reason += f", but {judgement.per_hour} an hour is its cap: recorded only"
    return replace(judgement, reason=reason), verdict


def _hourly_limit(conn: Connection, judgement: Judgement, now: int) -> Verdict:
    """The rule's hourly cap: once it is reached nothing above record comes of the rule."""
    if judgement.per_hour is None or judgement.cap.rank < Verdict.NOTIFY.rank:
        return Verdict.ACT
    used = signals.recent_by_rule(conn, judgement.rule, now - HOUR_MS)
    return Verdict.ACT if used < judgement.per_hour else Verdict.RECORD


def _why_not_asked(lead: Finding, stance: Stance, now: int) -> str | None:
    """Why no model is asked where the rules leave room; None when one is.

    What would be recorded anyway is not worth a question when a machine wrote it, or a long pause is made up for.
    """
    if not stance.may_triage:
        return NOBODY_JUDGED
    if lead.judgement.floor.rank > Verdict.RECORD.rank:
        return None
    attrs = lead.signal.attrs
    if attrs.get("actor_type") == "Bot" or str(lead.signal.actor or "").endswith("[bot]"):
        return "a bot wrote it, so no model is asked"
    if now - lead.signal.created_at > OLD_MS:
        return "it lay for over a week, so no model is asked"
    return None


def _question(weighed: Weighed, stance: Stance, earlier: Opinion | None, now: int) -> NeedsTriage:
    lead = weighed.lead
    named = [f.signal.repo for f in weighed.found] + [c.get("repo") for c in lead.changes]
    return NeedsTriage(
        decision_id=earlier.decision_id if earlier else new_id("dec", now),
        subject=lead.signal.subject,
        signal_ids=weighed.signal_ids,
        lead_id=lead.signal.id,
        cause="tick" if lead.signal.source is Source.TICK else "signal",
        rule=lead.judgement.rule,
        floor=lead.judgement.floor,
        cap=lead.judgement.cap,
        presence=stance.presence,
        repos=frozenset(str(r) for r in named if r),
        changes=tuple(c for c in lead.changes if c.get("tell")),
        earlier=earlier,
    )


def _about(lead: Finding) -> Signal:
    """What a task would be about: of a tick, the fact that changed. What a repository's fact says is WORLD text."""
    told = [c for c in lead.changes if c.get("tell")]
    if not told:
        return lead.signal
    repos = {str(c["repo"]) for c in told if c.get("repo")}
    subject = str(told[0].get("subject", lead.signal.subject)) if len(told) == 1 else lead.signal.subject
    if subject == "orders":
        subject = ":".join(str(told[0]["key"]).split(":")[:2])
    return replace(
        lead.signal,
        subject=subject,
        repo=next(iter(repos)) if len(repos) == 1 else lead.signal.repo,
        trust=Trust.WORLD if repos else lead.signal.trust,
        private=any(bool(c.get("private")) for c in told),
    )
