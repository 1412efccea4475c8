"""`rules test`: the journal judged again by the present rules, writing nothing.

Incidents are followed in memory from the first signal replayed, so a branch that was red before counts as green.
"""

from dataclasses import dataclass, field

from nightclaw.core.types import JSON, Signal, Source, Verdict, final_verdict
from nightclaw.initiative import incidents, pulls
from nightclaw.initiative.judgement import Judgement, Knowledge
from nightclaw.initiative.rules import RuleSet, judge
from nightclaw.store import signals
from nightclaw.store.db import Connection

PAGE = 500
LISTED = 500


@dataclass(slots=True)
class Replay:
    """rows are lists of what would be told, asked and done, and of those that were decided otherwise then."""

    since_at: int
    signals: int = 0
    counts: dict[str, int] = field(default_factory=lambda: {str(v): 0 for v in Verdict})
    told: list[dict[str, JSON]] = field(default_factory=list[dict[str, JSON]])
    asked: list[dict[str, JSON]] = field(default_factory=list[dict[str, JSON]])
    done: list[dict[str, JSON]] = field(default_factory=list[dict[str, JSON]])
    changed: list[dict[str, JSON]] = field(default_factory=list[dict[str, JSON]])


@dataclass(slots=True)
class _Memory:
    facts: dict[str, JSON] = field(default_factory=dict[str, JSON])


def replay(conn: Connection, rules: RuleSet, since_at: int) -> Replay:
    """Judge every signal since then (chats apart), oldest first."""
    result, memory, after = Replay(since_at), _Memory(), ""
    while page := signals.since(conn, since_at, after, PAGE):
        after = page[-1].id
        for signal in page:
            if signal.source is not Source.CHAT:
                _one(conn, signal, rules, memory, result)
    return result


def _one(conn: Connection, signal: Signal, rules: RuleSet, memory: _Memory, result: Replay) -> None:
    judgement = _judge(conn, signal, rules, memory)
    verdict = final_verdict(judgement.floor, judgement.cap, triage=None, budget_cap=Verdict.ACT)
    was = signals.verdict_of(conn, signal.id)
    result.signals += 1
    result.counts[str(verdict)] += 1
    row: dict[str, JSON] = {
        "signal": signal.id,
        "at": signal.created_at,
        "subject": signal.subject,
        "kind": signal.kind,
        "verdict": str(verdict),
        "was": was,
        "rule": judgement.rule,
        "reason": judgement.reason,
        "title": signal.title,
    }
    shelf = {Verdict.NOTIFY: result.told, Verdict.PROPOSE: result.asked, Verdict.ACT: result.done}.get(
        verdict
    )
    if shelf is not None and len(shelf) < LISTED:
        shelf.append(row)
    if was is not None and was != str(verdict) and len(result.changed) < LISTED:
        result.changed.append(row)


def _judge(conn: Connection, signal: Signal, rules: RuleSet, memory: _Memory) -> Judgement:
    if signal.source is Source.TICK:
        changes = signal.attrs.get("changes")
        tells = isinstance(changes, list) and any(isinstance(c, dict) and c.get("tell") for c in changes)
        verdict = Verdict.NOTIFY if tells else Verdict.RECORD if changes else Verdict.IGNORE
        return Judgement(
            verdict, verdict, "probe:changed" if changes else "probe:none", "what the probes found"
        )
    key = pulls.fact_key(signal)
    if key is not None:
        memory.facts[key] = pulls.learn(memory.facts.get(key), signal)
    about = key or pulls.checked_pull(signal)
    pull = memory.facts.get(about) if about else None
    if about is None and incidents.check_of(signal) is not None:
        prefix = f"pr:{signal.repo}#"
        listed = {k: v for k, v in memory.facts.items() if k.startswith(prefix)}
        pull = pulls.of_check(listed, signal)
    known = Knowledge(pull=pull, payload=lambda: signals.payload(conn, signal.id))
    judgement = judge(signal, rules, known)
    gone = incidents.ended_branch(signal)
    if gone is not None:
        memory.facts.pop(gone, None)
    check = incidents.check_of(signal)
    if check is None or not incidents.follows(judgement):
        return judgement
    held, turn = incidents.advance(memory.facts.get(check.fact_key), check, signal.id, signal.created_at)
    memory.facts[check.fact_key] = held
    return incidents.after(judgement, turn)
