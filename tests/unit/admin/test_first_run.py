"""`init` finds what is there, asks little, writes a config that starts, and never touches what exists."""

import json
import os
import stat
import sys
import threading
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pexpect
import pytest
from tests.unit.admin.conftest import Admin

from nightclaw.admin import discover
from nightclaw.config import load


def clone(path: Path, url: str, base: str | None = None) -> Path:
    git = path / ".git"
    git.mkdir(parents=True)
    (git / "HEAD").write_text("ref: refs/heads/main\n")
    (git / "config").write_text(
        f'[core]\n\tbare = false\n[remote "origin"]\n\turl = {url}\n[branch "main"]\n'
    )
    if base:
        (git / "refs/remotes/origin").mkdir(parents=True)
        (git / "refs/remotes/origin/HEAD").write_text(f"ref: refs/remotes/origin/{base}\n")
    return path


@pytest.fixture
def lived_in(user: Path) -> Path:
    clone(user / "src" / "app", "git@github.com:octo/app.git", "trunk")
    clone(user / "code" / "deep" / "down" / "tool", "https://token@github.com/octo/tool")
    clone(user / "projects" / "other", "https://gitlab.com/octo/other.git")
    clone(user / "src" / "app" / "vendor" / "inner", "git@github.com:octo/inner.git")
    clone(user / "src" / "node_modules" / "x", "git@github.com:octo/x.git")
    (user / ".config" / "gh").mkdir(parents=True)
    (user / ".config" / "gh" / "hosts.yml").write_text(
        "github.com:\n    git_protocol: https\n    user: octocat\n"
    )
    return user


@contextmanager
def ollama(answer: bytes) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/api/tags" else 404)
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_it_writes_what_it_found(admin: Admin, home: Path, lived_in: Path) -> None:
    done = admin("init", "--yes", ANTHROPIC_API_KEY="k")
    assert (done.returncode, done.stderr) == (0, "")
    assert "found 3 git clones, 2 of them on GitHub" in done.stdout
    assert stat.S_IMODE((home / "config.toml").stat().st_mode) == 0o600
    assert (home / "ORDERS.md").read_text().startswith("# Standing orders")
    config = load(home, {**admin.env, "ANTHROPIC_API_KEY": "k"})
    assert config.github.owners == ["octocat"]
    assert {r.name: (r.path, r.base) for r in config.github.repo} == {
        "octo/app": (lived_in / "src/app", "trunk"),
        "octo/tool": (lived_in / "code/deep/down/tool", None),
    }
    assert config.models["agent"] == ["anthropic/claude-sonnet-4-5"]
    key = config.providers["anthropic"].api_key
    assert key is not None and key.resolve() == "k" and '"k"' not in (home / "config.toml").read_text()
    assert not config.initiative.shadow and config.notify.urls == []


def test_twice_is_once(admin: Admin, home: Path, lived_in: Path) -> None:
    admin("init", "--yes")
    then = {p.name: p.read_bytes() for p in home.iterdir() if p.is_file()}
    clone(lived_in / "src" / "fresh", "ssh://git@github.com/octo/fresh.git")
    done = admin("init", "--yes")
    assert done.returncode == 0 and {p.name: p.read_bytes() for p in home.iterdir() if p.is_file()} == then
    assert "exists and stays as it is" in done.stdout
    assert (
        f'it could also have: [[github.repo]] name = "octo/fresh", path = "{lived_in}/src/fresh"'
        in done.stdout
    )
    row = json.loads(admin("init", "--yes", "--json").stdout)
    assert (row["wrote"], row["kept"]) == ([], ["config.toml"]) and len(row["missing"]) == 2


def test_orders_that_exist_stay(admin: Admin, home: Path) -> None:
    (home / "ORDERS.md").write_text("mine\n")
    assert admin("init", "--yes").returncode == 0
    assert (home / "ORDERS.md").read_text() == "mine\n" and (home / "config.toml").exists()


def test_a_home_is_made_private(admin: Admin, user: Path) -> None:
    assert admin("init", "--yes").returncode == 0
    assert stat.S_IMODE((user / ".nightclaw").stat().st_mode) == 0o700


def test_with_nothing_found_the_file_still_starts(admin: Admin, home: Path) -> None:
    assert admin("init", "--yes").returncode == 0
    config = load(home, {})
    assert config.models == {} and config.github.repo == [] and config.exists


@pytest.mark.parametrize(
    ("key", "provider"), [("OPENAI_API_KEY", "openai"), ("ANTHROPIC_API_KEY", "anthropic")]
)
def test_every_kind_of_key_gives_a_config_that_starts(
    admin: Admin, home: Path, key: str, provider: str
) -> None:
    assert admin("init", "--yes", **{key: "k"}).returncode == 0
    assert load(home, {key: "k"}).models["agent"][0].startswith(f"{provider}/")


def test_a_local_model_is_found(admin: Admin, home: Path) -> None:
    with ollama(b'{"models": [{"name": "qwen3:8b"}]}') as host:
        assert "local models: qwen3:8b" in admin("init", "--yes", OLLAMA_HOST=host).stdout
    assert load(home, {}).models == {"agent": ["ollama/qwen3:8b"]}


@pytest.mark.parametrize("answer", [b"", b"[]", b'{"models": 3}', b"\xff" * 100])
def test_a_strange_local_answer_is_no_model(answer: bytes) -> None:
    with ollama(answer) as host:
        assert discover.find_local_models({"OLLAMA_HOST": host}) == []


def test_it_asks_at_most_five_questions(admin: Admin, home: Path, lived_in: Path) -> None:
    env = {**admin.env, "ANTHROPIC_API_KEY": "k", "TERM": "dumb"}
    child = pexpect.spawn(
        sys.executable,
        ["-m", "nightclaw.admin", "init"],
        env=env,
        cwd=str(lived_in),
        timeout=30,
        encoding="utf-8",
    )
    child.expect(r"octo/\w+")
    for question, answer in (
        ("Which may it follow", "2"),
        ("Your GitHub login", ""),
        ("Which model", "none"),
        ("Where should notes go", "ntfy://ntfy.sh/mine"),
        ("shadow", "y"),
    ):
        child.expect(question)
        child.expect(": ")
        child.sendline(answer)
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0
    config = load(home, {})
    assert len(config.github.repo) == 1 and config.github.owners == ["octocat"]
    assert config.models == {} and config.initiative.shadow
    assert [u.url for u in config.notify.urls] == ["ntfy://ntfy.sh/mine"]


def test_an_answer_that_cannot_be_used_writes_nothing(admin: Admin, home: Path) -> None:
    child = pexpect.spawn(
        sys.executable, ["-m", "nightclaw.admin", "init"], env={**admin.env, "TERM": "dumb"},
        cwd=str(home), timeout=30, encoding="utf-8",
    )  # fmt: skip
    for question, answer in (("GitHub login", ""), ("notes go", "my topic"), ("shadow", "")):
        child.expect(question)
        child.sendline(answer)
    child.expect("notify.urls: this is not an address")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 1 and os.listdir(home) == []


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("git@github.com:octo/app.git", "octo/app"),
        ("ssh://git@github.com/octo/app", "octo/app"),
        ("https://github.com/octo/my.app.git", "octo/my.app"),
        ("https://user:token@github.com/octo/app/", "octo/app"),
        ("https://gitlab.com/octo/app", None),
        ("https://github.com.evil.example/octo/app", None),
        ("/srv/git/github.com/octo/app", None),
    ],
)
def test_remotes(url: str, name: str | None) -> None:
    assert discover.github_name(f'[remote "origin"]\n\turl = {url}\n') == name


def test_origin_goes_before_other_remotes() -> None:
    two = '[remote "fork"]\n url = git@github.com:me/app\n[remote "up"]\n url = git@github.com:octo/app\n'
    assert discover.github_name(two) is None
    assert discover.github_name(f'{two}[remote "origin"]\nurl = git@github.com:o/a\n') == "o/a"


def test_looking_around_ends_in_time(user: Path) -> None:
    for n in range(30):
        clone(user / "src" / f"r{n}", f"git@github.com:octo/r{n}")
    env = {"HOME": str(user)}
    assert len(discover.find_clones(env, user)) == discover.MOST
    assert discover.find_clones(env, user, budget_s=-1) == []


def test_what_it_writes_parses_whatever_the_names(user: Path, admin: Admin, home: Path) -> None:
    clone(user / "src" / 'a"b\\c', "git@github.com:octo/app")
    assert admin("init", "--yes").returncode == 0
    assert (
        tomllib.loads((home / "config.toml").read_text())["github"]["repo"][0]["path"] == f'{user}/src/a"b\\c'
    )
