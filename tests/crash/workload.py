"""A life for the daemon to be killed in, and what must be true after it was: the invariants of a crash.

I1 nothing acknowledged is lost; I2 no side effect twice; I3 the database passes its check; I4 the log chain verifies;
I5 nothing is left running; I6 the owner is told of the trouble in at most one note.
"""

import itertools
import json
import os
import sqlite3
from collections import Counter
from http.client import HTTPException
from pathlib import Path

from tests.e2e.conftest import Hatch
from tests.e2e.daemon import Daemon, Json, until
from tests.e2e.deliveries import SECRET, ci, opened, review_requested
from tests.fakes.github_api import FakeGitHub
from tests.fakes.sink import Sink

CONFIG = """
timezone = "UTC"
[ingress]
listen = ":0"
public_url = "http://localhost"
[tick]
every = "1s"
[github]
owners = ["octocat"]
accounts = ["*"]
secret = {{ env = "HUB_SECRET" }}
token = {{ env = "HUB_TOKEN" }}
api_url = "{hub}"
poll = "1s"
[[github.repo]]
name = "octo/polled"
[[github.repo]]
name = "*/*"
[[watch]]
name = "desk"
path = "{desk}"
quiet = "100ms"
verdict = "record"
[[schedule]]
name = "beat"
every = "1s"
prompt = "beat"
verdict = "record"
[notify]
urls = ["{sink}"]
per_hour = 1000
[retention]
payloads = "1d"
"""
Sent = tuple[str, Json]


class Workload:
    """Everything that comes in on one home over its lives, and what was promised for it."""

    def __init__(self, hatch: Hatch, sink: Sink, hub: FakeGitHub) -> None:
        self.sink, self.hub = sink, hub
        self.daemon: Daemon = hatch()
        self.desk = self.daemon.scratch / "desk"
        self.desk.mkdir()
        hub.add_repo("octo/polled")
        self.daemon.configure(CONFIG.format(hub=hub.url, desk=self.desk, sink=sink.url))
        self.acknowledged: dict[str, str] = {}
        self.must_tell: set[str] = set()
        self.chats: list[Json] = []
        self.unsent: list[Sent] = []
        self.kills = 0
        self._serial = itertools.count(1)

    # what comes in

    def give(self, event: str, body: Json, *, must_tell: bool = False) -> bool:
        """Deliver; whatever was answered with 2xx is a promise, and the rest is GitHub's to send again."""
        try:
            answer = self.daemon.deliver(event, body)
        except (OSError, HTTPException):
            self.unsent.append((event, body))
            return False
        if answer.status not in (200, 202):
            assert answer.status == 503, f"{answer.status} {answer.body!r}"
            self.unsent.append((event, body))
            return False
        self.acknowledged[answer.json["signal"]] = event
        if must_tell:
            self.must_tell.add(body["repository"]["full_name"])
        return True

    def red(self) -> bool:
        return self.give("workflow_run", ci(f"octo/red{next(self._serial)}x", "failure"), must_tell=True)

    def asked(self) -> bool:
        body = review_requested(f"octo/ask{next(self._serial)}x", 1)
        return self.give("pull_request", body, must_tell=True)

    def noise(self) -> bool:
        return self.give("issues", opened(f"octo/noise{next(self._serial)}x", 1))

    def say(self) -> None:
        number = next(self._serial)
        body = {"key": f"key-{number}", "text": f"words-{number}-end", "session": "main"}
        try:
            answer = self.daemon.api("POST", "/v1/chat", body, timeout=5)
        except (OSError, HTTPException):
            return
        if answer.status == 202:
            self.chats.append(answer.json | body)

    def edit(self) -> None:
        (self.desk / "note.txt").write_text(f"edit {next(self._serial)}\n")

    def at_the_hub(self) -> None:
        self.hub.occur("workflow_run", ci("octo/polled", "success"))

    def round(self, *, say: bool = True) -> None:
        """A little of everything."""
        self.noise()
        self.red()
        if say:
            self.say()
        self.edit()
        self.at_the_hub()

    # lives and deaths

    def die_at(self, point: str, seconds: float = 20.0) -> None:
        """One life that ends at the point. Only some lives have a chat: a task that saw three deaths is set aside."""
        say = point.startswith(("scheduler.", "runner."))
        process = self.daemon.spawn({"NIGHTCLAW_FAILPOINT": point})
        rounds = itertools.count()

        def dead() -> bool:
            if process.poll() is not None:
                return True
            if self._listens() and next(rounds) < 3:
                self.round(say=say)
            return process.poll() is not None

        until(dead, f"the daemon passes {point}", seconds)
        assert process.returncode == -9, (
            f"{point}: ended with {process.returncode}\n{self.daemon.said()[-3000:]}"
        )
        self.kills += 1

    def _listens(self) -> bool:
        try:
            return self.daemon.api("GET", "/v1/status", timeout=5).status == 200
        except (OSError, HTTPException, json.JSONDecodeError):
            return False

    def go_on(self) -> None:
        """The life after: GitHub sends again what was not taken, and all that waits is dealt with."""
        self.daemon.start(seconds=10)
        again, self.unsent = self.unsent, []
        for event, body in again:
            assert self.give(event, body, must_tell=event in ("workflow_run", "pull_request"))
        assert self.red() and self.asked()
        self.edit()
        self.at_rest()

    def at_rest(self) -> None:
        daemon = self.daemon
        for name in ("ticks", "schedules"):
            daemon.clawctl("features", name, "off")
        daemon.settled(30)
        open_states = {"queued", "sending", "claimed"}
        until(
            lambda: not [n for n in daemon.items("/v1/notifications") if n["state"] in open_states],
            "every note is sent",
            30,
        )
        until(
            lambda: not [t for t in daemon.items("/v1/tasks") if t["state"] in ("ready", "running")],
            "no work",
            30,
        )

    # what must be true

    def check(self) -> None:
        """I1 to I6; the daemon is stopped afterwards."""
        self._nothing_lost()
        self._nothing_twice()
        assert self.daemon.clawctl("log", "--verify").code == 0, "I4"
        health = self.daemon.status
        assert health["health"] == "ok", health["problems"]
        assert self.daemon.stop() == 0
        assert _running_on(self.daemon.home) == [], "I5"
        self._database_is_sound()

    def _nothing_lost(self) -> None:
        rows = {row["id"]: row for row in self.daemon.items("/v1/signals")}
        decided = Counter(i for d in self.daemon.items("/v1/decisions") for i in d["signal_ids"])
        lost = {i: event for i, event in self.acknowledged.items() if i not in rows}
        assert lost == {}, f"I1: acknowledged, then lost: {lost}"
        open_ones = [rows[i]["kind"] for i in rows if decided[i] == 0]
        assert open_ones == [], "I1: held, never decided"
        twice = [rows[i]["kind"] for i in rows if decided[i] > 1]
        assert twice == [], "I2: decided twice"
        tasks = {task["id"]: task for task in self.daemon.items("/v1/tasks")}
        said = self.daemon.get("/v1/sessions/main")["transcript"] if self.chats else []
        heard = "\n".join(row["text"] for row in said if row["role"] != "assistant")
        for chat in self.chats:
            assert rows[chat["signal"]]["source"] == "chat"
            assert heard.count(chat["text"]) == 1, (
                f"I1, I2: {chat['text']} is heard {heard.count(chat['text'])} times"
            )
            if chat["task"]:
                assert tasks[chat["task"]]["state"] == "done", f"I1: never answered: {tasks[chat['task']]}"

    def _nothing_twice(self) -> None:
        keys = Counter((row["source"], row["dedupe_key"]) for row in self.daemon.items("/v1/signals"))
        assert [key for key, n in keys.items() if n > 1] == [], "I2: one occurrence, two signals"
        notes = self.daemon.items("/v1/notifications")
        unsure = "may not have reached you: "
        for repo in sorted(self.must_tell):
            rows = [n for n in notes if repo in n["title"]]
            told = [text for text in self.sink.texts(repo) if repo in text.partition(unsure)[0]]
            assert len(rows) == 1, f"I2: {len(rows)} notes about {repo}"
            assert len(told) <= 1, f"I2: {repo} was told {len(told)} times: {told}"
            if not told and rows[0]["state"] != "unknown":
                assert rows[0]["state"] == "folded", f"I1: {repo} was never told: {rows}"
                (into,) = [n for n in notes if n["id"] == rows[0]["folded_into"]]
                asked = [text for text in self.sink.texts(into["title"]) if unsure in text]
                assert any(repo in text for text in asked), (
                    f"I1: nobody said that the note about {repo} may be lost: {into}"
                )
        about_death = [text for text in self.sink.texts() if "octo/" not in text]
        assert len(about_death) <= max(1, self.kills), f"I6: {about_death}"
        assert max(Counter(self.sink.texts()).values(), default=1) == 1, "I2: the same text twice"

    def _database_is_sound(self) -> None:
        with sqlite3.connect(self.daemon.home / "nightclaw.db") as database:
            assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)], "I3"
            assert database.execute("PRAGMA foreign_key_check").fetchall() == [], "I3"
        database.close()


def _running_on(home: Path) -> list[str]:
    """Processes that were started for this home and still run."""
    if not Path("/proc/self/environ").exists():
        return []
    mark = f"NIGHTCLAW_HOME={home}".encode()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if int(folder.name) != os.getpid() and mark in (folder / "environ").read_bytes().split(b"\0"):
                found.append((folder / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue  # gone, or not ours
    return found


__all__ = ["SECRET", "Workload"]
