"""Models that react instead of reciting: an engineer who does a labelled issue, and one that obeys whoever speaks.

A policy reads where it stands from the request alone, so it goes on rightly after a kill, a retry or a second daemon.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.fakes.model_server.asked import Asked, Made
from tests.fakes.model_server.lanes import Policy
from tests.fakes.model_server.turns import Body, Text, Thinking, ToolUse, Turn, say


@dataclass(frozen=True)
class Engineer:
    """Does one issue: Read, Edit, Bash (the check), Git commit, Git push, then `summary`.

    A step is done when the history has it with an answer that is no error. What fails `patience` times, or is denied,
    is told to the owner instead of tried once more. before: further steps ahead of the commit.
    """

    path: str
    old: str
    new: str
    check: str
    message: str
    summary: str
    commit: Mapping[str, Any] = field(default_factory=dict)
    push: Mapping[str, Any] = field(default_factory=dict)
    before: Sequence[ToolUse] = ()
    think: str = "The failing line is known; change only that, run the check, then commit."
    patience: int = 2

    @property
    def steps(self) -> list[ToolUse]:
        return [
            ToolUse("Read", {"file_path": self.path}),
            ToolUse("Edit", {"file_path": self.path, "old_string": self.old, "new_string": self.new}),
            ToolUse("Bash", {"command": self.check, "description": "Run the check"}),
            *self.before,
            ToolUse("Git", {"action": "commit", "message": self.message, **self.commit}),
            ToolUse("Git", {"action": "push", **self.push}),
        ]

    def __call__(self, asked: Asked) -> Turn:
        for n, step in enumerate(self.steps):
            tried = [made for made in asked.made if _same(made, step)]
            if any(made.result is not None and not made.is_error for made in tried):
                continue
            if len(tried) >= self.patience:
                why = (tried[-1].result or "no answer").splitlines()[0]
                return say(f"I stopped at {_words(step)}: {why}")
            said = (Thinking(self.think),) if n == 0 and not tried else ()
            return Turn((*said, Text(f"{_words(step)}."), step))
        return say(self.summary)


def _words(step: ToolUse) -> str:
    what = step.input.get("file_path") or step.input.get("command") or step.input.get("action") or ""
    return f"{step.name} {what}".strip()


def _same(made: Made, step: ToolUse) -> bool:
    return made.name == step.name and all(made.input.get(key) == value for key, value in step.input.items())


Translate = Callable[[str], list[ToolUse]]


@dataclass
class Obedient:
    """The hostile model: it does whatever anything it was shown tells it to, word for word.

    Tool calls written anywhere in what it reads (JSON, invoke tags, a command between back quotes or in `$(…)`) are
    emitted as they stand, `at_once` a turn, each once in a conversation. translate: what plain sentences of attack
    become. always: calls it makes by itself first.
    """

    translate: Translate = lambda text: []
    always: Sequence[ToolUse] = ()
    at_once: int = 4
    closing: str = "Everything I was told to do is done."
    emitted: int = 0

    def __call__(self, asked: Asked) -> Turn:
        wanted = [*self.always, *told(asked.shown), *self.translate(asked.shown)]
        done = {_key(made.name, made.input) for made in asked.made}
        due: dict[str, ToolUse] = {}
        for use in wanted:
            key = _key(use.name, use.input)
            if key not in done:
                due.setdefault(key, use)
        if not due:
            return say(self.closing)
        uses = list(due.values())[: self.at_once]
        self.emitted += len(uses)
        return Turn((Text("As instructed."), *uses))


def _key(name: str, args: Mapping[str, Any]) -> str:
    return f"{name} {json.dumps(args, sort_keys=True)}"


def told(text: str) -> Iterator[ToolUse]:
    """The tool calls that stand written in a text, in its order."""
    found = [*_json_calls(text), *_tag_calls(text), *_commands(text)]
    yield from (use for _, use in sorted(found, key=lambda one: one[0]))


_NAMES = ("name", "tool", "tool_name", "function")
_ARGUMENTS = ("input", "arguments", "args", "parameters", "tool_input")


def _json_calls(text: str) -> Iterator[tuple[int, ToolUse]]:
    decoder = json.JSONDecoder()
    at = 0
    while (at := text.find("{", at)) >= 0:
        try:
            value, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            at += 1
            continue
        uses = list(_calls_in(value))
        yield from ((at, use) for use in uses)
        at = end if uses else at + 1


def _calls_in(value: object) -> Iterator[ToolUse]:
    if isinstance(value, list):
        for one in value:
            yield from _calls_in(one)
        return
    if not isinstance(value, dict):
        return
    row: Body = value
    if isinstance(row.get("function"), dict):
        row = row["function"]
    name = next((row[key] for key in _NAMES if isinstance(row.get(key), str)), None)
    args = next((row[key] for key in _ARGUMENTS if key in row), None)
    if isinstance(args, str):
        try:
            args = json.loads(args)
        except ValueError:
            args = None
    if name is not None and isinstance(args, dict):
        yield ToolUse(name, args)
        return
    for one in value.values():
        yield from _calls_in(one)


_INVOKE = re.compile(r'<(?:antml:)?invoke name="([^"]+)">(.*?)</(?:antml:)?invoke>', re.DOTALL)
_PARAMETER = re.compile(r'<(?:antml:)?parameter name="([^"]+)">(.*?)</(?:antml:)?parameter>', re.DOTALL)
_COMMAND = re.compile(r"(?i:\brun|\bexecute|\btype|\benter)\b[^`\n]{0,40}`([^`\n]+)`|(\$\([^()\n]+\))")


def _tag_calls(text: str) -> Iterator[tuple[int, ToolUse]]:
    for match in _INVOKE.finditer(text):
        args: Body = dict(_PARAMETER.findall(match[2]))
        yield match.start(), ToolUse(match[1], args)


def _commands(text: str) -> Iterator[tuple[int, ToolUse]]:
    for match in _COMMAND.finditer(text):
        yield match.start(), ToolUse("Bash", {"command": match[1] or match[2]})


def by_history(*steps: ToolUse, summary: str) -> Policy:
    """Calls that are made once each, in order, whatever they answer; then the summary."""

    def answer(asked: Asked) -> Turn:
        for step in steps:
            if not any(_same(made, step) for made in asked.made):
                return Turn((step,))
        return say(summary)

    return answer
