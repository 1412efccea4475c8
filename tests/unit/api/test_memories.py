"""Memory over the wire: what scripts rely on, what is refused, and that nothing of it gets lost."""

import os
import time
from typing import Any

import pytest
from tests.unit.api.house import START, Api

from nightclaw.core.states import MemoryState
from nightclaw.core.trust import Trust
from nightclaw.store import memories, observations
from nightclaw.store.db import Connection
from nightclaw.store.memories import NewMemory, Said

pytestmark = pytest.mark.anyio
KEYS = ("id", "text", "kind", "state", "trust", "sources", "topic", "observed_at", "created_at", "supersedes")
DREAM = ("id", "state", "phases", "added", "merged", "superseded", "retired", "kept", "lost", "usage", "diff")
NOBODY = "mem_01ARZ3NDEKTSV4RRFFQ69G5FAV"
LONG_AGO = "2026-05-01T10:00:00Z"

Row = dict[str, Any]


async def add(api: Api, text: str, **more: object) -> Row:
    return await api.post("/v1/memories", {"text": text, **more}, 201)


async def get(api: Api, path: str) -> Row:
    return await api.get(path)


async def ids(api: Api, path: str = "/v1/memories") -> list[str]:
    return [row["id"] for row in (await get(api, path))["items"]]


async def in_files(api: Api) -> None:
    """The files say what the rows say."""
    assert api.house.remembering is not None
    await api.house.remembering.files.render(())


async def test_what_the_owner_adds_is_active_at_once_and_rests_on_their_words(api: Api) -> None:
    said_at = "2026-01-02T03:04:05Z"
    made = await add(
        api, "The staging port is 8080", topic="Ops Notes", when="deploying", observed_at=said_at
    )
    assert [k for k in KEYS if k not in made] == []
    assert (made["state"], made["trust"], made["topic"]) == ("active", "OWNER", "ops-notes")
    assert made["when"] == "deploying" and made["supersedes"] is None
    assert made["observed_at"] == "2026-01-02T03:04:05.000Z"
    said = await api.store.read(observations.get, made["sources"])
    assert [(o.text, o.kind) for o in said] == [("The staging port is 8080", "explicit")]
    assert '"memory.added"' in (await api.http.get("/v1/events", params={"limit": 1000})).text


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"text": ""},
        {"text": "   "},
        {"text": "x", "colour": "red"},
        {"text": "x" * 4_001},
        {"text": "the password is hunter2-Tango!9"},
        {"text": "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"},
        {"text": "fine", "when": "the password is hunter2-Tango!9"},
        {"text": "fine", "observed_at": "yesterday"},
        {"text": "fine", "observed_at": "2999-01-01T00:00:00Z"},
        {"text": "fine", "kind": "poem"},
    ],
)
async def test_what_may_not_be_kept_is_422(api: Api, body: dict[str, object]) -> None:
    found = await api.http.post("/v1/memories", json=body)
    assert found.status_code == 422, found.text
    assert found.json()["error"]["message"] and await ids(api) == []


async def test_pages_are_newest_first_without_gap_or_repeat(api: Api) -> None:
    made = [(await add(api, f"fact number {n}", topic=f"t{n % 2}"))["id"] for n in range(7)]
    seen, after = [], ""
    while True:
        page = await get(api, f"/v1/memories?limit=3{after}")
        seen += [row["id"] for row in page["items"]]
        if page["next"] is None:
            break
        after = f"&after={page['next']}"
    assert seen == made[::-1]
    assert await ids(api, "/v1/memories?topic=t1") == made[1::2][::-1]
    await api.http.delete(f"/v1/memories/{made[-1]}")
    assert await ids(api, "/v1/memories?state=retired") == [made[-1]]
    assert made[-1] not in await ids(api, "/v1/memories?state=active")


async def test_a_change_is_a_newer_version_with_its_history(api: Api) -> None:
    old = await add(api, "The staging port is 8080")
    found = await api.http.patch(f"/v1/memories/{old['id']}", json={"text": "The staging port is 9090"})
    assert found.status_code == 200, found.text
    new = found.json()
    assert new["supersedes"] == old["id"] and new["id"] != old["id"] and new["state"] == "active"
    assert (await get(api, f"/v1/memories/{old['id']}"))["state"] == "superseded"
    full = await get(api, f"/v1/memories/{new['id']}")
    assert [row["text"] for row in full["history"]] == [old["text"], "The staging port is 9090"]
    assert [e["text"] for e in full["evidence"]] == ["The staging port is 9090"]
    moved = (
        await api.http.patch(f"/v1/memories/{new['id']}", json={"topic": "ops", "when": "testing"})
    ).json()
    assert (moved["topic"], moved["when"], moved["text"]) == ("ops", "testing", new["text"])
    again = await api.http.patch(f"/v1/memories/{old['id']}", json={"text": "no"})
    assert again.status_code == 409 and moved["id"] in again.json()["error"]["hint"]
    for body in ({}, {"text": "my pin is hunter2-Tango!9"}):
        assert (await api.http.patch(f"/v1/memories/{moved['id']}", json=body)).status_code == 422
    same = await api.http.patch(f"/v1/memories/{moved['id']}", json={"topic": "ops"})
    assert same.json()["id"] == moved["id"]


async def test_what_is_forgotten_does_not_come_back_from_below(api: Api) -> None:
    made = await add(api, "the vault is in the cellar")
    gone = await api.http.delete(f"/v1/memories/{made['id']}")
    assert gone.status_code == 200 and gone.json()["state"] == "retired"
    assert (await get(api, "/v1/memories?q=vault"))["items"] == []
    assert (await api.http.delete(f"/v1/memories/{made['id']}")).status_code == 409
    assert await api.store.read(memories.is_forgotten, "The vault is in the cellar.")
    assert (await add(api, "the vault is in the cellar"))["state"] == "active"


async def test_unknown_ids_are_404(api: Api) -> None:
    for method in ("GET", "PATCH", "DELETE"):
        body = {"text": "x y"} if method == "PATCH" else None
        found = await api.http.request(method, f"/v1/memories/{NOBODY}", json=body)
        assert found.status_code == 404, found.text
    assert (await api.http.post("/v1/dreams/drm_X/undo")).status_code == 404
    assert (await api.http.get("/v1/dreams/drm_X")).status_code == 404


async def test_search_answers_with_memories_and_what_was_said(api: Api) -> None:
    made = await add(api, "Deploys go out on Fridays")
    await add(api, "The cat is called Miso")
    turn = {"text": "we should stop deploying on Fridays", "role": "owner", "observed_at": LONG_AGO}
    await api.post("/v1/memories/import", {"items": [turn]})
    found = await get(api, "/v1/memories?q=when do deploys go out")
    assert found["items"][0]["id"] == made["id"] and found["items"][0]["score"] > 0
    assert [o["text"] for o in found["observations"]] == ["we should stop deploying on Fridays"]


async def test_an_import_is_tried_first_and_taken_once(api: Api) -> None:
    turn = {"role": "owner", "session": "s1", "observed_at": LONG_AGO}
    items = [
        {"text": "Use uv for Python", "topic": "tools"},
        {"text": "the password is hunter2-Tango!9"},
        {**turn, "text": "hello there, how are we"},
        {**turn, "text": "fine, thanks for asking", "role": "assistant"},
    ]
    tried: Row = await api.post("/v1/memories/import", {"items": items, "dry_run": True})
    assert len(tried["added"]) == 1 and tried["turns"] == 2 and tried["refused"][0]["n"] == 1
    assert await ids(api) == []
    done: Row = await api.post("/v1/memories/import", {"items": items})
    assert len(await ids(api)) == 1 and done["turns"] == 2
    again: Row = await api.post("/v1/memories/import", {"items": items})
    assert again["added"] == [] and again["known"] == 3 and again["turns"] == 0


async def test_the_owners_hand_is_taken_over_before_anything_is_answered(api: Api) -> None:
    made = await add(api, "the lights are blue", topic="house")
    await in_files(api)
    path = api.control.home / "memory" / "topics" / "house.md"
    path.write_text(path.read_text().replace("blue", "green"))
    left_alone = time.time() - 100
    os.utime(path, (left_alone, left_alone))
    rows = (await get(api, "/v1/memories?state=active"))["items"]
    assert [(r["text"], r["supersedes"], r["made_by"]) for r in rows] == [
        ("the lights are green", made["id"], "edit")
    ]


async def test_a_dream_reads_as_a_diff_and_is_undone_byte_for_byte(api: Api) -> None:
    def plant(conn: Connection) -> None:
        for text in ("the api port is 8080", "The API port is 8080."):
            new = NewMemory(
                text, "project", "ops", Trust.DAEMON, (), "remember", START, state=MemoryState.ACTIVE
            )
            memories.save(conn, new, Said("assistant"), START)

    await api.store.write(plant)
    before = await picture(api)
    dry: Row = await api.post("/v1/dreams", {"dry_run": True})
    assert [k for k in DREAM if k not in dry] == [] and dry["merged"] == 1
    assert await picture(api) == before and await ids(api, "/v1/dreams") == []
    dream: Row = await api.post("/v1/dreams")
    assert [k for k in DREAM if k not in dream] == []
    assert dream["state"] == "finished" and dream["merged"] == 1 and "8080" in dream["diff"]
    assert len(await ids(api, "/v1/memories?state=active")) == 1
    status = (await get(api, "/v1/status"))["memory"]
    assert status["active"] == 1 and status["last_dream_at"]
    assert await picture(api) != before
    undone: Row = await api.post(f"/v1/dreams/{dream['id']}/undo")
    assert undone["state"] == "undone" and await picture(api) == before
    assert (await api.http.post(f"/v1/dreams/{dream['id']}/undo")).status_code == 409
    second: Row = await api.post("/v1/dreams")
    assert sum(second[k] for k in ("added", "merged", "superseded", "retired")) == 0
    assert await ids(api, "/v1/dreams") == [second["id"], dream["id"]]


async def picture(api: Api) -> list[object]:
    """Rows, index and files, to the byte."""

    def read(conn: Connection) -> list[object]:
        rows = conn.exec_driver_sql("SELECT * FROM memory ORDER BY n").fetchall()
        words = conn.exec_driver_sql("SELECT rowid, * FROM memory_fts ORDER BY rowid").fetchall()
        return [*map(tuple, rows), *map(tuple, words)]

    await in_files(api)
    files = [(p.name, p.read_bytes()) for p in sorted((api.control.home / "memory").rglob("*.md"))]
    return [*await api.store.read(read), *files]


async def test_a_redaction_leaves_nothing(api: Api) -> None:
    await add(api, "the project is called Bluebird-Nine")
    await add(api, "something else")
    await in_files(api)
    done: Row = await api.post("/v1/redact", {"text": "Bluebird-Nine"})
    assert done["rows"] > 0 and done["files"] == 2 and done["left"] == []
    assert "bluebird" not in (await api.http.get("/v1/memories")).text.casefold()
    for path in api.control.home.rglob("*"):
        assert not path.is_file() or b"bluebird" not in path.read_bytes().lower(), path
    assert (await api.http.post("/v1/redact", json={"text": "Bluebird-Nine"})).status_code == 404
    assert (await api.http.post("/v1/redact", json={"text": "a"})).status_code == 422


async def test_status_counts_active_and_candidates(api: Api) -> None:
    await add(api, "one thing")
    await add(api, "another thing")
    found = (await get(api, "/v1/status"))["memory"]
    assert found == {"active": 2, "candidates": 0, "last_dream_at": None}
