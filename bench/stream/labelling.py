"""The labelling guide (docs/labelling.md) as a function, written from the guide and not from the program.

It judges a Happening: what took place, as the one who made it up knows it. It never sees a body.
"""

from dataclasses import dataclass, field

OWNER, COLLABORATOR, STRANGER, ROBOT = "owner", "collaborator", "stranger", "robot"
DEFAULT, OWN, ELSEWHERE = "the default branch", "the owner's own branch", "elsewhere"


@dataclass(frozen=True, slots=True)
class Happening:
    """what: check, review, assignment, words, label or other. by: the role of who did it.

    place, check, result: of a check that ended ("failure", "success" or another end). to_owner: the review or
    assignment is the owner's. calls_owner, orders, urgent: of words. is_work_label: of a label put on.
    """

    what: str
    by: str
    repo: str
    place: str = ELSEWHERE
    branch: str = ""
    check: str = ""
    result: str = ""
    to_owner: bool = False
    calls_owner: bool = False
    orders: bool = False
    urgent: bool = False
    is_work_label: bool = False
    is_repeat: bool = False
    ends_branch: bool = False


@dataclass(slots=True)
class Labeller:
    """Remembers what is red and was told. Feed it in the order things happened."""

    red: dict[tuple[str, str], set[str]] = field(default_factory=dict)

    def label(self, h: Happening) -> tuple[str, bool]:
        """The verdict the owner wants, and whether missing it would be a failure."""
        if h.is_repeat:
            return "ignore", False
        if h.ends_branch:
            self.red.pop((h.repo, h.branch), None)
        if h.what == "check":
            return self._check(h)
        if h.what in ("review", "assignment"):
            wanted = h.to_owner and h.by != OWNER
            return ("notify", True) if wanted else ("record", False)
        if h.what == "label" and h.is_work_label:
            return ("act", True) if h.by == OWNER else ("propose", True)
        if h.what == "words":
            return _words(h)
        return "record", False

    def _check(self, h: Happening) -> tuple[str, bool]:
        if h.place == ELSEWHERE:
            return "record", False
        red = self.red.setdefault((h.repo, h.branch), set())
        was_red = bool(red)
        if h.result == "failure":
            red.add(h.check)
            return ("record", False) if was_red else ("notify", True)
        if h.result == "success":
            red.discard(h.check)
            return ("notify", False) if was_red and not red else ("record", False)
        return "record", False


def _words(h: Happening) -> tuple[str, bool]:
    if h.by == OWNER:
        return ("act", True) if h.orders else ("record", False)
    if h.orders and h.by == COLLABORATOR:
        return "propose", True
    if h.calls_owner:
        return "notify", True
    return ("notify", False) if h.urgent and h.by == STRANGER else ("record", False)
