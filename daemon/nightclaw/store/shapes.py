"""Rows as the JSON that goes over the wire: one function a noun, all times ISO, nothing invented.

Takes the row as a mapping by column name; reads nothing. A column that does not hold JSON where JSON belongs is shown
as the text it is, so that one odd row cannot hide a list.
"""

import json
import re
from collections.abc import Mapping

from sqlalchemy import RowMapping

from nightclaw.protocol import messages as wire
from nightclaw.protocol.messages import iso, iso_or_none

_ESCAPES = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?|[ -/]*[0-~])?"
)
_HIDDEN = dict.fromkeys(
    [
        *range(0x20),
        *range(0x7F, 0xA0),
        0xAD,
        0x61C,
        0x180E,
        *range(0x200B, 0x2010),
        *range(0x2028, 0x202F),
        *range(0x2060, 0x2070),
        0xFEFF,
        *range(0xFFF9, 0xFFFC),
        *range(0xE0000, 0xE0080),
    ]
) | {9: " ", 10: " ", 13: " "}


def plain(text: str, limit: int = 300) -> str:
    """One line without escape sequences, control, bidirectional or invisible characters, clipped to `limit`."""
    if not (text.isascii() and text.isprintable()):
        text = _ESCAPES.sub("", text).translate(_HIDDEN)
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def decoded(text: str | None) -> object:
    if text is None:
        return None
    try:
        return json.loads(text)
    except ValueError:
        return text


def figures(text: str | None) -> dict[str, object]:
    """A usage column; {} when it holds none."""
    found = decoded(text)
    return found if isinstance(found, dict) else {}


def signal(r: RowMapping) -> wire.Signal:
    return {
        "id": r["id"],
        "source": r["source"],
        "kind": r["kind"],
        "subject": r["subject"],
        "dedupe_key": r["dedupe_key"],
        "title": r["title"],
        "trust": r["trust"],
        "state": "pending" if r["decision_id"] is None else "decided",
        "actor": r["actor"],
        "repo": r["repo"],
        "private": bool(r["private"]),
        "session": r["session_id"],
        "created_at": iso(r["created_at"]),
        "decision_id": r["decision_id"],
    }


def decision(r: RowMapping, signal_ids: list[str]) -> wire.Decision:
    facts = decoded(r["facts"])
    return {
        "id": r["id"],
        "verdict": r["verdict"],
        "reason": r["reason"],
        "rule": r["rule"],
        "floor": r["floor"],
        "cap": r["cap"],
        "signal_ids": signal_ids,
        "task_id": r["task_id"],
        "notification_id": r["notification_id"],
        "usage": figures(r["usage"]),
        "presence": r["presence"],
        "facts": facts if isinstance(facts, list) else [facts],
        "shadow": bool(r["shadow"]),
        "policy_version": r["policy_version"],
        "created_at": iso(r["created_at"]),
    }


def task(r: RowMapping) -> wire.Task:
    return {
        "id": r["id"],
        "key": r["key"],
        "kind": r["kind"],
        "subject": r["subject"],
        "goal": r["goal"],
        "state": r["state"],
        "parked_on": r["parked_on"],
        "trust": r["trust"],
        "private": bool(r["private"]),
        "repo": r["repo"],
        "session": r["session_id"],
        "priority": r["priority"],
        "attempts": r["attempts"],
        "parent": r["parent_id"],
        "decision_id": r["decision_id"],
        "worktree": r["worktree"],
        "branch": r["branch"],
        "verified": None if r["verified"] is None else bool(r["verified"]),
        "created_at": iso(r["created_at"]),
        "finished_at": iso_or_none(r["finished_at"]),
        "cancel_at": iso_or_none(r["cancel_at"]),
        "result": r["result"],
        "usage": figures(r["usage"]),
    }


def run(r: RowMapping, steps: int) -> wire.Run:
    return {
        "id": r["id"],
        "task": r["task_id"],
        "attempt": r["attempt"],
        "state": r["state"],
        "model": r["model"],
        "stop_reason": r["stop_reason"],
        "steps": steps,
        "usage": figures(r["usage"]),
        "started_at": iso(r["started_at"]),
        "ended_at": iso_or_none(r["ended_at"]),
    }


def approval(r: RowMapping) -> wire.Approval:
    return {
        "id": r["id"],
        "kind": r["kind"],
        "task": r["task_id"],
        "tool": r["tool"],
        "args": decoded(r["args"]),
        "facts": decoded(r["facts"]),
        "digest": r["digest"],
        "state": r["state"],
        "expires_at": iso(r["expires_at"]),
        "created_at": iso(r["created_at"]),
        "resolved_by": r["resolved_by"],
        "resolved_at": iso_or_none(r["resolved_at"]),
        "note": r["note"],
    }


def session(r: RowMapping) -> wire.Session:
    return {
        "id": r["id"],
        "title": r["title"],
        "created_at": iso(r["created_at"]),
        "updated_at": iso(r["updated_at"]),
    }


def notification(r: RowMapping) -> wire.Notification:
    return {
        "id": r["id"],
        "title": r["title"],
        "body": r["body"],
        "kind": r["kind"],
        "subject": r["subject"],
        "state": r["state"],
        "reason": r["reason"],
        "attempts": r["attempts"],
        "urgent": bool(r["urgent"]),
        "error": r["error"],
        "dedupe_key": r["dedupe_key"],
        "decision_id": r["decision_id"],
        "folded_into": r["folded_into"],
        "useful": None if r["useful"] is None else bool(r["useful"]),
        "created_at": iso(r["created_at"]),
        "due_at": iso(r["due_at"]),
        "sent_at": iso_or_none(r["sent_at"]),
    }


def sent(r: RowMapping) -> wire.Sent:
    return {
        "id": r["id"],
        "at": iso(r["settled_at"] if r["settled_at"] is not None else r["created_at"]),
        "to": r["target"],
        "what": r["kind"],
        "bytes": r["bytes"],
        "state": r["state"],
        "task": r["task_id"],
    }


def schedule(r: RowMapping) -> dict[str, object]:
    """The schedule's own words (cron, every, at, prompt, …) beside what the daemon adds."""
    return {
        **_spec(r),
        "id": r["id"],
        "name": r["name"],
        "origin": r["origin"],
        "enabled": bool(r["enabled"]),
        "next_at": iso_or_none(r["next_at"]),
        "last_at": iso_or_none(r["last_at"]),
        "created_at": iso(r["created_at"]),
    }


def watch(r: RowMapping) -> dict[str, object]:
    return {
        **_spec(r),
        "id": r["id"],
        "name": r["name"],
        "origin": r["origin"],
        "created_at": iso(r["created_at"]),
    }


def _spec(r: RowMapping) -> Mapping[str, object]:
    found = decoded(r["spec"])
    return {k: v for k, v in found.items() if v not in (None, "", [])} if isinstance(found, dict) else {}
