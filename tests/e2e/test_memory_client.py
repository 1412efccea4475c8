"""Memory at the terminal and over the socket: fields, refusals, exit codes, and screens that say what a person asks."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from tests.e2e.conftest import Hatch
from tests.e2e.daemon import Daemon, Json, until
from tests.e2e.homes import standard
from tests.e2e.wire import Unix, ask

NOBODY = "mem_01ARZ3NDEKTSV4RRFFQ69G5FAV"
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


@pytest.fixture(scope="module")
def daemon(hatch_once: Hatch) -> Daemon:
    return hatch_once(standard()).start()


def keep(daemon: Daemon, text: str, **more: str) -> Json:
    return daemon.post("/v1/memories", {"text": text, **more}, (201,))


def test_a_memory_has_the_promised_fields_and_tells_its_event(daemon: Daemon) -> None:
    head, before = daemon.status["event_head"], daemon.status["memory"]
    row = keep(daemon, "The ferry leaves at noon", topic="Harbour", when="planning a trip")
    promised = "id text kind state trust sources topic observed_at created_at supersedes when"
    assert set(promised.split()) <= set(row)
    assert re.fullmatch("mem_[0-9A-HJKMNP-TV-Z]{26}", row["id"]) and row["state"] == "active"
    assert row["topic"] == "harbour" and row["when"] == "planning a trip" and row["trust"] == "OWNER"
    assert TIME.fullmatch(row["observed_at"]) and TIME.fullmatch(row["created_at"])
    newer = daemon.api("PATCH", f"/v1/memories/{row['id']}", {"text": "The ferry leaves at one"}).json
    gone = daemon.api("DELETE", f"/v1/memories/{newer['id']}")
    assert gone.status == 200 and gone.json["state"] == "retired"
    told = [(e["kind"], e["data"]["memory"]) for e in daemon.events(head) if e["kind"].startswith("memory.")]
    assert told == [
        ("memory.added", row["id"]), ("memory.added", newer["id"]),
        ("memory.superseded", row["id"]), ("memory.retired", newer["id"]),
    ]  # fmt: skip
    assert row["sources"][0] in {e["cursor"] for e in daemon.events(head)}
    assert daemon.status["memory"] == before, "one came and went"


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", f"/v1/memories/{NOBODY}", None, 404),
        ("GET", "/v1/memories/../x", None, 404),
        ("PATCH", f"/v1/memories/{NOBODY}", {"text": "some words"}, 404),
        ("DELETE", f"/v1/memories/{NOBODY}", None, 404),
        ("GET", "/v1/dreams/drm_nobody", None, 404),
        ("POST", "/v1/dreams/drm_nobody/undo", None, 404),
        ("GET", f"/v1/why/{NOBODY}", None, 404),
        ("GET", "/v1/why/drm_01ARZ3NDEKTSV4RRFFQ69G5FAV", None, 404),
        ("POST", "/v1/memories", {}, 422),
        ("POST", "/v1/memories", {"text": "   "}, 422),
        ("POST", "/v1/memories", {"text": 5}, 422),
        ("POST", "/v1/memories", ["text"], 422),
        ("POST", "/v1/memories", {"text": "w " * 1500}, 422),
        ("POST", "/v1/memories", {"text": "some words", "colour": "red"}, 422),
        ("POST", "/v1/memories", {"text": "some words", "observed_at": "yesterday"}, 422),
        ("POST", "/v1/memories", {"text": "some words", "observed_at": "2026-02-30T00:00:00Z"}, 422),
        ("POST", "/v1/memories", {"text": "some words", "observed_at": "2999-01-01T00:00:00Z"}, 422),
        ("POST", "/v1/memories", {"text": "the key is AKIAQ7ZJ2LMN4PXR5TVW"}, 422),
        ("POST", "/v1/memories/import", {"items": []}, 422),
        ("POST", "/v1/dreams", {"dry_run": "perhaps"}, 422),
        ("POST", "/v1/redact", {"text": "a"}, 422),
        ("POST", "/v1/redact", {"text": "words that stand nowhere"}, 404),
        ("GET", "/v1/memories?limit=501", None, 422),
        ("GET", "/v1/memories?state=gone", None, 422),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_with_a_reason(
    daemon: Daemon, method: str, path: str, body: object, status: int
) -> None:
    before = daemon.status["memory"]
    answer = daemon.api(method, path, body)
    assert answer.status == status, answer.body
    error = answer.json["error"]
    assert set(error) == {"code", "message", "hint"} and error["code"] and error["message"]
    assert "Value error" not in error["message"]
    assert daemon.status["memory"] == before


def test_a_body_that_is_no_json_is_400(daemon: Daemon) -> None:
    fields = {"Content-Type": "application/json"}
    for path in ("/v1/memories", "/v1/memories/import", "/v1/dreams", "/v1/redact"):
        for raw in (b'{"text": ', b"no json", b'{"text": "\xff"}'):
            answer = ask(Unix(daemon.socket, 10), "POST", path, raw, fields)
            assert answer.status == 400 and answer.code == "malformed", f"{path} {raw!r}: {answer.body!r}"


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("2026-03-01", "2026-03-01T00:00:00.000Z"),
        ("2026-03-01T10:00", "2026-03-01T10:00:00.000Z"),
        ("2026-03-01T10:00:00+02:00", "2026-03-01T08:00:00.000Z"),
        ("2026-03-01T10:00:00.123456Z", "2026-03-01T10:00:00.123Z"),
        ("1960-05-05T00:00:00Z", "1960-05-05T00:00:00.000Z"),
    ],
)
def test_moments_are_understood_as_people_write_them(daemon: Daemon, said: str, kept: str) -> None:
    assert keep(daemon, f"the tide table of {said} is kept", observed_at=said)["observed_at"] == kept


def test_nothing_is_observed_after_now(daemon: Daemon) -> None:
    tomorrow = (datetime.now(UTC) + timedelta(hours=13)).isoformat()
    row = keep(daemon, "The lighthouse is painted white", observed_at=tomorrow)
    assert row["observed_at"] <= datetime.now(UTC).isoformat().replace("+00:00", "Z")
    newer = keep(daemon, "The lighthouse is painted red")
    rows = {r["id"]: r["state"] for r in daemon.items("/v1/memories")}
    assert rows[newer["id"]] == "active", "what is said later holds"


def test_lists_are_filtered_and_say_what_is_not_there(daemon: Daemon) -> None:
    row = keep(daemon, "the attic is cold", topic="Old House")
    listed = daemon.clawctl("memory", "list", "--topic", "Old House")
    assert row["id"] in listed.out and listed.out.count("\n") == 2
    nothing = daemon.clawctl("memory", "list", "--topic", "Moon Base")
    assert nothing.code == 0 and nothing.out == "nothing is remembered under Moon Base\n"
    assert daemon.clawctl("memory", "list", "--limit", "0").code == 2
    newest = daemon.clawctl("memory", "list", "--json", "--limit", "2").json
    assert newest[0]["id"] == row["id"] and len(newest) == 2
    head = listed.out.split("\n")[0].split()
    assert head == ["ID", "TOPIC", "STATE", "FROM", "AGE", "TEXT"]


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (("memory", "show", NOBODY), 4, "`clawctl memory list` lists them"),
        (("memory", "forget", "nope"), 4, "there is no memory nope"),
        (("dream", "undo", "drm_nope"), 4, "`clawctl dreams` lists them"),
        (("memory", "add", ""), 2, "there is no text"),
        (("memory", "add", "x" * 3000), 2, "2000 characters"),
        (("memory", "add", "some words", "--observed-at", "2999-01-01"), 2, "future"),
        (("memory", "edit", NOBODY, "--text", "other words"), 4, "there is no memory"),
        (("memory", "import", "/no/such/folder"), 4, "there is no /no/such/folder"),
        (("redact", "abc"), 2, "too short"),
        (("dream",), 5, "clawctl dream --now"),
    ],
)
def test_a_refusal_is_an_exit_code_and_a_way_out(
    daemon: Daemon, args: tuple[str, ...], code: int, said: str
) -> None:
    ran = daemon.clawctl(*args)
    assert ran.code == code and said in ran.err and ran.out == "", ran.err
    assert "/v1/" not in ran.err


def test_why_tells_where_a_memory_comes_from_and_what_became_of_it(daemon: Daemon) -> None:
    daemon.clawctl("chat", "Remember that the harbour master is called Ines", "--session", "new")
    first = next(r for r in daemon.items("/v1/memories") if "Ines" in r["text"])
    second = daemon.api(
        "PATCH", f"/v1/memories/{first['id']}", {"text": "The harbour master is called Rui"}
    ).json
    old = daemon.clawctl("why", first["id"])
    assert old.code == 0, old.err
    assert "Remember that the harbour master is called Ines" in old.out and "your own word (OWNER)" in old.out
    assert f"{second['id']} took its place" in old.out and "Rui" in old.out
    now = daemon.clawctl("why", second["id"])
    assert f"It took the place of {first['id']}" in now.out and now.out.endswith("It holds now.\n")
    daemon.clawctl("memory", "forget", second["id"])
    assert "You forgot it" in daemon.clawctl("why", second["id"]).out
    answer = daemon.why(second["id"])
    assert answer["kind"] == "memory" and answer["memory"]["state"] == "retired" and answer["signals"] == []


def test_why_tells_what_a_dream_did(daemon: Daemon) -> None:
    keep(daemon, "The canal boat is moored at Lisbon", observed_at="2026-01-05T10:00:00Z")
    keep(daemon, "The canal boat is moored at Lisbon!", topic="boats", observed_at="2026-02-05T10:00:00Z")
    dream = daemon.post("/v1/dreams")
    told = daemon.clawctl("why", dream["id"])
    assert told.code == 0 and "without a model" in told.out and "finished" in told.out
    for line in (line for line in dream["diff"].split("\n") if line.startswith("- ")):
        memory = re.findall(r"\^(mem_\w+)", line)[0]
        assert dream["id"] in daemon.clawctl("why", memory).out


def test_events_of_memory_say_whose_they_are(daemon: Daemon) -> None:
    head = daemon.status["event_head"]
    row = keep(daemon, "the cellar is dry", topic="house")
    dream = daemon.post("/v1/dreams")
    until(lambda: daemon.status["memory"]["last_dream_at"] is not None, "status tells of the dream")
    assert TIME.fullmatch(daemon.status["memory"]["last_dream_at"])
    shown = daemon.clawctl("events", "--after", str(head)).out.splitlines()
    added = next(line for line in shown if "memory.added" in line)
    assert row["id"] in added and "house" in added
    kinds = [
        (e["kind"], e["data"].get("dream")) for e in daemon.events(head) if e["kind"].startswith("dream.")
    ]
    assert kinds == [("dream.started", dream["id"]), ("dream.finished", dream["id"])]
    assert dream["id"] in next(line for line in shown if "dream.finished" in line)


def test_a_dream_has_the_promised_fields(daemon: Daemon) -> None:
    dream = daemon.post("/v1/dreams")
    promised = "id state phases added merged superseded retired kept lost usage diff"
    assert set(promised.split()) <= set(dream)
    assert [p["name"] for p in dream["phases"]] == ["orient", "gather", "consolidate", "verify", "prune"]
    assert daemon.get(f"/v1/dreams/{dream['id']}") == dream
    table = daemon.clawctl("dreams").out.splitlines()
    assert dream["id"] in table[1] and table[0].split()[:4] == ["ID", "STATE", "AGE", "BY"]


def test_a_refused_dream_names_the_command_that_allows_it(daemon: Daemon) -> None:
    daemon.clawctl("features", "dream", "off")
    off = daemon.clawctl("dream", "--now")
    assert off.code == 5 and "`clawctl features dream on`" in off.err
    daemon.clawctl("features", "dream", "on")
    daemon.clawctl("pause")
    paused = daemon.clawctl("dream", "--now")
    assert paused.code == 5 and "`clawctl resume`" in paused.err
    daemon.clawctl("resume")
    assert daemon.clawctl("dream", "--now").code == 0


def test_an_editor_that_leaves_nothing_changes_nothing(daemon: Daemon) -> None:
    row = keep(daemon, "the anchor is heavy")
    for editor, code, said in (
        ("cp /dev/null", 1, "memory forget"), ("false", 1, "nothing was changed"), ("/nope", 1, "set EDITOR"),
        ("true", 0, ""),
    ):  # fmt: skip
        ran = daemon.clawctl("memory", "edit", row["id"], env={"EDITOR": editor})
        assert ran.code == code and said in ran.err, ran.err
    assert daemon.get(f"/v1/memories/{row['id']}")["state"] == "active"
