"""What only a terminal gets: lines broken between words, and a log without its marks."""

import sys

import pexpect
from tests.unit.clawctl.fake_control import FakeControl, Reply
from tests.unit.clawctl.rows import STATUS

MARK = f"<!-- 12 {'0a' * 16} -->"


def _seen(environment: dict[str, str], *argv: str) -> list[str]:
    child = pexpect.spawn(
        sys.executable, ["-m", "clawctl", *argv], env={**environment, "NO_COLOR": "1"}, dimensions=(30, 60),
        encoding="utf-8", timeout=20,
    )  # fmt: skip
    said = child.read()
    child.close()
    return [line.rstrip("\r") for line in said.split("\n")]


def test_long_lines_break_between_words_and_stay_set_in(
    environment: dict[str, str], daemon: FakeControl
) -> None:
    problem = {
        "message": "GitHub cannot be reached at api.github.com: Name or service not known",
        "hint": "wait",
    }
    daemon.routes["GET /v1/status"] = {**STATUS, "problems": [problem]}
    lines = _seen(environment, "status")
    assert max(map(len, lines)) <= 60
    at = next(n for n, line in enumerate(lines) if line.startswith("  ! GitHub"))
    assert lines[at + 1].startswith("    ") and "known" in lines[at + 1]
    assert " ".join(line.strip() for line in lines[at : at + 2]).startswith(f"! {problem['message']} — wait")


def test_the_log_is_shown_without_the_marks_of_its_chain(
    environment: dict[str, str], daemon: FakeControl
) -> None:
    text = rf"- 08:10:48 set \[github\] owners {MARK}" + "\n"
    daemon.routes["GET /v1/log"] = Reply(text=text, headers={"x-log-date": "2026-11-20"})
    assert _seen(environment, "log")[0] == "- 08:10:48 set [github] owners"
