"""Dreams: what they changed, having one now, and taking one back."""

from fastapi import FastAPI
from starlette.responses import Response

from nightclaw.api.answers import answer
from nightclaw.api.bodies import After, Body, Id, Limit
from nightclaw.api.ports import Control, DreamOrder
from nightclaw.core.errors import NotFound
from nightclaw.core.types import JSON
from nightclaw.protocol.messages import LIST_DEFAULT
from nightclaw.store import dreams
from nightclaw.store.db import Connection
from nightclaw.store.shapes import plain


class Wish(Body):
    """dry_run: change nothing. now: whatever the gates say; a dream that is asked for is had at once."""

    dry_run: bool = False
    now: bool = True


def add(app: FastAPI, control: Control) -> None:
    store = control.store

    @app.get("/v1/dreams")
    async def listed(limit: Limit = LIST_DEFAULT, after: After = None) -> Response:
        """Dreams and what they changed, newest first."""
        found = await store.read(dreams.list_, limit + 1, after)
        last = found[limit - 1].get("id") if len(found) > limit else None
        return answer({"items": found[:limit], "next": last})

    @app.get("/v1/dreams/{dream_id}")
    async def one(dream_id: Id) -> Response:
        """A dream with its diff."""
        return answer(await store.read(_one, dream_id))

    @app.post("/v1/dreams")
    async def dream(wish: Wish | None = None) -> Response:
        """Dream now; answered when it has ended."""
        control.presence.touch(control.clock.now_ms())
        wanted = wish or Wish()
        return answer(await control.dream(DreamOrder(wanted.dry_run, wanted.now)))

    @app.post("/v1/dreams/{dream_id}/undo")
    async def undo(dream_id: Id) -> Response:
        """Put back all that a dream changed."""
        control.presence.touch(control.clock.now_ms())
        await store.read(_one, dream_id)
        await control.undo_dream(dream_id)
        return answer(await store.read(_one, dream_id))


def _one(conn: Connection, dream_id: str) -> dict[str, JSON]:
    found = dreams.get(conn, dream_id)
    if found is None:
        raise NotFound(f"there is no dream {plain(dream_id, 60)}", "GET /v1/dreams lists them")
    return found
