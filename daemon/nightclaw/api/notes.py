"""Notifications and mutes: what the owner was told, a test of the ways, and what not to be told."""

from typing import Annotated

from fastapi import FastAPI, Query
from pydantic import Field
from starlette.responses import Response

from nightclaw.api.answers import answer, rendered
from nightclaw.api.bodies import After, Body, Id, Limit, Word
from nightclaw.api.insight import moment
from nightclaw.api.ports import Control
from nightclaw.core.states import NotificationState
from nightclaw.protocol.messages import LIST_DEFAULT, iso
from nightclaw.store import lists, mutes, notifications


class Useful(Body):
    useful: bool


class Mute(Body):
    """what: `all`, a repository, a kind or a thread. for: a span (`1d`) or a time; without it for good."""

    what: Word
    for_: Word | None = Field(default=None, alias="for")


def add(app: FastAPI, control: Control) -> None:
    store, clock = control.store, control.clock

    @app.get("/v1/notifications")
    async def listed(
        limit: Limit = LIST_DEFAULT, after: After = None, state: NotificationState | None = None
    ) -> Response:
        """What the owner was told or would have been, newest first."""
        return answer(await store.read(lists.notifications, after, limit, state))

    @app.post("/v1/notifications/test")
    async def test() -> Response:
        """Send a test to every destination and say how each went."""
        return answer(rendered(await control.test_notification()))

    @app.post("/v1/notifications/{notification_id}/useful")
    async def useful(notification_id: Id, given: Useful) -> Response:
        """The owner's word on whether a note was worth it."""
        await store.offer(notifications.mark_useful, notification_id, given.useful)
        return answer(await store.read(lists.notification_by_id, notification_id))

    @app.get("/v1/mutes")
    async def muted() -> Response:
        """What is muted now."""
        return answer(await store.read(lists.mutes, clock.now_ms()))

    @app.post("/v1/mutes")
    async def mute(wanted: Mute) -> Response:
        """No notes about something for a while."""
        now = clock.now_ms()
        until = moment(wanted.for_, now, ahead=True) if wanted.for_ else None
        made = await store.offer(mutes.add, wanted.what, until, now)
        return answer({"what": made.what, "until_at": iso(made.until_at), "created_at": iso(made.created_at)})

    @app.delete("/v1/mutes")
    async def unmute(what: Annotated[str, Query(max_length=200)]) -> Response:
        """Hear of it again."""
        await store.offer(mutes.remove, what)
        return answer({"what": what, "removed": True})
