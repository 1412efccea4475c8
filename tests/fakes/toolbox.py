"""A workspace, a home beside it, and a context to call tools with; a real sandbox where the machine has one."""

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from nightclaw import sandbox
from nightclaw.core.tools import Sandbox, Tool, ToolContext, ToolResult, Workspace
from nightclaw.core.trust import Label, Trust
from nightclaw.sandbox.limits import Limits
from nightclaw.sandbox.none import NoSandbox

SMALL = Limits(
    processes=128,
    file_bytes=64 << 20,
    tmp_bytes=128 << 20,
    shm_bytes=16 << 20,
    output_bytes=16 << 20,
    grace_s=0.5,
)
TOKEN = "ghp_canaryTokenInTheConfig"
GIT_ENV = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
    "GIT_AUTHOR_NAME": "T",
    "GIT_AUTHOR_EMAIL": "t@example.com",
    "GIT_COMMITTER_NAME": "T",
    "GIT_COMMITTER_EMAIL": "t@example.com",
    "PATH": os.environ.get("PATH", os.defpath),
}


def git(*args: str | Path) -> str:
    return subprocess.run(["git", *args], env=GIT_ENV, check=True, capture_output=True, text=True).stdout


@dataclass(frozen=True, slots=True)
class House:
    """user: the owner's home directory. home: NIGHTCLAW_HOME in it. clone: theirs. workspace: a worktree of it."""

    top: Path
    user: Path
    home: Path
    clone: Path
    workspace: Workspace
    canary: Path

    @property
    def root(self) -> Path:
        return self.workspace.root

    def wall(self, mounts: tuple[Path, ...] = (), bounds: Limits = SMALL, **environ: str) -> Sandbox:
        return sandbox.probe(self.home, self.user, {**os.environ, **environ}, mounts, bounds)


def build(top: Path) -> House:
    """A home as it might be, full of things that are nobody's business."""
    user, home, clone = top / "user", top / "user" / ".nightclaw", top / "user" / "src" / "app"
    for folder in (user / ".ssh", home / "run", home / "logs", home / "worktrees", clone):
        folder.mkdir(parents=True)
    for path, text in (
        (user / ".ssh" / "id_ed25519", "canary-ssh-key"),
        (user / ".netrc", "machine x password canary-netrc"),
        (user / ".bashrc", "# canary"),
        (home / "state.db", "canary-state"),
        (home / "config.toml", "# canary"),
        (top / "outside.txt", "canary-outside"),
        (clone / "a.py", "print('a')\n"),
        (clone / ".gitignore", "build/\n*.log\n"),
    ):
        path.write_text(text)
    git("init", "-q", "-b", "main", clone)
    git("-C", clone, "add", ".")
    git("-C", clone, "commit", "-qm", "first")
    git("-C", clone, "config", "remote.origin.url", f"https://me:{TOKEN}@example.com/octo/app.git")
    git("-C", clone, "config", "http.extraHeader", f"Authorization: bearer {TOKEN}")
    root = home / "worktrees" / "app-1"
    git("-C", clone, "worktree", "add", "-q", "-b", "nightclaw/1", root)
    workspace = Workspace(
        root,
        repo="octo/app",
        clone=clone,
        git_dir=clone / ".git" / "worktrees" / "app-1",
        branch="nightclaw/1",
    )
    return House(top, user, home, clone, workspace, top / "outside.txt")


def context(
    workspace: Workspace, wall: Sandbox | None = None, services: Mapping[str, object] | None = None
) -> ToolContext:
    return ToolContext(
        call_id="cal_1",
        task_id="tsk_1",
        session="ses_1",
        key="key-1",
        subject="octo/app#1",
        workspace=workspace,
        label=Label(Trust.OWNER),
        sandbox=wall or NoSandbox("this test has no wall"),
        services=services or {},
        now_ms=lambda: 0,
        say=lambda line: None,
    )


async def call(tool: Tool, ctx: ToolContext, /, **args: object) -> ToolResult:
    """Arguments by name; a leading `_` stands for `-`."""
    named = {("-" + name[1:] if name.startswith("_") else name): value for name, value in args.items()}
    return await tool.run(named, ctx)  # pyright: ignore[reportArgumentType]
