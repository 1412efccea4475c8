"""The daily log: one file a day in the home, asked of the daemon or read from the disk when it does not run."""

import os
import re
import time

from clawctl.api import Row, as_row, number, words
from clawctl.exits import DONE, FAILED, NOT_FOUND, Failure, NotRunning
from clawctl.render import one_line, plural
from clawctl.usage import Call, wrong
from nightclaw.protocol.messages import LOG_DATE_HEADER, LOG_SIZE_HEADER

POLL_S = 0.3


def log(call: Call) -> int:
    if call.has("--verify"):
        return _verify(call)
    date = _date(call)
    if call.has("--follow"):
        return _follow(call, date)
    try:
        date, text = _ask(call, date)
    except NotRunning:
        path = _file(call, date)
        text = _whole(path)
        date = os.path.basename(path)[:10]
        call.out.note(f"the daemon does not run; this is {path}")
    if call.out.is_json:
        call.out.json({"date": date, "text": text})
    elif text:
        call.out.line(_readable(call, text.rstrip("\n")))
    return DONE


def _ask(call: Call, date: str | None) -> tuple[str, str]:
    """Return a day's log and its date from the daemon, which hands out a long one in pieces."""
    pieces: list[bytes] = []
    offset = 0
    while True:
        query: Row = {"date": date, "offset": offset or None}
        answer = call.api.open("GET", "/v1/log", query, accept="*/*")
        date = answer.headers.get(LOG_DATE_HEADER.lower(), date)
        pieces.append(answer.read())
        offset += len(pieces[-1])
        whole = answer.headers.get(LOG_SIZE_HEADER.lower(), "")
        if not pieces[-1] or not whole.isdecimal() or offset >= int(whole):
            return date or _today(), b"".join(pieces).decode("utf-8", "replace")


def _verify(call: Call) -> int:
    try:
        found = as_row(call.api.get("/v1/log", verify=1))
    except NotRunning:
        from clawctl.verbs.local import run_admin

        call.out.note("the daemon does not run; checking the files")
        return run_admin(call, ["log-verify"])
    is_whole = found.get("ok") is True
    if call.out.is_json:
        call.out.json(found)
    elif is_whole:
        extent = (
            f"{plural(number(found.get('lines')), 'line')} over {plural(number(found.get('days')), 'day')}"
        )
        call.out.line(f"the log is whole: {extent}")
    else:
        bad = as_row(found.get("first_bad"))
        place, reason = f"{words(bad.get('file'))}:{words(bad.get('line'))}", words(bad.get("reason"))
        call.out.line(one_line(f"{place}: {reason or 'the chain is broken'}"))
    return DONE if is_whole else FAILED


def _follow(call: Call, date: str | None) -> int:
    """Print the newest day (or `date`) and whatever is added, over midnight and over restarts of the daemon."""
    path: str | None = _file(call, date) if date else _newest(call.home)
    offset, rest = 0, b""
    while True:
        if path:
            with open(path, "rb") as file:
                file.seek(offset)
                while data := file.read(1 << 16):
                    offset += len(data)
                    *whole, rest = (rest + data).split(b"\n")
                    for line in whole:
                        _say(call, path, line)
            call.out.flush()
        following = path if date else _newest(call.home)
        if following != path:
            if rest and path:
                _say(call, path, rest)
            path, offset, rest = following, 0, b""
        else:
            time.sleep(POLL_S)


def _say(call: Call, path: str, line: bytes) -> None:
    text = line.decode("utf-8", "replace")
    if call.out.is_json:
        call.out.frame({"date": os.path.basename(path)[:10], "line": text})
    else:
        call.out.line(_readable(call, text))


def _readable(call: Call, text: str) -> str:
    """Return the log as a person reads it: on a terminal without the marks of the chain and of Markdown."""
    if not call.out.is_tty:
        return text
    return re.sub(r"\\([^\w\s])", r"\1", re.sub(r" <!-- \d+ [0-9a-f]{32} -->$", "", text, flags=re.MULTILINE))


def _date(call: Call) -> str | None:
    given = call.maybe("DATE")
    if given == "today":
        return _today()
    if given == "yesterday":
        return time.strftime("%Y-%m-%d", time.localtime(time.time() - 86400))
    if given is not None:
        year, _, rest = given.partition("-")
        month, _, day = rest.partition("-")
        if [len(part) for part in (year, month, day)] != [4, 2, 2] or not (year + month + day).isdecimal():
            raise wrong(f"a date is written 2026-11-20, today or yesterday, not {given!r}", call.verb)
    return given


def _today() -> str:
    return time.strftime("%Y-%m-%d")


def _file(call: Call, date: str | None) -> str:
    """Return the file of a day, else of the newest one. Raises Failure."""
    path = os.path.join(call.home, "logs", date[:4], date[5:7], f"{date}.md") if date else _newest(call.home)
    if not path or not os.path.isfile(path):
        missing = f"no log of {date}" if date else "no log yet"
        raise Failure(missing, NOT_FOUND, f"the logs stand under {call.home}/logs")
    return path


def _newest(home: str) -> str | None:
    """Return the last day's file; the names sort by date."""
    path = os.path.join(home, "logs")
    try:
        for depth in range(3):
            names = [name for name in os.listdir(path) if name[:4].isdecimal() or depth == 1]
            if depth == 2:
                names = [name for name in names if name.endswith(".md")]
            path = os.path.join(path, max(names))
    except (OSError, ValueError):
        return None
    return path


def _whole(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError as fault:
        raise Failure(f"cannot read {path}: {fault.strerror}") from None
