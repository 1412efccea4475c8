"""What the control API may see and ask of the daemon, gathered from its parts."""

import asyncio
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from nightclaw.admin.doctor import Check, examine, merged
from nightclaw.api.control import Control
from nightclaw.core.types import JSON, JSONObject
from nightclaw.desk import FEATURES
from nightclaw.diary import verify

if TYPE_CHECKING:
    from nightclaw.app import App


def panel(app: "App") -> Control:
    """The object the control API is built on."""
    desk, listening, memory = app.desk, app.listening, app.remembering.control()
    return Control(
        store=app.store,
        clock=app.clock,
        presence=app.presence,
        frames=app.frames,
        draining=app.drain,
        home=app.home,
        socket=app.home / "run" / "control.sock",
        version=app.version,
        started_at=app.started_at,
        tz=lambda: app.config.tz,
        ingress=lambda: app.ingress_address,
        models=app.agent.describe,
        budget=lambda: app.config.budget.model_dump(),
        problems=app.problems.as_json,
        sources=listening.describe,
        loops=app.supervisor.ages,
        is_paused=desk.is_paused,
        features=lambda: _features(app),
        rules=lambda: _rules(app),
        chat=desk.chat,
        interrupt=desk.interrupt,
        create_task=desk.create_task,
        cancel_task=desk.cancel_task,
        retry_task=desk.retry_task,
        resolve=desk.resolve,
        pause=desk.pause,
        resume=desk.resume,
        set_features=lambda wanted: desk.set_features(wanted, FEATURES),
        add_schedule=listening.add_schedule,
        remove_schedule=listening.remove_schedule,
        run_schedule=listening.run_schedule,
        add_watch=listening.add_watch,
        remove_watch=listening.remove_watch,
        test_notification=lambda: _test_notification(app),
        test_rules=desk.test_rules,
        github=listening.github,
        connect_github=listening.connect_github,
        doctor=lambda: _doctor(app),
        verify_log=lambda: _verify_log(app),
        add_memory=memory.add_memory,
        edit_memory=memory.edit_memory,
        forget_memory=memory.forget_memory,
        read_memory_files=memory.read_memory_files,
        search_memory=memory.search_memory,
        import_memories=memory.import_memories,
        dream=memory.dream,
        undo_dream=memory.undo_dream,
        redact=memory.redact,
    )


def _features(app: "App") -> Sequence[Mapping[str, JSON]]:
    return [
        {
            "name": name,
            "on": app.has(name),
            "origin": "override" if name in app.desk.overrides else
            "config" if name in app.config.features else "default",
            "what": FEATURES[name],
        }
        for name in FEATURES
    ]  # fmt: skip


def _rules(app: "App") -> Sequence[Mapping[str, JSON]]:
    return [
        {
            "n": n,
            "name": r.name,
            "when": r.when,
            "verdict": str(r.verdict),
            "cap": str(r.cap) if r.cap else None,
            "origin": "config",
        }
        for n, r in enumerate(app.stance().rules.rules, 1)
    ]


async def _test_notification(app: "App") -> JSONObject:
    tested = await app.outbox.test()
    return {
        "id": None,
        "deliveries": [
            {"to": t.name, "ok": t.error is None, "error": t.error, "hint": t.hint} for t in tested
        ],
    }


async def _doctor(app: "App") -> Sequence[Mapping[str, JSON]]:
    checks = await asyncio.to_thread(examine, app.home, os.environ)
    problems = [Check(p.part, False, p.message, p.hint) for p in app.problems.items()]
    return [
        {"check": c.check, "ok": c.ok, "detail": c.detail, "fix": c.fix} for c in merged(checks, problems)
    ]


async def _verify_log(app: "App") -> JSONObject:
    report = await asyncio.to_thread(verify, app.home)
    return report.as_json()
