"""macOS: every command under a Seatbelt profile, through the system's own `sandbox-exec`.

The same promises as on Linux where the system can keep them: writes only to the workspace and a private tmp, reads
only of the system, PATH programs and what is mounted, no network, no signal to anything outside. What it cannot: a
process that leaves its process group outlives the command (still behind the wall), and processes are not counted.
"""

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from nightclaw.core.errors import Refused
from nightclaw.core.tools import Command, Ran, Workspace
from nightclaw.core.types import JSON
from nightclaw.sandbox.limits import Limits
from nightclaw.sandbox.mounts import PROTECTED, Ground, is_beneath, programs, refuse_root
from nightclaw.sandbox.running import Launch, run

PROGRAM = "/usr/bin/sandbox-exec"
_SYSTEM = (
    "/usr", "/bin", "/sbin", "/System", "/Library/Developer", "/Library/Frameworks", "/Applications/Xcode.app",
    "/opt/homebrew", "/private/etc/ssl", "/private/etc/localtime", "/private/var/db/timezone",
    "/private/var/db/dyld", "/private/var/select", "/nix/store",
)  # fmt: skip
_DEVICES = (
    "/dev/null",
    "/dev/zero",
    "/dev/random",
    "/dev/urandom",
    "/dev/tty",
    "/dev/fd",
    "/dev/stdout",
    "/dev/stderr",
)
_LOOKUPS = (
    "com.apple.system.opendirectoryd.libinfo",
    "com.apple.system.opendirectoryd.membership",
    "com.apple.system.logger",
    "com.apple.system.notification_center",
)
_HEAD = """(version 1)
(deny default)
(allow process-fork process-exec)
(allow process-info* (target same-sandbox))
(allow signal (target same-sandbox))
(allow sysctl-read)
(allow file-read-metadata)
(allow ipc-posix-sem ipc-posix-shm)
(allow file-read* (literal "/") (literal "/private") (literal "/private/var") (literal "/dev"))
"""


class Seatbelt:
    """core.tools.Sandbox."""

    kind = "seatbelt"
    why_not: str | None = None

    def __init__(self, ground: Ground, bounds: Limits, environ: Mapping[str, str]) -> None:
        self._ground = ground
        self._bounds = bounds
        self._environ = environ

    def describe(self) -> dict[str, JSON]:
        return {"kind": self.kind, "program": PROGRAM}

    async def run(self, command: Command, workspace: Workspace) -> Ran:
        """Raises Refused where there is no wall for this workspace, or it could not be built."""
        tmp = Path(tempfile.mkdtemp(prefix="nightclaw-")).resolve()
        try:
            launch = self.launch(command, workspace, tmp)
            return await run(launch, timeout_s=command.timeout_s, limit=command.limit, bounds=self._bounds)
        finally:
            shutil.rmtree(tmp, ignore_errors=True)

    def launch(self, command: Command, workspace: Workspace, tmp: Path) -> Launch:
        refuse_root(workspace.root, self._ground)
        cwd = command.cwd.resolve()
        if not is_beneath(cwd, workspace.root.resolve()):
            raise Refused(f"{command.cwd} is not a directory of the workspace")
        text = profile(workspace, self._ground, tmp, network=command.network)
        bounds = self._bounds
        inner = [str(self._ground.interpreter), "-I", "-S", str(Path(__file__).with_name("landlock.py"))]
        inner += [
            "--fsize",
            f"{bounds.file_bytes}:{bounds.file_bytes}",
            "--core",
            "0:0",
            "--nofile",
            "4096:10240",
        ]
        # sh changes the directory inside the wall, so that a name swapped meanwhile leads nowhere new
        argv = [PROGRAM, "-p", text, "/bin/sh", "-c", 'cd "$1" && shift && exec "$@"', "sh", str(cwd)]
        return Launch([*argv, *inner, "--", *command.argv], self._env(tmp), workspace.root)

    def _env(self, tmp: Path) -> dict[str, str]:
        kept = {
            name: self._environ[name]
            for name in ("LANG", "LC_ALL", "LC_CTYPE", "TZ")
            if name in self._environ
        }
        path = ":".join(
            dict.fromkeys([*map(str, self._ground.search_path), "/usr/bin", "/bin", "/usr/sbin", "/sbin"])
        )
        own = {"PATH": path, "HOME": str(tmp), "TMPDIR": str(tmp), "TERM": "dumb", "CI": "1", "PAGER": "cat"}
        own["PYTHONDONTWRITEBYTECODE"] = "1"  # or a check's by-products would be committed
        return {"LANG": "en_US.UTF-8", **kept, **own, "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0"}


def profile(workspace: Workspace, ground: Ground, tmp: Path, *, network: bool) -> str:
    """The rules in Seatbelt's own language; a later rule wins."""
    root = workspace.root.resolve()
    shown = [Path(p) for p in _SYSTEM] + [
        *programs(ground),
        *ground.mounts,
        *workspace.reads,
        *workspace.share,
    ]
    common = (
        workspace.git_dir.parent.parent if workspace.git_dir and workspace.git_dir.name != ".git" else None
    )
    git = [p for p in (workspace.git_dir, common) if p is not None]
    package = Path(__file__).with_name("landlock.py")
    lines = [_HEAD.rstrip()]
    lines += [f"(allow file-read* file-write* (literal {_quoted(Path('/dev', p))}))" for p in _DEVICES]
    lines += [f'(allow mach-lookup (global-name "{name}"))' for name in _LOOKUPS]
    lines += [f"(allow file-read* (subpath {_quoted(p.resolve())}))" for p in [*shown, *git, package]]
    lines += [
        f"(deny file-read* file-write* (subpath {_quoted(home.resolve())}))" for home in ground.forbidden
    ]
    lines += [f"(allow file-read* (subpath {_quoted(p.resolve())}))" for p in git]
    lines += [f"(allow file-read* file-write* (subpath {_quoted(p)}))" for p in (root, tmp)]
    lines += [f"(deny file-write* (subpath {_quoted(root / name)}))" for name in (".git", *PROTECTED)]
    lines += [f"(deny file-write* (subpath {_quoted(p.resolve())}))" for p in git]
    lines += [f'(deny file-read* (regex #"{_escaped(p.resolve())}/config(\\.worktree)?$"))' for p in git]
    lines += ["(allow network*)"] if network else ['(allow network* (local ip "localhost:*"))']
    return "\n".join(lines)


def _quoted(path: Path) -> str:
    """A string of the profile's language. Raises Refused for a path it cannot hold."""
    text = str(path)
    if any(ord(c) < 32 for c in text):
        raise Refused(f"{text!r} cannot be named in a sandbox profile")
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _escaped(path: Path) -> str:
    return "".join(c if c.isalnum() or c in "/_-" else f"\\{c}" for c in str(path))


def find(ground: Ground, bounds: Limits, environ: Mapping[str, str]) -> Seatbelt | str:
    """The sandbox when it stands here, else why not."""
    if not Path(PROGRAM).is_file():
        return f"{PROGRAM} is missing from this system"
    made = Seatbelt(ground, bounds, environ)
    with contextlib.ExitStack() as stack:
        root = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="nightclaw-probe-"))).resolve()
        tmp = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="nightclaw-probe-"))).resolve()
        look = ("/bin/sh", "-c", f"[ ! -r '{ground.user_home}' ] && echo inside")
        launch = made.launch(Command(look, root, 20.0), Workspace(root), tmp)
        try:
            ran = subprocess.run(
                launch.argv, env=dict(launch.env), capture_output=True, text=True, timeout=20, check=False
            )
        except (OSError, subprocess.SubprocessError) as error:
            return f"sandbox-exec does not work here: {error}"
    if ran.stdout.strip() != "inside":
        return f"sandbox-exec does not work here: {ran.stderr.strip()[:200] or os.strerror(ran.returncode)}"
    return made
