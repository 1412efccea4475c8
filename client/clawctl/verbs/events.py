"""The event log: one page, or everything from a cursor on for as long as one likes."""

from clawctl.api import Row, as_row, decoded, words
from clawctl.exits import DONE
from clawctl.render import local_time, one_line
from clawctl.stream import BACK, LOST, Stream
from clawctl.usage import Call
from clawctl.verbs.lists import SHOWN
from nightclaw.protocol.events import NDJSON

PAGE = 1000


def events(call: Call) -> int:
    return _follow(call) if call.has("--follow") else _page(call)


def _page(call: Call) -> int:
    """Print events in order: those after a cursor, else the last ones."""
    limit = call.number("--limit", PAGE if call.out.is_json or call.has("--after") else SHOWN)
    after = call.number("--after", -1)
    if after < 0:
        after = max(0, _head(call) - limit)
    found: list[Row] = []
    while len(found) < limit:
        most = min(limit - len(found), PAGE)
        page = _read(call, after, most)
        found += page
        cursor = page[-1].get("cursor") if page else None
        if len(page) < most or not isinstance(cursor, int):
            break
        after = cursor
    if call.out.is_json:
        call.out.json(found)
    for event in [] if call.out.is_json else found:
        call.out.line(sentence(event))
    return DONE


def _read(call: Call, after: int, limit: int) -> list[Row]:
    """Return one page, which comes a line an event."""
    query: Row = {"after": after, "limit": limit, "session": call.maybe("--session")}
    answer = call.api.open("GET", "/v1/events", query, accept=NDJSON)
    return [as_row(decoded(line)) for line in answer.lines() if line.strip()]


def _follow(call: Call) -> int:
    after = call.number("--after", -1)
    stream = Stream(call.api, _head(call) if after < 0 else after, call.maybe("--session"))
    for event in stream.events():
        if event["kind"] == LOST:
            call.out.note("the daemon went away; waiting for it")
        elif event["kind"] == BACK:
            call.out.note(f"the daemon is back; going on after event {stream.after}")
        elif call.out.is_json:
            call.out.frame(event)
        elif "cursor" in event:
            call.out.write(sentence(event) + "\n")
    return DONE


def _head(call: Call) -> int:
    head = as_row(call.api.get("/v1/snapshot")).get("head")
    return head if isinstance(head, int) else 0


def sentence(event: Row) -> str:
    """Return an event on one line: cursor, time, kind, whose it is and the data that matters most."""
    data = as_row(event.get("data"))
    first = (
        "signal",
        "approval",
        "memory",
        "dream",
        "title",
        "subject",
        "verdict",
        "state",
        "reason",
        "text",
        "tool",
        "kind",
        "result",
        "topic",
        "by",
    )
    said = [words(data[key]) for key in first if isinstance(data.get(key), (str, int, float))]
    parts = [
        words(event.get("cursor")).rjust(6),
        local_time(words(event.get("at"))),
        words(event.get("kind")),
    ]
    parts += [words(event.get("task")), " ".join(said)[:200]]
    return one_line("  ".join(part for part in parts if part.strip()))
