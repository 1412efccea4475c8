"""Growth: what may go and when, in small transactions. Keys, decisions and recent bodies stay.

Pruned: payloads and step bodies past `payloads`; events past `events` that every consumer has read; delivery and
body hashes past 7 days; ticks that found nothing, with their decisions, past `payloads`.
"""

from dataclasses import dataclass

from sqlalchemy import Connection, delete, select, update

from nightclaw.core import failpoints
from nightclaw.store import events
from nightclaw.store.schema import decision, delivery, signal, step

CHUNK = 500
DELIVERY_KEPT_MS = 7 * 24 * 3600 * 1000


@dataclass(frozen=True, slots=True)
class Limits:
    """Rows older than these moments (ms) may go; events only below `read_up_to`."""

    payloads_at: int
    events_at: int
    read_up_to: int


def prune(conn: Connection, limits: Limits, now: int) -> int:
    """One small pass; returns how many rows it changed, 0 when there is nothing left to do."""
    changed = (
        _payloads(conn, limits.payloads_at)
        + _step_bodies(conn, limits.payloads_at)
        + _deliveries(conn, now - DELIVERY_KEPT_MS)
        + _quiet_ticks(conn, limits.payloads_at)
        + events.prune(conn, limits.events_at, limits.read_up_to, CHUNK)
    )
    if changed:
        conn.exec_driver_sql("PRAGMA incremental_vacuum(200)").fetchall()
        failpoints.hit("retention.pruned")
    return changed


def _payloads(conn: Connection, before_at: int) -> int:
    old = (
        select(signal.c.id)
        .where(
            signal.c.created_at < before_at, signal.c.payload.is_not(None), signal.c.decision_id.is_not(None)
        )
        .limit(CHUNK)
    )
    return conn.execute(update(signal).where(signal.c.id.in_(old)).values(payload=None)).rowcount


def _step_bodies(conn: Connection, before_at: int) -> int:
    old = select(step.c.id).where(step.c.created_at < before_at, step.c.response.is_not(None)).limit(CHUNK)
    return conn.execute(update(step).where(step.c.id.in_(old)).values(input=None, response=None)).rowcount


def _deliveries(conn: Connection, before_at: int) -> int:
    old = select(delivery.c.hook, delivery.c.delivery_id).where(delivery.c.at < before_at).limit(CHUNK)
    gone = 0
    for r in conn.execute(old).all():
        gone += conn.execute(
            delete(delivery).where(delivery.c.hook == r.hook, delivery.c.delivery_id == r.delivery_id)
        ).rowcount
    return gone


def _quiet_ticks(conn: Connection, before_at: int) -> int:
    rows = conn.execute(
        select(signal.c.id, decision.c.id.label("decision"))
        .join(decision, decision.c.id == signal.c.decision_id)
        .where(signal.c.created_at < before_at, signal.c.source == "tick", decision.c.verdict == "ignore")
        .limit(CHUNK)
    ).all()
    conn.execute(delete(signal).where(signal.c.id.in_([r.id for r in rows])))
    conn.execute(delete(decision).where(decision.c.id.in_([r.decision for r in rows])))
    return len(rows)
