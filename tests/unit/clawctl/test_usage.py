"""The command line: what is taken, what is refused, and how one is helped."""

import json
from pathlib import Path

import pytest
from tests.unit.clawctl.conftest import Run
from tests.unit.clawctl.fake_control import FakeControl, error
from tests.unit.clawctl.rows import STATUS

USAGE = 2


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["stauts"], "did you mean `clawctl status`?"),
        (["task"], "show, cancel or retry"),
        (["task", "shwo"], "show, cancel or retry"),
        (["task", "show"], "needs ID"),
        (["status", "extra"], "does not take 'extra'"),
        (["status", "--colour"], "unknown option --colour"),
        (["tasks", "--limit"], "--limit needs a value"),
        (["tasks", "--limit", "many"], "whole number"),
        (["tasks", "--limit", "0"], "at least 1"),
        (["log", "yesteryear"], "2026-11-20"),
        (["schedule", "add", "brief me"], "--cron, --every"),
        (["chat", "   "], "nothing to say"),
        (["chat", "hi", "--timeout", "soon"], "--timeout"),
        (["--home"], "--home needs a directory"),
        (["help", "nonsense"], "unknown verb"),
    ],
)
def test_a_wrong_line_leaves_with_2_and_says_what_is_right(claw: Run, argv: list[str], said: str) -> None:
    done = claw(*argv)
    assert (done.returncode, done.stdout) == (USAGE, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("argv", [[], ["help"], ["--help"]])
def test_help_lists_every_verb(claw: Run, argv: list[str]) -> None:
    done = claw(*argv)
    assert done.returncode == 0
    for verb in ("status", "attach", "task retry", "schedule add", "service logs", "restore"):
        assert f"  {verb}" in done.stdout


def test_help_of_one_verb_and_of_a_noun(claw: Run) -> None:
    assert claw("deny", "--help").stdout.startswith("usage: clawctl deny ID [--note TEXT]")
    assert claw("help", "task", "retry").stdout.startswith("usage: clawctl task retry ID")
    assert claw("help", "watch").stdout.count("usage: clawctl watch ") == 3


def test_home_and_json_may_stand_anywhere(claw: Run, daemon: FakeControl) -> None:
    daemon.routes["GET /v1/status"] = STATUS
    home = str(daemon.home)
    for argv in (["--home", home, "--json", "status"], ["status", "--json", f"--home={home}"]):
        assert json.loads(claw(*argv, NIGHTCLAW_HOME="/nowhere").stdout) == STATUS
    assert claw("status", NIGHTCLAW_HOME="/nowhere").returncode == 3


def test_the_default_home_is_dot_nightclaw(claw: Run, home: Path) -> None:
    done = claw("config", "path", NIGHTCLAW_HOME="", HOME=str(home))
    assert done.stdout.strip() == str(home / ".nightclaw" / "config.toml")


def test_after_two_dashes_every_word_is_text(claw: Run, daemon: FakeControl) -> None:
    daemon.routes["POST /v1/chat"] = {"signal": "sig_1", "session": "main", "task": "tsk_1", "cursor": 3}
    assert claw("chat", "--no-wait", "--", "-5", "--json").returncode == 0
    body = daemon.wait_for("POST /v1/chat").body
    assert body and body["text"] == "-5 --json"
    assert claw("chat", "-5").returncode == USAGE


def test_an_id_with_odd_characters_stays_one_segment(claw: Run, daemon: FakeControl) -> None:
    daemon.routes["GET /v1/tasks/../a b?c#ü"] = {"id": "odd"}
    assert json.loads(claw("task", "show", "../a b?c#ü", "--json").stdout) == {"id": "odd"}


def test_a_socket_path_over_the_systems_limit_is_said(claw: Run, home: Path) -> None:
    done = claw("status", "--home", str(home / ("x" * 120)))
    assert done.returncode == 3
    assert "too long" in done.stderr


def test_an_error_cannot_write_lines_of_its_own(claw: Run, daemon: FakeControl) -> None:
    daemon.routes["POST /v1/pause"] = error(409, "no", "one\nclawctl: all is well\x1b[2J", "two\rthree")
    done = claw("pause")
    assert done.stderr == "clawctl: one clawctl: all is well\n  two three\n"
