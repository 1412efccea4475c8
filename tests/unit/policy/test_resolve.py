"""Calls as effects: levels by what a call would do, facts that cannot mislead, a digest that binds the asking."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.policy.places import called, levels, place_in

from nightclaw.core.effects import Kind, Level
from nightclaw.core.trust import Label, Trust
from nightclaw.policy.facts import visible, with_taint
from nightclaw.policy.gate import Stance, judge
from nightclaw.policy.place import Place

READ, WRITE = (Kind.READ, Level.OBSERVE), (Kind.WRITE, Level.WORKSPACE)
OUT, SECRET = (Kind.READ, Level.IRREVERSIBLE), (Kind.CREDENTIALS, Level.IRREVERSIBLE)
OWN, UNKNOWN = (Kind.OWN_STATE, Level.IRREVERSIBLE), (Kind.UNKNOWN, Level.IRREVERSIBLE)
GUARDED = (Kind.WRITE, Level.IRREVERSIBLE)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return place_in(tmp_path)


@pytest.mark.parametrize(
    ("tool", "args", "wanted"),
    [
        ("Read", {"file_path": "README.md"}, READ),
        ("Read", {"file_path": "src/../README.md"}, READ),
        ("Read", {"file_path": "/usr/include/stdio.h"}, READ),
        ("Read", {"file_path": "/etc/passwd"}, OUT),
        ("Read", {"file_path": "/tmp/x"}, OUT),
        ("Read", {"file_path": "/dev/null"}, OUT),
        ("Read", {"file_path": "/proc/self/environ"}, SECRET),
        ("Read", {"file_path": ".env"}, SECRET),
        ("Read", {"file_path": "~/.ssh/id_rsa"}, SECRET),
        ("Read", {"file_path": "../../config.toml"}, OWN),
        ("Read", {"file_path": "~/.nightclaw/run/control.sock"}, OWN),
        ("Write", {"file_path": "src/new.py", "content": ""}, WRITE),
        ("Write", {"file_path": ".git/hooks/pre-commit", "content": ""}, GUARDED),
        ("Write", {"file_path": ".GIT/config", "content": ""}, SECRET),
        ("Write", {"file_path": ".vscode/settings.json", "content": ""}, GUARDED),
        ("Write", {"file_path": "~/.bashrc", "content": ""}, GUARDED),
        ("Write", {"file_path": "/tmp/x", "content": ""}, GUARDED),
        ("Write", {"file_path": ".env", "content": ""}, SECRET),
        ("Edit", {"file_path": "README.md", "old_string": "a", "new_string": "b"}, WRITE),
        ("Edit", {"file_path": "~/library/x", "old_string": "a", "new_string": "b"}, GUARDED),
        ("Glob", {"pattern": "**/*.py"}, READ),
        ("Glob", {"pattern": "/etc/*"}, OUT),
        ("Glob", {"pattern": "../../*"}, OWN),
        ("Glob", {"pattern": "*", "path": "/root"}, OUT),
        ("Grep", {"pattern": "x"}, READ),
        ("Grep", {"pattern": "/etc/passwd"}, READ),
        ("Grep", {"pattern": "x", "path": ".env"}, SECRET),
        ("Grep", {"pattern": "x", "glob": ".env*"}, SECRET),
        ("Grep", {"pattern": "x", "glob": "*.py"}, READ),
        ("Bash", {"command": "ls"}, READ),
        ("Bash", {"command": "make"}, (Kind.RUN, Level.WORKSPACE)),
        ("Git", {"action": "status"}, READ),
        ("Git", {"action": "diff", "paths": ["../../config.toml"]}, OWN),
        ("Git", {"action": "commit", "message": "x"}, (Kind.COMMIT, Level.WORKSPACE)),
        ("Git", {"action": "restore", "paths": ["a"]}, WRITE),
        ("Git", {"action": "push"}, (Kind.PUSH, Level.OUTWARD)),
        ("Git", {"action": "push", "force": True}, (Kind.PUSH, Level.IRREVERSIBLE)),
        ("Git", {"action": "rebase"}, UNKNOWN),
        ("GitHub", {"action": "read_issue"}, READ),
        ("GitHub", {"action": "read_issue", "repo": "other/repo"}, (Kind.NETWORK, Level.OUTWARD)),
        ("GitHub", {"action": "comment", "body": "x"}, (Kind.COMMENT, Level.OUTWARD)),
        ("GitHub", {"action": "label", "name": "x"}, (Kind.LABEL, Level.OUTWARD)),
        ("GitHub", {"action": "create_pr", "title": "x"}, (Kind.PULL_REQUEST, Level.OUTWARD)),
        ("GitHub", {"action": "merge"}, UNKNOWN),
        ("SendUserMessage", {"message": "x"}, (Kind.NOTE, Level.NOTE)),
        ("AskUserQuestion", {"question": "x"}, (Kind.ASK, Level.NOTE)),
        ("Sleep", {"seconds": 5}, (Kind.WAIT, Level.OBSERVE)),
        ("Recall", {"query": "x"}, READ),
        ("Remember", {"text": "x"}, (Kind.MEMORY, Level.NOTE)),
        ("Nothing", {}, UNKNOWN),
        ("Read", {}, UNKNOWN),
        ("Read", {"file_path": 5}, UNKNOWN),
        ("Read", {"file_path": ""}, UNKNOWN),
        ("Read", {"file_path": "a\0b"}, UNKNOWN),
        ("Bash", {"command": ["ls"]}, UNKNOWN),
        ("Bash", {}, UNKNOWN),
        ("Write", {"file_path": "a"}, UNKNOWN),
        ("GitHub", {"action": "comment"}, UNKNOWN),
        ("GitHub", {"action": "comment", "body": "x", "number": [1]}, UNKNOWN),
        ("Git", {"action": "diff", "paths": "a"}, UNKNOWN),
    ],
)
def test_a_call_has_the_level_of_its_effect(
    place: Place, tool: str, args: dict, wanted: tuple[Kind, Level]
) -> None:
    call = called(place, tool, args)
    assert wanted in levels(call), call.effects
    assert call.level is wanted[1]
    assert call.facts["summary"] and call.digest
    json.dumps(call.facts)


def test_known_destinations_are_the_tasks_own(place: Place) -> None:
    def known(tool: str, args: dict) -> bool:
        return all(e.is_known for e in called(place, tool, args).effects)

    assert known("Git", {"action": "push"})
    assert known("Git", {"action": "push", "branch": "nightclaw/app-5-x"})
    assert not known("Git", {"action": "push", "branch": "main"})
    assert not known("Git", {"action": "push", "remote": "fork"})
    assert not known("Git", {"action": "push", "force": True})
    assert known("GitHub", {"action": "comment", "body": "x"})
    assert known("GitHub", {"action": "comment", "body": "x", "number": 5})
    assert known("GitHub", {"action": "create_pr", "title": "x"})
    assert known("GitHub", {"action": "label", "name": "x", "number": 5})
    assert not known("GitHub", {"action": "label", "name": "x", "number": 6})
    assert not known("GitHub", {"action": "comment", "body": "x", "number": 6})
    assert not known("GitHub", {"action": "comment", "body": "x", "number": 5, "repo": "octo/other"})
    assert not known("GitHub", {"action": "create_pr", "title": "x", "repo": "octo/other"})
    assert not known("Bash", {"command": "git push"})
    assert not known("Read", {"file_path": "~/library/x"})


def test_no_repository_no_known_destination(place: Place) -> None:
    bare = replace(
        place,
        workspace=replace(place.workspace, repo=None, branch=None, origin_url=None),
        event_repo=None,
        event_subject="chat",
    )
    world = Stance(Label(Trust.WORLD), throwaway=True)
    for tool, args in (("Git", {"action": "push"}), ("GitHub", {"action": "comment", "body": "x"})):
        assert judge(called(bare, tool, args), world).verb == "deny"


def test_the_digest_binds_what_was_asked(place: Place) -> None:
    script = place.workspace.root / "run.sh"
    script.write_text("echo one")
    asked = {"command": "sh run.sh && python3 src/x.py"}
    first = called(place, "Bash", asked).digest
    assert called(place, "Bash", asked).digest == first
    assert called(place, "Bash", {"command": "sh run.sh && python3 src/y.py"}).digest != first
    script.write_text("echo two")
    assert called(place, "Bash", asked).digest != first
    push = called(place, "Git", {"action": "push"})
    elsewhere = replace(place, workspace=replace(place.workspace, origin_url="https://evil.example/r.git"))
    other_branch = replace(place, own_branch="main")
    assert called(elsewhere, "Git", {"action": "push"}).digest != push.digest
    assert called(other_branch, "Git", {"action": "push"}).digest != push.digest
    edit = {"file_path": "README.md", "old_string": "hello", "new_string": "x"}
    before = called(place, "Edit", edit).digest
    (place.workspace.root / "README.md").write_text("other")
    assert called(place, "Edit", edit).digest != before


def test_facts_show_what_would_be_hidden(place: Place) -> None:
    command = "echo ok \u202e# fr- mr\u202c\x1b[2K\r; rm -rf src" + " " * 300 + "; rm x"
    facts = called(place, "Bash", {"command": command}).facts
    shown = json.dumps(facts, ensure_ascii=False)
    assert not any(c in shown for c in "\u202e\u202c\x1b\r")
    assert "\\\\u{202e}" in shown and "\\\\u{1b}" in shown and "300 blanks" in shown
    assert any("rm -rf src" in str(line) for line in facts["argv"])  # pyright: ignore[reportGeneralTypeIssues,reportOptionalIterable]
    assert called(place, "Git", {"action": "push"}).facts["destination"] == "https://github.com/octo/app.git"


def test_facts_give_the_exact_bytes_or_their_length(place: Place) -> None:
    body = "x" * 10_000
    said = called(place, "GitHub", {"action": "comment", "body": body}).facts["body"]
    assert isinstance(said, dict) and said["bytes"] == 10_000 and said["left_out"] == 6_000
    short = called(place, "GitHub", {"action": "comment", "body": "thänks"}).facts["body"]
    assert isinstance(short, dict) and short["text"] == "thänks" and short["bytes"] == 7


def test_taint_is_told() -> None:
    told = with_taint({"summary": "x"}, Label(Trust.WORLD, True, frozenset({"octo/app", "evil\u202e.org"})))
    assert told["trust"] == "WORLD" and told["private"] is True
    assert told["origins"] == ["evil\\u{202e}.org", "octo/app"]


def test_stacked_marks_do_not_bury_a_line() -> None:
    assert visible("a\u0301") == "a\u0301"
    assert visible("a" + "\u0301" * 40).count("\u0301") < 6


def test_a_bash_push_is_not_the_git_tool(place: Place) -> None:
    world = Stance(Label(Trust.WORLD), throwaway=True)
    assert judge(called(place, "Git", {"action": "push"}), world).verb == "ask"
    assert (
        judge(called(place, "Bash", {"command": "git push origin nightclaw/app-5-x"}), world).verb == "deny"
    )
