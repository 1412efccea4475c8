"""What the daemon knows of each worktree, beside it and out of every command's reach.

A record says `making` before anything is made and `ready` when all of it is, so whatever a kill leaves behind can be
recognised; it is replaced whole, or not at all.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from nightclaw.core.tools import Workspace


@dataclass(frozen=True, slots=True)
class Record:
    """One worktree. clone, common, git_dir: paths. made: the branch is of our making. setup: `<pid> <birth>` of the
    set-up that runs. notes: what was said when it was made."""

    task: str
    state: Literal["making", "ready", "removing"]
    root: str
    clone: str
    common: str
    branch: str
    base: str
    base_branch: str | None = None
    git_dir: str = ""
    repo: str | None = None
    origin_url: str | None = None
    check: str | None = None
    share: tuple[str, ...] = ()
    is_private: bool = False
    made: bool = True
    setup: str = ""
    notes: tuple[str, ...] = ()

    def workspace(self) -> Workspace:
        return Workspace(
            root=Path(self.root),
            repo=self.repo,
            clone=Path(self.clone),
            git_dir=Path(self.git_dir),
            branch=self.branch,
            base_branch=self.base_branch,
            base=self.base,
            origin_url=self.origin_url,
            check=self.check,
            share=tuple(Path(s) for s in self.share),
            is_private=self.is_private,
        )


class Records:
    """The records in `directory`, one `<task>.json` each."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def root(self, task: str) -> Path:
        return self.directory.resolve() / task

    def get(self, task: str) -> Record | None:
        """The task's record, None when there is none or it cannot be read."""
        try:
            found = json.loads((self.directory / f"{task}.json").read_bytes())
            found |= {name: tuple(found[name]) for name in ("share", "notes")}
            return Record(**found)
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def put(self, record: Record) -> Record:
        """Keep it durably, in place of an earlier one."""
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self.directory / f"{record.task}.json"
        draft = path.with_suffix(".json.new")
        with open(draft, "w", encoding="utf-8", opener=_private) as file:
            json.dump(asdict(record), file)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        return record

    def drop(self, task: str) -> None:
        for ending in (".json", ".json.new", ".setup.log"):
            (self.directory / f"{task}{ending}").unlink(missing_ok=True)

    def __iter__(self) -> Iterator[Record]:
        for path in sorted(self.directory.glob("*.json")):
            record = self.get(path.stem)
            if record is not None:
                yield record


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
