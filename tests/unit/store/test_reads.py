"""Readers come and go: a cancelled caller is simply cancelled, and a closing store leaves no connection behind."""

import asyncio
import gc
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import Connection
from tests.fakes.settings import opened

from nightclaw.core.errors import StoreClosed
from nightclaw.store import events
from nightclaw.store.db import Store

pytestmark = pytest.mark.anyio

LONG = (
    "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 400000) SELECT count(*) FROM c"
)


def long_read(conn: Connection, started: asyncio.Event) -> int:
    started.set()
    return int(conn.exec_driver_sql(LONG).scalar() or 0)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with opened(tmp_path / "nightclaw.db") as made:
        yield made


async def test_a_cancelled_read_is_cancelled_and_spoils_no_later_one(store: Store) -> None:
    started = asyncio.Event()
    reads = [asyncio.create_task(store.read(long_read, started)) for _ in range(6)]
    await started.wait()
    for read in reads:
        read.cancel()
    ended = await asyncio.gather(*reads, return_exceptions=True)
    assert all(isinstance(e, asyncio.CancelledError) for e in ended), ended
    assert await store.read(events.head) == 0


async def test_close_waits_for_reads_and_then_refuses_them(store: Store) -> None:
    started = asyncio.Event()
    reads = [asyncio.create_task(store.read(long_read, started)) for _ in range(6)]
    await started.wait()
    await store.close()
    assert await asyncio.gather(*reads) == [400000] * 6
    with pytest.raises(StoreClosed):
        await store.read(events.head)
    gc.collect()  # a leaked connection warns here, and warnings are errors
