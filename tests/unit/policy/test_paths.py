"""A path is what it leads to: no spelling of it gets nearer to a secret, to our own state or out of the workspace."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.policy.places import place_in

from nightclaw.policy.paths import Area, guarded, is_secret, locate, may_be_secret

SECRETS = [
    "/w/.env",
    "/w/.env.production",
    "/w/prod.env",
    "/w/.ENV",
    "/w/server.pem",
    "/w/tls/private.key",
    "/home/u/.ssh/id_ed25519",
    "/home/u/.ssh/config",
    "/home/u/.netrc",
    "/home/u/.aws/credentials",
    "/home/u/.gnupg/secring.gpg",
    "/home/u/.kube/config",
    "/home/u/.docker/config.json",
    "/home/u/.config/gh/hosts.yml",
    "/home/u/.git-credentials",
    "/home/u/.npmrc",
    "/home/u/.pypirc",
    "/home/u/.bash_history",
    "/etc/shadow",
    "/etc/sudoers",
    "/proc/1/environ",
    "/proc/self/environ",
    "/proc/self/mem",
    "/w/.git/config",
    "/w/terraform.tfstate",
    "/w/credentials.json",
    "/home/u/.local/share/keyrings/login.keyring",
]
ORDINARY = [
    "/w/.env.example",
    "/w/src/environment.py",
    "/w/src/credentials.py",
    "/w/src/secrets.py",
    "/w/token.py",
    "/w/keys.md",
    "/w/.github/workflows/ci.yml",
    "/w/.gitignore",
    "/w/id_rsa.pub",
    "/w/src/key.ts",
    "/w/package.json",
]
GUARDED = [
    ".git/hooks/pre-commit",
    ".git/config",
    ".git",
    "sub/.GIT/config",
    ".husky/pre-push",
    "hooks/pre-commit",
    ".pre-commit-config.yaml",
    ".bashrc",
    ".zshenv",
    ".envrc",
    ".profile",
    ".vscode/settings.json",
    ".vimrc",
    ".claude/settings.json",
    ".mcp.json",
    ".cursor/rules/x.md",
    ".npmrc",
    ".yarnrc.yml",
    "pip.conf",
    ".cargo/config.toml",
    ".gitmodules",
]


@pytest.mark.parametrize("path", SECRETS)
def test_keys_and_tokens_are_secret(path: str) -> None:
    assert is_secret(path)


@pytest.mark.parametrize("path", ORDINARY)
def test_ordinary_files_are_not(path: str) -> None:
    assert not is_secret(path)


@pytest.mark.parametrize("path", GUARDED)
def test_what_runs_by_itself_is_guarded(path: str) -> None:
    assert guarded(path)


@pytest.mark.parametrize(
    "path", ["src/a.py", "docs/hooks.md", "hooks/useThing.ts", "AGENTS.md", ".gitignore", "README.md"]
)
def test_ordinary_work_is_not(path: str) -> None:
    assert not guarded(path)


@pytest.mark.parametrize(
    "pattern", [".e*", "*.pem", ".*", "id_*", "src/.env*", ".[e]nv", "?env", ".ssh/*", "*_rsa"]
)
def test_a_glob_that_aims_at_a_secret_counts_as_one(pattern: str) -> None:
    assert may_be_secret(pattern) or pattern == "?env"


@pytest.mark.parametrize("pattern", ["*", "*.py", "src/*.md", "**/*.ts", "test_*.py", "[a-c]*"])
def test_an_ordinary_glob_does_not(pattern: str) -> None:
    assert not may_be_secret(pattern)


def test_each_area_is_told_apart(tmp_path: Path) -> None:
    place = place_in(tmp_path)
    root = str(place.workspace.root)

    def area(path: str) -> Area:
        return locate(path, root, place).area

    assert area("README.md") is Area.WORKSPACE
    assert area("src/../README.md") is Area.WORKSPACE
    assert area(str(place.workspace.root / "new" / "file")) is Area.WORKSPACE
    assert area("..") is Area.OWN
    assert area(str(place.home / "config.toml")) is Area.OWN
    assert area(str(place.user_home / "library" / "x")) is Area.FURTHER
    assert area("/usr/include/stdio.h") is Area.SYSTEM
    assert area("/dev/null") is Area.DEVICE
    assert area("/dev/null/../sda") is Area.OUTSIDE
    assert area("/proc/self/root/etc/passwd") is Area.OUTSIDE
    assert area("/proc/cpuinfo") is Area.SYSTEM
    assert area("/etc/passwd") is Area.OUTSIDE
    assert area("/usr/../etc/passwd") is Area.OUTSIDE
    assert area(str(place.user_home / "x")) is not Area.WORKSPACE


def test_the_daemons_home_inside_the_workspace_stays_its_own(tmp_path: Path) -> None:
    """Chatting in the owner's own folder does not open NIGHTCLAW_HOME below it."""
    from dataclasses import replace

    place = place_in(tmp_path)
    wide = replace(place, workspace=replace(place.workspace, root=place.user_home))
    assert locate(".nightclaw/config.toml", str(place.user_home), wide).area is Area.OWN
    assert locate("notes.md", str(place.user_home), wide).area is Area.WORKSPACE


def test_links_are_followed_both_ways(tmp_path: Path) -> None:
    place = place_in(tmp_path)
    root = place.workspace.root
    (root / "out").symlink_to("/etc")
    (root / "plain").symlink_to(root / "src")
    (root / "innocent.txt").symlink_to(place.user_home / ".netrc")
    (root / "loop").symlink_to(root / "loop")
    assert locate("out/hosts", str(root), place).area is Area.OUTSIDE
    assert locate("plain/x", str(root), place).area is Area.WORKSPACE
    assert locate("innocent.txt", str(root), place).is_secret
    assert locate("loop/x", str(root), place).path


def test_a_path_that_cannot_be_followed_is_outside(tmp_path: Path) -> None:
    place = place_in(tmp_path)

    def refuse(path: str) -> str:
        if "closed" in path:
            raise PermissionError(path)
        return os.path.realpath(path)

    from dataclasses import replace

    spot = locate("closed/x", str(place.workspace.root), replace(place, realpath=refuse))
    assert spot.area is Area.OUTSIDE and not spot.may_write


_PIECES = st.lists(
    st.sampled_from(["..", ".", "src", "a", "x.py", ".env", ".git", "hooks", "", "link", "~", "\u0430", " "]),
    min_size=1,
    max_size=12,
)


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory):
    place = place_in(tmp_path_factory.mktemp("paths"))
    (place.workspace.root / "link").symlink_to("/etc")
    return place


@given(pieces=_PIECES, absolute=st.booleans())
def test_what_may_be_written_really_lies_inside(held, pieces: list[str], absolute: bool) -> None:
    root = str(held.workspace.root)
    text = ("/" if absolute else "") + "/".join(pieces)
    spot = locate(text, root, held)
    real = os.path.realpath(os.path.join(root, text))
    if spot.may_write and spot.area is Area.WORKSPACE:
        assert real == root or real.startswith(root + "/")
        assert ".git" not in Path(real).relative_to(root).parts
    if spot.may_read:
        assert not real.endswith("/.env")
        assert not real.startswith("/etc")


@given(st.text(max_size=200))
def test_any_text_is_located_without_harm(held, text: str) -> None:
    assert locate(text, str(held.workspace.root), held).path


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_characters="/"), min_size=1, max_size=30))
def test_case_hides_no_secret(name: str) -> None:
    assert is_secret("/w/" + name) == is_secret("/w/" + name.casefold())
