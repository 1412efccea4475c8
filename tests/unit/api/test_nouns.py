"""What scripts rely on: the keys of every noun, pages without gap or repeat, one shape of refusal."""

import json

import pytest
from tests.unit.api.house import START, Api

from nightclaw.core.trust import Trust
from nightclaw.core.types import SignalDraft, Source
from nightclaw.store import approvals, signals

pytestmark = pytest.mark.anyio

STATUS_KEYS = [
    *("version", "pid", "home", "socket", "ingress", "uptime_s", "health", "problems", "paused"),
    *("last_tick_at", "last_tick_age_s", "models", "sources", "signals_pending", "tasks"),
    *("approvals_pending", "sessions", "today", "budget", "memory", "event_head"),
]
TASK_KEYS = [
    *("id", "kind", "subject", "goal", "state", "parked_on", "trust", "session", "worktree", "branch"),
    *("verified", "created_at", "finished_at", "result", "usage"),
]

NOBODY = "sig_01M7Q5CQG0N3CR2GHQ1V1SHYSJ"


def tick(n: int) -> SignalDraft:
    return SignalDraft(
        Source.TICK, "tick", "tick", f"tick:2026-11-18T{n:02}:00:00Z", f"tick {n}", Trust.DAEMON
    )


async def take(api: Api, draft: SignalDraft) -> str:
    taken = await api.store.write(signals.take_in, signals.prepare(draft), api.house.clock.now_ms())
    return taken.signal_id


async def test_status_has_every_key_of_the_contract(api: Api) -> None:
    await take(api, tick(9))
    api.house.clock.ms += 1500
    found = await api.get("/v1/status")
    assert [k for k in STATUS_KEYS if k not in found] == []
    assert found["health"] == "ok" and found["uptime_s"] == 6.5
    assert found["last_tick_at"] == "2026-11-18T11:06:40.000Z" and found["last_tick_age_s"] == 1.5
    assert found["tasks"] == {"ready": 0, "running": 0, "parked": 0}
    assert found["signals_pending"] == 1 and found["event_head"] == api.store.head.cursor
    assert found["today"] == {
        "model_calls": 0, "input_tokens": 0, "output_tokens": 0, "cache_read_tokens": 0, "cost_usd": 0.0,
        "by_cause": {},
    }  # fmt: skip
    assert found["sources"] == [
        {"name": "ticks", "kind": "tick", "state": "ok", "last_at": "2026-11-18T11:06:40.000Z", "detail": ""}
    ]


async def test_status_is_degraded_while_something_is_wrong(api: Api) -> None:
    api.house.problems.append({"part": "ingress", "message": "the port is busy", "hint": "free it"})
    found = await api.get("/v1/status")
    assert found["health"] == "degraded" and found["problems"] == api.house.problems


async def test_a_list_is_paged_newest_first_without_gap_or_repeat_while_rows_arrive(api: Api) -> None:
    made = []
    for n in range(23):
        api.house.clock.ms += 1
        made.append(await take(api, tick(n)))
    seen: list[object] = []
    after = ""
    while True:
        page = await api.get(f"/v1/signals?limit=5{after}")
        assert isinstance(page["items"], list)
        seen += [row["id"] for row in page["items"]]
        if page["next"] is None:
            break
        after = f"&after={page['next']}"
        api.house.clock.ms += 1
        await take(api, SignalDraft(Source.IDLE, "idle.started", "idle", f"i{after}", "idle", Trust.DAEMON))
    assert seen == made[::-1]


async def test_an_exact_page_has_no_next(api: Api) -> None:
    for n in range(2):
        await take(api, tick(n))
    page = await api.get("/v1/signals?limit=2")
    assert page["next"] is None


@pytest.mark.parametrize(
    "noun", ["signals", "decisions", "tasks", "approvals", "notifications", "sessions", "sent"]
)
async def test_every_list_of_an_empty_home_is_an_empty_page(api: Api, noun: str) -> None:
    assert await api.get(f"/v1/{noun}") == {"items": [], "next": None}


async def test_signal_posted_by_the_owner_is_durable_owned_and_kept_once(api: Api) -> None:
    body = {"title": "Backup failed", "kind": "backup.failed", "subject": "nas", "dedupe_key": "b1"}
    first = await api.post("/v1/signals", body, 202)
    again = await api.post("/v1/signals", body, 200)
    assert again == {"signal": first["signal"], "duplicate": True, "cursor": None}
    rows = (await api.get("/v1/signals"))["items"]
    assert isinstance(rows, list) and len(rows) == 1
    assert rows[0] | {"id": 0} == {
        "id": 0, "source": "hook", "kind": "backup.failed", "subject": "nas", "dedupe_key": "b1",
        "title": "Backup failed", "trust": "OWNER", "state": "pending", "actor": "owner", "repo": None,
        "private": False, "session": None, "created_at": "2026-11-18T11:06:40.000Z", "decision_id": None,
    }  # fmt: skip


async def test_chat_with_the_same_key_is_one_message_in_the_transcript(api: Api) -> None:
    first = await api.post("/v1/chat", {"text": "hello", "key": "k1"}, 202)
    again = await api.post("/v1/chat", {"text": "hello", "key": "k1"}, 202)
    assert (first["signal"], first["task"]) == (again["signal"], again["task"])
    talk = await api.get("/v1/sessions/main")
    said = talk["transcript"]
    assert isinstance(said, list)
    assert [(s["role"], s["text"], s["task"], s["cursor"]) for s in said] == [
        ("user", "hello", first["task"], first["cursor"])
    ]


async def test_snapshot_shows_what_is_open_and_the_head_it_belongs_to(api: Api) -> None:
    chatted = await api.post("/v1/chat", {"text": "hello", "session": "new"}, 202)
    found = await api.get("/v1/snapshot")
    assert found["head"] == api.store.head.cursor
    assert isinstance(found["tasks"], list) and [t["id"] for t in found["tasks"]] == [chatted["task"]]
    assert isinstance(found["sessions"], list) and [s["id"] for s in found["sessions"]] == [
        chatted["session"]
    ]


async def test_a_conversation_can_be_renamed(api: Api) -> None:
    await api.post("/v1/chat", {"text": "hello"}, 202)
    answered = await api.http.patch("/v1/sessions/main", json={"title": "Release"})
    assert answered.json()["title"] == "Release"
    assert (await api.get("/v1/sessions/main"))["title"] == "Release"


async def test_task_keys_cancel_and_the_second_cancel(api: Api) -> None:
    made = await api.post("/v1/tasks", {"goal": "tidy up"}, 202)
    assert [k for k in TASK_KEYS if k not in made] == []
    ended = await api.post(f"/v1/tasks/{made['id']}/cancel")
    assert ended["state"] == "cancelled" and ended["finished_at"] == "2026-11-18T11:06:40.000Z"
    refused = await api.http.post(f"/v1/tasks/{made['id']}/cancel", json={})
    assert refused.status_code == 409 and refused.json()["error"]["code"] == "conflict"
    assert (await api.get("/v1/tasks?state=cancelled"))["items"] == [ended]
    assert (await api.get("/v1/tasks?state=ready"))["items"] == []


async def test_the_second_answer_to_an_approval_is_refused_with_who_was_first(api: Api) -> None:
    made = await api.post("/v1/tasks", {"goal": "push"}, 202)
    asked = await api.store.write(
        lambda conn: approvals.request(
            conn,
            approvals.Question("proposal", str(made["id"]), str(made["session"]), {"goal": "push"}, "d1"),
            START,
        )
    )
    held = (await api.get("/v1/approvals?state=pending"))["items"]
    assert isinstance(held, list) and held[0]["facts"] == {"goal": "push"} and held[0]["digest"] == "d1"
    given = await api.post(f"/v1/approvals/{asked}", {"decision": "allow", "digest": "d1"})
    assert given["state"] == "granted" and given["resolved_at"] == "2026-11-18T11:06:40.000Z"
    second = await api.http.post(f"/v1/approvals/{asked}", json={"decision": "deny"})
    assert second.status_code == 409 and "granted" in second.json()["error"]["message"]
    assert "at 2026-11-18T11:06:40.000Z" in second.json()["error"]["message"]


async def test_mutes_end_when_their_time_is_over(api: Api) -> None:
    made = await api.post("/v1/mutes", {"what": "octo/app", "for": "1d"})
    assert made["until_at"] == "2026-11-19T11:06:40.000Z"
    assert (await api.get("/v1/mutes"))["items"] == [made]
    api.house.clock.ms += 86_400_001
    assert (await api.get("/v1/mutes"))["items"] == []


async def test_pause_and_features_answer_what_holds_now(api: Api) -> None:
    assert await api.post("/v1/pause") == {"paused": True}
    assert (await api.get("/v1/status"))["paused"] is True
    assert await api.post("/v1/resume") == {"paused": False}
    switched = await api.http.patch("/v1/features", json={"dream": False})
    assert switched.json()["items"] == [{"name": "dream", "on": False, "origin": "api", "what": ""}]
    for wrong, status in (({"magic": True}, 404), ({"dream": "yes"}, 422), ({}, 422)):
        assert (await api.http.patch("/v1/features", json=wrong)).status_code == status


async def test_schedule_rows_show_their_own_words_and_config_rows_are_not_removed(api: Api) -> None:
    made = await api.post(
        "/v1/schedules", {"name": "brief", "cron": "0 8 * * 1-5", "prompt": "Brief me"}, 201
    )
    assert (made["name"], made["cron"], made["prompt"], made["origin"]) == (
        "brief",
        "0 8 * * 1-5",
        "Brief me",
        "api",
    )
    refused = await api.http.delete("/v1/schedules/brief")
    assert refused.status_code == 409 and refused.json()["error"]["hint"] == "change it there"
    assert (await api.http.delete("/v1/schedules/nope")).status_code == 404


async def test_rules_test_takes_a_span_or_a_day(api: Api) -> None:
    told = await api.post("/v1/rules/test", {"since": "2d"})
    assert told["since"] == "2026-11-16T11:06:40.000Z" and api.house.rules_since == START - 2 * 86_400_000
    assert told["told"] == [{"signal": "sig_X", "at": "2026-11-18T11:06:40.000Z"}]
    assert (await api.post("/v1/rules/test", {"since": "2026-11-01"}))["since"] == "2026-11-01T00:00:00.000Z"
    assert (await api.http.post("/v1/rules/test", json={"since": "soon"})).status_code == 400
    assert (await api.http.post("/v1/rules/test")).status_code == 200


async def test_log_is_the_file_from_an_offset_on(api: Api) -> None:
    assert (await api.http.get("/v1/log")).status_code == 404
    for date in ("2026-10-31", "2026-11-02"):
        folder = api.control.home / "logs" / date[:4] / date[5:7]
        folder.mkdir(parents=True)
        (folder / f"{date}.md").write_text(f"# {date}\nzwölf\n", encoding="utf-8")
    newest = await api.http.get("/v1/log")
    assert newest.text == "# 2026-11-02\nzwölf\n" and newest.headers["x-log-date"] == "2026-11-02"
    assert newest.headers["content-type"].startswith("text/markdown")
    rest = await api.http.get("/v1/log?date=2026-10-31&offset=13")
    assert rest.text == "zwölf\n" and rest.headers["x-log-size"] == "20"
    for path in ("/v1/log?date=../../../etc/passwd", "/v1/log?date=2026-11-2"):
        assert (await api.http.get(path)).status_code == 422
    assert (await api.http.get("/v1/log?date=2026-11-03")).status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("GET", "/v1/nothing", None, 404, "not_found"),
        ("GET", "/v1/nothing/at/all", None, 404, "not_found"),
        ("GET", "/docs", None, 404, "not_found"),
        ("GET", "/", None, 404, "not_found"),
        ("POST", "/v1/sessions/main/compact", {}, 404, "not_found"),
        ("DELETE", "/v1/status", None, 405, "method_not_allowed"),
        ("GET", "/v1/tasks/tsk_0", None, 404, "not_found"),
        ("GET", "/v1/why/sig_0", None, 404, "not_found"),
        ("GET", f"/v1/why/{NOBODY}", None, 404, "not_found"),
        ("GET", "/v1/sessions/main", None, 404, "not_found"),
        ("POST", "/v1/tasks/tsk_0/cancel", {}, 404, "not_found"),
        ("POST", "/v1/tasks/tsk_0/undo", {}, 404, "not_found"),
        ("GET", "/v1/signals?limit=501", None, 422, "invalid"),
        ("GET", "/v1/signals?limit=0", None, 422, "invalid"),
        ("GET", "/v1/events?limit=1001", None, 422, "invalid"),
        ("GET", "/v1/events?after=-1", None, 422, "invalid"),
        ("GET", "/v1/events?after=99999999999999999999999", None, 422, "invalid"),
        ("GET", "/v1/tasks?state=asleep", None, 422, "invalid"),
        ("POST", "/v1/chat", {}, 422, "invalid"),
        ("POST", "/v1/chat", {"text": ""}, 422, "invalid"),
        ("POST", "/v1/chat", {"text": "x" * 200_001}, 422, "invalid"),
        ("POST", "/v1/chat", {"text": "hi", "session": "a/b"}, 422, "invalid"),
        ("POST", "/v1/chat", [1], 422, "invalid"),
        ("POST", "/v1/signals", {"source": "sms"}, 422, "invalid"),
        ("POST", "/v1/mutes", {"what": "x", "for": "soon"}, 400, "invalid"),
        ("POST", "/v1/approvals/apr_0", {"decision": "maybe"}, 422, "invalid"),
    ],
)
async def test_refusals_have_one_shape(
    api: Api, method: str, path: str, body: object, status: int, code: str
) -> None:
    found = await api.http.request(method, path, json=body)
    assert found.status_code == status, found.text
    error = found.json()["error"]
    assert sorted(error) == ["code", "hint", "message"] and error["code"] == code and error["message"]


async def test_an_unknown_field_is_named(api: Api) -> None:
    found = await api.http.post("/v1/chat", json={"text": "hi", "sesion": "main"})
    assert found.status_code == 422 and found.json()["error"]["message"] == "sesion: no such field"


async def test_a_body_that_is_not_json_or_too_large_is_refused_in_the_same_shape(api: Api) -> None:
    broken = await api.http.post("/v1/chat", content=b"{nope", headers={"content-type": "application/json"})
    assert broken.status_code == 400 and broken.json()["error"]["code"] == "malformed"
    huge = await api.http.post("/v1/chat", json={"text": "x" * 3_000_000})
    assert huge.status_code == 413 and huge.json()["error"]["code"] == "too_large"


async def test_json_without_a_content_type_is_read(api: Api) -> None:
    found = await api.http.post("/v1/chat", content=b'{"text": "hi"}')
    assert found.status_code == 202


@pytest.mark.parametrize(
    "text", ["\x00\x1b[2J\u202e\u2028 evil", "'; DROP TABLE signal; --", "𝔘" * 500, "\\ud800"]
)
async def test_hostile_text_comes_back_as_it_was_or_is_refused(api: Api, text: str) -> None:
    body = json.dumps({"text": text}).replace("\\\\ud800", "\\ud800").encode()
    found = await api.http.post("/v1/chat", content=body, headers={"content-type": "application/json"})
    if "ud800" in text:
        assert found.status_code == 422
        return
    assert found.status_code == 202
    talk = await api.get("/v1/sessions/main")
    assert isinstance(talk["transcript"], list) and talk["transcript"][0]["text"] == text


async def test_a_store_that_is_closing_is_503_with_retry_after_and_status_still_answers(api: Api) -> None:
    await api.store.close()
    found = await api.http.post("/v1/chat", json={"text": "hi"})
    assert found.status_code == 503 and found.headers["retry-after"] == "1"
    assert found.json()["error"]["code"] == "stopping"


async def test_openapi_names_every_call_with_its_fields(api: Api) -> None:
    page = await api.get("/v1/openapi.json")
    paths, parts = page["paths"], page["components"]
    assert isinstance(paths, dict) and isinstance(parts, dict)
    assert "/v1/chat" in paths and "/v1/memories" in paths and "/v1/nothing" not in paths
    status = parts["schemas"]["Status"]
    assert set(STATUS_KEYS) <= set(status["required"])
    assert status["properties"]["last_tick_at"] == {"anyOf": [{"type": "string"}, {"type": "null"}]}
    chat = paths["/v1/chat"]["post"]
    assert list(chat["responses"]) == ["202", "default"]


async def test_metrics_count_what_happened_since_the_start_once(api: Api) -> None:
    await take(api, tick(1))
    for _ in range(2):
        text = (await api.http.get("/metrics")).text
        assert "nightclaw_up 1\n" in text
        assert 'nightclaw_signals{state="pending"} 1\n' in text
        assert 'nightclaw_signals_total{source="tick"} 1\n' in text
        assert 'nightclaw_loop_age_seconds{loop="initiative"} 0.25\n' in text
        assert all(line.startswith("#") or len(line.rsplit(" ", 1)) == 2 for line in text.splitlines())
