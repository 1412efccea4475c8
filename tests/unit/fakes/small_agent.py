"""The least loop that can be led by a scripted model: it runs a few tools in a folder, for tests of scripts alone."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx2

NAMES = ("Read", "Write", "Edit", "Glob", "Bash", "Git", "GitHub", "WebFetch", "Remember", "SendUserMessage")
TOOLS = [
    {"name": name, "description": f"{name} as ever", "input_schema": {"type": "object", "properties": {}}}
    for name in NAMES
]


class SmallAgent:
    """refuse: names of tools whose every call is denied."""

    def __init__(self, url: str, folder: Path, refuse: tuple[str, ...] = ()) -> None:
        self.url = url
        self.folder = folder
        self.refuse = refuse
        self.ran: list[tuple[str, dict[str, Any]]] = []

    def work(self, prompt: str, turns: int = 30) -> str:
        """The last words."""
        messages: list[Any] = [{"role": "user", "content": prompt}]
        with httpx2.Client(headers={"anthropic-version": "2023-06-01"}) as http:
            for _ in range(turns):
                body = {"model": "m", "max_tokens": 1000, "tools": TOOLS, "messages": messages}
                answer = http.post(f"{self.url}/v1/messages", json=body)
                if answer.status_code != 200:
                    raise AssertionError(answer.text)
                content = answer.json()["content"]
                messages.append({"role": "assistant", "content": content})
                uses = [block for block in content if block["type"] == "tool_use"]
                if not uses:
                    return content[-1]["text"]
                messages.append({"role": "user", "content": [self._result(use) for use in uses]})
        raise AssertionError(f"still at work after {turns} turns")

    def _result(self, use: dict[str, Any]) -> dict[str, Any]:
        row = {"type": "tool_result", "tool_use_id": use["id"]}
        if use["name"] in self.refuse:
            return {**row, "content": "denied by the owner", "is_error": True}
        self.ran.append((use["name"], use["input"]))
        try:
            return {**row, "content": self._run(use["name"], use["input"])}
        except (OSError, ValueError, KeyError) as e:
            return {**row, "content": f"cannot: {e}", "is_error": True}

    def _run(self, name: str, args: dict[str, Any]) -> str:
        match name:
            case "Read":
                lines = (self.folder / args["file_path"]).read_text().splitlines()
                return "\n".join(f"{n}\t{line}" for n, line in enumerate(lines, 1))
            case "Write":
                target = self.folder / args["file_path"]
                if not target.is_relative_to(self.folder):
                    raise ValueError("that is outside the workspace")
                target.write_text(args["content"])
                return "written"
            case "Edit":
                target = self.folder / args["file_path"]
                text = target.read_text()
                if text.count(args["old_string"]) != 1:
                    raise ValueError("old_string must be there exactly once")
                target.write_text(text.replace(args["old_string"], args["new_string"]))
                return "edited"
            case "Glob":
                return "\n".join(str(path) for path in self.folder.glob(args["pattern"]))
            case "Bash":
                command = re.sub(r"^python\b", sys.executable, args["command"])
                return self._ran(["bash", "-c", command])
            case "Git" if args["action"] == "commit":
                who = ["-c", "user.name=Agent", "-c", "user.email=agent@example.invalid"]
                return self._ran(["git", *who, "commit", "-aqm", args["message"]]) or "committed"
            case "Git" if args["action"] == "push":
                return self._ran(["git", "push", "-q", "origin", "HEAD:work"]) or "pushed"
            case "Git":
                return self._ran(["git", args["action"]])
            case _:
                return "done"

    def _ran(self, argv: list[str]) -> str:
        ran = subprocess.run(argv, cwd=self.folder, capture_output=True, text=True, timeout=30)
        if ran.returncode:
            raise ValueError(ran.stdout + ran.stderr)
        return ran.stdout
