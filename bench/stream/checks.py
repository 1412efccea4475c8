"""Rounds of checks in a made-up stream, as GitHub tells of them: runs, jobs, checks or statuses."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from stream.bodies import Body, Person, Repo, Thread
from stream.labelling import Happening
from stream.world import World, made_by, stamp

CHECK_RUN = "check_run__completed.1.payload.json"
JOB = "workflow_job__completed.failure.with-organization.payload.json"
RUN = "workflow_run__completed.with-pull-requests.payload.json"
SUITE = "check_suite__completed.1.payload.json"
STATUS = "status__with-author-committer-null.payload.json"


@dataclass(frozen=True, slots=True)
class Round:
    """One push that is checked. thread: its pull request, None for the default branch. number: of the run."""

    repo: Repo
    by: Person
    place: str
    thread: Thread | None
    sha: str
    number: int
    attempt: int = 1

    @property
    def branch(self) -> str:
        return self.thread.branch if self.thread else self.repo.default

    @property
    def is_of_fork(self) -> bool:
        return self.thread is not None and bool(self.thread.head_repo)

    def listed(self, body: Body) -> list[Body]:
        return [self.thread.as_listed(body)] if self.thread and not self.is_of_fork else []

    def ended(self, world: World, check: str, result: str) -> Happening:
        return made_by(
            world,
            self.by,
            self.repo,
            "check",
            place=self.place,
            branch=self.branch,
            check=check,
            result=result,
        )


def check_life(world: World, at: datetime, repo: Repo, by: Person, place: str, thread: Thread | None) -> None:
    """One round of checks on a branch; while it fails another: run again, or of a new push, after a cancelled one."""
    fails = world.rng.random() < 0.35
    held = Round(repo, by, place, thread, thread.sha if thread else world.fresh(), world.rng.getrandbits(34))
    one_round(world, at, held, "failure" if fails else "success")
    while fails:
        at += timedelta(minutes=world.rng.choice([3, 12, 45, 240]))
        if world.rng.random() < 0.4:
            held = replace(held, attempt=held.attempt + 1)
        else:
            if world.rng.random() < 0.2:
                one_round(world, at, _pushed(world, at, held), "cancelled")
                at += timedelta(minutes=2)
            held = _pushed(world, at, held)
            at += timedelta(seconds=30)
        fails = world.rng.random() < 0.3
        one_round(world, at, held, "failure" if fails else "success")


def _pushed(world: World, at: datetime, held: Round) -> Round:
    """The same branch with a commit more."""
    sha = world.fresh()
    if held.thread is not None:
        held.thread.sha = sha
        body = world.shelf.take("pull_request__reopened.with-organization.payload.json", held.repo, held.by)
        body["action"], body["after"] = "synchronize", sha
        world.tell(at, "pull_request", held.thread.put(body, stamp(at)), made_by(world, held.by, held.repo))
    return replace(held, sha=sha, number=world.rng.getrandbits(34), attempt=1)


def one_round(world: World, at: datetime, held: Round, end: str) -> None:
    tell = {"checks": _check_run, "jobs": _job, "status": _status}[held.repo.style]
    names = ["build", "lint"] if held.repo.style == "checks" else ["test"]
    for name in names:
        went = end if name == names[0] else "skipped" if end == "cancelled" else "success"
        at += timedelta(seconds=world.rng.choice([0, 1, 9, 40]))
        tell(world, at, held, name, went)
    if held.repo.style != "status":
        _run(world, at + timedelta(seconds=1), held, end)
    if held.repo.style == "checks":
        _suite(world, at + timedelta(seconds=world.rng.choice([1, 2, 8])), held, end)


def _check_run(world: World, at: datetime, held: Round, name: str, went: str) -> None:
    """Of a fork's pull request GitHub names neither the branch nor the request."""
    body = world.shelf.take(CHECK_RUN, held.repo, held.by)
    job, listed = world.rng.getrandbits(36), held.listed(body)
    check = body["check_run"]
    check.update(
        id=job, node_id=f"CR_{job}", head_sha=held.sha, conclusion=went, name=name, completed_at=stamp(at),
        details_url=f"https://github.com/{held.repo.name}/actions/runs/{held.number}/job/{job}", pull_requests=listed,
    )  # fmt: skip
    check["check_suite"].update(
        id=held.number,
        head_branch=None if held.is_of_fork else held.branch,
        head_sha=held.sha,
        pull_requests=listed,
    )
    world.tell(at, "check_run", body, held.ended(world, name, went))


def _job(world: World, at: datetime, held: Round, name: str, went: str) -> None:
    body = world.shelf.take(JOB, held.repo, held.by)
    job = world.rng.getrandbits(36)
    body["workflow_job"].update(
        id=job, node_id=f"CR_{job}", head_sha=held.sha, conclusion=went, name=name, completed_at=stamp(at),
        run_id=held.number, head_branch=held.branch, run_attempt=held.attempt,
    )  # fmt: skip
    world.tell(at, "workflow_job", body, held.ended(world, name, went))


def _run(world: World, at: datetime, held: Round, end: str) -> None:
    body = world.shelf.take(RUN, held.repo, held.by)
    home, run = body["repository"], body["workflow_run"]
    fork = {**home, "id": home["id"] + 1, "full_name": held.thread.head_repo} if held.thread else home
    run.update(
        id=held.number, node_id=f"WFR_{held.number}", name="CI", head_branch=held.branch, head_sha=held.sha,
        conclusion=end, run_attempt=held.attempt, updated_at=stamp(at), actor=held.by.as_json(),
        triggering_actor=held.by.as_json(), repository=home, head_repository=fork if held.is_of_fork else home,
        event="pull_request" if held.thread else "push", display_title="Work", pull_requests=held.listed(body),
        head_commit={**run.get("head_commit", {}), "id": held.sha, "author": {"name": held.by.login, "email": "a@b.c"}},
    )  # fmt: skip
    world.tell(at, "workflow_run", body, held.ended(world, "CI", end))


def _suite(world: World, at: datetime, held: Round, end: str) -> None:
    """GitHub Actions makes one for each workflow, all of one name."""
    body = world.shelf.take(SUITE, held.repo, held.by)
    body["check_suite"].update(
        id=held.number, node_id=f"CS_{held.number}", head_sha=held.sha, conclusion=end, updated_at=stamp(at),
        head_branch=None if held.is_of_fork else held.branch, pull_requests=held.listed(body),
        app={**body["check_suite"]["app"], "name": "GitHub Actions", "slug": "github-actions"},
    )  # fmt: skip
    world.tell(at, "check_suite", body, held.ended(world, "CI", end))


def _status(world: World, at: datetime, held: Round, name: str, went: str) -> None:
    """Of a fork's commit GitHub names no branch."""
    body = world.shelf.take(STATUS, held.repo, held.by)
    state = went if went in ("success", "failure") else "pending"
    branches = [{"name": held.branch, "commit": {"sha": held.sha}, "protected": False}]
    body.update(
        id=world.rng.getrandbits(36), sha=held.sha, context=f"ci/{name}", state=state, updated_at=stamp(at),
        branches=[] if held.is_of_fork else branches,
        commit={**body["commit"], "sha": held.sha, "author": held.by.as_json()},
    )  # fmt: skip
    world.tell(at, "status", body, held.ended(world, name, went))
