"""What all listing verbs share: pages up to a limit, one JSON array or a table, and a word when there is more."""

from clawctl.api import Row
from clawctl.render import Column, one_line
from clawctl.usage import Call, wrong

SHOWN = 50
FETCHED = 10_000
"""How many rows a list has without --limit, on the screen and with --json."""


def show_list(call: Call, path: str, columns: list[Column], empty: str) -> int:
    """Print the rows of a list; `empty` is what to say when there are none."""
    limit = call.number("--limit", FETCHED if call.out.is_json else SHOWN)
    if limit < 1:
        raise wrong("--limit takes at least 1", call.verb)
    rows, has_more = call.api.items(path, limit)
    show_rows(call, rows, columns, empty)
    if has_more:
        call.out.note(f"these are the newest {limit}; --limit shows more")
    return 0


def show_rows(call: Call, rows: list[Row], columns: list[Column], empty: str) -> None:
    if call.out.is_json:
        call.out.json(rows)
    elif rows:
        call.out.table(rows, columns)
    else:
        call.out.line(empty)


def show_done(call: Call, answer: object, said: str) -> int:
    """Print what a change answered: the whole answer as JSON, or one line."""
    if call.out.is_json:
        call.out.json(answer)
    else:
        call.out.line(one_line(said))
    return 0
