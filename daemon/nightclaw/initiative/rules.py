"""From one signal to a floor and a cap, without a model. Pure: values in, a Judgement out.

The owner's own rules come first, in their order; then the verdict written at a source's own stanza; then the
defaults for what the signal is. A rule never raises trust or budget.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from nightclaw.core.types import JSON, JSONObject, Signal, Source, Verdict, higher
from nightclaw.initiative import github_rules
from nightclaw.initiative.incidents import CHECK_EVENTS
from nightclaw.initiative.judgement import Judgement, Knowledge, Owner

FIELDS = frozenset({"source", "kind", "subject", "repo", "actor", "trust", "title", "presence"})


@dataclass(frozen=True, slots=True)
class OwnerRule:
    """A `[[rule]]` of the config. when: every entry must match."""

    name: str
    when: JSONObject
    verdict: Verdict
    cap: Verdict | None = None
    per_hour: int | None = None
    prompt: str | None = None


@dataclass(frozen=True, slots=True)
class RuleSet:
    """All that judging needs of the config. version: what a decision cites as its policy."""

    owner: Owner
    rules: tuple[OwnerRule, ...] = ()
    version: str = "defaults"
    hooks: dict[str, Verdict] = field(default_factory=dict[str, Verdict])


def matches(
    when: JSONObject, signal: Signal, presence: str, payload: Callable[[], JSONObject | None]
) -> bool:
    """True when every condition holds. `payload.a.b` reads the stored payload; a list means any of its items."""
    body: JSONObject | None = None
    for key, wanted in when.items():
        if key.startswith("payload."):
            body = payload() if body is None else body
            found = _at(body, key.split(".")[1:])
        elif key == "presence":
            found = presence
        else:
            found = getattr(signal, key)
        if not _equal(wanted, found):
            return False
    return True


def judge(signal: Signal, rules: RuleSet, known: Knowledge) -> Judgement:
    """What initiative may do about this signal."""
    if known.own_echo:
        return Judgement(Verdict.IGNORE, Verdict.IGNORE, "default:own-echo", "this is what I did myself")
    is_mine = rules.owner.bot is not None and (signal.actor or "").lower() == rules.owner.bot
    if is_mine and str(signal.attrs.get("event")) not in CHECK_EVENTS:  # how my push fared is news
        return Judgement(Verdict.IGNORE, Verdict.IGNORE, "default:own-echo", "it came from my own login")
    if signal.attrs.get("baseline"):
        return Judgement(
            Verdict.RECORD, Verdict.RECORD, "default:baseline", "it was there before I began to look"
        )
    for rule in rules.rules:
        if matches(rule.when, signal, known.presence, known.payload):
            cap = higher(rule.cap, rule.verdict) if rule.cap else rule.verdict
            return Judgement(
                rule.verdict,
                cap,
                f"rule:{rule.name}",
                f"your rule {rule.name} says {rule.verdict}",
                note_kind="rule",
                goal=rule.prompt,
                per_hour=rule.per_hour,
            )
    return _by_default(signal, rules, known)


def _by_default(signal: Signal, rules: RuleSet, known: Knowledge) -> Judgement:
    stated = _stated(signal)
    if stated is not None:
        return stated
    if signal.source is Source.GITHUB:
        return github_rules.judge(signal, rules.owner, known)
    if signal.source is Source.CHAT:
        return Judgement(Verdict.ACT, Verdict.ACT, "default:chat", "you asked", note_kind="chat")
    if signal.source is Source.SCHEDULE:
        return _schedule(signal)
    if signal.source is Source.HOOK and signal.attrs.get("prompt"):
        return Judgement(
            Verdict.NOTIFY, Verdict.ACT, "default:hook", "a hook with a prompt is told", note_kind="hook"
        )
    if signal.source is Source.IDLE:
        return Judgement(Verdict.IGNORE, Verdict.IGNORE, "default:idle", "nothing is due while you are away")
    return Judgement(Verdict.RECORD, Verdict.RECORD, f"default:{signal.source}", "recorded, nothing more")


def _stated(signal: Signal) -> Judgement | None:
    """The verdict written at the source's own stanza (`[[watch]]`, `[[schedule]]`, `[[hook]]`)."""
    word = signal.attrs.get("verdict")
    if not isinstance(word, str) or signal.kind == "schedule.missed":
        return None
    verdict = Verdict(word)
    per_hour = signal.attrs.get("per_hour")
    return Judgement(
        verdict,
        verdict,
        f"{signal.source}:{signal.subject}",
        f"its own stanza says {verdict}",
        note_kind=str(signal.source),
        goal=_text(signal.attrs.get("prompt")),
        per_hour=per_hour if isinstance(per_hour, int) else None,
    )


def _schedule(signal: Signal) -> Judgement:
    if signal.kind == "schedule.missed":
        return Judgement(
            Verdict.RECORD, Verdict.RECORD, "default:missed", "it was missed and its policy says skip"
        )
    prompt = _text(signal.attrs.get("prompt"))
    verdict = Verdict.ACT if prompt else Verdict.RECORD
    return Judgement(
        verdict, verdict, "default:schedule", "its time has come", note_kind="schedule", goal=prompt
    )


def _text(value: JSON) -> str | None:
    return value if isinstance(value, str) and value else None


def _at(body: JSON, path: list[str]) -> JSON:
    for part in path:
        if isinstance(body, dict):
            body = body.get(part)
        elif isinstance(body, list) and part.isdigit() and int(part) < len(body):
            body = body[int(part)]
        else:
            return None
    return body


def _equal(wanted: JSON, found: object) -> bool:
    if isinstance(wanted, list):
        return any(_equal(w, found) for w in wanted)
    if isinstance(found, list):
        return any(_equal(wanted, f) for f in found)
    if isinstance(wanted, str) and isinstance(found, str):
        return fnmatchcase(found.lower(), wanted.lower())
    if isinstance(wanted, bool) or isinstance(found, bool):
        return wanted is found
    return wanted == found
