"""The command line of `nightclaw admin`. Each verb's module is loaded when it is called.

Exit codes: 0 done, 1 failed, 2 usage, 3 the service does not run, 4 no such thing, 5 refused. `check-config`, which
`nightclaw check-config` calls, leaves with 78 for a bad config, as the daemon itself would.
"""

import argparse
import os
import sqlite3
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from nightclaw.admin.out import BAD_CONFIG, DONE, FAILED, Out, exit_code
from nightclaw.config import home_from
from nightclaw.core.errors import ConfigError, NightclawError


@dataclass(frozen=True, slots=True)
class Request:
    """One verb on one home."""

    args: argparse.Namespace
    home: Path
    out: Out

    @property
    def env(self) -> dict[str, str]:
        return {**os.environ, "NIGHTCLAW_HOME": str(self.home)}


def admin_main(argv: list[str]) -> int:
    """Run `VERB …` and return the exit code. Nothing raises, and nothing but the answer is printed to stdout."""
    parser = _parser()
    os.umask(0o077)
    try:
        args = parser.parse_args(argv)
    except SystemExit as leaving:
        return int(leaving.code or 0)
    home = home_from({**os.environ, **({"NIGHTCLAW_HOME": args.home} if args.home else {})})
    request = Request(args, home, Out(args.json))
    try:
        code = _VERBS[args.verb](request)
        sys.stdout.flush()
        return code
    except ConfigError as error:
        request.out.json({"ok": False, "faults": [_row(f) for f in error.faults]})
        for fault in error.faults:
            request.out.note(str(fault))
        return BAD_CONFIG if args.verb == "check-config" else FAILED
    except NightclawError as error:
        return _complain(error.message, error.hint, exit_code(error))
    except (KeyboardInterrupt, EOFError):
        return _complain("stopped, nothing was finished", "", 130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except (OSError, sqlite3.DatabaseError) as error:
        return _complain(str(error), "`clawctl doctor` looks for the cause", FAILED)


def _complain(message: str, hint: str, code: int) -> int:
    sys.stderr.write(f"nightclaw: {message}\n" + (f"  {hint}\n" if hint else ""))
    return code


def _row(fault: object) -> dict[str, object]:
    return {name: getattr(fault, name) for name in ("file", "line", "key", "problem", "remedy")}


def _parser() -> argparse.ArgumentParser:
    everywhere = argparse.ArgumentParser(add_help=False)
    everywhere.add_argument("--home", default=None, metavar="DIR", help="the home (default NIGHTCLAW_HOME)")
    everywhere.add_argument("--json", action="store_true", help="print exactly the answer, as JSON")
    parser = argparse.ArgumentParser(
        "nightclaw admin", description="Work on a home that needs no daemon.", allow_abbrev=False
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")

    def verb(name: str, does: str) -> argparse.ArgumentParser:
        return verbs.add_parser(name, help=does, description=does, parents=[everywhere], allow_abbrev=False)

    verb("config-check", "is the config right")
    verb("check-config", "the same, with the daemon's exit code")
    verb("config-get", "one value of the config").add_argument("key")
    setting = verb("config-set", "change one value of the config")
    setting.add_argument("key")
    setting.add_argument("value")
    verb("init", "write a first config").add_argument("--yes", action="store_true", help="ask nothing")
    verb("backup", "copy the home into one file").add_argument(
        "path", nargs="?", help="the file's name, or a folder (one that exists, or ends in /) for it"
    )
    verb("restore", "put a backup back").add_argument("path")
    verb("log-verify", "check the chain of the daily log")
    verb("doctor", "what is wrong, and the fix")
    service = verb("service", "keep the daemon running with your session")
    service.add_argument("action", choices=("install", "uninstall", "status", "logs"))
    service.add_argument("--dry-run", action="store_true", help="print what would be written and run")
    service.add_argument("--follow", "-f", action="store_true", help="logs: keep printing")
    return parser


def _config_check(request: Request) -> int:
    from nightclaw.admin.settings import check

    return check(request.home, request.env, request.out)


def _config_get(request: Request) -> int:
    from nightclaw.admin.settings import get

    return get(request.home, request.env, request.args.key, request.out)


def _config_set(request: Request) -> int:
    from nightclaw.admin.settings import put

    return put(request.home, request.env, request.args.key, request.args.value, request.out)


def _init(request: Request) -> int:
    from nightclaw.admin.first_run import init

    return init(request.home, request.env, request.out, asks=not request.args.yes and sys.stdin.isatty())


def _backup(request: Request) -> int:
    from nightclaw.admin.backup import back_up

    path = request.args.path
    wanted = Path(path).expanduser().absolute() if path else None
    made = back_up(request.home, wanted, is_folder=bool(path) and path.endswith("/"))
    request.out.answer(made.as_json(), [str(made.path)])
    return DONE


def _restore(request: Request) -> int:
    from nightclaw.admin.restore import restore

    done = restore(request.home, Path(request.args.path).expanduser().absolute())
    lines = [f"restored {request.home} from {done.source}", f"what stood there before: {done.aside}"]
    request.out.answer({"home": done.home, "source": done.source, "before": done.aside}, lines)
    return DONE


def _log_verify(request: Request) -> int:
    from nightclaw.diary import verify

    found = verify(request.home)
    bad = found.first_bad
    where = f"{bad.file}:{bad.line}: {bad.reason}" if bad else ""
    good = f"the chain holds: {found.lines} lines over {found.days} day{'' if found.days == 1 else 's'}"
    request.out.answer(found.as_json(), [good if found.ok else f"the chain is broken at {where}"])
    return DONE if found.ok else FAILED


def _doctor(request: Request) -> int:
    from nightclaw.admin.doctor import examine

    checks = examine(request.home, request.env)
    is_well = all(check.ok for check in checks)
    lines = [line for check in checks for line in check.lines()]
    request.out.answer({"ok": is_well, "items": [check.as_json() for check in checks]}, lines)
    return DONE if is_well else FAILED


def _service(request: Request) -> int:
    from nightclaw.admin.services import serve

    return serve(request.home, request.env, request.args, request.out)


_VERBS: dict[str, Callable[[Request], int]] = {
    "config-check": _config_check,
    "check-config": _config_check,
    "config-get": _config_get,
    "config-set": _config_set,
    "init": _init,
    "backup": _backup,
    "restore": _restore,
    "log-verify": _log_verify,
    "doctor": _doctor,
    "service": _service,
}
