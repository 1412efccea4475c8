"""systemd's user manager: one unit, written with this machine's paths, and its real state read back.

The text below is `systemd/nightclaw.service` of the source tree, which a test holds it to.
"""

import re
from pathlib import Path

from nightclaw.core.errors import NightclawError, NotFound
from nightclaw.service.unit import MARK, Daemon, State, call, is_ours, place, remove

NAME = "nightclaw.service"
UNIT = """\
[Unit]
Description=Nightclaw, the daemon that notices, decides and works
Documentation=man:systemd.service(5)
# the daemon has its own safe mode: never give up restarting it
StartLimitIntervalSec=0

[Service]
Type=notify
NotifyAccess=main
ExecStart=%h/.local/bin/nightclaw run
ExecReload=/bin/kill -HUP $MAINPID
WorkingDirectory=%h
UMask=0077

# pinged only while writer, initiative and scheduler all beat: half-alive counts as dead
WatchdogSec=60
# before READY stands at most one schema upgrade with its backup
TimeoutStartSec=300
Restart=always
RestartSec=2
# 75: another daemon holds this home; 78: bad config, or a home newer than the program. Trying again cannot help.
RestartPreventExitStatus=75 78

# SIGTERM to the daemon alone, which parks its runs within 30 s; what is left of their process groups is killed after
KillMode=mixed
TimeoutStopSec=40
# a build that eats the memory ends that build, not the daemon
OOMPolicy=continue
LimitNOFILE=65536
TasksMax=4096

# Tool calls are locked in by bubblewrap, which needs user namespaces, mount() and an unmasked /proc. So none of
# RestrictNamespaces, SystemCallFilter without @mount, ProtectKernelTunables, ProtectKernelLogs, ProtectProc, PrivateUsers.
NoNewPrivileges=yes
LockPersonality=yes
RestrictRealtime=yes
SystemCallArchitectures=native

[Install]
WantedBy=default.target
"""  # noqa: E501
_EXEC = "ExecStart=%h/.local/bin/nightclaw run\n"


def unit_path(daemon: Daemon) -> Path:
    config = daemon.env.get("XDG_CONFIG_HOME") or str(daemon.user_home / ".config")
    return Path(config) / "systemd" / "user" / NAME


def render(daemon: Daemon) -> str:
    """The unit for this daemon. Raises NightclawError for a path that no unit can hold."""
    words = [*daemon.command, f"NIGHTCLAW_HOME={daemon.home}"]
    if bad := next((w for w in words if not w.isprintable()), None):
        raise NightclawError(f"{bad!r} cannot stand in a unit", "choose a path without control characters")
    command = " ".join(_quoted(word, expands=n > 0) for n, word in enumerate(daemon.command))
    home = _quoted(f"NIGHTCLAW_HOME={daemon.home}", expands=False)
    intro = f"# {MARK}; `clawctl service uninstall` takes it away.\n"
    return intro + UNIT.replace(_EXEC, f"Environment={home}\nExecStart={command}\n")


def _quoted(word: str, *, expands: bool) -> str:
    """One word by systemd.syntax(7): % is a specifier, $ a variable in arguments, backslash and quote are escaped."""
    text = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    text = text.replace("$", "$$") if expands else text
    return f'"{text}"' if re.search(r"[\s\"'\\;]", word) else text


def _systemctl(daemon: Daemon, *words: str, timeout_s: float = 60) -> str:
    code, said = call(["systemctl", "--user", *words], daemon.env, timeout_s=timeout_s)
    if code:
        raise NightclawError(
            f"systemctl --user {' '.join(words)} failed: {_first(said)}", _remedy(daemon, said)
        )
    return said


def _first(said: str) -> str:
    return said.splitlines()[0] if said else "it said nothing"


def _remedy(daemon: Daemon, said: str) -> str:
    if "bus" in said.lower() or "not been booted" in said:
        return "no systemd user manager runs here: log in directly (not by su), or start `nightclaw run` yourself"
    return f"`journalctl --user -u {NAME} -n 30` tells more; NIGHTCLAW_HOME is {daemon.home}"


def ensure_running(daemon: Daemon) -> None:
    """Raise NightclawError, before anything is written, when there is no user manager to talk to."""
    code, said = call(
        ["systemctl", "--user", "show", "--property=Version", "--value"], daemon.env, timeout_s=20
    )
    if code or not said:
        reason = _first(said) if said else "it does not answer"
        raise NightclawError(f"systemd's user manager does not run here: {reason}", _remedy(daemon, "bus"))


def environment(daemon: Daemon) -> dict[str, str]:
    """What the manager hands to its services: plain `NAME=value` lines, quoted ones are left out."""
    said = _systemctl(daemon, "show-environment", timeout_s=20)
    pairs = (line.partition("=") for line in said.splitlines())
    return {name: value for name, _, value in pairs if value and not value.startswith("$'")}


def plan(daemon: Daemon) -> list[str]:
    return ["systemctl --user daemon-reload", f"systemctl --user enable --now {NAME}"]


def install(daemon: Daemon) -> State:
    """Write the unit, start it now and at every login, and say what it then is. Twice is once."""
    ensure_running(daemon)
    was_running = state(daemon).running
    changed = place(unit_path(daemon), render(daemon))
    _systemctl(daemon, "daemon-reload")
    _systemctl(daemon, "enable", NAME)
    _systemctl(daemon, "restart" if changed and was_running else "start", NAME, timeout_s=330)
    return state(daemon)


def uninstall(daemon: Daemon) -> State:
    """Stop and take away. Raises NotFound when it is not installed."""
    path = unit_path(daemon)
    if not is_ours(path):
        raise NotFound(f"there is no service of ours at {path}", "`clawctl service install` makes one")
    ensure_running(daemon)
    _systemctl(daemon, "disable", "--now", NAME)
    remove(path)
    _systemctl(daemon, "daemon-reload")
    call(["systemctl", "--user", "reset-failed", NAME], daemon.env)
    return state(daemon)


def state(daemon: Daemon) -> State:
    """What systemd says now. Raises NightclawError when it cannot be asked."""
    asked = "LoadState,ActiveState,SubState,MainPID,UnitFileState,Result,ExecMainStatus,NRestarts"
    code, said = call(["systemctl", "--user", "show", NAME, f"--property={asked}"], daemon.env, timeout_s=20)
    if code:
        raise NightclawError(
            f"systemd's user manager does not run here: {_first(said)}", _remedy(daemon, "bus")
        )
    found = {key: value for key, _, value in (line.partition("=") for line in said.splitlines())}
    active, sub = found.get("ActiveState", "unknown"), found.get("SubState", "")
    pid = int(found.get("MainPID", "0") or 0)
    detail = f"{active} ({sub})" + (f", process {pid}" if pid else "")
    if found.get("Result", "success") != "success":
        detail += f", last result {found['Result']} (exit {found.get('ExecMainStatus', '?')})"
    if found.get("NRestarts", "0") not in ("", "0"):
        detail += f", restarted {found['NRestarts']} times"
    return State(
        installed=unit_path(daemon).exists(),
        enabled=found.get("UnitFileState") in ("enabled", "enabled-runtime", "linked"),
        running=active in ("active", "reloading"),
        state=active,
        pid=pid or None,
        path=unit_path(daemon),
        detail=detail,
    )


def lingers(daemon: Daemon) -> bool:
    """True when the user's services go on while nobody is logged in, or when that cannot be known."""
    try:
        code, said = call(
            ["loginctl", "show-user", "--property=Linger", "--value", ""], daemon.env, timeout_s=10
        )
    except NightclawError:
        return True
    return code != 0 or said.strip() != "no"


def log_command(daemon: Daemon, *, follow: bool) -> list[str]:
    return ["journalctl", "--user", "-u", NAME, "-n", "200", *(["-f"] if follow else ["--no-pager"])]
