"""The owner edits the files by hand and it works; what cannot be taken over is told and left alone."""

import os
from pathlib import Path

import pytest
from tests.unit.memory.conftest import Desk

from nightclaw.core.states import MemoryState
from nightclaw.core.trust import Trust
from nightclaw.store import memories, observations, topics
from nightclaw.store.db import Connection

pytestmark = pytest.mark.anyio


def a_line(desk: Desk, holding: str, topic: str = "deploys") -> str:
    return next(x for x in desk.text(topic).splitlines() if holding in x and x[:1] in ("-", "*"))


async def test_a_changed_bullet_becomes_the_owners_memory_in_its_place(desk: Desk) -> None:
    first = await desk.keep("the port is 8080")
    await desk.keep("deploys happen on Fridays")
    await desk.step()
    desk.save(desk.text().replace("8080", "9090"))
    await desk.step()
    active = await desk.active()
    assert set(active) == {"the port is 9090", "deploys happen on Fridays"}
    made = active["the port is 9090"]
    assert made.trust is Trust.OWNER and made.supersedes == first and made.made_by == "edit"
    assert (await desk.row(first)).state is MemoryState.SUPERSEDED
    assert a_line(desk, "9090") == f"- the port is 9090 ^{made.id}"
    assert desk.text().index("9090") < desk.text().index("Fridays")
    source = await desk.store.read(observations.get, list(made.sources))
    assert [o.text for o in source] == ["the port is 9090"]
    assert desk.told() == {}


async def test_a_removed_bullet_is_retired_for_good(desk: Desk) -> None:
    gone, kept = await desk.keep("forget me"), await desk.keep("keep me")
    await desk.step()
    desk.save("".join(line + "\n" for line in desk.text().splitlines() if "forget" not in line))
    await desk.step()
    assert (await desk.row(gone)).state is MemoryState.RETIRED
    assert (await desk.row(kept)).state is MemoryState.ACTIVE
    assert await desk.store.read(memories.is_forgotten, "forget me")


async def test_a_new_bullet_is_added_and_gets_its_id(desk: Desk) -> None:
    await desk.keep("old")
    await desk.step()
    desk.save(
        desk.text() + "\nA thought of mine.\n\n* I never deploy on Mondays (when: planning a release)\n"
    )
    await desk.step()
    made = (await desk.active())["I never deploy on Mondays"]
    assert (made.trust, made.topic, made.applies) == (Trust.OWNER, "deploys", "planning a release")
    assert "A thought of mine.\n" in desk.text()
    assert a_line(desk, "Mondays") == f"* I never deploy on Mondays (when: planning a release) ^{made.id}"
    before = desk.text()
    await desk.step()
    assert desk.text() == before and len(await desk.active()) == 2


async def test_a_file_of_the_owners_own_is_a_topic(desk: Desk) -> None:
    desk.save("# Kitchen\n\nWhen to look: cooking\n\n- the salt is left\n- the oven is old\n", "kitchen")
    await desk.step()
    active = await desk.active()
    assert {m.topic for m in active.values()} == {"kitchen"} and len(active) == 2
    assert "[Kitchen](topics/kitchen.md) (2): cooking" in desk.index.read_text()


async def test_a_bullet_that_moved_changes_its_topic(desk: Desk) -> None:
    moved = await desk.keep("the lights are blue", "deploys")
    await desk.keep("stays", "deploys")
    await desk.keep("there before", "house")
    await desk.step()
    line = a_line(desk, "blue")
    desk.save(desk.text().replace(f"{line}\n", ""))
    desk.save(desk.text("house") + f"{line}\n", "house")
    await desk.step()
    row = await desk.row(moved)
    assert (row.state, row.topic, row.trust) == (MemoryState.ACTIVE, "house", Trust.DAEMON)
    assert "blue" in desk.text("house") and "blue" not in desk.text()


async def test_an_edit_while_a_dream_commits_wins(desk: Desk) -> None:
    """The dream merged the row after the owner opened the file: the owner's words are the newest version."""
    old = await desk.keep("the port is 8080")
    twin = await desk.keep("port is 8080")
    await desk.step()
    opened = desk.text()

    def dream(conn: Connection) -> str:
        merged = memories.add(
            conn,
            _like("the port is 8080 everywhere", [m.sources[0] for m in memories.of_topic(conn, "deploys")]),
            desk.clock.now_ms(),
        )
        for gone in (old, twin):
            memories.supersede(conn, gone, merged, desk.clock.now_ms())
        return merged

    merged = await desk.store.write(dream)
    await desk.files.render(["deploys"])
    assert "everywhere" in desk.text()
    desk.save(opened.replace("the port is 8080", "the port is 9999"))
    await desk.step()
    active = await desk.active()
    assert set(active) == {"the port is 9999"}
    assert active["the port is 9999"].supersedes == merged
    assert (await desk.row(merged)).state is MemoryState.SUPERSEDED


def _like(text: str, sources: list[int]) -> memories.NewMemory:
    return memories.NewMemory(
        text,
        "project",
        "deploys",
        Trust.DAEMON,
        sources,
        "dream",
        1_795_000_000_000,
        state=MemoryState.ACTIVE,
    )


async def test_an_older_picture_of_the_page_forgets_nothing(desk: Desk) -> None:
    await desk.keep("one")
    await desk.step()
    opened = desk.text()
    later = await desk.keep("came while the editor was open")
    await desk.step()
    desk.save(opened.replace("- one", "- one, changed"))
    await desk.step()
    assert (await desk.row(later)).state is MemoryState.ACTIVE
    assert set(await desk.active()) == {"one, changed", "came while the editor was open"}
    assert "came while" in desk.text()


async def test_what_was_put_back_is_remembered_again(desk: Desk) -> None:
    gone = await desk.keep("oops")
    await desk.keep("other")
    await desk.step()
    full = desk.text()
    desk.save(full.replace(f"{a_line(desk, 'oops')}\n", ""))
    await desk.step()
    assert (await desk.row(gone)).state is MemoryState.RETIRED
    desk.save(full)
    await desk.step()
    made = (await desk.active())["oops"]
    assert made.id != gone and made.trust is Trust.OWNER and f"^{made.id}" in desk.text()


async def test_what_was_forgotten_elsewhere_does_not_come_back_from_an_open_editor(desk: Desk) -> None:
    gone = await desk.keep("secret plan")
    await desk.keep("other")
    await desk.step()
    opened = desk.text()
    now = desk.clock.now_ms()
    await desk.store.write(lambda conn: memories.retire(conn, gone, "owner", now, tombstone=True))
    await desk.step()
    desk.save(opened.replace("- other", "- another"))
    await desk.step()
    assert set(await desk.active()) == {"another"} and "secret plan" not in desk.text()


async def test_a_kill_between_the_rows_and_the_file_adds_nothing_twice(desk: Desk) -> None:
    await desk.keep("port 8080")
    await desk.step()
    edited = desk.text().replace("8080", "9090") + "- brand new\n"
    desk.save(edited)
    await desk.step()
    desk.save(edited)  # as if the ids had never been written
    after = desk.again()
    await after.step()
    assert sorted(await after.active()) == ["brand new", "port 9090"]
    assert after.text().count("brand new") == 1 and after.text().count("9090") == 1


BROKEN = {
    "an open fence": (lambda t: t + "```\n- hidden\n", "code block"),
    "an id twice": (lambda t: t + next(x for x in t.splitlines() if "^mem" in x).replace("one", "two") + "\n", "twice"),
    "an id of nobody": (lambda t: t + "- forged ^mem_01ARZ3NDEKTSV4RRFFQ69G5FAV\n", "no memory"),
    "a secret": (lambda t: t + "- the password is hunter2-Tango!9\n", "not kept"),
    "words without end": (lambda t: t + f"- {'very ' * 500}long\n", "at most"),
}  # fmt: skip


@pytest.mark.parametrize("how", BROKEN)
async def test_a_broken_line_is_told_and_left_alone(desk: Desk, how: str) -> None:
    kept = await desk.keep("one")
    await desk.step()
    change, said = BROKEN[how]
    text = change(desk.text())
    desk.save(text)
    await desk.step()
    told = desk.told()["memory.deploys"]
    assert said in told and "deploys.md line " in told
    assert (await desk.row(kept)).state is MemoryState.ACTIVE and set(await desk.active()) == {"one"}
    assert desk.text() == text
    await desk.keep("two of ours")
    await desk.step()
    for line in text.splitlines():
        assert line in desk.text() or "<!-- nightclaw" in line
    desk.save("".join(f"- {m.text} ^{m.id}\n" for m in (await desk.active()).values()))
    await desk.step()
    assert "memory.deploys" not in desk.told()


@pytest.mark.parametrize("how", ["not UTF-8", "too large", "no text"])
async def test_an_unreadable_file_is_told_and_left_alone(desk: Desk, how: str) -> None:
    kept = await desk.keep("one")
    await desk.step()
    data = {"not UTF-8": b"- one \xff\xfe\n", "too large": b"- x\n" * 2_500_000, "no text": b"- a\0b\n"}[how]
    desk.save(data)
    await desk.step()
    assert how in desk.told()["memory.deploys"] and desk.path().read_bytes() == data
    await desk.keep("two")
    await desk.step()
    assert (await desk.row(kept)).state is MemoryState.ACTIVE and desk.path().read_bytes() == data
    desk.path().unlink()
    await desk.step()
    assert "- one" in desk.text() and "- two" in desk.text()


async def test_a_read_only_file_is_told_and_left_alone(desk: Desk) -> None:
    await desk.keep("one")
    await desk.step()
    before = desk.text()
    desk.path().chmod(0o400)
    await desk.keep("two")
    await desk.step()
    assert "read-only" in desk.told()["memory.deploys"] and desk.text() == before
    desk.path().chmod(0o600)
    await desk.step()
    assert "memory.deploys" not in desk.told() and "- two" in desk.text()


async def test_a_file_that_is_gone_is_written_anew(desk: Desk) -> None:
    kept = await desk.keep("one")
    await desk.step()
    before = desk.text()
    for how in ("deleted", "emptied"):
        desk.path().unlink()
        if how == "emptied":
            desk.save("")
        await desk.step()
        assert desk.text() == before and (await desk.row(kept)).state is MemoryState.ACTIVE
        assert "written anew" in desk.told()["memory.*"]


async def test_a_folder_in_the_place_of_a_file_is_told(desk: Desk) -> None:
    await desk.keep("one")
    await desk.step()
    desk.path().unlink()
    desk.path().mkdir()
    (desk.path() / "mine").write_text("x")
    await desk.step()
    assert "is a folder" in desk.told()["memory.deploys"] and (desk.path() / "mine").exists()
    (desk.path() / "mine").unlink()
    desk.path().rmdir()
    await desk.step()
    assert "- one" in desk.text()


async def test_a_name_that_is_no_topic_is_told(desk: Desk) -> None:
    desk.save("- a thought\n", "My Notes")
    await desk.step()
    assert "my-notes.md" in desk.told()["memory.My Notes"] and desk.text("My Notes") == "- a thought\n"


async def test_a_private_repositorys_page_is_its_own(desk: Desk) -> None:
    private = await desk.keep("the vault is green", "colours", private=True, repo="octo/secret")
    await desk.keep("the sky is blue", "colours")
    await desk.step()
    page = topics.page_name("", True, "octo/secret")
    assert "green" in desk.text(page) and "green" not in desk.text("colours")
    assert "octo/secret" in desk.index.read_text() and "green" not in desk.index.read_text()
    desk.save(desk.text(page) + "- the door is red\n", page)
    await desk.step()
    made = (await desk.active())["the door is red"]
    assert (
        made.private and made.repo == "octo/secret" and (await desk.row(private)).state is MemoryState.ACTIVE
    )


async def test_a_save_that_slips_in_is_not_overwritten(desk: Desk, tmp_path: Path) -> None:
    from nightclaw.memory import disk

    await desk.keep("one")
    await desk.step()
    held = disk.read(desk.path())
    assert held is not None
    desk.path().write_text("what the owner saved meanwhile\n")
    with pytest.raises(disk.Overtaken):
        disk.write(desk.path(), "ours\n", held)
    assert desk.text() == "what the owner saved meanwhile\n"
    with pytest.raises(disk.Overtaken):
        disk.write(desk.path(), "ours\n", None)
    assert [p.name for p in desk.path().parent.iterdir()] == ["deploys.md"]


async def test_a_file_that_is_being_written_is_waited_for(desk: Desk) -> None:
    kept = await desk.keep("one")
    await desk.step()
    desk.path().write_text("# De")  # half of a save
    await desk.files.look()
    assert desk.files.is_pending and (await desk.row(kept)).state is MemoryState.ACTIVE
    assert desk.path().read_text() == "# De"
    os.utime(desk.path(), (1, 1))


async def test_many_bullets_at_once_are_taken_over_in_time(desk: Desk) -> None:
    names = [f"street {n} is paved with stone kind {chr(97 + n % 26)}{n}" for n in range(800)]
    desk.save("# Streets\n\n" + "".join(f"- {name}\n" for name in names), "streets")
    await desk.step()
    assert set(await desk.active()) >= set(names[:500]) or len(await desk.active()) == 500
    assert desk.text("streets").count("^mem_") == 800


async def test_an_index_among_the_topics_is_told_and_left_alone(desk: Desk) -> None:
    await desk.keep("one")
    desk.save("- mine\n", "MEMORY")
    await desk.step()
    assert "memory.md" in desk.told()["memory.MEMORY"] and desk.text("MEMORY") == "- mine\n"
    assert "topics/deploys.md" in desk.index.read_text()
