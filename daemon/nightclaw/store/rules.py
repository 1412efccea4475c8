"""What the owner said once and holds on: grants of `always`, and boundaries ("never push to main")."""

from dataclasses import dataclass

from sqlalchemy import Connection, insert, or_, select, update

from nightclaw.core.ids import new_id
from nightclaw.core.trust import Trust
from nightclaw.store.schema import boundary, grant


@dataclass(frozen=True, slots=True)
class GrantRow:
    """tool and matcher: a call it allows, never wider than the one that was asked. scope: a session or `*`."""

    id: str
    tool: str
    matcher: str
    scope: str
    min_trust: Trust


@dataclass(frozen=True, slots=True)
class BoundaryRow:
    """verb: deny or ask. rule: `Tool(specifier)`. said: the owner's words."""

    id: str
    verb: str
    rule: str
    said: str
    created_at: int


def add_grant(
    conn: Connection, tool: str, matcher: str, scope: str, min_trust: Trust, approval_id: str, now: int
) -> str:
    made = new_id("grt", now)
    conn.execute(
        insert(grant).values(
            id=made,
            tool=tool,
            matcher=matcher,
            scope=scope,
            min_trust=str(min_trust),
            approval_id=approval_id,
            created_at=now,
        )
    )
    return made


def grants(conn: Connection, session_id: str, now: int) -> list[GrantRow]:
    rows = conn.execute(
        select(grant).where(
            grant.c.scope.in_([session_id, "*"]),
            grant.c.revoked_at.is_(None),
            or_(grant.c.expires_at.is_(None), grant.c.expires_at > now),
        )
    )
    return [GrantRow(r.id, r.tool, r.matcher, r.scope, Trust(r.min_trust)) for r in rows]


def add_boundary(conn: Connection, verb: str, rule: str, said: str, signal_id: str, now: int) -> str:
    """Keep a boundary; the same rule twice is one."""
    held = conn.execute(
        select(boundary.c.id).where(boundary.c.rule == rule, boundary.c.revoked_at.is_(None))
    ).scalar()
    if held is not None:
        return str(held)
    made = new_id("bnd", now)
    conn.execute(
        insert(boundary).values(
            id=made, verb=verb, rule=rule, said=said[:500], signal_id=signal_id, created_at=now
        )
    )
    return made


def boundaries(conn: Connection) -> list[BoundaryRow]:
    rows = conn.execute(
        select(boundary).where(boundary.c.revoked_at.is_(None)).order_by(boundary.c.created_at)
    )
    return [BoundaryRow(r.id, r.verb, r.rule, r.said, r.created_at) for r in rows]


def revoke_boundary(conn: Connection, boundary_id: str, now: int) -> bool:
    return (
        conn.execute(
            update(boundary)
            .where(boundary.c.id == boundary_id, boundary.c.revoked_at.is_(None))
            .values(revoked_at=now)
        ).rowcount
        == 1
    )
