"""Signals and decisions: what came in and what was made of it. Posting one is the owner's own word."""

import secrets

from fastapi import FastAPI
from pydantic import Field, JsonValue
from starlette.responses import Response

from nightclaw.api.answers import answer
from nightclaw.api.bodies import After, Body, Limit, Word, Words
from nightclaw.api.ports import Control
from nightclaw.core.trust import Trust
from nightclaw.core.types import JSON, SignalDraft, Source, Verdict
from nightclaw.protocol.messages import LIST_DEFAULT
from nightclaw.store import lists, signals


class Posted(Body):
    """dedupe_key: what happened; the same key twice is one signal. prompt: what to do about it."""

    title: Words | None = None
    source: Source = Source.HOOK
    kind: Word = "owner.posted"
    subject: Word = "owner"
    dedupe_key: Word | None = None
    prompt: Words | None = None
    verdict: Verdict | None = None
    repo: Word | None = None
    private: bool = False
    payload: dict[str, JsonValue] = Field(default_factory=dict)


def _draft(posted: Posted, now: int) -> SignalDraft:
    attrs: dict[str, JSON] = {"hook": "owner"}
    if posted.prompt:
        attrs["prompt"] = posted.prompt
    if posted.verdict:
        attrs["verdict"] = str(posted.verdict)
    return SignalDraft(
        source=posted.source,
        kind=posted.kind,
        subject=posted.subject,
        dedupe_key=posted.dedupe_key or f"posted:{secrets.token_hex(12)}",
        title=posted.title or posted.prompt or f"{posted.kind} about {posted.subject}",
        trust=Trust.OWNER,
        payload=posted.payload,
        attrs=attrs,
        repo=posted.repo,
        private=posted.private,
        actor="owner",
        ready_at=now,
    )


def add(app: FastAPI, control: Control) -> None:
    @app.get("/v1/signals")
    async def listed(limit: Limit = LIST_DEFAULT, after: After = None) -> Response:
        """What came in, newest first."""
        return answer(await control.store.read(lists.signals, after, limit))

    @app.post("/v1/signals", status_code=202)
    async def post(posted: Posted) -> Response:
        """Tell the daemon of something. 202 once it is durable, 200 when it was held already."""
        now = control.clock.now_ms()
        control.presence.touch(now)
        taken = await control.store.offer(signals.take_in, signals.prepare(_draft(posted, now)), now)
        said = {"signal": taken.signal_id, "duplicate": taken.duplicate, "cursor": taken.cursor}
        return answer(said, 200 if taken.duplicate else 202)

    @app.get("/v1/decisions")
    async def decisions(limit: Limit = LIST_DEFAULT, after: After = None) -> Response:
        """What was made of it, newest first."""
        return answer(await control.store.read(lists.decisions, after, limit))
