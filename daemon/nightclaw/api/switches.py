"""The owner's switches: pause and resume, and the features. They are durable and status shows them."""

from typing import Annotated

from fastapi import Body as InBody
from fastapi import FastAPI
from pydantic import Field, StrictBool
from starlette.responses import Response

from nightclaw.api.answers import answer, listed
from nightclaw.api.ports import Control

Switches = Annotated[dict[str, StrictBool], Field(min_length=1, max_length=50), InBody()]


def add(app: FastAPI, control: Control) -> None:
    @app.post("/v1/pause")
    async def pause() -> Response:
        """Stop all proactive work; chat goes on."""
        await control.pause()
        return answer({"paused": control.is_paused()})

    @app.post("/v1/resume")
    async def resume() -> Response:
        """Take proactive work up again."""
        await control.resume()
        return answer({"paused": control.is_paused()})

    @app.get("/v1/features")
    async def features() -> Response:
        """Every feature, whether it is on, and who says so."""
        return listed(control.features())

    @app.patch("/v1/features")
    async def switch(wanted: Switches) -> Response:
        """Switch features by name, `{"dream": false}`."""
        await control.set_features(wanted)
        return listed(control.features())
