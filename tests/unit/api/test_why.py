"""`why` is told from rows: what came in, who judged, what followed, or why nothing did, for every id we hand out."""

from datetime import UTC

import pytest
from sqlalchemy import Connection, insert, update
from tests.unit.api.house import START, Api

from nightclaw.core.ids import new_id
from nightclaw.core.states import ApprovalState, NotificationState, RunState, TaskState
from nightclaw.core.trust import Trust
from nightclaw.core.types import NoteDraft, SignalDraft, Source
from nightclaw.store import approvals, effects, events, notifications, runs, schema, settings, signals, tasks
from nightclaw.store.db import Store
from nightclaw.store.why import why

pytestmark = pytest.mark.anyio


def took(
    conn: Connection,
    title: str = "octo/app#5 labeled nightclaw",
    source: Source = Source.GITHUB,
    key: str = "k",
) -> str:
    draft = SignalDraft(
        source, "issues.labeled", "octo/app#5", key, title, Trust.WORLD, actor="octocat", repo="octo/app"
    )
    return signals.take_in(conn, signals.prepare(draft), START).signal_id


def decided(conn: Connection, signal_ids: list[str], **values: object) -> str:
    row: dict[str, object] = {
        "id": new_id("dec", START + 1000),
        "verdict": "record",
        "reason": "a stranger's label",
        "rule": "default.labels",
        "floor": "record",
        "cap": "record",
        "policy_version": "v1",
        "presence": "away",
        "facts": "[]",
        "usage": "{}",
        "shadow": False,
        "task_id": None,
        "notification_id": None,
        "created_at": START + 1000,
        **values,
    }
    signals.decide(conn, row, signal_ids)
    return str(row["id"])


def noted(
    conn: Connection, state: NotificationState, decision_id: str | None, key: str = "n1", **values: object
) -> str:
    note = NoteDraft("main is red", "octo/app: tests fail", key, "octo/app", "ci")
    note_id = notifications.queue(conn, note, now=START + 1000, decision_id=decision_id)
    table = schema.notification
    conn.execute(update(table).where(table.c.id == note_id).values(state=str(state), **values))
    return note_id


async def told(store: Store, row_id: str) -> str:
    found = await store.read(why, row_id, now=START + 60_000, tz=UTC)
    story = found["story"]
    assert isinstance(story, list) and len(story) <= 16
    return "\n".join(str(line) for line in story)


async def test_a_waiting_signal_says_what_it_waits_for(store: Store) -> None:
    sig = await store.write(took)
    said = await told(store, sig)
    assert "At 2026-11-18 11:06:40 GitHub brought issues.labeled about octo/app#5 by octocat" in said
    assert "(WORLD)" in said and "It is not decided yet" in said
    await store.write(settings.put, settings.PAUSED, START)
    assert "proactive work is paused since 2026-11-18 11:06:40" in await told(store, sig)


async def test_a_recorded_signal_names_the_rule_the_cost_and_why_nothing_followed(store: Store) -> None:
    sig = await store.write(took)
    dec = await store.write(decided, [sig])
    for row_id in (sig, dec):
        said = await told(store, row_id)
        assert (
            "“default.labels” judged it (only record was possible); the verdict is record: a stranger's label"
            in said
        )
        assert "No model was asked to judge it; that cost nothing." in said
        assert "Nothing followed but a line in the log" in said
    full = await store.read(why, dec, now=START, tz=UTC)
    assert full["kind"] == "decision" and isinstance(full["decision"], dict)
    assert full["decision"]["signal_ids"] == [sig] and full["task"] is None


async def test_a_model_asked_is_named_with_its_tokens_and_a_limit_that_held_it_down(store: Store) -> None:
    usage = events.dumps(
        {"model": "anthropic/x", "input_tokens": 300, "output_tokens": 20, "cost_usd": 0.0012}
    )
    facts = events.dumps([{"key": "ci:octo/app:main", "title": "main", "was": "green", "value": "red"}])
    sig = await store.write(took)
    dec = await store.write(
        decided, [sig], floor="notify", cap="act", verdict="record", usage=usage, facts=facts
    )
    said = await told(store, dec)
    assert "anthropic/x was asked: 300 tokens in, 20 out, $0.0012." in said
    assert "a limit held it down to record" in said
    assert "What had changed: main (was green, now red)." in said
    cost = (await store.read(why, dec, now=START, tz=UTC))["cost"]
    assert isinstance(cost, dict) and cost["input_tokens"] == 300


@pytest.mark.parametrize(
    ("state", "values", "sentence"),
    [
        (NotificationState.SENT, {"sent_at": START + 2000}, "was sent at 2026-11-18 11:06:42"),
        (NotificationState.HELD, {"reason": "quiet hours"}, "is held for the next digest: quiet hours"),
        (NotificationState.MUTED, {"reason": "muted: octo/app"}, "was not sent: muted: octo/app"),
        (NotificationState.SHADOW, {}, "shadow mode only reports"),
        (NotificationState.KEPT, {}, "no destination is set"),
        (NotificationState.FAILED, {"attempts": 3, "error": "500"}, "after 3 attempts: 500"),
        (NotificationState.FOLDED, {"folded_into": "ntf_D"}, "was told inside ntf_D"),
        (NotificationState.UNKNOWN, {}, "may have been sent"),
        (NotificationState.QUEUED, {}, "waits to be sent"),
    ],
)
async def test_a_note_says_where_it_stands(
    store: Store, state: NotificationState, values: dict[str, object], sentence: str
) -> None:
    def write(conn: Connection) -> tuple[str, str]:
        sig, dec = took(conn), new_id("dec", START)
        note = noted(conn, state, dec, "n1", **values)
        return decided(conn, [sig], id=dec, verdict="notify", cap="notify", notification_id=note), note

    dec, note = await store.write(write)
    for row_id in (dec, note):
        said = await told(store, row_id)
        assert sentence in said and "GitHub brought" in said and said.count(note) == 1


async def test_a_second_decision_about_the_same_thing_says_it_was_told_already(store: Store) -> None:
    def write(conn: Connection) -> str:
        first, second = new_id("dec", START), new_id("dec", START + 5)
        note = noted(conn, NotificationState.SENT, first, sent_at=START)
        decided(conn, [took(conn)], id=first, verdict="notify", notification_id=note)
        return decided(conn, [took(conn, key="k2")], id=second, verdict="notify", notification_id=note)

    assert "You had been told already, so no second note was made" in await told(
        store, await store.write(write)
    )


async def test_a_note_of_the_daemon_itself_says_so_and_its_delivery_is_shown(store: Store) -> None:
    def write(conn: Connection) -> str:
        note = noted(conn, NotificationState.SENT, None, key="test:1", sent_at=START)
        eff = effects.line_up(
            conn, kind="notify", target="ntfy", idem_key=f"{note}:0", repeat="once", now=START
        )
        assert effects.begin(conn, eff, 41)
        return note

    said = await told(store, await store.write(write))
    assert "The daemon made this note itself" in said and "(41 bytes) is on its way to ntfy" in said


def worked(conn: Connection) -> dict[str, str]:
    """A labelled issue from signal to answer: every id on the way."""
    sig, dec = took(conn), new_id("dec", START + 500)
    session = tasks.ensure_session(conn, "new", "Fix the build", START)
    new = tasks.NewTask(
        "t1", "work", "octo/app#5", "Fix the build", session, TaskState.READY, Trust.WORLD, decision_id=dec
    )
    tsk, _ = tasks.create(conn, new, START)
    tasks.inbox_add(conn, tsk, "Fix it", sig, START)
    decided(conn, [sig], id=dec, verdict="act", floor="act", cap="act", task_id=tsk)
    claim = runs.claim_next(conn, ["work"], 1, "offline", START + 1000)
    assert claim is not None
    stp = runs.save_step(
        conn,
        claim,
        request_digest="d",
        user_content=[{"type": "text", "text": "Fix it"}],
        response=[{"type": "text", "text": "Done"}, {"type": "tool_use", "id": "x"}],
        usage={"input_tokens": 5},
        text="Done",
        now=START + 2000,
    )
    tasks.mark_read(conn, tsk, 1, START + 2000)
    apr = approvals.request(conn, approvals.Question("call", tsk, session, {}, "d"), START + 2500)
    approvals.resolve(
        conn, apr, ApprovalState.GRANTED, by="octocat", note="", now=START + 3000, session=session
    )
    eff = effects.line_up(
        conn, kind="push", target="origin", idem_key="b1", repeat="keyed", now=START + 3500, task=tsk
    )
    runs.end(conn, claim.run_id, RunState.COMPLETED, "end_turn", START + 4000)
    held = tasks.get(conn, tsk)
    assert held is not None and tasks.finish(conn, held, TaskState.DONE, "fixed", START + 4000)
    ids = {"sig": sig, "dec": dec, "tsk": tsk, "run": claim.run_id, "stp": stp, "apr": apr, "eff": eff}
    return {**ids, "ses": session}


async def test_every_id_of_a_piece_of_work_tells_the_same_story(store: Store) -> None:
    ids = await store.write(worked)
    for prefix in ("sig", "dec", "tsk", "run", "stp", "apr", "eff"):
        said = await told(store, ids[prefix])
        for sentence in (
            "GitHub brought issues.labeled",
            "the verdict is act",
            "“Fix the build”",
            "Run 1 with offline at 2026-11-18 11:06:41: completed (end_turn), 1 step.",
            "it was granted by octocat at 2026-11-18 11:06:43",
            "Effect push (0 bytes) waits for origin: not tried yet.",
            "The task is done at 2026-11-18 11:06:44: “fixed”",
        ):
            assert sentence in said, (prefix, sentence, said)
    assert "Conversation “Fix the build”" in await told(store, ids["ses"])
    assert f"{ids['tsk']} (work, done)" in await told(store, ids["ses"])


async def test_a_schedule_tells_its_last_firings(store: Store) -> None:
    def write(conn: Connection) -> str:
        sch = new_id("sch", START)
        row = {
            "id": sch,
            "name": "brief",
            "origin": "config",
            "spec": "{}",
            "next_at": START + 9000,
            "created_at": START,
        }
        conn.execute(insert(schema.schedule).values(row))
        for slot in ("2026-11-17T08:00:00Z", "2026-11-18T08:00:00Z"):
            took(conn, f"brief {slot}", Source.SCHEDULE, f"{sch}:{slot}")
        took(conn, "another's", Source.SCHEDULE, f"{new_id('sch', START)}:2026-11-18T08:00:00Z")
        return sch

    sch = await store.write(write)
    said = await told(store, sch)
    assert "Schedule brief (config): next at 2026-11-18 11:06:49." in said and "It also came due" in said
    rows = (await store.read(why, sch, now=START, tz=UTC))["signals"]
    assert isinstance(rows, list) and [r["title"] for r in rows] == [
        "brief 2026-11-18T08:00:00Z",
        "brief 2026-11-17T08:00:00Z",
    ]


async def test_strangers_text_is_plain_wherever_it_stands(store: Store) -> None:
    evil = "\x1b[2J\x1b]0;owned\x07approve\u202egnp.exe\u200b\r\nsecond\x00"

    def write(conn: Connection) -> str:
        sig = took(conn, evil)
        return decided(conn, [sig], reason=evil, rule=evil, facts=events.dumps([{"title": evil, evil: 1}]))

    found = await store.read(why, await store.write(write), now=START, tz=UTC)

    def texts(value: object) -> list[str]:
        if isinstance(value, dict):
            return [t for k, v in value.items() for t in (k, *texts(v))]
        if isinstance(value, list):
            return [t for v in value for t in texts(v)]
        return [value] if isinstance(value, str) else []

    every = texts(found)
    assert any("approvegnp.exe second" in t for t in every)
    assert all(t.isprintable() for t in every)


async def test_the_owners_own_words_are_told_as_such(api: Api) -> None:
    said = await api.post("/v1/chat", {"text": "why is main red?", "session": "main"}, 202)
    lines = (await api.get(f"/v1/why/{said['signal']}"))["story"]
    assert isinstance(lines, list)
    assert lines[0].startswith(
        "At 2026-11-18 11:06:40 you wrote in the conversation main: “why is main red?”"
    )
    told_of = await api.post("/v1/signals", {"title": "Disk full", "kind": "disk", "subject": "nas"}, 202)
    lines = (await api.get(f"/v1/why/{told_of['signal']}"))["story"]
    assert isinstance(lines, list) and "you told the daemon of disk about nas: “Disk full”" in lines[0]


async def test_many_signals_in_one_decision_are_counted_and_few_are_told(store: Store) -> None:
    def write(conn: Connection) -> str:
        return decided(conn, [took(conn, f"signal {n}", key=f"k{n}") for n in range(80)])

    said = await told(store, await store.write(write))
    assert "80 signals about octo/app#5 were decided together." in said and said.count("GitHub brought") == 3


async def test_over_the_wire_why_answers_in_its_shape(api: Api) -> None:
    ids = await api.store.write(worked)
    found = await api.get(f"/v1/why/{ids['dec']}")
    assert {
        "id",
        "kind",
        "story",
        "signals",
        "decision",
        "task",
        "runs",
        "approvals",
        "effects",
        "cost",
    } <= set(found)
    assert isinstance(found["runs"], list) and found["runs"][0]["steps"] == 1
    talk = await api.get(f"/v1/sessions/{ids['ses']}")
    said = talk["transcript"]
    assert isinstance(said, list)
    assert [(s["role"], s["text"], s["cursor"] is not None) for s in said] == [
        ("user", "Fix it", False),
        ("assistant", "Done", True),
    ]
