"""The composition root: makes every part, hands each what it needs, starts and stops them in order."""

import asyncio
import gc
import os
import signal
import sqlite3
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from nightclaw import boot
from nightclaw.agent import Agent
from nightclaw.api import control
from nightclaw.api.ephemeral import Ephemeral
from nightclaw.api.peer import judge
from nightclaw.clock import SystemClock
from nightclaw.config import Config, load
from nightclaw.core import failpoints
from nightclaw.core.errors import ConfigError, NightclawError
from nightclaw.core.ports import Address, Notifier
from nightclaw.core.types import JSON
from nightclaw.degraded import serve_degraded
from nightclaw.desk import Desk
from nightclaw.diary import Diary
from nightclaw.doors import doors_of
from nightclaw.execution.scheduler import Scheduler
from nightclaw.glance import Glancer
from nightclaw.housekeeping import Housekeeping
from nightclaw.ingress import Ingress
from nightclaw.initiative.decide import Stance
from nightclaw.initiative.loop import Initiative
from nightclaw.initiative.presence import Presence
from nightclaw.listening import Listening
from nightclaw.notifiers.destinations import build_all
from nightclaw.outbox import Outbox
from nightclaw.panel import panel
from nightclaw.problems import Problems
from nightclaw.providers import offline
from nightclaw.remembering import Remembering
from nightclaw.sdnotify import Notify, watchdog_s
from nightclaw.server import bind_control, serve
from nightclaw.sources.idle import Activity
from nightclaw.stance import rule_set
from nightclaw.store import events, settings
from nightclaw.store.db import Connection, Store
from nightclaw.store.journal import StoreJournal
from nightclaw.supervise import Supervisor

DATABASE = "nightclaw.db"
SILENCE_S = 90.0
DRAIN_S = 20.0
VITAL = ("writer", "initiative", "scheduler")
NEXT_STEPS = """nightclaw {version} is ready
  home    {home}
  socket  {home}/run/control.sock
  hooks   {ingress}

Try, in another terminal:
  clawctl status
  clawctl chat "what can you do?"
  {then}
"""


def run(home: Path, version: str) -> int:
    """Serve this home until SIGTERM or SIGINT; the exit code. Raises the start-up errors of core.errors."""
    boot.make_home(home)
    with boot.locked(home):
        boot.finish_restore(home)
        config = load(home, os.environ)
        path = home / DATABASE
        try:
            boot.ensure_schema(path)
            boot.finish_redaction(home)
        except sqlite3.DatabaseError as error:
            return asyncio.run(serve_degraded(home, config, version, str(error)))
        return asyncio.run(App(home, config, version).run())


class App:
    """One life of the daemon over one home. The lock is held by the caller."""

    def __init__(self, home: Path, config: Config, version: str) -> None:
        self.home = home
        self.config = config
        self.version = version
        self.clock = SystemClock()
        self.problems = Problems()
        self.store = Store(home / DATABASE)
        self.notify = Notify(os.environ)
        self.stop = asyncio.Event()
        self.drain = asyncio.Event()
        self.started_at = self.clock.now_ms()
        self.ingress_address: str | None = None
        self.supervisor = Supervisor(self.clock, self.problems)
        self.presence = Presence(self.clock, home / "run" / "presence")
        self.frames = Ephemeral(lambda: self.store.head.cursor)
        glancer = Glancer(
            self.store, self.clock, lambda: self.config.tz, self.problems, self.started_at,
            lambda conn, question: self.remembering.known(conn, question),
        )  # fmt: skip
        self.journal = StoreJournal(self.store, self.clock)
        self.diary = Diary(self.store, home, lambda: self.config.tz, self.problems)
        self.outbox = Outbox(
            self.store,
            self.clock,
            lambda: self.config,
            self.presence,
            self.problems,
            self._notifiers,
            lambda: self.desk.is_paused() or not self.has("notify"),
        )
        self.listening = Listening(self)
        self.remembering = Remembering(self)
        offline_model = offline.build({}, {"look": glancer})
        self.agent = Agent(
            self, self.listening.api, offline_model, self._publish, self.day_of, self.remembering
        )
        self.desk = Desk(
            self.store, self.clock, self.presence, self.agent.runner, self.stance, self._switched,
            lambda: self.config.tz, self.remembering.interrupt,
        )  # fmt: skip
        self.safe_mode: str | None = None
        self.scheduler: Scheduler | None = None

    # What the parts ask

    def has(self, feature: str) -> bool:
        """A feature is on unless the config or the owner's durable override says no."""
        held = self.desk.overrides.get(feature)
        return held if held is not None else self.config.features.get(feature, True)  # pyright: ignore[reportCallIssue, reportArgumentType]

    def is_paused(self) -> bool:
        return self.desk.is_paused()

    def is_attended(self) -> bool:
        """A client follows right now."""
        return self.presence.attached > 0

    def last_input_at(self) -> int:
        return max(self.presence.last_input_at, self.started_at)

    async def activity(self) -> Activity:
        """What stirs now: an owner who looks, a task that runs or waits."""
        return await self.listening.activity()

    def idle_since(self) -> int | None:
        """Since when (ms) it has been idle for long enough to dream, None while it has not."""
        return self.listening.idle.since

    def is_busy(self, kind: str) -> bool:
        """A turn of this kind of task runs now."""
        return self.scheduler is not None and self.scheduler.is_running(kind)

    def stance(self) -> Stance:
        return Stance(
            rules=rule_set(self.config, self.listening.token_login),
            presence=self.presence.state(self.clock.now_ms()),
            has_model=self.agent.has_model(),
            shadow=self.config.initiative.shadow,
            may_triage=self.has("triage") and self.agent.may_triage(),
        )

    def _notifiers(self, addresses: Sequence[Address]) -> list[Notifier]:
        return build_all(addresses, {"clock": self.clock})

    def _publish(self, kind: str, task: str, session: str, data: dict[str, JSON]) -> None:
        self.frames.publish(kind, self.clock.now_ms(), data, task=task, session=session)

    def day_of(self, at: int) -> str:
        return datetime.fromtimestamp(at / 1000, self.config.tz).strftime("%Y-%m-%d")

    def _switched(self) -> None:
        """Pause, resume or a feature was changed: everyone looks again at once."""
        self.store.head.wake()
        self.outbox.nudge()
        self.listening.apply()
        if self.desk.is_paused() and self.scheduler is not None:
            self.scheduler.stop_work()

    # Life

    async def run(self) -> int:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop.set)
        loop.add_signal_handler(signal.SIGHUP, lambda: loop.create_task(self.reload()))
        await self.store.open()
        recovery = await self.store.write(boot.recover, self.clock.now_ms())
        failpoints.hit("boot.recovered")
        self.safe_mode = recovery.safe_mode
        if recovery.safe_mode:
            self.problems.set(
                "safe mode", recovery.safe_mode, "`clawctl tasks` shows it; a restart tries again"
            )
        await self.desk.load()
        await self.listening.mirror()
        await self.agent.open()
        await self.desk.release_proposed()
        ingress = Ingress(
            self.store, self.clock, await asyncio.to_thread(doors_of, self.config, self.problems),
            lambda: self.supervisor.stuck(VITAL), self.has,
        )  # fmt: skip
        self.ingress = ingress
        self._add_loops(recovery)
        ending = asyncio.create_task(self._end_with_supervisor())
        try:
            await serve(
                control.build(panel(self)),
                ingress,
                bind_control(self.home),
                self.config.ingress.listen,
                self.problems,
                self.stop,
                self.drain,
                self._ready,
                peer_of=judge,
                on_ingress=self._on_ingress,
            )
        finally:
            ending.cancel()
            await self._close()
        if self.supervisor.given_up is not None:
            print(f"nightclaw: {self.supervisor.given_up}\n{self.supervisor.given_up.trace}", file=sys.stderr)
            return 1
        return 0

    def _add_loops(self, recovery: boot.Recovery) -> None:
        initiative = Initiative(
            self.store,
            self.clock,
            self.stance,
            self.desk.is_paused,
            lambda: self.supervisor.beat("initiative"),
            self.agent.triage_means(),
        )
        self.scheduler = scheduler = Scheduler(
            self.store, self.clock, self.agent.runner, self.agent.may_claim, self.agent.model_for, recovery.epoch,
            self._may_work,
            lambda: self.supervisor.beat("scheduler"),
        )  # fmt: skip
        housekeeping = Housekeeping(
            self.store, self.clock, lambda: self.config, self.problems, lambda: self.diary.up_to,
            check_integrity=not recovery.clean,
        )  # fmt: skip
        add = self.supervisor.add
        add("writer", lambda: self.supervisor.prove("writer", self._ping), silence_s=SILENCE_S)
        add("initiative", initiative.run, silence_s=SILENCE_S)
        add("scheduler", scheduler.run, silence_s=SILENCE_S)
        add("diary", self.diary.run)
        add("outbox", self.outbox.run)
        add("housekeeping", housekeeping.run, critical=False)
        add("worktrees", self.agent.tidy, critical=False)
        add("watch", lambda: self.supervisor.watch(self.notify, watchdog_s(os.environ, os.getpid()), VITAL))
        self.listening.add_loops(self.supervisor)
        self.remembering.add_loops(self.supervisor)

    def _may_work(self) -> bool:
        return not self.desk.is_paused() and self.safe_mode is None

    async def _ping(self) -> object:
        return await self.store.write(lambda conn: conn.exec_driver_sql("SELECT 1").scalar())

    def _ready(self) -> None:
        gc.freeze()  # nothing of the start is looked through again; `__main__` switched it off
        gc.enable()
        self.supervisor.start()
        where = self.ingress_address or "closed"
        then = "clawctl doctor" if self.config.exists else "clawctl init"
        print(NEXT_STEPS.format(version=self.version, home=self.home, ingress=where, then=then), flush=True)
        self.notify.ready(f"ready; hooks on {where}")

    def _on_ingress(self, address: str | None) -> None:
        self.ingress_address = address

    async def _end_with_supervisor(self) -> None:
        await self.supervisor.ended.wait()
        self.stop.set()

    async def _close(self) -> None:
        self.notify.stopping("stopping")
        late = await self.supervisor.drain(DRAIN_S)
        if late:
            print(f"nightclaw: these did not end in time: {', '.join(late)}", file=sys.stderr)
        try:
            await self.store.write(_note_stop, self.clock.now_ms(), self.supervisor.given_up is None)
            await self.diary.catch_up()
        except (NightclawError, OSError) as error:
            print(f"nightclaw: the last lines could not be written: {error}", file=sys.stderr)
        await self.agent.close()
        await self.listening.close()
        await self.store.close()
        self.notify.close()

    async def reload(self) -> None:
        """SIGHUP: take the new config, or keep the old one and say why."""
        self.notify.reloading()
        try:
            fresh = await asyncio.to_thread(load, self.home, os.environ)
        except ConfigError as error:
            hint = "the old settings stay in force; fix it and reload again"
            self.problems.set("config", error.message, hint)
            print(f"nightclaw: reload refused: {error.message}", file=sys.stderr)
        else:
            self.problems.set("config", None)
            self._take_config(fresh)
            self.ingress.doors = await asyncio.to_thread(doors_of, fresh, self.problems)
            await self.listening.mirror()
            await self.agent.reload()
            await self.desk.release_proposed()
            self._switched()
        self.notify.ready("reloaded")

    def _take_config(self, fresh: Config) -> None:
        moved = [n for n, a, b in (
            ("[ingress] listen", self.config.ingress.listen, fresh.ingress.listen),
            ("[web] listen", self.config.web.listen, fresh.web.listen),
        ) if a != b]  # fmt: skip
        self.problems.set(
            "restart", f"{' and '.join(moved)} takes a restart" if moved else None, "restart nightclaw"
        )
        self.config = fresh


def _note_stop(conn: Connection, now: int, clean: bool) -> None:
    settings.put(conn, settings.CLEAN_STOP, clean)
    events.append(conn, "daemon.stopping", now, {"clean": clean})
