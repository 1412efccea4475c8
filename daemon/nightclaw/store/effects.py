"""What we did to the world, one row a deed: prepared before it, settled after it, unknown when we died between.

A prepared row is in flight while `error` is NULL. With an error it waits: nothing of it is under way, either
because it was only lined up or because the far side refused the last attempt. Only what was in flight at a
crash becomes unknown; the rest is simply tried again.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, Row, insert, select, update

from nightclaw.core.ids import new_id
from nightclaw.core.states import EffectState, before
from nightclaw.store.schema import effect

LINED_UP = "not tried yet"
_LEFT_THE_MACHINE = ("applied", "unknown", "abandoned")


@dataclass(frozen=True, slots=True)
class Effect:
    """kind: notify, push, comment, … target: to whom, without secrets. bytes: of the last attempt."""

    id: str
    kind: str
    target: str
    idem_key: str
    repeat: str
    state: EffectState
    object_id: str | None
    task_id: str | None
    bytes: int
    attempts: int
    error: str | None
    created_at: int
    settled_at: int | None


def _effect(row: Row[tuple[object, ...]]) -> Effect:
    r = row._mapping
    return Effect(
        id=r["id"],
        kind=r["kind"],
        target=r["target"],
        idem_key=r["idem_key"],
        repeat=r["class"],
        state=EffectState(r["state"]),
        object_id=r["object_id"],
        task_id=r["task_id"],
        bytes=r["bytes"],
        attempts=r["attempts"],
        error=r["error"],
        created_at=r["created_at"],
        settled_at=r["settled_at"],
    )


def line_up(
    conn: Connection,
    *,
    kind: str,
    target: str,
    idem_key: str,
    repeat: str,
    now: int,
    task: str | None = None,
) -> str:
    """A row for something to be done soon; the id of the row that is there when the key is known.

    repeat: the class, one of pure, keyed, probe, once.
    """
    held = by_key(conn, idem_key)
    if held is not None:
        return held.id
    effect_id = new_id("eff", now)
    conn.execute(
        insert(effect),
        {
            "id": effect_id,
            "kind": kind,
            "target": target,
            "idem_key": idem_key,
            "class": repeat,
            "state": str(EffectState.PREPARED),
            "task_id": task,
            "error": LINED_UP,
            "created_at": now,
        },
    )
    return effect_id


def begin(conn: Connection, effect_id: str, size: int) -> bool:
    """Put a waiting row in flight, `size` bytes about to leave. False: it is in flight or settled, do nothing."""
    return (
        conn.execute(
            update(effect)
            .where(
                effect.c.id == effect_id,
                effect.c.state == str(EffectState.PREPARED),
                effect.c.error.is_not(None),
            )
            .values(error=None, bytes=size, attempts=effect.c.attempts + 1)
        ).rowcount
        == 1
    )


def prepare(
    conn: Connection,
    *,
    kind: str,
    target: str,
    idem_key: str,
    repeat: str,
    size: int,
    now: int,
    task: str | None = None,
) -> str | None:
    """`line_up` and `begin` in one: the id to settle, or None when this deed is under way or was done before."""
    effect_id = line_up(conn, kind=kind, target=target, idem_key=idem_key, repeat=repeat, now=now, task=task)
    return effect_id if begin(conn, effect_id, size) else None


def put_back(conn: Connection, effect_id: str, error: str) -> bool:
    """The attempt surely did not land: wait for the next one."""
    return (
        conn.execute(
            update(effect)
            .where(effect.c.id == effect_id, effect.c.state == str(EffectState.PREPARED))
            .values(error=error or "refused")
        ).rowcount
        == 1
    )


def settle(
    conn: Connection,
    effect_id: str,
    wanted: EffectState,
    now: int,
    *,
    object_id: str | None = None,
    error: str | None = None,
) -> bool:
    """Guarded move to `wanted`; True when it landed. object_id: what the far side calls it, for `is_own`."""
    values: dict[str, object] = {"state": str(wanted), "settled_at": now, "error": error}
    if object_id is not None:
        values["object_id"] = object_id
    landed = conn.execute(
        update(effect).where(effect.c.id == effect_id, effect.c.state.in_(before(wanted))).values(values)
    ).rowcount
    return landed == 1


def interrupted(conn: Connection, now: int) -> list[Effect]:
    """At boot: everything that was in flight becomes unknown. Returns those rows, oldest first."""
    query = select(effect).where(effect.c.state == str(EffectState.PREPARED), effect.c.error.is_(None))
    found = [_effect(r) for r in conn.execute(query.order_by(effect.c.created_at, effect.c.id))]
    for e in found:
        settle(conn, e.id, EffectState.UNKNOWN, now, error="the daemon stopped in the middle of it")
    return found


def unknown(conn: Connection, kind: str) -> list[Effect]:
    """Rows of a kind whose outcome nobody knows, oldest first: for reconciling with the world."""
    query = select(effect).where(effect.c.state == str(EffectState.UNKNOWN), effect.c.kind == kind)
    return [_effect(r) for r in conn.execute(query.order_by(effect.c.created_at, effect.c.id))]


def get(conn: Connection, effect_id: str) -> Effect | None:
    row = conn.execute(select(effect).where(effect.c.id == effect_id)).first()
    return _effect(row) if row else None


def by_key(conn: Connection, idem_key: str) -> Effect | None:
    row = conn.execute(select(effect).where(effect.c.idem_key == idem_key)).first()
    return _effect(row) if row else None


def is_own(conn: Connection, object_ids: Sequence[str]) -> bool:
    """True when one of these objects of the outside (comment, commit, ref, …) is our own doing."""
    for i in range(0, len(object_ids), 500):
        query = select(effect.c.id).where(effect.c.object_id.in_(object_ids[i : i + 500])).limit(1)
        if conn.execute(query).first() is not None:
            return True
    return False


def sent(conn: Connection, limit: int, after: str | None = None, kinds: Iterable[str] = ()) -> list[Effect]:
    """What left the machine, or may have, newest first: to whom and how many bytes. after: an id to go on from."""
    query = select(effect).where(effect.c.state.in_(_LEFT_THE_MACHINE))
    if after is not None:
        query = query.where(effect.c.id < after)
    wanted = list(kinds)
    if wanted:
        query = query.where(effect.c.kind.in_(wanted))
    return [_effect(r) for r in conn.execute(query.order_by(effect.c.id.desc()).limit(limit))]
