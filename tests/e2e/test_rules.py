"""The owner's own rules: the first match decides, caps hold, trust is never raised, and the past can be replayed."""

import pytest
from tests.e2e.conftest import Hatch
from tests.e2e.daemon import Daemon
from tests.e2e.deliveries import MATE, OWNER, ci, commented, labeled, names, opened, review_requested
from tests.e2e.homes import standard

RULES = """
[[rule]]
when = { source = "github", kind = "workflow_run.completed", "payload.workflow_run.name" = "nightly" }
verdict = "record"
[[rule]]
when = { kind = "workflow_run.completed", "payload.workflow_run.conclusion" = "cancelled" }
verdict = "notify"
[[rule]]
when = { kind = "workflow_run.completed", "payload.workflow_run.conclusion" = "cancelled" }
verdict = "ignore"
[[rule]]
when = { kind = "issues.opened", "payload.sender.login" = "mallory" }
verdict = "act"
[[rule]]
when = { kind = "issues.opened", "payload.sender.login" = "hubot" }
verdict = "record"
cap = "propose"
[[rule]]
when = { kind = "issues.labeled" }
verdict = "ignore"
[[rule]]
when = { source = "chat" }
verdict = "ignore"
"""
REPO = names("rules")


@pytest.fixture(scope="module")
def daemon(hatch_once: Hatch) -> Daemon:
    return hatch_once(standard(more=RULES)).start()


def test_the_first_matching_rule_gives_the_verdict(daemon: Daemon) -> None:
    runs = [
        ci(next(REPO), "cancelled"),
        ci(next(REPO), "failure", workflow="nightly"),
        ci(next(REPO), "failure"),
    ]
    taken = [daemon.take("workflow_run", run) for run in runs]
    cancelled, nightly, other = (daemon.decision(signal_id) for signal_id in taken)
    assert cancelled["verdict"] == "notify" and not cancelled["rule"].startswith("default")
    assert (nightly["verdict"], nightly["floor"], nightly["cap"]) == ("record", "record", "record")
    assert nightly["rule"] != cancelled["rule"]
    assert other["verdict"] == "notify" and other["rule"].startswith("default"), "no own rule: the defaults"


def test_a_cap_widens_what_triage_may_say_and_no_more(daemon: Daemon) -> None:
    decision = daemon.decision(daemon.take("issues", opened(next(REPO), 1, sender=MATE)))
    assert (decision["verdict"], decision["floor"], decision["cap"]) == ("record", "record", "propose")


def test_a_rule_overrules_the_owners_label(daemon: Daemon) -> None:
    decision = daemon.decision(daemon.take("issues", labeled(next(REPO), 1, "nightclaw")))
    assert decision["verdict"] == "ignore" and decision["task_id"] is None


def test_a_rule_never_raises_trust(daemon: Daemon) -> None:
    """Even where the owner lets a stranger's issue start work, the work is a stranger's."""
    repo = next(REPO)
    decision = daemon.decision(daemon.take("issues", opened(repo, 1)))
    if decision["task_id"]:
        task = daemon.get(f"/v1/tasks/{decision['task_id']}")
        assert task["trust"] == "WORLD" and task["state"] == "proposed"
    assert {row["trust"] for row in daemon.signals(subject=f"{repo}#1")} == {"WORLD"}


def test_rules_are_listed_in_order(daemon: Daemon) -> None:
    listed = daemon.clawctl("rules", "list", "--json")
    assert listed.code == 0
    text = listed.out
    assert text.index("nightly") < text.index("cancelled") < text.index("mallory")


def test_a_rule_of_a_newer_config_holds_for_the_next_signal_only(hatch: Hatch) -> None:
    """`rules test` replays what came in against the present rules, and changes nothing."""
    daemon = hatch(standard()).start()
    repo, other = next(REPO), next(REPO)
    daemon.decision(daemon.take("workflow_run", ci(repo, "failure")))
    daemon.decision(daemon.take("pull_request", review_requested(repo, 2)))
    daemon.decision(
        daemon.take("issue_comment", commented(repo, 2, "thanks", sender=OWNER, standing="OWNER"))
    )
    silent = '[[rule]]\nwhen = { kind = "workflow_run.completed" }\nverdict = "record"\n'
    loud = '[[rule]]\nwhen = { kind = "issue_comment.created" }\nverdict = "notify"\n'
    daemon.configure(standard(more=silent + loud))
    daemon.restart()
    before = daemon.status["event_head"]
    ran = daemon.clawctl("rules", "test", "--since", "1d", "--json")
    assert ran.code == 0, ran.err
    replay = ran.json
    assert replay["counts"]["notify"] == len(replay["told"]) == 2
    assert {row["kind"] for row in replay["told"]} == {
        "pull_request.review_requested",
        "issue_comment.created",
    }
    changed = {row["kind"]: (row["was"], row["verdict"]) for row in replay["changed"]}
    assert changed["workflow_run.completed"] == ("notify", "record")
    assert changed["issue_comment.created"][1] == "notify"
    assert "pull_request.review_requested" not in changed
    assert daemon.status["event_head"] == before, "a replay does nothing"
    assert daemon.clawctl("rules", "test").code == 0
    red = daemon.decision(daemon.take("workflow_run", ci(other, "failure")))
    assert red["verdict"] == "record"
