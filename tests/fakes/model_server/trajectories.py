"""Recorded runs of other agents, turned into scripts of our tools, so that a real loop can be led through real work.

`replay(path)` reads a SWE-agent trajectory (its function calls or its own command language) or an OpenHands
completion log. Actions become Glob, Read, Write, Edit and Bash where they correspond; what only their harness had
(`submit`, `finish`) becomes a `Git diff` or the last words. Each turn expects in the answer before it what the
recording saw there.
"""

import json
import re
import shlex
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from tests.fakes.model_server.asked import Asked
from tests.fakes.model_server.turns import Body, Expect, Text, ToolUse, Turn, say


@dataclass(frozen=True, slots=True)
class Replay:
    """prompt: what the user asked. files: the repository as it was before the run. outcome: as it was after it."""

    name: str
    prompt: str
    turns: tuple[Turn, ...]
    files: dict[str, str]
    outcome: dict[str, str]

    def build(self, folder: Path) -> Path:
        """Makes the repository with one commit on main, the author fixed; returns the folder."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in self.files.items():
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
        who = [
            "-c",
            "user.name=Fixture",
            "-c",
            "user.email=fixture@example.invalid",
            "-c",
            "commit.gpgsign=false",
        ]
        for args in (["init", "-q", "-b", "main"], ["add", "-A"], [*who, "commit", "-q", "-m", "Start"]):
            subprocess.run(["git", "-C", str(folder), *args], check=True, capture_output=True, timeout=30)
        return folder


@dataclass(frozen=True, slots=True)
class _Step:
    thought: str
    use: ToolUse | None
    seen: str
    last_words: str = ""


def replay(path: Path) -> Replay:
    recorded = json.loads(path.read_text(encoding="utf-8"))
    if "messages" in recorded:
        prompt, steps = _openhands(recorded)
    elif "trajectory" in recorded:
        prompt, steps = _commands(recorded)
    else:
        prompt, steps = _functions(recorded["history"])
    files = _files(steps)
    return Replay(path.name, prompt, tuple(_turns(steps)), files, _outcome(files, steps))


def _turns(steps: Sequence[_Step]) -> Iterator[Turn]:
    expect: Expect | None = None
    words = "The change is made and checked."
    for step in steps:
        if step.use is None:
            words = step.last_words or step.thought
            continue
        said = (Text(step.thought),) if step.thought else ()
        yield Turn((*said, step.use), expect)
        expect = _expected(step)
    yield say(words, expect=expect)


def _expected(step: _Step) -> Expect | None:
    """What the answer to a step must show when the recording's did."""
    use = step.use
    assert use is not None

    def answered(asked: Asked) -> str | None:
        made = next((one for one in asked.results if one.name == use.name), None)
        if made is None or made.result is None:
            return f"no answer to {use.name}"
        missing = [line for line in _shown(step) if line not in made.result]
        return f"{use.name} does not show {missing}: {made.result[:300]!r}" if missing else None

    return answered


def _shown(step: _Step) -> list[str]:
    """Lines of the recorded observation that any harness would show too."""
    use = step.use
    assert use is not None
    if use.name == "Glob":
        return [PurePosixPath(str(use.input["pattern"])).name] if "Found" in step.seen else []
    if use.name == "Read":
        return [line for line in _numbered(step.seen).splitlines() if line.strip()]
    if use.name == "Bash" and "ls " not in str(use.input["command"]):
        return [
            line for line in step.seen.splitlines() if line.strip() and not re.match(r"[\[(]|bash-", line)
        ]
    if use.name == "Git":
        return [line for line in step.seen.splitlines() if re.match(r"[+-](?![+-]{2} )\S", line)]
    return []


_LINE = re.compile(r"^\s*(\d+)[:\t](.*)$", re.MULTILINE)


def _numbered(seen: str) -> str:
    """The text of a file out of an observation with line numbers."""
    return "\n".join(line for _, line in _LINE.findall(seen.replace("\r\n", "\n")))


def _files(steps: Sequence[_Step]) -> dict[str, str]:
    """As the first look at each showed it."""
    files: dict[str, str] = {}
    for step in steps:
        if step.use is None or step.use.name != "Read":
            continue
        text = _numbered(step.seen).rstrip("\n") + "\n"
        if text.strip():
            files.setdefault(str(step.use.input["file_path"]), text)
    return files


def _outcome(files: dict[str, str], steps: Sequence[_Step]) -> dict[str, str]:
    after = dict(files)
    for step in steps:
        if step.use is not None and step.use.name == "Edit":
            name = str(step.use.input["file_path"])
            after[name] = after[name].replace(step.use.input["old_string"], step.use.input["new_string"], 1)
    return after


def _functions(history: list[Body]) -> tuple[str, list[_Step]]:
    """SWE-agent with function calling."""
    prompt = next(str(m["content"]) for m in history if m["role"] == "user")
    answers = {m["tool_call_ids"][0]: str(m["content"]) for m in history if m.get("tool_call_ids")}
    steps, opened = [], ""
    for message in history:
        for called in message.get("tool_calls") or []:
            name, args = called["function"]["name"], json.loads(called["function"]["arguments"])
            seen = answers.get(called["id"], "").replace("\r\n", "\n")
            use = _swe_use(name, args, opened, seen)
            if use.name == "Read":
                opened = str(use.input["file_path"])
            steps.append(_Step(str(message.get("thought", "")).strip(), use, seen))
    return _issue(prompt), steps


def _swe_use(name: str, args: Body, opened: str, seen: str) -> ToolUse:
    match name:
        case "find_file":
            return ToolUse("Glob", {"pattern": f"**/{args['file_name']}"})
        case "open":
            return ToolUse("Read", {"file_path": args["path"]})
        case "edit":
            change = {"old_string": args["search"], "new_string": args["replace"]}
            return ToolUse("Edit", {"file_path": opened, **change})
        case "bash":
            return ToolUse("Bash", {"command": args["command"]})
        case "submit":
            return ToolUse("Git", {"action": "diff"})
        case _:
            raise ValueError(f"the recorded action {name!r} has no counterpart: {seen[:80]!r}")


def _commands(recorded: Body) -> tuple[str, list[_Step]]:
    """SWE-agent in its own command language: one command a step, edits by line numbers."""
    prompt = next(str(m["content"]) for m in recorded["history"] if _is_issue(m))
    steps, opened, lines = [], "", list[str]()
    for row in recorded["trajectory"]:
        action, seen = row["action"].strip(), row["observation"].replace("\r\n", "\n")
        word, _, rest = action.partition(" ")
        if word == "edit":
            use = _line_edit(rest, opened, lines)
        elif word == "open":
            opened = shlex.split(rest)[0]
            use = ToolUse("Read", {"file_path": opened})
        elif word == "find_file":
            use = ToolUse("Glob", {"pattern": f"**/{shlex.split(rest)[0]}"})
        elif word == "submit":
            use = ToolUse("Git", {"action": "diff"})
        else:
            use = ToolUse("Bash", {"command": action})
        if word in ("open", "edit"):
            lines = _numbered(seen).split("\n")
        steps.append(_Step(row["thought"].strip(), use, seen))
    return _issue(prompt), steps


def _is_issue(message: Body) -> bool:
    return message["role"] == "user" and "ISSUE:" in str(message["content"]) and not message.get("is_demo")


def _line_edit(rest: str, opened: str, lines: Sequence[str]) -> ToolUse:
    head, _, body = rest.partition("\n")
    first, _, last = head.partition(":")
    new = body.removesuffix("end_of_edit").removesuffix("\n")
    old = "\n".join(lines[int(first) - 1 : int(last)])
    return ToolUse("Edit", {"file_path": opened, "old_string": old, "new_string": new})


def _issue(prompt: str) -> str:
    """The issue alone, without the other harness's instructions."""
    found = re.search(r"ISSUE:\s*(.*?)\s*\n\s*INSTRUCTIONS:", prompt, re.DOTALL)
    return (found[1] if found else prompt).replace("\r\n", "\n")


def _openhands(recorded: Body) -> tuple[str, list[_Step]]:
    messages = [*recorded["messages"], recorded["response"]["choices"][0]["message"]]
    prompt = next(_plain(m["content"]) for m in messages if m["role"] == "user")
    answers = {m["tool_call_id"]: _plain(m["content"]) for m in messages if m["role"] == "tool"}
    home = next((found[1] for text in answers.values() if (found := _WORKING.search(text))), "")
    steps = []
    for message in messages:
        for called in message.get("tool_calls") or []:
            args = json.loads(called["function"]["arguments"])
            seen = answers.get(called["id"], "")
            use = _openhands_use(called["function"]["name"], args, home)
            steps.append(_Step(_plain(message["content"]).strip(), use, seen, str(args.get("message", ""))))
    return prompt, steps


_WORKING = re.compile(r"\[Current working directory: (.+?)\]")


def _openhands_use(name: str, args: Body, home: str) -> ToolUse | None:
    """None: the run ends with its last words."""
    path = str(args.get("path", "")).removeprefix(f"{home}/") if home else str(args.get("path", ""))
    match name, args.get("command"):
        case "finish", _:
            return None
        case "terminal", command:
            return ToolUse("Bash", {"command": command})
        case "str_replace_editor", "create":
            return ToolUse("Write", {"file_path": path, "content": args["file_text"]})
        case "str_replace_editor", "view":
            return ToolUse("Read", {"file_path": path})
        case "str_replace_editor", "str_replace":
            change = {"old_string": args["old_str"], "new_string": args.get("new_str", "")}
            return ToolUse("Edit", {"file_path": path, **change})
        case _:
            raise ValueError(f"the recorded action {name!r} {args.get('command')!r} has no counterpart")


def _plain(content: Any) -> str:
    if isinstance(content, list):
        return "\n".join(str(part.get("text", "")) for part in content)
    return str(content or "")
