"""What waits for the owner's word, and giving it.

An answer carries the digest of exactly what was asked, read right before: if the question changed or somebody was
faster, the daemon refuses it and nothing is granted by accident.
"""

from clawctl.api import PAGE, Api, Row, as_row, words
from clawctl.exits import DONE
from clawctl.render import one_line
from clawctl.transport import quoted
from clawctl.usage import Call
from clawctl.verbs.lists import FETCHED, SHOWN, show_done
from clawctl.verbs.work import show_fields


def approvals(call: Call) -> int:
    limit = call.number("--limit", FETCHED if call.out.is_json else SHOWN)
    state = None if call.out.is_json or call.has("--all") else "pending"
    rows, _ = call.api.items("/v1/approvals", max(limit, 1), state=state)
    if call.out.is_json:
        call.out.json(rows)
        return DONE
    for index, row in enumerate(rows):
        if index:
            call.out.line()
        show_approval(call, row)
    if not rows:
        call.out.line("nothing waits for your word")
    return DONE


def show_approval(call: Call, row: Row) -> None:
    """Print one question whole: what would happen, the facts about it, and the command that answers it."""
    name, kind, state = (one_line(words(row.get(key))) for key in ("id", "kind", "state"))
    call.out.raw(call.out.styled(f"{name}  {kind}  {state}", "bold"))
    hidden = ("id", "kind", "state", "digest")
    show_fields(call, {key: value for key, value in row.items() if key not in hidden})
    if state == "pending":
        is_question = kind == "question"
        call.out.line(
            f"clawctl answer {name} TEXT" if is_question else f"clawctl approve {name} | clawctl deny {name}"
        )


def approve(call: Call) -> int:
    body: Row = {"decision": "allow"}
    if call.has("--always"):
        body["always"] = True
    return _settle(call, body, "granted")


def deny(call: Call) -> int:
    body: Row = {"decision": "deny"}
    if call.has("--note"):
        body["note"] = call.text("--note")
    return _settle(call, body, "denied")


def answer(call: Call) -> int:
    return _settle(call, {"decision": "allow", "answer": call.text("TEXT")}, "answered")


def settle(api: Api, name: str, body: Row) -> object:
    """Give the owner's word on the approval `name` as it stands now. Raises Failure when it was settled before."""
    asked: Row = {}
    after: object = None
    while True:
        page = as_row(api.get("/v1/approvals", limit=PAGE, after=after))
        rows = page.get("items")
        for row in rows if isinstance(rows, list) else []:
            if as_row(row).get("id") == name:
                asked = as_row(row)
        if asked or not rows or page.get("next") in (None, after):
            break
        after = page.get("next")
    # An approval that is not listed gets no digest that could match: the daemon says whether it is unknown or over.
    return api.post(f"/v1/approvals/{quoted(name)}", {**body, "digest": words(asked.get("digest"))})


def _settle(call: Call, body: Row, said: str) -> int:
    name = call.text("ID")
    done = settle(call.api, name, body)
    return show_done(call, done, f"{name} {said}")
