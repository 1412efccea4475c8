"""One decision for the waiting signals of one subject, written with all that follows from it in one transaction.

What follows is rows only: a task or an inbox entry, a note in the outbox, facts. Nothing here can act.
"""

from dataclasses import dataclass, field, replace

from nightclaw.core.ids import new_id
from nightclaw.core.types import JSON, Signal, Source, Verdict, final_verdict
from nightclaw.initiative import incidents, notes, pulls
from nightclaw.initiative.judgement import Judgement, Knowledge
from nightclaw.initiative.rules import RuleSet, judge
from nightclaw.initiative.work import Work, start_work
from nightclaw.store import effects, events, facts, notifications, signals
from nightclaw.store.db import Connection

HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class Stance:
    """What holds while deciding: the rules, where the owner is, whether a model may be asked, shadow mode."""

    rules: RuleSet
    presence: str
    has_model: bool
    shadow: bool


@dataclass(slots=True)
class Finding:
    """A signal, its judgement, and what its check turned on its branch."""

    signal: Signal
    judgement: Judgement
    turn: incidents.Turn | None = None
    check: incidents.Check | None = None
    red_since: int | None = None
    first_red: str = ""
    changes: list[dict[str, JSON]] = field(default_factory=list[dict[str, JSON]])


def decide(conn: Connection, subject: str, stance: Stance, now: int) -> str | None:
    """Decide everything that waits on `subject`; the decision's id, or None when nothing waited."""
    waiting = signals.pending_of(conn, subject)
    if not waiting:
        return None
    found = [_find(conn, s, stance, now) for s in waiting]
    lead = max(found, key=lambda f: f.judgement.floor.rank)
    verdict = final_verdict(lead.judgement.floor, lead.judgement.cap, triage=None, budget_cap=Verdict.ACT)
    judgement, verdict = _capped(conn, lead.judgement, verdict, now)
    decision_id = new_id("dec", now)
    reason = judgement.reason
    work = Work(task_id=None, reason="")
    if verdict.rank >= Verdict.PROPOSE.rank and not stance.shadow:
        work = start_work(conn, lead.signal, judgement, verdict, decision_id, stance.has_model, now)
        reason = f"{reason}; {work.reason}" if work.reason else reason
    drafts = notes.compose(found, lead, verdict, work, stance)
    notification_id: str | None = None
    for draft in drafts:
        queued = notifications.queue(conn, draft, now=now, decision_id=decision_id, shadow=stance.shadow)
        notification_id = notification_id or queued
    row: dict[str, object] = {
        "id": decision_id,
        "verdict": str(verdict),
        "reason": reason,
        "rule": judgement.rule,
        "floor": str(lead.judgement.floor),
        "cap": str(lead.judgement.cap),
        "policy_version": stance.rules.version,
        "presence": stance.presence,
        "facts": events.dumps([c for f in found for c in f.changes]),
        "usage": "{}",
        "shadow": stance.shadow,
        "task_id": work.task_id,
        "notification_id": notification_id,
        "created_at": now,
    }
    signals.decide(conn, row, [s.id for s in waiting])
    return decision_id


def _capped(conn: Connection, judgement: Judgement, verdict: Verdict, now: int) -> tuple[Judgement, Verdict]:
    """The rule's hourly cap: over it the verdict falls to record, and says so."""
    if judgement.per_hour is None or verdict.rank < Verdict.NOTIFY.rank:
        return judgement, verdict
    if signals.recent_by_rule(conn, judgement.rule, now - HOUR_MS) < judgement.per_hour:
        return judgement, verdict
    said = f"{judgement.reason}, but {judgement.per_hour} an hour is its cap: recorded only"
    return replace(judgement, reason=said), Verdict.RECORD


def _find(conn: Connection, signal: Signal, stance: Stance, now: int) -> Finding:
    pull = _learn_pull(conn, signal, now)
    known = Knowledge(
        own_echo=_is_own_echo(conn, signal),
        presence=stance.presence,
        pull=pull,
        payload=lambda: signals.payload(conn, signal.id),
    )
    if signal.source is Source.TICK:
        return _tick(conn, signal, now)
    judgement = judge(signal, stance.rules, known)
    finding = Finding(signal, judgement)
    if incidents.follows(judgement):
        _advance_incident(conn, finding, now)
    return finding


def _is_own_echo(conn: Connection, signal: Signal) -> bool:
    ids = signal.attrs.get("object_ids")
    if signal.source is not Source.GITHUB or not isinstance(ids, list) or not ids:
        return False
    return effects.is_own(conn, [str(i) for i in ids])


def _learn_pull(conn: Connection, signal: Signal, now: int) -> JSON:
    key = pulls.fact_key(signal)
    if key is None:
        checked = pulls.checked_pull(signal)
        known = facts.get(conn, checked) if checked else None
        return known.value if known else None
    held = facts.get(conn, key)
    value = pulls.learn(held.value if held else None, signal)
    facts.put(conn, key, value, now)
    return value


def _advance_incident(conn: Connection, finding: Finding, now: int) -> None:
    """Follow the branch's incident; its silence lowers, its recovery raises what the rule said."""
    check = incidents.check_of(finding.signal)
    if check is None:
        return
    held = facts.get(conn, check.fact_key)
    value, turn = incidents.advance(held.value if held else None, check, finding.signal.id, now)
    facts.put(conn, check.fact_key, value, now)
    told = held.value if held and isinstance(held.value, dict) else value
    since = told.get("since") if isinstance(told, dict) else None
    finding.check, finding.turn = check, turn
    finding.red_since = since if isinstance(since, int) else None
    finding.first_red = str(told.get("first", "")) if isinstance(told, dict) else ""
    finding.judgement = incidents.after(finding.judgement, turn)


def _tick(conn: Connection, signal: Signal, now: int) -> Finding:
    """Compare the probes' answers with the facts once more, and keep what is new."""
    fresh: list[dict[str, JSON]] = []
    changes = signal.attrs.get("changes")
    for change in changes if isinstance(changes, list) else []:
        if isinstance(change, dict) and facts.put(conn, str(change["key"]), change.get("value"), now):
            fresh.append(dict(change))
    if not fresh:
        quiet = Judgement(Verdict.IGNORE, Verdict.IGNORE, "probe:none", "no fact changed since the last tick")
        return Finding(signal, quiet)
    titles = "; ".join(str(c.get("title", c["key"])) for c in fresh)
    verdict = Verdict.NOTIFY if any(c.get("tell") for c in fresh) else Verdict.RECORD
    said = Judgement(verdict, verdict, "probe:changed", f"changed: {titles}"[:500], note_kind="fact")
    return Finding(signal, said, changes=fresh)
