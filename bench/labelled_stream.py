"""A labelled stream of GitHub events: some weeks of made-up life in a few repositories, told in GitHub's own bodies.

    python bench/labelled_stream.py [--seed N] [--events N] [--bodies DIR] > stream.jsonl

One JSON line an event: `{"at", "event", "body", "owner", "label", "must"}`, in the order of time. The same seed makes
the same stream. Labels come from stream/labelling.py, which is told what happened and never sees a body.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from stream import words
from stream.bodies import REAL, Body, Repo
from stream.checks import check_life
from stream.deeds import ask_review, assign, close, comment, line_comment, put_label, review, spoken, tinker
from stream.labelling import DEFAULT, ELSEWHERE, OWN, OWNER, ROBOT, STRANGER, Labeller
from stream.world import BEGIN, Told, World, made_by, make_world, stamp

A_DAY = 70
CHATTER = (
    ("star", "star__deleted.payload.json", 5), ("watch", "watch__started.with-installation.payload.json", 4),
    ("fork", "fork__with-installation.payload.json", 2), ("create", "create__with-description.payload.json", 3),
    ("delete", "delete__with-installation.payload.json", 2), ("release", "release__created.payload.json", 2),
    ("release", "release__edited.with-reactions.payload.json", 1), ("label", "label__edited.payload.json", 2),
    ("release", "release__published.with-discussion-url.payload.json", 1), ("gollum", "gollum__payload.json", 1),
    ("milestone", "milestone__closed.with-installation.payload.json", 1), ("member", "member__added.payload.json", 1),
    ("deployment", "deployment__payload.json", 2), ("deployment_status", "deployment_status__payload.json", 2),
    ("discussion", "discussion__labeled.with-reactions.payload.json", 1), ("page_build", "page_build__payload.json", 1),
    ("discussion", "discussion__answered.payload.json", 1), ("ping", "ping__payload.json", 1),
    ("dependabot_alert", "dependabot_alert__created.payload.json", 1), ("public", "public__payload.json", 1),
    ("code_scanning_alert", "code_scanning_alert__fixed.payload.json", 1),
    ("repository", "repository__edited.payload.json", 1), ("push", "push__payload.json", 8),
    ("issue_comment", "issue_comment__deleted.payload.json", 2), ("issues", "issues__edited.payload.json", 3),
    ("issues", "issues__milestoned.payload.json", 2), ("milestone", "milestone__deleted.payload.json", 1),
    ("issues", "issues__unassigned.with-organization.payload.json", 1),
    ("issues", "issues__locked.payload.json", 1), ("issues", "issues__transferred.payload.json", 1),
    ("pull_request", "pull_request__unlabeled.payload.json", 1),
    ("pull_request", "pull_request__locked.with-organization.payload.json", 1),
    ("pull_request_review_thread", "pull_request_review_thread__unresolved.payload.json", 1),
    ("pull_request_review_comment", "pull_request_review_comment__edited.payload.json", 1),
    ("check_suite", "check_suite__requested.payload.with-email-with-special-characters.json", 2),
    ("check_run", "check_run__rerequested.payload.json", 1),
    ("check_run", "check_run__created.with-organization.payload.json", 2),
    ("workflow_run", "workflow_run__requested.with-conclusion.payload.json", 2),
    ("workflow_job", "workflow_job__queued.payload.json", 3),
    ("workflow_job", "workflow_job__in_progress.payload.json", 3),
    ("projects_v2_item", "projects_v2_item__reordered.payload.json", 1), ("team", "team__deleted.payload.json", 1),
    ("security_advisory", "security_advisory__published.payload.json", 1),
)  # fmt: skip


def issue_life(world: World, at: datetime) -> None:
    repo, rng = rng_repo(world), world.rng
    author = world.someone(stranger=6, collaborator=3, owner=2, robot=1)
    thread = world.thread(repo, author, is_pull=False)
    thread.text, happening = spoken(world, author, repo, begins=True)
    body = world.shelf.take("issues__opened.payload.json", repo, author)
    world.tell(at, "issues", thread.put(body, stamp(at)), happening)
    for _ in range(rng.randint(0, 5)):
        at += timedelta(minutes=rng.choice([1, 4, 20, 90, 400]), seconds=rng.randint(0, 59))
        by = world.someone(stranger=5, collaborator=4, owner=3, robot=2)
        dice = rng.random()
        if dice < 0.60:
            comment(world, at, thread, by, edited=rng.random() < 0.08)
        elif dice < 0.70:
            insider = world.someone(collaborator=4, owner=2, robot=1)
            assign(world, at, thread, insider, world.someone(owner=5, collaborator=5))
        elif dice < 0.82:
            insider = world.someone(collaborator=4, owner=3, robot=2)
            name = rng.choice(["bug", "question", "help wanted", "nightclaw", "Nightclaw", "p2"])
            put_label(world, at, thread, insider, name, off=rng.random() < 0.2)
        elif dice < 0.95:
            tinker(world, at, thread, world.someone(collaborator=3, owner=2, robot=1))
        else:
            close(world, at, thread, world.someone(collaborator=3, owner=3))
            return


def pull_life(world: World, at: datetime) -> None:
    repo, rng = rng_repo(world), world.rng
    author = world.someone(owner=5, collaborator=4, stranger=3, robot=4)
    thread = world.thread(repo, author, is_pull=True)
    if author.role == STRANGER:
        thread.head_repo = f"{author.login}/{repo.name.partition('/')[2]}"
        thread.branch = rng.choice([thread.branch, repo.default])
    thread.is_draft = rng.random() < 0.15
    thread.text, happening = spoken(world, author, repo) if author.role != ROBOT else (
        "Bumps the group with 3 updates.", made_by(world, author, repo, "words"))  # fmt: skip
    body = world.shelf.take("pull_request__opened.with-null-body.json", repo, author)
    world.tell(at, "pull_request", thread.put(body, stamp(at)), happening)
    for _ in range(rng.randint(1, 6)):
        at += timedelta(minutes=rng.choice([2, 6, 30, 120, 500]), seconds=rng.randint(0, 59))
        dice = rng.random()
        if dice < 0.30:
            place = OWN if author.role == OWNER else ELSEWHERE
            check_life(world, at, thread.repo, author, place, thread)
        elif dice < 0.48:
            of = rng.choice([world.owner, None, world.someone(collaborator=1)])
            of = world.someone(collaborator=1) if of is not None and of.login == author.login else of
            ask_review(world, at, thread, world.someone(owner=2, collaborator=4, robot=1), of)
        elif dice < 0.62:
            comment(world, at, thread, world.someone(stranger=2, collaborator=4, owner=3, robot=4))
        elif dice < 0.74:
            review(world, at, thread, world.someone(collaborator=5, stranger=1, robot=1))
        elif dice < 0.80:
            line_comment(world, at, thread, world.someone(collaborator=5, owner=2, robot=1))
        elif dice < 0.84:
            assign(
                world,
                at,
                thread,
                world.someone(collaborator=2, owner=1),
                world.someone(owner=1, collaborator=1),
            )
        elif dice < 0.90:
            put_label(
                world,
                at,
                thread,
                world.someone(collaborator=2, robot=2),
                rng.choice(["deps", "nightclaw", "docs"]),
            )
        else:
            tinker(world, at, thread, author)
    close(world, at + timedelta(hours=rng.randint(1, 30)), thread, world.someone(collaborator=2, owner=3))


def chatter(world: World, at: datetime) -> None:
    event, file, _ = world.rng.choices(CHATTER, [c[2] for c in CHATTER])[0]
    by = world.someone(stranger=4, collaborator=3, owner=2, robot=2)
    repo = rng_repo(world)
    body = world.shelf.take(file, repo, by)
    mark = world.fresh()
    for thing in (v for k, v in body.items() if isinstance(v, dict) and k not in ("repository", "sender")):
        number = world.rng.getrandbits(40)
        fresh = {"id": number, "node_id": f"X_{number}", "updated_at": stamp(at), "created_at": stamp(at)}
        thing.update({k: v for k, v in fresh.items() if k in thing})
    body["mark"] = mark
    if event == "push":
        body.update(after=mark, ref=f"refs/heads/{world.rng.choice([repo.default, *words.BRANCHES])}")
    thread = world.thread(repo, world.someone(stranger=1, collaborator=1), is_pull="pull_request" in body)
    if event in ("issues", "pull_request", "issue_comment") and isinstance(body.get("changes"), dict):
        body["changes"] = {"title": {"from": "Older title"}}
    if event in ("issues", "pull_request", "issue_comment"):
        thread.put(body, stamp(at))
    world.tell(at, event, body, made_by(world, by, repo))


def rng_repo(world: World) -> Repo:
    return world.rng.choice(world.repos)


def default_branch_life(world: World, repo: Repo, days: float) -> None:
    at = BEGIN + timedelta(hours=world.rng.random() * 12)
    while at < BEGIN + timedelta(days=days):
        check_life(world, at, repo, world.someone(owner=3, collaborator=4, robot=1), DEFAULT, None)
        at += timedelta(hours=8 + world.rng.random() * 40)


def stream(seed: int, events: int, folder: Path = REAL) -> Iterator[Body]:
    """The lines of a stream, oldest first."""
    world = make_world(seed, folder)
    days = events / A_DAY
    for repo in world.repos:
        default_branch_life(world, repo, days)
    lives: list[Callable[[World, datetime], None]] = [issue_life, pull_life, chatter]
    while len(world.told) < events * 1.1:
        at = BEGIN + timedelta(days=world.rng.random() * days)
        world.rng.choices(lives, [5, 5, 14])[0](world, at.replace(microsecond=0))
    labeller, told = Labeller(), sorted(world.told, key=lambda t: (t.at, t.serial))[:events]
    for n, t in enumerate(told):
        yield _line(world, t, labeller)
        if n % 90 == 45:  # GitHub delivers some things twice
            again = replace(
                t, at=t.at + timedelta(seconds=30), happening=replace(t.happening, is_repeat=True)
            )
            yield _line(world, again, labeller)


def _line(world: World, t: Told, labeller: Labeller) -> Body:
    label, must = labeller.label(t.happening)
    return {
        "at": stamp(t.at), "event": t.event, "body": t.body, "owner": world.owner.login, "label": label, "must": must
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--events", type=int, default=1200)
    parser.add_argument("--bodies", type=Path, default=REAL)
    wanted = parser.parse_args()
    for line in stream(wanted.seed, wanted.events, wanted.bodies):
        print(json.dumps(line, separators=(",", ":")))


if __name__ == "__main__":
    main()
