"""The wall as a table: what a context of some trust may do on some level, before modes, rules and grants.

Nothing lifts its `deny`. Whoever changes a line here changes what a stranger's text can make the daemon do.
"""

from enum import StrEnum

from nightclaw.core.effects import CallEffect, Kind, Level, Verb
from nightclaw.core.trust import Trust


class Cell(StrEnum):
    """AUTO, ASK, DENY as they say. LISTED: auto to a listed destination, else ask. THROWAWAY: auto in a worktree of
    its own without secrets, else ask. KNOWN: ask for a known destination, deny for a new one. OWN: auto within the
    task's own reach, else deny. HOURLY: auto, so many an hour, then deny."""

    AUTO = "auto"
    ASK = "ask"
    DENY = "deny"
    LISTED = "listed"
    THROWAWAY = "throwaway"
    KNOWN = "known"
    OWN = "own"
    HOURLY = "hourly"


TABLE: dict[Level, dict[Trust, Cell]] = {
    Level.OBSERVE: {
        Trust.OWNER: Cell.AUTO, Trust.DAEMON: Cell.AUTO, Trust.REPO: Cell.AUTO, Trust.WORLD: Cell.OWN,
    },
    Level.NOTE: {
        Trust.OWNER: Cell.AUTO, Trust.DAEMON: Cell.AUTO, Trust.REPO: Cell.AUTO, Trust.WORLD: Cell.HOURLY,
    },
    Level.WORKSPACE: {
        Trust.OWNER: Cell.AUTO, Trust.DAEMON: Cell.AUTO, Trust.REPO: Cell.AUTO, Trust.WORLD: Cell.THROWAWAY,
    },
    Level.OUTWARD: {
        Trust.OWNER: Cell.LISTED, Trust.DAEMON: Cell.ASK, Trust.REPO: Cell.ASK, Trust.WORLD: Cell.KNOWN,
    },
    Level.IRREVERSIBLE: {
        Trust.OWNER: Cell.ASK, Trust.DAEMON: Cell.DENY, Trust.REPO: Cell.DENY, Trust.WORLD: Cell.DENY,
    },
}  # fmt: skip

NOTES_AN_HOUR = 20
_REACHES_OUT = frozenset({Kind.NETWORK, Kind.PUSH, Kind.COMMENT, Kind.LABEL, Kind.PULL_REQUEST, Kind.INSTALL})
_COUNTED = frozenset({Kind.NOTE, Kind.ASK, Kind.MEMORY})


def by_table(effect: CallEffect, trust: Trust, *, throwaway: bool, notes_last_hour: int) -> tuple[Verb, str]:
    """What the table says of one effect, and why."""
    cell = TABLE[effect.level][trust]
    match cell:
        case Cell.AUTO:
            return Verb.ALLOW, "the table allows it"
        case Cell.DENY:
            return Verb.DENY, _DENIED[effect.level]
        case Cell.ASK:
            return Verb.ASK, _ASKED[effect.level]
        case Cell.OWN:
            known = not effect.is_secret and (effect.is_known or effect.kind is not Kind.READ)
            why = "a context with outside text reads only the task's own workspace"
            return (Verb.ALLOW, "the table allows it") if known else (Verb.DENY, why)
        case Cell.HOURLY:
            if effect.kind in _COUNTED and notes_last_hour >= NOTES_AN_HOUR:
                return Verb.DENY, f"a context with outside text has {NOTES_AN_HOUR} notes an hour"
            return Verb.ALLOW, "the table allows it"
        case Cell.THROWAWAY:
            if throwaway:
                return Verb.ALLOW, "the table allows it"
            return Verb.ASK, "outside text was read and this is no throw-away worktree"
        case Cell.LISTED:
            if effect.kind is Kind.NETWORK and effect.is_known:
                return Verb.ALLOW, "the destination is on the list"
            return Verb.ASK, _ASKED[effect.level]
        case Cell.KNOWN:
            if effect.kind in _REACHES_OUT and not effect.is_known:
                return Verb.DENY, "outside text was read and this destination is new"
            return Verb.ASK, "it reaches out, and outside text was read"


_DENIED = {level: f"level {int(level)} is not for this context" for level in Level} | {
    Level.IRREVERSIBLE: "it reaches outside the workspace or cannot be undone; only the owner can do that"
}
_ASKED = {level: f"level {int(level)} needs the owner's word" for level in Level} | {
    Level.OUTWARD: "it reaches out of this machine, or is not understood",
    Level.IRREVERSIBLE: "it reaches outside the workspace or cannot be undone",
}
