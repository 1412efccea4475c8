"""Behind NAT and after a night off: what GitHub's API knows reaches the daemon too, as the same occurrence."""

import json
import threading
from collections.abc import Iterator

import pytest
from tests.e2e.conftest import Hatch
from tests.e2e.daemon import Daemon, Json, free_port, until
from tests.e2e.deliveries import SECRET, assigned, ci, commented, labeled, names, opened, ping
from tests.e2e.homes import standard
from tests.fakes.github_api import FakeGitHub
from tests.fakes.sink import Sink

REPO = names("hub")


@pytest.fixture
def hub() -> Iterator[FakeGitHub]:
    with FakeGitHub() as fake:
        yield fake


def _config(hub: FakeGitHub, repo: str, sink: Sink | None = None, *, poll: str = "1s", port: int = 0) -> str:
    github = f"""
[github]
owners = ["octocat"]
accounts = ["*"]
secret = {{ env = "HUB_SECRET" }}
token = {{ env = "HUB_TOKEN" }}
api_url = "{hub.url}"
poll = "{poll}"
"""
    text = standard(sink.url if sink else None, github=github, repos=f'[[github.repo]]\nname = "{repo}"\n')
    return text.replace('":0"', f'"127.0.0.1:{port}"') if port else text


def _polled(hub: FakeGitHub, repo: str, tail: str = "/actions/runs", more: int = 2) -> None:
    """The listing was read completely after now."""
    count = len(hub.asked_for(f"{repo}{tail}"))
    until(lambda: len(hub.asked_for(f"{repo}{tail}")) >= count + more, f"{tail} is polled", 20)


def test_a_red_run_in_the_listing_is_one_note(hatch: Hatch, hub: FakeGitHub, sink: Sink) -> None:
    repo = next(REPO)
    hub.occur("workflow_run", ci(repo, "success"))
    daemon = hatch(_config(hub, repo, sink)).start()
    _polled(hub, repo)
    hub.occur("workflow_run", ci(repo, "failure"))
    until(lambda: sink.texts(repo), "the note", 20)
    _polled(hub, repo)
    daemon.settled()
    assert len(sink.texts(repo)) == 1
    tokens = {asked.token for asked in hub.asked}
    assert tokens == {"fake-token"}, "asked with the token, and with nothing else"
    hits = [asked for asked in hub.asked_for(f"{repo}/actions/runs") if asked.status == 304]
    assert hits, "nothing new costs a 304"


def test_a_hook_and_a_poll_of_one_occurrence_are_one_signal(hatch: Hatch, hub: FakeGitHub) -> None:
    repo = next(REPO)
    hub.add_repo(ci(repo, "success")["repository"])
    daemon = hatch(_config(hub, repo)).start()
    _polled(hub, repo)
    url = f"http://127.0.0.1:{daemon.port}/hooks/github"

    def both(event: str, body: Json, hook_first: bool) -> str:
        kind = f"{event}.{body['action']}"
        known = {row["id"] for row in daemon.signals(kind=kind)}
        if hook_first:
            status, _ = hub.deliver(event, body, url, SECRET)
            assert status == 202
            hub.occur(event, body)
            _polled(hub, repo, "/actions/runs" if event == "workflow_run" else "/issues/events")
        else:
            hub.occur(event, body)
            until(lambda: {r["id"] for r in daemon.signals(kind=kind)} - known, "polled", 20)
            status, said = hub.deliver(event, body, url, SECRET)
            assert (status, said.get("duplicate")) == (200, True), said
        (new,) = {row["id"] for row in daemon.signals(kind=kind)} - known
        return new

    for event, make in (
        ("workflow_run", lambda: ci(repo, "failure")),
        ("issues", lambda: labeled(repo, 3, "bug")),
    ):
        for hook_first in (True, False):
            signal_id = both(event, json.loads(json.dumps(make())), hook_first)
            daemon.decision(signal_id)


def test_the_past_of_a_repository_is_no_news(hatch: Hatch, hub: FakeGitHub, sink: Sink) -> None:
    """The first look at a repository with history: what was said to the owner years ago is not told now."""
    repo, then = next(REPO), "2019-05-15T15:20:18Z"
    old = opened(repo, 1, title="@octocat, are you there?")
    old["issue"] |= {"created_at": then, "updated_at": then, "body": "@octocat?"}
    hub.occur("issues", old)
    words = commented(repo, 1, "ping @octocat")
    words["comment"] |= {"created_at": then, "updated_at": then}
    hub.occur("issue_comment", words)
    mine = assigned(repo, 2)
    mine["issue"] |= {"created_at": then, "updated_at": then}
    hub.occur("issues", mine)
    daemon = hatch(_config(hub, repo, sink)).start()
    _polled(hub, repo)
    daemon.settled()
    daemon.post("/v1/notifications/test")
    assert sink.texts(repo) == []


def test_trouble_at_github_is_a_problem_and_passes(hatch: Hatch, hub: FakeGitHub, sink: Sink) -> None:
    repo = next(REPO)
    hub.add_repo(ci(repo, "success")["repository"])
    hub.fail(r"/actions/runs", 500)
    daemon = hatch(_config(hub, repo, sink)).start()
    until(lambda: [a for a in hub.asked if a.status == 500], "asked in vain")

    def trouble() -> bool:
        status = daemon.status
        sources = [s for s in status["sources"] if s["name"] == "poll" and s["state"] != "ok"]
        return bool(sources or status["problems"])

    until(trouble, "status says so")
    hub.heal()
    hub.occur("workflow_run", ci(repo, "failure"))
    until(lambda: sink.texts(repo), "caught up after the trouble", 40)
    assert len(sink.texts(repo)) == 1


def test_deliveries_missed_while_down_are_recovered_at_start(
    hatch: Hatch, hub: FakeGitHub, sink: Sink
) -> None:
    repo, port = next(REPO), free_port()
    hub.add_repo(ci(repo, "success")["repository"])
    url = f"http://127.0.0.1:{port}/hooks/github"
    config = _config(hub, repo, sink, poll="off", port=port).replace(
        "http://localhost", f"http://127.0.0.1:{port}"
    )
    hook = hub.add_hook(repo, url, SECRET)
    daemon: Daemon = hatch(config).start()
    heard = opened(repo, 1)
    assert hub.send(hook, "issues", heard) == 202
    daemon.stop()
    missed = [("workflow_run", ci(repo, "failure")), ("issues", opened(repo, 2))]
    for event, body in missed:
        assert hub.send(hook, event, body) == 0, "nobody listens"
    daemon.start()
    until(lambda: len(daemon.signals(source="github")) == 3, "both are recovered", 20)
    until(lambda: sink.texts(repo), "and told")
    daemon.settled()
    kinds = sorted(row["kind"] for row in daemon.signals(source="github"))
    assert kinds == ["issues.opened", "issues.opened", "workflow_run.completed"]
    daemon.restart()
    until(lambda: [a for a in hub.asked if a.path.endswith("/deliveries")], "swept again")
    daemon.settled()
    assert len(daemon.signals(source="github")) == 3 and len(sink.texts(repo)) == 1


def test_connect_registers_the_hook_once_and_sees_it_work(hatch: Hatch, hub: FakeGitHub) -> None:
    repo, port = next(REPO), free_port()
    found = hub.add_repo(ci(repo, "success")["repository"])
    public = f"http://127.0.0.1:{port}"
    config = _config(hub, repo, poll="off", port=port).replace("http://localhost", public)
    daemon = hatch(config).start()
    over = threading.Event()

    def ping_asked_for() -> None:
        """What GitHub does with a new hook."""
        answered = 0
        while not over.is_set():
            asked = len(hub.asked_for("/pings"))
            if answered < asked:
                answered = asked
                hub.send(next(iter(found.hooks.values())), "ping", ping(repo))
            over.wait(0.05)

    github = threading.Thread(target=ping_asked_for)
    github.start()
    try:
        for _ in range(2):
            ran = daemon.clawctl("github", "connect", repo)
            assert ran.code == 0, ran.err
    finally:
        over.set()
        github.join()
    (hook,) = found.hooks.values()
    assert hook.config["url"] == f"{public}/hooks/github"
    assert hook.config["secret"] == SECRET and hook.config["content_type"] == "json"
    listed = daemon.clawctl("github", "list", "--json")
    assert listed.code == 0 and repo in listed.out
    assert SECRET not in listed.out + daemon.said()
