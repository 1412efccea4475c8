"""What was said is kept once, as it was said, without its secrets, and found by what stood beside it."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.memory.scene import NOON, opened, say

from nightclaw.core.errors import Invalid
from nightclaw.core.trust import Label, Trust
from nightclaw.store import events, observations, sessions, tasks
from nightclaw.store.db import Connection

COLUMNS = "SELECT rowid, text, previous, next, date FROM observation_fts ORDER BY rowid"


def held(conn: Connection) -> list[tuple[object, ...]]:
    return [tuple(r) for r in conn.exec_driver_sql(COLUMNS)]


def due(conn: Connection) -> list[tuple[object, ...]]:
    cursors = [int(r[0]) for r in conn.exec_driver_sql("SELECT cursor FROM observation ORDER BY cursor")]
    return [entry for c in cursors if (entry := observations.index_entry(conn, c)) is not None]


TURN = st.tuples(
    st.sampled_from(["ses_1", "ses_2", None]),
    st.sampled_from([(False, None), (True, "octo/secret"), (False, "octo/app")]),
    st.text("abc é?'\"\n-", min_size=1, max_size=30).filter(lambda t: bool(t.strip())),
)
STEP = st.one_of(TURN, st.integers(0, 20))


@given(st.lists(STEP, max_size=25))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_index_says_what_the_table_says_after_any_sequence(
    tmp_path: Path, steps: list[tuple[str | None, tuple[bool, str | None], str] | int]
) -> None:
    with opened(tmp_path) as conn:
        said: list[int] = []
        for step in steps:
            if isinstance(step, int):
                if said:
                    observations.redact(conn, said[step % len(said)], "[removed]")
                continue
            session, (private, repo), text = step
            said.append(say(conn, text, session=session, private=private, repo=repo))
            assert observations.add(conn, observations.NewObservation(
                said[-1], NOON, "owner", "turn", "another text", Trust.OWNER
            )) == said[-1]  # fmt: skip
        assert held(conn) == due(conn)
        assert len(held(conn)) == len(said)


def test_a_turn_is_found_by_the_question_before_it(tmp_path: Path) -> None:
    with opened(tmp_path) as conn:
        say(conn, "Which port does staging use?", role="assistant")
        answer = say(conn, "8081")
        found = conn.exec_driver_sql(
            "SELECT rowid FROM observation_fts WHERE observation_fts MATCH 'staging'"
        )
        assert answer in [r[0] for r in found]


def test_private_words_are_no_part_of_the_index_of_their_neighbours(tmp_path: Path) -> None:
    with opened(tmp_path) as conn:
        say(conn, "the codename is bluebird", private=True, repo="octo/secret")
        beside = say(conn, "and now to something else")
        say(conn, "bluebird ships in May", private=True, repo="octo/secret")
        entry = observations.index_entry(conn, beside)
        assert entry is not None and entry[2:4] == ("", "")
        assert entry in held(conn)


def test_secrets_do_not_reach_the_table_or_the_index(tmp_path: Path) -> None:
    key = "ghp_" + "a1B2c3D4e5" * 4
    with opened(tmp_path) as conn:
        cursor = say(conn, f"my token is {key}, and the password is hunter2!x")
        kept = observations.get(conn, [cursor])[0].text
        assert key not in kept and "hunter2" not in kept and "my token is" in kept
        assert not any(key in str(row) or "hunter2" in str(row) for row in held(conn))


def test_redacting_takes_the_words_from_the_neighbours_too(tmp_path: Path) -> None:
    with opened(tmp_path) as conn:
        say(conn, "one")
        gone = say(conn, "the flat is at 12 Elm Street")
        say(conn, "three")
        assert observations.holding(conn, "Elm Street") == [gone]
        observations.redact(conn, gone, "the flat is at [removed]")
        assert observations.holding(conn, "Elm Street") == []
        assert not any("Elm" in str(row) for row in held(conn))


def test_what_has_no_words_or_no_known_role_is_refused(tmp_path: Path) -> None:
    with opened(tmp_path) as conn:
        for text, role, kind in ((" \n", "owner", "turn"), ("hi", "shell", "turn"), ("hi", "owner", "diary")):
            with pytest.raises(Invalid):
                observations.add(conn, observations.NewObservation(1, NOON, role, kind, text, Trust.OWNER))


def test_an_answer_carries_the_label_of_its_session(tmp_path: Path) -> None:
    with opened(tmp_path) as conn:
        session = tasks.ensure_session(conn, None, "hello", NOON)
        sessions.lower(conn, session, Label(Trust.WORLD, True, frozenset({"octo/secret#5"})))
        cursor = events.append(conn, "turn.finished", NOON, {}, session=session)
        observations.answered(conn, cursor, "It is fixed.", session, "tsk_1", NOON, None)
        row = observations.get(conn, [cursor])[0]
        assert (row.trust, row.private, row.repo) == (Trust.WORLD, True, "octo/secret")


def test_observations_come_in_order_and_in_pages(tmp_path: Path) -> None:
    with opened(tmp_path) as conn:
        said = [say(conn, f"turn {n}") for n in range(7)]
        assert [o.cursor for o in observations.since(conn, said[1], 3)] == said[2:5]
        assert observations.count_since(conn, said[1]) == 5
        assert [o.cursor for o in observations.of_session(conn, "ses_1", said[5], 2)] == said[3:5]
