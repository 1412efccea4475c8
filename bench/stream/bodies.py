"""GitHub bodies for made-up happenings: real ones (GitHub's own examples), with other people, places and times put in.

Only the fields that tell a happening apart are changed; everything else stays as GitHub wrote it.
"""

import copy
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Body = dict[str, Any]
ROOT = Path(__file__).parent.parent.parent
REAL = ROOT.parent / "shared" / "data" / "github-webhooks"


@dataclass(frozen=True, slots=True)
class Person:
    login: str
    role: str

    def as_json(self) -> Body:
        number = sum(ord(c) * 131**i for i, c in enumerate(self.login)) % 10**8
        kind = "Bot" if self.login.endswith("[bot]") else "User"
        return {
            "login": self.login, "id": number, "node_id": f"U_{number}", "type": kind,
            "html_url": f"https://github.com/{self.login}", "site_admin": False,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Repo:
    name: str
    default: str
    private: bool = False
    style: str = "checks"

    def as_json(self, template: Body) -> Body:
        account, _, short = self.name.partition("/")
        number = sum(ord(c) * 17**i for i, c in enumerate(self.name)) % 10**9
        mine = {
            "id": number, "node_id": f"R_{number}", "name": short, "full_name": self.name, "private": self.private,
            "default_branch": self.default, "html_url": f"https://github.com/{self.name}",
            "visibility": "private" if self.private else "public",
        }  # fmt: skip
        return {**template, **mine, "owner": {**template.get("owner", {}), "login": account}}


class Shelf:
    """The real bodies by file name, each read once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._held: dict[str, Body] = {}

    def take(self, file: str, repo: Repo, by: Person) -> Body:
        """A copy of a real body as if it had come from this repository, sent by this person."""
        if file not in self._held:
            self._held[file] = json.loads((self._folder / file).read_text(encoding="utf-8"))
        body = copy.deepcopy(self._held[file])
        if "repository" in body:
            body["repository"] = repo.as_json(body["repository"])
        body["sender"] = {**body.get("sender", {}), **by.as_json()}
        return body


@dataclass(slots=True)
class Thread:
    """An issue or a pull request as the stream knows it. head_repo: another one for a fork's."""

    repo: Repo
    number: int
    title: str
    author: Person
    association: str
    is_pull: bool = False
    branch: str = ""
    sha: str = ""
    head_repo: str = ""
    is_draft: bool = False
    text: str = ""

    def put(self, body: Body, at: str, state: str = "open") -> Body:
        """This thread in place of the body's own."""
        name = "pull_request" if "pull_request" in body else "issue"
        held = body[name]
        held.update(
            id=self.number * 1000 + 7,
            node_id=f"{name}_{self.repo.name}_{self.number}",
            number=self.number,
            title=self.title,
            user={**held.get("user", {}), **self.author.as_json()},
            body=self.text,
            state=state,
            author_association=self.association,
            updated_at=at,
            created_at=at if body.get("action") == "opened" else held.get("created_at", at),
            html_url=f"https://github.com/{self.repo.name}/{'pull' if self.is_pull else 'issues'}/{self.number}",
        )
        if state == "closed":
            held["closed_at"] = at
        if "number" in body:
            body["number"] = self.number
        if name == "pull_request":
            self._put_head(held, body)
        elif self.is_pull:
            held["pull_request"] = {"url": "…", "merged_at": None}
        else:
            held.pop("pull_request", None)
        return body

    def _put_head(self, held: Body, body: Body) -> None:
        home = body["repository"]
        away = {**home, "id": home["id"] + 1, "full_name": self.head_repo} if self.head_repo else home
        held["head"] = {**held.get("head", {}), "ref": self.branch, "sha": self.sha, "repo": away}
        held["base"] = {**held.get("base", {}), "ref": self.repo.default, "repo": home}
        held["draft"], held["merged"] = self.is_draft, False

    def as_listed(self, body: Body) -> Body:
        """How a check names the pull request it belongs to."""
        home = body["repository"]["id"]
        head = home + 1 if self.head_repo else home
        return {
            "id": self.number, "number": self.number,
            "head": {"ref": self.branch, "sha": self.sha, "repo": {"id": head, "name": "x"}},
            "base": {"ref": self.repo.default, "sha": "0" * 39 + "1", "repo": {"id": home, "name": "x"}},
        }  # fmt: skip
