"""A Journal in memory that refuses callers who break its protocol, and a place to read problems from."""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from nightclaw.core.errors import StoreBusy, StoreUnavailable
from nightclaw.core.types import JSON, Intake, SignalDraft


class Died(Exception):
    """The process died here: nothing of the call, or all of it, was kept."""


class MemoryJournal:
    """core.ports.Journal. `owner`: the prefix every state key must have.

    Like the store, it keeps a signal once by (source, dedupe_key) and once by delivery, and states in the same
    transaction. `busy`: how many of the next writes are refused. `die_in`: the write that ends the caller.
    """

    def __init__(self, owner: str = "") -> None:
        self.signals: dict[tuple[str, str], SignalDraft] = {}
        self.states: dict[str, str] = {}
        self.fact_rows: dict[str, JSON] = {}
        self.writes = 0
        self.busy = 0
        self.unreadable = False
        self.die_in: int | None = None
        self._owner = owner
        self._changed = asyncio.Event()
        self._deliveries: dict[str, tuple[str, str]] = {}

    @property
    def drafts(self) -> list[SignalDraft]:
        return list(self.signals.values())

    def kinds(self) -> list[str]:
        return [draft.kind for draft in self.drafts]

    async def until(self, is_so: Callable[[], bool], within_s: float = 10) -> None:
        """Wait for writes until `is_so`."""
        async with asyncio.timeout(within_s):
            while not is_so():
                self._changed.clear()
                await self._changed.wait()

    async def emit(self, draft: SignalDraft, states: Mapping[str, JSON] | None = None) -> Intake:
        return (await self.emit_all([draft], states or {}))[0]

    async def emit_all(self, drafts: Sequence[SignalDraft], states: Mapping[str, JSON]) -> list[Intake]:
        for draft in drafts:
            check_draft(draft)
        packed = self._pack(states)
        if self.busy:
            self.busy -= 1
            raise StoreBusy("the write queue is full")
        if self.die_in is not None:
            self.die_in -= 1
            if self.die_in < 0:
                raise Died
        self.writes += 1
        self.states |= packed
        self._changed.set()
        return [self._take_in(draft) for draft in drafts]

    async def load(self, key: str) -> JSON:
        if self.unreadable:
            raise StoreUnavailable("disk I/O error")
        return json.loads(self.states[key]) if key in self.states else None

    async def load_all(self, prefix: str) -> dict[str, JSON]:
        return {k: json.loads(v) for k, v in self.states.items() if k.startswith(prefix)}

    async def save(self, states: Mapping[str, JSON]) -> None:
        self.writes += 1
        self.states |= self._pack(states)

    async def holds(self, source: str, dedupe_keys: Sequence[str]) -> set[str]:
        assert dedupe_keys, "asking for nothing is a wasted read"
        return {key for key in dedupe_keys if (source, key) in self.signals}

    async def facts(self, prefix: str) -> dict[str, JSON]:
        return {k: v for k, v in self.fact_rows.items() if k.startswith(prefix)}

    def _pack(self, states: Mapping[str, JSON]) -> dict[str, str]:
        for key in states:
            assert key.startswith(self._owner), f"state {key!r} is not one of {self._owner!r}"
        return {key: json.dumps(value) for key, value in states.items()}

    def _take_in(self, draft: SignalDraft) -> Intake:
        at = (str(draft.source), draft.dedupe_key)
        if draft.delivery and draft.delivery in self._deliveries:
            return Intake("/".join(self._deliveries[draft.delivery]), duplicate=True)
        is_held = at in self.signals
        self.signals.setdefault(at, draft)
        if draft.delivery:
            self._deliveries[draft.delivery] = at
        return Intake("/".join(at), duplicate=is_held)


def check_draft(draft: SignalDraft) -> None:
    """What every source owes the store."""
    for text in (
        draft.kind,
        draft.subject,
        draft.dedupe_key,
        draft.title,
        draft.actor or "",
        draft.repo or "",
    ):
        assert text.isprintable(), f"{text!r} is not one plain line"
        text.encode()
    assert draft.kind and draft.subject and draft.dedupe_key and draft.title
    assert len(draft.title) <= 200 and len(draft.dedupe_key) <= 1000 and len(draft.subject) <= 500
    assert len(json.dumps(draft.attrs, ensure_ascii=False).encode()) < 16_384, "attrs are small"
    if draft.raw is not None:
        json.loads(draft.raw)


@dataclass(frozen=True)
class Said:
    problem: str
    hint: str


class ProblemBook:
    """core.ports.Problems. `told` counts every change of a part's word."""

    def __init__(self) -> None:
        self.items: dict[str, Said] = {}
        self.told: list[str] = []

    def set(self, part: str, problem: str | None, hint: str = "") -> None:
        if problem is None:
            self.items.pop(part, None)
        elif self.items.get(part) != Said(problem, hint):
            self.items[part] = Said(problem, hint)
            self.told.append(part)
