"""What a good config becomes, and what holds without one."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from nightclaw.config import (
    FEATURES,
    Config,
    GithubConfig,
    RepoConfig,
    SecretRef,
    advice,
    home_from,
    load,
    not_yet,
)
from nightclaw.config.load import load_text, system_timezone
from nightclaw.config.values import Listen, QuietHours, duration
from nightclaw.core.errors import ConfigError
from nightclaw.core.types import Verdict


def read(text: str, home: Path, **env: str) -> Config:
    return load_text(text.encode(), home, {"HOME": str(home), **env})


def test_with_no_file_every_default_holds(short_home: Path) -> None:
    config = load(short_home, {"TZ": "Asia/Tokyo"})
    assert not config.exists and config.digest == "defaults" and config.home == short_home
    assert config.timezone == "Asia/Tokyo" and config.tz.key == "Asia/Tokyo"
    assert config.ingress.listen == Listen("127.0.0.1", 8787) and config.web.listen is None
    assert (config.tick.every, config.tick.max) == (300.0, None)
    assert config.initiative.quiet == 1 and not config.initiative.shadow
    assert (config.budget.daily_usd, config.budget.daily_tokens) == (5.0, 2_000_000)
    assert (config.retention.payloads, config.retention.events) == (90 * 86400, 365 * 86400)
    assert config.notify.per_hour == 6 and config.notify.quiet_hours is None and config.notify.urls == []
    assert config.schedule == config.watch == config.hook == config.rule == config.github.repo == []
    assert all(config.has(feature) for feature in FEATURES)
    assert not_yet(config) == advice(config) == []


def test_an_empty_file_differs_from_none_only_in_existing(short_home: Path) -> None:
    (short_home / "config.toml").touch()
    config = load(short_home, {})
    assert config.exists and config.digest == hashlib.sha256(b"").hexdigest()
    assert config.model_copy(update={"exists": False, "digest": "defaults"}) == load_text(
        None, short_home, {}
    )


def test_a_home_that_does_not_exist_yet_is_fine(short_home: Path) -> None:
    assert not load(short_home / "new" / "home", {}).exists


def test_a_byte_order_mark_and_windows_line_ends_do_no_harm(short_home: Path) -> None:
    assert load_text(b'\xef\xbb\xbf[tick]\r\nevery = "1m"\r\n', short_home, {}).tick.every == 60


EVERYTHING = """
[ingress]
listen = ":0"
[models]
agent = "ollama/qwen3"
triage = ["anthropic/claude-haiku-4-5", "offline"]
[providers.anthropic]
api_key = { env = "KEY" }
[providers.lab]
kind = "openai"
base_url = "http://10.0.0.2:8000/v1/"
[[schedule]]
name = "once"
at = 2026-12-01T09:00:00
[[schedule]]
name = "often"
every = "1h30m"
within = "7d"
verdict = "notify"
per_hour = 2
[[watch]]
path = "~/src"
[[watch]]
path = "src"
name = "again"
match = ["*.py", "docs/**"]
[[rule]]
when = { kind = ["a", "b"], payload.deploy.ok = false, "payload.n" = 3 }
verdict = "record"
cap = "act"
[notify]
urls = ["desktop://", { url = "ntfy://ntfy.sh/t", private = true }]
quiet_hours = "22:00-08:00"
[mcp.servers.files]
command = ["npx", "x"]
env = { LEVEL = "debug", TOKEN = { env = "KEY" } }
[features]
files = false
"""


def test_everything_the_sections_say_arrives(short_home: Path) -> None:
    (short_home / "src").mkdir()
    config = read(EVERYTHING, short_home, KEY="k")
    assert config.ingress.listen == Listen("127.0.0.1", 0)
    assert config.models == {"agent": ["ollama/qwen3"], "triage": ["anthropic/claude-haiku-4-5", "offline"]}
    key = config.providers["anthropic"].api_key
    assert key is not None and key.resolve() == "k"
    assert (config.providers["lab"].kind, config.providers["lab"].base_url) == (
        "openai",
        "http://10.0.0.2:8000/v1",
    )
    assert config.schedule[0].at == "2026-12-01T09:00:00"
    assert (config.schedule[1].every, config.schedule[1].within) == (5400.0, 7 * 86400.0)
    assert config.schedule[1].verdict is Verdict.NOTIFY and config.schedule[1].per_hour == 2
    assert [w.path for w in config.watch] == [short_home / "src"] * 2
    assert [w.name for w in config.watch] == ["~/src", "again"] and config.watch[0].verdict is Verdict.RECORD
    assert config.rule[0].when == {"kind": ["a", "b"], "payload.deploy.ok": False, "payload.n": 3}
    assert config.rule[0].cap is Verdict.ACT
    assert [(u.url, u.private) for u in config.notify.urls] == [
        ("desktop://", False),
        ("ntfy://ntfy.sh/t", True),
    ]
    assert "ntfy.sh/t" not in repr(config)
    assert config.notify.quiet_hours == QuietHours(22 * 60, 8 * 60)
    assert config.mcp.servers["files"].env["LEVEL"] == "debug"
    assert not config.has("files") and config.has("ticks")


def test_a_loaded_config_cannot_be_changed(short_home: Path) -> None:
    config = load(short_home, {})
    with pytest.raises(ValidationError, match="frozen"):
        config.tick.every = 1.0


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("500ms", 0.5),
        ("1.5s", 1.5),
        ("5m", 300),
        ("1h30m", 5400),
        ("2d", 172_800),
        ("1w", 604_800),
        ("1y", 31_536_000),
    ],
)
def test_durations(text: str, seconds: float) -> None:
    assert duration(text) == seconds


@pytest.mark.parametrize(
    ("text", "poll"),
    [
        ("", 120.0),
        ("[github]\npoll = '30s'", 30.0),
        ("[github]\npoll = 'off'", None),
        ("[ingress]\npublic_url = 'https://x.org'", None),
        ("[ingress]\npublic_url = 'https://x.org'\n[github]\npoll = '2m'", 120.0),
    ],
)
def test_polling_is_the_default_only_where_no_hook_can_arrive(
    short_home: Path, text: str, poll: float | None
) -> None:
    assert read(text, short_home).github.poll == poll


def test_the_most_specific_repository_wins_whatever_the_order_and_case() -> None:
    github = GithubConfig(repo=[RepoConfig(name=n) for n in ("*/*", "octo/*", "octo/app", "octo/app-*")])
    found = {n: github.match(n) for n in ("Octo/App", "octo/app-two", "octo/other", "else/where")}
    assert {n: r.name if r else None for n, r in found.items()} == {
        "Octo/App": "octo/app", "octo/app-two": "octo/app-*", "octo/other": "octo/*", "else/where": "*/*",
    }  # fmt: skip
    assert GithubConfig(repo=[RepoConfig(name="octo/app")]).match("octo/app2") is None


def test_admission() -> None:
    github = GithubConfig(repo=[RepoConfig(name="octo/app")], accounts=["Octo", "bots-*"])
    assert github.admits("octo/app", None, None, None)
    assert not github.admits("octo/other", "octo", "octo", "octo")
    assert github.admits(None, "octo", None, "stranger")
    assert github.admits(None, None, None, "bots-7")
    assert not github.admits(None, "else", None, "stranger")
    assert not github.admits(None, None, None, None)
    assert not GithubConfig().admits(None, "octo", "octo", "octo")
    assert GithubConfig(accounts=["*"]).admits(None, None, "anyone", None)


def test_quiet_hours_over_midnight() -> None:
    night, noon = QuietHours(22 * 60, 8 * 60), QuietHours(12 * 60, 13 * 60)
    assert [night.holds(m) for m in (0, 479, 480, 1319, 1320)] == [True, True, False, False, True]
    assert [noon.holds(m) for m in (719, 720, 779, 780)] == [False, True, True, False]


def test_sections_of_later_versions_are_accepted_and_named(short_home: Path) -> None:
    text = "web.listen = '127.0.0.1:0'\nsandbox.mounts = ['/']\ndream.idle = '1h'\n[permissions]\nmode = 'plan'\n"
    text += "[mcp.servers.x]\ncommand = ['x']\n"
    assert [line.split(":")[0].split()[0] for line in not_yet(read(text, short_home))] == [
        "[web]", "[mcp.servers]",
    ]  # fmt: skip


def test_advice_names_what_surprises(short_home: Path) -> None:
    text = "[ingress]\nlisten = '0.0.0.0:1'\n[[schedule]]\nname = 'x'\nevery = '1h'\nrepo = 'octo/app'\n"
    listen, schedule = advice(read(text, short_home))
    assert "other machines" in listen and "no [[github.repo]]" in schedule


def test_a_secret_that_vanished_is_told_when_it_is_used(short_home: Path) -> None:
    with pytest.raises(ConfigError, match="api_key: the environment variable GONE is not set; set GONE"):
        SecretRef("env", "GONE", "api_key", {}).resolve()


def test_a_keyring_is_asked_when_used(short_home: Path) -> None:
    tool = short_home / "secret-tool"
    tool.write_text('#!/bin/sh\n[ "$*" = "lookup service nightclaw key mine" ] && echo hidden\n')
    tool.chmod(0o755)
    code = "import sys; from nightclaw.config import SecretRef; print(SecretRef('keyring', sys.argv[1]).resolve())"
    env = {**os.environ, "PATH": f"{short_home}:/bin:/usr/bin"}
    found = [
        subprocess.run([sys.executable, "-c", code, n], env=env, capture_output=True, text=True)
        for n in ("mine", "not")
    ]
    if sys.platform != "darwin":
        assert found[0].stdout == "hidden\n"
        assert 'holds no "not"' in found[1].stderr and "secret-tool store" in found[1].stderr


def test_the_home_is_the_environments() -> None:
    assert home_from({"NIGHTCLAW_HOME": "/x/../y"}) == Path("/y")
    assert home_from({"HOME": "/u"}) == Path("/u/.nightclaw")
    assert home_from({"HOME": "/u", "NIGHTCLAW_HOME": "~/z"}) == Path("/u/z")


def test_a_zone_the_system_names_wrongly_is_passed_over() -> None:
    assert system_timezone({"TZ": "CET-1CEST,M3.5.0"}) == system_timezone({})
    assert system_timezone({"TZ": ":Europe/Berlin"}) == "Europe/Berlin"


def test_reading_a_config_loads_nothing_heavy(short_home: Path) -> None:
    code = (
        "import sys, pathlib; from nightclaw.config import load; load(pathlib.Path(sys.argv[1]), {});"
        "heavy = ('cronsim', 'tomlkit', 'sqlalchemy', 'apprise', 'asyncio', 'fastapi', 'httpx2');"
        "print([m for m in heavy if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(short_home)], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
