"""The daemon's command: `nightclaw run | check-config | failpoints | version`; bare, it prints help.

Exit codes: 0 clean stop, 1 crash, 75 another daemon holds the home, 78 bad config or a home newer than the
program (one line a fault), 2 usage.
"""

import gc
import os
import sys
from pathlib import Path

from nightclaw.core import failpoints
from nightclaw.core.errors import ConfigError, HomeLocked, HomeTooNew, NightclawError

USAGE = """nightclaw: an engineering agent that lives on your machine

  nightclaw run             start the daemon in the foreground
  nightclaw check-config    read config.toml and say what is wrong with it
  nightclaw failpoints      list the points NIGHTCLAW_FAILPOINT can name
  nightclaw version         print the version

The home is NIGHTCLAW_HOME (default ~/.nightclaw). `clawctl` talks to the running daemon.
"""
OK, CRASHED, MISUSED, LOCKED, BAD_CONFIG = 0, 1, 2, 75, 78


def home_of(env: "os._Environ[str]") -> Path:
    """The home this process serves: NIGHTCLAW_HOME, else ~/.nightclaw, absolute."""
    named = env.get("NIGHTCLAW_HOME")
    return Path(os.path.abspath(os.path.expanduser(named))) if named else Path.home() / ".nightclaw"


def version() -> str:
    from importlib.metadata import version as installed

    return installed("nightclaw")


def _complain(error: NightclawError) -> None:
    for line in error.message.splitlines():
        print(f"nightclaw: {line}", file=sys.stderr)
    if error.hint:
        print(f"  {error.hint}", file=sys.stderr)


def _run(args: list[str]) -> int:
    if args:
        print(f"nightclaw run takes no arguments, it was given {' '.join(args)}", file=sys.stderr)
        return MISUSED
    spec = os.environ.get("NIGHTCLAW_FAILPOINT")
    if spec and not failpoints.is_known(spec):
        print(
            f"nightclaw: NIGHTCLAW_FAILPOINT names no point: {spec}; see `nightclaw failpoints`",
            file=sys.stderr,
        )
        return BAD_CONFIG
    gc.disable()  # till ready: what a start makes lives as long as the process
    from nightclaw.app import run

    return run(home_of(os.environ), version())


def _check_config(args: list[str]) -> int:
    from nightclaw.admin.cli import admin_main

    return admin_main(["check-config", *args])


def _failpoints(args: list[str]) -> int:
    print("\n".join(failpoints.NAMES))
    return OK


def _version(args: list[str]) -> int:
    print(f"nightclaw {version()}")
    return OK


def _admin(args: list[str]) -> int:
    from nightclaw.admin.cli import admin_main

    return admin_main(args)


VERBS = {
    "run": _run,
    "check-config": _check_config,
    "failpoints": _failpoints,
    "version": _version,
    "--version": _version,
    "admin": _admin,
}


def main() -> None:
    """Entry of the `nightclaw` command."""
    args = sys.argv[1:]
    if not args or args[0] in ("help", "-h", "--help"):
        print(USAGE, end="")
        sys.exit(OK)
    verb = VERBS.get(args[0])
    if verb is None:
        print(f"nightclaw: unknown verb {args[0]}\n\n{USAGE}", end="", file=sys.stderr)
        sys.exit(MISUSED)
    try:
        sys.exit(verb(args[1:]))
    except HomeLocked as error:
        _complain(error)
        sys.exit(LOCKED)
    except (ConfigError, HomeTooNew) as error:
        _complain(error)
        sys.exit(BAD_CONFIG)
    except NightclawError as error:
        _complain(error)
        sys.exit(CRASHED)


if __name__ == "__main__":
    main()
