"""Triage as its owner meets it: what a model may add, what it may not, and what it costs."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from tests.e2e.conftest import Hatch
from tests.e2e.daemon import Daemon, Json, until
from tests.e2e.deliveries import OWNER, STRANGER, commented, labeled, opened
from tests.e2e.homes import standard
from tests.fakes.model_server import ModelServer, say, unauthorized
from tests.fakes.model_server.server import provider_toml

REPO = "octo/judged"
MODELS = '[models]\nagent = "anthropic/claude-sonnet-4-6"\ntriage = "anthropic/claude-haiku-4-5"\n'
ORDERS = "# Orders\n\n- Anything that loses data: propose work on it.\n"


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer() as found:
        yield found


def daemon(
    hatch: Hatch, server: ModelServer, more: str = "", *, config: bool = True, orders: str = ORDERS
) -> Daemon:
    provider = provider_toml("anthropic", "anthropic", server.anthropic_url(), "ANTHROPIC_API_KEY")
    toml = standard(more=MODELS + provider + more) if config else None
    made = hatch(toml, server.env())
    made.home.mkdir(mode=0o700, exist_ok=True)
    (made.home / "ORDERS.md").write_text(orders)
    return made.start()


def judged(daemon: Daemon, number: int, text: str = "All my files are gone after the update.") -> Json:
    body = opened(REPO, number, sender=STRANGER)
    body["issue"]["body"] = text
    return daemon.decision(daemon.take("issues", body))


def test_a_strangers_issue_is_asked_about_once_and_proposed(hatch: Hatch, server: ModelServer) -> None:
    server.script(say('{"verdict": "act", "reason": "it loses data"}'))
    there = daemon(hatch, server)
    decision = judged(there, 1)
    assert (decision["verdict"], decision["floor"], decision["cap"]) == ("propose", "record", "propose")
    assert "it loses data" in decision["reason"]
    [asked] = server.calls
    assert asked.asked.tools == []
    assert asked.usage.all_input <= 800
    assert "propose work on it" in asked.asked.shown
    spent = there.status["today"]["by_cause"]["signal"]
    assert (spent["model_calls"], spent["input_tokens"]) == (1, asked.usage.all_input)
    assert spent["cost_usd"] > 0
    assert decision["usage"]["model"] == "anthropic/claude-haiku-4-5"
    told = " ".join(there.why(decision["id"])["story"])
    assert "anthropic/claude-haiku-4-5 was asked" in told
    [approval] = there.items("/v1/approvals")
    assert approval["kind"] == "proposal"
    server.check()


def test_what_the_rules_decide_is_not_asked(hatch: Hatch, server: ModelServer) -> None:
    there = daemon(hatch, server, "[features]\ntriage = true\n")
    mention = commented(REPO, 2, f"@{OWNER} please look", sender=STRANGER, standing="NONE")
    assert there.decision(there.take("issue_comment", mention))["verdict"] == "notify"
    assert there.decision(there.take("issues", labeled(REPO, 2, "bug")))["verdict"] == "record"
    assert server.calls == []


def test_the_switch_a_pause_of_the_provider_and_garbage_leave_the_floor(
    hatch: Hatch, server: ModelServer
) -> None:
    server.script(say("I would say act"), unauthorized())
    there = daemon(hatch, server)
    decision = judged(there, 1)
    assert (decision["verdict"], "no JSON" in decision["reason"]) == ("record", True)
    decision = judged(there, 2)
    assert (decision["verdict"], "could not be asked" in decision["reason"]) == ("record", True)
    assert judged(there, 3)["verdict"] == "record"
    assert len(server.calls) == 2
    there.api("PATCH", "/v1/features", {"triage": False})
    decision = judged(there, 4)
    assert (
        (decision["verdict"], decision["usage"]["model_calls"]) == ("record", 0)
        if decision["usage"]
        else True
    )
    assert len(server.calls) == 2


def due_today(daemon: Daemon) -> Json:
    """The decision about an order that fell due when this day began, found by the first tick."""
    found = until(
        lambda: [d for d in daemon.items("/v1/decisions") if d["rule"] == "probe:changed"],
        "a tick changed",
        20,
    )
    return found[0]


@pytest.mark.parametrize("config", [True, False])
def test_an_order_falling_due_is_judged_once_and_a_found_key_spends_nothing(
    hatch: Hatch, server: ModelServer, config: bool
) -> None:
    server.policy(lambda asked: say('{"verdict": "notify", "reason": "it is due"}'))
    orders = f"- {datetime.now(UTC):%Y-%m-%d} renew the certificate\n"
    there = daemon(hatch, server, config=config, orders=orders)
    decision = due_today(there)
    assert (decision["verdict"], decision["floor"], decision["cap"]) == ("notify", "notify", "act")
    assert [n["title"] for n in there.items("/v1/notifications")] == [
        f"due by your orders: {orders[2:].strip()}"
    ]
    assert len(server.calls) == (1 if config else 0)
    if config:
        assert there.status["today"]["by_cause"]["tick"]["model_calls"] == 1
        assert server.calls[0].usage.all_input + server.calls[0].usage.output <= 800


def test_a_repositorys_list_keeps_its_bytes_from_the_model(hatch: Hatch, server: ModelServer) -> None:
    there = daemon(hatch, server, f'[[github.repo]]\nname = "{REPO}"\nmodels = ["ollama"]\n')
    decision = judged(there, 1)
    assert (decision["verdict"], "no model may see this" in decision["reason"]) == ("record", True)
    assert server.calls == []


def test_an_empty_budget_asks_nobody_and_says_so_once(hatch: Hatch, server: ModelServer) -> None:
    there = daemon(hatch, server, "[budget]\ndaily_usd = 0.0\n")
    for number in (1, 2):
        assert "daily_usd" in judged(there, number)["reason"]
    assert server.calls == []
    assert [n["title"] for n in there.items("/v1/notifications")] == ["Out of budget: daily_usd"]


def test_killed_between_the_answer_and_the_decision_it_asks_again_and_counts_both(
    hatch: Hatch, server: ModelServer
) -> None:
    server.policy(lambda asked: say('{"verdict": "propose", "reason": "it loses data"}'))
    there = daemon(hatch, server)
    there.restart({"NIGHTCLAW_FAILPOINT": "triage.answered"})
    signal = there.take("issues", opened(REPO, 1, sender=STRANGER))
    assert there.ended(15) == -9
    there.start()
    assert there.decision(signal)["verdict"] == "propose"
    assert len(server.calls) == 2
    assert there.status["today"]["by_cause"]["signal"]["model_calls"] == 2
    assert len(there.items("/v1/approvals")) == 1
    server.check()
