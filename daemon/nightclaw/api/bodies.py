"""What all requests share: strict bodies, the page of a list, and who is asking."""

from typing import Annotated

from fastapi import Path, Query, Request
from pydantic import BaseModel, ConfigDict, StringConstraints

from nightclaw.protocol.messages import ATTACHED_HEADER, LIST_DEFAULT, LIST_LIMIT


class Body(BaseModel):
    """A field nobody knows is an error, not a silence."""

    model_config = ConfigDict(extra="forbid", frozen=True)


Word = Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True)]
Words = Annotated[str, StringConstraints(min_length=1, max_length=4_000, strip_whitespace=True)]
LongText = Annotated[str, StringConstraints(min_length=1, max_length=200_000)]

Id = Annotated[str, Path(max_length=200)]
Limit = Annotated[int, Query(ge=1, le=LIST_LIMIT, description=f"how many, {LIST_DEFAULT} by default")]
After = Annotated[str | None, Query(max_length=200, description="the `next` of the page before")]


def client_of(request: Request) -> str | None:
    """The id a client calls itself by, plain and short."""
    given = request.headers.get(ATTACHED_HEADER, "")[:60]
    return "".join(c for c in given if c.isalnum() or c in "-_.") or None


def who(request: Request) -> str:
    """Who gives an order, as a person reads it. The socket's peer check made sure it is the owner."""
    peer = request.scope.get("state", {}).get("peer")
    pid = getattr(peer, "pid", None)
    name = client_of(request) or request.headers.get("user-agent", "")[:40].split("/")[0]
    name = "".join(c for c in name if c.isalnum() or c in "-_. ") or "client"
    return f"{name} (pid {pid})" if pid else name
