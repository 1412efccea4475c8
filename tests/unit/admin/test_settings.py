"""Single values of the config are read and changed, and the rest of the file stays as its owner wrote it."""

import json
import os
import re
import tomllib
from pathlib import Path

import pytest
from tests.unit.admin.conftest import Admin

from nightclaw import configfile
from nightclaw.config import load
from nightclaw.core.errors import ConfigError, Invalid, NotFound

TEXT = """\
# mine
timezone = "UTC" # the server's

[tick]
every = "7m"    # not too often

[[schedule]]
name = "brief"
cron = "0 8 * * 1-5"

[[github.repo]]
name = "octo/app"  # the app

[[rule]]
when = { source = "github", "payload.a.b" = 1 }
verdict = "notify"
"""


@pytest.fixture
def config(home: Path) -> Path:
    path = home / "config.toml"
    path.write_text(TEXT)
    path.chmod(0o640)
    return path


@pytest.mark.parametrize(
    ("key", "value", "before", "after"),
    [
        ("tick.every", "10m", 'every = "7m"    # not too often', 'every = "10m"    # not too often'),
        ("tick.every", '"10m"', 'every = "7m" ', 'every = "10m" '),
        ("schedule.brief.cron", "0 9 * * *", 'cron = "0 8 * * 1-5"', 'cron = "0 9 * * *"'),
        ("schedule.0.cron", "0 9 * * *", 'cron = "0 8 * * 1-5"', 'cron = "0 9 * * *"'),
        (
            'github.repo."octo/app".name',
            "octo/two",
            'name = "octo/app"  # the app',
            'name = "octo/two"  # the app',
        ),
        ("rule.0.when.payload.a.b", "2", '"payload.a.b" = 1', '"payload.a.b" = 2'),
        ("timezone", "Europe/Berlin", '"UTC" # the', '"Europe/Berlin" # the'),
    ],
)
def test_a_value_is_changed_in_its_place(
    home: Path, config: Path, key: str, value: str, before: str, after: str
) -> None:
    assert TEXT.count(before) == 1
    configfile.set_value(home, {}, key, value)
    assert config.read_text() == TEXT.replace(before, after)
    assert config.stat().st_mode & 0o777 == 0o640
    assert os.listdir(home) == ["config.toml"]


@pytest.mark.parametrize(
    ("key", "value", "written"),
    [
        ("budget.daily_usd", "2.5", {"budget": {"daily_usd": 2.5}}),
        ("features.dream", "false", {"features": {"dream": False}}),
        ("github.owners", '["me"]', {"github": {"owners": ["me"]}}),
        ("models.agent", "ollama/qwen3:8b", {"models": {"agent": "ollama/qwen3:8b"}}),
        ("mcp.servers.files.command", '["x"]', {"mcp": {"servers": {"files": {"command": ["x"]}}}}),
        ("schedule.brief.prompt", "2024", {}),
        ("github.token", "{ env = 'HOME' }", {"github": {"token": {"env": "HOME"}}}),
        ("tick.max", "1h", {"tick": {"max": "1h"}}),
    ],
)
def test_a_new_key_is_added_and_the_old_text_stays(
    home: Path, config: Path, key: str, value: str, written: dict[str, dict[str, object]]
) -> None:
    configfile.set_value(home, {"HOME": "/"}, key, value)
    text = config.read_text()
    assert all(line in text for line in TEXT.splitlines())
    held = tomllib.loads(text)
    for section, rows in written.items():
        assert rows.items() <= held[section].items()
    if key == "schedule.brief.prompt":
        assert load(home, {}).schedule[0].prompt == "2024"


@pytest.mark.parametrize(
    ("key", "value", "error", "says"),
    [
        ("tick.every", "often", ConfigError, "not a duration"),
        ("tick.evry", "5m", ConfigError, 'did you mean "every"'),
        ("tik.every", "5m", NotFound, "did you mean tick"),
        ("schedule.nope.cron", "x", NotFound, "its entries: brief"),
        ("watch.app.quiet", "1s", NotFound, r"write one into the file: \[\[watch\]\]"),
        ("tick", "5m", Invalid, "whole table"),
        ("schedule", "[]", Invalid, "whole table"),
        ("schedule.brief", "x", Invalid, "whole table"),
        ("tick..every", "5m", Invalid, "not a key"),
        ("", "5m", Invalid, "not a key"),
        ("timezone.x", "5m", NotFound, "single value"),
    ],
)
def test_a_bad_change_leaves_the_file_alone(
    home: Path, config: Path, key: str, value: str, error: type[Exception], says: str
) -> None:
    with pytest.raises(error) as caught:
        configfile.set_value(home, {}, key, value)
    hint = getattr(caught.value, "hint", "")
    assert re.search(says, f"{caught.value} {hint}")
    assert config.read_text() == TEXT


def test_a_file_that_is_linked_to_stays_a_link(home: Path, user: Path) -> None:
    kept = user / "dotfiles.toml"
    kept.write_text("# kept\n")
    (home / "config.toml").symlink_to(kept)
    configfile.set_value(home, {}, "tick.every", "9m")
    assert (home / "config.toml").is_symlink()
    assert kept.read_text().startswith("# kept\n") and 'every = "9m"' in kept.read_text()


def test_a_broken_file_can_be_mended_key_by_key(home: Path) -> None:
    (home / "config.toml").write_text('[tick]\nevery = "x"\n')
    configfile.set_value(home, {}, "tick.every", "5m")
    assert load(home, {}).tick.every == 300


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("tick.every", "7m"),
        ("tick.max", None),
        ("initiative.quiet", "1s"),
        ("budget.daily_tokens", 2_000_000),
        ("github.poll", "2m"),
        ("github.repo.octo/app.base", None),
        ("schedule.brief.missed", "once"),
        ("ingress", {"listen": "127.0.0.1:8787", "public_url": None}),
        ("rule.0.when", {"source": "github", "payload.a.b": 1}),
        ("rule.0.when.payload.a.b", 1),
    ],
)
def test_what_holds_is_the_file_and_below_it_the_defaults(
    home: Path, config: Path, key: str, value: object
) -> None:
    assert configfile.get_value(home, {}, key) == value


def test_the_verbs(admin: Admin, home: Path) -> None:
    done = admin("config-check")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{home}/config.toml does not exist: every default holds\n"

    done = admin("config-set", "tick.every", "11m")
    assert (done.returncode, done.stdout, done.stderr) == (0, 'tick.every = "11m"\n', "")
    assert (home / "config.toml").stat().st_mode & 0o777 == 0o600
    assert admin("config-get", "tick.every").stdout == "11m\n"
    assert json.loads(admin("config-get", "tick", "--json").stdout) == {"every": "11m", "max": None}

    done = admin("config-set", "notify.per_hour", "many")
    assert (done.returncode, done.stdout) == (1, "")
    assert 'notify.per_hour: "many" is not a whole number; write digits' in done.stderr

    (home / "config.toml").write_text('web.listen = "127.0.0.1:0"\n[tick]\nevry = 1\n[notify]\nurls = 3\n')
    for verb, code in (("config-check", 1), ("check-config", 78)):
        done = admin(verb)
        assert (done.returncode, done.stdout) == (code, "")
        assert [line.split(": ")[0] for line in done.stderr.splitlines()] == [
            f"{home}/config.toml:3", f"{home}/config.toml:5",
        ]  # fmt: skip
    faults = json.loads(admin("config-check", "--json").stdout)["faults"]
    assert [(f["line"], f["key"]) for f in faults] == [(3, "tick.evry"), (5, "notify.urls")]


def test_notes_name_what_is_only_read(admin: Admin, home: Path) -> None:
    (home / "config.toml").write_text('[mcp.servers.files]\ncommand = ["x"]\n')
    done = admin("config-check")
    assert done.returncode == 0
    assert "note: [mcp.servers]: files will not be started yet" in done.stdout
    assert len(json.loads(admin("config-check", "--json").stdout)["notes"]) == 1


def test_mistakes_at_the_command_line(admin: Admin, home: Path) -> None:
    assert [admin(*words).returncode for words in ((), ("nope",), ("config-get",), ("service", "x"))] == [
        2
    ] * 4
    done = admin("config-get", "tik.every")
    assert (done.returncode, done.stdout) == (4, "")
    assert "did you mean tick" in done.stderr
    assert admin("config-get", "tick.max").returncode == 4
    assert admin("config-get", "tick.every", "--home", str(home / "other")).stdout == "5m\n"
