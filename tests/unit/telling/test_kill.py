"""Killed with SIGKILL at each point of telling, then started again: no note twice, none forgotten, no line twice."""

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from tests.fakes.sink import Sink

from nightclaw.core.chain import read
from nightclaw.diary import verify
from nightclaw.diary.files import days
from nightclaw.diary.words import KINDS

TELLER = Path(__file__).with_name("teller.py")


def tell(home: Path, sink: Sink, title: str, failpoint: str = "") -> int:
    environ = {**os.environ, "NIGHTCLAW_FAILPOINT": failpoint, "PYTHONPATH": str(TELLER.parents[3])}
    argv = [sys.executable, str(TELLER), str(home), f"json://{sink.address}", title]
    return subprocess.run(argv, env=environ, timeout=50, check=False).returncode


@pytest.mark.parametrize(
    "failpoint",
    [
        "outbox.before_send",
        "outbox.sent",
        "outbox.settled",
        "diary.before_write",
        "diary.written",
    ],
)
def test_killed_and_started_again(tmp_path: Path, sink: Sink, failpoint: str) -> None:
    assert tell(tmp_path, sink, "first", failpoint) == -signal.SIGKILL
    assert tell(tmp_path, sink, "second") == 0
    titles = [body["title"] for body in sink.bodies]
    texts = "\n".join(str(body["message"]) for body in sink.bodies)
    is_named = "may not have reached you: first" in texts
    assert titles.count("first") <= 1 and titles.count("second") == 1
    if failpoint.startswith("outbox"):
        assert titles.count("first") == 1 and is_named == (failpoint == "outbox.sent")
    else:  # killed by the diary, whatever the outbox was doing
        assert titles.count("first") == 1 or is_named
    report = verify(tmp_path)
    assert report.ok and report.head_checked
    cursors = [
        link.cursor
        for p in days(tmp_path / "logs")
        for line in p.read_bytes().splitlines()
        if (link := read(line))
    ]
    connection = sqlite3.connect(tmp_path / "nightclaw.db")
    worth = connection.execute(
        f"SELECT cursor FROM event WHERE kind IN ({', '.join('?' * len(KINDS))}) ORDER BY cursor", list(KINDS)
    ).fetchall()
    connection.close()
    assert [c for c in cursors if c] == [row[0] for row in worth]
