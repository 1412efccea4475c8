"""The sentences of `why`: rows in, plain lines out, in the order things happened. Pure; reads nothing."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import TYPE_CHECKING

from sqlalchemy import RowMapping

from nightclaw.core.types import Verdict
from nightclaw.store.memories import LIVE, Memory
from nightclaw.store.shapes import decoded, figures, plain

if TYPE_CHECKING:
    from nightclaw.store.why import Trail

_FROM = {
    "tick": "the regular look around",
    "schedule": "a schedule",
    "github": "GitHub",
    "hook": "a hook",
    "file": "the file watch",
    "idle": "the idle clock",
}
_TRUST = {
    "OWNER": "your own word (OWNER)",
    "DAEMON": "the daemon's own clock and code (DAEMON)",
    "REPO": "files of a listed repository (REPO)",
    "WORLD": "text that anybody may have written (WORLD)",
}
_NOTHING = {
    "ignore": "Nothing followed: it was not worth a line.",
    "record": "Nothing followed but a line in the log: it was worth keeping, not worth your attention.",
    "notify": "You should have been told, but there is no notification row.",
    "propose": "It should have been proposed to you, but there is no task row.",
    "act": "It should have been done, but there is no task row.",
}
_WOULD = {"notify": "told you", "propose": "proposed a task", "act": "started a task"}


@dataclass(frozen=True, slots=True)
class Teller:
    """Whose clock the times are told in, and what holds for the whole daemon. Times in ms."""

    now: int
    tz: tzinfo
    paused_at: int | None = None

    def when(self, at: int) -> str:
        return datetime.fromtimestamp(at / 1000, self.tz).strftime("%Y-%m-%d %H:%M:%S")

    def then(self, at: int | None) -> str:
        return "" if at is None else f" at {self.when(at)}"


def trusted(label: str) -> str:
    """A label in words."""
    return _TRUST.get(label, label)


def tell(teller: Teller, trail: "Trail") -> Iterator[str]:
    """The lines: what was asked about, what came in, who judged, what followed or why nothing did."""
    yield from _opening(teller, trail)
    for row in trail.signals[:3]:
        yield _came_in(teller, row)
    if trail.signal_count > 1:
        yield f"{trail.signal_count} signals about {trail.signals[0]['subject']} were decided together."
    if trail.decision is not None:
        yield from _judged(teller, trail.decision)
    elif trail.signals:
        yield from _waits(teller, trail.signals[0])
    if trail.task is not None:
        yield from _task(teller, trail, trail.task)
    for row in trail.effects:
        yield _effect(teller, row)
    for row in trail.notifications:
        yield _note(teller, row, trail.decision)
    if trail.decision is not None and trail.task is None and not trail.notifications:
        yield _nothing(trail.decision)


def _opening(teller: Teller, trail: "Trail") -> Iterator[str]:
    r = trail.about
    if trail.noun == "notification" and trail.decision is None and not trail.signals:
        yield f"The daemon made this note itself{teller.then(r['created_at'])}: {_quoted(r['title'])} ({r['kind']})."
    elif trail.noun == "schedule":
        following = f"next{teller.then(r['next_at'])}" if r["next_at"] else "not due again"
        yield f"Schedule {r['name']} ({r['origin']}): {following}{'' if r['enabled'] else ', switched off'}."
        if not trail.family:
            yield "It has not fired yet."
        for fired in trail.family[1:]:
            yield f"It also came due{teller.then(fired['created_at'])}: {fired['id']}."
    elif trail.noun == "session":
        yield f"Conversation {_quoted(r['title'])}, begun{teller.then(r['created_at'])}."
        for t in trail.family[:8]:
            yield f"{t['id']} ({t['kind']}, {t['state']}): {_quoted(t['goal'])}"
        if not trail.family:
            yield "Nothing was done in it yet."
    elif trail.noun == "effect":
        yield _effect(teller, r)
    elif trail.noun == "approval" and trail.task is None:
        yield _approval(teller, r)


def _came_in(teller: Teller, r: RowMapping) -> str:
    at, title = teller.when(r["created_at"]), _quoted(r["title"])
    counts = f"it counts as {_TRUST.get(r['trust'], r['trust'])}."
    if r["source"] == "chat":
        return f"At {at} you wrote in the conversation {r['session_id'] or 'main'}: {title}; {counts}"
    if r["actor"] == "owner" and r["trust"] == "OWNER":
        return f"At {at} you told the daemon of {r['kind']} about {r['subject']}: {title}; {counts}"
    by = f" by {plain(r['actor'], 60)}" if r["actor"] else ""
    source = _FROM.get(r["source"], r["source"])
    if r["source"] == "tick":
        return f"At {at} {source}: {plain(str(r['title'] or ''), 200).removeprefix('tick: ')}; {counts}"
    return f"At {at} {source} brought {r['kind']} about {r['subject']}{by}: {title}; {counts}"


def _waits(teller: Teller, r: RowMapping) -> Iterator[str]:
    if r["source"] != "chat" and teller.paused_at is not None:
        yield f"It is not decided: proactive work is paused since {teller.when(teller.paused_at)} (clawctl resume)."
    elif r["ready_at"] > teller.now:
        yield f"It is not decided yet: its subject must be quiet until {teller.when(r['ready_at'])}."
    else:
        yield "It is not decided yet: it is due and waits its turn."


def _judged(teller: Teller, d: RowMapping) -> Iterator[str]:
    usage = figures(d["usage"])
    verdict = d["verdict"]
    bounds = (
        f"only {verdict} was possible"
        if d["floor"] == d["cap"]
        else f"from {d['floor']} up to {d['cap']} was possible"
    )
    yield (
        f"At {teller.when(d['created_at'])} the rule {_quoted(d['rule'])} judged it ({bounds}); "
        f"the verdict is {verdict}: {plain(d['reason'])}"
    )
    yield _model_of(usage)
    if _rank(verdict) < _rank(d["floor"]):
        yield f"The rule alone would have said {d['floor']}; a limit held it down to {verdict}."
    facts = decoded(d["facts"])
    for fact in facts[:5] if isinstance(facts, list) else []:
        yield f"What had changed: {_fact(fact)}."
    if d["presence"]:
        yield _presence(d["presence"])
    if d["shadow"] and verdict in _WOULD:
        yield f"Shadow mode is on: I would have {_WOULD[verdict]}, and did not."


def _presence(state: str) -> str:
    said = {
        "attached": "You were attached to a client then.",
        "active": "You had been active shortly before.",
        "away": "You were away then.",
    }
    return said.get(state, f"Presence then: {state}.")


def _model_of(usage: Mapping[str, object]) -> str:
    tokens = sum(v for k, v in usage.items() if k.endswith("_tokens") and isinstance(v, int))
    if not tokens and not usage.get("model_calls"):
        return "No model was asked to judge it; that cost nothing."
    model = usage.get("model")
    return f"{plain(str(model)) if model else 'A model'} was asked: {_figures(usage)}."


def _figures(usage: Mapping[str, object]) -> str:
    cost = usage.get("cost_usd")
    dollars = f", ${cost:.4f}" if isinstance(cost, int | float) else ""
    return f"{usage.get('input_tokens', 0)} tokens in, {usage.get('output_tokens', 0)} out{dollars}"


def _fact(fact: object) -> str:
    if not isinstance(fact, Mapping):
        return plain(str(fact))
    said = plain(str(fact.get("title") or fact.get("key") or ""))
    if "was" in fact and "value" in fact:
        said += f" (was {_value(fact['was'])}, now {_value(fact['value'])})"
    return said


def _value(value: object) -> str:
    return "nothing" if value is None else plain(str(value), 80)


def _task(teller: Teller, trail: "Trail", t: RowMapping) -> Iterator[str]:
    state = t["state"]
    parent = f", a new try of {t['parent_id']}" if t["parent_id"] else ""
    yield f"Task {t['id']} ({t['kind']}{parent}) came of it: {_quoted(t['goal'])}"
    for r in trail.runs[-3:]:
        steps = trail.steps.get(r["id"], 0)
        reason = f" ({plain(r['stop_reason'])})" if r["stop_reason"] else ""
        yield (
            f"Run {r['attempt']} with {r['model']}{teller.then(r['started_at'])}: {r['state']}{reason}, "
            f"{steps} step{'' if steps == 1 else 's'}."
        )
    for m in trail.memories[:5]:
        yield _reminded(teller, m)
    for r in trail.approvals:
        yield _approval(teller, r)
    if state == "proposed":
        yield "It waits for your yes: nothing is done before it."
    elif state == "ready":
        yield "It is ready and waits for a free slot."
    elif state == "parked":
        yield f"It is parked on {plain(t['parked_on'] or 'something')}."
    elif state == "running":
        yield "It is running now."
    else:
        checked = {None: "", True: ", verified", False: ", not verified"}[_flag(t["verified"])]
        usage = figures(t["usage"])
        cost = f" It used {_figures(usage)}." if usage.get("input_tokens") else ""
        result = f": {_quoted(t['result'])}" if t["result"] else "."
        yield f"The task is {state}{checked}{teller.then(t['finished_at'])}{result}{cost}"


def _reminded(teller: Teller, m: Memory) -> str:
    later = "" if m.state in LIVE else f"; it is {m.state} now"
    return f"Memory {m.id} came up, seen{teller.then(m.observed_at)}{later}: {_quoted(m.text)}"


def _flag(value: object) -> bool | None:
    return None if value is None else bool(value)


def _approval(teller: Teller, r: RowMapping) -> str:
    asked = f"You were asked ({r['kind']}, {r['id']}){teller.then(r['created_at'])}"
    if r["state"] == "pending":
        return f"{asked}; the answer is open until {teller.when(r['expires_at'])}, then it counts as no."
    by = f" by {plain(r['resolved_by'], 60)}" if r["resolved_by"] else ""
    note = f", saying {_quoted(r['note'])}" if r["note"] else ""
    return f"{asked}; it was {r['state']}{by}{teller.then(r['resolved_at'])}{note}."


def _effect(teller: Teller, r: RowMapping) -> str:
    ended = {
        "applied": f"reached {plain(r['target'], 120)}{teller.then(r['settled_at'])}",
        "prepared": f"waits for {plain(r['target'], 120)}: {plain(r['error'])}"
        if r["error"]
        else f"is on its way to {plain(r['target'], 120)}",
        "failed": f"did not reach {plain(r['target'], 120)}: {plain(r['error'] or 'it failed')}",
        "unknown": f"may have reached {plain(r['target'], 120)}: the daemon stopped before it knew",
        "abandoned": f"was given up for {plain(r['target'], 120)}",
    }
    return f"Effect {r['kind']} ({r['bytes']} bytes) {ended.get(r['state'], r['state'])}."


def _note(teller: Teller, r: RowMapping, d: RowMapping | None) -> str:
    """One note and where it stands; a note older than its decision had told this before."""
    tries = f"{r['attempts']} attempt{'' if r['attempts'] == 1 else 's'}"
    because = f": {plain(r['reason'])}" if r["reason"] else ""
    ended = {
        "queued": f"waits to be sent{teller.then(r['due_at'])}{because}",
        "sent": f"was sent{teller.then(r['sent_at'])}",
        "failed": f"could not be delivered after {tries}: {plain(r['error'] or 'no reason given')}",
        "held": f"is held for the next digest{because}",
        "folded": f"was told inside {r['folded_into'] or 'a digest'}",
        "muted": f"was not sent{because or ': a mute matched'}",
        "shadow": "was not sent: shadow mode only reports what it would have told",
        "kept": "was kept here only: no destination is set under notify.urls",
        "unknown": "may have been sent: the daemon stopped before it knew, so a later note mentions it",
    }
    said = f"Note {r['id']} {_quoted(r['title'])} {ended.get(r['state'], r['state'])}."
    if d is not None and d["notification_id"] == r["id"] and r["decision_id"] not in (None, d["id"]):
        return f"You had been told already, so no second note was made: {said}"
    return said


def _nothing(d: RowMapping) -> str:
    if d["shadow"]:
        return "Nothing followed."
    return _NOTHING.get(d["verdict"], "Nothing followed.")


def _rank(verdict: str) -> int:
    try:
        return Verdict(verdict).rank
    except ValueError:
        return 0


def _quoted(text: object) -> str:
    return f"“{plain(str(text or ''), 200)}”"
