"""Bash: what the model reads of a command's end, and that nothing runs without a wall."""

import json
from collections.abc import Awaitable
from pathlib import Path

import pytest
from tests.fakes.toolbox import House, build, call, context

from nightclaw.core.errors import Refused
from nightclaw.core.tools import Command, Ran, Redo, ToolContext, Workspace
from nightclaw.tools import bash, edit, glob, grep, read, write

pytestmark = pytest.mark.anyio

BASH = bash.build({}, {})


class Scripted:
    """A wall that answers what it is told to."""

    why_not: str | None = None

    def __init__(self, answer: Ran | Refused) -> None:
        self.answer = answer
        self.asked: list[Command] = []

    def run(self, command: Command, workspace: Workspace) -> Awaitable[Ran]:
        return self._run(command)

    async def _run(self, command: Command) -> Ran:
        self.asked.append(command)
        if isinstance(self.answer, Refused):
            raise self.answer
        return self.answer


def ctx(answer: Ran | Refused) -> tuple[ToolContext, Scripted]:
    wall = Scripted(answer)
    return context(Workspace(Path("/w")), wall), wall


@pytest.mark.parametrize(
    ("ran", "text", "is_error"),
    [
        (Ran(0, "fine\n"), "fine", False),
        (Ran(0, ""), "(no output)", False),
        (Ran(2, "oh\n"), "oh\n[exit code 2]", True),
        (Ran(127, ""), "[exit code 127]", True),
        (Ran(None, "half", timed_out=True), "half\n[no end after 120 s: ", True),
        (Ran(None, "x\n[ended: it printed more than 100 MB]"), "[it was ended]", True),
        (Ran(0, "\x1b[31mred\x1b[0m \x1b]0;title\x07\x07done\x9b"), "red done", False),
        (Ran(0, " 10%\r 50%\r100%\nnext\r\n"), "100%\nnext", False),
    ],
)
async def test_output_and_end_are_told(ran: Ran, text: str, is_error: bool) -> None:
    context_, wall = ctx(ran)
    result = await call(BASH, context_, command="do it", description="does it")
    assert text in result.text and result.is_error is is_error
    assert wall.asked == [Command(("bash", "-c", "do it"), Path("/w"), 120.0, bash.SHOWN_BYTES)]
    assert not wall.asked[0].network


async def test_times_are_milliseconds_and_bounded() -> None:
    for given, seconds in ((1500, 1.5), (600_000, 600.0), (9_000_000, 600.0), ("2000", 2.0)):
        context_, wall = ctx(Ran(0, ""))
        await call(BASH, context_, command="x", timeout=given)
        assert wall.asked[0].timeout_s == seconds


async def test_nothing_runs_without_a_wall_or_a_command() -> None:
    walled, wall = ctx(Ran(0, "ran"))
    for args in (
        {},
        {"command": ""},
        {"command": " "},
        {"command": "a\0b"},
        {"command": ["ls"]},
        {"command": "x" * 200_000},
    ):
        assert (await call(BASH, walled, **args)).is_error
    background = await call(BASH, walled, command="x", run_in_background=True)
    assert background.is_error and "run_in_background" in background.text
    wall.why_not = "bubblewrap is not installed: sudo apt install bubblewrap"
    result = await call(BASH, walled, command="ls")
    assert result.is_error and "apt install bubblewrap" in result.text and "Edit" in result.text
    assert wall.asked == []
    refused, _ = ctx(Refused("commands are not run in /home/me", "work in a project's directory"))
    result = await call(BASH, refused, command="ls")
    assert (
        result.is_error and result.text == "commands are not run in /home/me. Work in a project's directory."
    )
    assert BASH.spec.redo is Redo.ONCE


@pytest.fixture
def house(tmp_path: Path) -> House:
    return build(tmp_path)


async def test_a_real_command_in_a_real_wall(house: House) -> None:
    wall = house.wall()
    if wall.why_not:
        pytest.skip(wall.why_not)
    result = await call(
        BASH, context(house.workspace, wall), command="cat a.py | wc -l; git status --short; exit 3"
    )
    assert result.text == "1\n[exit code 3]" and result.data == {"exit_code": 3, "timed_out": False}


def test_the_six_tools_cost_few_tokens() -> None:
    specs = [module.SPEC.as_json() for module in (bash, edit, glob, grep, read, write)]
    assert len(json.dumps(specs, separators=(",", ":"))) < 2600, "about four characters a token"
