"""Words of strangers stay words: nothing the daemon passes on can act on the terminal or change what a line says."""

import json

import pytest
from tests.unit.clawctl.conftest import Run
from tests.unit.clawctl.fake_control import FakeControl, pages
from tests.unit.clawctl.rows import APPROVAL, SENT, STATUS

TITLE = (
    "\x1b]0;owned\x07\x1b[31mred\x1b[0m \u202egnp.exe\u2066\u200f \x9b2J a\x08\x00b\rc \U000e0041\u2028tail"
)
SEEN = "red gnp.exe 2J ab"


def harmless(text: str) -> bool:
    allowed = {"\n", "\t"}
    hidden = {
        *range(0x202A, 0x202F),
        *range(0x2066, 0x206A),
        0x200E,
        0x200F,
        0x2028,
        *range(0xE0000, 0xE0080),
    }
    return all(
        char in allowed or (ord(char) >= 0x20 and not 0x7F <= ord(char) < 0xA0 and ord(char) not in hidden)
        for char in text
    )


@pytest.mark.parametrize(
    ("line", "route", "answer"),
    [
        ("status", "GET /v1/status", {**STATUS, "problems": [TITLE], "version": TITLE, "home": TITLE}),
        ("tasks", "GET /v1/tasks", pages([{"id": "tsk_1", "goal": TITLE, "subject": TITLE}])),
        ("task show x", "GET /v1/tasks/x", {"id": "tsk_1", TITLE: TITLE, "nested": {"a": [TITLE]}}),
        ("approvals", "GET /v1/approvals", pages([{**APPROVAL, "tool": TITLE, "args": {"command": TITLE}}])),
        ("why x", "GET /v1/why/x", {"story": [TITLE]}),
        ("features", "GET /v1/features", {TITLE: True}),
        (
            "doctor",
            "GET /v1/doctor",
            {"items": [{"check": TITLE, "ok": False, "detail": TITLE, "fix": TITLE}]},
        ),
    ],
)
def test_nothing_printed_can_act(
    claw: Run, daemon: FakeControl, line: str, route: str, answer: object
) -> None:
    daemon.routes[route] = answer
    done = claw(*line.split())
    assert "gnp.exe" in done.stdout
    assert harmless(done.stdout) and harmless(done.stderr)


def test_a_cell_stays_a_line(claw: Run, daemon: FakeControl) -> None:
    daemon.routes["GET /v1/signals"] = pages([{"id": "sig_1", "title": f"{TITLE}\nsig_2  a second row"}])
    lines = claw("signals").stdout.splitlines()
    assert len(lines) == 2
    assert SEEN in lines[1]


def test_json_is_plain_ascii_and_keeps_every_character(claw: Run, daemon: FakeControl) -> None:
    daemon.routes["GET /v1/tasks/x"] = {"goal": TITLE + "\ud83d\x7f"}
    printed = claw("task", "show", "x", "--json").stdout
    assert printed.isascii() and printed.rstrip("\n").isprintable()
    assert json.loads(printed) == {"goal": TITLE + "\ud83d\x7f"}


def test_an_answer_and_its_pieces_are_cleaned(claw: Run, daemon: FakeControl) -> None:
    def chat(asked: object, wire: object) -> object:
        daemon.event("turn.finished", {"text": f"{TITLE}\nsecond\ttab", "task": "tsk_1"}, task="tsk_1")
        return SENT | {"session": None}

    daemon.routes["POST /v1/chat"] = chat
    done = claw("chat", "hi")
    assert harmless(done.stdout)
    assert SEEN in done.stdout and "\nsecond\ttab\n" in done.stdout


@pytest.mark.parametrize("answer", [None, [], "text", 5, {"items": 5}, {"items": [1, None]}, {"error": "x"}])
def test_an_answer_of_another_shape_is_survived(claw: Run, daemon: FakeControl, answer: object) -> None:
    daemon.routes |= {"GET /v1/status": answer, "GET /v1/tasks": answer, "GET /v1/cost": answer}
    daemon.routes |= {"GET /v1/features": answer, "GET /v1/doctor": answer, "GET /v1/why/x": answer}
    for line in ("status", "tasks", "cost", "features", "doctor", "why x"):
        done = claw(*line.split())
        assert "unexpected" not in done.stderr and "Traceback" not in done.stderr, line
