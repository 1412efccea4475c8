"""The outbox against a real store: nothing lost, nothing twice, in order, and quiet when the owner wants quiet."""

import asyncio

import pytest
from tests.fakes.owner import Hours
from tests.unit.telling.scene import Scene

from nightclaw.core.ports import Note
from nightclaw.store import effects, events, mutes

pytestmark = pytest.mark.anyio


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
