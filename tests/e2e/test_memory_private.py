"""Memory of a private repository is known at home and nowhere else: prompts, files, answers, dreams."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.e2e import deliveries
from tests.e2e.conftest import Hatch
from tests.e2e.daemon import Daemon, Json, until
from tests.e2e.homes import standard
from tests.e2e.project import Project
from tests.fakes.model_server import Asked, ModelServer, Turn, call, say

WORD = "Marmalade"
FACT = f"The vault opens with the word {WORD}"
MODELS = """
[models]
agent = "anthropic/claude-sonnet-4-5"
[providers.anthropic]
api_key = {{ env = "MODEL_KEY" }}
base_url = "{url}"
"""


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer() as running:
        yield running


def worker(asked: Asked) -> Turn:
    """The first work at the vault learns the word; everybody after it asks memory for it."""
    if asked.results:
        return say(f"memory said: {asked.results[-1].result}")
    if "octo/vault#1" in asked.first_text:
        return call("Remember", {"text": FACT, "topic": "vault"})
    if any(tool.get("name") == "Recall" for tool in asked.tools):
        return call("Recall", {"query": "which word opens the vault?", "limit": 5})
    return say("I am here.")


def private(body: Json) -> Json:
    body["repository"] |= {"private": True, "visibility": "private"}
    return body


def ended(daemon: Daemon, body: Json) -> Json:
    task_id = daemon.decision(daemon.take("issues", body))["task_id"]
    task = f"/v1/tasks/{task_id}"
    until(lambda: daemon.get(task)["state"] in ("done", "failed"), "it ends", 60)
    found: Json = daemon.get(task)
    assert found["state"] == "done", found["result"]
    return found


def kept(daemon: Daemon) -> Json:
    """The memory with the word, as soon as there is one."""
    rows = until(lambda: [r for r in daemon.items("/v1/memories") if WORD in r["text"]], "it is kept", 20)
    return rows[0]


def files(daemon: Daemon) -> dict[str, str]:
    return {p.name: p.read_text() for p in (daemon.home / "memory").rglob("*.md")}


def test_what_a_private_repository_taught_is_known_there_alone(
    hatch: Hatch, server: ModelServer, tmp_path: Path
) -> None:
    repos = ""
    for name in ("vault", "shop"):
        (tmp_path / name).mkdir()
        clone = Project(tmp_path / name).clone
        repos += f'[[github.repo]]\nname = "octo/{name}"\npath = "{clone}"\nbase = "main"\n'
    server.policy(worker)
    more = MODELS.format(url=server.anthropic_url())
    daemon = hatch(standard(repos=repos, more=more), {"MODEL_KEY": "test-key"}).start()
    ended(daemon, private(deliveries.labeled("octo/vault", 1, "nightclaw")))
    row = kept(daemon)
    assert row["private"] is True and row["repo"] == "octo/vault", row
    assert row["state"] == "candidate" and row["trust"] != "OWNER"

    seen = len(server.calls)
    ended(daemon, deliveries.labeled("octo/shop", 1, "nightclaw"))
    said = daemon.clawctl("chat", "which word opens the vault?", "--session", "new")
    assert said.code == 0
    for one in server.calls[seen:]:
        assert WORD not in one.asked.shown, "elsewhere nobody reads it"
    ended(daemon, private(deliveries.labeled("octo/vault", 2, "nightclaw")))
    assert WORD in server.calls[-1].asked.shown, "at home it is found"

    found = daemon.clawctl("memory", "search", "which word opens the vault?")
    assert WORD in found.out, "the owner may look at everything"
    for _ in range(2):
        daemon.post("/v1/dreams")
        for name, text in files(daemon).items():
            assert WORD not in text or name == "repo-octo-vault.md", name
    seen = len(server.calls)
    daemon.clawctl("chat", "and now, which word opens the vault?", "--session", "new")
    assert all(WORD not in one.asked.shown for one in server.calls[seen:])


def test_a_private_page_by_hand_stays_private_and_the_index_names_it_only(hatch: Hatch) -> None:
    daemon = hatch(standard()).start()
    daemon.post("/v1/memories", {"text": "the kettle is in the kitchen"})
    folder = daemon.home / "memory" / "topics"
    until(folder.is_dir, "the folder is there")
    (folder / "private.md").write_text(f"# Private\n\n- {FACT}\n")
    row = kept(daemon)
    assert row["private"] is True and row["trust"] == "OWNER"
    index = daemon.home / "memory" / "MEMORY.md"
    until(lambda: "topics/private.md" in index.read_text(), "the index names it")
    assert WORD not in index.read_text()
    assert WORD not in daemon.clawctl("chat", "which word opens the vault?", "--session", "new").out
    moved = daemon.clawctl("memory", "edit", row["id"], "--text", f"{FACT}, said twice")
    assert moved.code == 0
    until(lambda: "said twice" in (folder / "private.md").read_text(), "it stays on its page")
    assert [name for name, text in files(daemon).items() if WORD in text] == ["private.md"]
