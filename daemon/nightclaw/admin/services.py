"""`service install|uninstall|status|logs`: asks the machine's own manager, and tells its real answer."""

import argparse
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from nightclaw.admin.lock import holder, is_held
from nightclaw.admin.out import DONE, FAILED, NOT_FOUND, NOT_RUNNING, Out
from nightclaw.config import load
from nightclaw.core.errors import ConfigError, NotFound, Refused
from nightclaw.service import launchd, systemd
from nightclaw.service.unit import Daemon, State, this_program


def serve(home: Path, env: Mapping[str, str], args: argparse.Namespace, out: Out) -> int:
    daemon = Daemon(this_program(), home, env)
    action: str = args.action
    if action == "install":
        return _install(daemon, out, dry_run=args.dry_run)
    if action == "uninstall":
        return _uninstall(daemon, out, dry_run=args.dry_run)
    return _status(daemon, out) if action == "status" else _logs(daemon, follow=args.follow)


def is_mac() -> bool:
    return sys.platform == "darwin"


def file_of(daemon: Daemon) -> Path:
    return launchd.agent_path(daemon) if is_mac() else systemd.unit_path(daemon)


def _install(daemon: Daemon, out: Out, *, dry_run: bool) -> int:
    manager = launchd if is_mac() else systemd
    text, path = manager.render(daemon), file_of(daemon)
    load(daemon.home, daemon.env)
    if dry_run:
        lines = [
            f"# {path}",
            *text.rstrip().splitlines(),
            "",
            *(f"$ {step}" for step in manager.plan(daemon)),
        ]
        out.answer({"path": path, "text": text, "commands": manager.plan(daemon)}, lines)
        return DONE
    if not is_mac():
        systemd.ensure_running(daemon)
        _ensure_it_can_start(daemon)
    if is_held(daemon.home) and not manager.state(daemon).running:
        hint = f"end it first (process {holder(daemon.home) or 'unknown'}), then install again"
        raise Refused(f"a daemon already runs on {daemon.home}, outside the service manager", hint)
    found = manager.install(daemon)
    _tell(found, out)
    _remarks(daemon, out)
    return DONE if found.running else FAILED


def _ensure_it_can_start(daemon: Daemon) -> None:
    """Raise Refused when the config needs something of this shell that the service will not have.

    A drop-in can bring it, and cannot be read from here: where one stands, nothing is refused.
    """
    dropins = file_of(daemon).with_name(f"{systemd.NAME}.d")
    if dropins.is_dir():
        return
    theirs = {"HOME": str(daemon.user_home), **systemd.environment(daemon)}
    try:
        load(daemon.home, theirs)
    except ConfigError as error:
        keys = f"a drop-in {dropins}/keys.conf with [Service] and EnvironmentFile=…"
        hint = f"a service does not inherit your shell: use {{ file = … }} in the config, or {keys}"
        raise Refused(f"the service would not start: {error.faults[0]}", hint) from None


def _uninstall(daemon: Daemon, out: Out, *, dry_run: bool) -> int:
    manager = launchd if is_mac() else systemd
    if dry_run:
        steps = [f"stop and disable {file_of(daemon).name}", f"remove {file_of(daemon)}"]
        out.answer({"path": file_of(daemon), "steps": steps}, steps)
        return DONE
    found = manager.uninstall(daemon)
    out.answer(
        {**found.as_json(), "removed": str(file_of(daemon))},
        [f"removed {file_of(daemon)}; {daemon.home} stays"],
    )
    return DONE


def _status(daemon: Daemon, out: Out) -> int:
    path = file_of(daemon)
    if not path.exists():
        out.json(State(False, False, False, "absent", None, path, "not installed").as_json())
        if out.is_json:
            return NOT_FOUND
        raise NotFound(f"no service is installed ({path})", "`clawctl service install` makes one")
    found = (launchd if is_mac() else systemd).state(daemon)
    _tell(found, out)
    return DONE if found.running else NOT_RUNNING


def _tell(found: State, out: Out) -> None:
    at_login = "starts at login" if found.enabled else "does not start at login"
    out.answer(found.as_json(), [found.detail, f"{found.path}: {at_login}"])


def _remarks(daemon: Daemon, out: Out) -> None:
    """What the manager will not do by itself."""
    if not is_mac() and not systemd.lingers(daemon):
        out.note('it stops when you log out; `loginctl enable-linger "$USER"` keeps it running')


def _logs(daemon: Daemon, *, follow: bool) -> int:
    if not file_of(daemon).exists():
        raise NotFound(f"no service is installed ({file_of(daemon)})", "`clawctl log` shows the daily log")
    words = (launchd if is_mac() else systemd).log_command(daemon, follow=follow)
    sys.stdout.flush()
    os.execvpe(words[0], words, dict(daemon.env))
