"""Where news come from: schedules, watches, GitHub. Rows of the config file are changed there only (409)."""

from fastapi import FastAPI
from pydantic import Field
from starlette.responses import Response

from nightclaw.api.answers import answer, listed
from nightclaw.api.bodies import After, Body, Id, Limit, Word, Words
from nightclaw.api.ports import Control
from nightclaw.core.types import JSON, Verdict
from nightclaw.protocol.messages import LIST_DEFAULT
from nightclaw.store import lists


class _Order(Body):
    name: Word | None = None
    prompt: Words | None = None
    verdict: Verdict | None = None
    repo: Word | None = None
    unattended: Word | None = None
    model: Word | None = None
    budget_usd: float | None = Field(default=None, gt=0)
    per_hour: int | None = Field(default=None, ge=1)

    def given(self) -> dict[str, JSON]:
        return self.model_dump(mode="json", exclude_none=True)


class ScheduleOrder(_Order):
    """One of cron, every and at says when."""

    cron: Word | None = None
    every: Word | None = None
    at: Word | None = None
    missed: Word | None = None
    within: Word | None = None


class WatchOrder(_Order):
    path: Words
    match: list[Word] | None = None
    quiet: Word | None = None


class Connection(Body):
    """repo: one repository; without it all that the config names."""

    repo: Word | None = None


def add(app: FastAPI, control: Control) -> None:
    store = control.store

    @app.get("/v1/schedules")
    async def schedules(limit: Limit = LIST_DEFAULT, after: After = None) -> Response:
        """Schedules and when they run next."""
        return answer(await store.read(lists.schedules, after, limit))

    @app.post("/v1/schedules", status_code=201)
    async def add_schedule(order: ScheduleOrder) -> Response:
        """Do something at set times."""
        return answer(await store.read(lists.schedule_by_id, await control.add_schedule(order.given())), 201)

    @app.delete("/v1/schedules/{ref}")
    async def remove_schedule(ref: Id) -> Response:
        """By id or name."""
        held = await store.read(lists.schedule_by_id, ref)
        await control.remove_schedule(ref)
        return answer({**held, "removed": True})

    @app.post("/v1/schedules/{ref}/run", status_code=202)
    async def run_schedule(ref: Id) -> Response:
        """Run a schedule now, beside its times."""
        held = await store.read(lists.schedule_by_id, ref)
        return answer(
            {"id": held["id"], "name": held["name"], "signal": await control.run_schedule(ref)}, 202
        )

    @app.get("/v1/watches")
    async def watches(limit: Limit = LIST_DEFAULT, after: After = None) -> Response:
        """Watched directories."""
        return answer(await store.read(lists.watches, after, limit))

    @app.post("/v1/watches", status_code=201)
    async def add_watch(order: WatchOrder) -> Response:
        """Notice changes of files."""
        return answer(await store.read(lists.watch_by_id, await control.add_watch(order.given())), 201)

    @app.delete("/v1/watches/{ref}")
    async def remove_watch(ref: Id) -> Response:
        """By id or name."""
        held = await store.read(lists.watch_by_id, ref)
        await control.remove_watch(ref)
        return answer({**held, "removed": True})

    @app.get("/v1/github")
    async def github() -> Response:
        """Repositories and how their news arrive."""
        return listed(await control.github())

    @app.post("/v1/github/connect")
    async def connect(wanted: Connection | None = None) -> Response:
        """Have GitHub tell the daemon about repositories."""
        return listed(await control.connect_github(wanted.repo if wanted else None))
