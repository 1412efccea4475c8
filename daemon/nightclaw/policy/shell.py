"""What a shell command would do, worked out before it runs: each simple command, redirect and substitution judged.

`judge` gives the effects, `is_read_only` whether it may run where only reads run by themselves. What is not understood
is never a read: it is judged one level up from running in the sandbox, and asks.
"""

from dataclasses import dataclass, replace
from functools import cache

from nightclaw.core.effects import CallEffect, Kind, Level
from nightclaw.policy.place import Place
from nightclaw.policy.shell_judge import Judging


@dataclass(frozen=True, slots=True)
class Judged:
    """effects: in the order found; `detail` of each is the simple command it comes from. faults: what was not
    understood. commands: the simple commands, one line each, wrappers and what they run both. files: paths in the
    workspace that its words name."""

    effects: tuple[CallEffect, ...]
    faults: tuple[str, ...]
    commands: tuple[str, ...]
    files: tuple[str, ...]

    @property
    def is_read_only(self) -> bool:
        return not self.faults and all(e.level is Level.OBSERVE for e in self.effects)


def is_read_only(command: str, place: Place) -> bool:
    """Whether `command`, run by a fresh bash in the workspace, surely only reads what may be read unasked."""
    return judge(command, place).is_read_only


def judge(command: str, place: Place) -> Judged:
    """The effects of `command` run by a fresh bash in the workspace's root."""
    # each path is followed once: one picture of the file system for the whole line
    judging = Judging(replace(place, realpath=cache(place.realpath)))
    judging.text(command, (str(place.workspace.root),), 0)
    for fault in judging.faults:
        judging.add(Kind.UNKNOWN, Level.OUTWARD, command[:200], f"not understood: {fault}")
    if not judging.effects:
        judging.add(Kind.READ, Level.OBSERVE, str(place.workspace.root), "", is_known=True)
    return Judged(
        tuple(dict.fromkeys(judging.effects)),
        tuple(judging.faults),
        tuple(dict.fromkeys(judging.commands)),
        tuple(dict.fromkeys(judging.files)),
    )
