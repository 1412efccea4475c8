"""Notes under way: one effect row a note and destination, key `<note id>:<lane>`, and what follows from its end.

A note is sent with the first delivery that landed; it is unknown or failed when none can land any more.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, and_, func, select, update

from nightclaw.core.states import EffectState, NotificationState
from nightclaw.core.telling import HOUR_MS, Hold, Keep, Mute, Plan, Send
from nightclaw.core.types import NoteDraft
from nightclaw.store import effects, events, mutes, notifications
from nightclaw.store.mutes import Mute as MuteRow
from nightclaw.store.notifications import ID_LENGTH, IN_ORDER, KIND, NOTE_OF, Notification
from nightclaw.store.schema import effect, notification, signal

_LANE_OF: ColumnElement[str] = func.substr(effect.c.idem_key, ID_LENGTH + 2)


@dataclass(frozen=True, slots=True)
class Delivery:
    """One note on its way to one destination. since: when it was lined up."""

    effect_id: str
    note: Notification
    since: int


@dataclass(frozen=True, slots=True)
class Docket:
    """What the outbox has to judge now. kinds: of the signals behind
    each note. recent: when notes went out in the last hour. next_at: when to look again."""

    due: list[Notification]
    held: list[Notification]
    mutes: list[MuteRow]
    kinds: dict[str, list[str]]
    recent: list[int]
    next_at: int | None


def docket(conn: Connection, now: int, limit: int) -> Docket:
    found, held = notifications.due(conn, now, limit), notifications.held_due(conn, now)
    next_at = notifications.next_due_at(conn)
    if not found and not held:
        return Docket([], [], [], {}, [], next_at)
    recent = notifications.lined_up_since(conn, now - HOUR_MS)
    active = mutes.active(conn, now)
    kinds = signal_kinds(conn, [n.id for n in (*found, *held)]) if active else {}
    return Docket(found, held, active, kinds, recent, next_at)


def signal_kinds(conn: Connection, note_ids: Sequence[str]) -> dict[str, list[str]]:
    """The kinds of the signals behind each note (`issues.assigned`): a mute may name them."""
    query = (
        select(notification.c.id, signal.c.kind)
        .join(signal, signal.c.decision_id == notification.c.decision_id)
        .where(notification.c.id.in_(note_ids))
    )
    found: dict[str, list[str]] = {}
    for row in conn.execute(query):
        found.setdefault(row.id, []).append(row.kind)
    return found


def carry_out(
    conn: Connection, plans: Sequence[tuple[Notification, Plan]], lanes: Sequence[tuple[str, str]], now: int
) -> None:
    """Do what was planned for each note. lanes: (key, name) of every destination."""
    for note, wanted in plans:
        match wanted:
            case Send():
                notifications.line_up(conn, note.id, lanes, now)
            case Hold(until, reason):
                notifications.hold(conn, note.id, until, reason)
            case Keep(reason):
                notifications.move(conn, note.id, NotificationState.KEPT, reason=reason)
            case Mute(reason):
                notifications.move(conn, note.id, NotificationState.MUTED, reason=reason)


def begin_test(
    conn: Connection, draft: NoteDraft, lanes: Sequence[tuple[str, str]], now: int
) -> list[Delivery]:
    """A note of the owner's own trial, in flight to every lane at once."""
    state = NotificationState.QUEUED
    note_id = notifications.write_row(conn, draft, draft.title, draft.body, state, None, now, None, now)
    note = notifications.get(conn, note_id)
    assert note is not None
    size = len(note.title.encode()) + len(note.body.encode())
    ids = notifications.line_up(conn, note_id, lanes, now)
    sending = [Delivery(effect_id, note, now) for effect_id in ids]
    for d in sending:
        begin(conn, [d], size)
    return sending


def waiting_in(conn: Connection, lane: str, limit: int) -> list[Delivery]:
    """What waits for one destination, oldest first."""
    query = (
        select(notification, effect.c.id.label("effect_id"), effect.c.created_at.label("since"))
        .join(effect, notification.c.id == NOTE_OF)
        .where(_is_waiting(), _LANE_OF.in_([lane]))
        .order_by(notification.c.created_at, IN_ORDER)
        .limit(limit)
    )
    return [Delivery(r.effect_id, notifications.notification_of(r), r.since) for r in conn.execute(query)]


def _is_waiting() -> ColumnElement[bool]:
    return and_(
        effect.c.state == str(EffectState.PREPARED), effect.c.kind == KIND, effect.c.error.is_not(None)
    )


def begin(conn: Connection, deliveries: Sequence[Delivery], size: int) -> list[Delivery]:
    """Put them in flight as one message of `size` bytes; returns those that were still waiting."""
    begun: list[Delivery] = []
    for d in deliveries:
        if effects.begin(conn, d.effect_id, 0 if begun else size):
            begun.append(d)
            conn.execute(
                update(notification)
                .where(notification.c.id == d.note.id)
                .values(attempts=notification.c.attempts + 1)
            )
    return begun


def delivered(conn: Connection, deliveries: Sequence[Delivery], told: Sequence[str], now: int) -> None:
    """The message landed; `told` are the untold notes it named."""
    for d in deliveries:
        effects.settle(conn, d.effect_id, EffectState.APPLIED, now)
        _conclude(conn, d.note.id, now)
    if deliveries:
        notifications.fold_into(conn, told, deliveries[0].note.id)


def refused(
    conn: Connection, lane: str, tried: Sequence[Delivery], error: str, now: int, give_up_before: int
) -> None:
    """The message surely did not land: try again, but give up what waits here since before `give_up_before`."""
    for d in tried:
        effects.put_back(conn, d.effect_id, error)
        conn.execute(update(notification).where(notification.c.id == d.note.id).values(error=error))
    query = select(effect.c.id, NOTE_OF.label("note")).where(
        _is_waiting(), _LANE_OF.in_([lane]), effect.c.created_at < give_up_before
    )
    for row in conn.execute(query).all():
        effects.settle(conn, row.id, EffectState.FAILED, now, error=f"given up after a day: {error}")
        _conclude(conn, row.note, now)


def put_back(conn: Connection, begun: Sequence[Delivery]) -> None:
    """Nothing was sent after all."""
    for d in begun:
        effects.put_back(conn, d.effect_id, effects.LINED_UP)


def gave_up(conn: Connection, deliveries: Sequence[Delivery], error: str, now: int) -> None:
    for d in deliveries:
        effects.settle(conn, d.effect_id, EffectState.FAILED, now, error=error)
        _conclude(conn, d.note.id, now)


def lost_sight(conn: Connection, deliveries: Sequence[Delivery], error: str, now: int) -> None:
    """Nobody knows whether it landed: it is not sent again, a later note names it."""
    for d in deliveries:
        effects.settle(conn, d.effect_id, EffectState.UNKNOWN, now, error=error)
        effects.settle(conn, d.effect_id, EffectState.ABANDONED, now, error=error)
        _conclude(conn, d.note.id, now)


def withdraw(conn: Connection, lanes: Iterable[str], now: int) -> int:
    """Give up what waits for destinations that are not among `lanes` any more; returns how many."""
    query = select(effect.c.id, NOTE_OF.label("note")).where(_is_waiting(), _LANE_OF.not_in(list(lanes)))
    gone = conn.execute(query).all()
    for row in gone:
        error = "this destination was removed from the config"
        effects.settle(conn, row.id, EffectState.FAILED, now, error=error)
        _conclude(conn, row.note, now)
    return len(gone)


def recover(conn: Connection, now: int) -> list[str]:
    """At boot: notes that were in flight become unknown and are never sent again alone; returns their ids."""
    in_flight = and_(effect.c.state == str(EffectState.PREPARED), effect.c.error.is_(None))
    query = select(effect.c.id, effect.c.state, NOTE_OF.label("note")).where(
        effect.c.kind == KIND, in_flight | (effect.c.state == str(EffectState.UNKNOWN))
    )
    error = "the daemon stopped while sending it"
    notes: list[str] = []
    for row in conn.execute(query).all():
        effects.settle(conn, row.id, EffectState.UNKNOWN, now, error=error)
        effects.settle(conn, row.id, EffectState.ABANDONED, now, error=error)
        _conclude(conn, row.note, now)
        notes.append(str(row.note))
    return notes


def _conclude(conn: Connection, note_id: str, now: int) -> None:
    """Let the note's state follow from its effects, once there is something to follow."""
    own = and_(effect.c.idem_key > f"{note_id}:", effect.c.idem_key < f"{note_id};")
    rows = conn.execute(select(effect.c.state, effect.c.target, effect.c.error).where(own)).all()
    landed = [r.target for r in rows if r.state == str(EffectState.APPLIED)]
    if landed:
        if notifications.move(conn, note_id, NotificationState.SENT, sent_at=now, error=None):
            note = notifications.get(conn, note_id)
            events.append(
                conn,
                "notification.sent",
                now,
                {"notification": note_id, "title": note.title if note else "", "to": landed},
            )
        return
    if any(r.state == str(EffectState.PREPARED) for r in rows):
        return
    error = next((r.error for r in rows if r.error), None)
    lost = any(r.state != str(EffectState.FAILED) for r in rows)
    notifications.move(
        conn, note_id, NotificationState.UNKNOWN if lost else NotificationState.FAILED, error=error
    )
