"""Serving without a store: the database cannot be read, so nothing is taken in and everything says so.

Intake answers 503, so GitHub and the senders of hooks keep their deliveries; the owner is told once, not at every
start; `clawctl status` and `doctor` name the fault and the way back. No crash loop.
"""

import asyncio
import hashlib
import json
import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

from nightclaw.api.peer import judge
from nightclaw.clock import SystemClock
from nightclaw.config import Config
from nightclaw.core.errors import DeliveryError, Invalid
from nightclaw.core.ports import Note
from nightclaw.ingress import Receive, Scope, Send, respond
from nightclaw.notifiers.destinations import build_all
from nightclaw.problems import Problems
from nightclaw.sdnotify import Notify
from nightclaw.server import bind_control, serve

App = Callable[[Scope, Receive, Send], Awaitable[None]]


async def serve_degraded(home: Path, config: Config, version: str, fault: str) -> int:
    """Answer with the fault until stopped; exit code 0."""
    problems, stop, drain = Problems(), asyncio.Event(), asyncio.Event()
    hint = f"stop the daemon and run `clawctl restore` with a backup ({_newest_backup(home)})"
    problems.set("store", f"the database cannot be read: {fault}", hint)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    notify = Notify(os.environ)
    telling = asyncio.create_task(_tell_once(home, config, fault, hint))

    def ready() -> None:
        notify.ready("degraded: the database cannot be read")
        print(f"nightclaw: the database cannot be read: {fault}\n  {hint}", flush=True)

    try:
        await serve(
            _control(home, version, problems),
            _refuse,
            bind_control(home),
            config.ingress.listen,
            problems,
            stop,
            drain,
            ready,
            peer_of=judge,
        )
    finally:
        notify.stopping()
        telling.cancel()
    return 0


def _newest_backup(home: Path) -> str:
    found = sorted((home / "backups").glob("nightclaw-*.tar"))
    return f"the newest is {found[-1]}" if found else "there is none in backups/"


def _control(home: Path, version: str, problems: Problems) -> App:
    status = {
        "version": version,
        "pid": os.getpid(),
        "home": str(home),
        "health": "degraded",
        "problems": problems.as_json(),
        "paused": True,
        "sources": [],
    }
    checks = [{"check": p.part, "ok": False, "detail": p.message, "fix": p.hint} for p in problems.items()]

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/v1/status":
            await respond(send, 200, json.loads(json.dumps(status)))
        elif scope["path"] == "/v1/doctor":
            await respond(send, 200, {"items": json.loads(json.dumps(checks)), "ok": False})
        else:
            await _refuse(scope, receive, send)

    return app


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    error = {
        "code": "store_unavailable",
        "message": "the database cannot be read, so nothing is taken in",
        "hint": "see `clawctl doctor`",
    }
    await respond(send, 503, {"error": error}, {"retry-after": "60"})


async def _tell_once(home: Path, config: Config, fault: str, hint: str) -> None:
    """One note for one fault, however often we are started with it."""
    told = home / "run" / "told-fault"
    digest = hashlib.sha256(fault.encode()).hexdigest()
    if told.exists() and told.read_text(encoding="utf-8") == digest:
        return
    told.write_text(digest, encoding="utf-8")
    note = Note("store-fault", "Nightclaw cannot read its database", f"{fault}\n{hint}")
    try:
        notifiers = build_all(config.notify.urls, {"clock": SystemClock()})
    except Invalid:
        return
    for notifier in notifiers:
        try:
            await notifier.deliver(note)
        except DeliveryError as error:
            print(f"nightclaw: {notifier.name} did not take the note: {error.message}", flush=True)
