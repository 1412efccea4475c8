"""Verbs that work on the home itself and need no running daemon: config, service, backup, first run.

The client stays thin: the work is done by the daemon's own program, run as a child on the same home. What it prints
and its exit code are the answer.
"""

import os
import sys

from clawctl.exits import DONE, FAILED
from clawctl.usage import Call


def init(call: Call) -> int:
    return run_admin(call, ["init", *(["--yes"] if call.has("--yes") else [])])


def config_check(call: Call) -> int:
    return run_admin(call, ["config-check"])


def config_get(call: Call) -> int:
    return run_admin(call, ["config-get", call.text("KEY")])


def config_set(call: Call) -> int:
    return run_admin(call, ["config-set", call.text("KEY"), call.text("VALUE")])


def config_path(call: Call) -> int:
    path = os.path.join(call.home, "config.toml")
    if call.out.is_json:
        call.out.json({"path": path, "exists": os.path.exists(path)})
    else:
        call.out.line(path)
    return DONE


def service(call: Call) -> int:
    return run_admin(
        call, [*call.verb[0].split(), *(name for name in ("--dry-run", "--follow") if call.has(name))]
    )


def backup(call: Call) -> int:
    return run_admin(call, ["backup", *_path(call)])


def restore(call: Call) -> int:
    return run_admin(call, ["restore", *_path(call)])


def run_admin(call: Call, words: list[str]) -> int:
    """Run `nightclaw admin …` on this home with our own terminal; return its exit code."""
    options = ["--json"] if call.out.is_json else []
    command = [sys.executable, "-m", "nightclaw", "admin", *words, *options]
    sys.stdout.flush()
    try:
        child = os.posix_spawn(sys.executable, command, {**os.environ, "NIGHTCLAW_HOME": call.home})
    except OSError as fault:
        call.out.note(f"cannot run {sys.executable}: {fault.strerror}")
        return FAILED
    while True:
        try:
            return _code(os.waitpid(child, 0)[1])
        except KeyboardInterrupt:
            continue  # it was sent to the child too, which decides


def _code(status: int) -> int:
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def _path(call: Call) -> list[str]:
    given = call.maybe("PATH")
    return [os.path.abspath(os.path.expanduser(given))] if given else []
