"""Carries the owner's notes out: decides send, hold, keep or mute, and delivers with patience and without doubles.

Guarantees. Each destination is a lane of its own: order is kept inside it and a broken one delays no other. A
delivery is written down before it leaves (prepared) and settled after; what was in flight when we died is never
sent again alone, the next note names it. A refused delivery is tried again after 30 s, 2 m, 10 m, 30 m, 1 h and
then hourly for a day, or when the far side asks; what is older then is named by the first note that gets through.
More than five waiting for long go out as one message. Nothing is sent while paused, except the owner's own test.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Protocol, TypeVar
from zoneinfo import ZoneInfo

from nightclaw.core import failpoints, telling
from nightclaw.core.errors import DeliveryError, NightclawError, StoreBusy, StoreUnavailable
from nightclaw.core.ports import Address, Clock, Note, Notifier, Problems
from nightclaw.core.types import NoteDraft
from nightclaw.store import deliveries, mutes, notifications
from nightclaw.store.db import Store
from nightclaw.store.deliveries import Delivery, Docket
from nightclaw.store.notifications import Notification

T = TypeVar("T")

HEARS = frozenset({"notification.queued", "notification.sent"})
LONGEST_WAIT_S = 30.0
RETRY_S = (30.0, 120.0, 600.0, 1800.0, 3600.0)
GIVE_UP_MS = 24 * 3600 * 1000
BACKLOG = 5
BACKLOG_AGE_MS = 10 * 60 * 1000
UNTOLD_MS = 7 * 24 * 3600 * 1000
_BATCH = 500
_LAST_WORDS_S = 3.0


class NotifySettings(Protocol):
    """The `[notify]` table, as far as it matters here. urls: whatever the builder of notifiers understands."""

    @property
    def urls(self) -> Sequence[Address]: ...
    @property
    def quiet_hours(self) -> telling.Hours | None: ...
    @property
    def per_hour(self) -> int: ...


class Settings(Protocol):
    @property
    def notify(self) -> NotifySettings: ...
    @property
    def tz(self) -> ZoneInfo: ...


class Looking(Protocol):
    def is_looking(self) -> bool: ...


Builder = Callable[[Sequence[Address]], Sequence[Notifier]]


@dataclass(slots=True)
class Lane:
    """One destination: how often it failed in a row, and when (monotonic seconds) it may be tried again.

    has_work: false only when it was looked at and nothing waited.
    """

    key: str
    notifier: Notifier
    failures: int = 0
    next_at: float = 0.0
    has_work: bool = True
    task: asyncio.Task[None] | None = field(default=None, repr=False)

    @property
    def part(self) -> str:
        return f"notify:{self.notifier.name}"


@dataclass(frozen=True, slots=True)
class Tested:
    """What became of a test note at one destination. error: None when it was accepted."""

    name: str
    error: str | None
    hint: str = ""


class Outbox:
    """`run()` forever; `step()` and `drain()` are its two halves, `test()` the owner's own trial."""

    name = "outbox"

    def __init__(
        self,
        store: Store,
        clock: Clock,
        config: Callable[[], Settings],
        presence: Looking,
        problems: Problems,
        notifiers: Builder,
        paused: Callable[[], bool] = lambda: False,
    ) -> None:
        self._store = store
        self._clock = clock
        self._config = config
        self._presence = presence
        self._problems = problems
        self._build = notifiers
        self._paused = paused
        self._urls: list[Address] | None = None
        self._lanes: dict[str, Lane] = {}
        self._nudged = asyncio.Event()

    def nudge(self) -> None:
        """Look again now: after resume, reload, or when a destination is said to work."""
        for lane in self._lanes.values():
            lane.next_at, lane.has_work = 0.0, True
        self._nudged.set()

    async def run(self) -> None:
        await self._sure(lambda: self._store.write(deliveries.recover, self._clock.now_ms()))
        async with asyncio.TaskGroup() as group:
            while True:
                head = self._store.head.cursor
                self._nudged.clear()
                due_at = await self.step()
                for lane in self._lanes.values():
                    if lane.has_work and self._may_go(lane) and (lane.task is None or lane.task.done()):
                        lane.task = group.create_task(self._drain_lane(lane))
                        lane.task.add_done_callback(lambda _: self._nudged.set())
                await self._wait(head, due_at)

    async def _wait(self, head: int, due_at: int | None) -> None:
        """Until an event, a nudge, the next due note or lane, at most 30 s (then the wall clock is read again)."""
        wait_s = LONGEST_WAIT_S
        if due_at is not None:
            wait_s = min(wait_s, max((due_at - self._clock.now_ms()) / 1000, 0.05))
        now = self._clock.monotonic()
        for lane in self._lanes.values():
            if lane.next_at > now:
                wait_s = min(wait_s, lane.next_at - now)
        waits = [
            asyncio.ensure_future(self._store.head.wait_past(head, wait_s, HEARS)),
            asyncio.ensure_future(self._nudged.wait()),
        ]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for w in waits:
                w.cancel()
            await asyncio.gather(*waits, return_exceptions=True)

    # Deciding

    async def step(self) -> int | None:
        """Judge every note whose time has come. Returns when the next one wants to be looked at (ms)."""
        await self._follow_config()
        while not self._paused():
            now = self._clock.now_ms()
            docket = await self._sure(lambda: self._store.read(deliveries.docket, now, _BATCH))  # noqa: B023
            if docket.held:
                await self._release(docket, now)
            elif docket.due:
                await self._judge(docket, now)
            else:
                return docket.next_at
        return None

    def _situation(self, docket: Docket, now: int) -> telling.Situation:
        config = self._config()
        return telling.Situation(
            now=now,
            tz=config.tz,
            quiet=config.notify.quiet_hours,
            per_hour=config.notify.per_hour,
            recent=docket.recent,
            is_looking=self._presence.is_looking(),
            has_destinations=bool(self._lanes),
        )

    async def _judge(self, docket: Docket, now: int) -> None:
        situation = self._situation(docket, now)
        plans: list[tuple[Notification, telling.Plan]] = []
        for note in docket.due:
            plans.append((note, telling.plan(situation, urgent=note.urgent, muted=_muted(docket, note))))
            if isinstance(plans[-1][1], telling.Send):
                situation = replace(situation, recent=[*situation.recent, now])
        lanes = [(x.key, x.notifier.name) for x in self._lanes.values()]
        await self._sure(lambda: self._store.write(deliveries.carry_out, plans, lanes, now))
        for lane in self._lanes.values():
            lane.has_work = True

    async def _release(self, docket: Docket, now: int) -> None:
        """Held notes whose hold is over: muted, held on, released alone or folded into one digest."""
        situation = self._situation(docket, now)
        plans = [(n, telling.plan(situation, muted=_muted(docket, n))) for n in docket.held]
        stay = [(n, p) for n, p in plans if isinstance(p, telling.Hold | telling.Mute)]
        go = [n for n, p in plans if not isinstance(p, telling.Hold | telling.Mute)]
        if stay:
            await self._sure(lambda: self._store.write(deliveries.carry_out, stay, [], now))
        if len(go) == 1:
            await self._sure(lambda: self._store.write(notifications.release, go[0].id))
        elif go:
            digest = NoteDraft(
                title=telling.digest_title(len(go), go[0].created_at, situation.tz),
                body=telling.digest_body([n.title for n in go]),
                dedupe_key=f"digest:{go[0].id}:{len(go)}",
                subject="digest",
                kind="digest",
                private=any(n.private for n in go),
            )
            ids, due_at = [n.id for n in go], min(n.due_at for n in go)
            await self._sure(lambda: self._store.write(notifications.fold, ids, digest, now, due_at))

    async def _follow_config(self) -> None:
        """Make the lanes what the config names; what waits for a destination that is gone is given up."""
        urls = list(self._config().notify.urls)
        if urls == self._urls:
            return
        found: dict[str, Notifier] = {}
        try:
            built = self._build(urls)
        except NightclawError as error:
            self._problems.set("notify", error.message, error.hint)
            built = []
        else:
            self._problems.set("notify", None)
        for notifier in built:
            twins = sum(1 for n in found.values() if n.name == notifier.name)
            found[_key(notifier.name, twins)] = notifier
        for key, lane in self._lanes.items():
            if key not in found:
                self._problems.set(lane.part, None)
                if lane.task is not None:
                    lane.task.cancel()
        self._lanes = {k: self._kept_lane(k, n) for k, n in found.items()}
        await self._sure(lambda: self._store.write(deliveries.withdraw, list(found), self._clock.now_ms()))
        self._urls = urls

    def _kept_lane(self, key: str, notifier: Notifier) -> Lane:
        lane = self._lanes.get(key) or Lane(key, notifier)
        lane.notifier, lane.next_at, lane.has_work = notifier, 0.0, True
        return lane

    # Delivering

    async def drain(self) -> None:
        """Send what waits in every lane, as far as each lane goes now."""
        await asyncio.gather(*(self._drain_lane(lane) for lane in list(self._lanes.values())))

    def _may_go(self, lane: Lane) -> bool:
        return not self._paused() and self._clock.monotonic() >= lane.next_at

    async def _drain_lane(self, lane: Lane) -> None:
        while self._may_go(lane):
            lane.has_work = False
            waiting = await self._sure(lambda: self._store.read(deliveries.waiting_in, lane.key, _BATCH))
            if not waiting:
                break
            lane.has_work = True
            old = [d for d in waiting if d.since < self._clock.now_ms() - BACKLOG_AGE_MS]
            await _see_through(self._send(lane, old if len(old) > BACKLOG else waiting[:1]))

    async def _send(self, lane: Lane, group: list[Delivery]) -> None:
        since = self._clock.now_ms() - UNTOLD_MS
        untold = await self._sure(lambda: self._store.read(notifications.untold, since, _BATCH))
        note, named = self._compose(group, untold)
        failpoints.hit("outbox.before_send")
        begun = await self._sure(lambda: self._store.write(deliveries.begin, group, _size(note)))
        if len(begun) < len(group):  # some are settled meanwhile: look again
            await self._sure(lambda: self._store.write(deliveries.put_back, begun))
            return
        error = await self._deliver(lane, note)
        failpoints.hit("outbox.sent")
        now, told = self._clock.now_ms(), [n.id for n in untold[:named]]
        await self._sure(lambda: self._settle(lane, begun, told, error, now))
        failpoints.hit("outbox.settled")

    async def _settle(
        self, lane: Lane, begun: list[Delivery], told: list[str], error: DeliveryError | None, now: int
    ) -> None:
        write = self._store.write
        if error is None:
            await write(deliveries.delivered, begun, told, now)
        elif error.uncertain:
            await write(deliveries.lost_sight, begun, error.message, now)
        elif error.permanent:
            await write(deliveries.gave_up, begun, error.message, now)
        else:
            await write(deliveries.refused, lane.key, begun, error.message, now, now - GIVE_UP_MS)

    async def _deliver(self, lane: Lane, note: Note) -> DeliveryError | None:
        """One attempt; keeps the lane's health and tells of it."""
        try:
            await lane.notifier.deliver(note)
        except DeliveryError as error:
            self._problems.set(
                lane.part, f"{lane.notifier.name}: {error.message}", error.hint or "check [notify] urls"
            )
            if not error.permanent:
                wait_s = RETRY_S[min(lane.failures, len(RETRY_S) - 1)]
                if error.retry_after_s is not None:
                    wait_s = min(max(error.retry_after_s, 1.0), GIVE_UP_MS / 1000)
                lane.failures += 1
                lane.next_at = self._clock.monotonic() + wait_s
            return error
        lane.failures, lane.next_at = 0, 0.0
        self._problems.set(lane.part, None)
        return None

    def _compose(self, group: list[Delivery], untold: list[Notification]) -> tuple[Note, int]:
        """The message, and how many of the untold it names."""
        first = group[0].note
        title, body = first.title, first.body
        if len(group) > 1:
            title = telling.digest_title(len(group), first.created_at, self._config().tz)
            body = telling.digest_body([d.note.title for d in group])
        body, named = telling.with_untold(body, [n.title for n in untold])
        return Note(first.id, title, body), named

    async def test(self) -> list[Tested]:
        """Send a test note to every destination now, whatever the hour; one answer each, none without any."""
        await self._follow_config()
        now, lanes = self._clock.now_ms(), list(self._lanes.values())
        if not lanes:
            return []
        draft = NoteDraft(
            title="Nightclaw test",
            body="If you read this, notes from Nightclaw reach you here.",
            dedupe_key=f"test:{now}",
            subject="test",
            kind=notifications.TEST,
            urgent=True,
        )
        pairs = [(x.key, x.notifier.name) for x in lanes]
        sending = await self._store.write(deliveries.begin_test, draft, pairs, now)
        tried = [self._try_one(lane, d) for lane, d in zip(lanes, sending, strict=True)]
        return list(await asyncio.gather(*tried))

    async def _try_one(self, lane: Lane, sending: Delivery) -> Tested:
        error = await self._deliver(lane, Note(sending.note.id, sending.note.title, sending.note.body))
        now = self._clock.now_ms()
        if error is None or error.uncertain:
            await self._sure(lambda: self._settle(lane, [sending], [], error, now))
        else:
            await self._sure(lambda: self._store.write(deliveries.gave_up, [sending], error.message, now))
        self._nudged.set()
        return Tested(lane.notifier.name, error.message if error else None, error.hint if error else "")

    async def _sure(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """The store with patience: nothing is sent that is not written down, nothing sent stays unsettled."""
        wait_s = 1.0
        while True:
            try:
                return await attempt()
            except (StoreBusy, StoreUnavailable):
                await asyncio.sleep(wait_s)
                wait_s = min(wait_s * 2, LONGEST_WAIT_S)


def _muted(docket: Docket, note: Notification) -> str | None:
    kinds = [note.kind, *docket.kinds.get(note.id, [])]
    found = next((m for k in kinds if (m := mutes.match(docket.mutes, k, note.subject))), None)
    return found.what if found is not None else None


def _key(name: str, twin: int) -> str:
    """A lane's key: the same for the same destination after a restart, and without a secret."""
    return sha256(f"{name}#{twin}".encode()).hexdigest()[:12]


def _size(note: Note) -> int:
    return len(note.title.encode()) + len(note.body.encode())


async def _see_through(work: Coroutine[None, None, None]) -> None:
    """Run `work`; when cancelled, give it a moment to end, so that what just left is still settled."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task], timeout=_LAST_WORDS_S)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError, NightclawError):
            await task
        raise
