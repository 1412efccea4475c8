"""A bad config names the file, the line, the key and what would be right, for every fault at once."""

import os
from pathlib import Path

import pytest

from nightclaw.config import load, load_text
from nightclaw.core.errors import ConfigError, Fault

CASES = [
    ("verbos = true", 1, "verbos", "unknown key", "the keys at the top are timezone"),
    ("\ntimezon = 'UTC'", 2, "timezon", "unknown key", '"timezone"'),
    ("[tik]\nevery = '5m'", 1, "tik", "unknown key", '"tick"'),
    ("[tick]\nevry = '5m'", 2, "tick.evry", "unknown key", '"every"'),
    ("per_hour = 3", 1, "per_hour", "unknown key here", "[notify]"),
    ("home = '/tmp'", 1, "home", "unknown key", "the keys at the top"),
    ("tick = 5", 1, "tick", "5 is not a table", "[tick]"),
    ("[[tick]]\nevery = '5m'", 1, "tick", "only one", "[tick]"),
    ("[schedule]\nname = 'a'", 1, "schedule", "there can be several", "[[schedule]]"),
    ("timezone = 'Europe/Berln'", 1, "timezone", "not a time zone", "Europe/Berlin"),
    ("timezone = 1", 1, "timezone", "not a time zone", "Europe/Berlin"),
    ("[initiative]\nshadow = 'yes'", 2, "initiative.shadow", "not true or false", "without quotes"),
    ("[initiative]\nquiet = '10s'", 2, "initiative.quiet", "too big", "at most 5s"),
    ("[tick]\nevery = 300", 2, "tick.every", "no unit", '"300s"'),
    ("[tick]\nevery = '5 minutes'", 2, "tick.every", "not a duration", '"5m"'),
    ("[tick]\nevery = '0s'", 2, "tick.every", "too small", "at least 0"),
    ("[tick]\nevery = '1h'\nmax = '5m'", 3, "tick.max", "shorter than every", "longer"),
    ("[ingress]\nlisten = '127.0.0.1'", 2, "ingress.listen", "no port", "127.0.0.1:8787"),
    ("[ingress]\nlisten = '127.0.0.1:99999'", 2, "ingress.listen", "over 65535", "127.0.0.1:8787"),
    ("[ingress]\nlisten = 'example.org:80'", 2, "ingress.listen", "not an IP address", "off"),
    ("[ingress]\npublic_url = 'claw.example.org'", 2, "ingress.public_url", "not a web address", "https://"),
    ("[models]\nagnet = 'a/b'", 2, "models.agnet", "unknown key", '"agent"'),
    ("[models]\nagent = 'sonnet'", 2, "models.agent", "not a model", "provider/model"),
    (
        "[models]\nagent = ['offline',\n 'antropic/x']",
        3,
        "models.agent",
        'no provider "antropic"',
        "anthropic",
    ),
    ("[providers.mine]\nbase_url = 'http://x'", 1, "providers.mine", "does not say its kind", "openai"),
    ("[providers.x]\nkind = 'opnai'", 2, "providers.x.kind", "not possible", '"openai"'),
    ("[providers.anthropic]\napi_key = 'sk-1'", 2, "providers.anthropic.api_key", "must not stand", "env ="),
    ("[github]\ntoken = { evn = 'X' }", 2, "github.token.evn", "unknown key", '"env"'),
    ("[github]\ntoken = { env = 'NO_SUCH' }", 2, "github.token", "NO_SUCH is not set", "set NO_SUCH"),
    ("[github]\nsecret = { file = 'nowhere' }", 2, "github.secret", "does not exist", "0600"),
    ("[[github.repo]]\nname = 'octo'", 2, "github.repo.name", "not a repository", "owner/name"),
    ("[[github.repo]]\npath = '/'", 1, "github.repo", 'needs "name"', "add name"),
    ("[[github.repo]]\nname = 'o/a'\npath = '/no/such'", 3, "github.repo.path", "does not exist", "folder"),
    ("[[github.repo]]\nname='o/a'\n[[github.repo]]\nname='O/a'", 4, "github.repo.name", "taken", "own name"),
    ("[[github.repo]]\nname = 'o/a'\nmodels = ['olama']", 3, "github.repo.models", '"olama"', '"ollama"'),
    ("[github]\npoll = '1ms'", 2, "github.poll", "too often", "2m"),
    ("[[schedule]]\nname = 'a'\ncron = '61 * * * *'", 3, "schedule.cron", "not a cron", "five fields"),
    ("[[schedule]]\nname = 'a'\ncron = '@daily'", 3, "schedule.cron", "has 1 fields", "five fields"),
    (
        "[[schedule]]\nname = 'a'\ncron = '0 0 30 2 *'",
        3,
        "schedule.cron",
        "is not a cron expression",
        "five fields",
    ),
    ("[[schedule]]\nname = 'a'", 1, "schedule", "says no time", "exactly one"),
    (
        "[[schedule]]\nname='a'\nevery='2h'\nat='2026-12-01T09:00'",
        4,
        "schedule.at",
        "every and at",
        "exactly one",
    ),
    ("[[schedule]]\nname = 'a'\nat = 'tomorrow'", 3, "schedule.at", "not a moment", "2026-12-01T09:00"),
    (
        "[[schedule]]\nname='a'\nevery='2h'\nmissed='twice'",
        4,
        "schedule.missed",
        "not possible",
        "once, skip, all",
    ),
    (
        "[[schedule]]\nname='a'\nevery='2h'\n[[schedule]]\nname='a'\nevery='1h'",
        5,
        "schedule.name",
        "taken",
        "own",
    ),
    ("[[watch]]\npath = '/no/such'", 2, "watch.path", "does not exist", "take this entry out"),
    ("[[watch]]\npath = '/'\nmatch = ['[a-']", 3, "watch.match", "never closes", "close it"),
    ("[[watch]]\npath = '/'\nmatch = '*.py'", 3, "watch.match", "not a list", "brackets"),
    ("[[watch]]\npath = '/'\n[[watch]]\npath = '/'", 4, "watch.path", "taken", "own name"),
    ("[[watch]]\npath = '/'\nverdict = 'notfy'", 3, "watch.verdict", "not a verdict", '"notify"'),
    ("[[hook]]\nname = 'a'", 1, "hook", 'needs "secret"', "add secret"),
    (
        "[[hook]]\nname = 'a'\nsecret = { env = 'NO_SUCH' }",
        3,
        "hook.secret",
        "NO_SUCH is not set",
        "set NO_SUCH",
    ),
    ("[[hook]]\nname = 'a b'", 2, "hook.name", "cannot stand in an address", "letters"),
    ("[[hook]]\nname = 'github'", 2, "hook.name", "own hook", "another name"),
    ("[[rule]]\nverdict = 'act'\nwhen = { sorce = 'x' }", 3, "rule.when.sorce", "unknown key", '"source"'),
    ("[[rule]]\nverdict = 'act'\nwhen = { kind = [] }", 3, "rule.when.kind", "cannot be compared", "list"),
    ("[[rule]]\nwhen={kind='x'}\nverdict='act'\ncap='notify'", 4, "rule.cap", "below verdict", "widen"),
    ("[[rule]]\nname='a'\nwhen={kind='x'}\nverdict='act'\n" * 2, 6, "rule.name", "taken", "own name"),
    ("[notify]\nurls = ['my-topic']", 2, "notify.urls", "not an address", "ntfy://"),
    ("[notify]\nquiet_hours = '22-8'", 2, "notify.quiet_hours", "not a span", "22:00-08:00"),
    ("[notify]\nquiet_hours = '08:00-08:00'", 2, "notify.quiet_hours", "empty", "differ"),
    ("[notify]\nper_hour = '6'", 2, "notify.per_hour", "not a whole number", "without quotes"),
    ("[permissions]\nmode = 'Auto'", 2, "permissions.mode", "not possible", '"auto"'),
    ("[permissions]\ndeny = ['Bash(rm']", 2, "permissions.deny", "not a tool rule", "Tool(specifier)"),
    ("[budget]\ndaily_usd = -1", 2, "budget.daily_usd", "too small", "at least 0"),
    ("[budget]\ndaily_tokens = 1.5", 2, "budget.daily_tokens", "not a whole number", "digits"),
    ("[mcp.servers.x]\nurl = 'https://x.org'\ncommand = ['x']", 1, "mcp.servers.x", "not both", "command"),
    ("[features]\ndreams = true", 2, "features.dreams", "unknown key", '"dream"'),
    ("a = [1,\n2", 2, "", "not valid TOML", "correct this line"),
    ("[tick]\nevery = 5m", 2, "", "not valid TOML", "quotes"),
    ("[tick]\nevery = '5m'\nevery = '6m'", 3, "", "not valid TOML", "correct"),
    ("[features]\ndream = True", 2, "", "not valid TOML", "true or false"),
]


def faults_of(text: str | bytes, home: Path) -> list[Fault]:
    raw = text if isinstance(text, bytes) else text.encode()
    with pytest.raises(ConfigError) as caught:
        load_text(raw, home, {"HOME": str(home)})
    return caught.value.faults


@pytest.mark.parametrize(("text", "line", "key", "problem", "remedy"), CASES)
def test_a_fault_says_where_what_and_what_would_be_right(
    short_home: Path, text: str, line: int, key: str, problem: str, remedy: str
) -> None:
    found = [f for f in faults_of(text, short_home) if f.key == key and f.line == line]
    assert found, [str(f) for f in faults_of(text, short_home)]
    assert any(problem in f.problem and remedy in f.remedy for f in found), [str(f) for f in found]
    assert str(found[0]).startswith(f"{short_home}/config.toml:{line}:")
    assert "\n" not in str(found[0])


def test_every_fault_is_told_at_once_in_the_order_of_the_file(short_home: Path) -> None:
    text = "timezone = 'Moon'\n[tick]\nevry = 1\nevery = 3\n[[hook]]\nname = 'a'\nsecret = 'x'\n[budgt]\n"
    found = faults_of(text, short_home)
    assert [(f.line, f.key) for f in found] == [
        (1, "timezone"), (3, "tick.evry"), (4, "tick.every"), (7, "hook.secret"), (8, "budgt"),
    ]  # fmt: skip


def test_lines_are_right_below_long_strings_arrays_and_dotted_keys(short_home: Path) -> None:
    text = '''# a comment with [brackets] = "and quotes
[[schedule]]
name = "a" # ] }
every = "2h"
prompt = """
[tick]
every = "nonsense"
\\""" still text"""
[[schedule]]
name = 'b'
prompt = \'\'\'
cron = 1\'\'\'
cron = "x"
[github]
"api_url" = "nope"
repo = [
  { name = "o/a" },
  { name = "bad" },
]
'''
    found = {(f.key, f.line) for f in faults_of(text.replace("\n", "\r\n"), short_home)}
    assert found == {("schedule.cron", 13), ("github.api_url", 15), ("github.repo.name", 18)}


def test_secrets_that_others_could_read_are_refused(short_home: Path) -> None:
    secret = short_home / "hook.secret"
    secret.write_text("s3cret")
    secret.chmod(0o640)
    text = '[[hook]]\nname = "a"\nsecret = { file = "hook.secret" }'
    (fault,) = faults_of(text, short_home)
    assert (fault.line, fault.key) == (3, "hook.secret")
    assert "mode 0640" in fault.problem and fault.remedy == f"chmod 600 {secret}"
    secret.chmod(0o600)
    config = load_text(text.encode(), short_home, {})
    assert config.hook[0].secret.resolve() == "s3cret"
    assert "s3cret" not in repr(config)
    secret.write_text("  ")
    assert "is empty" in faults_of(text, short_home)[0].problem


def test_an_empty_variable_counts_as_missing(short_home: Path) -> None:
    text = b'[[hook]]\nname = "a"\nsecret = { env = "S" }'
    with pytest.raises(ConfigError, match="S is empty"):
        load_text(text, short_home, {"S": " "})


def test_a_socket_path_over_the_systems_limit_says_so(tmp_path: Path) -> None:
    home = tmp_path / ("x" * 100)
    with pytest.raises(ConfigError, match=r"over this system's limit of 10[37]; choose a home") as caught:
        load(home, {})
    assert caught.value.faults[0].key == "NIGHTCLAW_HOME"
    assert not home.exists()


def test_a_home_that_is_a_file_says_so(short_home: Path) -> None:
    (short_home / "h").write_text("")
    with pytest.raises(ConfigError, match="is not a folder"):
        load(short_home / "h", {})


def test_a_config_that_cannot_be_read_says_so(short_home: Path) -> None:
    (short_home / "config.toml").mkdir()
    with pytest.raises(ConfigError, match="cannot be read"):
        load(short_home, {})


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_config_of_another_user_says_so(short_home: Path) -> None:
    (short_home / "config.toml").touch(mode=0o000)
    with pytest.raises(ConfigError, match="Permission denied; make it readable"):
        load(short_home, {})


def test_text_that_is_not_utf8_names_the_line(short_home: Path) -> None:
    (fault,) = faults_of(b'timezone = "UTC"\n# \xff\n', short_home)
    assert fault.line == 2 and "UTF-8" in fault.problem


def test_nonsense_never_gets_past_as_anything_but_faults(short_home: Path) -> None:
    for text in (
        "[" * 5000,
        "a=" + "[" * 100_000,
        "\0",
        "= 1",
        "x",
        "[rule]\n[[rule]]",
        "a.b=1\na=2",
        '"" = 1',
    ):
        assert faults_of(text, short_home), text


def test_permissions_cannot_be_bypassed_outside_a_container(short_home: Path) -> None:
    text = b'[permissions]\nmode = "bypassPermissions"'
    if not (os.path.exists("/.dockerenv") or os.path.exists("/run/.containerenv")):
        with pytest.raises(ConfigError, match="mode: bypassPermissions is refused"):
            load_text(text, short_home, {})
    assert load_text(text, short_home, {"container": "podman"}).permissions.mode == "bypassPermissions"
