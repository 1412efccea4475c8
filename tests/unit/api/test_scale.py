"""A home of many signals answers status, lists, why and metrics like an empty one: by index, never by a walk."""

import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC
from pathlib import Path

import pytest
from sqlalchemy import Connection, event
from sqlalchemy.engine import Engine
from tests.unit.api.house import START

from nightclaw import boot
from nightclaw.store import lists, stream, tallies
from nightclaw.store.db import Store, writer_engine
from nightclaw.store.why import why

pytestmark = pytest.mark.anyio

MANY = 200_000
DECIDED = MANY - 500
BIG = ("signal", "event", "decision", "notification", "effect", "step", "cost")
WAITING_ONLY = "USING INDEX signal_pending"  # a partial index: it holds what is not decided, and nothing else
ID = "printf('{}_%026d', n)"

FILL = f"""
WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < {MANY})
INSERT INTO signal (id, source, kind, subject, dedupe_key, title, trust, attrs, created_at, ready_at, decision_id)
SELECT {ID.format("sig")}, CASE n % 50 WHEN 0 THEN 'tick' ELSE 'github' END, 'push', 'octo/app', 'k' || n, 'a push',
       'WORLD', '{{}}', {START} + n, {START} + n, CASE WHEN n <= {DECIDED} THEN {ID.format("dec")} END FROM c
"""
FILL_DECISIONS = """
INSERT INTO decision (id, verdict, reason, rule, floor, cap, policy_version, presence, created_at)
SELECT decision_id, 'record', 'r', 'r', 'record', 'record', 'v', 'away', created_at FROM signal
WHERE decision_id IS NOT NULL
"""
FILL_EVENTS = """
INSERT INTO event (kind, at, data) SELECT 'signal.received', created_at, json_object('source', source) FROM signal
"""
FILL_NOTES = f"""
INSERT INTO notification (id, title, body, dedupe_key, kind, subject, state, due_at, created_at)
SELECT replace(id, 'sig', 'ntf'), 't', 'b', id, 'ci', 's', 'sent', created_at, created_at FROM signal LIMIT {MANY // 10}
"""
FILL_COST = f"""
INSERT INTO cost (at, day, cause, model, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, cost_usd)
SELECT created_at, date('2020-01-01', (rowid / 50) || ' days'), 'tick', 'm', 1, 1, 0, 0, 0.1
FROM signal LIMIT {MANY // 10}
"""


@pytest.fixture(scope="module")
def crowded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("crowded") / "nightclaw.db"
    boot.make_database(path)
    engine = writer_engine(path)
    with engine.connect() as conn:
        conn.exec_driver_sql("BEGIN")
        for statement in (FILL, FILL_DECISIONS, FILL_EVENTS, FILL_NOTES, FILL_COST):
            conn.exec_driver_sql(statement)
        conn.exec_driver_sql("COMMIT")
    engine.dispose()
    return path


@pytest.fixture
def engine(crowded: Path) -> Iterator[Engine]:
    engine = writer_engine(crowded)
    yield engine
    engine.dispose()


@contextmanager
def overheard(engine: Engine) -> Iterator[list[tuple[str, tuple[object, ...]]]]:
    said: list[tuple[str, tuple[object, ...]]] = []

    def listen(_c: object, _cursor: object, statement: str, parameters: object, *_: object) -> None:
        assert isinstance(parameters, tuple)
        said.append((statement, parameters))

    event.listen(engine, "before_cursor_execute", listen)
    yield said
    event.remove(engine, "before_cursor_execute", listen)


def walks(conn: Connection, statement: str, parameters: tuple[object, ...]) -> list[str]:
    """The steps of a query's plan that read a whole big table, or sort one."""
    plan = [str(row[3]) for row in conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)]
    plan = [step for step in plan if not step.endswith(WAITING_ONLY)]
    return [step for step in plan if (found := re.match(r"SCAN (\w+)", step)) and found.group(1) in BIG]


def some_signal(prefix: str) -> str:
    return f"{prefix}_{MANY // 2:026}"


ASKED: dict[str, Callable[[Connection], object]] = {
    "status": lambda conn: tallies.counts(conn, "2020-02-01"),
    "cost": lambda conn: tallies.spent(conn, "2020-02-01", {}),
    "notes of a day": lambda conn: tallies.notifications_since(conn, START + MANY // 10 - 100),
    "snapshot": lambda conn: lists.snapshot(conn, 500),
    "why a signal": lambda conn: why(conn, some_signal("sig"), now=START, tz=UTC),
    "why a decision": lambda conn: why(conn, some_signal("dec"), now=START, tz=UTC),
    "why a note": lambda conn: why(conn, f"ntf_{MANY // 20:026}", now=START, tz=UTC),
    "events from the middle": lambda conn: stream.page(conn, MANY // 2, 200, 32_000),
    "events of a session": lambda conn: stream.page(conn, MANY // 2, 200, 32_000, "main"),
    "what events are kept": stream.kept,
}


@pytest.mark.parametrize("name", ASKED)
def test_no_answer_walks_a_table_of_a_lifetime(engine: Engine, name: str) -> None:
    with engine.connect() as conn:
        with overheard(engine) as said:
            ASKED[name](conn)
        assert 1 <= len(said) <= 40
        found = {
            statement: bad for statement, parameters in said if (bad := walks(conn, statement, parameters))
        }
        assert not found


@pytest.mark.parametrize("noun", [lists.signals, lists.decisions, lists.notifications, lists.sent])
def test_a_page_from_the_middle_reads_no_more_than_its_rows(
    engine: Engine, noun: Callable[[Connection, str | None, int], lists.Page]
) -> None:
    after = {lists.signals: "sig", lists.decisions: "dec", lists.notifications: "ntf"}.get(noun, "eff")
    with engine.connect() as conn:
        with overheard(engine) as said:
            page = noun(conn, f"{after}_{MANY // 20:026}", 10)
        assert len(page["items"]) == (0 if noun is lists.sent else 10)
        assert not [bad for s, p in said if (bad := walks(conn, s, p))]


@pytest.fixture
async def store(crowded: Path) -> AsyncIterator[Store]:
    opened = Store(crowded)
    await opened.open()
    yield opened
    await opened.close()


async def test_status_numbers_are_right_among_many(store: Store) -> None:
    found = await store.read(tallies.counts, "2020-02-01")
    assert found.signals_pending == MANY - DECIDED and found.event_head == MANY
    assert found.last_tick_at is not None and found.today["model_calls"] == 50
    assert found.today["by_cause"]["tick"]["cost_usd"] == 5.0


async def test_metrics_count_in_pieces_and_end_at_the_head(store: Store) -> None:
    tally = tallies.EventTally(MANY - 45_000)
    rounds = 1
    while await store.read(tallies.count_on, tally):
        rounds += 1
    assert rounds == 3 and tally.cursor == MANY
    assert tally.signals == {"tick": 900, "github": 44_100} and tally.kinds == {"signal.received": 45_000}
