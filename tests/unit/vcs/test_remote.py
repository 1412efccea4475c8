"""A branch is created only where none is, moved only forward, and the token is told to one host only."""

import asyncio
import os
from pathlib import Path

import pytest
from tests.fakes.clones import Scene, commit, git, no_credentials
from tests.fakes.git_http import GitHTTP

from nightclaw.vcs.askpass import Askpass, hosts_of
from nightclaw.vcs.clone import locate, objects, origin
from nightclaw.vcs.git import Git
from nightclaw.vcs.remote import Remote, RemoteError, checked, shown
from nightclaw.vcs.worktrees import Worktrees

pytestmark = pytest.mark.anyio
BRANCH = "nightclaw/5-fix"


@pytest.fixture
def remote(world: Scene, git_runner: Git) -> Remote:
    return Remote(git_runner, world.home / "run" / "git", no_credentials)


async def test_a_branch_is_created_moved_forward_and_never_back(
    world: Scene, remote: Remote, git_runner: Git
) -> None:
    url, clone = str(world.origin), await objects(git_runner, locate(world.clone))
    first = commit(world.clone, {"a": "1"})
    assert (await remote.push(clone, url, first, BRANCH, is_new=True)).state == "new"
    assert (await remote.push(clone, url, first, BRANCH, is_new=False)).state == "same"
    second = commit(world.clone, {"a": "2"})
    again = await remote.push(clone, url, second, BRANCH, is_new=True)
    assert again.state == "refused" and "stale info" in again.why
    assert (await remote.push(clone, url, second, BRANCH, is_new=False)).state == "moved"
    back = await remote.push(clone, url, first, BRANCH, is_new=False)
    assert back.state == "refused"
    assert await remote.heads(url, [f"refs/heads/{BRANCH}"]) == {f"refs/heads/{BRANCH}": second}
    assert list((world.home / "run" / "git").iterdir()) == []


async def test_of_two_daemons_that_push_at_once_one_has_the_branch(world: Scene, tmp_path: Path) -> None:
    """Each round is a race of two machines, each with its own clone and commit."""
    url = str(world.origin)
    other = world.elsewhere()
    homes = [tmp_path / "one", tmp_path / "two"]
    remotes = [Remote(Git(), home, no_credentials) for home in homes]
    clones = [await objects(Git(), locate(top)) for top in (world.clone, other)]
    tips = [commit(top, {"mine": str(top)}) for top in (world.clone, other)]
    for n in range(8):
        pushes = [
            r.push(c, url, tip, f"race/{n}", is_new=True)
            for r, c, tip in zip(remotes, clones, tips, strict=True)
        ]
        states = [p.state for p in await asyncio.gather(*pushes)]
        assert sorted(states) == ["new", "refused"]
        assert git(world.origin, "rev-parse", f"race/{n}") == tips[states.index("new")]


async def test_the_clones_configuration_does_not_say_where_bytes_go(
    world: Scene, remote: Remote, git_runner: Git
) -> None:
    thief = world.top / "thief.git"
    git(world.top, "init", "-q", "--bare", str(thief))
    for key, value in (
        (f"url.{thief}.insteadOf", str(world.origin)),
        (f"url.{thief}.pushInsteadOf", str(world.origin)),
        ("remote.origin.pushurl", str(thief)),
        ("push.default", "matching"),
        ("push.followTags", "true"),
    ):
        git(world.clone, "config", key, value)
    git(world.clone, "tag", "-a", "-m", "t", "secret-tag")
    tip = commit(world.clone, {"a": "1"})
    clone = locate(world.clone)
    url = await origin(git_runner, remote, clone)
    assert url is not None and url == str(world.origin)
    assert (await remote.push(await objects(git_runner, clone), url, tip, BRANCH, is_new=True)).state == "new"
    assert git(thief, "for-each-ref") == ""
    assert git(world.origin, "for-each-ref", "--format=%(refname)").split() == [
        "refs/heads/main",
        f"refs/heads/{BRANCH}",
    ]


async def test_the_owners_own_rewriting_of_addresses_holds(
    world: Scene, remote: Remote, git_runner: Git
) -> None:
    (world.top / "owner" / ".gitconfig").write_text(f'[url "{world.top}/"]\n\tinsteadOf = work:\n')
    git(world.clone, "remote", "set-url", "origin", "work:origin.git")
    assert await origin(git_runner, remote, locate(world.clone)) == str(world.origin)


async def test_a_shallow_clone_pushes(world: Scene, remote: Remote, git_runner: Git) -> None:
    commit(world.clone, {"b": "1"})
    git(world.clone, "push", "-q", "origin", "main")
    thin = world.top / "thin"
    git(world.top, "clone", "-q", "--depth=1", f"file://{world.origin}", str(thin))
    git(world.clone, "commit", "-q", "--allow-empty", "-m", "newer")
    git(world.clone, "push", "-q", "origin", "main")
    worktrees = Worktrees(git_runner, world.home, no_credentials)
    work = (await worktrees.prepare("tsk_1", type(world.repo())(thin), BRANCH)).workspace
    tip = commit(work.root, {"a": "1"})
    clone = await objects(git_runner, locate(thin))
    assert (await remote.push(clone, str(world.origin), tip, BRANCH, is_new=True)).state == "new"


async def test_a_clone_of_sha256_serves(world: Scene, git_runner: Git) -> None:
    top, far = world.top / "wide", world.top / "wide.git"
    git(world.top, "init", "-q", "-b", "main", "--object-format=sha256", str(top))
    commit(top, {"a": "1"})
    git(world.top, "clone", "-q", "--bare", str(top), str(far))
    git(top, "remote", "add", "origin", str(far))
    other = world.top / "wide2"
    git(world.top, "clone", "-q", str(far), str(other))
    newest = commit(other, {"a": "2"})
    git(other, "push", "-q", "origin", "main")
    worktrees = Worktrees(git_runner, world.home, no_credentials)
    prepared = await worktrees.prepare("tsk_1", type(world.repo())(top, base="main"), BRANCH)
    assert prepared.workspace.base == newest and prepared.notes == ()


def tell(world: Scene, token: str, *hosts: str) -> Askpass:
    async def known() -> str | None:
        return token

    return Askpass(world.home / "run" / "ask", known, lambda: hosts)


async def test_a_push_over_http_logs_in_with_the_token(world: Scene, git_runner: Git) -> None:
    with GitHTTP(world.top, "t0ken-with-'quotes\"$(id)") as server:
        url = f"http://{server.host}/origin.git"
        git(
            world.clone,
            "remote",
            "set-url",
            "origin",
            f"http://someone:old-password@{server.host}/origin.git",
        )
        ask = tell(world, server.password, server.host)
        remote = Remote(git_runner, world.home / "run" / "git", ask)
        clone = locate(world.clone)
        assert await origin(git_runner, remote, clone) == url, "a login in the address is not carried on"
        tip = commit(world.clone, {"a": "1"})
        pushed = await remote.push(await objects(git_runner, clone), url, tip, BRANCH, is_new=True)
        assert pushed.state == "new"
        assert set(server.logins) == {f"x-access-token:{server.password}"}
        newest = commit(world.elsewhere(), {"b": "1"})
        git(world.elsewhere(), "push", "-q", "origin", "HEAD:main")
        worktrees = Worktrees(git_runner, world.home, ask)
        assert (await worktrees.prepare("tsk_1", world.repo(), "nightclaw/x")).workspace.base == newest
    assert list((world.home / "run" / "ask").iterdir()) == [], "the token is gone when git is"


async def test_the_token_is_in_a_private_file_and_in_no_environment(world: Scene) -> None:
    ask = tell(world, "the-token", "git.example.org")
    async with ask("https://git.example.org/o/app.git") as env:
        assert "the-token" not in str(env)
        program = Path(env["GIT_ASKPASS"])
        assert program.parent.stat().st_mode & 0o777 == 0o700
        assert (program.parent / "secret").stat().st_mode & 0o777 == 0o600
        assert await _asked(program, "Username for 'https://git.example.org': ") == (0, "x-access-token\n")
        assert await _asked(program, "Password for 'https://x-access-token@git.example.org': ") == (
            0,
            "the-token\n",
        )
        for question in (
            "Password for 'https://x-access-token@evil.example.org': ",
            "Password for 'http://x-access-token@git.example.org': ",
            "Password for 'https://x-access-token@git.example.org.evil': ",
            "",
        ):
            assert (await _asked(program, question))[1] == ""
    assert not program.parent.exists()
    for url in (
        "http://git.example.org/o/app.git",
        "https://evil.example.org/o/app.git",
        "https://git.example.org:444/o/app.git",
        "https://x@git.example.org/o/app.git",
        "git@git.example.org:o/app.git",
        "/srv/git/app.git",
    ):
        async with ask(url) as env:
            assert env == {}


def test_the_token_is_for_the_host_of_its_api() -> None:
    assert hosts_of("https://api.github.com") == {"github.com"}
    assert hosts_of("https://git.corp.example/api/v3") == {"git.corp.example"}
    assert hosts_of("https://api.octo.ghe.com") == {"octo.ghe.com"}


async def test_a_redirect_is_not_followed_with_the_token(world: Scene, git_runner: Git) -> None:
    with GitHTTP(world.top, "pw") as thief, GitHTTP(world.top, "pw") as server:
        server.redirect = f"http://{thief.host}"
        remote = Remote(git_runner, world.home / "run" / "git", tell(world, "pw", server.host))
        with pytest.raises(RemoteError):
            await remote.heads(f"http://{server.host}/origin.git", ["refs/heads/main"])
        assert thief.logins == []


async def test_what_is_wrong_with_a_remote_is_said(world: Scene, git_runner: Git, remote: Remote) -> None:
    with GitHTTP(world.top, "right") as server:
        asked = Remote(git_runner, world.home / "run" / "git", tell(world, "wrong", server.host))
        with pytest.raises(RemoteError) as refused:
            await asked.heads(f"http://{server.host}/origin.git", ["refs/heads/main"])
        assert refused.value.kind == "login" and "wrong" not in str(refused.value)
        host = server.host
    with pytest.raises(RemoteError) as offline:
        await remote.heads(f"http://{host}/origin.git", ["refs/heads/main"])
    assert offline.value.kind == "offline"
    with pytest.raises(RemoteError) as absent:
        await remote.heads(str(world.top / "nosuch.git"), ["refs/heads/main"])
    assert absent.value.kind == "absent"


@pytest.mark.parametrize(
    "url",
    [
        "ext::sh -c 'touch /tmp/x'",
        "--upload-pack=touch /tmp/x",
        "git://example.org/app.git",
        "http://example.org/app.git",
        "fd::17",
        "ssh://-oProxyCommand=x/app",
        "-oProxyCommand=x:app",
        "ftp://example.org/app",
        "https:///app",
        "https://example.org/\x1b[2J",
        "",
    ],
)
def test_addresses_that_are_not_gone_to(url: str) -> None:
    with pytest.raises(RemoteError):
        checked(url)


def test_addresses_that_are() -> None:
    assert checked("https://user:pw@example.org/o/app.git") == "https://example.org/o/app.git"
    assert checked("git@example.org:o/app.git") == "git@example.org:o/app.git"
    assert checked("ssh://git@example.org:22/o/app.git") == "ssh://git@example.org:22/o/app.git"
    assert checked("/srv/app.git") == "/srv/app.git"
    assert shown("https://user:pw@example.org/o/app.git") == "https://example.org/o/app.git"


async def _asked(program: Path, question: str) -> tuple[int | None, str]:
    child = await asyncio.create_subprocess_exec(
        str(program), question, stdout=asyncio.subprocess.PIPE, env={"PATH": os.environ["PATH"]}
    )
    out, _ = await child.communicate()
    return child.returncode, out.decode()
