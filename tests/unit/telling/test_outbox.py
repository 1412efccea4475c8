"""The outbox against a real store: nothing lost, nothing twice, in order, and quiet when the owner wants quiet."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pytest
from sqlalchemy import Connection, select
from tests.fakes.clock import FakeClock
from tests.fakes.owner import Hours, Owner, Phone, Settings

from nightclaw.core.errors import DeliveryError, Invalid
from nightclaw.core.ports import Note, Notifier
from nightclaw.core.types import NoteDraft
from nightclaw.outbox import Outbox
from nightclaw.problems import Problems
from nightclaw.store import deliveries, effects, events, mutes, notifications
from nightclaw.store.db import Store
from nightclaw.store.schema import effect, notification

pytestmark = pytest.mark.anyio
REFUSED = DeliveryError("the service answered 503 Service Unavailable")
SILENT = DeliveryError("no answer within 14 s", uncertain=True)
WRONG = DeliveryError("the service answered 401 Unauthorized", "check the key", permanent=True)


@dataclass
class Scene:
    store: Store
    clock: FakeClock
    problems: Problems
    settings: Settings
    owner: Owner
    phones: list[Phone]
    outbox: Outbox

    @property
    def phone(self) -> Phone:
        return self.phones[0]

    async def tell(
        self, title: str, kind: str = "ci", subject: str = "octo/app#5", urgent: bool = False
    ) -> str:
        draft = NoteDraft(title, f"about {title}", f"key:{title}", subject, kind, urgent)
        return await self.store.write(notifications.queue, draft, now=self.clock.now_ms())

    async def go(self) -> None:
        await self.outbox.step()
        await self.outbox.drain()

    async def states(self) -> dict[str, str]:
        def read(conn: Connection) -> dict[str, str]:
            query = select(notification.c.title, notification.c.state).order_by(notification.c.created_at)
            return {r.title: r.state for r in conn.execute(query)}

        return await self.store.read(read)

    async def reasons(self) -> dict[str, str | None]:
        def read(conn: Connection) -> dict[str, str | None]:
            query = select(notification.c.title, notification.c.reason, notification.c.error)
            return {r.title: r.reason or r.error for r in conn.execute(query)}

        return await self.store.read(read)


def make_outbox(
    scene_parts: tuple[Store, FakeClock, Problems, Settings, Owner],
    phones: list[Phone],
    paused: Callable[[], bool] = lambda: False,
) -> Outbox:
    store, clock, problems, settings, owner = scene_parts

    def build(urls: Sequence[object]) -> list[Notifier]:
        if "webpush" in urls:
            raise Invalid("webpush is not in this version", "use ntfy")
        return [p for p in phones if p.name in urls]

    return Outbox(store, clock, lambda: settings, owner, problems, build, paused)


@pytest.fixture
def scene(store: Store, clock: FakeClock, problems: Problems) -> Scene:
    settings, owner, phones = Settings(), Owner(), [Phone("phone"), Phone("tablet")]
    outbox = make_outbox((store, clock, problems, settings, owner), phones)
    return Scene(store, clock, problems, settings, owner, phones, outbox)


async def test_a_note_goes_out_once_and_settles(scene: Scene) -> None:
    note = await scene.tell("red")
    await scene.go()
    await scene.go()
    assert scene.phone.got == [Note(note, "red", "about red")]
    assert await scene.states() == {"red": "sent"}
    sent = await scene.store.read(events.page, 0, 10, kinds=["notification.sent"])
    assert [e.data for e in sent] == [{"notification": note, "title": "red", "to": ["phone"]}]
    left = await scene.store.read(effects.sent, 10)
    assert [(e.kind, e.target, e.bytes) for e in left] == [("notify", "phone", len("redabout red"))]


async def test_the_loop_wakes_by_itself_and_stops_when_told(scene: Scene) -> None:
    running = asyncio.create_task(scene.outbox.run())
    cursor = scene.store.head.cursor
    await scene.tell("red")
    async with asyncio.timeout(10):
        while not await scene.store.read(events.page, cursor, 10, kinds=["notification.sent"]):
            await scene.store.head.wait_past(scene.store.head.cursor, 1)
    assert scene.phone.titles == ["red"]
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_without_a_destination_it_is_kept(scene: Scene) -> None:
    scene.settings.notify.urls = []
    await scene.tell("red")
    await scene.go()
    assert await scene.states() == {"red": "kept"}
    assert "no destination" in str((await scene.reasons())["red"])


async def test_an_owner_who_looks_is_not_pushed(scene: Scene) -> None:
    scene.owner.looking = True
    await scene.tell("red")
    await scene.go()
    scene.owner.looking = False
    await scene.go()
    assert await scene.states() == {"red": "kept"} and scene.phone.attempts == 0
    assert await scene.reasons() == {"red": "you were attached"}


async def test_a_mute_holds_for_repository_kind_and_thread(scene: Scene) -> None:
    for what in ("octo/quiet", "chatter", "octo/app#7"):
        await scene.store.write(mutes.add, what, None, scene.clock.now_ms())
    await scene.tell("a", subject="octo/quiet#1")
    await scene.tell("b", kind="chatter")
    await scene.tell("c", subject="octo/app#7")
    await scene.tell("d")
    await scene.go()
    assert await scene.states() == {"a": "muted", "b": "muted", "c": "muted", "d": "sent"}
    assert (await scene.reasons())["a"] == "you muted octo/quiet"


async def test_quiet_hours_end_in_one_digest(scene: Scene) -> None:
    scene.settings.notify.quiet_hours = Hours(22 * 60, 8 * 60)
    scene.clock.set_wall("2026-11-20T23:00:00+00:00")
    for i in range(12):
        await scene.tell(f"note {i:02}")
        await scene.clock.advance(1)
    await scene.tell("fire", urgent=True)
    await scene.go()
    assert scene.phone.titles == ["fire"]
    scene.clock.set_wall("2026-11-21T07:59:59+00:00")
    await scene.go()
    assert scene.phone.titles == ["fire"]
    scene.clock.set_wall("2026-11-21T08:00:00+00:00")
    await scene.go()
    assert scene.phone.titles == ["fire", "12 notes since 23:00"]
    assert scene.phone.got[1].body.splitlines()[:2] == ["- note 00", "- note 01"]
    states = await scene.states()
    assert all(states[f"note {i:02}"] == "folded" for i in range(12))


async def test_one_held_note_is_sent_as_itself(scene: Scene) -> None:
    scene.settings.notify.quiet_hours = Hours(22 * 60, 8 * 60)
    scene.clock.set_wall("2026-11-20T23:00:00+00:00")
    await scene.tell("red")
    await scene.go()
    scene.clock.set_wall("2026-11-21T08:00:00+00:00")
    await scene.go()
    assert scene.phone.titles == ["red"] and await scene.states() == {"red": "sent"}


async def test_a_storm_is_a_few_notes_and_one_digest(scene: Scene) -> None:
    scene.settings.notify.per_hour = 6
    for i in range(1000):
        await scene.tell(f"storm {i}")
    await scene.go()
    assert scene.phone.titles == [f"storm {i}" for i in range(6)]
    await scene.clock.advance(3599)
    await scene.go()
    assert scene.phone.attempts == 6
    await scene.clock.advance(1)
    await scene.go()
    assert scene.phone.titles[6:] == ["994 notes since 12:00"]
    assert (
        scene.phone.got[6].body.endswith("more: clawctl notifications")
        and len(scene.phone.got[6].body) <= 500
    )
    states = list((await scene.states()).values())
    assert states.count("folded") == 994 and states.count("sent") == 7
    await scene.clock.advance(7200)
    await scene.go()
    assert scene.phone.attempts == 7


async def test_notes_held_by_the_cap_wait_on_through_quiet_hours(scene: Scene) -> None:
    scene.settings.notify.per_hour = 1
    scene.settings.notify.quiet_hours = Hours(22 * 60, 8 * 60)
    scene.clock.set_wall("2026-11-20T21:30:00+00:00")
    for title in ("a", "b", "c"):
        await scene.tell(title)
    await scene.go()
    scene.clock.set_wall("2026-11-20T22:30:00+00:00")
    await scene.go()
    assert scene.phone.titles == ["a"]
    scene.clock.set_wall("2026-11-21T08:00:00+00:00")
    await scene.go()
    assert scene.phone.titles == ["a", "2 notes since 21:30"]


async def test_a_refusal_is_tried_again_with_growing_patience(scene: Scene) -> None:
    scene.phone.down = REFUSED
    await scene.tell("red")
    tries: list[int] = []
    for wait_s in (0, 29, 1, 119, 1, 599, 1, 1799, 1, 3599, 1, 3599, 1):
        await scene.clock.advance(wait_s)
        await scene.go()
        tries.append(scene.phone.attempts)
    assert tries == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7]
    assert [p.part for p in scene.problems.items()] == ["notify:phone"]
    assert await scene.states() == {"red": "queued"}
    scene.phone.down = None
    await scene.clock.advance(3600)
    await scene.go()
    assert scene.phone.titles == ["red"] and await scene.states() == {"red": "sent"}
    assert scene.problems.items() == []


async def test_the_far_side_may_ask_for_more_time(scene: Scene) -> None:
    scene.phone.faults = [DeliveryError("429", retry_after_s=300)]
    await scene.tell("red")
    await scene.go()
    await scene.clock.advance(299)
    await scene.go()
    assert scene.phone.attempts == 1
    await scene.clock.advance(1)
    await scene.go()
    assert scene.phone.titles == ["red"]


async def test_order_is_kept_and_a_broken_destination_delays_no_other(scene: Scene) -> None:
    scene.settings.notify.urls = ["phone", "tablet"]
    phone, tablet = scene.phones
    phone.down = REFUSED
    for i in range(4):
        await scene.tell(f"n{i}")
        await scene.go()
        await scene.clock.advance(1)
    assert tablet.titles == ["n0", "n1", "n2", "n3"] and phone.attempts == 1
    assert set((await scene.states()).values()) == {"sent"}
    phone.down = None
    await scene.clock.advance(30)
    await scene.go()
    assert phone.titles == ["n0", "n1", "n2", "n3"] and len(tablet.got) == 4


async def test_a_day_without_a_destination_ends_in_order_and_in_few_words(scene: Scene) -> None:
    scene.phone.down = REFUSED
    for i in range(20):
        await scene.tell(f"n{i:02}")
        await scene.go()
        await scene.clock.advance(3600)
    assert scene.phone.got == []
    scene.phone.down = None
    await scene.clock.advance(3600)
    await scene.go()
    assert scene.phone.titles == ["20 notes since 12:00"]
    assert scene.phone.got[0].body.startswith("- n00\n- n01\n")
    assert set((await scene.states()).values()) == {"sent"}
    await scene.tell("after")
    await scene.go()
    assert scene.phone.titles == ["20 notes since 12:00", "after"]


async def test_after_two_days_the_old_ones_are_still_named(scene: Scene) -> None:
    scene.phone.down = REFUSED
    await scene.tell("long ago")
    for _ in range(48):
        await scene.go()
        await scene.clock.advance(3600)
    assert await scene.states() == {"long ago": "failed"}
    assert "given up after a day" in str((await scene.reasons())["long ago"])
    scene.phone.down = None
    await scene.tell("now")
    await scene.go()
    assert [n.body for n in scene.phone.got] == ["about now\nmay not have reached you: long ago"]
    assert await scene.states() == {"long ago": "folded", "now": "sent"}
    await scene.tell("next")
    await scene.go()
    assert scene.phone.got[-1].body == "about next"


async def test_a_wrong_key_fails_at_once_and_says_what_to_do(scene: Scene) -> None:
    scene.phone.down = WRONG
    await scene.tell("a")
    await scene.tell("b")
    await scene.go()
    assert scene.phone.attempts == 2 and set((await scene.states()).values()) == {"failed"}
    (problem,) = scene.problems.items()
    assert (
        problem.message == "phone: the service answered 401 Unauthorized" and problem.hint == "check the key"
    )


async def test_what_may_have_arrived_is_not_sent_again(scene: Scene) -> None:
    scene.phone.faults = [SILENT]
    await scene.tell("maybe")
    await scene.go()
    assert await scene.states() == {"maybe": "unknown"}
    await scene.clock.advance(3600)
    await scene.go()
    assert scene.phone.attempts == 1
    await scene.tell("next")
    await scene.go()
    assert scene.phone.got[0].body == "about next\nmay not have reached you: maybe"
    assert await scene.states() == {"maybe": "folded", "next": "sent"}


async def test_a_crash_in_flight_is_named_later_and_never_repeated(scene: Scene) -> None:
    class Killed(BaseException):
        pass

    class Deadly(Phone):
        async def deliver(self, note: Note) -> None:
            await super().deliver(note)
            raise Killed

    scene.phones[0] = Deadly("phone")
    await scene.tell("red")
    await scene.tell("waiting")
    parts = (scene.store, scene.clock, scene.problems, scene.settings, scene.owner)
    with pytest.raises(Killed):
        dying = make_outbox(parts, scene.phones)
        await dying.step()
        await dying.drain()
    lost = await scene.store.write(deliveries.recover, scene.clock.now_ms())
    assert len(lost) == 1 and await scene.states() == {"red": "unknown", "waiting": "queued"}
    assert await scene.store.write(deliveries.recover, scene.clock.now_ms()) == []
    phone = Phone("phone")
    again = make_outbox(parts, [phone])
    await again.step()
    await again.drain()
    assert phone.got[0].body == "about waiting\nmay not have reached you: red" and len(phone.got) == 1


async def test_a_destination_that_is_removed_takes_its_waiting_notes_along(scene: Scene) -> None:
    scene.phone.down = REFUSED
    await scene.tell("red")
    await scene.go()
    scene.settings.notify.urls = ["tablet"]
    await scene.go()
    assert await scene.states() == {"red": "failed"} and scene.problems.items() == []
    await scene.tell("next")
    await scene.go()
    assert scene.phones[1].got[0].body == "about next\nmay not have reached you: red"


async def test_a_destination_that_cannot_be_built_is_a_problem_not_a_crash(scene: Scene) -> None:
    scene.settings.notify.urls = ["webpush"]
    await scene.tell("red")
    await scene.go()
    assert [p.message for p in scene.problems.items()] == ["webpush is not in this version"]
    scene.settings.notify.urls = ["phone"]
    await scene.tell("green")
    await scene.go()
    assert scene.phone.titles == ["green"] and scene.problems.items() == []


async def test_paused_nothing_leaves_but_the_owners_own_test(scene: Scene) -> None:
    paused = True
    parts = (scene.store, scene.clock, scene.problems, scene.settings, scene.owner)
    outbox = make_outbox(parts, scene.phones, lambda: paused)
    await scene.tell("red")
    await outbox.step()
    await outbox.drain()
    assert scene.phone.attempts == 0
    (tested,) = await outbox.test()
    assert tested.error is None and scene.phone.titles == ["Nightclaw test"]
    paused = False
    await outbox.step()
    await outbox.drain()
    assert scene.phone.titles == ["Nightclaw test", "red"]


async def test_the_owners_test_answers_for_each_destination(scene: Scene) -> None:
    scene.settings.notify.urls = ["phone", "tablet"]
    scene.phone.down = WRONG
    scene.owner.looking = True
    found = await scene.outbox.test()
    assert [(t.name, t.error) for t in found] == [("phone", WRONG.message), ("tablet", None)]
    assert scene.phones[1].titles == ["Nightclaw test"]
    again = await scene.outbox.test()
    assert [t.error for t in again] == [WRONG.message, None]
    scene.settings.notify.urls = []
    assert await scene.outbox.test() == []


async def test_only_one_effect_a_note_and_destination(scene: Scene) -> None:
    scene.settings.notify.urls = ["phone", "tablet"]
    for i in range(30):
        await scene.tell(f"n{i}")
    await asyncio.gather(scene.go(), scene.go(), scene.go())
    assert sorted(scene.phones[0].titles) == sorted(f"n{i}" for i in range(30))
    assert sorted(scene.phones[1].titles) == sorted(f"n{i}" for i in range(30))

    def count(conn: Connection) -> set[str]:
        return set(conn.execute(select(effect.c.state)).scalars())

    assert await scene.store.read(count) == {"applied"}
