"""Approvals: what waits for the owner's word, and giving it. The second answer gets 409 with who and when."""

from typing import Annotated, Literal

from fastapi import FastAPI, Request
from pydantic import StringConstraints
from starlette.responses import Response

from nightclaw.api.answers import answer
from nightclaw.api.bodies import After, Body, Id, Limit, LongText, who
from nightclaw.api.ports import Answer, Control
from nightclaw.core.states import ApprovalState
from nightclaw.protocol.messages import LIST_DEFAULT
from nightclaw.store import lists


class Decision(Body):
    """digest: of exactly what was read; when given, an approval that changed since is refused."""

    decision: Literal["allow", "deny"]
    digest: Annotated[str, StringConstraints(max_length=200)] | None = None
    always: bool = False
    answer: LongText | None = None
    note: Annotated[str, StringConstraints(max_length=2_000)] = ""


def add(app: FastAPI, control: Control) -> None:
    @app.get("/v1/approvals")
    async def listed(
        limit: Limit = LIST_DEFAULT, after: After = None, state: ApprovalState | None = None
    ) -> Response:
        """What waits or waited for the owner's word, newest first."""
        return answer(await control.store.read(lists.approvals, after, limit, state))

    @app.post("/v1/approvals/{approval_id}")
    async def resolve(approval_id: Id, given: Decision, request: Request) -> Response:
        """Allow, deny or answer."""
        control.presence.touch(control.clock.now_ms())
        await control.resolve(
            Answer(
                approval_id=approval_id,
                decision=given.decision,
                digest=given.digest,
                always=given.always,
                answer=given.answer,
                note=given.note,
                by=who(request),
            )
        )
        return answer(await control.store.read(lists.approval_by_id, approval_id))
