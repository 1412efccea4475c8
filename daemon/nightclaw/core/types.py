"""The nouns that pass between rooms: frozen values, no behaviour beyond their own arithmetic.

Times are integers, milliseconds since 1970 UTC (`*_at`); durations are seconds (`*_s`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from nightclaw.core.trust import Trust

Scalar = str | int | float | bool | None
JSON: TypeAlias = "Scalar | Sequence[JSON] | Mapping[str, JSON]"
JSONObject: TypeAlias = Mapping[str, JSON]


class Verdict(StrEnum):
    """What initiative may decide, weakest first."""

    IGNORE = "ignore"
    RECORD = "record"
    NOTIFY = "notify"
    PROPOSE = "propose"
    ACT = "act"

    @property
    def rank(self) -> int:
        return _VERDICT_ORDER[self]


_VERDICT_ORDER = {v: i for i, v in enumerate(Verdict)}


def lower(a: Verdict, b: Verdict) -> Verdict:
    return a if a.rank <= b.rank else b


def higher(a: Verdict, b: Verdict) -> Verdict:
    return a if a.rank >= b.rank else b


def final_verdict(floor: Verdict, cap: Verdict, *, triage: Verdict | None, budget_cap: Verdict) -> Verdict:
    """`min(max(triage or floor, floor), cap, budget_cap)`: the arithmetic initiative stands on."""
    return lower(lower(higher(triage or floor, floor), cap), budget_cap)


class Source(StrEnum):
    TICK = "tick"
    SCHEDULE = "schedule"
    GITHUB = "github"
    HOOK = "hook"
    FILE = "file"
    CHAT = "chat"
    IDLE = "idle"


class Priority(StrEnum):
    """Of a chat message: interrupt the turn, join at its next step, or be a turn of its own."""

    NOW = "now"
    NEXT = "next"
    LATER = "later"


@dataclass(frozen=True, slots=True)
class SignalDraft:
    """Something that happened, before it is a row.

    dedupe_key: what happened; unique per source. title: one plain line for people. attrs: the small pure
    facts the default rules read (documented by the source that writes them). raw: the exact bytes received,
    kept as the payload; payload is stored when raw is None. ready_at: not decided before (None: now).
    delivery: the transport's own id (GitHub's GUID, `webhook-id`) when there is one.
    """

    source: Source
    kind: str
    subject: str
    dedupe_key: str
    title: str
    trust: Trust
    payload: JSONObject = field(default_factory=dict[str, JSON])
    attrs: JSONObject = field(default_factory=dict[str, JSON])
    raw: bytes | None = None
    actor: str | None = None
    repo: str | None = None
    private: bool = False
    session: str | None = None
    caused_by: str | None = None
    ready_at: int | None = None
    delivery: str | None = None


@dataclass(frozen=True, slots=True)
class Intake:
    """What became of a draft: the row that holds it, and whether it was there before."""

    signal_id: str
    duplicate: bool
    cursor: int | None = None


@dataclass(frozen=True, slots=True)
class Signal:
    """A signal row as initiative reads it. The payload is fetched only when a rule asks for it."""

    id: str
    source: Source
    kind: str
    subject: str
    dedupe_key: str
    title: str
    trust: Trust
    attrs: JSONObject
    actor: str | None
    repo: str | None
    private: bool
    session: str | None
    caused_by: str | None
    created_at: int
    ready_at: int


@dataclass(frozen=True, slots=True)
class NoteDraft:
    """A message to the owner, before it is a row. Plain text, `body` is clipped to 500 characters.

    url: a link we built ourselves from checked parts, shown last; never one that came from outside.
    dedupe_key: one note for one event, whatever repeats. subject, kind: what a mute can name.
    urgent: may break quiet hours (only what the owner's own rule or orders say is urgent).
    """

    title: str
    body: str
    dedupe_key: str
    subject: str
    kind: str
    urgent: bool = False
    private: bool = False
    session: str | None = None
    url: str = ""


@dataclass(frozen=True, slots=True)
class FactChange:
    """A probe's answer that differs from the stored one. value None: the fact no longer holds.

    key: stable name (`ci:octo/app:main`). title: the line to tell. tell: worth a note. judge: ORDERS.md asks
    for judgement, so a model may be asked once.
    """

    key: str
    value: JSON
    was: JSON
    title: str
    tell: bool
    subject: str
    repo: str | None = None
    private: bool = False
    judge: bool = False
