"""How a run can end early without being wrong."""


class RunClosed(Exception):
    """Somebody else closed this run; nothing more may be written for it."""


class Stopped(Exception):
    """The run is ended for good; the message says why, for the owner."""
