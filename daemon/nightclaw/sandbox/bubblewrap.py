"""Linux: every command in namespaces of its own, made by the program bubblewrap.

Mount, pid, network, ipc, uts and user namespaces; no capability; a system-call filter; limits and Landlock from the
first program inside; an environment of a few harmless words. The first process of the pid namespace dies with ours,
and everything inside dies with it, whatever it forked, detached or ignored.
"""

import errno
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from nightclaw.core.errors import Refused
from nightclaw.core.tools import Command, Ran, Workspace
from nightclaw.core.types import JSON
from nightclaw.sandbox import landlock, limits, seccomp
from nightclaw.sandbox.limits import Limits
from nightclaw.sandbox.mounts import PROGRAM, TMP, TMP_HOME, VAR_TMP, Ground, Mount, common, is_beneath, plan
from nightclaw.sandbox.running import Launch, run

_NEEDED = ("--ro-bind-fd", "--json-status-fd", "--perms")
# $1: the control group to join, or nothing. A command is the first to go when memory runs out.
_JOIN = 'echo 1000 > /proc/self/oom_score_adj; [ -z "$1" ] || echo 0 > "$1/cgroup.procs" || exit 125; shift; exec "$@"'
_PASSED_ON = ("LANG", "LC_ALL", "LC_CTYPE", "TZ")
_Keep = Callable[[int], int]
_KINDS = {"ro": "--ro-bind-try", "rw": "--bind"}
_HINTS = (
    (
        "loopback",
        "the network namespace was refused; in a container, run it with --security-opt seccomp=unconfined",
    ),
    ("mount proc", "a container hides /proc; run it with --security-opt systempaths=unconfined"),
    (
        "uid map",
        "allow unprivileged user namespaces: sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
    ),
    (
        "namespace",
        "allow user namespaces: sudo sysctl -w user.max_user_namespaces=15000 kernel.unprivileged_userns_clone=1",
    ),
)


class Bubblewrap:
    """core.tools.Sandbox. `landlock`: the version in use, 0 without; `counted`: what bounds the number of processes."""

    kind = "bubblewrap"
    why_not: str | None = None

    def __init__(
        self, program: str, ground: Ground, bounds: Limits, *, sizes: bool, environ: Mapping[str, str]
    ) -> None:
        self._program = program
        self._ground = ground
        self._known = common(ground)
        self._bounds = bounds
        self._sizes = sizes
        self._filter = seccomp.program()
        self._passed_on = {name: environ[name] for name in _PASSED_ON if name in environ}
        self._group = limits.parent_group()
        if self._group:
            limits.sweep(self._group)
        self._by_namespace = limits.counts_by_namespace()
        self.landlock = landlock.abi()

    @property
    def counted(self) -> str:
        return "cgroup" if self._group else "namespace" if self._by_namespace else "guard"

    def describe(self) -> dict[str, JSON]:
        return {
            "kind": self.kind,
            "program": self._program,
            "landlock": self.landlock,
            "processes": self.counted,
        }

    async def run(self, command: Command, workspace: Workspace) -> Ran:
        """Raises Refused where there is no wall for this workspace, or it could not be built."""
        try:
            with limits.group(self._group, self._bounds.processes) as group:
                launch = self.launch(command, workspace, group)
                return await run(
                    launch, timeout_s=command.timeout_s, limit=command.limit, bounds=self._bounds
                )
        except OSError as error:
            raise Refused(f"the sandbox could not start: {error.strerror or error}") from error

    def launch(self, command: Command, workspace: Workspace, group: Path | None = None) -> Launch:
        """Everything about a run but the running. The caller owns the descriptors. Raises Refused, OSError."""
        mounts = plan(workspace, self._ground, self._known, network=command.network)
        cwd = _inside(command.cwd, workspace, mounts)
        with ExitStack() as undo:
            fds: list[int] = []

            def keep(fd: int) -> int:
                fds.append(fd)
                undo.callback(os.close, fd)
                return fd

            told, tells = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
            undo.callback(os.close, told)
            keep(tells)
            options = [
                "--unshare-user",
                "--unshare-pid",
                "--unshare-ipc",
                "--unshare-uts",
                "--unshare-cgroup-try",
            ]
            options += [] if command.network else ["--unshare-net"]
            options += [
                "--uid",
                str(self._ground.uid),
                "--gid",
                str(self._ground.gid),
                "--hostname",
                "sandbox",
            ]
            options += ["--die-with-parent", "--new-session", "--cap-drop", "ALL"]
            options += ["--json-status-fd", str(tells), "--seccomp", str(keep(_memory(self._filter)))]
            for mount in mounts:
                options += self._option(mount, keep)
            options += ["--chdir", str(cwd)]
            arguments = keep(
                _memory("".join(f"{word}\0" for word in options).encode(errors="surrogateescape"))
            )
            argv = [
                "/bin/sh",
                "-c",
                _JOIN,
                "sh",
                str(group or ""),
                self._program,
                "--args",
                str(arguments),
                "--",
            ]
            argv += [*self._enter(mounts, command), "--", *command.argv]
            undo.pop_all()
            by_hand = self.counted == "guard"
            return Launch(argv, self._env(mounts), workspace.root, tuple(fds), (told, tells), by_hand)
        raise AssertionError  # the stack swallows nothing

    def _option(self, mount: Mount, keep: _Keep) -> list[str]:
        at, source = str(mount.at), mount.source
        match mount.kind:
            case "ro" | "rw":
                return [_KINDS[mount.kind], str(source), at]
            case "held":
                assert source is not None
                return [
                    "--ro-bind-fd",
                    str(keep(os.open(source, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC))),
                    at,
                ]
            case "data":
                return ["--perms", "0444", "--ro-bind-data", str(keep(_memory(mount.text))), at]
            case "file":
                return ["--perms", "0444", "--file", str(keep(_memory(mount.text))), at]
            case "link":
                return ["--symlink", str(source), at]
            case "tmp":
                return [*(["--size", str(mount.size)] if self._sizes else []), "--tmpfs", at]
            case "still":
                return ["--remount-ro", at]
            case kind:
                return [f"--{kind}", at]

    def _enter(self, mounts: Sequence[Mount], command: Command) -> list[str]:
        """The first program inside, with its options."""
        bounds = self._bounds
        cpu = int(command.timeout_s * (os.cpu_count() or 1)) + 10
        argv = [str(self._ground.interpreter), "-I", "-S", str(PROGRAM)]
        argv += [
            "--fsize",
            f"{bounds.file_bytes}:{bounds.file_bytes}",
            "--core",
            "0:0",
            "--cpu",
            f"{cpu}:{cpu + 5}",
        ]
        argv += ["--nofile", f"{min(bounds.open_files, 4096)}:{bounds.open_files}"]
        if self._by_namespace:
            argv += ["--nproc", f"{bounds.processes}:{bounds.processes}"]
        argv += ["--read", "/etc", "--read", str(PROGRAM.parent)]
        for mount in mounts:
            if mount.kind in ("ro", "data", "held", "proc") and mount.at.parts[1] != "etc":
                argv += ["--read", str(mount.at)]
            elif mount.kind in ("rw", "dev") or mount.at in (TMP, VAR_TMP):
                argv += ["--write", str(mount.at)]
        return argv

    def _env(self, mounts: Sequence[Mount]) -> dict[str, str]:
        shown = [m.at for m in mounts if m.kind in ("ro", "link")]
        path = [p for p in self._ground.search_path if any(is_beneath(p, at) for at in shown)]
        names = list(dict.fromkeys([*map(str, path), "/usr/local/bin", "/usr/bin", "/bin"]))
        return {
            "LANG": "C.UTF-8",
            "PYTHONDONTWRITEBYTECODE": "1",  # or a check's by-products would be committed
            **self._passed_on,
            "PATH": ":".join(names),
            "HOME": str(TMP_HOME),
            "TMPDIR": str(TMP),
            "USER": "nightclaw",
            "LOGNAME": "nightclaw",
            "SHELL": "/bin/sh",
            "TERM": "dumb",
            "CI": "1",
            "PAGER": "cat",
            "GIT_PAGER": "cat",
            "GIT_OPTIONAL_LOCKS": "0",
            "GIT_TERMINAL_PROMPT": "0",
        }

    def fault(self) -> str | None:
        """Build the wall once and look from inside; why it does not stand, None when it does. Blocks for ~50 ms."""
        look = '[ ! -e "$0" ] && [ "$(grep -c : /proc/net/dev)" -le 1 ] && ! (: >/outside) 2>/dev/null && echo inside'
        with tempfile.TemporaryDirectory(prefix="nightclaw-probe-") as folder:
            root = Path(folder)
            command = Command(("/bin/sh", "-c", look, str(self._ground.home)), root, 20.0)
            try:
                launch = self.launch(command, Workspace(root))
                ran = _once(launch)
            except (OSError, Refused, subprocess.SubprocessError) as error:
                return f"bubblewrap does not work here: {error}"
        if ran.stdout.strip() == "inside":
            return None
        said = (ran.stdout.strip().splitlines() or [f"exit {ran.returncode}"])[-1]
        hint = next((hint for word, hint in _HINTS if word in said), "see `nightclaw admin doctor`")
        return f"bubblewrap does not work here ({said}); {hint}"


def _once(launch: Launch) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            launch.argv,
            env=dict(launch.env),
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=launch.fds,
            timeout=20,
            text=True,
            errors="replace",
        )
    finally:
        for fd in (*launch.fds, launch.status[0] if launch.status else -1):
            if fd >= 0:
                os.close(fd)


def _memory(data: bytes) -> int:
    """A descriptor of `data`, at its beginning."""
    fd = os.memfd_create("nightclaw", os.MFD_CLOEXEC)
    try:
        if os.write(fd, data) != len(data):
            raise OSError(errno.EIO, "short write")
        os.lseek(fd, 0, os.SEEK_SET)
    except OSError:
        os.close(fd)
        raise
    return fd


def _inside(cwd: Path, workspace: Workspace, mounts: Sequence[Mount]) -> Path:
    real = cwd.resolve()
    if not is_beneath(real, workspace.root.resolve()) or not real.is_dir():
        raise Refused(
            f"{cwd} is not a directory of the workspace", "leave the directory out to use the workspace"
        )
    return real


def find(ground: Ground, bounds: Limits, environ: Mapping[str, str]) -> Bubblewrap | str:
    """The sandbox when it stands here, else why not and what to do."""
    if not seccomp.supports(os.uname().machine):
        return f"there is no system-call filter for {os.uname().machine}"
    program = shutil.which("bwrap", path="/usr/local/bin:/usr/bin:/bin:/run/current-system/sw/bin")
    if program is None:
        return "bubblewrap is not installed: sudo apt install bubblewrap (or the package of your system)"
    try:
        told = subprocess.run([program, "--help"], capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.SubprocessError) as error:
        return f"{program} does not start: {error}"
    lacking = [option for option in _NEEDED if option not in told.stdout]
    if lacking:
        return f"{program} is too old (no {', '.join(lacking)}): update the package bubblewrap"
    made = Bubblewrap(program, ground, bounds, sizes="--size" in told.stdout, environ=environ)
    return made.fault() or made


def interpreter() -> Path:
    """The program behind this process, outside any virtual environment: it needs nothing but its own library."""
    return Path(getattr(sys, "_base_executable", sys.executable)).resolve()
