"""Status, snapshot, cost, doctor: how it is, at a glance. Status answers even when the store does not."""

import os
from collections.abc import Mapping
from datetime import datetime

from fastapi import FastAPI
from starlette.responses import Response

from nightclaw.api.answers import answer, rendered, rendered_all
from nightclaw.api.ports import Control
from nightclaw.core.errors import StoreError
from nightclaw.core.types import JSON
from nightclaw.protocol.messages import LIST_LIMIT, iso, iso_or_none
from nightclaw.store import lists, tallies
from nightclaw.store.tallies import Counts


def today(control: Control) -> str:
    """The owner's local day."""
    return datetime.fromtimestamp(control.clock.now_ms() / 1000, control.tz()).strftime("%Y-%m-%d")


def add(app: FastAPI, control: Control) -> None:
    @app.get("/v1/status")
    async def status() -> Response:
        """How the daemon is."""
        problems = rendered_all(control.problems())
        try:
            found = await control.store.read(tallies.counts, today(control))
        except StoreError as error:
            found = _nothing_known(control)
            problems.append({"part": "store", "message": error.message, "hint": error.hint})
        else:
            if control.store.problem is not None:
                problems.append({"part": "store", "message": control.store.problem, "hint": "clawctl doctor"})
        return answer(_status(control, found, problems))

    @app.get("/v1/snapshot")
    async def snapshot() -> Response:
        """Open sessions, tasks, approvals and the event head, of one moment."""
        return answer(await control.store.read(lists.snapshot, LIST_LIMIT))

    @app.get("/v1/cost")
    async def cost() -> Response:
        """What models cost, today and this month, by cause, model, task and day."""
        return answer(await control.store.read(tallies.spent, today(control), control.budget()))

    @app.get("/v1/doctor")
    async def doctor() -> Response:
        """Each check: ok, or what is wrong and the fix."""
        items = rendered_all(await control.doctor())
        return answer(
            {"items": items, "ok": all(isinstance(i, Mapping) and i.get("ok") is True for i in items)}
        )


def _nothing_known(control: Control) -> Counts:
    return Counts(
        signals_pending=0,
        tasks={"ready": 0, "running": 0, "parked": 0},
        approvals_pending=0,
        sessions=0,
        last_tick_at=None,
        today={**tallies.no_usage(), "by_cause": {}},
        memory={"active": 0, "candidates": 0, "last_dream_at": None},
        event_head=control.store.head.cursor,
    )


def _status(control: Control, found: Counts, problems: list[object]) -> dict[str, object]:
    now = control.clock.now_ms()
    tick = found.last_tick_at
    return {
        "version": control.version,
        "pid": os.getpid(),
        "home": str(control.home),
        "socket": str(control.socket),
        "ingress": control.ingress(),
        "started_at": iso(control.started_at),
        "uptime_s": round(max(now - control.started_at, 0) / 1000, 3),
        "health": "degraded" if problems else "ok",
        "problems": problems,
        "paused": control.is_paused(),
        "presence": control.presence.state(now),
        "last_tick_at": iso_or_none(tick),
        "last_tick_age_s": None if tick is None else round(max(now - tick, 0) / 1000, 3),
        "models": control.models(),
        "sources": rendered_all(control.sources()),
        "loops": {name: round(age, 3) for name, age in control.loops().items()},
        "signals_pending": found.signals_pending,
        "tasks": found.tasks,
        "approvals_pending": found.approvals_pending,
        "sessions": found.sessions,
        "today": found.today,
        "budget": rendered(control.budget()),
        "features": _switches(control),
        "memory": found.memory,
        "event_head": found.event_head,
    }


def _switches(control: Control) -> dict[str, JSON]:
    return {str(f.get("name")): f.get("on") for f in control.features()}
