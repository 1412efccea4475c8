"""Derived rows: their sources, their life, and who may end them."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.memory.scene import NOON, opened, say

from nightclaw.core.errors import Invalid, InvalidTransition, NightclawError, Refused
from nightclaw.core.states import MemoryState
from nightclaw.core.trust import Trust
from nightclaw.store import events, memories
from nightclaw.store.db import Connection
from nightclaw.store.memories import NewMemory, Said


def new(text: str, **more: object) -> NewMemory:
    fields: dict[str, object] = {
        "kind": "project",
        "topic": "deploys",
        "trust": Trust.DAEMON,
        "sources": (1,),
        "made_by": "dream",
        "observed_at": NOON,
        "state": MemoryState.ACTIVE,
        **more,
    }
    return NewMemory(text=text, **fields)  # pyright: ignore[reportArgumentType]


def owner(text: str, **more: object) -> NewMemory:
    return new(text, trust=Trust.OWNER, made_by="owner", **more)


def index(conn: Connection) -> list[tuple[object, ...]]:
    query = "SELECT rowid, text, previous, date FROM memory_fts ORDER BY rowid"
    return [tuple(r) for r in conn.exec_driver_sql(query)]


def due(conn: Connection) -> list[tuple[object, ...]]:
    rows = memories.list_(conn, states=tuple(MemoryState), limit=1000)
    return [e for row in rows if (e := memories.index_entry(row)) is not None]


ACTS = st.lists(
    st.tuples(
        st.sampled_from(["add", "save", "supersede", "retire", "promote", "forget", "replace"]),
        st.integers(0, 9),
        st.integers(0, 9),
        st.sampled_from(list(Trust)),
    ),
    max_size=25,
)


def act(conn: Connection, made: list[str], what: str, a: int, b: int, trust: Trust) -> None:
    some = made[a % len(made)] if made else "mem_none"
    other = made[b % len(made)] if made else "mem_none"
    if what == "add":
        state = MemoryState.CANDIDATE if b % 2 else MemoryState.ACTIVE
        made.append(memories.add(conn, new(f"fact {a} {b}", trust=trust, state=state), NOON))
    elif what == "save":
        made.append(memories.save(conn, owner(f"said {a} {b}", sources=()), Said("owner"), NOON))
    elif what == "replace":
        made.append(memories.add(conn, new(f"newer {a} {b}", trust=trust, supersedes=some), NOON))
    elif what == "supersede":
        memories.supersede(conn, some, other, NOON)
    elif what == "promote":
        memories.promote(conn, some, NOON)
    else:
        memories.retire(
            conn, some, "owner" if what == "forget" else "dream", NOON, tombstone=what == "forget"
        )


@given(ACTS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_index_holds_exactly_the_live_rows_after_any_sequence(
    tmp_path: Path, acts: list[tuple[str, int, int, Trust]]
) -> None:
    with opened(tmp_path) as conn:
        made: list[str] = []
        owned: dict[str, str] = {}
        for what, a, b, trust in acts:
            conn.exec_driver_sql("SAVEPOINT act")
            try:
                act(conn, made, what, a, b, trust)
            except NightclawError:
                conn.exec_driver_sql("ROLLBACK TO act")
                made = [m for m in made if memories.get(conn, m)]
            conn.exec_driver_sql("RELEASE act")
            assert index(conn) == due(conn)
        rows = memories.list_(conn, states=tuple(MemoryState), limit=1000)
        owned = {r.id: r.text for r in rows if r.trust is Trust.OWNER}
        for row in rows:
            assert row.sources
            by = memories.get(conn, row.superseded_by) if row.superseded_by else None
            if row.id in owned and by is not None:
                assert by.trust is Trust.OWNER
        assert {r.state for r in rows if r.superseded_by} <= {MemoryState.SUPERSEDED, MemoryState.RETIRED}


def test_a_memory_needs_a_source_and_words(tmp_path: Path) -> None:
    with opened(tmp_path) as conn:
        for bad in (
            new("x", sources=()),
            new("  "),
            new("x", topic="../etc"),
            new("x", kind="gossip"),
            new("x" * 3000),
            new("x", private=True),
        ):
            with pytest.raises(Invalid):
                memories.add(conn, bad, NOON)


def test_what_is_saved_outright_is_its_own_source(tmp_path: Path) -> None:
    with opened(tmp_path) as conn:
        made = memories.save(
            conn, owner("Deploys are on Thursday", sources=()), Said("owner", session="ses_1"), NOON
        )
        row = memories.get(conn, made)
        assert row is not None and len(row.sources) == 1
        told = [e for e in events.page(conn, 0, 10) if e.cursor == row.sources[0]]
        assert told[0].kind == "memory.added" and told[0].data["memory"] == made
        assert memories.of_source(conn, row.sources[0]) == [row]
        assert (
            memories.since(conn, row.sources[0] - 1) == [row] and memories.since(conn, row.sources[0]) == []
        )


@pytest.mark.parametrize(
    "text",
    [
        "the key is AKIAIOSFODNN7EXAMPLQ",
        "connect with postgres://app:s3cr3tpw@db.local/app",
        "-----BEGIN OPENSSH PRIVATE KEY-----\nabc",
        "The admin password is tr0ub4dor&3",
    ],
)
def test_secrets_are_refused_and_named_without_being_repeated(tmp_path: Path, text: str) -> None:
    with opened(tmp_path) as conn:
        with pytest.raises(Refused) as refused:
            memories.add(conn, owner(text), NOON)
        assert text not in str(refused.value)
        assert memories.list_(conn, states=tuple(MemoryState)) == []


def test_what_the_owner_said_gives_way_to_the_owner_alone(tmp_path: Path) -> None:
    with opened(tmp_path) as conn:
        said = memories.add(conn, owner("Deploys are on Thursday"), NOON)
        for trust in (Trust.DAEMON, Trust.REPO, Trust.WORLD):
            other = memories.add(conn, new(f"Deploys are on Friday, says {trust}", trust=trust), NOON)
            with pytest.raises(Refused):
                memories.supersede(conn, said, other, NOON)
            with pytest.raises(Refused):
                memories.add(conn, new("Deploys are on Monday", trust=trust, supersedes=said), NOON)
        for by in ("dream", "expiry"):
            with pytest.raises(Refused):
                memories.retire(conn, said, by, NOON, tombstone=False)
        later = memories.add(conn, owner("Deploys are on Friday", supersedes=said), NOON)
        row = memories.get(conn, said)
        assert row is not None and (row.state, row.superseded_by) == (MemoryState.SUPERSEDED, later)


def test_an_end_the_owner_set_ends_it(tmp_path: Path) -> None:
    with opened(tmp_path) as conn:
        said = memories.add(conn, owner("I am away until Friday", expires_at=NOON + 5), NOON)
        with pytest.raises(Refused):
            memories.retire(conn, said, "expiry", NOON, tombstone=False)
        memories.retire(conn, said, "expiry", NOON + 5, tombstone=False)


def test_a_private_row_gives_way_only_within_its_repository(tmp_path: Path) -> None:
    with opened(tmp_path) as conn:
        mine = memories.add(conn, new("The port is 1", private=True, repo="octo/a"), NOON)
        for other in (new("The port is 2"), new("The port is 3", private=True, repo="octo/b")):
            made = memories.add(conn, other, NOON)
            with pytest.raises(Refused):
                memories.supersede(conn, mine, made, NOON)


def test_the_forgotten_does_not_come_back_unless_the_owner_says_it_again(tmp_path: Path) -> None:
    with opened(tmp_path) as conn:
        made = memories.add(conn, new("The port is 8080", fact_key="port", fact_value="8080"), NOON)
        memories.retire(conn, made, "owner", NOON + 10, tombstone=True)
        for again in (
            new("the  port is 8080."),
            new("Port: 8080", fact_key="port", fact_value="8080", observed_at=NOON - 5),
        ):
            with pytest.raises(Refused):
                memories.add(conn, again, NOON + 20)
        memories.add(
            conn, new("Port: 8082", fact_key="port", observed_at=NOON + 15), NOON + 20
        )  # newer evidence
        memories.add(conn, owner("The port is 8080"), NOON + 30)
        memories.add(conn, new("The port is 8080", trust=Trust.WORLD), NOON + 40)  # no longer forgotten


def test_a_life_goes_one_way(tmp_path: Path) -> None:
    with opened(tmp_path) as conn:
        made = memories.add(conn, new("A", state=MemoryState.CANDIDATE), NOON)
        memories.promote(conn, made, NOON)
        with pytest.raises(InvalidTransition):
            memories.promote(conn, made, NOON)
        memories.retire(conn, made, "dream", NOON, tombstone=False, reason="stale")
        with pytest.raises(InvalidTransition):
            memories.retire(conn, made, "owner", NOON, tombstone=True)
        kinds = [e.kind for e in events.page(conn, 0, 10)]
        assert kinds == ["memory.added", "memory.retired"]


def test_rows_are_found_by_key_topic_and_state(tmp_path: Path) -> None:
    with opened(tmp_path) as conn:
        say(conn, "an event before")
        late = memories.add(conn, new("Port is 2", fact_key="port", observed_at=NOON + 1), NOON)
        early = memories.add(conn, new("Port is 1", fact_key="port", topic="net"), NOON)
        assert [m.id for m in memories.by_key(conn, "port")] == [early, late]
        assert [m.id for m in memories.of_topic(conn, "net")] == [early]
        assert memories.counts(conn) == {"active": 2}
        memories.doubted(conn, early, NOON)
        memories.verified(conn, early, "file exists", NOON)
        row = memories.get(conn, early)
        assert row is not None and row.doubted_at is None and row.verified_by == "file exists"
