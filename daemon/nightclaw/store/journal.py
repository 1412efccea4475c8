"""The store as sources see it: signals in, a little state of their own, and what is already known."""

import asyncio
import json
import zlib
from collections.abc import Mapping, Sequence

from sqlalchemy import ColumnElement, Connection, and_, bindparam, delete, select
from sqlalchemy.dialects.sqlite import insert as upsert

from nightclaw.core.ports import Clock
from nightclaw.core.types import JSON, Intake, SignalDraft
from nightclaw.store import events, facts, signals
from nightclaw.store.db import Store
from nightclaw.store.schema import signal, source_state

_INSERT_STATE = upsert(source_state)
_PUT_STATE = _INSERT_STATE.on_conflict_do_update(
    index_elements=["key"], set_={"value": _INSERT_STATE.excluded.value, "at": _INSERT_STATE.excluded.at}
)
_DROP_STATE = delete(source_state).where(source_state.c.key == bindparam("gone"))
_LAST = "\U0010ffff"


def save_states(conn: Connection, states: Mapping[str, bytes | None], now: int) -> None:
    """Keep each state under its key; None drops it."""
    kept = [{"key": k, "value": v, "at": now} for k, v in states.items() if v is not None]
    gone = [{"gone": k} for k, v in states.items() if v is None]
    if kept:
        conn.execute(_PUT_STATE, kept)
    if gone:
        conn.execute(_DROP_STATE, gone)


def load_state(conn: Connection, key: str) -> bytes | None:
    found = conn.execute(select(source_state.c.value).where(source_state.c.key == key)).scalar()
    return None if found is None else bytes(found)


def load_states(conn: Connection, prefix: str) -> dict[str, bytes]:
    rows = conn.execute(select(source_state.c.key, source_state.c.value).where(_begins_with(prefix)))
    return {str(r.key): bytes(r.value) for r in rows}


def drop_states(conn: Connection, prefix: str) -> int:
    return conn.execute(delete(source_state).where(_begins_with(prefix))).rowcount


def _begins_with(prefix: str) -> ColumnElement[bool]:
    """As a range, which the primary key serves; LIKE would read the whole table."""
    return and_(source_state.c.key >= prefix, source_state.c.key < prefix + _LAST)


def _pack(states: Mapping[str, JSON]) -> dict[str, bytes | None]:
    return {k: None if v is None else zlib.compress(events.dumps(v).encode(), 1) for k, v in states.items()}


def _unpack(blob: bytes) -> JSON:
    return json.loads(zlib.decompress(blob))


class StoreJournal:
    """core.ports.Journal over the store."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def emit(self, draft: SignalDraft, states: Mapping[str, JSON] | None = None) -> Intake:
        return (await self.emit_all([draft], states or {}))[0]

    async def emit_all(self, drafts: Sequence[SignalDraft], states: Mapping[str, JSON]) -> list[Intake]:
        prepared = [signals.prepare(d) for d in drafts]
        packed = await asyncio.to_thread(_pack, states) if states else {}

        def write(conn: Connection) -> list[Intake]:
            now = self._clock.now_ms()
            save_states(conn, packed, now)
            return [signals.take_in(conn, p, now) for p in prepared]

        return await self._store.write(write)

    async def load(self, key: str) -> JSON:
        blob = await self._store.read(load_state, key)
        return None if blob is None else _unpack(blob)

    async def load_all(self, prefix: str) -> dict[str, JSON]:
        blobs = await self._store.read(load_states, prefix)
        return await asyncio.to_thread(lambda: {k: _unpack(v) for k, v in blobs.items()})

    async def save(self, states: Mapping[str, JSON]) -> None:
        packed = await asyncio.to_thread(_pack, states)
        await self._store.write(lambda conn: save_states(conn, packed, self._clock.now_ms()))

    async def holds(self, source: str, dedupe_keys: Sequence[str]) -> set[str]:
        def read(conn: Connection) -> set[str]:
            found: set[str] = set()
            for i in range(0, len(dedupe_keys), 500):
                query = select(signal.c.dedupe_key).where(
                    signal.c.source == source, signal.c.dedupe_key.in_(dedupe_keys[i : i + 500])
                )
                found.update(str(k) for k in conn.execute(query).scalars())
            return found

        return await self._store.read(read)

    async def facts(self, prefix: str) -> dict[str, JSON]:
        found = await self._store.read(facts.starting_with, prefix)
        return {k: f.value for k, f in found.items()}
