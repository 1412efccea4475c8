"""The exit codes a script may rely on, and the one exception that carries one to the top.

Everything that goes wrong in a way the user can act on is raised as a `Failure`; `__main__` prints it as
`clawctl: message` with its hint and leaves with its code. Nothing else writes to standard error and exits.
"""

DONE = 0
FAILED = 1
USAGE = 2
NOT_RUNNING = 3
NOT_FOUND = 4
REFUSED = 5
TIMED_OUT = 124
INTERRUPTED = 130
PIPE_CLOSED = 141

HOW_TO_START = "start it with `nightclaw run`, or for good with `clawctl service install`"


class Failure(Exception):
    """Something the user is told in one line, with what to do about it in a second one."""

    def __init__(self, message: str, code: int = FAILED, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.hint = hint


class NotRunning(Failure):
    """Nothing answers on the control socket."""

    def __init__(self, message: str, hint: str = HOW_TO_START) -> None:
        super().__init__(message, NOT_RUNNING, hint)


class Gone(NotRunning):
    """The daemon answered and then went away before it was done."""


class TimedOut(Failure):
    """The daemon holds the connection but does not answer in time."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message, TIMED_OUT, hint)


class Busy(Failure):
    """The daemon is there but cannot take this now (429, 503)."""
