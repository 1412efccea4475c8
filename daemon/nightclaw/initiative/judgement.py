"""The words judging speaks in: what is known, who is me, and what was found."""

from collections.abc import Callable
from dataclasses import dataclass, field

from nightclaw.core.types import JSON, JSONObject, Verdict


@dataclass(frozen=True, slots=True)
class Owner:
    """Who counts as me. Logins in lower case; bot: the daemon's own login, if it has one; web_url is where links we
    build begin."""

    owners: frozenset[str] = frozenset()
    act_for: frozenset[str] = frozenset()
    bot: str | None = None
    web_url: str = "https://github.com"

    def is_me(self, login: object) -> bool:
        return isinstance(login, str) and login.lower() in self.owners

    def may_start(self, login: object) -> bool:
        """A login whose label may start work: mine, or one the owner listed."""
        return isinstance(login, str) and login.lower() in (self.owners | self.act_for)


def _no_payload() -> JSONObject | None:
    return None


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What the store knows that a rule may ask about: gathered before judging, so judging stays pure."""

    own_echo: bool = False
    presence: str = "away"
    pull: JSON = None
    payload: Callable[[], JSONObject | None] = field(default=_no_payload)


@dataclass(frozen=True, slots=True)
class Judgement:
    """floor == cap means no model is asked. headline: the note's title, when the signal's own does not say it."""

    floor: Verdict
    cap: Verdict
    rule: str
    reason: str
    note_kind: str = "signal"
    headline: str | None = None
    goal: str | None = None
    per_hour: int | None = None
