"""Named places where a test may have the process kill itself, to prove that nothing is lost there.

`NIGHTCLAW_FAILPOINT=name[:n]` sends SIGKILL to this process the n-th time (default 1) it passes the point.
Without the variable a pass costs one comparison.
"""

import os
import signal

NAMES = (
    "ingress.received",
    "ingress.committed",
    "store.before_commit",
    "store.after_commit",
    "initiative.before_decide",
    "initiative.decided",
    "triage.answered",
    "scheduler.claimed",
    "runner.before_model",
    "runner.after_model",
    "runner.step_saved",
    "runner.before_finish",
    "calls.started",
    "calls.performed",
    "calls.settled",
    "outbox.before_send",
    "outbox.sent",
    "outbox.settled",
    "diary.before_write",
    "diary.written",
    "schedule.before_fire",
    "schedule.fired",
    "tick.before_emit",
    "tick.emitted",
    "files.before_emit",
    "files.emitted",
    "poll.before_emit",
    "poll.emitted",
    "vcs.recorded",
    "vcs.added",
    "vcs.filled",
    "vcs.set_up",
    "vcs.attached",
    "vcs.removing",
    "vcs.removed_tree",
    "git.staged",
    "git.committed",
    "git.pushed",
    "github.sent",
    "boot.locked",
    "boot.recovered",
    "backup.copied",
    "restore.decided",
    "restore.moved",
    "migrate.copied",
    "retention.pruned",
    "dream.before_commit",
    "dream.committed",
    "memory.topic_written",
    "memory.index_written",
    "redaction.begun",
    "redaction.rows_cut",
    "redaction.logs_ready",
    "redaction.logs_put",
    "redaction.backups_cut",
)

_armed, _, _nth = os.environ.get("NIGHTCLAW_FAILPOINT", "").partition(":")
_left = int(_nth) if _nth.isdigit() else 1


def is_known(spec: str) -> bool:
    """True when `spec` (`name` or `name:n`) names a point that exists."""
    return spec.partition(":")[0] in NAMES


def hit(name: str) -> None:
    """Pass the point `name`; ends the process when it is armed and its count is reached."""
    global _left
    if name != _armed:
        return
    _left -= 1
    if _left <= 0:
        os.kill(os.getpid(), signal.SIGKILL)
