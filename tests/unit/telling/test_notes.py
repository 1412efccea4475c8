"""What becomes a row: one note an event, one text a day, only words, and what the owner muted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, select

from nightclaw.core import plain
from nightclaw.core.errors import Invalid, NotFound
from nightclaw.core.states import EffectState, NotificationState
from nightclaw.core.types import NoteDraft
from nightclaw.store import effects, events, mutes, notifications
from nightclaw.store.db import Store
from nightclaw.store.schema import notification

pytestmark = pytest.mark.anyio
DAY_MS = 24 * 3600 * 1000


def draft(key: str, title: str = "CI is red", body: str = "tests failed", **more: object) -> NoteDraft:
    return NoteDraft(title, body, key, "octo/app#5", "ci", **more)  # type: ignore[arg-type]


def row(conn: Connection, note_id: str) -> dict[str, object]:
    found = conn.execute(select(notification).where(notification.c.id == note_id)).mappings().one()
    return dict(found)


async def test_one_note_an_event(store: Store) -> None:
    first = await store.write(notifications.queue, draft("k"), now=1000)
    again = await store.write(notifications.queue, draft("k", title="other words"), now=2000)
    assert again == first
    told = await store.read(events.page, 0, 10, kinds=["notification.queued"])
    assert [e.data["notification"] for e in told] == [first]


async def test_the_same_text_is_not_told_twice_in_a_day(store: Store) -> None:
    first = await store.write(notifications.queue, draft("a"), now=1_000_000)
    later = await store.write(notifications.queue, draft("b"), now=1_000_000 + DAY_MS - 1)
    other = await store.write(notifications.queue, draft("c", body="lint failed"), now=1_000_000)
    after = await store.write(notifications.queue, draft("d"), now=1_000_000 + DAY_MS)
    states = [(await store.read(row, i))["state"] for i in (first, later, other, after)]
    assert states == ["queued", "muted", "queued", "queued"]
    assert (await store.read(row, later))["reason"] == "same text told at 1970-01-01T00:16:40.000Z"


async def test_a_text_that_was_only_muted_is_told_when_the_mute_is_over(store: Store) -> None:
    first = await store.write(notifications.queue, draft("a"), now=1000)
    await store.write(notifications.move, first, NotificationState.MUTED, reason="you muted ci")
    second = await store.write(notifications.queue, draft("b"), now=2000)
    assert (await store.read(row, second))["state"] == "queued"


async def test_shadow_says_what_would_have_been(store: Store) -> None:
    note = await store.write(notifications.queue, draft("a"), now=1000, shadow=True)
    assert (await store.read(row, note))["state"] == "shadow"
    assert await store.read(notifications.due, 10**13, 10) == []


async def test_only_words_and_our_own_link_come_through(store: Store) -> None:
    hostile = draft(
        "a",
        title="\x1b[31mRed\x1b[0m \u202egnp.exe\u202c see [here](https://evil.example/x)",
        body="go to https://evil.example/a?b=c or www.evil.example\nor evil.example/login\x07\n" + "y" * 900,
        url="https://github.com/octo/app/issues/5",
    )
    note = await store.write(notifications.queue, hostile, now=1000)
    found = await store.read(row, note)
    title, body = str(found["title"]), str(found["body"])
    assert title == "Red gnp.exe see here (link removed)"
    assert body.startswith("go to (link removed) or (link removed)\nor (link removed)\nyyy")
    assert body.endswith("…\nhttps://github.com/octo/app/issues/5") and len(body) <= 500


@given(st.text(max_size=700), st.text(max_size=700))
def test_no_text_from_outside_can_hide_or_link(title: str, body: str) -> None:
    for text in (
        plain.one_line(plain.without_links(title), 120),
        plain.lines(plain.without_links(body), 500),
    ):
        assert "://" not in text or plain.without_links(text) == text
        assert not any(ord(c) < 32 and c != "\n" for c in text)
        assert not set(text) & set(
            "\x7f\x9b\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200b\u2028\ufeff"
        )
        assert len(text) <= 500
        text.encode()


@pytest.mark.parametrize(
    ("what", "kind", "subject", "covers"),
    [
        ("all", "ci", "octo/app#5", True),
        ("octo/app", "ci", "octo/app#5", True),
        ("Octo/App", "ci", "octo/app@main", True),
        ("octo/app", "ci", "octo/app", True),
        ("octo/app", "ci", "octo/apple#5", False),
        ("octo/*", "ci", "octo/apple#5", True),
        ("octo/app#5", "mention", "octo/app#5", True),
        ("octo/app#5", "mention", "octo/app#55", False),
        ("ci", "ci", "octo/app#5", True),
        ("ci", "ci.red", "octo/app#5", True),
        ("ci", "cider", "octo/app#5", False),
        ("mention", "ci", "octo/app#5", False),
    ],
)
def test_what_a_mute_covers(what: str, kind: str, subject: str, covers: bool) -> None:
    assert (mutes.match([mutes.Mute(what, 2, 1)], kind, subject) is not None) == covers


async def test_a_mute_ends_and_can_be_taken_back(store: Store) -> None:
    await store.write(mutes.add, "ci", 5000, 1000)
    await store.write(mutes.add, "octo/app", None, 1000)
    assert {m.what for m in await store.read(mutes.active, 4999)} == {"ci", "octo/app"}
    assert {m.what for m in await store.read(mutes.active, 5000)} == {"octo/app"}
    await store.write(mutes.remove, "octo/app")
    assert await store.read(mutes.active, 5000) == []
    with pytest.raises(NotFound):
        await store.write(mutes.remove, "octo/app")
    for what, until in (("", None), ("ci", 1)):
        with pytest.raises(Invalid):
            await store.write(mutes.add, what, until, 1000)


async def test_the_owners_word_on_a_note(store: Store) -> None:
    note = await store.write(notifications.queue, draft("a"), now=1000)
    await store.write(notifications.mark_useful, note, False)
    assert (await store.read(row, note))["useful"] is False
    with pytest.raises(NotFound):
        await store.write(notifications.mark_useful, "ntf_none", True)


def _push(conn: Connection, key: str, now: int) -> str | None:
    return effects.prepare(conn, kind="push", target="origin", idem_key=key, repeat="keyed", size=7, now=now)


async def test_a_deed_is_done_once_and_known_as_our_own(store: Store) -> None:
    deed = await store.write(_push, "octo/app:branch", 1000)
    assert deed is not None
    assert await store.write(_push, "octo/app:branch", 1001) is None  # under way
    assert await store.read(effects.sent, 10) == []
    assert await store.write(effects.settle, deed, EffectState.APPLIED, 1002, object_id="abc123")
    assert await store.write(_push, "octo/app:branch", 1003) is None  # done
    assert not await store.write(effects.settle, deed, EffectState.FAILED, 1004)
    assert await store.read(effects.is_own, ["zzz", "abc123"])
    assert not await store.read(effects.is_own, ["zzz"]) and not await store.read(effects.is_own, [])
    assert [(e.target, e.bytes) for e in await store.read(effects.sent, 10)] == [("origin", 7)]


async def test_only_what_was_in_flight_at_a_crash_is_unknown(store: Store) -> None:
    flying = await store.write(_push, "a", 1000)
    refused = await store.write(_push, "b", 1000)
    assert flying is not None and refused is not None
    await store.write(effects.put_back, refused, "503")
    lost = await store.write(effects.interrupted, 2000)
    assert [e.id for e in lost] == [flying]
    assert [e.id for e in await store.read(effects.unknown, "push")] == [flying]
    assert await store.write(_push, "b", 3000) == refused  # simply tried again
