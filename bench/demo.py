"""`make demo`: a minute's show without a key, on a temporary home, asserting what it says.

A day of signed deliveries, edits and ticks goes in; most are recorded, a few are told. One labelled issue is done in a
worktree by a scripted model (there is no real one here, and it says so). It is killed -9 midway, comes back, asks
before the push; you, or `--yes`, approve; the branch arrives once at a local bare remote; `why` explains it.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "daemon")]

from tests.e2e.daemon import Daemon, until  # noqa: E402
from tests.e2e.homes import standard  # noqa: E402
from tests.e2e.project import Project, engineer, labelled  # noqa: E402
from tests.fakes.model_server import ModelServer  # noqa: E402
from tests.fakes.sink import Sink  # noqa: E402

BODIES = ROOT / "tests" / "data" / "webhooks"
REPO = "Codertocat/Hello-World"


def say(text: str) -> None:
    print(f"\n\033[1m{text}\033[0m" if sys.stdout.isatty() else f"\n== {text}", flush=True)


def show(text: str) -> None:
    print("   " + text.strip().replace("\n", "\n   "), flush=True)


def body(name: str, **changes: object) -> dict:
    found = json.loads((BODIES / f"{name}.json").read_text())
    found["repository"]["full_name"] = REPO
    for path, value in changes.items():
        at = found
        *parents, last = path.split("__")
        for part in parents:
            at = at[part]
        at[last] = value
    return found


def config(project: Project, server: ModelServer, sink: Sink, watched: Path) -> str:
    repos = f"""
[[github.repo]]
name = "{REPO}"
path = "{project.clone}"
base = "main"
check = "python3 check.py"
"""
    more = f"""
[models]
agent = "anthropic/claude-haiku-4-5"
[providers.anthropic]
api_key = {{ env = "MODEL_KEY" }}
base_url = "{server.anthropic_url()}"
[[watch]]
path = "{watched}"
quiet = "300ms"
"""
    return standard(sink.url, tick='every = "1s"', repos=repos, more=more)


def day(daemon: Daemon, watched: Path) -> None:
    """What happens on a day: deliveries, edits, ticks."""
    say("A day of deliveries, edits and ticks goes in")
    run = body("workflow_run.completed")
    run["workflow_run"].update(conclusion="failure", head_branch=run["repository"]["default_branch"])
    sent = [
        ("push", body("push")),
        ("issues", body("issues.opened", sender__login="somebody")),
        ("issue_comment", body("issue_comment.created", sender__login="somebody")),
        ("workflow_run", run),
        ("pull_request", body("pull_request.review_requested", requested_reviewer__login="octocat")),
    ]
    for event, content in sent:
        answer = daemon.deliver(event, content)
        show(f"{event:14} {content.get('action', ''):18} → {answer.status}")
        assert answer.status == 202, answer.body
    assert daemon.deliver(*sent[0]).status == 200, "the same body again is a duplicate"
    until(lambda: _watches(daemon), "the folder is watched", 15)
    (watched / "notes.txt").write_text("an edit\n")
    until(lambda: daemon.signals(source="file"), "the edit is a signal", 15)
    until(lambda: len(daemon.signals(source="tick")) >= 2, "it ticked", 15)
    daemon.settled()
    counts: dict[str, int] = {}
    for decision in daemon.items("/v1/decisions"):
        counts[decision["verdict"]] = counts.get(decision["verdict"], 0) + 1
    show("decided: " + ", ".join(f"{n} {verdict}" for verdict, n in sorted(counts.items())))
    assert counts["notify"] == 2, counts
    told = until(
        lambda: daemon.items("/v1/notifications") if len(daemon.items("/v1/notifications")) == 2 else [],
        "told",
    )
    for note in reversed(told):
        show(f"told: {note['title']}")


def work(daemon: Daemon, project: Project, yes: bool) -> str:
    """The labelled issue, with a kill in the middle; the task's id."""
    say("The owner labels an issue `nightclaw`: a scripted model (no real one) does it in a worktree")
    signal = daemon.take("issues", labelled(REPO))
    task_id = daemon.decision(signal)["task_id"]
    until(lambda: _ran(daemon, "Edit"), "it edits", 30)
    say("kill -9, in the middle of it")
    daemon.kill9()
    daemon.start()
    show("it is back")
    [ask] = until(
        lambda: [a for a in daemon.items("/v1/approvals") if a["state"] == "pending"], "it asks", 60
    )
    say("It asks before it reaches out")
    show(daemon.clawctl("approvals").out)
    assert project.branches() == [], "nothing has left the machine"
    if not yes and input("   approve? [Y/n] ").strip().lower() not in ("", "y", "yes"):
        show(daemon.clawctl("deny", ask["id"]).out)
        raise SystemExit("denied; nothing was pushed")
    show(daemon.clawctl("approve", ask["id"]).out)
    until(lambda: daemon.get(f"/v1/tasks/{task_id}")["state"] == "done", "it is done", 60)
    return task_id


def _watches(daemon: Daemon) -> bool:
    return any(w["state"] == "ok" for s in daemon.status["sources"] for w in s.get("watches", []))


def _ran(daemon: Daemon, tool: str) -> bool:
    return any(e["kind"] == "tool.finished" and e["data"]["tool"] == tool for e in daemon.events())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--yes", action="store_true", help="approve without asking")
    yes = parser.parse_args().yes or not sys.stdin.isatty()
    began = time.monotonic()
    sink = Sink()
    with tempfile.TemporaryDirectory(prefix="nightclaw-demo-") as folder, ModelServer() as server:
        server.policy(engineer())
        project, watched = Project(Path(folder)), Path(folder) / "watched"
        watched.mkdir()
        before = project.fingerprint()
        daemon = Daemon(config(project, server, sink, watched), {"MODEL_KEY": "test-key"})
        try:
            daemon.start()
            day(daemon, watched)
            task_id = work(daemon, project, yes)
            [branch] = project.branches()
            say(f"Pushed once: {branch}")
            log = ["git", "log", "--oneline", f"main..{branch}"]
            show(subprocess.run(log, cwd=project.remote, capture_output=True, text=True, check=True).stdout)
            assert project.fingerprint() == before, "the owner's checkout was touched"
            say(f"clawctl why {task_id}")
            show(daemon.clawctl("why", task_id).out)
            assert daemon.stop() == 0
        finally:
            daemon.discard()
            sink.close()
    say(f"All of this was checked, in {time.monotonic() - began:.0f} s.")


if __name__ == "__main__":
    main()
