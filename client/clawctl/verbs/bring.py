"""`memory import`: what another agent kept, read here and handed over in pieces; first tried, then taken.

Markdown: every bullet is a memory, a file without bullets gives its paragraphs; the file's name is the topic, its date
the time; what stands beside bullets is told. JSONL: lines with a role and content are what was said. Nothing is changed
where it is read from, and a secret that is left out is not shown.
"""

import json
import os
import re
import sys
import time

from clawctl.api import Row, as_row, list_of, number, rows_of, words
from clawctl.exits import DONE, FAILED, NOT_FOUND, Failure
from clawctl.render import one_line, plural
from clawctl.usage import Call

LARGEST_FILE = 50_000_000
PIECES, BYTES = 400, 1_000_000
_SHOWN = 20
_LONGEST_MEMORY, _LONGEST_TURN = 2_000, 20_000
_BULLET = re.compile(r"\s*(?:[-*+]|\d{1,3}[.)])\s+(.*)")
_BLOCK_ID = re.compile(r"\s+\^[A-Za-z0-9_-]+\s*$")
_INDEX_LINE = re.compile(r"\[[^\]]*\]\([^)]*\.md\)")
_LABEL = re.compile(r"\*\*[^*]{1,40}:\*\*\s|[*_][^*_]{1,40}:[*_]\s")
_DATE = re.compile(r"(\d{4}-\d{2}-\d{2})")
_GENERAL = ("memory", "claude", "agents", "readme", "index", "soul", "user-memory")
_ROLES = {
    "user": "owner",
    "human": "owner",
    "owner": "owner",
    "assistant": "assistant",
    "ai": "assistant",
    "model": "assistant",
}


def memory_import(call: Call) -> int:
    path = os.path.abspath(os.path.expanduser(call.text("PATH")))
    left: list[str] = []
    pieces = [piece for file in _files(path) for piece in _pieces(file, left)]
    if not pieces:
        raise Failure(
            f"there is nothing to import in {path}", FAILED, "Markdown (*.md) or transcripts (*.jsonl)"
        )
    tried = _send(call, pieces, dry_run=True)
    if call.has("--dry-run"):
        _show(call, tried, pieces, "would be")
        return _beside(call, left)
    asks = not call.has("--yes") and not call.out.is_json and sys.stdin.isatty() and sys.stdout.isatty()
    if asks:
        _show(call, tried, pieces, "would be")
        _beside(call, left)
        if input("Take it over? [y/N] ").strip().lower() not in ("y", "yes"):
            return FAILED
    _show(call, _send(call, pieces, dry_run=False), pieces, "were")
    return DONE if asks else _beside(call, left)


def _files(path: str) -> list[str]:
    if os.path.isfile(path):
        return [path]
    if not os.path.isdir(path):
        raise Failure(f"there is no {path}", NOT_FOUND)
    found: list[str] = []
    for folder, folders, names in os.walk(path):
        folders[:] = sorted(f for f in folders if not f.startswith(".") or f == ".claude")
        found += [os.path.join(folder, n) for n in sorted(names) if n.lower().endswith((".md", ".jsonl"))]
    return found


def _pieces(path: str, left: list[str]) -> list[Row]:
    """What a file has to bring, each piece with its `file`. left: what of it is no memory, a line a file."""
    try:
        if os.path.getsize(path) > LARGEST_FILE:
            raise Failure(f"{path} is too large to import", FAILED, "split it")
        with open(path, encoding="utf-8", errors="replace") as file:
            text = file.read()
    except OSError as fault:
        raise Failure(f"{path} cannot be read: {fault.strerror}", FAILED) from None
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(os.path.getmtime(path)))
    if path.lower().endswith(".jsonl"):
        found, over = _said(text, os.path.splitext(os.path.basename(path))[0], at)
        more = f"{path}: {plural(over, 'line')} that could not be read" if over else ""
    else:
        found, over = _remembered(text, os.path.splitext(os.path.basename(path))[0], at)
        more = f"{path}: {plural(over, 'paragraph')} beside its bullets" if over else ""
    left += [more] if more else []
    return [{**row, "file": path} for row in found]


def _remembered(text: str, name: str, at: str) -> tuple[list[Row], int]:
    """The memories of a Markdown file, and how many paragraphs stand beside its bullets."""
    dated = _DATE.search(name)
    at = f"{dated[1]}T12:00:00Z" if dated else at
    head, text = _front_matter(text)
    at = f"{found[1]}T12:00:00Z" if (found := _DATE.search(head.get("date", ""))) else at
    is_general = dated is not None or name.lower() in _GENERAL
    blocks = list(_blocks(text))
    has_bullets = any(is_bullet for is_bullet, _, _ in blocks)
    found_rows: list[Row] = []
    for is_bullet, heading, said in blocks:
        plain = _BLOCK_ID.sub("", " ".join(said.split()))
        if is_bullet != has_bullets or len(plain.split()) < 2 or _INDEX_LINE.match(plain):
            continue
        topic = heading if is_general and heading else "general" if is_general else head.get("name") or name
        if _LABEL.match(plain) and found_rows and not is_bullet:  # "**Why:** …" says nothing alone
            plain = f"{found_rows.pop()['text']} {plain}"
        found_rows.append({"text": plain[:_LONGEST_MEMORY], "topic": topic[:100], "observed_at": at})
    return found_rows, sum(not is_bullet for is_bullet, _, _ in blocks) if has_bullets else 0


def _front_matter(text: str) -> tuple[dict[str, str], str]:
    """The simple `key: value` lines between `---` at the top, and the rest."""
    if not text.startswith("---\n") or "\n---" not in text[4:]:
        return {}, text
    head, _, rest = text[4:].partition("\n---")
    pairs = (line.partition(":") for line in head.split("\n"))
    return {k.strip().lower(): v.strip().strip("\"'") for k, _, v in pairs if v.strip()}, rest.partition(
        "\n"
    )[2]


def _blocks(text: str) -> "list[tuple[bool, str, str]]":
    """(is a bullet, its heading, its words) outside code and comments."""
    found: list[tuple[bool, str, str]] = []
    text = re.sub(r"(?ms)^\s{0,3}(```|~~~).*?(?:^\s{0,3}\1|\Z)|<!--.*?(?:-->|\Z)", "\n", text)
    heading, is_open = "", False
    for line in text.split("\n"):
        bullet = _BULLET.match(line)
        if line.startswith("#"):
            heading, is_open = line.lstrip("#").strip(), False
        elif bullet is not None and (not line[:2].isspace() or not is_open):
            found.append((True, heading, bullet[1]))
            is_open = True
        elif not line.strip():
            is_open = False
        elif is_open:
            kind, under, said = found[-1]
            found[-1] = (kind, under, f"{said} {line.strip()}")
        elif not line.startswith(("|", "---", ">")):
            found.append((False, heading, line))
            is_open = True
    return found


def _said(text: str, session: str, at: str) -> tuple[list[Row], int]:
    """The turns of a transcript, and how many lines are no JSON."""
    found: list[Row] = []
    broken = 0
    for line in text.split("\n"):
        try:
            row = as_row(json.loads(line)) if line.strip() else {}
        except ValueError:
            broken += 1
            continue
        message = as_row(row.get("message")) or row
        role = _ROLES.get(words(message.get("role")).lower())
        said = _words_of(message.get("content") or message.get("text"))
        if role is None or not said.strip():
            continue
        moment = _moment(row) or _moment(message) or at
        name = words(row.get("sessionId") or row.get("session")) or session
        found.append({
            "text": said[:_LONGEST_TURN], "role": role, "session": name[:200], "observed_at": moment
        })  # fmt: skip
    return found, broken


def _words_of(content: object) -> str:
    """The text of a message, without tool calls and their results."""
    if isinstance(content, str):
        return content
    parts = [as_row(part) for part in list_of(content)]
    return "\n".join(words(p.get("text")) for p in parts if p.get("type", "text") == "text")


def _moment(row: Row) -> str | None:
    """The time a line names: ISO, or seconds or milliseconds since 1970."""
    for key in ("timestamp", "created_at", "at", "ts", "time", "date"):
        value = row.get(key)
        if isinstance(value, str) and _DATE.match(value):
            return value[:40]
        if isinstance(value, (int, float)) and not isinstance(value, bool) and value > 1e8:
            seconds = value / 1000 if value > 1e11 else value
            return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
    return None


def _send(call: Call, pieces: list[Row], *, dry_run: bool) -> Row:
    """Hand all over, part by part; the sums."""
    total: Row = {"added": [], "places": [], "known": 0, "turns": 0, "refused": [], "dry_run": dry_run}
    for start, part in _parts(pieces):
        items = [{key: value for key, value in piece.items() if key != "file"} for piece in part]
        answer = as_row(call.api.post("/v1/memories/import", {"items": items, "dry_run": dry_run}, 600.0))
        for key in ("known", "turns"):
            total[key] = number(total[key]) + number(answer.get(key))
        refused = [{**row, "n": int(number(row.get("n"))) + start} for row in rows_of(answer.get("refused"))]
        total["added"] = [*list_of(total["added"]), *list_of(answer.get("added"))]
        places = [int(number(n)) + start for n in list_of(answer.get("places"))]
        total["places"] = [*list_of(total["places"]), *places]
        total["refused"] = [*list_of(total["refused"]), *refused]
    return total


def _parts(pieces: list[Row]) -> list[tuple[int, list[Row]]]:
    found: list[tuple[int, list[Row]]] = []
    size = BYTES
    for n, piece in enumerate(pieces):
        length = len(json.dumps(piece))
        if not found or size + length > BYTES or len(found[-1][1]) >= PIECES:
            found.append((n, []))
            size = 0
        found[-1][1].append(piece)
        size += length
    return found


def _show(call: Call, told: Row, pieces: list[Row], were: str) -> int:
    if call.out.is_json:
        call.out.json(told)
        return DONE
    added, turns = len(list_of(told["added"])), number(told["turns"])
    known, refused = number(told["known"]), rows_of(told["refused"])
    memories = f"{added} {'memory' if added == 1 else 'memories'}"
    call.out.line(f"{memories} and {plural(turns, 'turn')} {were} taken over, {known:g} known already")
    if were == "would be":
        _listed(call, [pieces[int(number(n))] for n in list_of(told["places"])])
    for row in refused[:_SHOWN]:
        piece = pieces[int(number(row.get("n")))]
        why = words(row.get("why")).removeprefix("not kept: ")
        file = os.path.basename(words(piece.get("file")))
        said = "" if why.startswith("it holds ") else f": {one_line(words(piece.get('text')))[:60]}"
        call.out.line(f"  left out, of {file}: {why}{said}")
    if len(refused) > _SHOWN:
        call.out.line(f"  and {len(refused) - _SHOWN} more left out")
    return DONE


def _listed(call: Call, found: list[Row]) -> None:
    """What would be remembered, as far as it fits a screen."""
    for piece in found[:_SHOWN]:
        call.out.line(
            f"  + {one_line(words(piece.get('topic')))}: {one_line(words(piece.get('text')))[:160]}"
        )
    if len(found) > _SHOWN:
        call.out.line(f"  and {len(found) - _SHOWN} more memories")


def _beside(call: Call, left: list[str]) -> int:
    for line in left[:_SHOWN]:
        call.out.note(f"not taken over: {line}")
    return DONE
