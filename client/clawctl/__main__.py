"""The command `clawctl`: read the line, run the verb, leave with its code.

Starts in a few milliseconds: a verb's module is imported when it is called, and nothing heavier than `json` and
`socket` before. No traceback reaches the user; CLAWCTL_DEBUG=1 brings it back.
"""

import os
import sys

from clawctl.exits import DONE, FAILED, INTERRUPTED, PIPE_CLOSED, Failure


def main() -> int:
    """Run the command line and return the exit code."""
    try:
        return _run(sys.argv[1:])
    except Failure as failure:
        return _tell(failure)
    except KeyboardInterrupt:
        _quiet()
        return INTERRUPTED
    except BrokenPipeError:
        _quiet()
        return PIPE_CLOSED
    except Exception as fault:
        if os.environ.get("CLAWCTL_DEBUG"):
            raise
        name = type(fault).__name__
        return _tell(Failure(f"unexpected {name}: {fault}", FAILED, "CLAWCTL_DEBUG=1 shows where"))


def _run(argv: list[str]) -> int:
    from clawctl.usage import Line, help_text

    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    line = Line(argv)
    if line.wants_version and not line.words:
        line.words = ["version"]
    if not line.words or line.wants_help or line.words[0] == "help":
        asked = line.words[1:] if line.words[:1] == ["help"] else line.words
        sys.stdout.write(help_text(_topic(asked)) + "\n")
        code = DONE
    else:
        call = line.call()
        module, _, function = call.verb[3].partition(":")
        verbs = __import__(f"clawctl.verbs.{module}", fromlist=[function])
        code = getattr(verbs, function)(call)
    sys.stdout.flush()
    return code


def _topic(asked: list[str]) -> str:
    from clawctl.usage import verbs

    return next((name for name in (" ".join(asked[:2]), *asked[:1]) if name in verbs()), " ".join(asked[:1]))


def _tell(failure: Failure) -> int:
    from clawctl.render import one_line

    try:
        sys.stdout.flush()
        sys.stderr.write(f"clawctl: {one_line(failure.message)}\n")
        if failure.hint:
            sys.stderr.write(f"  {one_line(failure.hint)}\n")
        sys.stderr.flush()
    except BrokenPipeError:
        _quiet()
        return PIPE_CLOSED
    return failure.code


def _quiet() -> None:
    """Keep the interpreter from complaining about a closed pipe when it flushes at exit."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    sys.exit(main())
