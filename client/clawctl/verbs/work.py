"""Signals, decisions and tasks: the rows of what came in, what was made of it and what was done, and why."""

from clawctl.api import Row, as_row, list_of, number, words
from clawctl.exits import DONE
from clawctl.render import age, at, local_time, money, one_line
from clawctl.transport import quoted
from clawctl.usage import Call
from clawctl.verbs.lists import show_done, show_list


def tasks(call: Call) -> int:
    columns = [
        ("ID", "id"),
        ("STATE", "state"),
        ("KIND", "kind"),
        ("AGE", "@created_at"),
        ("COST", "$usage.cost_usd"),
        ("SUBJECT", "subject"),
        ("GOAL", "goal"),
    ]
    return show_list(call, "/v1/tasks", columns, "no tasks yet")


def signals(call: Call) -> int:
    columns = [
        ("ID", "id"),
        ("AGE", "@created_at"),
        ("KIND", "kind"),
        ("TRUST", "trust"),
        ("SUBJECT", "subject"),
        ("WHAT", "title"),
    ]
    return show_list(call, "/v1/signals", columns, "nothing has come in yet")


def decisions(call: Call) -> int:
    columns = [
        ("ID", "id"),
        ("AGE", "@created_at"),
        ("VERDICT", "verdict"),
        ("RULE", "rule"),
        ("REASON", "reason"),
    ]
    return show_list(call, "/v1/decisions", columns, "nothing has been decided yet")


def show_fields(call: Call, row: Row) -> None:
    """Print a row with its plain fields first, then what is nested."""
    pairs: list[tuple[str, str]] = []
    for key, value in row.items():
        if key == "usage":
            said = ", ".join(f"{words(part)} {name}" for name, part in as_row(value).items() if part)
            cost = at(value, "cost_usd")
            pairs.append((key, said if cost is None else f"{money(number(cost))} ({said})"))
        elif key.endswith("_at") and isinstance(value, str):
            pairs.append((key.removesuffix("_at"), f"{age(value)} ({local_time(value)})"))
        elif key == "inbox":
            pairs.append(("unread", "\n".join(words(at(message, "text")) for message in list_of(value))))
        elif key in ("runs", "approvals"):
            pairs.append(
                (key, "\n".join(f"{words(at(r, 'id'))} {words(at(r, 'state'))}" for r in list_of(value)))
            )
        elif value not in (None, "", [], {}):
            pairs.append((key, words(value)))
    call.out.pairs([(one_line(label), value) for label, value in pairs])


def task_show(call: Call) -> int:
    task = as_row(call.api.get(f"/v1/tasks/{quoted(call.text('ID'))}"))
    if call.out.is_json:
        call.out.json(task)
    else:
        show_fields(call, task)
    return DONE


def task_cancel(call: Call) -> int:
    name = call.text("ID")
    answer = call.api.post(f"/v1/tasks/{quoted(name)}/cancel", {})
    state = words(as_row(answer).get("state"))
    return show_done(call, answer, f"{name} {state or 'is being cancelled'}")


def task_retry(call: Call) -> int:
    name = call.text("ID")
    answer = call.api.post(f"/v1/tasks/{quoted(name)}/retry", {})
    return show_done(call, answer, f"{words(as_row(answer).get('id')) or 'a new task'} tries {name} again")


def why(call: Call) -> int:
    told = as_row(call.api.get(f"/v1/why/{quoted(call.text('ID'))}"))
    if call.out.is_json:
        call.out.json(told)
        return DONE
    for line in list_of(told.get("story")):
        call.out.line(words(line))
    if not told.get("story"):
        show_fields(call, told)
    return DONE
