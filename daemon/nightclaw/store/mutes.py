"""What the owner does not want to be told: a repository, a kind, a thread, or all, for a while or for good."""

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from sqlalchemy import Connection, delete, select
from sqlalchemy.dialects.sqlite import insert as upsert

from nightclaw.core.errors import Invalid, NotFound
from nightclaw.store.schema import mute

FOR_GOOD = 253_402_300_799_000  # the last second of the year 9999
ALL = "all"
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class Mute:
    what: str
    until_at: int
    created_at: int


def add(conn: Connection, what: str, until_at: int | None, now: int) -> Mute:
    """Mute `what` until the given moment (None: until it is removed). Muting again moves the end.

    what: `all`, a repository (`octo/app`, `octo/*`), a kind (`ci`) or a thread (`octo/app#5`).
    """
    wanted = what.strip()
    if not wanted or len(wanted) > _LONGEST or any(ord(c) < 32 for c in wanted):
        raise Invalid("mute what?", "name a repository (octo/app), a kind (ci), a thread (octo/app#5) or all")
    ends = FOR_GOOD if until_at is None else until_at
    if ends <= now:
        raise Invalid("this mute would already be over", "give a time in the future")
    row = upsert(mute).values(what=wanted, until_at=ends, created_at=now)
    conn.execute(
        row.on_conflict_do_update(
            index_elements=["what"],
            set_={"until_at": row.excluded.until_at, "created_at": row.excluded.created_at},
        )
    )
    return Mute(wanted, ends, now)


def remove(conn: Connection, what: str) -> None:
    """Raises NotFound when there is no such mute."""
    if conn.execute(delete(mute).where(mute.c.what == what.strip())).rowcount == 0:
        raise NotFound(f"nothing is muted as {what!r}", "see `clawctl mute`")


def active(conn: Connection, now: int) -> list[Mute]:
    """The mutes that hold now, newest first."""
    query = select(mute).where(mute.c.until_at > now).order_by(mute.c.created_at.desc(), mute.c.what)
    return [Mute(r.what, r.until_at, r.created_at) for r in conn.execute(query)]


def prune(conn: Connection, now: int) -> int:
    return conn.execute(delete(mute).where(mute.c.until_at <= now)).rowcount


def match(mutes: Sequence[Mute], kind: str, subject: str) -> Mute | None:
    """The first mute that covers a note of this kind about this subject."""
    return next((m for m in mutes if _covers(m.what.casefold(), kind.casefold(), subject.casefold())), None)


def _covers(what: str, kind: str, subject: str) -> bool:
    if what in (ALL, subject, kind) or kind.startswith(what + "."):
        return True
    repository = subject.partition("#")[0].partition("@")[0]
    if what == repository:
        return True
    return "*" in what and (fnmatchcase(repository, what) or fnmatchcase(subject, what))
