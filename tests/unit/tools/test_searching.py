"""Glob and Grep: what is found, in which order, how much of it, and what no pattern can do."""

import os
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fakes.toolbox import GIT_ENV, call, context

from nightclaw.core.tools import ToolContext, Workspace
from nightclaw.tools import glob, grep
from nightclaw.tools.searching import Glob, Ignore, braces, fits, is_secret, tokens

pytestmark = pytest.mark.anyio

HOME = Path("/nowhere/nightclaw")
GLOB = glob.build({}, {"home": HOME})
GREPS = [pytest.param(grep.build({}, {"home": HOME, "rg": ""}), id="python")]
if shutil.which("rg"):
    GREPS.append(pytest.param(grep.build({}, {"home": HOME}), id="ripgrep"))

FILES = {
    "a.py": "import os\nNeedle = 1\n",
    "src/b.py": "needle\nother\nneedle again\n",
    "src/deep/c.txt": "no match\nneedle\n",
    "src/deep/d.bin": "needle\0",
    "build/out.py": "needle\n",
    "x.log": "needle\n",
    "keep.log": "needle\n",
    ".hidden/e.py": "needle\n",
    ".env": "needle=1\n",
    "deploy.pem": "needle\n",
    "env.example/.env.example": "needle=\n",
    ".gitignore": "build/\n*.log\n!keep.log\n",
    "src/.gitignore": "/only.py\n",
    "src/only.py": "needle\n",
    "src/deep/only.py": "needle\n",
    "[a]{b}.py": "odd\n",
}


@pytest.fixture
def ctx(tmp_path: Path) -> ToolContext:
    for n, (name, text) in enumerate(FILES.items()):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        os.utime(path, (1_700_000_000 + n, 1_700_000_000 + n))
    subprocess.run(["git", "init", "-q", tmp_path], env=GIT_ENV, check=True)
    (tmp_path / "loop").symlink_to(".")
    return context(Workspace(tmp_path, repo="octo/app"))


@pytest.mark.parametrize(
    ("pattern", "path", "found"),
    [
        ("*.py", None, ["[a]{b}.py", "a.py"]),
        ("**/b.py", None, ["src/b.py"]),
        ("src/**/*.{py,txt}", None, ["src/deep/only.py", "src/deep/c.txt", "src/b.py"]),
        ("**/*.txt", "src", ["src/deep/c.txt"]),
        ("src/*/[a-c].*", None, ["src/deep/c.txt"]),
        ("./src/b.p?", None, ["src/b.py"]),
        ("**/*.log", None, ["keep.log"]),
        ("\\[a\\]\\{b\\}.py", None, ["[a]{b}.py"]),
        (".hidden/**", None, [".hidden/e.py"]),
    ],
)
async def test_files_are_found_newest_first(
    ctx: ToolContext, pattern: str, path: str | None, found: list[str]
) -> None:
    result = await call(GLOB, ctx, pattern=pattern, **({"path": path} if path else {}))
    assert result.text.split("\n") == found and not result.is_error


async def test_glob_says_what_to_do_when_there_is_nothing_or_too_much(ctx: ToolContext) -> None:
    assert (
        await call(GLOB, ctx, pattern="c.txt")
    ).text == "No file matches; **/c.txt looks in every directory."
    assert (await call(GLOB, ctx, pattern=f"{ctx.workspace.root}/src/*.py")).text == "src/b.py"
    for n in range(150):
        (ctx.workspace.root / f"many{n}.md").write_text("")
    lines = (await call(GLOB, ctx, pattern="*.md")).text.split("\n")
    assert len(lines) == 101 and lines[-1].startswith("[50 more")
    for args in ({}, {"pattern": ""}, {"pattern": "../*"}, {"pattern": "*", "path": "a.py"}):
        assert (await call(GLOB, ctx, **args)).is_error


@pytest.mark.parametrize("search", GREPS)
async def test_contents_are_searched_in_three_ways(ctx: ToolContext, search: grep.Grep) -> None:
    names = (await call(search, ctx, pattern="needle")).text.split("\n")
    wanted = {"src/b.py", "src/deep/c.txt", "keep.log", ".hidden/e.py", "src/deep/only.py"}
    assert set(names) - {"env.example/.env.example"} == wanted
    result = await call(search, ctx, pattern="needle", path="src/b.py", output_mode="content")
    assert result.text == "src/b.py:1:needle\nsrc/b.py:3:needle again"
    result = await call(search, ctx, pattern="NEEDLE", _i=True, output_mode="count", glob="*.py", path="src")
    assert sorted(result.text.split("\n")) == ["src/b.py:2", "src/deep/only.py:1"]
    result = await call(search, ctx, pattern="other", output_mode="content", _C=1)
    assert result.text == "src/b.py-1-needle\nsrc/b.py:2:other\nsrc/b.py-3-needle again"
    result = await call(search, ctx, pattern="^other", output_mode="content", _A=1, glob="src/*.py")
    assert result.text == "src/b.py:2:other\nsrc/b.py-3-needle again"
    result = await call(search, ctx, pattern="other\nneedle", output_mode="content", multiline=True)
    assert result.text == "src/b.py:2:other\nsrc/b.py:3:needle again"
    assert (await call(search, ctx, pattern="needle", path=".env", output_mode="content")).text.endswith(
        ":needle=1"
    )
    assert (await call(search, ctx, pattern="nowhere at all")).text == "No file matches."


@pytest.mark.parametrize("search", GREPS)
async def test_a_search_is_bounded_and_explained(ctx: ToolContext, search: grep.Grep) -> None:
    (ctx.workspace.root / "many.txt").write_text("hit\n" * 1000 + "hit" * 3000 + "\n")
    lines = (await call(search, ctx, pattern="hit", output_mode="content")).text.split("\n")
    assert len(lines) == 251 and "751 more lines" in lines[-1]
    lines = (await call(search, ctx, pattern="hit", output_mode="content", head_limit=2)).text.split("\n")
    assert lines[:2] == ["many.txt:1:hit", "many.txt:2:hit"] and len(lines) == 3
    result = await call(search, ctx, pattern="(hit){3000}", output_mode="content")
    assert len(result.text) < 1000
    for args in (
        {"pattern": "("},
        {"pattern": ""},
        {},
        {"pattern": "x", "output_mode": "all"},
        {"pattern": "x", "_A": -1},
    ):
        result = await call(search, ctx, **args)
        assert result.is_error and len(result.text) < 500, args
    for args in (
        {"pattern": "--pre=touch x"},
        {"pattern": "x", "glob": "--files"},
        {"pattern": "x", "path": "--help"},
    ):
        await call(search, ctx, **args)
    assert not (ctx.workspace.root / "x").exists()


def test_a_pattern_costs_no_more_than_its_length_times_the_names() -> None:
    started = time.monotonic()
    assert not Glob("/".join(["*a" * 60 + "b"] * 20)).matches(["a" * 250] * 20)
    assert not Glob("**/" * 40 + "x").matches(["a"] * 60)
    assert not Glob("*" * 200 + "b").matches(["a" * 250])
    assert len(braces("{a,b}" * 30)) == 64 and len(braces("{" * 500)) == 1
    assert not Ignore("*a" * 100 + "b\n").says(["a" * 250], False)
    assert time.monotonic() - started < 2


@given(st.text("ab*?[]!-", max_size=8), st.text("ab-", max_size=6))
def test_one_name_matches_as_the_standard_library_says(pattern: str, name: str) -> None:
    import fnmatch

    if re.search(r"\[[^\]]*$|\[\]|\[!\]|-", pattern):
        return  # unclosed and empty classes are read differently everywhere
    assert fits(tokens(pattern), name) == fnmatch.fnmatchcase(name, pattern)


@pytest.mark.parametrize(
    ("pattern", "forms"),
    [
        ("a{b,c}d", ["abd", "acd"]),
        ("{a,b{c,d}}", ["a", "bc", "bd"]),
        ("{a}", ["{a}"]),
        ("a}b{", ["a}b{"]),
        ("{,x}.py", [".py", "x.py"]),
    ],
)
def test_braces_are_opened(pattern: str, forms: list[str]) -> None:
    assert braces(pattern) == forms


def test_ignore_rules_agree_with_git(tmp_path: Path) -> None:
    rules = "*.o\n/top\nfoo/bar\ndoc/\n!doc/keep\n**/logs\n# note\n\\#odd\na/**/z\n!important.o\n"
    paths = [
        "x.o",
        "d/x.o",
        "important.o",
        "top",
        "d/top",
        "foo/bar",
        "d/foo/bar",
        "logs",
        "d/logs",
        "#odd",
        "a/z",
        "a/b/z",
    ]
    subprocess.run(["git", "init", "-q", tmp_path], env=GIT_ENV, check=True)
    (tmp_path / ".gitignore").write_text(rules)
    asked = subprocess.run(
        ["git", "-C", tmp_path, "check-ignore", "--no-index", *paths],
        env=GIT_ENV,
        capture_output=True,
        text=True,
    )
    by_git = {line.strip('"') for line in asked.stdout.split("\n") if line}
    ignore = Ignore(rules)
    assert {path for path in paths if ignore.says(path.split("/"), False)} == by_git


def test_files_of_keys_are_known_by_name() -> None:
    for name in (".env", ".env.production", "server.pem", "id_rsa", "id_ed25519", ".netrc", "credentials"):
        assert is_secret(name), name
    for name in (".env.example", "environment.py", "id_rsa.pub", "key.py", "Pemfile"):
        assert not is_secret(name), name
