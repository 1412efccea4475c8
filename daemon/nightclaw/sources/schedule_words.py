"""Words in, words out: what a stanza, a request and a row say of a schedule, and the signals they become. Pure."""

import re
from typing import Protocol

from nightclaw.core.errors import Invalid
from nightclaw.core.stanza import Stanza
from nightclaw.core.trust import Trust
from nightclaw.core.types import JSON, JSONObject, SignalDraft, Source, Verdict
from nightclaw.sources.calendar import Fire, Missed, span_ms, written
from nightclaw.sources.crontab import iso

OWN_WORDS = ("prompt", "repo", "verdict", "unattended", "model", "budget_usd", "per_hour")
MODES = ("default", "acceptEdits", "plan", "auto", "dontAsk")
WORDS = ("name", "cron", "every", "at", "missed", "within", "expires_at", *OWN_WORDS)


class ScheduleStanza(Stanza, Protocol):
    """A `[[schedule]]` of the config; durations in seconds."""

    @property
    def cron(self) -> str | None: ...
    @property
    def every(self) -> float | None: ...
    @property
    def at(self) -> str | None: ...
    @property
    def missed(self) -> str: ...
    @property
    def within(self) -> float | None: ...
    @property
    def verdict(self) -> Verdict | None: ...


class ScheduleRow(Protocol):
    @property
    def id(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def origin(self) -> str: ...
    @property
    def spec(self) -> JSONObject: ...
    @property
    def enabled(self) -> bool: ...
    @property
    def next_at(self) -> int | None: ...
    @property
    def last_at(self) -> int | None: ...
    @property
    def created_at(self) -> int: ...


def due_draft(row: ScheduleRow, fire: Fire) -> SignalDraft:
    """Keyed by its slot: the same slot is one signal, whatever clock or process does."""
    late = f", for {_many(fire.missed, fire.is_least)} missed before it too" if fire.missed else ""
    title = f"schedule {row.name} is due{late}"
    return _draft(row, "schedule.due", f"{row.id}:{iso(fire.slot)}", title, fire.slot, fire.missed)


def missed_draft(row: ScheduleRow, missed: Missed) -> SignalDraft:
    """Keyed apart from the slot itself: a clock set right again may still bring that slot on time."""
    times = "once" if missed.count == 1 else f"{_many(missed.count, missed.is_least)} times"
    title = f"schedule {row.name} was missed {times}: {missed.why}"
    return _draft(
        row, "schedule.missed", f"{row.id}:missed:{iso(missed.slot)}", title, missed.slot, missed.count
    )


def manual_draft(row: ScheduleRow, token: str, now: int) -> SignalDraft:
    """A run by hand. token: unique a run."""
    return _draft(
        row, "schedule.due", f"{row.id}:manual:{token}", f"schedule {row.name}, run by hand", now, 0
    )


def _many(count: int, is_least: bool) -> str:
    return f"{count} or more" if is_least else str(count)


def _draft(row: ScheduleRow, kind: str, key: str, title: str, slot: int, missed: int) -> SignalDraft:
    said: dict[str, JSON] = {k: row.spec[k] for k in OWN_WORDS if row.spec.get(k) is not None}
    attrs: dict[str, JSON] = {"name": row.name, "slot": iso(slot), "missed": missed, **said}
    repo = row.spec.get("repo")
    return SignalDraft(
        source=Source.SCHEDULE,
        kind=kind,
        subject=f"schedule:{row.name}",
        dedupe_key=key,
        title=title,
        trust=Trust(str(row.spec.get("trust", Trust.DAEMON))),
        payload=attrs,
        attrs=attrs,
        repo=repo if isinstance(repo, str) else None,
        private=row.spec.get("private") is True,
    )


def words_of(stanza: ScheduleStanza) -> dict[str, JSON]:
    """A stanza as a row's words."""
    words: dict[str, JSON] = {
        "cron": stanza.cron,
        "every": None if stanza.every is None else written(round(stanza.every * 1000)),
        "at": stanza.at,
        "missed": stanza.missed,
        "within": None if stanza.within is None else written(round(stanza.within * 1000)),
        "verdict": None if stanza.verdict is None else str(stanza.verdict),
        **{k: getattr(stanza, k) for k in OWN_WORDS if k != "verdict"},
    }
    return {k: v for k, v in words.items() if v is not None}


def checked(words: JSONObject) -> dict[str, JSON]:
    """The words of a request as a row keeps them: known ones only, durations as people write them. Raises Invalid."""
    unknown = sorted(set(words) - set(WORDS))
    if unknown:
        raise Invalid(f"a schedule has no {unknown[0]!r}", f"it has {', '.join(WORDS)}")
    kept: dict[str, JSON] = {k: v for k, v in words.items() if v is not None and k != "name"}
    for key in ("every", "within"):
        if key in kept:
            kept[key] = written(span_ms(kept[key]))
    for key in ("prompt", "repo", "model"):
        if not isinstance(kept.get(key, ""), str):
            raise Invalid(f"{key} is not a text", f"write {key} as one text")
    for key, known in (("verdict", tuple(str(v) for v in Verdict)), ("unattended", MODES)):
        if key in kept and kept[key] not in known:
            raise Invalid(f"{key} {kept[key]!r} is unknown", f"it is one of {', '.join(known)}")
    for key, lowest in (("budget_usd", 0), ("per_hour", 1)):
        number = kept.get(key, lowest)
        if not isinstance(number, int | float) or isinstance(number, bool) or number < lowest:
            raise Invalid(f"{key} {number!r} is not a number it can be", f"write a number from {lowest} on")
    return kept


def name_of(words: JSONObject, row_id: str) -> str:
    """The name asked for; without one, the first words of the prompt and the end of the id."""
    name = words.get("name")
    if name is None:
        prompt = str(words.get("prompt") or "schedule").lower()
        slug = "-".join(re.findall(r"[a-z0-9]+", prompt)[:4])[:40] or "schedule"
        return f"{slug}-{row_id[-4:].lower()}"
    if not isinstance(name, str) or not name.strip() or not name.isprintable() or len(name) > 100:
        raise Invalid(f"{name!r} is not a name", "write one line of plain text")
    return name.strip()
