"""Where a call would act: all that resolving it may know of the machine, given by argument."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from nightclaw.core.tools import Workspace


@dataclass(frozen=True, slots=True)
class Place:
    """home: NIGHTCLAW_HOME. realpath: `os.path.realpath`, follows every link of a path, which need not exist.
    file_hash: a digest of the file at an absolute path, None when there is none. event_subject: the task's own issue
    (`octo/app#5`), event_repo: its repository, own_branch: the task's branch, origin_url: where the configured clone
    pushes to, tip: the commit its branch is at. allowed_hosts: `docs.python.org`, `*.example.org`.
    """

    workspace: Workspace
    home: Path
    user_home: Path
    realpath: Callable[[str], str]
    file_hash: Callable[[str], str | None]
    event_subject: str = ""
    event_repo: str | None = None
    own_branch: str | None = None
    origin_url: str | None = None
    tip: str | None = None
    allowed_hosts: tuple[str, ...] = ()
