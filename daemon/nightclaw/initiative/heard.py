"""The words of strangers that a decision acted on, kept as they were said and under their own label."""

from nightclaw.core.types import JSON, JSONObject, Signal, Source
from nightclaw.store import observations, signals
from nightclaw.store.db import Connection
from nightclaw.store.observations import NewObservation

LONGEST = 4_000


def keep(conn: Connection, signal: Signal, cursor: int, task_id: str | None, now: int) -> None:
    """cursor: of the `decision.made` that acted on the signal."""
    if signal.source not in (Source.GITHUB, Source.HOOK):
        return
    text = words_of(signal, signals.payload(conn, signal.id) or {})
    if text:
        origins = (signal.subject,)
        new = NewObservation(
            cursor,
            now,
            "world",
            "signal",
            text,
            signal.trust,
            signal.private,
            signal.repo,
            origins,
            None,
            task_id,
        )
        observations.add(conn, new)


def words_of(signal: Signal, payload: JSONObject) -> str:
    """Who said what: the comment, else the thread's title and body, else the signal's own line."""
    said = payload.get("comment") or payload.get("review")
    if isinstance(said, dict) and said.get("body"):
        return f"{signal.actor or 'somebody'}: {said['body']}"[:LONGEST]
    for name in ("issue", "pull_request", "discussion"):
        thread = payload.get(name)
        if isinstance(thread, dict):
            body = f"{thread.get('title') or ''}\n\n{thread.get('body') or ''}".strip()
            return f"{_author(thread)}: {body}"[:LONGEST]
    return signal.title


def _author(thread: dict[str, JSON]) -> str:
    user = thread.get("user")
    return str(user.get("login")) if isinstance(user, dict) else "somebody"
