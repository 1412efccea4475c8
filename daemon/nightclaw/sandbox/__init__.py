"""The wall that commands run behind. One probe picks what stands on this machine; nothing stands: nothing runs."""

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nightclaw.core.tools import Command
from nightclaw.sandbox import bubblewrap, limits, seatbelt
from nightclaw.sandbox.limits import Limits
from nightclaw.sandbox.mounts import Ground
from nightclaw.sandbox.none import NoSandbox

if TYPE_CHECKING:
    from nightclaw.sandbox.bubblewrap import Bubblewrap
    from nightclaw.sandbox.seatbelt import Seatbelt

__all__ = ["probe", "shell"]


def probe(
    home: Path,
    user_home: Path,
    environ: Mapping[str, str],
    mounts: Sequence[Path] = (),
    bounds: Limits | None = None,
) -> "Bubblewrap | Seatbelt | NoSandbox":
    """The best sandbox that really stands here; it was built once and looked at from inside. Blocks for ~0.1 s.

    home: NIGHTCLAW_HOME, never shown. mounts: `[sandbox] mounts`. environ: whose PATH, LANG and TZ commands get.
    bounds: what a command may use up; by default what suits this machine.
    """
    bounds = bounds or limits.for_this_machine()
    uid, gid = os.getuid(), os.getgid()
    ground = Ground(
        home=home.absolute(),
        user_home=user_home.absolute(),
        search_path=tuple(Path(p) for p in environ.get("PATH", "").split(os.pathsep) if p.startswith("/")),
        mounts=tuple(path.absolute() for path in mounts),
        interpreter=bubblewrap.interpreter(),
        uid=uid or 1000,  # a command of root's need not know that it is root's
        gid=gid or 1000,
        tmp_bytes=bounds.tmp_bytes,
        shm_bytes=bounds.shm_bytes,
    )
    if sys.platform == "linux":
        found = bubblewrap.find(ground, bounds, environ)
    elif sys.platform == "darwin":
        found = seatbelt.find(ground, bounds, environ)
    else:
        found = f"there is no sandbox for {sys.platform}"
    return NoSandbox(found) if isinstance(found, str) else found


def shell(
    command: str, cwd: Path, timeout_s: float, *, limit: int = 30_000, network: bool = False
) -> Command:
    """A line for the shell, as the owner's `check` and `setup` and the model's Bash give it: a fresh shell each."""
    return Command(("bash", "-c", command), cwd, timeout_s, limit, network)
