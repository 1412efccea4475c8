"""What the agent costs: tokens of a hello and of one triage, the cache's share, our own work a step, a kill's price.

    python bench/agent.py [--quick]

The model is scripted over real HTTP with the real services' accounting. Prints one line `name value unit` a number.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "daemon")]

from bench.house import is_quick, say  # noqa: E402
from tests.e2e.daemon import CLAWCTL, Daemon, until  # noqa: E402
from tests.e2e.project import KEY, Project, agent_config, engineer, labelled  # noqa: E402
from tests.fakes.model_server import Asked, ModelServer, Turn, call  # noqa: E402
from tests.fakes.model_server import say as says  # noqa: E402

TICKS = os.sysconf("SC_CLK_TCK")


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def hello_and_cache(turns: int) -> None:
    """A conversation: what its first message costs, and how much of the rest is read from the cache."""
    with ModelServer() as server:
        server.policy(lambda asked: says("Yes, that is so. " * 20))
        daemon = Daemon(agent_config(server), KEY)
        try:
            daemon.start()
            for n in range(turns):
                assert daemon.clawctl("chat", "hello" if n == 0 else f"and what of part {n}?").code == 0
            say("agent.hello", server.calls[0].usage.all_input, "tokens")
            say("agent.tools", max(c.tools_tokens for c in server.calls), "tokens")
            said = server.report()
            say("agent.cached", said["cached"], "share")
        finally:
            daemon.discard()


def triage() -> None:
    """One stranger's issue, judged once."""
    with ModelServer() as server:
        server.lane("triage", model="claude-haiku-4-5").policy(
            lambda asked: says('{"verdict": "record", "reason": "nothing to do"}')
        )
        daemon = Daemon(agent_config(server), KEY)
        try:
            daemon.start()
            body = labelled()
            body.pop("label")
            body |= {"action": "opened"}
            body["sender"]["login"] = body["issue"]["user"]["login"] = "somebody"
            daemon.decision(daemon.take("issues", body), 30)
            [seen] = server.calls
            say("agent.triage", seen.usage.all_input, "tokens")
        finally:
            daemon.discard()


def steps(count: int) -> None:
    """Reads in one task, one a step: our own CPU between a reply and the next request."""
    with ModelServer() as server:

        def reader(asked: Asked) -> Turn:
            done = len(asked.made)
            return (
                call("Read", {"file_path": "calc.py", "limit": done + 1})
                if done < count
                else says("Read it all.")
            )

        server.policy(reader)
        with tempfile.TemporaryDirectory() as folder:
            daemon = Daemon(agent_config(server, Project(Path(folder))), KEY)
            try:
                daemon.start()
                task = daemon.decision(daemon.take("issues", labelled()))["task_id"]
                until(lambda: len(server.calls) >= 3, "it reads", 30)
                before, n = cpu_s(daemon.pid), len(server.calls)
                until(lambda: daemon.get(f"/v1/tasks/{task}")["state"] == "done", "it is done", 60)
                made = len(server.calls) - n
                say("agent.step_cpu", (cpu_s(daemon.pid) - before) / made * 1000, "ms")
            finally:
                daemon.discard()


def first_word(count: int) -> None:
    """From the service's first text to the client's first byte on its terminal, over one machine's clock."""
    stamps: list[float] = []

    def answer(asked: Asked) -> Turn:
        stamps.append(time.monotonic())
        return says("Here.")

    waits: list[float] = []
    with ModelServer() as server:
        server.policy(answer)
        daemon = Daemon(agent_config(server), KEY)
        try:
            daemon.start()
            for _ in range(count):
                child = subprocess.Popen(
                    [CLAWCTL, "chat", "hello", "--session", "new"],
                    env=daemon.env, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL,
                )  # fmt: skip
                assert child.stdout is not None
                child.stdout.read(1)
                waits.append(time.monotonic() - stamps[-1])
                child.wait(30)
                child.stdout.close()
        finally:
            daemon.discard()
    say("agent.first_word", sorted(waits)[len(waits) // 2] * 1000, "ms")


def journey(point: str | None) -> float:
    """What the labelled issue costs at the service, killed at `point` or not; in dollars."""
    with ModelServer() as server, tempfile.TemporaryDirectory() as folder:
        server.policy(engineer())
        daemon = Daemon(agent_config(server, Project(Path(folder))), KEY)
        try:
            daemon.start({"NIGHTCLAW_FAILPOINT": point} if point else None)
            daemon.deliver("issues", labelled())

            def ended() -> bool:
                if not daemon.running:
                    daemon.kill9()
                    daemon.start()
                try:
                    for ask in daemon.items("/v1/approvals"):
                        if ask["state"] == "pending":
                            daemon.api("POST", f"/v1/approvals/{ask['id']}", {"decision": "allow"})
                    return any(t["state"] == "done" for t in daemon.items("/v1/tasks"))
                except OSError:
                    return False

            until(ended, "the task ends", 60)
            return float(server.report()["cost_usd"])
        finally:
            daemon.discard()


def main() -> None:
    quick = is_quick()
    hello_and_cache(5 if quick else 20)
    triage()
    steps(10 if quick else 30)
    first_word(3 if quick else 9)
    whole = journey(None)
    killed = [journey(p) for p in ("runner.after_model:3", "calls.performed:2")]
    say("agent.journey", whole, "dollars")
    say("agent.killed_over_whole", max(killed) / whole, "ratio")


if __name__ == "__main__":
    main()
