"""Why something is remembered, and what a dream did: told from rows, in sentences, with the rows beside them."""

import re
from collections.abc import Iterator

from sqlalchemy import Connection

from nightclaw.core.errors import NotFound
from nightclaw.core.quoting import FROM_MEMORY
from nightclaw.core.states import MemoryState
from nightclaw.core.types import JSON
from nightclaw.protocol.messages import parse_iso
from nightclaw.store import dreams, memories, memory_lists, observations, runs, tallies, topics
from nightclaw.store.memories import Memory
from nightclaw.store.shapes import plain
from nightclaw.store.story import Teller, trusted

NEWEST = 30
_ID = re.compile(r"\bmem_[0-9A-Z]{26}\b")
_QUOTED, _SAID = 300, 3
_MADE = {
    "owner": "You had it remembered",
    "edit": "You wrote it into the memory files",
    "import": "It came with an import",
    "remember": "An agent at work asked to keep it",
    "dream": "A dream made it of what was said",
}
_ENDED = {
    "owner": "You forgot it",
    "edit": "You took it out of the memory files",
    "dream": "A dream retired it",
    "expiry": "It was over on its own date",
}


def why_memory(conn: Connection, memory_id: str, teller: Teller) -> dict[str, object]:
    """The story of a memory: where it comes from, what it replaced, what became of it. Raises NotFound."""
    row = memory_lists.one(conn, memory_id)
    told = [
        *_beginning(conn, row, teller),
        *_versions(conn, row, teller),
        *_doubts(row, teller),
        *_dreamt(conn, row),
        *_end(conn, row, teller),
    ]
    return _answer(memory_id, "memory", told, "memory", memory_lists.shape(row))


def reminded_of(conn: Connection, task_id: str) -> list[Memory]:
    """The memories that came up beside the owner's words in a task, in the order they came up."""
    shown = "\n".join(runs.texts_shown(conn, task_id, FROM_MEMORY))
    found = (memories.get(conn, i) for i in dict.fromkeys(_ID.findall(shown)))
    return [m for m in found if m is not None]


def why_dream(conn: Connection, dream_id: str, teller: Teller) -> dict[str, object]:
    """The story of a dream: when, what it read, what it changed. Raises NotFound."""
    found = dreams.get(conn, dream_id)
    if found is None:
        raise NotFound(f"there is no dream {plain(dream_id, 60)}", "`clawctl dreams` lists them")
    return _answer(dream_id, "dream", [*_night(found, teller)], "dream", found)


def _answer(row_id: str, kind: str, told: list[str], noun: str, row: object) -> dict[str, object]:
    lists: dict[str, object] = {
        k: [] for k in ("signals", "runs", "approvals", "effects", "notifications", "memories")
    }
    cost = tallies.add_up([])
    return {
        "id": row_id,
        "kind": kind,
        "story": told,
        "decision": None,
        "task": None,
        **lists,
        "cost": cost,
        noun: row,
    }


def _beginning(conn: Connection, row: Memory, teller: Teller) -> Iterator[str]:
    scope = f", for {row.repo} alone" if row.private and row.repo else ", private" if row.private else ""
    made = _MADE.get(row.made_by, "It was made")
    yield f"{made}{teller.then(row.created_at)}, under {row.topic}{scope}: {_quoted(row.text)}"
    yield f"It rests on {trusted(str(row.trust))}."
    said = observations.get(conn, list(row.sources))
    for o in said[:_SAID]:
        where = f" in task {o.task}" if o.task else f" in session {o.session}" if o.session else ""
        yield f"Source, event {o.cursor}: the {o.role} said{teller.then(o.at)}{where}: {_quoted(o.text)}"
    if len(said) > _SAID:
        yield f"And {len(said) - _SAID} more sources: `clawctl memory show {row.id}`."
    if not said:
        yield f"Its sources are the events {', '.join(map(str, row.sources))}; no words of theirs are kept."
    if row.applies:
        yield f"It matters when: {plain(row.applies, 200)}"


def _versions(conn: Connection, row: Memory, teller: Teller) -> Iterator[str]:
    before = memories.get(conn, row.supersedes) if row.supersedes else None
    if before is not None:
        yield f"It took the place of {before.id}: {_quoted(before.text)}"
    if row.superseded_by:
        after = memories.get(conn, row.superseded_by)
        words = f": {_quoted(after.text)}" if after is not None else ""
        yield f"{row.superseded_by} took its place{teller.then(after.created_at if after else None)}{words}"
        newest = topics.newest_version(conn, row)
        if newest.id != row.superseded_by:
            yield f"What holds now is {newest.id} ({newest.state}): {_quoted(newest.text)}"


def _doubts(row: Memory, teller: Teller) -> Iterator[str]:
    if row.verified_at is not None:
        yield f"It was checked{teller.then(row.verified_at)} by {plain(row.verified_by or 'a check', 60)}."
    if row.doubted_at is not None:
        yield f"A check{teller.then(row.doubted_at)} found otherwise: it is out of prompts until you or a dream look."
    if row.expires_at is not None:
        yield f"It is over{teller.then(row.expires_at)}."


def _dreamt(conn: Connection, row: Memory) -> Iterator[str]:
    for found in dreams.list_(conn, NEWEST):
        lines = [line for line in str(found["diff"]).split("\n") if f"^{row.id}" in line]
        if lines:
            yield f"Dream {found['id']} ({found['state']}) has it: {plain(lines[0], _QUOTED)}"


def _end(conn: Connection, row: Memory, teller: Teller) -> Iterator[str]:
    if row.state is MemoryState.RETIRED:
        query = 'SELECT "by", at FROM tombstone WHERE memory_id = ?'
        stone = conn.exec_driver_sql(query, (row.id,)).fetchone()
        how = _ENDED.get(str(stone[0]), "It was retired") if stone is not None else "It was retired"
        yield f"{how}{teller.then(int(stone[1]) if stone is not None else row.updated_at)}."
    elif row.state is MemoryState.CANDIDATE:
        yield "It is a candidate: recalled when asked for, not yet in the index."
    elif row.state is MemoryState.ACTIVE:
        yield "It holds now."


def _night(found: dict[str, JSON], teller: Teller) -> Iterator[str]:
    began, ended = parse_iso(str(found["created_at"])), found["finished_at"]
    by = "without a model" if found["mode"] == "offline" else f"with {plain(str(found['mode']), 60)}"
    end = f", ended{teller.then(parse_iso(str(ended)))}" if ended else ""
    why = f" ({plain(str(found['why']), 200)})" if found.get("why") else ""
    yield f"It began{teller.then(began)} {by}{end}: {found['state']}{why}."
    phases = found["phases"]
    for phase in phases if isinstance(phases, list) else []:
        if isinstance(phase, dict):
            counts = [(k, v) for k, v in phase.items() if k not in ("name", "ms") and v]
            seen = ", ".join(f"{v} {k.replace('_', ' ')}" for k, v in counts)
            if seen:
                yield f"{str(phase.get('name')).capitalize()}: {plain(seen, _QUOTED)}."
    for line in str(found["diff"]).split("\n"):
        if line.strip():
            yield plain(line, _QUOTED)
    if found["state"] == "undone":
        yield "You took it back: all is as it was before."


def _quoted(text: str) -> str:
    return f"“{plain(text, _QUOTED)}”"
