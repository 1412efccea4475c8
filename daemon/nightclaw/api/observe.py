"""The event stream and the metrics: what others watch the daemon by."""

from typing import Annotated

from fastapi import FastAPI, Query, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from nightclaw.api.bodies import client_of
from nightclaw.api.metrics import Metrics
from nightclaw.api.ports import Control
from nightclaw.api.stream import MOST_FOLLOWERS, Follow, Pages, Wanted, one_page
from nightclaw.protocol import events as wire

Cursor = Annotated[int | None, Query(ge=0, le=2**62, description="the newest cursor seen; default: all")]
Count = Annotated[int, Query(ge=1, le=wire.PAGE_LIMIT)]
Session = Annotated[str | None, Query(max_length=200)]


def add(app: FastAPI, control: Control) -> None:
    pages = Pages(control)
    metrics = Metrics(control)

    @app.get("/v1/events")
    async def events(
        request: Request,
        after: Cursor = None,
        follow: bool = False,
        session: Session = None,
        limit: Count = wire.PAGE_LIMIT,
    ) -> Response:
        """Events after a cursor: one page, or with `follow` for as long as the client stays. NDJSON or SSE."""
        is_sse = wire.SSE in request.headers.get("accept", "")
        if is_sse and (last := request.headers.get("last-event-id", "")).isdecimal():
            after = min(int(last[:19]), 2**62)  # a reconnecting EventSource keeps its first address
        wanted = Wanted(after, limit, session, is_sse, client_of(request) if follow else None)
        if not follow:
            return Response(await one_page(control, wanted), media_type=wire.SSE if is_sse else wire.NDJSON)
        if len(control.frames) >= MOST_FOLLOWERS:
            raise HTTPException(429, f"{MOST_FOLLOWERS} clients follow already", {"retry-after": "5"})
        stream = Follow(control, pages, wanted)
        await stream.begin()
        return stream

    @app.get("/metrics")
    async def prometheus() -> Response:
        """Prometheus text."""
        return Response(await metrics.text(), media_type="text/plain; version=0.0.4")
