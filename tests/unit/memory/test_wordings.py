"""Many people's wordings: what is said again is one, what is said anew takes its place, what only looks alike stays two.

The sentences were written by people who had not seen the code. The shares are what it reaches; a change may raise them.
"""

import json
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from nightclaw.memory import dates
from nightclaw.memory.alignment import Relation, relation
from nightclaw.memory.gist import LONGEST, gist

CASES = [json.loads(line) for line in (Path(__file__).parent / "wordings.jsonl").read_text().splitlines()]


def stand(first: str, then: str) -> Relation | None:
    a, b = gist(first), gist(then)
    return relation(a, b) if a is not None and b is not None else None


@pytest.mark.parametrize(
    ("kind", "wanted", "share"),
    [
        ("distinct", (None,), 1.0),
        ("near", (Relation.SAME,), 0.88),
        ("retract", (Relation.ENDS, Relation.NEWER), 0.81),
        ("supersede", (Relation.NEWER, Relation.ENDS), 0.77),
    ],
)
def test_wordings_of_many_hands(kind: str, wanted: tuple[Relation | None, ...], share: float) -> None:
    cases = [c for c in CASES if c["kind"] == kind]
    assert len(cases) > 80
    missed = [c for c in cases if stand(c["first"], c["then"]) not in wanted]
    assert 1 - len(missed) / len(cases) >= share, "\n".join(f"{c['first']} | {c['then']}" for c in missed)


@pytest.mark.parametrize("case", [c for c in CASES if c["kind"] == "dated"], ids=lambda c: c["text"][:40])
def test_a_relative_date_is_written_out_from_the_day_it_was_said(case: dict[str, str]) -> None:
    said = datetime.fromisoformat(f"{case['said']}T10:00:00+00:00")
    assert case["means"] in dates.absolute(case["text"], round(said.timestamp() * 1000), UTC)


NEWER = [
    ("Atlas uses Jenkins for CI.", "Atlas switched its CI from Jenkins to GitHub Actions."),
    ("Kibana is where we look at logs.", "We look at logs in Loki now; Kibana was shut down."),
    ("On-call for ingestion is Chidi.", "Leonie took over the ingestion on-call."),
    ("Marta prefers dark mode over light mode.", "Marta has changed her mind: light mode, not dark mode."),
    ("The grant report is due 30 September.", "NLnet pushed the grant report deadline to 31 October."),
    ("quillcast is MIT licensed", "I relicensed quillcast to AGPL-3.0 today"),
    ("Deploys to production need two approvals.", "One approval is enough for a production deploy now."),
]


@pytest.mark.parametrize(("old", "new"), NEWER)
def test_a_newer_statement_takes_the_place_of_the_older(old: str, new: str) -> None:
    assert stand(old, new) is Relation.NEWER


APART = [
    ("Dmitri Volkov owns the pricing-engine service.", "Dmitri Volkov owns the discount-engine service."),
    ("Driftnote costs 9 euros a month.", "Driftnote costs 90 euros a year."),
    ("The gateway read timeout is 60 seconds.", "The read timeout is 15 seconds."),
    ("Shelf 3 of the depot holds paint", "Shelf 4 of the depot holds paint"),
    ("Billing uses Kafka", "We migrated billing from Postgres to CockroachDB"),
    ("Chidi Adeyemi lives in Utrecht", "Chidi Okafor left for Lisbon on 2026-10-29"),
    ("We decided to rewrite the parser in Rust.", "We decided to rewrite the scheduler in Rust."),
    ("We pushed feature freeze back to 15 September.", "The change freeze ends on 8 January."),
    ("We don't deploy on Fridays.", "To deploy, call ./deploy.sh prod."),
    ("The flight from Oslo to Rome takes 3 hours", "The flight from Rome to Oslo takes 3 hours"),
    ("Dana reports to Lee", "Lee reports to Dana"),
    ("quillcast is MIT licensed.", "The sdk-python repo is under the MIT licence."),
    ("We use Prometheus for metrics.", "We also use Graphite for metrics now."),
    ("We use Redis for caching", "Is Redis still used for caching?"),
]


@pytest.mark.parametrize(("a", "b"), APART)
def test_what_only_looks_alike_stays_two(a: str, b: str) -> None:
    assert stand(a, b) is None
    assert stand(b, a) is None


def test_a_hostile_sentence_is_read_in_a_moment() -> None:
    for part in (
        "from a to ",
        "not ",
        "now, ",
        "12:30 ",
        "Ab ",
        "moved ",
        "is ",
        "handed x ",
        "prefers a to ",
    ):
        began = time.process_time()
        gist(part * (LONGEST // len(part)))
        assert time.process_time() - began < 0.2, part
    assert gist("word " * 1000) is None
