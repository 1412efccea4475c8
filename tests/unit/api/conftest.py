"""A control API behind the real server on a unix socket, over a real store file."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest
from tests.fakes.settings import opened
from tests.unit.api.house import Api, House, StepClock, control_of

from nightclaw.api.control import build
from nightclaw.api.peer import judge
from nightclaw.problems import Problems
from nightclaw.server import serve
from nightclaw.server.sockets import bind_control
from nightclaw.store.db import Store


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with opened(tmp_path / "nightclaw.db") as made:
        yield made


@pytest.fixture
async def api(tmp_path: Path, store: Store) -> AsyncIterator[Api]:
    house, draining, stop, ready = (
        House(store, StepClock()),
        asyncio.Event(),
        asyncio.Event(),
        asyncio.Event(),
    )
    control = control_of(house, tmp_path, draining)
    app = build(control)
    listening = bind_control(tmp_path)
    path = Path(listening.getsockname())
    serving = asyncio.create_task(
        serve(app, app, listening, None, Problems(), stop, draining, ready.set, peer_of=judge)
    )
    started = asyncio.create_task(ready.wait())
    await asyncio.wait({serving, started}, return_when=asyncio.FIRST_COMPLETED)
    assert started.done(), serving.exception()
    transport = httpx2.AsyncHTTPTransport(uds=str(path))
    async with httpx2.AsyncClient(transport=transport, base_url="http://control", timeout=20) as http:
        yield Api(http, control, house, path, stop, serving)
    stop.set()
    await serving
