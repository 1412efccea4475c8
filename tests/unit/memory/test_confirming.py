"""What was said again is as new as the last time it was said, whatever order it all came in."""

import random
from collections.abc import Iterator
from datetime import UTC
from itertools import permutations
from pathlib import Path

import pytest
from tests.unit.memory.nights import night
from tests.unit.memory.scene import DAY, HOUR, opened
from tests.unit.memory.scene import NOON as LATER

from nightclaw.core.states import MemoryState
from nightclaw.core.trust import Trust
from nightclaw.memory import capture
from nightclaw.memory.offer import OwnerTurn, Wanted
from nightclaw.store import events, memories, observations
from nightclaw.store.db import Connection
from nightclaw.store.memories import Memory

NOON = LATER - 3 * DAY


@pytest.fixture
def conn(tmp_path: Path) -> Iterator[Connection]:
    with opened(tmp_path) as opened_:
        yield opened_


def add(conn: Connection, value: str, at: int, by: str = "owner") -> str:
    wanted = Wanted(f"The staging port is {value}", observed_at=NOON + at * HOUR)
    return capture.owner_adds(conn, wanted, LATER - DAY, UTC, by=by)


def current(conn: Connection) -> list[str]:
    return [m.text.rpartition(" ")[2] for m in memories.list_(conn, states=(MemoryState.ACTIVE,))]


def row(conn: Connection, memory_id: str) -> Memory:
    found = memories.get(conn, memory_id)
    assert found is not None
    return found


def test_a_value_seen_between_two_assertions_does_not_become_current(conn: Connection) -> None:
    first = add(conn, "8080", 1)
    assert add(conn, "8080", 3) == first
    late = add(conn, "9090", 2)
    assert current(conn) == ["8080"]
    assert row(conn, late).superseded_by == first
    held = row(conn, first)
    assert held.observed_at == NOON + 3 * HOUR and len(held.sources) == 2
    said = observations.get(conn, list(held.sources))
    assert [(o.at, o.role, o.kind) for o in said] == [
        (NOON + 1 * HOUR, "owner", "explicit"),
        (NOON + 3 * HOUR, "owner", "explicit"),
    ]
    assert [e.kind for e in events.page(conn, said[1].cursor - 1, 1)] == ["memory.confirmed"]


@pytest.mark.parametrize("values", ["aba", "abab", "abba", "abcab"])
def test_the_last_seen_is_current_in_every_order_of_arrival(conn: Connection, values: str) -> None:
    ports = {"a": "8080", "b": "9090", "c": "7070"}
    for order in permutations(range(len(values))):
        conn.exec_driver_sql("SAVEPOINT before")
        for i, at in enumerate(order):
            add(conn, ports[values[at]], at)
            newest = max(order[: i + 1])
            assert current(conn) == [ports[values[newest]]], (values, order[: i + 1])
        conn.exec_driver_sql("ROLLBACK TO before")


def test_an_older_word_changes_nothing(conn: Connection) -> None:
    made = add(conn, "8080", 3)
    before = (row(conn, made), events.head(conn))
    assert add(conn, "8080", 1) == made
    assert (row(conn, made), events.head(conn)) == before


def test_a_chat_that_says_it_again_counts(conn: Connection) -> None:
    made = add(conn, "8080", 1)
    now = NOON + 4 * HOUR
    cursor = events.append(conn, "signal.received", now, {}, session="ses_1")
    turn = OwnerTurn(cursor, "Remember that the staging port is 8080", "ses_1")
    assert capture.owner_said(conn, turn, now, UTC) == []
    held = row(conn, made)
    assert held.observed_at == now and held.sources[-1] == cursor
    add(conn, "9090", 2)
    assert current(conn) == ["8080"]


def test_a_file_without_dates_that_is_read_again_says_nothing_new(conn: Connection) -> None:
    wanted = Wanted("The staging port is 8080")
    made, is_new = capture.owner_keeps(conn, wanted, NOON, UTC, by="import")
    head = events.head(conn)
    assert is_new
    assert capture.owner_keeps(conn, wanted, NOON + HOUR, UTC, by="import") == (made, False)
    assert events.head(conn) == head


def test_a_doubt_is_over_when_the_owner_says_it_again(conn: Connection) -> None:
    made = add(conn, "8080", 1)
    memories.doubted(conn, made, NOON + 2 * HOUR)
    add(conn, "8080", 3)
    assert row(conn, made).doubted_at is None


@pytest.mark.anyio
@pytest.mark.parametrize("seed", range(4))
async def test_dreams_between_change_nothing_of_it(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    values = [rng.choice(["8080", "9090", "7070"]) for _ in range(8)]
    order = rng.sample(range(len(values)), len(values))
    async with night(tmp_path / "nightclaw.db") as home:
        for i, at in enumerate(order):
            await home.store.write(add, values[at], at)
            if rng.random() < 0.5:
                await home.dream()
            assert await home.store.read(current) == [values[max(order[: i + 1])]], (values, order[: i + 1])
        await home.dream()
        assert await home.store.read(current) == [values[-1]]
        rows = await home.rows()
        assert all(m.sources and m.trust is Trust.OWNER for m in rows)
