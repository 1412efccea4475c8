"""What a tool call would do to the world, in words the policy can judge: computed from the call, never from its name.

Levels and their table stand in SAFETY; here are only the nouns. Paths are absolute and resolved, hosts lower case.
"""

from dataclasses import dataclass, field
from enum import IntEnum, StrEnum

from nightclaw.core.types import JSONObject


class Level(IntEnum):
    """How far an effect reaches."""

    OBSERVE = 0
    NOTE = 1
    WORKSPACE = 2
    OUTWARD = 3
    IRREVERSIBLE = 4


class Kind(StrEnum):
    """The kinds of effect a call can have. `unknown` is judged one level up from what it seems."""

    READ = "read"
    WRITE = "write"
    RUN = "run"
    COMMIT = "commit"
    NETWORK = "network"
    PUSH = "push"
    COMMENT = "comment"
    LABEL = "label"
    PULL_REQUEST = "pull_request"
    INSTALL = "install"
    DELETE = "delete"
    PERMISSIONS = "permissions"
    OWN_STATE = "own_state"
    CREDENTIALS = "credentials"
    NOTE = "note"
    ASK = "ask"
    MEMORY = "memory"
    WAIT = "wait"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class CallEffect:
    """One effect. target: a path, host, `owner/name#N`, `remote ref`, or command line. is_known: the destination is
    one of the known ones (own branch to the configured origin, the event's own issue). is_secret: a secret path."""

    kind: Kind
    level: Level
    target: str
    is_known: bool = False
    is_secret: bool = False
    detail: str = ""


@dataclass(frozen=True, slots=True)
class ResolvedCall:
    """A tool call with its effects worked out. facts: what the owner is shown when asked, computed by us.

    digest: sha256 over tool, args, cwd, the files' hashes and the destination: what an approval is bound to.
    """

    tool: str
    args: JSONObject
    effects: tuple[CallEffect, ...]
    facts: JSONObject = field(default_factory=dict)
    digest: str = ""

    @property
    def level(self) -> Level:
        return max((e.level for e in self.effects), default=Level.OBSERVE)


class Verb(StrEnum):
    ALLOW = "allow"
    ASK = "ask"
    DENY = "deny"


@dataclass(frozen=True, slots=True)
class Ruling:
    """What the gate says of a call. rule: which line said it. reason: for the owner and, on deny, for the model."""

    verb: Verb
    level: Level
    reason: str
    rule: str
