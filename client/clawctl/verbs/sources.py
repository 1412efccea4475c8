"""Where news come from and what is made of them: schedules, watched directories, GitHub, rules."""

import os

from clawctl.api import Row, as_row, number, rows_of, words
from clawctl.exits import DONE
from clawctl.render import Column, local_time, plural
from clawctl.transport import quoted
from clawctl.usage import Call, wrong
from clawctl.verbs.lists import show_done, show_list, show_rows


def schedule_add(call: Call) -> int:
    times = [name for name in ("--cron", "--every", "--at") if call.has(name)]
    if len(times) != 1:
        raise wrong("a schedule needs one of --cron, --every and --at", call.verb)
    names = ("name", "cron", "every", "at", "missed", "within", "verdict", "repo", "unattended")
    body: Row = {name: call.text(f"--{name}") for name in names if call.has(f"--{name}")}
    answer = call.api.post("/v1/schedules", {**body, "prompt": call.text("PROMPT")})
    return show_done(call, answer, f"added {_called(answer)}{_next(answer)}")


def schedule_list(call: Call) -> int:
    columns = [
        ("ID", "id"),
        ("NAME", "name"),
        ("WHEN", "when"),
        ("NEXT", "@next_at"),
        ("LAST", "@last_at"),
        ("FROM", "origin"),
        ("PROMPT", "prompt"),
    ]
    if call.out.is_json:
        return show_list(call, "/v1/schedules", columns, "")
    rows, _ = call.api.items("/v1/schedules", call.number("--limit", 500))
    for row in rows:
        times = [f"{key} {words(row[key])}" for key in ("cron", "every", "at") if row.get(key)]
        row.setdefault("when", ", ".join(times))
    show_rows(call, rows, columns, "no schedules: `clawctl schedule add` makes one")
    return DONE


def schedule_rm(call: Call) -> int:
    return _remove(call, "schedules")


def schedule_run(call: Call) -> int:
    name = call.text("ID")
    answer = call.api.post(f"/v1/schedules/{quoted(name)}/run", {})
    signal = words(as_row(answer).get("signal"))
    return show_done(call, answer, f"{name} runs now{f': {signal}' if signal else ''}")


def watch_add(call: Call) -> int:
    body: Row = {"path": os.path.abspath(os.path.expanduser(call.text("PATH")))}
    if call.has("--match"):
        body["match"] = call.all("--match")
    for name in ("quiet", "verdict", "prompt", "repo"):
        if call.has(f"--{name}"):
            body[name] = call.text(f"--{name}")
    answer = call.api.post("/v1/watches", body)
    name = _called(answer)
    return show_done(call, answer, f"watching {body['path']}{f' as {name}' if name != body['path'] else ''}")


def watch_list(call: Call) -> int:
    columns: list[Column] = [
        ("ID", "id"),
        ("PATH", "path"),
        ("MATCH", "match"),
        ("VERDICT", "verdict"),
        ("STATE", "state"),
        ("FROM", "origin"),
    ]
    return show_list(call, "/v1/watches", columns, "nothing is watched: `clawctl watch add PATH` begins")


def watch_rm(call: Call) -> int:
    return _remove(call, "watches")


def rules_list(call: Call) -> int:
    rows, _ = call.api.items("/v1/rules", 10_000)
    if call.out.is_json:
        call.out.json(rows)
        return DONE
    for row in rows:
        condition = as_row(row.get("when"))
        row["says"] = " ".join(f"{key}={words(value)}" for key, value in condition.items()) or words(
            row.get("when")
        )
    columns = [
        ("NAME", "name"),
        ("VERDICT", "verdict"),
        ("CAP", "cap"),
        ("FROM", "origin"),
        ("WHEN", "says"),
    ]
    show_rows(call, rows, columns, "no rules of your own: the defaults hold")
    return DONE


def rules_test(call: Call) -> int:
    told = as_row(call.api.post("/v1/rules/test", {"since": call.text("--since", "30d")}))
    if call.out.is_json:
        call.out.json(told)
        return DONE
    counts = as_row(told.get("counts"))
    total = plural(number(told.get("signals")), "signal")
    verdicts = ("ignore", "record", "notify", "propose", "act")
    spread = ", ".join(f"{number(counts.get(name)):g} {name}" for name in verdicts)
    call.out.line(f"{total} since {local_time(words(told.get('since')))}: {spread}")
    columns = [
        ("SIGNAL", "signal"),
        ("AT", "@at"),
        ("WAS", "was"),
        ("NOW", "verdict"),
        ("RULE", "rule"),
        ("KIND", "kind"),
        ("SUBJECT", "subject"),
        ("WHAT", "title"),
    ]
    for key in ("told", "asked", "done", "changed"):
        if rows := rows_of(told.get(key)):
            call.out.line()
            call.out.line(f"{key} ({len(rows)}):", "bold")
            call.out.table(rows, columns)
    return DONE


def github_connect(call: Call) -> int:
    body: Row = {"repo": call.text("REPO")} if call.has("REPO") else {}
    return _repositories(call, as_row(call.api.post("/v1/github/connect", body)).get("items"))


def github_list(call: Call) -> int:
    return _repositories(call, call.api.items("/v1/github", 10_000)[0])


def _repositories(call: Call, items: object) -> int:
    columns = [
        ("REPOSITORY", "name"),
        ("BY", "mode"),
        ("HOOK", "hook_id"),
        ("LAST EVENT", "@last_event_at"),
        ("LAST POLL", "@last_poll_at"),
        ("PROBLEM", "problem"),
    ]
    show_rows(call, rows_of(items), columns, "no repositories: name one under [[github.repo]] in the config")
    return DONE


def _remove(call: Call, noun: str) -> int:
    name = call.text("ID")
    answer = call.api.call("DELETE", f"/v1/{noun}/{quoted(name)}")
    return show_done(call, answer, f"{name} is removed")


def _called(answer: object) -> str:
    row = as_row(answer)
    return words(row.get("name") or row.get("id")) or "it"


def _next(answer: object) -> str:
    from clawctl.render import age

    following = words(as_row(answer).get("next_at"))
    return f", next {age(following)}" if following else ""
