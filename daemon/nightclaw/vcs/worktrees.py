"""Where tasks work: a worktree of the owner's clone for each, on a branch of its own.

Guarantees. The owner's checkout, its index and its branches stay as they are. Making a worktree again after a kill at
any moment gives the same one, with nothing done twice. What has commits that are nowhere else, or changes that are in
no commit, is never removed unless the owner says so.
"""

import asyncio
import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from nightclaw.core.errors import NightclawError
from nightclaw.core.tools import Workspace
from nightclaw.vcs import making
from nightclaw.vcs.clone import Base, Clone, base_of, locate, origin, resolved
from nightclaw.vcs.git import Git
from nightclaw.vcs.making import Maker, Wanted
from nightclaw.vcs.records import Record, Records
from nightclaw.vcs.remote import Credentials, Remote, RemoteError, shown


class RepoSettings(Protocol):
    """The fields of `[[github.repo]]` that matter here."""

    @property
    def path(self) -> Path | None: ...
    @property
    def base(self) -> str | None: ...
    @property
    def paths(self) -> Sequence[str]: ...
    @property
    def setup(self) -> str | None: ...
    @property
    def share(self) -> Sequence[str]: ...
    @property
    def check(self) -> str | None: ...


@dataclass(frozen=True, slots=True)
class Prepared:
    """A task's workspace. notes: what is not as it should be (origin out of reach, the set-up failed), for the model
    and the owner."""

    workspace: Workspace
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Removed:
    """is_gone False: it is kept, and why."""

    is_gone: bool
    why: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """How the worktrees stand against the tasks: by task id. kept: over, but with work that is nowhere else.
    lost: of a task that is not over, but gone; `prepare` makes it anew from its branch."""

    removed: tuple[str, ...]
    kept: tuple[tuple[str, str], ...]
    lost: tuple[str, ...]


class Worktrees:
    """The worktrees below `home`. `credentials` reach the origins."""

    def __init__(self, git: Git, home: Path, credentials: Credentials) -> None:
        self._git = git
        self._remote = Remote(git, home / "run" / "git", credentials)
        self._records = Records(home / "worktrees")
        self._maker = Maker(git, self._records)

    @property
    def remote(self) -> Remote:
        return self._remote

    def find(self, task_id: str) -> Workspace | None:
        """The workspace of a task whose worktree was made, from its record."""
        record = self._records.get(task_id)
        return record.workspace() if record is not None and record.state == "ready" else None

    def kept(self) -> list[Workspace]:
        """Every worktree there is."""
        return [r.workspace() for r in self._records if r.state == "ready"]

    async def prepare(
        self,
        task_id: str,
        repo: RepoSettings,
        branch: str,
        base: str | None = None,
        *,
        name: str | None = None,
        is_private: bool = False,
    ) -> Prepared:
        """The worktree of a task, made when there is none yet.

        branch: from `branches.branch_for`; where another holds it the task gets one beside it. base: a branch of the
        owner's repository, default the configured one; its files are the ones the set-up runs on. name: `owner/name`.
        Raises NightclawError when there is no clone, no such branch or no room.
        """
        if not task_id.replace("_", "").isalnum() or repo.path is None:
            raise NightclawError("this repository has no clone", "set path of its [[github.repo]]")
        clone = await asyncio.to_thread(locate, repo.path)
        async with self._git.alone(self._records.root(task_id)):
            record = self._records.get(task_id)
            is_same = record is not None and record.state == "ready" and record.common == str(clone.common)
            if record is not None and is_same and await asyncio.to_thread(making.stand, record):
                return Prepared(record.workspace(), record.notes)
            return await self._anew(clone, task_id, record, repo, branch, base or repo.base, name, is_private)

    async def _anew(
        self,
        clone: Clone,
        task_id: str,
        old: Record | None,
        repo: RepoSettings,
        branch: str,
        base: str | None,
        name: str | None,
        is_private: bool,
    ) -> Prepared:
        async with self._git.alone(clone.common):
            told = await self._clear(task_id, old)
            url = await origin(self._git, self._remote, clone)
            start = await base_of(self._git, self._remote, clone, url, base)
            if old is not None and old.state == "ready":
                branch = old.branch  # it was made once: the work on its branch goes on
            branch, tip, more = await self._branch(clone, task_id, branch, start)
            begins = await self._fork(clone, tip, start.commit) if tip is not None else start.commit
            record = Record(
                task=task_id,
                state="making",
                root=str(self._records.root(task_id)),
                clone=str(clone.top),
                common=str(clone.common),
                branch=branch,
                base=begins,
                base_branch=start.branch,
                repo=name,
                origin_url=url,
                check=repo.check,
                is_private=is_private,
                made=tip is None,
                notes=(*told, *start.notes, *more),
            )
            wanted = Wanted(tuple(repo.paths), repo.setup, tuple(repo.share))
            await self._maker.begin(clone, record, wanted)
        record = await self._maker.set_up(record, wanted)  # it may take minutes: others need not wait
        async with self._git.alone(clone.common):
            record = await self._maker.finish(record, wanted, tip)
        return Prepared(record.workspace(), record.notes)

    async def _clear(self, task_id: str, old: Record | None) -> list[str]:
        """Make room: what is half-made goes; a tree without a home in its clone is put aside, it may hold work."""
        root = self._records.root(task_id)
        if old is not None and old.state != "ready":
            await self._maker.unmake(old)
        elif old is not None and (admin := making.admin_of(Path(old.common), root)):
            await asyncio.to_thread(making.remove_tree, admin)
        if not os.path.lexists(root):
            return []
        aside = root.with_name(f"{root.name}.aside")
        await asyncio.to_thread(making.remove_tree, aside)
        root.rename(aside)
        return [f"the clone did not know the earlier worktree any more; its files are in {aside}"]

    async def _branch(
        self, clone: Clone, task_id: str, branch: str, base: Base
    ) -> tuple[str, str | None, list[str]]:
        """The branch to work on, the commit it goes on from (None: new at the base), and what to say of it."""
        if await resolved(self._git, clone, "refs/heads/nightclaw") is not None:
            hint = "rename it: `git branch -m nightclaw other-name`"
            raise NightclawError(
                "the clone has a branch `nightclaw`, so none can be called nightclaw/…", hint
            )
        holder = await self._holder(clone, branch)
        if holder is not None and not await self._release(holder, task_id):
            beside = f"{branch}-{task_id[-6:].lower()}"
            note = f"{branch} is checked out in {holder}; this is {beside}"
            if await self._holder(clone, beside) is not None:
                raise NightclawError(
                    f"{branch} and {beside} are checked out elsewhere", "remove those worktrees"
                )
            tip = await making.tip_of(self._git, clone, beside)
            return beside, tip, [note]
        tip = await making.tip_of(self._git, clone, branch)
        if tip is None or await self._is_within(clone, tip, base.commit):
            return branch, None, []
        return branch, tip, [f"{branch} was there already and has commits: work goes on from them"]

    async def _holder(self, clone: Clone, branch: str) -> str | None:
        """The worktree that has the branch checked out."""
        words = ["worktree", "list", "--porcelain"]
        ran = await self._git.run(words, git_dir=clone.common, work_tree=clone.top)
        path = ""
        for line in ran.out.splitlines():
            if line.startswith("worktree "):
                path = line.removeprefix("worktree ")
            elif line == f"branch refs/heads/{branch}":
                return path
        return None

    async def _release(self, holder: str, task_id: str) -> bool:
        """Take the branch over from an earlier task's worktree that has nothing uncommitted, or is gone."""
        for record in self._records:
            if record.root == holder and record.task != task_id:
                if Path(holder).is_dir() and await self._changes(record) != 0:
                    return False
                await self._maker.unmake(record)
                return True
        return False

    async def _fork(self, clone: Clone, tip: str, base: str) -> str:
        words = ["merge-base", tip, base]
        return await self._git.text(words, git_dir=clone.own, work_tree=clone.top) or base

    async def _is_within(self, clone: Clone, commit: str, other: str) -> bool:
        words = ["merge-base", "--is-ancestor", commit, other]
        return (await self._git.run(words, git_dir=clone.own, work_tree=clone.top)).ok

    async def _changes(self, record: Record) -> int | None:
        """How many files differ from the last commit, None when git cannot say."""
        words = ["status", "--porcelain", "--untracked-files=normal", "--ignore-submodules=all"]
        ran = await self._git.run(words, git_dir=Path(record.git_dir), work_tree=Path(record.root))
        return len(ran.out.splitlines()) if ran.ok else None

    async def remove(self, task_id: str, *, discard: bool = False, offline: bool = False) -> Removed:
        """Remove a task's worktree when nothing is lost with it. discard: also when something is (the owner said so).
        offline: without asking the origin what it has. The branch stays when it has commits."""
        record = self._records.get(task_id)
        if record is None:
            return Removed(True)
        if record.state != "ready":
            await self._maker.unmake(record)
            return Removed(True)
        clone = Clone(Path(record.clone), Path(record.common), Path(record.common))
        async with self._git.alone(clone.common):
            if clone.common.is_dir() and clone.top.is_dir():
                tip = await making.tip_of(self._git, clone, record.branch)
                why = "" if discard else await self._holds(record, clone, tip, offline)
                if why:
                    return Removed(False, why)
            elif not discard and Path(record.root).is_dir():
                return Removed(False, f"its clone {record.clone} is not there")
            record = self._records.put(replace(record, state="removing"))
            await self._maker.unmake(record)
        return Removed(True)

    async def _holds(self, record: Record, clone: Clone, tip: str | None, offline: bool) -> str:
        """What would be lost with the worktree, empty when nothing would."""
        root = Path(record.root)
        if root.is_dir() and await asyncio.to_thread(making.stand, record):
            changes = await self._changes(record)
            if changes is None:
                return "git cannot say what changed in it"
            if changes:
                return f"{changes} changed file{'s' * (changes > 1)} in no commit"
        elif root.is_dir():
            return "its clone does not know it any more"
        if tip is None or await self._is_within(clone, tip, record.base):
            return ""
        words = ["for-each-ref", "--count=1", "--contains", tip, "refs/remotes"]
        if await self._git.text(words, git_dir=clone.own, work_tree=clone.top):
            return ""
        if offline or record.origin_url is None:
            return f"{record.branch} has commits that were not pushed"
        try:
            ref = f"refs/heads/{record.branch}"
            there = (await self._remote.heads(record.origin_url, [ref])).get(ref)
        except RemoteError as error:
            return f"it is not known whether {record.branch} was pushed: {error.message}"
        if there is not None and (there == tip or await self._is_within(clone, tip, there)):
            return ""
        return f"{record.branch} has commits that were not pushed"

    async def check_against(self, alive: Collection[str]) -> Standing:
        """At boot: put in order what a kill or the owner left. alive: the tasks that are not over. No network."""
        self._remote.sweep()
        removed: list[str] = []
        kept: list[tuple[str, str]] = []
        lost: list[str] = []
        for record in list(self._records):
            if record.task in alive:
                if record.state == "ready" and not await asyncio.to_thread(making.stand, record):
                    lost.append(record.task)
                continue
            try:
                gone = await self.remove(record.task, offline=True)
            except (NightclawError, OSError) as error:
                gone = Removed(False, str(error))
            removed.append(record.task) if gone.is_gone else kept.append((record.task, gone.why))
        return Standing(tuple(removed), tuple(kept), tuple(lost))

    async def teammate_holds(self, workspace: Workspace) -> str | None:
        """Why to stand down: the origin has the task's branch with commits that are not in the worktree's, so someone
        else's daemon is at it. None when it is ours, not there, or cannot be asked."""
        url, branch, git_dir = workspace.origin_url, workspace.branch, workspace.git_dir
        if url is None or branch is None or git_dir is None:
            return None
        ref = f"refs/heads/{branch}"
        try:
            there = (await self._remote.heads(url, [ref])).get(ref)
        except RemoteError:
            return None
        if there is None:
            return None
        words = ["merge-base", "--is-ancestor", there, "HEAD"]
        if (await self._git.run(words, git_dir=git_dir, work_tree=workspace.root)).ok:
            return None
        return f"{shown(url)} has {branch} already, at {there[:10]}: someone else works on it"

    def set_up_log(self, task_id: str) -> Path | None:
        """Where the set-up's output is, when there was one."""
        path = self._records.directory / f"{task_id}.setup.log"
        return path if path.is_file() else None
