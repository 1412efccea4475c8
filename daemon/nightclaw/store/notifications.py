"""Notes to the owner as rows: queued once an event, then sent, held for a digest, folded, muted or kept.

A note is cleaned on the way in (plain text, no links but our own) and an identical text is not told twice within
24 hours. Who gets it stands in its effect rows, one a destination with the key `<note id>:<lane>`; the note's own
state follows from them: sent with the first that landed, unknown or failed when none can land any more.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    and_,
    exists,
    func,
    insert,
    literal_column,
    select,
    update,
)

from nightclaw.core import plain
from nightclaw.core.errors import NotFound
from nightclaw.core.ids import new_id
from nightclaw.core.states import NotificationState, before
from nightclaw.core.types import NoteDraft
from nightclaw.protocol.messages import iso
from nightclaw.store import effects, events
from nightclaw.store.schema import effect, notification, tool_call

KIND = "notify"
TEST = "test"
TITLE_LIMIT = 120
BODY_LIMIT = 500
_URL_LIMIT = 200
SAME_TEXT_MS = 24 * 3600 * 1000
ID_LENGTH = 30  # ntf_ and a ULID
_NOT_TOLD = ("muted", "shadow", "failed")
_QUEUED = str(NotificationState.QUEUED)
IN_ORDER: ColumnElement[int] = literal_column("notification.rowid")  # ids of one millisecond are in no order
NOTE_OF: ColumnElement[str] = func.substr(effect.c.idem_key, 1, ID_LENGTH)


@dataclass(frozen=True, slots=True)
class Notification:
    id: str
    title: str
    body: str
    kind: str
    subject: str
    state: NotificationState
    urgent: bool
    private: bool
    due_at: int
    created_at: int


def notification_of(row: Row[tuple[object, ...]]) -> Notification:
    r = row._mapping
    return Notification(
        id=r["id"],
        title=r["title"],
        body=r["body"],
        kind=r["kind"],
        subject=r["subject"],
        state=NotificationState(r["state"]),
        urgent=bool(r["urgent"]),
        private=bool(r["private"]),
        due_at=r["due_at"],
        created_at=r["created_at"],
    )


# Coming in


def queue(
    conn: Connection,
    note: NoteDraft,
    *,
    now: int,
    decision_id: str | None = None,
    shadow: bool = False,
    due_at: int | None = None,
) -> str:
    """The id of the new row, or of the row that already has this dedupe_key.

    shadow: the row only says what would have been told. `note.url` ends the body, all other links are removed.
    """
    title = plain.one_line(plain.without_links(note.title), TITLE_LIMIT) or "(no title)"
    url = note.url if len(note.url) <= _URL_LIMIT else ""
    body = plain.lines(plain.without_links(note.body), BODY_LIMIT - len(url) - 1)
    if url:
        body = f"{body}\n{url}".strip()
    state, reason = NotificationState.QUEUED, None
    told = _told_at(conn, title, body, now)
    if shadow:
        state, reason = NotificationState.SHADOW, "shadow mode: this would have been told"
    elif told is not None:
        state, reason = NotificationState.MUTED, f"same text told at {iso(told)}"
    return write_row(
        conn, note, title, body, state, reason, now, decision_id, now if due_at is None else due_at
    )


def write_row(
    conn: Connection,
    note: NoteDraft,
    title: str,
    body: str,
    state: NotificationState,
    reason: str | None,
    now: int,
    decision_id: str | None,
    due_at: int,
) -> str:
    """The row as given, unless its dedupe_key is known; tells of it."""
    held = conn.execute(
        select(notification.c.id).where(notification.c.dedupe_key == note.dedupe_key)
    ).scalar()
    if held is not None:
        return str(held)
    note_id = new_id("ntf", now)
    conn.execute(
        insert(notification),
        {
            "id": note_id,
            "title": title,
            "body": body,
            "dedupe_key": note.dedupe_key,
            "kind": note.kind,
            "subject": note.subject,
            "state": str(state),
            "urgent": note.urgent,
            "private": note.private,
            "reason": reason,
            "decision_id": decision_id,
            "due_at": due_at,
            "created_at": now,
        },
    )
    events.append(
        conn,
        "notification.queued",
        now,
        {
            "notification": note_id,
            "title": title,
            "body": body,
            "kind": note.kind,
            "subject": note.subject,
            "state": str(state),
            "reason": reason,
            "urgent": note.urgent,
        },
        session=note.session,
    )
    return note_id


def _told_at(conn: Connection, title: str, body: str, now: int) -> int | None:
    found = conn.execute(
        select(func.max(notification.c.created_at)).where(
            notification.c.created_at > now - SAME_TEXT_MS,
            notification.c.title == title,
            notification.c.body == body,
            notification.c.state.not_in(_NOT_TOLD),
        )
    ).scalar()
    return int(found) if found is not None else None


def notes_of_task_since(conn: Connection, task_id: str, at: int) -> int:
    """How many messages a task's calls sent the owner since then."""
    query = (
        select(func.count())
        .select_from(tool_call)
        .where(
            tool_call.c.task_id == task_id,
            tool_call.c.tool == "SendUserMessage",
            tool_call.c.started_at >= at,
        )
    )
    return int(conn.execute(query).scalar() or 0)


def is_known(conn: Connection, dedupe_key: str) -> bool:
    """True when a note of this key was queued before."""
    query = select(notification.c.id).where(notification.c.dedupe_key == dedupe_key)
    return conn.execute(query).first() is not None


def get(conn: Connection, note_id: str) -> Notification | None:
    row = conn.execute(select(notification).where(notification.c.id == note_id)).first()
    return notification_of(row) if row else None


def mark_useful(conn: Connection, note_id: str, useful: bool) -> None:
    """The owner's word on a note. Raises NotFound."""
    landed = conn.execute(
        update(notification).where(notification.c.id == note_id).values(useful=useful)
    ).rowcount
    if landed == 0:
        raise NotFound(f"there is no notification {note_id}", "see `clawctl notifications`")


# Judged by the outbox: lined up, held, kept, muted, folded


def _lined_up() -> ColumnElement[bool]:
    own = and_(effect.c.idem_key > notification.c.id + ":", effect.c.idem_key < notification.c.id + ";")
    return exists(select(effect.c.id).where(own))


def due(conn: Connection, now: int, limit: int) -> list[Notification]:
    """Queued notes whose time has come and that are not lined up anywhere yet, oldest first."""
    query = (
        select(notification)
        .where(notification.c.state == _QUEUED, notification.c.due_at <= now, ~_lined_up())
        .order_by(notification.c.due_at, notification.c.created_at, IN_ORDER)
        .limit(limit)
    )
    return [notification_of(r) for r in conn.execute(query)]


def held_due(conn: Connection, now: int) -> list[Notification]:
    """Held notes whose hold is over, oldest first."""
    query = select(notification).where(
        notification.c.state == str(NotificationState.HELD), notification.c.due_at <= now
    )
    return [notification_of(r) for r in conn.execute(query.order_by(notification.c.created_at, IN_ORDER))]


def next_due_at(conn: Connection) -> int | None:
    """When the next queued or held note wants to be looked at (ms), None when there is none."""
    queued = select(func.min(notification.c.due_at)).where(notification.c.state == _QUEUED, ~_lined_up())
    held = select(func.min(notification.c.due_at)).where(notification.c.state == str(NotificationState.HELD))
    found = [at for at in (conn.execute(queued).scalar(), conn.execute(held).scalar()) if at is not None]
    return min(found) if found else None


def lined_up_since(conn: Connection, since: int) -> list[int]:
    """When each note lined up after `since` was (ms), oldest first: what the hourly cap counts."""
    at = func.min(effect.c.created_at)
    query = (
        select(at).where(effect.c.kind == KIND, effect.c.created_at > since).group_by(NOTE_OF).order_by(at)
    )
    return [int(t) for t in conn.execute(query).scalars()]


def line_up(conn: Connection, note_id: str, lanes: Iterable[tuple[str, str]], now: int) -> list[str]:
    """Effect rows for a note, one a (lane, name); returns their ids."""
    return [
        effects.line_up(conn, kind=KIND, target=name, idem_key=f"{note_id}:{lane}", repeat="once", now=now)
        for lane, name in lanes
    ]


def hold(conn: Connection, note_id: str, until: int, reason: str) -> None:
    """Wait for the digest at `until`; a note that is held already only waits longer."""
    if not move(conn, note_id, NotificationState.HELD, due_at=until, reason=reason):
        conn.execute(
            update(notification)
            .where(notification.c.id == note_id, notification.c.state == str(NotificationState.HELD))
            .values(due_at=until, reason=reason)
        )


def release(conn: Connection, note_id: str) -> bool:
    """A held note goes out as itself."""
    return move(conn, note_id, NotificationState.QUEUED, reason=None)


def fold(conn: Connection, note_ids: Sequence[str], digest: NoteDraft, now: int, due_at: int) -> str:
    """One digest instead of the held notes, queued now; returns its id."""
    state = NotificationState.QUEUED
    digest_id = write_row(conn, digest, digest.title, digest.body, state, None, now, None, due_at)
    fold_into(conn, note_ids, digest_id)
    return digest_id


def fold_into(conn: Connection, note_ids: Sequence[str], into: str) -> None:
    for note_id in note_ids:
        move(conn, note_id, NotificationState.FOLDED, folded_into=into)


def move(conn: Connection, note_id: str, wanted: NotificationState, **values: object) -> bool:
    return (
        conn.execute(
            update(notification)
            .where(notification.c.id == note_id, notification.c.state.in_(before(wanted)))
            .values(state=str(wanted), **values)
        ).rowcount
        == 1
    )


def untold(conn: Connection, since: int, limit: int) -> list[Notification]:
    """Notes created after `since` that may never have reached the owner, oldest first."""
    lost = (str(NotificationState.UNKNOWN), str(NotificationState.FAILED))
    query = select(notification).where(
        notification.c.created_at > since, notification.c.state.in_(lost), notification.c.kind != TEST
    )
    ordered = query.order_by(notification.c.created_at, IN_ORDER).limit(limit)
    return [notification_of(r) for r in conn.execute(ordered)]
