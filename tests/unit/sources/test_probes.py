"""Promise: probes find what the owner would want to know, without a model, and one that fails harms nothing."""

import asyncio
import os
import subprocess
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from nightclaw.core.errors import NightclawError
from nightclaw.core.types import JSON, FactChange
from nightclaw.problems import Problems
from nightclaw.sources.crontab import DAY_MS, milliseconds
from nightclaw.sources.probes import (
    ApprovalsWaiting,
    Around,
    Clone,
    DiskLow,
    Found,
    Look,
    OrdersDue,
    Probe,
    RedBranches,
    ReviewsWaiting,
    SchedulesFailing,
    StalePulls,
    UncommittedWork,
    changes_now,
)

pytestmark = pytest.mark.anyio
NOW = milliseconds(datetime.fromisoformat("2026-11-20T12:00:00Z"))
HOUR_MS = 3_600_000


class View:
    """What is around, and what is known: `look` lets the probes answer and keeps their changes."""

    def __init__(self, home: Path, *probes: Probe, clones: Sequence[Clone] = ()) -> None:
        self.problems = Problems()
        self.around = Around(home, ZoneInfo("Europe/Berlin"), frozenset({"octocat"}), tuple(clones))
        self.probes, self.now = probes, NOW
        self.facts: dict[str, JSON] = {}

    async def look(self, **facts: JSON) -> list[FactChange]:
        self.facts |= facts
        found = await changes_now(self.probes, Look(self.now, self.around, self.facts), self.problems)
        for change in found:
            self.facts.pop(change.key, None)
            if change.value is not None:
                self.facts[change.key] = change.value
        return found

    async def after(self, span_ms: int) -> list[tuple[str, bool]]:
        self.now += span_ms
        return [(c.key, c.tell) for c in await self.look()]


def pull(**words: JSON) -> JSON:
    return {"author": "hubot", "state": "open", "draft": False, "title": "Fix", "requested": {}, **words}


async def test_a_review_is_told_when_it_turns_a_day_old_and_forgotten_when_it_is_done(tmp_path: Path) -> None:
    view = View(tmp_path, ReviewsWaiting())
    view.facts = {
        "pr:octo/app#5": pull(requested={"Octocat": NOW, "someone": NOW - 9 * DAY_MS}),
        "pr:octo/app#6": pull(requested={"octocat": NOW - 9 * DAY_MS}, draft=True),
    }
    assert await view.after(DAY_MS - 1) == []
    assert await view.after(1) == [("review:octo/app#5:Octocat", True)]
    assert await view.after(30 * DAY_MS) == []
    view.facts["pr:octo/app#5"] = pull(requested={})
    assert await view.after(60_000) == [("review:octo/app#5:Octocat", False)]
    view.facts["pr:octo/app#5"] = pull(requested={"octocat": view.now})
    assert await view.after(DAY_MS) == [("review:octo/app#5:octocat", True)]


async def test_a_strangers_title_is_one_plain_line(tmp_path: Path) -> None:
    view = View(tmp_path, ReviewsWaiting())
    title = "Fix\n\x1b[31mthe\u202e build " + "x" * 500
    view.facts = {"pr:octo/app#5": pull(requested={"octocat": 0}, title=title, private=True)}
    (change,) = await view.look()
    assert change.title.isprintable() and len(change.title) <= 200
    assert change.private and change.repo == "octo/app" and change.subject == "octo/app#5"


async def test_my_pull_request_is_stale_after_a_week_and_others_are_not_mine_to_hear_of(
    tmp_path: Path,
) -> None:
    view = View(tmp_path, StalePulls())
    view.facts = {
        "pr:octo/app#5": pull(author="Octocat", last_at=NOW),
        "pr:octo/app#6": pull(author="hubot", last_at=NOW),
    }
    assert await view.after(7 * DAY_MS - 1) == []
    assert await view.after(1) == [("stale:octo/app#5", True)]
    assert await view.after(DAY_MS) == []
    view.facts["pr:octo/app#5"] = pull(author="Octocat", last_at=view.now)
    assert await view.after(1) == [("stale:octo/app#5", False)]


async def test_a_default_branch_red_for_a_day_is_told_once_more(tmp_path: Path) -> None:
    view = View(tmp_path, RedBranches(), clones=[Clone("octo/lib", None, "trunk")])
    red: JSON = {"red": {"ci": {}}, "since": NOW, "first": "sig_1"}
    view.facts = {
        "ci:octo/app:main": red,
        "ci:octo/app:feature": red,
        "ci:octo/lib:trunk": red,
        "ci:octo/lib:main": red,
    }
    assert await view.after(DAY_MS - 1) == []
    assert await view.after(1) == [("red:octo/app:main", True), ("red:octo/lib:trunk", True)]
    assert await view.after(DAY_MS) == []
    del view.facts["ci:octo/app:main"]
    assert await view.after(1) == [("red:octo/app:main", False)]


async def test_approvals_and_failing_schedules(tmp_path: Path) -> None:
    pending = [("apr_1", NOW), ("apr_2", NOW + 2 * HOUR_MS)]
    failing = {"brief": 2, "nightly": 3}

    async def approvals() -> Sequence[tuple[str, int]]:
        return pending

    async def schedules() -> Mapping[str, int]:
        return failing

    view = View(tmp_path, ApprovalsWaiting(approvals), SchedulesFailing(schedules))
    assert await view.after(0) == [("failing:nightly", True)]
    failing["nightly"] = 9
    assert await view.after(HOUR_MS) == [("approval:apr_1", True)]
    failing.clear()
    pending.pop(0)
    assert await view.after(60_000) == [("approval:apr_1", False), ("failing:nightly", False)]


async def test_a_disk_is_watched_where_the_home_lies(tmp_path: Path) -> None:
    view = View(tmp_path, DiskLow())
    assert await view.look() == []
    view.facts["disk:low"] = True
    (well,) = await view.look()
    assert well.value is None and not well.tell


class Broken:
    name, prefix = "broken", "broken:"

    def __init__(self) -> None:
        self.error: Exception | None = NightclawError("it cannot see", "give it eyes")

    async def look(self, view: Look) -> list[Found]:
        if self.error:
            raise self.error
        return []


async def test_a_failing_probe_keeps_its_facts_and_the_others_go_on(tmp_path: Path) -> None:
    broken = Broken()
    view = View(tmp_path, broken, StalePulls())
    view.facts = {"broken:x": 1, "pr:octo/app#5": pull(author="octocat", last_at=0)}
    assert await view.after(0) == [("stale:octo/app#5", True)]
    assert "broken:x" in view.facts
    (problem,) = view.problems.items()
    assert (problem.part, problem.message, problem.hint) == ("probe broken", "it cannot see", "give it eyes")
    broken.error = OSError("gone")
    assert await view.after(0) == [] and len(view.problems.items()) == 1
    broken.error = None
    assert await view.after(0) == [("broken:x", False)] and view.problems.items() == []


# Uncommitted work, with real git


def git(path: Path, *words: str) -> None:
    env = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    who = ("-c", "user.name=o", "-c", "user.email=o@example.org")
    subprocess.run(["git", *who, *words], cwd=path, check=True, env=env, capture_output=True)


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    path = tmp_path / "app"
    path.mkdir()
    git(path, "init", "-q")
    (path / "kept.txt").write_text("one\n")
    (path / "gone.txt").write_text("one\n")
    git(path, "add", ".")
    git(path, "commit", "-q", "-m", "first")
    return path


def touch(path: Path, at_ms: int) -> None:
    os.utime(path, ns=(at_ms * 1_000_000, at_ms * 1_000_000))


async def test_work_left_lying_for_two_days_is_told_once(tmp_path: Path, clone: Path) -> None:
    view = View(tmp_path, UncommittedWork(Problems()), clones=[Clone("octo/app", clone)])
    assert await view.look() == []
    (clone / "kept.txt").write_text("two\n")
    touch(clone / "kept.txt", NOW)
    (clone / "new\nname.txt").write_text("new\n")
    touch(clone / "new\nname.txt", NOW - 9 * DAY_MS)
    key = f"uncommitted:{clone}"
    assert await view.after(2 * DAY_MS - 1) == []
    assert await view.after(1) == [(key, True)]
    assert await view.after(DAY_MS) == []
    git(clone, "add", ".")
    git(clone, "commit", "-q", "-m", "second")
    assert await view.after(1) == [(key, False)]
    (clone / "gone.txt").unlink()
    touch(clone, view.now - 3 * DAY_MS)
    assert await view.after(1) == [(key, True)]


async def test_a_clone_cannot_make_the_probe_run_anything(tmp_path: Path, clone: Path) -> None:
    trap = tmp_path / "trap"
    script = tmp_path / "script"
    script.write_text(f"#!/bin/sh\necho ran >> {trap}\ncat\n")
    script.chmod(0o755)
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    for name in ("post-index-change", "fsmonitor-watchman"):
        (hooks / name).symlink_to(script)
    (clone / ".gitattributes").write_text("* filter=evil\n")
    (clone / "kept.txt").write_text("two\n")
    included = clone / ".git" / "more"
    included.write_text(f'[filter "other.one"]\n\tprocess = {script}\n')
    for key, value in (
        ("core.fsmonitor", str(script)),
        ("core.hooksPath", str(hooks)),
        ("core.pager", str(script)),
        ("filter.evil.clean", str(script)),
        ("filter.evil.required", "true"),
        ("include.path", str(included)),
        ("status.submoduleSummary", "true"),
    ):
        git(clone, "config", key, value)
    (clone / "gone.txt").write_text("other\n")
    (clone / "kept.txt").write_text("three\n")
    for name in ("kept.txt", "gone.txt", ".gitattributes"):
        touch(clone / name, NOW)
    problems = Problems()
    view = View(tmp_path, UncommittedWork(problems), clones=[Clone("octo/app", clone)])
    assert await view.after(3 * DAY_MS) == [(f"uncommitted:{clone}", True)]
    assert not trap.exists() and problems.items() == []
    git(clone, "status")
    assert trap.exists()  # the trap was a real one


async def test_what_is_no_clone_is_a_problem_and_the_other_clones_are_looked_at(
    tmp_path: Path, clone: Path
) -> None:
    bare = tmp_path / "bare"
    bare.mkdir()
    (clone / "kept.txt").write_text("two\n")
    touch(clone / "kept.txt", NOW - 3 * DAY_MS)
    problems = Problems()
    clones = [Clone("octo/bare", bare), Clone("octo/app", clone), Clone("octo/no", tmp_path / "absent")]
    view = View(tmp_path, UncommittedWork(problems), clones=clones)
    view.facts[f"uncommitted:{bare}"] = {"since": 1}
    assert await view.after(0) == [(f"uncommitted:{clone}", True)]
    (problem,) = problems.items()
    assert problem.part == f"clone {bare}"
    git(bare, "init", "-q")
    assert await view.after(0) == [(f"uncommitted:{bare}", False)] and problems.items() == []


async def test_a_git_that_hangs_is_cut_off_with_all_it_started(
    tmp_path: Path, clone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = tmp_path / "bin"
    slow.mkdir()
    told = tmp_path / "told"
    os.mkfifo(told)
    (slow / "git").write_text(f"#!/bin/sh\necho $$ > {told}\nexec sleep 600\n")
    (slow / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{slow}:{os.environ['PATH']}")
    view = View(tmp_path, UncommittedWork(Problems()), clones=[Clone("octo/app", clone)])
    asking = asyncio.create_task(view.look())
    pid = int(await asyncio.to_thread(told.read_text))
    os.kill(pid, 0)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


# ORDERS.md


class Orders(View):
    def __init__(self, home: Path, text: str, start: str) -> None:
        super().__init__(home, OrdersDue())
        self.now = milliseconds(datetime.fromisoformat(start))
        self.write(text)

    def write(self, text: str) -> None:
        (self.around.home / "ORDERS.md").write_text(text)

    async def told(self, moment: str) -> list[str]:
        self.now = milliseconds(datetime.fromisoformat(moment))
        return [c.title.removeprefix("due by your orders: ") for c in await self.look() if c.tell]


async def test_orders_fall_due_once_an_occurrence(tmp_path: Path) -> None:
    text = """# Orders
<!-- - every day at 08:00 never this
-->
- Renew the certificate, due 2026-12-01 at 09:00.
- every monday and thursday at 17:30 look at the queue
- every weekday: read the brief
- Never push to main.
"""
    view = Orders(tmp_path, text, "2026-11-20T12:00:00+01:00")  # a Friday
    assert await view.told("2026-11-20T12:00:00+01:00") == []
    assert await view.told("2026-11-22T23:00:00+01:00") == []
    assert await view.told("2026-11-23T09:00:00+01:00") == ["every weekday: read the brief"]
    assert await view.told("2026-11-23T17:29:59+01:00") == []
    assert await view.told("2026-11-23T17:30:00+01:00") == [
        "every monday and thursday at 17:30 look at the queue"
    ]
    assert await view.told("2026-11-23T17:35:00+01:00") == []
    certificate = "Renew the certificate, due 2026-12-01 at 09:00."
    assert certificate not in await view.told("2026-12-01T08:59:59+01:00")
    both = await view.told("2026-12-01T09:00:00+01:00")
    assert sorted(both) == [certificate, "every weekday: read the brief"]
    for _ in range(3):
        assert await view.told("2026-12-01T09:05:00+01:00") == []
    view.write("- nothing any more\n")
    assert await view.told("2026-12-01T09:10:00+01:00") == []
    assert not [k for k in view.facts if k.startswith("order:")]


async def test_an_order_missed_in_an_absence_is_told_when_it_was_known_or_is_fresh(tmp_path: Path) -> None:
    view = Orders(tmp_path, "- 2026-11-25 call\n- 2020-01-01 old\n", "2026-11-20T12:00:00Z")
    assert await view.told("2026-11-20T12:00:00Z") == []
    assert await view.told("2027-12-25T12:00:00Z") == ["2026-11-25 call"]
    view.write("- 2027-12-23 while you were away\n- every day at 08:00 stand up\n")
    assert await view.told("2027-12-25T12:05:00Z") == ["2027-12-23 while you were away"]
    assert await view.told("2027-12-26T06:59:00Z") == []
    assert await view.told("2027-12-26T07:00:00Z") == ["every day at 08:00 stand up"]
    assert await view.told("2028-03-01T00:00:00Z") == ["every day at 08:00 stand up"]


async def test_a_huge_or_absent_file_of_orders_is_bounded(tmp_path: Path) -> None:
    view = Orders(tmp_path, "- x\n" * 200_000 + "- 2026-11-20 too far down\n", "2026-11-20T12:00:00Z")
    assert await view.told("2026-11-20T12:00:00Z") == []
    (tmp_path / "ORDERS.md").unlink()
    assert await view.told("2026-11-20T12:00:00Z") == [] and view.problems.items() == []
    (tmp_path / "ORDERS.md").write_bytes(b"- 2026-11-20 \xff\xfe broken bytes\n")
    assert len(await view.told("2026-11-20T12:00:00Z")) == 1
