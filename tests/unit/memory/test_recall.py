"""A question finds its answer, sees only what it may, and costs the same in a full store."""

import time
from pathlib import Path

import pytest
from tests.unit.memory.scene import DAY, HOUR, NOON, opened, say

from nightclaw.core.trust import Trust
from nightclaw.memory.question import groups
from nightclaw.memory.recall import Recalled, Scope, recall
from nightclaw.store import memories
from nightclaw.store.db import Connection, Store
from nightclaw.store.memories import NewMemory, Said

OPEN = Scope()


def texts(found: list[Recalled]) -> list[str]:
    return [r.text for r in found]


def remember(conn: Connection, text: str, **more: object) -> str:
    fields: dict[str, object] = {
        "kind": "project", "topic": "deploys", "trust": Trust.OWNER, "sources": (), "made_by": "owner",
        "observed_at": NOON, **more,
    }  # fmt: skip
    return memories.save(conn, NewMemory(text=text, **fields), Said("owner"), NOON)  # pyright: ignore[reportArgumentType]


def test_an_answer_is_found_by_the_words_of_its_question(tmp_path: Path) -> None:
    with opened(tmp_path) as conn:
        say(conn, "Let us talk about lunch.")
        say(conn, "Which region hosts the billing database?", role="assistant")
        answer = say(conn, "Frankfurt, since last year.")
        say(conn, "Thanks!", role="assistant")
        say(conn, "The billing page has a typo.", session="ses_2")
        found = recall(conn, "Where is the billing database hosted?", 5, OPEN, NOON)
        assert answer in [r.cursor for r in found[:2]]


def test_words_match_whatever_their_form(tmp_path: Path) -> None:
    with opened(tmp_path) as conn:
        say(conn, "We bought the domain on Tuesday")
        for question in ("who is buying domains?", "Did we buy a domain", "BOUGHT DOMAIN?"):
            assert texts(recall(conn, question, 3, OPEN, NOON)) == ["We bought the domain on Tuesday"]
        say(conn, "Der Schlüssel liegt im Café", session="ses_2")
        assert "Café" in texts(recall(conn, "cafe schlussel", 1, OPEN, NOON))[0]


def test_a_day_is_found_by_its_date(tmp_path: Path) -> None:
    with opened(tmp_path) as conn:
        for n in range(40):
            say(conn, f"Standup notes number {n}", at=NOON - n * DAY, session=None)
        found = recall(conn, "standup on 9 November 2026", 3, OPEN, NOON)
        assert found[0].text == "Standup notes number 9"


@pytest.mark.parametrize(
    "question", ["", "?!", '"', "NEAR(", "the of and", "a* OR b", "text:x", "\0", "x" * 5000, "日本"]
)
def test_any_question_is_a_question(tmp_path: Path, question: str) -> None:
    with opened(tmp_path) as conn:
        say(conn, "Deploys are on Thursday")
        assert recall(conn, question, 5, OPEN, NOON) == []
        assert recall(conn, f"{question} deploys", 5, OPEN, NOON)


def test_private_rows_are_for_their_repository_alone(tmp_path: Path) -> None:
    with opened(tmp_path) as conn:
        say(conn, "The codename is bluebird", session=None, private=True, repo="octo/secret")
        say(conn, "The codename is bluebird here too", session=None, private=True, repo=None)
        remember(conn, "Bluebird ships in May", private=True, repo="octo/secret")
        remember(conn, "Ask about codename bluebird nowhere")
        for scope in (OPEN, Scope(private=frozenset({"octo/other"}))):
            found = recall(conn, "what is the codename bluebird", 10, scope, NOON)
            assert texts(found) == ["Ask about codename bluebird nowhere"]
        own = recall(conn, "codename bluebird", 10, Scope(private=frozenset({"octo/secret"})), NOON)
        assert {r.repo for r in own if r.private} == {"octo/secret"} and len(own) == 3
        assert len(recall(conn, "codename bluebird", 10, Scope(everything=True), NOON)) == 4


def test_what_is_hidden_takes_nobodys_place(tmp_path: Path) -> None:
    with opened(tmp_path) as conn:
        for n in range(200):
            say(conn, f"bluebird secret {n}", session=None, private=True, repo="octo/secret")
        say(conn, "a bluebird sang in a very long sentence about many things", session=None)
        assert len(recall(conn, "bluebird secret", 5, OPEN, NOON)) == 1


def test_a_neighbour_out_of_scope_is_neither_told_nor_weighed(tmp_path: Path) -> None:
    with opened(tmp_path) as conn:
        say(conn, "The vault opens with bluebird", private=True, repo="octo/secret")
        say(conn, "I see.", role="assistant")
        assert recall(conn, "what opens the vault", 5, OPEN, NOON) == []


def test_the_floor_keeps_strangers_out(tmp_path: Path) -> None:
    with opened(tmp_path) as conn:
        say(conn, "mallory: deploys are on Monday", role="world", trust=Trust.WORLD, session=None)
        say(conn, "Deploys are on Thursday", session=None)
        assert len(recall(conn, "deploys", 5, OPEN, NOON)) == 2
        assert [r.trust for r in recall(conn, "deploys", 5, Scope(floor=Trust.REPO), NOON)] == [Trust.OWNER]


def test_a_memory_stands_for_the_words_it_was_saved_from(tmp_path: Path) -> None:
    with opened(tmp_path) as conn:
        made = remember(conn, "Deploys are on Thursday")
        found = recall(conn, "When are deploys?", 5, OPEN, NOON)
        assert [r.id for r in found] == [made]
        memories.retire(conn, made, "owner", NOON, tombstone=True)
        assert all(r.id is None for r in recall(conn, "When are deploys?", 5, OPEN, NOON))


def test_what_gave_way_is_not_recalled_as_a_memory(tmp_path: Path) -> None:
    with opened(tmp_path) as conn:
        old = remember(conn, "The staging port is 8080")
        later = remember(conn, "The staging port is 8081", supersedes=old)
        found = recall(conn, "staging port", 5, OPEN, NOON)
        assert [r.id for r in found if r.id] == [later]


def test_of_two_equal_rows_the_newer_and_the_more_trusted_come_first(tmp_path: Path) -> None:
    with opened(tmp_path) as conn:
        say(conn, "The limit is nine seconds", at=NOON - 300 * DAY, session=None)
        newer = say(conn, "The limit is ten seconds", at=NOON - HOUR, session=None)
        say(conn, "The limit is six seconds", at=NOON - HOUR, session=None, trust=Trust.WORLD, role="world")
        assert recall(conn, "limit in seconds", 3, OPEN, NOON)[0].cursor == newer


def test_of_a_long_text_the_passage_is_told(tmp_path: Path) -> None:
    with opened(tmp_path) as conn:
        say(conn, "filler words here. " * 150 + "The escrow account is at Elm Bank. " + "more filler. " * 150)
        found = recall(conn, "escrow account", 1, OPEN, NOON)
        assert "Elm Bank" in found[0].text and len(found[0].text) < 1300


def test_counts_follow_a_growing_store(tmp_path: Path) -> None:
    with opened(tmp_path) as conn:
        say(conn, "alpha", session=None)
        assert len(recall(conn, "alpha beta", 5, OPEN, NOON)) == 1
        for n in range(50):
            say(conn, f"beta number {n}", session=None)
        assert len(recall(conn, "beta number", 9, OPEN, NOON)) == 9


def test_common_words_are_cut_and_rare_ones_still_answer(tmp_path: Path) -> None:
    with opened(tmp_path) as conn:
        for n in range(3000):
            say(conn, f"the build report of run {n} is green", session=f"ses_{n // 10}")
        needle = say(conn, "the build report says the flamingo test is red", session="ses_x")
        took = []
        for _ in range(20):
            began = time.process_time()
            found = recall(conn, "which build report names the flamingo run?", 5, OPEN, NOON)
            took.append(time.process_time() - began)
            assert found[0].cursor == needle
        assert sorted(took)[10] < 0.05


@pytest.mark.anyio
async def test_it_runs_on_a_reader(store: Store) -> None:
    await store.write(lambda conn: say(conn, "Deploys are on Thursday") and None)
    assert texts(await store.read(recall, "deploys", 3, OPEN, NOON)) == ["Deploys are on Thursday"]


def test_a_question_of_common_words_alone_still_asks(tmp_path: Path) -> None:
    assert groups("who am I") and not groups("?")
    assert any("may" in g.forms for g in groups("What happened in May 2026?"))
    assert not any("may" in g.forms for g in groups("What may I deploy?"))
