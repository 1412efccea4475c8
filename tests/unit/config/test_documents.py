"""The example and the table of keys stay in step with what the program reads."""

import re
import tomllib
from pathlib import Path

import pytest

from nightclaw.config import FEATURES, ROLES, load_text
from nightclaw.config.faults import keys_of, tables

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "deploy" / "config.example.toml"
TABLE = ROOT / "docs" / "configuration.md"
WORK = {"prompt", "repo", "unattended", "model", "budget_usd", "per_hour"}


def uncommented() -> str:
    lines = EXAMPLE.read_text(encoding="utf-8").splitlines()
    keys = [line[2:] for line in lines if re.match(r"# (?:\[|[a-z_]+ = )", line)]
    assert all(line.startswith("#") for line in lines if line), "an active line in the example"
    return "\n".join(keys)


def every_key() -> list[tuple[str, str]]:
    found = [(table, key) for table in tables() for key in keys_of(table)]
    found = [(table, key) for table, key in found if f"{table}.{key}".lstrip(".") not in tables()]
    found = [pair for pair in found if pair not in (("", "models"), ("", "features"))]
    return found + [("models", r) for r in ROLES] + [("features", f) for f in FEATURES]


def step(here: object, name: str) -> dict[str, object]:
    """The table `name` of `here`; entries of a list, or tables with free names, as one."""
    assert isinstance(here, dict)
    found = here[name]
    if name in ("providers", "servers"):
        found = list(found.values())
    if isinstance(found, list):
        return {k: v for row in found if isinstance(row, dict) for k, v in row.items()}
    return found


def test_the_example_is_a_config(short_home: Path) -> None:
    for folder in ("src/app", ".cargo"):
        (short_home / folder).mkdir(parents=True)
    secret = short_home / "github.secret"
    secret.write_text("x")
    secret.chmod(0o600)
    names = ("ANTHROPIC_API_KEY", "GITHUB_TOKEN", "DEPLOYS_SECRET", "FILES_TOKEN", "FAR_TOKEN")
    config = load_text(
        uncommented().encode(), short_home, {"HOME": str(short_home), **dict.fromkeys(names, "x")}
    )
    assert [s.name for s in config.schedule] == ["brief", "sweep", "release"]
    assert config.rule[0].when["payload.workflow_run.conclusion"] == "failure"


def test_values_shown_as_defaults_are_the_defaults(short_home: Path) -> None:
    wanted = tomllib.loads(uncommented())
    sections = ("initiative", "budget", "dream", "retention", "web")
    text = {name: wanted[name] for name in sections}
    lines = [
        f"[{name}]\n" + "\n".join(f"{k} = {v!r}".lower() for k, v in rows.items())
        for name, rows in text.items()
    ]
    shown = load_text("\n".join(lines).encode(), short_home, {})
    default = load_text(None, short_home, {})
    assert [getattr(shown, name) for name in sections] == [getattr(default, name) for name in sections]


@pytest.mark.parametrize(("table", "key"), every_key())
def test_every_key_stands_in_the_example(table: str, key: str) -> None:
    here: dict[str, object] = tomllib.loads(uncommented())
    for part in filter(None, table.split(".")):
        here = step(here, part)
    if table not in ("watch", "hook", "rule") or key not in WORK:
        assert key in here


@pytest.mark.parametrize(("table", "key"), every_key())
def test_every_key_stands_in_the_table(table: str, key: str) -> None:
    dotted = (
        f"{table}.{key}".lstrip(".")
        .replace("providers.", "providers.NAME.")
        .replace("servers.", "servers.NAME.")
    )
    if (table in ("schedule", "watch", "hook", "rule") and key in WORK) or table == "notify.urls":
        dotted = key
    assert f"`{dotted}`" in TABLE.read_text(encoding="utf-8")


def test_the_table_names_no_key_that_does_not_exist() -> None:
    known = {f"{table}.{key}".lstrip(".") for table, key in every_key()} | set(tables())
    rows = [
        line.split("|")[1]
        for line in TABLE.read_text(encoding="utf-8").splitlines()
        if line.startswith("| `")
    ]
    named = {key for row in rows for key in re.findall(r"`([a-z_.NAME]+)`", row)}
    assert len(named) > 50
    assert not {k.replace(".NAME", "") for k in named} - known


def test_the_daemon_switches_what_the_config_names() -> None:
    from nightclaw.desk import FEATURES as SWITCHES

    assert set(SWITCHES) == set(FEATURES)
