"""The one place where a call is allowed, asked about or denied: for chat, tick, webhook, file, schedule and resume.

Order: a deny rule or boundary; the table's deny; an ask rule or boundary; the table's ask and the mode's, lifted by
allow rules and grants as far as those may. Nothing lifts a deny, nothing but a container's bypass lifts an ask for what
cannot be undone, and no allow rule lifts an ask about reaching out once outside text was read.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from nightclaw.core.effects import Kind, Level, ResolvedCall, Ruling, Verb
from nightclaw.core.trust import Label, Trust
from nightclaw.policy.levels import by_table
from nightclaw.policy.rules import Grant, ToolRule, allowing, forbidding, is_granted

CHAT, UNATTENDED = "chat", "unattended"
MODES = ("default", "acceptEdits", "plan", "auto", "dontAsk", "bypassPermissions")


class Boundary(Protocol):
    """An owner's sentence as a rule. verb: deny or ask. rule: `Tool(specifier)`. said: their words."""

    @property
    def verb(self) -> str: ...
    @property
    def rule(self) -> str: ...
    @property
    def said(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Stance:
    """All that a ruling depends on beside the call. lane: `chat` (an attached client) or `unattended`. throwaway: a
    worktree of its own with no secrets mounted. notes_last_hour: notes and memories of the task in the last hour."""

    label: Label
    lane: str = UNATTENDED
    mode: str = "auto"
    allow: tuple[ToolRule, ...] = ()
    ask: tuple[ToolRule, ...] = ()
    deny: tuple[ToolRule, ...] = ()
    grants: Sequence[Grant] = field(default_factory=tuple)
    boundaries: Sequence[Boundary] = field(default_factory=tuple)
    in_container: bool = False
    throwaway: bool = False
    notes_last_hour: int = 0


def judge(call: ResolvedCall, stance: Stance) -> Ruling:
    """Allow, ask or deny, with the reason and the line that said it. Pure."""
    forbidden = _forbidden(call, stance)
    if forbidden is not None:
        return forbidden
    verb, why, level = _table(call, stance)
    if verb is Verb.DENY:
        return Ruling(Verb.DENY, level, why, f"table: {stance.label.trust} level {int(level)}")
    if stance.lane != CHAT and call.level is Level.IRREVERSIBLE:
        why = "nobody is there to answer for what cannot be undone"
        return Ruling(Verb.DENY, call.level, why, "unattended: level 4")
    mode = _mode(stance)
    asked = _asked(call, stance)
    if mode == "plan" and call.level > Level.NOTE:
        return Ruling(
            Verb.DENY, call.level, "a plan is being made: only reads run until it is approved", "mode plan"
        )
    if asked is not None:
        return _for_mode(asked, mode)
    if mode == "bypassPermissions":
        return Ruling(
            Verb.ALLOW, call.level, "permissions are bypassed in this container", "mode bypassPermissions"
        )
    lifted = _lifted(call, stance)
    if lifted is not None:
        return lifted
    if verb is Verb.ASK:
        return _for_mode(
            Ruling(Verb.ASK, level, why, f"table: {stance.label.trust} level {int(level)}"), mode
        )
    if _runs_by_itself(call, mode):
        return Ruling(Verb.ALLOW, call.level, "it may run by itself", f"mode {mode}")
    return _for_mode(Ruling(Verb.ASK, call.level, f"mode {mode} asks before it", f"mode {mode}"), mode)


def _mode(stance: Stance) -> str:
    """The mode that holds: an unknown one, and a bypass outside a container, are the most careful one that works."""
    if stance.mode == "bypassPermissions" and not stance.in_container:
        return "default"
    return stance.mode if stance.mode in MODES else "default"


def _forbidden(call: ResolvedCall, stance: Stance) -> Ruling | None:
    rule = forbidding(stance.deny, call)
    if rule is not None:
        return Ruling(Verb.DENY, call.level, f"the rule deny {rule} forbids it", f"deny {rule}")
    for boundary in stance.boundaries:
        if boundary.verb == "deny" and forbidding([ToolRule.parse(boundary.rule)], call):
            return Ruling(
                Verb.DENY, call.level, f"the owner said: {boundary.said}", f"boundary {boundary.rule}"
            )
    return None


def _asked(call: ResolvedCall, stance: Stance) -> Ruling | None:
    rule = forbidding(stance.ask, call)
    if rule is not None:
        return Ruling(Verb.ASK, call.level, f"the rule ask {rule} wants it asked", f"ask {rule}")
    for boundary in stance.boundaries:
        if boundary.verb != "deny" and forbidding([ToolRule.parse(boundary.rule)], call):
            return Ruling(
                Verb.ASK, call.level, f"the owner said: {boundary.said}", f"boundary {boundary.rule}"
            )
    return None


def _table(call: ResolvedCall, stance: Stance) -> tuple[Verb, str, Level]:
    """The strictest word of the table over all effects of the call."""
    worst, why, level = Verb.ALLOW, "the table allows it", call.level
    for effect in call.effects:
        verb, reason = by_table(
            effect, stance.label.trust, throwaway=stance.throwaway, notes_last_hour=stance.notes_last_hour
        )
        if _ORDER[verb] > _ORDER[worst]:
            worst, why, level = verb, reason, effect.level
    return worst, why, level


_ORDER = {Verb.ALLOW: 0, Verb.ASK: 1, Verb.DENY: 2}


def _lifted(call: ResolvedCall, stance: Stance) -> Ruling | None:
    """An allow rule or a grant, where it may speak."""
    if call.level is Level.IRREVERSIBLE:
        return None
    if is_granted(stance.grants, call, stance.label.trust):
        return Ruling(Verb.ALLOW, call.level, "the owner allowed this very call before", "grant")
    if stance.label.trust is Trust.WORLD and call.level >= Level.OUTWARD:
        return None
    rule = allowing(stance.allow, call) if stance.allow else None
    return (
        Ruling(Verb.ALLOW, call.level, f"the rule allow {rule} allows it", f"allow {rule}") if rule else None
    )


def _runs_by_itself(call: ResolvedCall, mode: str) -> bool:
    """What the table allows and the mode does not want asked."""
    if call.level <= Level.NOTE or mode in ("auto", "bypassPermissions"):
        return True
    if mode == "acceptEdits":
        return call.level is Level.WORKSPACE and all(e.kind in (Kind.READ, Kind.WRITE) for e in call.effects)
    return False


def _for_mode(ruling: Ruling, mode: str) -> Ruling:
    if mode == "dontAsk":
        return Ruling(
            Verb.DENY,
            ruling.level,
            f"{ruling.reason}; what is not allowed beforehand is denied",
            "mode dontAsk",
        )
    return ruling
