"""Watch rows: those of config.toml mirrored here at every load, those made by clients kept here alone.

A removed row takes its saved fingerprints with it in the same transaction, so the same place watched again
begins with a new baseline.
"""

import json
from collections.abc import Sequence

from sqlalchemy import Connection, RowMapping, delete, insert, select, update

from nightclaw.core.errors import NotFound, Refused
from nightclaw.core.ids import new_id
from nightclaw.core.types import JSON
from nightclaw.core.watch import Watch, WatchSpec, parse
from nightclaw.store import events, journal
from nightclaw.store.schema import watch

CONFIG, API = "config", "api"


def mirror(conn: Connection, specs: Sequence[WatchSpec], now: int) -> bool:
    """Make the rows of origin "config" exactly `specs`; True when that changed any.

    A row keeps its id while its name stays. A row a client made under the same name becomes the config's.
    """
    held = {w.spec.name: w for w in all_of(conn)}
    wanted = {spec.name: spec for spec in specs}
    changed = False
    for name, row in held.items():
        if row.origin == CONFIG and name not in wanted:
            _drop(conn, row, now)
            changed = True
    for name, spec in wanted.items():
        row = held.get(name)
        if row is None:
            _insert(conn, spec, CONFIG, now)
            changed = True
        elif row.spec != spec or row.origin != CONFIG:
            conn.execute(update(watch).where(watch.c.id == row.id).values(origin=CONFIG, spec=_spec(spec)))
            changed = True
    return changed


def all_of(conn: Connection) -> list[Watch]:
    """Every watch row, oldest first."""
    rows = conn.execute(select(watch).order_by(watch.c.created_at, watch.c.name)).mappings()
    return [_watch(r) for r in rows]


def add(conn: Connection, spec: WatchSpec, now: int) -> Watch:
    """Keep a client's watch. Raises Refused when the name is taken."""
    if conn.execute(select(watch.c.id).where(watch.c.name == spec.name)).first() is not None:
        raise Refused(f"{spec.name} is watched already", "give it another name, or remove the old one first")
    return _insert(conn, spec, API, now)


def remove(conn: Connection, ref: str, now: int) -> Watch:
    """Forget the watch with this id or name. Raises NotFound, and Refused for one of config.toml."""
    found = conn.execute(select(watch).where((watch.c.id == ref) | (watch.c.name == ref))).mappings().first()
    if found is None:
        raise NotFound(f"no watch is called {ref}", "`clawctl watch list` shows them")
    row = _watch(found)
    if row.origin == CONFIG:
        raise Refused(
            f"{row.spec.name} stands in config.toml", "take its [[watch]] out of config.toml and reload"
        )
    _drop(conn, row, now)
    return row


def _insert(conn: Connection, spec: WatchSpec, origin: str, now: int) -> Watch:
    row = Watch(new_id("wat", now), origin, spec, now)
    conn.execute(
        insert(watch).values(id=row.id, name=spec.name, origin=origin, spec=_spec(spec), created_at=now)
    )
    events.append(conn, "watch.added", now, _told(row))
    return row


def _drop(conn: Connection, row: Watch, now: int) -> None:
    conn.execute(delete(watch).where(watch.c.id == row.id))
    journal.drop_states(conn, f"files:{row.id}")
    events.append(conn, "watch.removed", now, _told(row))


def _told(row: Watch) -> dict[str, JSON]:
    return {"watch": row.id, "name": row.spec.name, "path": row.spec.path, "origin": row.origin}


def _spec(spec: WatchSpec) -> str:
    return events.dumps(spec.as_json())


def _watch(row: RowMapping) -> Watch:
    spec = parse({**json.loads(row["spec"]), "name": row["name"]})
    return Watch(row["id"], row["origin"], spec, row["created_at"])
