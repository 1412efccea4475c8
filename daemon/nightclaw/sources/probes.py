"""Probes: what a tick looks at, without a model. Each answers with the facts that hold now, under its own prefix.

A fact is told when it appears or its value changes, is silent while it stands, and is forgotten when it no longer
holds. A value therefore holds what makes the fact a new one (since when), never what merely grows (an age, a count).
A probe that fails or is late leaves its facts as they were; it never harms a tick or another probe.
"""

import asyncio
import shutil
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import tzinfo
from pathlib import Path
from typing import Protocol

from nightclaw.core.errors import NightclawError
from nightclaw.core.ports import Problems
from nightclaw.core.types import JSON, FactChange
from nightclaw.sources.clones import uncommitted
from nightclaw.sources.crontab import DAY_MS, iso
from nightclaw.sources.orders import asks_for_judgement, last_due, read_orders

DEADLINE_S = 10.0
HOUR_MS = 3_600_000
REVIEW_WAITS_MS = DAY_MS
RED_FOR_MS = DAY_MS
STALE_AFTER_MS = 7 * DAY_MS
APPROVAL_WAITS_MS = HOUR_MS
LYING_FOR_MS = 2 * DAY_MS
LATE_ORDER_MS = 7 * DAY_MS
FAILURES = 3
LOW_BYTES, WELL_BYTES = 500_000_000, 600_000_000
ORDERS_BYTES = 256 * 1024
CLONES_AT_ONCE = 2
OUR_OWN = ("approval:", "disk:")
"""Facts about ourselves: nothing a model could add to them."""
MAIN_BRANCHES = frozenset({"main", "master"})


@dataclass(frozen=True, slots=True)
class Clone:
    """A configured repository with a local clone. base: its default branch, None when the config does not say."""

    repo: str
    path: Path | None
    base: str | None = None


@dataclass(frozen=True, slots=True)
class Around:
    """What probes look at, read anew for each tick. owners: logins of the owner, lower case."""

    home: Path
    tz: tzinfo
    owners: frozenset[str] = frozenset()
    clones: tuple[Clone, ...] = ()


@dataclass(frozen=True, slots=True)
class Look:
    """One tick's view: the moment, the surroundings, and every fact that is known."""

    now: int
    around: Around
    facts: Mapping[str, JSON]


@dataclass(frozen=True, slots=True)
class Found:
    """A fact that holds. tell False: kept without a word."""

    key: str
    value: JSON
    title: str
    subject: str
    tell: bool = True
    repo: str | None = None
    private: bool = False


class Probe(Protocol):
    """`prefix`: every key it answers begins with it, and no other probe's does. Raises NightclawError or OSError."""

    @property
    def name(self) -> str: ...
    @property
    def prefix(self) -> str: ...
    async def look(self, view: Look) -> list[Found]: ...


async def changes_now(probes: Sequence[Probe], view: Look, problems: Problems) -> list[FactChange]:
    """All that differs from the known facts, by key. Each probe has DEADLINE_S; a failing one is a problem.

    What is told of the owner's world is marked for judgement where ORDERS.md says anything at all.
    """
    answers = await asyncio.gather(*(_ask(p, view, problems) for p in probes))
    changes = [
        c for probe, found in zip(probes, answers, strict=True) if found is not None
        for c in compare(probe.prefix, found, view.facts)
    ]  # fmt: skip
    if any(c.tell for c in changes) and _has_orders(view.around):
        changes = [replace(c, judge=c.tell and not c.key.startswith(OUR_OWN)) for c in changes]
    return sorted(changes, key=lambda c: (not c.tell, c.key))


async def _ask(probe: Probe, view: Look, problems: Problems) -> list[Found] | None:
    part = f"probe {probe.name}"
    try:
        async with asyncio.timeout(DEADLINE_S):
            found = await probe.look(view)
    except TimeoutError:
        problems.set(part, f"it took over {DEADLINE_S:g} s", "its facts stay as they were")
    except NightclawError as error:
        problems.set(part, error.message, error.hint)
    except OSError as error:
        problems.set(part, str(error), "its facts stay as they were")
    else:
        problems.set(part, None)
        return found
    return None


def compare(prefix: str, found: Sequence[Found], facts: Mapping[str, JSON]) -> list[FactChange]:
    """What changed between the known facts under a prefix and those that hold now."""
    now = {f.key: f for f in found}
    changes = [
        FactChange(f.key, f.value, facts.get(f.key), line(f.title), f.tell, f.subject, f.repo, f.private)
        for f in now.values()
        if facts.get(f.key) != f.value
    ]
    for key, was in facts.items():
        if key.startswith(prefix) and key not in now:
            changes.append(FactChange(key, None, was, f"no longer so: {key}", False, "tick"))
    return changes


def line(text: str, limit: int = 200) -> str:
    """One plain line of what may come from a stranger."""
    plain = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return plain if len(plain) <= limit else plain[: limit - 1].rstrip() + "…"


class ReviewsWaiting:
    name, prefix = "reviews", "review:"

    async def look(self, view: Look) -> list[Found]:
        found: list[Found] = []
        for subject, pull in _pulls(view.facts):
            asked = pull.get("requested")
            if pull.get("draft") is True or not isinstance(asked, Mapping):
                continue
            for login, at in asked.items():
                if login.lower() in view.around.owners and _is_past(at, REVIEW_WAITS_MS, view.now):
                    title = f"{subject} has waited over a day for your review{_called(pull)}"
                    found.append(_about_pull(f"review:{subject}:{login}", at, title, subject, pull))
        return found


class StalePulls:
    name, prefix = "stale pull requests", "stale:"

    async def look(self, view: Look) -> list[Found]:
        found: list[Found] = []
        for subject, pull in _pulls(view.facts):
            own = str(pull.get("author") or "").lower() in view.around.owners
            at = pull.get("last_at")
            if own and pull.get("state", "open") == "open" and _is_past(at, STALE_AFTER_MS, view.now):
                title = f"your {subject} has not moved for over a week{_called(pull)}"
                found.append(_about_pull(f"stale:{subject}", at, title, subject, pull))
        return found


class RedBranches:
    """A default branch that broke was told at once; this tells it once more when it stays red."""

    name, prefix = "red branches", "red:"

    async def look(self, view: Look) -> list[Found]:
        bases = {c.repo.lower(): c.base for c in view.around.clones if c.base}
        found: list[Found] = []
        for key, value in view.facts.items():
            if not key.startswith("ci:") or not isinstance(value, Mapping):
                continue
            repo, _, branch = key.removeprefix("ci:").partition(":")
            base = bases.get(repo.lower())
            is_default = branch == base if base else branch in MAIN_BRANCHES or value.get("default") is True
            if is_default and _is_past(value.get("since"), RED_FOR_MS, view.now):
                said = {"since": value["since"]}
                title = f"{repo} {branch} has been red for over a day"
                private = value.get("private") is True
                found.append(Found(f"red:{repo}:{branch}", said, title, repo, repo=repo, private=private))
        return found


class ApprovalsWaiting:
    """pending: (id, created_at) of each approval that waits for the owner."""

    name, prefix = "approvals", "approval:"

    def __init__(self, pending: Callable[[], Awaitable[Sequence[tuple[str, int]]]]) -> None:
        self._pending = pending

    async def look(self, view: Look) -> list[Found]:
        return [
            Found(f"approval:{i}", {"since": at}, f"{i} has waited over an hour for your answer", i)
            for i, at in await self._pending()
            if _is_past(at, APPROVAL_WAITS_MS, view.now)
        ]


class SchedulesFailing:
    """failing: how many times in a row the newest tasks of a schedule failed, by name."""

    name, prefix = "failing schedules", "failing:"

    def __init__(self, failing: Callable[[], Awaitable[Mapping[str, int]]]) -> None:
        self._failing = failing

    async def look(self, view: Look) -> list[Found]:
        return [
            Found(f"failing:{n}", True, f"schedule {n} failed {count} times in a row", f"schedule:{n}")
            for n, count in (await self._failing()).items()
            if count >= FAILURES
        ]


class UncommittedWork:
    """Work nobody touched for two days in a clone: while it is worked on, nothing is said."""

    name, prefix = "uncommitted work", "uncommitted:"

    def __init__(self, problems: Problems) -> None:
        self._problems = problems

    async def look(self, view: Look) -> list[Found]:
        slots = asyncio.Semaphore(CLONES_AT_ONCE)

        async def ask(clone: Clone, path: Path) -> Found | None:
            async with slots:
                return await self._ask(clone, path, view)

        clones = {c.path: c for c in view.around.clones if c.path is not None and c.path.is_dir()}
        answers = await asyncio.gather(*(ask(c, p) for p, c in clones.items()))
        return [a for a in answers if a is not None]

    async def _ask(self, clone: Clone, path: Path, view: Look) -> Found | None:
        key = f"uncommitted:{path}"
        try:
            dirt = await uncommitted(path)
        except NightclawError as error:
            self._problems.set(f"clone {path}", error.message, error.hint)
            held = view.facts.get(key)
            return Found(key, held, "", f"clone:{path}") if held is not None else None
        self._problems.set(f"clone {path}", None)
        if dirt is None or not _is_past(dirt.newest_at, LYING_FOR_MS, view.now):
            return None
        files = f"{dirt.files} file{'' if dirt.files == 1 else 's'}"
        title = f"{path.name} has uncommitted work from over two days ago ({files})"
        return Found(key, {"since": dirt.newest_at}, title, f"clone:{path}", repo=clone.repo)


class OrdersDue:
    """The bullets of ORDERS.md that name a time. An order written after its time is told only if it is still fresh."""

    name, prefix = "orders", "order:"

    async def look(self, view: Look) -> list[Found]:
        found: list[Found] = []
        for order in read_orders(_orders_of(view.around), view.around.tz):
            key = f"order:{order.digest}"
            held = view.facts.get(key)
            seen_at = held.get("seen_at") if isinstance(held, Mapping) else None
            seen_at = seen_at if isinstance(seen_at, int) else view.now
            noticed = f"order noticed: {order.text}"
            found.append(Found(key, {"seen_at": seen_at}, noticed, "orders", tell=False))
            at = last_due(order, view.now, view.around.tz)
            if at is None:
                continue
            fresh = order.once is not None and view.now - at < LATE_ORDER_MS
            due_key = f"{key}:{iso(at)}"
            if at >= seen_at or fresh or due_key in view.facts:
                title = f"due by your orders: {order.text}"
                found.append(Found(due_key, {"due": iso(at)}, title, "orders"))
        return found


class DiskLow:
    name, prefix = "disk", "disk:"

    async def look(self, view: Look) -> list[Found]:
        free = shutil.disk_usage(view.around.home).free
        if free >= (WELL_BYTES if "disk:low" in view.facts else LOW_BYTES):
            return []
        title = f"only {free // 1_000_000} MB are left on the disk of {view.around.home}"
        return [Found("disk:low", True, title, "disk")]


def standard_probes(
    pending_approvals: Callable[[], Awaitable[Sequence[tuple[str, int]]]],
    failing_schedules: Callable[[], Awaitable[Mapping[str, int]]],
    problems: Problems,
) -> list[Probe]:
    return [
        ReviewsWaiting(),
        StalePulls(),
        RedBranches(),
        ApprovalsWaiting(pending_approvals),
        SchedulesFailing(failing_schedules),
        UncommittedWork(problems),
        OrdersDue(),
        DiskLow(),
    ]


def _has_orders(around: Around) -> bool:
    try:
        return asks_for_judgement(_orders_of(around))
    except OSError:
        return False  # the probe of the orders says what is wrong


def _orders_of(around: Around) -> str:
    """ORDERS.md as it is now, "" without one. Raises OSError for one that cannot be read."""
    try:
        with (around.home / "ORDERS.md").open("rb") as file:
            return file.read(ORDERS_BYTES).decode("utf-8", errors="replace")
    except FileNotFoundError:
        return ""


def _pulls(facts: Mapping[str, JSON]) -> list[tuple[str, Mapping[str, JSON]]]:
    return [
        (key.removeprefix("pr:"), value)
        for key, value in facts.items()
        if key.startswith("pr:") and isinstance(value, Mapping)
    ]


def _about_pull(key: str, at: JSON, title: str, subject: str, pull: Mapping[str, JSON]) -> Found:
    repo, _, _ = subject.partition("#")
    return Found(key, {"since": at}, title, subject, repo=repo, private=pull.get("private") is True)


def _called(pull: Mapping[str, JSON]) -> str:
    title = pull.get("title")
    return f": {title}" if isinstance(title, str) and title else ""


def _is_past(at: JSON, span_ms: int, now: int) -> bool:
    return isinstance(at, int) and not isinstance(at, bool) and now - at >= span_ms
