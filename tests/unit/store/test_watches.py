"""Watch rows: the config's are mirrored, a client's are its own, and a removed one leaves nothing behind."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, create_engine, select

from nightclaw.core.errors import Invalid, NotFound, Refused
from nightclaw.core.types import JSON, Verdict
from nightclaw.core.watch import WatchSpec, parse
from nightclaw.store import journal, watches
from nightclaw.store.schema import event, metadata, source_state


@pytest.fixture
def conn(tmp_path: Path) -> Iterator[Connection]:
    engine = create_engine(f"sqlite:///{tmp_path / 'nightclaw.db'}")
    metadata.create_all(engine)
    with engine.begin() as connection:
        connection.info["head"] = 0
        yield connection
    engine.dispose()


def names(conn: Connection) -> dict[str, str]:
    return {w.spec.name: w.origin for w in watches.all_of(conn)}


def test_the_config_is_mirrored(conn: Connection) -> None:
    one, two = WatchSpec("one", "/srv/one"), WatchSpec("two", "/srv/two", match=("*.py",), quiet_s=0.5)
    assert watches.mirror(conn, [one, two], 1)
    assert [w.spec for w in watches.all_of(conn)] == [one, two]
    assert not watches.mirror(conn, [two, one], 2), "nothing new"
    before = {w.spec.name: w.id for w in watches.all_of(conn)}
    moved = WatchSpec("two", "/srv/elsewhere")
    assert watches.mirror(conn, [moved], 3)
    (row,) = watches.all_of(conn)
    assert (row.id, row.spec) == (before["two"], moved)


def test_a_clients_rows_are_left_alone_unless_the_config_takes_their_name(conn: Connection) -> None:
    mine = watches.add(conn, WatchSpec("mine", "/srv/mine"), 1)
    watches.add(conn, WatchSpec("theirs", "/srv/theirs"), 1)
    watches.mirror(conn, [WatchSpec("theirs", "/srv/new")], 2)
    assert names(conn) == {"mine": "api", "theirs": "config"}
    watches.mirror(conn, [], 3)
    assert [w.id for w in watches.all_of(conn)] == [mine.id]


def test_a_name_is_taken_once(conn: Connection) -> None:
    watches.add(conn, WatchSpec("app", "/srv/app"), 1)
    with pytest.raises(Refused, match="already") as refused:
        watches.add(conn, WatchSpec("app", "/srv/other"), 2)
    assert refused.value.hint


def test_only_a_clients_row_can_be_removed(conn: Connection) -> None:
    row = watches.add(conn, WatchSpec("app", "/srv/app"), 1)
    watches.mirror(conn, [WatchSpec("fixed", "/srv/fixed")], 1)
    with pytest.raises(Refused, match=r"config\.toml") as refused:
        watches.remove(conn, "fixed", 2)
    assert "[[watch]]" in refused.value.hint
    with pytest.raises(NotFound):
        watches.remove(conn, "nobody", 2)
    states = {f"files:{row.id}": b"1", f"files:{row.id}:src": b"2", "files:other": b"3"}
    journal.save_states(conn, states, 2)
    assert watches.remove(conn, "app", 3).id == row.id
    assert names(conn) == {"fixed": "config"}
    assert list(conn.execute(select(source_state.c.key)).scalars()) == ["files:other"]
    kinds = list(conn.execute(select(event.c.kind).order_by(event.c.cursor)).scalars())
    assert kinds == ["watch.added", "watch.added", "watch.removed"]


def test_states_are_found_by_prefix_and_forgotten_by_none(conn: Connection) -> None:
    journal.save_states(conn, {"a:1": b"1", "a:2": b"2", "a%": b"3", "b": b"4"}, 1)
    assert journal.load_states(conn, "a:") == {"a:1": b"1", "a:2": b"2"}
    journal.save_states(conn, {"a:1": None, "a:2": b"new", "never": None}, 2)
    assert journal.load_states(conn, "a:") == {"a:2": b"new"}
    assert journal.load_state(conn, "a%") == b"3"
    assert journal.load_state(conn, "a:1") is None


def test_what_a_client_says_becomes_a_spec() -> None:
    body: dict[str, JSON] = {
        "path": "/srv/app/",
        "match": "*.py",
        "quiet": "500ms",
        "verdict": "act",
        "per_hour": 2,
    }
    spec = parse(body)
    assert spec == WatchSpec("/srv/app", "/srv/app", ("*.py",), 0.5, Verdict.ACT, per_hour=2)
    assert parse({**spec.as_json(), "name": spec.name}) == spec
    assert parse({"path": "/x"}).as_json() == {"path": "/x", "quiet": "2s", "verdict": "record"}


@pytest.mark.parametrize(
    ("body", "key"),
    [
        ({}, "path"),
        ({"path": "relative"}, "path"),
        ({"path": 3}, "path"),
        ({"path": "/x", "match": [1]}, "match"),
        ({"path": "/x", "match": 7}, "match"),
        ({"path": "/x", "quiet": "1h"}, "quiet"),
        ({"path": "/x", "quiet": True}, "quiet"),
        ({"path": "/x", "quiet": "soon"}, "quiet"),
        ({"path": "/x", "verdict": "shout"}, "verdict"),
        ({"path": "/x", "per_hour": 0}, "per_hour"),
        ({"path": "/x", "per_hour": 1.5}, "per_hour"),
        ({"path": "/x", "budget_usd": -1}, "budget_usd"),
        ({"path": "/x", "name": "a\nb"}, "name"),
        ({"path": "/x", "colour": "red"}, "colour"),
    ],
)
def test_what_is_wrong_is_named(body: dict[str, JSON], key: str) -> None:
    with pytest.raises(Invalid, match=key) as invalid:
        parse(body)
    assert invalid.value.hint
