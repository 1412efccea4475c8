"""macOS: one launch agent, written with this machine's paths, and its real state read back.

What it says is `deploy/dev.nightclaw.daemon.plist` of the source tree, which a test holds it to.
"""

import os
import re
from pathlib import Path

from nightclaw.core.errors import NightclawError, NotFound
from nightclaw.service.unit import MARK, Daemon, State, call, is_ours, place, remove

LABEL = "dev.nightclaw.daemon"
_PATH = "/opt/homebrew/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"


def agent_path(daemon: Daemon) -> Path:
    return daemon.user_home / "Library" / "LaunchAgents" / f"{LABEL}.plist"


def log_path(daemon: Daemon) -> Path:
    return daemon.user_home / "Library" / "Logs" / "nightclaw.log"


def render(daemon: Daemon) -> str:
    import plistlib

    log = str(log_path(daemon))
    agent = {
        "Label": LABEL,
        "ProgramArguments": list(daemon.command),
        "EnvironmentVariables": {
            "NIGHTCLAW_HOME": str(daemon.home),
            "PATH": f"{daemon.user_home}/.local/bin:{_PATH}",
        },
        "WorkingDirectory": str(daemon.user_home),
        "RunAtLoad": True,
        "KeepAlive": {"SuccessfulExit": False},
        "ThrottleInterval": 10,
        "ExitTimeOut": 40,
        "ProcessType": "Standard",
        "Umask": 0o077,
        "StandardOutPath": log,
        "StandardErrorPath": log,
    }
    text = plistlib.dumps(agent, sort_keys=False).decode()
    return text.replace("<plist ", f"<!-- {MARK} -->\n<plist ", 1)


def _target() -> str:
    return f"gui/{os.getuid()}"


def plan(daemon: Daemon) -> list[str]:
    return [f"launchctl bootstrap {_target()} {agent_path(daemon)}"]


def install(daemon: Daemon) -> State:
    """Write the agent and start it now and at every login. Twice is once."""
    path = agent_path(daemon)
    changed = place(path, render(daemon))
    if state(daemon).state != "absent":
        if not changed:
            return state(daemon)
        call(["launchctl", "bootout", f"{_target()}/{LABEL}"], daemon.env)
    code, said = call(["launchctl", "bootstrap", _target(), str(path)], daemon.env)
    if code:
        hint = "log in at the machine itself once, or start `nightclaw run` yourself"
        raise NightclawError(f"launchctl bootstrap failed: {said}", hint)
    return state(daemon)


def uninstall(daemon: Daemon) -> State:
    """Stop and take away. Raises NotFound when it is not installed."""
    path = agent_path(daemon)
    if not is_ours(path):
        raise NotFound(f"there is no service of ours at {path}", "`clawctl service install` makes one")
    call(["launchctl", "bootout", f"{_target()}/{LABEL}"], daemon.env)
    remove(path)
    return state(daemon)


def state(daemon: Daemon) -> State:
    """What launchd says now."""
    path = agent_path(daemon)
    code, said = call(["launchctl", "print", f"{_target()}/{LABEL}"], daemon.env, timeout_s=20)
    if code:
        return State(path.exists(), False, False, "absent", None, path, "launchd does not know it")
    word, pid = re.search(r"^\s*state = (\S+)", said, re.M), re.search(r"^\s*pid = (\d+)", said, re.M)
    last = re.search(r"^\s*last exit code = (\d+)", said, re.M)
    state_word, number = word[1] if word else "unknown", int(pid[1]) if pid else None
    detail = (
        state_word + (f", process {number}" if number else "") + (f", last exit {last[1]}" if last else "")
    )
    return State(path.exists(), True, state_word == "running", state_word, number, path, detail)


def log_command(daemon: Daemon, *, follow: bool) -> list[str]:
    return ["tail", "-n", "200", *(["-F"] if follow else []), str(log_path(daemon))]
