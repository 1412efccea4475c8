"""Without a model a chat still knows what it was told, and of private repositories it says nothing."""

import pytest
from tests.e2e.conftest import Hatch
from tests.e2e.daemon import Daemon
from tests.e2e.homes import standard


@pytest.fixture(scope="module")
def daemon(hatch_once: Hatch) -> Daemon:
    return hatch_once(standard()).start()


def test_what_is_said_is_confirmed_and_answers_the_next_question(daemon: Daemon) -> None:
    said = daemon.clawctl("chat", "Remember that our code name is Kingfisher", "--session", "new")
    assert said.code == 0 and "I keep in mind:\n- Our code name is Kingfisher (mem_" in said.out, said.out
    again = daemon.clawctl("chat", "which code name do we have?", "--session", "new").out
    assert "From memory:\n- Our code name is Kingfisher" in again and "I keep in mind" not in again
    held = next(r for r in daemon.items("/v1/memories") if "Kingfisher" in r["text"])
    daemon.clawctl("memory", "edit", held["id"], "--text", "Our code name is Heron")
    daemon.post(
        "/v1/memories", {"text": "The kettle is in the kitchen", "observed_at": "2026-03-01T10:00:00Z"}
    )
    asked = daemon.clawctl("chat", "where is the kettle?", "--session", "new").out
    assert "From memory:\n- The kettle is in the kitchen (01 Mar 2026, mem_" in asked
    assert "Heron" in daemon.clawctl("chat", "what is our code name?", "--session", "new").out
    none = daemon.clawctl("chat", "who won the regatta?", "--session", "new").out
    assert "I find nothing in memory or my records" in none


def test_what_was_forgotten_is_not_told_any_more(daemon: Daemon) -> None:
    def told() -> str:
        return daemon.clawctl("chat", "where does the spare key hang?", "--session", "new").out

    made = daemon.post("/v1/memories", {"text": "The spare key hangs behind the mirror"})
    assert "mirror" in told()
    newer = daemon.api(
        "PATCH", f"/v1/memories/{made['id']}", {"text": "The spare key hangs below the stairs"}
    )
    assert "stairs" in told()
    old = daemon.clawctl("memory", "forget", made["id"])
    assert old.code == 5 and newer.json["id"] in old.err, "an older version is not what is forgotten"
    assert daemon.clawctl("memory", "forget", newer.json["id"]).code == 0
    after = told()
    assert "mirror" not in after and "stairs" not in after
    daemon.post("/v1/memories", {"text": "The spare key hangs below the stairs"})
    assert "stairs" in told(), "said again by the owner, it is known again"


def test_asked_about_themselves_the_owner_hears_what_is_known(daemon: Daemon) -> None:
    for text in ("I prefer short commit messages", "My name is Ana"):
        daemon.post("/v1/memories", {"text": text})
    told = daemon.clawctl("chat", "What do you remember about me?", "--session", "new").out
    assert "I prefer short commit messages" in told and "My name is Ana" in told
