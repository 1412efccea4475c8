"""How the daemon is: status, doctor, versions, money, features, and the switch that stops all proactive work."""

import os
import sys

from clawctl.api import Row, as_row, list_of, number, rows_of, words
from clawctl.exits import DONE, FAILED, HOW_TO_START, NOT_RUNNING, NotRunning
from clawctl.render import age, at, count, local_time, money, one_line, plural, span
from clawctl.usage import Call, wrong
from clawctl.verbs.lists import show_done, show_list, show_rows

ROLES = ("chat", "agent", "triage", "dream", "plan")


def status(call: Call) -> int:
    state = as_row(call.api.get("/v1/status"))
    if call.out.is_json:
        call.out.json(state)
        return DONE
    out = call.out
    health, problems = words(state.get("health")), list_of(state.get("problems"))
    shown = out.styled(one_line(health), "good" if health == "ok" else "bad")
    paused = "  " + out.styled("paused", "warn") if state.get("paused") else ""
    out.raw(f"nightclaw {one_line(words(state.get('version')))}  {shown}{paused}")
    for problem in problems:
        out.line(f"  ! {one_line(sentence(problem))}", "bad")
    out.pairs([(label, one_line(value)) for label, value in _lines(state)])
    if health != "ok" or problems:
        out.line("next: clawctl doctor | clawctl log | clawctl service logs")
    return DONE


def _lines(state: Row) -> list[tuple[str, str]]:
    tick = words(state.get("last_tick_at"))
    waiting = number(state.get("approvals_pending"))
    tasks = "running", "ready", "parked"
    queue = [f"{plural(number(state.get('signals_pending')), 'signal')} waiting"]
    queue += [f"{number(at(state, f'tasks.{name}')):g} {name}" for name in tasks]
    memory = as_row(state.get("memory"))
    dream = words(memory.get("last_dream_at"))
    told = " ".join(sentence(problem) for problem in list_of(state.get("problems")))
    return [
        ("up", f"{span(number(state.get('uptime_s')))}, pid {words(state.get('pid'))}"),
        ("home", words(state.get("home"))),
        ("ingress", words(state.get("ingress"))),
        ("last tick", f"{age(tick)} ({local_time(tick)})" if tick else "none yet"),
        ("sources", ", ".join(_source(item, told) for item in list_of(state.get("sources")))),
        ("models", _models(as_row(state.get("models")))),
        ("queue", ", ".join(queue)),
        ("approvals", f"{waiting:g} waiting: clawctl approvals" if waiting else ""),
        ("today", _spent(as_row(state.get("today")), at(state, "budget.daily_usd"))),
        (
            "memory",
            f"{number(memory.get('active')):g} active, {number(memory.get('candidates')):g} candidates"
            + (f", last dream {age(dream)}" if dream else "")
            if memory
            else "",
        ),
    ]


def _spent(usage: Row, cap: object) -> str:
    of_cap = f" of {money(number(cap))}" if cap is not None else ""
    tokens = f"{count(number(usage.get('input_tokens')))} tokens in, {count(number(usage.get('output_tokens')))} out"
    calls = plural(number(usage.get("model_calls")), "model call")
    return f"{money(number(usage.get('cost_usd')))}{of_cap}, {calls}, {tokens}"


def _source(item: object, told: str) -> str:
    """Return a source and its state, without what the problems above have told already."""
    row = as_row(item)
    if not row:
        return words(item)
    name, state, detail = (words(row.get(key)) for key in ("name", "state", "detail"))
    detail = "" if detail in told else f": {detail}"
    return name if state in ("", "ok") else f"{name} ({state}{detail})"


def _models(models: Row) -> str:
    """Return who answers each role that has somebody."""
    is_bare = models.get("configured") is False
    named = [f"{role} {_model(name)}" for role in ROLES if (name := models.get(role))]
    return ", ".join([*named, *(["none of your own: `clawctl init` looks for one"] if is_bare else [])])


def _model(value: object) -> str:
    return " → ".join(words(item) for item in value) if isinstance(value, list) else words(value)


def sentence(item: object) -> str:
    """Return a problem, which is a text or a row with what is wrong and perhaps the fix, as one sentence."""
    row = as_row(item)
    if not row:
        return words(item)
    what = next(
        (words(row[key]) for key in ("message", "detail", "what", "problem", "check") if row.get(key)), ""
    )
    fix = next((words(row[key]) for key in ("fix", "hint") if row.get(key)), "")
    return f"{what or words(row)}{f' — {fix}' if fix else ''}"


def doctor(call: Call) -> int:
    try:
        found = as_row(call.api.get("/v1/doctor"))
    except NotRunning as fault:
        from clawctl.verbs.local import run_admin

        run_admin(call, ["doctor"])
        call.out.note(f"{fault.message}: checked without it; {HOW_TO_START}")
        return NOT_RUNNING
    checks = rows_of(found.get("items"))
    if call.out.is_json:
        call.out.json(found)
    for check in [] if call.out.is_json else checks:
        is_fine = check.get("ok") is True
        mark = call.out.styled("ok ", "good") if is_fine else call.out.styled("BAD", "bad")
        detail = one_line(words(check.get("detail")))
        call.out.raw(f"{mark}  {one_line(words(check.get('check')))}{f': {detail}' if detail else ''}")
        if not is_fine and check.get("fix"):
            call.out.line(f"     fix: {one_line(words(check.get('fix')))}")
    return DONE if found.get("ok") is True else FAILED


def version(call: Call) -> int:
    ours, theirs = client_version(), None
    try:
        theirs = words(as_row(call.api.get("/v1/status")).get("version"))
    except NotRunning:
        pass
    if call.out.is_json:
        call.out.json({"client": ours, "daemon": theirs})
    else:
        call.out.pairs([("clawctl", ours), ("nightclaw", theirs or "not running")])
    return DONE


def client_version() -> str:
    """Return the version of the installed distribution, read off its directory's name where that works."""
    for folder in sys.path:
        try:
            names = os.listdir(folder or ".")
        except OSError:
            continue
        for name in names:
            if name.startswith("nightclaw-") and name.endswith(".dist-info"):
                return name[len("nightclaw-") : -len(".dist-info")]
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as installed

    try:
        return installed("nightclaw")
    except PackageNotFoundError:
        return "unknown"


def pause(call: Call) -> int:
    return show_done(call, call.api.post("/v1/pause", {}), "paused: no proactive work until `clawctl resume`")


def resume(call: Call) -> int:
    return show_done(call, call.api.post("/v1/resume", {}), "resumed")


def features(call: Call) -> int:
    name, wanted = call.text("NAME"), call.text("on|off")
    if name and wanted not in ("on", "off"):
        raise wrong("a feature is switched `on` or `off`", call.verb)
    if name:
        answer = call.api.call("PATCH", "/v1/features", body={name: wanted == "on"})
        return show_done(call, answer, f"{name} is {wanted}")
    answer = as_row(call.api.get("/v1/features"))
    if call.out.is_json:
        call.out.json(rows_of(answer["items"]) if "items" in answer else answer)
        return DONE
    listed = rows_of(answer.get("items")) or [
        {"name": key, **(value if isinstance(value, dict) else {"on": value})}
        for key, value in answer.items()
    ]
    rows: list[Row] = []
    for item in listed:
        is_on = item["on"] if "on" in item else item.get("enabled", item.get("value"))
        rows.append({**item, "state": "on" if is_on is True else "off" if is_on is False else words(is_on)})
    show_rows(
        call, rows, [("FEATURE", "name"), ("STATE", "state"), ("SET BY", "origin"), ("WHAT", "what")], "none"
    )
    return DONE


def cost(call: Call) -> int:
    spent = as_row(call.api.get("/v1/cost"))
    if call.out.is_json:
        call.out.json(spent)
        return DONE
    for name, cap in (("today", "daily_usd"), ("month", "monthly_usd")):
        call.out.line(f"{name:<6} {_spent(as_row(spent.get(name)), at(spent, f'budget.{cap}'))}")
    figures = [
        ("COST", "$cost_usd"),
        ("CALLS", "#model_calls"),
        ("IN", "#input_tokens"),
        ("OUT", "#output_tokens"),
    ]
    for title, key in (("CAUSE", "by_cause"), ("MODEL", "by_model"), ("TASK", "by_task"), ("DAY", "by_day")):
        if rows := _parts_of(spent.get(key)):
            call.out.line()
            name = next((n for n in ("name", title.lower(), "id", "date") if n in rows[0]), "name")
            call.out.table(rows, [(title, name), *figures])
    return DONE


def _parts_of(value: object) -> list[Row]:
    """Return a breakdown as rows, whether it came as a list or by name, with usage or with plain dollars."""
    if isinstance(value, dict):
        parts = ((key, part if isinstance(part, dict) else {"cost_usd": part}) for key, part in value.items())
        return [{"name": key, **part} for key, part in parts]
    return rows_of(value)


def sent(call: Call) -> int:
    columns = [("AT", "@at"), ("TO", "to"), ("BYTES", "bytes"), ("WHAT", "what"), ("ID", "id")]
    return show_list(call, "/v1/sent", columns, "nothing has left this machine")
