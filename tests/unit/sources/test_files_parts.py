"""The pure parts of watching: ignore rules as git has them, saved rows, and when a burst is over."""

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.sources.watching import write

from nightclaw.core.types import JSON
from nightclaw.sources.files_burst import LONGEST_S, MANY, Burst, Heard
from nightclaw.sources.files_diff import Change, in_portions, judge
from nightclaw.sources.files_ledger import PAGE, Head, Page, decode, encode, head_of
from nightclaw.sources.files_tree import Print, Tree

PRINTS = st.dictionaries(
    st.text(min_size=1, max_size=12).filter(
        lambda n: "/" not in n and "\0" not in n and not any("\ud800" <= c <= "\udfff" for c in n)
    ),
    st.builds(
        Print,
        st.integers(0, 2**63),
        st.integers(0, 2**40),
        st.integers(0, 2**63),
        st.sampled_from(["", "0123456789abcdef0123"]),
    ),
    max_size=30,
)


def test_what_is_kept_is_what_git_would_not_ignore(tmp_path: Path) -> None:
    files = {
        ".gitignore": "# note\n*.o\nbuild/\n/dist\n!keep.o\ndoc/**/gen\nfoo/*\n!foo/bar\n\\#odd\ntrail \n**/deep/x\n",
        "sub/.gitignore": "!*.o\nlocal.txt\n/only-here\n",
        "sub/lower/.gitignore": "*\n!.gitignore\n!kept.txt\n",
    }
    names = [
        *("a.o", "keep.o", "src/a.o", "src/keep.o", "build/x", "src/build/y", "dist/z", "src/dist/z"),
        *("doc/a/b/gen/x", "doc/gen/y", "foo/one", "foo/bar/two", "#odd", "plain.txt", "trail", "sub/build"),
        *(
            "sub/a.o",
            "sub/local.txt",
            "sub/x/local.txt",
            "sub/only-here",
            "sub/x/only-here",
            "sub/excluded.me",
        ),
        *("sub/lower/any", "sub/lower/kept.txt", "a/deep/x", "deep/x/y", "secret/s.txt", "foo/bar/keep.o"),
    ]
    for name, text in files.items():
        write(tmp_path / name, text)
    for name in names:
        write(tmp_path / name)
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    write(tmp_path / ".git" / "info" / "exclude", "secret/\nexcluded.*\n")
    listed = ["git", "-C", tmp_path, "ls-files", "--others", "--exclude-standard", "-z"]
    expected = {
        n for n in subprocess.run(listed, check=True, capture_output=True, text=True).stdout.split("\0") if n
    }

    def kept(start: Path) -> set[str]:
        tree = Tree(str(start))
        tree.walk()
        prefix = "" if start == tmp_path else f"{start.relative_to(tmp_path)}/"
        return {
            f"{prefix}{d}/{name}" if d else f"{prefix}{name}"
            for d, listing in tree.sweep()
            if listing
            for name in listing.files
        }

    assert kept(tmp_path) == expected
    assert kept(tmp_path / "sub") == {n for n in expected if n.startswith("sub/")}, "rules from above hold"


@given(PRINTS)
def test_rows_give_back_what_was_kept(prints: dict[str, Print]) -> None:
    page = Page("files:w:d", encode("files:w:d", prints))
    assert page.prints() == prints
    assert page.rewrite(prints) == {}


def test_a_large_directory_is_kept_in_shards_and_an_edit_rewrites_one() -> None:
    prints = {f"{i}.txt": Print(i, i, i, "ab") for i in range(PAGE * 5)}
    rows = encode("k", prints)
    shards = rows["k"]
    assert isinstance(shards, int) and len(rows) == shards + 1
    whole = Page("k", dict(rows))
    edited = {**prints, "7.txt": Print(9, 9, 9, "cd")}
    assert len(whole.rewrite(edited)) == 1
    (key,) = whole.rewrite(edited)
    part = Page("k", {"k": shards, key: rows[key]}, is_whole=False)
    held = part.prints()
    assert "7.txt" in held and len(held) < len(prints)
    assert part.rewrite({**held, "7.txt": Print(9, 9, 9, "cd")}) == whole.rewrite(edited)
    assert part.rewrite({}) == {key: ""}
    small = {"7.txt": prints["7.txt"]}
    after: dict[str, JSON] = {**rows, **whole.rewrite(small)}
    assert Page("k", {k: v for k, v in after.items() if v is not None}).prints() == small
    assert Page("k", {"k": encode("k", small)["k"]}).rewrite({}) == {"k": None}


def test_decoding_nothing_is_nothing() -> None:
    assert decode("") == {}


@pytest.mark.parametrize("value", [None, 3, {}, {"shape": "s"}, {"shape": "s", "born": "b", "unknown": 1}])
def test_a_head_of_another_shape_is_no_head(value: JSON) -> None:
    assert head_of(value) is None


def test_a_head_comes_back() -> None:
    head = Head("s", "b", 3, 4, 5, "r", True, True)
    assert head_of(head.as_json()) == head


OLD = Print(1, 2, 3, "aa")


@pytest.mark.parametrize(
    ("before", "now", "digest", "change"),
    [
        (None, None, "", None),
        (None, Print(1, 2, 3), "aa", Change.CREATED),
        (OLD, None, "", Change.DELETED),
        (OLD, Print(1, 2, 3), "never read", None),
        (OLD, Print(9, 2, 3), "aa", None),
        (OLD, Print(9, 2, 9), "bb", Change.MODIFIED),
        (OLD, Print(9, 2, 3), "", Change.MODIFIED),
        (OLD, Print(1, 2, 9), "", None),
        (Print(1, 2, 3), Print(9, 2, 3), "aa", Change.MODIFIED),
    ],
)
def test_the_content_decides(
    before: Print | None, now: Print | None, digest: str, change: Change | None
) -> None:
    assert judge(before, now, lambda: digest)[0] is change


def test_a_burst_ends_after_quiet_or_after_half_a_minute() -> None:
    burst = Burst()
    assert burst.due_at(2.0) is None
    burst.hear(Heard(names={"": {"a"}}, age_s=0.5), 100.0)
    assert burst.due_at(2.0) == 101.5
    burst.hear(Heard(names={"": {"a"}}), 101.0)
    assert burst.due_at(2.0) == 103.0
    burst.hear(Heard(names={"": {"b"}}), 129.0)
    assert burst.due_at(2.0) == 99.5 + LONGEST_S
    assert burst.names == {"": {"a", "b"}}


def test_too_many_paths_are_not_followed_one_by_one() -> None:
    burst = Burst()
    burst.hear(Heard(names={"d": {str(i) for i in range(MANY - 1)}}), 1.0)
    burst.hear(Heard(names={"d": {"0"}}), 1.0)
    assert not burst.is_rescan
    burst.hear(Heard(names={"e": {"new"}}), 1.0)
    assert burst.is_rescan and not burst.names


@given(st.sets(st.lists(st.sampled_from("abc"), min_size=1, max_size=4).map("/".join), max_size=40))
def test_portions_cover_every_directory_once(some: set[str]) -> None:
    dirs = {""} | {"/".join(d.split("/")[: n + 1]) for d in some for n in range(d.count("/") + 1)}
    portions = in_portions(dirs, 5)
    covered = [
        d for at, whole in portions for d in dirs if d == at or (whole and (not at or d.startswith(f"{at}/")))
    ]
    assert sorted(covered) == sorted(dirs)
    assert all(
        sum(1 for d in dirs if d == at or d.startswith(f"{at}/")) <= 5
        for at, whole in portions
        if whole and at
    )
