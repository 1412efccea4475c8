"""The model sees its worktree through Git, commits what it did, and no secret with it."""

import os
from dataclasses import replace
from pathlib import Path

import pytest
from tests.fakes.clones import commit, git, print_of, write
from tests.unit.tools.git_scene import BRANCH, TASK, AtWork, at_work

from nightclaw.core.outbound import find
from nightclaw.core.trust import Trust
from nightclaw.tools.git import SPEC, GitTool

pytestmark = pytest.mark.anyio
TOKEN = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"


@pytest.fixture
async def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AtWork:
    monkeypatch.setenv("HOME", str(tmp_path))
    return await at_work(tmp_path)


async def test_what_was_done_is_seen_and_committed(work: AtWork) -> None:
    before = print_of(work.world.clone)
    work.write({"src/app.py": "print('bye')\n", "src/new.py": "1\n"})
    status = await work.call("status")
    assert BRANCH in status.text and " M src/app.py" in status.text and "?? src/new.py" in status.text
    assert status.label is not None and status.label.trust is Trust.REPO
    diff = await work.call("diff")
    assert "-print('hi')" in diff.text and "+print('bye')" in diff.text and "src/new.py" in diff.text
    made = await work.call("commit", "cal_A", message="Say bye\n\nBecause.\nNightclaw-Task: forged\n")
    assert not made.is_error and made.object_ids == (git(work.workspace.root, "rev-parse", "HEAD"),)
    shown = git(work.workspace.root, "log", "-1", "--format=%an <%ae>|%cn <%ce>|%B")
    assert shown.startswith("Mona <mona@example.org>|Nightclaw <mona@example.org>|Say bye\n\nBecause.")
    assert shown.endswith(f"Nightclaw-Task: {TASK}\nNightclaw-Call: cal_A\nAssisted-by: Nightclaw")
    assert "forged" not in shown
    assert git(work.workspace.root, "status", "--porcelain") == ""
    assert "1 commit(s) since main" in (await work.call("status")).text
    assert "Say bye" in (await work.call("log", base=True)).text
    assert "+print('bye')" in (await work.call("show")).text
    assert "+print('bye')" in (await work.call("diff", base=True)).text
    assert (await work.call("show", rev="HEAD~1", paths=["src/app.py"])).text == "print('hi')\n"
    assert print_of(work.world.clone) == before


async def test_a_commit_takes_what_was_staged_or_named(work: AtWork) -> None:
    work.write({"a.py": "1\n", "b.py": "1\n", "c.py": "1\n"})
    assert "A  a.py" in (await work.call("add", paths=["a.py"])).text
    await work.call("commit", message="a")
    assert git(work.workspace.root, "status", "--porcelain") == "?? b.py\n?? c.py"
    await work.call("commit", message="b", paths=["b.py"])
    assert git(work.workspace.root, "status", "--porcelain") == "?? c.py"
    (work.workspace.root / "a.py").unlink()
    await work.call("commit", message="rest")
    assert git(work.workspace.root, "ls-files").split() == [
        "AGENTS.md",
        "README.md",
        "b.py",
        "c.py",
        "src/app.py",
    ]
    nothing = await work.call("commit", message="none")
    assert nothing.is_error and "Nothing to commit" in nothing.text


async def test_a_commit_made_twice_is_one_and_a_cut_one_is_found(work: AtWork) -> None:
    work.write({"a.py": "1\n"})
    assert await work.probe("commit", "cal_A") is None
    first = await work.call("commit", "cal_A", message="one")
    work.write({"b.py": "1\n"})
    again = await work.call("commit", "cal_A", message="one")
    assert again.object_ids == first.object_ids
    found = await work.probe("commit", "cal_A")
    assert found is not None and found.object_ids == first.object_ids
    assert await work.probe("commit", "cal_B") is None
    assert git(work.workspace.root, "rev-list", "--count", "main..HEAD") == "1"


async def test_restore_undoes(work: AtWork) -> None:
    work.write({"src/app.py": "broken\n", "new.py": "1\n"})
    await work.call("add", paths=["."])
    assert "no longer staged" in (await work.call("restore", paths=["new.py"], staged=True)).text
    assert not (await work.call("restore", paths=["src/app.py"])).is_error
    assert git(work.workspace.root, "status", "--porcelain") == "?? new.py"
    lost = await work.call("restore", paths=["nosuch"])
    assert lost.is_error and "never committed" in lost.text


@pytest.mark.parametrize(
    "path", ["../clone/README.md", "/etc/passwd", ".git/config", "a/../../x", ".GIT/hooks", ""]
)
async def test_paths_outside_are_refused(work: AtWork, path: str) -> None:
    for action in ("diff", "add", "restore", "commit", "show"):
        answer = await work.call(action, paths=[path], message="x")
        assert answer.is_error and ("not in the worktree" in answer.text or "unempty" in answer.text)


async def test_a_path_may_be_named_in_full_and_is_never_a_pattern(work: AtWork) -> None:
    work.write({"a.py": "1\n", "*.py": "1\n"})
    assert not (await work.call("add", paths=[str(work.workspace.root / "*.py")])).is_error
    assert git(work.workspace.root, "status", "--porcelain").split("\n") == ["A  *.py", "?? a.py"]
    assert (await work.call("add", paths=[":(exclude)a.py"])).is_error


@pytest.mark.parametrize(
    "rev", ["--output=x", "stash@{0}", "HEAD; rm", "nosuch", "-n1", ":/secret", "HEAD@{1}"]
)
async def test_only_commits_are_named(work: AtWork, rev: str) -> None:
    for action in ("show", "log"):
        assert (await work.call(action, rev=rev)).is_error


async def test_the_owners_unpublished_work_is_not_the_tasks(work: AtWork) -> None:
    clone = work.world.clone
    git(clone, "checkout", "-q", "-b", "private")
    own = commit(clone, {"secret-plan.txt": "the plan\n"})
    write(clone, {"README.md": "stashed\n"})
    git(clone, "stash", "-q")
    for rev in (own, "private", "refs/stash", own[:12], "stash"):
        answer = await work.call("show", rev=rev)
        assert answer.is_error and "the plan" not in answer.text and "stashed" not in answer.text
    assert not (await work.call("show", rev="origin/main")).is_error


@pytest.mark.parametrize(
    ("files", "what"),
    [
        ({"conf.py": f"TOKEN = '{TOKEN}'\n"}, "a GitHub token in what is added to conf.py, line 1"),
        ({"conf.py": f"++ {TOKEN}\n"}, "a GitHub token"),
        ({"id": "-----BEGIN OPENSSH PRIVATE KEY-----\nxx\n"}, "a private key in what is added to id"),
        ({"x.bin": f"\0\1{TOKEN}\0"}, "a GitHub token"),
        ({f"{TOKEN}.txt": "1\n"}, "a GitHub token in the name of a file"),
        ({".gitattributes": "* -diff -text binary\n", "x": TOKEN}, "a GitHub token in what is added to x"),
        ({"long.js": "x" * 50_000 + TOKEN + "y" * 10}, "a GitHub token in what is added to long.js"),
        ({"a": "password: 'hG7kQ2mX9pL4vB8n'"}, "what looks like a key"),
        ({"a": "postgres://app:hG7kQ2mX9p@db.internal/x"}, "a password in an address"),
        ({"a": "the-daemons-own-secret"}, "a secret of this machine"),
    ],
)
async def test_a_secret_is_not_committed_anywhere(work: AtWork, files: dict[str, str], what: str) -> None:
    work.workspace = replace(work.workspace, is_private=True)
    work.services["secrets"] = lambda: ["the-daemons-own-secret"]
    work.write(files)
    answer = await work.call("commit", message="add")
    assert answer.is_error and what in answer.text
    assert TOKEN not in answer.text and "hG7kQ2" not in answer.text
    assert git(work.workspace.root, "rev-list", "--count", "main..HEAD") == "0"
    assert (await work.call("commit", message=f"see {TOKEN}", paths=["README.md"])).is_error


async def test_private_words_stay_where_the_world_can_read(
    work: AtWork, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/srv/mona")
    work.services["private_names"] = lambda: ["octo/secret-sauce"]
    public = replace(work.workspace, origin_url="https://github.com/octo/app.git")
    for text in ("open /srv/mona/notes.txt\n", "see Octo/Secret-Sauce\n", "at /Users/mona/src\n"):
        for space, is_error in (
            (public, True),
            (replace(public, is_private=True), False),
            (work.workspace, False),
        ):
            work.workspace = space
            work.write({"notes.md": text})
            answer = await work.call("commit", message="notes", paths=["notes.md"])
            assert answer.is_error is is_error, (text, answer.text)
            git(space.root, "reset", "-q", "--hard", "main")


def test_what_only_looks_like_a_secret_passes() -> None:
    fine = (
        "api_key = os.environ['API_KEY']\npassword: ${DB_PASSWORD}\ntoken = get_token(request_id_1)\n"
        "postgres://user:password@localhost/x\nsk-learn-style-names-are-not-keys-at-all-even-long\n"
        "sha256 = '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08'\n"
        "/home/user/app /home/runner/work secret_key = 'example-secret-key-12345678'\nghp_short AKIA\n"
    )
    assert find(fine, home="/home/mona") == []


async def test_other_arguments_and_places_are_said(work: AtWork) -> None:
    assert "no argument force" in (await work.call("push", force=True)).text
    assert "no action 'rebase'" in (await work.call("rebase")).text
    assert "list of strings" in (await work.call("diff", paths="README.md")).text
    assert "needs a `message`" in (await work.call("commit", message="  ")).text
    bare = work.context(workspace=replace(work.workspace, git_dir=None))
    assert (await GitTool().run({"action": "status"}, bare)).is_error
    assert len(str(SPEC.as_json())) < 1300, "every request pays for it"


async def test_a_worktree_gone_or_moved_off_its_branch_is_said(work: AtWork) -> None:
    work.write({"a.py": "1\n"})
    git(work.workspace.root, "checkout", "-q", "--detach")
    assert "not on its branch" in (await work.call("commit", message="x")).text
    assert "not on its branch" in (await work.call("push")).text
    git(work.world.clone, "worktree", "remove", "--force", str(work.workspace.root))
    for action in ("status", "commit", "push"):
        answer = await work.call(action, message="x")
        assert answer.is_error and "is gone" in answer.text


async def test_a_large_answer_is_cut_and_says_so(work: AtWork) -> None:
    work.write({"src/app.py": "".join(f"line {n}\n" for n in range(20_000)), "README.md": "small\n"})
    answer = await work.call("diff")
    assert len(answer.text) < 45_000 and "src/app.py | 20" in answer.text and "(cut:" in answer.text


@pytest.mark.parametrize("known", [False, True])
async def test_a_repository_inside_the_worktree_runs_nothing(work: AtWork, known: bool) -> None:
    """What a command in the sandbox can leave: a nested repository with a filter of its own."""
    mark, inner = work.world.top / "mark", work.workspace.root / "inner"
    inner.mkdir()
    git(inner, "init", "-q", "-b", "main")
    commit(inner, {"x.txt": "1\n", ".gitattributes": "*.txt filter=evil\n"})
    work.write({"a.py": "1\n"})
    if known:  # the repository has it as a submodule
        sha = git(inner, "rev-parse", "HEAD")
        git(work.workspace.root, "update-index", "--add", "--cacheinfo", f"160000,{sha},inner")
        git(work.workspace.root, "commit", "-q", "-m", "submodule")
    git(inner, "config", "filter.evil.clean", f"touch {mark}; cat")
    git(inner, "config", "core.fsmonitor", f"touch {mark}; false")
    os.utime(inner / "x.txt", (1, 1))
    for action, args in (
        ("status", {}),
        ("add", {"paths": ["."]}),
        ("add", {"paths": ["inner"]}),
        ("diff", {}),
        ("diff", {"base": True}),
        ("diff", {"staged": True}),
        ("commit", {"message": "all"}),
        ("commit", {"message": "inner", "paths": ["inner"]}),
        ("restore", {"paths": ["inner"]}),
        ("show", {}),
        ("log", {}),
        ("push", {}),
    ):
        await GitTool().run({"action": action, **args}, work.context())
    assert not mark.exists()
    tree = git(work.workspace.root, "ls-tree", "-r", "HEAD")
    assert "a.py" in tree and ("160000" in tree) is known
    git(work.workspace.root, "status", "--porcelain", check=False)
    assert mark.exists() is known, "a plain status of a submodule is caught"


async def test_an_ignored_or_missing_path_is_said(work: AtWork) -> None:
    work.write({".gitignore": "*.log\n", "x.log": "1\n"})
    assert "is ignored" in (await work.call("add", paths=["x.log"])).text
    assert "is not there" in (await work.call("commit", message="x", paths=["nosuch.py"])).text
    assert not (await work.call("add", paths=["README.md"])).is_error, "nothing changed there"


async def test_names_of_any_bytes_are_committed(work: AtWork) -> None:
    name = os.fsencode(work.workspace.root) + b'/odd-\xff\xfe "q"\n.py'
    Path(os.fsdecode(name)).write_text("1\n")
    assert not (await work.call("commit", message="odd")).is_error
    assert git(work.workspace.root, "status", "--porcelain") == ""
