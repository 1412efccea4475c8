"""An owner's sentence becomes a rule only when it plainly is one, and only ever narrows."""

import pytest

from nightclaw.policy.boundaries import boundary_of
from nightclaw.policy.rules import ToolRule

STATED = {
    "never push to main": ("deny", "Git(push * main)"),
    "Never, ever push to `main`!": None,
    "never ever push to `main`!": ("deny", "Git(push * main)"),
    "Don't push directly to the develop branch.": ("deny", "Git(push * develop)"),
    "don’t push": ("deny", "Git(push)"),
    "do not push anything": ("deny", "Git(push)"),
    "stop pushing": ("deny", "Git(push)"),
    "please don't commit": ("deny", "Git(commit)"),
    "don't touch migrations/": ("deny", "Edit(migrations/)"),
    "do not edit src/legacy/core.py": ("deny", "Edit(src/legacy/core.py)"),
    "Never change anything in the vendor folder": ("deny", "Edit(vendor)"),
    "never modify *.sql files": ("deny", "Edit(*.sql)"),
    "don't delete anything in data/": ("deny", "Edit(data/)"),
    "do not read secrets/": ("deny", "Read(secrets/)"),
    "do not run rm": ("deny", "Bash(rm *)"),
    "never run `docker compose`": ("deny", "Bash(docker compose *)"),
    "don't use the shell": ("deny", "Bash"),
    "don't run any commands": ("deny", "Bash"),
    "never comment on issues": ("deny", "GitHub(comment)"),
    "Never reply to issues or PRs": ("deny", "GitHub(comment)"),
    "don't post comments on pull requests": ("deny", "GitHub(comment)"),
    "never open a PR": ("deny", "GitHub(create_pr)"),
    "don't label issues": ("deny", "GitHub(label)"),
    "ask me before pushing": ("ask", "Git(push)"),
    "Please always ask before you push to main": ("ask", "Git(push * main)"),
    "never push without asking me": ("ask", "Git(push)"),
    "don't commit without my ok": ("ask", "Git(commit)"),
}
NONE = [
    "",
    "push to main",
    "fix the bug and never mind the tests",
    "can you never push?",
    "never force push",
    "don't worry about it",
    "don't run it",
    "don't change the tests",
    "do not touch anything",
    "never change",
    "I would never push to main",
    "the readme says: never push to main",
    "you pushed to main yesterday",
    "don't forget to push to main",
    "never say never",
    "don't" + " really" * 100 + " push",
]


@pytest.mark.parametrize("said", STATED)
def test_a_plain_sentence_is_a_boundary(said: str) -> None:
    wanted = STATED[said]
    found = boundary_of(said)
    assert (found and (found.verb, found.rule)) == wanted
    if found:
        assert found.said == said
        assert str(ToolRule.parse(found.rule)) == found.rule


@pytest.mark.parametrize("said", NONE)
def test_anything_else_is_conversation(said: str) -> None:
    assert boundary_of(said) is None
