"""Recorded runs of other agents, led through the real loop: real worktree, real tools, real wall."""

from pathlib import Path

import pytest
from tests.e2e.conftest import Hatch
from tests.e2e.daemon import until
from tests.e2e.homes import standard
from tests.e2e.project import labelled
from tests.fakes.model_server import ModelServer
from tests.fakes.model_server.trajectories import replay

RECORDED = sorted((Path(__file__).parents[3] / "shared" / "data" / "trajectories").glob("t*.json"))
pytestmark = pytest.mark.skipif(
    not RECORDED, reason="../shared/data/trajectories is absent: recorded runs stay there"
)


@pytest.mark.parametrize("path", RECORDED, ids=lambda p: p.name[:12])
def test_a_recorded_run_comes_to_its_outcome(hatch: Hatch, tmp_path: Path, path: Path) -> None:
    recorded = replay(path)
    clone = recorded.build(tmp_path / "clone")
    repos = f'[[github.repo]]\nname = "Codertocat/Hello-World"\npath = "{clone}"\n'
    with ModelServer() as server:
        server.script(*recorded.turns)
        models = f"""
[models]
agent = "anthropic/claude-haiku-4-5"
[providers.anthropic]
api_key = {{ env = "MODEL_KEY" }}
base_url = "{server.anthropic_url()}"
"""
        daemon = hatch(standard(repos=repos, more=models), {"MODEL_KEY": "test-key"}).start()
        body = labelled()
        body["issue"]["body"] = recorded.prompt
        task_id = daemon.decision(daemon.take("issues", body))["task_id"]
        until(lambda: daemon.get(f"/v1/tasks/{task_id}")["state"] in ("done", "failed"), "it ends", 50)
        task = daemon.get(f"/v1/tasks/{task_id}")
        assert task["state"] == "done", (task, server.failures)
        for name, text in recorded.outcome.items():
            assert (Path(task["worktree"]) / name).read_text().strip() == text.strip()
        assert [f for f in server.failures if "unexpected" in f] == []
        assert server.violations == []
