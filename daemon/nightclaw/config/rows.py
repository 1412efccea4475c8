"""The entries of the config that may stand several times: schedules, watches, repositories, hooks, rules."""

import fnmatch
import functools
import re
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, PlainValidator, ValidationInfo, model_validator

from nightclaw.config.cron import check_cron
from nightclaw.config.kinds import (
    Duration,
    Folder,
    Glob,
    Mode,
    Name,
    Part,
    Prose,
    Repository,
    Secret,
    VerdictName,
    WebAddress,
    written,
)
from nightclaw.config.values import Bad, duration, nearest, shown
from nightclaw.core.types import JSON

WHEN_KEYS = ("source", "kind", "subject", "repo", "actor", "trust", "title")
if TYPE_CHECKING:
    Conditions = dict[str, JSON]
else:
    Conditions = dict  # pydantic cannot follow the recursive alias, and need not: `_when` is the whole check
_SLUG = re.compile(r"^[a-z0-9][a-z0-9_-]{0,63}$", re.IGNORECASE)


def model_name(value: object) -> str:
    if not isinstance(value, str) or not re.match(r"^[^/\s]+/\S+$|^offline$", value):
        remedy = 'write "provider/model", like "anthropic/claude-sonnet-4-5", or "offline"'
        raise Bad(f"{shown(value)} is not a model", remedy)
    return value


def _at(value: object) -> str:
    """A local or offset date-time, kept as ISO text."""
    text = value.isoformat() if isinstance(value, datetime) else value
    try:
        return datetime.fromisoformat(text).isoformat() if isinstance(text, str) else _at("")
    except ValueError:
        raise Bad(f"{shown(value)} is not a moment", 'write it like "2026-12-01T09:00"') from None


def _slug(value: object) -> str:
    if not isinstance(value, str) or not _SLUG.match(value):
        raise Bad(f"{shown(value)} cannot stand in an address", "use letters, digits, - and _ only")
    if value.lower() == "github":
        raise Bad('"github" is the address of GitHub\'s own hook', "choose another name")
    return value


def _when(value: object) -> dict[str, JSON]:
    """Conditions by dotted key; `payload.a.b = …` may stand quoted or as TOML nests it."""
    if not isinstance(value, dict) or not value:
        raise Bad(f"{shown(value)} is not a condition", 'write it like { source = "github", kind = "push" }')
    found: dict[str, JSON] = {}
    for key, wanted in value.items():
        if key == "payload" and isinstance(wanted, dict):
            found |= {f"payload.{k}": v for k, v in _leaves(wanted, (key,))}
        elif key in WHEN_KEYS or (key.startswith("payload.") and key != "payload."):
            found[key] = _wanted(wanted, (key,))
        else:
            near = nearest(key, WHEN_KEYS)
            listed = f"the keys are {', '.join(WHEN_KEYS)} and payload.…"
            raise Bad(f'unknown key "{key}"', f'did you mean "{near}"? {listed}' if near else listed, (key,))
    return found


def _leaves(table: dict[str, object], at: tuple[str, ...]) -> list[tuple[str, JSON]]:
    found: list[tuple[str, JSON]] = []
    for key, value in table.items():
        if isinstance(value, dict):
            found += [(f"{key}.{k}", v) for k, v in _leaves(value, (*at, key))]
        else:
            found.append((key, _wanted(value, (*at, key))))
    return found


def _wanted(value: object, at: tuple[str, ...]) -> JSON:
    items = value if isinstance(value, list) else [value]
    if not items or not all(isinstance(i, str | int | float | bool) for i in items):
        raise Bad(
            f"{shown(value)} cannot be compared",
            "write a text, a number, true or false, or a list of them",
            at,
        )
    return value  # pyright: ignore[reportReturnType]


class Work(Part):
    """What every row that may start work can say about that work."""

    prompt: Prose | None = None
    repo: Name | None = None
    unattended: Mode | None = None
    model: Annotated[str, PlainValidator(model_name)] | None = None
    budget_usd: float | None = Field(default=None, ge=0)
    per_hour: int | None = Field(default=None, ge=1)


class ScheduleConfig(Work):
    """Exactly one of cron, every (seconds) and at (ISO, local unless it has an offset)."""

    name: Name
    cron: str | None = None
    every: Duration | None = Field(default=None, ge=1)
    at: Annotated[str, PlainValidator(_at)] | None = None
    missed: Literal["once", "skip", "all"] = "once"
    within: Duration | None = None
    verdict: VerdictName | None = None

    @model_validator(mode="after")
    def _one_time(self) -> "ScheduleConfig":
        given = [k for k in ("cron", "every", "at") if getattr(self, k) is not None]
        if len(given) != 1:
            problem = f"has {' and '.join(given)}" if given else "says no time"
            remedy = 'give exactly one of cron = "0 8 * * 1-5", every = "2h", at = "2026-12-01T09:00"'
            raise Bad(problem, remedy, tuple(given[1:2]))
        if self.cron is not None:
            check_cron(self.cron)
        return self


class WatchConfig(Work):
    path: Folder
    name: Name
    match: list[Glob] = Field(default=[])
    quiet: Duration = written("2s", le=30)
    verdict: VerdictName = written("record")

    @model_validator(mode="before")
    @classmethod
    def _named(cls, given: object) -> object:
        if isinstance(given, dict) and "name" not in given and "path" in given:
            return {"name": str(given["path"]), **given}
        return given


class RepoConfig(Part):
    """`paths`: empty means all. `models`: None means any provider, a list only these. `base`: None is GitHub's."""

    name: Repository
    path: Folder | None = None
    base: Name | None = None
    paths: list[Glob] = Field(default=[])
    setup: Prose | None = None
    share: list[Name] = Field(default=[])
    check: Prose | None = None
    models: list[Name] | None = None

    @functools.cached_property
    def _weight(self) -> tuple[bool, int]:
        return (not re.search(r"[*?\[]", self.name), len(re.sub(r"[*?\[\]]", "", self.name)))

    def covers(self, full_name: str) -> bool:
        return fnmatch.fnmatchcase(full_name.lower(), self.name.lower())


def _poll(value: object, info: ValidationInfo) -> float:
    """Seconds; 0 for "off"."""
    if value == "off":
        return 0.0
    seconds = value if isinstance(value, float) and not info.context else duration(value)
    if seconds < 1:
        raise Bad(f"{shown(value)} is too often", 'poll at most every second; "2m" is kind to the rate limit')
    return float(seconds)


class GithubConfig(Part):
    """`poll` as loaded: seconds, None when nothing is polled (`"off"`, or a public_url and no poll given)."""

    owners: list[Name] = Field(default=[])
    act_for: list[Name] = Field(default=[])
    bot: Name | None = None
    accounts: list[Name] = Field(default=[])
    secret: Secret | None = None
    token: Secret | None = None
    api_url: WebAddress = "https://api.github.com"
    poll: Annotated[float, PlainValidator(_poll)] | None = None
    repo: list[RepoConfig] = Field(default=[])

    def match(self, full_name: str) -> RepoConfig | None:
        """The entry for `owner/name`: the exact name, else the pattern with the most literal characters."""
        found = [r for r in self.repo if r.covers(full_name)]
        return max(found, key=lambda r: r._weight, default=None)

    def admits(self, repo: str | None, org: str | None, account: str | None, sender: str | None) -> bool:
        """True when an event may come in: its repository is listed, or, without one, an account of it matches."""
        if repo is not None:
            return self.match(repo) is not None
        names = [n.lower() for n in (org, account, sender) if n]
        return any(fnmatch.fnmatchcase(n, a.lower()) for a in self.accounts for n in names)


class HookConfig(Work):
    name: Annotated[str, PlainValidator(_slug)]
    secret: Secret
    verdict: VerdictName | None = None


class RuleConfig(Work):
    """`verdict` is the floor, and the cap unless `cap` widens it."""

    when: Annotated[Conditions, PlainValidator(_when)]
    verdict: VerdictName
    cap: VerdictName | None = None
    name: Name | None = None

    @model_validator(mode="after")
    def _wider(self) -> "RuleConfig":
        if self.cap is not None and self.cap.rank < self.verdict.rank:
            raise Bad(f"cap {self.cap} is below verdict {self.verdict}", "a cap can only widen", ("cap",))
        return self
