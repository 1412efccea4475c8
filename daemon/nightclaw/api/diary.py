"""The daily log as it stands on the disk, a day a file, and whether its chain is whole."""

import asyncio
from pathlib import Path
from typing import Annotated

from fastapi import FastAPI, Query
from starlette.responses import Response

from nightclaw.api.answers import answer, rendered
from nightclaw.api.ports import Control
from nightclaw.core.errors import NotFound
from nightclaw.protocol.messages import LOG_DATE_HEADER, LOG_SIZE_HEADER

Day = Annotated[str | None, Query(pattern=r"^\d{4}-\d{2}-\d{2}$", description="the newest day without it")]
PIECE = 8 * 1024 * 1024


def add(app: FastAPI, control: Control) -> None:
    logs = control.home / "logs"

    @app.get("/v1/log")
    async def log(
        date: Day = None, offset: Annotated[int, Query(ge=0, le=2**62)] = 0, verify: bool = False
    ) -> Response:
        """A day's log from a byte on, or with `verify` whether the chain of all days is whole."""
        if verify:
            return answer(rendered(await control.verify_log()))
        path, body, size = await asyncio.to_thread(_read, logs, date, offset)
        headers = {LOG_SIZE_HEADER: str(size), LOG_DATE_HEADER: path.stem}
        return Response(body, headers=headers, media_type="text/markdown; charset=utf-8")


def _read(logs: Path, date: str | None, offset: int) -> tuple[Path, bytes, int]:
    """The file, up to PIECE bytes of it from `offset`, and its whole size. Raises NotFound."""
    path = logs / date[:4] / date[5:7] / f"{date}.md" if date else newest(logs)
    try:
        if path is None:
            raise NotFound("there is no log yet", "it begins with the first event")
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(min(offset, size))
            return path, file.read(PIECE), size
    except FileNotFoundError:
        raise NotFound(f"there is no log of {date}", "GET /v1/log answers the newest day") from None


def newest(logs: Path) -> Path | None:
    """The last day's file; the names sort by date."""
    for year in sorted(logs.glob("[0-9][0-9][0-9][0-9]"), reverse=True):
        for month in sorted(year.glob("[0-9][0-9]"), reverse=True):
            days = sorted(month.glob("????-??-??.md"), reverse=True)
            if days:
                return days[0]
    return None
