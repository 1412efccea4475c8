"""Killed just before and just after a change is kept: the change is told, and told once."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import create_engine, select
from tests.unit.sources.watching import write

from nightclaw.store.schema import metadata, signal


@pytest.mark.parametrize("point", ["files.before_emit", "files.emitted"])
def test_a_kill_around_telling_loses_nothing_and_doubles_nothing(tmp_path: Path, point: str) -> None:
    home, root = tmp_path / "home", tmp_path / "app"
    home.mkdir()
    engine = create_engine(f"sqlite:///{home / 'nightclaw.db'}")
    metadata.create_all(engine)
    write(root / "a.py", "a")

    def start(failpoint: str = "") -> "subprocess.Popen[str]":
        child = subprocess.Popen(
            [sys.executable, "-m", "tests.unit.sources.watching_child", home, root],
            env=os.environ | {"NIGHTCLAW_FAILPOINT": failpoint},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        return child

    with start(point) as child:
        write(root / "a.py", "edited")
        assert child.wait(30) == -9
    with start() as child:
        child.communicate("stop\n", timeout=30)
        assert child.returncode == 0
    with engine.connect() as conn:
        titles = list(conn.execute(select(signal.c.title)).scalars())
    engine.dispose()
    assert titles == ["app: a.py modified"]
