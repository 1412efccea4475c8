"""What is remembered: looking, adding, changing, forgetting; dreams and what they changed; redaction."""

import os
import sys

from clawctl.api import Row, as_row, list_of, number, rows_of, words
from clawctl.exits import DONE, FAILED, USAGE, Failure
from clawctl.render import Column, age, one_line, plural
from clawctl.transport import quoted
from clawctl.usage import Call, wrong
from clawctl.verbs.lists import FETCHED, SHOWN, show_done, show_list, show_rows
from clawctl.verbs.work import show_fields

DREAM_S = 900.0
REDACT_S = 3600.0
_LIVE = ("active", "candidate")
_COLUMNS: list[Column] = [
    ("ID", "id"),
    ("TOPIC", "topic"),
    ("STATE", "state"),
    ("FROM", "trust"),
    ("AGE", "@observed_at"),
    ("TEXT", "text"),
]
_COUNTS = ("added", "merged", "superseded", "retired", "kept", "lost")


def memory_list(call: Call) -> int:
    limit = call.number("--limit", FETCHED if call.out.is_json else SHOWN)
    if limit < 1:
        raise wrong("--limit takes at least 1", call.verb)
    topic = call.maybe("--topic")
    if call.out.is_json or call.has("--all"):
        rows, has_more = call.api.items("/v1/memories", limit, topic=topic)
    else:
        found = [call.api.items("/v1/memories", limit, topic=topic, state=state) for state in _LIVE]
        rows = [row for part, _ in found for row in part]
        rows = sorted(rows, key=lambda row: words(row.get("id")), reverse=True)[:limit]
        has_more = sum(len(part) for part, _ in found) > limit or any(more for _, more in found)
    empty = "nothing is remembered yet: `clawctl memory add TEXT`"
    show_rows(call, rows, _COLUMNS, f"nothing is remembered under {topic}" if topic else empty)
    if has_more:
        call.out.note(f"these are the newest {limit}; --limit shows more")
    return DONE


def memory_search(call: Call) -> int:
    found = as_row(call.api.get("/v1/memories", q=call.text("Q"), limit=call.number("--limit", 10)))
    rows = rows_of(found.get("items"))
    if call.out.is_json:
        call.out.json(rows)
        return DONE
    said = rows_of(found.get("observations"))
    if rows or not said:
        show_rows(call, rows, [c for c in _COLUMNS if c[0] != "STATE"], "nothing remembered answers that")
    if said:
        call.out.line()
        call.out.line("said:", "bold")
        call.out.table(said, [("AGE", "@at"), ("BY", "role"), ("WORDS", "text")])
    return DONE


def memory_show(call: Call) -> int:
    row = as_row(call.api.get(f"/v1/memories/{quoted(call.text('ID'))}"))
    if call.out.is_json:
        call.out.json(row)
        return DONE
    history, evidence = rows_of(row.pop("history", [])), rows_of(row.pop("evidence", []))
    row["sources"] = ", ".join(words(c) for c in list_of(row.get("sources")))
    show_fields(call, row)
    if len(history) > 1:
        call.out.line()
        call.out.line("versions:", "bold")
        call.out.table(history, [("ID", "id"), ("STATE", "state"), ("AGE", "@created_at"), ("TEXT", "text")])
    for piece in evidence:
        by, at = one_line(words(piece.get("role"))), age(words(piece.get("at")))
        call.out.line()
        call.out.line(f"said by {by}, {at}:", "bold")
        call.out.line(words(piece.get("text")))
    return DONE


def memory_add(call: Call) -> int:
    body: Row = {"text": text_of(call)}
    for name, key in (("--topic", "topic"), ("--when", "when"), ("--observed-at", "observed_at")):
        if call.has(name):
            body[key] = call.text(name)
    answer = call.api.post("/v1/memories", body)
    row = as_row(answer)
    return show_done(call, answer, f"remembered under {words(row.get('topic'))}: {words(row.get('id'))}")


def memory_edit(call: Call) -> int:
    name = call.text("ID")
    body: Row = {key: call.text(f"--{key}") for key in ("text", "topic", "when") if call.has(f"--{key}")}
    if not body:
        held = words(as_row(call.api.get(f"/v1/memories/{quoted(name)}")).get("text"))
        text = _edited(held)
        if text == held:
            return show_done(call, {"id": name, "changed": False}, f"{name} is unchanged")
        if not text:
            raise Failure(
                "the text is empty; nothing was changed", FAILED, f"`clawctl memory forget {name}` ends it"
            )
        body["text"] = text
    answer = call.api.call("PATCH", f"/v1/memories/{quoted(name)}", body=body)
    return show_done(call, answer, f"{words(as_row(answer).get('id'))} takes the place of {name}")


def memory_forget(call: Call) -> int:
    name = call.text("ID")
    answer = call.api.call("DELETE", f"/v1/memories/{quoted(name)}")
    return show_done(call, answer, f"{name} is forgotten; `clawctl redact` removes its words everywhere, too")


def dream(call: Call) -> int:
    body: Row = {"dry_run": call.has("--dry-run"), "now": call.has("--now") or call.has("--dry-run")}
    answer = as_row(call.api.post("/v1/dreams", body, DREAM_S))
    if call.out.is_json:
        call.out.json(answer)
        return DONE
    state, why = words(answer.get("state")), words(answer.get("why"))
    counts = ", ".join(f"{number(answer.get(key)):g} {key}" for key in _COUNTS if number(answer.get(key)))
    name = words(answer.get("id"))
    call.out.line(
        f"{name or 'tried'}  {state}{f' ({why})' if why else ''}: {counts or 'nothing to do'}", "bold"
    )
    if answer.get("diff"):
        call.out.line(words(answer.get("diff")).rstrip())
    if name and state == "finished" and any(number(answer.get(k)) for k in _COUNTS[:4]):
        call.out.line(f"clawctl dream undo {name} puts it back", "dim")
    return DONE if state in ("finished", "dry", "asks") else FAILED


def dreams(call: Call) -> int:
    columns: list[Column] = [("ID", "id"), ("STATE", "state"), ("AGE", "@created_at"), ("BY", "mode")]
    columns += [(key.upper(), key) for key in _COUNTS]
    return show_list(call, "/v1/dreams", columns, "no dreams yet: `clawctl dream --now` has one")


def dream_undo(call: Call) -> int:
    name = call.text("ID")
    answer = call.api.post(f"/v1/dreams/{quoted(name)}/undo", {})
    return show_done(call, answer, f"{name} is undone: memory is as it was before it")


def redact(call: Call) -> int:
    text = text_of(call)
    if not call.has("--yes") and not call.out.is_json and sys.stdin.isatty() and sys.stdout.isatty():
        call.out.line(
            "This removes the text from memory, log, files and backups, and nothing brings it back."
        )
        if input("Go on? [y/N] ").strip().lower() not in ("y", "yes"):
            return FAILED
    answer = as_row(call.api.post("/v1/redact", {"text": text}, REDACT_S))
    counts = [(number(answer.get(k)), k[:-1]) for k in ("rows", "lines", "files", "backups")]
    said = ", ".join(plural(n, noun if noun != "line" else "log line") for n, noun in counts if n)
    show_done(call, answer, f"cut out of {said or 'nothing of ours'}")
    left = [words(path) for path in list_of(answer.get("left"))]
    if left and not call.out.is_json:
        call.out.line("it still stands in files that are yours to change:")
        for path in left:
            call.out.line(f"  {os.path.join(call.home, path)}")
    return DONE


def text_of(call: Call, name: str = "TEXT") -> str:
    """The words of the line, or standard input for `-`."""
    text = call.text(name)
    if text == "-":
        text = sys.stdin.buffer.read().decode("utf-8", "replace").strip()
    if not text.strip():
        raise Failure("there is no text", USAGE)
    return text


def _edited(text: str) -> str:
    """What the owner's editor makes of a text."""
    import shlex
    import subprocess
    import tempfile

    editor = shlex.split(os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi")
    with tempfile.TemporaryDirectory(prefix="clawctl-") as folder:
        path = os.path.join(folder, "memory.md")
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"{text}\n")
        try:
            code = subprocess.call([*editor, path])
        except OSError as fault:
            raise Failure(
                f"{editor[0]} cannot be run: {fault.strerror}", FAILED, "set EDITOR, or give --text"
            ) from None
        if code:
            raise Failure(f"{editor[0]} ended with {code}; nothing was changed", FAILED)
        with open(path, encoding="utf-8", errors="replace") as file:
            return " ".join(file.read().split())
