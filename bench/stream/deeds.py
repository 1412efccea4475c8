"""What people do in a made-up stream: each deed is one event, its body and what it amounts to."""

from dataclasses import replace
from datetime import datetime

from stream import words
from stream.bodies import Person, Repo, Thread
from stream.labelling import OWNER, STRANGER, Happening
from stream.world import ASSOCIATION, World, made_by, stamp

# What people write


def spoken(world: World, by: Person, repo: Repo, *, begins: bool = False) -> tuple[str, Happening]:
    """A text, and what it amounts to. begins: the first text of a thread, where strangers report things."""
    rng, login = world.rng, world.owner.login
    plain = rng.choice(words.BODIES)
    dice = rng.random()
    if by.role == STRANGER and begins and dice < 0.04:
        return rng.choice(words.URGENT), made_by(world, by, repo, "words", urgent=True)
    if dice < 0.10:
        text = rng.choice(words.CALLS).format(o=login if rng.random() < 0.7 else login.title(), text=plain)
        return text, made_by(world, by, repo, "words", calls_owner=True)
    if dice < 0.22:
        text = rng.choice(words.NO_CALLS).format(o=login, text=plain)
        return text, made_by(world, by, repo, "words")
    if dice < 0.27:
        return rng.choice(words.ORDERS).format(text=plain), made_by(world, by, repo, "words", orders=True)
    if dice < 0.30:
        return rng.choice(words.NO_ORDERS).format(text=plain), made_by(world, by, repo, "words")
    return plain, made_by(world, by, repo, "words")


def comment(world: World, at: datetime, thread: Thread, by: Person, *, edited: bool = False) -> None:
    """A comment; an edited one had said something without a name before."""
    text, happening = spoken(world, by, thread.repo)
    file = "issue_comment__edited.payload.json" if edited else "issue_comment__created.1.payload.json"
    body = thread.put(world.shelf.take(file, thread.repo, by), stamp(at))
    number = world.rng.getrandbits(40)
    body["comment"].update(
        id=number, node_id=f"IC_{number}", body=text, user=by.as_json(), created_at=stamp(at), updated_at=stamp(at),
        author_association=ASSOCIATION[by.role], html_url=body["issue"]["html_url"] + f"#issuecomment-{number}",
    )  # fmt: skip
    if edited:
        body["changes"] = {"body": {"from": "It was something else."}}
        happening = replace(happening, orders=False, urgent=False)
    world.tell(at, "issue_comment", body, happening)


def review(world: World, at: datetime, thread: Thread, by: Person) -> None:
    text, happening = spoken(world, by, thread.repo)
    state = world.rng.choice(["approved", "commented", "changes_requested"])
    file = "pull_request_review__submitted.with-organization.payload.json"
    body = thread.put(world.shelf.take(file, thread.repo, by), stamp(at))
    number = world.rng.getrandbits(40)
    body["review"].update(
        id=number, node_id=f"PRR_{number}", body=text, state=state, user=by.as_json(), submitted_at=stamp(at),
        author_association=ASSOCIATION[by.role],
    )  # fmt: skip
    world.tell(at, "pull_request_review", body, happening)


def line_comment(world: World, at: datetime, thread: Thread, by: Person) -> None:
    text, happening = spoken(world, by, thread.repo)
    file = "pull_request_review_comment__created.with-organization.payload.json"
    body = thread.put(world.shelf.take(file, thread.repo, by), stamp(at))
    number = world.rng.getrandbits(40)
    body["comment"].update(
        id=number, node_id=f"PRC_{number}", body=text, user=by.as_json(), author_association=ASSOCIATION[by.role],
        created_at=stamp(at), updated_at=stamp(at),
    )  # fmt: skip
    world.tell(at, "pull_request_review_comment", body, happening)


# What is done to a thread


def assign(world: World, at: datetime, thread: Thread, by: Person, to: Person) -> None:
    event = "pull_request" if thread.is_pull else "issues"
    file = f"{event}__assigned.payload.json"
    body = thread.put(world.shelf.take(file, thread.repo, by), stamp(at))
    body["assignee"] = to.as_json()
    world.tell(
        at, event, body, made_by(world, by, thread.repo, "assignment", to_owner=to.role == OWNER)
    )  # fmt: skip


def ask_review(world: World, at: datetime, thread: Thread, by: Person, of: Person | None) -> None:
    """of None: a team is asked."""
    file = "pull_request__review_requested.payload.json"
    body = thread.put(world.shelf.take(file, thread.repo, by), stamp(at))
    body.pop("requested_reviewer", None)
    if of is None:
        body["requested_team"] = {"id": 9, "name": "Core", "slug": "core"}
    else:
        body["requested_reviewer"] = of.as_json()
    to_owner = of is not None and of.role == OWNER
    world.tell(at, "pull_request", body, made_by(world, by, thread.repo, "review", to_owner=to_owner))


def put_label(
    world: World, at: datetime, thread: Thread, by: Person, label: str, *, off: bool = False
) -> None:
    if thread.is_pull:
        off, event, file = False, "pull_request", "pull_request__labeled.with-organization.payload.json"
    else:
        event, file = "issues", f"issues__{'unlabeled.with-organization' if off else 'labeled'}.payload.json"
    body = thread.put(world.shelf.take(file, thread.repo, by), stamp(at))
    body["label"] = {"id": 5, "name": label, "color": "ededed"}
    is_work = label.lower() == "nightclaw" and not off
    world.tell(at, event, body, made_by(world, by, thread.repo, "label", is_work_label=is_work))


def close(world: World, at: datetime, thread: Thread, by: Person) -> None:
    """Closed for good, merged when it is a pull request."""
    event = "pull_request" if thread.is_pull else "issues"
    file = "pull_request__closed.payload.json" if thread.is_pull else "issues__edited.payload.json"
    body = world.shelf.take(file, thread.repo, by)
    body["action"] = "closed"
    body = thread.put(body, stamp(at), "closed")
    body.pop("changes", None)
    if thread.is_pull:
        body["pull_request"]["merged"] = world.rng.random() < 0.8
    ends = made_by(world, by, thread.repo, "other", branch=thread.branch, ends_branch=thread.is_pull)
    world.tell(at, event, body, ends)


def tinker(world: World, at: datetime, thread: Thread, by: Person) -> None:
    """One of the many small things that concern nobody."""
    event = "pull_request" if thread.is_pull else "issues"
    files = words.SMALL_PULL if thread.is_pull else words.SMALL_ISSUE
    body = thread.put(world.shelf.take(world.rng.choice(files), thread.repo, by), stamp(at))
    world.tell(at, event, body, made_by(world, by, thread.repo))
