"""Who lives in a made-up stream, where, and what has been told of it so far."""

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from stream import words
from stream.bodies import Body, Person, Repo, Shelf, Thread
from stream.labelling import COLLABORATOR, OWNER, ROBOT, STRANGER, Happening

BEGIN = datetime(2026, 11, 2, tzinfo=UTC)
ASSOCIATION = {OWNER: "OWNER", COLLABORATOR: "COLLABORATOR", STRANGER: "NONE", ROBOT: "NONE"}


@dataclass(frozen=True, slots=True)
class Told:
    """One event of the stream, before it is labelled. serial: keeps what happens at one moment in its order."""

    at: datetime
    serial: int
    event: str
    body: Body
    happening: Happening


@dataclass(slots=True)
class World:
    """People, repositories, and everything that happened so far."""

    rng: random.Random
    shelf: Shelf
    owner: Person
    people: dict[str, list[Person]]
    repos: list[Repo]
    told: list[Told] = field(default_factory=list)
    numbers: dict[str, int] = field(default_factory=dict)

    def tell(self, at: datetime, event: str, body: Body, happening: Happening) -> None:
        self.told.append(Told(at, len(self.told), event, body, happening))

    def someone(self, **weights: int) -> Person:
        role = self.rng.choices(list(weights), list(weights.values()))[0]
        return self.rng.choice(self.people[role])

    def fresh(self) -> str:
        return f"{self.rng.getrandbits(160):040x}"

    def thread(self, repo: Repo, author: Person, *, is_pull: bool) -> Thread:
        number = self.numbers[repo.name] = self.numbers.get(repo.name, 0) + 1
        return Thread(
            repo=repo,
            number=number,
            title=self.rng.choice(words.TITLES),
            author=author,
            association=ASSOCIATION[author.role],
            is_pull=is_pull,
            branch=f"{self.rng.choice(words.BRANCHES)}-{number}" if is_pull else "",
            sha=self.fresh(),
            text=self.rng.choice(words.BODIES),
        )


def stamp(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def made_by(world: World, by: Person, repo: Repo, what: str = "other", **more: object) -> Happening:
    return Happening(what, by.role, repo.name, **more)  # type: ignore[arg-type]


def make_world(seed: int, folder: Path) -> World:
    rng = random.Random(seed)
    owner = Person(rng.choice(words.OWNERS), OWNER)
    names = rng.sample(words.LOGINS, 14)
    people = {
        OWNER: [owner],
        COLLABORATOR: [Person(n, COLLABORATOR) for n in names[:4]],
        STRANGER: [Person(n, STRANGER) for n in names[4:]],
        ROBOT: [Person(n, ROBOT) for n in words.ROBOTS],
    }
    repos = [
        Repo(f"{owner.login}/tools", "main"),
        Repo("acme/server", "main", style="jobs"),
        Repo("acme/site", "master", style="status"),
        Repo("acme/vault", "develop", private=True),
    ]
    return World(rng, Shelf(folder), owner, people, repos)
