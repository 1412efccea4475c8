"""A scene of real repositories, and worktrees over it."""

from pathlib import Path

import pytest
from tests.fakes.clones import Scene, no_credentials, scene

from nightclaw.vcs.git import Git
from nightclaw.vcs.worktrees import Worktrees


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    monkeypatch.setenv("HOME", str(tmp_path / "owner"))
    (tmp_path / "owner").mkdir()
    return scene(tmp_path)


@pytest.fixture
def git_runner() -> Git:
    return Git()


@pytest.fixture
def worktrees(world: Scene, git_runner: Git) -> Worktrees:
    return Worktrees(git_runner, world.home, no_credentials)
