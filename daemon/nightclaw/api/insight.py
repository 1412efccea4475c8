"""Why, what left the machine, which rules hold and what they would have made of the past."""

from fastapi import FastAPI
from starlette.responses import Response

from nightclaw.api.answers import answer, listed, rendered
from nightclaw.api.bodies import After, Body, Id, Limit, Word
from nightclaw.api.ports import Control
from nightclaw.core.errors import Invalid
from nightclaw.protocol.messages import LIST_DEFAULT, iso, parse_iso, parse_span
from nightclaw.store import lists
from nightclaw.store.why import why


class Replay(Body):
    """since: how far back (`30d`), or from when (`2026-11-01`)."""

    since: Word = "30d"


def moment(text: str, now: int, *, ahead: bool) -> int:
    """Milliseconds of a time, or of now plus or minus a span. Raises Invalid."""
    try:
        return now + parse_span(text) * (1 if ahead else -1)
    except ValueError as no_span:
        try:
            return parse_iso(text)
        except ValueError:
            raise Invalid(str(no_span), "or a time as 2026-11-20T08:00") from None


def add(app: FastAPI, control: Control) -> None:
    @app.get("/v1/why/{row_id}")
    async def explain(row_id: Id) -> Response:
        """What came in, who judged, what it cost, what followed, or why nothing did."""
        now = control.clock.now_ms()
        return answer(await control.store.read(why, row_id, now=now, tz=control.tz()))

    @app.get("/v1/sent")
    async def sent(limit: Limit = LIST_DEFAULT, after: After = None) -> Response:
        """What left this machine, to whom, how many bytes."""
        return answer(await control.store.read(lists.sent, after, limit))

    @app.get("/v1/rules")
    async def rules() -> Response:
        """The rules in force, in the order they are asked."""
        return listed(control.rules())

    @app.post("/v1/rules/test")
    async def test(replay: Replay | None = None) -> Response:
        """Replay the journal against the present rules."""
        since = moment((replay or Replay()).since, control.clock.now_ms(), ahead=False)
        return answer({"since": iso(since), **rendered(await control.test_rules(since))})
