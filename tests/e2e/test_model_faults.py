"""Every way in which a model service fails: few tries, nothing done by half a reply, said once, and work goes on."""

import signal
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.e2e.conftest import Hatch
from tests.e2e.daemon import Daemon, Json, until
from tests.e2e.homes import standard
from tests.fakes.model_server import (
    Cut,
    ErrorEvent,
    Garbled,
    Gate,
    ModelServer,
    Pace,
    Silence,
    Spent,
    Text,
    ToolUse,
    Turn,
    bad_gateway,
    call,
    context_overflow,
    out_of_money,
    overloaded,
    rate_limited,
    repeated,
    say,
    server_error,
    too_large,
    unauthorized,
    unknown_model,
)
from tests.fakes.model_server.asked import Asked

KEY = {"MODEL_KEY": "test-key"}
FILE = "written-by-the-model"
WRITE = ToolUse("Write", {"file_path": FILE, "content": "x\n"})
HALF = (Text("I will."), WRITE)
PASSING = {
    "rate": rate_limited(),
    "rate-after": rate_limited(0.2),
    "server": server_error(),
    "overloaded": overloaded(),
    "page": bad_gateway(),
    "cut": Turn(HALF, fault=Cut(900)),
    "reset": Turn(HALF, fault=Cut(900, "reset")),
    "error-event": Turn(HALF, fault=ErrorEvent(6)),
    "garbled": Turn(HALF, fault=Garbled(6)),
}
LASTING = {"key": unauthorized(), "name": unknown_model("claude-sonnet-4-5"), "money": out_of_money()}
ASKED_WRONG = {"overflow": context_overflow(), "too-large": too_large()}
BROKEN = {
    "malformed": Turn((ToolUse("Write", raw=f'{{"file_path": "{FILE}", "content": oops}}'),)),
    "truncated": Turn((ToolUse("Write", raw=f'{{"file_path": "{FILE}", "con'),), stop_reason="max_tokens"),
    "deep": Turn((ToolUse("Write", raw="[" * 3000),)),
    "huge": Turn(
        (ToolUse("Write", {"content": "x" * 10_000_000, "file_path": FILE}),),
        pace=Pace(arguments=65_536),
        usage=Spent(100, 8000),
    ),
    "unknown-tool": call("Teleport", {"to": "the moon"}),
    "wrong-types": call("Write", {"file_path": 7, "content": ["x"]}),
}
TWICE = {"twice": repeated(WRITE)}


def stanzas(server: ModelServer, names: list[str]) -> str:
    """A provider and a schedule that uses it for each name, so that one fault does not close another's door."""
    one = """
[providers.p-{0}]
kind = "anthropic"
api_key = {{ env = "MODEL_KEY" }}
base_url = "{1}"
[[schedule]]
name = "{0}"
every = "12h"
prompt = "Do it: {0}."
verdict = "act"
model = "p-{0}/claude-sonnet-4-5"
"""
    own = '[models]\nagent = "p-fine/claude-sonnet-4-5"\n'
    return own + "".join(one.format(name, server.anthropic_url(name)) for name in [*names, "fine"])


def always(turn: Turn):
    return lambda asked: turn


@dataclass
class Storm:
    """One daemon, one provider a fault, one task each, all at rest."""

    daemon: Daemon
    server: ModelServer

    def run(self, name: str) -> None:
        until(lambda: self.daemon.clawctl("schedule", "run", name).code == 0, f"{name} is known")

    def rest(self, seconds: float = 60) -> None:
        def quiet() -> bool:
            status = self.daemon.status
            return not (status["signals_pending"] or status["tasks"]["ready"] or status["tasks"]["running"])

        until(quiet, "every task is at rest", seconds)

    def task(self, name: str) -> Json:
        found = [t for t in self.daemon.items("/v1/tasks") if t["subject"] == f"schedule:{name}"]
        return self.daemon.get(f"/v1/tasks/{found[0]['id']}")

    def calls(self, name: str) -> int:
        return sum(c.asked.lane == name for c in self.server.calls)

    def started(self, name: str) -> int:
        task = self.task(name)["id"]
        return sum(e["kind"] == "tool.started" and e["task"] == task for e in self.daemon.events())

    def wrote(self, name: str) -> bool:
        return (Path(self.task(name)["worktree"]) / FILE).exists()


@pytest.fixture(scope="module")
def storm(hatch_once: Hatch) -> Iterator[Storm]:
    with ExitStack() as stack:
        server = stack.enter_context(ModelServer())
        always_so, once_so = PASSING | LASTING | ASKED_WRONG, BROKEN | TWICE
        for name, turn in always_so.items():
            server.lane(name).policy(always(turn))
        for name, turn in once_so.items():
            server.lane(name).script(turn, say("Fine."))
        names = [*always_so, *once_so]
        storm = Storm(hatch_once(standard(more=stanzas(server, names)), KEY).start(), server)
        for name in names:
            storm.run(name)
        storm.rest()
        yield storm


def test_what_may_pass_is_tried_three_times_and_the_work_waits(storm: Storm) -> None:
    for name in PASSING:
        task = storm.task(name)
        assert storm.calls(name) == 3, name
        assert (task["state"], task["parked_on"]) == ("parked", "models"), name
        assert f"p-{name}" in task["runs"][-1]["stop_reason"]
        assert not storm.wrote(name), "half a reply does nothing"
        assert storm.started(name) == 0
        problems = [p for p in storm.daemon.status["problems"] if p["part"] == f"provider p-{name}"]
        assert len(problems) == 1, "said once"


def test_what_only_the_owner_can_mend_is_asked_once_and_told_once(storm: Storm) -> None:
    for name in (*LASTING, *LASTING):  # more work for the same broken providers
        storm.run(name)
    storm.rest()
    for name in LASTING:
        assert storm.calls(name) == 1, name
        waiting = [t for t in storm.daemon.items("/v1/tasks") if t["subject"] == f"schedule:{name}"]
        assert {(t["state"], t["parked_on"]) for t in waiting} == {("parked", "models")}
        notes = [n for n in storm.daemon.items("/v1/notifications") if f"p-{name} " in n["title"]]
        assert len(notes) == 1, notes
        assert "test-key" not in str(notes)


def test_a_request_that_is_at_fault_is_not_repeated(storm: Storm) -> None:
    for name in ASKED_WRONG:
        task = storm.task(name)
        assert storm.calls(name) == 1, name
        assert task["state"] == "failed"
        assert "new session" in task["result"], "it says what to do"


def test_a_call_that_is_none_does_nothing_and_the_model_hears_why(storm: Storm) -> None:
    for name in BROKEN:
        assert storm.task(name)["state"] == "done", name
        assert storm.calls(name) == 2, name
        assert not storm.wrote(name), name
        last = next(c for c in reversed(storm.server.calls) if c.asked.lane == name)
        [made] = last.asked.made
        assert made.is_error and made.result, name
        assert len(last.asked.raw) < 60_000, "ten megabytes of nonsense are not sent back"


def test_the_same_call_twice_in_one_reply_is_one_call(storm: Storm) -> None:
    assert storm.task("twice")["state"] == "done"
    assert storm.wrote("twice")
    assert storm.started("twice") == 1


def test_the_work_goes_on_when_the_key_is_mended(storm: Storm) -> None:
    """Last of the module: every service recovers, the owner says so with a reload, all that waited is done."""
    for name in PASSING | LASTING:
        storm.server.lane(name).policy(always(say("Fine.")))
    storm.daemon.signal(signal.SIGHUP)
    waited = [t["id"] for t in storm.daemon.items("/v1/tasks") if t["state"] == "parked"]
    assert len(waited) >= len(PASSING | LASTING)

    def done() -> bool:
        rows = {t["id"]: t["state"] for t in storm.daemon.items("/v1/tasks")}
        return all(rows[one] == "done" for one in waited)

    until(done, "all that waited is done", 60)
    assert storm.daemon.status["problems"] == []
    assert storm.server.failures == []
    assert [v for v in storm.server.violations if v.lane not in ("huge",)] == []


# one provider, one daemon each


def config(server: ModelServer, more: str = "") -> str:
    return standard(
        more=f"""
[models]
agent = "anthropic/claude-sonnet-4-5"
[providers.anthropic]
api_key = {{ env = "MODEL_KEY" }}
base_url = "{server.anthropic_url()}"
{more}"""
    )


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer() as running:
        yield running


def order(daemon: Daemon, goal: str) -> str:
    made = daemon.post("/v1/tasks", {"goal": goal})
    return made.get("task") or made["id"]


def state(daemon: Daemon, task: str) -> tuple[str, str | None]:
    row = daemon.get(f"/v1/tasks/{task}")
    return row["state"], row["parked_on"]


def test_a_silent_model_does_not_hold_the_owner(hatch: Hatch, server: ModelServer) -> None:
    gate = Gate()
    server.policy(lambda asked: say("…", fault=Silence(gate, after=2)))
    daemon = hatch(config(server), KEY).start()
    task = order(daemon, "wait for ever")
    gate.arrived()
    assert daemon.clawctl("task", "cancel", task).code == 0
    until(lambda: state(daemon, task)[0] == "cancelled", "it is cancelled", 5)
    server.wait_for(lambda s: s.calls[0].client_left)
    gate.open()


def test_work_stops_at_the_cap_and_goes_on_when_it_is_raised(hatch: Hatch, server: ModelServer) -> None:
    spends = Spent(input=1000, output=20_000)

    def answer(asked: Asked) -> Turn:
        wanted = ("a", "b")[len(asked.made) :]
        return (
            call("Write", {"file_path": wanted[0], "content": "x"}, usage=spends) if wanted else say("Done.")
        )

    server.policy(answer)
    daemon = hatch(config(server, "[budget]\ntask_usd = 0.40\n"), KEY).start()
    task = order(daemon, "write two files")
    until(lambda: state(daemon, task) == ("parked", "budget"), "the cap holds", 20)
    assert len(server.calls) == 1
    notes = [n["title"] for n in daemon.items("/v1/notifications")]
    assert notes == ["Out of budget: task_usd"]
    assert [e["kind"] for e in daemon.events()].count("budget.reached") == 1
    assert daemon.clawctl("config", "set", "budget.task_usd", "5.0").code == 0
    daemon.signal(signal.SIGHUP)
    until(lambda: state(daemon, task)[0] == "done", "it goes on", 20)
    assert len(server.calls) == 3
    assert daemon.get("/v1/cost")["today"]["cost_usd"] == pytest.approx(
        sum(c.cost_usd for c in server.calls), rel=0.01
    )
    server.check()


def test_twenty_turns_are_cheap_and_counted_right(hatch: Hatch, server: ModelServer) -> None:
    """The prefix stays the same to the byte (the server checks it), so nine tenths of the input come from its cache."""
    server.lane(one_prefix=True)
    server.policy(lambda asked: say(f"Answer {asked.n}. " + "It depends on the weather. " * 8))
    daemon = hatch(config(server), KEY).start()
    for n in range(20):
        body = {"text": f"Question {n}: and what about the sea?", "session": "main"}
        task = daemon.post("/v1/chat", body)["task"]
        until(lambda one=task: state(daemon, one)[0] == "done", "the answer", 20)
    used = [c.usage for c in server.calls]
    assert len(used) == 20
    assert used[0].all_input <= 3000, "hello"
    assert sum(u.cache_read for u in used) / sum(u.all_input for u in used) >= 0.9
    today = daemon.status["today"]
    assert today["model_calls"] == 20
    assert today["cost_usd"] == pytest.approx(sum(c.cost_usd for c in server.calls), rel=0.01)
    assert today["output_tokens"] == sum(u.output for u in used)
    assert today["cache_read_tokens"] == sum(u.cache_read for u in used)
    server.check()


def test_a_found_key_spends_nothing_in_a_day_of_events(
    hatch: Hatch, server: ModelServer, tmp_path: Path
) -> None:
    """No config file: 288 beats, signals that ask to act, edits of a watched folder, standing orders, a retry."""
    server.policy(lambda asked: say("Hello."))
    daemon = hatch(None, server.env()).start()
    assert daemon.clawctl("watch", "add", str(tmp_path)).code == 0
    (daemon.home / "ORDERS.md").write_text("Keep the build green.\n")
    daemon.post("/v1/schedules", {"name": "beat", "every": "1s", "prompt": "Look.", "verdict": "act"})
    for n in range(288):
        daemon.post("/v1/signals", {"title": f"beat {n}", "verdict": "act", "prompt": "work on it"})
        if n % 48 == 0:
            (tmp_path / f"edit{n}.py").write_text("x = 1\n")
    task = order(daemon, "do something")
    until(lambda: len(daemon.signals(source="schedule")) >= 2, "the schedule beats", 20)
    until(lambda: daemon.signals(source="file"), "the edit is seen", 20)
    daemon.clawctl("task", "retry", task)
    daemon.settled(60)
    assert server.calls == []
    assert daemon.status["today"]["model_calls"] == 0
    assert daemon.clawctl("chat", "hello").code == 0, "but a chat is answered"
    assert len(server.calls) == 1
