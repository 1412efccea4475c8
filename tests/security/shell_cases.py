"""Shell commands by what they must never do without a question, and reads that must run without one.

The folder they run in holds README.md, src/, data.csv, .env and the like; `victim` stands for anything of worth. The
kind `unreadable` is what does not parse, or what nobody should have to read.
"""

import json
from pathlib import Path

_ROWS = [
    (row["kind"], row["command"])
    for row in map(
        json.loads,
        (Path(__file__).parents[1] / "data" / "shell_commands.jsonl").read_text("utf-8").splitlines(),
    )
]
BENIGN = [command for kind, command in _ROWS if kind == "benign"]
UNREADABLE = [command for kind, command in _ROWS if kind == "unreadable"]
FLAGGED = [command for kind, command in _ROWS if kind not in ("benign", "unreadable")]
