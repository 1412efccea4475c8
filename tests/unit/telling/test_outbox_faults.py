"""The outbox when destinations refuse, are silent, come and go, and when the daemon dies in between."""

import asyncio

import pytest
from sqlalchemy import Connection, select
from tests.fakes.owner import Phone, Place
from tests.unit.telling.scene import Scene, make_outbox

from nightclaw.core.errors import DeliveryError
from nightclaw.core.ports import Note
from nightclaw.store import deliveries
from nightclaw.store.schema import effect

pytestmark = pytest.mark.anyio
REFUSED = DeliveryError("the service answered 503 Service Unavailable")
SILENT = DeliveryError("no answer within 14 s", uncertain=True)
WRONG = DeliveryError("the service answered 401 Unauthorized", "check the key", permanent=True)


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
    scene.settings.notify.urls = [Place("phone"), Place("tablet")]
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


async def test_what_one_line_cannot_hold_is_counted_and_named_by_the_next(scene: Scene) -> None:
    titles = [f"CI is red on octo/a-repository-with-a-long-name-{n}" for n in range(4)]
    scene.phone.faults = [SILENT] * len(titles)
    for title in [*titles, "later", "last"]:
        await scene.tell(title)
        await scene.go()
        await scene.clock.advance(3600)
    first, second = (n.body.partition("may not have reached you: ")[2] for n in scene.phone.got)
    assert first == f"{titles[0]}; {titles[1]}; and 2 more: clawctl notifications"
    assert second == f"{titles[2]}; {titles[3]}"
    assert {(await scene.states())[title] for title in titles} == {"folded"}


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
    scene.settings.notify.urls = [Place("tablet")]
    await scene.go()
    assert await scene.states() == {"red": "failed"} and scene.problems.items() == []
    await scene.tell("next")
    await scene.go()
    assert scene.phones[1].got[0].body == "about next\nmay not have reached you: red"


async def test_a_destination_that_cannot_be_built_is_a_problem_not_a_crash(scene: Scene) -> None:
    scene.settings.notify.urls = [Place("webpush")]
    await scene.tell("red")
    await scene.go()
    assert [p.message for p in scene.problems.items()] == ["webpush is not in this version"]
    scene.settings.notify.urls = [Place("phone")]
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
    scene.settings.notify.urls = [Place("phone"), Place("tablet")]
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
    scene.settings.notify.urls = [Place("phone"), Place("tablet")]
    for i in range(30):
        await scene.tell(f"n{i}")
    await asyncio.gather(scene.go(), scene.go(), scene.go())
    assert sorted(scene.phones[0].titles) == sorted(f"n{i}" for i in range(30))
    assert sorted(scene.phones[1].titles) == sorted(f"n{i}" for i in range(30))

    def count(conn: Connection) -> set[str]:
        return set(conn.execute(select(effect.c.state)).scalars())

    assert await scene.store.read(count) == {"applied"}
