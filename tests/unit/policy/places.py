"""A place to judge in, with real folders."""

import os
from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from nightclaw.core.effects import Kind, Level, ResolvedCall
from nightclaw.core.tools import Workspace
from nightclaw.core.trust import Label, Trust
from nightclaw.core.types import JSON
from nightclaw.policy.place import Place
from nightclaw.policy.resolve import resolve


def digest(path: str) -> str | None:
    file = Path(path)
    return sha256(file.read_bytes()).hexdigest() if file.is_file() else None


def place_in(top: Path, **more: object) -> Place:
    """A home, an owner's folder and a worktree below the home, as the daemon lays them out."""
    root = top / "owner" / ".nightclaw" / "worktrees" / "fix"
    (root / "src").mkdir(parents=True)
    (root / ".git").write_text("gitdir: elsewhere")
    (root / "README.md").write_text("hello")
    further = top / "owner" / "library"
    further.mkdir()
    space = Workspace(
        root=root,
        repo="octo/app",
        branch="nightclaw/app-5-x",
        origin_url="https://token@github.com/octo/app.git",
        reads=(further,),
    )
    place = Place(
        workspace=space,
        home=top / "owner" / ".nightclaw",
        user_home=top / "owner",
        realpath=os.path.realpath,
        file_hash=digest,
        event_subject="octo/app#5",
        event_repo="octo/app",
    )
    return replace(place, **more)


def levels(call: ResolvedCall) -> set[tuple[Kind, Level]]:
    return {(e.kind, e.level) for e in call.effects}


def called(place: Place, tool: str, args: Mapping[str, JSON]) -> ResolvedCall:
    return resolve(tool, args, place)


def label(trust: Trust) -> Label:
    return Label(trust)
