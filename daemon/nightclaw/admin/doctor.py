"""`doctor`: each thing the daemon depends on, whether it is well, and the fix. Changes nothing, needs no daemon."""

import os
import shutil
import socket
import sqlite3
import stat
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from nightclaw.admin.discover import find_login
from nightclaw.admin.lock import holder, is_held
from nightclaw.config import FILE, Config, advice, load, not_yet
from nightclaw.core.errors import ConfigError, NightclawError
from nightclaw.service import launchd, systemd
from nightclaw.service.unit import Daemon, this_program

SAFE_SQLITE = (3, 51, 3)
LEAST_FREE = 512 << 20
WATCHES, INSTANCES = 65_536, 128


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at. `fix` may stand beside a check that is well: something worth doing."""

    check: str
    ok: bool
    detail: str
    fix: str = ""

    def as_json(self) -> dict[str, object]:
        return {"check": self.check, "ok": self.ok, "detail": self.detail, "fix": self.fix}

    def lines(self) -> list[str]:
        told = [f"{'ok ' if self.ok else 'BAD'}  {self.check}: {self.detail}"]
        return [*told, f"     {'tip' if self.ok else 'fix'}: {self.fix}"] if self.fix else told


def examine(home: Path, env: Mapping[str, str]) -> list[Check]:
    """Every local check, in the order a reader would fix them. Runs a few short programs; never raises."""
    config, checks = _config(home, env)
    looks: list[Callable[[], Iterator[Check]]] = [
        _python,
        _sqlite,
        lambda: _home(home),
        lambda: _socket(home),
        lambda: _disk(home),
        lambda: iter(checks),
        lambda: _programs(env),
        _inotify,
        lambda: _service(home, env),
        lambda: _lock(home),
    ]
    if config is not None:
        held = config
        looks += [lambda: _github(held, env), lambda: _notify(held)]
    found: list[Check] = []
    for look in looks:
        try:
            found += look()
        except (OSError, NightclawError, ValueError) as error:
            found.append(Check("doctor", False, f"a check could not be made: {error}", "see the message"))
    return found


def merged(checks: Sequence[Check], problems: Sequence[Check]) -> list[Check]:
    """The checks and what a running daemon has met. A check and a problem of one name are about one thing: it is told
    once, as bad where either says so."""
    bad, met = {c.check for c in checks if not c.ok}, {p.check for p in problems}
    looked = [c for c in checks if not (c.ok and c.check in met)]
    return [*looked, *(p for p in problems if p.check not in bad)]


def _python() -> Iterator[Check]:
    version = ".".join(map(str, sys.version_info[:3]))
    yield Check(
        "python",
        sys.version_info >= (3, 11),
        version,
        "" if sys.version_info >= (3, 11) else "use 3.11 or newer",
    )


def _sqlite() -> Iterator[Check]:
    if sqlite3.sqlite_version_info >= SAFE_SQLITE:
        yield Check("sqlite", True, sqlite3.sqlite_version)
        return
    detail = f"{sqlite3.sqlite_version}, before 3.51.3: one writer that alone checkpoints avoids its WAL-reset fault"
    yield Check("sqlite", True, detail, "open nightclaw.db with other programs for reading only")


def _home(home: Path) -> Iterator[Check]:
    if not home.exists():
        yield Check(
            "home", True, f"{home} does not exist yet", "`clawctl init`, or `nightclaw run`, makes it"
        )
        return
    info = home.stat()
    mode = stat.S_IMODE(info.st_mode)
    if info.st_uid != os.geteuid():
        yield Check(
            "home", False, f"{home} belongs to user {info.st_uid}", f"sudo chown -R {os.geteuid()} {home}"
        )
    elif mode & 0o077:
        yield Check("home", False, f"{home} is open to others (mode {mode:04o})", f"chmod 700 {home}")
    else:
        yield Check("home", True, f"{home} (mode {mode:04o})")
    file = home / FILE
    if mode & 0o077 and file.exists() and file.stat().st_mode & 0o077:
        yield Check("config file", False, f"{file} can be read by others", f"chmod 600 {file}")


def _socket(home: Path) -> Iterator[Check]:
    path, limit = home / "run" / "control.sock", 103 if sys.platform == "darwin" else 107
    size = len(os.fsencode(path))
    detail = f"{path} ({size} of {limit} bytes)"
    yield Check(
        "socket path", size <= limit, detail, "" if size <= limit else "choose a home with a shorter path"
    )


def _disk(home: Path) -> Iterator[Check]:
    folder = next(p for p in (home, *home.parents) if p.exists())
    free = shutil.disk_usage(folder).free
    fix = "" if free >= LEAST_FREE else "free some space; intake stops when the disk is full"
    yield Check("disk", free >= LEAST_FREE, f"{free / (1 << 30):.1f} GiB free for {home}", fix)


def _config(home: Path, env: Mapping[str, str]) -> tuple[Config | None, list[Check]]:
    try:
        config = load(home, env)
    except ConfigError as error:
        return None, [
            Check("config", False, f"{f.file}:{f.line} {f.key}: {f.problem}", f.remedy) for f in error.faults
        ]
    where = str(home / FILE) if config.exists else "no file, every default holds"
    tip = "" if config.exists else "`clawctl init` writes a first one"
    notes = [Check("config", True, note) for note in (*not_yet(config), *advice(config))]
    return config, [Check("config", True, where, tip), *notes]


def _programs(env: Mapping[str, str]) -> Iterator[Check]:
    path = env.get("PATH")
    for name, package, needed, without in (
        ("git", "git", True, "tasks get no worktrees"),
        ("bwrap", "bubblewrap", sys.platform != "darwin", "commands are refused, edits still work"),
        ("rg", "ripgrep", False, "searching works, slower"),
        ("gh", "gh", False, "its token cannot be used; set [github] token"),
    ):
        found = shutil.which(name, path=path)
        if name == "bwrap" and sys.platform == "darwin":
            continue
        if found:
            yield Check(name, True, found)
        else:
            yield Check(name, not needed, f"not installed: {without}", _how_to_install(package, path))


def _how_to_install(package: str, path: str | None) -> str:
    for manager, command in (
        ("apt-get", "sudo apt-get install -y"),
        ("dnf", "sudo dnf install -y"),
        ("pacman", "sudo pacman -S"),
        ("apk", "sudo apk add"),
        ("zypper", "sudo zypper install"),
        ("brew", "brew install"),
    ):
        if shutil.which(manager, path=path):
            named = "github-cli" if package == "gh" and manager in ("pacman", "apk") else package
            return f"{command} {named}"
    return f"install {package}"


def _inotify() -> Iterator[Check]:
    for name, least in (("max_user_watches", WATCHES), ("max_user_instances", INSTANCES)):
        path = Path("/proc/sys/fs/inotify") / name
        if path.exists():
            limit = int(path.read_text(encoding="ascii"))
            fix = (
                ""
                if limit >= least
                else f"sudo sysctl -w fs.inotify.{name}={max(least, 524_288 if least > 1000 else 512)}"
            )
            yield Check(f"inotify {name}", limit >= least, str(limit), fix)


def _service(home: Path, env: Mapping[str, str]) -> Iterator[Check]:
    daemon = Daemon(this_program(), home, env)
    manager = launchd if sys.platform == "darwin" else systemd
    path = launchd.agent_path(daemon) if sys.platform == "darwin" else systemd.unit_path(daemon)
    if not path.exists():
        yield Check("service", True, "not installed", "`clawctl service install` keeps the daemon running")
        return
    try:
        found = manager.state(daemon)
    except NightclawError as error:
        yield Check("service", False, error.message, error.hint)
        return
    fix = "" if found.running else "`clawctl service logs` tells why; `clawctl service install` starts it"
    yield Check("service", found.running, found.detail, fix)


def _lock(home: Path) -> Iterator[Check]:
    if is_held(home):
        yield Check("daemon", True, f"runs, process {holder(home) or 'unknown'}")
    else:
        yield Check("daemon", True, "does not run", "`nightclaw run`, or `clawctl service install`")
    path = home / "run" / "control.sock"
    if path.is_socket() and not is_held(home):
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(1)
            if probe.connect_ex(str(path)) == 0:
                yield Check(
                    "socket", False, f"something else answers on {path}", "end it, and remove the file"
                )


def _github(config: Config, env: Mapping[str, str]) -> Iterator[Check]:
    github = config.github
    if not github.repo and not github.accounts:
        yield Check(
            "github", True, "no repositories are listed", "`clawctl init` finds them, or add [[github.repo]]"
        )
        return
    has_token = github.token is not None or any(env.get(n) for n in ("GITHUB_TOKEN", "GH_TOKEN"))
    login = find_login(env)
    if github.owners:
        yield Check("github.owners", True, ", ".join(github.owners))
    elif has_token or login:
        yield Check(
            "github.owners",
            True,
            f"the token's user{f', {login}' if login else ''}",
            "[github] owners names you for good",
        )
    else:
        yield Check(
            "github.owners", False, "nobody is known as the owner, so no label starts work",
            "clawctl config set github.owners '[\"YOUR-LOGIN\"]'",
        )  # fmt: skip
    if github.poll is not None and not has_token and not shutil.which("gh", path=env.get("PATH")):
        yield Check(
            "github token", False, "polling without a token sees 60 answers an hour", "set [github] token"
        )
    if config.ingress.public_url and github.secret is None:
        yield Check(
            "github hook", False, "no secret is set, so every hook is refused", "`clawctl github connect`"
        )
    for repo in github.repo:
        if repo.path is not None and not (repo.path / ".git").exists():
            yield Check(
                f"clone {repo.path}",
                False,
                f"{repo.path} ({repo.name}) is not a git clone",
                f"git clone it to {repo.path}",
            )


def _notify(config: Config) -> Iterator[Check]:
    if config.notify.urls:
        yield Check(
            "notify", True, f"{len(config.notify.urls)} destinations", "`clawctl notify test` proves it"
        )
    else:
        tip = "clawctl config set notify.urls '[\"ntfy://ntfy.sh/YOUR-TOPIC\"]'"
        yield Check(
            "notify", True, "no destination: notes are kept and shown by `clawctl notifications`", tip
        )
